//! A wait that is exact to microseconds. tokio's timers count milliseconds, twenty times what a proxy adds.

use std::io;
use std::time::Duration;

/// A timer of the kernel.
#[cfg(target_os = "linux")]
pub struct Clock(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Clock {
    pub fn new() -> io::Result<Self> {
        use rustix::time::{timerfd_create, TimerfdClockId, TimerfdFlags};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // Deprecated for types whose descriptor changes under it, which an `OwnedFd` cannot; `register` would be unsafe code.
        #[allow(deprecated)]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(Self(timer))
    }

    pub async fn wait(&self, span: Duration) -> io::Result<()> {
        use rustix::time::{timerfd_settime, Itimerspec, TimerfdTimerFlags, Timespec};
        // Zero would disarm it.
        let span = span.max(Duration::from_nanos(1));
        let once = Timespec { tv_sec: span.as_secs() as _, tv_nsec: span.subsec_nanos() as _ };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            self.0.get_ref(),
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: never, it_value: once },
        )?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut count = [0; 8];
            match ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut count)?)) {
                Ok(read) => return read.map(drop),
                Err(_not_yet) => {}
            }
        }
    }
}

/// Where there is no such timer waits end up to a millisecond late, which latencies at a fixed rate include.
#[cfg(not(target_os = "linux"))]
pub struct Clock;

#[cfg(not(target_os = "linux"))]
impl Clock {
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub async fn wait(&self, span: Duration) -> io::Result<()> {
        tokio::time::sleep(span).await;
        Ok(())
    }
}

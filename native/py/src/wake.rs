//! How native threads tell an event loop that exchanges should look again, without the interpreter lock.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hoosh_core::wake::Wake;
use pyo3::prelude::*;

/// The woken exchanges of one event loop.
///
/// A wake puts an exchange's number here and one byte into a socket whose other end the loop waits on; it takes no
/// interpreter lock and may come from any thread. The loop waits until `fileno()` is readable, then calls `take()`.
#[pyclass(module = "hoosh", frozen)]
pub struct WakeQueue(Arc<Queue>);

struct Queue {
    woken: Mutex<Vec<u64>>,
    told: AtomicBool,
    socket: UnixStream,
    loop_side: UnixStream,
}

/// One exchange's place in a queue.
pub struct Bell {
    queue: Arc<Queue>,
    number: u64,
}

impl Wake for Bell {
    fn wake(&self) {
        {
            let mut woken = self.queue.woken.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if woken.last() != Some(&self.number) {
                woken.push(self.number);
            }
        }
        if !self.queue.told.swap(true, Ordering::AcqRel) {
            // A full socket has bytes in it already, which is all that is wanted.
            let _ = (&self.queue.socket).write(&[1]);
        }
    }
}

impl WakeQueue {
    /// The bell of exchange `number`.
    pub fn bell(&self, number: u64) -> Arc<Bell> {
        Arc::new(Bell { queue: self.0.clone(), number })
    }
}

#[pymethods]
impl WakeQueue {
    #[new]
    fn new() -> PyResult<WakeQueue> {
        let (socket, loop_side) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        loop_side.set_nonblocking(true)?;
        let queue = Queue { woken: Mutex::new(Vec::new()), told: AtomicBool::new(false), socket, loop_side };
        Ok(WakeQueue(Arc::new(queue)))
    }

    /// The descriptor that becomes readable when something was woken.
    fn fileno(&self) -> i32 {
        self.0.loop_side.as_raw_fd()
    }

    /// The numbers of the exchanges woken since the last call.
    fn take(&self) -> Vec<u64> {
        let mut drain = [0; 64];
        while matches!((&self.0.loop_side).read(&mut drain), Ok(read) if read > 0) {}
        self.0.told.store(false, Ordering::Release);
        std::mem::take(&mut self.0.woken.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

//! Wakers of the program, which are not called once what they wake is freed.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use hoosh_core::wake::{NoWake, Wake, Waker};

/// Called when an exchange, or the gateway's loop, should be asked for its next step again. It may be called from any
/// thread, in the middle of any call of this library (also about another exchange, also a `_free`), more often than
/// needed, and before the step to wait was taken: so it only notes `context` somewhere and sees to it that the driver
/// looks. It must not block and must not call this library; and whoever calls this library must hold no lock that it
/// takes. NULL wakes nobody: the driver then asks often enough by itself.
pub type hoosh_wake = Option<unsafe extern "C" fn(context: *mut c_void)>;

/// What the core holds of a waker.
struct Bell(Mutex<Option<Call>>);

struct Call {
    wake: unsafe extern "C" fn(*mut c_void),
    context: *mut c_void,
}

// SAFETY: the header asks for a waker that may be called from any thread; the context is only handed back to it.
unsafe impl Send for Call {}

impl Wake for Bell {
    fn wake(&self) {
        // Held while the program is called, so that silencing waits for a wake under way. None of the core's locks is
        // held.
        if let Some(call) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: the program promised a function that may be called from any thread with this context.
            unsafe { (call.wake)(call.context) }
        }
    }
}

/// Dropping it silences the waker: the core calls wakers after it gave up its locks, so that one may still be on its
/// way when the exchange that it wakes is freed, and with it the program's context.
pub struct Silencer(Option<Arc<Bell>>);

impl Drop for Silencer {
    fn drop(&mut self) {
        if let Some(bell) = &self.0 {
            *bell.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

/// A waker for the core, and what silences it.
pub fn waker(wake: hoosh_wake, context: *mut c_void) -> (Waker, Silencer) {
    match wake {
        Some(wake) => {
            let bell = Arc::new(Bell(Mutex::new(Some(Call { wake, context }))));
            (bell.clone(), Silencer(Some(bell)))
        }
        None => (Arc::new(NoWake), Silencer(None)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{channel, Receiver, Sender};

    use super::*;

    struct Gate {
        entered: Sender<()>,
        leave: Receiver<()>,
    }

    unsafe extern "C" fn pass(context: *mut c_void) {
        // SAFETY: the test's own gate, which nobody else looks at while a wake is under way.
        let gate = unsafe { &*context.cast::<Gate>() };
        gate.entered.send(()).unwrap();
        gate.leave.recv().unwrap();
    }

    #[test]
    fn freeing_waits_for_a_wake_under_way_and_stops_those_to_come() {
        let ((entered, is_entered), (go_on, leave)) = (channel(), channel());
        let gate = Gate { entered, leave };
        let (bell, silencer) = waker(Some(pass), std::ptr::from_ref(&gate).cast_mut().cast());
        std::thread::scope(|scope| {
            scope.spawn(|| bell.wake());
            is_entered.recv().unwrap();
            let held = silencer.0.as_ref().unwrap().0.try_lock().is_err();
            go_on.send(()).unwrap();
            assert!(held, "it could be freed in the middle of a wake");
        });
        drop(silencer);
        drop(go_on);
        // A call would find the gate closed, and panic.
        bell.wake();
        assert!(is_entered.try_recv().is_err());
    }
}

//! An application that is mounted below a path answers a request, and its driver carries the bytes: what the core decides
//! of it is whether it may be asked, for whom, and when it must end.

use super::target::Target;
use super::{Caller, Exchange, Phase};
use crate::clock::Now;
use crate::config::Mount;
use crate::error::{Code, Failure};
use crate::ledger::Ending;
use crate::sync::Arc;

/// Leave to hand a request to the application that is mounted where it asks.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Which.
    pub mount: Arc<Mount>,
    /// Of this request, in its record too.
    pub request_id: Arc<str>,
    /// The name of the caller's key, where one was asked for. The application need not see the key, in `authorization`.
    pub key: Option<Arc<str>>,
}

impl Exchange {
    /// After `begin`, for drivers that can reach applications: what lets the request pass to one. `None`: the request is none
    /// of theirs, or is refused, or the application does not run; it goes on as any other.
    ///
    /// With a passage the driver carries the request and its answer, uses the doors `mount_*`, `refused` and `caller_gone`,
    /// and goes on taking steps: a `Reply` is given in place of the application's answer, at a `Break` that is cut off.
    pub fn passage(&mut self, now: Now) -> Option<Passage> {
        let call = self.call.as_ref().filter(|call| call.refusal.is_none() && call.caller == Caller::Http)?;
        let Some(Target::Mounted(mount)) = &call.target else { return None };
        if self.phase != Phase::New || !self.gateway.mounts_run() {
            return None;
        }
        let asked = !mount.public && !self.snap.keys.is_empty();
        let key = asked.then(|| call.holder.name.clone());
        let passage = Passage { mount: mount.clone(), request_id: call.request_id.clone(), key };
        (self.now, self.begun, self.phase) = (now, now, Phase::Mounted);
        Some(passage)
    }

    /// The application is about to answer, with this status. What it says is given on from now, unless this is false: then
    /// the exchange answers, or has ended.
    pub fn mount_began(&mut self, status: u16) -> bool {
        let may = self.phase == Phase::Mounted;
        if may {
            self.out.start_mounted(status);
        }
        may
    }

    /// Its answer is complete.
    pub fn mount_ended(&mut self) {
        if self.phase == Phase::Mounted {
            self.out.end();
            self.conclude(Ending::Completed, None);
        }
    }

    /// It cannot be reached, or broke off.
    pub fn mount_failed(&mut self) {
        if self.phase == Phase::Mounted {
            self.fail(unavailable());
        }
    }
}

/// Nobody answers there now.
pub(super) fn unavailable() -> Failure {
    let words = "The application that is mounted here does not run now. It is started again; ask again.";
    Failure::new(Code::MountUnavailable, words).retry_after(1)
}

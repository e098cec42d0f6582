//! Anthropic's threads: under the operator's credential there they are one of all keys', and here each is its key's.

use super::home::speaks;
use super::responses::Earlier;
use super::Exchange;
use crate::dialects::anthropic::thread;
use crate::dialects::Dialect;
use crate::homes::Known;

impl Exchange {
    /// The thread that the request goes on with, if it is known who keeps it.
    pub(super) fn earlier_thread(&self, body: &[u8]) -> Earlier {
        let Some(Some(id)) = thread::of(body) else { return Earlier::Nothing };
        match self.gateway.home_known(&self.response_key(&id)) {
            home @ Known::Own(_) => self.thread_at(id, home),
            _ if self.gateway.archive.lasts() => Earlier::Unknown(id),
            home => self.thread_at(id, home),
        }
    }

    /// Of a thread, where all is known of it that can be.
    pub(super) fn thread_at(&self, id: String, home: Known) -> Earlier {
        match home {
            Known::Own(home) if speaks(&home, &self.snap, Dialect::Anthropic) => Earlier::Thread(id, Box::new(home)),
            Known::Own(_) | Known::Nobody => Earlier::Nothing,
            Known::Others => Earlier::Others(thread::not_found(&id)),
        }
    }
}

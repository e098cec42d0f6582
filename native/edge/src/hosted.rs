//! A call that the engine host answers, as its exchange's driver holds it.

use std::sync::Arc;

use hoosh_core::dialects::neutral::Request;
use hoosh_core::exchange::{Exchange, UpstreamId};
use hoosh_core::wake::Waker;

use crate::host::{Ask, Host, Line, Told};

/// Dropping it cancels the call.
pub struct Hosted {
    host: Arc<Host>,
    number: u64,
    line: Arc<Line>,
    over: bool,
}

impl Hosted {
    pub fn new(host: &Arc<Host>, caller: u64, name: Arc<str>, request: Request, waker: Waker) -> Hosted {
        let (number, line) = (host.number(), Line::new(waker));
        host.put(Ask::Call { number, caller, name, request, line: line.clone() });
        Hosted { host: host.clone(), number, line, over: false }
    }

    pub fn wants(&self, credit: usize) {
        self.host.put(Ask::Credit { number: self.number, credit });
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Hands on what was told; whether that was anything.
    pub fn pump(&mut self, u: UpstreamId, exchange: &mut Exchange) -> bool {
        let told = self.line.take();
        let any = !told.is_empty();
        for one in told {
            self.over |= matches!(one, Told::End | Told::Failed(..) | Told::Declined(_));
            match one {
                Told::Connected => exchange.connected(u),
                Told::Sent => exchange.sent(u),
                Told::Head(status, headers) => exchange.head(u, status, &headers),
                Told::Data(bytes) => exchange.data(u, bytes),
                Told::Delta(item) => exchange.delta(u, item),
                Told::End => exchange.end(u),
                Told::Failed(stage, reused) => exchange.failed(u, stage, reused),
                Told::Declined(why) => exchange.declined(u, why),
            }
        }
        any
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        if !self.over {
            self.host.put(Ask::Abort { number: self.number });
        }
    }
}

//! The upstream's side of a streamed body: it takes pieces at its own pace, or none.

use hoosh_core::clock::MILLISECOND;
use hoosh_core::http::Body;

use crate::check::Invariant;
use crate::world::{Event, UpState, World};

impl World {
    /// A length that is said must be the caller's own: nothing is changed in these bodies.
    pub(crate) fn check_length(&mut self, x: usize, body: &Body) {
        let whole = self.xs[x].caller.body.len() as u64;
        if let Body::Streamed { length: Some(length) } = body {
            if *length != whole {
                let words = format!("a length of {length} is said of {whole} bytes");
                self.fail(Invariant::Upstreams, Some(x), words);
            }
        }
    }

    pub(crate) fn send_body(&mut self, x: usize, u: u32, bytes: &[u8]) {
        let Some(up) = self.xs[x].ups.get_mut(u as usize).filter(|up| up.state == UpState::Open) else { return };
        if up.got == 0 {
            up.first_bytes = bytes.len();
        }
        up.got += bytes.len();
        up.untaken += bytes.len();
        up.body.extend_from_slice(bytes);
        self.count("body pieces");
        self.take_on(x, u);
    }

    pub(crate) fn end_body(&mut self, x: usize, u: u32) {
        let Some(up) = self.xs[x].ups.get_mut(u as usize).filter(|up| up.state == UpState::Open) else { return };
        up.body_over = true;
        self.upstream_goes_on(x, u);
    }

    fn take_on(&mut self, x: usize, u: u32) {
        let pause = self.dice.span(1, 20 * MILLISECOND);
        let up = &mut self.xs[x].ups[u as usize];
        // One in sixteen takes nothing.
        if up.untaken > 0 && !up.takes_set && up.number % 16 != 0 {
            up.takes_set = true;
            self.after(pause, Event::UpstreamTakes(x, u));
        }
    }

    pub(crate) fn upstream_takes(&mut self, x: usize, u: u32) {
        let part = self.dice.span(1, 128 << 10) as usize;
        let now_us = self.now.mono_us;
        let driven = &mut self.xs[x];
        let up = &mut driven.ups[u as usize];
        up.takes_set = false;
        let Some(exchange) = &mut driven.exchange else { return };
        if up.state != UpState::Open {
            return;
        }
        let taken = part.min(up.untaken);
        up.untaken -= taken;
        driven.last_up_us = now_us;
        exchange.took(u, taken);
        self.look_soon(x);
        self.take_on(x, u);
        self.upstream_goes_on(x, u);
    }
}

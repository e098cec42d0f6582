//! The driver: performs steps, uses doors. The same loop as in every driver, with a script instead of sockets.

use hoosh_core::clock::MILLISECOND;
use hoosh_core::error::{Code, Failure};
use hoosh_core::exchange::{Caller as Framing, ChildAnswer, Exchange, JobResult, RequestHead, Step};
use hoosh_core::http::Body;

use crate::answer::Said;
use crate::caller::Flaw;
use crate::check::{secret_of, wish_us, Invariant};
use crate::plan::{Mood, BAD};
use crate::upstream::{self, Act, Asked};
use crate::world::{Driven, Event, Up, UpState, World};

impl World {
    pub(crate) fn begin(&mut self, x: usize) {
        let bell = self.bell(Some(x));
        let mut exchange = self.gateway.exchange(bell, x % 3);
        self.xs[x].config = self.config;
        self.write_report(x);
        let driven = &mut self.xs[x];
        driven.begun_us = self.now.mono_us;
        let room = self.gateway.buffered_bytes() < self.plan.configs[self.config].server.max_buffered_bytes;
        driven.must_refuse = self.draining || !room;
        let caller = &driven.caller;
        if caller.flaw == Flaw::Head {
            exchange.refused(Failure::new(Code::MalformedRequest, "The head cannot be read."));
        } else {
            exchange.begin(RequestHead {
                method: caller.method,
                target: caller.target(),
                headers: &caller.headers,
                caller: if caller.neutral { Framing::Neutral } else { Framing::Http },
            });
        }
        driven.id = exchange.request_id().to_string();
        if caller.body.is_empty() {
            exchange.body_end();
            driven.body_over = true;
        }
        driven.exchange = Some(exchange);
        self.books.requests += 1;
        self.note(Some(x), || "begin".into());
        if self.trace.is_recording() {
            let words = format!("{:?}", self.xs[x].caller).chars().take(600).collect::<String>();
            self.note(Some(x), || words);
        }
        if let Some(leaves) = self.xs[x].caller.leaves_us {
            self.after(leaves, Event::CallerLeaves(x));
        }
        self.look_soon(x);
    }

    /// Performs steps until there is nothing to do, or until somebody else is let in between.
    pub(crate) fn look(&mut self, x: usize) {
        self.xs[x].look_set = false;
        loop {
            let driven = &mut self.xs[x];
            let Some(exchange) = &mut driven.exchange else { return };
            if driven.caller.dropped_at_step == Some(driven.steps) {
                return self.drop_exchange(x);
            }
            if driven.caller.leaves_at_step == Some(driven.steps) {
                driven.caller.leaves_at_step = None;
                return self.caller_leaves(x);
            }
            driven.steps += 1;
            let step = exchange.next(self.now);
            driven.ups.iter_mut().for_each(|up| up.reached |= up.sent);
            self.note_refusals(x);
            self.trace_step(x, &step);
            self.check_step(x, &step);
            let waits = matches!(step, Step::Wait { .. });
            self.perform(x, step);
            if waits || self.broken.is_some() || self.xs[x].exchange.is_none() {
                return;
            }
            if self.dice.chance(15) {
                return self.look_soon(x);
            }
        }
    }

    fn perform(&mut self, x: usize, step: Step) {
        self.xs[x].waits = None;
        match step {
            Step::Continue => {
                self.xs[x].continued = true;
                self.caller_goes_on(x);
            }
            Step::ReadCaller { credit } => {
                self.xs[x].credit += credit;
                self.xs[x].credit_sum += credit;
                self.caller_goes_on(x);
            }
            Step::Send { u, request } => {
                let provider = self.provider_of(&request);
                let body = request.body.bytes().to_vec();
                self.check_send(x, u, &provider, &body, Some(&request));
                let streamed = matches!(request.body, Body::Streamed { .. });
                self.check_length(x, &request.body);
                let secret = secret_of(&request);
                self.open(x, provider, &body, secret, Way::Http, streamed);
            }
            Step::Call { u, engine, request } => {
                let provider = engine.to_string();
                self.check_send(x, u, &provider, &request.body, request.upstream.as_deref());
                let way = if request.upstream.is_some() { Way::Hooked } else { Way::Engine };
                let secret = request.upstream.as_deref().and_then(secret_of);
                self.open(x, provider, &request.body, secret, way, false);
            }
            Step::SendBody { u, bytes } => self.send_body(x, u, &bytes),
            Step::EndBody { u } => self.end_body(x, u),
            Step::Read { u, credit } => {
                if let Some(up) = self.xs[x].ups.get_mut(u as usize) {
                    up.credit += credit;
                }
                self.upstream_goes_on(x, u);
            }
            Step::Abort { u } => {
                self.xs[x].last_up_us = self.now.mono_us;
                if let Some(up) = self.xs[x].ups.get_mut(u as usize) {
                    up.state = UpState::Aborted;
                }
            }
            Step::Work { job } => {
                let result = job.run();
                let delay = self.dice.span(1, 5 * MILLISECOND);
                self.after(delay, Event::Worked(x, result));
            }
            Step::Reply { status, headers, body } => {
                self.xs[x].out.reply(status, headers, body, self.now.mono_us);
                self.transport_goes_on(x);
                if status != 200 {
                    self.dismiss_children(x);
                }
            }
            Step::Start { status, headers } => self.xs[x].out.start(status, headers, self.now.mono_us),
            Step::Emit { bytes } => {
                self.note_signs(x, &bytes);
                self.xs[x].out.emit(bytes, self.now.mono_us);
                self.transport_goes_on(x);
            }
            Step::Finish => self.xs[x].out.finish(),
            Step::Break => {
                self.xs[x].out.cut();
                let driven = &mut self.xs[x];
                driven.taken = driven.out.bytes.len();
            }
            Step::Child { c, exchange } => self.raise_child(x, c, *exchange),
            Step::Wait { until_us } => self.wait(x, until_us),
            Step::Done => {
                self.xs[x].done = true;
                self.xs[x].exchange = None;
                self.ended += 1;
                self.leave_family(x);
                self.check_done(x);
            }
        }
    }

    pub(crate) fn drop_exchange(&mut self, x: usize) {
        let driven = &mut self.xs[x];
        driven.exchange = None;
        driven.dropped = true;
        self.ended += 1;
        self.count("driver drops");
        self.note(Some(x), || "the driver drops the exchange".into());
        self.leave_family(x);
    }

    fn raise_child(&mut self, x: usize, c: u32, exchange: Exchange) {
        let parent = &self.xs[x];
        let mut child = Driven::new(parent.caller.child());
        child.config = parent.config;
        child.begun_us = parent.begun_us;
        child.id = exchange.request_id().to_string();
        child.exchange = Some(exchange);
        child.parent = Some((x, c));
        if self.dice.chance(3) {
            child.caller.dropped_at_step = Some(self.dice.range(0, 10) as u32);
        }
        let number = self.xs.len();
        self.xs.push(child);
        self.xs[x].children.push(number);
        self.look_soon(number);
    }

    /// Nobody waits for what the children of a refused exchange are at.
    fn dismiss_children(&mut self, x: usize) {
        for child in self.xs[x].children.clone() {
            self.xs[child].gone_us.get_or_insert(self.now.mono_us);
        }
    }

    /// An exchange is over: its children go with it, its parent hears what it answered.
    fn leave_family(&mut self, x: usize) {
        for child in std::mem::take(&mut self.xs[x].children) {
            if self.xs[child].exchange.is_some() {
                self.drop_exchange(child);
            }
            self.xs[x].raised.push(child);
        }
        let Some((parent, c)) = self.xs[x].parent else { return };
        let out = &self.xs[x].out;
        // A driver that loses a child answers for it.
        let status = if out.is_over() { out.status } else { 500 };
        let answer = ChildAnswer { status, body: out.bytes.clone().into() };
        if let Some(exchange) = &mut self.xs[parent].exchange {
            exchange.child(c, answer);
            self.look_soon(parent);
        }
    }

    fn wait(&mut self, x: usize, until_us: Option<u64>) {
        let driven = &mut self.xs[x];
        driven.waits = Some((until_us, self.config));
        driven.timer += 1;
        let Some(until_us) = until_us else { return };
        if until_us <= self.now.mono_us {
            driven.spins += 1;
            if driven.spins > 100 {
                return self.fail(
                    Invariant::Wakes,
                    Some(x),
                    "it waits for a time that is past, again and again".into(),
                );
            }
        } else {
            driven.spins = 0;
        }
        let timer = driven.timer;
        let at = until_us.max(self.now.mono_us) + self.lag();
        self.put(at, Event::Timer(x, timer));
    }

    pub(crate) fn worked(&mut self, x: usize, result: JobResult) {
        if let Some(exchange) = &mut self.xs[x].exchange {
            exchange.worked(result);
            self.look_soon(x);
        }
    }

    fn open(&mut self, x: usize, provider: String, body: &[u8], secret: Option<String>, way: Way, streamed: bool) {
        let number = self.said.len() + 1;
        let u = self.xs[x].ups.len() as u32;
        let inputs = inputs_of(body);
        let mut said = Said { x, u, provider: provider.clone(), inputs, ..Said::default() };
        let mood = self.mood_of(&provider).towards(body);
        let bad = secret.as_deref().is_some_and(|secret| secret.ends_with(BAD));
        let script = match self.xs[x].caller.endpoint() {
            Some(endpoint) => {
                let reused = way != Way::Engine && self.books.served.contains(&provider) && self.dice.chance(50);
                let hooked = way == Way::Hooked;
                let asked = Asked { endpoint, stream: self.xs[x].caller.stream, inputs, reused, hooked };
                if bad {
                    self.count("bad credential");
                    upstream::http(&mut self.dice, Mood::Locked(100), asked, self.now.wall_us, number, &mut said)
                } else if way == Way::Engine {
                    upstream::engine(&mut self.dice, mood, asked, self.now.wall_us, number, &mut said)
                } else {
                    upstream::http(&mut self.dice, mood, asked, self.now.wall_us, number, &mut said)
                }
            }
            None => upstream::receiver(&mut self.dice, mood, self.now.wall_us, number),
        };
        self.note(Some(x), || format!("  script of {u} at {provider}: {:?}", script.acts));
        self.said.push(said);
        let up = Up {
            script,
            credit: 0,
            state: UpState::Open,
            set: false,
            reached: false,
            sent: false,
            got: 0,
            first_bytes: 0,
            untaken: 0,
            takes_set: false,
            body_over: !streamed,
            body: body.to_vec(),
            wish_us: None,
            provider,
            secret,
            opened_us: self.now.mono_us,
            answered: false,
            refused: false,
            refused_told: false,
            number,
        };
        self.xs[x].ups.push(up);
        self.upstream_goes_on(x, u);
    }

    fn mood_of(&self, provider: &str) -> Mood {
        let first = &self.plan.configs[0].providers;
        first.iter().position(|p| p.name == provider).map_or(Mood::Well, |at| self.plan.moods[at])
    }

    /// Puts the next act of an attempt on the agenda, unless it is there or waits for credit.
    pub(crate) fn upstream_goes_on(&mut self, x: usize, u: u32) {
        let Some(up) = self.xs[x].ups.get_mut(u as usize) else { return };
        if up.set || up.state != UpState::Open {
            return;
        }
        let Some((delay, act)) = up.script.acts.front() else { return };
        let waits = match act {
            Act::Data(_) => up.credit == 0,
            Act::Sent => !up.body_over || up.untaken > 0,
            Act::Delta(item) => up.credit < item.weight(),
            _ => false,
        };
        if !waits {
            up.set = true;
            let delay = *delay;
            self.after(delay, Event::Upstream(x, u));
        }
    }

    pub(crate) fn upstream_acts(&mut self, x: usize, u: u32) {
        let now_us = self.now.mono_us;
        let driven = &mut self.xs[x];
        let up = &mut driven.ups[u as usize];
        up.set = false;
        let Some(exchange) = &mut driven.exchange else { return };
        if up.state != UpState::Open {
            return;
        }
        let Some((_, act)) = up.script.acts.pop_front() else { return };
        driven.last_up_us = now_us;
        if let Act::Head(status, headers) = &act {
            up.wish_us = wish_us(*status, headers, self.now);
            up.answered = (200..300).contains(status);
            up.refused = matches!(status, 401 | 403);
        }
        self.trace.line(now_us, Some(x), || format!("  upstream {u}: {act:?}"));
        self.trace.mix(u.into());
        let ended = &mut self.said[up.number - 1].ended_us;
        match act {
            Act::Connected => exchange.connected(u),
            Act::Sent => {
                let is_whole = !driven.caller.is_upload() || up.body == driven.caller.body;
                if !is_whole {
                    let words = "an upstream took another body for a whole one".into();
                    return self.fail(Invariant::Upstreams, Some(x), words);
                }
                up.sent = true;
                exchange.sent(u);
            }
            Act::Head(status, headers) => exchange.head(u, status, &headers),
            Act::Data(mut bytes) => {
                let now = bytes.split_to(bytes.len().min(up.credit));
                up.credit -= now.len();
                *ended = Some(now_us);
                self.trace.mix_bytes(&now);
                exchange.data(u, now);
                if !bytes.is_empty() {
                    up.script.acts.push_front((1, Act::Data(bytes)));
                }
            }
            Act::Delta(item) => {
                up.credit -= item.weight();
                up.sent = true;
                *ended = Some(now_us);
                exchange.delta(u, item);
            }
            Act::End => {
                up.state = UpState::Ended;
                up.refused_told = up.refused && !driven.look_set;
                *ended = Some(now_us);
                self.books.wishes_us.extend(up.wish_us.map(|wait_us| now_us + wait_us));
                self.books.served.insert(up.provider.clone());
                exchange.end(u);
            }
            Act::Decline => {
                up.state = UpState::Failed;
                exchange.declined(u, Failure::new(Code::UpstreamRefused, "A hook says no."));
            }
            Act::Fail(stage, reused) => {
                up.state = UpState::Failed;
                exchange.failed(u, stage, reused);
            }
        }
        self.look_soon(x);
        self.upstream_goes_on(x, u);
    }
}

/// How an attempt is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Http,
    /// Over HTTP, with callables between.
    Hooked,
    Engine,
}

/// How many inputs a request for embeddings has.
fn inputs_of(body: &[u8]) -> usize {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["input"].as_array().map_or(1, Vec::len)
}

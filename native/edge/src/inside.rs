//! Calls of this process: whoever hands over a request whole gets its answer without a socket between.
//!
//! A call is driven in a thread of the edge like any other exchange. What it says is put where its caller takes it, whom a
//! waker tells; the thread waits for nobody. What a caller has not taken counts as what a socket holds: up to a bound it is
//! on its way, beyond that it is not written, so that the exchange stops its upstream and in the end cuts the caller off.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use hoosh_core::exchange::{Caller, RequestHead};
use hoosh_core::http::Headers;
use hoosh_core::wake::{Wake, Waker};

use crate::bell::Bell;
use crate::drive::{Drive, Place, Say};
use crate::service::Body;
use crate::worker::Hands;

/// Of an answer, how much is on its way before its caller is slow, and how much is taken at once, bytes: dozens of events.
/// More would be lost on a caller who leaves, and hide from the exchange for the longer that nobody takes anything.
const ROOM: usize = 8 << 10;

/// A request of this process.
pub struct Question {
    /// In upper case.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// As a caller over HTTP would send them.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
    /// How a stream is framed.
    pub caller: Caller,
    /// Who asks: not 0, and given with what the engine host is asked, [`crate::host::Ask::Call`].
    pub number: u64,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was one whole body.
    Reply,
    /// It was a stream, and is complete.
    Finish,
    /// It was cut off: its caller took nothing for too long, or it cannot be ended in its protocol.
    Cut,
    /// The edge ended, or gave up the call, before the exchange was over.
    Gone,
}

/// What of an answer is there to be taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// Status and headers, once.
    pub head: Option<(u16, Headers)>,
    /// Pieces of the body; to a neutral caller each is the JSON of one event.
    pub pieces: Vec<Bytes>,
    /// Nothing comes after it.
    pub end: Option<End>,
}

/// A call as its caller holds it, in any thread. Dropping it ends the exchange, and its upstream's work with it.
pub struct Call {
    line: Arc<Line>,
}

impl Call {
    /// What there is, if there is anything. More than the bound of one take waits for the next; whoever got something
    /// takes again before waiting.
    pub fn take(&self) -> Taken {
        let mut answer = self.line.answer();
        let taken = answer.take();
        let slow = answer.told < answer.pushed;
        drop(answer);
        if slow && !taken.pieces.is_empty() {
            // Somebody waits for it to be taken.
            self.line.bell.wake();
        }
        taken
    }

    /// Nothing more is wanted.
    pub fn cancel(&self) {
        let mut answer = self.line.answer();
        if answer.end.is_none() && !std::mem::replace(&mut answer.unwanted, true) {
            drop(answer);
            self.line.bell.wake();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Between a caller and the thread that drives its exchange.
struct Line {
    answer: Mutex<Answer>,
    caller: Waker,
    bell: Arc<Bell>,
}

/// What was said and not taken.
#[derive(Default)]
struct Answer {
    head: Option<(u16, Headers)>,
    pieces: std::collections::VecDeque<Bytes>,
    end: Option<End>,
    /// The caller is gone.
    unwanted: bool,
    /// Bytes of a stream: said, taken, and told the exchange as written.
    pushed: usize,
    taken: usize,
    told: usize,
}

impl Answer {
    fn take(&mut self) -> Taken {
        let mut taken = Taken { head: self.head.take(), ..Taken::default() };
        let mut size = 0;
        while size < ROOM {
            let Some(piece) = self.pieces.pop_front() else { break };
            size += piece.len();
            taken.pieces.push(piece);
        }
        self.taken += size;
        if self.pieces.is_empty() {
            taken.end = self.end;
        }
        taken
    }

    /// Bytes that count as written from now on.
    fn written(&mut self) -> usize {
        let until = self.pushed.min(self.taken + ROOM);
        until - std::mem::replace(&mut self.told, until)
    }
}

impl Line {
    fn answer(&self) -> MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End) {
        let mut answer = self.answer();
        if answer.end.is_none() {
            answer.end = Some(end);
            drop(answer);
            self.caller.wake();
        }
    }
}

/// A call on its way to the thread that drives it.
pub struct Order {
    question: Question,
    teller: Teller,
}

impl Order {
    /// A call whose caller is told by `caller` when there is something to take, and the order for a thread.
    pub fn new(question: Question, caller: Waker) -> (Call, Order) {
        let line = Arc::new(Line { answer: Mutex::default(), caller, bell: Arc::default() });
        (Call { line: line.clone() }, Order { question, teller: Teller(line) })
    }

    /// What has its exchange look.
    pub fn bell(&self) -> Arc<Bell> {
        self.teller.0.bell.clone()
    }

    /// Drives it to its end.
    pub async fn drive(self, hands: Rc<Hands>) {
        let Order { question, teller } = self;
        let line = &teller.0;
        let Hands { shared, upstreams, lane } = &*hands;
        let place = Place::of(question.number, line.bell.clone(), shared.clone(), upstreams.clone());
        let mut exchange = Box::new(shared.gateway.exchange(line.bell.clone(), *lane));
        let Question { method, target, headers, body, caller, .. } = question;
        exchange.begin(RequestHead { method: &method, target: &target, headers: &headers, caller });
        let drive = Drive::new(exchange, place, Body::whole(body));
        if let Some(end) = run(drive, line).await {
            // The exchange is dropped, and what it cost booked, when its caller hears of the end.
            line.end(end);
        }
    }
}

/// The thread's end of a line. However it is dropped, its caller hears of an end.
struct Teller(Arc<Line>);

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.end(End::Gone);
    }
}

/// Until the exchange is over: how it ended; or until nobody wants it.
async fn run(mut drive: Drive, line: &Arc<Line>) -> Option<End> {
    let mut end = None;
    std::future::poll_fn(|cx| loop {
        let mut said = false;
        let polled = loop {
            match drive.poll(cx) {
                Poll::Ready(Say::Reply(status, headers, body)) => {
                    drive.exchange.written(body.len());
                    let mut answer = line.answer();
                    answer.head = Some((status, headers));
                    answer.pieces.push_back(body);
                    end = Some(End::Reply);
                }
                Poll::Ready(Say::Start(status, headers)) => {
                    line.answer().head = Some((status, headers));
                    said = true;
                }
                Poll::Ready(Say::Emit(bytes)) => {
                    let mut answer = line.answer();
                    answer.pushed += bytes.len();
                    answer.pieces.push_back(bytes);
                    let written = answer.written();
                    drop(answer);
                    if written > 0 {
                        drive.exchange.written(written);
                    }
                    said = true;
                }
                Poll::Ready(Say::Finish) => end = Some(End::Finish),
                Poll::Ready(Say::Break) => end = Some(End::Cut),
                Poll::Ready(Say::Done) => break Poll::Ready(()),
                Poll::Pending => break Poll::Pending,
            }
        };
        if said && polled.is_pending() {
            line.caller.wake();
        }
        // Asked after the bell knows whom to wake, so that nothing is missed in between.
        let mut answer = line.answer();
        if polled.is_ready() || answer.unwanted {
            return Poll::Ready(());
        }
        let written = answer.written();
        drop(answer);
        if written == 0 {
            return Poll::Pending;
        }
        drive.exchange.written(written);
    })
    .await;
    drop(drive);
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(answer: &mut Answer, size: usize) {
        answer.pushed += size;
        answer.pieces.push_back(Bytes::from(vec![0; size]));
    }

    #[test]
    fn what_nobody_takes_is_written_up_to_the_room() {
        let mut answer = Answer::default();
        say(&mut answer, ROOM - 1);
        assert_eq!(answer.written(), ROOM - 1);
        say(&mut answer, ROOM);
        assert_eq!(answer.written(), 1);
        say(&mut answer, ROOM);
        assert_eq!(answer.written(), 0);
        // The first two pieces reach the bound of one take, and make as much room.
        assert_eq!(answer.take().pieces.len(), 2);
        assert_eq!(answer.written(), 2 * ROOM - 1);
        answer.take();
        assert_eq!((answer.told, answer.written()), (answer.pushed, 0));
    }

    #[test]
    fn an_end_comes_behind_the_last_piece_and_again() {
        let mut answer = Answer { end: Some(End::Finish), ..Answer::default() };
        say(&mut answer, ROOM);
        say(&mut answer, 1);
        assert_eq!(answer.take().end, None);
        assert_eq!(answer.take().end, Some(End::Finish));
        assert_eq!(answer.take().end, Some(End::Finish));
    }

    #[test]
    fn an_order_that_no_thread_takes_is_told_as_gone() {
        let question = Question {
            method: "GET".into(),
            target: "/v1/models".into(),
            headers: Headers::new(),
            body: Bytes::new(),
            caller: Caller::Neutral,
            number: 1,
        };
        let (call, order) = Order::new(question, Arc::new(hoosh_core::wake::NoWake));
        assert_eq!(call.take().end, None);
        drop(order);
        assert_eq!(call.take().end, Some(End::Gone));
    }
}

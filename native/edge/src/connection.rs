//! One caller's connection, from its first byte to its last: HTTP/1.1 (RFC 9112), one request after another.

use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::net::TcpStream;

use crate::answer::{Answer, Asked, Response};
use crate::caller::{end, Caller, Line};
use crate::drive::Place;
use crate::head::{self, Framing};
use crate::passed::Passer;
use crate::service::Gate;
use crate::wire::Wire;
use crate::worker::Hands;

/// What a slow caller can be ahead of its socket, bytes: beyond that its answer is not asked for more.
const BUFFER: usize = 16 << 10;

/// Serves one connection.
pub async fn serve(stream: TcpStream, wire: Rc<Wire>, hands: Rc<Hands>) {
    let Hands { shared, upstreams, lane } = &*hands;
    let place = Place::new(wire.bell.clone(), shared.clone(), upstreams.clone());
    let passer = shared.way.get().map(|way| Passer::new(way, &stream));
    let websockets = passer.as_ref().and_then(Passer::websockets);
    let line = Caller::new(stream, wire.clone(), websockets);
    let gate = Gate { place, wire: wire.clone(), lane: *lane, passer, line: line.clone() };
    let mut connection = Connection { gate, line, turn: Turn::Caller, is_last: false };
    std::future::poll_fn(|cx| connection.poll(cx)).await;
    let Connection { line, turn, .. } = connection;
    // With it the exchange, if one is in progress: the caller left, or was cut.
    drop(turn);
    let tunnel = wire.tunnel.take();
    if let Some(tunnel) = tunnel.filter(|_| !wire.cut.get()) {
        tunnel.run(&line, &wire).await;
    }
    if wire.cut.get() {
        line.borrow().reset();
    } else if !wire.retired.get() {
        // One that is retired has its last answer, and its place is wanted at once.
        end(&line).await;
    }
}

/// Whose turn it is.
enum Turn {
    /// The caller's, once it has its last answer.
    Caller,
    /// Whoever was asked.
    Asked(Asked),
    /// The answer's.
    Answer(Answer, Framing),
}

/// Whether it can go on.
enum Going {
    /// Once something happens.
    Waits,
    /// Not at all.
    Ends,
}

struct Connection {
    gate: Gate,
    line: Line,
    turn: Turn,
    /// No other request is read.
    is_last: bool,
}

impl Connection {
    /// Goes on until it waits; ready when it is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.gate.wire.note_task(cx);
        loop {
            if let Going::Ends = self.go(cx) {
                return Poll::Ready(());
            }
            // What was said in one go is written in one.
            let written = self.line.borrow_mut().poll_write_out(cx);
            match written {
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => break,
                Poll::Pending => {
                    self.gate.wire.work_on(cx);
                    break;
                }
            }
        }
        let is_asking = matches!(self.turn, Turn::Caller);
        if self.gate.wire.cut.get() || !is_asking && self.line.borrow_mut().poll_gone(cx).is_ready() {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Takes turns until somebody must be waited for, or what is said must be written.
    fn go(&mut self, cx: &mut Context<'_>) -> Going {
        loop {
            if self.gate.wire.cut.get() {
                return Going::Ends;
            }
            match &mut self.turn {
                Turn::Caller => {
                    let next = {
                        let mut caller = self.line.borrow_mut();
                        if caller.behind() > 0 {
                            return Going::Waits;
                        }
                        if self.is_last {
                            return Going::Ends;
                        }
                        caller.poll_next(cx)
                    };
                    let Poll::Ready(next) = next else { return Going::Waits };
                    let Some(asked) = self.gate.ask(next) else { return Going::Ends };
                    self.turn = Turn::Asked(asked);
                }
                Turn::Asked(asked) => {
                    let answer = asked.poll(cx);
                    let is_wanted = self.gate.wire.wants_word.take();
                    match answer {
                        Poll::Pending if is_wanted => {
                            self.line.borrow_mut().out().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                            return Going::Waits;
                        }
                        Poll::Pending => return Going::Waits,
                        Poll::Ready(Err(_)) => return Going::Ends,
                        Poll::Ready(Ok(answer)) => {
                            let Some(turn) = self.begin(answer) else { return Going::Ends };
                            self.turn = turn;
                        }
                    }
                }
                Turn::Answer(answer, framing) => {
                    if self.line.borrow().behind() >= BUFFER {
                        return Going::Waits;
                    }
                    let Poll::Ready(piece) = answer.poll_piece(cx) else { return Going::Waits };
                    let mut caller = self.line.borrow_mut();
                    let (out, is_over) = (caller.out(), piece.is_none());
                    let added = match piece {
                        Some(Ok(bytes)) => framing.add(out, &bytes),
                        Some(Err(_)) => None,
                        None => framing.end(out),
                    };
                    if added.is_none() {
                        return Going::Ends;
                    }
                    if is_over {
                        drop(caller);
                        self.turn = Turn::Caller;
                    }
                }
            }
        }
    }

    /// Writes the head of `response`. `None`: it is not fit to be written.
    fn begin(&mut self, response: Response) -> Option<Turn> {
        let Response { status, headers, mut manner, answer } = response;
        let mut caller = self.line.borrow_mut();
        // An application may go on reading while it answers.
        manner.closes |= caller.is_stopped() && !self.gate.wire.passes.get();
        let framing = head::write(caller.out(), status, &headers, &manner, answer.length())?;
        self.is_last = manner.closes || manner.is_old || status == 101 || matches!(framing, Framing::UntilEnd);
        let is_over = answer.is_over() || framing.is_over();
        drop(caller);
        Some(if is_over { Turn::Caller } else { Turn::Answer(answer, framing) })
    }
}

//! The Responses API's memory: where a request goes on from an earlier response, and what is kept of a new one.

use bytes::Bytes;

use super::home::is_there;
use super::replayed::wants_stream;
use super::target::Target;
use super::verdict::Fall;
use super::Exchange;
use crate::archive::Pending;
use crate::clock::SECOND;
use crate::dialects::anthropic::thread;
use crate::dialects::openai::words::Words;
use crate::dialects::responses::history::{self, Page};
use crate::dialects::Dialect;
use crate::error::{Code, Failure};
use crate::history::Turn;
use crate::homes::{Home, Known};
use crate::json::{Edits, Index, Limits};
use crate::ledger::Usage;

/// What a request says that goes on from an earlier response.
pub(super) enum Earlier {
    /// It begins by itself.
    Nothing,
    /// The items of the turns before.
    Kept(Bytes),
    /// Nobody here kept it: an upstream of the same dialect may have, and perhaps it is known which.
    Elsewhere(String, Option<Box<Home>>),
    /// It is a thread, which this upstream keeps.
    Thread(String, Box<Home>),
    /// Whoever has it, it is not this caller's.
    Others(Failure),
    /// The store may know it.
    Unknown(String),
}

/// A body, and the one that it stands for.
pub(super) struct Resolved {
    /// What policy reads.
    pub whole: Bytes,
    /// What an upstream of the same dialect is sent.
    pub body: Bytes,
    /// What it goes on from is not kept here: where it is, if that is known, and what is told where it is not.
    pub elsewhere: Option<(Failure, Option<Box<Home>>)>,
}

impl Earlier {
    /// What the body stands for.
    pub fn resolve(self, body: Bytes) -> Result<Resolved, Failure> {
        let plain = |body: Bytes| Resolved { whole: body.clone(), body, elsewhere: None };
        match self {
            Earlier::Nothing => Ok(plain(body)),
            Earlier::Others(failure) => Err(failure),
            Earlier::Thread(id, home) => {
                Ok(Resolved { elsewhere: Some((thread::not_found(&id), Some(home))), ..plain(body) })
            }
            Earlier::Kept(items) => {
                let whole = Bytes::from(history::whole_body(&items, &body)?);
                Ok(plain(whole))
            }
            // Nobody was asked who might know it.
            Earlier::Unknown(id) if history::previous_response_id(&body).is_some() => {
                Earlier::Elsewhere(id, None).resolve(body)
            }
            Earlier::Unknown(_) => Ok(plain(body)),
            Earlier::Elsewhere(id, home) => {
                let Ok(index) = Index::scan(&body, Limits::default()) else { return Ok(plain(body)) };
                let mut edits = Edits::new();
                edits.remove("previous_response_id");
                let whole = Bytes::from(edits.apply(&body, &index));
                Ok(Resolved { whole, body, elsewhere: Some((history::not_found(&id), home)) })
            }
        }
    }
}

impl Exchange {
    /// What the request goes on from.
    pub(super) fn earlier(&self, body: &[u8]) -> Earlier {
        match self.dialect() {
            Dialect::OpenAiResponses => {}
            Dialect::Anthropic => return self.earlier_thread(body),
            _ => return Earlier::Nothing,
        }
        let Some(id) = history::previous_response_id(body) else { return Earlier::Nothing };
        let key = self.response_key(&id);
        let (turn, home) = (self.gateway.turn_known(&key, self.now), self.gateway.home_known(&key));
        match (turn, home) {
            (Pending::Kept(turn), _) => Earlier::Kept(turn.items),
            (_, home @ Known::Own(_)) => self.earlier_at(id, home),
            _ if self.gateway.archive.lasts() => Earlier::Unknown(id),
            (_, home) => self.earlier_at(id, home),
        }
    }

    /// Of a response that is not kept here.
    pub(super) fn earlier_at(&self, id: String, home: Known) -> Earlier {
        match home {
            Known::Own(home) => Earlier::Elsewhere(id, Some(home).filter(|it| is_there(it, &self.snap)).map(Box::new)),
            Known::Nobody => Earlier::Elsewhere(id, None),
            Known::Others => Earlier::Others(history::not_found(&id)),
        }
    }

    /// Whether an answer is kept for requests that go on from it.
    pub(super) fn keeps_turn(&self) -> bool {
        let source = self.facts.as_ref().and_then(|facts| facts.source.as_ref());
        self.dialect() == Dialect::OpenAiResponses
            && self.snap.config.dialects.history_max_bytes > 0
            && source.is_some_and(|source| history::is_to_be_kept(&source.body))
    }

    /// Keeps it.
    pub(super) fn keep_turn(&self, response: &[u8]) {
        let Some(source) = self.facts().source.as_ref() else { return };
        let field = |body: &[u8], name: &str| {
            let index = Index::scan(body, Limits::default()).ok()?;
            index.get(body, name).map(|value| Bytes::copy_from_slice(value.raw()))
        };
        let id = Index::scan(response, Limits::default()).ok();
        let id = id.and_then(|index| index.get(response, "id")?.as_str().map(|id| id.into_owned()));
        let Some((items, id)) = history::items_to_keep(&source.body, response).zip(id) else { return };
        let turn = Turn {
            items: Bytes::from(items),
            input: field(&source.body, "input").unwrap_or_else(|| Bytes::from_static(b"[]")),
            response: Bytes::copy_from_slice(response),
            until_us: self.now.wall_us.saturating_add(self.history_us()),
        };
        self.gateway.keep_turn(self.response_key(&id), turn, &self.snap);
    }

    fn history_us(&self) -> i64 {
        self.snap.config.dialects.history_ttl_secs.saturating_mul(SECOND).try_into().unwrap_or(i64::MAX)
    }

    /// The response is made in the background, and its upstream tells it to whoever asks for it.
    pub(super) fn take_later(&mut self, body: Bytes) {
        let dialect = self.attempt.as_ref().map(|attempt| attempt.upstream.dialect);
        let asked_for = self.facts().source.as_ref().is_some_and(|source| source.bar.is_some());
        if dialect != Some(self.dialect()) || !asked_for {
            return self.fall(Fall::error("The provider answered with an error", "the response is not made yet"));
        }
        match self.remember_home(&body, true) {
            Some(id) => self.owe_for(&id),
            None => self.charge_held(),
        }
        self.succeed(Some(Usage::default()), false, Words::default());
        self.attempt = None;
        self.reply_whole(body);
    }

    /// What the answer costs is not known before it is made: the most that it may is charged.
    pub(super) fn charge_held(&mut self) {
        self.charge_most();
        if let Some(reservation) = self.holds.reservation.take() {
            let held = reservation.tokens();
            reservation.settle(held);
        }
    }

    /// What is asked of a response that no upstream keeps: `GET` and `DELETE /v1/responses/{id}`, and what is below it.
    pub(super) fn answer_kept(&mut self, turn: Option<Turn>) {
        let target = self.call().target.clone();
        let deletes = self.call().method == Some("DELETE");
        if let (Some(Target::Kept(_, query)), Some(turn), false) = (&target, &turn, deletes) {
            if wants_stream(query) {
                return self.replay_kept(&turn.response, query);
            }
        }
        let (body, id) = match (target, turn) {
            (Some(Target::KeptItems(id, query)), turn) => {
                let page = page_of(&query);
                (turn.and_then(|turn| history::input_items(&id, &turn.input, &page)), id)
            }
            (Some(Target::KeptCancel(_)), Some(_)) => {
                let words = "Only a response that is made in the background can be cancelled.";
                return self.fail(Failure::new(Code::InvalidValue, words).param("response_id"));
            }
            (Some(Target::Kept(id, _)), Some(_)) if deletes => return self.forget_kept(id),
            (Some(Target::Kept(id, _)), turn) => (turn.map(|turn| turn.response.to_vec()), id),
            (Some(Target::KeptCancel(id)), None) => (None, id),
            _ => return,
        };
        match body {
            Some(body) => self.reply_json(200, body),
            None => self.fail(self.not_kept(&id)),
        }
    }

    pub(super) fn reply_deleted(&mut self, id: &str) {
        self.reply_json(200, history::deleted(id));
    }
}

fn page_of(query: &str) -> Page {
    let mut page = Page::default();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("after", after)) => page.after = Some(after.to_owned()),
            Some(("limit", limit)) => page.limit = limit.parse().ok(),
            Some(("order", order)) => page.ascending = order == "asc",
            _ => {}
        }
    }
    page
}

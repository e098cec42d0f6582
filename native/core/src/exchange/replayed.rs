//! `GET /v1/responses/{id}`: a kept response as the events of its stream, and what is said of one that is not kept here.

use bytes::Bytes;

use super::Exchange;
use crate::dialects::responses::replay;
use crate::error::{Code, Failure};
use crate::homes::Known;
use crate::ledger::Ending;

/// Whether the query asks for events.
pub(super) fn wants_stream(query: &str) -> bool {
    asked_of(query, "stream") == Some("true")
}

/// The last value of a name in a query.
fn asked_of<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.rsplit('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

impl Exchange {
    /// A kept response as events.
    pub(super) fn replay_kept(&mut self, response: &[u8], query: &str) {
        let after = asked_of(query, "starting_after").map(|after| after.parse::<u32>());
        let Ok(after) = after.transpose() else {
            let words = "'starting_after' must be the number of an event, its 'sequence_number'.";
            return self.fail(Failure::new(Code::InvalidValue, words).param("starting_after"));
        };
        let Some(events) = replay::events_of(response, after) else {
            let words = "This response cannot be told as a stream; ask for it without 'stream'.";
            return self.fail(Failure::new(Code::InvalidValue, words).param("stream"));
        };
        let headers = self.headers(b"text/event-stream", 0);
        self.reply(200, headers, Bytes::from(events));
        self.conclude(Ending::Completed, None);
    }

    /// No response of that id can be told here.
    pub(super) fn not_kept(&self, tenant: &str, id: &str) -> Failure {
        let shown = super::call::shown(id);
        if let Known::Own(home) = self.gateway.homes.find(tenant, id) {
            if let Some(provider) = self.snap.routes.provider(&home.provider) {
                if self.snap.upstreams[provider as usize].hooked {
                    let words = format!(
                        "Response '{shown}' is kept by provider '{}', whose hooks see requests of JSON alone: what it keeps can be gone on \
                         from by 'previous_response_id', and not asked for here.",
                        home.provider
                    );
                    return Failure::new(Code::InvalidValue, words).param("response_id");
                }
            }
        }
        Failure::new(Code::UnknownPath, format!("Response with id '{shown}' not found.")).param("response_id")
    }
}

//! What callers and upstreams of a dialect say and expect beside bodies: paths, keys, headers, media types. As data.

use bytes::Bytes;

use super::neutral::Endpoint;
use super::{Asked, Questions};
use crate::config::Dialects;

const BEARER: &[u8] = b"Bearer ";

/// Where a dialect is spoken. No member has a usual value, so that none is forgotten.
#[derive(Clone, Copy)]
pub struct Door {
    /// What a caller's path, its `%XX` read, and its query ask for, if the path is this dialect's. One that several share (`/v1/models`)
    /// is none of theirs: `key_header` and `version` tell who asks.
    pub asked: fn(path: &str, query: &str) -> Option<Asked>,
    /// The path of what [`Asked::Answer`] asks for, as it stands in records: without the model. `count`: only tokens are counted.
    pub path: fn(endpoint: Endpoint, count: bool) -> &'static str,
    /// What paths begin with that are its alone: below them errors are in its shape, whatever is asked. No application is mounted over
    /// their first segments.
    pub below: &'static [&'static str],
    /// What its clients ask beside answers and the list of models.
    pub questions: Option<&'static dyn Questions>,
    /// The header with a bare key: of a caller, beside `authorization` with a bearer's, and of the gateway's for an upstream.
    pub key_header: Option<&'static str>,
    /// The parameter of a query in which a caller may put its key.
    pub key_parameter: Option<&'static str>,
    /// The version of its API since which upstreams take the gateway's key as a bearer's; empty: all do. `None`: none does.
    pub bearer_since: Option<&'static str>,
    /// Its API's version, where a header names it.
    pub version: Option<Version>,
    /// Headers of a caller that go on to upstreams of the same dialect, the version's among them.
    pub told: &'static [&'static str],
    /// Whether a caller's JSON may come without `content-type`.
    pub takes_untyped: bool,
    /// The header that its SDKs show as the request's id, beside `x-request-id`.
    pub id_header: Option<&'static str>,
    /// Whether a caller's stream may have comments (`: …`), by which hoosh keeps it alive: its readers pass over them.
    pub takes_comments: bool,
    /// How an upstream's stream comes. A caller's is [`Protocol::stream_type`](super::Protocol::stream_type).
    pub framing: Framing,
    /// Whether an upstream's stream ends with a mark. Where it does, one that is complete without it is noted.
    pub marks_end: bool,
    /// The path before its targets at an address that comes without one. All targets are below it, the list of models too: where one
    /// API has several versions side by side it is empty, and the targets have the version.
    pub prefix: &'static str,
    /// Where an upstream lists its models, below its base URL: on as few pages as can be.
    pub models_target: &'static str,
    /// In which form it lists them.
    pub listing: Listing,
}

impl Door {
    /// The header with the gateway's key for an upstream that speaks `version` of the API. `shown` is it as a bearer's: `Bearer …`.
    pub fn credential(&self, shown: Bytes, version: &[u8]) -> (Bytes, Bytes) {
        let bearer = self.bearer_since.is_some_and(|since| version >= since.as_bytes());
        match self.key_header.filter(|_| !bearer) {
            Some(name) => (Bytes::from_static(name.as_bytes()), bare(shown)),
            None => (Bytes::from_static(b"authorization"), shown),
        }
    }
}

/// A key that is shown as a bearer's, without the scheme.
pub(crate) fn bare(shown: Bytes) -> Bytes {
    if shown.starts_with(BEARER) {
        shown.slice(BEARER.len()..)
    } else {
        shown
    }
}

/// How a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An event stream.
    Events,
    /// Lines of JSON.
    Lines,
}

impl Framing {
    /// Its media type: it is asked for in `accept`, and an answer of another type is malformed.
    pub const fn media_type(self) -> &'static str {
        match self {
            Framing::Events => "text/event-stream",
            Framing::Lines => "application/x-ndjson",
        }
    }
}

/// The version of an API, in a header.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Its name.
    pub header: &'static str,
    /// What a request says where neither its caller nor its provider's table does.
    pub usual: fn(&Dialects) -> &str,
}

/// A form in which a list of models comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The member with the models.
    pub list: &'static str,
    /// The member of each with its name.
    pub name: &'static str,
    /// What stands before a name and is not said where the model is asked for.
    pub before: Option<&'static str>,
}

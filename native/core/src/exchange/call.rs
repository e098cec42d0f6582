//! What a request head asks for, read before any byte of its body.

use std::borrow::Cow;

use bytes::Bytes;

use super::ask::Ask;
use super::control::CacheControl;
use super::door;
use super::headers::pick;
use super::home;
use super::once;
use super::origin::{self, Cors};
use super::sizes::{self, Size};
use super::step::{Caller, RequestHead};
use super::target::{Access, PoolAsk, Target};
use crate::config::{Config, Server};
use crate::dialects::{self, Dialect};
use crate::engine::Priority;
use crate::error::{Code, Failure};
use crate::gateway::{Gateway, Holder, Snapshot};
use crate::homes::Home;
use crate::http::{is_media_type, HeaderView, Headers};
use crate::rng::Rng;
use crate::sync::Arc;

/// The facts of one request head.
#[derive(Debug)]
pub(super) struct Call {
    pub caller: Caller,
    pub request_id: Arc<str>,
    pub target: Option<Target>,
    /// In which protocol it asks, and is told of errors.
    pub dialect: Dialect,
    /// What its path says in that.
    pub asked: dialects::Ask,
    /// What it says in headers of its dialect, for upstreams of the same.
    pub told: Headers,
    /// `x-hoosh-strict`, or as the configuration says.
    pub strict: bool,
    /// In records: one of the methods that HTTP has, or `OTHER`.
    pub method: Option<&'static str>,
    /// A path that is none of ours, fit to be shown; or that a preflight asks about.
    stray: Option<String>,
    pub holder: Arc<Holder>,
    /// `x-hoosh-pool`.
    pub budget: Option<String>,
    /// `x-hoosh-priority`.
    pub priority: Option<Priority>,
    /// Of a request that passes as it is.
    pub ask: Option<Box<Ask>>,
    /// `Cache-Control`.
    pub cache: CacheControl,
    pub expects_continue: bool,
    pub content_length: Option<u64>,
    /// Methods that the path has, where the one given is not among them.
    pub allow: Option<&'static str>,
    /// What the provider gets of its headers.
    pub passed: Headers,
    /// `Idempotency-Key`.
    pub once: Option<Box<[u8]>>,
    /// What a browser is told, where pages may ask.
    pub cors: Option<Box<Cors>>,
    /// Why it is refused before its body is read.
    pub refusal: Option<Failure>,
}

impl Call {
    pub fn read(head: RequestHead<'_>, gateway: &Gateway, snapshot: &Snapshot, rng: &mut Rng) -> Call {
        Call::read_as(head, gateway, snapshot, rng, false)
    }

    /// The same call, should the response that it asks for be kept by an upstream; see [`Self::be_at`].
    pub fn read_elsewhere(&self, head: RequestHead<'_>, gateway: &Gateway, snap: &Snapshot, rng: &mut Rng) -> Call {
        let call = Call::read_as(head, gateway, snap, rng, true);
        Call { request_id: self.request_id.clone(), ..call }
    }

    /// It is at this upstream.
    pub fn be_at(&mut self, home: Home) {
        if let Some(ask) = &mut self.ask {
            ask.provider = Some(home.provider.to_string());
            ask.home = Some(home);
        }
    }

    fn read_as(head: RequestHead<'_>, gateway: &Gateway, snapshot: &Snapshot, rng: &mut Rng, elsewhere: bool) -> Call {
        let headers = head.headers;
        let (path, query) = head.target.split_once('?').unwrap_or((head.target, ""));
        let server = &snapshot.config.server;
        let mounted = || if head.caller == Caller::Http { Target::mounted(path, server) } else { None };
        let (target, asked) = Target::of(path, query).unzip();
        let target = target.or_else(mounted);
        let dialect = door::dialect(target.as_ref(), path, headers);
        // Without a key nothing tells which paths exist.
        let access = target.as_ref().map_or(Access::Key, Target::access);
        let who = match access {
            Access::Open | Access::Public => Ok(&snapshot.anonymous),
            Access::Key | Access::Unbound => holder(head, dialect, snapshot),
        };
        let mut call = Call {
            caller: head.caller,
            request_id: request_id(headers, rng),
            method: Some(method(head.method)),
            stray: target.is_none().then(|| shown(path)),
            target,
            dialect,
            asked: asked.unwrap_or_default(),
            told: door::told(dialect, headers),
            strict: is_strict(headers, &snapshot.config),
            holder: who.as_ref().map_or(&snapshot.anonymous, |holder| holder).clone(),
            budget: headers.get("x-hoosh-pool").map(|name| String::from_utf8_lossy(name).into_owned()),
            priority: None,
            ask: None,
            cache: headers.get("cache-control").map_or_else(CacheControl::default, CacheControl::read),
            expects_continue: headers.get("expect").is_some_and(|v| v.eq_ignore_ascii_case(b"100-continue")),
            content_length: headers.get("content-length").and_then(|v| std::str::from_utf8(v).ok()?.parse().ok()),
            allow: None,
            passed: Headers::new(),
            once: None,
            cors: None,
            refusal: who.err(),
        };
        if !matches!(call.target, Some(Target::Mounted(_))) {
            // What pages may read of an application's answers it says itself.
            call.cors = Cors::of(head, server);
        }
        let needs_no_key = head.caller == Caller::Http && (snapshot.keys.is_empty() || access == Access::Public);
        if needs_no_key && access != Access::Open {
            call.refusal = origin::check(head, server).err();
        }
        if call.is_preflight() {
            // It comes without a key, and asks about whatever path.
            call.refusal = None;
            call.stray = call.target.take().map(|target| target.path().into_owned()).or(call.stray);
        } else if call.refusal.is_none() {
            let home = call.find_home(head.method, gateway, snapshot, elsewhere);
            call.refusal = call.check(head, path, gateway, snapshot).err();
            home.into_iter().for_each(|home| call.be_at(home));
        }
        call
    }

    /// How large the body may be.
    pub fn size(&self, server: &Server) -> Size {
        match &self.ask {
            Some(ask) if !ask.is_upload() => sizes::inference(server),
            _ => sizes::of(self.target.as_ref(), server),
        }
    }

    /// A request whose head nobody could read.
    pub fn unread(failure: Failure, snapshot: &Snapshot, rng: &mut Rng) -> Call {
        let no_headers: &[(&[u8], &[u8])] = &[];
        Call {
            caller: Caller::Http,
            request_id: request_id(&no_headers, rng),
            target: None,
            dialect: Dialect::default(),
            asked: dialects::Ask::default(),
            told: Headers::new(),
            strict: false,
            method: None,
            stray: None,
            holder: snapshot.anonymous.clone(),
            budget: None,
            priority: None,
            ask: None,
            cache: CacheControl::default(),
            expects_continue: false,
            content_length: None,
            allow: None,
            passed: Headers::new(),
            once: None,
            cors: None,
            refusal: Some(failure),
        }
    }

    /// A browser asks whether its page may ask.
    pub fn is_preflight(&self) -> bool {
        self.cors.as_ref().is_some_and(|cors| cors.preflight.is_some())
    }

    /// A part of `whole`, under an id of its own.
    pub fn part(whole: &Call, number: usize, target: Target) -> Call {
        Call {
            caller: Caller::Neutral,
            request_id: Arc::from(format!("{}.{number}", whole.request_id)),
            target: Some(target),
            dialect: Dialect::NEUTRAL,
            asked: dialects::Ask::default(),
            told: Headers::new(),
            strict: whole.strict,
            method: whole.method,
            stray: None,
            holder: whole.holder.clone(),
            budget: None,
            priority: whole.priority,
            ask: None,
            cache: CacheControl::NO_STORE,
            expects_continue: false,
            content_length: None,
            allow: None,
            passed: whole.passed.clone(),
            once: None,
            cors: None,
            refusal: None,
        }
    }

    /// The path, in records.
    pub fn path(&self) -> Option<Cow<'static, str>> {
        match &self.target {
            Some(target) => Some(target.path()),
            None => self.stray.clone().map(Cow::Owned),
        }
    }

    /// Where the response is that it asks for, if that is an upstream: then this is asked of that. `elsewhere`: it is at one
    /// that is not known yet.
    fn find_home(&mut self, method: &str, gateway: &Gateway, snap: &Snapshot, elsewhere: bool) -> Option<Home> {
        let (passed, id) = self.target.as_ref().and_then(|target| home::passed(target, method))?;
        let home = if elsewhere { None } else { home::of(id, &self.holder.tenant, gateway, snap) };
        if elsewhere || home.is_some() {
            self.target = Some(Target::Passed(passed, Some(id.into())));
        }
        home
    }

    fn check(&mut self, head: RequestHead<'_>, path: &str, gateway: &Gateway, snap: &Snapshot) -> Result<(), Failure> {
        let Some(target) = &self.target else {
            let words =
                format!("Unknown path: {} {}. See /v1/models, /v1/chat/completions.", shown(head.method), shown(path));
            return Err(Failure::new(Code::UnknownPath, words));
        };
        if !target.allows(head.method) {
            self.allow = Some(target.allow());
            let words = format!("{} does not allow {}; use {}.", shown(path), shown(head.method), target.allow());
            return Err(Failure::new(Code::WrongMethod, words));
        }
        if target.access() == Access::Unbound && self.holder.key.as_ref().is_some_and(|key| !key.models.is_empty()) {
            let words = format!("A key that is bound to models may not use {}. Ask with one that is not.", shown(path));
            return Err(Failure::new(Code::PathForbidden, words));
        }
        if matches!(target, Target::Mounted(_)) {
            // Sizes, types and limits of what it is asked are the application's.
            let words = "The gateway is going down; ask again.";
            let draining = || Failure::new(Code::Draining, words).retry_after(1);
            return if gateway.is_draining() { Err(draining()) } else { Ok(()) };
        }
        if let Target::Passed(passed, _) = target {
            self.ask = Some(Box::new(Ask::read(*passed, head)?));
        }
        if let Some(length) = self.content_length {
            self.size(&snap.config.server).check(length)?;
        }
        if self.ask.is_none() && (!target.allows("POST") || matches!(target, Target::KeptCancel(_))) {
            return Ok(());
        }
        // What was spent elsewhere is booked as long as anything is.
        let reports = *target == Target::Tokens(PoolAsk::Report);
        if !reports && gateway.is_draining() {
            return Err(Failure::new(Code::Draining, "The gateway is going down; ask again.").retry_after(1));
        }
        if self.ask.is_none()
            && self.caller == Caller::Http
            && !self.dialect.door().takes_untyped
            && !is_media_type(head.headers.get("content-type"), "application/json")
        {
            let words = "The body must be JSON: send 'Content-Type: application/json'.";
            return Err(Failure::new(Code::WrongContentType, words));
        }
        self.priority = priority(head.headers)?;
        self.passed = pick(snap.config.server.pass_request_headers.iter().map(String::as_str), head.headers);
        if snap.config.idempotency.ttl_secs > 0 {
            self.once = once::key_of(head.headers)?;
        }
        if !reports && !gateway.has_room(snap) {
            return Err(Failure::new(Code::Overloaded, "The gateway is out of room; ask again.").retry_after(1));
        }
        Ok(())
    }
}

/// Whether what cannot be carried across dialects is refused.
fn is_strict(headers: &dyn HeaderView, config: &Config) -> bool {
    match headers.get("x-hoosh-strict") {
        Some(word) => !matches!(word.to_ascii_lowercase().as_slice(), b"false" | b"0" | b"off"),
        None => config.dialects.strict,
    }
}

/// How a caller wants to stand to others, if it says.
fn priority(headers: &dyn HeaderView) -> Result<Option<Priority>, Failure> {
    let Some(word) = headers.get("x-hoosh-priority") else { return Ok(None) };
    let named = Priority::named(word).ok_or_else(|| {
        let words = "'x-hoosh-priority' must be background, low, normal, high or critical.";
        Failure::new(Code::InvalidValue, words).param("x-hoosh-priority")
    });
    named.map(Some)
}

/// The method as it stands in records: a word that is known beforehand, whatever a caller makes up.
fn method(given: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == given).unwrap_or("OTHER")
}

fn holder<'a>(head: RequestHead<'_>, dialect: Dialect, snap: &'a Snapshot) -> Result<&'a Arc<Holder>, Failure> {
    if head.caller == Caller::Neutral {
        return Ok(&snap.local);
    }
    if snap.keys.is_empty() {
        return Ok(&snap.anonymous);
    }
    let mut presented = door::presented(dialect, head.target, head.headers).peekable();
    if presented.peek().is_none() {
        let words = "No API key was given: send 'Authorization: Bearer YOUR_KEY'.";
        return Err(Failure::new(Code::InvalidKey, words));
    }
    let known = presented.find_map(|key| snap.holders.get(snap.keys.find(key)?.index as usize));
    known.ok_or_else(|| Failure::new(Code::InvalidKey, "Incorrect API key. Check [auth] tokens of this gateway."))
}

/// The caller's own id if it is fit to be repeated in headers and logs, else a new one.
fn request_id(headers: &dyn HeaderView, rng: &mut Rng) -> Arc<str> {
    let given = headers.get("x-request-id").and_then(|id| std::str::from_utf8(id).ok());
    if let Some(id) = given.filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())) {
        return id.into();
    }
    new_id(rng)
}

/// A UUID of version 4 (RFC 9562), which is what the strictest of upstreams takes as a request id.
fn new_id(rng: &mut Rng) -> Arc<str> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut bits = [0; 16];
    bits[..8].copy_from_slice(&rng.next_u64().to_be_bytes());
    bits[8..].copy_from_slice(&rng.next_u64().to_be_bytes());
    bits[6] = 0x40 | bits[6] & 0x0f;
    bits[8] = 0x80 | bits[8] & 0x3f;
    let mut id = [b'-'; 36];
    for (byte, at) in bits.iter().zip([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]) {
        id[at] = HEX[usize::from(byte >> 4)];
        id[at + 1] = HEX[usize::from(byte & 15)];
    }
    std::str::from_utf8(&id).unwrap_or_default().into()
}

/// 32 hexadecimal digits, with or without the usual hyphens.
pub(super) fn is_uuid(id: &str) -> bool {
    let digits = id.bytes().filter(|&b| b != b'-').count();
    let hyphens = id.match_indices('-').map(|(at, _)| at);
    digits == 32
        && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        && (id.len() == 32 || hyphens.eq([8, 13, 18, 23]))
}

/// A piece of the request in a message: short, and nothing that a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// Header of every answer.
pub(super) fn id_header(call: &Call) -> (Bytes, Bytes) {
    (Bytes::from_static(b"x-request-id"), Bytes::copy_from_slice(call.request_id.as_bytes()))
}

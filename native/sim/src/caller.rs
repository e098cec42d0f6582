//! Scripted callers: what they ask, how they send it, how they read, and when they leave.

use bytes::Bytes;
use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::config::Config;
use hoosh_core::dialects::neutral::Endpoint;

use crate::dice::Dice;
use crate::plan::{ALIAS, MODELS};

/// Where a caller's request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// An inference endpoint.
    Inference(Endpoint),
    /// `/v1/tokens/*`.
    Tokens(Spend),
    /// `POST /v1/files`: an upload, streamed.
    Upload,
    /// `GET /v1/models` and the like; the path.
    Other(&'static str),
}

/// What is asked of the budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spend {
    /// Whether there is so much.
    Check,
    /// To hold it.
    Reserve,
    /// To book what was used.
    Report,
    /// What there is.
    Pools,
}

/// What is wrong with a request by intention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// Not JSON.
    Json,
    /// No model.
    Model,
    /// A field of the wrong type.
    Type,
    /// `GET` instead of `POST`.
    Method,
    /// `text/plain`.
    ContentType,
    /// Larger than allowed.
    TooLarge,
    /// A head that the listener cannot read.
    Head,
    /// A body whose framing the listener cannot read to its end.
    Framing,
}

/// One caller's script.
#[derive(Debug)]
pub struct Caller {
    /// In process rather than by HTTP.
    pub neutral: bool,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where to.
    pub path: Path,
    /// Header block.
    pub headers: Vec<(String, String)>,
    /// Which configured key it shows; `None`: none, or a wrong one.
    pub key: Option<usize>,
    /// Its body.
    pub body: Bytes,
    /// As in the body.
    pub model: String,
    /// A stream is asked for.
    pub stream: bool,
    /// The usage chunk is asked for.
    pub include_usage: bool,
    /// A repeatable answer is asked for.
    pub deterministic: bool,
    /// Wants no kept answer,
    pub no_cache: bool,
    /// and will not have its own kept either.
    pub no_store: bool,
    /// Which question: callers with equal numbers, keys and models may be given each other's answers.
    pub question: u64,
    /// Its idempotency key.
    pub once: Option<String>,
    /// Of a reservation.
    pub ttl_secs: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// Sends its body only after `100 Continue`.
    pub expects_continue: bool,
    /// Sends pieces of at most so many bytes,
    pub piece: usize,
    /// with pauses of so long between them,
    pub pause_us: u64,
    /// and stops for ever after so many bytes.
    pub stops_at: Option<usize>,
    /// Takes so many bytes of the answer at a time,
    pub take: usize,
    /// each so long after the one before,
    pub take_us: u64,
    /// and takes no more after so many bytes.
    pub stuck_at: Option<usize>,
    /// Leaves so long after it came.
    pub leaves_us: Option<u64>,
    /// Leaves at this step of its exchange.
    pub leaves_at_step: Option<u32>,
    /// The driver drops the exchange at this step.
    pub dropped_at_step: Option<u32>,
}

impl Caller {
    /// Draws a caller; `number` makes its request id and, mostly, its question unique.
    pub fn draw(dice: &mut Dice, config: &Config, number: usize) -> Caller {
        let question = if dice.chance(40) { dice.range(1, 3) } else { 1_000 + number as u64 };
        // Twins ask alike in nearly everything, or none would ever meet.
        let twin = question < 1_000;
        let path = match if twin { 33 * question as usize } else { dice.below(100) } {
            0..=71 => Path::Inference(Endpoint::Chat),
            72..=81 => Path::Inference(Endpoint::Completions),
            82..=91 => Path::Inference(Endpoint::Embeddings),
            92..=93 => Path::Other("/v1/models"),
            99 => Path::Inference(Endpoint::Embeddings),
            96 => Path::Other("/v1/health"),
            94 | 95 | 98 => Path::Upload,
            97 => Path::Other(["/metrics", "/v1/models/alpha", "/v1/responses/resp_1"][dice.below(3)]),
            _ => Path::Other("/v2/nothing"),
        };
        let spends = !twin && !config.budgets.is_empty() && dice.chance(12);
        let path = match dice.below(10) {
            _ if !spends => path,
            0 => Path::Tokens(Spend::Check),
            1 => Path::Tokens(Spend::Pools),
            2..=5 => Path::Tokens(Spend::Reserve),
            _ => Path::Tokens(Spend::Report),
        };
        let flaw = match dice.below(100) {
            _ if spends => Flaw::None,
            0..=1 => Flaw::Json,
            2 => Flaw::Model,
            3 => Flaw::Type,
            4 => Flaw::Method,
            5 => Flaw::ContentType,
            6 => Flaw::TooLarge,
            7 => Flaw::Head,
            8 => Flaw::Framing,
            _ => Flaw::None,
        };
        let flaw = match flaw {
            Flaw::Json | Flaw::Model | Flaw::Type if path == Path::Upload => Flaw::None,
            flaw => flaw,
        };
        let stream = dice.chance(50) && path != Path::Upload && path != Path::Inference(Endpoint::Embeddings);
        let (model, mut caller) = (model(dice, config), Caller::plain(path, flaw));
        caller.neutral = !matches!(flaw, Flaw::ContentType | Flaw::Head | Flaw::Framing) && dice.chance(10);
        caller.model = match twin {
            _ if path == Path::Upload => String::new(),
            true if dice.chance(65) => "alpha".into(),
            true if dice.chance(60) => ALIAS.into(),
            _ => model,
        };
        caller.stream = stream;
        caller.include_usage = stream && dice.chance(40);
        caller.deterministic = path == Path::Inference(Endpoint::Embeddings) || dice.chance(if twin { 90 } else { 50 });
        caller.no_cache = dice.chance(8);
        caller.no_store = caller.no_cache && dice.chance(50);
        caller.question = question;
        caller.ttl_secs = dice.span(1, 40);
        caller.key = (!config.auth.tokens.is_empty() && dice.chance(94)).then(|| {
            if twin && dice.chance(60) {
                0
            } else {
                dice.below(config.auth.tokens.len())
            }
        });
        caller.body = caller.write_body(dice, config);
        caller.expects_continue = dice.chance(8) && !caller.neutral;
        caller.once = match twin {
            true => dice.chance(40).then(|| format!("twin-{question}")),
            false => dice.chance(3).then(|| format!("only-{number}")),
        };
        caller.headers = caller.write_headers(dice, number);
        caller.manners(dice);
        caller
    }

    /// The caller of a child: patient, and in process.
    pub fn child(&self) -> Caller {
        let mut child = Caller::plain(self.path, Flaw::None);
        child.neutral = self.neutral;
        child.key = self.key;
        child.model.clone_from(&self.model);
        child.deterministic = self.deterministic;
        child.no_cache = true;
        child.no_store = true;
        child.question = self.question;
        child
    }

    fn plain(path: Path, flaw: Flaw) -> Caller {
        let method = match path {
            Path::Other(_) | Path::Tokens(Spend::Pools) => "GET",
            // Files may be asked for, too.
            Path::Upload if flaw == Flaw::Method => "PUT",
            _ if flaw == Flaw::Method => "GET",
            _ => "POST",
        };
        Caller {
            neutral: false,
            method,
            path,
            headers: Vec::new(),
            key: None,
            body: Bytes::new(),
            model: String::new(),
            stream: false,
            include_usage: false,
            deterministic: false,
            no_cache: false,
            no_store: false,
            question: 0,
            once: None,
            ttl_secs: 0,
            flaw,
            expects_continue: false,
            piece: usize::MAX,
            pause_us: 0,
            stops_at: None,
            take: usize::MAX,
            take_us: 10,
            stuck_at: None,
            leaves_us: None,
            leaves_at_step: None,
            dropped_at_step: None,
        }
    }

    /// The request target.
    pub fn target(&self) -> &'static str {
        match self.path {
            Path::Inference(Endpoint::Chat) => "/v1/chat/completions",
            Path::Inference(Endpoint::Completions) => "/v1/completions",
            Path::Inference(Endpoint::Embeddings) => "/v1/embeddings",
            Path::Tokens(Spend::Check) => "/v1/tokens/check",
            Path::Tokens(Spend::Reserve) => "/v1/tokens/reserve",
            Path::Tokens(Spend::Report) => "/v1/tokens/report",
            Path::Tokens(Spend::Pools) => "/v1/tokens/pools",
            Path::Upload => "/v1/files",
            Path::Other(path) => path,
        }
    }

    /// The endpoint, if it is one of inference.
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self.path {
            Path::Inference(endpoint) => Some(endpoint),
            Path::Tokens(_) | Path::Upload | Path::Other(_) => None,
        }
    }

    /// Whether its body is sent on while it comes.
    pub fn is_upload(&self) -> bool {
        self.path == Path::Upload
    }

    fn write_body(&self, dice: &mut Dice, config: &Config) -> Bytes {
        if self.is_upload() && self.method == "POST" {
            let most = config.server.max_file_bytes;
            let length = if self.flaw == Flaw::TooLarge { most + 1 } else { dice.range(1, most) };
            // No two pieces of it are alike, so that one that is lost or comes twice is seen.
            return (0..length).map(|at| (at >> 3) as u8 ^ (at >> 11) as u8 ^ self.question as u8).collect();
        }
        let Some(endpoint) = self.endpoint() else { return self.write_spend(dice) };
        let mut text = format!("question {} ", self.question);
        let twin = self.question < 1_000;
        if self.flaw == Flaw::TooLarge {
            text.push_str(&"x".repeat(config.server.max_body_bytes as usize));
        } else if !twin && dice.chance(2) {
            text.push_str(&"why? ".repeat(dice.range(14_000, 18_000) as usize));
        } else if !twin {
            text.push_str(&"why? ".repeat(dice.below(40)));
        }
        let asked = match endpoint {
            Endpoint::Chat => format!(r#""messages":[{{"role":"user","content":"{text}"}}]"#),
            Endpoint::Completions => format!(r#""prompt":"{text}""#),
            Endpoint::Embeddings if self.question % 3 == 0 => {
                let more = r#","more""#.repeat(self.question as usize % 4);
                format!(r#""input":["{text}"{more}]"#)
            }
            Endpoint::Embeddings => format!(r#""input":"{text}""#),
        };
        let mut fields = vec![asked];
        match self.flaw {
            Flaw::Model => {}
            _ => fields.insert(0, format!(r#""model":"{}""#, self.model)),
        }
        if self.stream {
            fields.push(r#""stream":true"#.into());
        }
        if self.include_usage {
            fields.push(r#""stream_options":{"include_usage":true}"#.into());
        }
        if self.deterministic && endpoint != Endpoint::Embeddings {
            fields.push(r#""temperature":0"#.into());
        }
        if self.flaw == Flaw::Type {
            fields.push(r#""n":"two""#.into());
        }
        if !twin && endpoint != Endpoint::Embeddings && dice.chance(40) {
            fields.push(format!(r#""max_tokens":{}"#, dice.span(1, 5_000)));
        }
        if !config.budgets.is_empty() && dice.chance(15) {
            fields.push(format!(r#""pool":"{}""#, dice.pick(&["default", "team", "none"])));
        }
        let mut body = format!("{{{}}}", fields.join(","));
        if self.flaw == Flaw::Json {
            body.truncate(body.len() - dice.range(1, 5) as usize);
        }
        body.into()
    }

    fn write_spend(&self, dice: &mut Dice) -> Bytes {
        let pool = if dice.chance(40) { r#","pool":"team""# } else { "" };
        let tokens = dice.span(1, 200_000);
        match self.path {
            Path::Tokens(Spend::Check) => format!(r#"{{"tokens":{tokens}{pool}}}"#).into(),
            Path::Tokens(Spend::Reserve) => {
                format!(r#"{{"tokens":{tokens},"ttl_secs":{}{pool},"owner":"sim"}}"#, self.ttl_secs).into()
            }
            _ => Bytes::new(),
        }
    }

    fn write_headers(&self, dice: &mut Dice, number: usize) -> Vec<(String, String)> {
        let mut headers = vec![("X-Request-Id".to_string(), format!("sim-{number}"))];
        let mut add = |name: &str, value: String| headers.push((name.into(), value));
        if self.method == "POST" {
            let kind = if self.is_upload() { "multipart/form-data; boundary=b" } else { "application/json" };
            add("content-type", if self.flaw == Flaw::ContentType { "text/plain" } else { kind }.into());
            if dice.chance(80) {
                add("Content-Length", self.body.len().to_string());
            }
        }
        match self.key {
            Some(key) => add("Authorization", format!("Bearer key-of-caller-{key}")),
            None if dice.chance(50) => add("Authorization", "Bearer wrong".into()),
            None => {}
        }
        if let Some(key) = &self.once {
            add("Idempotency-Key", key.clone());
        }
        if self.no_cache {
            add("cache-control", if self.no_store { "no-store" } else { "no-cache" }.into());
        }
        if self.expects_continue {
            add("expect", "100-continue".into());
        }
        headers
    }

    fn manners(&mut self, dice: &mut Dice) {
        if dice.chance(30) {
            self.piece = dice.span(1, 4_096) as usize;
            self.piece = self.piece.max(self.body.len() / 20);
            self.pause_us = dice.span(1, 100 * MILLISECOND);
        }
        if dice.chance(3) {
            self.stops_at = Some(dice.below(self.body.len() + 1));
        }
        if dice.chance(25) {
            self.take = dice.span(64, 8_192) as usize;
            self.take_us = dice.span(100, 800 * MILLISECOND);
        }
        if dice.chance(4) {
            self.stuck_at = Some(dice.below(2_000));
        }
        match dice.below(100) {
            0..=7 => self.leaves_us = Some(dice.span(1, 20 * SECOND)),
            8..=13 => self.leaves_at_step = Some(dice.range(0, 20) as u32),
            14..=17 => self.dropped_at_step = Some(dice.range(0, 20) as u32),
            _ => {}
        }
    }
}

fn model(dice: &mut Dice, config: &Config) -> String {
    if dice.chance(2) {
        return "nobody-lists-this".into();
    }
    if dice.chance(15) {
        return ALIAS.into();
    }
    let model = dice.pick(MODELS);
    if dice.chance(25) {
        return format!("{}/{model}", config.providers[dice.below(config.providers.len())].name);
    }
    if dice.chance(60) { "alpha" } else { model }.into()
}

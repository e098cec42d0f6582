//! The scenery of one world, drawn from its seed: configuration, moods, and what happens to all at once.

use std::sync::Arc;

use hoosh_core::clock::{MILLISECOND, SECOND};
use hoosh_core::config::{
    Alias, Auth, BaseUrl, Budget, Cache, CacheMode, CapField, Catalogue, Config, Credential, CredentialSource,
    Deadlines, Dialects, EngineSource, Idempotency, Limits, Log, LogFormat, LogLevel, Model, Patience, Price, Provider,
    ProviderKind, Rates, Renewal, Retry, Route, Secret, Server, Storage, Strategy, Token,
};
use hoosh_core::dialects::openai::manners::Manners;
use hoosh_core::dialects::passed::Services;
use hoosh_core::dialects::Dialect;
use hoosh_core::http::Origin;

use crate::dice::Dice;

/// Model names that callers use and providers list.
pub const MODELS: &[&str] = &["alpha", "beta", "beta-2", "gamma"];

/// How a secret ends that is refused.
pub const BAD: &str = "-bad";

/// How a provider is disposed in one world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Answers as it should.
    Well,
    /// So many of 100 answers have a fault of any kind.
    Faulty(u64),
    /// Nearly all answers are 429.
    Storm,
    /// Nearly all answers are 429 with a `Retry-After` that nobody waits for.
    Long,
    /// Nearly all answers for one model, by its place in [`MODELS`], are 429.
    StormOf(usize),
    /// The credential is refused, so many of 100 times.
    Locked(u64),
    /// Cannot be reached.
    Down,
}

impl Mood {
    /// What it comes to for a request with this body.
    pub fn towards(self, body: &[u8]) -> Mood {
        let Mood::StormOf(at) = self else { return self };
        let named = format!("\"model\":\"{}\"", MODELS[at]);
        let about = body.windows(named.len()).any(|window| window == named.as_bytes());
        if about {
            Mood::Storm
        } else {
            Mood::Well
        }
    }
}

/// How the store is disposed: percentages of answers.
#[derive(Clone, Copy, Debug)]
pub struct StoreMood {
    /// Failed, and nothing done.
    pub fails: u64,
    /// Never answered; done or not.
    pub silent: u64,
    /// Answered after the gateway gave up waiting.
    pub late: u64,
    /// Answered twice.
    pub twice: u64,
}

/// One world.
#[derive(Debug)]
pub struct Plan {
    /// Configurations in the order of their coming into force; the first from the beginning.
    pub configs: Vec<Config>,
    /// When each of `configs` but the first comes into force.
    pub reloads_us: Vec<u64>,
    /// By index of the first configuration's providers.
    pub moods: Vec<Mood>,
    /// The store's mood.
    pub store: StoreMood,
    /// How many callers come.
    pub exchanges: usize,
    /// They come within this time.
    pub horizon_us: u64,
    /// Longest delay between an event and the driver's look at it.
    pub lag_us: u64,
    /// When admission ends.
    pub drain_us: Option<u64>,
    /// When whoever is not ready by then is told so.
    pub stop_us: Option<u64>,
    /// Jumps of the wall clock: when, and by how much.
    pub jumps: Vec<(u64, i64)>,
    /// When the process ends and another takes its place, and whether in order.
    pub restarts: Vec<(u64, bool)>,
    /// How often, at random, a waiting exchange is looked at without reason. Such a look must find nothing to do.
    pub audits: u64,
}

impl Plan {
    /// Draws a world of `exchanges` callers.
    pub fn draw(dice: &mut Dice, exchanges: usize) -> Plan {
        let config = config(dice);
        let moods = config.providers.iter().map(|_| mood(dice)).collect();
        let horizon_us = dice.span(20 * MILLISECOND, 60 * SECOND);
        let mut configs = vec![config];
        let mut reloads_us = Vec::new();
        if dice.chance(40) {
            for _ in 0..dice.range(1, 3) {
                let next = reloaded(dice, &configs);
                configs.push(next);
                reloads_us.push(dice.range(0, horizon_us * 2));
            }
            reloads_us.sort_unstable();
        }
        let restarts = (0..if dice.chance(30) { dice.range(1, 3) } else { 0 })
            .map(|_| (dice.range(0, horizon_us), dice.chance(40)))
            .collect();
        let day = 86_400 * SECOND as i64;
        let jumps = (0..if dice.chance(30) { dice.range(1, 3) } else { 0 })
            .map(|_| (dice.range(0, horizon_us), dice.range(0, 4 * day as u64) as i64 - 2 * day))
            .collect();
        let drain_us = dice.chance(10).then(|| dice.range(0, horizon_us));
        Plan {
            configs,
            reloads_us,
            moods,
            store: store_mood(dice),
            exchanges,
            horizon_us,
            lag_us: dice.pick(&[0, 0, 5, 300, 5 * MILLISECOND]),
            drain_us,
            stop_us: drain_us.filter(|_| dice.chance(60)).map(|at| at + dice.span(1, 10 * SECOND)),
            jumps,
            restarts,
            audits: if dice.chance(50) { 20 } else { 0 },
        }
    }
}

fn mood(dice: &mut Dice) -> Mood {
    match dice.below(13) {
        0..=2 => Mood::Well,
        3..=5 => Mood::Faulty(20),
        6..=7 => Mood::Faulty(70),
        8 => Mood::Storm,
        9 => Mood::Long,
        10 => Mood::Locked(95),
        11 => Mood::StormOf(dice.below(MODELS.len())),
        _ => Mood::Down,
    }
}

fn store_mood(dice: &mut Dice) -> StoreMood {
    let mut some = |high| if dice.chance(30) { dice.range(1, high) } else { 0 };
    StoreMood { fails: some(50), silent: some(30), late: some(30), twice: some(60) }
}

fn config(dice: &mut Dice) -> Config {
    let budgets = budgets(dice);
    let providers: Vec<Provider> = (0..dice.range(1, 4)).map(|at| provider(dice, at as usize)).collect();
    let max_body_bytes = dice.pick(&[100_000, 400_000]);
    let (aliases, models) = (aliases(dice), models(dice));
    Config {
        server: Server {
            strategy: match dice.below(10) {
                0..=3 => Strategy::Priority,
                4..=6 => Strategy::RoundRobin,
                7..=8 => Strategy::LowestLatency,
                _ => Strategy::Direct,
            },
            max_body_bytes,
            max_audio_bytes: 300_000,
            max_file_bytes: 300_000,
            max_buffered_bytes: if dice.chance(10) { max_body_bytes } else { 64 << 20 },
            keep_alive_secs: dice.pick(&[0, 1, 1, 3]),
            early_start_secs: dice.pick(&[0, 0, 1, 2]),
            ..Server::default()
        },
        auth: Auth { tokens: tokens(dice, &budgets) },
        dialects: Dialects::default(),
        budgets,
        providers,
        aliases,
        models,
        cache: Cache {
            enabled: dice.chance(70),
            mode: dice.pick(&[CacheMode::Deterministic, CacheMode::Always]),
            ttl_secs: dice.pick(&[1, 2, 10, 300]),
            max_entries: dice.pick(&[1, 8, 1_000]),
            max_bytes: dice.pick(&[10_000, 1 << 20]),
        },
        idempotency: Idempotency { ttl_secs: dice.pick(&[0, 1, 20, 86_400]), ..Idempotency::default() },
        retry: Retry {
            max_attempts: dice.range(1, 5) as u32,
            base_delay_ms: dice.pick(&[1, 50, 250]),
            max_delay_ms: dice.pick(&[250, 2_000]),
            budget_percent: dice.pick(&[0, 10, 10, 50]),
            min_per_sec: dice.pick(&[0, 1, 10]),
        },
        limits: Limits {
            max_concurrency: dice.chance(30).then(|| dice.range(1, 8) as u32),
            rate_limit_rpm: dice.chance(10).then(|| dice.range(20, 600) as u32),
            rate_limit_tpm: dice.chance(10).then(|| dice.span(2_000, 200_000) as u32),
            max_waiting: dice.pick(&[0, 2, 128]),
            wait_secs: dice.pick(&[1, 10]),
            rate_wait_secs: dice.pick(&[0, 1, 10, 60]),
            reserve_output: dice.pick(&[16, 256, 4_096]),
            max_inputs: dice.pick(&[1, 2, 2_048]),
        },
        deadlines: Deadlines {
            connect_secs: dice.range(1, 3),
            first_byte_secs: dice.range(1, 10),
            idle_secs: dice.range(1, 5),
            total_secs: dice.range(2, 40),
            body_secs: dice.range(1, 5),
            caller_stall_secs: dice.range(1, 5),
        },
        routes: routes(dice),
        prices: prices(dice),
        catalogue: Catalogue::default(),
        log: Log {
            access: dice.pick(&[LogFormat::Off, LogFormat::Text, LogFormat::Json]),
            level: dice.pick(&[LogLevel::Error, LogLevel::Info, LogLevel::Debug]),
            file: None,
        },
        storage: Storage::default(),
        warnings: Vec::new(),
    }
}

/// The name of the one alias that callers ask for.
pub const ALIAS: &str = "fast";

fn aliases(dice: &mut Dice) -> Vec<Alias> {
    let models: &[&str] =
        dice.pick(&[&["alpha"][..], &["p0/alpha", "beta"], &["gamma", "p1/alpha"], &["beta-2", "alpha"]]);
    let alias = Alias { name: ALIAS.into(), models: models.iter().map(|model| model.to_string()).collect() };
    if dice.chance(60) {
        vec![alias]
    } else {
        Vec::new()
    }
}

/// A length that some requests have, and one that only their bytes have.
pub const SHORT_CONTEXT: u64 = 10_000;

fn models(dice: &mut Dice) -> Vec<Model> {
    let model = Model {
        name: dice.pick(&["alpha", "a*"]).into(),
        provider: Some("p0".into()),
        context_tokens: dice.chance(70).then(|| dice.pick(&[SHORT_CONTEXT, 60_000])),
        max_output_tokens: dice.chance(50).then(|| dice.range(10, 2_000)),
        ..Model::default()
    };
    if dice.chance(40) {
        vec![model]
    } else {
        Vec::new()
    }
}

fn provider(dice: &mut Dice, at: usize) -> Provider {
    let engine = at > 0 && dice.chance(25);
    let name = format!("p{at}");
    let origin = Arc::new(Origin {
        tls: at % 2 == 1,
        host: format!("{name}.example"),
        port: 8_000 + at as u16,
        trusted: true,
        ..Origin::default()
    });
    // A queue before a rate: whoever waited for a place is bound by the rate like everybody.
    let queue_and_rate = dice.chance(10);
    let models: &[&str] = dice.pick(&[
        &[][..],
        &[],
        &["alpha", "beta"],
        &["beta*"],
        &["alpha", "beta", "beta-2", "gamma"],
        &["*a", "b*-*"],
    ]);
    Provider {
        name: name.clone(),
        type_name: if engine { "engine" } else { "openai_compatible" }.into(),
        kind: if engine { ProviderKind::Engine } else { ProviderKind::Http },
        dialect: Dialect::OpenAiChat,
        engine: EngineSource::default(),
        base_url: (!engine).then(|| BaseUrl { origin, prefix: "/v1".into() }),
        credentials: credentials(dice, &name),
        priority: dice.range(0, 2) as i64,
        models: models.iter().map(|m| m.to_string()).collect(),
        max_concurrency: (queue_and_rate || dice.chance(20)).then(|| dice.range(1, 3) as u32),
        rate_limit_rpm: (queue_and_rate || dice.chance(15)).then(|| dice.span(1, 60) as u32),
        rate_limit_tpm: dice.chance(15).then(|| dice.span(500, 20_000) as u32),
        max_tokens_limit: dice.chance(15).then(|| dice.span(1, 500) as u32),
        headers: Vec::new(),
        patience: if dice.chance(30) { patience(dice) } else { Patience::default() },
        auth: None,
        manners: Manners {
            cap_field: dice.pick(&[CapField::MaxTokens, CapField::MaxCompletionTokens]),
            uuid_ids: dice.chance(20),
            ..Manners::USUAL
        },
        services: if engine { Services::NONE } else { Services::ALL },
        found: false,
        hooked: !engine && dice.chance(20),
    }
}

/// None, one, or several; a bad one is refused by its provider always.
fn credentials(dice: &mut Dice, name: &str) -> Vec<Credential> {
    let count = if dice.chance(20) { 0 } else { dice.pick(&[1, 1, 1, 2, 3]) };
    let bad = dice.chance(40).then(|| dice.below(count.max(1)));
    let secret = |at| format!("{}{}", secret_file(name, at), if bad == Some(at) && count > 1 { BAD } else { "" });
    let mut credential = |at| {
        let refresh_secs = dice.chance(50).then(|| dice.range(1, 30));
        let renewal = Renewal { source: CredentialSource::File(secret_file(name, at)), refresh_secs };
        Credential { secret: Secret::new(secret(at)), renewal: dice.chance(40).then_some(renewal) }
    };
    (0..count).map(&mut credential).collect()
}

/// Where credential `at` of a provider is, if it is read again. Each text of it begins so.
fn secret_file(name: &str, at: usize) -> String {
    format!("secret-of-{name}-{at}")
}

fn patience(dice: &mut Dice) -> Patience {
    Patience {
        connect_secs: dice.chance(50).then(|| dice.range(1, 3) as u32),
        first_byte_secs: dice.chance(50).then(|| dice.range(1, 10) as u32),
        idle_secs: dice.chance(50).then(|| dice.range(1, 5) as u32),
        total_secs: dice.chance(50).then(|| dice.range(2, 40) as u32),
    }
}

fn routes(dice: &mut Dice) -> Vec<Route> {
    let models: &[&str] = dice.pick(&[&[][..], &[], &["alpha"], &["*", "beta*"]]);
    models.iter().map(|model| Route { model: model.to_string(), patience: patience(dice) }).collect()
}

fn prices(dice: &mut Dice) -> Vec<Price> {
    let rates = Rates { input: 150_000, output: 600_000, ..Rates::default() };
    let price = Price { model: "*".into(), rates, ..Price::default() };
    if dice.chance(50) {
        vec![price]
    } else {
        Vec::new()
    }
}

fn budgets(dice: &mut Dice) -> Vec<Budget> {
    let mut named = |name: &str| {
        let capacity = dice.span(300, 400_000);
        Budget { name: name.into(), capacity, slice: dice.span(1, capacity) }
    };
    let (default, team) = (named("default"), named("team"));
    match dice.below(4) {
        0 => vec![],
        1 => vec![default],
        2 => vec![team],
        _ => vec![default, team],
    }
}

fn tokens(dice: &mut Dice, budgets: &[Budget]) -> Vec<Token> {
    if dice.chance(15) {
        return Vec::new();
    }
    let scopes: &[&[&str]] = &[
        &[],
        &[],
        &[],
        &["alpha", "beta*"],
        &["alpha"],
        &["beta*"],
        &["p0/*"],
        &["p1/alpha", "gamma"],
        &["p0/beta*", "p1/*"],
        &["fast"],
        &["fast*", "beta"],
        &["*ph*"],
    ];
    (0..3)
        .map(|at| Token {
            token: Secret::new(format!("key-of-caller-{at}")),
            name: format!("key-{}", at + 1),
            models: dice.pick(scopes).iter().map(|s| s.to_string()).collect(),
            budget: budgets.first().filter(|_| dice.chance(30)).map(|b| b.name.clone()),
            max_concurrency: dice.chance(20).then(|| dice.range(1, 3) as u32),
            rate_limit_rpm: dice.chance(15).then(|| dice.range(2, 200) as u32),
            rate_limit_tpm: dice.chance(10).then(|| dice.span(500, 50_000) as u32),
            max_tokens_limit: dice.chance(10).then(|| dice.span(1, 500) as u32),
            ..Token::default()
        })
        .collect()
}

/// What an operator might do next. Retry settings stay, so that retries can be held against one rule for a whole run.
fn reloaded(dice: &mut Dice, before: &[Config]) -> Config {
    let (first, last) = (&before[0], &before[before.len() - 1]);
    let mut next = last.clone();
    if dice.chance(50) && next.providers.len() > 1 {
        next.providers.remove(dice.below(next.providers.len()));
    } else if dice.chance(30) {
        next.providers = first.providers.clone();
    }
    if dice.chance(50) && !next.auth.tokens.is_empty() {
        next.auth.tokens.remove(dice.below(next.auth.tokens.len()));
    } else if dice.chance(30) {
        next.auth.tokens = first.auth.tokens.clone();
    }
    // As the file's own defaults: whoever moves up takes the name of whoever went.
    for (at, token) in next.auth.tokens.iter_mut().enumerate() {
        token.name = format!("key-{}", at + 1);
    }
    if let Some(token) = next.auth.tokens.first_mut().filter(|_| dice.chance(20)) {
        token.models = vec!["alpha".into()];
    }
    let is_bound = |name: &str| first.auth.tokens.iter().any(|token| token.budget.as_deref() == Some(name));
    if dice.chance(30) {
        // A key that is bound to a budget keeps it, as in a file.
        next.budgets.retain(|budget| is_bound(&budget.name));
    } else if dice.chance(60) {
        let gone = first.budgets.iter().filter(|old| last.budgets.iter().all(|budget| budget.name != old.name));
        next.budgets.extend(gone.cloned());
    }
    for budget in &mut next.budgets {
        if dice.chance(50) {
            budget.capacity = dice.span(200, 400_000);
            budget.slice = dice.span(1, budget.capacity);
        }
    }
    if dice.chance(30) {
        next.limits.max_concurrency = dice.chance(70).then(|| dice.range(1, 8) as u32);
    }
    if dice.chance(20) {
        next.limits.rate_limit_rpm = dice.chance(70).then(|| dice.range(5, 600) as u32);
        next.limits.rate_limit_tpm = dice.chance(50).then(|| dice.span(2_000, 200_000) as u32);
    }
    if let Some(token) = next.auth.tokens.last_mut().filter(|_| dice.chance(20)) {
        token.rate_limit_rpm = dice.chance(70).then(|| dice.range(2, 200) as u32);
    }
    if dice.chance(20) {
        next.aliases = aliases(dice);
    }
    if dice.chance(20) {
        next.cache.enabled ^= true;
    }
    next
}

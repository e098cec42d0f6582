//! What servers of models are asked of them beyond the list: when, in which order, and how long what they said holds.
//!
//! Questions follow a list, one at a time and a moment apart. Nobody waits for them: until they are answered, and where they
//! are not, nothing is known and nothing is kept away. What was known stays until another answer comes.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use hashbrown::HashMap;

use super::chores::{Chores, What};
use super::snapshot::Upstream;
use super::Gateway;
use crate::clock::{Now, MILLISECOND, SECOND};
use crate::config::{BaseUrl, Provider};
use crate::probe::{self, Facts, Listed, Server};
use crate::route::admits;
use crate::sync::{lock, Arc};

/// Models of one provider that are asked about. Nobody reads of more of them.
const MOST_MODELS: usize = 256;
/// From one answer to the next question, so that whoever waits for lists waits for no round.
const PACE_US: u64 = 20 * MILLISECOND;
/// After a question that found no answer: the server is down, or busy.
const PAUSE_US: u64 = 60 * SECOND;
/// A model that was told of is asked about again after so long; the server reads its file for that.
const KEPT_US: u64 = 3600 * SECOND;

/// Who is being asked, by the provider's name.
pub(super) type Probing = HashMap<Arc<str>, Round, foldhash::fast::FixedState>;

/// The questions that follow one list.
#[derive(Default)]
pub(super) struct Round {
    server: Option<Server>,
    /// Where the list came from: another configuration may mean another server.
    base_url: Option<BaseUrl>,
    left: VecDeque<String>,
    in_progress: bool,
    not_before_us: u64,
    /// What the list said of the one model of a server.
    listed: Facts,
    /// Names besides its own under which that is asked for.
    also: Vec<String>,
    /// When each model was told of.
    told_us: BTreeMap<String, u64>,
    /// Routing does not know yet what was learned.
    news: bool,
}

/// A question on its way.
pub(super) struct Question {
    provider: Arc<str>,
    base_url: Option<BaseUrl>,
    model: String,
}

impl Question {
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }
}

/// What came of a question.
enum Answer<'a> {
    Said(&'a [u8]),
    /// There is no such thing to ask, or no such model.
    Nothing,
    /// It may answer another time.
    NotNow,
}

impl Answer<'_> {
    fn of(result: &Result<(u16, Bytes), String>) -> Answer<'_> {
        match result {
            Ok((200, body)) => Answer::Said(body),
            Ok((401 | 403 | 408 | 429 | 500.., _)) | Err(_) => Answer::NotNow,
            Ok(_) => Answer::Nothing,
        }
    }
}

/// Whether its list tells something: of models that are not named in the configuration, or of what they can do.
pub(super) fn is_list_wanted(provider: &Provider) -> bool {
    let open = provider.models.is_empty() || provider.models.iter().any(|model| model.contains('*'));
    open || Server::is_type(&provider.type_name)
}

fn named(provider: &Provider) -> impl Iterator<Item = &String> {
    provider.models.iter().filter(|model| !model.contains('*'))
}

impl Round {
    /// After a list of `provider`: what is to be asked now. What was told lately is not asked again.
    fn begin(&mut self, provider: &Provider, server: Server, listed: &Listed, now: Now) {
        if self.base_url != provider.base_url || self.server != Some(server) {
            *self = Round { base_url: provider.base_url.clone(), server: Some(server), ..Round::default() };
        }
        let is_left = |model: &String| named(provider).chain(&listed.models).any(|known| known == model);
        self.told_us.retain(|model, at_us| now.mono_us < at_us.saturating_add(KEPT_US) && is_left(model));
        self.left.clear();
        match server {
            // A hook that rewrites requests is for those of callers: with it, a question might become another.
            Server::Ollama if provider.hooked => {}
            Server::Ollama => {
                let listed = listed.models.iter().filter(|model| admits(provider, model));
                for model in named(provider).chain(listed).take(MOST_MODELS) {
                    if !self.told_us.contains_key(model) && !self.left.contains(model) {
                        self.left.push_back(model.clone());
                    }
                }
            }
            // Asked anew each time: it is one question, and the server may have been started anew with another context.
            Server::LlamaCpp => {
                if let [only] = listed.models.as_slice() {
                    self.left.push_back(only.clone());
                    // Whatever it is asked for, it answers with the model that it has.
                    self.also = named(provider).cloned().collect();
                    self.listed = listed.facts.first().cloned().unwrap_or_default();
                }
            }
            Server::Vllm => {}
        }
    }

    /// What is known under which names, of an answer about `model`.
    fn learned(&self, server: Server, model: &str, body: Option<&[u8]>) -> Vec<Facts> {
        let said = body.map(|body| server.read(body)).unwrap_or_default().or(&self.listed);
        let mut all: Vec<Facts> = self.also.iter().map(|name| said.clone().named(name)).collect();
        // Ollama takes a name without a tag for this one.
        all.extend(model.strip_suffix(":latest").map(|short| said.clone().named(short)));
        all.push(said.named(model));
        all
    }
}

impl Chores {
    /// A list of `provider` came. Whether it changes who can be asked for what.
    fn listed(&mut self, provider: &Provider, listed: &Listed, now: Now) -> bool {
        let name: Arc<str> = provider.name.as_str().into();
        let Some(server) = Server::of(&provider.type_name, listed) else {
            self.probing.remove(&name);
            return self.discovered.tell(&name, provider.base_url.as_ref(), Vec::new());
        };
        let is_single = server == Server::LlamaCpp && listed.models.len() == 1;
        let round = self.probing.entry(name.clone()).or_default();
        round.begin(provider, server, listed, now);
        if server == Server::Vllm || server == Server::LlamaCpp && !is_single {
            return self.discovered.tell(&name, provider.base_url.as_ref(), listed.facts.clone());
        }
        let is_left = |model: &str| {
            let short = |listed: &String| listed.strip_suffix(":latest") == Some(model);
            named(provider).chain(&listed.models).any(|known| known == model || short(known))
        };
        self.discovered.keep(&name, provider.base_url.as_ref(), is_left)
    }

    /// Asks the next question of a round, if it is time. Returns when it will be.
    pub(super) fn question(&mut self, upstream: &Upstream, provider: &Provider, now: Now) -> Option<u64> {
        let round = self.probing.get_mut(&upstream.name)?;
        if round.in_progress || round.base_url != provider.base_url {
            return None;
        }
        round.left.front()?;
        if now.mono_us < round.not_before_us {
            return Some(round.not_before_us);
        }
        let model = round.left.pop_front()?;
        let (method, path, body) = round.server?.question(&model)?;
        round.in_progress = true;
        let question = Question { provider: upstream.name.clone(), base_url: round.base_url.clone(), model };
        let root = upstream.prefix.strip_suffix(upstream.dialect.door().prefix).unwrap_or(&upstream.prefix);
        let target = Bytes::from(format!("{root}{path}"));
        self.fetch_well(What::Facts(question), upstream, (method, target, body), now);
        None
    }

    /// What came of a question. Whether it changes who can be asked for what; said once of a round, where it ends or pauses.
    fn answered(&mut self, question: Question, answer: Answer<'_>, now: Now) -> bool {
        let Question { provider, base_url, model } = question;
        let Some(round) = self.probing.get_mut(&provider).filter(|round| round.base_url == base_url) else {
            return false;
        };
        round.in_progress = false;
        round.not_before_us = now.mono_us + PACE_US;
        let body = match answer {
            Answer::Said(body) => Some(body),
            Answer::Nothing => None,
            Answer::NotNow => {
                round.not_before_us = now.mono_us + PAUSE_US;
                return std::mem::take(&mut round.news);
            }
        };
        let Some(server) = round.server else { return false };
        for facts in round.learned(server, &model, body) {
            round.news |= self.discovered.tell_of(&provider, base_url.as_ref(), facts);
        }
        round.told_us.insert(model, now.mono_us);
        round.left.is_empty() && std::mem::take(&mut round.news)
    }
}

impl Gateway {
    /// A provider's list came.
    pub(super) fn was_listed(&self, name: Arc<str>, body: &[u8], now: Now) {
        let listed = probe::read_list(body);
        let snapshot = self.snapshot.load_full();
        let news = {
            let mut chores = lock(&self.chores);
            let provider = snapshot.provider(&name).map(|at| &snapshot.config.providers[at]);
            let probed = provider.is_some_and(|provider| chores.listed(provider, &listed, now));
            chores.discovered.learn(name, listed.models) || probed
        };
        if news {
            self.swap(None, now);
        }
    }

    /// It did not come, or was none.
    pub(super) fn was_not_listed(&self, name: &Arc<str>, now: Now) {
        let snapshot = self.snapshot.load_full();
        let provider = snapshot.provider(name).map(|at| &snapshot.config.providers[at]);
        let news = {
            let mut chores = lock(&self.chores);
            let news = provider.is_some_and(|provider| chores.discovered.missed(provider));
            let is_away = provider.is_some_and(|provider| chores.discovered.is_away(provider));
            chores.list_failed(name, is_away, now);
            news
        };
        if news {
            self.swap(None, now);
        }
    }

    /// A question was answered, or found no answer.
    pub(super) fn was_told(&self, question: Question, result: &Result<(u16, Bytes), String>, now: Now) {
        let news = lock(&self.chores).answered(question, Answer::of(result), now);
        if news {
            self.swap(None, now);
        }
    }
}

//! Brings models into memory when they are asked for, and lets them go.

mod opened;
mod vectors;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Condvar;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hoosh_core::engine::{Abilities, Card, Refusal};
use hoosh_core::sync::atomic::{AtomicUsize, Ordering};
use hoosh_core::sync::{lock, Arc, Mutex};

use crate::constrain::Forms;
use crate::decoder::{Config, Decoder, DecoderError};
use crate::device::{self, Accelerator};
use crate::file::ModelFile;
use crate::sample::Sampling;
use crate::slots::call::{Call, Texts};
use crate::slots::desk::{Bounds, Desk, Phase};
use crate::slots::job::Job;
use crate::slots::scheduler::Scheduler;
use crate::slots::{Busy, Runner};
use crate::template::Template;
use crate::threads;

use opened::{Opened, Talker};

pub use opened::look;

/// What an engine of this crate serves, and within which bounds.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The models, loaded when they are asked for.
    pub models: Vec<ModelSource>,
    /// What computes them.
    pub accelerator: Accelerator,
    /// Answers at once, of each model.
    pub max_sequences: usize,
    /// Calls that wait, of each model.
    pub queue: usize,
    /// Bytes of keys and values, of each model.
    pub kv_bytes: u64,
    /// Bytes of all models in memory; `None`: no bound.
    pub memory_bytes: Option<u64>,
    /// After how long a model goes that nobody asks; `None`: never.
    pub idle_unload: Option<Duration>,
    /// Threads that compute what Candle's own pool does not; see [`threads`].
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            models: Vec::new(),
            accelerator: Accelerator::Cpu,
            max_sequences: 4,
            queue: 64,
            kv_bytes: 1 << 30,
            memory_bytes: None,
            idle_unload: None,
            threads: threads::default_count(),
        }
    }
}

/// A model that can be asked for.
#[derive(Clone, Debug)]
pub struct ModelSource {
    /// The name by which it is asked for.
    pub name: String,
    /// Where its file is.
    pub file: Source,
    /// Tokens of prompt and answer together; `None`: as many as it was made for.
    pub context: Option<u32>,
}

/// Where a model's file is.
#[derive(Clone, Debug)]
pub enum Source {
    /// On disk.
    Path(PathBuf),
    /// In memory.
    Bytes(Bytes),
}

/// All models, and the memory that they share.
pub(crate) struct Fleet {
    settings: Settings,
    pub(crate) models: Vec<Model>,
    memory: Mutex<u64>,
    /// Memory was let go.
    freed: Condvar,
}

/// One model, in memory or not.
pub(crate) struct Model {
    pub(crate) source: ModelSource,
    desk: Mutex<Option<Arc<Desk>>>,
    card: Mutex<Card>,
    asked: Mutex<Instant>,
    /// How many times memory is reserved for it: twice while one copy goes and the next comes.
    holds: AtomicUsize,
}

/// Bytes of the fleet's memory, until it is dropped.
struct Reservation {
    fleet: Arc<Fleet>,
    index: usize,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *lock(&self.fleet.memory) -= self.bytes;
        self.fleet.models[self.index].holds.fetch_sub(1, Ordering::Release);
        self.fleet.freed.notify_all();
    }
}

/// A model in memory, and what holds its bytes.
type Loaded = (Box<dyn Runner>, Reservation);

/// Why a model did not come into memory.
enum LoadError {
    /// For now: others are in use.
    Memory(String),
    Failed(String),
}

impl From<DecoderError> for LoadError {
    fn from(error: DecoderError) -> Self {
        LoadError::Failed(error.to_string())
    }
}

impl Fleet {
    pub(crate) fn new(mut settings: Settings) -> Self {
        settings.max_sequences = settings.max_sequences.max(1);
        settings.threads = settings.threads.max(1);
        let models = settings.models.iter().map(|source| Model::new(source.clone(), &settings)).collect();
        Fleet { settings, models, memory: Mutex::new(0), freed: Condvar::new() }
    }

    /// Hands `call` to the model number `index`, which is loaded if it is not in memory.
    pub(crate) fn submit(self: &Arc<Self>, index: usize, call: Call) {
        *lock(&self.models[index].asked) = Instant::now();
        let mut call = call;
        loop {
            match self.desk(index).submit(call) {
                Ok(()) => return,
                // It went in this moment.
                Err(back) => call = *back,
            }
        }
    }

    /// A reader of the model number `index` has taken or left.
    pub(crate) fn nudge(&self, index: usize) {
        if let Some(desk) = self.models[index].current() {
            desk.nudge();
        }
    }

    /// The desk that takes calls for the model number `index`; its model may still be loading.
    pub(crate) fn desk(self: &Arc<Self>, index: usize) -> Arc<Desk> {
        let mut current = lock(&self.models[index].desk);
        if let Some(desk) = current.as_ref().filter(|desk| !desk.is_closed()) {
            return desk.clone();
        }
        let desk = Arc::new(Desk::new(Bounds {
            queue: self.settings.queue,
            max_sequences: self.settings.max_sequences,
            idle_unload: self.settings.idle_unload,
        }));
        *current = Some(desk.clone());
        drop(current);
        let (fleet, its) = (self.clone(), desk.clone());
        let name = format!("hoosh-model-{}", self.models[index].source.name);
        if let Err(error) = std::thread::Builder::new().name(name).spawn(move || fleet.serve(index, &its)) {
            desk.close(&format!("no thread for the model: {error}"), |outlet| outlet.fail("no thread for the model"));
        }
        desk
    }

    /// The life of a model in memory.
    fn serve(self: Arc<Self>, index: usize, desk: &Arc<Desk>) {
        threads::lower_priority();
        let loaded = catch_unwind(AssertUnwindSafe(|| self.load(index, desk)));
        let (mut runner, reservation) = match loaded {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(LoadError::Failed(why))) => return desk.close(&why, |outlet| outlet.fail(why.clone())),
            Ok(Err(LoadError::Memory(why))) => {
                return desk.close(&why, |outlet| outlet.refuse(no_memory(why.clone())));
            }
            Err(panic) => {
                let why = format!("loading the model panicked: {}", panic_text(&*panic));
                return desk.close(&why, |outlet| outlet.fail(why.clone()));
            }
        };
        desk.set_phase(Phase::Ready);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runner.run(desk))) {
            let why = format!("the model panicked: {}", panic_text(&*panic));
            desk.close(&why, |outlet| outlet.fail(why.clone()));
            runner.fail(&why);
        }
        drop(runner);
        drop(reservation);
    }

    fn load(self: &Arc<Self>, index: usize, desk: &Arc<Desk>) -> Result<Loaded, LoadError> {
        match self.models[index].source.file.open()? {
            Opened::Encoder(folder) => self.load_encoder(index, &folder, desk),
            Opened::Decoder(talker) => self.load_decoder(index, &talker, desk),
        }
    }

    fn load_decoder(self: &Arc<Self>, index: usize, talker: &Talker, desk: &Arc<Desk>) -> Result<Loaded, LoadError> {
        let (model, file) = (&self.models[index], &talker.file);
        let (all, mut done) = (file.tensor_bytes(), 0);
        desk.set_phase(Phase::Loading(0, all));
        // Reserved before anything is read, by the most that it can come to.
        let bounds = Limits::new(file, model.source.context, &self.settings)?;
        let reservation = self.reserve(index, bounds.memory)?;
        let mut progress = |bytes: u64| {
            done += bytes;
            desk.set_phase(Phase::Loading(done.min(all), all));
        };
        let context = Some(bounds.context as u32);
        let device = device::open(self.settings.accelerator).map_err(LoadError::Failed)?;
        let decoder = Decoder::load(file, context, &device, &mut progress)?;
        let tokenizer = talker.tokenizer()?;
        let template = talker.template(&tokenizer).map_err(LoadError::Failed)?;
        *lock(&model.card) = card(&model.source, file, &bounds, &self.settings, Some(&template));
        let texts = Arc::new(Texts {
            vocabulary: decoder.vocabulary(),
            context: bounds.context,
            held: bounds.held,
            max_sequences: self.settings.max_sequences,
            tokenizer,
            template,
            forms: Forms::default(),
            usual: usual(file)?,
        });
        let its_texts = texts.clone();
        let pool = self.pool_and_reader(desk, move |call| Some(Job::Text(Box::new(its_texts.prepare(call)?))))?;
        let slots = self.settings.max_sequences;
        let scheduler = Scheduler::new(decoder, texts, pool, self.settings.kv_bytes, slots);
        Ok((Box::new(scheduler), reservation))
    }

    /// The threads of a model: those that compute, and the one that reads its calls by `prepare`.
    fn pool_and_reader(
        &self,
        desk: &Arc<Desk>,
        prepare: impl Fn(Call) -> Option<Job> + Send + 'static,
    ) -> Result<rayon::ThreadPool, LoadError> {
        let pool = threads::pool(self.settings.threads).map_err(|error| LoadError::Failed(error.to_string()))?;
        let desk = desk.clone();
        std::thread::Builder::new()
            .name("hoosh-model-reader".to_owned())
            .spawn(move || desk.read_calls(prepare))
            .map_err(|error| LoadError::Failed(format!("no thread for the model's reader: {error}")))?;
        Ok(pool)
    }

    /// Takes `bytes` of the memory. Models that nobody asks make room, the one asked longest ago first.
    fn reserve(self: &Arc<Self>, index: usize, bytes: u64) -> Result<Reservation, LoadError> {
        let limit = self.settings.memory_bytes.unwrap_or(u64::MAX);
        if bytes > limit {
            let why = format!("the model needs {bytes} bytes of memory, and {limit} are allowed");
            return Err(LoadError::Failed(why));
        }
        let mut used = lock(&self.memory);
        while used.saturating_add(bytes) > limit {
            drop(used);
            let idle = self.models.iter().enumerate().filter(|(other, model)| *other != index && model.is_idle());
            match idle.min_by_key(|(_, model)| *lock(&model.asked)) {
                Some((_, oldest)) => {
                    oldest.unload();
                }
                // One that is on its way in or out may be about to let memory go.
                None if self.models.iter().any(Model::is_in_between) => {}
                None => return Err(LoadError::Memory("the models in use leave no memory for this one".to_owned())),
            }
            used = lock(&self.memory);
            // It may have been asked in this moment: look again after a while.
            let waited = self.freed.wait_timeout(used, Duration::from_millis(100));
            used = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        *used += bytes;
        self.models[index].holds.fetch_add(1, Ordering::Release);
        Ok(Reservation { fleet: self.clone(), index, bytes })
    }
}

fn no_memory(why: String) -> Refusal {
    Refusal { status: 503, code: "engine_full", message: why, retry_after_secs: Some(10) }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

impl Model {
    fn new(source: ModelSource, settings: &Settings) -> Self {
        let card = match source.file.open() {
            Ok(Opened::Encoder(folder)) => vectors::card_of(&source, &folder).ok(),
            Ok(Opened::Decoder(talker)) => Model::decoder_card(&source, &talker, settings),
            Err(_) => None,
        };
        let card = card.unwrap_or_else(|| unknown(&source, settings));
        Model {
            source,
            desk: Mutex::new(None),
            card: Mutex::new(card),
            asked: Mutex::new(Instant::now()),
            holds: AtomicUsize::new(0),
        }
    }

    fn decoder_card(source: &ModelSource, talker: &Talker, settings: &Settings) -> Option<Card> {
        let bounds = Limits::new(&talker.file, source.context, settings).ok()?;
        let template = talker.tokenizer().ok().and_then(|tokenizer| talker.template(&tokenizer).ok());
        Some(card(source, &talker.file, &bounds, settings, template.as_ref()))
    }

    fn current(&self) -> Option<Arc<Desk>> {
        lock(&self.desk).clone()
    }

    pub(crate) fn busy(&self) -> Option<Busy> {
        self.current().filter(|desk| !desk.is_closed()).map(|desk| desk.busy())
    }

    fn is_idle(&self) -> bool {
        self.current().is_some_and(|desk| desk.is_idle())
    }

    /// Whether it holds memory, and takes no calls yet or any more.
    fn is_in_between(&self) -> bool {
        self.holds.load(Ordering::Acquire) > 0 && !self.current().is_some_and(|desk| desk.is_ready())
    }

    /// Lets the memory go as soon as nobody is answered. Says whether it was loaded.
    pub(crate) fn unload(&self) -> bool {
        self.current().is_some_and(|desk| desk.close_when_idle())
    }

    pub(crate) fn card(&self) -> Card {
        let loaded = self.current().is_some_and(|desk| desk.is_ready());
        Card { loaded, ..lock(&self.card).clone() }
    }
}

/// What a model may use.
struct Limits {
    /// Tokens of one sequence.
    context: usize,
    /// Tokens of all sequences.
    held: usize,
    /// Bytes of memory, at most.
    memory: u64,
}

impl Limits {
    fn new(file: &ModelFile, context: Option<u32>, settings: &Settings) -> Result<Self, DecoderError> {
        let trained = Config::from_metadata(file.metadata(), None)?;
        let asked = context.map_or(trained.context, |context| trained.context.min(context.max(1) as usize));
        let held = crate::decoder::whole_blocks(settings.kv_bytes / trained.kv_bytes_per_token());
        if held == 0 {
            let (have, need) = (settings.kv_bytes, trained.kv_bytes_per_token());
            let what = format!("{have} bytes for keys and values hold no block of tokens at {need} bytes each");
            return Err(DecoderError::Unsupported(what));
        }
        let memory = weight_bytes(file).saturating_add(settings.kv_bytes);
        Ok(Limits { context: asked.min(held), held, memory })
    }
}

/// The most that the weights of `file` come to. Candle keeps weights as they are and, on x86 and ARM, beside them a copy of
/// most quantized ones in the order of its kernels, which is up to half again as large; half floats it widens.
fn weight_bytes(file: &ModelFile) -> u64 {
    let stored = file.tensor_bytes();
    match file.file_type().as_deref() {
        Some("F32") => stored,
        Some("F16" | "BF16") => stored * 2,
        _ => stored * 5 / 2,
    }
}

fn card(
    source: &ModelSource,
    file: &ModelFile,
    bounds: &Limits,
    settings: &Settings,
    template: Option<&Template>,
) -> Card {
    Card {
        model: source.name.clone(),
        context: Some(bounds.context as u32),
        max_output: None,
        dimensions: None,
        abilities: Abilities {
            chat: true,
            tools: template.is_some_and(Template::calls_tools),
            structured_output: true,
            ..Abilities::default()
        },
        quantization: file.file_type(),
        accelerator: Some(settings.accelerator.name().to_owned()),
        memory_bytes: Some(bounds.memory),
        loaded: false,
    }
}

/// What the model's makers recommend: of llama.cpp's keys `general.sampling.*` the temperature.
fn usual(file: &ModelFile) -> Result<Sampling, DecoderError> {
    let plain = Sampling::default();
    let temperature = file.metadata().f32_or("general.sampling.temp", plain.temperature)?;
    let in_range = (0.0..=2.0).contains(&temperature);
    Ok(Sampling { temperature: if in_range { temperature } else { plain.temperature }, ..plain })
}

/// A model that cannot be read: what it is is told when it is asked.
fn unknown(source: &ModelSource, settings: &Settings) -> Card {
    Card {
        model: source.name.clone(),
        context: None,
        max_output: None,
        dimensions: None,
        abilities: Abilities { chat: true, embeddings: true, structured_output: true, ..Abilities::default() },
        quantization: None,
        accelerator: Some(settings.accelerator.name().to_owned()),
        memory_bytes: None,
        loaded: false,
    }
}

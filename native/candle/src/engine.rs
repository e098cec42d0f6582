//! The engine: what the gateway asks.

use hoosh_core::dialects::neutral::Request;
use hoosh_core::engine::{Answer, Card, Engine, Refusal};
use hoosh_core::sync::Arc;
use hoosh_core::wake::Waker;

use crate::load::{Fleet, Settings};
use crate::slots::call::Call;
use crate::slots::outbox::outbox;
use crate::slots::Busy;

/// Models computed in this process.
pub struct Candle {
    fleet: Arc<Fleet>,
}

impl Candle {
    /// Of the models in `settings`. Their files are looked at, for the cards, but none is brought into memory.
    pub fn new(settings: Settings) -> Self {
        Candle { fleet: Arc::new(Fleet::new(settings)) }
    }

    /// How busy the model `model` is, if it is in memory or on its way there.
    pub fn busy(&self, model: &str) -> Option<Busy> {
        self.fleet.models[self.index(model)?].busy()
    }

    fn asked_for(&self, request: &Request) -> Option<usize> {
        let name = model_of(request)?;
        self.index(&name)
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.fleet.models.iter().position(|model| model.source.name == name)
    }
}

impl Engine for Candle {
    fn cards(&self) -> Vec<Card> {
        self.fleet.models.iter().map(|model| model.card()).collect()
    }

    fn call(&self, request: Request, waker: Waker) -> Box<dyn Answer> {
        let Some(index) = self.asked_for(&request) else {
            let (outlet, inbox) = outbox(waker, Box::new(|| {}));
            outlet.refuse(unknown(&request));
            return Box::new(inbox);
        };
        let fleet = self.fleet.clone();
        let (outlet, inbox) = outbox(waker, Box::new(move || fleet.nudge(index)));
        self.fleet.submit(index, Call { request, outlet });
        Box::new(inbox)
    }

    fn unload(&self, model: &str) -> bool {
        self.index(model).is_some_and(|index| self.fleet.models[index].unload())
    }

    fn load(&self, model: &str, progress: &mut dyn FnMut(u64, u64)) -> Result<(), Refusal> {
        let Some(index) = self.index(model) else {
            return Err(no_such_model(model));
        };
        self.fleet.desk(index).wait_loaded(progress).map_err(|why| Refusal {
            status: 500,
            code: "model_not_loaded",
            message: why,
            retry_after_secs: None,
        })
    }
}

impl Drop for Candle {
    /// Models go once their last answer is given.
    fn drop(&mut self) {
        for model in &self.fleet.models {
            model.unload();
        }
    }
}

fn model_of(request: &Request) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        model: String,
    }
    serde_json::from_slice::<Named>(&request.body).ok().map(|named| named.model)
}

fn unknown(request: &Request) -> Refusal {
    match model_of(request) {
        Some(name) => no_such_model(&name),
        None => Refusal {
            status: 400,
            code: "invalid_json",
            message: "the body must be a JSON object with a `model`".to_owned(),
            retry_after_secs: None,
        },
    }
}

fn no_such_model(name: &str) -> Refusal {
    Refusal {
        status: 404,
        code: "model_not_found",
        message: format!("this engine has no model `{name}`"),
        retry_after_secs: None,
    }
}

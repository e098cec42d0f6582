//! `GET /v1/models`: what a key may use, whoever lists it first.

use super::world::*;
use bytes::Bytes;
use hoosh_core::config::Config;
use hoosh_core::exchange::Step;
use hoosh_core::gateway::{LoopResult, LoopStep};
use hoosh_core::store::Outcome;

#[test]
fn a_model_is_listed_if_any_of_its_providers_is_allowed() {
    let scoped = TWO.replace(
        "[[providers]]\nname = \"one\"",
        "[[auth.tokens]]\ntoken = \"secret\"\nmodels = [\"two/m\"]\n[[providers]]\nname = \"one\"",
    );
    let mut world = World::new(&scoped);
    world.key = Some("secret");
    let list = world.get("/v1/models");
    let words = String::from_utf8_lossy(&list.body).into_owned();
    assert_eq!(words, r#"{"object":"list","data":[{"id":"m","object":"model","created":0,"owned_by":"two"}]}"#);
    assert_eq!(world.get("/v1/models/m").status, 200);
    let mut call = world.post("/v1/chat/completions", super::CHAT);
    let (_, request) = call.sent(&mut world);
    assert_eq!(request.origin.port, 2);
}

#[test]
fn a_model_outside_the_scope_is_not_listed() {
    let scoped = TWO.replace(
        "[[providers]]\nname = \"one\"",
        "[[auth.tokens]]\ntoken = \"secret\"\nmodels = [\"two/n\"]\n[[providers]]\nname = \"one\"",
    );
    let mut world = World::new(&scoped);
    world.key = Some("secret");
    assert_eq!(&world.get("/v1/models").body[..], br#"{"object":"list","data":[]}"#);
    assert_eq!(world.get("/v1/models/m").status, 404);
}

/// The fetches that the gateway's loop wants now, by the port that they go to.
fn fetches(world: &World) -> Vec<(u64, u16)> {
    let mut all = Vec::new();
    loop {
        match world.gateway.next(world.now) {
            LoopStep::Fetch { id, request, .. } => all.push((id, request.origin.port)),
            LoopStep::Read { .. } => unreachable!("its keys are in the file"),
            LoopStep::Log { id, .. } => world.gateway.done(id, LoopResult::Logged(Ok(())), world.now),
            LoopStep::Store { id, .. } => world.gateway.done(id, LoopResult::Stored(Outcome::Stored), world.now),
            LoopStep::Wait { .. } => return all,
            other => panic!("{other:?}"),
        }
    }
}

fn ids(world: &mut World) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_slice(&world.get("/v1/models").body).unwrap();
    body["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().into()).collect()
}

#[test]
fn each_provider_is_listed_as_it_last_told() {
    let patterned = TWO.replacen("models = [\"m\"]", "models = [\"a*\"]", 1);
    let mut world = World::new(&patterned);
    let say = |world: &World, id: u64, list: &str| {
        let body = format!(r#"{{"data":[{list}]}}"#).into();
        world.gateway.done(id, LoopResult::Fetched(Ok((200, body))), world.now);
    };
    // Asked at the start, where nobody answered; a pattern is no model, and who names all of its own is not asked.
    assert_eq!(ids(&mut world), ["m"]);
    assert!(fetches(&world).is_empty());
    world.now.mono_us += 60_000_000;
    let asked = fetches(&world);
    assert_eq!(asked.iter().map(|(_, port)| *port).collect::<Vec<_>>(), [1]);
    say(&world, asked[0].0, r#"{"id":"a1"},{"id":"b1"},{"id":"a1"},{"id":"m"}"#);
    assert_eq!(ids(&mut world), ["a1", "m"], "what its models admit, each once");
    // The next time it fails: what it said last holds, and it is asked again after a minute.
    world.now.mono_us += 299_000_000;
    assert!(fetches(&world).is_empty());
    world.now.mono_us += 1_000_000;
    let asked = fetches(&world);
    world.gateway.done(asked[0].0, LoopResult::Fetched(Ok((500, "".into()))), world.now);
    assert_eq!(ids(&mut world), ["a1", "m"]);
    world.now.mono_us += 60_000_000;
    let asked = fetches(&world);
    say(&world, asked[0].0, r#"{"id":"a2"}"#);
    assert_eq!(ids(&mut world), ["a2", "m"]);
}

/// Of the configuration without a file: who is asked for `model`, or the error.
fn asked(world: &mut World, model: &str) -> String {
    let mut call = world.post("/v1/chat/completions", &super::CHAT.replace("\"m\"", &format!("\"{model}\"")));
    match call.step(world) {
        Step::Send { request, .. } => request.origin.port.to_string(),
        step => call.take_reply(step).error().2,
    }
}

#[test]
fn a_local_server_that_is_not_there_is_asked_for_nothing_until_it_is() {
    let key = |name: &str| (name == "OPENAI_API_KEY").then(|| "k".to_owned());
    let mut world = World::before_its_loop(Config::found(&key));
    assert_eq!(asked(&mut world, "ollama/m"), "11434", "nobody looked yet");
    world.run_loop();
    assert_eq!(asked(&mut world, "ollama/m"), "model_not_found");
    assert_eq!(asked(&mut world, "m"), "443", "whoever set a key for a service knows that it is there");
    let mut world = World::of(Config::found(&|_: &str| None));
    assert_eq!(asked(&mut world, "m"), "model_not_found");
    world.now.mono_us += 5_000_000;
    let looks = fetches(&world);
    assert!(looks.len() > 3, "one that is started now is found soon: {looks:?}");
    for (id, port) in looks {
        let list = Bytes::from_static(br#"{"data":[{"id":"m"}]}"#);
        let said = if port == 11434 { Ok((200, list)) } else { Err("refused".into()) };
        world.gateway.done(id, LoopResult::Fetched(said), world.now);
    }
    assert_eq!((asked(&mut world, "m"), asked(&mut world, "n")), ("11434".into(), "model_not_found".into()));
}

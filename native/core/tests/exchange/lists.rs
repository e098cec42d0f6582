//! `GET /v1/models`: what a key may use, whoever lists it first.

use super::world::*;

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

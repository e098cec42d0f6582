//! Prices, and what was spent.

use crate::world::*;
use crate::{ANSWER, CHAT};

const PRICED: &str = r#"
[[prices]]
model = "m"
input_usd_per_mtok = 0.15
output_usd_per_mtok = "0.60"
"#;

fn costs(world: &mut World) -> String {
    let reply = world.get("/v1/costs");
    assert_eq!(reply.status, 200);
    String::from_utf8(reply.body.to_vec()).unwrap()
}

#[test]
fn a_row_costs_what_its_tokens_cost() {
    let mut world = World::new(&format!("{ONE}{PRICED}"));
    world.chat(CHAT, ANSWER);
    // Before the loop saw it, and after: summed up once.
    let before = costs(&mut world);
    let row = world.rows().remove(0);
    let (input, output) = (row.usage.input_tokens, row.usage.output_tokens);
    assert_eq!(row.cost_nano_usd, Some(input * 150 + output * 600));
    let cost = row.cost_nano_usd.unwrap();
    assert_eq!(world.metric("hoosh_cost_nano_usd_total{provider=\"one\"}"), cost.to_string());
    let record = format!(
        r#""records":[{{"provider":"one","model":"m","requests":1,"input_tokens":{input},"output_tokens":{output},"cached_tokens":0,"cache_written_tokens":0,"cost_nano_usd":{cost},"cost_usd":"0.{cost:09}"#
    );
    let record = record.trim_end_matches('0');
    for told in [before, costs(&mut world)] {
        assert!(told.contains(record) && told.contains(r#""unpriced_requests":0}"#), "{told}\n{record}");
    }
}

#[test]
fn what_has_no_price_costs_nothing_that_is_known() {
    let mut world = World::new(&format!("{TWO}{}", PRICED.replace("\"m\"", "\"other\"")));
    world.chat(CHAT, ANSWER);
    assert_eq!(world.rows()[0].cost_nano_usd, None);
    let told = costs(&mut world);
    assert!(told.contains(r#""cost_nano_usd":null,"cost_usd":null}"#), "{told}");
    assert!(told.contains(r#""total_cost_usd":"0.000000","unpriced_requests":1}"#), "{told}");
}

#[test]
fn the_most_specific_price_counts() {
    let price = |model: &str, provider: &str, usd: u32| {
        format!("[[prices]]\nmodel = \"{model}\"\n{provider}input_usd_per_mtok = {usd}\noutput_usd_per_mtok = {usd}\n")
    };
    let own = "provider = \"one\"\n";
    let all = [("*", "", 1), ("m*", own, 2), ("m", "", 3), ("m", own, 4)];
    for most in 1..=all.len() {
        let prices: String = all[..most].iter().map(|(model, provider, usd)| price(model, provider, *usd)).collect();
        let mut world = World::new(&format!("{ONE}{prices}"));
        world.chat(CHAT, ANSWER);
        let row = world.rows().remove(0);
        assert_eq!(row.cost_nano_usd, Some(row.usage.total() * most as u64 * 1_000), "{prices}");
    }
    // Longer before shorter, and another provider's never.
    let prices = [price("m*", "", 9), price("*", own, 7), price("m", "provider = \"two\"\n", 5)].concat();
    let mut world = World::new(&format!("{TWO}{prices}"));
    world.chat(CHAT, ANSWER);
    let row = world.rows().remove(0);
    assert_eq!(row.cost_nano_usd, Some(row.usage.total() * 7_000), "the provider's own before a longer prefix");
}

#[test]
fn cached_input_has_a_price_of_its_own() {
    let answer = ANSWER.replace("\"usage\":{", "\"usage\":{\"prompt_tokens_details\":{\"cached_tokens\":2},");
    for (cached, nano) in [("", 1_000), ("cached_input_usd_per_mtok = 0.1\n", 100)] {
        let price = PRICED.replace("0.15", "1").replace("\"0.60\"", &format!("2\n{cached}"));
        let mut world = World::new(&format!("{ONE}{price}"));
        world.chat(CHAT, &answer);
        let row = world.rows().remove(0);
        assert_eq!(row.usage.cached_tokens, 2);
        let plain = (row.usage.input_tokens - 2) * 1_000 + row.usage.output_tokens * 2_000;
        assert_eq!(row.cost_nano_usd, Some(plain + 2 * nano));
    }
}

#[test]
fn input_that_is_written_to_a_cache_has_a_price_of_its_own() {
    let told = "\"usage\":{\"prompt_tokens_details\":{\"cached_tokens\":2,\"cache_write_tokens\":3},";
    let answer = ANSWER.replace("\"usage\":{", told);
    for (write, nano) in [("", 1_000), ("cache_write_usd_per_mtok = 1.25\n", 1_250)] {
        let price = PRICED.replace("0.15", "1").replace("\"0.60\"", &format!("2\n{write}"));
        let mut world = World::new(&format!("{ONE}{price}"));
        world.chat(CHAT, &answer);
        let row = world.rows().remove(0);
        assert_eq!((row.usage.cached_tokens, row.usage.cache_written_tokens), (2, 3));
        let plain = (row.usage.input_tokens - 3) * 1_000 + row.usage.output_tokens * 2_000;
        assert_eq!(row.cost_nano_usd, Some(plain + 3 * nano));
        let sample = "hoosh_tokens_total{provider=\"one\",direction=\"cache_written\"}";
        assert_eq!(world.metric(sample), "3");
        assert!(costs(&mut world).contains("\"cache_written_tokens\":3"));
        assert!(row
            .to_json()
            .contains("\"cached_tokens\":2,\"cache_written_tokens\":3,\"cache_written_long_tokens\":0"));
    }
}

/// Anthropic tells how long what was written is kept (anthropic 2.14.0, types/cache_creation.py); its five minutes cost 1.25
/// times its input, its hour twice (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
#[test]
fn what_anthropic_keeps_for_an_hour_has_a_price_of_its_own_too() {
    let usage = r#"{"input_tokens":5,"cache_creation_input_tokens":30,"cache_read_input_tokens":7,
        "cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":4}"#;
    let answer = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"Hello"}}],
            "stop_reason":"end_turn","stop_sequence":null,"usage":{usage}}}"#
    );
    let long = "cache_write_long_usd_per_mtok = 2\n";
    for (long, hour) in [("", 1_250), (long, 2_000)] {
        let price = PRICED.replace("0.15", "1").replace("\"0.60\"", "2\ncache_write_usd_per_mtok = 1.25\n");
        let anthropic = ONE.replace("openai_compatible", "anthropic");
        assert_ne!(anthropic, ONE);
        let mut world = World::new(&format!("{anthropic}{price}cached_input_usd_per_mtok = 0.1\n{long}"));
        world.chat(CHAT, &answer);
        let row = world.rows().remove(0);
        assert_eq!((row.usage.input_tokens, row.usage.cached_tokens), (42, 7));
        assert_eq!((row.usage.cache_written_tokens, row.usage.cache_written_long_tokens), (30, 20));
        assert_eq!(row.cost_nano_usd, Some(5 * 1_000 + 7 * 100 + 10 * 1_250 + 20 * hour + 4 * 2_000));
    }
}

#[test]
fn a_request_with_a_long_prompt_costs_what_long_prompts_do() {
    let long = "long_prompts = { above_tokens = 100, input_usd_per_mtok = 2, output_usd_per_mtok = 3 }\n";
    let price = PRICED.replace("0.15", "1").replace("\"0.60\"", &format!("2\n{long}"));
    for (input, rates) in [(100, (1_000, 2_000)), (101, (2_000, 3_000))] {
        let mut world = World::new(&format!("{ONE}{price}"));
        world.chat(CHAT, &ANSWER.replace("\"prompt_tokens\":8", &format!("\"prompt_tokens\":{input}")));
        let row = world.rows().remove(0);
        assert_eq!(row.usage.input_tokens, input);
        assert_eq!(row.cost_nano_usd, Some(input * rates.0 + row.usage.output_tokens * rates.1));
    }
}

#[test]
fn callers_cannot_make_up_sums_without_bound() {
    let mut world = World::new(&ONE.replace("models = [\"m\"]", ""));
    for number in 0..1_010 {
        world.chat(&CHAT.replace("\"m\"", &format!("\"m{number}\"")), ANSWER);
    }
    world.rows();
    let told = costs(&mut world);
    assert_eq!(told.matches("\"provider\"").count(), 1_001);
    assert!(told.contains(r#"{"provider":"other","model":"other","requests":10,"#), "{told}");
}

#[test]
fn a_key_that_is_bound_to_models_does_not_read_the_costs() {
    let mut world = World::new(&format!("{ONE}[auth]\ntokens = [{{ token = \"secret\", models = [\"m\"] }}]\n"));
    world.key = Some("secret");
    assert_eq!(world.get("/v1/costs").error().2, "path_not_allowed");
}

#[test]
fn what_nobody_priced_costs_what_the_catalogue_says_at_the_services_own_address() {
    let provider = |more: &str| {
        format!("[[providers]]\nname = \"one\"\ntype = \"openai\"\napi_key = \"k\"\nmodels = [\"gpt-4o\"]\n{more}")
    };
    let chat = CHAT.replace("\"m\"", "\"gpt-4o\"");
    let off = "[catalogue]\nprices = false\n";
    let said = "[[prices]]\nmodel = \"gpt*\"\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\n";
    let own = "[[catalogue.models]]\nprovider = \"openai\"\nname = \"gpt-4o\"\ninput_usd_per_mtok = 7\noutput_usd_per_mtok = 7\n";
    for (config, micro) in [
        (provider(""), Some((2_500_000, 10_000_000))),
        (provider(own), Some((7_000_000, 7_000_000))),
        (provider(said), Some((1_000_000, 1_000_000))),
        (provider(off), None),
        (provider("base_url = \"http://127.0.0.1:1/v1\"\n"), None),
    ] {
        let mut world = World::new(&config);
        world.chat(&chat, ANSWER);
        let row = world.rows().remove(0);
        let cost = |(input, output)| (row.usage.input_tokens * input + row.usage.output_tokens * output) / 1_000;
        assert_eq!(row.cost_nano_usd, micro.map(cost), "{config}");
    }
}

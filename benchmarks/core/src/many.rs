//! The same gateway with very many of everything: as many models at a provider each, keys, budgets and routes.

use std::fmt::Write;

/// `every-policy.toml` with `count` more keys, each with a budget of its own, and as many models, each at a provider and
/// with a route of its own (of these 10,000 at most). The cache has room for a million answers.
pub fn config(count: usize) -> String {
    let mut keys = String::new();
    let mut rest = String::new();
    for n in 0..count {
        let (key, budget) = (key(n), format!("budget-{n}"));
        let _ = writeln!(keys, "    {{ token = \"{key}\", name = \"caller-{n}\", models = [\"small-*\"], budget = \"{budget}\", max_concurrency = 10000, rate_limit_rpm = 100000000 }},");
        let _ = write!(rest, "\n[[budgets]]\nname = \"{budget}\"\ncapacity = 1000000000000\nslice = 100000000000\n");
    }
    for n in 0..models(count) {
        let (model, port) = (model(n), 10_000 + n);
        let _ = write!(rest, "\n[[routes]]\nmodel = \"{model}\"\nfirst_byte_secs = 30\n");
        let _ = write!(rest, "\n[[providers]]\nname = \"p-{n}\"\ntype = \"openai_compatible\"\nbase_url = \"http://127.0.0.1:{port}/v1\"\napi_key = \"operator-key-{n}\"\nmodels = [\"{model}\"]\nmax_concurrency = 10000\n");
    }
    let cache = "mode = \"always\"\nmax_entries = 1000000\nmax_bytes = 8000000000";
    let policies = include_str!("../../every-policy.toml").replace("mode = \"always\"", cache);
    policies.replace("tokens = [\n", &format!("tokens = [\n{keys}")) + &rest
}

/// How many models there are beside `count` keys.
pub fn models(count: usize) -> usize {
    count.min(10_000)
}

pub fn key(n: usize) -> String {
    format!("a-key-of-a-caller-{n:016}")
}

pub fn model(n: usize) -> String {
    format!("small-model-{n}")
}

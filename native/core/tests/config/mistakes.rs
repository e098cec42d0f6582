//! What is wrong with a file is told with its line and a way out.

use super::bad;

#[test]
fn every_mistake_has_its_line_and_a_way_out() {
    let long = "x".repeat(65);
    for (text, line, words) in [
        ("[server]\nprot = 1", 2, "unknown key `prot` in [server]; did you mean `port`?"),
        ("[sever]\nport = 1", 1, "unknown table `sever`; did you mean `server`?"),
        ("port = 1", 1, "unknown key `port`; it belongs in [server]"),
        ("[server]\ncolour = 1", 2, "known are bind, port"),
        ("[[providers]]\ntype = \"openai\"\nbaseurl = \"x\"", 3, "did you mean `base_url`?"),
        ("[auth]\ntokens = [\n  \"a\",\n  { token = \"b\", nam = \"x\" },\n]", 4, "did you mean `name`?"),
        ("[server]\nport = \"80\"", 2, "`port` in [server] must be an integer, not a string"),
        ("[server]\nport = 65536", 2, "must be from 0 to 65535, not 65536"),
        ("[log]\naccess = \"jsn\"", 2, "did you mean `json`? (known are off, text, json)"),
        ("[log]\nfile = \"\"", 2, "must be the path of a file"),
        ("[[prices]]\nmodel = \"a*b\"", 2, "one `*`, at its end"),
        ("[[prices]]\ninput_usd_per_mtok = 1", 1, "`model` in [[prices]] is missing"),
        ("[[prices]]\nmodel = \"m\"\ninput_usd_per_mtok = 1", 1, "`output_usd_per_mtok` in [[prices]] is missing"),
        ("[[prices]]\nmodel = \"m\"\nprovider = \"one\"", 3, "not known: `one`"),
        ("[server]\nport = -1", 2, "must be from 0 to 65535, not -1"),
        ("[server]\nport = 99999999999999999999", 2, "must be from 0 to 65535"),
        ("[server]\nbind = \"a:80\"", 2, "without a port"),
        ("[server]\nbind = \"0.0.0.0\"", 2, "there are no [auth] tokens"),
        ("[server]\nbind = \"::\"", 2, "there are no [auth] tokens"),
        (
            "[server]\nstrategy = \"priorty\"",
            2,
            "did you mean `priority`? (known are priority, round_robin, lowest_latency, direct)",
        ),
        ("[server]\nmax_body_bytes = 0", 2, "must be at least 1"),
        ("[server]\nmax_body_bytes = 9\nmax_buffered_bytes = 8", 3, "leaves no room"),
        ("[server]\nallowed_hosts = [\n\"ok\",\n\"http://x\"]", 4, "without scheme and port"),
        ("[server]\nallowed_hosts = [\"x:80\"]", 2, "without scheme and port"),
        ("[server]\ncors_origins = [\"https://x/\"]", 2, "without a path"),
        ("[server]\ncors_origins = [\"app.example\"]", 2, "scheme, host and port"),
        ("[server]\ncors_origins = [\"*\", \"https://x\"]", 2, "leave out the others"),
        ("[[routes]]\nidle_secs = 3", 1, "`model` in [[routes]] is missing"),
        ("[[routes]]\nmodel = \"a*b\"", 2, "one `*`, at its end"),
        ("[[routes]]\nmodel = \"a\"\n[[routes]]\nmodel = \"a\"", 4, "two routes are for `a`"),
        ("[[routes]]\nmodel = \"a\"\nidle_secs = 0", 3, "must be from 1 to"),
        ("[[providers]]\ntype = \"vllm\"\ntotal_secs = 0", 3, "must be from 1 to"),
        (
            "[server]\npass_request_headers = [\n\"ok\",\n\"Cookie\"]",
            4,
            "`cookie` is never passed on, because it holds a secret",
        ),
        ("[server]\npass_request_headers = [\"host\"]", 2, "speaks of another connection"),
        ("[server]\npass_request_headers = [\"x-forwarded-for\"]", 2, "speaks of another connection"),
        ("[server]\npass_response_headers = [\"X-RateLimit-Limit\"]", 2, "is written by hoosh itself"),
        ("[server]\npass_response_headers = [\"x-ratelimit-*\"]", 2, "there are no patterns"),
        ("[server]\npass_response_headers = [\"set-cookie\"]", 2, "holds a secret"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { authorization = \"$KEY\" }", 3, "is written from `api_key`"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { x-a = \"a\\nb\" }", 3, "one line of visible ASCII"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { x-a = 1 }", 3, "must be a string"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = { content-length = \"1\" }", 3, "speaks of another connection"),
        ("[[providers]]\ntype = \"vllm\"\nheaders = [\"x\"]", 3, "must be a table, not an array"),
        ("server = 3", 1, "is a table; write it as [server]"),
        ("[[server]]\nport = 1", 1, "is one table; write it as [server]"),
        ("[providers]\ntype = \"openai\"", 1, "write each as [[providers]]"),
        ("providers = [1]", 1, "write each as [[providers]]"),
        ("[[providers]]\nname = \"x\"", 1, "`type` in [[providers]] is missing; it is one of ollama"),
        ("[[providers]]\ntype = \"opnai\"", 2, "did you mean `openai`? (known are ollama,"),
        ("[[providers]]\ntype = \"openai\"\nname = \"a/b\"", 3, "1 to 64 of the letters"),
        (&format!("[[providers]]\ntype = \"openai\"\nname = \"{long}\""), 3, "1 to 64 of the letters"),
        (
            "[[providers]]\ntype = \"vllm\"\n\n[[providers]]\ntype = \"vllm\"",
            4,
            "the provider on line 1 is called `vllm` too",
        ),
        ("[[providers]]\ntype = \"vllm\"\npriority = 1.5", 3, "must be an integer, not a float"),
        ("[[providers]]\ntype = \"vllm\"\npriority = 1000001", 3, "must be from -1000000 to 1000000"),
        ("[[providers]]\ntype = \"vllm\"\nmax_concurrency = 0", 3, "must be from 1 to"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = \"x\"", 3, "must be an array, not a string"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\n\"ok\",\n3]", 5, "must be an array of strings, not an integer"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\"a*********b\"]", 3, "a model pattern may have 8 `*`"),
        ("[[aliases]]\nmodels = [\"m\"]", 1, "`name` in [[aliases]] is missing"),
        ("[[aliases]]\nname = \"a*b\"\nmodels = [\"m\"]", 2, "may have one `*`, at its end"),
        ("[[aliases]]\nname = \"a\"\nmodels = [\"m*\"]", 3, "is a name, without `*`"),
        ("[[aliases]]\nname = \"a\"\nmodels = []", 3, "is empty or missing"),
        ("[[aliases]]\nname = \"a\"\nmodels = [\"m\"]\n[[aliases]]\nname = \"a\"\nmodels = [\"n\"]", 5, "is taken"),
        (
            "[[aliases]]\nname = \"a\"\nmodels = [\"b\"]\n[[aliases]]\nname = \"b\"\nmodels = [\"x\", \"c\"]\n\
             [[aliases]]\nname = \"c\"\nmodels = [\"a\"]",
            3,
            "leads in a circle: a → b → c → a",
        ),
        (
            "[[aliases]]\nname = \"to\"\nmodels = [\"b\"]\n[[aliases]]\nname = \"a\"\nmodels = [\"b\"]\n\
             [[aliases]]\nname = \"b\"\nmodels = [\"x\", \"b\", \"a\"]",
            6,
            "leads in a circle: a → b → a",
        ),
        ("[[models]]\ntools = false", 1, "`name` in [[models]] is missing"),
        ("[[models]]\nname = \"m\"\nprovider = \"vlm\"\n[[providers]]\ntype = \"vllm\"", 3, "did you mean `vllm`?"),
        ("[[models]]\nname = \"m\"\ntools = 0", 3, "must be a boolean"),
        ("[[models]]\nname = \"m\"\ncontext_tokens = 0", 3, "must be at least 1"),
        ("[[models]]\nname = \"m\"\n[[models]]\nname = \"m\"", 4, "two tables describe `m`"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\"\"]", 3, "must not be empty"),
        ("[[providers]]\ntype = \"vllm\"\nmodels = [\"a b\"]", 3, "must not contain spaces"),
        ("[[providers]]\ntype = \"openai_compatible\"", 1, "`base_url` in [[providers]] is missing"),
        ("[[providers]]\ntype = \"engine\"\nbase_url = \"http://x\"", 3, "remove it"),
        ("[[providers]]\ntype = \"engine\"\napi_key = \"$KEY\"", 3, "remove it"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$NONE\"", 3, "environment variable `NONE` is not set or empty"),
        (
            "[[providers]]\ntype = \"openai\"\napi_key = \"${EMPTY}\"",
            3,
            "environment variable `EMPTY` is not set or empty",
        ),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$s3cr3t-value\"", 3, "begin with `$$` for a dollar sign"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$\"", 3, "begin with `$$` for a dollar sign"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"$SPACED\"", 3, "visible ASCII"),
        ("[[providers]]\ntype = \"openai\"\napi_key = \"\"", 3, "visible ASCII"),
        ("[auth]\ntokens = \"a\"", 2, "must be an array, not a string"),
        ("[auth]\ntokens = [1]", 2, "array of strings or tables, not an integer"),
        ("[auth]\ntokens = [\"\"]", 2, "visible ASCII"),
        ("[auth]\ntokens = [{ name = \"x\" }]", 2, "`token` in [[auth.tokens]] is missing"),
        ("[auth]\ntokens = [\"$NONE\"]", 2, "environment variable `NONE`"),
        ("[auth]\ntokens = [\n\"s3cr3t-value\",\n\"$KEY\"]", 4, "tokens `key-1` and `key-2` are the same"),
        ("[auth]\ntokens = [{ token = \"a\", name = \"key-2\" },\n\"b\"]", 3, "two tokens are called `key-2`"),
        (
            "[[auth.tokens]]\ntoken = \"a\"\nbudget = \"tem\"\n[[budgets]]\nname = \"team\"\ncapacity = 5",
            3,
            "did you mean `team`?",
        ),
        ("[[auth.tokens]]\ntoken = \"a\"\nbudget = \"team\"", 3, "`team` (there is none); add it under [[budgets]]"),
        ("[[budgets]]\ncapacity = 5", 1, "give the budget a name"),
        ("[[budgets]]\nname = \"a\"", 1, "`capacity` in [[budgets]] is missing"),
        ("[[budgets]]\nname = \"a\"\ncapacity = 0", 3, "must be at least 1"),
        ("[[budgets]]\nname = \"a\"\ncapacity = 5\nslice = 6", 4, "must be from 1 to 5, not 6"),
        (
            "[[budgets]]\nname = \"a\"\ncapacity = 5\n[[budgets]]\nname = \"a\"\ncapacity = 5",
            5,
            "two budgets are called `a`",
        ),
        ("[cache]\nenabled = 1", 2, "must be a boolean, not an integer"),
        ("[cache]\nmode = \"often\"", 2, "(known are deterministic, always)"),
        ("[cache]\nttl_secs = 0", 2, "must be from 1 to 31536000"),
        ("[retry]\nmax_attempts = 0", 2, "must be from 1 to 100"),
        ("[retry]\nbudget_percent = 101", 2, "must be from 0 to 100"),
        ("[retry]\nbase_delay_ms = 9000", 2, "must not be larger than `max_delay_ms`"),
        ("[limits]\nreserve_output = 0", 2, "must be at least 1"),
        ("[deadlines]\nidle_secs = 0", 2, "must be from 1 to"),
        ("[server]\nport = 1\nport = 2", 3, "not valid TOML"),
        ("[server]\nbind = \"s3cr3t-value", 2, "not valid TOML"),
        ("[server]\nport = s3cr3t-value", 2, "not valid TOML"),
        ("# ok\n[server", 2, "not valid TOML"),
    ] {
        let error = bad(text);
        assert_eq!(
            (error.line, error.message.contains(words)),
            (Some(line), true),
            "{error}\n--- wanted: {words}\n{text}"
        );
    }
}

#[test]
fn of_very_many_known_names_an_error_tells_some() {
    let budget = |n: usize| format!("[[budgets]]\nname = \"b{n}\"\ncapacity = 1\n");
    let text: String = (0..60).map(budget).collect();
    let error = bad(&format!("{text}[auth]\ntokens = [{{ token = \"t\", budget = \"other\" }}]"));
    assert!(error.message.contains("(known are b0, b1, "), "{error}");
    assert!(error.message.contains(", b49 and 10 more)"), "{error}");
}

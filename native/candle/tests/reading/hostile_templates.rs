//! Templates are programs from strangers: they end, they reach nothing, and they break nothing.

use hoosh_candle::file::FileError;
use hoosh_candle::template::{Template, TemplateError};
use serde_json::json;

use crate::templates::tokenizer;

fn made(source: &str) -> Result<Template, FileError> {
    Template::from_source(Some(source), &tokenizer())
}

fn outcome(source: &str) -> Result<String, TemplateError> {
    made(source).unwrap().render(&json!({ "messages": [{ "role": "user", "content": "x" }] }))
}

#[test]
fn endless_work_is_stopped() {
    for source in [
        "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in range(10000) %}{% for b in range(10000) %}{% for c in range(10000) %}{% endfor %}{% endfor %}{% endfor %}",
    ] {
        assert!(matches!(outcome(source), Err(TemplateError::TooMuch(_))), "{source}");
    }
}

#[test]
fn output_is_bounded() {
    let source = "{% set x = 'x' * 10000000 %}{% for a in range(100) %}{{ x }}{% endfor %}";
    assert!(matches!(outcome(source), Err(TemplateError::TooMuch(_))));
    assert!(matches!(outcome("{{ 'x' * 10000000000 }}"), Err(TemplateError::Failed(_))));
}

#[test]
fn nesting_is_bounded() {
    let endless = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
    assert!(matches!(outcome(endless), Err(TemplateError::Failed(_) | TemplateError::TooMuch(_))));
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(made(&format!("{{{{ {deep} }}}}")).is_err());
    let deep = format!("{}{}", "{% if true %}".repeat(50_000), "{% endif %}".repeat(50_000));
    assert!(made(&deep).is_err());
}

#[test]
fn deep_values_overflow_no_stack() {
    let nest = "{% set ns = namespace(x=[]) %}{% for a in range(10000) %}{% for b in range(10) %}{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}";
    for end in ["", "{{ ns.x }}", "{{ ns.x|tojson }}", "{{ ns.x == [ns.x] }}", "{{ ns.x|string|length }}"] {
        // Whatever comes of it, the process is there to say so.
        let _ = outcome(&format!("{nest}{end}"));
    }
    let smaller = nest.replace("10000", "4000");
    assert!(outcome(&format!("{smaller}{{{{ ns.x|tojson|length }}}}")).is_ok_and(|length| length == "80002"));
}

#[test]
fn nothing_is_in_reach() {
    for source in [
        "{% include '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ open('/etc/passwd') }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__.__globals__ }}",
    ] {
        let outcome =
            made(source).map(|template| template.render(&json!({ "messages": [{ "role": "user", "content": "x" }] })));
        // An attribute that is not there prints as nothing, as in Jinja.
        let reached = outcome.as_ref().is_ok_and(|rendered| rendered.as_ref().is_ok_and(|text| !text.is_empty()));
        assert!(!reached, "{source}: {:?}", outcome.ok());
    }
}

#[test]
fn wrong_templates_are_told_with_the_line() {
    let problem = made("a\nb {% if %}").map(|_| ()).unwrap_err().to_string();
    assert!(problem.contains("chat template cannot be used") && problem.contains("line 2"), "{problem}");
    assert!(made(&"x".repeat(2_000_000)).is_err());
    let problem = outcome("a\n{{ messages[0].a.b }}").unwrap_err().to_string();
    assert!(problem.contains("failed: undefined value") && problem.contains("line 2"), "{problem}");
    assert!(outcome("{{ nothing() }}").is_err() && outcome("{{ 1|nothing }}").is_err());
    assert!(outcome("{{ 'x'|tojson(indent=99) }}").is_err());
}

#[test]
fn long_words_of_a_template_are_cut() {
    let TemplateError::Refused(words) = outcome("{{ raise_exception('x' * 100000) }}").unwrap_err() else { panic!() };
    assert!(words.len() < 400 && words.ends_with('…'));
}

#[test]
fn values_print_as_in_python() {
    let source = "{{ none }} {{ true }} {{ 1 > 2 }} {{ undefined_thing }} {{ 1.0 }} {{ {'a': [1, none]}|tojson }} {{ strftime_now('%Y')|length }}";
    assert_eq!(outcome(source).unwrap(), "None True False  1.0 {\"a\": [1, null]} 4");
    let pretty = outcome("{{ {'a': [1, {}], 'é<': '\\n'}|tojson(indent=2) }}").unwrap();
    assert_eq!(pretty, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"é<\": \"\\n\"\n}");
}

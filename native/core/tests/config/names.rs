//! Aliases, and what is known of models.

use super::good;

#[test]
fn an_alias_may_be_reached_on_two_ways() {
    let alias = |name: &str, models: &str| format!("[[aliases]]\nname = \"{name}\"\nmodels = [{models}]\n");
    let config = good(
        &[alias("a", r#""b", "c""#), alias("b", r#""d""#), alias("c", r#""d", "b""#), alias("d", r#""m""#)].concat(),
    );
    assert_eq!(config.aliases.len(), 4);
}

#[test]
fn aliases_and_what_models_cannot_do() {
    let config = good(
        "[[providers]]\ntype = \"vllm\"\nmodels = [\"m\", \"*-mini\", \"a*b*c\"]\n\
         [[aliases]]\nname = \"m\"\nmodels = [\"m\", \"vllm/x-mini\"]\n\
         [[aliases]]\nname = \"fast*\"\nmodels = [\"m\", \"lost\"]\n\
         [[models]]\nname = \"*-mini\"\nprovider = \"vllm\"\ntools = false\nimages = true\ncontext_tokens = 8_192",
    );
    assert_eq!(config.warnings, ["alias `fast*`: no provider serves `lost`; check its name"]);
    let mini = &config.models[0];
    assert_eq!((mini.tools, mini.images, mini.audio), (Some(false), Some(true), None));
    assert_eq!((mini.context_tokens, mini.max_output_tokens), (Some(8_192), None));
    let described = good(&config.describe());
    assert_eq!((&described.aliases, &described.models), (&config.aliases, &config.models));
}

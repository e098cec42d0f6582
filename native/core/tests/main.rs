//! The tests of the core through its public face, linked once. Beside it stand `exchange`, which is as large as all of
//! these, and `shuttle`, which needs another build of the core.

#[path = "budget/main.rs"]
mod budget;
mod cache;
#[path = "cachekey/main.rs"]
mod cachekey;
#[path = "carried/main.rs"]
mod carried;
#[path = "config/main.rs"]
mod config;
mod fields;
mod flight;
#[path = "health/main.rs"]
mod health;
#[path = "json/main.rs"]
mod json;
mod keys;
#[path = "limit/main.rs"]
mod limit;
mod metrics;
mod probe;
mod provider_page;
mod providers;
mod relay;
mod retry;
mod route;
mod schema;
mod sse;
mod tokens;
mod tokens_messages;
#[path = "wire/main.rs"]
mod wire;

/// Cargo.toml lists what is linked (`autotests = false`), so a new file would be left out in silence.
#[test]
fn no_file_is_left_out() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let named = include_str!("main.rs");
    for entry in std::fs::read_dir(&folder).expect("native/core/tests") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name in UTF-8");
        let tests = path.extension().is_some_and(|end| end == "rs") || path.join("main.rs").exists();
        if tests && !["main", "exchange", "shuttle"].contains(&name) {
            assert!(named.contains(&format!("\nmod {name};")), "{name} is no module of native/core/tests/main.rs");
        }
    }
}

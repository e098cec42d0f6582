//! `[[server.mounts]]`

use super::{bad, good};

fn mount(path: &str, app: &str) -> String {
    format!("[[server.mounts]]\npath = \"{path}\"\napp = \"{app}\"\n")
}

#[test]
fn applications_are_mounted_below_paths() {
    let config = good(&format!("{}{}public = true\n", mount("/a", "m:x"), mount("/a/b-c.d", "p.q:r.s")));
    let told: Vec<_> = config.server.mounts.iter().map(|m| (&*m.path, m.app.as_str(), m.public)).collect();
    assert_eq!(told, [("/a", "m:x", false), ("/a/b-c.d", "p.q:r.s", true)]);
}

#[test]
fn mounts_that_cannot_be_are_told() {
    for path in ["", "/", "a", "/a/", "/a//b", "/a/../b", "/a b", "/a?b", "/%61", "/ä"] {
        assert!(bad(&mount(path, "m:x")).to_string().contains("must begin with `/`"), "{path}");
    }
    for path in ["/v1", "/v1/tools", "/metrics", "/health/x", "/admin"] {
        assert!(bad(&mount(path, "m:x")).to_string().contains("the gateway's own paths"), "{path}");
    }
    for app in ["", "m", "m:", ":x", "m:x:y", "m.:x", "1m:x", "m:x()", "m: x"] {
        assert!(bad(&mount("/a", app)).to_string().contains("`package.module:attribute`"), "{app}");
    }
    assert!(bad(&mount("/a", "m:x").repeat(2)).to_string().contains("two mounts are at `/a`"));
    assert!(bad("[[server.mounts]]\napp = \"m:x\"\n").to_string().contains("is missing"));
    assert!(bad("[[server.mounts]]\npath = \"/a\"\n").to_string().contains("is missing"));
    assert!(bad(&(mount("/a", "m:x") + "pubic = true\n")).to_string().contains("public"));
}

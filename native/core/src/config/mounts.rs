//! `[[server.mounts]]`: applications of the operator that are served below a path beside the gateway.

use std::collections::HashSet;

use super::reader::{Checked, Table};
use super::schema;
use crate::dialects::Dialect;
use crate::sync::Arc;

/// Below these the paths are the gateway's, also those that it may get one day, beside those that are a dialect's alone.
const RESERVED: [&str; 5] = ["/v1", "/v2", "/metrics", "/health", "/admin"];
/// Longest path of a mount, bytes.
const MAX_PATH: usize = 256;

/// An application below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where its paths begin, such as `/tools`.
    pub path: Arc<str>,
    /// What a driver loads: `module:attribute`.
    pub app: String,
    /// Whether no key is asked for.
    pub public: bool,
}

impl Mount {
    /// Whether `path`, its `%XX` read, is one of its paths.
    pub fn holds(&self, path: &str) -> bool {
        path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Whose `path` is, the longest first where one lies below another.
pub fn mount_of<'a>(mounts: &'a [Arc<Mount>], path: &str) -> Option<&'a Arc<Mount>> {
    mounts.iter().filter(|mount| mount.holds(path)).max_by_key(|mount| mount.path.len())
}

pub(super) fn mounts(server: &Table<'_>) -> Checked<Vec<Arc<Mount>>> {
    let (mut mounts, mut taken) = (Vec::new(), HashSet::new());
    for t in server.tables("mounts", &schema::SERVER_MOUNTS)? {
        let Some(path) = t.string("path")? else {
            return t.fail("path", "is missing; say below which path the application is, such as `/tools`");
        };
        if let Some(wrong) = wrong_path(path) {
            return t.fail("path", wrong);
        }
        if !taken.insert(path) {
            return t.fail("path", format_args!("is taken: two mounts are at `{path}`; give one another path"));
        }
        let Some(app) = t.string("app")? else {
            return t.fail("app", "is missing; say where the application is, as `package.module:attribute`");
        };
        if !is_app(app) {
            return t.fail("app", "must be a module and what in it is the application: `package.module:attribute`");
        }
        let mut mount = Mount { path: path.into(), app: app.to_owned(), public: false };
        t.boolean("public", &mut mount.public)?;
        mounts.push(Arc::new(mount));
    }
    Ok(mounts)
}

/// What is wrong with a path, if anything is.
fn wrong_path(path: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let segments = path.strip_prefix('/').unwrap_or_default().split('/');
    let is_plain = |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(plain);
    if path.len() > MAX_PATH || !segments.clone().all(is_plain) {
        return Some(
            "must begin with `/`, not end with it, and be of letters, digits and `-._~`, such as `/tools`".into(),
        );
    }
    let below =
        |reserved: &str| path.strip_prefix(reserved).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let reserved = reserved().find(|reserved| below(reserved))?;
    Some(format!("would hide the gateway's own paths below `{reserved}`; choose another, such as `/tools`"))
}

/// First segments that no application may have.
fn reserved() -> impl Iterator<Item = &'static str> {
    let first = |path: &'static str| path.match_indices('/').nth(1).map_or(path, |(end, _)| &path[..end]);
    let spoken = Dialect::ALL.into_iter().flat_map(|dialect| dialect.door().below).map(move |below| first(below));
    RESERVED.into_iter().chain(spoken)
}

/// A module and an attribute, each with dots.
fn is_app(app: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    app.split_once(':').is_some_and(|(module, attribute)| [module, attribute].iter().all(|s| s.split('.').all(is_name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_tells_of_each_path_that_cannot_be_had() {
        let told = schema::SERVER_MOUNTS.keys.iter().find(|key| key.name == "path").unwrap().about;
        for path in reserved() {
            assert!(told.contains(&format!("`{path}`")), "{path}");
            assert!(wrong_path(&format!("{path}/x")).is_some(), "{path}");
        }
    }
}

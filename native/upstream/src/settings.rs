//! Bounds of what is kept.

use std::sync::Arc;
use std::time::Duration;

use crate::tls::Trust;

/// How many connections one thread keeps, and for how long. Clones share what is known of TLS: the system's authorities, and the
/// sessions that may be resumed.
#[derive(Clone)]
pub struct Settings {
    /// Idle connections in all; each is a descriptor here and a place at an upstream.
    pub most_idle: usize,
    /// Idle connections to one origin.
    pub most_idle_of_one: usize,
    /// How long a connection may be idle. Default 30 seconds: less than most servers keep theirs (nginx 75 s, load balancers
    /// 60 s), so that few are closed under a request. One that was is told as such, and the core decides.
    pub idle: Duration,
    /// How long a connection serves, less up to a fifth: a busy one would never notice that its name is another address by now.
    /// Default 10 minutes. It is given up between two requests.
    pub age: Duration,
    /// What is known of TLS.
    pub trust: Arc<Trust>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            most_idle: 1_024,
            most_idle_of_one: 256,
            idle: Duration::from_secs(30),
            age: Duration::from_secs(600),
            trust: Arc::default(),
        }
    }
}

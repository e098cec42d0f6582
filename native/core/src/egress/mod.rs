//! What is asked of the way to an upstream beside its address: who it must prove to be, through which proxy, and where an
//! address that the operator did not write must not lead.
//!
//! | File | Holds |
//! | --- | --- |
//! | `terms` | authorities, client certificate and pins of TLS |
//! | `proxy` | the proxy that the environment names |
//! | `guard` | addresses that are forbidden to whatever the operator did not name |

mod guard;
mod proxy;
mod terms;

pub use guard::is_forbidden;
pub use proxy::{proxy_of, Proxy};
pub use terms::{Identity, Pin, TextFile, TlsTerms};

//! A bare HTTP/1.1 relay that drives exchanges, one thread and one core: what a fast driver can be, and how much of it
//! the interface takes. It knows no policy, dialect or provider; TLS upstreams and engines are beyond it.
//!
//! `hoosh-relay --config FILE --port N`. [`drive`] is the driver, [`upstream`] its way to upstreams, [`serve`] its
//! way to callers.

mod chores;
mod clock;
mod drive;
mod serve;
mod upstream;

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;

use hoosh_core::config;
use hoosh_core::gateway::Gateway;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (mut file, mut port) = (None, None);
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--config" => file = arguments.next(),
            "--port" => port = Some(arguments.next().ok_or("--port N")?.parse::<u16>()?),
            _ => return Err(format!("unknown argument {name}: hoosh-relay --config FILE --port N").into()),
        }
    }
    let text = std::fs::read_to_string(file.ok_or("which --config FILE?")?)?;
    let config = config::parse(&text, &|name: &str| std::env::var(name).ok()).map_err(|error| error.to_string())?;
    let address = (config.server.bind.clone(), port.unwrap_or(config.server.port));
    let gateway = Gateway::new(config, RandomState::new().hash_one("seed"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let upstreams = Rc::new(upstream::Upstreams::default());
        tokio::task::spawn_local(chores::run(gateway.clone(), upstreams.clone()));
        serve::listen(address, gateway, upstreams).await
    })?;
    Ok(())
}

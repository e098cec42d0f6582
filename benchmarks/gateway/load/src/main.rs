//! `hoosh-load upstream | closed | open | hold | spin`; benchmarks/gateway/README.md has the arguments.

#![deny(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hoosh_load::arguments::Arguments;
use hoosh_load::faults::Faults;
use hoosh_load::requests::Requests;
use hoosh_load::upstream::{self, Manner};
use hoosh_load::{closed, hold, open};

const USAGE: &str = "hoosh-load upstream|closed|open|hold|spin [--name value]…";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hoosh-load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let what = words.next().ok_or(USAGE)?;
    let mut arguments = Arguments::parse(words)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if arguments.flag("awake") {
        runtime.spawn(stay_awake());
    }
    match what.as_str() {
        "upstream" => runtime.block_on(serve(arguments)),
        "closed" | "open" => runtime.block_on(load(&what, arguments)),
        "hold" => runtime.block_on(keep(arguments)),
        "spin" => loop {
            std::hint::spin_loop();
        },
        _ => Err(USAGE.into()),
    }
}

/// Looks for work again and again, and lets others have the core in between. Whoever sends to this process then never pays for
/// waking it, as it would not if this were another machine.
async fn stay_awake() {
    loop {
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
}

/// `--listen`, `--events` and `--rate` (events a second; 0: all at once) of streams, `--answer` (a file), and shares of faults.
async fn serve(mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let listen = arguments.text("listen").unwrap_or("127.0.0.1:0".into());
    let (events, rate) = (arguments.number("events", 8)?, arguments.number("rate", 0.0)?);
    let answer = arguments.text("answer").map(std::fs::read_to_string).transpose()?;
    let faults = Faults::from(&mut arguments)?;
    arguments.done()?;
    let gap = if rate > 0.0 { Duration::from_secs_f64(1.0 / rate) } else { Duration::ZERO };
    let listener = upstream::bind(listen.parse()?)?;
    println!("listening on {}", listener.local_addr()?);
    let manner = Manner::new(answer.as_deref().unwrap_or(upstream::ANSWER), events, gap, faults);
    upstream::serve(listener, Arc::new(manner)).await?;
    Ok(())
}

async fn load(what: &str, mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let connections = arguments.number("connections", 64)?;
    let span = Duration::from_secs_f64(arguments.number("seconds", 3.0)?);
    let warm = Duration::from_secs_f64(arguments.number("warm", 0.0)?);
    let (rate, poisson) = (arguments.number("rate", 1000.0)?, arguments.flag("poisson"));
    let requests = Requests::from(&mut arguments)?;
    arguments.done()?;
    let requests = Arc::new(requests);
    let (tally, span) = match what {
        "closed" => closed::run(requests, connections, span).await,
        _ => open::run(requests, open::Plan { rate, connections, warm, span, poisson }).await?,
    };
    println!("{}", tally.json(span));
    Ok(())
}

async fn keep(mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let plan = hold::Plan {
        count: arguments.number("count", 100)?,
        ramp: arguments.number("ramp", 1000.0)?,
        span: Duration::from_secs_f64(arguments.number("seconds", 3.0)?),
    };
    let requests = Requests::from(&mut arguments)?;
    arguments.done()?;
    hold::run(Arc::new(requests), plan, |line| println!("{line}")).await;
    Ok(())
}

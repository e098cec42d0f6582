//! `hoosh-sim run --exchanges N --seed S` and `hoosh-sim replay --seed N [--verbose]`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use hoosh_sim::check::Invariant;
use hoosh_sim::{run, Report, EXCHANGES};

/// Every so many worlds one is run twice.
const TWICE: u64 = 25;
/// Failures shown in full before a run stops.
const MOST_FAILURES: u64 = 5;
/// Lines of an exchange shown with its failure.
const LINES: usize = 40;

/// What a run of 10,000 exchanges or more must have seen, or it proves nothing.
const MUST_SEE: &[&str] = &[
    "Continue",
    "ReadCaller",
    "Send",
    "Read",
    "Abort",
    "Call",
    "Work",
    "Reply",
    "Start",
    "Emit",
    "Finish",
    "Break",
    "Wait",
    "Done",
    "complete",
    "broken off",
    "shared",
    "shared in the other form",
    "shared under an alias",
    "joined",
    "Child",
    "audits",
    "early starts",
    "keep-alives",
    "remembered",
    "replayed",
    "caller leaves",
    "driver drops",
    "loop stores",
    "loop fetches",
    "questions about models",
    "loop cancels",
    "loop readings",
    "new credentials",
    "crashes",
    "orderly ends",
    "lost tokens",
    "long retry-after",
    "bad credential",
    "credential refused",
    "tokens a minute",
    "status 200",
    "status 400",
    "status 401",
    "status 403",
    "status 404",
    "status 405",
    "status 408",
    "status 409",
    "status 413",
    "status 415",
    "status 422",
    "status 429",
    "status 502",
    "status 503",
    "status 504",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    match arguments.first().map(String::as_str) {
        Some("run") => run_many(number("--exchanges", 100_000), number("--seed", 1)),
        Some("replay") => replay(number("--seed", 1), arguments.iter().any(|argument| argument == "--verbose")),
        _ => {
            eprintln!("usage: hoosh-sim run [--exchanges N] [--seed S]\n       hoosh-sim replay --seed N [--verbose]");
            ExitCode::from(2)
        }
    }
}

fn run_many(exchanges: u64, first: u64) -> ExitCode {
    // A panic is a finding; its seed and words are printed with it.
    std::panic::set_hook(Box::new(|_| {}));
    let worlds = exchanges.div_ceil(EXCHANGES as u64);
    let began = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + worlds {
        let mut report = run(seed, false, None);
        if report.broken.is_none() && seed % TWICE == 0 {
            let again = run(seed, false, None);
            if again.hash != report.hash {
                let words = format!("{:016x} and then {:016x}", report.hash, again.hash);
                report.broken = Some(hoosh_sim::check::Broken { invariant: Invariant::Trace, x: None, words });
            }
        }
        for (what, count) in std::mem::take(&mut report.seen) {
            *seen.entry(what).or_default() += count;
        }
        if report.broken.is_none() {
            passed += 1;
            continue;
        }
        failed += 1;
        show_failure(&report);
        if failed == MOST_FAILURES {
            println!("stopped after {failed} failures");
            break;
        }
    }
    println!("{} worlds of {EXCHANGES} exchanges in {:.1} s", passed + failed, began.elapsed().as_secs_f64());
    let counts: Vec<String> = seen.iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!("seen: {}", counts.join(", "));
    let unseen: Vec<&str> = MUST_SEE.iter().copied().filter(|what| !seen.contains_key(*what)).collect();
    if exchanges >= 10_000 && failed == 0 && !unseen.is_empty() {
        println!("never seen: {}", unseen.join(", "));
        failed += 1;
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn show_failure(report: &Report) {
    let Some(broken) = &report.broken else { return };
    println!("\nseed {}: invariant {} is broken: {}", report.seed, broken.invariant, broken.words);
    let lines = run(report.seed, true, broken.x).lines;
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        println!("  {}", line.chars().take(300).collect::<String>());
    }
    println!("replay: cargo run -p hoosh-sim -- replay --seed {} [--verbose]", report.seed);
}

fn replay(seed: u64, verbose: bool) -> ExitCode {
    let report = run(seed, true, None);
    if verbose {
        report.lines.iter().for_each(|line| println!("{line}"));
    }
    match &report.broken {
        Some(_) => show_failure(&report),
        None => println!("seed {seed} passes; trace {:016x}", report.hash),
    }
    println!("{} passed, {} failed", u8::from(report.broken.is_none()), u8::from(report.broken.is_some()));
    ExitCode::from(u8::from(report.broken.is_some()))
}

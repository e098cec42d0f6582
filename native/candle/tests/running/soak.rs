//! Thousands of short answers, with readers that leave, stall and ask for what is refused.

use std::time::Duration;

use candle_core::quantized::GgmlDType;
use hoosh_candle::slots::Busy;
use hoosh_candle::Candle;
use hoosh_core::engine::Said;
use hoosh_core::engine::{Priority, Standing};
use hoosh_core::rng::Rng;

use crate::common::asking::{complete_as, engine, Asked};
use crate::common::Shape;

#[test]
fn thousands_of_answers_leave_nothing_behind() {
    soak(2_000);
}

/// Alone in its process, so that the memory is its own: `cargo test -p hoosh-candle --test running -- --ignored soak`.
#[test]
#[ignore = "a minute or more"]
fn memory_stays_flat_over_ten_thousand_answers() {
    let warm = soak(2_000);
    let after = soak(10_000);
    println!("{warm} pages in memory after 2,000 answers, {after} after 10,000 more");
    assert!(after < warm + warm / 10 + 1024, "{warm} pages in memory grew to {after}");
}

/// Pages of this process that are in memory; 0 where that is not told.
fn pages() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

/// Asks so often, a few at once, and gives the pages in memory in the end.
fn soak(answers: u64) -> u64 {
    let shape = Shape { width: 32, feed_forward: 32, layers: 1, dtype: GgmlDType::Q8_0, ..Shape::new("llama") };
    let engine = engine(&shape, |settings| settings.kv_bytes = 1 << 20);
    let mut rng = Rng::new(answers);
    let mut open: Vec<Asked> = Vec::new();
    for _ in 0..answers {
        open.push(any_call(&engine, &mut rng));
        while open.len() > 12 {
            let mut asked = open.swap_remove(rng.below(open.len() as u64) as usize);
            match rng.below(3) {
                // Leaves at once, or in the middle.
                0 => drop(asked),
                1 => drop(asked.next(usize::MAX)),
                _ => end(asked),
            }
        }
    }
    open.into_iter().for_each(end);
    while engine.busy("m") != Some(Busy::default()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    pages()
}

fn any_call(engine: &Candle, rng: &mut Rng) -> Asked {
    let prompt = ["", "a", "hello ", "once upon a time "][rng.below(4) as usize].repeat(1 + rng.below(9) as usize);
    let more = [
        r#""max_tokens":4"#,
        r#""max_tokens":12,"seed":1,"n":2"#,
        r#""max_tokens":12,"logprobs":20,"stop":["a","th"]"#,
        r#""max_tokens":3,"temperature":9"#,
    ];
    let tenant = Some(rng.below(3)).filter(|tenant| *tenant > 0);
    let standing = Standing { priority: Priority::ALL[rng.below(5) as usize], tenant };
    complete_as(engine, &prompt, more[rng.below(4) as usize], standing)
}

/// Reads to the end, a little at a time.
fn end(mut asked: Asked) {
    loop {
        match asked.next(4096) {
            Said::Item(_) => {}
            Said::Failed(why) => panic!("{why}"),
            Said::End | Said::Refused(_) => break,
            Said::Nothing => unreachable!("waited for"),
        }
    }
    assert!(matches!(asked.answer.next(usize::MAX), Said::Nothing), "nothing follows the end");
}

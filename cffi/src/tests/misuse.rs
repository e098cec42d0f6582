//! A driver that says anything at any time: the library answers or refuses, but neither breaks nor panics.

use super::*;
use crate::exchange::{caller::*, engine::*, upstream::*, work::*};
use crate::gateway::*;
use crate::store::*;

/// xorshift64*: enough to pick calls, and equal everywhere.
struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
    fn pick(&mut self, from: &[&str]) -> hoosh_bytes {
        bytes(from[self.below(from.len() as u64) as usize])
    }
}

const INPUTS: &str = r#"{"model":"m","input":["a","b"]}"#;
const PIECES: &[&str] = &[
    "",
    "{",
    CHAT,
    r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#,
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
    r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"#,
    "\u{0}\u{fffd}\r\n",
];

/// One call on `x`, whichever the dice say.
unsafe fn anything(dice: &mut Dice, x: *mut hoosh_exchange, jobs: &mut Vec<*mut hoosh_job>) -> hoosh_result {
    let (u, small) = ([0, 0, 0, 1, 2][dice.below(5) as usize], dice.below(3) as u32);
    let headers = [
        hoosh_header { name: bytes("content-type"), value: dice.pick(&["application/json", "text/event-stream", "?"]) },
        hoosh_header { name: bytes("retry-after"), value: dice.pick(&["0", "1", "99999999999999999999", "x"]) },
    ];
    // SAFETY: the caller has a valid exchange and valid jobs.
    unsafe {
        match dice.below(18) {
            0 => {
                let target = dice.pick(&["/v1/chat/completions", "/v1/embeddings", "/v1/models", "/x"]);
                let method = dice.pick(&["POST", "GET", ""]);
                hoosh_exchange_begin(x, method, target, headers.as_ptr(), 1 + u as usize % 2, small == 0)
            }
            1 => hoosh_exchange_refused(x, dice.pick(&["malformed_request", "?"]), dice.pick(PIECES)),
            2 | 3 => hoosh_exchange_body(x, dice.pick(PIECES)),
            4 => hoosh_exchange_body_end(x),
            5 => hoosh_exchange_written(x, [0, 1, 1000, usize::MAX][dice.below(4) as usize]),
            6 if small == 0 => hoosh_exchange_caller_gone(x),
            7 => hoosh_exchange_connected(x, u),
            8 => hoosh_exchange_sent(x, u),
            9 => {
                let status = [200, 200, 200, 100, 204, 301, 400, 429, 500, 999][dice.below(10) as usize];
                hoosh_exchange_head(x, u, status, headers.as_ptr(), small as usize)
            }
            10 | 11 => hoosh_exchange_data(x, u, dice.pick(PIECES)),
            12 => hoosh_exchange_end(x, u),
            13 => hoosh_exchange_failed(x, u, dice.below(7) as u32, small == 0),
            14 => match dice.below(5) {
                0 => hoosh_exchange_delta_text(x, u, small, dice.pick(PIECES)),
                1 => hoosh_exchange_delta_tool_call(x, u, u32::MAX, small, dice.pick(PIECES), bytes("n"), bytes("")),
                2 => hoosh_exchange_delta_embedding(x, u, small, [f32::NAN, 1.0].as_ptr(), small as usize % 3),
                3 => hoosh_exchange_delta_finish(x, u, small, dice.pick(&["stop", "?"])),
                _ => hoosh_exchange_delta_usage(x, u, u64::MAX, u64::MAX),
            },
            // Now and then something sensible, or no stream would ever begin.
            6 => {
                hoosh_exchange_connected(x, u);
                hoosh_exchange_sent(x, u);
                hoosh_exchange_head(x, u, 200, headers.as_ptr(), 1)
            }
            15 => hoosh_exchange_child(x, u, 200, dice.pick(PIECES)),
            _ => match jobs.pop() {
                Some(job) => {
                    let _ = hoosh_job_run(job);
                    let result = hoosh_exchange_worked(x, job);
                    if result != OK {
                        jobs.push(job);
                    }
                    result
                }
                None => OK,
            },
        }
    }
}

#[test]
fn whatever_a_driver_says_nothing_breaks() {
    let provider = |name: &str, rest: &str| format!("[[providers]]\nname = \"{name}\"\nmodels = [\"m\"]\n{rest}\n");
    let toml = [
        provider("one", "type = \"openai\"\nbase_url = \"http://127.0.0.1:9\""),
        provider("mine", "type = \"engine\""),
        "[cache]\nenabled = true\n[limits]\nmax_inputs = 1\nmax_concurrency = 2\n".to_owned(),
    ]
    .concat();
    let mut seen = [0u32; 15];
    let seeds = std::env::var("SEEDS").map_or(5_000, |seeds| seeds.parse().expect("a number"));
    for seed in 1..=seeds {
        let (gateway, mut dice, mut store) = (Gateway::new(&toml), Dice::of(seed), null_mut());
        let mut exchanges = vec![gateway.exchange()];
        for (target, body) in [("/v1/chat/completions", PIECES[2 + seed as usize % 2]), ("/v1/embeddings", INPUTS)] {
            exchanges.push(gateway.asked(target, body));
        }
        let (mut jobs, mut clock) = (Vec::new(), 0);
        // SAFETY: valid pointers, each freed once.
        unsafe {
            assert_eq!(hoosh_store_new(10, &mut store), OK);
            for _ in 0..120 {
                let which = dice.below(exchanges.len() as u64) as usize;
                let x = exchanges[which].0;
                if dice.below(2) == 0 {
                    let result = anything(&mut dice, x, &mut jobs);
                    assert_ne!(result, hoosh_result::Internal, "seed {seed}");
                    continue;
                }
                clock += if dice.below(40) == 0 { 400_000_000 } else { [0, 1, 1_000, 400_000][dice.below(4) as usize] };
                let mut step = std::mem::MaybeUninit::<hoosh_step>::uninit();
                assert_eq!(hoosh_exchange_next(x, at(clock), step.as_mut_ptr()), OK, "seed {seed}");
                let step = step.assume_init_ref();
                seen[step.kind as usize] += 1;
                match step.kind {
                    hoosh_step_kind::Work => jobs.push(step.job),
                    hoosh_step_kind::Child => exchanges.push(Exchange(step.child)),
                    _ => {}
                }
                let mut chore = std::mem::MaybeUninit::<hoosh_loop_step>::uninit();
                assert_eq!(hoosh_gateway_next(gateway.0, at(clock), chore.as_mut_ptr()), OK, "seed {seed}");
                if dice.below(2) == 0 {
                    assert_ne!(hoosh_store_perform(store, gateway.0, at(clock)), hoosh_result::Internal);
                }
                let (id, status) = (chore.assume_init_ref().id, [0, 200, 500][dice.below(3) as usize]);
                assert_eq!(hoosh_gateway_fetched(gateway.0, id, status, dice.pick(PIECES), at(clock)), OK);
            }
            jobs.into_iter().for_each(|job| hoosh_job_free(job));
            hoosh_store_free(store);
        }
    }
    // None of these callers asks for `100 Continue`, which is kind 0.
    let missing = (1..seen.len()).find(|kind| seen[*kind] == 0);
    assert_eq!(missing, None, "a kind of step never came: the dice say too little ({seen:?})");
}

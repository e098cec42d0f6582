//! Doors for what an engine of the program says. `hoosh_exchange_connected`, `_end` and `_failed` are an engine's
//! too.

use hoosh_core::dialects::neutral::{CallKind, Item};
use hoosh_core::ledger::{Usage, UsageSource};

use super::{door, hoosh_exchange};
use crate::border::{array, hoosh_result, Outcome};
use crate::values::hoosh_bytes;

/// What all deltas have in common.
///
/// # Safety
/// As for [`door`].
unsafe fn delta(exchange: *mut hoosh_exchange, u: u32, item: impl FnOnce() -> Outcome<Item>) -> hoosh_result {
    // SAFETY: the caller's promise.
    unsafe {
        door(exchange, |exchange| {
            exchange.delta(u, item()?);
            Ok(())
        })
    }
}

/// # Exchange: what an engine of this program said
///
/// More text of a choice (from 0), in whole characters.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_text(
    exchange: *mut hoosh_exchange,
    u: u32,
    choice: u32,
    text: hoosh_bytes,
) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe { delta(exchange, u, || Ok(Item::Text { choice, text: text.text()?.to_owned(), logprobs: Vec::new() })) }
}

/// A tool call, or more of its `arguments`, which are JSON text to be joined. `index`: which call of the choice, from
/// 0. `id` and `name` come with the first piece only; later they are empty.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_tool_call(
    exchange: *mut hoosh_exchange,
    u: u32,
    choice: u32,
    index: u32,
    id: hoosh_bytes,
    name: hoosh_bytes,
    arguments: hoosh_bytes,
) -> hoosh_result {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    // SAFETY: the program's promise.
    unsafe {
        delta(exchange, u, || {
            let (id, name, arguments) = (given(id.text()?), given(name.text()?), arguments.text()?.to_owned());
            Ok(Item::ToolCall { choice, index, id, name, arguments, kind: CallKind::Function })
        })
    }
}

/// One input's vector. `index`: which input, from 0.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_embedding(
    exchange: *mut hoosh_exchange,
    u: u32,
    index: u32,
    vector: *const f32,
    length: usize,
) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe { delta(exchange, u, || Ok(Item::Embedding { index, vector: array(vector, length)?.to_vec() })) }
}

/// A choice is complete: `reason` is `stop`, `length`, `tool_calls` or `content_filter`.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_finish(
    exchange: *mut hoosh_exchange,
    u: u32,
    choice: u32,
    reason: hoosh_bytes,
) -> hoosh_result {
    // SAFETY: the program's promise.
    unsafe { delta(exchange, u, || Ok(Item::Finish { choice, reason: reason.text()?.to_owned() })) }
}

/// What the call used; the last one counts. Without any, hoosh counts.
#[no_mangle]
pub unsafe extern "C" fn hoosh_exchange_delta_usage(
    exchange: *mut hoosh_exchange,
    u: u32,
    input_tokens: u64,
    output_tokens: u64,
) -> hoosh_result {
    let usage = Usage { input_tokens, output_tokens, source: UsageSource::Reported, ..Usage::default() };
    // SAFETY: the program's promise.
    unsafe { delta(exchange, u, || Ok(Item::Usage(usage))) }
}

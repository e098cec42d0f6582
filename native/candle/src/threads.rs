//! The threads that compute.
//!
//! Candle multiplies quantized matrices in a pool of its own, one for the whole process, made when it is first used, with
//! as many threads as [`VARIABLE`] says in the environment, or else as there are cores. There is no other way to tell it,
//! and a library must not write the environment while other threads may read it; whoever starts the process sets
//! it, before the first model is loaded, to [`default_count`]. What Candle leaves to rayon (plain matrices, softmax) runs in a
//! pool of this crate's making, which needs no such thing.
//!
//! On Linux a thread's priority is its own and its children inherit it. A model's thread lowers its own before it
//! computes anything, so that all pools made from it are low too.

/// Sets how many threads Candle's pool has.
pub const VARIABLE: &str = "CANDLE_NUM_THREADS";

/// How much nicer than others these threads are: of a core that both want, they get about a tenth (sched(7)).
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// As many threads as leave one core to the gateway.
pub fn default_count() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1))
}

/// Has the calling thread, and those that it starts, go after others. Where that is not possible, all are equal.
#[cfg(target_os = "linux")]
pub(crate) fn lower_priority() {
    // Of process "none", which means the calling thread (setpriority(2), "C library/kernel differences").
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// Has the calling thread, and those that it starts, go after others. Where that is not possible, all are equal.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lower_priority() {}

/// A pool of `count` threads, as low as the calling thread.
pub(crate) fn pool(count: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("hoosh-model-{index}")).build()
}

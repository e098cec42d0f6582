"""How many tokens llama.cpp reads and writes in a second, measured as the example `speed` measures this crate: with one
thread against the time that it had a core, with more against the clock.

    .llamacpp/bin/python tests/llamacpp/measure_decoder.py MODEL THREADS [PROMPT ANSWER]
"""

import sys
import time

import llama_cpp


def add(batch: llama_cpp.llama_batch, token: int, position: int, sequence: int, wanted: bool) -> None:
    index = batch.n_tokens
    batch.token[index] = token
    batch.pos[index] = position
    batch.n_seq_id[index] = 1
    batch.seq_id[index][0] = sequence
    batch.logits[index] = wanted
    batch.n_tokens += 1


def decode(context: llama_cpp.llama_context_p, batch: llama_cpp.llama_batch) -> None:
    if llama_cpp.llama_decode(context, batch) != 0:
        raise RuntimeError("llama.cpp could not go on")
    llama_cpp.llama_get_logits_ith(context, batch.n_tokens - 1)
    batch.n_tokens = 0


def main() -> None:
    path, threads, *sizes = sys.argv[1:]
    prompt, answer = map(int, sizes or ["256", "64"])
    llama_cpp.llama_backend_init()
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, None)
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = 8 * (prompt + answer + 64)
    params.n_seq_max = 8
    params.n_threads = params.n_threads_batch = int(threads)
    context = llama_cpp.llama_init_from_model(model, params)
    now = time.thread_time if threads == "1" else time.perf_counter
    batch = llama_cpp.llama_batch_init(512, 0, 1)

    def read(sequence: int, count: int) -> None:
        for position in range(count):
            add(batch, position * 7 % 256, position, sequence, position == count - 1)
        decode(context, batch)

    read(0, min(80, prompt))
    for sequences in 1, 8:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), True)
        began = now()
        for sequence in range(sequences):
            read(sequence, prompt)
        reading = sequences * prompt / (now() - began)
        began = now()
        for step in range(answer):
            for sequence in range(sequences):
                add(batch, (step + sequence) % 256, prompt + step, sequence, True)
            decode(context, batch)
        writing = sequences * answer / (now() - began)
        print(f"{sequences} sequences: {reading:.1f} tokens/s read, {writing:.1f} tokens/s written", flush=True)


if __name__ == "__main__":
    main()

/*
 * hoosh.h: the core of hoosh for C and C++. Generated from cffi/src; `make header` writes it anew. What is not in this file is not public.
 *
 * Conventions
 *   Results.    Every function that can fail returns enum hoosh_result; outputs come last and are written only on HOOSH_RESULT_OK.
 *   NULL.       A required pointer that is NULL gives HOOSH_RESULT_NULL. `_free(NULL)` does nothing.
 *   Ownership.  What `_new` or `_parse` gave is yours until `_free`. What a step gives is the exchange's, and lies still until
 *               the next call of `hoosh_exchange_next` on the same exchange (a child in a step is yours).
 *   Threads.    A gateway may be used from any thread; an exchange by one thread at a time. A waker may be called from any
 *               thread, must not block and must not call into hoosh.
 *   Text.       UTF-8, pointer and length, not terminated.
 *   Panics      stop at this border: HOOSH_RESULT_INTERNAL.
 *
 * A driver: hoosh_exchange_begin, then hoosh_exchange_next until HOOSH_STEP_KIND_DONE, doing what each step says and telling what
 * happened through the other functions of the exchange. One loop of the process does the same with hoosh_gateway_next.
 */

#ifndef HOOSH_H
#define HOOSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How a call ended.
typedef enum hoosh_result {
  // Done.
  HOOSH_RESULT_OK = 0,
  // A required pointer was NULL.
  HOOSH_RESULT_NULL = 1,
  // An argument makes no sense (text that is not UTF-8, an unknown name or number).
  HOOSH_RESULT_INVALID = 2,
  // The configuration is wrong; the error text says where and how to mend it.
  HOOSH_RESULT_CONFIG = 3,
  // A defect of hoosh, stopped at the border.
  HOOSH_RESULT_INTERNAL = 4,
} hoosh_result;

// Kinds of steps. What each asks is said in `native/core/src/exchange/step.rs` and here at the members of `hoosh_step`.
typedef enum hoosh_step_kind {
  // Send `100 Continue`.
  HOOSH_STEP_KIND_CONTINUE = 0,
  // Hand over at most `credit` more bytes of the caller's body, then `hoosh_exchange_body_end`.
  HOOSH_STEP_KIND_READ_CALLER = 1,
  // Open or reuse a connection and send `request` as attempt `u`.
  HOOSH_STEP_KIND_SEND = 2,
  // Hand over at most `credit` more bytes of answer `u`. Credits add up.
  HOOSH_STEP_KIND_READ = 3,
  // Drop attempt `u` and close its connection.
  HOOSH_STEP_KIND_ABORT = 4,
  // Ask engine `engine` of this process as attempt `u`: `endpoint` and `body`.
  HOOSH_STEP_KIND_CALL = 5,
  // Hand `job` to `hoosh_exchange_work`; it is yours until then.
  HOOSH_STEP_KIND_WORK = 6,
  // Drive `child` too (it is yours), and hand what it replied to `hoosh_exchange_child` as number `u`.
  HOOSH_STEP_KIND_CHILD = 7,
  // Answer whole: `status`, `headers`, `body`.
  HOOSH_STEP_KIND_REPLY = 8,
  // Begin a streamed answer: `status`, `headers`.
  HOOSH_STEP_KIND_START = 9,
  // More of it: `body`.
  HOOSH_STEP_KIND_EMIT = 10,
  // It is complete.
  HOOSH_STEP_KIND_FINISH = 11,
  // Cut the caller's connection.
  HOOSH_STEP_KIND_BREAK = 12,
  // Nothing until something happens, a wake, or `until_us` (if `has_until`).
  HOOSH_STEP_KIND_WAIT = 13,
  // Over. Free it.
  HOOSH_STEP_KIND_DONE = 14,
} hoosh_step_kind;

// Kinds of loop steps.
typedef enum hoosh_loop_kind {
  // Send `request`; answer with `hoosh_gateway_fetched`.
  HOOSH_LOOP_KIND_FETCH = 0,
  // Drop fetch `id`.
  HOOSH_LOOP_KIND_CANCEL = 1,
  // Call `hoosh_store_perform`.
  HOOSH_LOOP_KIND_STORE = 2,
  // Nothing until `until_us` (if `has_until`), a wake, or an answer.
  HOOSH_LOOP_KIND_WAIT = 3,
} hoosh_loop_kind;

// Where an attempt stood when it failed.
typedef enum hoosh_stage {
  // No connection.
  HOOSH_STAGE_CONNECT = 0,
  // TLS.
  HOOSH_STAGE_TLS = 1,
  // While the request was written.
  HOOSH_STAGE_SEND = 2,
  // Before the answer's head.
  HOOSH_STAGE_HEAD = 3,
  // Inside the answer's body.
  HOOSH_STAGE_BODY = 4,
  // The peer broke HTTP.
  HOOSH_STAGE_PROTOCOL = 5,
} hoosh_stage;

// A checked configuration.
typedef struct hoosh_config hoosh_config;

// One caller request, driven by `hoosh_exchange_next`.
typedef struct hoosh_exchange hoosh_exchange;

// What all exchanges of a process share, and its loop.
typedef struct hoosh_gateway hoosh_gateway;

// CPU work for any thread.
typedef struct hoosh_job hoosh_job;

// Reads an event stream that arrives in pieces.
typedef struct hoosh_sse hoosh_sse;

// A store that keeps everything in memory.
typedef struct hoosh_store hoosh_store;

// Text that hoosh made.
typedef struct hoosh_text hoosh_text;

// Called when an exchange or the gateway's loop should look again; from any thread, may be spurious.
typedef void (*hoosh_wake)(void *context);

// Bytes that belong to somebody else.
typedef struct hoosh_bytes {
  // First byte; may be NULL if `len` is 0.
  const uint8_t *ptr;
  // How many.
  size_t len;
} hoosh_bytes;

// A header field. Names are in lower case where hoosh wrote them.
typedef struct hoosh_header {
  // Name.
  struct hoosh_bytes name;
  // Value.
  struct hoosh_bytes value;
} hoosh_header;

// Both clocks, microseconds.
typedef struct hoosh_now {
  // Of a clock that never goes back.
  uint64_t mono_us;
  // Since the Unix epoch.
  int64_t wall_us;
} hoosh_now;

// A request to an upstream. The driver adds `host`, `content-length` and `connection`.
typedef struct hoosh_request {
  // TLS or clear.
  bool tls;
  // Name or address.
  struct hoosh_bytes host;
  // TCP port.
  uint16_t port;
  // Value of the `host` header.
  struct hoosh_bytes authority;
  // `GET` or `POST`.
  struct hoosh_bytes method;
  // Path with query.
  struct hoosh_bytes target;
  // Header fields.
  const struct hoosh_header *headers;
  // How many.
  size_t header_count;
  // Body.
  struct hoosh_bytes body;
} hoosh_request;

// What the driver must do. Members that a kind does not name are zero.
typedef struct hoosh_step {
  // Which.
  enum hoosh_step_kind kind;
  // Attempt, or number of a child.
  uint32_t u;
  // Bytes.
  size_t credit;
  // What to send.
  struct hoosh_request request;
  // HTTP status.
  uint16_t status;
  // Header fields of the answer; framing is yours to add.
  const struct hoosh_header *headers;
  // How many.
  size_t header_count;
  // Bytes of the answer, or for an engine.
  struct hoosh_bytes body;
  // Name of an engine.
  struct hoosh_bytes engine;
  // `chat`, `completions` or `embeddings`.
  struct hoosh_bytes endpoint;
  // A job, yours.
  struct hoosh_job *job;
  // An exchange, yours.
  struct hoosh_exchange *child;
  // Whether there is a time to wait for.
  bool has_until;
  // Microseconds of the monotonic clock.
  uint64_t until_us;
} hoosh_step;

// Looks a variable up for `$NAME` in a configuration: a NUL-terminated value that stays while parsing, or NULL.
typedef const char *(*hoosh_environment)(void *context, const char *name);

// What the gateway's loop must do.
typedef struct hoosh_loop_step {
  // Which.
  enum hoosh_loop_kind kind;
  // Of a fetch.
  uint64_t id;
  // Of a fetch; views until the next step.
  struct hoosh_request request;
  // Whether there is a time to wait for.
  bool has_until;
  // Microseconds of the monotonic clock.
  uint64_t until_us;
} hoosh_loop_step;

// One event of a stream. Views into the parser, until its next call.
typedef struct hoosh_event {
  // `message` by default.
  struct hoosh_bytes event;
  // The data lines, joined by LF.
  struct hoosh_bytes data;
  // The last event id.
  struct hoosh_bytes id;
} hoosh_event;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this interface: changes when a program must be compiled again.
uint32_t hoosh_abi_version(void);

// A new exchange of `gateway`. `call` is called with `context` when it should look again; both must stay until it is
// freed.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_new(const struct hoosh_gateway *gateway,
                                     hoosh_wake call,
                                     void *context,
                                     struct hoosh_exchange **exchange);

// Frees an exchange in whatever state it is; it settles.
//
// # Safety
// It is NULL, or came from this library and is not used again.
void hoosh_exchange_free(struct hoosh_exchange *exchange);

// The caller's request head. `neutral`: a caller of this process, whose stream is one JSON object an event.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_begin(struct hoosh_exchange *exchange,
                                       struct hoosh_bytes method,
                                       struct hoosh_bytes target,
                                       const struct hoosh_header *headers,
                                       size_t header_count,
                                       bool neutral);

// The listener could not read the request, or not all of it: instead of `hoosh_exchange_begin`, or while the body comes.
// `code`: a stable code, such as `malformed_request`. `message`: what is wrong, for the caller.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_refused(struct hoosh_exchange *exchange,
                                         struct hoosh_bytes code,
                                         struct hoosh_bytes message);

// The caller's body is complete, by its own framing.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_body_end(struct hoosh_exchange *exchange);

// A connection stands.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_connected(struct hoosh_exchange *exchange, uint32_t u);

// The request was written whole.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_sent(struct hoosh_exchange *exchange, uint32_t u);

// The answer is complete by its framing.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_end(struct hoosh_exchange *exchange, uint32_t u);

// The caller's transport took `size` more body bytes.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_written(struct hoosh_exchange *exchange, size_t size);

// The caller left.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_caller_gone(struct hoosh_exchange *exchange);

// An engine said what it used.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_delta_usage(struct hoosh_exchange *exchange,
                                             uint32_t u,
                                             uint64_t input_tokens,
                                             uint64_t output_tokens);

// More of the caller's body; copied.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_body(struct hoosh_exchange *exchange, struct hoosh_bytes data);

// The head of answer `u` came.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_head(struct hoosh_exchange *exchange,
                                      uint32_t u,
                                      uint16_t status,
                                      const struct hoosh_header *headers,
                                      size_t header_count);

// More of answer `u`; copied.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_data(struct hoosh_exchange *exchange,
                                      uint32_t u,
                                      struct hoosh_bytes data);

// Attempt `u` failed at `stage` (one of `enum hoosh_stage`). `reused`: on a connection that had served before.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_failed(struct hoosh_exchange *exchange,
                                        uint32_t u,
                                        uint32_t stage,
                                        bool reused);

// An engine said more text of a choice.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_delta_text(struct hoosh_exchange *exchange,
                                            uint32_t u,
                                            uint32_t choice,
                                            struct hoosh_bytes text);

// An engine finished a choice: `stop`, `length`, `tool_calls` or `content_filter`.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_delta_finish(struct hoosh_exchange *exchange,
                                              uint32_t u,
                                              uint32_t choice,
                                              struct hoosh_bytes reason);

// Runs `job` here and now, hands its result to `exchange`, and frees it. It takes milliseconds: a program with threads
// calls this on another one, and leaves the exchange alone until it returns.
//
// # Safety
// Pointers are valid as the header says; the job is not used again.
enum hoosh_result hoosh_exchange_work(struct hoosh_exchange *exchange,
                                      struct hoosh_job *job);

// Child number `c` answered.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_child(struct hoosh_exchange *exchange,
                                       uint32_t c,
                                       uint16_t status,
                                       struct hoosh_bytes body);

// What to do now. Its views lie still until the next call on this exchange.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_exchange_next(struct hoosh_exchange *exchange,
                                      struct hoosh_now now,
                                      struct hoosh_step *step);

// Parses and checks TOML text. On `HOOSH_RESULT_CONFIG`, `*error` (if not NULL) is a text to be freed that says what is
// wrong and where.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_config_parse(struct hoosh_bytes text,
                                     hoosh_environment environment,
                                     void *context,
                                     struct hoosh_config **config,
                                     struct hoosh_text **error);

// The text's bytes, until it is freed.
//
// # Safety
// `text` is NULL or a text of this library.
struct hoosh_bytes hoosh_text_bytes(const struct hoosh_text *text);

// A gateway from a configuration, which stays yours. `seed` should be random: it makes ids differ between processes.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_gateway_new(const struct hoosh_config *config,
                                    uint64_t seed,
                                    struct hoosh_gateway **gateway);

// Who wakes the gateway's loop.
//
// # Safety
// Pointers are valid as the header says; `call` stays callable while the gateway lives.
void hoosh_gateway_set_waker(const struct hoosh_gateway *gateway, hoosh_wake call, void *context);

// What the loop must do now. Its views lie still until the next call.
//
// # Safety
// Pointers are valid as the header says; one thread runs the loop.
enum hoosh_result hoosh_gateway_next(const struct hoosh_gateway *gateway,
                                     struct hoosh_now now,
                                     struct hoosh_loop_step *step);

// A fetch ended: with `status` and `body`, or (status 0) with nothing.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_gateway_fetched(const struct hoosh_gateway *gateway,
                                        uint64_t id,
                                        uint16_t status,
                                        struct hoosh_bytes body,
                                        struct hoosh_now now);

// No new request is admitted; those in progress end.
//
// # Safety
// Pointers are valid as the header says.
void hoosh_gateway_drain(const struct hoosh_gateway *gateway);

// A new configuration for what begins from now on; revoked keys and withdrawn providers act at once.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_gateway_reload(const struct hoosh_gateway *gateway,
                                       const struct hoosh_config *config,
                                       struct hoosh_now now);

// Exchanges that are not freed, and ledger rows that are not stored: both 0 when a process may end.
//
// # Safety
// Pointers are valid as the header says.
size_t hoosh_gateway_open(const struct hoosh_gateway *gateway);

// A store in memory that keeps the newest `max_rows` of the ledger.
struct hoosh_store *hoosh_store_new(size_t max_rows);

// Performs the `HOOSH_LOOP_KIND_STORE` step that the gateway gave last, and tells it.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_store_perform(struct hoosh_store *store,
                                      const struct hoosh_gateway *gateway,
                                      struct hoosh_now now);

// The ledger rows stored since the last call, one JSON object a line. A view until the next call.
//
// # Safety
// Pointers are valid as the header says.
struct hoosh_bytes hoosh_store_rows(struct hoosh_store *store);

// Frees a configuration.
//
// # Safety
// It is NULL, or came from this library and is not used again.
void hoosh_config_free(struct hoosh_config *it);

// Frees a text.
//
// # Safety
// It is NULL, or came from this library and is not used again.
void hoosh_text_free(struct hoosh_text *it);

// Frees a gateway; its exchanges may outlive it.
//
// # Safety
// It is NULL, or came from this library and is not used again.
void hoosh_gateway_free(struct hoosh_gateway *it);

// Frees a store.
//
// # Safety
// It is NULL, or came from this library and is not used again.
void hoosh_store_free(struct hoosh_store *it);

// Counts the tokens of `text` in `encoding` (`cl100k_base` or `o200k_base`), offline. The first use loads a vocabulary
// (about 40 ms).
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_tokens_count(struct hoosh_bytes text,
                                     struct hoosh_bytes encoding,
                                     size_t *count);

// The canonical key of a request body: 64 hexadecimal digits, not terminated. Equal for equal questions, however they
// are spelled. `HOOSH_RESULT_INVALID` if the body is not a JSON object.
//
// # Safety
// `key` has room for 64 bytes.
enum hoosh_result hoosh_cache_key(struct hoosh_bytes body,
                                  struct hoosh_bytes tenant,
                                  uint8_t *key);

// A parser with the usual bounds (8 MiB for a line and for an event).
struct hoosh_sse *hoosh_sse_new(void);

// Takes the next bytes. `HOOSH_RESULT_INVALID` once a bound is broken.
//
// # Safety
// Pointers are valid as the header says.
enum hoosh_result hoosh_sse_feed(struct hoosh_sse *parser, struct hoosh_bytes data);

// The next event that is complete: true and `event` written, or false.
//
// # Safety
// Pointers are valid as the header says.
bool hoosh_sse_next(struct hoosh_sse *parser, struct hoosh_event *event);

// Frees a parser.
//
// # Safety
// It came from `hoosh_sse_new` and is not used again.
void hoosh_sse_free(struct hoosh_sse *parser);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HOOSH_H */

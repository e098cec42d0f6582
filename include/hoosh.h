/*
 * hoosh.h: the core of hoosh for C and C++. Generated from cffi/src; `make header` writes it anew. What is not in this
 * file is not public.
 *
 * hoosh decides; a program, the driver, performs. hoosh itself does no I/O, starts no thread and reads no clock, but for
 * clients.
 * cffi/samples is a whole gateway written so.
 *
 *     hoosh_config_parse, hoosh_gateway_new, hoosh_gateway_set_waker, hoosh_store_new
 *
 *     for each request:               hoosh_exchange_new, hoosh_exchange_begin
 *     while it is not over:           hoosh_exchange_next: do what the step says, and tell what happens by the other
 *                                     functions of the exchange (the doors)
 *     then:                           hoosh_exchange_free
 *
 *     in one loop of the process:     hoosh_gateway_next: the same for what the gateway does on its own account
 *
 *     to end:                         hoosh_gateway_close, and once the loop says HOOSH_LOOP_KIND_OVER the `_free` of
 *                                     everything
 *
 * Where a program only wants answers, hoosh_client_new has threads of this library do all of that: see Client.
 *
 * Conventions
 *
 *   Results.    A function that can fail returns enum hoosh_result. Its outputs come last, need not be initialised,
 *               and are written only on HOOSH_RESULT_OK (hoosh_config_parse has one more). A call that gives another
 *               result did nothing, but for HOOSH_RESULT_INTERNAL. A few functions return what they found instead of a
 *               result, and nothing (0, false, no bytes) if they cannot.
 *   NULL.       A pointer that is needed, also that of bytes or an array whose length is not 0, gives HOOSH_RESULT_NULL
 *               if it is NULL. Contexts may be, and what says so. `_free(NULL)` does nothing.
 *   Ownership.  What `_new` or `_parse` gave is yours until its `_free`, and so are the job and the child in a step.
 *               Nothing else is: what hoosh points to is only lent, for as long as is said where it is.
 *               What you pass is read during the call and copied where it is kept.
 *   Order.      Handles may be freed in any order, except where it is said. After its `_free` a handle is not used.
 *   Text.       UTF-8, pointer and length, not terminated; `char *` alone is.
 *   State.      After hoosh_exchange_begin any door may be used at any time. What comes too late to matter, such as
 *               more of an attempt that was aborted meanwhile, is ignored and HOOSH_RESULT_OK.
 *   Threads.    A gateway and a client may be used by any threads at once, and are made and freed by one. Every other
 *               handle may go from thread to thread, but is used by one at a time. No call blocks for long but
 *               hoosh_job_run, the first hoosh_tokens_count, hoosh_client_new with a file, hoosh_client_end, _free and
 *               hoosh_client_call_wait.
 *   Callbacks.  Yours return: no longjmp, no exception. See hoosh_wake for what a waker may do.
 *   Clocks.     The monotonic clock never goes back from one call about a handle to the next. The other one may.
 *   Panics      stop at this border: HOOSH_RESULT_INTERNAL.
 */

#ifndef HOOSH_H
#define HOOSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The version of this interface that this header describes.
#define HOOSH_ABI_VERSION 1

// How a call ended.
typedef enum hoosh_result {
  // Done.
  HOOSH_RESULT_OK = 0,
  // A pointer that is needed was NULL.
  HOOSH_RESULT_NULL = 1,
  // An argument makes no sense (text that is not UTF-8, an unknown name or number, a length that no memory has),
  // or the call makes none now (a door before `hoosh_exchange_begin`).
  HOOSH_RESULT_INVALID = 2,
  // The configuration is wrong; the error text says where and how to mend it.
  HOOSH_RESULT_CONFIG = 3,
  // A defect of hoosh, stopped at the border. An exchange in which it happened answers this to every further call:
  // cut its caller's connection and free it. Everything else goes on.
  HOOSH_RESULT_INTERNAL = 4,
} hoosh_result;

// Kinds of steps of the gateway's loop.
typedef enum hoosh_loop_kind {
  // Send `request` on the gateway's own account, and report what came of it to `hoosh_gateway_fetched` as number
  // `id`.
  HOOSH_LOOP_KIND_FETCH = 0,
  // Drop fetch `id`; its answer is no longer wanted.
  HOOSH_LOOP_KIND_CANCEL = 1,
  // Call `hoosh_store_perform` before the next `hoosh_gateway_next`.
  HOOSH_LOOP_KIND_STORE = 2,
  // Nothing until `until_us` (if `has_until`), a wake, or the end of a fetch.
  HOOSH_LOOP_KIND_WAIT = 3,
  // Add `lines` to `file`, or to the standard error if it has no bytes, and tell `hoosh_gateway_logged`. However
  // long that takes, nothing else waits for it; no other batch comes before.
  HOOSH_LOOP_KIND_LOG = 4,
  // What `hoosh_gateway_close` began is done: everything is stored, and the process may end.
  HOOSH_LOOP_KIND_OVER = 5,
} hoosh_loop_kind;

// Kinds of steps, with the members of `hoosh_step` that say more.
typedef enum hoosh_step_kind {
  // Send `100 Continue` to the caller.
  HOOSH_STEP_KIND_CONTINUE = 0,
  // Hand over at most `credit` more bytes of the caller's body by `hoosh_exchange_body`, and at its end call
  // `hoosh_exchange_body_end`. Credits add up.
  HOOSH_STEP_KIND_READ_CALLER = 1,
  // Open or reuse a connection and send `request` as attempt `u`. Attempts are numbered from 0 as they are opened.
  // Report `hoosh_exchange_connected`, `_sent` and `_head`; or `_failed`.
  HOOSH_STEP_KIND_SEND = 2,
  // Hand over at most `credit` more bytes of the body of answer `u` by `hoosh_exchange_data`, and at its end call
  // `hoosh_exchange_end`. Credits add up. For an engine it is what its deltas may cost: the bytes of their
  // texts, 4 for a number of a vector, at least 1, and at most 32 KiB each.
  HOOSH_STEP_KIND_READ = 3,
  // Drop attempt `u` now and close its connection, or stop its engine. What is still told about it is ignored.
  HOOSH_STEP_KIND_ABORT = 4,
  // Ask the engine of this program that the configuration calls `engine`, as attempt `u`: `body` is a checked JSON
  // object in the OpenAI form for `endpoint`. Report `hoosh_exchange_connected`, deltas against credit, and
  // `_end`; or `_failed`. One that refuses says so before any delta, as an upstream would: by `hoosh_exchange_head`
  // with a status of 400 or more, `_data` and `_end`.
  HOOSH_STEP_KIND_CALL = 5,
  // Have `job` done by `hoosh_job_run` on any thread, then hand it to `hoosh_exchange_worked`. The job is yours.
  HOOSH_STEP_KIND_WORK = 6,
  // Drive `child`, number `u`, too. It has begun, its body is complete, and its caller is this exchange: hand the
  // status and body that it replies to `hoosh_exchange_child`, and free it. It is yours. It has its parent's
  // waker, which therefore means both, and which is silent once the parent is freed: free children that are left
  // before or with their parent.
  HOOSH_STEP_KIND_CHILD = 7,
  // Answer whole: `status`, `headers`, `body`. No other answer step comes before or after. To `HEAD` say the body's
  // length, leave out its bytes, and count them as written.
  HOOSH_STEP_KIND_REPLY = 8,
  // Begin a streamed answer: `status`, `headers`. Where a `content-length` is among them, frame it by that.
  HOOSH_STEP_KIND_START = 9,
  // More of the streamed answer: `body`, which is never empty.
  HOOSH_STEP_KIND_EMIT = 10,
  // The streamed answer is complete.
  HOOSH_STEP_KIND_FINISH = 11,
  // Cut the caller's connection: the answer cannot be ended in its protocol, or the caller takes none of it.
  HOOSH_STEP_KIND_BREAK = 12,
  // Nothing until a door was used, a wake, or `until_us` (if `has_until`).
  HOOSH_STEP_KIND_WAIT = 13,
  // Over: everything was answered and taken, every attempt ended or aborted. Free it.
  HOOSH_STEP_KIND_DONE = 14,
  // More of the streamed body of request `u`: `body`, which is never empty. Write it behind what was given before, once
  // there is a connection, and report by `hoosh_exchange_took` how much of it the transport took.
  HOOSH_STEP_KIND_SEND_BODY = 15,
  // The streamed body of request `u` is complete: end it as it is framed, then report `hoosh_exchange_sent`. Never
  // end it otherwise, so that a body that was cut off is not taken for a whole one.
  HOOSH_STEP_KIND_END_BODY = 16,
} hoosh_step_kind;

// Kinds of what a call says.
typedef enum hoosh_call_kind {
  // There is nothing now.
  HOOSH_CALL_KIND_WAIT = 0,
  // `status` and `headers`, once, before all else.
  HOOSH_CALL_KIND_HEAD = 1,
  // `bytes`: more of the body. Where the call is `neutral` and a stream, the JSON of one event.
  HOOSH_CALL_KIND_PIECE = 2,
  // The answer was whole: one body, in one piece.
  HOOSH_CALL_KIND_REPLY = 3,
  // The answer was a stream, and is complete.
  HOOSH_CALL_KIND_FINISH = 4,
  // The stream was cut off: it broke in a way that cannot be told, or nobody took it for too long.
  HOOSH_CALL_KIND_CUT = 5,
  // The client ended before the answer did.
  HOOSH_CALL_KIND_GONE = 6,
} hoosh_call_kind;

// Where an attempt stood when it failed. Whether it may be tried again hangs on it.
typedef enum hoosh_stage {
  // No connection: refused, unresolvable, unreachable. Nothing was sent.
  HOOSH_STAGE_CONNECT = 0,
  // The TLS handshake or certificate. Nothing of the request was sent.
  HOOSH_STAGE_TLS = 1,
  // While the request was written.
  HOOSH_STAGE_SEND = 2,
  // After the request was written whole, before the answer's head.
  HOOSH_STAGE_HEAD = 3,
  // Inside the answer's body.
  HOOSH_STAGE_BODY = 4,
  // The peer broke HTTP itself (malformed head or framing).
  HOOSH_STAGE_PROTOCOL = 5,
} hoosh_stage;

// A gateway that is driven in threads of this library. Any thread may use it.
typedef struct hoosh_client hoosh_client;

// A request, being answered. One thread at a time takes its answer; any may cancel it.
typedef struct hoosh_client_call hoosh_client_call;

// A checked configuration.
typedef struct hoosh_config hoosh_config;

// One caller request. One thread at a time.
typedef struct hoosh_exchange hoosh_exchange;

// What all exchanges of a process share, with a loop of its own. Any thread may use it.
typedef struct hoosh_gateway hoosh_gateway;

// CPU work that takes longer than a loop should wait. One thread at a time.
typedef struct hoosh_job hoosh_job;

// Reads an event stream that arrives in pieces, as a browser would. One thread at a time.
typedef struct hoosh_sse hoosh_sse;

// A store in memory. One thread at a time.
typedef struct hoosh_store hoosh_store;

// Text that hoosh made.
typedef struct hoosh_text hoosh_text;

// Bytes that belong to somebody else.
typedef struct hoosh_bytes {
  // First byte; may be NULL if `len` is 0.
  const uint8_t *ptr;
  // How many.
  size_t len;
} hoosh_bytes;

// Looks up a variable for `$NAME` in a configuration. Returns its value, UTF-8 and terminated, which must stay until
// the next call or the end of parsing; NULL if it is not set.
typedef const char *(*hoosh_environment)(void *context, const char *name);

// Called when an exchange, or the gateway's loop, should be asked for its next step again. It may be called from any
// thread, in the middle of any call of this library (also about another exchange, also a `_free`), more often than
// needed, and before the step to wait was taken: so it only notes `context` somewhere and sees to it that the driver
// looks. It must not block and must not call this library; and whoever calls this library must hold no lock that it
// takes. NULL wakes nobody: the driver then asks often enough by itself.
typedef void (*hoosh_wake)(void *context);

// Both clocks, in microseconds.
typedef struct hoosh_now {
  // Of a clock that never goes back, from any origin: deadlines, pauses, latencies.
  uint64_t mono_us;
  // Since the Unix epoch: `Retry-After` dates, the ledger.
  int64_t wall_us;
} hoosh_now;

// A header field. hoosh writes names in lower case, and reads them in any.
typedef struct hoosh_header {
  // Name.
  struct hoosh_bytes name;
  // Value, without white space around it.
  struct hoosh_bytes value;
} hoosh_header;

// A request to an upstream. `host`, `content-length` and `connection` are the driver's to add.
typedef struct hoosh_request {
  // TLS, or clear.
  bool tls;
  // Name or address, without brackets. With `tls` and `port`, whatever has the same three may share a connection.
  struct hoosh_bytes host;
  // TCP port.
  uint16_t port;
  // Value of the `host` header.
  struct hoosh_bytes authority;
  // `GET`, `POST` or `DELETE`.
  struct hoosh_bytes method;
  // Path with query.
  struct hoosh_bytes target;
  // Header fields.
  const struct hoosh_header *headers;
  // How many.
  size_t header_count;
  // Body, where it is not streamed; empty but for `POST`.
  struct hoosh_bytes body;
  // The body follows in steps `SendBody` and `EndBody`.
  bool streamed;
  // Of a streamed body: whether its length is known. Otherwise it is sent in chunks.
  bool has_length;
  // That length, bytes.
  uint64_t length;
} hoosh_request;

// What the driver must do for the gateway. Members that the kind does not name are zero.
typedef struct hoosh_loop_step {
  // Which kind.
  enum hoosh_loop_kind kind;
  // Number of a fetch, or of lines.
  uint64_t id;
  // What to send; lies still until the next `hoosh_gateway_next`.
  struct hoosh_request request;
  // Lines of the log; they lie still until the next `hoosh_gateway_next`.
  struct hoosh_bytes lines;
  // Path of the file that they are added to; as still.
  struct hoosh_bytes file;
  // Whether there is a time to wait for.
  bool has_until;
  // That time, in microseconds of the monotonic clock.
  uint64_t until_us;
} hoosh_loop_step;

// What the driver must do. Members that the kind does not name are zero. All that is pointed to lies still until the
// next `hoosh_exchange_next` on the same exchange, or its end; the doors in between leave it alone.
typedef struct hoosh_step {
  // Which kind.
  enum hoosh_step_kind kind;
  // Number of an attempt, or of a child.
  uint32_t u;
  // Bytes.
  size_t credit;
  // What to send.
  struct hoosh_request request;
  // HTTP status of the answer.
  uint16_t status;
  // Header fields of the answer; framing is the driver's to add.
  const struct hoosh_header *headers;
  // How many.
  size_t header_count;
  // Body of the answer, for an engine, or more of a request's.
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
  // That time, in microseconds of the monotonic clock.
  uint64_t until_us;
} hoosh_step;

// What a call says. Members that the kind does not name are zero. All lies still until the next call about this one.
typedef struct hoosh_call_event {
  // Which kind.
  enum hoosh_call_kind kind;
  // HTTP status.
  uint16_t status;
  // Header fields.
  const struct hoosh_header *headers;
  // How many.
  size_t header_count;
  // A piece of the body.
  struct hoosh_bytes bytes;
} hoosh_call_event;

// One event of a stream.
typedef struct hoosh_event {
  // `message` where the stream names none.
  struct hoosh_bytes event;
  // The data lines, joined by LF.
  struct hoosh_bytes data;
  // The last event id; empty if none was set.
  struct hoosh_bytes id;
} hoosh_event;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The version of this interface that the library has. Where it is not `HOOSH_ABI_VERSION`, the program must be
// compiled again.
uint32_t hoosh_abi_version(void);

// # Configuration
//
// Parses and checks TOML text. `environment` may be NULL if there are no variables; it is called with `context`
// while this call lasts. Keys in files and of commands are refused: nobody here reads them. On `HOOSH_RESULT_CONFIG`, and only then, `*error` is written (where `error` is not NULL): a
// text of yours that says what is wrong and where.
enum hoosh_result hoosh_config_parse(struct hoosh_bytes text,
                                     hoosh_environment environment,
                                     void *context,
                                     struct hoosh_config **config,
                                     struct hoosh_text **error);

// Frees a configuration. The gateways made from it have their own.
void hoosh_config_free(struct hoosh_config *config);

// The text's bytes, until it is freed; none for NULL.
struct hoosh_bytes hoosh_text_bytes(const struct hoosh_text *text);

// Frees a text.
void hoosh_text_free(struct hoosh_text *text);

// # Gateway
//
// A gateway from a configuration. `seed` should be random: it makes the ids of requests differ between processes.
enum hoosh_result hoosh_gateway_new(const struct hoosh_config *config,
                                    uint64_t seed,
                                    struct hoosh_gateway **gateway);

// Frees a gateway. Its waker is not called after that. Its exchanges may outlive it, but there is no loop any more
// that stores what they book: free it once `hoosh_gateway_open` says 0.
void hoosh_gateway_free(struct hoosh_gateway *gateway);

// Who wakes the gateway's loop, in place of whoever did until now, who is not called after that.
enum hoosh_result hoosh_gateway_set_waker(const struct hoosh_gateway *gateway,
                                          hoosh_wake wake,
                                          void *context);

// What the loop must do now. One thread of the process runs the loop: leases, the ledger, probes of benched
// providers and model lists come from it.
enum hoosh_result hoosh_gateway_next(const struct hoosh_gateway *gateway,
                                     struct hoosh_now now,
                                     struct hoosh_loop_step *step);

// Fetch `id` ended: with `answer_status` and the whole `body` (8 MiB of it are enough), or with neither (0 and no
// bytes). One that is not, or no longer, asked for is ignored.
enum hoosh_result hoosh_gateway_fetched(const struct hoosh_gateway *gateway,
                                        uint64_t id,
                                        uint16_t answer_status,
                                        struct hoosh_bytes body,
                                        struct hoosh_now now);

// Lines `id` of the log are written, or not. What is not, or no longer, asked for is ignored.
enum hoosh_result hoosh_gateway_logged(const struct hoosh_gateway *gateway,
                                       uint64_t id,
                                       bool written,
                                       struct hoosh_now now);

// A new configuration for what begins from now on; revoked keys and withdrawn providers act at once.
enum hoosh_result hoosh_gateway_reload(const struct hoosh_gateway *gateway,
                                       const struct hoosh_config *config,
                                       struct hoosh_now now);

// It will go down: `/v1/health/ready` says 503 from now on, and all is served as before.
enum hoosh_result hoosh_gateway_settle(const struct hoosh_gateway *gateway);

// The time of requests in progress is up: at its next look each that has no whole answer yet ends with the error
// `draining`, in a stream as its last event. Call `hoosh_exchange_next` of all of them now.
enum hoosh_result hoosh_gateway_stop(const struct hoosh_gateway *gateway);

// From now on no new request is admitted; those in progress end.
enum hoosh_result hoosh_gateway_drain(const struct hoosh_gateway *gateway);

// Like `hoosh_gateway_drain`, and once no exchange is in progress and every row stored, the store is told that this run is
// over. Then the loop's step is `HOOSH_LOOP_KIND_OVER`, and stays so.
enum hoosh_result hoosh_gateway_close(const struct hoosh_gateway *gateway);

// How many exchanges are not freed, and ledger rows not stored: 0 when a process may end, and for NULL.
size_t hoosh_gateway_open(const struct hoosh_gateway *gateway);

// # Store
//
// A store in memory: what budgets lend ends with the process. Of the ledger rows that were not fetched yet it keeps
// the newest `max_rows`, and as many records of requests that asked no provider.
enum hoosh_result hoosh_store_new(size_t max_rows,
                                  struct hoosh_store **store);

// Frees a store.
void hoosh_store_free(struct hoosh_store *store);

// Performs the `HOOSH_LOOP_KIND_STORE` step that the gateway gave last, and tells it. `HOOSH_RESULT_INVALID` if its
// last step was another, or is done.
enum hoosh_result hoosh_store_perform(struct hoosh_store *store,
                                      const struct hoosh_gateway *gateway,
                                      struct hoosh_now now);

// The ledger rows stored since the last call, one JSON object a line. They lie still until the next call of this;
// none for NULL.
struct hoosh_bytes hoosh_store_rows(struct hoosh_store *store);

// The same of requests that asked no provider: refusals, answers of the cache, model lists. It lies still until the next
// call of this.
struct hoosh_bytes hoosh_store_requests(struct hoosh_store *store);

// # Exchange
//
// A new exchange of `gateway`. `wake` (may be NULL) is called with `context` when it should be asked for its next
// step again, and not after it was freed.
enum hoosh_result hoosh_exchange_new(const struct hoosh_gateway *gateway,
                                     hoosh_wake wake,
                                     void *context,
                                     struct hoosh_exchange **exchange);

// Frees an exchange in whatever state it is: what it reserved is settled, what it held is given up. Its attempts are
// the driver's to close, and its children the driver's to free (see `HOOSH_STEP_KIND_CHILD`).
void hoosh_exchange_free(struct hoosh_exchange *exchange);

// What to do now. Perform it, report what came of it, ask again.
enum hoosh_result hoosh_exchange_next(struct hoosh_exchange *exchange,
                                      struct hoosh_now now,
                                      struct hoosh_step *step);

// # Exchange: what the caller did
//
// The caller's request head came: the method in upper case, the target in origin form (path and query), the fields
// as received. Once, before every other door; what comes before it is `HOOSH_RESULT_INVALID`, and so is a second
// one. `neutral`: the caller is this program and no HTTP connection. It needs no key; of a stream it gets each
// event's JSON as one `HOOSH_STEP_KIND_EMIT`, without framing.
enum hoosh_result hoosh_exchange_begin(struct hoosh_exchange *exchange,
                                       struct hoosh_bytes method,
                                       struct hoosh_bytes target,
                                       const struct hoosh_header *headers,
                                       size_t header_count,
                                       bool neutral);

// The listener cannot read the request: its head (then this comes instead of `hoosh_exchange_begin`), or the rest of
// its body. `code` is one of the stable codes of errors, such as `malformed_request`; `message` tells the caller
// what is wrong. After the answer began it changes nothing.
enum hoosh_result hoosh_exchange_refused(struct hoosh_exchange *exchange,
                                         struct hoosh_bytes code,
                                         struct hoosh_bytes message);

// More of the caller's body, within the credit that `HOOSH_STEP_KIND_READ_CALLER` gave; what comes before any was
// given is lost.
enum hoosh_result hoosh_exchange_body(struct hoosh_exchange *exchange,
                                      struct hoosh_bytes data);

// The caller's body is complete, by its own framing; without a body, at once. Not for one that was cut off: its
// caller is gone.
enum hoosh_result hoosh_exchange_body_end(struct hoosh_exchange *exchange);

// The caller's transport took `size` more of the body bytes that `HOOSH_STEP_KIND_REPLY` and `HOOSH_STEP_KIND_EMIT`
// gave, framing not counted. Upstreams are read as fast as this goes on, and an exchange is not over before all is
// taken.
enum hoosh_result hoosh_exchange_written(struct hoosh_exchange *exchange,
                                         size_t size);

// The caller left; nothing more can be written to it.
enum hoosh_result hoosh_exchange_caller_gone(struct hoosh_exchange *exchange);

// # Exchange: what an attempt did
//
// A connection stands, new or used before; or the engine began.
enum hoosh_result hoosh_exchange_connected(struct hoosh_exchange *exchange, uint32_t u);

// The transport took `bytes` more of the streamed body of request `u`.
enum hoosh_result hoosh_exchange_took(struct hoosh_exchange *exchange, uint32_t u, size_t bytes);

// The request was written whole; a streamed body with its end.
enum hoosh_result hoosh_exchange_sent(struct hoosh_exchange *exchange, uint32_t u);

// The answer's head came. Informational heads (1xx) are not reported.
enum hoosh_result hoosh_exchange_head(struct hoosh_exchange *exchange,
                                      uint32_t u,
                                      uint16_t answer_status,
                                      const struct hoosh_header *headers,
                                      size_t header_count);

// More of the answer's body, within the credit given, without framing.
enum hoosh_result hoosh_exchange_data(struct hoosh_exchange *exchange,
                                      uint32_t u,
                                      struct hoosh_bytes data);

// The answer is complete by its framing; or the engine is done.
enum hoosh_result hoosh_exchange_end(struct hoosh_exchange *exchange, uint32_t u);

// The attempt failed at `stage`, one of `enum hoosh_stage`. `reused`: on a connection that had served before. The
// connection is the driver's to close.
enum hoosh_result hoosh_exchange_failed(struct hoosh_exchange *exchange,
                                        uint32_t u,
                                        uint32_t stage,
                                        bool reused);

// # Exchange: what an engine of this program said
//
// More text of a choice (from 0), in whole characters.
enum hoosh_result hoosh_exchange_delta_text(struct hoosh_exchange *exchange,
                                            uint32_t u,
                                            uint32_t choice,
                                            struct hoosh_bytes text);

// A tool call, or more of its `arguments`, which are JSON text to be joined. `index`: which call of the choice, from
// 0. `id` and `name` come with the first piece only; later they are empty.
enum hoosh_result hoosh_exchange_delta_tool_call(struct hoosh_exchange *exchange,
                                                 uint32_t u,
                                                 uint32_t choice,
                                                 uint32_t index,
                                                 struct hoosh_bytes id,
                                                 struct hoosh_bytes name,
                                                 struct hoosh_bytes arguments);

// One input's vector. `index`: which input, from 0.
enum hoosh_result hoosh_exchange_delta_embedding(struct hoosh_exchange *exchange,
                                                 uint32_t u,
                                                 uint32_t index,
                                                 const float *vector,
                                                 size_t length);

// A choice is complete: `reason` is `stop`, `length`, `tool_calls` or `content_filter`.
enum hoosh_result hoosh_exchange_delta_finish(struct hoosh_exchange *exchange,
                                              uint32_t u,
                                              uint32_t choice,
                                              struct hoosh_bytes reason);

// What the call used; the last one counts. Without any, hoosh counts.
enum hoosh_result hoosh_exchange_delta_usage(struct hoosh_exchange *exchange,
                                             uint32_t u,
                                             uint64_t input_tokens,
                                             uint64_t output_tokens);

// # Exchange: jobs and children
//
// Does the job, here and now, without its exchange: on any thread, while the exchange goes on. Once.
enum hoosh_result hoosh_job_run(struct hoosh_job *job);

// Frees a job that is not wanted any more, done or not.
void hoosh_job_free(struct hoosh_job *job);

// Hands a job's result to the exchange that gave the job. On `HOOSH_RESULT_OK` the job is freed; otherwise it stays
// yours. `HOOSH_RESULT_INVALID` if `hoosh_job_run` did not do it.
enum hoosh_result hoosh_exchange_worked(struct hoosh_exchange *exchange,
                                        struct hoosh_job *job);

// Child number `c` answered `answer_status` and `body`.
enum hoosh_result hoosh_exchange_child(struct hoosh_exchange *exchange,
                                       uint32_t c,
                                       uint16_t answer_status,
                                       struct hoosh_bytes body);

// # Client
//
// Where a program only wants answers, a client drives the exchanges: upstreams, timers, the gateway's loop and its store are
// minded in threads of this library, which is the one exception to what is said at the head of this file.
//
// Makes a client of `gateway`, whose loop it runs from now on (never call `hoosh_gateway_next` of it, nor
// `hoosh_gateway_set_waker`), and which it outlives if need be. `config` is the one that the gateway was made from. `store` is
// the path of a file for budgets and the ledger, or no bytes: they are kept in memory. `now` is what your clocks say, by which
// you tell `gateway` the time elsewhere. On `HOOSH_RESULT_CONFIG`, and only then, `*error` is written (where `error` is not
// NULL): why the store is not to be had. `HOOSH_RESULT_INTERNAL` where the system gives no thread.
enum hoosh_result hoosh_client_new(const struct hoosh_gateway *gateway,
                                   const struct hoosh_config *config,
                                   struct hoosh_bytes store,
                                   struct hoosh_now now,
                                   struct hoosh_client **client,
                                   struct hoosh_text **error);

// Ends a client: calls in progress end as `HOOSH_CALL_KIND_GONE`, no call begins any more, and this waits for at most
// `milliseconds` until everything is stored. Returns whether it is. Not while another thread is in this or in
// `hoosh_client_free`.
bool hoosh_client_end(const struct hoosh_client *client,
                      uint32_t milliseconds);

// Frees a client, after `hoosh_client_end` with 2 seconds if that was not called. Its calls may be freed before or after.
void hoosh_client_free(struct hoosh_client *client);

// Asks: `method` in upper case, `target` a path with its query. `neutral`: the caller is this program, so that no key is asked
// for, and a stream comes event by event without framing; otherwise headers and answers are those of a caller over HTTP. All
// that is passed is copied. `wake` is called, as everywhere, when there may be something to take; NULL where
// `hoosh_client_call_wait` is used. `HOOSH_RESULT_INVALID` too where the client has ended.
enum hoosh_result hoosh_client_call_new(const struct hoosh_client *client,
                                        struct hoosh_bytes method,
                                        struct hoosh_bytes target,
                                        const struct hoosh_header *headers,
                                        size_t header_count,
                                        struct hoosh_bytes body,
                                        bool neutral,
                                        hoosh_wake wake,
                                        void *context,
                                        struct hoosh_client_call **call);

// What the call says next. Ask again until it says `HOOSH_CALL_KIND_WAIT`, then wait for a wake, or in
// `hoosh_client_call_wait`; an end it says again and again. Who takes nothing stops the call's upstream, and no other's.
enum hoosh_result hoosh_client_call_next(const struct hoosh_client_call *call,
                                         struct hoosh_call_event *event);

// Blocks until there may be something to take, for `milliseconds` at most; whether there may be.
bool hoosh_client_call_wait(const struct hoosh_client_call *call, uint32_t milliseconds);

// Nothing more is wanted: the upstream's work ends. What the call says after that is of no use. From any thread, until the
// call is freed.
enum hoosh_result hoosh_client_call_cancel(const struct hoosh_client_call *call);

// Frees a call, which cancels it if it is not over. Its waker is not called after that.
void hoosh_client_call_free(struct hoosh_client_call *call);

// # Kernels
//
// Counts the tokens of `text` in `encoding` (`cl100k_base` or `o200k_base`), offline. The first use of an encoding
// loads its vocabulary (about 40 ms).
enum hoosh_result hoosh_tokens_count(struct hoosh_bytes text,
                                     struct hoosh_bytes encoding,
                                     size_t *count);

// The canonical key of a request body for `tenant`, whose answers are kept apart from everybody else's: 64
// hexadecimal digits to `key`, which has room for them; no terminator. Equal for equal questions, however they are
// spelled. `HOOSH_RESULT_INVALID` if the body is not a JSON object.
enum hoosh_result hoosh_cache_key(struct hoosh_bytes body,
                                  struct hoosh_bytes tenant,
                                  uint8_t *key);

// A parser with the usual bounds (8 MiB for a line and for an event).
enum hoosh_result hoosh_sse_new(struct hoosh_sse **parser);

// Frees a parser.
void hoosh_sse_free(struct hoosh_sse *parser);

// Takes the next bytes of the stream. The events that they complete are kept until `hoosh_sse_next` gives them.
// `HOOSH_RESULT_INVALID` once a bound is broken; where events came before the fault, at the next call.
enum hoosh_result hoosh_sse_feed(struct hoosh_sse *parser,
                                 struct hoosh_bytes data);

// The next event that is complete: true and `event` written, which lies still until the next call of this; or false,
// also for NULL.
bool hoosh_sse_next(struct hoosh_sse *parser,
                    struct hoosh_event *event);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HOOSH_H */

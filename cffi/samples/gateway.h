/* The sample's parts: who is connected, what each exchange is doing, and the functions that one file calls in another. */
#ifndef SAMPLE_GATEWAY_H
#define SAMPLE_GATEWAY_H

#include <signal.h>
#include <stdio.h>

#include "http.h"

#define MAX_ATTEMPTS 4 /* open at once in one exchange */
#define MAX_FETCHES 16 /* of the gateway's own, open at once */
#define MAX_CALLERS 400 /* each may have an upstream, and a process has 1,024 files as a rule */

/* One upstream attempt, or a fetch of the gateway's own. */
struct attempt {
    bool open, connected, sent, headed, reused, keep;
    bool streamed, chunked, complete; /* the body follows in pieces; in chunks; all of it is in `out` */
    size_t untold; /* body bytes put into `out` and not yet told to be taken */
    int fd;
    struct run *run; /* NULL for a fetch */
    uint64_t number; /* in its exchange, or of the fetch */
    char origin[300];
    struct addrinfo *addresses, *next_address;
    struct buffer out, in, collected;
    struct body body;
    unsigned status;
    size_t credit;
};

/* One exchange: a caller's request, or a child of one. */
struct run {
    struct hoosh_exchange *exchange;
    struct attempt attempts[MAX_ATTEMPTS];
    struct caller *caller; /* NULL for a child */
    struct run *parent, *next;
    uint32_t number; /* of a child */
    bool due, over, has_until;
    uint64_t until_us;
    size_t credit; /* for the caller's body */
    unsigned status;
    struct buffer answer; /* of a child */
};

/* One connection of a caller. */
struct caller {
    int fd;
    struct buffer in, out;
    size_t owed; /* body bytes put into `out` and not yet told to be written */
    struct body body;
    struct run *run;
    bool head_only, keep_alive, closing, lingering, gone, by_length; /* by_length: its answer is framed so */
    struct caller *next;
};

extern struct hoosh_gateway *gateway;
extern struct hoosh_store *store;
extern struct run *runs;
extern struct caller *callers;
extern struct attempt fetches[MAX_FETCHES];
extern bool loop_due, loop_has_until, loop_over;
extern uint64_t loop_until_us;
extern volatile sig_atomic_t stopping;
extern FILE *rows; /* gets the ledger; may be NULL */

struct hoosh_now now(void);

/* upstream.c: attempts and their connections. */
void attempt_begin(struct attempt *a, struct run *run, uint64_t number, const struct hoosh_request *request);
void attempt_turn(struct attempt *a, bool readable, bool writable);
void attempt_body(struct attempt *a, struct hoosh_bytes part);
void attempt_body_end(struct attempt *a);
void attempt_credit(struct attempt *a, size_t credit);
void attempt_close(struct attempt *a, bool keep);

/* caller.c: callers and their connections. */
void caller_accept(int listener);
void caller_begin(struct caller *c);
void caller_deliver(struct caller *c);
void caller_read(struct caller *c);
void caller_write(struct caller *c);
void caller_answer(struct caller *c, const struct hoosh_step *step);
void caller_over(struct caller *c);

/* driver.c: what the steps say, done. */
struct run *run_new(struct caller *c, struct hoosh_exchange *exchange);
void run_steps(struct run *run);
void loop_steps(void);
void log_begin(const struct hoosh_loop_step *step);
void wake_loop(void *context);

#endif

/* The sample's parts: who is connected, what each exchange is doing, and the functions that one file calls in another. */
#ifndef SAMPLE_GATEWAY_H
#define SAMPLE_GATEWAY_H

#include <stdio.h>

#include "http.h"

#define MAX_ATTEMPTS 16 /* of one exchange */

/* One upstream attempt, or a fetch of the gateway's own. */
struct attempt {
    bool open, connected, sent, headed, reused, keep;
    int fd;
    uint64_t fetch; /* its id, if it is one */
    char origin[300];
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
    struct body body;
    struct run *run;
    bool keep_alive, closing, gone;
    struct caller *next;
};

extern struct hoosh_gateway *gateway;
extern struct hoosh_store *store;
extern struct run *runs;
extern struct caller *callers;
extern struct attempt fetches[MAX_ATTEMPTS];
extern bool loop_due, loop_has_until, stopping;
extern uint64_t loop_until_us;
extern FILE *rows; /* gets the ledger; may be NULL */

struct hoosh_now now(void);

/* upstream.c: one attempt's connection. `run` is NULL for a fetch of the gateway's own. */
void attempt_begin(struct attempt *a, const struct hoosh_request *request);
void attempt_write(struct run *run, struct attempt *a);
void attempt_read(struct run *run, struct attempt *a);
void attempt_deliver(struct run *run, struct attempt *a);
void attempt_failed(struct run *run, struct attempt *a, enum hoosh_stage stage);
void attempt_close(struct attempt *a, bool keep);

/* caller.c: one caller's connection. */
void caller_accept(int listener);
void caller_begin(struct caller *c);
void caller_deliver(struct caller *c);
void caller_read(struct caller *c);
void caller_write(struct caller *c);
void caller_head(struct caller *c, unsigned status, const struct hoosh_header *headers, size_t count);

/* driver.c: what the steps say, done. */
struct run *run_new(struct caller *c, struct hoosh_exchange *exchange);
void run_steps(struct run *run);
void loop_steps(void);
void wake_loop(void *context);

#endif

/* The driver: asks every exchange, and the gateway's loop, for its next step and does what it says. It decides nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway.h"

/* All of hoosh runs on this one thread, so a wake only has to set a flag: poll() is entered after they were looked at. */
static void wake_run(void *context) { ((struct run *)context)->due = true; }
void wake_loop(void *context) { (void)context; loop_due = true; }

struct run *run_new(struct caller *c, struct hoosh_exchange *exchange) {
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) abort();
    run->caller = c;
    run->due = true;
    run->exchange = exchange;
    if (exchange == NULL && hoosh_exchange_new(gateway, wake_run, run, &run->exchange) != HOOSH_RESULT_OK) abort();
    run->next = runs;
    return runs = run;
}

/* What a child answers is kept for its parent. */
static void child_answer(struct run *run, const struct hoosh_step *step) {
    if (step->kind == HOOSH_STEP_KIND_REPLY || step->kind == HOOSH_STEP_KIND_START) run->status = step->status;
    buffer_add(&run->answer, step->body.ptr, step->body.len);
    hoosh_exchange_written(run->exchange, step->body.len);
}

static void child_over(struct run *run) {
    struct hoosh_bytes body = {(const uint8_t *)buffer_data(&run->answer), buffer_left(&run->answer)};
    hoosh_exchange_child(run->parent->exchange, run->number, (uint16_t)run->status, body);
    run->parent->due = true;
}

static void run_over(struct run *run) {
    run->over = true;
    for (size_t n = 0; n < MAX_ATTEMPTS; n++) attempt_close(&run->attempts[n], false);
    for (struct run *child = runs; child != NULL; child = child->next)
        if (child->parent == run) {
            child->parent = NULL;
            if (!child->over) run_over(child);
        }
    if (run->caller != NULL) caller_over(run->caller);
    else if (run->parent != NULL) child_over(run);
}

/* A defect, for which there is no answer: a caller is cut off, a parent told. */
static void run_broken(struct run *run) {
    if (run->caller != NULL) run->caller->gone = true;
    run->status = 500;
    run_over(run);
}

static struct attempt *attempt_of(struct run *run, uint32_t u) {
    for (size_t n = 0; n < MAX_ATTEMPTS; n++)
        if (run->attempts[n].open && run->attempts[n].number == u) return &run->attempts[n];
    return NULL;
}

static struct attempt *attempt_free(struct attempt *all, size_t count) {
    for (size_t n = 0; n < count; n++)
        if (!all[n].open) return &all[n];
    return NULL;
}

/* False if the exchange broke. */
static bool perform(struct run *run, const struct hoosh_step *step) {
    struct attempt *a = attempt_of(run, step->u);
    switch (step->kind) {
    case HOOSH_STEP_KIND_READ_CALLER:
        run->credit += step->credit;
        if (run->caller != NULL) caller_deliver(run->caller);
        return true;
    case HOOSH_STEP_KIND_SEND:
        a = attempt_free(run->attempts, MAX_ATTEMPTS);
        if (a != NULL) attempt_begin(a, run, step->u, &step->request);
        else hoosh_exchange_failed(run->exchange, step->u, HOOSH_STAGE_CONNECT, false);
        return true;
    case HOOSH_STEP_KIND_SEND_BODY:
        if (a != NULL) attempt_body(a, step->body);
        return true;
    case HOOSH_STEP_KIND_END_BODY:
        if (a != NULL) attempt_body_end(a);
        return true;
    case HOOSH_STEP_KIND_READ:
        if (a != NULL) attempt_credit(a, step->credit);
        return true;
    case HOOSH_STEP_KIND_ABORT:
        if (a != NULL) attempt_close(a, false);
        return true;
    case HOOSH_STEP_KIND_CALL: /* this program has no engines */
        hoosh_exchange_failed(run->exchange, step->u, HOOSH_STAGE_CONNECT, false);
        return true;
    case HOOSH_STEP_KIND_WORK: /* a program with more than one thread has another one run it */
        if (hoosh_job_run(step->job) == HOOSH_RESULT_OK &&
            hoosh_exchange_worked(run->exchange, step->job) == HOOSH_RESULT_OK)
            return true;
        hoosh_job_free(step->job);
        return false;
    case HOOSH_STEP_KIND_CHILD: {
        struct run *child = run_new(NULL, step->child);
        child->parent = run;
        child->number = step->u;
        return true;
    }
    default:
        if (run->caller != NULL) caller_answer(run->caller, step);
        else child_answer(run, step);
        return true;
    }
}

void run_steps(struct run *run) {
    struct hoosh_step step;
    run->due = run->has_until = false;
    /* A child shares its parent's waker. */
    for (struct run *child = runs; child != NULL; child = child->next) child->due |= child->parent == run;
    for (;;) {
        if (hoosh_exchange_next(run->exchange, now(), &step) != HOOSH_RESULT_OK) {
            run_broken(run);
            return;
        }
        if (step.kind == HOOSH_STEP_KIND_WAIT) {
            run->has_until = step.has_until;
            run->until_us = step.until_us;
            return;
        }
        if (step.kind == HOOSH_STEP_KIND_DONE) {
            run_over(run);
            return;
        }
        if (!perform(run, &step)) {
            run_broken(run);
            return;
        }
    }
}

static void loop_perform(const struct hoosh_loop_step *step) {
    struct attempt *fetch = attempt_free(fetches, MAX_FETCHES);
    switch (step->kind) {
    case HOOSH_LOOP_KIND_STORE: {
        hoosh_store_perform(store, gateway, now());
        struct hoosh_bytes lines = hoosh_store_rows(store);
        if (rows != NULL && lines.len > 0 && fwrite(lines.ptr, 1, lines.len, rows) == lines.len) fflush(rows);
        break;
    }
    case HOOSH_LOOP_KIND_FETCH: /* where there is no room, its deadline gives it up */
        if (fetch != NULL) attempt_begin(fetch, NULL, step->id, &step->request);
        break;
    case HOOSH_LOOP_KIND_LOG:
        log_begin(step);
        break;
    default: /* HOOSH_LOOP_KIND_CANCEL */
        for (size_t n = 0; n < MAX_FETCHES; n++)
            if (fetches[n].open && fetches[n].number == step->id) attempt_close(&fetches[n], false);
    }
}

void loop_steps(void) {
    struct hoosh_loop_step step;
    loop_due = false;
    while (hoosh_gateway_next(gateway, now(), &step) == HOOSH_RESULT_OK) {
        if (step.kind == HOOSH_LOOP_KIND_WAIT) {
            loop_has_until = step.has_until;
            loop_until_us = step.until_us;
            return;
        }
        if (step.kind == HOOSH_LOOP_KIND_OVER) {
            loop_over = true;
            loop_has_until = false;
            return;
        }
        loop_perform(&step);
    }
}

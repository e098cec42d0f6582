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

static void answer(struct run *run, const struct hoosh_step *step) {
    struct caller *c = run->caller;
    if (c == NULL) { /* a child's answer goes to its parent */
        run->status = step->status;
        buffer_add(&run->answer, step->body.ptr, step->body.len);
        hoosh_exchange_written(run->exchange, step->body.len);
        return;
    }
    switch (step->kind) {
    case HOOSH_STEP_KIND_CONTINUE:
        buffer_print(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        break;
    case HOOSH_STEP_KIND_REPLY:
        caller_head(c, step->status, step->headers, step->header_count);
        buffer_print(&c->out, "content-length: %zu\r\n\r\n", step->body.len);
        buffer_add(&c->out, step->body.ptr, step->body.len);
        break;
    case HOOSH_STEP_KIND_START:
        caller_head(c, step->status, step->headers, step->header_count);
        buffer_print(&c->out, "transfer-encoding: chunked\r\n\r\n");
        break;
    case HOOSH_STEP_KIND_EMIT:
        buffer_print(&c->out, "%zx\r\n", step->body.len);
        buffer_add(&c->out, step->body.ptr, step->body.len);
        buffer_add(&c->out, "\r\n", 2);
        break;
    case HOOSH_STEP_KIND_FINISH:
        buffer_print(&c->out, "0\r\n\r\n");
        break;
    default: /* HOOSH_STEP_KIND_BREAK */
        c->gone = true;
    }
    if (!c->gone) caller_write(c);
}

static void run_over(struct run *run) {
    run->over = true;
    for (size_t n = 0; n < MAX_ATTEMPTS; n++) attempt_close(&run->attempts[n], false);
    for (struct run *child = runs; child != NULL; child = child->next)
        if (child->parent == run) {
            child->parent = NULL;
            run_over(child);
        }
    if (run->caller != NULL) {
        run->caller->run = NULL;
        run->caller->closing |= !run->caller->keep_alive || stopping;
        caller_begin(run->caller);
    } else if (run->parent != NULL) {
        struct hoosh_bytes body = {(const uint8_t *)buffer_data(&run->answer), buffer_left(&run->answer)};
        hoosh_exchange_child(run->parent->exchange, run->number, (uint16_t)run->status, body);
        run->parent->due = true;
    }
}

static void perform(struct run *run, const struct hoosh_step *step) {
    struct attempt *a = step->u < MAX_ATTEMPTS ? &run->attempts[step->u] : NULL;
    switch (step->kind) {
    case HOOSH_STEP_KIND_READ_CALLER:
        run->credit += step->credit;
        if (run->caller != NULL) caller_deliver(run->caller);
        break;
    case HOOSH_STEP_KIND_SEND:
        if (a == NULL) {
            hoosh_exchange_failed(run->exchange, step->u, HOOSH_STAGE_CONNECT, false);
            break;
        }
        attempt_begin(a, &step->request);
        if (a->fd < 0) attempt_failed(run, a, step->request.tls ? HOOSH_STAGE_TLS : HOOSH_STAGE_CONNECT);
        break;
    case HOOSH_STEP_KIND_READ:
        if (a != NULL && a->open) {
            a->credit += step->credit;
            attempt_deliver(run, a);
        }
        break;
    case HOOSH_STEP_KIND_ABORT:
        if (a != NULL) attempt_close(a, false);
        break;
    case HOOSH_STEP_KIND_CALL: /* this program has no engines */
        hoosh_exchange_failed(run->exchange, step->u, HOOSH_STAGE_CONNECT, false);
        break;
    case HOOSH_STEP_KIND_WORK:
        hoosh_job_run(step->job);
        hoosh_exchange_worked(run->exchange, step->job);
        break;
    case HOOSH_STEP_KIND_CHILD: {
        struct run *child = run_new(NULL, step->child);
        child->parent = run;
        child->number = step->u;
        break;
    }
    default:
        answer(run, step);
    }
}

void run_steps(struct run *run) {
    struct hoosh_step step;
    run->due = run->has_until = false;
    /* A child shares its parent's waker. */
    for (struct run *child = runs; child != NULL; child = child->next) child->due |= child->parent == run;
    while (!run->over && hoosh_exchange_next(run->exchange, now(), &step) == HOOSH_RESULT_OK) {
        if (step.kind == HOOSH_STEP_KIND_WAIT) {
            run->has_until = step.has_until;
            run->until_us = step.until_us;
            return;
        }
        if (step.kind == HOOSH_STEP_KIND_DONE) break;
        perform(run, &step);
    }
    if (!run->over) run_over(run);
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
        if (step.kind == HOOSH_LOOP_KIND_STORE) {
            hoosh_store_perform(store, gateway, now());
            struct hoosh_bytes lines = hoosh_store_rows(store);
            if (rows != NULL && lines.len > 0 && fwrite(lines.ptr, 1, lines.len, rows) == lines.len) fflush(rows);
            continue;
        }
        size_t n = 0;
        if (step.kind == HOOSH_LOOP_KIND_CANCEL) {
            for (; n < MAX_ATTEMPTS; n++)
                if (fetches[n].open && fetches[n].fetch == step.id) attempt_close(&fetches[n], false);
            continue;
        }
        while (n < MAX_ATTEMPTS && fetches[n].open) n++;
        if (n < MAX_ATTEMPTS) {
            attempt_begin(&fetches[n], &step.request);
            fetches[n].fetch = step.id;
            if (fetches[n].fd < 0) attempt_failed(NULL, &fetches[n], HOOSH_STAGE_CONNECT);
        } /* else it is given up by its deadline */
    }
}

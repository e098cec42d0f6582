/*
 * A gateway in C99: plain sockets, poll(), and hoosh. It drives exchanges and decides nothing: every step says what to do,
 * every door says what happened. Clear HTTP/1.1 on both sides; names are resolved while everything waits, as a sample may.
 *
 *     gateway CONFIG_FILE PORT [ROWS_FILE]     PORT 0 lets the system choose; ROWS_FILE gets the ledger, one JSON a line
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define MAX_ATTEMPTS 16 /* of one exchange */
#define MAX_IDLE 64     /* upstream connections kept */

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

static struct hoosh_gateway *gateway;
static struct hoosh_store *store;
static struct run *runs;
static struct caller *callers;
static struct { int fd; char origin[300]; } idle[MAX_IDLE];
static size_t idle_count;
static struct attempt fetches[MAX_ATTEMPTS];
static bool loop_due = true, stopping;
static FILE *rows;

static struct hoosh_now now(void) {
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    struct hoosh_now both = {(uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
                             (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000};
    return both;
}

/* All of hoosh runs on this one thread, so a wake only has to set a flag: poll() is entered after they were looked at. */
static void wake_run(void *context) { ((struct run *)context)->due = true; }
static void wake_loop(void *context) { (void)context; loop_due = true; }
static void on_signal(int number) { (void)number; stopping = true; }

static struct hoosh_bytes text(const char *s) {
    struct hoosh_bytes bytes = {(const uint8_t *)s, strlen(s)};
    return bytes;
}

/* ---- upstream ------------------------------------------------------------------------------------------------- */

static void attempt_close(struct attempt *a, bool keep) {
    if (!a->open) return;
    if (keep && idle_count < MAX_IDLE && buffer_left(&a->in) == 0) {
        idle[idle_count].fd = a->fd;
        strcpy(idle[idle_count++].origin, a->origin);
    } else if (a->fd >= 0) {
        close(a->fd);
    }
    buffer_free(&a->out);
    buffer_free(&a->in);
    buffer_free(&a->collected);
    memset(a, 0, sizeof *a);
}

static int dial(const char *host, unsigned port) {
    char service[8];
    struct addrinfo hints = {0}, *found = NULL;
    hints.ai_socktype = SOCK_STREAM;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) return -1;
    int fd = socket(found->ai_family, SOCK_STREAM, 0), on = 1;
    if (fd >= 0) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static void attempt_begin(struct attempt *a, const struct hoosh_request *request) {
    char host[256];
    memset(a, 0, sizeof *a);
    a->open = true;
    a->fd = -1;
    snprintf(host, sizeof host, "%.*s", (int)request->host.len, (const char *)request->host.ptr);
    snprintf(a->origin, sizeof a->origin, "%s:%u", host, request->port);
    for (size_t n = idle_count; n-- > 0 && a->fd < 0;)
        if (strcmp(idle[n].origin, a->origin) == 0) {
            a->fd = idle[n].fd;
            a->reused = a->connected = true;
            idle[n] = idle[--idle_count];
        }
    if (a->fd < 0 && !request->tls) a->fd = dial(host, request->port);
    struct buffer *out = &a->out;
    buffer_add(out, request->method.ptr, request->method.len);
    buffer_add(out, " ", 1);
    buffer_add(out, request->target.ptr, request->target.len);
    buffer_add(out, " HTTP/1.1\r\nhost: ", 17);
    buffer_add(out, request->authority.ptr, request->authority.len);
    buffer_print(out, "\r\ncontent-length: %zu\r\n", request->body.len);
    for (size_t n = 0; n < request->header_count; n++) {
        buffer_add(out, request->headers[n].name.ptr, request->headers[n].name.len);
        buffer_add(out, ": ", 2);
        buffer_add(out, request->headers[n].value.ptr, request->headers[n].value.len);
        buffer_add(out, "\r\n", 2);
    }
    buffer_add(out, "\r\n", 2);
    buffer_add(out, request->body.ptr, request->body.len);
}

static void attempt_failed(struct run *run, struct attempt *a, enum hoosh_stage stage) {
    bool reused = a->reused && !a->headed;
    if (run != NULL) {
        hoosh_exchange_failed(run->exchange, (uint32_t)(a - run->attempts), stage, reused);
        run->due = true;
    } else {
        struct hoosh_bytes none = {NULL, 0};
        hoosh_gateway_fetched(gateway, a->fetch, 0, none, now());
        loop_due = true;
    }
    attempt_close(a, false);
}

static void attempt_ended(struct run *run, struct attempt *a) {
    if (run != NULL) {
        hoosh_exchange_end(run->exchange, (uint32_t)(a - run->attempts));
        run->due = true;
    } else {
        struct hoosh_bytes body = {(const uint8_t *)buffer_data(&a->collected), buffer_left(&a->collected)};
        hoosh_gateway_fetched(gateway, a->fetch, (uint16_t)a->status, body, now());
        loop_due = true;
    }
    attempt_close(a, a->keep && a->body.framing != BODY_TO_END);
}

static void attempt_write(struct run *run, struct attempt *a) {
    if (!a->connected) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            attempt_failed(run, a, HOOSH_STAGE_CONNECT);
            return;
        }
        a->connected = true;
    }
    if (run != NULL && !a->sent && a->out.at == 0) hoosh_exchange_connected(run->exchange, (uint32_t)(a - run->attempts));
    while (buffer_left(&a->out) > 0) {
        ssize_t written = send(a->fd, buffer_data(&a->out), buffer_left(&a->out), MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (written < 0) {
            attempt_failed(run, a, HOOSH_STAGE_SEND);
            return;
        }
        buffer_use(&a->out, (size_t)written);
    }
    a->sent = true;
    if (run != NULL) {
        hoosh_exchange_sent(run->exchange, (uint32_t)(a - run->attempts));
        run->due = true;
    }
}

/* Hands over what came, as far as the credit goes. */
static void attempt_deliver(struct run *run, struct attempt *a) {
    if (!a->headed) {
        struct head head;
        size_t length = head_parse(&head, buffer_data(&a->in), buffer_left(&a->in), false);
        if (length == 0) return;
        if (length == (size_t)-1 || !body_begin(&a->body, &head, false)) {
            attempt_failed(run, a, HOOSH_STAGE_PROTOCOL);
            return;
        }
        a->status = head.status;
        a->keep = head.keep_alive;
        if (head.status >= 200) {
            a->headed = true;
            if (run != NULL)
                hoosh_exchange_head(run->exchange, (uint32_t)(a - run->attempts), (uint16_t)head.status, head.headers, head.count);
        }
        buffer_use(&a->in, length);
        if (!a->headed) return;
        if (run != NULL) run->due = true;
        else a->credit = 8 << 20;
    }
    for (;;) {
        struct hoosh_bytes part;
        if (!body_take(&a->body, &a->in, a->credit, &part)) {
            attempt_failed(run, a, HOOSH_STAGE_PROTOCOL);
            return;
        }
        if (part.len == 0) break;
        a->credit -= part.len;
        if (run != NULL) {
            hoosh_exchange_data(run->exchange, (uint32_t)(a - run->attempts), part);
            run->due = true;
        } else {
            buffer_add(&a->collected, part.ptr, part.len);
        }
    }
    if (a->body.ended) attempt_ended(run, a);
}

static void attempt_read(struct run *run, struct attempt *a) {
    char piece[16384];
    ssize_t length = recv(a->fd, piece, sizeof piece, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length > 0) {
        buffer_add(&a->in, piece, (size_t)length);
        attempt_deliver(run, a);
    } else if (a->headed && a->body.framing == BODY_TO_END && length == 0) {
        attempt_ended(run, a);
    } else {
        attempt_failed(run, a, a->headed ? HOOSH_STAGE_BODY : a->sent ? HOOSH_STAGE_HEAD : HOOSH_STAGE_SEND);
    }
}

/* ---- caller --------------------------------------------------------------------------------------------------- */

static void write_head(struct caller *c, unsigned status, const struct hoosh_header *headers, size_t count) {
    buffer_print(&c->out, "HTTP/1.1 %u \r\n", status);
    for (size_t n = 0; n < count; n++) {
        buffer_add(&c->out, headers[n].name.ptr, headers[n].name.len);
        buffer_add(&c->out, ": ", 2);
        buffer_add(&c->out, headers[n].value.ptr, headers[n].value.len);
        buffer_add(&c->out, "\r\n", 2);
    }
    /* A body that was not read to its end would be taken for the next request. */
    if (!c->body.ended) c->keep_alive = false;
    if (!c->keep_alive) buffer_print(&c->out, "connection: close\r\n");
}

static void caller_deliver(struct caller *c) {
    struct run *run = c->run;
    struct hoosh_bytes part;
    while (run != NULL && run->credit > 0 && !c->body.ended) {
        if (!body_take(&c->body, &c->in, run->credit, &part)) {
            c->gone = true;
            hoosh_exchange_caller_gone(run->exchange);
            run->due = true;
            return;
        }
        if (part.len == 0 && !c->body.ended) return;
        if (part.len > 0) hoosh_exchange_body(run->exchange, part);
        run->credit -= part.len;
        run->due = true;
        if (c->body.ended) hoosh_exchange_body_end(run->exchange);
    }
}

static struct run *run_new(struct caller *c, struct hoosh_exchange *exchange) {
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) abort();
    run->caller = c;
    run->due = true;
    run->exchange = exchange;
    if (exchange == NULL && hoosh_exchange_new(gateway, wake_run, run, &run->exchange) != HOOSH_RESULT_OK) abort();
    run->next = runs;
    return runs = run;
}

static void refuse(struct caller *c) {
    struct hoosh_text *body = NULL;
    hoosh_error_body(text("malformed_request"), text("The request is not HTTP as everybody reads it."), &body);
    struct hoosh_bytes bytes = hoosh_text_bytes(body);
    buffer_print(&c->out, "HTTP/1.1 400 \r\ncontent-type: application/json\r\ncontent-length: %zu\r\nconnection: close\r\n\r\n", bytes.len);
    buffer_add(&c->out, bytes.ptr, bytes.len);
    hoosh_text_free(body);
    c->closing = true;
}

/* Begins the next request of a connection, if it is there whole and the last one is over. */
static void caller_begin(struct caller *c) {
    struct head head;
    if (c->run != NULL || c->closing || buffer_left(&c->in) == 0) return;
    size_t length = head_parse(&head, buffer_data(&c->in), buffer_left(&c->in), true);
    if (length == 0) return;
    if (length == (size_t)-1 || !body_begin(&c->body, &head, true)) {
        refuse(c);
        return;
    }
    c->keep_alive = head.keep_alive;
    c->run = run_new(c, NULL);
    hoosh_exchange_begin(c->run->exchange, head.method, head.target, head.headers, head.count, false);
    buffer_use(&c->in, length);
    if (c->body.ended) hoosh_exchange_body_end(c->run->exchange);
}

static void caller_lost(struct caller *c) {
    c->gone = true;
    if (c->run != NULL) {
        hoosh_exchange_caller_gone(c->run->exchange);
        c->run->due = true;
    }
}

static void caller_read(struct caller *c) {
    char piece[16384];
    ssize_t length = recv(c->fd, piece, sizeof piece, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) {
        caller_lost(c);
        return;
    }
    buffer_add(&c->in, piece, (size_t)length);
    caller_begin(c);
    caller_deliver(c);
}

static void caller_write(struct caller *c) {
    size_t before = buffer_left(&c->out);
    while (buffer_left(&c->out) > 0) {
        ssize_t written = send(c->fd, buffer_data(&c->out), buffer_left(&c->out), MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (written < 0) {
            caller_lost(c);
            return;
        }
        buffer_use(&c->out, (size_t)written);
    }
    /* Framing is counted too; the exchange takes no more than it gave. */
    if (c->run != NULL && before > buffer_left(&c->out)) {
        hoosh_exchange_written(c->run->exchange, before - buffer_left(&c->out));
        c->run->due = true;
    }
}

/* ---- the driver ------------------------------------------------------------------------------------------------ */

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
        write_head(c, step->status, step->headers, step->header_count);
        buffer_print(&c->out, "content-length: %zu\r\n\r\n", step->body.len);
        buffer_add(&c->out, step->body.ptr, step->body.len);
        break;
    case HOOSH_STEP_KIND_START:
        write_head(c, step->status, step->headers, step->header_count);
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
        hoosh_exchange_work(run->exchange, step->job);
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

static void run_steps(struct run *run) {
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

static bool loop_has_until;
static uint64_t loop_until_us;

static void loop_steps(void) {
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

/* ---- poll ------------------------------------------------------------------------------------------------------ */

struct watched { struct caller *caller; struct run *run; struct attempt *attempt; };

static void watch(struct pollfd *fds, struct watched *who, size_t *count, int fd, short events, struct watched w) {
    fds[*count].fd = fd;
    fds[*count].events = events;
    fds[*count].revents = 0;
    who[(*count)++] = w;
}

static void watch_attempts(struct pollfd *fds, struct watched *who, size_t *count, struct run *run, struct attempt *all) {
    for (size_t n = 0; n < MAX_ATTEMPTS; n++) {
        struct attempt *a = &all[n];
        if (!a->open) continue;
        /* Without credit nothing is read, so that the upstream feels it. */
        bool hungry = a->sent && (!a->headed || buffer_left(&a->in) == 0) && (!a->headed || a->credit > 0);
        short events = (short)((a->sent ? 0 : POLLOUT) | (hungry ? POLLIN : 0));
        if (events != 0) watch(fds, who, count, a->fd, events, (struct watched){NULL, run, a});
    }
}

static int patience(void) {
    struct hoosh_now at = now();
    bool some = loop_has_until;
    uint64_t until = loop_until_us;
    for (struct run *run = runs; run != NULL; run = run->next)
        if (run->has_until && (!some || run->until_us < until)) {
            some = true;
            until = run->until_us;
        }
    if (!some) return 1000;
    if (until <= at.mono_us) return 0;
    uint64_t ms = (until - at.mono_us + 999) / 1000;
    return ms > 1000 ? 1000 : (int)ms;
}

static void accept_callers(int listener) {
    int fd, on = 1;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct caller *c = calloc(1, sizeof *c);
        if (c == NULL) abort();
        fcntl(fd, F_SETFL, O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        c->fd = fd;
        c->body.ended = true;
        c->next = callers;
        callers = c;
    }
}

static void sweep(void) {
    for (struct run **at = &runs; *at != NULL;) {
        struct run *run = *at;
        if (!run->over) {
            at = &run->next;
            continue;
        }
        *at = run->next;
        hoosh_exchange_free(run->exchange);
        buffer_free(&run->answer);
        free(run);
    }
    for (struct caller **at = &callers; *at != NULL;) {
        struct caller *c = *at;
        bool done = c->run == NULL && (c->gone || (c->closing && buffer_left(&c->out) == 0));
        if (!done) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        close(c->fd);
        buffer_free(&c->in);
        buffer_free(&c->out);
        free(c);
    }
}

static bool any_due(void) {
    bool due = loop_due;
    for (struct run *run = runs; run != NULL; run = run->next) due |= run->due && !run->over;
    return due;
}

static void look(void) {
    uint64_t at = now().mono_us;
    if (loop_due || (loop_has_until && loop_until_us <= at)) loop_steps();
    for (struct run *run = runs; run != NULL; run = run->next)
        if (!run->over && (run->due || (run->has_until && run->until_us <= at))) run_steps(run);
}

static void turn(int listener) {
    size_t most = 1, count = 0;
    for (struct caller *c = callers; c != NULL; c = c->next) most++;
    for (struct run *run = runs; run != NULL; run = run->next) most += MAX_ATTEMPTS;
    struct pollfd *fds = calloc(most + MAX_ATTEMPTS, sizeof *fds);
    struct watched *who = calloc(most + MAX_ATTEMPTS, sizeof *who);
    if (fds == NULL || who == NULL) abort();
    if (!stopping) watch(fds, who, &count, listener, POLLIN, (struct watched){NULL, NULL, NULL});
    for (struct caller *c = callers; c != NULL; c = c->next) {
        /* Ahead of its request's credit a caller may send 64 KiB and no more. */
        short events = (short)((buffer_left(&c->in) < 65536 ? POLLIN : 0) | (buffer_left(&c->out) > 0 ? POLLOUT : 0));
        if (!c->gone) watch(fds, who, &count, c->fd, events, (struct watched){c, NULL, NULL});
    }
    for (struct run *run = runs; run != NULL; run = run->next) watch_attempts(fds, who, &count, run, run->attempts);
    watch_attempts(fds, who, &count, NULL, fetches);
    poll(fds, (nfds_t)count, any_due() ? 0 : patience());
    for (size_t n = 0; n < count; n++) {
        struct watched w = who[n];
        if (fds[n].revents == 0) continue;
        if (w.caller != NULL) {
            if (fds[n].revents & POLLOUT) caller_write(w.caller);
            if (!w.caller->gone && (fds[n].revents & ~POLLOUT)) caller_read(w.caller);
        } else if (w.attempt != NULL) {
            if (!w.attempt->open || w.attempt->fd != fds[n].fd) continue;
            if (!w.attempt->sent) attempt_write(w.run, w.attempt);
            else attempt_read(w.run, w.attempt);
        } else {
            accept_callers(listener);
        }
    }
    free(fds);
    free(who);
}

static const char *environment(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

static struct hoosh_config *configuration(const char *path) {
    struct buffer file = {0};
    char piece[4096];
    size_t length;
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        perror(path);
        exit(1);
    }
    while ((length = fread(piece, 1, sizeof piece, in)) > 0) buffer_add(&file, piece, length);
    fclose(in);
    struct hoosh_bytes toml = {(const uint8_t *)file.data, file.length};
    struct hoosh_config *config = NULL;
    struct hoosh_text *error = NULL;
    if (hoosh_config_parse(toml, environment, NULL, &config, &error) != HOOSH_RESULT_OK) {
        struct hoosh_bytes words = hoosh_text_bytes(error);
        fprintf(stderr, "%s: %.*s\n", path, (int)words.len, (const char *)words.ptr);
        exit(1);
    }
    buffer_free(&file);
    return config;
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: gateway CONFIG_FILE PORT [ROWS_FILE]\n");
        return 2;
    }
    struct hoosh_config *config = configuration(arguments[1]);
    uint64_t seed = (uint64_t)getpid() ^ now().mono_us << 16;
    if (hoosh_gateway_new(config, seed, &gateway) != HOOSH_RESULT_OK) return 1;
    hoosh_config_free(config);
    hoosh_gateway_set_waker(gateway, wake_loop, NULL);
    store = hoosh_store_new(10000);
    if (count > 3) rows = fopen(arguments[3], "a");
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)atoi(arguments[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 512) != 0) {
        perror("listen");
        return 1;
    }
    fcntl(listener, F_SETFL, O_NONBLOCK);
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);

    while (!stopping || hoosh_gateway_open(gateway) > 0) {
        if (stopping) hoosh_gateway_drain(gateway);
        look();
        sweep();
        if (!stopping || hoosh_gateway_open(gateway) > 0) turn(listener);
    }
    close(listener);
    hoosh_store_free(store);
    hoosh_gateway_free(gateway);
    if (rows != NULL) fclose(rows);
    return 0;
}

/* The caller's side: requests begun, bodies handed over as far as the exchange asks, answers written. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway.h"

static struct hoosh_bytes text(const char *s) {
    struct hoosh_bytes bytes = {(const uint8_t *)s, strlen(s)};
    return bytes;
}

/* What cannot be read is answered, and nothing after it is. */
static void refuse(struct caller *c, struct run *run) {
    hoosh_exchange_refused(run->exchange, text("malformed_request"), text("The request is not HTTP as everybody reads it."));
    c->body.ended = true;
    c->keep_alive = false;
    run->due = true;
}

void caller_deliver(struct caller *c) {
    struct run *run = c->run;
    struct hoosh_bytes part;
    while (run != NULL && run->credit > 0 && !c->body.ended) {
        if (!body_take(&c->body, &c->in, run->credit, &part)) {
            refuse(c, run);
            return;
        }
        if (part.len == 0 && !c->body.ended) return;
        if (part.len > 0) hoosh_exchange_body(run->exchange, part);
        run->credit -= part.len;
        run->due = true;
        if (c->body.ended) hoosh_exchange_body_end(run->exchange);
    }
}

/* Begins the next request of a connection, if its head is there and the last one is over. */
void caller_begin(struct caller *c) {
    struct head head;
    if (c->run != NULL || c->closing || c->gone || buffer_left(&c->in) == 0) return;
    size_t length = head_parse(&head, buffer_data(&c->in), buffer_left(&c->in), true);
    if (length == 0) return;
    struct run *run = c->run = run_new(c, NULL);
    c->head_only = false;
    if (length == NO_HEAD || !body_begin(&c->body, &head, true) ||
        hoosh_exchange_begin(run->exchange, head.method, head.target, head.headers, head.count, false) != HOOSH_RESULT_OK) {
        refuse(c, run);
        return;
    }
    c->keep_alive = head.keep_alive;
    c->head_only = bytes_are(head.method, "HEAD");
    buffer_use(&c->in, length);
    if (c->body.ended) hoosh_exchange_body_end(run->exchange);
}

static void caller_lost(struct caller *c) {
    c->gone = true;
    if (c->run == NULL) return;
    hoosh_exchange_caller_gone(c->run->exchange);
    c->run->due = true;
}

void caller_read(struct caller *c) {
    char piece[16384];
    ssize_t length = recv(c->fd, piece, sizeof piece, 0);
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (length <= 0) {
        caller_lost(c);
        return;
    }
    if (c->lingering) return;
    buffer_add(&c->in, piece, (size_t)length);
    caller_begin(c);
    caller_deliver(c);
}

void caller_write(struct caller *c) {
    while (buffer_left(&c->out) > 0) {
        ssize_t written = send(c->fd, buffer_data(&c->out), buffer_left(&c->out), MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) break;
        if (written < 0) {
            caller_lost(c);
            return;
        }
        buffer_use(&c->out, (size_t)written);
    }
    /* Framing stands between body bytes: all that is left may be body, so that too little is told, but never too much. */
    size_t left = buffer_left(&c->out);
    if (c->run == NULL || c->owed <= left) return;
    hoosh_exchange_written(c->run->exchange, c->owed - left);
    c->owed = left;
    c->run->due = true;
}

static void put_head(struct caller *c, const struct hoosh_step *step) {
    struct hoosh_bytes rest;
    buffer_print(&c->out, "HTTP/1.1 %u \r\n", step->status);
    head_write(&c->out, step->headers, step->header_count);
    /* A request that is not wanted to its end would be taken for the next one. What is here of it is thrown away. */
    while (!c->body.ended && body_take(&c->body, &c->in, SIZE_MAX, &rest) && rest.len > 0) {}
    if (!c->body.ended) c->keep_alive = false;
    if (!c->keep_alive) buffer_print(&c->out, "connection: close\r\n");
}

static bool has_length(const struct hoosh_step *step) {
    for (size_t n = 0; n < step->header_count; n++)
        if (bytes_are(step->headers[n].name, "content-length")) return true;
    return false;
}

static void put_body(struct caller *c, struct hoosh_bytes body) {
    buffer_add(&c->out, body.ptr, body.len);
    c->owed += body.len;
}

void caller_answer(struct caller *c, const struct hoosh_step *step) {
    struct hoosh_bytes none = {NULL, 0}, body = step->body;
    if (c->head_only) { /* HEAD is answered as GET is, but for the body */
        hoosh_exchange_written(c->run->exchange, body.len);
        if (step->kind == HOOSH_STEP_KIND_EMIT || step->kind == HOOSH_STEP_KIND_FINISH) return;
        body = none;
    }
    switch (step->kind) {
    case HOOSH_STEP_KIND_CONTINUE:
        buffer_print(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        break;
    case HOOSH_STEP_KIND_REPLY:
        put_head(c, step);
        buffer_print(&c->out, "content-length: %zu\r\n\r\n", step->body.len);
        put_body(c, body);
        break;
    case HOOSH_STEP_KIND_START:
        put_head(c, step);
        c->by_length = has_length(step);
        buffer_print(&c->out, c->by_length ? "\r\n" : "transfer-encoding: chunked\r\n\r\n");
        break;
    case HOOSH_STEP_KIND_EMIT:
        if (!c->by_length) buffer_print(&c->out, "%zx\r\n", step->body.len);
        put_body(c, body);
        if (!c->by_length) buffer_print(&c->out, "\r\n");
        break;
    case HOOSH_STEP_KIND_FINISH:
        if (!c->by_length) buffer_print(&c->out, "0\r\n\r\n");
        break;
    default: /* HOOSH_STEP_KIND_BREAK */
        c->gone = true;
    }
    if (!c->gone) caller_write(c);
}

/* The exchange is over: what comes next on the connection? */
void caller_over(struct caller *c) {
    c->run = NULL;
    c->owed = 0;
    c->closing |= !c->keep_alive || stopping;
    caller_begin(c);
}

void caller_accept(int listener) {
    int fd = accept(listener, NULL, NULL), on = 1;
    if (fd < 0) return;
    struct caller *c = calloc(1, sizeof *c);
    if (c == NULL) abort();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->fd = fd;
    c->body.ended = true;
    c->next = callers;
    callers = c;
}

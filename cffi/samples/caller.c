/* The caller's side: requests begun, bodies handed over as far as the exchange asks, answers written. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway.h"

static struct hoosh_bytes text(const char *s) {
    struct hoosh_bytes bytes = {(const uint8_t *)s, strlen(s)};
    return bytes;
}

void caller_head(struct caller *c, unsigned status, const struct hoosh_header *headers, size_t count) {
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

/* Begins the next request of a connection, if it is there whole and the last one is over. */
void caller_begin(struct caller *c) {
    struct head head;
    if (c->run != NULL || c->closing || buffer_left(&c->in) == 0) return;
    size_t length = head_parse(&head, buffer_data(&c->in), buffer_left(&c->in), true);
    if (length == 0) return;
    if (length == (size_t)-1 || !body_begin(&c->body, &head, true)) {
        c->run = run_new(c, NULL);
        refuse(c, c->run);
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

void caller_read(struct caller *c) {
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

void caller_write(struct caller *c) {
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

void caller_accept(int listener) {
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

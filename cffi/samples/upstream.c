/* The upstream's side: connections, requests written, answers handed to the exchange as far as its credit goes. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway.h"

#define MAX_IDLE 64 /* connections kept for the next request to the same origin */

static struct { int fd; char origin[300]; } idle[MAX_IDLE];
static size_t idle_count;

void attempt_close(struct attempt *a, bool keep) {
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

void attempt_begin(struct attempt *a, const struct hoosh_request *request) {
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

void attempt_failed(struct run *run, struct attempt *a, enum hoosh_stage stage) {
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

void attempt_write(struct run *run, struct attempt *a) {
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
void attempt_deliver(struct run *run, struct attempt *a) {
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

void attempt_read(struct run *run, struct attempt *a) {
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

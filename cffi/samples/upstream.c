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

#define MAX_IDLE 64               /* connections kept for the next request to the same origin */
#define FETCH_CREDIT (8u << 20) /* of an answer to the gateway's own question */

static struct { int fd; char origin[sizeof ((struct attempt *)0)->origin]; } idle[MAX_IDLE];
static size_t idle_count;

/* A connection that is free, or -1. One that has something to say without being asked would say it to the wrong request. */
static int idle_take(const char *origin) {
    for (size_t n = idle_count; n-- > 0;) {
        if (strcmp(idle[n].origin, origin) != 0) continue;
        char byte;
        int fd = idle[n].fd;
        idle[n] = idle[--idle_count];
        if (recv(fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return fd;
        close(fd);
    }
    return -1;
}

/* One connection to `origin` was closed by its peer, so the others are no better: most were idle for longer. */
static void idle_forget(const char *origin) {
    for (size_t n = idle_count; n-- > 0;) {
        if (strcmp(idle[n].origin, origin) != 0) continue;
        close(idle[n].fd);
        idle[n] = idle[--idle_count];
    }
}

void attempt_close(struct attempt *a, bool keep) {
    if (!a->open) return;
    if (keep && idle_count < MAX_IDLE && buffer_left(&a->in) == 0) {
        idle[idle_count].fd = a->fd;
        strcpy(idle[idle_count++].origin, a->origin);
    } else if (a->fd >= 0) {
        close(a->fd);
    }
    if (a->addresses != NULL) freeaddrinfo(a->addresses);
    buffer_free(&a->out);
    buffer_free(&a->in);
    buffer_free(&a->collected);
    memset(a, 0, sizeof *a);
}

static void attempt_failed(struct attempt *a, enum hoosh_stage stage) {
    if (a->reused && (stage == HOOSH_STAGE_SEND || stage == HOOSH_STAGE_HEAD)) idle_forget(a->origin);
    if (a->run != NULL) {
        hoosh_exchange_failed(a->run->exchange, (uint32_t)a->number, stage, a->reused);
        a->run->due = true;
    } else {
        struct hoosh_bytes none = {NULL, 0};
        hoosh_gateway_fetched(gateway, a->number, 0, none, now());
        loop_due = true;
    }
    attempt_close(a, false);
}

static void attempt_ended(struct attempt *a) {
    if (a->run != NULL) {
        hoosh_exchange_end(a->run->exchange, (uint32_t)a->number);
        a->run->due = true;
    } else {
        struct hoosh_bytes body = {(const uint8_t *)buffer_data(&a->collected), buffer_left(&a->collected)};
        hoosh_gateway_fetched(gateway, a->number, (uint16_t)a->status, body, now());
        loop_due = true;
    }
    attempt_close(a, a->keep && a->sent && a->body.framing != BODY_TO_END);
}

/* Begins to connect to the next of the host's addresses. */
static bool dial(struct attempt *a) {
    while (a->next_address != NULL) {
        const struct addrinfo *to = a->next_address;
        int on = 1;
        a->next_address = to->ai_next;
        a->fd = socket(to->ai_family, SOCK_STREAM, 0);
        if (a->fd < 0) continue;
        fcntl(a->fd, F_SETFL, O_NONBLOCK);
        setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(a->fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS || errno == EINTR) return true;
        close(a->fd);
        a->fd = -1;
    }
    return false;
}

static bool resolve(struct attempt *a, const char *host, unsigned port) {
    char service[8];
    struct addrinfo hints = {0};
    hints.ai_socktype = SOCK_STREAM;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &a->addresses) != 0) return false;
    a->next_address = a->addresses;
    return true;
}

static void write_request(struct buffer *out, const struct hoosh_request *request) {
    buffer_add(out, request->method.ptr, request->method.len);
    buffer_add(out, " ", 1);
    buffer_add(out, request->target.ptr, request->target.len);
    buffer_print(out, " HTTP/1.1\r\nhost: ");
    buffer_add(out, request->authority.ptr, request->authority.len);
    if (!request->streamed) buffer_print(out, "\r\ncontent-length: %zu\r\n", request->body.len);
    else if (request->has_length) buffer_print(out, "\r\ncontent-length: %llu\r\n", (unsigned long long)request->length);
    else buffer_print(out, "\r\ntransfer-encoding: chunked\r\n");
    head_write(out, request->headers, request->header_count);
    buffer_add(out, "\r\n", 2);
    buffer_add(out, request->body.ptr, request->body.len);
}

static void attempt_connected(struct attempt *a) {
    a->connected = true;
    if (a->run == NULL) return;
    hoosh_exchange_connected(a->run->exchange, (uint32_t)a->number);
    a->run->due = true;
}

void attempt_begin(struct attempt *a, struct run *run, uint64_t number, const struct hoosh_request *request) {
    char host[256]; /* a name has 253 characters at most */
    memset(a, 0, sizeof *a);
    a->open = true;
    a->fd = -1;
    a->run = run;
    a->number = number;
    if (run == NULL) a->credit = FETCH_CREDIT;
    if (request->tls) {
        attempt_failed(a, HOOSH_STAGE_TLS);
        return;
    }
    int length = snprintf(host, sizeof host, "%.*s", (int)request->host.len, (const char *)request->host.ptr);
    snprintf(a->origin, sizeof a->origin, "%s:%u", host, request->port);
    write_request(&a->out, request);
    a->streamed = request->streamed;
    a->chunked = request->streamed && !request->has_length;
    a->complete = !request->streamed;
    if (length >= (int)sizeof host) {
        attempt_failed(a, HOOSH_STAGE_CONNECT);
    } else if ((a->fd = idle_take(a->origin)) >= 0) {
        a->reused = true;
        attempt_connected(a);
    } else if (!resolve(a, host, request->port) || !dial(a)) {
        attempt_failed(a, HOOSH_STAGE_CONNECT);
    }
}

static void attempt_write(struct attempt *a) {
    if (!a->connected) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) {
            close(a->fd);
            a->fd = -1;
            if (!dial(a)) attempt_failed(a, HOOSH_STAGE_CONNECT);
            return;
        }
        attempt_connected(a);
    }
    while (buffer_left(&a->out) > 0) {
        ssize_t written = send(a->fd, buffer_data(&a->out), buffer_left(&a->out), MSG_NOSIGNAL);
        if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
        if (written < 0) {
            attempt_failed(a, HOOSH_STAGE_SEND);
            return;
        }
        buffer_use(&a->out, (size_t)written);
    }
    if (a->untold > 0) {
        /* Told when all is out, which is soon: `out` holds no more than the exchange gave. */
        hoosh_exchange_took(a->run->exchange, (uint32_t)a->number, a->untold);
        a->untold = 0;
        a->run->due = true;
    }
    if (!a->complete) return;
    a->sent = true;
    if (a->run == NULL) return;
    hoosh_exchange_sent(a->run->exchange, (uint32_t)a->number);
    a->run->due = true;
}

/* Takes the head, if it came, and what is said before it (1xx). False if there is none yet, or none any more. */
static bool attempt_head(struct attempt *a) {
    while (!a->headed) {
        struct head head;
        size_t length = head_parse(&head, buffer_data(&a->in), buffer_left(&a->in), false);
        if (length == 0) return false;
        /* 101 switches to a protocol that nobody asked for. */
        if (length == NO_HEAD || head.status == 101 || !body_begin(&a->body, &head, false)) {
            attempt_failed(a, HOOSH_STAGE_PROTOCOL);
            return false;
        }
        if (head.status >= 200) {
            a->headed = true;
            a->status = head.status;
            a->keep = head.keep_alive;
            if (a->run != NULL) {
                hoosh_exchange_head(a->run->exchange, (uint32_t)a->number, (uint16_t)head.status, head.headers, head.count);
                a->run->due = true;
            }
        }
        buffer_use(&a->in, length);
    }
    return true;
}

/* Hands over what came, as far as the credit goes. */
static void attempt_deliver(struct attempt *a) {
    struct hoosh_bytes part;
    if (!attempt_head(a)) return;
    do {
        if (!body_take(&a->body, &a->in, a->credit, &part)) {
            attempt_failed(a, HOOSH_STAGE_PROTOCOL);
            return;
        }
        a->credit -= part.len;
        if (a->run == NULL) {
            buffer_add(&a->collected, part.ptr, part.len);
        } else if (part.len > 0) {
            hoosh_exchange_data(a->run->exchange, (uint32_t)a->number, part);
            a->run->due = true;
        }
    } while (part.len > 0);
    if (a->body.ended) attempt_ended(a);
}

void attempt_body(struct attempt *a, struct hoosh_bytes part) {
    if (a->chunked) buffer_print(&a->out, "%zx\r\n", part.len);
    buffer_add(&a->out, part.ptr, part.len);
    if (a->chunked) buffer_print(&a->out, "\r\n");
    a->untold += part.len;
}

/* The only way in which a body ends: an attempt that is closed before leaves it cut off. */
void attempt_body_end(struct attempt *a) {
    if (a->chunked) buffer_print(&a->out, "0\r\n\r\n");
    a->complete = true;
}

void attempt_credit(struct attempt *a, size_t credit) {
    a->credit += credit;
    attempt_deliver(a);
}

static void attempt_read(struct attempt *a) {
    char piece[16384];
    ssize_t length = recv(a->fd, piece, sizeof piece, 0);
    if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    if (length > 0) {
        buffer_add(&a->in, piece, (size_t)length);
        attempt_deliver(a);
    } else if (length == 0 && a->headed && a->body.framing == BODY_TO_END) {
        attempt_ended(a);
    } else {
        attempt_failed(a, a->headed ? HOOSH_STAGE_BODY : a->sent ? HOOSH_STAGE_HEAD : HOOSH_STAGE_SEND);
    }
}

void attempt_turn(struct attempt *a, bool readable, bool writable) {
    /* First the answer: an upstream may give one before the request is written whole, and close. */
    if (a->connected && readable) attempt_read(a);
    if (a->open && !a->sent && writable) attempt_write(a);
}

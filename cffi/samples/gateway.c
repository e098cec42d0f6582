/*
 * A gateway in C99: plain sockets, poll(), and hoosh. It drives exchanges and decides nothing: every step says what to do,
 * every door says what happened. Clear HTTP/1.1 on both sides; names are resolved while everything waits, as a sample may.
 *
 *     gateway CONFIG_FILE PORT [ROWS_FILE]     PORT 0 lets the system choose; ROWS_FILE gets the ledger, one JSON a line
 *
 * main and the poll loop are here; upstream.c and caller.c hold the two sides' sockets, driver.c does the steps, http.c
 * reads HTTP.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"

struct hoosh_gateway *gateway;
struct hoosh_store *store;
struct run *runs;
struct caller *callers;
struct attempt fetches[MAX_ATTEMPTS];
bool loop_due = true, loop_has_until, stopping;
uint64_t loop_until_us;
FILE *rows;

static void on_signal(int number) { (void)number; stopping = true; }

struct hoosh_now now(void) {
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    struct hoosh_now both = {(uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
                             (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000};
    return both;
}

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
        bool hungry = a->sent && (!a->headed || (a->credit > 0 && buffer_left(&a->in) < 65536));
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
            caller_accept(listener);
        }
    }
    free(fds);
    free(who);
}
/* Whether something is still owed: an answer, a ledger row, or bytes that a caller has yet to take. */
static bool busy(void) {
    bool owed = false;
    for (struct caller *c = callers; c != NULL; c = c->next) owed |= buffer_left(&c->out) > 0;
    return owed || any_due() || hoosh_gateway_open(gateway) > 0;
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
    if (hoosh_store_new(10000, &store) != HOOSH_RESULT_OK) return 1;
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

    for (;;) {
        if (stopping) hoosh_gateway_drain(gateway);
        look();
        sweep();
        if (stopping && !busy()) break;
        turn(listener);
    }
    close(listener);
    hoosh_store_free(store);
    hoosh_gateway_free(gateway);
    if (rows != NULL) fclose(rows);
    return 0;
}

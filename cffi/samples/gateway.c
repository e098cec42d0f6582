/*
 * A gateway in C99: plain sockets, poll(), and hoosh. It drives exchanges and decides nothing: every step says what to do,
 * every door says what happened. Clear HTTP/1.1 on both sides. Names are resolved while everything waits, and a connection
 * without a request may stay for ever, as in a sample they may.
 *
 *     gateway CONFIG_FILE PORT [ROWS_FILE]     PORT 0 lets the system choose; ROWS_FILE gets the ledger, one JSON a line
 *
 * main and the poll loop are here; upstream.c and caller.c hold the two sides' sockets, driver.c does the steps, http.c
 * reads HTTP.
 */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
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
struct attempt fetches[MAX_FETCHES];
bool loop_due = true, loop_has_until, loop_over;
uint64_t loop_until_us;
volatile sig_atomic_t stopping;
FILE *rows;

/* Lines for the standard error that it has not taken, and their number. */
static struct buffer log_lines;
static uint64_t log_id;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

struct hoosh_now now(void) {
    struct timespec mono, wall;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    struct hoosh_now both = {(uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000,
                             (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000};
    return both;
}

/* Writes as much as the standard error takes at once: a pipe that poll() calls writable takes PIPE_BUF bytes. */
static void log_turn(void) {
    while (buffer_left(&log_lines) > 0) {
        struct pollfd out = {STDERR_FILENO, POLLOUT, 0};
        size_t length = buffer_left(&log_lines) < PIPE_BUF ? buffer_left(&log_lines) : PIPE_BUF;
        if (poll(&out, 1, 0) != 1) return;
        ssize_t written = write(STDERR_FILENO, log_lines.data + log_lines.at, length);
        if (written < 0) {
            buffer_use(&log_lines, buffer_left(&log_lines));
            hoosh_gateway_logged(gateway, log_id, false, now());
            return;
        }
        buffer_use(&log_lines, (size_t)written);
        if (buffer_left(&log_lines) == 0) hoosh_gateway_logged(gateway, log_id, true, now());
    }
}

void log_begin(const struct hoosh_loop_step *step) {
    if (step->file.len > 0) {
        struct buffer path = {0};
        buffer_add(&path, step->file.ptr, step->file.len);
        buffer_add(&path, "", 1);
        FILE *out = fopen(path.data, "ab");
        bool written = out != NULL && fwrite(step->lines.ptr, 1, step->lines.len, out) == step->lines.len;
        if (out != NULL) written = fclose(out) == 0 && written;
        buffer_free(&path);
        hoosh_gateway_logged(gateway, step->id, written, now());
        return;
    }
    log_id = step->id;
    buffer_add(&log_lines, step->lines.ptr, step->lines.len);
    log_turn();
}

/* How long poll() may wait. A signal that comes just before it is noticed a second later. */
static int patience(void) {
    uint64_t at = now().mono_us, until = at + 1000000;
    if (loop_has_until && loop_until_us < until) until = loop_until_us;
    for (struct run *run = runs; run != NULL; run = run->next)
        if (run->has_until && run->until_us < until) until = run->until_us;
    return until <= at ? 0 : (int)((until - at + 999) / 1000);
}

/* Frees what is over. Children stand before their parents here, and are freed before them. */
static void sweep_runs(void) {
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
}

static void sweep_callers(void) {
    for (struct caller **at = &callers; *at != NULL;) {
        struct caller *c = *at;
        if (c->closing && !c->lingering && buffer_left(&c->out) == 0) {
            /* To close while the caller still sends would take from it what it has not read yet: it closes first. */
            c->lingering = true;
            buffer_use(&c->in, buffer_left(&c->in));
            shutdown(c->fd, SHUT_WR);
        }
        if (c->run != NULL || !c->gone) {
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

/* What poll() watches, and for whom. */
static struct pollfd *fds;
static struct watched { struct caller *caller; struct attempt *attempt; } *who;
static size_t watching;

static void watch(int fd, int events, struct caller *c, struct attempt *a) {
    fds[watching].fd = fd;
    fds[watching].events = (short)events;
    fds[watching].revents = 0;
    who[watching].caller = c;
    who[watching++].attempt = a;
}

static void watch_caller(struct caller *c) {
    /* Ahead of its request's credit a caller may send as much as a head, and no more. */
    int in = buffer_left(&c->in) <= MAX_HEAD ? POLLIN : 0, out = buffer_left(&c->out) > 0 ? POLLOUT : 0;
    if (!c->gone) watch(c->fd, in | out, c, NULL);
}

static void watch_attempts(struct attempt *all, size_t count) {
    for (struct attempt *a = all; a < all + count; a++) {
        /* Without credit nothing is read, so that the upstream feels it. */
        bool hungry = a->connected && (!a->headed || a->credit > 0) && buffer_left(&a->in) <= MAX_HEAD;
        bool writes = !a->connected || buffer_left(&a->out) > 0 || (a->complete && !a->sent);
        int events = (hungry ? POLLIN : 0) | (writes ? POLLOUT : 0);
        if (a->open && events != 0) watch(a->fd, events, NULL, a);
    }
}

/* Waits, and lets everybody read and write for whom there is something to do. */
static void turn(int listener) {
    size_t most = 2 + MAX_FETCHES, waiting = 0;
    for (struct caller *c = callers; c != NULL; c = c->next) waiting++;
    for (struct run *run = runs; run != NULL; run = run->next) most += MAX_ATTEMPTS;
    fds = calloc(most + waiting, sizeof *fds);
    who = calloc(most + waiting, sizeof *who);
    if (fds == NULL || who == NULL) abort();
    watching = 0;
    if (!stopping && waiting < MAX_CALLERS) watch(listener, POLLIN, NULL, NULL);
    for (struct caller *c = callers; c != NULL; c = c->next) watch_caller(c);
    for (struct run *run = runs; run != NULL; run = run->next) watch_attempts(run->attempts, MAX_ATTEMPTS);
    watch_attempts(fetches, MAX_FETCHES);
    if (buffer_left(&log_lines) > 0) watch(STDERR_FILENO, POLLOUT, NULL, NULL);
    poll(fds, (nfds_t)watching, any_due() ? 0 : patience());
    for (size_t n = 0; n < watching; n++) {
        struct caller *c = who[n].caller;
        struct attempt *a = who[n].attempt;
        /* An error counts as both: whoever reads or writes next finds out which it is. */
        bool readable = (fds[n].revents & ~POLLOUT) != 0, writable = (fds[n].revents & ~POLLIN) != 0;
        if (c != NULL) {
            if (writable) caller_write(c);
            if (readable && !c->gone) caller_read(c);
        } else if (a != NULL) {
            if (a->open && a->fd == fds[n].fd) attempt_turn(a, readable, writable);
        } else if (fds[n].fd == STDERR_FILENO) {
            log_turn();
        } else if (readable) {
            caller_accept(listener);
        }
    }
    free(fds);
    free(who);
}

/* Whether something is still owed: an answer, a ledger row, or bytes that a caller has yet to take. Asked at the end. */
static bool busy(void) {
    bool owed = false;
    for (struct caller *c = callers; c != NULL; c = c->next) owed |= buffer_left(&c->out) > 0;
    return owed || any_due() || !loop_over;
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
    if (hoosh_abi_version() != HOOSH_ABI_VERSION) {
        fprintf(stderr, "compiled against another version of hoosh.h than that of the library\n");
        return 2;
    }
    struct hoosh_config *config = configuration(arguments[1]);
    uint64_t seed = (uint64_t)getpid() ^ now().mono_us << 16;
    if (hoosh_gateway_new(config, seed, &gateway) != HOOSH_RESULT_OK) return 1;
    hoosh_config_free(config);
    hoosh_gateway_set_waker(gateway, wake_loop, NULL);
    if (hoosh_store_new(10000, &store) != HOOSH_RESULT_OK) return 1;
    if (count > 3 && (rows = fopen(arguments[3], "a")) == NULL) {
        perror(arguments[3]);
        return 1;
    }
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

    bool closed = false;
    for (;;) {
        if (stopping && !closed) closed = loop_due = hoosh_gateway_close(gateway) == HOOSH_RESULT_OK;
        look();
        sweep_runs();
        sweep_callers();
        if (stopping && !busy()) break;
        turn(listener);
    }
    close(listener);
    hoosh_store_free(store);
    hoosh_gateway_free(gateway);
    if (rows != NULL) fclose(rows);
    return 0;
}

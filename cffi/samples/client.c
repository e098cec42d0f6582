/*
 * A program that asks a model: `c-client hoosh.toml MODEL TEXT [STORE]` prints the answer as it comes.
 *
 * All that is HTTP, time and policy is hoosh's client; here is one call, and what becomes of it. Ends with 0, with 1 where the
 * answer is an error (printed as it came), with 2 where it could not be asked.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hoosh.h"

enum { FILE_SIZE = 1 << 20, BODY_SIZE = 1 << 16, WAIT_MS = 60000, END_MS = 2000 };

static hoosh_bytes text(const char *words) {
    hoosh_bytes bytes = {(const uint8_t *)words, strlen(words)};
    return bytes;
}

static void print(FILE *to, hoosh_bytes bytes) {
    fwrite(bytes.ptr, 1, bytes.len, to);
    fputc('\n', to);
    fflush(to);
}

static hoosh_now now(void) {
    struct timespec mono, wall;
    hoosh_now both;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &wall);
    both.mono_us = (uint64_t)mono.tv_sec * 1000000 + (uint64_t)mono.tv_nsec / 1000;
    both.wall_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000;
    return both;
}

static const char *variable(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

/* Says why, and gives nothing. */
static void *refused(hoosh_text *why) {
    if (why != NULL) {
        print(stderr, hoosh_text_bytes(why));
        hoosh_text_free(why);
    }
    return NULL;
}

static hoosh_config *read_config(const char *path) {
    static char held[FILE_SIZE];
    hoosh_bytes bytes = {(const uint8_t *)held, 0};
    hoosh_config *config = NULL;
    hoosh_text *why = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return NULL;
    }
    bytes.len = fread(held, 1, sizeof held, file);
    fclose(file);
    return hoosh_config_parse(bytes, variable, NULL, &config, &why) == HOOSH_RESULT_OK ? config : refused(why);
}

/* Text as JSON writes it, cut where there is no more room. */
static size_t quote(char *to, size_t room, const char *from) {
    size_t at = 0;
    for (; *from != '\0' && at + 8 < room; from++) {
        unsigned char c = (unsigned char)*from;
        if (c == '"' || c == '\\') {
            to[at++] = '\\';
            to[at++] = (char)c;
        } else if (c < 0x20) {
            at += (size_t)snprintf(to + at, room - at, "\\u%04x", c);
        } else {
            to[at++] = (char)c;
        }
    }
    to[at] = '\0';
    return at;
}

/* Takes an answer to its end; what `main` returns. */
static int answer(hoosh_client_call *call) {
    int status = 0;
    hoosh_call_event event;
    while (hoosh_client_call_next(call, &event) == HOOSH_RESULT_OK) {
        switch (event.kind) {
        case HOOSH_CALL_KIND_WAIT:
            if (!hoosh_client_call_wait(call, WAIT_MS)) {
                fputs("nothing came for a minute\n", stderr);
                return 2;
            }
            break;
        case HOOSH_CALL_KIND_HEAD:
            status = event.status;
            break;
        case HOOSH_CALL_KIND_PIECE:
            print(stdout, event.bytes);
            break;
        case HOOSH_CALL_KIND_REPLY:
        case HOOSH_CALL_KIND_FINISH:
            return status == 200 ? 0 : 1;
        case HOOSH_CALL_KIND_CUT:
        case HOOSH_CALL_KIND_GONE:
            fputs("the answer was cut off\n", stderr);
            return 1;
        }
    }
    return 2;
}

static int ask(hoosh_client *client, const char *model, const char *said) {
    static char body[BODY_SIZE], named[256], quoted[BODY_SIZE - 512];
    hoosh_bytes bytes = {(const uint8_t *)body, 0};
    hoosh_client_call *call;
    int ended;
    quote(named, sizeof named, model);
    quote(quoted, sizeof quoted, said);
    bytes.len = (size_t)snprintf(body, sizeof body,
                                 "{\"model\":\"%s\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                                 named, quoted);
    if (hoosh_client_call_new(client, text("POST"), text("/v1/chat/completions"), NULL, 0, bytes, true, NULL, NULL, &call)
        != HOOSH_RESULT_OK) {
        return 2;
    }
    ended = answer(call);
    hoosh_client_call_free(call);
    return ended;
}

int main(int count, char **arguments) {
    hoosh_config *config;
    hoosh_gateway *gateway;
    hoosh_client *client = NULL;
    hoosh_text *why = NULL;
    int ended = 2;
    if (count < 4 || count > 5) {
        fputs("usage: c-client CONFIG MODEL TEXT [STORE]\n", stderr);
        return 2;
    }
    config = read_config(arguments[1]);
    if (config == NULL || hoosh_gateway_new(config, (uint64_t)time(NULL), &gateway) != HOOSH_RESULT_OK) {
        hoosh_config_free(config);
        return 2;
    }
    if (hoosh_client_new(gateway, config, text(count == 5 ? arguments[4] : ""), now(), &client, &why) != HOOSH_RESULT_OK) {
        refused(why);
    } else {
        ended = ask(client, arguments[2], arguments[3]);
        if (!hoosh_client_end(client, END_MS)) {
            fputs("not everything was stored in time\n", stderr);
        }
    }
    hoosh_client_free(client);
    hoosh_gateway_free(gateway);
    hoosh_config_free(config);
    return ended;
}

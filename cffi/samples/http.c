#define _POSIX_C_SOURCE 200809L
#include "http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void buffer_grow(struct buffer *b, size_t more) {
    if (b->at > 0 && b->at == b->length) b->at = b->length = 0;
    if (b->length + more <= b->room) return;
    b->room = (b->length + more) * 2;
    b->data = realloc(b->data, b->room);
    if (b->data == NULL) abort();
}

void buffer_add(struct buffer *b, const void *data, size_t length) {
    if (length == 0) return;
    buffer_grow(b, length);
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

void buffer_print(struct buffer *b, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0) buffer_add(b, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void buffer_use(struct buffer *b, size_t length) {
    b->at += length;
    if (b->at == b->length) b->at = b->length = 0;
}

void buffer_free(struct buffer *b) {
    free(b->data);
    memset(b, 0, sizeof *b);
}

static struct hoosh_bytes view(const char *from, const char *to) {
    struct hoosh_bytes bytes = {(const uint8_t *)from, (size_t)(to - from)};
    return bytes;
}

static bool is(struct hoosh_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && (bytes.len == 0 || strncasecmp((const char *)bytes.ptr, text, bytes.len) == 0);
}

struct hoosh_bytes head_get(const struct head *head, const char *name) {
    struct hoosh_bytes none = {NULL, 0};
    for (size_t n = 0; n < head->count; n++)
        if (is(head->headers[n].name, name)) return head->headers[n].value;
    return none;
}

static const char *find(const char *from, const char *to, char wanted) {
    return from < to ? memchr(from, wanted, (size_t)(to - from)) : NULL;
}

static bool first_line(struct head *head, const char *from, const char *to, bool request) {
    const char *space = find(from, to, ' ');
    if (space == NULL) return false;
    const char *version = from;
    if (request) {
        const char *second = find(space + 1, to, ' ');
        if (second == NULL || space[1] != '/') return false;
        head->method = view(from, space);
        head->target = view(space + 1, second);
        version = second + 1;
    } else {
        if (to - space < 4) return false;
        head->status = (unsigned)strtoul(space + 1, NULL, 10);
        to = space;
    }
    head->keep_alive = to - version == 8 && memcmp(version, "HTTP/1.1", 8) == 0;
    return to - version == 8 && memcmp(version, "HTTP/1.", 7) == 0;
}

size_t head_parse(struct head *head, const char *data, size_t length, bool request) {
    const char *end = NULL;
    for (size_t n = 0; n + 4 <= length && end == NULL; n++)
        if (memcmp(data + n, "\r\n\r\n", 4) == 0) end = data + n;
    if (end == NULL) return length > MAX_HEAD ? (size_t)-1 : 0;
    memset(head, 0, sizeof *head);
    const char *line = data;
    while (memcmp(line, "\r\n", 2) != 0) line++;
    if (!first_line(head, data, line, request)) return (size_t)-1;
    while (line < end) {
        const char *from = line + 2, *to = from;
        while (memcmp(to, "\r\n", 2) != 0) to++;
        const char *colon = find(from, to, ':');
        /* No colon, white space before it (a folded line too), or too many: nothing to be guessed at. */
        if (colon == NULL || colon == from || head->count == MAX_HEADERS) return (size_t)-1;
        for (const char *c = from; c < colon; c++)
            if (*c == ' ' || *c == '\t') return (size_t)-1;
        const char *value = colon + 1, *last = to;
        while (value < last && (*value == ' ' || *value == '\t')) value++;
        while (last > value && (last[-1] == ' ' || last[-1] == '\t')) last--;
        head->headers[head->count].name = view(from, colon);
        head->headers[head->count++].value = view(value, last);
        line = to;
    }
    struct hoosh_bytes connection = head_get(head, "connection");
    if (is(connection, "close")) head->keep_alive = false;
    return (size_t)(end - data) + 4;
}

bool body_begin(struct body *body, const struct head *head, bool request) {
    memset(body, 0, sizeof *body);
    struct hoosh_bytes length = head_get(head, "content-length"), coding = head_get(head, "transfer-encoding");
    if (coding.ptr != NULL) {
        body->framing = BODY_CHUNKED;
        return is(coding, "chunked") && length.ptr == NULL;
    }
    if (length.ptr != NULL) {
        if (length.len == 0 || length.len > 18) return false;
        for (size_t n = 0; n < length.len; n++) {
            if (length.ptr[n] < '0' || length.ptr[n] > '9') return false;
            body->left = body->left * 10 + (size_t)(length.ptr[n] - '0');
        }
    } else if (!request && head->status != 204 && head->status != 304) {
        body->framing = BODY_TO_END;
        return true;
    }
    body->ended = body->left == 0;
    return true;
}

/* Reads chunk framing up to the next data. False if it is broken. */
static bool chunk_framing(struct body *body, struct buffer *from) {
    while (!body->ended && body->chunk != CHUNK_DATA) {
        char *line = buffer_data(from);
        const char *end = find(line, line + buffer_left(from), '\n');
        if (end == NULL) return buffer_left(from) < 4096;
        size_t length = (size_t)(end - line) + 1;
        if (length < 2 || end[-1] != '\r') return false;
        if (body->chunk == CHUNK_SIZE) {
            char *stop;
            if (!((line[0] >= '0' && line[0] <= '9') || strchr("abcdefABCDEF", line[0]))) return false;
            body->left = strtoul(line, &stop, 16);
            if ((*stop != '\r' && *stop != ';') || stop - line > 15) return false;
            body->chunk = body->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        } else if (body->chunk == CHUNK_END) {
            if (length != 2) return false;
            body->chunk = CHUNK_SIZE;
        } else {
            body->ended = length == 2;
        }
        buffer_use(from, length);
    }
    return true;
}

bool body_take(struct body *body, struct buffer *from, size_t most, struct hoosh_bytes *part) {
    part->ptr = NULL;
    part->len = 0;
    if (body->framing == BODY_CHUNKED && !chunk_framing(body, from)) return false;
    if (body->ended) return true;
    size_t length = buffer_left(from) < most ? buffer_left(from) : most;
    if (body->framing != BODY_TO_END && length > body->left) length = body->left;
    if (body->framing == BODY_CHUNKED && body->chunk != CHUNK_DATA) length = 0;
    part->ptr = (const uint8_t *)buffer_data(from);
    part->len = length;
    from->at += length; /* the view stays until the buffer is next used */
    if (body->framing == BODY_LENGTH) body->ended = (body->left -= length) == 0;
    if (body->framing == BODY_CHUNKED && length > 0 && (body->left -= length) == 0) body->chunk = CHUNK_END;
    return true;
}

#define _POSIX_C_SOURCE 200809L
#include "http.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void buffer_grow(struct buffer *b, size_t more) {
    if (b->length + more <= b->room) return;
    /* What was used up makes room, once it is worth the move: a long stream must not take more than is left of it. */
    if (b->at >= buffer_left(b)) {
        if (b->at > 0) memmove(b->data, buffer_data(b), buffer_left(b));
        b->length -= b->at;
        b->at = 0;
    }
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
    char text[256]; /* enough for all that is printed here: status lines and framing */
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text) abort();
    buffer_add(b, text, (size_t)length);
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

static const char *find(const char *from, const char *to, char wanted) {
    return from < to ? memchr(from, wanted, (size_t)(to - from)) : NULL;
}

/* Without the white space around it. */
static struct hoosh_bytes trimmed(const char *from, const char *to) {
    while (from < to && (*from == ' ' || *from == '\t')) from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
    return view(from, to);
}

bool bytes_are(struct hoosh_bytes bytes, const char *text) {
    return bytes.len == strlen(text) && (bytes.len == 0 || strncasecmp((const char *)bytes.ptr, text, bytes.len) == 0);
}

/* Whether a list such as `keep-alive, close` holds `word`. */
static bool lists(struct hoosh_bytes list, const char *word) {
    const char *from = (const char *)list.ptr, *to = from + list.len;
    while (from < to) {
        const char *comma = find(from, to, ',');
        if (bytes_are(trimmed(from, comma == NULL ? to : comma), word)) return true;
        from = comma == NULL ? to : comma + 1;
    }
    return false;
}

/* Whether the connection is closed after this. */
static bool is_last(const struct head *head) {
    bool last = false;
    for (size_t n = 0; n < head->count; n++)
        last |= bytes_are(head->headers[n].name, "connection") && lists(head->headers[n].value, "close");
    return last;
}

/* How often a head has the field `name`; `value` becomes the last one's. */
static size_t head_get(const struct head *head, const char *name, struct hoosh_bytes *value) {
    size_t times = 0;
    for (size_t n = 0; n < head->count; n++)
        if (bytes_are(head->headers[n].name, name)) {
            *value = head->headers[n].value;
            times++;
        }
    return times;
}

static bool first_line(struct head *head, const char *from, const char *to, bool request) {
    const char *space = find(from, to, ' '), *version = from, *end = space;
    if (space == NULL) return false;
    if (request) {
        const char *second = find(space + 1, to, ' ');
        if (second == NULL || space == from || space[1] != '/') return false;
        head->method = view(from, space);
        head->target = view(space + 1, second);
        version = second + 1;
        end = to;
    } else {
        const char *digit = space + 1;
        if (to - digit < 3 || (to - digit > 3 && digit[3] != ' ')) return false;
        for (size_t n = 0; n < 3; n++) {
            if (digit[n] < '0' || digit[n] > '9') return false;
            head->status = head->status * 10 + (unsigned)(digit[n] - '0');
        }
        if (head->status < 100) return false;
    }
    if (end - version != 8 || memcmp(version, "HTTP/1.", 7) != 0 || (version[7] != '0' && version[7] != '1')) return false;
    head->old = version[7] == '0';
    return true;
}

static bool field(struct head *head, const char *from, const char *to) {
    const char *colon = find(from, to, ':');
    /* No colon, white space before it (a folded line too), or too many: nothing to be guessed at. */
    if (colon == NULL || colon == from || head->count == MAX_HEADERS) return false;
    if (find(from, colon, ' ') != NULL || find(from, colon, '\t') != NULL) return false;
    head->headers[head->count].name = view(from, colon);
    head->headers[head->count++].value = trimmed(colon + 1, to);
    return true;
}

size_t head_parse(struct head *head, const char *data, size_t length, bool request) {
    const char *line = data, *end = data + length;
    memset(head, 0, sizeof *head);
    for (const char *c = data; c < end; c++) {
        if (*c != '\r') {
            /* A line feed alone ends a line for some readers and not for others; other control bytes are as bad. */
            if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127) return NO_HEAD;
            continue;
        }
        if (c + 1 == end) break;
        if (c[1] != '\n') return NO_HEAD;
        if (c == line && line != data) {
            head->keep_alive = !head->old && !is_last(head);
            return (size_t)(c - data) + 2;
        }
        if (line == data ? !first_line(head, line, c, request) : !field(head, line, c)) return NO_HEAD;
        line = ++c + 1;
    }
    return length > MAX_HEAD ? NO_HEAD : 0;
}

void head_write(struct buffer *to, const struct hoosh_header *headers, size_t count) {
    for (size_t n = 0; n < count; n++) {
        buffer_add(to, headers[n].name.ptr, headers[n].name.len);
        buffer_add(to, ": ", 2);
        buffer_add(to, headers[n].value.ptr, headers[n].value.len);
        buffer_add(to, "\r\n", 2);
    }
}

bool body_begin(struct body *body, const struct head *head, bool request) {
    struct hoosh_bytes length = {NULL, 0}, coding = {NULL, 0};
    size_t lengths = head_get(head, "content-length", &length), codings = head_get(head, "transfer-encoding", &coding);
    memset(body, 0, sizeof *body);
    if (lengths + codings > 1) return false;
    if (!request && (head->status < 200 || head->status == 204 || head->status == 304)) {
        body->ended = true;
        return true;
    }
    if (codings > 0) {
        body->framing = BODY_CHUNKED;
        return !head->old && bytes_are(coding, "chunked");
    }
    if (lengths == 0 && !request) {
        body->framing = BODY_TO_END;
        return true;
    }
    if (lengths > 0 && length.len == 0) return false;
    for (size_t n = 0; n < length.len; n++) {
        if (length.ptr[n] < '0' || length.ptr[n] > '9' || body->left > (SIZE_MAX - 9) / 10) return false;
        body->left = body->left * 10 + (size_t)(length.ptr[n] - '0');
    }
    body->ended = body->left == 0;
    return true;
}

/* Reads `1a2b` or `1a2b;extension`. */
static bool chunk_size(struct body *body, const char *from, const char *to) {
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *c = from;
    for (; c < to && *c != ';'; c++) {
        const char *digit = memchr(digits, *c, sizeof digits - 1);
        if (digit == NULL || body->left > SIZE_MAX >> 4) return false;
        size_t value = (size_t)(digit - digits);
        body->left = body->left << 4 | (value < 16 ? value : value - 6);
    }
    return c > from;
}

/* Reads chunk framing up to the next data. False if it is broken. */
static bool chunk_framing(struct body *body, struct buffer *from) {
    while (!body->ended && body->chunk != CHUNK_DATA) {
        const char *line = buffer_data(from), *end = find(line, line + buffer_left(from), '\n');
        if (end == NULL) return buffer_left(from) < 4096;
        size_t length = (size_t)(end - line) + 1;
        if (length < 2 || end[-1] != '\r') return false;
        if (body->chunk == CHUNK_SIZE) {
            if (!chunk_size(body, line, end - 1)) return false;
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
    if (body->ended || (body->framing == BODY_CHUNKED && body->chunk != CHUNK_DATA)) return true;
    size_t length = buffer_left(from) < most ? buffer_left(from) : most;
    if (length == 0) return true;
    if (body->framing != BODY_TO_END) {
        if (length > body->left) length = body->left;
        body->left -= length;
        if (body->left == 0 && body->framing == BODY_LENGTH) body->ended = true;
        if (body->left == 0 && body->framing == BODY_CHUNKED) body->chunk = CHUNK_END;
    }
    *part = view(buffer_data(from), buffer_data(from) + length);
    from->at += length;
    return true;
}

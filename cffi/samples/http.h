/* Just enough HTTP/1.1 for the sample: heads, and bodies by length, by chunks, or to the end of the connection. */
#ifndef SAMPLE_HTTP_H
#define SAMPLE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "../../include/hoosh.h"

#define MAX_HEAD 65536 /* bytes of a head; nor is more of anything read ahead of its use */
#define MAX_HEADERS 100

/* A growing buffer; `at` is how much of it was used up. */
struct buffer {
    char *data;
    size_t at, length, room;
};

void buffer_add(struct buffer *b, const void *data, size_t length);
void buffer_print(struct buffer *b, const char *format, ...);
void buffer_use(struct buffer *b, size_t length);
void buffer_free(struct buffer *b);
static inline size_t buffer_left(const struct buffer *b) { return b->length - b->at; }
static inline char *buffer_data(const struct buffer *b) { return b->data + b->at; }

/* A parsed head. Its parts point into the text given, which must stay. */
struct head {
    struct hoosh_bytes method, target; /* of a request */
    unsigned status;                   /* of an answer */
    struct hoosh_header headers[MAX_HEADERS];
    size_t count;
    bool keep_alive, old; /* old: HTTP/1.0 */
};

#define NO_HEAD ((size_t)-1)

/* The length of the complete head at `data`; 0 if more must come; NO_HEAD if it never becomes one. */
size_t head_parse(struct head *head, const char *data, size_t length, bool request);
void head_write(struct buffer *to, const struct hoosh_header *headers, size_t count);
bool bytes_are(struct hoosh_bytes bytes, const char *text); /* but for case */

/* How a body is framed, and how far it was read. */
struct body {
    enum { BODY_LENGTH, BODY_CHUNKED, BODY_TO_END } framing;
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER } chunk;
    size_t left;
    bool ended;
};

/* False if the head's framing is not one that everybody reads the same way. */
bool body_begin(struct body *body, const struct head *head, bool request);
/* Takes up to `most` body bytes from `from`, or none; they lie still until it is added to. False if the framing is broken. */
bool body_take(struct body *body, struct buffer *from, size_t most, struct hoosh_bytes *part);

#endif

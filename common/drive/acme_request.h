/*
 * A request of HTTP/1, as far as it takes to answer a CA: its method, path and
 * host.  Pure: bytes in, pieces of them out.
 */
#ifndef ACME_REQUEST_H
#define ACME_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a request's head: a CA's has some hundred. */
#define ACME_REQUEST_MAX 8192

struct acme_request {
    bool head; /* the method: HEAD; else GET */
    const char *path;
    size_t path_len;
    const char *host; /* "" where there is none */
    size_t host_len;
};

enum acme_request_end {
    ACME_REQUEST_GOOD,
    ACME_REQUEST_MORE, /* the head is not complete */
    ACME_REQUEST_OTHER /* malformed, or another method */
};

/* Takes the head of one apart (RFC 9112 2 to 5); the pieces are borrowed. */
enum acme_request_end acme_request_parse(const char *data, size_t len,
    struct acme_request *request);

#endif

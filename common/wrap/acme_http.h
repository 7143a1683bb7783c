/*
 * One HTTP exchange as values, and the seam below it: a transport is libcurl
 * (acme_http_curl.h) or a script (tests).  No exchange follows redirects,
 * and none decides anything about status codes.
 */
#ifndef ACME_HTTP_H
#define ACME_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

struct acme_http_request {
    const char *method;       /* "GET", "HEAD" or "POST" */
    const char *url;          /* absolute, https */
    bool plain;               /* of http instead: a GET of what is signed by
                                 itself, with no secret in it */
    const char *content_type; /* NULL: no body */
    const char *accept;       /* NULL: any */
    const void *body;
    size_t body_len;
    size_t max_body;     /* bound on the decoded answer */
    unsigned timeout_ms; /* of all of it; 0: ACME_HTTP_TIMEOUT_MS */
};

struct acme_http_link {
    char rel[32];
    char url[ACME_URL_MAX]; /* as sent, perhaps relative */
};

struct acme_http_response {
    int status;
    char content_type[64];          /* without parameters, lower case */
    char nonce[ACME_NONCE_MAX + 1]; /* Replay-Nonce as sent, "" if none or
                                       not base64url */
    char location[ACME_URL_MAX];    /* "" if none */
    long retry_after;               /* seconds from now; -1: none */
    time_t date;                    /* the server's clock; 0: none */
    size_t nlinks;
    struct acme_http_link link[ACME_HTTP_LINKS_MAX];
    struct acme_buf body; /* bounded by max_body */
};

void acme_http_response_init(struct acme_http_response *response);
void acme_http_response_clear(struct acme_http_response *response);

/*
 * Takes one header line (name and value, without CR LF) into the response;
 * others than those above are ignored, over-long values too.  For transports;
 * Retry-After and Date are theirs, except that a scripted transport sets
 * them directly.
 */
void acme_http_response_header(struct acme_http_response *response,
    const char *name, size_t name_len, const char *value, size_t value_len);

struct acme_transport {
    void *ctx;

    /*
     * Blocks until the answer is complete or the exchange failed: ACME_NET
     * (no answer), ACME_WIRE (a bound passed), ACME_STOPPING (the host wants
     * to stop; within a second, a POST already sent is given 700 ms).
     * `response` is initialised by the caller and reset here.
     */
    enum acme_rc (*perform)(void *ctx, const struct acme_http_request *request,
        struct acme_http_response *response, struct acme_error *err);

    /* Whether the CA turned out to be at a private address; NULL: no. */
    bool (*is_private)(void *ctx);
};

#endif

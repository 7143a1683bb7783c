/*
 * https URLs of CAs, taken apart by libcurl's parser.  One of the two places
 * that know libcurl.
 */
#ifndef ACME_URL_H
#define ACME_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"

/* scheme://host:port in lower case, the port always written. */
#define ACME_ORIGIN_MAX 300

struct acme_url {
    char origin[ACME_ORIGIN_MAX];
    char host[256];          /* lower case, without brackets */
    char path[ACME_URL_MAX]; /* begins with "/", no query */
};

/*
 * Takes an absolute https URL apart.  `rc` is what a bad one means: ACME_WIRE
 * (from a CA) or ACME_CONFIG (from an operator).  Refused: other schemes,
 * user information, fragments, no host, longer than ACME_URL_MAX, controls.
 */
enum acme_rc acme_url_parse(const char *text, enum acme_rc rc,
    struct acme_url *url, struct acme_error *err);

/* The same for an http URL, of what is signed by itself (a CA's revocation
 * list). */
enum acme_rc acme_url_parse_plain(const char *text, enum acme_rc rc,
    struct acme_url *url, struct acme_error *err);

/* Whether a text may be shown as a link: it is such a URL. */
bool acme_url_is_link(const char *text);

/* Resolves a (possibly relative) Location against `base` into `out` of
 * ACME_URL_MAX bytes. */
enum acme_rc acme_url_resolve(const char *base, const char *reference,
    char out[ACME_URL_MAX], struct acme_error *err);

#endif

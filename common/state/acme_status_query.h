/*
 * Requests for the status of this server's lineages: who may make them, what
 * they mean and what they get, in the same words whatever the server is.  The
 * answer comes out of the key area: no disk, nothing that blocks.  What is
 * told is for the administrator, so nobody else is told by default: neither
 * who comes from elsewhere, nor who comes by way of a proxy or of a browser
 * that was led here under a name of somebody else's (DNS rebinding).
 */
#ifndef ACME_STATUS_QUERY_H
#define ACME_STATUS_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

struct sockaddr;

enum acme_status_mode {
    ACME_STATUS_OFF,
    ACME_STATUS_ON,
    ACME_STATUS_ADMIN /* renewals can be asked for as well */
};

/* Of one place that the administrator has given to it. */
struct acme_status_policy {
    enum acme_status_mode mode;
    /* Canonical names that it may be asked for by.  With any, who may ask is
     * for the server's own rules to say; with none, this host only. */
    size_t nhosts;
    const char *const *hosts;
};

/* "on", "admin", "off", in any case.  ACME_CONFIG. */
enum acme_rc acme_status_mode_parse(const char *word,
    enum acme_status_mode *mode, struct acme_error *err);

/* A further word of the directive: a name, canonical then.  ACME_CONFIG. */
enum acme_rc acme_status_host_parse(const char *word,
    char host[ACME_NAME_MAX + 1], struct acme_error *err);

/* Header fields that say that a request has come by way of somebody else;
 * ends with NULL. */
extern const char *const acme_status_forwarding[];

/* A field that scripts of other sites cannot send; any value.  A browser's
 * form has Origin instead, which nothing on a page can choose. */
#define ACME_STATUS_ADMIN_HEADER "X-ACME-Admin"

struct acme_status_query {
    const char *method; /* "GET" */
    const char *host;   /* Host as sent, "" if it was not */
    const struct sockaddr *client;
    bool forwarded; /* has one of acme_status_forwarding */
    /* Fields, NULL where there is none. */
    const char *accept;     /* Accept */
    const char *none_match; /* If-None-Match */
    const char *origin;     /* Origin */
    const char *site;       /* Sec-Fetch-Site */
    const char *admin;      /* ACME_STATUS_ADMIN_HEADER */
    /* Decoded, behind that place: "", "/", "/NAME", "/renew". */
    const char *path;
    const char *args; /* as sent, without the question mark; or NULL */
};

/* Fields of the answer besides Content-Type and Content-Length. */
#define ACME_STATUS_FIELDS_MAX 8

/* `field` points into it: not to be copied. */
struct acme_status_reply {
    int status;       /* of HTTP */
    const char *type; /* Content-Type */
    size_t nfields;
    struct acme_status_field {
        const char *name;
        const char *value;
    } field[ACME_STATUS_FIELDS_MAX];
    char text[1024]; /* of values; names and types are for ever */
    size_t text_len;
};

#define ACME_STATUS_TYPE "application/json"
#define ACME_STATUS_CACHE "no-store"

/*
 * What such a query gets, in the form it asks for (acme_status_format.h).
 * `area` NULL: there is none.  `body` is made here and becomes the caller's,
 * also of a refusal; empty with 303 and 304.  Safe for threads.
 */
void acme_status_answer(const struct acme_config *config,
    const struct acme_area *area, const struct acme_status_policy *policy,
    const struct acme_status_query *query, struct acme_status_reply *reply,
    struct acme_buf *body);

#endif

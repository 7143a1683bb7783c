/*
 * Something that happened to a lineage or an account, for people and for what
 * they let react: a value and its JSON form, one line of events.jsonl.  Text
 * in it may be anybody's (a CA's, a program's) and is clean: acme_event_put().
 * Knows no file.
 */
#ifndef ACME_EVENT_H
#define ACME_EVENT_H

#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"
#include "wrap/acme_key.h"

enum acme_event_kind {
    ACME_EVENT_NONE = 0,
    ACME_EVENT_RENEWING,        /* an order is about to be made */
    ACME_EVENT_CHALLENGE_SETUP, /* presented, the CA does not know it yet */
    ACME_EVENT_RENEWED,         /* a version is durable and live */
    ACME_EVENT_INSTALLED,       /* a server serves it */
    ACME_EVENT_EXPIRING,        /* little is left of what is served */
    ACME_EVENT_ERRORED,         /* an attempt has failed */
    ACME_EVENT_FAILED_OVER,     /* another CA is asked */
    ACME_EVENT_ROLLED_BACK,     /* an older version is live again */
    ACME_EVENT_REVOKED,
    ACME_EVENT_REFUSED, /* a certificate that was not accepted */
    ACME_EVENT_DELETED, /* a lineage, with all it had */
    ACME_EVENT_ACCOUNT_CREATED,
    ACME_EVENT_ACCOUNT_UPDATED, /* its contacts */
    ACME_EVENT_ACCOUNT_REKEYED,
    ACME_EVENT_ACCOUNT_DEACTIVATED,
    ACME_EVENT_HOOK, /* what became of one */
    ACME_EVENT_KINDS
};

struct acme_event {
    enum acme_event_kind kind;
    time_t at;                          /* when it happened */
    char lineage[ACME_LINEAGE_MAX + 1]; /* "": an account's */
    enum acme_key_type key;             /* ACME_KEY_NONE: not of one */
    char issuer[ACME_EVENT_TEXT_MAX];   /* as the configuration names it */
    unsigned version;                   /* 0: none */
    char serial[ACME_EVENT_TEXT_MAX];   /* of a certificate */
    time_t not_after;                   /* of the same; 0: none */
    time_t next_attempt;                /* 0: none */
    char subject[ACME_EVENT_TEXT_MAX];  /* "http-01:a.test", an account's
                                           id, the CA asked before, a hook */
    char problem[ACME_EVENT_TEXT_MAX];  /* its type, of RFC 8555 6.7 */
    char text[ACME_EVENT_TEXT_MAX];     /* what happened */
    char by[ACME_EVENT_TEXT_MAX]; /* "nginx:INSTANCE", "httpd:INSTANCE" or
                                     "acmectl": whose store has written it */
};

/* Empty but for its kind. */
void acme_event_init(struct acme_event *event, enum acme_event_kind kind);

/* Makes foreign text clean and cuts it to fit. */
void acme_event_put(char out[ACME_EVENT_TEXT_MAX], const char *text);

/* "renewing", "challenge-setup", ...; of NONE and what is no kind "". */
const char *acme_event_word(enum acme_event_kind kind);

/*
 * A line, with or without its end.  Unknown members are ignored, malformed
 * ones are as if absent.  ACME_WIRE: no event, or one of a kind that a newer
 * version has.
 */
enum acme_rc acme_event_parse(const char *text, size_t len,
    struct acme_event *event, struct acme_error *err);

/* Appends one line, without its end: at most ACME_EVENT_LINE_MAX bytes. */
enum acme_rc acme_event_render(const struct acme_event *event,
    struct acme_buf *out, struct acme_error *err);

#endif

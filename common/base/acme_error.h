/*
 * One error value for the whole core: what we were doing, what went wrong in
 * our words, and the CA's problem document if there was one (RFC 7807,
 * RFC 8555 6.7).  Plain bytes: it may be copied by assignment and live on the
 * stack.  It decides nothing; acme_schedule.h turns it into "when again".
 */
#ifndef ACME_ERROR_H
#define ACME_ERROR_H

#include <stddef.h>
#include <time.h>

#include "base/acme_limits.h"

enum acme_rc {
    ACME_OK = 0,
    ACME_NOMEM,   /* out of memory */
    ACME_CONFIG,  /* the operator must change something */
    ACME_IO,      /* state directory: read, write, lock */
    ACME_NET,     /* no answer: name, connect, TLS, time-out, reset */
    ACME_WIRE,    /* an answer that breaks the protocol or a bound */
    ACME_PROBLEM, /* the CA said no: type and detail are set */
    ACME_CRYPTO,  /* OpenSSL failed on our own material */
    ACME_REFUSED, /* a certificate that must not be served */
    ACME_UNREADY, /* we know that the CA would say no: pre-flight */
    ACME_NOENT,   /* what was asked for does not exist */
    ACME_BUSY,    /* somebody else holds the lock */
    ACME_LATER,   /* not an error: go on at retry_at */
    ACME_STOPPING /* the host asked us to stop */
};

#define ACME_SUBPROBLEMS_MAX 4

struct acme_subproblem {
    char type[64];
    char identifier[ACME_NAME_MAX + 1];
    char detail[256];
};

struct acme_error {
    enum acme_rc rc;
    int http_status; /* 0: no answer */
    time_t retry_at; /* absolute; 0: the server named no time */
    char what[512];  /* ours, printable: `new order: ...` */
    char type[64];   /* problem type without its URN prefix, or "" */
    char detail[ACME_FOREIGN_TEXT_MAX]; /* the CA's, made printable */
    char instance[ACME_INSTANCE_MAX];   /* URL for a person, or "" */
    unsigned nsub;                      /* kept in sub[] */
    unsigned nsub_total;                /* sent by the CA */
    struct acme_subproblem sub[ACME_SUBPROBLEMS_MAX];
};

/* Makes `err` empty (rc ACME_OK). */
void acme_error_clear(struct acme_error *err);

/*
 * Sets rc and text unless an error is set already: the first error wins.
 * The text is lower case, one fact, without a final stop; foreign text in it
 * must have passed acme_log_clean().  Returns the rc that `err` now holds, so
 * `return acme_error_set(...)` is the usual form.
 */
enum acme_rc acme_error_set(struct acme_error *err, enum acme_rc rc,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* acme_error_set(err, ACME_NOMEM, "out of memory") */
enum acme_rc acme_error_nomem(struct acme_error *err);

/*
 * acme_error_set() with the text and number of `errno_value` added:
 * `cannot open "x": Permission denied (13)`.
 */
enum acme_rc acme_error_errno(struct acme_error *err, enum acme_rc rc,
    int errno_value, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Puts context in front of the text: wrap(err, "new order") makes
 * `new order: <text>`.  Does nothing on an empty error.  Returns err->rc.
 */
enum acme_rc acme_error_wrap(struct acme_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The error as one line for a log or a terminal: text, problem type, detail
 * and the kept subproblems.  Always terminated, never longer than `size`.
 * Returns `line`.
 */
const char *acme_error_line(const struct acme_error *err, char *line,
    size_t size);

/* Name of a result for records and JSON: "problem", "net", ... */
const char *acme_rc_name(enum acme_rc rc);

#endif

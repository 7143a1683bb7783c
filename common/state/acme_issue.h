/*
 * What DNS records say of who may issue: the issue-value of CAA (RFC 8659
 * 4.2, RFC 8657), which dns-persist-01 (draft-ietf-acme-dns-persist 3) uses
 * too.  Written and judged here, from the operator's settings and our account
 * alone; what a CA says of them goes into no text.  Knows no DNS.
 */
#ifndef ACME_ISSUE_H
#define ACME_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_challenge_type.h"

/* ---- the value -------------------------------------------------------- */

/* RFC 8657 has two parameters, the draft three; a record with more than this
 * is taken for malformed. */
#define ACME_ISSUE_PARAMS_MAX 16

struct acme_issue_text {
    const char *at; /* in the text that was parsed; not terminated */
    size_t len;
};

struct acme_issue {
    struct acme_issue_text issuer; /* empty: nobody */
    size_t nparams;
    struct {
        struct acme_issue_text tag, value;
    } param[ACME_ISSUE_PARAMS_MAX];
};

/* Takes a value apart, which `issue` points into.  False: it is none by the
 * grammar, or has a parameter twice; then of issuer is kept what there is. */
bool acme_issue_parse(const char *text, size_t len, struct acme_issue *issue);

/* A parameter's value, its tag in any case; NULL: it has none. */
const struct acme_issue_text *acme_issue_get(const struct acme_issue *issue,
    const char *tag);

/* Whether that is the text, byte by byte; or in any case. */
bool acme_issue_is(const struct acme_issue_text *text, const char *wanted);
bool acme_issue_is_like(const struct acme_issue_text *text,
    const char *wanted);

/* ---- dns-persist-01 --------------------------------------------------- */

/* One authorization as we want it. */
struct acme_persist {
    const char *issuer;  /* domain name of the CA */
    const char *account; /* URL */
    bool wildcard;       /* also for wildcards below */
    time_t until;        /* no longer than that; 0: for ever */
};

/* "letsencrypt.org; accounturi=URL; policy=wildcard; persistUntil=N", of one
 * or more strings of a TXT record.  What does not fit is told by
 * acme_buf_ok(). */
void acme_persist_render(const struct acme_persist *persist,
    struct acme_buf *out);

/* What a TXT record is worth, from nothing to all; what comes first, another
 * record is better. */
enum acme_persist_verdict {
    ACME_PERSIST_NONE,      /* there is no record at all */
    ACME_PERSIST_OTHER,     /* another CA's, or something else */
    ACME_PERSIST_MALFORMED, /* this CA's, but it breaks the grammar */
    ACME_PERSIST_ACCOUNT,   /* another account's, or no account's */
    ACME_PERSIST_EXACT,     /* of this account, but not for wildcards */
    ACME_PERSIST_EXPIRED,   /* its persistUntil is past */
    ACME_PERSIST_GOOD
};

/*
 * Judges one record, all of its strings in a row, as the CA will do: tags and
 * "wildcard" in any case, the rest byte by byte.  persist->until is not looked
 * at.
 */
enum acme_persist_verdict acme_persist_judge(const char *text, size_t len,
    const struct acme_persist *persist, time_t now);

/* For people: "there is no such record", ... */
const char *acme_persist_text(enum acme_persist_verdict verdict);

/* ---- CAA -------------------------------------------------------------- */

/* What a record of ours is to say; what others' records say is judged by
 * protocol/acme_caa.h. */
struct acme_caa_wish {
    const char *issuer;
    const char *account; /* URL */
    size_t nmethods;     /* any of these */
    const enum acme_challenge_type *method;
};

/* "letsencrypt.org; accounturi=URL; validationmethods=http-01,dns-01"; without
 * methods, without them (RFC 8657). */
void acme_issue_caa(const struct acme_caa_wish *wish, struct acme_buf *out);

#endif

/*
 * How a lineage is, in one word and one sentence for people, and when and why
 * it is renewed next: pure functions of what is known of it.  What becomes of
 * it is decided in acme_schedule.h and by the engine; here it is only told.
 */
#ifndef ACME_CONDITION_H
#define ACME_CONDITION_H

#include <stdbool.h>
#include <time.h>

#include "state/acme_record.h"

/* Of those that hold the first counts: what has to be done about it, or is
 * seen from outside, goes before what mends itself. */
enum acme_condition {
    ACME_IS_CONFLICT, /* servers want different things: nothing is ordered */
    ACME_IS_DORMANT,  /* kept, but nobody wants it any more */
    ACME_IS_EXPIRED,  /* what is served has expired */
    ACME_IS_REVOKED,  /* what is served was revoked */
    ACME_IS_EXPIRING, /* people are warned of its end */
    ACME_IS_WAITING,  /* the last attempt failed: only a change helps */
    ACME_IS_FAILING,  /* the last attempt failed: the next one has a time */
    ACME_IS_DAMAGED,  /* files of it cannot be used */
    ACME_IS_PENDING,  /* the first certificate is being obtained */
    ACME_IS_MISSING,  /* there is none, and no attempt has begun */
    ACME_IS_DUE,      /* to be ordered or renewed now, or it is at it */
    ACME_IS_OK,       /* none of these */
    ACME_CONDITIONS
};

/* "conflict", "dormant", ... */
const char *acme_condition_word(enum acme_condition condition);

/* What is known of a lineage.  A certificate's life is told by the first end
 * of those it has. */
struct acme_condition_facts {
    time_t now;
    bool conflict, declared, damaged, revoked;
    time_t not_after; /* 0: no certificate */
    time_t expiring;  /* when that begins (acme_warn_at()) */
    const char *due;  /* why an order is due at once; or NULL */
    time_t renew_at;  /* else when; 0: not planned */
    const char *why;  /* and why then; or NULL */
    bool manual;      /* nothing is ordered before a person asks for it */
    const struct acme_record *record; /* of the unit that is worst off */
};

/* Whether an attempt has begun that has not come to its end. */
bool acme_condition_is_at_work(const struct acme_record *record);

enum acme_condition acme_condition_of(
    const struct acme_condition_facts *facts);

/* The sentence, without foreign text and without a final stop; times in it are
 * absolute. */
#define ACME_CONDITION_TEXT 256
const char *acme_condition_text(const struct acme_condition_facts *facts,
    char text[ACME_CONDITION_TEXT]);

/* Why a certificate is renewed when its record says: "two thirds of its life",
 * "suggested by the CA", ...; NULL: no time is planned. */
const char *acme_condition_why(const struct acme_record *record,
    time_t not_before, time_t not_after);

/* When word or sentence change by themselves; 0: never. */
time_t acme_condition_until(const struct acme_condition_facts *facts);

#endif

/*
 * What an account remembers of its CA, and a machine of a CA at which it makes
 * accounts: until when it is to be left alone, and how much of the CA's
 * published limits has been used.  A value, its JSON
 * form, and the limits, which are rows keyed by the host of the directory:
 * what is no row has no limits but those that the CA tells itself.
 */
#ifndef ACME_LEDGER_H
#define ACME_LEDGER_H

#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

enum acme_ledger_kind {
    ACME_LEDGER_ORDERS,   /* new orders of the account; name "" */
    ACME_LEDGER_FAILURES, /* failed validations of a name */
    ACME_LEDGER_SETS,     /* certificates of exactly the same names, which are
                             a hash here */
    ACME_LEDGER_ACCOUNTS, /* new accounts of this machine, in a ledger that is
                             no account's; name "" */
    ACME_LEDGER_KINDS
};

/* A bucket of `count`, into which one comes back every so many seconds; count
 * 0: unlimited. */
struct acme_limit {
    unsigned count, every;
};
struct acme_limits {
    const char *host;
    struct acme_limit of[ACME_LEDGER_KINDS];
};

/* Those of a directory's host; NULL: none are known. */
const struct acme_limits *acme_limits_of(const char *directory);

/* A bucket that is not full. */
struct acme_ledger_mark {
    enum acme_ledger_kind kind;
    char name[ACME_NAME_MAX + 1];
    time_t full; /* when it is full again */
};

struct acme_ledger {
    time_t not_before; /* the CA's own word; 0: none */
    size_t nmarks;
    struct acme_ledger_mark *mark; /* malloc()ed */
};

void acme_ledger_init(struct acme_ledger *ledger);
void acme_ledger_clear(struct acme_ledger *ledger);

/* Malformed members are as if absent.  ACME_WIRE: not a JSON object; then, and
 * with len 0, the ledger is empty. */
enum acme_rc acme_ledger_parse(const char *text, size_t len,
    struct acme_ledger *ledger, struct acme_error *err);
/* Without what is over by now. */
enum acme_rc acme_ledger_render(const struct acme_ledger *ledger, time_t now,
    struct acme_buf *out, struct acme_error *err);

/* When there is one to take; 0: now. */
time_t acme_ledger_next(const struct acme_ledger *ledger,
    const struct acme_limits *limits, enum acme_ledger_kind kind,
    const char *name, time_t now);

/* Takes one, whether there is one or not; of more than
 * ACME_LEDGER_MARKS_MAX marks the one that is over first is forgotten. */
void acme_ledger_take(struct acme_ledger *ledger,
    const struct acme_limits *limits, enum acme_ledger_kind kind,
    const char *name, time_t now);

/* Puts back one that was taken and not used. */
void acme_ledger_give_back(struct acme_ledger *ledger,
    const struct acme_limits *limits, enum acme_ledger_kind kind,
    const char *name, time_t now);

#endif

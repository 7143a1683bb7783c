/*
 * What an engine has counted of one CA since it began: a value, its fields in
 * a frame and its JSON form.  All of it only grows.
 */
#ifndef ACME_TALLY_H
#define ACME_TALLY_H

#include <stdint.h>

#include "base/acme_error.h"
#include "wrap/acme_json.h"

/* Upper bounds of how long a request took (ms); the last has none. */
#define ACME_TALLY_BOUNDS 9
extern const unsigned acme_tally_bound_ms[ACME_TALLY_BOUNDS];

enum acme_tally_count {
    ACME_TALLY_ATTEMPTS,
    ACME_TALLY_ORDERS,       /* new ones */
    ACME_TALLY_CERTIFICATES, /* that are live now, or were */
    ACME_TALLY_UNANSWERED,   /* requests */
    ACME_TALLY_MS,           /* that all requests took */
    ACME_TALLY_REQUESTS,     /* ACME_TALLY_BOUNDS + 1, by how long they took */
    ACME_TALLY_FAILURES = ACME_TALLY_REQUESTS + ACME_TALLY_BOUNDS + 1,
    ACME_TALLY_COUNTS = ACME_TALLY_FAILURES + 7 /* of attempts, by class */
};

struct acme_tally {
    uint64_t count[ACME_TALLY_COUNTS];
};

/* The class of a failure, and its word: "problem" (the CA said no), "net",
 * "wire", "config", "refused", "unready", and "other" for the rest. */
enum acme_tally_count acme_tally_failure(enum acme_rc rc);
const char *acme_tally_failure_word(enum acme_tally_count count);

/* One more request, which took so long. */
void acme_tally_request(struct acme_tally *tally, uint64_t ms, bool answered);

void acme_tally_sum(struct acme_tally *to, const struct acme_tally *from);

/* {"name", "attempts", "orders", "certificates", "failures": {word: n},
 * "requests": {"count", "unanswered", "ms", "buckets": [n]}}. */
struct acme_json *acme_tally_render(const char *name,
    const struct acme_tally *tally);

#endif

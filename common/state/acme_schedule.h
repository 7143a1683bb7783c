/*
 * When: pure functions of their arguments, decided in no other place.
 * `random` is 32 uniform bits.
 */
#ifndef ACME_SCHEDULE_H
#define ACME_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/acme_error.h"

/*
 * When a certificate should be renewed: after 2/3 of its life (1/2 of a life
 * under 10 days), moved by up to 5 % of the life either way so that
 * certificates obtained together do not stay together; never after notAfter
 * less 1/10 of the life.
 */
time_t acme_schedule_renew_at(time_t not_before, time_t not_after,
    uint32_t random);

/* What an attempt's end means. */
struct acme_schedule_next {
    time_t at;            /* not before */
    bool wait_for_config; /* `at` is far away: only a change helps */
    const char *why;      /* "back-off", "the CA asked for it", ... */
};

/*
 * After a failed attempt.  failures counts it (1 for the first), crashes is
 * of attempts that killed the engine, in a row; not_after is the live
 * certificate's (0: none).
 * - network and 5xx: 15 s, doubled, at most 6 h, full jitter (half to whole)
 *   and while the live certificate is valid no longer than a third of what is
 *   left of it (but 15 s)
 * - 429 and 503 or any error with a retry_at: that time, plus up to 10 s;
 *   clamped to ACME_RETRY_AFTER_MAX; never sooner than the back-off of network
 *   or validation failures (but for ACME_LATER), however short a time the CA
 *   names
 * - rateLimited or 429 without a time: an hour, doubled, at most a day
 * - validation failures (connection, dns, unauthorized, tls, caa,
 *   incorrectResponse): 15 minutes, doubled, at most 12 h (Let's Encrypt
 *   allows 5 an hour)
 * - rejectedIdentifier, unsupportedIdentifier, externalAccountRequired,
 *   userActionRequired, badCSR, badPublicKey, invalidProfile, ACME_CONFIG:
 *   wait for a change, looked at again after 24 h
 * - ACME_REFUSED: the same
 * - crash: 1 minute, doubled, from the third on an hour
 * - anything else: as network
 * Where no jitter is named, up to a tenth is added, within "at most".
 */
struct acme_schedule_next acme_schedule_after(const struct acme_error *err,
    unsigned failures, unsigned crashes, time_t now, time_t not_after,
    uint32_t random);

/* Order of two jobs that are both due; smaller goes first. */
enum acme_urgency {
    ACME_URGENT_NOW,  /* expired or none, or asked for by a person */
    ACME_URGENT_SOON, /* under a tenth of the life left */
    ACME_URGENT_NORMAL,
    ACME_URGENT_LEAST /* the same of what no client has asked for */
};
enum acme_urgency acme_schedule_urgency(time_t not_before, time_t not_after,
    time_t now, bool traffic);

#endif

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
#include "state/acme_timing.h"

/*
 * When a certificate should be renewed: after 2/3 of its life (1/2 of a life
 * under 10 days), moved by up to 5 % of the life either way so that
 * certificates obtained together do not stay together; never after notAfter
 * less 1/10 of the life.
 */
time_t acme_schedule_renew_at(time_t not_before, time_t not_after,
    uint32_t random);

/*
 * The same, or what the administrator wants: when so much of the life is left
 * (timing's window), up to a hundredth of that later.  A window in which all
 * of the life fits is none.
 */
time_t acme_schedule_usual(const struct acme_timing *timing, time_t not_before,
    time_t not_after, uint32_t random);

/* Whether a person alone has it renewed. */
bool acme_schedule_is_manual(const struct acme_timing *timing);

/* When a unit that is planned for `at` may go, in a process that began at
 * `started`. */
time_t acme_schedule_first(const struct acme_timing *timing, time_t started,
    time_t at);

/* When a certificate that was issued at `issued` takes the place of the live
 * one: after the delay asked for, but before the last tenth of the live one's
 * life. */
time_t acme_schedule_activate_at(const struct acme_timing *timing,
    time_t issued, time_t not_before, time_t not_after);

/*
 * The time to renew in a window that the CA suggests (RFC 9773 4.2), with
 * start < end: `pick`, which was drawn before (0: not yet), or a new one,
 * uniform in it, if that lies outside.
 */
time_t acme_schedule_pick(time_t pick, time_t start, time_t end,
    uint32_t random);

/* What the time of a renewal depends on. */
struct acme_schedule_renewal {
    time_t not_before, not_after; /* of what is live */
    time_t usual;                 /* of acme_schedule_renew_at() */
    time_t pick;                  /* acme_schedule_pick(); 0: no window */
    time_t suggested; /* when it was renewed last because of a window, or 0 */
    bool strict;      /* `usual` was asked for: no window puts it off */
};

/*
 * When to renew: the pick, where there is one, else the usual time.  A pick is
 * not waited for after notAfter less 1/10 of the life (or the usual time, if
 * that is later).  A CA whose windows are always over has us renew
 * max(6 h, 1/20 of the life) after the last such renewal, or at the usual
 * time (security S32: at most 4 orders a day).
 */
time_t acme_schedule_renewal(const struct acme_schedule_renewal *renewal);

/* Whether a renewal now, planned for `at`, is due to the window alone. */
bool acme_schedule_is_suggested(time_t at, time_t usual, time_t now);

/*
 * When to look at a CA's renewal information (RFC 9773 4.3).
 * _look: the first time, or at start, where `planned` is 0, in the past, or
 * further away than any look is planned: soon, but `lineages` of them 2 s
 * apart, over at most 6 h.  Otherwise `planned`.
 * _look_after: after an answer; retry_after (seconds, -1: none, so it is
 * timing's interval) is kept within ACME_LOOK_MIN..MAX, up to 1/20 is added.
 * _look_failed: 5 minutes, doubled with each failure in a row, at most 6 h,
 * half to whole; or err->retry_at within ACME_LOOK_MIN..MAX.
 * _look_pause: until when the CA is not asked about other certificates either:
 * no answer, 429, 5xx: a minute, doubled, at most an hour; or err->retry_at,
 * so bounded.  Otherwise `now`.
 */
time_t acme_schedule_look(time_t planned, size_t lineages, time_t now,
    uint32_t random);
time_t acme_schedule_look_after(const struct acme_timing *timing,
    long retry_after, time_t now, uint32_t random);
time_t acme_schedule_look_failed(const struct acme_error *err,
    unsigned failures, time_t now, uint32_t random);
time_t acme_schedule_look_pause(const struct acme_error *err,
    unsigned failures, time_t now);

/* Until when a revocation list counts, or what a responder said: until it says
 * there is another, within ACME_CRL_LIFE_MIN..MAX. */
time_t acme_schedule_crl(time_t next_update, time_t now);

/*
 * When an answer of OCSP that is stapled is fetched again: when so much of its
 * validity is left as timing's window says, a third where it says nothing, up
 * to a tenth of that earlier.  Where that is over already: when half of what
 * is left is, but not within ACME_STAPLE_MIN.
 */
time_t acme_schedule_staple(const struct acme_timing *timing,
    time_t this_update, time_t next_update, time_t now, uint32_t random);

/* What an attempt's end means. */
struct acme_schedule_next {
    time_t at;            /* at the same CA, not before */
    bool wait_for_config; /* `at` is far away: only a change helps */
    bool next_ca;         /* another CA, if there is one, need not wait */
    const char *why;      /* "back-off", "the CA asked for it", ... */
};

/*
 * After a failed attempt.  failures counts it (1 for the first) among those
 * of its CA, crashes is of attempts that killed the engine, in a row;
 * not_after is the live certificate's (0: none).  Each problem type of
 * RFC 8555 6.7, RFC 9773 5 and draft-ietf-acme-profiles has a row in the .c;
 * of a compound problem the worst part decides.  What they lead to:
 * - outage (no answer: name, connect, TLS, time-out, reset; 5xx; an answer
 *   that breaks the protocol; malformed and whatever is in no row): 15 s,
 *   doubled, at most 6 h, full jitter (half to whole) and while the live
 *   certificate is valid no longer than a third of what is left of it (but
 *   15 s); the next CA after 3 failures, or 10 while there is a valid
 *   certificate
 * - trouble of our own (disk, memory, crypto): the same, never the next CA
 * - any error with a retry_at: that time, plus up to 10 s; clamped to
 *   ACME_RETRY_AFTER_MAX; never sooner than the back-off (but for
 *   ACME_LATER), however short a time the CA names
 * - rateLimited or 429 without a time: an hour, doubled, at most a day
 * - of both: the next CA if it is acme_schedule_is_long()
 * - validation failures (connection, dns, unauthorized, tls, caa,
 *   incorrectResponse): 15 minutes, doubled, at most 12 h (Let's Encrypt
 *   allows 5 an hour); never the next CA, which would see the same
 * - ACME_UNREADY: as validation failures, but it costs nothing at the CA
 * - the account is refused (unauthorized as the answer to a request): as
 *   validation, the next CA after 3 failures or 10
 * - rejectedIdentifier, unsupportedIdentifier, externalAccountRequired,
 *   userActionRequired, badCSR, badPublicKey, badSignatureAlgorithm,
 *   invalidContact, unsupportedContact, invalidProfile, ACME_CONFIG: wait
 *   for a change, looked at again after 24 h; the next CA at once
 * - ACME_REFUSED, and a CA that has paused the account or its names (which a
 *   person ends at the CA's portal): the same
 * - crash: 1 minute, doubled, from the third on an hour
 * Where no jitter is named, up to a tenth is added, within "at most".
 * timing (or NULL): its delay is the first one of outages and of trouble of
 * our own, and the least of the others; its number of failures counts instead
 * of 3 and 10.
 */
struct acme_schedule_next acme_schedule_after(const struct acme_timing *timing,
    const struct acme_error *err, unsigned failures, unsigned crashes,
    time_t now, time_t not_after, uint32_t random);

/* Whether the CA has looked at a name and not found the proof, which it
 * counts. */
bool acme_schedule_is_validation(const struct acme_error *err);

/* Whether a problem type (without its prefix) has a row of its own. */
bool acme_schedule_knows(const char *type);

/* Whether waiting until then costs too much to leave other CAs unasked: more
 * than a minute and a third of what is left of the live certificate. */
bool acme_schedule_is_long(time_t until, time_t now, time_t not_after);

/* A CA of a list, since the last success: how often it has failed in a row,
 * and when it may be asked again (0 or past: now). */
struct acme_schedule_ca {
    unsigned failures;
    time_t next;
    bool wait_for_config;
};

/* Which of n > 0 CAs, the best liked first, is asked next: the first that may
 * be asked now (or in longer than any wait: the clock was set back), else the
 * one that may be asked first of all. */
size_t acme_schedule_choose(const struct acme_schedule_ca *ca, size_t n,
    time_t now);

/* What a difference of clocks (the CA's less ours, in seconds) does to what
 * is due: up to an hour nothing, beyond the CA's clock counts. */
long acme_schedule_offset(long ahead);

/* `next`, as somebody has said it at `said`, when the clock may have been set
 * back since: then it is as long to go as it was, or now if that was longer
 * than any wait. */
time_t acme_schedule_retry_at(time_t next, time_t said, time_t now);

/* When names that were left out of a certificate are tried again: after a
 * day, doubled, at most a week; up to a tenth is added.  `times` in a row, 1
 * for the first. */
time_t acme_schedule_complete_at(unsigned times, time_t now, uint32_t random);

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

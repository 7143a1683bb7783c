/*
 * What an administrator wants of the times of a lineage: whether and when it
 * is renewed, how soon after a failure it is tried again.  A plain value with
 * a JSON form in the settings of lineages; what becomes of it is decided in
 * acme_schedule.h alone.
 */
#ifndef ACME_TIMING_H
#define ACME_TIMING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "wrap/acme_json.h"

/* What can be said, each alone and in one word.  A TIME is a number and s, m
 * (min), h or d; without one of them days where it is a window or a delay of
 * activation, else seconds. */
enum acme_timing_item {
    ACME_TIMING_MODE,             /* auto, always or manual */
    ACME_TIMING_WINDOW,           /* N% or TIME: what is left of its life */
    ACME_TIMING_CHECK_INTERVAL,   /* TIME: between looks at what a CA says */
    ACME_TIMING_INITIAL_DELAY,    /* TIME: from a start on */
    ACME_TIMING_RETRY_DELAY,      /* TIME: after the first failure */
    ACME_TIMING_RETRY_FAILOVER,   /* N: failures before the next CA */
    ACME_TIMING_ACTIVATION_DELAY, /* TIME: before a new one is served */
    ACME_TIMING_ITEMS             /* their number */
};

enum acme_renew_mode {
    ACME_RENEW_AUTO,
    ACME_RENEW_ALWAYS, /* also what no server uses; for a host to heed */
    ACME_RENEW_MANUAL  /* when a person asks, and never else */
};

/* All zero: nothing was said. */
struct acme_timing {
    unsigned said; /* bit of each item */
    enum acme_renew_mode mode;
    unsigned window_percent;   /* of its life, or 0: */
    unsigned window;           /* seconds; 0 as well: the usual time */
    unsigned check_interval;   /* seconds; 0: the usual one */
    unsigned initial_delay;    /* seconds */
    unsigned retry_delay;      /* seconds; 0: the usual ones */
    unsigned retry_failover;   /* 0: the usual numbers */
    unsigned activation_delay; /* seconds */
};

/* Takes the words of a directive.  ACME_CONFIG: with the word and the cure. */
enum acme_rc acme_timing_set(struct acme_timing *timing,
    enum acme_timing_item item, const char *const *word, size_t nwords,
    struct acme_error *err);

/* What `narrow` does not say is taken from `wide`. */
void acme_timing_merge(struct acme_timing *narrow,
    const struct acme_timing *wide);

bool acme_timing_equal(const struct acme_timing *a,
    const struct acme_timing *b);

/* "auto", "always", "manual". */
const char *acme_renew_mode_name(enum acme_renew_mode mode);

/* The word that says an item so, in its shortest form: "33%", "1800s".  "": it
 * was not said. */
#define ACME_TIMING_TEXT 24
const char *acme_timing_text(const struct acme_timing *timing,
    enum acme_timing_item item, char text[ACME_TIMING_TEXT]);

/* The JSON form has what was said alone; a missing object (NULL) is as good
 * as an empty one.  ACME_WIRE: malformed. */
struct acme_json *acme_timing_render(const struct acme_timing *timing);
enum acme_rc acme_timing_parse(const struct acme_json *json,
    struct acme_timing *timing, struct acme_error *err);

#endif

/* Orders that acmectl works at itself, with a store and an engine of its own.
 */
#ifndef ACME_CTL_ALONE_H
#define ACME_CTL_ALONE_H

#include <time.h>

#include "acmectl/ctl.h"

/* What a person at a terminal sees of work that takes time. */
struct ctl_progress {
    struct ctl *ctl;
    const char *what; /* "renewing" */
    const char *of;   /* which one */
    time_t since;
};

/* The line with the seconds; called once a second with a struct
 * ctl_progress. */
void ctl_progress_tick(void *progress);

/* Before anything else is said. */
void ctl_progress_clear(void);

struct ctl_alone {
    struct ctl_progress progress; /* ->ctl and ->what are set */
    struct acme_config *config;   /* of these lineages, not yet finished */
    const char *state_dir;
    unsigned flags; /* ACME_RENEW_... */
    bool servers;   /* one runs, and answers for us */
    bool asks;      /* a person is there who proves names by hand */
    void (*done)(void *ctx, size_t lineage, bool ok, const char *text);
    void *ctx;
};

/*
 * Has all lineages of the configuration ordered.  What becomes of each is told
 * to `done`; CTL_FAILED, with a message: nothing could be begun.
 */
int ctl_alone_run(struct ctl_alone *alone);

#endif

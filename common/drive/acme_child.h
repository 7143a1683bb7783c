/*
 * What store and engine have in common as processes: they were forked by the
 * supervisor, have a few descriptors and no others, log by messages to the
 * supervisor, and stop when their stop pipe closes (which it also does when
 * the supervisor dies).  No signal is needed and none is handled.
 */
#ifndef ACME_CHILD_H
#define ACME_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_host.h"

/* Descriptors of a child; -1 where it has none. */
struct acme_child {
    int stop;    /* end of file: stop; store, a byte before it: for good */
    int log;     /* lines to the supervisor */
    int frame;   /* the pair between store and engine */
    int ready;   /* store, first life: closed when the area is filled */
    int wake[2]; /* engine: what acme_child_wake() writes to */
    int runner;  /* engine, store: their ends of pairs with the runner */
    int store;   /* runner: its end of the pair with the store */
    int ask;     /* runner: to who can ask a person */
    /* engine: its end of a pair with who listens in a server's place */
    int standalone;
};

/*
 * In a fresh fork: default signals (those that servers are controlled by are
 * ignored: `killall -HUP nginx` must not hit us), no descriptor but `keep`,
 * the standard ones on /dev/null, our name in `ps -o comm`.
 */
void acme_child_begin(const char *comm, const int *keep, size_t nkeep);

/* Closes all descriptors but those; -1 in `keep` is skipped. */
void acme_child_close_others(const int *keep, size_t nkeep);

/* log, real clock, wait on the stop pipe.  Borrows `child`. */
struct acme_host acme_child_host(struct acme_child *child);

/* When there is something of the stop pipe: true, that the server ends for
 * good, and the stop comes later; or that was the stop. */
bool acme_child_is_last(const struct acme_child *child);

/* Like the host's wait(), but also ends early, with true, when a frame is
 * there or acme_child_wake() was called, by whatever thread; ctx is the struct
 * acme_child. */
bool acme_child_idle(void *ctx, unsigned ms);
void acme_child_wake(void *ctx);
/* Makes acme_child_wake() possible. */
bool acme_child_open_wake(struct acme_child *child);

/* ---- the supervisor's side of the lines ------------------------------- */

/* A socket pair for lines: [0] is read, [1] is the children's. */
bool acme_child_log_pair(int fds[2]);

/* Passes on all lines that are there, made clean once more. */
void acme_child_log_drain(int fd,
    void (*log)(void *ctx, enum acme_level level, const char *line),
    void *ctx);

#endif

/*
 * Private directories of programs that are run more than once for the same
 * thing: what the one that makes a record leaves there, the one that takes it
 * away finds.  They are outside of the state directory, in a place that only
 * we (or root) can write to, and go with a restart of the machine.
 */
#ifndef ACME_WORKDIR_H
#define ACME_WORKDIR_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/acme_error.h"

struct acme_workdir {
    int base; /* -1: not open */
    char path[PATH_MAX];
};

/* Opens the place, and makes it where it is missing: below /run for root,
 * below /tmp for others or where /run cannot be used.  ACME_IO. */
enum acme_rc acme_workdir_open(struct acme_workdir *dir,
    struct acme_error *err);
void acme_workdir_close(struct acme_workdir *dir);

/* The directory `id` (a file name of ours), mode 0700, of that user (root may
 * give it away).  Its path into `path`. */
enum acme_rc acme_workdir_make(const struct acme_workdir *dir, const char *id,
    uid_t uid, gid_t gid, char path[PATH_MAX], struct acme_error *err);

/* Makes the file `name` in it, of the same user. */
enum acme_rc acme_workdir_put(const struct acme_workdir *dir, const char *id,
    const char *name, const void *data, size_t len, uid_t uid, gid_t gid,
    struct acme_error *err);

/* Removes it with all that is in it; follows no link. */
void acme_workdir_remove(const struct acme_workdir *dir, const char *id);

/* Removes those that nobody has used for `age` seconds. */
void acme_workdir_sweep(const struct acme_workdir *dir, time_t age);

#endif

/*
 * A file of lines that several processes append to, which never gets large:
 * older ones are kept beside it, and the oldest goes.  A line is written by
 * one call; one that a crash has torn ends where the next begins.
 */
#ifndef ACME_JOURNAL_H
#define ACME_JOURNAL_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

struct acme_journal {
    int dirfd;               /* of its directory */
    uid_t owner;             /* of its files */
    const char *const *file; /* their names, the newest first */
    size_t nfiles;
    size_t max; /* bytes in one */
};

/* An open one of them. */
struct acme_journal_file {
    const char *path;
    int fd; /* -1: there is none */
    struct stat st;
};

/* ACME_OK too where there is none.  ACME_IO: it cannot be opened with these
 * flags, or is no regular file of the owner's alone. */
enum acme_rc acme_journal_open(const struct acme_journal *journal,
    const char *path, int flags, struct acme_journal_file *file,
    struct acme_error *err);

/*
 * Writes `line`, which has an end of line before it and behind it; mode 0600.
 * The caller holds a lock that all writers share.  ACME_IO: with the file.
 */
enum acme_rc acme_journal_append(const struct acme_journal *journal,
    const struct acme_buf *line, struct acme_error *err);

#endif

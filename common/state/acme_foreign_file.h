/*
 * The door to directories of other ACME clients: files, lists and the texts of
 * links are read, nothing is followed or changed.  Everything on the way
 * belongs to root or the caller and can be written by nobody else, be it only
 * because the directory is closed to all others: what is taken over decides
 * which keys are served and which programs are run. Blocks on the disk.
 */
#ifndef ACME_FOREIGN_FILE_H
#define ACME_FOREIGN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_dir.h"

struct acme_foreign_place {
    int fd;
    const char *path; /* as it was given, without slashes at its end */
    uid_t owner;      /* whose files are read, beside root's */
    bool closed;      /* nobody else gets to what is in it */
    size_t left;      /* bytes that may still be read of it */
};

/* `path` is absolute and outlives it.  `anybodys`: its owner need be neither
 * root nor the caller, where that is a server's user who has made what is in
 * it.  ACME_NOENT, ACME_IO: what is wrong. */
enum acme_rc acme_foreign_file_open(const char *path, bool anybodys,
    struct acme_foreign_place *place, struct acme_error *err);
void acme_foreign_file_close(struct acme_foreign_place *place);

/* Appends a file's bytes; *at (may be NULL) is when it was written. */
enum acme_rc acme_foreign_file_read(struct acme_foreign_place *place,
    const char *path, struct acme_buf *out, time_t *at,
    struct acme_error *err);

/* What is in a directory below, in byte order.  One that is not there has
 * nothing in it. */
enum acme_rc acme_foreign_file_list(const struct acme_foreign_place *place,
    const char *path, struct acme_dir_names *names, struct acme_error *err);

/* Whether nobody else could have written what is there, or put it there: for
 * what others have read.  ACME_IO, ACME_NOENT. */
enum acme_rc acme_foreign_file_judge(const struct acme_foreign_place *place,
    const char *path, struct acme_error *err);

/* The type of what is there (S_IFREG, ...), with its permissions; 0: nothing,
 * or nothing that can be looked at.  A link is a link. */
mode_t acme_foreign_file_mode(const struct acme_foreign_place *place,
    const char *path);

/*
 * Where the link at `path` leads, by its text alone, as a path below `place`
 * again.  ACME_IO: it is no link, or leads out of the directory.
 */
enum acme_rc acme_foreign_file_link(const struct acme_foreign_place *place,
    const char *path, char *out, size_t size, struct acme_error *err);

/*
 * "/etc/letsencrypt/live/x", found in a file, as a path below `place`, which
 * may stand elsewhere now: `home` is where it stood then (NULL: not known).
 * False: it is not below either.
 */
bool acme_foreign_file_below(const struct acme_foreign_place *place,
    const char *home, const char *path, char *out, size_t size);

#endif

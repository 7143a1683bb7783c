/*
 * tar archives (ustar, and GNU's long names) of plain files and symbolic
 * links, as `backup` writes and `restore` reads them.  Anything else in an
 * archive (hard links, devices, sparse files, pax headers) is refused by the
 * reader.  What a name means is not known here, nor is anything ever made of
 * one.
 */
#ifndef ACME_TAR_H
#define ACME_TAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

#define ACME_TAR_NAME_MAX 4096 /* with its NUL; of a link's target, too */
#define ACME_TAR_BLOCK 512

enum acme_tar_kind {
    ACME_TAR_FILE,
    ACME_TAR_LINK,
    ACME_TAR_DIRECTORY
};

struct acme_tar_entry {
    enum acme_tar_kind kind;
    char name[ACME_TAR_NAME_MAX];
    char target[ACME_TAR_NAME_MAX]; /* of a link */
    mode_t mode;
    time_t mtime;
    uint64_t size; /* of a file's content, which comes next */
};

/* Appends the header of an entry, and, for a file, its content (entry->size
 * bytes) up to the next whole block. */
enum acme_rc acme_tar_add(struct acme_buf *out,
    const struct acme_tar_entry *entry, const void *content,
    struct acme_error *err);

/* Appends what ends an archive. */
void acme_tar_end(struct acme_buf *out);

/* Reads `len` bytes that follow; false: there are not so many. */
typedef bool acme_tar_read(void *ctx, void *out, size_t len);

/*
 * The next entry.  ACME_NOENT: that was the end.  ACME_WIRE: this is no tar
 * archive, it ends too early, or there is something in it that is refused, by
 * name (printable).  A file's content must be read before the next call, with
 * acme_tar_content().
 */
enum acme_rc acme_tar_next(acme_tar_read *read, void *ctx,
    struct acme_tar_entry *entry, struct acme_error *err);

/* Appends the content of a file of at most `max` bytes; ACME_WIRE. */
enum acme_rc acme_tar_content(acme_tar_read *read, void *ctx,
    const struct acme_tar_entry *entry, size_t max, struct acme_buf *out,
    struct acme_error *err);

#endif

/*
 * What of a state directory goes into a backup, as a tar archive, and comes
 * back out of one.  Not in it: orders in flight, locks, descriptions of
 * servers, events, ledgers, and renewal-hooks/, which has programs.
 *
 * An archive is a stranger's until every entry has been looked at: names are
 * those of a list, files are regular and small, the only links are those of
 * live/, modes and owners are ours, and what is a key, a certificate or JSON
 * is parsed and written anew.
 */
#ifndef ACME_STORE_BACKUP_H
#define ACME_STORE_BACKUP_H

#include <stdbool.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_store.h"
#include "state/acme_tar.h"

struct acme_backup {
    struct acme_store *store;
    bool no_keys;     /* no private key of anything */
    bool no_accounts; /* nor accounts, nor their keys */
    /* Takes the lock of a lineage, which is closed when it is through. */
    enum acme_rc (
        *lock)(void *ctx, const char *name, int *fd, struct acme_error *err);
    /* Takes bytes of the archive. */
    enum acme_rc (
        *put)(void *ctx, const void *data, size_t len, struct acme_error *err);
    void *ctx;
    /* counted: */
    size_t nlineages, nversions, nkeys;
};

/* Writes an archive.  ACME_BUSY: of lock(); what put() returns; ACME_IO. */
enum acme_rc acme_store_backup(struct acme_backup *backup,
    struct acme_error *err);

/* ---- the way back ----------------------------------------------------- */

struct acme_restore;

/* store NULL: nothing is written, all is looked at.  NULL: out of memory. */
struct acme_restore *acme_restore_new(struct acme_store *store);
void acme_restore_free(struct acme_restore *restore); /* accepts NULL */

/*
 * Takes one entry.  ACME_REFUSED: it must not be in a backup, by name: then
 * nothing of the archive is to be believed.  ACME_BUSY: somebody works on that
 * lineage.  A version that is damaged or has no key is left out, and told.
 */
enum acme_rc acme_restore_take(struct acme_restore *restore,
    const struct acme_tar_entry *entry, const struct acme_buf *content,
    struct acme_error *err);

/* The largest content of an entry. */
#define ACME_RESTORE_FILE_MAX (256 * 1024)

/* The archive is through: live links are set.  ACME_REFUSED: it was none of
 * ours. */
enum acme_rc acme_restore_end(struct acme_restore *restore,
    struct acme_error *err);

/* What came of it: lineages with a certificate, versions, account keys, and
 * what was left out, a line each (borrowed). */
struct acme_restored {
    size_t nlineages, nversions, nkeys;
    const char *left_out;
};
void acme_restore_result(const struct acme_restore *restore,
    struct acme_restored *result);

#endif

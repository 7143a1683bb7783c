/*
 * Directories of other ACME clients: whose one is, and the accounts in it,
 * read and never changed.  Where a client keeps what is known here; what is in
 * its files acme_foreign_account.h knows.  Blocks on the disk.
 */
#ifndef ACME_FOREIGN_DIR_H
#define ACME_FOREIGN_DIR_H

#include <stddef.h>

#include "base/acme_error.h"
#include "state/acme_foreign_account.h"

/* All accounts of a directory, in the order of their places. */
struct acme_foreign_accounts {
    enum acme_foreign_client client;
    size_t n;
    struct acme_foreign_account *list;
};

void acme_foreign_accounts_clear(struct acme_foreign_accounts *accounts);

/* Moves an account behind the others, which leaves an empty one; `from`, the
 * file of its key, is copied.  ACME_CONFIG: there are too many. */
enum acme_rc acme_foreign_accounts_add(struct acme_foreign_accounts *accounts,
    struct acme_foreign_account *account, const char *from,
    struct acme_error *err);

/*
 * Reads the accounts of a client's directory: Certbot's or lego's with its
 * accounts/ in it, acme.sh's with ca/, uacme's with private/, mod_md's with
 * md_store.json, nginx's module's with account.key; or the directory of one
 * account of Certbot's, lego's or acme.sh's, anywhere below these names.
 *
 * `path` is absolute and may have links in it.  All that is read belongs to
 * the owner of that directory (what of mod_md's, to the caller), is regular,
 * and is reached through no links but those of Certbot's that lead elsewhere
 * in its accounts/.  It is all or nothing: ACME_CONFIG or ACME_IO name the
 * first file that is no use, and why.  ACME_NOENT: it is no such directory, or
 * there is no account in it.
 */
enum acme_rc acme_foreign_accounts_read(const char *path,
    struct acme_foreign_accounts *accounts, struct acme_error *err);

#endif

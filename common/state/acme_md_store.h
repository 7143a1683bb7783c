/*
 * What Apache's mod_md has on disk (its MDStoreDir), read and never changed:
 * accounts, and of each of its domains the certificates that were activated,
 * with the archived ones.  What waits in staging/ for a restart is not looked
 * into: the server's user could have written it.  Knows nothing of what is
 * made of it.
 *
 * First bytes are read, by who may, and all of them must be the caller's own
 * or root's who is the caller, in directories that nobody else can write; they
 * are looked into afterwards, behind a sandbox if there is one.  Blocks on the
 * disk.
 */
#ifndef ACME_MD_STORE_H
#define ACME_MD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_error.h"
#include "state/acme_dir.h"
#include "wrap/acme_json.h"
#include "wrap/acme_x509.h"

struct acme_md_store;

/* Whether a directory is one.  Opens nothing. */
bool acme_md_store_is(const char *path);

/* ---- reading bytes ---------------------------------------------------- */

/* ACME_NOENT: it is none.  ACME_IO: who else could have written it. */
enum acme_rc acme_md_store_open(const char *path, struct acme_md_store **store,
    struct acme_error *err);
void acme_md_store_free(struct acme_md_store *store); /* accepts NULL */

/* No more is read; what was can be looked into now. */
void acme_md_store_close(struct acme_md_store *store);

/* The names of all domains: that of a domain is the first of its names. */
enum acme_rc acme_md_store_domains(const struct acme_md_store *store,
    struct acme_dir_names *names, struct acme_error *err);

/* Whether a renewal of a domain waits for a restart in staging/. */
bool acme_md_store_is_staged(const struct acme_md_store *store,
    const char *name);

/* Takes in what there is of all accounts.  What of one cannot be read is told
 * by acme_md_store_account(). */
enum acme_rc acme_md_store_read_accounts(struct acme_md_store *store,
    struct acme_error *err);

/*
 * Takes in the certificates of a domain, and of its archived ones the newest
 * `history`.  ACME_NOENT: there is no certificate.  ACME_IO: what cannot be
 * read of the current one; an archived one is left out then.
 */
enum acme_rc acme_md_store_read_domain(struct acme_md_store *store,
    const char *name, unsigned history, struct acme_error *err);

/* ---- looking into them ------------------------------------------------ */

/* An account; texts are the store's. */
struct acme_md_account {
    const char *name;                /* "ACME-acme.example-0000" */
    const char *directory;           /* of its CA */
    const char *url;                 /* there; NULL: not known */
    const struct acme_json *contact; /* an array, or NULL */
    const char *eab_kid;  /* NULL: without external account binding */
    bool valid;           /* as far as mod_md knows */
    struct acme_key *key; /* a reference of the account's */
};
void acme_md_account_clear(struct acme_md_account *account);

size_t acme_md_store_accounts(const struct acme_md_store *store);
/* ACME_IO: which file is no use, and why. */
enum acme_rc acme_md_store_account(struct acme_md_store *store, size_t i,
    struct acme_md_account *account, struct acme_error *err);

/* One certificate of a domain's for each type of key. */
struct acme_md_set;

/* Those that were read of a domain: the current one is the first, archived
 * ones follow, newest first.  NULL: no more. */
const struct acme_md_set *acme_md_store_set(const struct acme_md_store *store,
    const char *name, size_t i);

/* "domains/a.test", "archive/a.test.7" */
const char *acme_md_set_path(const struct acme_md_set *set);

/* The directory URL of the CA that it was ordered from; "" if that is not
 * known. */
void acme_md_set_issuer(const struct acme_md_set *set,
    char issuer[ACME_URL_MAX]);

/* Its md.json, or nothing; and when its first certificate was written. */
const struct acme_buf *acme_md_set_json(const struct acme_md_set *set);
time_t acme_md_set_time(const struct acme_md_set *set);

size_t acme_md_set_pairs(const struct acme_md_set *set);
/* ACME_IO: which file is no use, and why.  Whether key and chain fit is not
 * looked at. */
enum acme_rc acme_md_set_pair(const struct acme_md_set *set, size_t i,
    struct acme_key **key, struct acme_chain **chain, struct acme_error *err);

#endif

/*
 * Accounts as other ACME clients keep them: each client's few files turned
 * into what we need to know, a key, a CA and a URL.  The bytes are handed in
 * (acme_foreign_dir.h reads them); what is made of the account is the
 * caller's.  Nothing here opens anything.
 */
#ifndef ACME_FOREIGN_ACCOUNT_H
#define ACME_FOREIGN_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"
#include "wrap/acme_key.h"

enum acme_foreign_client {
    ACME_FOREIGN_FILE,    /* a key alone, PEM or JWK */
    ACME_FOREIGN_CERTBOT, /* accounts/HOST/PATH/ID/private_key.json ... */
    ACME_FOREIGN_UACME,   /* private/key.pem */
    ACME_FOREIGN_LEGO,    /* accounts/HOST/MAIL/keys/MAIL.key ... */
    ACME_FOREIGN_ACME_SH, /* ca/HOST/PATH/account.key ... */
    ACME_FOREIGN_MOD_MD,  /* accounts/NAME/account.pem ... */
    ACME_FOREIGN_NGINX,   /* account.key, of nginx's own module */
    ACME_FOREIGN_CLIENTS
};

/* "Certbot"; for messages. */
const char *acme_foreign_client_name(enum acme_foreign_client client);

/* The files of one account.  Those that a client does not have, or that are
 * not there, are NULL. */
struct acme_foreign_files {
    enum acme_foreign_client client;
    const char *place; /* below accounts/ or ca/: "acme.test/dir", or NULL */
    const struct acme_buf *key;  /* private_key.json, *.key, *.pem */
    const struct acme_buf *json; /* regr.json, account.json */
    const struct acme_buf *more; /* meta.json, ca.conf */
};

struct acme_foreign_account {
    enum acme_foreign_client client;
    char *from;           /* its key's file, as acme_foreign_dir.h found it;
                             NULL: not known here */
    struct acme_key *key; /* a reference of the account's */
    /* "" where the client does not say: the CA knows the account by its key,
     * and whoever imports it knows the CA. */
    char directory[ACME_URL_MAX];
    char url[ACME_URL_MAX];
    size_t ncontacts;
    char *contact[ACME_CONTACTS_MAX]; /* "mailto:a@b.test" */
    time_t created;                   /* 0: not known */
    bool dead; /* deactivated or revoked, as far as the client knows */
};

/* Neither NULL nor cleared twice does harm. */
void acme_foreign_account_clear(struct acme_foreign_account *account);

/*
 * Makes an account of its files.  The directory of a CA that is known by the
 * host of the account's URL is filled in (lego); URLs are https URLs that may
 * be used as such.  ACME_CONFIG says what is wrong with which file, without
 * quoting what is in it: a key that is encrypted, of a type that cannot be
 * used or cut off, JSON that is none, a URL that is none.
 */
enum acme_rc acme_foreign_account_parse(const struct acme_foreign_files *files,
    struct acme_foreign_account *account, struct acme_error *err);

/*
 * Whether an account can be one at the CA of this directory: what the client
 * says of directory and URL, if anything, is that directory, and a URL of its
 * host.  ACME_CONFIG says whose it is.
 */
enum acme_rc acme_foreign_account_is_at(
    const struct acme_foreign_account *account, const char *directory,
    struct acme_error *err);

#endif

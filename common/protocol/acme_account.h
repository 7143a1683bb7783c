/*
 * Accounts (RFC 8555 7.3): found by key or created, the terms accepted only
 * with the operator's consent.
 */
#ifndef ACME_ACCOUNT_H
#define ACME_ACCOUNT_H

#include "protocol/acme_binding.h"
#include "protocol/acme_client.h"

struct acme_account_wish {
    const char *const *contacts; /* mailto: URLs */
    size_t ncontacts;
    bool terms_accepted;
    /* Fills the external account binding into `binding`, which is empty;
     * called only when an account is to be made.  NULL: there is none. */
    enum acme_rc (*bind)(void *ctx, struct acme_binding *binding,
        struct acme_error *err);
    /* Asked right before that; an error is the result.  NULL: no questions. */
    enum acme_rc (*may_make)(void *ctx, struct acme_error *err);
    void *ctx; /* of both */
};

/*
 * Makes sure that the client has an account URL, in this order: the one it
 * already has, if the CA still knows it (one request); the account of its key
 * at the CA (onlyReturnExisting, RFC 8555 7.3.1); a new one.  ACME_CONFIG when
 * the CA has terms, no account exists and they are not accepted: the message
 * names the terms' URL (so does err->instance) and the directives; when a new
 * account needs an external account binding and none is configured, or the CA
 * does not take the one there is; when it does not take the contacts; when the
 * account is deactivated or revoked.
 * *origin tells whether the URL is new to us (so that it is stored).  Blocks.
 */
enum acme_account_origin {
    ACME_ACCOUNT_KNOWN, /* the client had its URL */
    ACME_ACCOUNT_FOUND, /* by its key */
    ACME_ACCOUNT_MADE   /* as wished for */
};
enum acme_rc acme_account_ensure(struct acme_client *client,
    const struct acme_account_wish *wish, enum acme_account_origin *origin,
    struct acme_error *err);

/*
 * RFC 8555 7.3.2: the account has these contacts from now on; none: an empty
 * list.  The client must have an account.  Blocks.
 */
enum acme_rc acme_account_set_contacts(struct acme_client *client,
    const char *const *contacts, size_t ncontacts, struct acme_error *err);

/* The account as the CA has it (POST-as-GET): a new reference to its object,
 * whose "status" and "contact" are the CA's texts.  Blocks. */
enum acme_rc acme_account_get(struct acme_client *client,
    struct acme_json **account, struct acme_error *err);

/*
 * RFC 8555 7.3.6: the account is no use any more, nor is its key at this CA.
 * ACME_OK: the CA has confirmed it.  Blocks.
 */
enum acme_rc acme_account_deactivate(struct acme_client *client,
    struct acme_error *err);

/*
 * RFC 8555 7.3.5: the account, which the client must have, is that of another
 * key from now on, which the client has then too (a new reference).  On an
 * error the client has the old one; whether the CA has changed its mind before
 * an answer was lost, acme_account_find() tells.  ACME_CONFIG: the new key has
 * an account of its own at this CA.  ACME_NOENT: the CA cannot do it.  Blocks.
 */
enum acme_rc acme_account_rekey(struct acme_client *client,
    struct acme_key *new_key, struct acme_error *err);

/* RFC 8555 7.3.1: the account of the client's key, if the CA knows one; it is
 * the client's then, else the client has none.  Blocks. */
enum acme_rc acme_account_find(struct acme_client *client, bool *found,
    struct acme_error *err);

/* Whether a CA has said no to contacts, rather than to the request or the
 * account: it will say so again. */
bool acme_account_refuses_contacts(const struct acme_error *err);

#endif

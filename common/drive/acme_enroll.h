/*
 * An issuer's account, ready to be used: its key and URL out of the state
 * directory, found or made at the CA, and what is new about it stored.
 */
#ifndef ACME_ENROLL_H
#define ACME_ENROLL_H

#include "base/acme_host.h"
#include "drive/acme_vault.h"
#include "protocol/acme_account.h"
#include "state/acme_issuer.h"

/* All of it is borrowed. */
struct acme_enroll {
    const struct acme_host *host;
    struct acme_vault *vault;
    struct acme_client *client; /* gets key and account */
    const struct acme_issuer *issuer;
    size_t index; /* of the issuer, for the vault */
};

/*
 * RFC 8555 7.3: afterwards the client has a key and an account that the CA
 * knows.  Makes both if need be, with what the issuer's settings say of
 * contacts, terms and binding.  Errors as of acme_account_ensure(), and of the
 * store; contacts that could not be told are none.  Logs an account that is
 * new.  Blocks.
 */
enum acme_rc acme_enroll(const struct acme_enroll *what,
    struct acme_error *err);

/*
 * The same at the CA alone, with a key that the client has: nothing of it is
 * stored, but what limits of new accounts it has used.  Blocks.
 */
enum acme_rc acme_enroll_make(const struct acme_enroll *what,
    enum acme_account_origin *origin, struct acme_error *err);

/*
 * Tells the CA of the contacts, if the configuration says something new of
 * them; the client must have its account.  What the CA does not take is logged
 * and not said again.  Blocks.
 */
enum acme_rc acme_enroll_contacts(const struct acme_enroll *what,
    struct acme_error *err);

/* Both, as an errand: acme_crew_errand. */
enum acme_rc acme_enroll_refresh(const struct acme_enroll *what, void *ctx,
    struct acme_error *err);

#endif

/*
 * Revocations that acmectl asks for, by the engine's process instead of its
 * usual work: one after the other, each told of when the store has noted it.
 */
#ifndef ACME_REVOKER_H
#define ACME_REVOKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_host.h"
#include "drive/acme_crew.h"
#include "drive/acme_vault.h"
#include "protocol/acme_revoke.h"
#include "state/acme_config.h"

struct acme_revocation {
    size_t issuer;            /* the CA it came from */
    struct acme_chain *chain; /* its leaf is meant */
    struct acme_key *key;     /* the certificate's; NULL: not there */
    bool by_key;              /* sign with that, not by the account */
    enum acme_reason reason;
};

/* All of it is borrowed. */
struct acme_revoker {
    const struct acme_config *config;
    const struct acme_host *host;
    struct acme_vault *vault;
    struct acme_network network;
};

/*
 * Revokes all of `list`; entry i is answered as question i + 1
 * (acme_vault_done()).  The account signs, or, where there is none or the CA
 * does not take its word, the certificate's key if it is there.  ACME_IO: the
 * store is gone.  Blocks.
 */
enum acme_rc acme_revoker_run(const struct acme_revoker *revoker,
    const struct acme_revocation *list, size_t n, struct acme_error *err);

#endif

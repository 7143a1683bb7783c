/*
 * What acmectl asks for about one account, by the engine's process instead of
 * its usual work.
 */
#ifndef ACME_REGISTRAR_H
#define ACME_REGISTRAR_H

#include "drive/acme_crew.h"
#include "state/acme_store.h"

enum acme_account_action {
    ACME_ACCOUNT_SHOW,   /* what the CA knows of it */
    ACME_ACCOUNT_UPDATE, /* it gets the issuer's contacts */
    ACME_ACCOUNT_DEACTIVATE,
    ACME_ACCOUNT_REKEY /* see acme_rekeyer.h */
};

/* The account of issuer 0; of REKEY: of each. */
struct acme_account_work {
    enum acme_account_action action;
    char id[ACME_KEY_ID_LEN + 1]; /* of its key, or nothing is done */
    struct acme_rekey rekey;      /* of REKEY, instead of id */
    bool resumed;                 /* it was begun by somebody before us */
};

/*
 * Does it and answers question 1 (acme_vault_done()); the text of SHOW has the
 * account's status in its first line and a contact in each other.  No account
 * is ever made.  ACME_IO: the store is gone.  Blocks.
 */
enum acme_rc acme_registrar_run(const struct acme_crew_conf *conf,
    const struct acme_account_work *work, struct acme_error *err);

#endif

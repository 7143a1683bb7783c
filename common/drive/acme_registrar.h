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
    ACME_ACCOUNT_REKEY, /* see acme_rekeyer.h */
    ACME_ACCOUNT_FIND,  /* that of a key, if the CA knows one */
    ACME_ACCOUNT_MAKE   /* the same, or a new one, as the issuer says */
};

/* The first line of what is said of FIND and MAKE. */
#define ACME_ACCOUNT_THERE "found"
#define ACME_ACCOUNT_NEW "made"
#define ACME_ACCOUNT_NONE "none"
#define ACME_ACCOUNT_CONTACT "contact" /* a failure: the CA wants another */

/* The account of issuer 0; of REKEY: of each. */
struct acme_account_work {
    enum acme_account_action action;
    char id[ACME_KEY_ID_LEN + 1]; /* of its key, or nothing is done */
    struct acme_key *key;         /* of FIND and MAKE, instead of id */
    struct acme_rekey rekey;      /* of REKEY, instead of id */
    bool resumed;                 /* it was begun by somebody before us */
};

/*
 * Does it and answers question 1 (acme_vault_done()); the text of SHOW has the
 * account's status in its first line and a contact in each other.  That of
 * FIND and MAKE has a word of those above, and then the account's URL; of NONE
 * the URL of the CA's terms, if it has any, and then, if the CA wants an
 * external account binding, a word for it.  Only MAKE makes an account;
 * nothing of it or of its key is stored.  ACME_IO: the store is gone.  Blocks.
 */
enum acme_rc acme_registrar_run(const struct acme_crew_conf *conf,
    const struct acme_account_work *work, struct acme_error *err);

#endif

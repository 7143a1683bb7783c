/*
 * Another key for an account at every CA that knows it (RFC 8555 7.3.5), for
 * acmectl, by the engine's process instead of its usual work.  The store has
 * both keys and says what is on the way (acme_store_rekey_begin()).
 */
#ifndef ACME_REKEYER_H
#define ACME_REKEYER_H

#include "drive/acme_registrar.h"

/* The first line of what is said of a failure. */
#define ACME_REKEY_AS_BEFORE "as before" /* every account has the old key */
#define ACME_REKEY_UNSETTLED "unsettled" /* of some that is not known */

/*
 * The accounts of all issuers get the key work->rekey.to, or, when one CA does
 * not take it, all have work->rekey.from again.  Each CA is asked first which
 * key it knows, so what was interrupted is gone on with.  Answers question 1
 * (acme_vault_done()); a failure's text has one of the words above in its
 * first line.  ACME_IO: the store is gone.  Blocks.
 */
enum acme_rc acme_rekeyer_run(const struct acme_crew_conf *conf,
    const struct acme_account_work *work, struct acme_error *err);

#endif

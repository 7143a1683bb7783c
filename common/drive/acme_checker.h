/*
 * Looks at records in the DNS for acmectl, by the engine's process instead of
 * its usual work.  What they should be is known before; nothing is changed.
 */
#ifndef ACME_CHECKER_H
#define ACME_CHECKER_H

#include "drive/acme_vault.h"
#include "state/acme_issue.h"
#include "state/acme_proof.h"
#include "wrap/acme_dns.h"

struct acme_record_check {
    bool caa; /* of `name`, and not the record of a challenge: */
    enum acme_challenge_type type;
    const char *name;  /* of a certificate */
    const char *owner; /* of the record */
    const struct acme_proof *proof;
    struct acme_caa_wish wish;   /* of CAA */
    struct acme_persist persist; /* of dns-persist-01 */
};

struct acme_checker {
    const struct acme_host *host;
    struct acme_vault *vault;
    const struct acme_dns_servers *resolver; /* the host's */
};

/*
 * Looks at each and answers question 1, 2, ... (acme_vault_done()): whether it
 * is good, and text for people.  ACME_IO: the store is gone.  Blocks.
 */
enum acme_rc acme_checker_run(const struct acme_checker *checker,
    const struct acme_record_check *list, size_t n, struct acme_error *err);

#endif

/* The store as a process: everything until exit. */
#ifndef ACME_STORE_PROCESS_H
#define ACME_STORE_PROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "drive/acme_checker.h"
#include "drive/acme_child.h"
#include "drive/acme_registrar.h"
#include "drive/acme_revoker.h"
#include "drive/acme_selftest.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

/* acmectl's questions, put to the engine instead of a control socket's: these
 * lineages are renewed (or tried: ACME_RENEW_TRIAL), or else certificates
 * revoked. */
struct acme_store_errand {
    const size_t *lineages;
    size_t nlineages;
    unsigned flags;
    const struct acme_revocation *revocation; /* known to the engine */
    size_t nrevocations;
    const struct acme_account_work *account; /* or this; NULL: not */
    const struct acme_record_check *check;   /* or the DNS is asked */
    size_t nchecks;
    const struct acme_selftest_work *selftest; /* or this; NULL: not */
    bool sweep;  /* or nothing is asked, and the engine says when it is done */
    int answers; /* frames {DONE: index, ok, text} are written here */
};

enum {
    ACME_EXIT_STOPPED = 0,  /* asked to */
    ACME_EXIT_UNUSABLE = 3, /* the state directory can't be used now */
    ACME_EXIT_BAD_PEER = 4, /* the engine sent what it may not */
    ACME_EXIT_PEER_GONE = 5,
    ACME_EXIT_FAILED = 6
};

/*
 * Does not return.  `errand` NULL: a server's store.  settle_ms: so long the
 * store of an older configuration may be at the end of its work, which this
 * one looks for more often.
 */
void acme_store_process(const struct acme_config *config,
    struct acme_area *area, struct acme_child *child,
    const struct acme_store_errand *errand, unsigned settle_ms)
    __attribute__((noreturn));

#endif

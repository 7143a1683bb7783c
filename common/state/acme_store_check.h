/*
 * What is wrong below a state directory, in words, and the repair of what has
 * one right answer: modes, what a crash left half-made, a live link that
 * leads nowhere while a sound version is served.  What somebody may have
 * meant, or planted, is told and never touched.  Blocks on the disk; never on
 * the network.
 */
#ifndef ACME_STORE_CHECK_H
#define ACME_STORE_CHECK_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "base/acme_error.h"
#include "state/acme_store.h"

/* What a finding is about: a word each, for programs. */
enum acme_ailment {
    ACME_AILMENT_MODE,      /* more, or less, is allowed than should be */
    ACME_AILMENT_OWNER,     /* of somebody else */
    ACME_AILMENT_PLANTED,   /* a link, FIFO, device where none can be */
    ACME_AILMENT_TEMPORARY, /* of a writer that crashed */
    ACME_AILMENT_DAMAGED,   /* cannot be read */
    ACME_AILMENT_UNKNOWN,   /* nothing of ours */
    ACME_AILMENT_ORPHAN,    /* of a lineage that there is not */
    ACME_AILMENT_PENDING,   /* a version that was not switched to */
    ACME_AILMENT_LIVE,      /* the live link */
    ACME_AILMENT_VERSION,   /* files of one version */
    ACME_AILMENT_KEY,       /* an account's key */
    ACME_AILMENT_LOCKED,    /* somebody is at work there: not looked at */
    ACME_AILMENTS
};

/* "mode", "owner", ... */
const char *acme_ailment_word(enum acme_ailment ailment);

struct acme_finding {
    enum acme_ailment ailment;
    bool wrong;       /* else it is only worth knowing */
    bool repaired;    /* it was wrong */
    char path[300];   /* below the state directory, printable; "" itself */
    char what[512];   /* printable: what is the matter */
    const char *cure; /* what to do; "" nothing */
};

/* `finding` is borrowed.  What it returns ends the check unless ACME_OK. */
typedef enum acme_rc acme_finding_visit(void *ctx,
    const struct acme_finding *finding, struct acme_error *err);

struct acme_store_check {
    struct acme_store *store; /* opened for writing if it is to repair */
    bool repair;
    time_t now;
    acme_finding_visit *visit;
    void *ctx;
    /* counted: */
    size_t nobjects;
    size_t nlineages;
    size_t nversions;
};

/*
 * Looks at every object: its kind, owner and mode, whether it belongs there,
 * whether JSON is JSON.  Trouble is a finding; ACME_NOMEM, ACME_IO when
 * the directory itself cannot be listed.
 */
enum acme_rc acme_store_check_objects(struct acme_store_check *check,
    struct acme_error *err);

/*
 * Looks at every lineage: settings, each version (pairs; that cert.pem and
 * chain.pem are what fullchain.pem is), the live link.  A repair takes the
 * lineage's lock; one that is busy is left to who has it, and told.
 */
enum acme_rc acme_store_check_lineages(struct acme_store_check *check,
    struct acme_error *err);

/* Looks at accounts, their keys, and orders whose challenges nobody can
 * answer. */
enum acme_rc acme_store_check_accounts(struct acme_store_check *check,
    struct acme_error *err);

/* For these files: tells of one thing. */
enum acme_rc acme_store_check_tell(struct acme_store_check *check,
    struct acme_finding *finding, const char *path, struct acme_error *err);

#endif

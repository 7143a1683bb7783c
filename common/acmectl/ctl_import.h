/*
 * What another client has left, on its way into the state directory: what
 * becomes of each of its lineages, which is found out first of all of them,
 * and then done.  What it was is known to state/acme_foreign.h.
 */
#ifndef ACME_CTL_IMPORT_H
#define ACME_CTL_IMPORT_H

#include "acmectl/ctl.h"
#include "state/acme_foreign.h"
#include "state/acme_foreign_dir.h"

enum ctl_import_fate {
    CTL_IMPORT_NEW,     /* there is nothing of that name */
    CTL_IMPORT_JOINS,   /* a server wants it, and has no certificate yet */
    CTL_IMPORT_HERE,    /* that certificate is here already */
    CTL_IMPORT_CLASH,   /* the name is another one's; ->why */
    CTL_IMPORT_TROUBLE, /* it is no use; ->why */
    CTL_IMPORT_FATES
};

struct ctl_import_lineage {
    struct acme_foreign_lineage *from;
    const char *name; /* here */
    enum ctl_import_fate fate;
    const char *why;
    struct acme_leaf live; /* of its certificate */
    size_t ntypes;
    enum acme_key_type type[ACME_TYPES_MAX]; /* of new keys */
    size_t nnames;
    const char *const *names;   /* canonical */
    bool declared;              /* acmectl is to renew it */
    struct acme_config *config; /* it alone, where that is so */
};

/* Looks into what was read of a lineage, and says what is to become of it.
 * `store` is NULL where there is no state directory yet.  Changes nothing. */
void ctl_import_look(struct acme_foreign *foreign, struct acme_store *store,
    struct ctl_import_lineage *lineage);

/* Does it, with the lineage's lock held by the caller: all of it is there
 * then, or, after a crash, none of it that anybody would see.  CTL_FAILED with
 * a message. */
int ctl_import_write(struct acme_foreign *foreign, struct acme_store *store,
    struct ctl_import_lineage *lineage);

void ctl_import_clear(struct ctl_import_lineage *lineage);

/* ---- accounts --------------------------------------------------------- */

enum ctl_import_account_fate {
    CTL_IMPORT_ACCOUNT_LEFT, /* no lineage needs it; ->why */
    CTL_IMPORT_ACCOUNT_NEW,
    CTL_IMPORT_ACCOUNT_HERE
};

struct ctl_import_account {
    const struct acme_foreign_account *from;
    const char *directory; /* of its CA; NULL: not known */
    enum ctl_import_account_fate fate;
    const char *why;
};

/* Reads accounts that are not in the client's directory, and looks itself who
 * could have written them; all of them say which CA they are at. */
typedef enum acme_rc ctl_import_read_accounts(const char *path,
    struct acme_foreign_accounts *accounts, struct acme_error *err);

struct ctl_import_accounts {
    ctl_import_read_accounts *reader; /* or NULL: as clients keep them */
    struct acme_foreign_accounts read;
    struct ctl_import_account *list; /* of each */
    bool dry;                        /* none is to be taken over */
    bool anybodys;                   /* they may be of a server's user */
};

/*
 * Reads the accounts of a client, and finds out which CA is meant where
 * lineages or accounts do not say it: `directory`, if it is not NULL, or that
 * of the only account.  What is wrong with them is a note of all of it:
 * lineages are of use without, too.
 */
int ctl_import_accounts_read(struct acme_foreign *foreign, const char *path,
    const char *directory, struct ctl_import_accounts *accounts);
void ctl_import_accounts_clear(struct ctl_import_accounts *accounts);

/* Takes those over that are the accounts of lineages; `all`: those of no
 * lineage, too.  Dry: finds out what would become of them. */
void ctl_import_accounts_write(struct acme_foreign *foreign,
    struct acme_store *store, struct ctl_import_accounts *accounts, bool all);

#endif

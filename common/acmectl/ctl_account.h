/*
 * What the verbs of account share: the accounts that are meant, and work at
 * their CAs.
 */
#ifndef ACME_CTL_ACCOUNT_H
#define ACME_CTL_ACCOUNT_H

#include "acmectl/ctl.h"
#include "base/acme_log.h"
#include "drive/acme_service.h"

/* One of the state directory. */
struct found {
    char id[ACME_KEY_ID_LEN + 1];
    struct acme_json *json; /* account.json */
};

struct accounts {
    struct ctl *ctl;
    struct acme_store *store;
    size_t n;
    struct found *list;
    struct acme_config *config; /* of the issuers at work */
    struct acme_key *key;       /* its key, if it is here; or NULL */
    bool failed;
    char text[ACME_LOG_LINE_MAX]; /* what came of the work */
};

/* Those that the command line means, by directory, in place of what was found
 * before. */
int ctl_account_find(struct accounts *accounts);
void ctl_account_forget(struct accounts *accounts);

/* Looks for the key of the first one.  An operator's own key is elsewhere. */
void ctl_account_key(struct accounts *accounts);

/* Adds the CA of an account to the configuration, with these contacts. */
enum acme_rc ctl_account_issuer(struct accounts *accounts,
    const struct found *found, const char *const *contacts, size_t n,
    struct acme_error *err);

/* What came of it is in accounts->failed and ->text. */
enum acme_rc ctl_account_work(struct accounts *accounts,
    const struct acme_account_work *account, struct acme_error *err);

/* account rekey. */
int ctl_account_change_key(struct accounts *accounts);

#endif

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

/* CTL_OK: it is one.  Several are not guessed at, but named. */
int ctl_account_choose(struct accounts *accounts);

/* Does something with the accounts that the command line means; `one`: with
 * the only one, and its key. */
int ctl_account_run(struct ctl *ctl, bool one,
    int (*verb)(struct accounts *accounts));

/* Looks for the key of the first one.  An operator's own key is elsewhere. */
void ctl_account_key(struct accounts *accounts);

/* Adds the CA of an account to the configuration, with these contacts. */
enum acme_rc ctl_account_issuer(struct accounts *accounts,
    const struct found *found, const char *const *contacts, size_t n,
    struct acme_error *err);

/* What came of it is in accounts->failed and ->text. */
enum acme_rc ctl_account_work(struct accounts *accounts,
    const struct acme_account_work *account, struct acme_error *err);

/*
 * What a CA says of a key that may be none of the state directory's:
 * ACME_ACCOUNT_FIND or ACME_ACCOUNT_MAKE.  `issuer` says how to talk to it.
 * CTL_OK: the lines of acme_registrar.h are in `text`; CTL_FAILED: why not is,
 * and nothing is printed.
 */
int ctl_account_ask(struct ctl *ctl, const struct acme_issuer *issuer,
    enum acme_account_action action, struct acme_key *key,
    char text[ACME_LOG_LINE_MAX]);

/* A line of such a text, from 0 on; "" beyond its end. */
void ctl_account_line(const char *text, unsigned line, char *out, size_t size);

/*
 * How to talk to the CA of a directory: as a server's configuration says, in
 * the arena of `ctl`, or by what everybody trusts.  *n: how many lineages'
 * declarations name it.
 */
int ctl_account_ca(struct ctl *ctl, struct acme_store *store,
    const char *directory, struct acme_issuer *issuer, size_t *n);

/* Notes an event of acmectl's; best effort. */
void ctl_account_event(struct acme_store *store, enum acme_event_kind kind,
    const struct acme_issuer *issuer, const char *id, const char *text);

/* The account that orders at this CA are made with, by its key; "": none. */
void ctl_account_in_use(struct acme_store *store,
    const struct acme_issuer *issuer, char id[ACME_KEY_ID_LEN + 1]);

/* CTL_USAGE: it is no address, nor a contact of a scheme of its own. */
int ctl_contact_check(const char *contact);

/* The same, and what the CA is told of it: RFC 8555 7.3. */
int ctl_contact_url(const char *contact, char url[ACME_URL_MAX]);

/* account rekey. */
int ctl_account_change_key(struct accounts *accounts);

#endif

/*
 * acmectl: what its files share.  The command line's side of the core: it
 * finds the state directory, becomes its owner, and shows or changes what is
 * in it.
 */
#ifndef ACME_CTL_H
#define ACME_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_host.h"
#include "state/acme_config.h"
#include "state/acme_store.h"
#include "wrap/acme_json.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_LOCKED = 3
};

#define CTL_STATES_MAX 8
#define CTL_CERT_NAMES_MAX 64

struct ctl {
    const char *state_dir; /* --state-dir; NULL: not given */
    bool json;
    bool quiet;
    bool verbose;
    /* of the verb */
    bool force;
    bool no_wait;
    bool dry_run;
    const char *cert_name; /* the last one; "renew" takes several: */
    size_t ncert_names;
    const char *cert_names[CTL_CERT_NAMES_MAX];
    const char *account; /* id of an account key */
    bool confirm;
    bool details;
    const char *cert_path;
    const char *key_path;
    const char *reason;
    const char *server; /* directory URL of a CA */
    const char *type;   /* of records, with commas between */
    const char *ttl;
    const char *until; /* RFC 3339 */
    bool follow;
    const char *lines;
    int argc; /* what is left of the command line */
    char **argv;
    /* directories that exist, in the order they are looked for */
    size_t nstates;
    const char *state[CTL_STATES_MAX];
};

/* Says what went wrong on stderr and returns `code`. */
int ctl_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Finds the state directories: --state-dir, else ACME_STATE_DIR, else every
 * built-in default that exists.  CTL_OK, or a message and CTL_FAILED.
 */
int ctl_find_states(struct ctl *ctl);

/*
 * Opens one for reading after becoming its owner for good: root gives itself
 * up for a directory that is not root's, anybody else is refused.  For
 * several directories of several owners each is opened in the order given,
 * root's first.
 */
int ctl_open(const char *state_dir, struct acme_store **store);

/* Finds and opens the only one that there is: CTL_USAGE if there are more. */
int ctl_open_one(struct ctl *ctl, struct acme_store **store);

/* Lines of the processes that a verb has started: log() of struct acme_server,
 * whose ctx is the struct ctl. */
void ctl_log(void *ctx, enum acme_level level, const char *line);

/* Visits the issuers of every lineage's declarations, fallbacks too, until
 * `visit` fails; settings that cannot be read are left out. */
typedef enum acme_rc ctl_visit_issuer(void *ctx,
    const struct acme_issuer *issuer, struct acme_error *err);
enum acme_rc ctl_each_issuer(struct acme_store *store, ctl_visit_issuer *visit,
    void *ctx, struct acme_error *err);

/* Puts into a configuration of our own where the servers that run are reached,
 * and who they are (server_uid); *any: there is one.  Before lineages are
 * added. */
enum acme_rc ctl_add_servers(struct acme_store *store,
    struct acme_config *config, bool *any, struct acme_error *err);

/* Prints a value as JSON, indented, and frees it. */
int ctl_print_json(struct acme_json *json);

int ctl_certificates(struct ctl *ctl);
int ctl_status(struct ctl *ctl);
int ctl_renew(struct ctl *ctl);
int ctl_revoke(struct ctl *ctl);
int ctl_account(struct ctl *ctl);
int ctl_key(struct ctl *ctl);
int ctl_dns(struct ctl *ctl);
int ctl_selftest(struct ctl *ctl);
int ctl_events(struct ctl *ctl);
int ctl_version(struct ctl *ctl);

#endif

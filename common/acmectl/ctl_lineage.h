/*
 * What verbs that change a lineage share: the state directory opened for
 * writing, the lineage's lock, who declares it, its versions as one looks at
 * them, and questions to a person.
 */
#ifndef ACME_CTL_LINEAGE_H
#define ACME_CTL_LINEAGE_H

#include <time.h>

#include "acmectl/ctl.h"
#include "state/acme_event.h"
#include "state/acme_match.h"
#include "state/acme_settings.h"

/* Finds the one state directory, becomes its owner for good and opens it for
 * writing. */
int ctl_open_changing(struct ctl *ctl, struct acme_store **store);

/* Whether there is anything of it; CTL_FAILED with a message if not. */
int ctl_lineage_need(struct acme_store *store, const char *name);

/* Every lineage there is, also those that have nothing but versions: calls
 * `visit` in byte order, until that fails. */
enum acme_rc ctl_lineages(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *name, struct acme_error *err),
    void *ctx, struct acme_error *err);

/* Takes its lock, waiting for --lock-timeout; *lock is the caller's to close.
 * CTL_LOCKED with a message that names who has it.  What a crash has left is
 * put right then. */
int ctl_lineage_lock(const struct ctl *ctl, struct acme_store *store,
    const char *name, int *lock);

/*
 * Who wants it, for people, with commas between, appended to `by`; how many.
 * Settings that cannot be read are of somebody.  `servers`: only those that
 * are servers.
 */
size_t ctl_lineage_declarers(struct acme_store *store, const char *name,
    bool servers, struct acme_buf *by);

/* Names as acme_chain_names() has them, one in each line, as a list. */
enum acme_rc ctl_names_of_lines(struct acme_arena *arena, const char *lines,
    struct acme_match_names *names, struct acme_error *err);

/* How many servers run. */
size_t ctl_servers_running(struct acme_store *store);

/* ---- a version -------------------------------------------------------- */

/* What is to be said for and against serving a version. */
struct ctl_version {
    unsigned number;
    bool damaged; /* nothing below is known then: */
    char damage[512];
    bool expired, early, revoked, barred; /* any of its certificates */
    time_t not_before, not_after;         /* of the one that ends first */
    size_t npairs;
    struct acme_leaf leaf[ACME_TYPES_MAX];
    enum acme_key_type type[ACME_TYPES_MAX];
    struct acme_origin origin[ACME_TYPES_MAX];
    bool keyless[ACME_TYPES_MAX]; /* the operator's own key */
    char names[4096]; /* of the first, spaces between; "": too many */
};

/* Reads one.  False: out of memory. */
bool ctl_version_look(struct acme_store *store, const char *name,
    unsigned number, time_t now, struct ctl_version *version);

/* Its numbers, the highest first: at most `max`. */
#define CTL_VERSIONS_MAX 256
int ctl_version_numbers(struct acme_store *store, const char *name,
    unsigned number[CTL_VERSIONS_MAX], size_t *n);

/* Why it should not be served: "it expired at ...", or "" */
const char *ctl_version_against(const struct ctl_version *version, char *text,
    size_t size);

/* When what is live now is going to be renewed, as far as it can be known:
 * text for people; *at is 0 where there is no time. */
const char *ctl_next_renewal(struct acme_store *store, const char *name,
    const struct ctl_version *live, time_t now, time_t *at, char *text,
    size_t size);

/* Notes that deploy hooks (and a mirror) have to hear of the version, before
 * it is made live: whoever runs them does so then.  *due is whether anybody
 * who wants the lineage may run any. */
int ctl_mark_due(struct acme_store *store, const char *name,
    const struct ctl_version *version, bool renews, bool *due);

/* Says that a version is live now, what servers do and when the next renewal
 * is; or puts that into `result`, if it is not NULL. */
void ctl_tell_live(const struct ctl *ctl, struct acme_store *store,
    const char *name, const struct ctl_version *version, bool due,
    struct acme_json *result);

/* An event by acmectl. */
int ctl_note_event(struct acme_store *store, const char *name,
    enum acme_event_kind kind, const struct ctl_version *version,
    const char *text);

/* export --format certbot: a directory of Certbot's, of all lineages or that
 * of --cert-name. */
int ctl_export_certbot(struct ctl *ctl);

#endif

/*
 * What there is to know about a state directory, as one JSON value: for
 * acmectl and, later, for the status pages of servers.  Read-only; holds no
 * secret.
 */
#ifndef ACME_STATUS_H
#define ACME_STATUS_H

#include <time.h>

#include "base/acme_error.h"
#include "state/acme_store.h"
#include "wrap/acme_json.h"

/*
 * One lineage:
 *   name, state, names[], keys[], issuer {name, directory}, declared[]
 *   version, serial, fingerprint, signed_by, not_before, not_after, files
 *     (absent: no certificate yet)
 *   renew_at, next_attempt, failures, error_time
 *   renewal_info {start, end, pick, url, next_look}: the CA's (RFC 9773)
 *   wait_for_config: sooner than next_attempt if the configuration changes
 *   asked {name, since}: the CA asked last, where it is not the first one
 *   clock_ahead: seconds of the CA's clock, if a minute or more
 *   error {result, text, type, url: where a person can do something about it}
 * `state` is one of
 *   "ok"        served and not yet due
 *   "due"       an order is due or on its way
 *   "failing"   the last attempt failed; next_attempt tells when again
 *   "waiting"   nothing happens before the configuration changes
 *   "conflict"  declared differently by several; see "conflict"
 *   "expired"   what is served has expired
 *   "dormant"   declared by nobody any more
 *   "damaged"   the live version cannot be read; see "damage"
 * Trouble with one part is in the value, not in the result.  The value is the
 * caller's; ACME_NOMEM.
 */
enum acme_rc acme_status_lineage(struct acme_store *store,
    const char *state_dir, const char *name, time_t now,
    struct acme_json **status, struct acme_error *err);

/* All of it: state_dir, owner, servers[], lineages[]. */
enum acme_rc acme_status_all(struct acme_store *store, const char *state_dir,
    time_t now, struct acme_json **status, struct acme_error *err);

#endif

/*
 * What a host asks of the core while it tests a configuration, and for each
 * request: the same for every server, so it is here.  Nothing here writes,
 * and no secret is read.
 */
#ifndef ACME_HOST_CHECK_H
#define ACME_HOST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

/*
 * The files an issuer names: the CA file must be readable and hold
 * certificates; the account key file must exist, be regular and not be open
 * to others (its content is read later, by the store).  ACME_CONFIG.
 */
enum acme_rc acme_host_check_issuer(const struct acme_issuer *issuer,
    struct acme_error *err);

/*
 * Whether the state directory can be used by this user: trouble is text for
 * a warning, never a reason not to start.
 */
enum acme_rc acme_host_check_state(const struct acme_config *config,
    struct acme_error *err);

/*
 * Takes the engine's user: `name`, or with NULL "_acme" where that account
 * exists and else the server's own (fallback_*).  ACME_CONFIG: no such user.
 */
enum acme_rc acme_host_engine_user(struct acme_config *config,
    const char *name, uid_t fallback_uid, gid_t fallback_gid,
    struct acme_error *err);

#define ACME_CHALLENGE_PATH "/.well-known/acme-challenge/"

/*
 * The body to answer a request with, or false to decline it: `path` must be
 * ACME_CHALLENGE_PATH and a token, `host` (as sent) a name we manage.
 */
bool acme_challenge_answer(const struct acme_config *config,
    const struct acme_area *area, const char *host, size_t host_len,
    const char *path, size_t path_len,
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1]);

#endif

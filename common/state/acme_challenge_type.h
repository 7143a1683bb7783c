/*
 * The ways to prove to a CA that a name is ours: RFC 8555 8.3 and 8.4, RFC
 * 8737, draft-ietf-acme-dns-account-label, draft-ietf-acme-dns-persist.
 */
#ifndef ACME_CHALLENGE_TYPE_H
#define ACME_CHALLENGE_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"

enum acme_challenge_type {
    ACME_HTTP_01,
    ACME_TLS_ALPN_01,
    ACME_DNS_01,
    ACME_DNS_ACCOUNT_01,
    ACME_DNS_PERSIST_01,
    ACME_CHALLENGE_TYPES /* their number */
};

/* "http-01", ... as CAs write it. */
const char *acme_challenge_name(enum acme_challenge_type type);

/* From a CA's word.  False: none that we know. */
bool acme_challenge_find(const char *name, enum acme_challenge_type *type);

/*
 * From an operator's: in any case, also without the version ("http",
 * "tls-alpn", "dns").  ACME_CONFIG: none that we know, with all there are.
 */
enum acme_rc acme_challenge_parse(const char *word,
    enum acme_challenge_type *type, struct acme_error *err);

/* Whether it is proved by a record in the DNS: those alone do for wildcards,
 * and none of them for IP addresses (RFC 8738 7). */
bool acme_challenge_is_dns(enum acme_challenge_type type);

#endif

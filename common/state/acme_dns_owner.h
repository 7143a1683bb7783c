/*
 * Where in the DNS the records are that prove a name: computed from the name
 * and our account, never taken from a CA.
 */
#ifndef ACME_DNS_OWNER_H
#define ACME_DNS_OWNER_H

#include "base/acme_error.h"
#include "state/acme_challenge_type.h"

/* "_ujmmovf2vn55tgye" and its NUL. */
#define ACME_ACCOUNT_LABEL 18

/*
 * The first label of dns-account-01: "_" and the base32 (RFC 4648 6), in lower
 * case, of the first 10 octets of SHA-256 over the account's URL
 * (draft-ietf-acme-dns-account-label 3.2).  ACME_NOMEM.
 */
enum acme_rc acme_dns_account_label(const char *account_url,
    char label[ACME_ACCOUNT_LABEL], struct acme_error *err);

/*
 * The owner of a challenge's TXT record, without a final dot: for the
 * (canonical) name "example.com", and for "*.example.com" alike,
 *     dns-01          _acme-challenge.example.com (RFC 8555 8.4)
 *     dns-account-01  _LABEL._acme-challenge.example.com
 *     dns-persist-01  _validation-persist.example.com
 *                     (draft-ietf-acme-dns-persist 3)
 * account_url is looked at for dns-account-01 alone.  ACME_CONFIG: too long
 * for the DNS, or a type that is proved by no record; ACME_NOMEM.
 */
enum acme_rc acme_dns_owner(enum acme_challenge_type type, const char *name,
    const char *account_url, char owner[ACME_NAME_MAX + 1],
    struct acme_error *err);

/*
 * The other way round: what is behind the labels of the challenge in an owner
 * that may also be one that records are delegated to; a part of `owner`.
 * NULL: it has other labels.
 */
const char *acme_dns_owner_domain(enum acme_challenge_type type,
    const char *owner);

#endif

#include "state/acme_dns_owner.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_name.h"
#include "wrap/acme_hash.h"

/* Octets of the digest: 16 characters of base32 without a rest. */
#define LABEL_OCTETS 10

enum acme_rc
acme_dns_account_label(const char *account_url, char label[ACME_ACCOUNT_LABEL],
    struct acme_error *err)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char digest[ACME_HASH_LEN];
    unsigned bits = 0, value = 0;
    size_t i, n = 0;
    enum acme_rc rc;

    rc = acme_hash(account_url, strlen(account_url), digest, err);
    if (rc != ACME_OK)
        return rc;
    label[n++] = '_';
    for (i = 0; i < LABEL_OCTETS; i++) {
        value = (value << 8 | digest[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            label[n++] = alphabet[value >> (bits - 5) & 31];
    }
    label[n] = '\0';
    return ACME_OK;
}

static const char *
label_of(enum acme_challenge_type type)
{
    return type == ACME_DNS_PERSIST_01 ? "_validation-persist"
                                       : "_acme-challenge";
}

enum acme_rc
acme_dns_owner(enum acme_challenge_type type, const char *name,
    const char *account_url, char owner[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    char label[ACME_ACCOUNT_LABEL] = "";
    const char *fixed = label_of(type);
    enum acme_rc rc = ACME_OK;
    int len;

    if (!acme_challenge_is_dns(type) || acme_name_is_ip(name))
        return acme_error_set(err, ACME_CONFIG,
            "%s of \"%s\" is proved by no record in the DNS",
            acme_challenge_name(type), name);
    if (acme_name_is_wildcard(name))
        name += strlen("*.");
    if (type == ACME_DNS_ACCOUNT_01)
        rc = acme_dns_account_label(account_url, label, err);
    if (rc != ACME_OK)
        return rc;
    len = snprintf(owner, ACME_NAME_MAX + 1, "%s%s%s.%s", label,
        label[0] != '\0' ? "." : "", fixed, name);
    if (len < 0 || len > ACME_NAME_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "\"%s\" is too long to be proved by a record at \"%s\"", name,
            fixed);
    return ACME_OK;
}

const char *
acme_dns_owner_domain(enum acme_challenge_type type, const char *owner)
{
    const char *label = label_of(type);
    const size_t len = strlen(label);

    if (type == ACME_DNS_ACCOUNT_01) {
        owner = strchr(owner, '.');
        if (owner == NULL)
            return NULL;
        owner++;
    }
    if (strncmp(owner, label, len) != 0 || owner[len] != '.' ||
        owner[len + 1] == '\0')
        return NULL;
    return owner + len + 1;
}

#include "state/acme_challenge_type.h"

#include <string.h>
#include <strings.h>

#include "base/acme_log.h"

static const char *const names[ACME_CHALLENGE_TYPES] = {
    [ACME_HTTP_01] = "http-01",
    [ACME_TLS_ALPN_01] = "tls-alpn-01",
    [ACME_DNS_01] = "dns-01",
    [ACME_DNS_ACCOUNT_01] = "dns-account-01",
    [ACME_DNS_PERSIST_01] = "dns-persist-01",
};

#define VERSION "-01"

const char *
acme_challenge_name(enum acme_challenge_type type)
{
    return names[type];
}

bool
acme_challenge_find(const char *name, enum acme_challenge_type *type)
{
    size_t i;

    for (i = 0; i < ACME_CHALLENGE_TYPES; i++)
        if (strcmp(names[i], name) == 0) {
            *type = (enum acme_challenge_type)i;
            return true;
        }
    return false;
}

enum acme_rc
acme_challenge_parse(const char *word, enum acme_challenge_type *type,
    struct acme_error *err)
{
    const size_t len = strlen(word);
    char shown[64];
    size_t i, base;

    for (i = 0; i < ACME_CHALLENGE_TYPES; i++) {
        base = strlen(names[i]) - strlen(VERSION);
        if (strcasecmp(word, names[i]) == 0 ||
            (len == base && strncasecmp(word, names[i], base) == 0)) {
            *type = (enum acme_challenge_type)i;
            return ACME_OK;
        }
    }
    acme_log_clean(shown, sizeof(shown), word, len);
    if (strncasecmp(word, "tls-sni", strlen("tls-sni")) == 0)
        return acme_error_set(err, ACME_CONFIG,
            "\"%s\" was withdrawn, no CA offers it; tls-alpn-01 took its "
            "place",
            shown);
    return acme_error_set(err, ACME_CONFIG,
        "unknown challenge \"%s\"; known are http-01, tls-alpn-01, dns-01, "
        "dns-account-01 and dns-persist-01",
        shown);
}

bool
acme_challenge_is_dns(enum acme_challenge_type type)
{
    return type == ACME_DNS_01 || type == ACME_DNS_ACCOUNT_01 ||
           type == ACME_DNS_PERSIST_01;
}

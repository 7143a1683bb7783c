#include "wrap/acme_resolve.h"

#include <string.h>

#include "base/acme_time.h"

#define TIMEOUT 30
#define TTL_MIN 5
#define TTL_MAX 300

static void
add(struct acme_buf *addresses, const struct acme_dns_answer *answer,
    enum acme_dns_type type, unsigned *ttl)
{
    size_t i;

    for (i = 0; i < answer->n && i < ACME_DNS_ADDRESSES_MAX; i++) {
        acme_buf_addf(addresses, type == ACME_DNS_AAAA ? "%s[%s]" : "%s%s",
            addresses->len > 0 ? "," : "", answer->rr[i].text);
        if (answer->rr[i].ttl < *ttl)
            *ttl = (unsigned)answer->rr[i].ttl;
    }
}

enum acme_rc
acme_resolve(const struct acme_resolve *resolve, const char *name,
    const struct acme_host *host, struct acme_buf *addresses, unsigned *ttl,
    struct acme_error *err)
{
    static const enum acme_dns_type types[] = { ACME_DNS_A, ACME_DNS_AAAA };
    const bool unwanted[] = { resolve->no_ipv4, resolve->no_ipv6 };
    unsigned seconds = resolve->timeout > 0 ? resolve->timeout : TIMEOUT;
    struct acme_dns dns = { .servers = &resolve->servers,
        .host = host,
        .arena = acme_arena_new(),
        .recursive = true,
        .until_ms = acme_time_ms() + 1000LL * seconds };
    struct acme_dns_answer answer;
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (dns.arena == NULL)
        return acme_error_nomem(err);
    *ttl = TTL_MAX;
    for (i = 0; rc == ACME_OK && i < 2; i++) {
        if (unwanted[i])
            continue;
        memset(&answer, 0, sizeof(answer));
        rc = acme_dns_look_up(&dns, name, types[i], &answer, err);
        if (rc == ACME_OK)
            add(addresses, &answer, types[i], ttl);
    }
    acme_arena_free(dns.arena);
    if (*ttl < TTL_MIN)
        *ttl = TTL_MIN;
    if (addresses->len > 0 && rc != ACME_STOPPING && rc != ACME_NOMEM) {
        acme_error_clear(err); /* one of the two kinds is enough */
        rc = ACME_OK;
    }
    if (rc == ACME_NOENT) /* no way to the name servers */
        rc = err->rc = ACME_NET;
    if (rc == ACME_OK && !acme_buf_ok(addresses))
        return acme_error_nomem(err);
    if (rc == ACME_OK && addresses->len == 0)
        return acme_error_set(err, ACME_NET,
            "\"%s\" has no address, say the name servers of \"resolver\"",
            name);
    return rc;
}

#include "drive/acme_preflight_dns.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_time.h"
#include "drive/acme_job_dns.h"

/* RFC 1035 4.1.1 */
#define NO_ERROR 0
#define SERVFAIL 2
#define NO_NAME 3

static struct acme_dns
question_of(const struct acme_preflight_dns *dns, unsigned ms,
    struct acme_arena *arena)
{
    struct acme_dns question = { .servers = &dns->servers,
        .host = dns->host,
        .arena = arena,
        .recursive = true,
        .until_ms = acme_time_ms() + ms };

    return question;
}

static enum acme_lookup_end
ask(const struct acme_dns *question, const char *name, enum acme_dns_type type,
    struct acme_dns_answer *answer)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_dns_ask(question, name, type, answer, &ignored) != ACME_OK)
        return ACME_LOOKUP_SILENT;
    if (answer->rcode == SERVFAIL)
        return acme_dns_is_bogus(question, name, type) ? ACME_LOOKUP_BOGUS
                                                       : ACME_LOOKUP_FAILED;
    if (answer->rcode != NO_ERROR && answer->rcode != NO_NAME)
        return ACME_LOOKUP_SILENT; /* it does not work for us */
    return answer->n > 0 ? ACME_LOOKUP_FOUND : ACME_LOOKUP_NOTHING;
}

static void
add_addresses(const struct acme_dns_answer *answer, struct acme_addresses *out)
{
    size_t i;

    for (i = 0; i < answer->n && out->n < ACME_PREFLIGHT_ADDRESSES_MAX; i++)
        (void)snprintf(out->text[out->n++], ACME_ADDRESS_TEXT, "%s",
            answer->rr[i].text);
}

static enum acme_lookup_end
look_up_addresses(void *ctx, const char *name, unsigned ms,
    struct acme_addresses *out)
{
    static const enum acme_dns_type types[] = { ACME_DNS_AAAA, ACME_DNS_A };
    struct acme_arena *arena = acme_arena_new();
    const struct acme_dns question = question_of(ctx, ms, arena);
    struct acme_dns_answer answer;
    enum acme_lookup_end end = ACME_LOOKUP_SILENT;
    size_t i;

    out->n = 0;
    for (i = 0; arena != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        end = ask(&question, name, types[i], &answer);
        if (end > ACME_LOOKUP_NOTHING)
            break;
        add_addresses(&answer, out);
    }
    acme_arena_free(arena);
    if (end > ACME_LOOKUP_NOTHING)
        return end;
    return out->n > 0 ? ACME_LOOKUP_FOUND : ACME_LOOKUP_NOTHING;
}

static enum acme_lookup_end
look_up_caa(void *ctx, const char *domain, unsigned ms,
    struct acme_arena *arena, const struct acme_caa_property **property,
    size_t *n)
{
    const struct acme_dns question = question_of(ctx, ms, arena);
    struct acme_dns_answer answer;
    struct acme_caa_property *list;
    enum acme_lookup_end end = ask(&question, domain, ACME_DNS_CAA, &answer);
    size_t i;

    *n = 0;
    if (end != ACME_LOOKUP_FOUND)
        return end;
    list = acme_arena_alloc(arena, answer.n * sizeof(*list));
    if (list == NULL)
        return ACME_LOOKUP_SILENT;
    for (i = 0; i < answer.n; i++)
        list[i] = (struct acme_caa_property){ answer.rr[i].flags,
            answer.rr[i].tag, strlen(answer.rr[i].tag), answer.rr[i].text,
            answer.rr[i].len };
    *property = list;
    *n = answer.n;
    return ACME_LOOKUP_FOUND;
}

void
acme_preflight_dns_init(struct acme_preflight_dns *dns,
    const struct acme_proof *proof, const struct acme_dns_servers *servers,
    const struct acme_host *host)
{
    memset(dns, 0, sizeof(*dns));
    acme_job_resolver_of(proof, servers, &dns->servers);
    dns->host = host;
    dns->lookup = (struct acme_lookup){ dns, look_up_addresses, look_up_caa };
}

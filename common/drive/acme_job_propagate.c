/*
 * Whether records are there for everybody: at each name server of their zone.
 * A CA asks any of them, and counts what it does not find against us.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_dns.h"
#include "wrap/acme_address.h"

struct look {
    struct acme_run *run;
    struct acme_dns resolver; /* its arena is of this look */
    bool local;               /* it is, so name servers may be */
    struct acme_error *err;
};

static bool
is_private(const struct sockaddr_storage *address)
{
    return acme_address_is_private((const struct sockaddr *)address);
}

static bool
has_value(const struct acme_dns_answer *answer, const char *value)
{
    size_t i;

    for (i = 0; i < answer->n; i++)
        if (answer->rr[i].len == strlen(value) &&
            memcmp(answer->rr[i].text, value, answer->rr[i].len) == 0)
            return true;
    return false;
}

/* ACME_NOENT: it cannot be reached from here, and will not be. */
static enum acme_rc
ask_server(const struct look *look, const struct sockaddr_storage *address,
    const char *owner, const char *value)
{
    const struct acme_dns_servers server = { 1, { *address } };
    struct acme_dns dns = acme_job_ask_servers(look->run, &server);
    char text[ACME_DNS_SERVER_TEXT];
    struct acme_dns_answer answer;
    enum acme_rc rc;

    dns.arena = look->resolver.arena;
    rc = acme_dns_ask(&dns, owner, ACME_DNS_TXT, &answer, look->err);
    if (rc != ACME_OK)
        return rc;
    if (answer.authoritative && has_value(&answer, value))
        return ACME_OK;
    acme_dns_server_text(address, text);
    if (answer.rcode != 0 && answer.rcode != 3)
        return acme_error_set(look->err, ACME_NET, "%s says %s", text,
            acme_dns_rcode_name(answer.rcode));
    return acme_error_set(look->err, ACME_NET, "%s has not got it%s", text,
        answer.authoritative ? "" : ", and is not responsible");
}

/* All that can be asked have it, and there is one. */
static enum acme_rc
ask_servers(const struct look *look, const struct acme_job_addresses *found,
    const char *owner, const char *value)
{
    size_t i, asked = 0;
    enum acme_rc rc = ACME_OK;

    for (i = 0; i < found->n && rc == ACME_OK; i++) {
        if (!look->local && is_private(&found->address[i]))
            continue;
        rc = ask_server(look, &found->address[i], owner, value);
        if (rc == ACME_NOENT) {
            acme_error_clear(look->err);
            rc = ACME_OK;
            continue;
        }
        asked++;
    }
    if (rc == ACME_OK && asked == 0)
        rc = acme_error_set(look->err, ACME_NET,
            "none of its %zu name servers' addresses can be asked from here",
            found->n);
    return rc;
}

/* RFC 2136, RFC 1996: the primary is first, others follow. */
static enum acme_rc
is_there(const struct look *look, const struct acme_dns_record *record)
{
    const struct acme_dns *dns = &look->resolver;
    struct acme_job_addresses found = { .n = 0 };
    struct acme_dns_answer answer;
    const char *owner, *zone;
    enum acme_rc rc;
    size_t i;

    rc = acme_job_find_zone(dns, record->owner, &owner, &zone, look->err);
    if (rc == ACME_OK)
        rc = acme_dns_look_up(dns, zone, ACME_DNS_NS, &answer, look->err);
    for (i = 0; rc == ACME_OK && i < answer.n && i < ACME_DNS_NAME_SERVERS_MAX;
         i++)
        rc = acme_job_find_addresses(dns, answer.rr[i].text, 53, &found,
            look->err);
    if (rc == ACME_OK)
        rc = ask_servers(look, &found, owner, record->value);
    return rc;
}

/* Those that are there are asked for no more. */
static enum acme_rc
look_once(struct look *look, const struct acme_dns_record *record, size_t n,
    size_t *seen)
{
    enum acme_rc rc = ACME_OK;

    look->resolver.arena = acme_arena_new();
    if (look->resolver.arena == NULL)
        return acme_error_nomem(look->err);
    while (rc == ACME_OK && *seen < n) {
        rc = is_there(look, &record[*seen]);
        *seen += rc == ACME_OK;
    }
    acme_arena_free(look->resolver.arena);
    return rc;
}

static bool
may_change(enum acme_rc rc)
{
    return rc == ACME_NET || rc == ACME_NOENT || rc == ACME_WIRE;
}

static enum acme_rc
give_up(const struct look *look, const struct acme_dns_record *record,
    struct acme_error *err)
{
    return acme_error_set(err, ACME_NET,
        "the TXT record \"%s\" was not at all name servers after %u s: %s",
        record->owner, look->run->lineage->proof->propagation,
        look->err->what);
}

enum acme_rc
acme_job_dns_propagate(struct acme_run *run,
    const struct acme_dns_record *record, size_t n)
{
    const struct acme_host *host = run->job->host;
    const struct acme_proof *proof = run->lineage->proof;
    const time_t begin = host->now(host->ctx);
    struct acme_dns_servers servers;
    struct acme_error why;
    struct look look = { .run = run, .err = &why };
    size_t seen = 0;
    time_t passed;
    enum acme_rc rc;

    if (proof->propagation == 0)
        return ACME_OK;
    look.resolver = acme_job_ask_resolver(run, &servers);
    look.local = is_private(&servers.server[0]);
    for (;;) {
        acme_error_clear(&why);
        rc = look_once(&look, record, n, &seen);
        if (rc == ACME_OK)
            return rc;
        passed = host->now(host->ctx) - begin;
        if (!may_change(rc)) {
            *run->err = why;
            return rc;
        }
        if (passed < 0 || passed >= (time_t)proof->propagation)
            return give_up(&look, &record[seen], run->err);
        if (!host->wait(host->ctx, proof->interval * 1000))
            return acme_error_set(run->err, ACME_STOPPING, "stopped");
    }
}

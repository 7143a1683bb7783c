/*
 * Whether records are there for everybody: at each name server of their zone.
 * A CA asks any of them, and counts what it does not find against us.  What
 * was made just now is waited for; what has been there for long is looked for
 * once.
 */
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_job_dns.h"
#include "wrap/acme_address.h"

/* All that one look may take for a record that has been there for long. */
#define STANDING_MS 5000

struct look {
    const struct acme_run *run;
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

/* Of the zone that `name` is in; *owner: where its aliases lead. */
static enum acme_rc
find_servers(const struct look *look, const char *name, const char **owner,
    struct acme_job_addresses *found)
{
    const struct acme_dns *dns = &look->resolver;
    struct acme_dns_answer answer;
    const char *zone;
    enum acme_rc rc;
    size_t i;

    found->n = 0;
    rc = acme_job_find_zone(dns, name, owner, &zone, look->err);
    if (rc == ACME_OK)
        rc = acme_dns_look_up(dns, zone, ACME_DNS_NS, &answer, look->err);
    for (i = 0; rc == ACME_OK && i < answer.n && i < ACME_DNS_NAME_SERVERS_MAX;
         i++)
        rc = acme_job_find_addresses(dns, answer.rr[i].text, 53, found,
            look->err);
    return rc;
}

/* RFC 2136, RFC 1996: the primary is first, others follow. */
static enum acme_rc
is_there(const struct look *look, const struct acme_dns_record *record)
{
    struct acme_job_addresses found;
    const char *owner;
    enum acme_rc rc;

    rc = find_servers(look, record->owner, &owner, &found);
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

/* ---- what has been there for long ------------------------------------- */

/* No answer is no "no": this host may not be let through to them. */
static bool
lacks_it(const struct look *look, const struct sockaddr_storage *address,
    const char *owner, const struct acme_persist *persist, time_t now)
{
    const struct acme_dns_servers server = { 1, { *address } };
    struct acme_dns dns = acme_job_ask_servers(look->run, &server);
    struct acme_dns_answer answer;
    struct acme_error ignored;

    if (!look->local && is_private(address))
        return false;
    acme_error_clear(&ignored);
    dns.until_ms = look->resolver.until_ms;
    return acme_dns_ask(&dns, owner, ACME_DNS_TXT, &answer, &ignored) ==
               ACME_OK &&
           answer.authoritative && (answer.rcode == 0 || answer.rcode == 3) &&
           acme_job_persist_best(&answer, persist, now) != ACME_PERSIST_GOOD;
}

enum acme_rc
acme_job_persist_everywhere(const struct acme_run *run, const char *name,
    const struct acme_persist *persist, time_t now, struct acme_error *err)
{
    struct acme_dns_servers servers;
    struct acme_error ignored;
    struct look look = { .run = run, .err = &ignored };
    struct acme_job_addresses found;
    char text[ACME_DNS_SERVER_TEXT];
    const char *owner;
    size_t i;

    if (run->lineage->proof->propagation == 0)
        return ACME_OK;
    acme_error_clear(&ignored);
    look.resolver = acme_job_ask_resolver(run, &servers);
    look.resolver.until_ms = acme_time_ms() + STANDING_MS;
    look.local = is_private(&servers.server[0]);
    if (find_servers(&look, name, &owner, &found) != ACME_OK)
        return ACME_OK;
    for (i = 0; i < found.n; i++)
        if (lacks_it(&look, &found.address[i], owner, persist, now))
            return acme_error_set(err, ACME_NET,
                "the name server %s has not got the record, or not as it is "
                "elsewhere",
                acme_dns_server_text(&found.address[i], text));
    return ACME_OK;
}

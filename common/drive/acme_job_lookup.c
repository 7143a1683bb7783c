/*
 * What a job finds out of the DNS: who is responsible for a name.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_dns.h"
#include "wrap/acme_address.h"

/* Labels that are taken away in search of a zone: a longer name has none
 * because nobody answers. */
#define CUTS_MAX 12

void
acme_job_resolver_of(const struct acme_proof *proof,
    const struct acme_dns_servers *host, struct acme_dns_servers *servers)
{
    struct acme_error ignored;
    size_t i;

    servers->n = 0;
    acme_error_clear(&ignored);
    for (i = 0; i < proof->nresolvers; i++)
        (void)acme_dns_servers_add(servers, proof->resolver[i], &ignored);
    if (servers->n == 0 && host != NULL)
        *servers = *host;
    if (servers->n == 0)
        acme_dns_servers_read(servers, "");
}

struct acme_dns
acme_job_ask_servers(const struct acme_run *run,
    const struct acme_dns_servers *servers)
{
    const struct acme_dns dns = { .servers = servers,
        .host = run->job->host,
        .arena = run->arena };

    return dns;
}

struct acme_dns
acme_job_ask_resolver(const struct acme_run *run,
    struct acme_dns_servers *servers)
{
    struct acme_dns dns;

    acme_job_resolver_of(run->lineage->proof, run->job->resolver, servers);
    dns = acme_job_ask_servers(run, servers);
    dns.recursive = true;
    return dns;
}

static enum acme_rc
no_zone(const char *name, struct acme_error *err)
{
    char shown[128];

    acme_log_clean(shown, sizeof(shown), name, strlen(name));
    return acme_error_set(err, ACME_NET, "DNS, \"%s\": it is in no zone",
        shown);
}

enum acme_rc
acme_job_find_zone(const struct acme_dns *dns, const char *name,
    const char **owner, const char **zone, struct acme_error *err)
{
    struct acme_dns_answer answer;
    const char *guess = name;
    unsigned cuts = 0;
    enum acme_rc rc;

    *owner = name;
    while (guess != NULL && cuts++ < CUTS_MAX) {
        rc = acme_dns_look_up(dns, guess, ACME_DNS_SOA, &answer, err);
        if (rc != ACME_OK)
            return rc;
        if (guess == name)
            *owner = answer.name;
        else if (answer.naliases > 0)
            answer.n = 0; /* a parent's alias is not its child's */
        *zone = answer.n > 0 ? answer.name : answer.zone;
        if (*zone != NULL && acme_dns_is_below(*owner, *zone))
            return ACME_OK;
        guess = strchr(guess == name ? *owner : guess, '.');
        guess = guess != NULL ? guess + 1 : NULL;
    }
    return no_zone(name, err);
}

static enum acme_rc
add_addresses(const struct acme_dns *dns, const char *host, unsigned port,
    enum acme_dns_type type, struct acme_job_addresses *found,
    struct acme_error *err)
{
    struct acme_dns_answer answer;
    enum acme_rc rc = acme_dns_look_up(dns, host, type, &answer, err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < answer.n; i++)
        if (found->n < ACME_DNS_ADDRESSES_MAX &&
            acme_address_parse(answer.rr[i].text, port,
                &found->address[found->n]))
            found->n++;
    return rc;
}

enum acme_rc
acme_job_find_addresses(const struct acme_dns *dns, const char *host,
    unsigned port, struct acme_job_addresses *found, struct acme_error *err)
{
    const size_t before = found->n;
    char shown[128];
    enum acme_rc rc;

    if (found->n < ACME_DNS_ADDRESSES_MAX &&
        acme_address_parse(host, port, &found->address[found->n])) {
        found->n++;
        return ACME_OK;
    }
    rc = add_addresses(dns, host, port, ACME_DNS_A, found, err);
    if (rc == ACME_OK)
        rc = add_addresses(dns, host, port, ACME_DNS_AAAA, found, err);
    if (rc != ACME_OK || found->n > before ||
        found->n == ACME_DNS_ADDRESSES_MAX)
        return rc;
    acme_log_clean(shown, sizeof(shown), host, strlen(host));
    return acme_error_set(err, ACME_NET,
        "DNS, \"%s\": the name server has no address", shown);
}

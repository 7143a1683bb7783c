/*
 * TXT records made and taken away by updates of their zone (RFC 2136), at the
 * one server that the configuration names.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_dns.h"

/* Short enough for the next order to be believed at once. */
#define TTL 60

/* RFC 1035, RFC 2136 */
#define SERVFAIL 2

/* The configured server, as addresses. */
static enum acme_rc
find_server(struct acme_run *run, struct acme_dns_servers *servers,
    struct acme_error *err)
{
    struct acme_dns_servers resolver;
    const struct acme_dns dns = acme_job_ask_resolver(run, &resolver);
    struct acme_job_addresses found = { .n = 0 };
    char host[ACME_NAME_MAX + 1];
    unsigned port;
    enum acme_rc rc;

    rc =
        acme_dns_host_parse(run->lineage->proof->dns_server, host, &port, err);
    if (rc == ACME_OK)
        rc = acme_job_find_addresses(&dns, host, port, &found, err);
    for (servers->n = 0;
         servers->n < found.n && servers->n < ACME_DNS_SERVERS_MAX;
         servers->n++)
        servers->server[servers->n] = found.address[servers->n];
    return rc;
}

/* ---- the zone --------------------------------------------------------- */

static enum acme_rc
not_there(const struct acme_dns_answer *answer, const char *owner,
    struct acme_error *err)
{
    char server[ACME_DNS_SERVER_TEXT];

    acme_dns_server_text(&answer->server, server);
    if (answer->referral)
        return acme_error_set(err, ACME_CONFIG,
            "the name server %s is not responsible for \"%s\": it has given "
            "the zone to others",
            server, owner);
    return acme_error_set(err,
        answer->rcode == SERVFAIL ? ACME_NET : ACME_CONFIG,
        "the name server %s has no zone for \"%s\" (%s)", server, owner,
        acme_dns_rcode_name(answer->rcode));
}

/* An update of a name that is an alias would be ignored (RFC 2136 3.4.2.2). */
static enum acme_rc
is_alias(const struct acme_dns_answer *answer, const char *owner,
    struct acme_error *err)
{
    char target[128];

    acme_log_clean(target, sizeof(target), answer->name, strlen(answer->name));
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\" is an alias (CNAME) of \"%s\": name the zone that records may "
        "be delegated to (dns_delegation)",
        owner, target);
}

/* Guesses from the name upwards, each a question about its SOA (RFC 2136 has
 * no way to ask); *zone is in the arena or a part of `owner`. */
static enum acme_rc
find_zone(const struct acme_dns *dns, const char *owner, const char **zone,
    struct acme_error *err)
{
    struct acme_dns_answer answer;
    const char *guess = owner;
    enum acme_rc rc;

    for (;;) {
        rc = acme_dns_ask(dns, guess, ACME_DNS_SOA, &answer, err);
        if (rc != ACME_OK)
            return rc == ACME_NOENT ? err->rc = ACME_NET : rc;
        if (guess == owner && answer.naliases > 0)
            return is_alias(&answer, owner, err);
        *zone = answer.n > 0 && answer.naliases == 0 ? guess : answer.zone;
        if (*zone != NULL && acme_dns_is_below(owner, *zone))
            return ACME_OK;
        if (answer.referral || strchr(guess, '.') == NULL)
            return not_there(&answer, owner, err);
        guess = strchr(guess, '.') + 1;
    }
}

/* ---- means ------------------------------------------------------------ */

static enum acme_rc
change(struct acme_run *run, const struct acme_dns_record *record, bool remove,
    struct acme_error *err)
{
    struct acme_dns_servers servers = { .n = 0 };
    const struct acme_dns dns = acme_job_ask_servers(run, &servers);
    struct acme_dns_change what = { .owner = record->owner,
        .value = record->value,
        .ttl = TTL,
        .remove = remove };
    struct acme_tsig key;
    enum acme_rc rc;

    acme_tsig_init(&key);
    rc = acme_vault_tsig(run->job->vault, run->job->unit, &key, err);
    if (rc == ACME_OK)
        rc = find_server(run, &servers, err);
    if (rc == ACME_OK)
        rc = find_zone(&dns, record->owner, &what.zone, err);
    if (rc == ACME_OK)
        rc = acme_dns_update(&dns, &key, &what, err);
    acme_tsig_clear(&key);
    return rc;
}

static enum acme_rc
add(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    enum acme_rc rc = change(run, record, false, err);

    /* What it does not let us add we could not remove. */
    record->refused = rc == ACME_CONFIG && !record->known;
    return rc;
}

static enum acme_rc
take_away(struct acme_run *run, const struct acme_dns_record *record,
    bool failed, struct acme_error *err)
{
    (void)failed;
    return change(run, record, true, err);
}

const struct acme_dns_means acme_job_update_means = { add, take_away };

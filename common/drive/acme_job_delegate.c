/*
 * Records that are made elsewhere: where the owner of a TXT record is an
 * alias, and where that may lead (security S44).  Who has the name may write
 * what he likes into its zone, so nothing is changed but below the zones that
 * the configuration names, and there nothing but challenges.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_dns.h"
#include "state/acme_dns_owner.h"

#define LABEL "_acme-challenge"

/* dns-account-01 has a label of its own in front of that. */
static bool
is_for_challenges(enum acme_challenge_type type, const char *target)
{
    const char *second = strchr(target, '.');

    return strncmp(target, LABEL, strlen(LABEL)) == 0 ||
           (type == ACME_DNS_ACCOUNT_01 && second != NULL &&
               strncmp(second + 1, LABEL, strlen(LABEL)) == 0);
}

bool
acme_job_dns_may_lead(const struct acme_proof *proof,
    enum acme_challenge_type type, const char *target)
{
    size_t i;

    for (i = 0; i < proof->nzones; i++)
        if (acme_dns_is_below(target, proof->zone[i]))
            return strlen(target) <= ACME_NAME_MAX &&
                   is_for_challenges(type, target) &&
                   (!acme_command_has_label(proof->command.kind) ||
                       acme_dns_owner_domain(type, target) != NULL);
    return false;
}

/* One question may bring several aliases, and the last of them more. */
static enum acme_rc
follow(const struct acme_dns *dns, const char *owner, const char **target,
    struct acme_error *err)
{
    struct acme_dns_answer answer;
    unsigned steps;
    enum acme_rc rc;

    *target = owner;
    for (steps = 0; steps <= ACME_DNS_ALIASES_MAX; steps++) {
        rc = acme_dns_look_up(dns, *target, ACME_DNS_CNAME, &answer, err);
        if (rc == ACME_NOENT)
            rc = err->rc = ACME_NET;
        if (rc != ACME_OK || answer.n == 0)
            return rc;
        *target = answer.rr[0].text;
    }
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\" leads through more than %d aliases (CNAME)", owner,
        ACME_DNS_ALIASES_MAX);
}

static enum acme_rc
delegate(struct acme_run *run, const struct acme_dns *dns,
    struct acme_dns_record *record)
{
    const struct acme_proof *proof = run->lineage->proof;
    const char *target;
    char shown[ACME_NAME_MAX + 1];
    enum acme_rc rc = follow(dns, record->owner, &target, run->err);

    if (rc != ACME_OK || target == record->owner)
        return rc;
    if (!acme_job_dns_may_lead(proof, record->type, target)) {
        acme_log_clean(shown, sizeof(shown), target, strlen(target));
        return acme_error_set(run->err, ACME_CONFIG,
            "\"%s\" is an alias (CNAME) of \"%s\", which does not begin with "
            "\"" LABEL ".\" or is in no zone that records may be delegated to",
            record->owner, shown);
    }
    record->owner = target;
    return ACME_OK;
}

enum acme_rc
acme_job_dns_delegate(struct acme_run *run, struct acme_dns_record *record,
    size_t n)
{
    struct acme_dns_servers servers;
    struct acme_dns dns;
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (run->lineage->proof->nzones == 0)
        return ACME_OK;
    dns = acme_job_ask_resolver(run, &servers);
    for (i = 0; i < n && rc == ACME_OK; i++)
        if (acme_challenge_is_dns(record[i].type))
            rc = delegate(run, &dns, &record[i]);
    return rc;
}

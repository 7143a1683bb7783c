/*
 * dns-persist-01 (draft-ietf-acme-dns-persist): a record that the operator has
 * published once.  All of it is known before a CA is asked; what its challenge
 * says has to agree with that, and the record has to be there, before the
 * challenge is answered.  No record is made here.
 */
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "drive/acme_job_dns.h"
#include "state/acme_dns_owner.h"
#include "state/acme_issue.h"
#include "state/acme_zone.h"

/* ---- what the CA says of itself --------------------------------------- */

static void
list_domains(const struct acme_challenge *challenge, char *out, size_t size)
{
    struct acme_buf text;
    size_t i;

    acme_buf_init(&text, size - 1);
    for (i = 0; i < challenge->ndomains; i++)
        acme_buf_addf(&text, "%s%s", i > 0 ? ", " : "", challenge->domain[i]);
    if (challenge->ndomains == 0)
        acme_buf_add_str(&text, "nothing that could be understood");
    acme_log_clean(out, size, acme_buf_str(&text), text.len);
    acme_buf_clear(&text);
}

/* Security S33: a CA that calls itself by another's name would have us
 * authorize an account there. */
static enum acme_rc
check_domain(const struct acme_run *run,
    const struct acme_challenge *challenge, struct acme_error *err)
{
    const char *domain = acme_issuer_domain(run->issuer);
    char claimed[ACME_FOREIGN_TEXT_MAX / 2];
    size_t i;

    for (i = 0; domain != NULL && i < challenge->ndomains; i++)
        if (strcmp(challenge->domain[i], domain) == 0)
            return ACME_OK;
    list_domains(challenge, claimed, sizeof(claimed));
    if (domain == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "the domain name of the CA is not known here; take it from its "
            "documentation and say it with issuer_domain (ACMEIssuerDomain); "
            "its server calls it: %s",
            claimed);
    return acme_error_set(err, ACME_CONFIG,
        "refused: the CA is \"%s\", but its server calls it: %s", domain,
        claimed);
}

static enum acme_rc
check_account(const struct acme_run *run,
    const struct acme_challenge *challenge, struct acme_error *err)
{
    const char *account = acme_client_account(run->job->client);
    char claimed[ACME_FOREIGN_TEXT_MAX / 2];

    if (!acme_issuer_has_account(run->issuer, account))
        return acme_error_set(err, ACME_CONFIG,
            "refused: the URL of the account, %s, is not at the CA's own "
            "server",
            account);
    if (challenge->account == NULL || strcmp(challenge->account, account) == 0)
        return ACME_OK;
    acme_log_clean(claimed, sizeof(claimed), challenge->account,
        strlen(challenge->account));
    return acme_error_set(err, ACME_CONFIG,
        "refused: the account is %s, but the CA wants a record of: %s",
        account, claimed);
}

/* ---- the record ------------------------------------------------------- */

enum acme_persist_verdict
acme_job_persist_best(const struct acme_dns_answer *answer,
    const struct acme_persist *persist, time_t now)
{
    enum acme_persist_verdict best = ACME_PERSIST_NONE, verdict;
    size_t i;

    for (i = 0; i < answer->n; i++) {
        verdict = acme_persist_judge(answer->rr[i].text, answer->rr[i].len,
            persist, now);
        if (verdict > best)
            best = verdict;
    }
    return best;
}

enum acme_rc
acme_job_persist_look(const struct acme_dns *dns, const char *owner,
    const struct acme_persist *persist, time_t now,
    enum acme_persist_verdict *best, struct acme_error *err)
{
    struct acme_dns_answer answer;
    enum acme_rc rc;

    rc = acme_dns_look_up(dns, owner, ACME_DNS_TXT, &answer, err);
    *best = rc == ACME_OK ? acme_job_persist_best(&answer, persist, now)
                          : ACME_PERSIST_NONE;
    return rc;
}

/* One record is for both. */
static bool
has_wildcard(const struct acme_run *run, const char *name)
{
    size_t i;

    for (i = 0; i < run->nnames; i++)
        if (acme_name_is_wildcard(run->names[i]) &&
            strcmp(run->names[i] + strlen("*."), name) == 0)
            return true;
    return acme_name_is_wildcard(name);
}

/* ACME_NET: it is the DNS that has to change, not the configuration; the order
 * is kept until it does. */
static enum acme_rc
refuse(const char *owner, const struct acme_persist *persist,
    enum acme_persist_verdict verdict, struct acme_error *err)
{
    struct acme_buf value, line;
    enum acme_rc rc;

    acme_buf_init(&value, 2 * ACME_URL_MAX);
    acme_buf_init(&line, 16 * ACME_URL_MAX);
    acme_persist_render(persist, &value);
    acme_zone_txt(&line, owner, ACME_ZONE_TTL, acme_buf_str(&value),
        value.len);
    /* A line that is cut off would be published so. */
    if (!acme_buf_ok(&value) || !acme_buf_ok(&line))
        rc = acme_error_nomem(err);
    else if (line.len + strlen(owner) + 128 > sizeof(err->what))
        rc = acme_error_set(err, ACME_NET,
            "%s; acmectl dns records prints the line to publish",
            acme_persist_text(verdict));
    else
        rc = acme_error_set(err, ACME_NET, "%s; publish: %s",
            acme_persist_text(verdict), acme_buf_str(&line));
    acme_buf_clear(&value);
    acme_buf_clear(&line);
    return rc;
}

enum acme_rc
acme_job_persist_check(const struct acme_run *run,
    const struct acme_proved *proved, struct acme_error *err)
{
    const char *name = proved->authz->name;
    struct acme_persist persist = { acme_issuer_domain(run->issuer),
        acme_client_account(run->job->client), acme_name_is_wildcard(name),
        0 };
    const time_t now = run->job->host->now(run->job->host->ctx);
    enum acme_persist_verdict verdict = ACME_PERSIST_NONE;
    struct acme_dns_servers servers;
    const struct acme_dns dns = acme_job_ask_resolver(run, &servers);
    char owner[ACME_NAME_MAX + 1];
    enum acme_rc rc;

    rc = check_domain(run, proved->challenge, err);
    if (rc == ACME_OK)
        rc = check_account(run, proved->challenge, err);
    if (rc == ACME_OK)
        rc = acme_dns_owner(proved->type, name, persist.account, owner, err);
    if (rc == ACME_OK)
        rc = acme_job_persist_look(&dns, owner, &persist, now, &verdict, err);
    if (rc == ACME_OK && verdict != ACME_PERSIST_GOOD) {
        persist.wildcard = has_wildcard(run, name);
        rc = refuse(owner, &persist, verdict, err);
    }
    if (rc == ACME_OK)
        rc = acme_job_persist_everywhere(run, owner, &persist, now, err);
    return rc == ACME_OK
               ? rc
               : acme_error_wrap(err, "dns-persist-01 of \"%s\"", name);
}

#include "drive/acme_checker.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "drive/acme_job_dns.h"
#include "protocol/acme_caa.h"

/* One look at the DNS; `text` has room for ACME_LOG_LINE_MAX. */
struct look {
    const struct acme_record_check *check;
    struct acme_dns dns;
    time_t now;
    bool good;
    char *text;
};

/* ---- CAA (RFC 8659 3) ------------------------------------------------- */

/* The records of the nearest domain that has some; *domain NULL: none has. */
static enum acme_rc
find_caa(const struct look *look, const char **domain,
    struct acme_dns_answer *answer, struct acme_error *err)
{
    const char *at = look->check->name;
    enum acme_rc rc = ACME_OK;

    if (acme_name_is_wildcard(at))
        at += strlen("*.");
    while (at != NULL) {
        rc = acme_dns_look_up(&look->dns, at, ACME_DNS_CAA, answer, err);
        if (rc != ACME_OK || answer->n > 0)
            break;
        at = strchr(at, '.');
        at = at != NULL ? at + 1 : NULL;
    }
    *domain = at;
    return rc;
}

static void
judge_caa(struct look *look, const char *domain,
    const struct acme_caa_property *property, size_t n)
{
    const struct acme_record_check *check = look->check;
    struct acme_caa_asker asker = { 1, &check->wish.issuer,
        check->wish.account, NULL, acme_name_is_wildcard(check->name) };
    char why[ACME_LOG_LINE_MAX / 2] = "allow no challenge that can work here";
    size_t i;

    for (i = 0; i < check->wish.nmethods && !look->good; i++) {
        asker.method = acme_challenge_name(check->wish.method[i]);
        look->good = acme_caa_judge(property, n, &asker, why, sizeof(why)) ==
                     ACME_CAA_ALLOWED;
    }
    (void)snprintf(look->text, ACME_LOG_LINE_MAX, "the CAA records of %s %s",
        domain, why);
}

static enum acme_rc
look_at_caa(struct look *look, struct acme_error *err)
{
    struct acme_caa_property *property;
    struct acme_dns_answer answer;
    const char *domain;
    enum acme_rc rc = find_caa(look, &domain, &answer, err);
    size_t i;

    if (rc != ACME_OK)
        return rc;
    if (domain == NULL) {
        look->good = true;
        (void)snprintf(look->text, ACME_LOG_LINE_MAX,
            "there are no CAA records: any CA may issue, to anybody's "
            "account");
        return ACME_OK;
    }
    property = acme_arena_alloc(look->dns.arena, answer.n * sizeof(*property));
    if (property == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < answer.n; i++) {
        property[i].flags = answer.rr[i].flags;
        property[i].tag = answer.rr[i].tag;
        property[i].tag_len = strlen(answer.rr[i].tag);
        property[i].value = answer.rr[i].text;
        property[i].value_len = answer.rr[i].len;
    }
    judge_caa(look, domain, property, answer.n);
    return ACME_OK;
}

/* ---- challenges ------------------------------------------------------- */

static enum acme_rc
look_at_standing(struct look *look, struct acme_error *err)
{
    enum acme_persist_verdict verdict;
    enum acme_rc rc = acme_job_persist_look(&look->dns, look->check->owner,
        &look->check->persist, look->now, &verdict, err);

    look->good = rc == ACME_OK && verdict == ACME_PERSIST_GOOD;
    if (rc == ACME_OK)
        (void)snprintf(look->text, ACME_LOG_LINE_MAX, "%s",
            acme_persist_text(verdict));
    return rc;
}

/* What is made for each order: only where, can be told before. */
static enum acme_rc
look_at_place(struct look *look, struct acme_error *err)
{
    const struct acme_proof *proof = look->check->proof;
    struct acme_dns_answer answer;
    char shown[ACME_NAME_MAX + 1];
    enum acme_rc rc;

    rc = acme_dns_look_up(&look->dns, look->check->owner, ACME_DNS_TXT,
        &answer, err);
    if (rc != ACME_OK)
        return rc;
    acme_log_clean(shown, sizeof(shown), answer.name, strlen(answer.name));
    if (answer.naliases == 0) {
        look->good = proof->nzones == 0;
        (void)snprintf(look->text, ACME_LOG_LINE_MAX, "%s",
            look->good ? "good: it is made there" : "there is no CNAME");
        return ACME_OK;
    }
    look->good = acme_job_dns_may_lead(proof, look->check->type, answer.name);
    (void)snprintf(look->text, ACME_LOG_LINE_MAX, "%sit leads to %s%s",
        look->good ? "good: " : "", shown,
        look->good ? ""
                   : ", where nothing may be changed: it must begin with "
                     "_acme-challenge, in a zone of acme_dns_delegation "
                     "(ACMEDNSDelegation)");
    return ACME_OK;
}

/* ---- all -------------------------------------------------------------- */

static enum acme_rc
look_at(struct look *look, struct acme_error *err)
{
    if (look->check->caa)
        return look_at_caa(look, err);
    if (look->check->type == ACME_DNS_PERSIST_01)
        return look_at_standing(look, err);
    return look_at_place(look, err);
}

static void
check_one(const struct acme_checker *checker,
    const struct acme_record_check *check, bool *good,
    char text[ACME_LOG_LINE_MAX])
{
    struct acme_dns_servers servers;
    struct acme_arena *arena = acme_arena_new();
    struct look look = { check,
        { &servers, checker->host, arena, true, false, 0 },
        checker->host->now(checker->host->ctx), false, text };
    struct acme_error err;

    acme_error_clear(&err);
    acme_job_resolver_of(check->proof, checker->resolver, &servers);
    if (arena == NULL)
        (void)acme_error_nomem(&err);
    else
        (void)look_at(&look, &err);
    if (err.rc != ACME_OK)
        (void)acme_error_line(&err, text, ACME_LOG_LINE_MAX);
    *good = err.rc == ACME_OK && look.good;
    acme_arena_free(arena);
}

enum acme_rc
acme_checker_run(const struct acme_checker *checker,
    const struct acme_record_check *list, size_t n, struct acme_error *err)
{
    char text[ACME_LOG_LINE_MAX];
    enum acme_rc rc = ACME_OK;
    bool good;
    size_t i;

    for (i = 0; i < n && rc == ACME_OK; i++) {
        check_one(checker, &list[i], &good, text);
        rc = acme_vault_done(checker->vault, i + 1, good, text, err);
    }
    return rc;
}

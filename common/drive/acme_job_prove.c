/*
 * The names of an order: their authorizations are read, challenges are
 * presented and answered once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_private.h"

/* An answer of which we do not know whether the CA has got it is given so
 * long to show before it is sent once more (seconds). */
#define ANSWER_PATIENCE 30

#define OTHERS_MS 2500

/* The memo's list of what was done about a challenge: {"url", "sent",
 * "received"}. */
static const struct acme_json *
find_answer(const struct acme_run *run, const char *challenge_url)
{
    const struct acme_json *list = acme_json_get(run->memo, "answered");
    size_t i, n = acme_json_count(list);

    for (i = 0; i < n; i++) {
        const struct acme_json *answer = acme_json_at(list, i);
        const char *url = acme_json_str(answer, "url");

        if (url != NULL && strcmp(url, challenge_url) == 0)
            return answer;
    }
    return NULL;
}

/* Returns what is left of the list, which is the memo's. */
static struct acme_json *
forget_answer(struct acme_run *run, const char *challenge_url)
{
    const struct acme_json *old = acme_json_get(run->memo, "answered");
    struct acme_json *list = acme_json_array();
    size_t i, n = acme_json_count(old);

    for (i = 0; i < n; i++) {
        const char *url = acme_json_str(acme_json_at(old, i), "url");

        if (url != NULL && strcmp(url, challenge_url) != 0)
            acme_json_append(list, acme_json_copy(acme_json_at(old, i)));
    }
    acme_json_set(run->memo, "answered", list);
    run->memo_changed = true;
    return list;
}

static void
mark_answer(struct acme_run *run, const char *challenge_url, bool received)
{
    struct acme_json *list = forget_answer(run, challenge_url);
    struct acme_json *answer = acme_json_object();

    acme_json_set_str(answer, "url", challenge_url);
    acme_json_set_time(answer, "sent",
        run->job->host->now(run->job->host->ctx));
    acme_json_set_bool(answer, "received", received);
    acme_json_append(list, answer);
}

/* ---- choosing and presenting ------------------------------------------ */

/* What the CA offers, for people. */
static void
list_offers(const struct acme_authz *authz, char *out, size_t size)
{
    size_t i, len = 0;

    out[0] = '\0';
    for (i = 0; i < authz->nchallenges && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s",
            i > 0 ? ", " : "", authz->challenge[i].type);
}

static bool
is_declined(const struct acme_run *run, const struct acme_challenge *challenge)
{
    const struct acme_declined *one = run->declined;

    while (one != NULL && one->challenge != challenge)
        one = one->next;
    return one != NULL;
}

/* The first of `type` that is offered and not declined; but one that was
 * answered in a run of before stays.  False: there is none. */
static bool
take_challenge(const struct acme_run *run, const struct acme_authz *authz,
    const enum acme_challenge_type *type, size_t n, struct acme_proved *proved)
{
    const struct acme_challenge *offered;
    bool answered = false;
    size_t i;

    memset(proved, 0, sizeof(*proved));
    proved->authz = authz;
    for (i = 0; i < n && !answered; i++) {
        offered = acme_authz_challenge(authz, acme_challenge_name(type[i]));
        if (offered == NULL || is_declined(run, offered))
            continue;
        answered = find_answer(run, offered->url) != NULL;
        if (proved->challenge != NULL && !answered)
            continue;
        proved->challenge = offered;
        proved->type = type[i];
    }
    return proved->challenge != NULL;
}

/* The best of what can work here and the CA offers. */
static enum acme_rc
pick_challenge(const struct acme_run *run, const struct acme_authz *authz,
    struct acme_proved *proved, struct acme_error *err)
{
    enum acme_challenge_type type[ACME_CHALLENGE_TYPES];
    char offers[256], clean[ACME_FOREIGN_TEXT_MAX];
    enum acme_rc rc;
    size_t n;

    rc = acme_proof_check(run->lineage->proof, &run->job->config->reach,
        authz->name, err);
    if (rc != ACME_OK)
        return acme_error_wrap(err, ACME_JOB_MISMATCH);
    n = acme_proof_choose(run->lineage->proof, &run->job->config->reach,
        authz->name, type);
    if (take_challenge(run, authz, type, n, proved))
        return ACME_OK;
    list_offers(authz, offers, sizeof(offers));
    acme_log_clean(clean, sizeof(clean), offers, strlen(offers));
    return acme_error_set(err, ACME_CONFIG,
        ACME_JOB_MISMATCH ": \"%s\" could be proved by %s%s%s here, but the "
                          "CA offers: %s",
        authz->name, acme_challenge_name(type[0]), n > 1 ? " or " : "",
        n > 1 ? acme_challenge_name(type[1]) : "", clean);
}

/* Those that are pending, with the challenge that is to do, into an array of
 * the arena. */
static enum acme_rc
pick_all(struct acme_run *run, struct acme_proved **proved, size_t *n)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    *n = 0;
    *proved = acme_arena_alloc(run->arena,
        (run->order.nauthz + 1) * sizeof(**proved));
    if (*proved == NULL)
        return acme_error_nomem(run->err);
    for (i = 0; i < run->order.nauthz && rc == ACME_OK; i++) {
        if (run->authz[i].status != ACME_STATUS_PENDING)
            continue;
        rc = pick_challenge(run, &run->authz[i], &(*proved)[*n], run->err);
        if (rc == ACME_OK)
            (*n)++;
    }
    return rc;
}

/* To workers, who see them at once; servers that share the state directory
 * look once a second, within OTHERS_MS. */
enum acme_rc
acme_job_show_tokens(struct acme_run *run,
    const struct acme_area_token *tokens, size_t n)
{
    unsigned pause_ms = run->job->present_ms;
    bool others = false;
    enum acme_rc rc;

    rc = acme_vault_challenges(run->job->vault, run->job->unit,
        run->job->issuer, tokens, n, &others, run->err);
    if (others && pause_ms < OTHERS_MS)
        pause_ms = OTHERS_MS;
    if (rc == ACME_OK && !run->job->host->wait(run->job->host->ctx, pause_ms))
        rc = acme_error_set(run->err, ACME_STOPPING, "stopped");
    return rc;
}

static enum acme_rc
present_tokens(struct acme_run *run, const struct acme_proved *proved,
    size_t nproved)
{
    struct acme_area_token *tokens;
    size_t i, n = 0;
    enum acme_rc rc = ACME_OK;

    tokens = calloc(nproved + 1, sizeof(*tokens));
    if (tokens == NULL)
        return acme_error_nomem(run->err);
    for (i = 0; i < nproved; i++) {
        if (acme_challenge_is_dns(proved[i].type) ||
            acme_job_is_made(run, proved[i].type))
            continue;
        tokens[n].type = proved[i].type;
        (void)snprintf(tokens[n].name, sizeof(tokens[n].name), "%s",
            proved[i].authz->name);
        (void)snprintf(tokens[n++].token, sizeof(tokens[0].token), "%s",
            proved[i].challenge->token);
    }
    if (n > 0)
        rc = acme_job_show_tokens(run, tokens, n);
    free(tokens);
    return rc;
}

/* What is answered already is the CA's affair. */
static enum acme_rc
check_standing(struct acme_run *run, const struct acme_proved *proved,
    size_t n)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < n && rc == ACME_OK; i++)
        if (proved[i].type == ACME_DNS_PERSIST_01 &&
            find_answer(run, proved[i].challenge->url) == NULL)
            rc = acme_job_persist_check(run, &proved[i], run->err);
    return rc;
}

static bool
decline(struct acme_run *run, const struct acme_challenge *challenge)
{
    struct acme_declined *one = acme_arena_alloc(run->arena, sizeof(*one));

    if (one == NULL)
        return false;
    one->challenge = challenge;
    one->next = run->declined;
    run->declined = one;
    return true;
}

/* uacme(1): what a program has declined was not tried; the name's next
 * challenge is.  ACME_IO: there is none. */
static enum acme_rc
go_on_without(struct acme_run *run, const struct acme_proved *declined)
{
    struct acme_proved next;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (!decline(run, declined->challenge))
        return acme_error_nomem(run->err);
    if (pick_challenge(run, declined->authz, &next, &ignored) != ACME_OK)
        return acme_error_set(run->err, ACME_IO, "%s", declined->declined);
    acme_log(run->job->host, ACME_LOG_INFO,
        "the program declines %s of \"%s\", lineage \"%s\": %s is tried",
        acme_challenge_name(declined->type), declined->authz->name,
        run->lineage->name, acme_challenge_name(next.type));
    return ACME_OK;
}

/* The records there have to be; *again: others than were picked. */
static enum acme_rc
present_records(struct acme_run *run, struct acme_proved *proved, size_t n,
    bool *again)
{
    enum acme_rc rc = acme_job_dns_present(run, proved, n);
    size_t i;

    *again = false;
    for (i = 0; i < n && rc == ACME_OK; i++) {
        if (proved[i].declined == NULL)
            continue;
        rc = go_on_without(run, &proved[i]);
        *again = true;
    }
    return rc;
}

/* What was answered in a run of before has been told of. */
static enum acme_rc
tell_challenges(struct acme_run *run, const struct acme_proved *proved,
    size_t n)
{
    struct acme_event event;
    char subject[ACME_EVENT_TEXT_MAX];
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < n && rc == ACME_OK; i++) {
        if (proved[i].type == ACME_DNS_PERSIST_01 ||
            find_answer(run, proved[i].challenge->url) != NULL)
            continue;
        acme_event_init(&event, ACME_EVENT_CHALLENGE_SETUP);
        (void)snprintf(subject, sizeof(subject), "%s:%s",
            acme_challenge_name(proved[i].type), proved[i].authz->name);
        acme_event_put(event.subject, subject);
        acme_event_put(event.text, "the proof is there for the CA to find");
        acme_vault_event(run->job->vault, run->job->unit, run->job->issuer,
            &event);
        rc = acme_job_ask_challenge(run, subject);
    }
    return rc;
}

/* All challenges are presented before the first is answered. */
static enum acme_rc
present(struct acme_run *run)
{
    struct acme_proved *proved;
    bool again = false;
    size_t n;
    enum acme_rc rc;

    do {
        rc = pick_all(run, &proved, &n);
        if (rc == ACME_OK)
            rc = check_standing(run, proved, n);
        if (rc == ACME_OK)
            rc = present_records(run, proved, n, &again);
    } while (rc == ACME_OK && again);
    if (rc == ACME_OK)
        rc = present_tokens(run, proved, n);
    return rc == ACME_OK ? tell_challenges(run, proved, n) : rc;
}

/* ---- answering -------------------------------------------------------- */

/*
 * Whether a challenge is to be answered now: once, so not if the CA has got
 * the answer, which is known from its reply or from the state of the
 * challenge.  A CA may leave that "pending" while it validates (Boulder does),
 * so an answer that may have been lost is not repeated at once: ACME_LATER.
 */
static enum acme_rc
is_unanswered(struct acme_run *run, const struct acme_authz *authz,
    const struct acme_challenge **challenge, bool *unanswered,
    struct acme_error *err)
{
    const time_t now = run->job->host->now(run->job->host->ctx);
    const struct acme_json *before;
    struct acme_proved proved;
    time_t again;
    enum acme_rc rc;

    *unanswered = false;
    if (authz->status != ACME_STATUS_PENDING)
        return ACME_OK;
    rc = pick_challenge(run, authz, &proved, err);
    if (rc != ACME_OK || proved.challenge->status != ACME_STATUS_PENDING)
        return rc;
    *challenge = proved.challenge;
    before = find_answer(run, (*challenge)->url);
    if (before != NULL && acme_json_bool(before, "received", false))
        return ACME_OK;
    again = (time_t)acme_json_time(before, "sent") + ANSWER_PATIENCE;
    if (before != NULL && now < again && again <= now + ANSWER_PATIENCE) {
        rc = acme_error_set(err, ACME_LATER,
            "whether the CA got our answer for \"%s\" is not known yet",
            authz->name);
        err->retry_at = again;
        return rc;
    }
    *unanswered = true;
    return ACME_OK;
}

/* Finds what is to be answered now: `ask` has room for all.  *later: what has
 * to wait. */
static enum acme_rc
find_unanswered(struct acme_run *run, const struct acme_challenge **ask,
    size_t *n, struct acme_error *later)
{
    const struct acme_challenge *challenge;
    bool unanswered;
    size_t i;
    enum acme_rc rc = ACME_OK;

    *n = 0;
    for (i = 0; i < run->order.nauthz && rc == ACME_OK; i++) {
        rc = is_unanswered(run, &run->authz[i], &challenge, &unanswered,
            run->err);
        if (rc == ACME_LATER) {
            *later = *run->err;
            acme_error_clear(run->err);
            rc = ACME_OK;
        } else if (unanswered) {
            ask[(*n)++] = challenge;
        }
    }
    return rc;
}

/* The marks are with the store before the first request is sent. */
static enum acme_rc
answer(struct acme_run *run, const struct acme_challenge *const *ask, size_t n)
{
    size_t i;
    enum acme_rc rc;

    for (i = 0; i < n; i++)
        mark_answer(run, ask[i]->url, false);
    rc = acme_job_save_memo(run, false, run->err);
    for (i = 0; i < n && rc == ACME_OK; i++) {
        rc = acme_authz_answer(run->job->client, ask[i], run->err);
        if (rc == ACME_OK)
            mark_answer(run, ask[i]->url, true);
    }
    for (; i < n; i++)
        (void)forget_answer(run, ask[i]->url); /* they were not sent at all */
    return rc;
}

/* All that can be answered are, whatever has become of one of them. */
static enum acme_rc
answer_all(struct acme_run *run)
{
    const struct acme_challenge **ask;
    struct acme_error later;
    size_t n;
    enum acme_rc rc;

    ask = calloc(run->order.nauthz + 1, sizeof(*ask));
    if (ask == NULL)
        return acme_error_nomem(run->err);
    acme_error_clear(&later);
    rc = find_unanswered(run, ask, &n, &later);
    if (rc == ACME_OK && n > 0)
        rc = answer(run, ask, n);
    free(ask);
    if (rc == ACME_OK && later.rc == ACME_LATER) {
        *run->err = later;
        rc = later.rc;
    }
    return rc;
}

/* Of names that may be left out all are waited for, to know which. */
static enum acme_rc
poll_all(struct acme_run *run)
{
    struct acme_error first;
    size_t i, left = 0;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&first);
    for (i = 0; rc == ACME_OK && i < run->order.nauthz; i++) {
        rc = acme_authz_poll(run->job->client, run->names, run->nnames,
            run->arena, &run->authz[i], run->err);
        if (rc != ACME_PROBLEM ||
            !acme_job_may_leave_out(run, run->authz[i].name))
            continue;
        if (left++ == 0)
            first = *run->err;
        acme_error_clear(run->err);
        rc = ACME_OK;
    }
    /* What takes longer may be proved with the rest. */
    if (left == 0 || (rc != ACME_OK && rc != ACME_LATER))
        return rc;
    run->unproved = left < run->nnames;
    *run->err = first;
    return first.rc;
}

enum acme_rc
acme_job_prove_names(struct acme_run *run)
{
    enum acme_rc rc;

    rc = acme_authz_get_all(run->job->client, &run->order, run->names,
        run->nnames, run->arena, &run->authz, run->err);
    if (rc == ACME_OK)
        rc = present(run);
    if (rc == ACME_OK)
        rc = answer_all(run);
    if (rc == ACME_OK)
        rc = poll_all(run);
    return rc;
}

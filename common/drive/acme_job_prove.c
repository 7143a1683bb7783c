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

static enum acme_rc
pick_challenge(const struct acme_authz *authz,
    const struct acme_challenge **challenge, struct acme_error *err)
{
    *challenge = acme_authz_challenge(authz, "http-01");
    if (*challenge != NULL)
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG,
        "the CA offers no http-01 challenge for \"%s\"; a wildcard cannot be "
        "proved by http-01",
        authz->name);
}

/* Presents all challenges before the first is answered: workers see them at
 * once, other servers of this state directory, which look once a second,
 * within OTHERS_MS. */
static enum acme_rc
present(struct acme_run *run)
{
    const struct acme_challenge *challenge;
    struct acme_area_token *tokens;
    unsigned pause_ms = run->job->present_ms;
    bool others = false;
    size_t i, n = 0;
    enum acme_rc rc = ACME_OK;

    tokens = calloc(run->order.nauthz + 1, sizeof(*tokens));
    if (tokens == NULL)
        return acme_error_nomem(run->err);
    for (i = 0; rc == ACME_OK && i < run->order.nauthz; i++) {
        if (run->authz[i].status != ACME_STATUS_PENDING)
            continue;
        rc = pick_challenge(&run->authz[i], &challenge, run->err);
        if (rc != ACME_OK)
            break;
        (void)snprintf(tokens[n].name, sizeof(tokens[n].name), "%s",
            run->authz[i].name);
        (void)snprintf(tokens[n++].token, sizeof(tokens[0].token), "%s",
            challenge->token);
    }
    if (rc == ACME_OK && n > 0)
        rc = acme_vault_challenges(run->job->vault, run->job->unit,
            run->job->issuer, tokens, n, &others, run->err);
    if (others && pause_ms < OTHERS_MS)
        pause_ms = OTHERS_MS;
    if (rc == ACME_OK && n > 0 &&
        !run->job->host->wait(run->job->host->ctx, pause_ms))
        rc = acme_error_set(run->err, ACME_STOPPING, "stopped");
    free(tokens);
    return rc;
}

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
    time_t again;
    enum acme_rc rc;

    *unanswered = false;
    if (authz->status != ACME_STATUS_PENDING)
        return ACME_OK;
    rc = pick_challenge(authz, challenge, err);
    if (rc != ACME_OK || (*challenge)->status != ACME_STATUS_PENDING)
        return rc;
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

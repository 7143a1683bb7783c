#include "drive/acme_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "protocol/acme_account.h"
#include "protocol/acme_authz.h"
#include "protocol/acme_order.h"
#include "wrap/acme_json.h"

/* An answer of which we do not know whether the CA has got it is given so
 * long to show before it is sent once more (seconds). */
#define ANSWER_PATIENCE 30

#define OTHERS_MS 2500

/* State of one run.  What must survive it is in orders/NAME. */
struct run {
    const struct acme_job *job;
    const struct acme_lineage *lineage; /* configuration */
    const struct acme_issuer *issuer;
    struct acme_vault_unit now; /* the state directory's view */
    struct acme_arena *arena;
    struct acme_key *key; /* of the certificate */
    struct acme_order order;
    struct acme_authz *authz;
    struct acme_json *memo; /* orders/NAME/order.json */
    bool memo_changed;      /* and not been saved since */
    struct acme_job_result *result;
    struct acme_error *err;
};

bool
acme_job_is_needed(const struct acme_vault_unit *unit, const char **why)
{
    size_t i;

    *why = NULL;
    if (unit->leaf == NULL)
        *why = "there is no certificate";
    else if (unit->live_type != unit->type)
        *why = "another key type is configured";
    else if (unit->other_issuer)
        *why = "another CA is configured";
    for (i = 0; *why == NULL && i < unit->nnames; i++) {
        if (!acme_chain_covers(unit->leaf, unit->names[i]))
            *why = "the certificate does not cover all names";
    }
    return *why != NULL;
}

static void
step(struct run *run, const char *name)
{
    acme_log(run->job->host, ACME_LOG_DEBUG, "%s, lineage \"%s\"", name,
        run->lineage->name);
}

/*
 * The attempt is on disk, and the step it has reached in the store's memory:
 * one that is found open later killed the engine at that step.
 */
static enum acme_rc
enter(struct run *run, const char *name)
{
    struct acme_record *record = &run->now.record;
    bool first = !record->attempt_open;

    step(run, name);
    if (first)
        record->attempt = run->job->host->now(run->job->host->ctx);
    record->attempt_open = true;
    (void)snprintf(record->step, sizeof(record->step), "%s", name);
    return (first ? acme_vault_record : acme_vault_note)(run->job->vault,
        run->job->unit, record, run->err);
}

/* ---- account ---------------------------------------------------------- */

static enum acme_rc
account_key(struct run *run, struct acme_key **key, char *url)
{
    const struct acme_job *job = run->job;
    size_t issuer = run->lineage->issuer;
    enum acme_rc rc;

    rc = acme_vault_account(job->vault, issuer, key, url, run->err);
    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(run->err);
    rc = acme_key_generate(run->issuer->key_type, key, run->err);
    if (rc == ACME_OK)
        rc = acme_vault_account_key(job->vault, issuer, key, run->err);
    return rc;
}

/* RFC 8555 7.3 */
static enum acme_rc
ensure_account(struct run *run)
{
    const struct acme_job *job = run->job;
    struct acme_account_wish wish = { run->issuer->contact,
        run->issuer->ncontacts, run->issuer->terms_accepted };
    struct acme_key *key = NULL;
    char url[ACME_URL_MAX] = "";
    bool created = false, is_new = false;
    enum acme_rc rc;

    rc = account_key(run, &key, url);
    if (rc == ACME_OK) {
        acme_client_set_key(job->client, key);
        rc = acme_client_set_account(job->client, url[0] != '\0' ? url : NULL,
            run->err);
    }
    if (rc == ACME_OK)
        rc = acme_account_ensure(job->client, &wish, &created, run->err);
    if (rc == ACME_OK && created)
        rc = acme_vault_account_url(job->vault, run->lineage->issuer,
            acme_client_account(job->client), &is_new, run->err);
    if (rc == ACME_OK && is_new) { /* and not by another job meanwhile */
        acme_log(job->host, ACME_LOG_NOTICE,
            "account found or registered, issuer \"%s\"", run->issuer->name);
    }
    acme_key_unref(key);
    return rc;
}

/* ---- the order and its memo ------------------------------------------- */

/* With its key, if it is new. */
static enum acme_rc
save_memo(struct run *run, bool is_new, struct acme_error *err)
{
    const struct acme_job *job = run->job;
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_json_render(run->memo, true, &text, err);
    if (rc == ACME_OK && is_new)
        rc = acme_vault_order_put(job->vault, job->unit, &text, run->key, err);
    else if (rc == ACME_OK)
        rc = acme_vault_order_note(job->vault, job->unit, &text, err);
    if (rc == ACME_OK)
        run->memo_changed = false;
    acme_buf_clear(&text);
    return rc;
}

static struct acme_json *
names_json(const struct run *run)
{
    struct acme_json *names = acme_json_array();
    size_t i;

    for (i = 0; i < run->now.nnames; i++)
        acme_json_append_str(names, run->now.names[i]);
    return names;
}

static bool
memo_fits(const struct run *run, const struct acme_json *memo)
{
    const struct acme_json *names = acme_json_get(memo, "names");
    const char *issuer = acme_json_str(memo, "issuer");
    const char *account = acme_json_str(memo, "account");
    size_t i;

    if (issuer == NULL || strcmp(issuer, run->issuer->directory) != 0 ||
        account == NULL ||
        strcmp(account, acme_client_account(run->job->client)) != 0 ||
        acme_json_str(memo, "url") == NULL ||
        acme_json_count(names) != run->now.nnames)
        return false;
    for (i = 0; i < run->now.nnames; i++) {
        const char *name = acme_json_text(acme_json_at(names, i));

        if (name == NULL || strcmp(name, run->now.names[i]) != 0)
            return false;
    }
    return true;
}

static enum acme_rc
drop_order(struct run *run, struct acme_error *err)
{
    acme_json_free(run->memo);
    run->memo = NULL;
    acme_key_unref(run->key);
    run->key = NULL;
    return acme_vault_order_drop(run->job->vault, run->job->unit, err);
}

static enum acme_rc
read_memo(struct run *run)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_vault_order(run->job->vault, run->job->unit, &text, &run->key,
        run->err);
    if (rc == ACME_OK)
        rc = acme_json_parse(acme_buf_str(&text), text.len, "order.json",
            &run->memo, run->err);
    acme_buf_clear(&text);
    return rc;
}

/* Whether the order may still lead somewhere after this failure. */
static bool
order_survives(const struct acme_error *err)
{
    switch (err->rc) {
    case ACME_LATER:
    case ACME_STOPPING:
    case ACME_NET:
    case ACME_NOMEM:
    case ACME_IO:
        return true;
    case ACME_PROBLEM:
        return err->http_status == 429 || err->http_status >= 500;
    default:
        return false;
    }
}

/* RFC 8555 7.1.3: after `expires` it is as good as invalid, also where the CA
 * does not say so; a certificate that is there can be had all the same. */
static bool
order_usable(const struct run *run)
{
    const struct acme_order *order = &run->order;

    return order->status == ACME_STATUS_VALID ||
           (order->status != ACME_STATUS_INVALID &&
               (order->expires == 0 ||
                   order->expires > run->job->host->now(run->job->host->ctx)));
}

/*
 * The order of an earlier run, if the CA still has it and it is for what we
 * want today.  ACME_NOENT: there is none to go on with.
 */
static enum acme_rc
resume(struct run *run)
{
    const char *url;
    enum acme_rc rc = read_memo(run);

    if (rc == ACME_NOENT || rc == ACME_NOMEM)
        return rc; /* anything else is damage */
    if (rc == ACME_OK && memo_fits(run, run->memo) &&
        acme_key_type_of(run->key) == run->now.type) {
        url = acme_json_str(run->memo, "url");
        rc = acme_order_get(run->job->client, url, run->now.names,
            run->now.nnames, run->arena, &run->order, run->err);
        if (rc == ACME_OK && order_usable(run)) {
            acme_log(run->job->host, ACME_LOG_INFO,
                "order resumed, lineage \"%s\"", run->lineage->name);
            return ACME_OK;
        }
        if (rc != ACME_OK && order_survives(run->err))
            return rc;
    }
    acme_error_clear(run->err);
    rc = drop_order(run, run->err);
    /* An order that could not be stored must not be made. */
    return rc == ACME_OK ? ACME_NOENT : rc;
}

/*
 * The key is made before the order, so that the order's URL reaches the disk
 * at once when the CA has answered.
 */
static enum acme_rc
new_order(struct run *run)
{
    enum acme_rc rc;

    rc = acme_key_generate(run->now.type, &run->key, run->err);
    if (rc == ACME_OK)
        rc = acme_order_new(run->job->client, run->now.names, run->now.nnames,
            run->arena, &run->order, run->err);
    if (rc != ACME_OK)
        return rc;
    run->result->ordered = true;
    run->memo = acme_json_object();
    acme_json_set_str(run->memo, "url", run->order.url);
    acme_json_set_str(run->memo, "issuer", run->issuer->directory);
    acme_json_set_str(run->memo, "account",
        acme_client_account(run->job->client));
    acme_json_set_time(run->memo, "created",
        run->job->host->now(run->job->host->ctx));
    acme_json_set(run->memo, "names", names_json(run));
    acme_json_set(run->memo, "answered", acme_json_array());
    return save_memo(run, true, run->err);
}

static enum acme_rc
obtain_order(struct run *run)
{
    enum acme_rc rc = resume(run);

    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(run->err);
    return new_order(run);
}

/* ---- authorizations --------------------------------------------------- */

/* The memo's list of what was done about a challenge: {"url", "sent",
 * "received"}. */
static const struct acme_json *
find_answer(const struct run *run, const char *challenge_url)
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
forget_answer(struct run *run, const char *challenge_url)
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
mark_answer(struct run *run, const char *challenge_url, bool received)
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
present(struct run *run)
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
        rc = acme_vault_challenges(run->job->vault, run->job->unit, tokens, n,
            &others, run->err);
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
is_unanswered(struct run *run, const struct acme_authz *authz,
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
find_unanswered(struct run *run, const struct acme_challenge **ask, size_t *n,
    struct acme_error *later)
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
answer(struct run *run, const struct acme_challenge *const *ask, size_t n)
{
    size_t i;
    enum acme_rc rc;

    for (i = 0; i < n; i++)
        mark_answer(run, ask[i]->url, false);
    rc = save_memo(run, false, run->err);
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
answer_all(struct run *run)
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

static enum acme_rc
prove_names(struct run *run)
{
    const struct acme_job *job = run->job;
    size_t i;
    enum acme_rc rc;

    rc = acme_authz_get_all(job->client, &run->order, run->now.names,
        run->now.nnames, run->arena, &run->authz, run->err);
    if (rc == ACME_OK)
        rc = present(run);
    if (rc == ACME_OK)
        rc = answer_all(run);
    for (i = 0; rc == ACME_OK && i < run->order.nauthz; i++)
        rc = acme_authz_poll(job->client, run->now.names, run->now.nnames,
            run->arena, &run->authz[i], run->err);
    return rc;
}

/* ---- finalize, download, hand over ------------------------------------ */

static enum acme_rc
finalize(struct run *run)
{
    struct acme_buf csr;
    enum acme_rc rc;

    acme_buf_init(&csr, ACME_STATE_PEM_MAX);
    rc = acme_csr_new(run->key, run->now.names, run->now.nnames, &csr,
        run->err);
    if (rc == ACME_OK)
        rc = acme_order_finalize(run->job->client, run->now.names,
            run->now.nnames, csr.data, csr.len, run->arena, &run->order,
            run->err);
    acme_buf_clear(&csr);
    return rc;
}

static enum acme_rc
poll_while(struct run *run, enum acme_status status)
{
    if (run->order.status != status)
        return ACME_OK;
    return acme_order_poll_while(run->job->client, status, run->now.names,
        run->now.nnames, run->arena, &run->order, run->err);
}

/* From whatever state the order is in to valid (RFC 8555 7.1.6). */
static enum acme_rc
complete_order(struct run *run)
{
    enum acme_rc rc = ACME_OK;

    if (run->order.status == ACME_STATUS_PENDING) {
        rc = enter(run, "authorize");
        if (rc == ACME_OK)
            rc = prove_names(run);
        if (rc == ACME_OK)
            rc = poll_while(run, ACME_STATUS_PENDING);
    }
    if (rc == ACME_OK && run->order.status == ACME_STATUS_READY) {
        rc = enter(run, "finalize");
        if (rc == ACME_OK)
            rc = finalize(run);
    }
    if (rc == ACME_OK)
        rc = poll_while(run, ACME_STATUS_PROCESSING);
    if (rc == ACME_OK && run->order.status != ACME_STATUS_VALID) {
        rc = acme_error_set(run->err, ACME_WIRE,
            "order is %s where valid was expected",
            acme_status_name(run->order.status));
    }
    return rc;
}

static enum acme_rc
deliver(struct run *run)
{
    const struct acme_job *job = run->job;
    struct acme_chain *chain = NULL;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    rc = enter(run, "download");
    if (rc == ACME_OK)
        rc = acme_order_download(job->client, &run->order, &pem, run->err);
    if (rc == ACME_OK)
        rc =
            acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, run->err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(chain, &run->result->leaf, run->err);
    if (rc == ACME_OK)
        rc = acme_vault_version(job->vault, job->unit, run->key, chain,
            run->order.url, &run->result->version, run->err);
    acme_chain_free(chain);
    acme_buf_clear(&pem);
    return rc;
}

/* ---- the story -------------------------------------------------------- */

static enum acme_rc
obtain(struct run *run)
{
    enum acme_rc rc = enter(run, "account");

    if (rc == ACME_OK)
        rc = ensure_account(run);
    if (rc == ACME_OK)
        rc = enter(run, "order");
    if (rc == ACME_OK)
        rc = obtain_order(run);
    if (rc == ACME_OK)
        rc = complete_order(run);
    if (rc == ACME_OK)
        rc = deliver(run);
    return rc;
}

/* An order that does not move is looked at less and less often: a quarter of
 * its age, at most an hour. */
static void
grow_patience(struct run *run)
{
    time_t now = run->job->host->now(run->job->host->ctx);
    time_t created = (time_t)acme_json_time(run->memo, "created");
    time_t pause = created != 0 ? (now - created) / 4 : 0;

    if (pause > 3600)
        pause = 3600;
    if (run->err->retry_at < now + pause)
        run->err->retry_at = now + pause;
}

static bool
is_due(const struct run *run)
{
    const struct acme_record *record = &run->now.record;
    const char *why;

    return run->job->force || run->now.order ||
           acme_job_is_needed(&run->now, &why) ||
           (record->renew_at != 0 &&
               record->renew_at <= run->job->host->now(run->job->host->ctx));
}

static enum acme_rc
run_locked(struct run *run)
{
    const struct acme_job *job = run->job;
    struct acme_error ignored;
    enum acme_rc rc;

    /* Somebody else may have done it while we waited for the lock. */
    rc = acme_vault_unit(job->vault, job->unit, &run->now, run->err);
    if (rc != ACME_OK || run->now.type == ACME_KEY_NONE || !is_due(run))
        return rc;
    run->result->first = run->now.leaf == NULL;
    if (run->now.conflict != NULL)
        return acme_error_set(run->err, ACME_CONFIG, "%s", run->now.conflict);
    rc = obtain(run);
    if (rc == ACME_LATER)
        grow_patience(run);
    /* On success the store has dropped it together with the switch. */
    acme_error_clear(&ignored);
    if (rc != ACME_OK && run->memo != NULL && !order_survives(run->err))
        (void)drop_order(run, &ignored);
    else if (rc != ACME_OK && run->memo_changed)
        (void)save_memo(run, false, &ignored);
    return rc;
}

enum acme_rc
acme_job_run(const struct acme_job *job, struct acme_job_result *result,
    struct acme_error *err)
{
    struct run run;
    enum acme_rc rc;

    memset(&run, 0, sizeof(run));
    memset(result, 0, sizeof(*result));
    run.job = job;
    run.lineage = &job->config->lineage[acme_unit_lineage(job->unit)];
    run.issuer = &job->config->issuer[run.lineage->issuer];
    run.result = result;
    run.err = err;
    run.arena = acme_arena_new();
    if (run.arena == NULL)
        return acme_error_nomem(err);
    rc = acme_vault_lock(job->vault, job->unit, err);
    if (rc == ACME_OK) {
        rc = run_locked(&run);
        acme_vault_unlock(job->vault, job->unit);
    }
    acme_vault_unit_clear(&run.now);
    acme_json_free(run.memo);
    acme_key_unref(run.key);
    acme_arena_free(run.arena);
    return rc;
}

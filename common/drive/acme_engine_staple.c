/*
 * Staples: what the responders of live certificates say (OCSP) is fetched for
 * the servers that send it along with them, before what they have is over.
 * One at a time, and a responder that is silent is left alone for a while: of
 * thousands of certificates each waits for its turn.  Without an answer
 * handshakes go without it.
 */
#include "drive/acme_engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_lists.h"
#include "protocol/acme_client.h"
#include "state/acme_schedule.h"
#include "wrap/acme_ocsp.h"

/* A job works on the lineage; somebody else does, or there is no room. */
#define JOB_PAUSE 2
#define BUSY_PAUSE 30

/* Nothing is planned further away than an answer may say that it is good; a
 * time beyond that is of a clock that was wrong. */
#define PLAN_MAX (400L * 24 * 3600)

/* What the thread is given, and gives back. */
struct fetch {
    size_t unit;
    struct acme_chain *chain;
    char responder[ACME_URL_MAX];
    struct acme_buf der;
    struct acme_ocsp_answer answer;
};

struct acme_staples {
    struct acme_heap *due; /* units, by time */
    struct fetch *fetch;   /* the one at a time; NULL: none */
};

/* ---- life ------------------------------------------------------------- */

static void
free_fetch(struct fetch *fetch)
{
    if (fetch == NULL)
        return;
    acme_chain_free(fetch->chain);
    acme_buf_clear(&fetch->der);
    free(fetch);
}

bool
acme_engine_staples_new(struct acme_engine *engine)
{
    engine->staples = calloc(1, sizeof(*engine->staples));
    if (engine->staples == NULL)
        return false;
    engine->staples->due = acme_heap_new(count_units(engine));
    return engine->staples->due != NULL;
}

void
acme_engine_staples_free(struct acme_staples *staples)
{
    if (staples == NULL)
        return;
    free_fetch(staples->fetch);
    acme_heap_free(staples->due);
    free(staples);
}

/* ---- planning --------------------------------------------------------- */

static void
plan(struct acme_engine *engine, size_t unit, time_t at)
{
    acme_heap_remove(engine->staples->due, unit);
    acme_heap_put(engine->staples->due, unit, (int64_t)at, (int64_t)unit);
}

void
acme_engine_forget_staple(struct acme_engine *engine, size_t unit)
{
    acme_heap_remove(engine->staples->due, unit);
}

/* An operator's own key is served by others than us. */
static bool
is_stapled(const struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, const struct acme_leaf *leaf)
{
    char responder[ACME_URL_MAX];

    return wish_of(engine, unit)->stapling && !view->csr && !view->revoked &&
           leaf->not_after >
               acme_engine_today(engine, acme_engine_issuer(engine, unit)) &&
           acme_ocsp_url(view->leaf, responder);
}

/* What the store has is the truth, whoever has fetched it. */
static bool
follow_store(const struct acme_engine *engine, struct acme_record_staple *is,
    const struct acme_vault_unit *view)
{
    bool over = view->staple_until <= now(engine);
    time_t since = over ? 0 : view->staple_since;
    time_t until = over ? 0 : view->staple_until;

    if (is->this_update == since && is->next_update == until)
        return false;
    is->this_update = since;
    is->next_update = until;
    is->next_look = 0;
    if (over)
        return true;
    is->failures = 0;
    is->problem[0] = '\0';
    is->next_look = acme_schedule_staple(&engine->conf.config->stapling, since,
        until, now(engine), draw(engine));
    return true;
}

bool
acme_engine_plan_staple(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf)
{
    struct acme_record_staple *is = &view->record.staple;
    bool changed = strcmp(is->certificate, leaf->fingerprint) != 0;

    acme_engine_forget_staple(engine, unit);
    if (!is_stapled(engine, unit, view, leaf)) {
        changed =
            is->certificate[0] != '\0' && wish_of(engine, unit)->stapling;
        if (changed)
            memset(is, 0, sizeof(*is));
        return changed;
    }
    if (changed) {
        memset(is, 0, sizeof(*is));
        memcpy(is->certificate, leaf->fingerprint, sizeof(is->certificate));
    }
    changed = follow_store(engine, is, view) || changed;
    if (is->next_look > now(engine) + PLAN_MAX)
        is->next_look = 0;
    plan(engine, unit, is->next_look);
    return changed;
}

/* ---- what has come of it ---------------------------------------------- */

static void
take_answer(const struct acme_engine *engine, size_t unit,
    struct acme_record_staple *is)
{
    char when[ACME_TIME_TEXT];

    is->failures = 0;
    is->problem[0] = '\0';
    is->next_look = acme_schedule_staple(&engine->conf.config->stapling,
        is->this_update, is->next_update, now(engine), draw(engine));
    acme_log(engine->conf.host, ACME_LOG_INFO,
        "answer of OCSP is stapled, lineage \"%s\", good until %s",
        wish_of(engine, unit)->name, acme_time_format(is->next_update, when));
}

static void
take_failure(const struct acme_engine *engine, size_t unit, bool must_staple,
    struct acme_record_staple *is, const struct acme_error *why)
{
    bool bad = must_staple && is->next_update == 0;
    char line[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT];

    is->failures++;
    is->next_look = acme_schedule_look_failed(why, is->failures, now(engine),
        draw(engine));
    (void)acme_error_line(why, line, sizeof(line));
    acme_log_clean(is->problem, sizeof(is->problem), line, strlen(line));
    acme_log(engine->conf.host, bad ? ACME_LOG_WARN : ACME_LOG_INFO,
        "no new answer of OCSP to be stapled, lineage \"%s\": %s; next try at "
        "%s",
        wish_of(engine, unit)->name, line,
        acme_time_format(is->next_look, when));
}

/* The answer, or, if that is that it is revoked, that there is none any more.
 * One that the store does not want is none either: *why. */
static enum acme_rc
tell_store(const struct acme_engine *engine, const struct fetch *fetch,
    const char *fingerprint, struct acme_error *why, struct acme_error *err)
{
    enum acme_rc rc;

    if (why->rc != ACME_OK && !fetch->answer.revoked)
        return ACME_OK;
    rc = acme_vault_staple(engine->conf.vault, fetch->unit, fingerprint,
        fetch->der.data, fetch->der.len, err);
    if (rc != ACME_WIRE && rc != ACME_REFUSED && rc != ACME_NOENT)
        return rc;
    *why = *err;
    acme_error_clear(err);
    return ACME_OK;
}

/* With the lineage's lock.  why->rc ACME_OK: the answer is good. */
static enum acme_rc
note_locked(struct acme_engine *engine, const struct fetch *fetch,
    struct acme_error *why, struct acme_error *err)
{
    struct acme_leaf leaf, asked;
    struct acme_vault_unit view;
    struct acme_record_staple *is = &view.record.staple;
    enum acme_rc rc = acme_chain_leaf(fetch->chain, &asked, err);

    if (rc == ACME_OK)
        rc = tell_store(engine, fetch, asked.fingerprint, why, err);
    if (rc == ACME_OK)
        rc = acme_vault_unit(engine->conf.vault, fetch->unit, &view, err);
    if (rc != ACME_OK)
        return rc;
    if (view.leaf != NULL)
        rc = acme_chain_leaf(view.leaf, &leaf, err);
    if (rc == ACME_OK && view.leaf != NULL &&
        strcmp(leaf.fingerprint, asked.fingerprint) == 0) {
        (void)follow_store(engine, is, &view);
        if (why->rc == ACME_OK)
            take_answer(engine, fetch->unit, is);
        else
            take_failure(engine, fetch->unit, view.must_staple, is, why);
    }
    if (rc == ACME_OK)
        rc = acme_engine_replan(engine, fetch->unit, &view, err);
    acme_vault_unit_clear(&view);
    return rc;
}

static void
note(struct acme_engine *engine, const struct fetch *fetch,
    struct acme_error *why)
{
    struct acme_error err;
    enum acme_rc rc = ACME_BUSY;

    acme_error_clear(&err);
    if (!acme_engine_is_busy(engine, fetch->unit))
        rc = acme_vault_lock(engine->conf.vault, fetch->unit, &err);
    if (rc == ACME_OK) {
        rc = note_locked(engine, fetch, why, &err);
        acme_vault_unlock(engine->conf.vault, fetch->unit);
    }
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_engine_log_failure(engine, fetch->unit,
            "cannot keep an answer of OCSP", &err);
    if (rc != ACME_OK) /* start() waits for jobs */
        plan(engine, fetch->unit,
            now(engine) + (acme_engine_is_busy(engine, fetch->unit)
                                  ? JOB_PAUSE
                                  : BUSY_PAUSE));
}

/* ---- fetching --------------------------------------------------------- */

/* In a thread of its own: it sees the fetch and nothing else. */
static enum acme_rc
ask(const struct acme_enroll *account, void *ctx, struct acme_error *err)
{
    struct fetch *fetch = ctx;
    struct acme_http_response response;
    char url[ACME_URL_MAX];
    time_t today = account->host->now(account->host->ctx);
    enum acme_rc rc =
        acme_ocsp_question(fetch->chain, fetch->responder, url, err);

    acme_http_response_init(&response);
    if (rc == ACME_OK)
        rc = acme_connection_get_plain(acme_client_connection(account->client),
            url, ACME_STAPLE_MAX, ACME_OCSP_TIMEOUT_MS, &response, err);
    if (rc == ACME_OK)
        rc = acme_ocsp_read(response.body.data, response.body.len,
            fetch->chain, today, &fetch->answer, err);
    if (rc == ACME_OK)
        rc = acme_ocsp_read_staple(response.body.data, response.body.len,
            fetch->chain, today, &fetch->answer, err);
    if (rc == ACME_OK)
        acme_buf_add(&fetch->der, response.body.data, response.body.len);
    if (rc == ACME_OK && !acme_buf_ok(&fetch->der))
        rc = acme_error_nomem(err);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "OCSP");
}

bool
acme_engine_end_staple(struct acme_engine *engine,
    const struct acme_crew_ended *ended)
{
    struct fetch *fetch = engine->staples->fetch;
    struct acme_error why = ended->err;

    if (ended->errand != ask)
        return false;
    engine->staples->fetch = NULL;
    if (why.rc == ACME_STOPPING) {
        free_fetch(fetch);
        return true;
    }
    acme_engine_spare_responder(engine, fetch->responder, &why);
    note(engine, fetch, &why);
    if (fetch->answer.revoked)
        acme_engine_hear_revoked(engine, fetch->unit, fetch->chain);
    free_fetch(fetch);
    return true;
}

/* Takes the chain. */
static bool
start_fetch(struct acme_engine *engine, size_t unit, size_t issuer,
    const char *responder, struct acme_chain *chain)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL) {
        acme_chain_free(chain);
        return false;
    }
    fetch->unit = unit;
    fetch->chain = chain;
    acme_buf_init(&fetch->der, ACME_STAPLE_MAX);
    memcpy(fetch->responder, responder, strlen(responder) + 1);
    engine->staples->fetch = fetch;
    if (acme_crew_start_errand(engine->crew, issuer, ask, fetch))
        return true;
    engine->staples->fetch = NULL;
    free_fetch(fetch);
    return false;
}

/* The connection is one to its CA: by that address is known whether a private
 * one is in order. */
static bool
fetch_for(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view)
{
    size_t issuer = view->issued_by_known ? view->issued_by
                                          : acme_engine_issuer(engine, unit);
    char responder[ACME_URL_MAX];
    struct acme_chain *chain = NULL;
    struct acme_error err;
    time_t until;

    acme_error_clear(&err);
    if (!acme_ocsp_url(view->leaf, responder) ||
        acme_vault_chain(engine->conf.vault, unit, &chain, &err) != ACME_OK)
        return false;
    until = acme_engine_responder_at(engine, responder, chain);
    if (until > now(engine)) {
        plan(engine, unit, until);
        acme_chain_free(chain);
        return false;
    }
    return start_fetch(engine, unit, issuer, responder, chain);
}

/* Is the first in the heap; what can't be fetched now is planned anew. */
static bool
start(struct acme_engine *engine, size_t unit)
{
    struct acme_vault_unit view;
    struct acme_leaf leaf;
    struct acme_error err;
    bool fetched = false, due;

    acme_error_clear(&err);
    plan(engine, unit,
        now(engine) +
            (acme_engine_is_busy(engine, unit) ? JOB_PAUSE : BUSY_PAUSE));
    if (acme_engine_is_busy(engine, unit) ||
        acme_vault_unit(engine->conf.vault, unit, &view, &err) != ACME_OK)
        return false;
    if (view.leaf == NULL) {
        acme_engine_forget_staple(engine, unit);
    } else if (acme_chain_leaf(view.leaf, &leaf, &err) == ACME_OK) {
        /* another server may have been faster */
        (void)acme_engine_plan_staple(engine, unit, &view, &leaf);
        due = is_stapled(engine, unit, &view, &leaf) &&
              view.record.staple.next_look <= now(engine);
        if (due) {
            plan(engine, unit, now(engine) + BUSY_PAUSE);
            fetched = fetch_for(engine, unit, &view);
        }
    }
    acme_vault_unit_clear(&view);
    return fetched;
}

bool
acme_engine_start_staple(struct acme_engine *engine)
{
    size_t unit;
    int64_t at;

    if (engine->staples->fetch != NULL ||
        !acme_heap_first(engine->staples->due, &unit, &at) ||
        at > (int64_t)now(engine))
        return false;
    return start(engine, unit);
}

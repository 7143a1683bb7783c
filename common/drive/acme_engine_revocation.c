/*
 * The engine's looks at whether what is live has been revoked, by whomever,
 * off the serving path.  Where the certificate names a responder (OCSP) that
 * is asked: the question is small, about this certificate alone, and what it
 * says is fresher.  Where it says nothing, or there is none, as CAs give OCSP
 * up, the revocation list (CRL) tells, which is fetched for one certificate
 * and kept, for a while, for all that it is about.  What cannot be told is no
 * reason to do anything.
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
#include "wrap/acme_revocation.h"

/* The lineage is being worked on, or there is no room. */
#define BUSY_PAUSE 60

/* CAs issue certificates that have been valid for an hour. */
#define BACKDATED 3600

/* A look that needs the network: what the thread is given, and gives back. */
struct look {
    size_t unit;
    struct acme_chain *chain;
    char responder[ACME_URL_MAX]; /* "": none is asked */
    char url[ACME_URL_MAX];       /* of the list; "": none is fetched */
    bool answered;                /* by the responder: */
    struct acme_ocsp_answer answer;
    struct acme_error unanswered; /* or why not */
    struct acme_crl *crl;
};

struct acme_crls {
    struct acme_heap *due; /* units, by time */
    struct look *look;     /* the one at a time; NULL: none */
    struct acme_lists *lists;
};

/* What a look has come to, and until when that counts. */
struct finding {
    const char *by; /* as acme_vault_learned() has it */
    bool revoked;
    const char *reason;
    time_t until;
};

/* ---- life ------------------------------------------------------------- */

static void
free_look(struct look *look)
{
    if (look == NULL)
        return;
    acme_chain_free(look->chain);
    acme_crl_free(look->crl);
    free(look);
}

bool
acme_engine_crls_new(struct acme_engine *engine)
{
    engine->crls = calloc(1, sizeof(*engine->crls));
    if (engine->crls == NULL)
        return false;
    engine->crls->lists = acme_lists_new();
    engine->crls->due = acme_heap_new(count_units(engine));
    return engine->crls->lists != NULL && engine->crls->due != NULL;
}

void
acme_engine_crls_free(struct acme_crls *crls)
{
    if (crls == NULL)
        return;
    acme_lists_free(crls->lists);
    free_look(crls->look);
    acme_heap_free(crls->due);
    free(crls);
}

/* ---- planning --------------------------------------------------------- */

static void
plan(struct acme_engine *engine, size_t unit, time_t at)
{
    acme_heap_remove(engine->crls->due, unit);
    acme_heap_put(engine->crls->due, unit, (int64_t)at, (int64_t)unit);
}

void
acme_engine_forget_revocation(struct acme_engine *engine, size_t unit)
{
    acme_heap_remove(engine->crls->due, unit);
}

/*
 * The first look is hours after the certificate has come: lists are not
 * written more often, and a CA that revokes whatever it issues has us order
 * four times a day and not at once again and again (security S32).
 */
bool
acme_engine_plan_revocation(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf)
{
    struct acme_record_revocation *is = &view->record.revocation;
    bool is_new = strcmp(is->certificate, leaf->fingerprint) != 0;

    acme_engine_forget_revocation(engine, unit);
    if (!acme_engine_is_asked(engine, view, leaf) ||
        !acme_revocation_is_told(view->leaf))
        return false;
    if (is_new) {
        memset(is, 0, sizeof(*is));
        memcpy(is->certificate, leaf->fingerprint, sizeof(is->certificate));
        is->next_look = acme_schedule_look_after(NULL, ACME_LOOK_DEFAULT,
            now(engine), draw(engine));
    }
    if (is->revoked)
        return is_new;
    is->next_look = acme_schedule_look(is->next_look,
        engine->conf.config->nlineages, now(engine), draw(engine));
    plan(engine, unit, is->next_look);
    return is_new;
}

/* A certificate that is hours old only waits for its first look. */
void
acme_engine_hear_revoked(struct acme_engine *engine, size_t unit,
    const struct acme_chain *chain)
{
    struct acme_error ignored;
    struct acme_leaf leaf;

    acme_error_clear(&ignored);
    if (acme_heap_has(engine->crls->due, unit) &&
        acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK &&
        leaf.not_before + BACKDATED + ACME_LOOK_DEFAULT <= now(engine))
        plan(engine, unit, now(engine));
}

/* ---- what a look has found -------------------------------------------- */

static void
log_revoked(const struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, const struct acme_leaf *leaf)
{
    const struct acme_record_revocation *is = &view->record.revocation;

    acme_log(engine->conf.host, ACME_LOG_NOTICE,
        "certificate is revoked by its CA, lineage \"%s\", serial %s%s%s, "
        "learned by %s; it is renewed%s",
        wish_of(engine, unit)->name, leaf->serial,
        is->reason[0] != '\0' ? ", reason " : "", is->reason,
        strcmp(is->by, "ocsp") == 0 ? "OCSP" : "its list (CRL)",
        view->csr ? "" : " with another key");
}

/* That it is revoked is noted for everybody first: it must not be served
 * elsewhere, nor its key kept, whatever becomes of this record. */
static enum acme_rc
take_finding(const struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf,
    const struct finding *found, struct acme_error *err)
{
    struct acme_record_revocation *is = &view->record.revocation;

    if (found->revoked &&
        acme_vault_learned(engine->conf.vault, unit, leaf->fingerprint,
            found->by, found->reason, err) != ACME_OK)
        return err->rc;
    is->failures = 0;
    is->next_look = acme_schedule_look_after(NULL,
        (long)(found->until - now(engine)), now(engine), draw(engine));
    if (!found->revoked)
        return ACME_OK;
    is->revoked = view->revoked = true;
    is->next_look = 0;
    (void)snprintf(is->by, sizeof(is->by), "%s", found->by);
    (void)snprintf(is->reason, sizeof(is->reason), "%s", found->reason);
    log_revoked(engine, unit, view, leaf);
    return ACME_OK;
}

static void
take_failure(const struct acme_engine *engine, size_t unit,
    struct acme_record_revocation *is, const struct acme_error *err)
{
    char line[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT];

    is->failures++;
    is->next_look = acme_schedule_look_failed(err, is->failures, now(engine),
        draw(engine));
    acme_log(engine->conf.host, ACME_LOG_INFO,
        "not known whether the certificate is revoked, lineage \"%s\": %s; "
        "next look at %s",
        wish_of(engine, unit)->name, acme_error_line(err, line, sizeof(line)),
        acme_time_format(is->next_look, when));
}

/* With the lineage's lock.  `chain`: whose look it was. */
static enum acme_rc
note_locked(struct acme_engine *engine, size_t unit,
    const struct acme_chain *chain, const struct finding *found,
    const struct acme_error *why, struct acme_error *err)
{
    struct acme_leaf leaf, asked;
    struct acme_vault_unit view;
    enum acme_rc rc = acme_vault_unit(engine->conf.vault, unit, &view, err);

    if (rc != ACME_OK)
        return rc;
    rc = acme_chain_leaf(chain, &asked, err);
    if (rc == ACME_OK && view.leaf != NULL)
        rc = acme_chain_leaf(view.leaf, &leaf, err);
    if (rc == ACME_OK && view.leaf != NULL &&
        strcmp(leaf.fingerprint, asked.fingerprint) == 0) {
        if (found != NULL)
            rc = take_finding(engine, unit, &view, &leaf, found, err);
        else
            take_failure(engine, unit, &view.record.revocation, why);
    }
    if (rc == ACME_OK)
        rc = acme_engine_replan(engine, unit, &view, err);
    acme_vault_unit_clear(&view);
    return rc;
}

/* Exactly one of found and why. */
static void
note(struct acme_engine *engine, size_t unit, const struct acme_chain *chain,
    const struct finding *found, const struct acme_error *why)
{
    struct acme_error err;
    enum acme_rc rc = ACME_BUSY;

    acme_error_clear(&err);
    if (!acme_engine_is_busy(engine, unit))
        rc = acme_vault_lock(engine->conf.vault, unit, &err);
    if (rc == ACME_OK) {
        rc = note_locked(engine, unit, chain, found, why, &err);
        acme_vault_unlock(engine->conf.vault, unit);
    }
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_engine_log_failure(engine, unit,
            "cannot note whether the certificate is revoked", &err);
    if (rc != ACME_OK)
        plan(engine, unit, now(engine) + BUSY_PAUSE);
}

static void
note_list(struct acme_engine *engine, size_t unit,
    const struct acme_chain *chain, const struct acme_crl *crl, time_t until)
{
    struct finding found = { .by = "crl", .reason = "", .until = until };

    found.revoked = acme_crl_has(crl, chain, &found.reason);
    note(engine, unit, chain, &found, NULL);
}

static void
note_answer(struct acme_engine *engine, const struct look *look)
{
    const struct acme_ocsp_answer *answer = &look->answer;
    struct finding found = { "ocsp", answer->revoked, answer->reason,
        acme_schedule_crl(answer->next_update, now(engine)) };

    note(engine, look->unit, look->chain, &found, NULL);
}

/* ---- looking ---------------------------------------------------------- */

static enum acme_rc
ask(const struct acme_enroll *account, struct look *look,
    struct acme_error *err)
{
    struct acme_http_response response;
    char url[ACME_URL_MAX];
    enum acme_rc rc =
        acme_ocsp_question(look->chain, look->responder, url, err);

    acme_http_response_init(&response);
    if (rc == ACME_OK)
        rc = acme_connection_get_plain(acme_client_connection(account->client),
            url, ACME_OCSP_MAX, ACME_OCSP_TIMEOUT_MS, &response, err);
    if (rc == ACME_OK)
        rc = acme_ocsp_read(response.body.data, response.body.len, look->chain,
            account->host->now(account->host->ctx), &look->answer, err);
    acme_http_response_clear(&response);
    look->answered = rc == ACME_OK;
    return rc == ACME_OK ? rc : acme_error_wrap(err, "OCSP");
}

static enum acme_rc
fetch(const struct acme_enroll *account, struct look *look,
    struct acme_error *err)
{
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = acme_connection_get_plain(acme_client_connection(account->client),
        look->url, ACME_CRL_MAX, 0, &response, err);
    if (rc == ACME_OK)
        rc = acme_crl_read(response.body.data, response.body.len, look->chain,
            account->host->now(account->host->ctx), &look->crl, err);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "revocation list");
}

/* In a thread of its own: it sees the look and nothing else. */
static enum acme_rc
look_around(const struct acme_enroll *account, void *ctx,
    struct acme_error *err)
{
    struct look *look = ctx;

    if (look->responder[0] != '\0' &&
        (ask(account, look, &look->unanswered) == ACME_OK ||
            look->unanswered.rc == ACME_STOPPING || look->url[0] == '\0')) {
        *err = look->unanswered;
        return err->rc;
    }
    return fetch(account, look, err);
}

void
acme_engine_spare_responder(struct acme_engine *engine, const char *responder,
    const struct acme_error *why)
{
    if (why->rc == ACME_NET || why->http_status != 0)
        acme_lists_keep(engine->crls->lists, responder, NULL,
            acme_schedule_look_failed(why, 1, now(engine), draw(engine)));
}

time_t
acme_engine_responder_at(struct acme_engine *engine, const char *responder,
    const struct acme_chain *chain)
{
    struct acme_listed silent = { NULL, 0 };

    return acme_lists_find(engine->crls->lists, responder, chain, now(engine),
               &silent)
               ? silent.until
               : 0;
}

static void
note_unanswered(struct acme_engine *engine, const struct look *look)
{
    const struct acme_error *why = &look->unanswered;
    char line[ACME_LOG_LINE_MAX];

    if (why->rc == ACME_OK)
        return;
    acme_log(engine->conf.host, ACME_LOG_DEBUG,
        "no answer of a responder, lineage \"%s\": %s",
        wish_of(engine, look->unit)->name,
        acme_error_line(why, line, sizeof(line)));
    acme_engine_spare_responder(engine, look->responder, why);
}

/* The list that was fetched, or was there, or neither. */
static void
end_with_list(struct acme_engine *engine, struct look *look,
    const struct acme_error *why)
{
    struct acme_lists *lists = engine->crls->lists;
    struct acme_listed kept = { NULL, 0 };
    char url[ACME_URL_MAX];

    if (look->crl != NULL) {
        kept.until =
            acme_schedule_crl(acme_crl_next_update(look->crl), now(engine));
        note_list(engine, look->unit, look->chain, look->crl, kept.until);
        acme_lists_keep(lists, look->url, look->crl, kept.until);
        look->crl = NULL;
        return;
    }
    if (look->url[0] != '\0')
        acme_lists_keep(lists, look->url, NULL,
            acme_schedule_look_failed(why, 1, now(engine), draw(engine)));
    else if (acme_crl_url(look->chain, url))
        (void)acme_lists_find(lists, url, look->chain, now(engine), &kept);
    if (kept.crl != NULL)
        note_list(engine, look->unit, look->chain, kept.crl, kept.until);
    else
        note(engine, look->unit, look->chain, NULL, why);
}

bool
acme_engine_end_revocation(struct acme_engine *engine,
    const struct acme_crew_ended *ended)
{
    struct look *look = engine->crls->look;

    if (ended->errand != look_around)
        return false;
    engine->crls->look = NULL;
    if (look->answered) {
        note_answer(engine, look);
    } else if (ended->err.rc != ACME_STOPPING) {
        note_unanswered(engine, look);
        end_with_list(engine, look, &ended->err);
    }
    free_look(look);
    return true;
}

/* Takes the chain. */
static bool
start_look(struct acme_engine *engine, size_t unit, size_t issuer,
    const char *responder, const char *url, struct acme_chain *chain)
{
    struct look *look = calloc(1, sizeof(*look));

    if (look == NULL) {
        acme_chain_free(chain);
        return false;
    }
    look->unit = unit;
    look->chain = chain;
    acme_error_clear(&look->unanswered);
    memcpy(look->responder, responder, strlen(responder) + 1);
    memcpy(look->url, url, strlen(url) + 1);
    engine->crls->look = look;
    if (acme_crew_start_errand(engine->crew, issuer, look_around, look))
        return true;
    engine->crls->look = NULL;
    free_look(look);
    return false;
}

/* When one of them, responder and list, has been silent long enough; 0: there
 * is none. */
static time_t
next_try(const struct acme_engine *engine, time_t responder, time_t list)
{
    if (responder == 0 && list == 0)
        return now(engine) + ACME_LOOK_DEFAULT;
    return list == 0 || (responder != 0 && responder < list) ? responder
                                                             : list;
}

/* Takes the chain.  True: somebody is asked.  A certificate that names nobody
 * who can be names nobody later either, but when memory was short. */
static bool
look_at_chain(struct acme_engine *engine, size_t unit, size_t issuer,
    struct acme_chain *chain)
{
    struct acme_lists *lists = engine->crls->lists;
    struct acme_listed silent = { NULL, 0 }, kept = { NULL, 0 };
    char responder[ACME_URL_MAX] = "", url[ACME_URL_MAX] = "";

    if (!acme_ocsp_url(chain, responder) ||
        acme_lists_find(lists, responder, chain, now(engine), &silent))
        responder[0] = '\0';
    if (!acme_crl_url(chain, url) ||
        acme_lists_find(lists, url, chain, now(engine), &kept))
        url[0] = '\0';
    if (responder[0] != '\0' || url[0] != '\0')
        return start_look(engine, unit, issuer, responder, url, chain);
    if (kept.crl != NULL)
        note_list(engine, unit, chain, kept.crl, kept.until);
    else
        plan(engine, unit, next_try(engine, silent.until, kept.until));
    acme_chain_free(chain);
    return false;
}

static bool
look_at(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view)
{
    struct acme_chain *chain = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_vault_chain(engine->conf.vault, unit, &chain, &err) != ACME_OK)
        return false;
    return look_at_chain(engine, unit, view->issued_by, chain);
}

/* Has left the heap; a look that can't be done now is planned anew. */
static bool
start(struct acme_engine *engine, size_t unit)
{
    struct acme_vault_unit view;
    struct acme_error err;
    bool fetched = false;
    time_t at = now(engine) + BUSY_PAUSE;

    acme_error_clear(&err);
    plan(engine, unit, at);
    if (acme_engine_is_busy(engine, unit) ||
        acme_vault_unit(engine->conf.vault, unit, &view, &err) != ACME_OK)
        return false;
    if (view.leaf != NULL && view.issued_by_known) {
        time_t until = acme_engine_not_before(engine, view.issued_by);

        if (until > now(engine))
            plan(engine, unit, until);
        else
            fetched = look_at(engine, unit, &view);
    }
    acme_vault_unit_clear(&view);
    return fetched;
}

bool
acme_engine_start_revocation(struct acme_engine *engine)
{
    size_t unit;
    int64_t at;

    if (engine->crls->look != NULL ||
        !acme_heap_first(engine->crls->due, &unit, &at) ||
        at > (int64_t)now(engine))
        return false;
    return start(engine, unit);
}

time_t
acme_engine_next_revocation(const struct acme_engine *engine)
{
    size_t unit;
    int64_t at;

    return acme_heap_first(engine->crls->due, &unit, &at) ? (time_t)at : 0;
}

/*
 * The engine's looks at revocation lists, off the serving path: whether what
 * is live has been revoked, by whomever.  A list is fetched for one
 * certificate and kept, for a while, for all that it is about.  What cannot
 * be told is no reason to do anything.
 */
#include "drive/acme_engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "protocol/acme_client.h"
#include "state/acme_schedule.h"
#include "wrap/acme_revocation.h"

/* The lineage is being worked on, or there is no room. */
#define BUSY_PAUSE 60

/* A list, or that there was none to be had, at a URL. */
struct kept_crl {
    char *url;
    struct acme_crl *crl; /* NULL: none */
    time_t until;
};

/* A look that needs a list: what the thread is given, and gives back. */
struct look {
    size_t unit;
    struct acme_chain *chain;
    char url[ACME_URL_MAX];
    struct acme_crl *crl;
};

struct acme_crls {
    struct acme_heap *due; /* units, by time */
    struct look *look;     /* the one at a time; NULL: none */
    size_t n, size;
    struct kept_crl kept[ACME_CRLS_MAX];
};

/* ---- lists ------------------------------------------------------------ */

static void
drop(struct acme_crls *crls, struct kept_crl *kept)
{
    if (kept->crl != NULL)
        crls->size -= acme_crl_size(kept->crl);
    acme_crl_free(kept->crl);
    free(kept->url);
    *kept = crls->kept[--crls->n];
}

/* What is over makes room, then what is over first. */
static void
make_room(struct acme_crls *crls, size_t size)
{
    struct kept_crl *first;
    size_t i;

    while (crls->n > 0 && (crls->n == ACME_CRLS_MAX ||
                              crls->size + size > ACME_CRLS_SIZE_MAX)) {
        first = &crls->kept[0];
        for (i = 1; i < crls->n; i++)
            if (crls->kept[i].until < first->until)
                first = &crls->kept[i];
        drop(crls, first);
    }
}

/* Takes the list, which may be NULL.  Without memory it is not kept. */
static void
keep(struct acme_crls *crls, const char *url, struct acme_crl *crl,
    time_t until)
{
    size_t size = crl != NULL ? acme_crl_size(crl) : 0;
    char *copy = strdup(url);

    make_room(crls, size);
    if (copy == NULL) {
        acme_crl_free(crl);
        return;
    }
    crls->kept[crls->n++] = (struct kept_crl){ copy, crl, until };
    crls->size += size;
}

/* What still counts; the rest is dropped on the way. */
static const struct kept_crl *
find(const struct acme_engine *engine, const char *url,
    const struct acme_chain *chain)
{
    struct acme_crls *crls = engine->crls;
    size_t i = 0;

    while (i < crls->n) {
        struct kept_crl *kept = &crls->kept[i];

        if (kept->until <= now(engine))
            drop(crls, kept);
        else if (strcmp(kept->url, url) == 0 &&
                 (kept->crl == NULL || acme_crl_is_for(kept->crl, chain)))
            return kept;
        else
            i++;
    }
    return NULL;
}

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
    engine->crls->due = acme_heap_new(count_units(engine));
    return engine->crls->due != NULL;
}

void
acme_engine_crls_free(struct acme_crls *crls)
{
    if (crls == NULL)
        return;
    while (crls->n > 0)
        drop(crls, &crls->kept[0]);
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
    char url[ACME_URL_MAX];
    bool is_new = strcmp(is->certificate, leaf->fingerprint) != 0;

    acme_engine_forget_revocation(engine, unit);
    if (!acme_engine_is_asked(engine, view, leaf) ||
        !acme_crl_url(view->leaf, url))
        return false;
    if (is_new) {
        memset(is, 0, sizeof(*is));
        memcpy(is->certificate, leaf->fingerprint, sizeof(is->certificate));
        is->next_look = acme_schedule_look_after(ACME_LOOK_DEFAULT,
            now(engine), draw(engine));
    }
    if (is->revoked)
        return is_new;
    is->next_look = acme_schedule_look(is->next_look,
        engine->conf.config->nlineages, now(engine), draw(engine));
    plan(engine, unit, is->next_look);
    return is_new;
}

/* ---- what a look has found -------------------------------------------- */

static void
take_list(const struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf,
    const struct kept_crl *kept)
{
    struct acme_record_revocation *is = &view->record.revocation;
    const char *reason = "";

    is->failures = 0;
    is->next_look = acme_schedule_look_after((long)(kept->until - now(engine)),
        now(engine), draw(engine));
    if (!acme_crl_has(kept->crl, view->leaf, &reason))
        return;
    is->revoked = view->revoked = true;
    is->next_look = 0;
    (void)snprintf(is->reason, sizeof(is->reason), "%s", reason);
    acme_log(engine->conf.host, ACME_LOG_NOTICE,
        "certificate is revoked by its CA, lineage \"%s\", serial %s%s%s; it "
        "is renewed with another key",
        wish_of(engine, unit)->name, leaf->serial,
        reason[0] != '\0' ? ", reason " : "", reason);
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
    const struct acme_chain *chain, const struct kept_crl *kept,
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
        if (kept != NULL)
            take_list(engine, unit, &view, &leaf, kept);
        else
            take_failure(engine, unit, &view.record.revocation, why);
    }
    if (rc == ACME_OK)
        rc = acme_engine_replan(engine, unit, &view, err);
    acme_vault_unit_clear(&view);
    return rc;
}

/* Exactly one of kept and why. */
static void
note(struct acme_engine *engine, size_t unit, const struct acme_chain *chain,
    const struct kept_crl *kept, const struct acme_error *why)
{
    struct acme_error err;
    enum acme_rc rc = ACME_BUSY;

    acme_error_clear(&err);
    if (!acme_engine_is_busy(engine, unit))
        rc = acme_vault_lock(engine->conf.vault, unit, &err);
    if (rc == ACME_OK) {
        rc = note_locked(engine, unit, chain, kept, why, &err);
        acme_vault_unlock(engine->conf.vault, unit);
    }
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_engine_log_failure(engine, unit,
            "cannot note a look at a revocation list", &err);
    if (rc != ACME_OK)
        plan(engine, unit, now(engine) + BUSY_PAUSE);
}

/* ---- looking ---------------------------------------------------------- */

static enum acme_rc
fetch(const struct acme_enroll *account, void *ctx, struct acme_error *err)
{
    struct look *look = ctx;
    struct acme_http_response response;
    enum acme_rc rc;

    acme_http_response_init(&response);
    rc = acme_connection_get_plain(acme_client_connection(account->client),
        look->url, ACME_CRL_MAX, &response, err);
    if (rc == ACME_OK)
        rc = acme_crl_read(response.body.data, response.body.len, look->chain,
            account->host->now(account->host->ctx), &look->crl, err);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "revocation list");
}

bool
acme_engine_end_revocation(struct acme_engine *engine,
    const struct acme_crew_ended *ended)
{
    struct acme_crls *crls = engine->crls;
    struct look *look = crls->look;
    struct kept_crl kept;

    if (ended->errand != fetch)
        return false;
    crls->look = NULL;
    kept = (struct kept_crl){ look->url, look->crl, 0 };
    if (ended->err.rc == ACME_OK) {
        kept.until =
            acme_schedule_crl(acme_crl_next_update(look->crl), now(engine));
        note(engine, look->unit, look->chain, &kept, NULL);
        look->crl = NULL;
        keep(crls, look->url, kept.crl, kept.until);
    } else if (ended->err.rc != ACME_STOPPING) {
        note(engine, look->unit, look->chain, NULL, &ended->err);
        kept.until = acme_schedule_look_failed(&ended->err, 1, now(engine),
            draw(engine));
        keep(crls, look->url, NULL, kept.until);
    }
    free_look(look);
    return true;
}

/* Takes the chain. */
static bool
start_fetch(struct acme_engine *engine, size_t unit, size_t issuer,
    const char *url, struct acme_chain *chain)
{
    struct look *look = calloc(1, sizeof(*look));

    if (look == NULL) {
        acme_chain_free(chain);
        return false;
    }
    look->unit = unit;
    look->chain = chain;
    memcpy(look->url, url, strlen(url) + 1);
    engine->crls->look = look;
    if (acme_crew_start_errand(engine->crew, issuer, fetch, look))
        return true;
    engine->crls->look = NULL;
    free_look(look);
    return false;
}

/* True: a list is fetched. */
static bool
look_at(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view)
{
    const struct kept_crl *kept;
    struct acme_chain *chain = NULL;
    struct acme_error err;
    char url[ACME_URL_MAX];

    acme_error_clear(&err);
    if (acme_vault_chain(engine->conf.vault, unit, &chain, &err) != ACME_OK ||
        !acme_crl_url(chain, url)) {
        acme_chain_free(chain);
        return false;
    }
    kept = find(engine, url, chain);
    if (kept == NULL)
        return start_fetch(engine, unit, view->issued_by, url, chain);
    if (kept->crl != NULL)
        note(engine, unit, chain, kept, NULL);
    else
        plan(engine, unit, kept->until);
    acme_chain_free(chain);
    return false;
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

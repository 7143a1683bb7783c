/*
 * The engine's looks at renewal information (RFC 9773): when each is due, what
 * it changes in the record, and so in the time of the renewal.  One look at a
 * time and CA; none of them ever fails a certificate.
 */
#include "drive/acme_engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "state/acme_schedule.h"

/* The lineage is being worked on: what it will be is looked at later. */
#define BUSY_PAUSE 60

#define NOWHERE SIZE_MAX

struct look_ca {
    struct acme_heap *due; /* units, by time; NULL: no CA of its own */
    bool looking;
    unsigned failures; /* in a row, that were the CA's */
    time_t not_before;
};

struct acme_looks {
    size_t nissuers;
    struct look_ca *ca;
    size_t *place; /* of each unit: in whose heap it is */
    bool *looking; /* each unit */
};

/* ---- life ------------------------------------------------------------- */

void
acme_engine_looks_free(struct acme_looks *looks)
{
    size_t i;

    if (looks == NULL)
        return;
    for (i = 0; looks->ca != NULL && i < looks->nissuers; i++)
        acme_heap_free(looks->ca[i].due);
    free(looks->ca);
    free(looks->place);
    free(looks->looking);
    free(looks);
}

static bool
new_heaps(struct acme_engine *engine, struct acme_looks *looks)
{
    size_t i;

    for (i = 0; i < looks->nissuers; i++) {
        if (acme_crew_ca(engine->crew, i) != i)
            continue;
        looks->ca[i].due = acme_heap_new(count_units(engine));
        if (looks->ca[i].due == NULL)
            return false;
    }
    return true;
}

bool
acme_engine_looks_new(struct acme_engine *engine)
{
    struct acme_looks *looks = calloc(1, sizeof(*looks));
    size_t i, n = count_units(engine);

    engine->looks = looks;
    if (looks == NULL)
        return false;
    looks->nissuers = engine->conf.config->nissuers;
    looks->ca = calloc(looks->nissuers + 1, sizeof(looks->ca[0]));
    looks->place = calloc(n + 1, sizeof(looks->place[0]));
    looks->looking = calloc(n + 1, sizeof(looks->looking[0]));
    if (looks->ca == NULL || looks->place == NULL || looks->looking == NULL)
        return false;
    for (i = 0; i < n; i++)
        looks->place[i] = NOWHERE;
    return new_heaps(engine, looks);
}

/* ---- planning --------------------------------------------------------- */

void
acme_engine_forget_look(struct acme_engine *engine, size_t unit)
{
    struct acme_looks *looks = engine->looks;

    if (looks->place[unit] != NOWHERE)
        acme_heap_remove(looks->ca[looks->place[unit]].due, unit);
    looks->place[unit] = NOWHERE;
}

static void
plan_look(struct acme_engine *engine, size_t unit, size_t issuer, time_t at)
{
    struct acme_looks *looks = engine->looks;

    acme_engine_forget_look(engine, unit);
    if (looks->looking[unit])
        return; /* its end plans the next one */
    looks->place[unit] = acme_crew_ca(engine->crew, issuer);
    acme_heap_put(looks->ca[looks->place[unit]].due, unit, (int64_t)at,
        (int64_t)unit);
}

bool
acme_engine_is_asked(const struct acme_engine *engine,
    const struct acme_vault_unit *view, const struct acme_leaf *leaf)
{
    const struct acme_config *config = engine->conf.config;

    return view->issued_by_known && view->issued_by < config->nissuers &&
           config->issuer[view->issued_by].renewal_info &&
           leaf->not_after > acme_engine_today(engine, view->issued_by);
}

/* By the clock that the unit's windows go by. */
static time_t
today_of(const struct acme_engine *engine, size_t unit)
{
    return acme_engine_today(engine, acme_engine_issuer(engine, unit));
}

void
acme_engine_new_window(const struct acme_engine *engine, size_t unit,
    struct acme_record *record)
{
    const time_t today = today_of(engine, unit);
    struct acme_record_window fresh = { 0 };

    fresh.suggested = record->window.suggested;
    if (acme_schedule_is_suggested(record->renew_at, record->renew_usual,
            today))
        fresh.suggested = today;
    record->window = fresh;
}

/* The window of nobody, unless it is of a certificate that has expired. */
static void
drop_window(const struct acme_engine *engine, size_t unit,
    const struct acme_leaf *leaf, struct acme_record_window *window)
{
    struct acme_record_window fresh = { .suggested = window->suggested };

    if (leaf->not_after > today_of(engine, unit))
        *window = fresh;
}

bool
acme_engine_apply_window(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf)
{
    struct acme_record *record = &view->record;
    struct acme_record_window *window = &record->window, before = *window;
    struct acme_schedule_renewal renewal = { .not_before = leaf->not_before,
        .not_after = leaf->not_after };
    time_t renew_at = record->renew_at;

    if (record->renew_usual == 0)
        record->renew_usual = record->renew_at; /* of an older version */
    if (!acme_engine_is_asked(engine, view, leaf)) {
        acme_engine_forget_look(engine, unit);
        drop_window(engine, unit, leaf, window);
    } else {
        window->next_look = acme_schedule_look(window->next_look,
            engine->conf.config->nlineages, now(engine), draw(engine));
        plan_look(engine, unit, view->issued_by, window->next_look);
    }
    if (window->end != 0)
        window->pick = acme_schedule_pick(window->pick, window->start,
            window->end, draw(engine));
    renewal.usual = record->renew_usual;
    renewal.pick = window->pick;
    renewal.suggested = window->suggested;
    renewal.strict = record->renew_window[0] != '\0';
    record->renew_at = acme_schedule_renewal(&renewal);
    return record->renew_at != renew_at || window->pick != before.pick ||
           window->end != before.end;
}

/* ---- what a look has found -------------------------------------------- */

/* What is for now, or explained, people want to know of. */
static void
log_window(const struct acme_engine *engine, size_t unit,
    const struct acme_record *record, const char *issuer, bool explained)
{
    const struct acme_record_window *window = &record->window;
    char start[ACME_TIME_TEXT], end[ACME_TIME_TEXT], at[ACME_TIME_TEXT];
    bool is_now = acme_schedule_is_suggested(record->renew_at,
        record->renew_usual, today_of(engine, unit));

    acme_log(engine->conf.host,
        explained || is_now ? ACME_LOG_NOTICE : ACME_LOG_INFO,
        "renewal suggested, lineage \"%s\", issuer \"%s\": from %s to %s; "
        "planned for %s%s%s",
        wish_of(engine, unit)->name, issuer,
        acme_time_format(window->start, start),
        acme_time_format(window->end, end),
        acme_time_format(record->renew_at, at), explained ? "; see " : "",
        explained ? window->explanation : "");
}

/* True: it says something new; *explained: with words that are new. */
static bool
take_window(const struct acme_engine *engine, size_t unit,
    struct acme_record_window *window, const struct acme_renewal *found,
    bool *explained)
{
    bool changed = window->start != found->start || window->end != found->end;

    *explained = found->explanation[0] != '\0' &&
                 strcmp(window->explanation, found->explanation) != 0;
    window->start = found->start;
    window->end = found->end;
    (void)snprintf(window->explanation, sizeof(window->explanation), "%s",
        found->explanation);
    window->failures = 0;
    window->next_look =
        acme_schedule_look_after(&wish_of(engine, unit)->timing,
            found->retry_after, now(engine), draw(engine));
    return changed || *explained;
}

/* What is known stays as it is. */
static void
take_failure(const struct acme_engine *engine, size_t unit,
    struct acme_record_window *window, const char *issuer,
    const struct acme_error *err)
{
    char line[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT];

    window->failures++;
    if (err->rc == ACME_NOENT) /* a CA without it is not asked that often */
        window->next_look = acme_schedule_look_after(NULL, ACME_LOOK_MAX,
            now(engine), draw(engine));
    else
        window->next_look = acme_schedule_look_failed(err, window->failures,
            now(engine), draw(engine));
    acme_log(engine->conf.host,
        err->rc == ACME_NOENT ? ACME_LOG_DEBUG : ACME_LOG_INFO,
        "no renewal information, lineage \"%s\", issuer \"%s\": %s; next look "
        "at %s",
        wish_of(engine, unit)->name, issuer,
        acme_error_line(err, line, sizeof(line)),
        acme_time_format(window->next_look, when));
}

/* With the lineage's lock. */
static enum acme_rc
note_look(struct acme_engine *engine, const struct acme_crew_ended *ended,
    struct acme_error *err)
{
    const char *issuer = engine->conf.config->issuer[ended->issuer].name;
    struct acme_vault_unit view;
    struct acme_leaf leaf;
    bool is_new = false, explained = false;
    enum acme_rc rc;

    rc = acme_vault_unit(engine->conf.vault, ended->unit, &view, err);
    if (rc != ACME_OK)
        return rc;
    memset(&leaf, 0, sizeof(leaf));
    if (view.leaf != NULL)
        rc = acme_chain_leaf(view.leaf, &leaf, err);
    if (rc == ACME_OK && strcmp(leaf.ari_id, ended->ari_id) == 0) {
        if (ended->err.rc == ACME_OK)
            is_new = take_window(engine, ended->unit, &view.record.window,
                &ended->renewal, &explained);
        else
            take_failure(engine, ended->unit, &view.record.window, issuer,
                &ended->err);
    }
    if (rc == ACME_OK)
        rc = acme_engine_replan(engine, ended->unit, &view, err);
    if (rc == ACME_OK && is_new)
        log_window(engine, ended->unit, &view.record, issuer, explained);
    acme_vault_unit_clear(&view);
    return rc;
}

/* How the CA is, as far as it is to be seen from one look. */
static void
note_ca(struct acme_engine *engine, const struct acme_crew_ended *ended)
{
    struct look_ca *ca =
        &engine->looks->ca[acme_crew_ca(engine->crew, ended->issuer)];

    ca->looking = false;
    ca->not_before = now(engine);
    if (ended->err.rc != ACME_OK)
        ca->not_before = acme_schedule_look_pause(&ended->err,
            ca->failures + 1, now(engine));
    if (ca->not_before > now(engine))
        ca->failures++;
    else
        ca->failures = 0;
}

void
acme_engine_end_look(struct acme_engine *engine,
    const struct acme_crew_ended *ended)
{
    struct acme_error err;
    enum acme_rc rc = ACME_BUSY;

    engine->looks->looking[ended->unit] = false;
    note_ca(engine, ended);
    acme_error_clear(&err);
    if (ended->err.rc == ACME_STOPPING)
        return;
    if (!acme_engine_is_busy(engine, ended->unit))
        rc = acme_vault_lock(engine->conf.vault, ended->unit, &err);
    if (rc == ACME_OK) {
        rc = note_look(engine, ended, &err);
        acme_vault_unlock(engine->conf.vault, ended->unit);
    }
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_engine_log_failure(engine, ended->unit,
            "cannot note renewal information", &err);
    if (rc != ACME_OK)
        plan_look(engine, ended->unit, ended->issuer,
            now(engine) + BUSY_PAUSE);
}

/* ---- looking ---------------------------------------------------------- */

/* A certificate that has no name for the CA has none later either, but when
 * memory was short. */
static bool
look_at(struct acme_engine *engine, size_t unit, size_t issuer,
    const struct acme_leaf *leaf)
{
    struct acme_looks *looks = engine->looks;
    bool started;

    if (leaf->ari_id[0] == '\0') {
        plan_look(engine, unit, issuer, now(engine) + ACME_LOOK_DEFAULT);
        return true;
    }
    started = acme_crew_look(engine->crew, unit, issuer, leaf->ari_id);
    looks->looking[unit] = started;
    looks->ca[acme_crew_ca(engine->crew, issuer)].looking = started;
    return started;
}

/* Has left the heap.  False: there is no room, or no memory. */
static bool
start_look(struct acme_engine *engine, size_t unit)
{
    struct acme_vault_unit view;
    struct acme_leaf leaf;
    struct acme_error err;
    bool good = true;

    acme_error_clear(&err);
    if (acme_vault_unit(engine->conf.vault, unit, &view, &err) != ACME_OK)
        return false;
    if (view.leaf != NULL)
        good = acme_chain_leaf(view.leaf, &leaf, &err) == ACME_OK;
    if (good && view.leaf != NULL &&
        acme_engine_is_asked(engine, &view, &leaf))
        good = look_at(engine, unit, view.issued_by, &leaf);
    acme_vault_unit_clear(&view);
    return good;
}

static bool
start_look_at(struct acme_engine *engine, size_t issuer)
{
    struct look_ca *ca = &engine->looks->ca[issuer];
    size_t unit;
    int64_t at;

    if (ca->due == NULL || ca->looking || ca->not_before > now(engine) ||
        !acme_heap_first(ca->due, &unit, &at) || at > (int64_t)now(engine) ||
        acme_engine_not_before(engine, issuer) > now(engine))
        return false;
    acme_engine_forget_look(engine, unit);
    if (acme_engine_is_busy(engine, unit)) {
        plan_look(engine, unit, issuer, now(engine) + BUSY_PAUSE);
        return false;
    }
    if (start_look(engine, unit))
        return engine->looks->looking[unit];
    plan_look(engine, unit, issuer, now(engine));
    return false;
}

bool
acme_engine_start_looks(struct acme_engine *engine)
{
    bool started = false;
    size_t i;

    for (i = 0; i < engine->looks->nissuers; i++)
        started = start_look_at(engine, i) || started;
    return started;
}

time_t
acme_engine_next_look(const struct acme_engine *engine)
{
    time_t next = 0, at;
    int64_t first;
    size_t i, unit;

    for (i = 0; i < engine->looks->nissuers; i++) {
        const struct look_ca *ca = &engine->looks->ca[i];

        if (ca->due == NULL || !acme_heap_first(ca->due, &unit, &first))
            continue;
        at = (time_t)first > ca->not_before ? (time_t)first : ca->not_before;
        if (next == 0 || at < next)
            next = at;
    }
    return next;
}

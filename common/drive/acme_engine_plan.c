/*
 * When each unit is due: what its record, its certificate and what is wanted
 * say of that.
 */
#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_engine_private.h"
#include "wrap/acme_json.h"

/* From one certificate to its renewal, at least (and 1/20 of its life). */
#define RENEW_LEAST 10

struct acme_heap *
acme_engine_due_of(const struct acme_engine *engine, size_t unit)
{
    size_t issuer = acme_engine_issuer(engine, unit);

    return engine->due[acme_crew_ca(engine->crew, issuer)];
}

void
acme_engine_put_off(struct acme_engine *engine, size_t unit, time_t at)
{
    acme_heap_remove(acme_engine_due_of(engine, unit), unit);
    acme_heap_put(engine->later, unit, (int64_t)at, (int64_t)unit);
}

void
acme_engine_go_now(struct acme_engine *engine, size_t unit)
{
    acme_heap_remove(engine->later, unit);
    acme_heap_put(acme_engine_due_of(engine, unit), unit, ACME_URGENT_NOW,
        (int64_t)now(engine));
}

/* ---- planning --------------------------------------------------------- */

/* Which CA is asked next, as the record says; what it remembers of another
 * configuration's does not count. */
static void
plan_ca(struct acme_engine *engine, size_t unit, struct acme_record *record,
    const char *hash)
{
    acme_heap_remove(acme_engine_due_of(engine, unit), unit);
    if (strcmp(hash, record->config) != 0)
        acme_record_forget_cas(record);
    engine->planned[unit].ca = record->ca;
}

/* RFC 9773 5, which Let's Encrypt has no limits for. */
static bool
is_renewal(const struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view)
{
    size_t issuer = acme_engine_issuer(engine, unit);

    return view->leaf != NULL && view->issued_by_known &&
           engine->conf.config->issuer[issuer].renewal_info &&
           acme_crew_ca(engine->crew, view->issued_by) ==
               acme_crew_ca(engine->crew, issuer);
}

static void
add_issuer(struct acme_buf *text, const struct acme_issuer *issuer)
{
    struct acme_json *json = acme_issuer_render(issuer);
    struct acme_error ignored;

    acme_error_clear(&ignored);
    (void)acme_json_render(json, false, text, &ignored);
    acme_buf_addf(text, " %s\n",
        issuer->eab_key != NULL ? issuer->eab_key : "");
    acme_json_free(json);
}

/* How names are proved, and what for that arrives here. */
static void
add_proof(struct acme_buf *text, const struct acme_proof *proof,
    const struct acme_reach *reach)
{
    struct acme_json *json = acme_proof_render(proof);
    struct acme_error ignored;

    acme_error_clear(&ignored);
    (void)acme_json_render(json, false, text, &ignored);
    acme_buf_addf(text, " %d %d\n", (int)reach->http, (int)reach->tls);
    acme_json_free(json);
}

void
acme_engine_config_hash(const struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, char hash[ACME_HASH_HEX])
{
    const struct acme_config *config = engine->conf.config;
    const struct acme_lineage *wish = wish_of(engine, unit);
    struct acme_buf text;
    size_t i;

    acme_buf_init_secret(&text, ACME_FRAME_MAX);
    acme_buf_addf(&text, "%s %d%d%d\n", acme_key_type_name(view->type),
        wish->must_staple, wish->reuse_key, wish->allow_subset);
    if (wish->csr_file != NULL)
        acme_buf_addf(&text, "%s\n", wish->csr_file);
    add_issuer(&text, &config->issuer[wish->issuer]);
    for (i = 0; i < wish->nfallbacks; i++)
        add_issuer(&text, &config->issuer[wish->fallback[i]]);
    add_proof(&text, wish->proof, &config->reach);
    for (i = 0; i < view->nnames; i++)
        acme_buf_addf(&text, "%s\n", view->names[i]);
    acme_buf_addf(&text, "%s\n", view->conflict != NULL ? view->conflict : "");
    acme_hash_hex(text.data, text.len, hash);
    acme_buf_clear(&text);
}

void
acme_engine_forget_others(const struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view)
{
    struct acme_record *record = &view->record;
    char hash[ACME_HASH_HEX];

    acme_engine_config_hash(engine, unit, view, hash);
    if (strcmp(hash, record->config) != 0)
        acme_record_forget_cas(record);
    memcpy(record->config, hash, sizeof(hash));
}

void
acme_engine_note_life(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view)
{
    struct acme_leaf leaf;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    memset(&leaf, 0, sizeof(leaf));
    if (view->leaf != NULL)
        (void)acme_chain_leaf(view->leaf, &leaf, &ignored);
    engine->planned[unit].order = view->order;
    engine->planned[unit].not_before = leaf.not_before;
    engine->planned[unit].not_after = leaf.not_after;
}

/*
 * A certificate that has just come and is due again already (a clock that is
 * wrong by weeks, a CA that dates back) is kept for a while: else each would
 * be followed by the next at once.
 */
static time_t
not_at_once(struct acme_engine *engine, size_t unit,
    const struct acme_leaf *leaf, time_t at)
{
    const time_t today = now(engine) + acme_engine_offset(engine, unit);
    time_t least = (leaf->not_after - leaf->not_before) / 20;

    if (least < RENEW_LEAST)
        least = RENEW_LEAST;
    if (at >= today + least)
        return at;
    acme_log(engine->conf.host, ACME_LOG_WARN,
        "the new certificate is close to its renewal already, lineage "
        "\"%s\"; is the clock right?",
        wish_of(engine, unit)->name);
    return today + least;
}

static void
pick_usual(struct acme_engine *engine, size_t unit, struct acme_record *record,
    const struct acme_leaf *leaf, bool is_new)
{
    const struct acme_timing *timing = &wish_of(engine, unit)->timing;
    time_t at = acme_schedule_usual(timing, leaf->not_before, leaf->not_after,
        draw(engine));

    (void)acme_timing_text(timing, ACME_TIMING_WINDOW, record->renew_window);
    if (is_new)
        at = not_at_once(engine, unit, leaf, at);
    record->renew_usual = record->renew_at = at;
    (void)snprintf(record->renew_serial, sizeof(record->renew_serial), "%s",
        leaf->serial);
}

/* The renewal time of the live certificate, drawn once and remembered:
 * *picked.  is_new: it came with the job that just ended. */
static enum acme_rc
pick_renewal(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, bool is_new, bool *picked,
    struct acme_error *err)
{
    struct acme_record *record = &view->record;
    char window[ACME_TIMING_TEXT];
    struct acme_leaf leaf;
    enum acme_rc rc = acme_chain_leaf(view->leaf, &leaf, err);
    bool is_other;

    if (rc != ACME_OK)
        return rc;
    (void)acme_timing_text(&wish_of(engine, unit)->timing, ACME_TIMING_WINDOW,
        window);
    is_other = strcmp(record->renew_serial, leaf.serial) != 0;
    if (is_other)
        acme_engine_new_window(engine, unit, record);
    if (is_other || strcmp(record->renew_window, window) != 0) {
        pick_usual(engine, unit, record, &leaf, is_new);
        *picked = true;
    }
    if (acme_engine_apply_window(engine, unit, view, &leaf))
        *picked = true;
    if (acme_engine_plan_revocation(engine, unit, view, &leaf))
        *picked = true;
    if (acme_engine_plan_staple(engine, unit, view, &leaf))
        *picked = true;
    return ACME_OK;
}

/* Names that were left out are tried at once when the configuration is
 * another one; whether the record changed. */
static bool
plan_left_out(struct acme_engine *engine, struct acme_record *record,
    const char *hash)
{
    if (record->left_out.n == 0 || record->complete_at <= now(engine) ||
        strcmp(hash, record->config) == 0)
        return false;
    record->complete_at = now(engine);
    return true;
}

/* By itself, or not at all: what a person wants to be asked for goes on if it
 * was, and is forgotten if not. */
static void
put_off(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, time_t at)
{
    const struct acme_timing *timing = &wish_of(engine, unit)->timing;
    const bool asked = engine->planned[unit].asked;

    if (acme_schedule_is_manual(timing) && !asked && !view->order) {
        acme_heap_remove(engine->later, unit);
        return;
    }
    if (!asked) /* a clock that was set back starts anew */
        at = acme_schedule_first(timing,
            engine->started < now(engine) ? engine->started : now(engine), at);
    acme_engine_put_off(engine, unit, at);
}

enum acme_rc
acme_engine_plan_view(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, bool is_new, bool changed,
    struct acme_error *err)
{
    struct acme_record *record = &view->record;
    char hash[ACME_HASH_HEX];
    const char *why;
    time_t at = 0, next;
    enum acme_rc rc = ACME_OK;

    acme_engine_config_hash(engine, unit, view, hash);
    acme_engine_note_life(engine, unit, view);
    if (view->leaf != NULL)
        rc = pick_renewal(engine, unit, view, is_new, &changed, err);
    changed = plan_left_out(engine, record, hash) || changed;
    if (rc == ACME_OK && changed)
        rc = acme_vault_record(engine->conf.vault, unit, record, err);
    plan_ca(engine, unit, record, hash);
    engine->planned[unit].renews = is_renewal(engine, unit, view);
    if (!acme_job_is_needed(view, &why) && !view->order &&
        !engine->planned[unit].asked && record->renew_at != 0)
        at = record->renew_at - acme_engine_offset(engine, unit);
    if (record->left_out.n > 0 && record->complete_at < at)
        at = record->complete_at;
    next = acme_schedule_retry_at(record->next_attempt,
        record->error_time > record->attempt ? record->error_time
                                             : record->attempt,
        now(engine));
    if ((!record->wait_for_config || strcmp(hash, record->config) == 0) &&
        next > at)
        at = next;
    put_off(engine, unit, view, at);
    return rc;
}

enum acme_rc
acme_engine_replan(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, struct acme_error *err)
{
    return acme_engine_plan_view(engine, unit, view, false, true, err);
}

/* An attempt that is still open was cut off.  Only one that killed its
 * engine counts as a failure; a stop in the middle is nobody's fault. */
static enum acme_rc
close_attempt(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, bool crashed, struct acme_error *err)
{
    struct acme_record *record = &view->record;
    struct acme_schedule_next next;
    struct acme_error cut;

    record->attempt_open = false;
    if (crashed) {
        acme_error_clear(&cut);
        (void)acme_error_set(&cut, ACME_IO, "the engine died at step \"%s\"",
            acme_record_last_step(record));
        record->failures++;
        record->crashes++;
        next = acme_schedule_after(&wish_of(engine, unit)->timing, &cut,
            record->failures, record->crashes, now(engine), 0, draw(engine));
        record->next_attempt = next.at;
        record->error = cut;
        record->error_time = now(engine);
        acme_engine_tell_error(engine, unit,
            acme_lineage_issuer(wish_of(engine, unit), record->ca), &cut,
            cut.what, next.at);
    }
    return acme_vault_record(engine->conf.vault, unit, record, err);
}

bool
acme_engine_is_busy(const struct acme_engine *engine, size_t unit)
{
    size_t first = acme_unit(acme_unit_lineage(unit), 0), i;

    for (i = 0; i < ACME_ALGORITHMS; i++)
        if (engine->planned[first + i].running)
            return true;
    return false;
}

/*
 * What the operator had to mend may be in a file, or in a part of the server's
 * configuration that is not ours: a start is a hint.  What can be proved is
 * known here, and each try would be an order.
 */
static bool
is_worth_a_try(const struct acme_record *record)
{
    if (record->error.rc == ACME_UNREADY)
        return true;
    return record->wait_for_config && record->error.rc == ACME_CONFIG &&
           strncmp(record->error.what, ACME_JOB_MISMATCH,
               strlen(ACME_JOB_MISMATCH)) != 0;
}

enum acme_rc
acme_engine_plan_unit(struct acme_engine *engine, size_t unit, bool at_start,
    bool crashed, struct acme_error *err)
{
    struct acme_vault_unit view;
    enum acme_rc rc;

    rc = acme_vault_unit(engine->conf.vault, unit, &view, err);
    if (rc != ACME_OK)
        return rc;
    engine->planned[unit].wanted = view.type != ACME_KEY_NONE;
    if (!engine->planned[unit].wanted) {
        acme_heap_remove(acme_engine_due_of(engine, unit), unit);
        acme_heap_remove(engine->later, unit);
        acme_engine_forget_look(engine, unit);
        acme_engine_forget_revocation(engine, unit);
        acme_engine_forget_staple(engine, unit);
        acme_vault_unit_clear(&view);
        acme_engine_reply(engine, unit, true,
            "this key is not wanted any more");
        return ACME_OK;
    }
    if (view.record.attempt_open && !acme_engine_is_busy(engine, unit) &&
        acme_vault_lock(engine->conf.vault, unit, err) == ACME_OK) {
        rc = close_attempt(engine, unit, &view, crashed, err);
        acme_vault_unlock(engine->conf.vault, unit);
    } else {
        acme_error_clear(err); /* busy: that attempt lives elsewhere */
    }
    if (at_start && is_worth_a_try(&view.record))
        view.record.next_attempt = 0;
    if (rc == ACME_OK)
        rc = acme_engine_plan_view(engine, unit, &view, false, false, err);
    acme_vault_unit_clear(&view);
    return rc;
}

enum acme_rc
acme_engine_plan(struct acme_engine *engine, bool crashed,
    struct acme_error *err)
{
    struct acme_error own;
    size_t i;

    for (i = 0; i < count_units(engine); i++) {
        acme_error_clear(&own);
        if (acme_engine_plan_unit(engine, i, !engine->conf.sweeps, crashed,
                &own) == ACME_OK)
            continue;
        if (acme_vault_is_gone(engine->conf.vault))
            return acme_error_set(err, ACME_IO, "the store is gone");
        acme_engine_log_failure(engine, i, "cannot plan", &own);
        acme_engine_put_off(engine, i, now(engine) + 60);
        if (!engine->conf.host->wait(engine->conf.host->ctx, 0))
            return acme_error_set(err, ACME_STOPPING, "stopped");
    }
    if (!engine->conf.sweeps)
        acme_engine_watch_accounts(engine);
    return ACME_OK;
}

/* ---- what is due ------------------------------------------------------ */

bool
acme_engine_first_due(const struct acme_engine *engine, bool any, size_t *unit)
{
    int64_t least = INT64_MAX, key;
    bool found = false, due;
    size_t i, head;

    for (i = 0; i < engine->conf.config->nissuers; i++) {
        if (engine->due[i] == NULL)
            continue;
        due = acme_heap_first(engine->due[i], &head, &key);
        if (!(any ? due : acme_crew_has_room(engine->crew, i, due)) ||
            key >= least)
            continue;
        least = key;
        *unit = head;
        found = true;
    }
    return found;
}

time_t
acme_engine_next(const struct acme_engine *engine)
{
    size_t unit;
    int64_t at;

    if (acme_engine_first_due(engine, true, &unit))
        return now(engine);
    return acme_heap_first(engine->later, &unit, &at) ? (time_t)at : 0;
}

static enum acme_urgency
urgency(const struct acme_engine *engine, size_t unit)
{
    const struct planned *planned = &engine->planned[unit];
    const time_t today = now(engine) + acme_engine_offset(engine, unit);
    enum acme_urgency least;

    least = acme_schedule_urgency(planned->not_before, planned->not_after,
        today, false);
    if (least != ACME_URGENT_LEAST)
        return least; /* whatever the traffic */
    return acme_schedule_urgency(planned->not_before, planned->not_after,
        today, acme_vault_traffic(engine->conf.vault, unit));
}

void
acme_engine_make_due(struct acme_engine *engine)
{
    size_t unit;
    int64_t at;

    while (acme_heap_first(engine->later, &unit, &at) &&
           at <= (int64_t)now(engine)) {
        acme_heap_remove(engine->later, unit);
        acme_heap_put(acme_engine_due_of(engine, unit), unit,
            (int64_t)urgency(engine, unit), at);
    }
}

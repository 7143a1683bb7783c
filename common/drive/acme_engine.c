#include "drive/acme_engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "state/acme_schedule.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_json.h"
#include "wrap/acme_url.h"

/* Another process works on the lineage: it needs seconds. */
#define BUSY_RETRY 5
#define BUSY_PATIENCE 60

/* From one certificate to its renewal, at least (and 1/20 of its life). */
#define RENEW_LEAST 10

/* Never sleep longer without a look at the clock (suspend, clock set). */
#define LOOK_MS 1000

static enum acme_rc
new_crew(struct acme_engine *engine, struct acme_error *err)
{
    const struct acme_engine_conf *conf = &engine->conf;
    struct acme_crew_conf crew = { .config = conf->config,
        .host = conf->host,
        .vault = conf->vault,
        .network = conf->network,
        .present_ms = conf->present_ms,
        .wake = conf->wake,
        .wake_ctx = conf->idle_ctx };

    return acme_crew_new(&crew, &engine->crew, err);
}

/* A heap for each CA. */
static bool
new_heaps(struct acme_engine *engine)
{
    const struct acme_config *config = engine->conf.config;
    bool good = true;
    size_t i;

    for (i = 0; i < config->nissuers && good; i++) {
        if (acme_crew_ca(engine->crew, i) == i) {
            engine->due[i] = acme_heap_new(count_units(engine));
            good = engine->due[i] != NULL;
        }
    }
    engine->later = acme_heap_new(count_units(engine));
    return good && engine->later != NULL;
}

enum acme_rc
acme_engine_new(const struct acme_engine_conf *conf, struct acme_engine **out,
    struct acme_error *err)
{
    struct acme_engine *engine = calloc(1, sizeof(*engine));
    size_t nissuers = conf->config->nissuers;
    enum acme_rc rc;

    if (engine == NULL)
        return acme_error_nomem(err);
    engine->conf = *conf;
    engine->planned =
        calloc(count_units(engine) + 1, sizeof(engine->planned[0]));
    engine->question =
        calloc(conf->config->nlineages + 1, sizeof(struct question *));
    engine->clock = calloc(nissuers + 1, sizeof(engine->clock[0]));
    engine->ledger = calloc(nissuers + 1, sizeof(engine->ledger[0]));
    engine->tended = calloc(nissuers + 1, sizeof(engine->tended[0]));
    engine->due = calloc(nissuers + 1, sizeof(struct acme_heap *));
    rc = new_crew(engine, err);
    if (rc == ACME_OK &&
        (engine->planned == NULL || engine->question == NULL ||
            engine->ledger == NULL || engine->clock == NULL ||
            engine->tended == NULL || engine->due == NULL ||
            !new_heaps(engine) || !acme_engine_looks_new(engine) ||
            !acme_engine_crls_new(engine)))
        rc = acme_error_nomem(err);
    if (rc == ACME_OK)
        *out = engine;
    else
        acme_engine_free(engine);
    return rc;
}

void
acme_engine_free(struct acme_engine *engine)
{
    size_t i;

    if (engine == NULL)
        return;
    acme_crew_free(engine->crew);
    for (i = 0; engine->due != NULL && i < engine->conf.config->nissuers; i++)
        acme_heap_free(engine->due[i]);
    for (i = 0; engine->question != NULL && i < engine->conf.config->nlineages;
         i++)
        free(engine->question[i]);
    acme_heap_free(engine->later);
    acme_engine_looks_free(engine->looks);
    acme_engine_crls_free(engine->crls);
    free(engine->question);
    free(engine->due);
    for (i = 0; engine->ledger != NULL && i < engine->conf.config->nissuers;
         i++)
        acme_ledger_clear(&engine->ledger[i].is);
    free(engine->clock);
    free(engine->ledger);
    free(engine->tended);
    free(engine->planned);
    free(engine);
}

/* ---- planning --------------------------------------------------------- */

static struct acme_heap *
due_of(const struct acme_engine *engine, size_t unit)
{
    size_t issuer = acme_engine_issuer(engine, unit);

    return engine->due[acme_crew_ca(engine->crew, issuer)];
}

static void
put_off(struct acme_engine *engine, size_t unit, time_t at)
{
    acme_heap_remove(due_of(engine, unit), unit);
    acme_heap_put(engine->later, unit, (int64_t)at, (int64_t)unit);
}

/* Which CA is asked next, as the record says; what it remembers of another
 * configuration's does not count. */
static void
plan_ca(struct acme_engine *engine, size_t unit, struct acme_record *record,
    const char *hash)
{
    acme_heap_remove(due_of(engine, unit), unit);
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

/* Hash of what a failure may have been about: when it changes, what waited
 * for a change goes again. */
static void
config_hash(const struct acme_engine *engine, size_t unit,
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
    for (i = 0; i < view->nnames; i++)
        acme_buf_addf(&text, "%s\n", view->names[i]);
    acme_buf_addf(&text, "%s\n", view->conflict != NULL ? view->conflict : "");
    acme_hash_hex(text.data, text.len, hash);
    acme_buf_clear(&text);
}

/* What the record remembers of each CA is of another configuration. */
static void
forget_others(const struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view)
{
    struct acme_record *record = &view->record;
    char hash[ACME_HASH_HEX];

    config_hash(engine, unit, view, hash);
    if (strcmp(hash, record->config) != 0)
        acme_record_forget_cas(record);
    memcpy(record->config, hash, sizeof(hash));
}

static void
note_life(struct acme_engine *engine, size_t unit,
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
    time_t at = acme_schedule_renew_at(leaf->not_before, leaf->not_after,
        draw(engine));

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
    struct acme_leaf leaf;
    enum acme_rc rc = acme_chain_leaf(view->leaf, &leaf, err);

    if (rc != ACME_OK)
        return rc;
    if (strcmp(record->renew_serial, leaf.serial) != 0) {
        acme_engine_new_window(engine, record);
        pick_usual(engine, unit, record, &leaf, is_new);
        *picked = true;
    }
    if (acme_engine_apply_window(engine, unit, view, &leaf))
        *picked = true;
    if (acme_engine_plan_revocation(engine, unit, view, &leaf))
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

/* `changed`: the record has to be written in any case. */
static enum acme_rc
plan_view(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, bool is_new, bool changed,
    struct acme_error *err)
{
    struct acme_record *record = &view->record;
    char hash[ACME_HASH_HEX];
    const char *why;
    time_t at = 0, next;
    enum acme_rc rc = ACME_OK;

    config_hash(engine, unit, view, hash);
    note_life(engine, unit, view);
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
    put_off(engine, unit, at);
    return rc;
}

enum acme_rc
acme_engine_replan(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, struct acme_error *err)
{
    return plan_view(engine, unit, view, false, true, err);
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
        next = acme_schedule_after(&cut, record->failures, record->crashes,
            now(engine), 0, draw(engine));
        record->next_attempt = next.at;
        record->error = cut;
        record->error_time = now(engine);
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

static void reply(struct acme_engine *engine, size_t unit, bool ok,
    const char *text);

static enum acme_rc
plan_one(struct acme_engine *engine, size_t unit, bool at_start, bool crashed,
    struct acme_error *err)
{
    struct acme_vault_unit view;
    enum acme_rc rc;

    rc = acme_vault_unit(engine->conf.vault, unit, &view, err);
    if (rc != ACME_OK)
        return rc;
    engine->planned[unit].wanted = view.type != ACME_KEY_NONE;
    if (!engine->planned[unit].wanted) {
        acme_heap_remove(due_of(engine, unit), unit);
        acme_heap_remove(engine->later, unit);
        acme_engine_forget_look(engine, unit);
        acme_engine_forget_revocation(engine, unit);
        acme_vault_unit_clear(&view);
        reply(engine, unit, true, "this key is not wanted any more");
        return ACME_OK;
    }
    if (view.record.attempt_open && !acme_engine_is_busy(engine, unit) &&
        acme_vault_lock(engine->conf.vault, unit, err) == ACME_OK) {
        rc = close_attempt(engine, unit, &view, crashed, err);
        acme_vault_unlock(engine->conf.vault, unit);
    } else {
        acme_error_clear(err); /* busy: that attempt lives elsewhere */
    }
    /* What the operator had to mend may be in a file: a start is a hint. */
    if (at_start && view.record.wait_for_config &&
        view.record.error.rc == ACME_CONFIG)
        view.record.next_attempt = 0;
    if (rc == ACME_OK)
        rc = plan_view(engine, unit, &view, false, false, err);
    acme_vault_unit_clear(&view);
    return rc;
}

void
acme_engine_log_failure(const struct acme_engine *engine, size_t unit,
    const char *what, const struct acme_error *err)
{
    char line[ACME_LOG_LINE_MAX];

    if (acme_vault_is_gone(engine->conf.vault))
        return; /* it has said why itself */

    acme_log(engine->conf.host, ACME_LOG_ERROR, "%s, lineage \"%s\": %s", what,
        wish_of(engine, unit)->name, acme_error_line(err, line, sizeof(line)));
}

enum acme_rc
acme_engine_plan(struct acme_engine *engine, bool crashed,
    struct acme_error *err)
{
    struct acme_error own;
    size_t i;

    for (i = 0; i < count_units(engine); i++) {
        acme_error_clear(&own);
        if (plan_one(engine, i, true, crashed, &own) == ACME_OK)
            continue;
        if (acme_vault_is_gone(engine->conf.vault))
            return acme_error_set(err, ACME_IO, "the store is gone");
        acme_engine_log_failure(engine, i, "cannot plan", &own);
        put_off(engine, i, now(engine) + 60);
        if (!engine->conf.host->wait(engine->conf.host->ctx, 0))
            return acme_error_set(err, ACME_STOPPING, "stopped");
    }
    acme_engine_watch_accounts(engine);
    return ACME_OK;
}

/* The most urgent one that is due, of a CA that has room for a job (`any`:
 * of any CA).  False: there is none. */
static bool
first_due(const struct acme_engine *engine, bool any, size_t *unit)
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

    if (first_due(engine, true, &unit))
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

static void
make_due(struct acme_engine *engine)
{
    size_t unit;
    int64_t at;

    while (acme_heap_first(engine->later, &unit, &at) &&
           at <= (int64_t)now(engine)) {
        acme_heap_remove(engine->later, unit);
        acme_heap_put(due_of(engine, unit), unit,
            (int64_t)urgency(engine, unit), at);
    }
}

/* ---- people ----------------------------------------------------------- */

static void
reply(struct acme_engine *engine, size_t unit, bool ok, const char *text)
{
    struct question **place = &engine->question[acme_unit_lineage(unit)];
    struct planned *planned = &engine->planned[unit];
    struct question *question = *place;
    struct acme_error ignored;
    size_t len;

    if (!planned->asked || question == NULL)
        return;
    planned->asked = planned->force = false;
    question->ok = question->ok && ok;
    len = strlen(question->text);
    (void)snprintf(question->text + len, sizeof(question->text) - len, "%s%s",
        len > 0 ? "; " : "", text);
    if (--question->left > 0)
        return;
    acme_error_clear(&ignored);
    (void)acme_vault_done(engine->conf.vault, question->id, question->ok,
        question->text, &ignored);
    free(question);
    *place = NULL;
}

/* An answer that is given when all it tells of is durable: whoever asked may
 * stop us then. */
struct answer {
    bool given;
    bool ok;
    char text[ACME_LOG_LINE_MAX];
};

static void
prepare(struct answer *answer, bool ok, const char *text)
{
    answer->given = true;
    answer->ok = ok;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", text);
}

/* Text of a refusal, or NULL: forced renewals cost the CA's limits. */
static const char *
too_soon(struct acme_engine *engine, size_t unit, char *text, size_t size)
{
    struct acme_vault_unit view;
    struct acme_error ignored;
    char when[ACME_TIME_TEXT];
    time_t next;

    acme_error_clear(&ignored);
    if (acme_vault_unit(engine->conf.vault, unit, &view, &ignored) != ACME_OK)
        return NULL;
    next =
        view.record.forced == 0 ? 0 : view.record.forced + ACME_FORCE_INTERVAL;
    acme_vault_unit_clear(&view);
    if (next <= now(engine))
        return NULL;
    (void)snprintf(text, size,
        "renewed by force less than an hour ago; the next forced renewal is "
        "possible at %s",
        acme_time_format(next, when));
    return text;
}

static void
go_now(struct acme_engine *engine, size_t unit)
{
    acme_heap_remove(engine->later, unit);
    acme_heap_put(due_of(engine, unit), unit, ACME_URGENT_NOW,
        (int64_t)now(engine));
}

static void
request_unit(struct acme_engine *engine, size_t unit, unsigned flags)
{
    struct planned *planned = &engine->planned[unit];
    char text[ACME_LOG_LINE_MAX];

    planned->since = now(engine);
    planned->force = (flags & ACME_RENEW_FORCE) != 0;
    if (planned->force && too_soon(engine, unit, text, sizeof(text)) != NULL) {
        reply(engine, unit, false, text);
        return;
    }
    if (planned->running)
        planned->again = true;
    else
        go_now(engine, unit);
}

void
acme_engine_request(struct acme_engine *engine, size_t lineage, unsigned flags,
    uint64_t id)
{
    struct question *question = calloc(1, sizeof(*question));
    struct acme_error ignored;
    size_t i, unit;

    for (i = 0; i < ACME_ALGORITHMS; i++)
        reply(engine, acme_unit(lineage, i), false,
            "asked for again by somebody else");
    for (i = 0; i < ACME_ALGORITHMS && question != NULL; i++) {
        unit = acme_unit(lineage, i);
        engine->planned[unit].asked = engine->planned[unit].wanted;
        question->left += engine->planned[unit].wanted;
    }
    if (question == NULL || question->left == 0) {
        free(question);
        acme_error_clear(&ignored);
        (void)acme_vault_done(engine->conf.vault, id, false,
            question == NULL ? "out of memory" : "no key type is wanted",
            &ignored);
        return;
    }
    question->id = id;
    question->ok = true;
    engine->question[lineage] = question;
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        unit = acme_unit(lineage, i);
        if (engine->planned[unit].asked)
            request_unit(engine, unit, flags);
    }
}

static void
look_again(struct acme_engine *engine, size_t lineage)
{
    struct acme_error err;
    size_t i, unit;

    for (i = 0; i < ACME_ALGORITHMS; i++) {
        unit = acme_unit(lineage, i);
        acme_error_clear(&err);
        if (!engine->planned[unit].running &&
            plan_one(engine, unit, false, false, &err) != ACME_OK)
            acme_engine_log_failure(engine, unit, "cannot plan", &err);
    }
}

enum acme_rc
acme_engine_notices(struct acme_engine *engine)
{
    struct acme_notice notice;
    enum acme_rc rc = ACME_OK;

    while (acme_vault_notice(engine->conf.vault, &notice, &rc)) {
        if (notice.lineage >= engine->conf.config->nlineages)
            continue;
        if (notice.verb == ACME_VERB_RENEW)
            acme_engine_request(engine, notice.lineage, notice.flags,
                notice.id);
        else
            look_again(engine, notice.lineage);
    }
    return rc;
}

/* ---- running ---------------------------------------------------------- */

/* ", key rsa:2048", where a lineage has more than one. */
static const char *
key_text(const struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, char text[32])
{
    text[0] = '\0';
    if (wish_of(engine, unit)->ntypes > 1)
        (void)snprintf(text, 32, ", key %s", acme_key_type_name(view->type));
    return text;
}

/* The certificate is without names: they are tried again later. */
static void
on_left_out(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, struct acme_record *record)
{
    char names[ACME_LOG_LINE_MAX / 2], when[ACME_TIME_TEXT];

    record->left_out_times++;
    record->complete_at = acme_schedule_complete_at(record->left_out_times,
        now(engine), draw(engine));
    config_hash(engine, unit, view, record->config);
    acme_log(engine->conf.host, ACME_LOG_WARN,
        "the certificate is without names that could not be proved, lineage "
        "\"%s\": %s; tried again at %s, or when the configuration changes",
        wish_of(engine, unit)->name,
        acme_left_out_text(&record->left_out, names, sizeof(names)),
        acme_time_format(record->complete_at, when));
}

static void
on_success(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, struct acme_record *record,
    const struct acme_issuer *issuer, const struct acme_job_result *result,
    struct answer *answer)
{
    const struct acme_lineage *wish = wish_of(engine, unit);
    char until[ACME_TIME_TEXT], text[ACME_LOG_LINE_MAX], key[32];
    const char *done = result->first ? "obtained" : "renewed";

    acme_record_forget_cas(record);
    record->failures = record->crashes = 0;
    record->next_attempt = 0;
    record->wait_for_config = false;
    if (result->left_out > 0)
        on_left_out(engine, unit, view, record);
    else if (result->version != 0)
        memset(&record->left_out, 0, sizeof(record->left_out));
    if (record->left_out.n == 0)
        record->left_out_times = 0;
    if (result->version == 0) {
        prepare(answer, true, "nothing was due");
        return;
    }
    (void)snprintf(text, sizeof(text),
        "issuer \"%s\", version %u, serial %s, valid until %s", issuer->name,
        result->version, result->leaf.serial,
        acme_time_format(result->leaf.not_after, until));
    (void)key_text(engine, unit, view, key);
    acme_log(engine->conf.host, ACME_LOG_NOTICE,
        "certificate %s, lineage \"%s\"%s, %s", done, wish->name, key, text);
    (void)snprintf(text, sizeof(text),
        "certificate %s%s, version %u, serial %s, valid until %s", done, key,
        result->version, result->leaf.serial, until);
    prepare(answer, true, text);
}

static void
on_failure(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, size_t asked, const struct acme_error *err,
    struct answer *answer)
{
    struct acme_record *record = &view->record;
    const struct acme_lineage *wish = wish_of(engine, unit);
    const struct acme_issuer *issuer = &engine->conf.config->issuer[asked];
    struct acme_schedule_next next;
    char line[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT], key[32];
    char whom[ACME_LOG_LINE_MAX / 2] = "";

    note_life(engine, unit, view);
    forget_others(engine, unit, view);
    record->failures++;
    record->crashes = 0;
    record->error = *err;
    record->error_time = now(engine);
    next = acme_engine_after(engine, unit, view, asked, err);
    if (acme_lineage_issuer(wish, record->ca) != asked)
        (void)snprintf(whom, sizeof(whom), ", issuer \"%s\"",
            engine->conf.config->issuer[acme_lineage_issuer(wish, record->ca)]
                .name);

    (void)acme_error_line(err, line, sizeof(line));
    acme_log(engine->conf.host,
        next.wait_for_config ? ACME_LOG_ERROR : ACME_LOG_WARN,
        "certificate not %s, lineage \"%s\"%s, issuer \"%s\": %s; next "
        "attempt %sat %s%s (%s)",
        view->leaf == NULL ? "obtained" : "renewed", wish->name,
        key_text(engine, unit, view, key), issuer->name, line,
        next.wait_for_config ? "when the configuration changes, or " : "",
        acme_time_format(next.at, when), whom, next.why);
    if (acme_url_is_link(err->instance))
        acme_log(engine->conf.host, ACME_LOG_NOTICE, "lineage \"%s\": see %s",
            wish->name, err->instance);
    /* Who waits is told when no CA is left to be asked at once. */
    if (next.at > now(engine))
        prepare(answer, false, line);
}

/* What the record says after an attempt, and when the lineage is due again. */
static void
conclude(struct acme_engine *engine, const struct acme_crew_ended *ended)
{
    const struct acme_job_result *result = &ended->result;
    const struct acme_error *err = &ended->err;
    size_t unit = ended->unit;
    struct planned *planned = &engine->planned[unit];
    struct acme_vault_unit view;
    struct acme_record *record = &view.record;
    struct answer answer = { .given = false };
    struct acme_error own;
    bool asked;

    acme_error_clear(&own);
    if (acme_vault_unit(engine->conf.vault, unit, &view, &own) != ACME_OK) {
        acme_engine_log_failure(engine, unit, "cannot conclude", &own);
        put_off(engine, unit, now(engine) + 60);
        return;
    }
    if (record->attempt_open && err->rc != ACME_LATER &&
        err->rc != ACME_STOPPING)
        acme_record_step(record,
            err->rc == ACME_OK ? ACME_STEP_DONE : ACME_STEP_FAILED,
            now(engine));
    record->attempt_open = false;
    acme_engine_keep_account(engine, ended);
    acme_engine_note_clock(engine, ended, record);
    if (result->ordered && ended->force)
        record->forced = now(engine);
    if (err->rc == ACME_OK)
        on_success(engine, unit, &view, record,
            &engine->conf.config->issuer[ended->issuer], result, &answer);
    else if (err->rc == ACME_LATER)
        record->next_attempt = err->retry_at;
    else if (err->rc != ACME_STOPPING)
        on_failure(engine, unit, &view, ended->issuer, err, &answer);
    asked = planned->asked;
    planned->asked = asked && !answer.given; /* plans as if answered */
    if (plan_view(engine, unit, &view, result->version != 0, true, &own) !=
        ACME_OK) {
        acme_engine_log_failure(engine, unit, "cannot conclude", &own);
        put_off(engine, unit, now(engine) + 60);
    }
    planned->asked = asked;
    if (answer.given)
        reply(engine, unit, answer.ok, answer.text);
    acme_vault_unit_clear(&view);
}

/* Until when the unit's CA is to be left alone; 0: now. */
static time_t
left_alone(struct acme_engine *engine, size_t unit, char *text, size_t size)
{
    size_t issuer = acme_engine_issuer(engine, unit);
    const char *name = engine->conf.config->issuer[issuer].name;
    time_t until = acme_engine_not_before(engine, issuer);
    char when[ACME_TIME_TEXT];

    if (until > now(engine)) {
        (void)snprintf(text, size,
            "issuer \"%s\" asked not to be called before %s", name,
            acme_time_format(until, when));
        return until;
    }
    until = acme_engine_within_limits(engine, unit);
    if (until <= now(engine))
        return 0;
    (void)snprintf(text, size,
        "the limits of issuer \"%s\" leave room again at %s", name,
        acme_time_format(until, when));
    return until;
}

/* Has the unit ask another CA, if that is better than to wait. */
static bool
turn_away(struct acme_engine *engine, size_t unit, time_t until)
{
    const struct acme_config *config = engine->conf.config;
    size_t asked = acme_engine_issuer(engine, unit);
    struct acme_vault_unit view;
    struct acme_error ignored;
    bool turned;

    acme_error_clear(&ignored);
    if (acme_vault_unit(engine->conf.vault, unit, &view, &ignored) != ACME_OK)
        return false;
    forget_others(engine, unit, &view);
    turned = acme_engine_ask_another(engine, unit, &view.record, until) &&
             plan_view(engine, unit, &view, false, true, &ignored) == ACME_OK;
    acme_vault_unit_clear(&view);
    if (turned)
        acme_log(engine->conf.host, ACME_LOG_NOTICE,
            "lineage \"%s\" does not wait for issuer \"%s\", but asks "
            "\"%s\"",
            wish_of(engine, unit)->name, config->issuer[asked].name,
            config->issuer[acme_engine_issuer(engine, unit)].name);
    return turned;
}

static bool
must_wait(struct acme_engine *engine, size_t unit)
{
    char text[ACME_LOG_LINE_MAX];
    time_t until = left_alone(engine, unit, text, sizeof(text));

    if (until == 0)
        return false;
    if (acme_lineage_cas(wish_of(engine, unit)) > 1 &&
        turn_away(engine, unit, until))
        return true;
    acme_log(engine->conf.host, ACME_LOG_INFO, "lineage \"%s\" waits: %s",
        wish_of(engine, unit)->name, text);
    reply(engine, unit, false, text);
    put_off(engine, unit, until);
    return true;
}

/* Who waits for an answer is not kept waiting for somebody else's job. */
static void
on_busy(struct acme_engine *engine, size_t unit, const struct acme_error *err)
{
    acme_log(engine->conf.host, ACME_LOG_INFO,
        "lineage \"%s\" is worked on by another process",
        wish_of(engine, unit)->name);
    if (now(engine) - engine->planned[unit].since >= BUSY_PATIENCE)
        reply(engine, unit, false, err->what);
    put_off(engine, unit, now(engine) + BUSY_RETRY);
}

/* A person who asked while the job ran has not been answered by it. */
static void
end_job(struct acme_engine *engine, const struct acme_crew_ended *ended)
{
    struct planned *planned = &engine->planned[ended->unit];
    bool again = planned->again;

    planned->running = planned->again = false;
    if (again)
        planned->asked = false;
    if (ended->err.rc == ACME_BUSY)
        on_busy(engine, ended->unit, &ended->err);
    else
        conclude(engine, ended);
    if (again) {
        planned->asked = true;
        go_now(engine, ended->unit);
    }
}

static void
end_jobs(struct acme_engine *engine)
{
    struct acme_crew_ended ended;

    while (acme_crew_take(engine->crew, &ended)) {
        if (ended.look)
            acme_engine_end_look(engine, &ended);
        else if (acme_engine_end_revocation(engine, &ended))
            continue;
        else if (ended.errand != NULL)
            acme_engine_tended(engine, &ended);
        else
            end_job(engine, &ended);
    }
}

/* The clock was set, or a CA's is another one. */
static void
plan_again(struct acme_engine *engine)
{
    size_t i;

    for (i = 0; i < engine->conf.config->nlineages; i++)
        look_again(engine, i);
}

bool
acme_engine_run_one(struct acme_engine *engine)
{
    size_t unit;
    time_t until;

    acme_engine_tend_accounts(engine);
    end_jobs(engine);
    if (acme_engine_start_looks(engine))
        end_jobs(engine);
    if (acme_engine_start_revocation(engine))
        end_jobs(engine);
    if (acme_engine_watch_clock(engine))
        plan_again(engine);
    make_due(engine);
    if (!first_due(engine, false, &unit))
        return false;
    acme_heap_remove(due_of(engine, unit), unit);
    if (must_wait(engine, unit))
        return true;
    until = acme_engine_is_busy(engine, unit) ? now(engine) + 1
                                              : acme_engine_pace(engine, unit);
    if (until != 0) {
        put_off(engine, unit, until);
        return true;
    }
    acme_engine_note_start(engine, unit);
    engine->planned[unit].running =
        acme_crew_start(engine->crew, unit, acme_engine_issuer(engine, unit),
            acme_engine_offset(engine, unit), engine->planned[unit].force);
    if (!engine->planned[unit].running)
        put_off(engine, unit, now(engine) + 1);
    end_jobs(engine);
    return true;
}

/* Until the next one is due.  What is due already waits for room. */
static unsigned
sleep_ms(const struct acme_engine *engine)
{
    size_t unit;
    int64_t next;
    time_t left;

    if (!acme_heap_first(engine->later, &unit, &next))
        return LOOK_MS;
    left = (time_t)next - now(engine);
    if (left >= LOOK_MS / 1000)
        return LOOK_MS;
    return left <= 0 ? 0 : (unsigned)left * 1000;
}

static enum acme_rc
serve(struct acme_engine *engine, struct acme_error *err)
{
    const struct acme_engine_conf *conf = &engine->conf;

    if (conf->settle_ms > 0 &&
        !conf->host->wait(conf->host->ctx, conf->settle_ms))
        return ACME_OK;
    for (;;) {
        if (acme_engine_notices(engine) != ACME_OK)
            return acme_error_set(err, ACME_IO, "the store is gone");
        if (acme_engine_run_one(engine)) {
            if (!conf->host->wait(conf->host->ctx, 0))
                return ACME_OK;
            continue;
        }
        if (!conf->idle(conf->idle_ctx, sleep_ms(engine)))
            return ACME_OK;
    }
}

enum acme_rc
acme_engine_loop(struct acme_engine *engine, bool crashed,
    struct acme_error *err)
{
    enum acme_rc rc = acme_engine_plan(engine, crashed, err);

    if (rc == ACME_OK)
        rc = serve(engine, err);
    acme_crew_join(engine->crew);
    end_jobs(engine);
    return rc;
}

#include "drive/acme_engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"

/* Another process works on the lineage: it needs seconds. */
#define BUSY_RETRY 5
#define BUSY_PATIENCE 60

/* Never sleep longer without a look at the clock (suspend, clock set). */
#define LOOK_MS 1000

static enum acme_rc
new_crew(struct acme_engine *engine, struct acme_error *err)
{
    const struct acme_engine_conf *conf = &engine->conf;
    const struct acme_meter_conf meter = { conf->config->nissuers,
        conf->network, conf->ticks_ms, conf->idle_ctx };
    struct acme_crew_conf crew = { .config = conf->config,
        .host = conf->host,
        .vault = conf->vault,
        .runner = conf->runner,
        .standalone = conf->standalone,
        .preflight = conf->preflight,
        .present_ms = conf->present_ms,
        .resolver = conf->resolver,
        .wake = conf->wake,
        .wake_ctx = conf->idle_ctx };

    enum acme_rc rc = acme_meter_new(&meter, &engine->meter, err);

    if (rc != ACME_OK)
        return rc;
    crew.network = acme_meter_network(engine->meter);
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
    engine->started = now(engine);
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
            !acme_engine_crls_new(engine) || !acme_engine_staples_new(engine)))
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
    acme_meter_free(engine->meter);
    for (i = 0; engine->due != NULL && i < engine->conf.config->nissuers; i++)
        acme_heap_free(engine->due[i]);
    for (i = 0; engine->question != NULL && i < engine->conf.config->nlineages;
         i++)
        free(engine->question[i]);
    acme_heap_free(engine->later);
    acme_engine_looks_free(engine->looks);
    acme_engine_crls_free(engine->crls);
    acme_engine_staples_free(engine->staples);
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

void
acme_engine_tell_error(struct acme_engine *engine, size_t unit, size_t issuer,
    const struct acme_error *err, const char *line, time_t next)
{
    struct acme_event event;

    acme_event_init(&event, ACME_EVENT_ERRORED);
    event.next_attempt = next;
    acme_event_put(event.problem, err->type);
    acme_event_put(event.text, line);
    acme_vault_event(engine->conf.vault, unit, issuer, &event);
}

void
acme_engine_tell_failover(struct acme_engine *engine, size_t unit,
    size_t asked, size_t issuer, const char *why)
{
    const struct acme_issuer *issuers = engine->conf.config->issuer;
    struct acme_event event;

    acme_event_init(&event, ACME_EVENT_FAILED_OVER);
    acme_event_put(event.subject, issuers[asked].name);
    acme_event_put(event.text, why);
    acme_vault_event(engine->conf.vault, unit, issuer, &event);
}

/* ---- people ----------------------------------------------------------- */

void
acme_engine_reply(struct acme_engine *engine, size_t unit, bool ok,
    const char *text)
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
request_unit(struct acme_engine *engine, size_t unit, unsigned flags)
{
    struct planned *planned = &engine->planned[unit];
    char text[ACME_LOG_LINE_MAX];

    planned->since = now(engine);
    planned->force = (flags & ACME_RENEW_FORCE) != 0;
    if (planned->force && too_soon(engine, unit, text, sizeof(text)) != NULL) {
        acme_engine_reply(engine, unit, false, text);
        return;
    }
    if (planned->running)
        planned->again = true;
    else
        acme_engine_go_now(engine, unit);
}

void
acme_engine_request(struct acme_engine *engine, size_t lineage, unsigned flags,
    uint64_t id)
{
    struct question *question = calloc(1, sizeof(*question));
    struct acme_error ignored;
    size_t i, unit;

    for (i = 0; i < ACME_ALGORITHMS; i++)
        acme_engine_reply(engine, acme_unit(lineage, i), false,
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
            acme_engine_plan_unit(engine, unit, false, false, &err) != ACME_OK)
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
    if (acme_engine_account_at(engine, issuer) > until)
        until = acme_engine_account_at(engine, issuer);
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
    acme_engine_forget_others(engine, unit, &view);
    turned = acme_engine_ask_another(engine, unit, &view.record, until) &&
             acme_engine_plan_view(engine, unit, &view, false, true,
                 &ignored) == ACME_OK;
    acme_vault_unit_clear(&view);
    if (!turned)
        return false;
    acme_log(engine->conf.host, ACME_LOG_NOTICE,
        "lineage \"%s\" does not wait for issuer \"%s\", but asks "
        "\"%s\"",
        wish_of(engine, unit)->name, config->issuer[asked].name,
        config->issuer[acme_engine_issuer(engine, unit)].name);
    acme_engine_tell_failover(engine, unit, asked,
        acme_engine_issuer(engine, unit), "the one asked before is to wait");
    return true;
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
    acme_engine_reply(engine, unit, false, text);
    acme_engine_put_off(engine, unit, until);
    return true;
}

/* Who waits for an answer is not kept waiting for somebody else's job. */
static void
on_busy(struct acme_engine *engine, size_t unit, const struct acme_error *err)
{
    /* A sweep meets acmectl at what it has just been asked for. */
    acme_log(engine->conf.host,
        engine->conf.sweeps ? ACME_LOG_DEBUG : ACME_LOG_INFO,
        "lineage \"%s\" is worked on by another process",
        wish_of(engine, unit)->name);
    if (now(engine) - engine->planned[unit].since >= BUSY_PATIENCE)
        acme_engine_reply(engine, unit, false, err->what);
    acme_engine_put_off(engine, unit, now(engine) + BUSY_RETRY);
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
        acme_engine_conclude(engine, ended);
    if (again) {
        planned->asked = true;
        acme_engine_go_now(engine, ended->unit);
    }
}

static void
end_jobs(struct acme_engine *engine)
{
    struct acme_crew_ended ended;

    while (acme_crew_take(engine->crew, &ended)) {
        if (ended.look)
            acme_engine_end_look(engine, &ended);
        else if (acme_engine_end_revocation(engine, &ended) ||
                 acme_engine_end_staple(engine, &ended))
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
    if (acme_engine_start_staple(engine))
        end_jobs(engine);
    if (acme_engine_watch_clock(engine))
        plan_again(engine);
    acme_engine_make_due(engine);
    if (!acme_engine_first_due(engine, false, &unit))
        return false;
    acme_heap_remove(acme_engine_due_of(engine, unit), unit);
    if (must_wait(engine, unit))
        return true;
    until = acme_engine_is_busy(engine, unit) ? now(engine) + 1
                                              : acme_engine_pace(engine, unit);
    if (until != 0) {
        acme_engine_put_off(engine, unit, until);
        return true;
    }
    acme_engine_note_start(engine, unit);
    engine->planned[unit].running =
        acme_crew_start(engine->crew, unit, acme_engine_issuer(engine, unit),
            acme_engine_offset(engine, unit), engine->planned[unit].force);
    if (!engine->planned[unit].running)
        acme_engine_put_off(engine, unit, now(engine) + 1);
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

static bool
is_swept(const struct acme_engine *engine)
{
    const time_t next = acme_engine_next(engine);

    return acme_crew_is_idle(engine->crew) &&
           (next == 0 || next > now(engine));
}

static void
bring_forward(time_t *next, time_t at)
{
    if (at != 0 && (*next == 0 || at < *next))
        *next = at;
}

time_t
acme_engine_next_sweep(const struct acme_engine *engine)
{
    time_t next = acme_engine_next(engine);

    bring_forward(&next, acme_engine_next_look(engine));
    bring_forward(&next, acme_engine_next_revocation(engine));
    return next;
}

/* The store keeps them for workers to show. */
static void
tell_counts(struct acme_engine *engine)
{
    struct acme_tally tally;
    size_t i;

    for (i = 0; i < engine->conf.config->nissuers; i++)
        if (acme_meter_take(engine->meter, i, &tally))
            acme_vault_tally(engine->conf.vault, i, &tally);
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
        if (conf->sweeps && is_swept(engine))
            return ACME_OK;
        tell_counts(engine);
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

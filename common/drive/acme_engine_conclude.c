/*
 * The end of a job: what the record, the log and whoever asked are told of it.
 */
#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_engine_private.h"
#include "state/acme_warn.h"
#include "wrap/acme_url.h"

/* An account that will be there sooner is waited for, by people too. */
#define ACCOUNT_PATIENCE 60

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
    acme_engine_config_hash(engine, unit, view, record->config);
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
        (void)snprintf(text, sizeof(text), "nothing was due, valid until %s",
            acme_time_format(engine->planned[unit].not_after, until));
        prepare(answer, true, text);
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

/* Soon there will be nothing left to serve, or there is not any more. */
static enum acme_level
failure_level(const struct acme_engine *engine, size_t unit,
    const struct acme_schedule_next *next)
{
    const struct planned *planned = &engine->planned[unit];

    if (acme_warn_is_due(wish_of(engine, unit)->hooks, planned->not_before,
            planned->not_after,
            now(engine) + acme_engine_offset(engine, unit)))
        return ACME_LOG_CRIT;
    return next->wait_for_config ? ACME_LOG_ERROR : ACME_LOG_WARN;
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
    size_t other;
    char line[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT], key[32];
    char whom[ACME_LOG_LINE_MAX / 2] = "";
    const bool manual = acme_schedule_is_manual(&wish->timing);

    acme_engine_note_life(engine, unit, view);
    acme_engine_forget_others(engine, unit, view);
    acme_meter_count(engine->meter, asked, acme_tally_failure(err->rc));
    record->failures++;
    record->crashes = 0;
    record->error = *err;
    record->error_time = now(engine);
    next = acme_engine_after(engine, unit, view, asked, err);
    other = acme_lineage_issuer(wish, record->ca);
    if (other != asked)
        (void)snprintf(whom, sizeof(whom), ", issuer \"%s\"",
            engine->conf.config->issuer[other].name);

    (void)acme_error_line(err, line, sizeof(line));
    acme_log(engine->conf.host, failure_level(engine, unit, &next),
        "certificate not %s, lineage \"%s\"%s, issuer \"%s\": %s; next "
        "attempt %s%s%s (%s)",
        view->leaf == NULL ? "obtained" : "renewed", wish->name,
        key_text(engine, unit, view, key), issuer->name, line,
        manual                 ? "with acmectl renew alone"
        : next.wait_for_config ? "when the configuration changes, or at "
                               : "at ",
        manual ? "" : acme_time_format(next.at, when), whom, next.why);
    if (acme_url_is_link(err->instance))
        acme_log(engine->conf.host, ACME_LOG_NOTICE, "lineage \"%s\": see %s",
            wish->name, err->instance);
    acme_engine_tell_error(engine, unit, asked, err, line,
        manual ? 0 : next.at);
    if (other != asked)
        acme_engine_tell_failover(engine, unit, asked, other, next.why);
    /* Who waits is told when no CA is left to be asked at once. */
    if (next.at > now(engine))
        prepare(answer, false, line);
}

/* An order goes on.  Without one it is the account that is not to be had, and
 * if that takes longer another CA may have one. */
static void
on_later(struct acme_engine *engine, struct acme_vault_unit *view,
    const struct acme_crew_ended *ended, struct answer *answer)
{
    time_t until = ended->err.retry_at;
    char line[ACME_LOG_LINE_MAX];

    view->record.next_attempt = until;
    if (ended->result.staged) {
        (void)acme_error_line(&ended->err, line, sizeof(line));
        acme_log(engine->conf.host, ACME_LOG_NOTICE, "lineage \"%s\": %s",
            wish_of(engine, ended->unit)->name, line);
        prepare(answer, true, line);
        return;
    }
    if (view->order || until <= now(engine) + ACCOUNT_PATIENCE)
        return;
    acme_engine_forget_others(engine, ended->unit, view);
    acme_engine_no_account(engine, ended->issuer, until);
    (void)acme_error_line(&ended->err, line, sizeof(line));
    if (acme_engine_ask_another(engine, ended->unit, &view->record, until))
        acme_engine_tell_failover(engine, ended->unit, ended->issuer,
            acme_lineage_issuer(wish_of(engine, ended->unit), view->record.ca),
            line);
    acme_log(engine->conf.host, ACME_LOG_INFO, "lineage \"%s\" waits: %s",
        wish_of(engine, ended->unit)->name, line);
    if (view->record.next_attempt > now(engine))
        prepare(answer, false, line);
}

/* For who looks at numbers. */
static void
count(struct acme_engine *engine, const struct acme_crew_ended *ended)
{
    const struct acme_job_result *result = &ended->result;

    acme_meter_count(engine->meter, ended->issuer, ACME_TALLY_ATTEMPTS);
    if (result->ordered)
        acme_meter_count(engine->meter, ended->issuer, ACME_TALLY_ORDERS);
    if (result->version != 0)
        acme_meter_count(engine->meter, ended->issuer,
            ACME_TALLY_CERTIFICATES);
}

void
acme_engine_conclude(struct acme_engine *engine,
    const struct acme_crew_ended *ended)
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
    count(engine, ended);
    if (acme_vault_unit(engine->conf.vault, unit, &view, &own) != ACME_OK) {
        acme_engine_log_failure(engine, unit, "cannot conclude", &own);
        acme_engine_put_off(engine, unit, now(engine) + 60);
        return;
    }
    if (record->attempt_open && err->rc != ACME_LATER &&
        err->rc != ACME_STOPPING)
        acme_record_step(record,
            err->rc == ACME_OK ? ACME_STEP_DONE : ACME_STEP_FAILED,
            now(engine));
    record->attempt_open = false;
    acme_engine_keep_account(engine, &view, ended);
    acme_engine_note_clock(engine, ended, record);
    if (result->ordered && ended->force)
        record->forced = now(engine);
    if (err->rc == ACME_OK)
        on_success(engine, unit, &view, record,
            &engine->conf.config->issuer[ended->issuer], result, &answer);
    else if (err->rc == ACME_LATER)
        on_later(engine, &view, ended, &answer);
    else if (err->rc != ACME_STOPPING)
        on_failure(engine, unit, &view, ended->issuer, err, &answer);
    asked = planned->asked;
    planned->asked = asked && !answer.given; /* plans as if answered */
    if (acme_engine_plan_view(engine, unit, &view, result->version != 0, true,
            &own) != ACME_OK) {
        acme_engine_log_failure(engine, unit, "cannot conclude", &own);
        acme_engine_put_off(engine, unit, now(engine) + 60);
    }
    planned->asked = asked;
    if (answer.given)
        acme_engine_reply(engine, unit, answer.ok, answer.text);
    acme_vault_unit_clear(&view);
}

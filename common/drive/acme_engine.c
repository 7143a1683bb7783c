#include "drive/acme_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_heap.h"
#include "drive/acme_job.h"
#include "state/acme_schedule.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_json.h"

/* Another process works on the lineage: it needs seconds. */
#define BUSY_RETRY 5
#define BUSY_PATIENCE 60

/* After a 429 the CA's other lineages pause so long: the limit may be theirs
 * too, or only that name's. */
#define LIMITED_PAUSE 60

/* From one certificate to its renewal, at least (and 1/20 of its life). */
#define RENEW_LEAST 10

/* Never sleep longer without a look at the clock (suspend, clock set). */
#define LOOK_MS 1000

struct planned {
    bool asked; /* by a person, who waits for `id` */
    time_t since;
    bool force;
    uint64_t id;
    enum acme_urgency urgency;
};

/* What the ledger says of a CA: read once, kept on disk as it changes. */
struct ledger {
    bool read;
    time_t not_before;
};

struct acme_engine {
    struct acme_engine_conf conf;
    struct ledger *ledger;       /* nissuers */
    struct planned *planned;     /* nlineages */
    struct acme_client **client; /* nissuers, opened when first needed */
    struct acme_heap *later;     /* by time */
    struct acme_heap *due;       /* by urgency, then time */
};

static time_t
now(const struct acme_engine *engine)
{
    return engine->conf.host->now(engine->conf.host->ctx);
}

static uint32_t
draw(const struct acme_engine *engine)
{
    return engine->conf.random(engine->conf.random_ctx);
}

enum acme_rc
acme_engine_new(const struct acme_engine_conf *conf, struct acme_engine **out,
    struct acme_error *err)
{
    struct acme_engine *engine = calloc(1, sizeof(*engine));
    size_t n = conf->config->nlineages;

    if (engine == NULL)
        return acme_error_nomem(err);
    engine->conf = *conf;
    engine->planned = calloc(n + 1, sizeof(engine->planned[0]));
    engine->client =
        calloc(conf->config->nissuers + 1, sizeof(struct acme_client *));
    engine->ledger =
        calloc(conf->config->nissuers + 1, sizeof(engine->ledger[0]));
    engine->later = acme_heap_new(n);
    engine->due = acme_heap_new(n);
    if (engine->planned == NULL || engine->client == NULL ||
        engine->ledger == NULL || engine->later == NULL ||
        engine->due == NULL) {
        acme_engine_free(engine);
        return acme_error_nomem(err);
    }
    *out = engine;
    return ACME_OK;
}

void
acme_engine_free(struct acme_engine *engine)
{
    size_t i;

    if (engine == NULL)
        return;
    for (i = 0; engine->client != NULL && i < engine->conf.config->nissuers;
         i++)
        acme_client_free(engine->client[i]);
    acme_heap_free(engine->later);
    acme_heap_free(engine->due);
    free(engine->ledger);
    free(engine->client);
    free(engine->planned);
    free(engine);
}

/* ---- planning --------------------------------------------------------- */

static void
put_off(struct acme_engine *engine, size_t lineage, time_t at)
{
    acme_heap_remove(engine->due, lineage);
    acme_heap_put(engine->later, lineage, (int64_t)at, (int64_t)lineage);
}

/* Hash of what a failure may have been about: when it changes, what waited
 * for a change goes again. */
static void
config_hash(const struct acme_engine *engine, size_t lineage,
    const struct acme_vault_lineage *view, char hash[ACME_HASH_HEX])
{
    const struct acme_config *config = engine->conf.config;
    const struct acme_lineage *wish = &config->lineage[lineage];
    const struct acme_issuer *issuer = &config->issuer[wish->issuer];
    struct acme_buf text;
    size_t i;

    acme_buf_init(&text, ACME_FRAME_MAX);
    acme_buf_addf(&text, "%s %d %d %s %s %s %s\n", issuer->directory,
        issuer->terms_accepted, issuer->verify, acme_key_type_name(view->type),
        acme_key_type_name(issuer->key_type),
        issuer->key_file != NULL ? issuer->key_file : "",
        issuer->ca_file != NULL ? issuer->ca_file : "");
    for (i = 0; i < issuer->ncontacts; i++)
        acme_buf_addf(&text, "%s\n", issuer->contact[i]);
    for (i = 0; i < view->nnames; i++)
        acme_buf_addf(&text, "%s\n", view->names[i]);
    acme_buf_addf(&text, "%s\n", view->conflict != NULL ? view->conflict : "");
    acme_hash_hex(text.data, text.len, hash);
    acme_buf_clear(&text);
}

static void
urgency(struct acme_engine *engine, size_t lineage,
    const struct acme_vault_lineage *view)
{
    struct acme_leaf leaf;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    memset(&leaf, 0, sizeof(leaf));
    if (view->leaf != NULL)
        (void)acme_chain_leaf(view->leaf, &leaf, &ignored);
    engine->planned[lineage].urgency =
        acme_schedule_urgency(leaf.not_before, leaf.not_after, now(engine));
}

/*
 * A certificate that has just come and is due again already (a clock that is
 * wrong by weeks, a CA that dates back) is kept for a while: else each would
 * be followed by the next at once.
 */
static time_t
not_at_once(struct acme_engine *engine, size_t lineage,
    const struct acme_leaf *leaf, time_t at)
{
    time_t least = (leaf->not_after - leaf->not_before) / 20;

    if (least < RENEW_LEAST)
        least = RENEW_LEAST;
    if (at >= now(engine) + least)
        return at;
    acme_log(engine->conf.host, ACME_LOG_WARN,
        "the new certificate is close to its renewal already, lineage "
        "\"%s\"; is the clock right?",
        engine->conf.config->lineage[lineage].name);
    return now(engine) + least;
}

/* The renewal time of the live certificate, drawn once and remembered.
 * is_new: it came with the job that just ended. */
static enum acme_rc
pick_renewal(struct acme_engine *engine, size_t lineage,
    struct acme_vault_lineage *view, bool is_new, struct acme_error *err)
{
    struct acme_record *record = &view->record;
    struct acme_leaf leaf;
    enum acme_rc rc = acme_chain_leaf(view->leaf, &leaf, err);

    if (rc != ACME_OK || strcmp(record->renew_serial, leaf.serial) == 0)
        return rc;
    record->renew_at =
        acme_schedule_renew_at(leaf.not_before, leaf.not_after, draw(engine));
    if (is_new)
        record->renew_at =
            not_at_once(engine, lineage, &leaf, record->renew_at);
    (void)snprintf(record->renew_serial, sizeof(record->renew_serial), "%s",
        leaf.serial);
    return acme_vault_record(engine->conf.vault, lineage, record, err);
}

static enum acme_rc
plan_view(struct acme_engine *engine, size_t lineage,
    struct acme_vault_lineage *view, bool is_new, struct acme_error *err)
{
    struct acme_record *record = &view->record;
    char hash[ACME_HASH_HEX];
    const char *why;
    time_t at = 0;
    enum acme_rc rc = ACME_OK;

    urgency(engine, lineage, view);
    if (view->leaf != NULL)
        rc = pick_renewal(engine, lineage, view, is_new, err);
    if (!acme_job_is_needed(view, &why) && !view->order &&
        !engine->planned[lineage].asked)
        at = record->renew_at;
    config_hash(engine, lineage, view, hash);
    if ((!record->wait_for_config || strcmp(hash, record->config) == 0) &&
        record->next_attempt > at)
        at = record->next_attempt;
    put_off(engine, lineage, at);
    return rc;
}

/* An attempt that is still open was cut off.  Only one that killed its
 * engine counts as a failure; a stop in the middle is nobody's fault. */
static enum acme_rc
close_attempt(struct acme_engine *engine, size_t lineage,
    struct acme_vault_lineage *view, bool crashed, struct acme_error *err)
{
    struct acme_record *record = &view->record;
    struct acme_schedule_next next;
    struct acme_error cut;

    record->attempt_open = false;
    if (crashed) {
        acme_error_clear(&cut);
        (void)acme_error_set(&cut, ACME_IO, "the engine died at step \"%s\"",
            record->step);
        record->failures++;
        record->crashes++;
        next = acme_schedule_after(&cut, record->failures, record->crashes,
            now(engine), 0, draw(engine));
        record->next_attempt = next.at;
        record->error = cut;
        record->error_time = now(engine);
    }
    return acme_vault_record(engine->conf.vault, lineage, record, err);
}

static enum acme_rc
plan_one(struct acme_engine *engine, size_t lineage, bool at_start,
    bool crashed, struct acme_error *err)
{
    struct acme_vault_lineage view;
    enum acme_rc rc;

    rc = acme_vault_lineage(engine->conf.vault, lineage, &view, err);
    if (rc != ACME_OK)
        return rc;
    if (view.record.attempt_open &&
        acme_vault_lock(engine->conf.vault, lineage, err) == ACME_OK) {
        rc = close_attempt(engine, lineage, &view, crashed, err);
        acme_vault_unlock(engine->conf.vault, lineage);
    } else {
        acme_error_clear(err); /* busy: that attempt lives elsewhere */
    }
    /* What the operator had to mend may be in a file: a start is a hint. */
    if (at_start && view.record.wait_for_config &&
        view.record.error.rc == ACME_CONFIG)
        view.record.next_attempt = 0;
    if (rc == ACME_OK)
        rc = plan_view(engine, lineage, &view, false, err);
    acme_vault_lineage_clear(&view);
    return rc;
}

static void
log_failure(const struct acme_engine *engine, size_t lineage, const char *what,
    const struct acme_error *err)
{
    char line[ACME_LOG_LINE_MAX];

    if (acme_vault_is_gone(engine->conf.vault))
        return; /* it has said why itself */

    acme_log(engine->conf.host, ACME_LOG_ERROR, "%s, lineage \"%s\": %s", what,
        engine->conf.config->lineage[lineage].name,
        acme_error_line(err, line, sizeof(line)));
}

enum acme_rc
acme_engine_plan(struct acme_engine *engine, bool crashed,
    struct acme_error *err)
{
    struct acme_error own;
    size_t i;

    for (i = 0; i < engine->conf.config->nlineages; i++) {
        acme_error_clear(&own);
        if (plan_one(engine, i, true, crashed, &own) == ACME_OK)
            continue;
        if (acme_vault_is_gone(engine->conf.vault))
            return acme_error_set(err, ACME_IO, "the store is gone");
        log_failure(engine, i, "cannot plan", &own);
        put_off(engine, i, now(engine) + 60);
        if (!engine->conf.host->wait(engine->conf.host->ctx, 0))
            return acme_error_set(err, ACME_STOPPING, "stopped");
    }
    return ACME_OK;
}

time_t
acme_engine_next(const struct acme_engine *engine)
{
    size_t lineage;
    int64_t at;

    if (acme_heap_first(engine->due, &lineage, &at))
        return now(engine);
    return acme_heap_first(engine->later, &lineage, &at) ? (time_t)at : 0;
}

static void
make_due(struct acme_engine *engine)
{
    size_t lineage;
    int64_t at;

    while (acme_heap_first(engine->later, &lineage, &at) &&
           at <= (int64_t)now(engine)) {
        acme_heap_remove(engine->later, lineage);
        acme_heap_put(engine->due, lineage,
            (int64_t)engine->planned[lineage].urgency, at);
    }
}

/* ---- people ----------------------------------------------------------- */

static void
reply(struct acme_engine *engine, size_t lineage, bool ok, const char *text)
{
    struct planned *planned = &engine->planned[lineage];
    struct acme_error ignored;

    if (!planned->asked)
        return;
    acme_error_clear(&ignored);
    (void)acme_vault_done(engine->conf.vault, planned->id, ok, text, &ignored);
    planned->asked = planned->force = false;
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
too_soon(struct acme_engine *engine, size_t lineage, char *text, size_t size)
{
    struct acme_vault_lineage view;
    struct acme_error ignored;
    char when[ACME_TIME_TEXT];
    time_t next;

    acme_error_clear(&ignored);
    if (acme_vault_lineage(engine->conf.vault, lineage, &view, &ignored) !=
        ACME_OK)
        return NULL;
    next =
        view.record.forced == 0 ? 0 : view.record.forced + ACME_FORCE_INTERVAL;
    acme_vault_lineage_clear(&view);
    if (next <= now(engine))
        return NULL;
    (void)snprintf(text, size,
        "renewed by force less than an hour ago; the next forced renewal is "
        "possible at %s",
        acme_time_format(next, when));
    return text;
}

void
acme_engine_request(struct acme_engine *engine, size_t lineage, unsigned flags,
    uint64_t id)
{
    struct planned *planned = &engine->planned[lineage];
    char text[ACME_LOG_LINE_MAX];

    if (planned->asked)
        reply(engine, lineage, false, "asked for again by somebody else");
    planned->asked = true;
    planned->since = now(engine);
    planned->force = (flags & ACME_RENEW_FORCE) != 0;
    planned->id = id;
    if (planned->force &&
        too_soon(engine, lineage, text, sizeof(text)) != NULL) {
        reply(engine, lineage, false, text);
        return;
    }
    acme_heap_remove(engine->later, lineage);
    acme_heap_put(engine->due, lineage, ACME_URGENT_NOW, (int64_t)now(engine));
}

enum acme_rc
acme_engine_notices(struct acme_engine *engine)
{
    struct acme_notice notice;
    struct acme_error err;
    enum acme_rc rc = ACME_OK;

    while (acme_vault_notice(engine->conf.vault, &notice, &rc)) {
        if (notice.lineage >= engine->conf.config->nlineages)
            continue;
        acme_error_clear(&err);
        if (notice.verb == ACME_VERB_RENEW)
            acme_engine_request(engine, notice.lineage, notice.flags,
                notice.id);
        else if (plan_one(engine, notice.lineage, false, false, &err) !=
                 ACME_OK)
            log_failure(engine, notice.lineage, "cannot plan", &err);
    }
    return rc;
}

/* ---- ledger ----------------------------------------------------------- */

static time_t
ledger_not_before(struct acme_engine *engine, size_t issuer)
{
    struct ledger *ledger = &engine->ledger[issuer];
    struct acme_json *json = NULL;
    struct acme_error ignored;
    struct acme_buf text;

    if (ledger->read)
        return ledger->not_before;
    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_vault_ledger(engine->conf.vault, issuer, &text, &ignored) ==
            ACME_OK &&
        text.len > 0 &&
        acme_json_parse(acme_buf_str(&text), text.len, "ledger", &json,
            &ignored) == ACME_OK)
        ledger->not_before = (time_t)acme_json_time(json, "not_before");
    ledger->read = true;
    acme_json_free(json);
    acme_buf_clear(&text);
    return ledger->not_before;
}

static void
save_ledger(struct acme_engine *engine, size_t issuer)
{
    struct acme_json *json = acme_json_object();
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_json_set_time(json, "not_before", engine->ledger[issuer].not_before);
    if (json != NULL &&
        acme_json_render(json, true, &text, &ignored) == ACME_OK)
        (void)acme_vault_ledger_put(engine->conf.vault, issuer, &text,
            &ignored);
    acme_json_free(json);
    acme_buf_clear(&text);
}

/* A CA that asked for patience is left alone, by its other lineages too. */
static void
note_patience(struct acme_engine *engine, size_t issuer,
    const struct acme_error *err)
{
    time_t until = err->retry_at;

    if (err->http_status != 429 && err->http_status != 503)
        return;
    if (err->http_status == 429 && until > now(engine) + LIMITED_PAUSE)
        until = now(engine) + LIMITED_PAUSE;
    if (until > now(engine) + ACME_RETRY_AFTER_MAX)
        until = now(engine) + ACME_RETRY_AFTER_MAX;
    if (until <= ledger_not_before(engine, issuer))
        return;
    engine->ledger[issuer].not_before = until;
    save_ledger(engine, issuer);
}

/* ---- running ---------------------------------------------------------- */

static const char **
other_directories(const struct acme_config *config, size_t issuer, size_t *n)
{
    const char **others = calloc(config->nissuers + 1, sizeof(*others));
    size_t i;

    *n = 0;
    for (i = 0; others != NULL && i < config->nissuers; i++) {
        if (strcmp(config->issuer[i].directory,
                config->issuer[issuer].directory) != 0)
            others[(*n)++] = config->issuer[i].directory;
    }
    return others;
}

static enum acme_rc
open_client(struct acme_engine *engine, size_t issuer, struct acme_error *err)
{
    struct acme_engine_network *network = &engine->conf.network;
    struct acme_client_conf conf;
    struct acme_transport transport;
    const char **others = NULL;
    enum acme_rc rc;

    if (engine->client[issuer] != NULL)
        return ACME_OK;
    rc = network->open(network->ctx, issuer, &transport, err);
    if (rc != ACME_OK)
        return rc;
    others = other_directories(engine->conf.config, issuer, &conf.nother);
    if (others == NULL)
        return acme_error_nomem(err);
    conf.directory_url = engine->conf.config->issuer[issuer].directory;
    conf.other_directories = others;
    engine->client[issuer] =
        acme_client_new(&conf, engine->conf.host, transport);
    free(others);
    return engine->client[issuer] != NULL ? ACME_OK : acme_error_nomem(err);
}

static void
on_success(struct acme_engine *engine, size_t lineage,
    struct acme_record *record, const struct acme_job_result *result,
    struct answer *answer)
{
    const struct acme_config *config = engine->conf.config;
    const struct acme_lineage *wish = &config->lineage[lineage];
    char until[ACME_TIME_TEXT], text[ACME_LOG_LINE_MAX];
    const char *done = result->version == 1 ? "obtained" : "renewed";

    record->failures = record->crashes = 0;
    record->next_attempt = 0;
    record->wait_for_config = false;
    if (result->version == 0) {
        prepare(answer, true, "nothing was due");
        return;
    }
    (void)snprintf(text, sizeof(text),
        "issuer \"%s\", version %u, serial %s, valid until %s",
        config->issuer[wish->issuer].name, result->version,
        result->leaf.serial, acme_time_format(result->leaf.not_after, until));
    acme_log(engine->conf.host, ACME_LOG_NOTICE,
        "certificate %s, lineage \"%s\", %s", done, wish->name, text);
    (void)snprintf(text, sizeof(text),
        "certificate %s, version %u, serial %s, valid until %s", done,
        result->version, result->leaf.serial, until);
    prepare(answer, true, text);
}

static void
on_failure(struct acme_engine *engine, size_t lineage,
    const struct acme_vault_lineage *view, struct acme_record *record,
    const struct acme_error *err, struct answer *answer)
{
    const struct acme_config *config = engine->conf.config;
    const struct acme_lineage *wish = &config->lineage[lineage];
    struct acme_leaf leaf;
    struct acme_error ignored;
    struct acme_schedule_next next;
    char line[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT];

    acme_error_clear(&ignored);
    memset(&leaf, 0, sizeof(leaf));
    if (view->leaf != NULL)
        (void)acme_chain_leaf(view->leaf, &leaf, &ignored);
    record->failures++;
    record->crashes = 0;
    record->error = *err;
    record->error_time = now(engine);
    next = acme_schedule_after(err, record->failures, 0, now(engine),
        leaf.not_after, draw(engine));
    note_patience(engine, wish->issuer, err);
    record->next_attempt = next.at;
    record->wait_for_config = next.wait_for_config;
    config_hash(engine, lineage, view, record->config);

    (void)acme_error_line(err, line, sizeof(line));
    acme_log(engine->conf.host,
        next.wait_for_config ? ACME_LOG_ERROR : ACME_LOG_WARN,
        "certificate not %s, lineage \"%s\", issuer \"%s\": %s; next attempt "
        "%sat %s (%s)",
        view->leaf == NULL ? "obtained" : "renewed", wish->name,
        config->issuer[wish->issuer].name, line,
        next.wait_for_config ? "when the configuration changes, or " : "",
        acme_time_format(next.at, when), next.why);
    prepare(answer, false, line);
}

/* What the record says after an attempt, and when the lineage is due again. */
static void
conclude(struct acme_engine *engine, size_t lineage,
    const struct acme_job_result *result, const struct acme_error *err)
{
    struct planned *planned = &engine->planned[lineage];
    struct acme_vault_lineage view;
    struct acme_record *record = &view.record;
    struct answer answer = { .given = false };
    struct acme_error own;
    bool asked;

    acme_error_clear(&own);
    if (acme_vault_lineage(engine->conf.vault, lineage, &view, &own) !=
        ACME_OK) {
        log_failure(engine, lineage, "cannot conclude", &own);
        put_off(engine, lineage, now(engine) + 60);
        return;
    }
    record->attempt_open = false;
    if (result->ordered && planned->force)
        record->forced = now(engine);
    if (err->rc == ACME_OK)
        on_success(engine, lineage, record, result, &answer);
    else if (err->rc == ACME_LATER)
        record->next_attempt = err->retry_at;
    else if (err->rc != ACME_STOPPING)
        on_failure(engine, lineage, &view, record, err, &answer);
    asked = planned->asked;
    planned->asked = asked && !answer.given; /* plans as if answered */
    if (acme_vault_record(engine->conf.vault, lineage, record, &own) !=
            ACME_OK ||
        plan_view(engine, lineage, &view, result->version != 0, &own) !=
            ACME_OK) {
        log_failure(engine, lineage, "cannot conclude", &own);
        put_off(engine, lineage, now(engine) + 60);
    }
    planned->asked = asked;
    if (answer.given)
        reply(engine, lineage, answer.ok, answer.text);
    acme_vault_lineage_clear(&view);
}

static bool
must_wait(struct acme_engine *engine, size_t lineage, size_t issuer)
{
    time_t until = ledger_not_before(engine, issuer);
    char text[ACME_LOG_LINE_MAX], when[ACME_TIME_TEXT];

    if (until <= now(engine))
        return false;
    (void)snprintf(text, sizeof(text),
        "issuer \"%s\" asked not to be called before %s",
        engine->conf.config->issuer[issuer].name,
        acme_time_format(until, when));
    reply(engine, lineage, false, text);
    put_off(engine, lineage, until);
    return true;
}

/* Who waits for an answer is not kept waiting for somebody else's job. */
static void
on_busy(struct acme_engine *engine, size_t lineage,
    const struct acme_error *err)
{
    acme_log(engine->conf.host, ACME_LOG_INFO,
        "lineage \"%s\" is worked on by another process",
        engine->conf.config->lineage[lineage].name);
    if (now(engine) - engine->planned[lineage].since >= BUSY_PATIENCE)
        reply(engine, lineage, false, err->what);
    put_off(engine, lineage, now(engine) + BUSY_RETRY);
}

static void
run_job(struct acme_engine *engine, size_t lineage)
{
    const struct acme_config *config = engine->conf.config;
    struct acme_job_result result;
    struct acme_error err;
    struct acme_job job = { config, engine->conf.host, engine->conf.vault,
        lineage, NULL, engine->planned[lineage].force,
        engine->conf.present_ms };
    size_t issuer = config->lineage[lineage].issuer;

    if (must_wait(engine, lineage, issuer))
        return;
    memset(&result, 0, sizeof(result));
    acme_error_clear(&err);
    if (open_client(engine, issuer, &err) == ACME_OK) {
        job.client = engine->client[issuer];
        (void)acme_job_run(&job, &result, &err);
    }
    if (err.rc == ACME_BUSY) {
        on_busy(engine, lineage, &err);
        return;
    }
    conclude(engine, lineage, &result, &err);
}

bool
acme_engine_run_one(struct acme_engine *engine)
{
    size_t lineage;
    int64_t ignored;

    make_due(engine);
    if (!acme_heap_first(engine->due, &lineage, &ignored))
        return false;
    acme_heap_remove(engine->due, lineage);
    run_job(engine, lineage);
    return true;
}

static unsigned
sleep_ms(const struct acme_engine *engine)
{
    time_t next = acme_engine_next(engine);
    time_t left = next - now(engine);

    if (next == 0 || left >= LOOK_MS / 1000)
        return LOOK_MS;
    return left <= 0 ? 0 : (unsigned)left * 1000;
}

enum acme_rc
acme_engine_loop(struct acme_engine *engine, bool crashed,
    struct acme_error *err)
{
    enum acme_rc rc = acme_engine_plan(engine, crashed, err);

    if (rc == ACME_OK && engine->conf.settle_ms > 0 &&
        !engine->conf.host->wait(engine->conf.host->ctx,
            engine->conf.settle_ms))
        return ACME_OK;
    while (rc == ACME_OK) {
        if (acme_engine_notices(engine) != ACME_OK)
            return acme_error_set(err, ACME_IO, "the store is gone");
        if (acme_engine_run_one(engine)) {
            if (!engine->conf.host->wait(engine->conf.host->ctx, 0))
                break;
            continue;
        }
        if (!engine->conf.idle(engine->conf.idle_ctx, sleep_ms(engine)))
            break;
    }
    return rc;
}

#include "drive/acme_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_time.h"
#include "state/acme_ledger.h"

/* Another process works on the lineage: it needs seconds. */
#define BUSY_RETRY 5
#define BUSY_PATIENCE 60

#define LOOK_MS 1000

/* A lineage, its units one after the other: they have one lock. */
struct tried {
    size_t lineage;
    size_t algorithm; /* of the unit whose turn it is */
    bool running;
    bool ended;
    time_t since; /* this unit was begun */
    time_t at;    /* not before */
    bool ok;
    char text[ACME_LOG_LINE_MAX];
};

struct trial {
    const struct acme_trial *conf;
    struct acme_crew *crew;
    struct tried *tried;
    size_t left;
};

static time_t
now(const struct trial *trial)
{
    const struct acme_host *host = trial->conf->crew->host;

    return host->now(host->ctx);
}

static const struct acme_lineage *
lineage_of(const struct trial *trial, const struct tried *tried)
{
    return &trial->conf->crew->config->lineage[tried->lineage];
}

static const struct acme_issuer *
issuer_of(const struct trial *trial, const struct tried *tried)
{
    const struct acme_config *config = trial->conf->crew->config;

    return &config->issuer[lineage_of(trial, tried)->issuer];
}

/* ---- one unit after the other ----------------------------------------- */

static void
choose_unit(const struct trial *trial, struct tried *tried, size_t from)
{
    const struct acme_lineage *lineage = lineage_of(trial, tried);

    for (tried->algorithm = from; tried->algorithm < ACME_ALGORITHMS;
         tried->algorithm++)
        if (acme_lineage_type(lineage, tried->algorithm) != ACME_KEY_NONE)
            break;
    tried->since = now(trial);
    tried->at = 0;
}

static void
add_text(struct tried *tried, const char *text)
{
    size_t len = strlen(tried->text);

    (void)snprintf(tried->text + len, sizeof(tried->text) - len, "%s%s",
        len > 0 ? "; " : "", text);
}

/* The unit is through; with the last one the lineage is. */
static enum acme_rc
conclude(struct trial *trial, struct tried *tried, bool ok, const char *text,
    struct acme_error *err)
{
    tried->ok = tried->ok && ok;
    add_text(tried, text);
    choose_unit(trial, tried, tried->algorithm + 1);
    if (tried->algorithm < ACME_ALGORITHMS)
        return ACME_OK;
    tried->ended = true;
    trial->left--;
    return acme_vault_done(trial->conf->crew->vault, tried->lineage + 1,
        tried->ok, tried->text, err);
}

/* ", key rsa:2048", where a lineage has more than one. */
static void
key_text(const struct trial *trial, const struct tried *tried, char text[32])
{
    const struct acme_lineage *lineage = lineage_of(trial, tried);

    text[0] = '\0';
    if (lineage->ntypes > 1)
        (void)snprintf(text, 32, ", key %s",
            acme_key_type_name(acme_lineage_type(lineage, tried->algorithm)));
}

static enum acme_rc
succeed(struct trial *trial, struct tried *tried,
    const struct acme_job_result *result, struct acme_error *err)
{
    const struct acme_issuer *issuer = issuer_of(trial, tried);
    char text[ACME_LOG_LINE_MAX], until[ACME_TIME_TEXT], key[32];

    key_text(trial, tried, key);
    (void)snprintf(text, sizeof(text),
        "dry run succeeded%s, issuer \"%s\", %s: a certificate valid until "
        "%s%s, which is not kept",
        key, issuer->name, issuer->directory,
        acme_time_format(result->leaf.not_after, until),
        result->left_out > 0 ? ", without names that could not be proved"
                             : "");
    return conclude(trial, tried, true, text, err);
}

static enum acme_rc
fail(struct trial *trial, struct tried *tried, const struct acme_error *why,
    struct acme_error *err)
{
    const struct acme_issuer *issuer = issuer_of(trial, tried);
    char text[ACME_LOG_LINE_MAX], line[ACME_LOG_LINE_MAX], key[32];

    key_text(trial, tried, key);
    (void)snprintf(text, sizeof(text),
        "dry run failed%s, issuer \"%s\", %s: %s", key, issuer->name,
        issuer->directory, acme_error_line(why, line, sizeof(line)));
    return conclude(trial, tried, false, text, err);
}

/* ---- starting --------------------------------------------------------- */

/* What cannot be read is empty: the CA says it again. */
static time_t
left_alone_until(const struct trial *trial, size_t issuer)
{
    struct acme_error ignored;
    struct acme_ledger ledger;
    struct acme_buf text;
    time_t until;

    acme_error_clear(&ignored);
    acme_ledger_init(&ledger);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_vault_ledger(trial->conf->crew->vault, issuer, &text, &ignored) ==
        ACME_OK)
        (void)acme_ledger_parse(acme_buf_str(&text), text.len, &ledger,
            &ignored);
    until = ledger.not_before;
    acme_ledger_clear(&ledger);
    acme_buf_clear(&text);
    return until > now(trial) ? until : 0;
}

/* *started: somebody works now, or has been told why not. */
static enum acme_rc
start(struct trial *trial, struct tried *tried, bool *started,
    struct acme_error *err)
{
    const size_t unit = acme_unit(tried->lineage, tried->algorithm);
    const size_t issuer = lineage_of(trial, tried)->issuer;
    const time_t until = left_alone_until(trial, issuer);
    char when[ACME_TIME_TEXT];
    struct acme_error why;

    *started = true;
    if (until != 0) {
        acme_error_clear(&why);
        (void)acme_error_set(&why, ACME_LATER,
            "the CA asked not to be called before %s",
            acme_time_format(until, when));
        return fail(trial, tried, &why, err);
    }
    *started = tried->running =
        acme_crew_start(trial->crew, unit, issuer, 0, true);
    return ACME_OK;
}

static enum acme_rc
start_all(struct trial *trial, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    bool started = true;
    size_t i;

    for (i = 0; rc == ACME_OK && started && i < trial->conf->nlineages; i++)
        if (!trial->tried[i].ended && !trial->tried[i].running &&
            trial->tried[i].at <= now(trial))
            rc = start(trial, &trial->tried[i], &started, err);
    return rc;
}

/* ---- ending ----------------------------------------------------------- */

static struct tried *
find(const struct trial *trial, size_t lineage)
{
    struct tried *tried = trial->tried;

    while (tried->lineage != lineage)
        tried++;
    return tried;
}

static enum acme_rc
end(struct trial *trial, const struct acme_crew_ended *ended,
    struct acme_error *err)
{
    struct tried *tried = find(trial, acme_unit_lineage(ended->unit));

    tried->running = false;
    switch (ended->err.rc) {
    case ACME_OK:
        return succeed(trial, tried, &ended->result, err);
    case ACME_STOPPING:
        return acme_error_set(err, ACME_STOPPING, "stopped");
    case ACME_LATER:
        tried->at = ended->err.retry_at;
        return ACME_OK;
    case ACME_BUSY:
        tried->at = now(trial) + BUSY_RETRY;
        if (tried->at <= tried->since + BUSY_PATIENCE)
            return ACME_OK;
        return fail(trial, tried, &ended->err, err);
    default:
        return fail(trial, tried, &ended->err, err);
    }
}

static enum acme_rc
go_on(struct trial *trial, struct acme_error *err)
{
    struct acme_crew_ended ended;
    enum acme_rc rc = start_all(trial, err);

    while (rc == ACME_OK && acme_crew_take(trial->crew, &ended))
        rc = end(trial, &ended, err);
    return rc;
}

/* ---- all of it -------------------------------------------------------- */

/* One of which no key type is wanted has nothing to be tried. */
static enum acme_rc
begin(struct trial *trial, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < trial->conf->nlineages && rc == ACME_OK; i++) {
        struct tried *tried = &trial->tried[i];

        tried->lineage = trial->conf->lineages[i];
        tried->ok = true;
        choose_unit(trial, tried, 0);
        if (tried->algorithm == ACME_ALGORITHMS)
            rc = conclude(trial, tried, false, "no key type is wanted", err);
    }
    return rc;
}

enum acme_rc
acme_trial_run(const struct acme_trial *conf, struct acme_error *err)
{
    struct trial trial = { .conf = conf, .left = conf->nlineages };
    enum acme_rc rc = acme_crew_new(conf->crew, &trial.crew, err);

    if (rc != ACME_OK)
        return rc;
    trial.tried = calloc(conf->nlineages + 1, sizeof(*trial.tried));
    rc = trial.tried != NULL ? begin(&trial, err) : acme_error_nomem(err);
    while (rc == ACME_OK && trial.left > 0) {
        rc = go_on(&trial, err);
        if (rc == ACME_OK && trial.left > 0 &&
            !conf->idle(conf->idle_ctx, LOOK_MS))
            rc = acme_error_set(err, ACME_STOPPING, "stopped");
    }
    acme_crew_free(trial.crew);
    free(trial.tried);
    return rc;
}

/*
 * Pre-flight of a job: before a new order, with the account's key, of the
 * order's names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_private.h"
#include "drive/acme_preflight_dns.h"

struct shown {
    struct acme_run *run;
    bool done; /* something is to be taken back */
};

static enum acme_rc
show(void *ctx, const struct acme_area_token *tokens, size_t n, bool *shown,
    struct acme_error *err)
{
    struct shown *to = ctx;

    (void)err; /* the run's */
    to->done = *shown = true;
    return acme_job_show_tokens(to->run, tokens, n);
}

/* What the CA is called, of its directory. */
static enum acme_rc
take_identities(struct acme_run *run, struct acme_preflight_case *what)
{
    struct acme_connection *connection =
        acme_client_connection(run->job->client);
    const struct acme_directory *directory;
    const char **list;
    enum acme_rc rc;
    size_t i;

    rc = acme_connection_directory(connection, &directory, run->err);
    if (rc != ACME_OK)
        return rc;
    list =
        acme_arena_alloc(run->arena, (directory->ncaa + 1) * sizeof(list[0]));
    for (i = 0; list != NULL && i < directory->ncaa; i++) {
        list[i] = acme_arena_strdup(run->arena, directory->caa[i]);
        if (list[i] == NULL)
            list = NULL;
    }
    if (list == NULL)
        return acme_error_nomem(run->err);
    what->nidentities = directory->ncaa;
    if (directory->ncaa == 0 && acme_issuer_domain(run->issuer) != NULL)
        list[what->nidentities++] = acme_issuer_domain(run->issuer);
    what->identity = list;
    what->private_too = acme_connection_is_private(connection);
    return ACME_OK;
}

/* The DNS is that of the lineage's resolvers, or of the host's. */
static void
choose_means(const struct acme_run *run, struct acme_preflight_dns *dns,
    struct acme_preflight_means *means)
{
    const struct acme_job *job = run->job;

    *means = *job->preflight;
    if (means->lookup == NULL && job->resolver != NULL) {
        acme_preflight_dns_init(dns, run->lineage->proof, job->resolver,
            job->host);
        means->lookup = &dns->lookup;
    }
}

static enum acme_rc
fly(struct acme_run *run, struct acme_preflight_row *row)
{
    const struct acme_job *job = run->job;
    struct acme_preflight_dns dns;
    struct acme_preflight_means means;
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct shown shown = { run, false };
    struct acme_preflight_case what = { .config = job->config,
        .proof = run->lineage->proof,
        .host = job->host,
        .means = &means,
        .arena = run->arena,
        .thumbprint = thumbprint,
        .account = acme_client_account(job->client),
        .present = show,
        .ctx = &shown };
    struct acme_error ignored;
    enum acme_rc rc = take_identities(run, &what);

    choose_means(run, &dns, &means);
    if (rc == ACME_OK)
        rc = acme_key_thumbprint(acme_client_key(job->client), thumbprint,
            run->err);
    if (rc == ACME_OK)
        rc = acme_preflight_run(&what, run->names, run->nnames, row, run->err);
    acme_error_clear(&ignored);
    if (shown.done)
        (void)acme_vault_order_drop(job->vault, job->unit, &ignored);
    return rc;
}

/* Told once, and again when it is something else.  "" is nothing. */
static enum acme_rc
note(struct acme_run *run, const char *text)
{
    struct acme_record *record = &run->now.record;

    if (strcmp(record->preflight, text) == 0)
        return ACME_OK;
    if (text[0] != '\0')
        acme_log(run->job->host, ACME_LOG_WARN,
            "pre-flight, lineage \"%s\": %s", run->lineage->name, text);
    else
        acme_log(run->job->host, ACME_LOG_INFO,
            "pre-flight has nothing to doubt any more, lineage \"%s\"",
            run->lineage->name);
    (void)snprintf(record->preflight, sizeof(record->preflight), "%s", text);
    record->preflight_since =
        text[0] != '\0' ? run->job->host->now(run->job->host->ctx) : 0;
    return acme_vault_note(run->job->vault, run->job->unit, record, run->err);
}

enum acme_rc
acme_job_preflight(struct acme_run *run)
{
    const enum acme_preflight how = run->lineage->proof->preflight;
    char text[sizeof(run->now.record.preflight)];
    struct acme_preflight_row *row;
    enum acme_verdict worst;
    enum acme_rc rc;

    if (run->job->preflight == NULL)
        return ACME_OK;
    if (how == ACME_PREFLIGHT_OFF)
        return note(run, "");
    row = calloc(run->nnames + 1, sizeof(*row));
    if (row == NULL)
        return acme_error_nomem(run->err);
    rc = fly(run, row);
    if (rc == ACME_OK) {
        worst = acme_preflight_sum(row, run->nnames, text, sizeof(text));
        rc = note(run, text);
        if (rc == ACME_OK && how == ACME_PREFLIGHT_REQUIRE &&
            worst == ACME_VERDICT_BAD)
            rc = acme_error_set(run->err, ACME_UNREADY,
                "pre-flight: %s; no order was made", text);
    }
    free(row);
    return rc;
}

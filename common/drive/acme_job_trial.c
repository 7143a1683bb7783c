/*
 * What a job does otherwise in a dry run: it proves everything, whatever the
 * CA remembers, and does not wait for ever.
 */
#include "base/acme_log.h"
#include "drive/acme_job_private.h"

/* What is not through after so long (seconds) would be gone on with by a
 * server; a person waits for this. */
#define PATIENCE ((time_t)600)

/* A CA that keeps to what it knows shows at least that it takes the order. */
static bool
is_unproved(struct acme_run *run, struct acme_authz *authz)
{
    char line[ACME_LOG_LINE_MAX];
    struct acme_error err;

    if (authz->status != ACME_STATUS_VALID)
        return false;
    acme_error_clear(&err);
    if (acme_authz_deactivate(run->job->client, authz, &err) == ACME_OK)
        return true;
    acme_log(run->job->host, ACME_LOG_WARN,
        "\"%s\" is not proved anew, lineage \"%s\": %s", authz->name,
        run->lineage->name, acme_error_line(&err, line, sizeof(line)));
    return false;
}

enum acme_rc
acme_job_unprove(struct acme_run *run, bool *again)
{
    struct acme_authz *authz;
    enum acme_rc rc;
    size_t i;

    *again = false;
    rc = acme_authz_get_all(run->job->client, &run->order, run->names,
        run->nnames, run->arena, &authz, run->err);
    for (i = 0; rc == ACME_OK && i < run->order.nauthz; i++)
        if (is_unproved(run, &authz[i]))
            *again = true;
    return rc;
}

enum acme_rc
acme_job_give_up(const struct acme_run *run)
{
    const time_t now = run->job->host->now(run->job->host->ctx);
    time_t begun = (time_t)acme_json_time(run->memo, "created");

    if (begun == 0)
        begun = now;
    if (run->err->retry_at <= begun + PATIENCE)
        return ACME_LATER;
    run->err->rc = ACME_NET;
    return acme_error_wrap(run->err, "not through after %d minutes",
        (int)(PATIENCE / 60));
}

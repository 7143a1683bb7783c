/*
 * Names that cannot be proved, where a certificate may do without some
 * (allow_subset): an order is all or nothing (RFC 8555 7.1.6), so the rest is
 * ordered once more, in the same attempt.
 */
#include <string.h>

#include "base/acme_log.h"
#include "drive/acme_job_private.h"
#include "state/acme_schedule.h"

enum acme_rc
acme_job_choose_names(struct acme_run *run)
{
    const char **names;
    size_t i;

    names =
        acme_arena_alloc(run->arena, (run->now.nnames + 1) * sizeof(*names));
    if (names == NULL)
        return acme_error_nomem(run->err);
    run->nnames = 0;
    for (i = 0; i < run->now.nnames; i++) {
        if (!acme_left_out_has(run->left_out, run->now.names[i]))
            names[run->nnames++] = run->now.names[i];
    }
    run->names = names;
    return ACME_OK;
}

/* The CA counts it. */
static void
note_unproved(const struct acme_run *run, const char *name)
{
    struct acme_job_result *result = run->result;
    size_t i;

    for (i = 0; i < run->now.nnames; i++)
        if (strcmp(run->now.names[i], name) == 0 &&
            result->nunproved < ACME_LEFT_OUT_MAX)
            result->unproved[result->nunproved++] = (uint32_t)i;
}

bool
acme_job_may_leave_out(const struct acme_run *run, const char *name)
{
    if (!run->now.allow_subset || run->again ||
        !acme_schedule_is_validation(run->err) ||
        !acme_left_out_add(run->left_out, name, run->err))
        return false;
    note_unproved(run, name);
    return true;
}

/* Whether what is served is as good as the rest would be. */
static bool
is_enough(const struct acme_run *run)
{
    const time_t now = run->job->host->now(run->job->host->ctx);
    const struct acme_record *record = &run->now.record;
    size_t i;

    if (run->job->force || run->now.leaf == NULL || run->now.other_issuer ||
        run->now.revoked || run->now.live_type != run->now.type ||
        record->renew_at <= now)
        return false;
    for (i = 0; i < run->nnames; i++) {
        if (!acme_chain_covers(run->now.leaf, run->names[i]))
            return false;
    }
    return true;
}

enum acme_rc
acme_job_remember_left_out(struct acme_run *run,
    const struct acme_chain *chain)
{
    struct acme_record *record = &run->now.record;
    struct acme_leaf leaf;
    enum acme_rc rc = acme_chain_leaf(chain, &leaf, run->err);

    if (rc != ACME_OK)
        return rc;
    record->left_out = *run->left_out;
    memcpy(record->left_out_serial, leaf.serial, sizeof(leaf.serial));
    run->result->left_out = run->left_out->n;
    return acme_vault_note(run->job->vault, run->job->unit, record, run->err);
}

enum acme_rc
acme_job_order_rest(struct acme_run *run, bool *enough)
{
    char text[ACME_LOG_LINE_MAX];
    enum acme_rc rc;

    run->again = true;
    run->unproved = false;
    acme_error_clear(run->err);
    rc = acme_job_drop_order(run, run->err);
    if (rc == ACME_OK)
        rc = acme_job_choose_names(run);
    if (rc != ACME_OK)
        return rc;
    *enough = is_enough(run);
    if (*enough)
        return acme_job_remember_left_out(run, run->now.leaf);
    acme_log(run->job->host, ACME_LOG_INFO,
        "ordered again without names, lineage \"%s\": %s", run->lineage->name,
        acme_left_out_text(run->left_out, text, sizeof(text)));
    return acme_job_obtain_order(run);
}

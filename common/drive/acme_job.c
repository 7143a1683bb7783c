#include "drive/acme_job.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_enroll.h"
#include "drive/acme_job_private.h"

/* A name that could not be proved when the live certificate was ordered. */
static bool
is_left_out(const struct acme_vault_unit *unit, const char *name)
{
    struct acme_leaf leaf;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return unit->allow_subset &&
           acme_left_out_has(&unit->record.left_out, name) &&
           acme_chain_leaf(unit->leaf, &leaf, &ignored) == ACME_OK &&
           strcmp(unit->record.left_out_serial, leaf.serial) == 0;
}

bool
acme_job_is_needed(const struct acme_vault_unit *unit, const char **why)
{
    size_t i;

    *why = NULL;
    if (unit->leaf == NULL)
        *why = "there is no certificate";
    else if (unit->live_type != unit->type)
        *why = "another key type is configured";
    else if (unit->other_issuer)
        *why = "another CA is configured";
    else if (unit->revoked)
        *why = "the certificate is revoked";
    for (i = 0; *why == NULL && i < unit->nnames; i++) {
        if (!acme_chain_covers(unit->leaf, unit->names[i]) &&
            !is_left_out(unit, unit->names[i]))
            *why = "the certificate does not cover all names";
    }
    return *why != NULL;
}

static void
step(struct acme_run *run, const char *name)
{
    acme_log(run->job->host, ACME_LOG_DEBUG, "%s, lineage \"%s\"", name,
        run->lineage->name);
}

/*
 * The attempt is on disk, and the step it has reached in the store's memory:
 * one that is found open later killed the engine at that step.
 */
static enum acme_rc
enter(struct acme_run *run, const char *name)
{
    struct acme_record *record = &run->now.record;
    const time_t now = run->job->host->now(run->job->host->ctx);
    bool first = !record->attempt_open;

    step(run, name);
    if (first) {
        record->attempt = now;
        acme_record_ask(record,
            (unsigned)acme_lineage_ca(run->lineage, run->job->issuer),
            run->issuer->name, now);
    }
    record->attempt_open = true;
    acme_record_step(record, name, now);
    return (first ? acme_vault_record : acme_vault_note)(run->job->vault,
        run->job->unit, record, run->err);
}

/* ---- the order's states ----------------------------------------------- */

static enum acme_rc
poll_while(struct acme_run *run, enum acme_status status)
{
    if (run->order.status != status)
        return ACME_OK;
    return acme_order_poll_while(run->job->client, status, run->names,
        run->nnames, run->arena, &run->order, run->err);
}

/* From whatever state the order is in to valid (RFC 8555 7.1.6). */
static enum acme_rc
complete_order(struct acme_run *run)
{
    enum acme_rc rc = ACME_OK;

    if (run->order.status == ACME_STATUS_PENDING) {
        rc = enter(run, "authorize");
        if (rc == ACME_OK)
            rc = acme_job_prove_names(run);
        if (rc == ACME_OK)
            rc = poll_while(run, ACME_STATUS_PENDING);
    }
    /* In a run of before they may have become valid. */
    if (rc == ACME_OK)
        acme_job_dns_clean(run, false);
    if (rc == ACME_OK && run->order.status == ACME_STATUS_READY) {
        rc = enter(run, "finalize");
        if (rc == ACME_OK)
            rc = acme_job_finalize(run);
    }
    if (rc == ACME_OK)
        rc = poll_while(run, ACME_STATUS_PROCESSING);
    if (rc == ACME_OK && run->order.status != ACME_STATUS_VALID) {
        rc = acme_error_set(run->err, ACME_WIRE,
            "order is %s where valid was expected",
            acme_status_name(run->order.status));
    }
    return rc;
}

/* ---- is it due? ------------------------------------------------------- */

/* Names that were left out get another try. */
static bool
is_incomplete(const struct acme_run *run)
{
    const struct acme_record *record = &run->now.record;

    return record->left_out.n > 0 &&
           record->complete_at <= run->job->host->now(run->job->host->ctx);
}

/* Whatever the date in the certificate. */
static bool
is_wanted(const struct acme_run *run)
{
    const char *why;

    return run->job->force || run->now.order || is_incomplete(run) ||
           acme_job_is_needed(&run->now, &why);
}

static bool
is_due(const struct acme_run *run, long offset)
{
    time_t renew_at = run->now.record.renew_at;

    return is_wanted(run) ||
           (renew_at != 0 &&
               renew_at - offset <= run->job->host->now(run->job->host->ctx));
}

static void
note_clock(struct acme_run *run)
{
    const struct acme_connection *connection =
        acme_client_connection(run->job->client);

    run->result->clock_known =
        connection != NULL &&
        acme_connection_clock(connection, &run->result->ahead);
}

/* Our clock may be wrong by weeks: what is due because of it alone is not, if
 * the CA's says otherwise. */
static enum acme_rc
ask_clock(struct acme_run *run, bool *due)
{
    struct acme_connection *connection =
        acme_client_connection(run->job->client);
    const struct acme_directory *directory;
    enum acme_rc rc;

    *due = true;
    if (is_wanted(run))
        return ACME_OK;
    rc = acme_connection_directory(connection, &directory, run->err);
    if (rc == ACME_OK)
        rc = acme_connection_prepare(connection, run->err);
    if (rc != ACME_OK)
        return acme_error_wrap(run->err, "account");
    note_clock(run);
    *due = !run->result->clock_known ||
           is_due(run, acme_schedule_offset(run->result->ahead));
    return ACME_OK;
}

/* ---- when it is served ------------------------------------------------ */

/* The administrator may want a certificate to be of some age before it is
 * served.  It is then left at the CA, whose order goes on later; not one that
 * a person has by force, nor the first. */
static enum acme_rc
stage(struct acme_run *run)
{
    const struct acme_timing *timing = &run->lineage->timing;
    const time_t now = run->job->host->now(run->job->host->ctx);
    time_t issued = (time_t)acme_json_time(run->memo, "issued"), until;
    char when[ACME_TIME_TEXT];
    struct acme_leaf live;
    enum acme_rc rc;

    if (timing->activation_delay == 0 || run->job->force ||
        run->now.leaf == NULL)
        return ACME_OK;
    rc = acme_chain_leaf(run->now.leaf, &live, run->err);
    if (rc == ACME_OK && issued == 0) {
        issued = now;
        acme_json_set_time(run->memo, "issued", issued);
        rc = acme_job_save_memo(run, false, run->err);
    }
    if (rc != ACME_OK)
        return rc;
    until = acme_schedule_activate_at(timing, issued, live.not_before,
        live.not_after);
    if (until <= now)
        return ACME_OK;
    run->result->staged = true;
    (void)acme_error_set(run->err, ACME_LATER,
        "the new certificate is served from %s on",
        acme_time_format(until, when));
    run->err->retry_at = until;
    return ACME_LATER;
}

/* ---- the story -------------------------------------------------------- */

static enum acme_rc
try_to_obtain(struct acme_run *run)
{
    const struct acme_job *job = run->job;
    struct acme_enroll account = { job->host, job->vault, job->client,
        run->issuer, job->issuer };
    bool due = true;
    bool enough = false;
    enum acme_rc rc = enter(run, "account");

    if (rc == ACME_OK)
        rc = ask_clock(run, &due);
    if (rc != ACME_OK || !due)
        return rc;
    if (acme_proof_is_by_hand(run->lineage->proof) && !job->config->asks)
        return acme_error_set(run->err, ACME_CONFIG,
            "its names are proved by hand, and nobody can be asked here: a "
            "person at a terminal renews it, with acmectl issue --manual "
            "--cert-name %s --force, or --manual-auth-hook names a program "
            "that does it",
            run->lineage->name);
    rc = acme_job_begin(run);
    if (rc == ACME_OK)
        rc = acme_enroll(&account, run->err);
    if (rc == ACME_OK)
        rc = enter(run, "order");
    if (rc == ACME_OK)
        rc = acme_job_obtain_order(run);
    if (rc == ACME_OK)
        rc = complete_order(run);
    if (run->unproved) {
        rc = acme_job_order_rest(run, &enough);
        if (rc == ACME_OK && enough)
            return rc;
        if (rc == ACME_OK)
            rc = complete_order(run);
    }
    if (rc == ACME_OK)
        rc = stage(run);
    if (rc == ACME_OK)
        rc = enter(run, "download");
    if (rc == ACME_OK)
        rc = acme_job_deliver(run);
    return rc;
}

/* RFC 8555 6.7 accountDoesNotExist: a CA that has lost the account, with all
 * its orders, in the middle of one gets another account of the same key. */
static enum acme_rc
obtain(struct acme_run *run)
{
    struct acme_error ignored;
    enum acme_rc rc = try_to_obtain(run);

    if (rc != ACME_PROBLEM ||
        strcmp(run->err->type, "accountDoesNotExist") != 0)
        return rc;
    acme_log(run->job->host, ACME_LOG_WARN,
        "the CA does not know the account any more, issuer \"%s\"",
        run->issuer->name);
    acme_error_clear(&ignored);
    rc = acme_job_drop_order(run, &ignored);
    if (rc != ACME_OK)
        return run->err->rc;
    acme_error_clear(run->err);
    return try_to_obtain(run);
}

/* An order that does not move is looked at less and less often: a quarter of
 * its age, at most an hour. */
static void
grow_patience(struct acme_run *run)
{
    time_t now = run->job->host->now(run->job->host->ctx);
    time_t created = (time_t)acme_json_time(run->memo, "created");
    time_t pause = created != 0 ? (now - created) / 4 : 0;

    if (pause > 3600)
        pause = 3600;
    if (run->err->retry_at < now + pause)
        run->err->retry_at = now + pause;
}

static enum acme_rc
run_locked(struct acme_run *run)
{
    const struct acme_job *job = run->job;
    struct acme_error ignored;
    enum acme_rc rc;

    /* Somebody else may have done it while we waited for the lock. */
    rc = acme_vault_unit(job->vault, job->unit, &run->now, run->err);
    if (rc != ACME_OK || run->now.type == ACME_KEY_NONE ||
        !is_due(run, run->job->offset))
        return rc;
    run->result->first = run->now.leaf == NULL;
    if (run->now.conflict != NULL)
        return acme_error_set(run->err, ACME_CONFIG, "%s", run->now.conflict);
    rc = acme_job_choose_names(run);
    if (rc == ACME_OK)
        rc = obtain(run);
    if (rc == ACME_LATER && job->trial)
        rc = acme_job_give_up(run);
    if (rc == ACME_LATER && !run->result->staged)
        grow_patience(run);
    /* On success the store has dropped it together with the switch.  Nobody
     * goes on with a trial's. */
    acme_error_clear(&ignored);
    if (rc != ACME_OK && run->memo != NULL &&
        (!acme_job_order_survives(run->err) ||
            (job->trial && rc != ACME_LATER)))
        (void)acme_job_drop_order(run, &ignored);
    else if (rc != ACME_OK && run->memo_changed)
        (void)acme_job_save_memo(run, false, &ignored);
    return rc;
}

enum acme_rc
acme_job_run(const struct acme_job *job, struct acme_job_result *result,
    struct acme_error *err)
{
    struct acme_run run;
    enum acme_rc rc;

    memset(&run, 0, sizeof(run));
    memset(result, 0, sizeof(*result));
    run.job = job;
    run.lineage = &job->config->lineage[acme_unit_lineage(job->unit)];
    run.issuer = &job->config->issuer[job->issuer];
    run.result = result;
    run.err = err;
    run.arena = acme_arena_new();
    if (run.arena != NULL)
        run.left_out = acme_arena_alloc(run.arena, sizeof(*run.left_out));
    if (run.left_out == NULL) {
        acme_arena_free(run.arena);
        return acme_error_nomem(err);
    }
    rc = acme_vault_lock(job->vault, job->unit, err);
    if (rc == ACME_OK) {
        rc = run_locked(&run);
        note_clock(&run);
        acme_vault_unlock(job->vault, job->unit);
        acme_job_end(&run, rc);
    }
    acme_vault_unit_clear(&run.now);
    acme_json_free(run.memo);
    acme_key_unref(run.key);
    acme_csr_free(run.csr);
    acme_arena_free(run.arena);
    return rc;
}

/*
 * What the administrator has run around an attempt: hooks before its order,
 * and when it is over.  What they do is theirs to know: an attempt does not
 * fail because a hook did.  The command that is told of events may say no, and
 * so may tracking, where it is required.
 */
#include <stdio.h>
#include <string.h>

#include "drive/acme_job_private.h"
#include "drive/acme_stage_ask.h"
#include "drive/acme_track.h"

static enum acme_rc
ask(const struct acme_run *run, const struct acme_stage_ask *stage,
    struct acme_stage_answer *answer, struct acme_error *err)
{
    struct acme_buf frame, data;
    struct acme_frame read;
    enum acme_rc rc;

    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_buf_init(&data, ACME_FRAME_MAX);
    acme_stage_ask_render(stage, &frame);
    rc = acme_job_ask_runner(run, &frame, &data, err);
    if (rc == ACME_OK && !acme_stage_answer_open(&read, &data, answer))
        rc = acme_error_set(err, ACME_IO, "the runner's answer is malformed");
    acme_buf_clear(&frame);
    acme_buf_clear(&data);
    return rc;
}

/* ---- events ----------------------------------------------------------- */

/* A command that lets an attempt begin is not asked again so soon (seconds),
 * as mod_md has it. */
#define TOLD_EVERY 3600

/* A trial is nobody's event. */
static bool
has_event_command(const struct acme_run *run)
{
    return run->job->runner != NULL && !run->job->trial &&
           run->lineage->hooks->n[ACME_HOOKS_EVENT] > 0;
}

/* ACME_UNREADY: it says no, and why. */
static enum acme_rc
ask_event(const struct acme_run *run, const char *word)
{
    struct acme_stage_ask stage = { .stage = ACME_HOOKS_EVENT,
        .unit = (uint32_t)run->job->unit };
    struct acme_stage_answer answer;
    enum acme_rc rc;

    (void)snprintf(stage.event, sizeof(stage.event), "%s", word);
    rc = ask(run, &stage, &answer, run->err);
    if (rc == ACME_OK && answer.err.rc != ACME_OK)
        rc = acme_error_set(run->err, ACME_UNREADY,
            "the event command refuses \"%s\": %s", word, answer.err.what);
    return rc;
}

static enum acme_rc
ask_to_begin(struct acme_run *run)
{
    const time_t now = run->job->host->now(run->job->host->ctx);
    struct acme_record *record = &run->now.record;
    enum acme_rc rc;

    if (!has_event_command(run) || run->now.order ||
        (record->told <= now && record->told + TOLD_EVERY > now))
        return ACME_OK;
    rc = ask_event(run, "renewing");
    if (rc == ACME_OK)
        record->told = now;
    return rc;
}

enum acme_rc
acme_job_ask_challenge(struct acme_run *run, const char *subject)
{
    char word[ACME_EVENT_WORD_MAX];

    if (!has_event_command(run))
        return ACME_OK;
    (void)snprintf(word, sizeof(word), "challenge-setup:%s", subject);
    return ask_event(run, word);
}

/* ---- tracking --------------------------------------------------------- */

/* A trial is no renewal, and of none. */
static bool
is_tracked(const struct acme_run *run)
{
    return run->job->runner != NULL && !run->job->trial &&
           run->lineage->hooks->n[ACME_HOOKS_TRACKING] > 0;
}

/* An order that is gone on with has its record.  ACME_UNREADY: it must have
 * one, and cannot; what is only wished for, the runner has told. */
static enum acme_rc
open_record(const struct acme_run *run)
{
    struct acme_stage_ask stage = { .stage = ACME_HOOKS_TRACKING,
        .unit = (uint32_t)run->job->unit,
        .renews = run->now.leaf != NULL,
        .event = ACME_TRACK_CREATE };
    struct acme_stage_answer answer;
    enum acme_rc rc;

    if (!is_tracked(run) || run->now.order)
        return ACME_OK;
    rc = ask(run, &stage, &answer, run->err);
    if (rc == ACME_OK && answer.err.rc != ACME_OK &&
        run->lineage->hooks->tracking_required)
        rc = acme_error_set(run->err, ACME_UNREADY,
            "a tracking record is required: %s", answer.err.what);
    return rc;
}

void
acme_job_track_request(const struct acme_run *run, const struct acme_buf *der)
{
    if (is_tracked(run) &&
        (run->lineage->hooks->tracking_data & 1u << ACME_TRACK_CSR) != 0)
        acme_vault_request(run->job->vault, run->job->unit, der);
}

/* ---- hooks ------------------------------------------------------------ */

enum acme_rc
acme_job_begin(struct acme_run *run)
{
    const struct acme_stage_ask stage = { .stage = ACME_HOOKS_PRE,
        .unit = (uint32_t)run->job->unit,
        .renews = run->now.leaf != NULL };
    struct acme_stage_answer answer;
    enum acme_rc rc;

    if (run->job->runner == NULL)
        return ACME_OK;
    rc = ask_to_begin(run);
    if (rc == ACME_OK)
        rc = open_record(run);
    return rc == ACME_OK ? ask(run, &stage, &answer, run->err) : rc;
}

void
acme_job_end(const struct acme_run *run, enum acme_rc outcome)
{
    const struct acme_stage_ask stage = { .stage = ACME_HOOKS_POST,
        .unit = (uint32_t)run->job->unit,
        .renews = run->now.leaf != NULL,
        .failed = outcome != ACME_OK };
    struct acme_error ignored;
    struct acme_buf frame;

    acme_error_clear(&ignored);
    if (run->job->runner == NULL || outcome == ACME_LATER ||
        outcome == ACME_STOPPING || outcome == ACME_BUSY)
        return;
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_stage_ask_render(&stage, &frame);
    (void)acme_job_tell_runner(run, &frame, &ignored);
    acme_buf_clear(&frame);
}

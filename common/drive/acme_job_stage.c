/*
 * What the administrator has run around an attempt: hooks before its order,
 * and when it is over.  What they do is theirs to know: an attempt does not
 * fail because a hook did.
 */
#include <string.h>

#include "drive/acme_job_private.h"
#include "drive/acme_stage_ask.h"

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

enum acme_rc
acme_job_begin(struct acme_run *run)
{
    const struct acme_stage_ask stage = { .stage = ACME_HOOKS_PRE,
        .unit = (uint32_t)run->job->unit,
        .renews = run->now.leaf != NULL };
    struct acme_stage_answer answer;

    if (run->job->runner == NULL)
        return ACME_OK;
    return ask(run, &stage, &answer, run->err);
}

void
acme_job_end(const struct acme_run *run, enum acme_rc outcome)
{
    const struct acme_stage_ask stage = { .stage = ACME_HOOKS_POST,
        .unit = (uint32_t)run->job->unit,
        .renews = run->now.leaf != NULL,
        .failed = outcome != ACME_OK };
    struct acme_stage_answer answer;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (run->job->runner == NULL || outcome == ACME_LATER ||
        outcome == ACME_STOPPING || outcome == ACME_BUSY)
        return;
    (void)ask(run, &stage, &answer, &ignored);
}

/*
 * Questions to the runner, which are sent when it has room, and its answers:
 * what each program did is kept, and whoever has asked goes on.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

/* The end of a run that holds post hooks back has no lineage. */
#define NO_LINEAGE SIZE_MAX

void
acme_keeper_use_runner(struct acme_keeper *keeper, int fd)
{
    keeper->runner = fd;
}

/* Again after a failure: at first after so long, doubled up to the most. */
#define AGAIN_LEAST ((time_t)60)
#define AGAIN_MOST ((time_t)3600)

time_t
acme_asked_pause(unsigned tries)
{
    time_t pause = AGAIN_LEAST;

    while (tries-- > 0 && pause < AGAIN_MOST)
        pause *= 2;
    return pause < AGAIN_MOST ? pause : AGAIN_MOST;
}

/* ---- questions -------------------------------------------------------- */

struct acme_asked *
acme_asked_new(struct acme_keeper *keeper, size_t lineage)
{
    struct acme_asked *asked = calloc(1, sizeof(*asked));

    if (asked == NULL)
        return NULL;
    asked->id = ++keeper->asked_count;
    asked->lineage = lineage;
    asked->lock = -1;
    acme_buf_init(&asked->frame, ACME_FRAME_MAX);
    asked->next = keeper->asked;
    keeper->asked = asked;
    return asked;
}

static void
free_asked(struct acme_asked *asked)
{
    if (asked->lock != -1)
        close(asked->lock);
    acme_buf_clear(&asked->frame);
    free(asked);
}

void
acme_asked_forget(struct acme_keeper *keeper, struct acme_asked *asked)
{
    struct acme_asked **at = &keeper->asked;

    while (*at != asked)
        at = &(*at)->next;
    *at = asked->next;
    free_asked(asked);
}

void
acme_keeper_free_asked(struct acme_keeper *keeper)
{
    while (keeper->asked != NULL)
        acme_asked_forget(keeper, keeper->asked);
}

/* Those that wait for their time are nobody's concern who ends. */
size_t
acme_keeper_asked(const struct acme_keeper *keeper)
{
    const struct acme_asked *asked;
    size_t n = 0;

    for (asked = keeper->asked; asked != NULL; asked = asked->next)
        n += asked->again == 0;
    return n;
}

/* Mirrors wait here for one another: the runner's room is for others. */
static bool
is_mirroring(const struct acme_keeper *keeper)
{
    const struct acme_asked *asked;

    for (asked = keeper->asked; asked != NULL; asked = asked->next)
        if (asked->stage == ACME_HOOKS_MIRROR && asked->sent)
            return true;
    return false;
}

/* The oldest that is to be sent now; it is last in the list. */
static struct acme_asked *
next_to_send(const struct acme_keeper *keeper)
{
    const time_t now = keeper->host->now(keeper->host->ctx);
    const bool mirroring = is_mirroring(keeper);
    struct acme_asked *asked, *oldest = NULL;

    for (asked = keeper->asked; asked != NULL; asked = asked->next)
        if (mirroring && asked->stage == ACME_HOOKS_MIRROR)
            continue;
        else if (!asked->sent || (asked->again != 0 && asked->again <= now))
            oldest = asked;
    return oldest;
}

/* What may have to be told again is kept. */
static enum acme_rc
send_one(struct acme_keeper *keeper, struct acme_asked *asked)
{
    struct acme_error ignored;
    struct acme_buf frame;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_buf_add(&frame, asked->frame.data, asked->frame.len);
    asked->sent = true;
    asked->again = 0;
    if (!asked->kept)
        acme_buf_clear(&asked->frame);
    rc = acme_frame_send(keeper->runner, &frame, &ignored);
    acme_buf_clear(&frame);
    return rc;
}

/* The runner reads when it has room for another task: never wait for it. */
void
acme_keeper_send_asked(struct acme_keeper *keeper)
{
    struct pollfd pfd = { keeper->runner, POLLOUT, 0 };
    struct acme_asked *asked;

    while (keeper->runner != -1 && (asked = next_to_send(keeper)) != NULL &&
           poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT) != 0)
        if (send_one(keeper, asked) != ACME_OK)
            acme_asked_forget(keeper, asked);
}

bool
acme_asked_send(struct acme_keeper *keeper, struct acme_asked *asked,
    struct acme_stage_ask *stage)
{
    stage->id = asked->id;
    asked->stage = stage->stage;
    acme_stage_ask_render(stage, &asked->frame);
    if (!acme_buf_ok(&asked->frame)) {
        acme_asked_forget(keeper, asked);
        return false;
    }
    acme_keeper_send_asked(keeper);
    return true;
}

void
acme_asked_replace(struct acme_asked *asked, struct acme_stage_ask *stage)
{
    struct acme_buf frame;

    stage->id = asked->id;
    stage->stage = asked->stage;
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_stage_ask_render(stage, &frame);
    if (acme_buf_ok(&frame)) {
        acme_buf_clear(&asked->frame);
        asked->frame = frame;
    } else {
        acme_buf_clear(&frame);
    }
}

void
acme_keeper_end_hooks(struct acme_keeper *keeper)
{
    struct acme_stage_ask stage = { .stage = ACME_HOOKS_POST,
        .unit = ACME_STAGE_ALL };
    struct acme_asked *asked =
        keeper->runner != -1 ? acme_asked_new(keeper, NO_LINEAGE) : NULL;

    if (asked != NULL)
        (void)acme_asked_send(keeper, asked, &stage);
}

/* ---- answers ---------------------------------------------------------- */

/* What became of each program of a stage. */
static void
keep_outcomes(struct acme_keeper *keeper, size_t lineage, const char *stage,
    struct acme_frame *frame)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_stage_outcome outcome;
    struct acme_told *told = malloc(sizeof(*told));
    struct acme_told_hook hook;
    struct acme_error err;

    if (told == NULL)
        return;
    acme_error_clear(&err);
    acme_store_told_read(keeper->store, name, told);
    acme_told_begin(told, stage);
    while (acme_stage_answer_next(frame, &outcome)) {
        memset(&hook, 0, sizeof(hook));
        (void)snprintf(hook.stage, sizeof(hook.stage), "%s", stage);
        memcpy(hook.text, outcome.text, sizeof(hook.text));
        memcpy(hook.error, outcome.error, sizeof(hook.error));
        memcpy(hook.tail, outcome.tail, sizeof(hook.tail));
        hook.ms = outcome.ms;
        hook.at = keeper->host->now(keeper->host->ctx);
        acme_told_add(told, &hook);
    }
    if (acme_store_told_write(keeper->store, name, told, &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "cannot remember what hooks did");
    acme_keeper_touch(keeper, lineage);
    free(told);
}

static void
conclude(struct acme_keeper *keeper, struct acme_asked *asked,
    const struct acme_stage_answer *answer)
{
    if (asked->stage == ACME_HOOKS_DEPLOY || asked->stage == ACME_HOOKS_MIRROR)
        acme_asked_conclude_due(keeper, asked, answer);
    else if ((asked->stage != ACME_HOOKS_EVENT &&
                 asked->stage != ACME_HOOKS_NOTIFY) ||
             !acme_asked_conclude_event(keeper, asked,
                 answer->err.rc == ACME_OK))
        acme_asked_forget(keeper, asked);
}

static void
take_answer(struct acme_keeper *keeper, const struct acme_buf *data)
{
    struct acme_stage_answer answer;
    struct acme_asked *asked;
    struct acme_frame frame, outcomes;
    size_t lineage;

    if (!acme_stage_answer_open(&frame, data, &answer))
        return;
    lineage = acme_unit_lineage(answer.unit);
    outcomes = frame;
    if (answer.unit != ACME_STAGE_ALL && answer.has_outcomes &&
        keeper->role != ACME_KEEPER_TRIES &&
        lineage < keeper->config->nlineages)
        keep_outcomes(keeper, lineage, acme_hooks_item_name(answer.stage),
            &frame);
    if (answer.stage == ACME_HOOKS_TRACKING && answer.id == 0 &&
        keeper->role != ACME_KEEPER_TRIES &&
        lineage < keeper->config->nlineages)
        acme_keeper_track_opened(keeper, &answer, &outcomes);
    for (asked = keeper->asked; asked != NULL; asked = asked->next)
        if (answer.id != 0 && asked->id == answer.id)
            break;
    if (asked != NULL)
        conclude(keeper, asked, &answer);
}

bool
acme_keeper_hear_runner(struct acme_keeper *keeper)
{
    struct acme_error ignored;
    struct acme_buf data;
    bool there;

    acme_error_clear(&ignored);
    acme_buf_init(&data, ACME_FRAME_MAX);
    there = acme_frame_recv(keeper->runner, &data, &ignored) == ACME_OK;
    if (there)
        take_answer(keeper, &data);
    else
        keeper->runner = -1;
    acme_buf_clear(&data);
    acme_keeper_send_asked(keeper);
    return there;
}

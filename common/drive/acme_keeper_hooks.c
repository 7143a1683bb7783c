/*
 * Deploy hooks and the mirror: what is due is noted before a certificate is
 * live, the runner is asked for it afterwards, and what became of it is kept.
 * The store says what has happened; which programs are run for it, the runner
 * has from the configuration.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"
#include "drive/acme_stage_ask.h"

/* Names of a certificate, as text. */
#define DOMAINS_MAX ((size_t)128 * 1024)

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

static time_t
pause_after(unsigned tries)
{
    time_t pause = AGAIN_LEAST;

    while (tries-- > 0 && pause < AGAIN_MOST)
        pause *= 2;
    return pause < AGAIN_MOST ? pause : AGAIN_MOST;
}

/* Whether it has to be told in the end. */
static bool
is_insistent(enum acme_event_kind kind)
{
    return kind == ACME_EVENT_RENEWED || kind == ACME_EVENT_EXPIRING;
}

/* ---- questions -------------------------------------------------------- */

/* A new one, which is sent when there is room.  NULL: out of memory. */
static struct acme_asked *
add_asked(struct acme_keeper *keeper, size_t lineage)
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

static void
forget(struct acme_keeper *keeper, struct acme_asked *asked)
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
        forget(keeper, keeper->asked);
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
    if (!is_insistent(asked->kind))
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
            forget(keeper, asked);
}

/* False: out of memory. */
static bool
ask(struct acme_keeper *keeper, struct acme_asked *asked,
    struct acme_stage_ask *stage)
{
    stage->id = asked->id;
    asked->stage = stage->stage;
    acme_stage_ask_render(stage, &asked->frame);
    if (!acme_buf_ok(&asked->frame)) {
        forget(keeper, asked);
        return false;
    }
    acme_keeper_send_asked(keeper);
    return true;
}

/* ---- deploy hooks and mirror ------------------------------------------ */

static const char *const lock_name[] = { "deploy", "mirror" };

static const enum acme_hooks_item due_stage[] = { ACME_HOOKS_DEPLOY,
    ACME_HOOKS_MIRROR };

static bool
has_mirror(const struct acme_keeper *keeper, size_t lineage)
{
    return keeper->config->lineage[lineage].hooks->n[ACME_HOOKS_MIRROR] > 0;
}

/* There is something new, whatever became of the older. */
static void
hurry_mirror(struct acme_keeper *keeper, size_t lineage)
{
    keeper->kept[lineage].mirror_tries = 0;
    keeper->kept[lineage].mirror_at = 0;
}

enum acme_rc
acme_keeper_mark_due(struct acme_keeper *keeper, size_t lineage,
    const struct acme_chain *chain, bool renews, struct acme_error *err)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_due due = { .renews = renews };
    struct acme_leaf leaf;
    enum acme_rc rc;

    if (keeper->runner == -1)
        return ACME_OK;
    rc = acme_chain_leaf(chain, &leaf, err);
    if (rc != ACME_OK)
        return rc;
    memcpy(due.fingerprint, leaf.fingerprint, sizeof(due.fingerprint));
    rc = acme_store_due_write(keeper->store, ACME_DUE_DEPLOY, name, &due, err);
    if (rc != ACME_OK || !has_mirror(keeper, lineage))
        return rc;
    hurry_mirror(keeper, lineage);
    return acme_store_due_write(keeper->store, ACME_DUE_MIRROR, name, &due,
        err);
}

/* With spaces between. */
static void
list_names(const struct acme_chain *chain, struct acme_buf *domains)
{
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    (void)acme_chain_names(chain, domains, &ignored);
    for (i = 0; i < domains->len; i++)
        if (domains->data[i] == '\n')
            domains->data[i] = ' ';
    if (domains->len > 0)
        domains->len--;
}

/* The pair of the live version that is the due one; its names. */
static bool
find_pair(const struct acme_version *live, const struct acme_due *due,
    struct acme_buf *domains)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf leaf;
    bool found = false;
    size_t i;

    for (i = 0; i < live->npairs && !found; i++) {
        acme_error_clear(&ignored);
        if (acme_chain_from_der(live->pair[i].chain.data,
                live->pair[i].chain.len, &chain, &ignored) != ACME_OK)
            continue;
        found = acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK &&
                strcmp(leaf.fingerprint, due->fingerprint) == 0;
        if (found)
            list_names(chain, domains);
        acme_chain_free(chain);
        chain = NULL;
    }
    return found;
}

/* What is due of what is live; false: nothing is. */
static bool
ask_due(struct acme_keeper *keeper, size_t lineage, enum acme_due_kind kind,
    int lock)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_stage_ask stage = { .stage = due_stage[kind] };
    struct acme_asked *asked = NULL;
    struct acme_version live;
    struct acme_error ignored;
    struct acme_buf domains;
    struct acme_due due;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    acme_buf_init(&domains, DOMAINS_MAX);
    if (acme_store_due_read(keeper->store, kind, name, &due) &&
        acme_store_live_read(keeper->store, name, &live, &ignored) ==
            ACME_OK &&
        find_pair(&live, &due, &domains))
        asked = add_asked(keeper, lineage);
    if (asked != NULL) {
        asked->lock = lock;
        memcpy(asked->fingerprint, due.fingerprint, sizeof(due.fingerprint));
        stage.unit = (uint32_t)acme_unit(lineage, 0);
        stage.renews = due.renews;
        stage.version = live.number;
        stage.domains = acme_buf_str(&domains);
        stage.domains_len = domains.len;
        (void)ask(keeper, asked, &stage);
    }
    acme_buf_clear(&domains);
    acme_version_clear(&live);
    return asked != NULL;
}

static void
run_due(struct acme_keeper *keeper, size_t lineage, enum acme_due_kind kind)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_error ignored;
    int lock = -1;

    acme_error_clear(&ignored);
    /* Another store, or this one, may be at it, for what was live before, and
     * will see that there is something new. */
    if (acme_store_lock(keeper->store, lock_name[kind], name, &lock,
            &ignored) != ACME_OK)
        return;
    /* What is due but not live stays so: somebody may be about to switch, and
     * the next certificate has it overwritten. */
    if (!ask_due(keeper, lineage, kind, lock))
        close(lock);
}

void
acme_keeper_deploy(struct acme_keeper *keeper, size_t lineage)
{
    if (keeper->runner != -1)
        run_due(keeper, lineage, ACME_DUE_DEPLOY);
}

void
acme_keeper_mirror(struct acme_keeper *keeper, size_t lineage)
{
    const time_t at = keeper->kept[lineage].mirror_at;
    struct acme_due due;

    if (keeper->runner == -1 || !has_mirror(keeper, lineage) ||
        acme_store_due_read(keeper->store, ACME_DUE_DEPLOY,
            keeper->config->lineage[lineage].name, &due))
        return;
    if (at <= keeper->host->now(keeper->host->ctx))
        run_due(keeper, lineage, ACME_DUE_MIRROR);
    else if (at < keeper->due_at)
        keeper->due_at = at;
}

static enum acme_rc
visit_due_mirror(void *ctx, const char *name, struct acme_error *err)
{
    struct acme_keeper *keeper = ctx;
    size_t lineage;

    (void)err;
    if (acme_config_find_lineage(keeper->config, name, &lineage))
        acme_keeper_mirror(keeper, lineage);
    return ACME_OK;
}

static enum acme_rc
visit_due(void *ctx, const char *name, struct acme_error *err)
{
    struct acme_keeper *keeper = ctx;
    size_t lineage;

    (void)err;
    if (acme_config_find_lineage(keeper->config, name, &lineage))
        acme_keeper_deploy(keeper, lineage);
    return ACME_OK;
}

void
acme_keeper_find_due(struct acme_keeper *keeper)
{
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (keeper->runner == -1)
        return;
    (void)acme_store_due(keeper->store, ACME_DUE_DEPLOY, visit_due, keeper,
        &ignored);
    (void)acme_store_due(keeper->store, ACME_DUE_MIRROR, visit_due_mirror,
        keeper, &ignored);
}

void
acme_keeper_end_hooks(struct acme_keeper *keeper)
{
    struct acme_stage_ask stage = { .stage = ACME_HOOKS_POST,
        .unit = ACME_STAGE_ALL };
    struct acme_asked *asked =
        keeper->runner != -1 ? add_asked(keeper, NO_LINEAGE) : NULL;

    if (asked != NULL)
        (void)ask(keeper, asked, &stage);
}

/* ---- events ----------------------------------------------------------- */

#define HOUR ((time_t)3600)
#define DAY (24 * HOUR)

/* How often a command wants to hear of it at most, as mod_md has it. */
static time_t
rate_of(enum acme_event_kind kind)
{
    switch (kind) {
    case ACME_EVENT_RENEWED:
    case ACME_EVENT_INSTALLED:
    case ACME_EVENT_EXPIRING:
        return DAY;
    case ACME_EVENT_ERRORED:
        return HOUR;
    default:
        return 0;
    }
}

/* The engine asks of these itself, as the answer counts. */
static bool
is_engines(enum acme_event_kind kind)
{
    return kind == ACME_EVENT_RENEWING || kind == ACME_EVENT_CHALLENGE_SETUP;
}

static bool
was_told(const struct acme_keeper *keeper, const struct acme_event *event)
{
    struct acme_told *told = malloc(sizeof(*told));
    const time_t rate = rate_of(event->kind);
    time_t at = 0;

    if (told != NULL && rate > 0) {
        acme_store_told_read(keeper->store, event->lineage, told);
        at = acme_told_at(told, acme_event_word(event->kind));
    }
    free(told);
    return at != 0 && at <= event->at && at + rate > event->at;
}

/* A newer one of its kind says all that the older one would. */
static void
forget_older(struct acme_keeper *keeper, size_t lineage,
    enum acme_event_kind kind)
{
    struct acme_asked *asked, *next;

    for (asked = keeper->asked; asked != NULL; asked = next) {
        next = asked->next;
        if (asked->stage == ACME_HOOKS_EVENT && asked->lineage == lineage &&
            asked->kind == kind && asked->again != 0)
            forget(keeper, asked);
    }
}

void
acme_keeper_react(struct acme_keeper *keeper, const struct acme_event *event)
{
    struct acme_stage_ask stage = { .stage = ACME_HOOKS_EVENT };
    struct acme_asked *asked = NULL;
    struct acme_error ignored;
    struct acme_buf line;
    size_t lineage;

    if (keeper->runner == -1 || is_engines(event->kind) ||
        !acme_config_find_lineage(keeper->config, event->lineage, &lineage) ||
        keeper->config->lineage[lineage].hooks->n[ACME_HOOKS_EVENT] == 0 ||
        was_told(keeper, event))
        return;
    acme_error_clear(&ignored);
    acme_buf_init(&line, ACME_STAGE_JSON_MAX);
    forget_older(keeper, lineage, event->kind);
    if (acme_event_render(event, &line, &ignored) == ACME_OK)
        asked = add_asked(keeper, lineage);
    if (asked != NULL) {
        acme_buf_add_str(&line, "\n");
        asked->kind = event->kind;
        stage.unit = (uint32_t)acme_unit(lineage, 0);
        stage.version = event->version;
        stage.json = acme_buf_str(&line);
        stage.json_len = line.len;
        (void)snprintf(stage.event, sizeof(stage.event), "%s",
            acme_event_word(event->kind));
        (void)ask(keeper, asked, &stage);
    }
    acme_buf_clear(&line);
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

/* True: it is told again later. */
static bool
conclude_event(struct acme_keeper *keeper, struct acme_asked *asked, bool good)
{
    const time_t now = keeper->host->now(keeper->host->ctx);
    const char *name = keeper->config->lineage[asked->lineage].name;
    struct acme_told *told;
    struct acme_error ignored;

    if (!good) {
        asked->again = now + pause_after(asked->tries++);
        return is_insistent(asked->kind);
    }
    acme_error_clear(&ignored);
    told = malloc(sizeof(*told));
    if (told != NULL) {
        acme_store_told_read(keeper->store, name, told);
        acme_told_note(told, acme_event_word(asked->kind), now);
        (void)acme_store_told_write(keeper->store, name, told, &ignored);
    }
    free(told);
    return false;
}

/* The mirror has not got what it is to have: it is tried again. */
static void
postpone_mirror(struct acme_keeper *keeper, size_t lineage)
{
    struct acme_kept *kept = &keeper->kept[lineage];
    const time_t pause = pause_after(kept->mirror_tries++);

    kept->mirror_at = keeper->host->now(keeper->host->ctx) + pause;
    if (kept->mirror_at < keeper->due_at)
        keeper->due_at = kept->mirror_at;
    acme_log(keeper->host, ACME_LOG_NOTICE,
        "mirror is run again in %ld seconds, lineage \"%s\"", (long)pause,
        keeper->config->lineage[lineage].name);
}

static void
conclude_mirror(struct acme_keeper *keeper, size_t lineage,
    const struct acme_stage_answer *answer)
{
    const struct acme_lineage *whose = &keeper->config->lineage[lineage];

    if (answer->err.rc != ACME_OK && !whose->hooks->mirror_ignore)
        postpone_mirror(keeper, lineage);
    else if (answer->err.rc == ACME_OK || answer->has_outcomes)
        acme_store_due_done(keeper->store, ACME_DUE_MIRROR, whose->name);
}

/* What has become live while it ran has its turn now.  What could not be begun
 * is looked for again in a minute. */
static void
conclude_due(struct acme_keeper *keeper, struct acme_asked *asked,
    const struct acme_stage_answer *answer)
{
    const bool mirror = asked->stage == ACME_HOOKS_MIRROR;
    const enum acme_due_kind kind = mirror ? ACME_DUE_MIRROR : ACME_DUE_DEPLOY;
    const size_t lineage = asked->lineage;
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_due due;
    const bool newer = acme_store_due_read(keeper->store, kind, name, &due) &&
                       strcmp(due.fingerprint, asked->fingerprint) != 0;

    if (mirror && !newer)
        conclude_mirror(keeper, lineage, answer);
    else if (mirror)
        hurry_mirror(keeper, lineage);
    else if (!newer && (answer->err.rc == ACME_OK || answer->has_outcomes))
        acme_store_due_done(keeper->store, kind, name);
    forget(keeper, asked);
    if (newer && !mirror)
        acme_keeper_deploy(keeper, lineage);
    else if (newer || !mirror)
        acme_keeper_mirror(keeper, lineage);
}

static void
conclude(struct acme_keeper *keeper, struct acme_asked *asked,
    const struct acme_stage_answer *answer)
{
    if (asked->stage == ACME_HOOKS_DEPLOY || asked->stage == ACME_HOOKS_MIRROR)
        conclude_due(keeper, asked, answer);
    else if (asked->stage != ACME_HOOKS_EVENT ||
             !conclude_event(keeper, asked, answer->err.rc == ACME_OK))
        forget(keeper, asked);
}

static void
take_answer(struct acme_keeper *keeper, const struct acme_buf *data)
{
    struct acme_stage_answer answer;
    struct acme_asked *asked;
    struct acme_frame frame;
    size_t lineage;

    if (!acme_stage_answer_open(&frame, data, &answer))
        return;
    lineage = acme_unit_lineage(answer.unit);
    if (answer.unit != ACME_STAGE_ALL && answer.has_outcomes &&
        lineage < keeper->config->nlineages)
        keep_outcomes(keeper, lineage, acme_hooks_item_name(answer.stage),
            &frame);
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

/*
 * Hooks and events: what the runner settles of a stage when it is asked for
 * it, and what a handler then runs, one program after the other.  One that
 * fails is told of and keeps nobody from going on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_program.h"
#include "drive/acme_runner_private.h"
#include "drive/acme_store_process.h"

/* ---- as whom ---------------------------------------------------------- */

static void
tell_user(const struct acme_runner *runner, enum acme_hooks_item item,
    const struct acme_hook *hook)
{
    char text[256];
    const struct acme_stage_hook one = { .item = item, .hook = *hook };
    const char *stage = acme_hooks_item_name(item);
    struct acme_command_user user;
    struct acme_error why, err;

    if (acme_hook_directory(hook) != NULL)
        return;
    acme_error_clear(&why);
    acme_error_clear(&err);
    (void)acme_hook_text(hook, text, sizeof(text));
    if (acme_stage_user(runner->config, &one, &user, &why, &err) != ACME_OK)
        acme_log(&runner->host, ACME_LOG_ERROR, "%s hook \"%s\": %s", stage,
            text, err.what);
    else if (user.become)
        acme_log(&runner->host, ACME_LOG_WARN,
            "%s hook \"%s\" is run as uid %lu, not as root: %s", stage, text,
            (unsigned long)user.uid, why.what);
}

static int
by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t) * (const struct acme_hooks *const *)a;
    const uintptr_t y = (uintptr_t) * (const struct acme_hooks *const *)b;

    return (x > y) - (x < y);
}

bool
acme_runner_tell_hooks(const struct acme_runner *runner)
{
    const struct acme_config *config = runner->config;
    const struct acme_hooks **all;
    size_t i, k, item;

    all = calloc(config->nlineages + 1, sizeof(*all));
    if (all == NULL)
        return false;
    for (i = 0; i < config->nlineages; i++)
        all[i] = config->lineage[i].hooks;
    /* Those alike are one. */
    qsort(all, config->nlineages, sizeof(*all), by_address);
    for (i = 0; i < config->nlineages; i++)
        for (item = 0;
             item < ACME_HOOKS_COMMANDS && (i == 0 || all[i] != all[i - 1]);
             item++)
            for (k = 0; k < all[i]->n[item]; k++)
                tell_user(runner, (enum acme_hooks_item)item,
                    &all[i]->list[item][k]);
    free(all);
    return true;
}

/* ---- what is to be run ------------------------------------------------ */

static enum acme_rc
find_list(const struct acme_runner *runner, struct acme_task *task,
    struct acme_error *err)
{
    struct acme_error trouble;
    enum acme_rc rc;

    acme_error_clear(&trouble);
    rc = acme_stage_list(&runner->places,
        acme_task_lineage(runner, task)->hooks, task->ask.stage,
        task->ask.renews, task->arena, &task->list, &trouble, err);
    if (trouble.rc != ACME_OK)
        acme_log(&runner->host, ACME_LOG_ERROR,
            "hooks of a directory are not run: %s", trouble.what);
    return rc;
}

/* The batch is over: what was kept for its end is run. */
static enum acme_rc
take_batch(struct acme_runner *runner, struct acme_task *task,
    struct acme_error *err)
{
    struct acme_batch_end end;
    struct acme_batch *fresh =
        acme_batch_new(acme_unit(runner->config->nlineages, 0));

    if (fresh == NULL)
        return acme_error_nomem(err);
    acme_batch_take(runner->batch, &end);
    task->batch = runner->batch;
    runner->batch = fresh;
    task->list = end.list;
    task->renewed = end.renewed;
    task->failed = end.failed;
    return ACME_OK;
}

/* A unit's attempt is over; its hooks wait for the end of the batch. */
static enum acme_rc
end_unit(struct acme_runner *runner, struct acme_task *task, uint32_t unit,
    bool failed, struct acme_error *err)
{
    enum acme_rc rc;

    task->lineage = (uint32_t)acme_unit_lineage(unit);
    rc = find_list(runner, task, err);
    if (rc == ACME_OK)
        rc = acme_batch_end(runner->batch, unit,
            acme_task_lineage(runner, task), &task->list, failed, err);
    task->list.n = 0;
    return rc;
}

/* Nobody goes on with those that are under way still. */
static enum acme_rc
end_all_units(struct acme_runner *runner, struct acme_task *task,
    struct acme_error *err)
{
    const size_t n = acme_unit(runner->config->nlineages, 0);
    enum acme_rc rc = ACME_OK;
    uint32_t unit;

    for (unit = 0; unit < n && rc == ACME_OK; unit++)
        if (acme_batch_has_begun(runner->batch, unit))
            rc = end_unit(runner, task, unit, true, err);
    return rc;
}

static enum acme_rc
settle_post(struct acme_runner *runner, struct acme_task *task,
    struct acme_error *err)
{
    const bool all = task->ask.unit == ACME_STAGE_ALL;
    enum acme_rc rc;

    rc = all ? end_all_units(runner, task, err)
             : end_unit(runner, task, task->ask.unit, task->ask.failed, err);
    if (rc == ACME_OK && !acme_batch_is_open(runner->batch) &&
        (all || !runner->holds))
        rc = take_batch(runner, task, err);
    return rc;
}

enum acme_rc
acme_runner_settle_stage(struct acme_runner *runner, struct acme_task *task,
    struct acme_error *err)
{
    enum acme_rc rc;

    task->arena = acme_arena_new();
    if (task->arena == NULL)
        return acme_error_nomem(err);
    if (task->ask.stage == ACME_HOOKS_POST)
        return settle_post(runner, task, err);
    rc = find_list(runner, task, err);
    if (rc == ACME_OK && task->ask.stage == ACME_HOOKS_PRE)
        rc = acme_batch_begin(runner->batch, task->ask.unit, &task->list, err);
    return rc;
}

/* ---- answers ---------------------------------------------------------- */

static int
answer_fd(const struct acme_runner *runner, const struct acme_task *task)
{
    return task->of_store ? runner->child->store : task->answer;
}

void
acme_runner_answer_nothing(const struct acme_runner *runner,
    const struct acme_task *task, const struct acme_error *err)
{
    struct acme_error ignored;
    struct acme_buf reply;

    acme_error_clear(&ignored);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    acme_stage_answer_begin(&task->ask, err, &reply);
    (void)acme_frame_send(answer_fd(runner, task), &reply, &ignored);
    acme_buf_clear(&reply);
}

/* ---- in a handler ----------------------------------------------------- */

struct handler {
    const struct acme_runner *runner;
    const struct acme_task *task;
    const struct acme_lineage *lineage; /* NULL: of many */
    struct acme_stage_facts facts;
    struct acme_buf outcomes;
    struct acme_error err; /* the first */
};

/* Text of a counted field; NULL: it is empty. */
static const char *
text_of(const struct acme_task *task, const char *data, size_t len)
{
    return len > 0 ? acme_arena_strndup(task->arena, data, len) : NULL;
}

static void
find_facts(struct handler *handler)
{
    const struct acme_task *task = handler->task;
    struct acme_stage_facts *facts = &handler->facts;

    facts->state_dir = handler->runner->config->state_dir;
    facts->lineage = handler->lineage != NULL ? handler->lineage->name : NULL;
    facts->stage = acme_hooks_item_name(task->ask.stage);
    facts->version = task->ask.version;
    facts->domains = task->renewed;
    facts->failed = task->failed;
    if (task->ask.domains_len > 0)
        facts->domains =
            text_of(task, task->ask.domains, task->ask.domains_len);
    if (task->ask.event[0] != '\0')
        facts->event = task->ask.event;
}

enum acme_rc
acme_runner_program(const struct acme_runner *runner,
    const struct acme_task *task, const struct acme_stage_hook *hook,
    const struct acme_stage_facts *facts, const struct acme_program *how,
    struct acme_buf *output, struct acme_error *err)
{
    struct acme_command_user user;
    struct acme_command_run run;
    struct acme_program_end end = { .left = 0 };
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_stage_user(runner->config, hook, &user, &why, err);
    if (rc == ACME_OK)
        rc = acme_stage_run(hook, facts, &user, task->arena, &run, err);
    if (rc == ACME_OK) {
        const struct acme_program program = { .path = run.path,
            .shown = run.shown,
            .argv = run.argv,
            .envp = run.envp,
            .become = user.become,
            .uid = user.uid,
            .gid = user.gid,
            .timeout = hook->timeout,
            .input = how->input,
            .input_len = how->input_len,
            .tail = how->tail,
            .stop = { runner->life[0],
                task->ask.stage == ACME_HOOKS_POST ? -1 : task->answer } };

        rc = acme_program_run(&program, output, &end, err);
    }
    if (end.left > 0)
        acme_log(&runner->host, ACME_LOG_WARN,
            "program \"%s\" left %u %s running, killed now", hook->text,
            end.left, end.left == 1 ? "process" : "processes");
    return rc;
}

static enum acme_rc
run_hook(const struct handler *handler, const struct acme_stage_hook *hook,
    struct acme_buf *tail, struct acme_error *err)
{
    const struct acme_stage_ask *ask = &handler->task->ask;
    const struct acme_program how = { .input =
                                          ask->json_len > 0 ? ask->json : NULL,
        .input_len = ask->json_len,
        .tail = true };

    if (ask->stage == ACME_HOOKS_TRACKING)
        return acme_runner_track(handler->runner, handler->task, hook, tail,
            err);
    return acme_runner_program(handler->runner, handler->task, hook,
        &handler->facts, &how, tail, err);
}

/* ", lineage "x"", where it is about one. */
static const char *
whose(const struct handler *handler, char text[ACME_LINEAGE_MAX + 16])
{
    text[0] = '\0';
    if (handler->lineage != NULL)
        (void)snprintf(text, ACME_LINEAGE_MAX + 16, ", lineage \"%s\"",
            handler->lineage->name);
    return text;
}

static void
tell(const struct handler *handler, const struct acme_stage_hook *hook,
    const struct acme_error *err)
{
    const struct acme_host *host = &handler->runner->host;
    char lineage[ACME_LINEAGE_MAX + 16];

    if (err->rc == ACME_OK)
        acme_log(host,
            handler->task->ask.stage == ACME_HOOKS_TRACKING ? ACME_LOG_DEBUG
                                                            : ACME_LOG_INFO,
            "%s hook \"%s\" was run%s", handler->facts.stage, hook->text,
            whose(handler, lineage));
    else if (err->rc != ACME_STOPPING)
        acme_log(host, ACME_LOG_ERROR, "%s hook failed%s: %s",
            handler->facts.stage, whose(handler, lineage), err->what);
}

static void
run_one(struct handler *handler, const struct acme_stage_hook *hook)
{
    const long long began = acme_time_ms();
    struct acme_stage_outcome outcome;
    struct acme_error err;
    struct acme_buf tail;

    acme_error_clear(&err);
    memset(&outcome, 0, sizeof(outcome));
    acme_buf_init(&tail, ACME_COMMAND_OUTPUT_MAX);
    if (run_hook(handler, hook, &tail, &err) != ACME_OK &&
        handler->err.rc == ACME_OK)
        handler->err = err;
    tell(handler, hook, &err);
    (void)snprintf(outcome.text, sizeof(outcome.text), "%s", hook->text);
    outcome.ms = (unsigned)(acme_time_ms() - began);
    if (err.rc != ACME_OK)
        (void)snprintf(outcome.error, sizeof(outcome.error), "%s", err.what);
    (void)acme_log_clean(outcome.tail, sizeof(outcome.tail),
        acme_buf_str(&tail), tail.len);
    acme_stage_answer_add(&outcome, &handler->outcomes);
    acme_buf_clear(&tail);
}

/* The store keeps what became of them, whoever has asked. */
void
acme_runner_stage(const struct acme_runner *runner, struct acme_task *task)
{
    struct handler handler;
    struct acme_error ignored;
    struct acme_buf answer, copy;
    size_t i;

    memset(&handler, 0, sizeof(handler));
    acme_error_clear(&handler.err);
    acme_error_clear(&ignored);
    acme_buf_init(&handler.outcomes, ACME_FRAME_MAX);
    acme_buf_init(&answer, ACME_FRAME_MAX);
    handler.runner = runner;
    handler.task = task;
    if (task->batch == NULL)
        handler.lineage = acme_task_lineage(runner, task);
    find_facts(&handler);
    for (i = 0; i < task->list.n; i++)
        run_one(&handler, &task->list.hook[i]);
    acme_stage_answer_begin(&task->ask, &handler.err, &answer);
    acme_buf_add(&answer, handler.outcomes.data, handler.outcomes.len);
    if (!task->of_store && runner->child->store != -1) {
        acme_buf_init(&copy, ACME_FRAME_MAX);
        acme_buf_add(&copy, answer.data, answer.len);
        (void)acme_frame_send(runner->child->store, &copy, &ignored);
    }
    (void)acme_frame_send(answer_fd(runner, task), &answer, &ignored);
    _exit(ACME_EXIT_STOPPED);
}

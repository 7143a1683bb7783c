#define _GNU_SOURCE
#include "drive/acme_runner_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/acme_log.h"
#include "base/acme_text.h"
#include "base/acme_time.h"
#include "drive/acme_command.h"
#include "drive/acme_program.h"
#include "drive/acme_sandbox.h"
#include "drive/acme_store_process.h"
#include "drive/acme_workdir.h"

/* How often it is looked whether a program has ended (ms). */
#define LOOK_MS 20

/* When it is to stop: what its programs get to end, below what the supervisor
 * gives us. */
#define STOP_MS 800

/* Private directories that nobody has come back to: as old as orders get. */
#define DIR_AGE_MAX ACME_ORDER_AGE_MAX

const struct acme_lineage *
acme_task_lineage(const struct acme_runner *runner,
    const struct acme_task *task)
{
    return &runner->config->lineage[task->lineage];
}

static __attribute__((noreturn)) void
become_handler(const struct acme_runner *runner, struct acme_task *task)
{
    const int keep[] = { runner->life[0], runner->child->log, task->answer,
        runner->child->store, runner->child->ask };

    acme_child_begin("acme-hook", keep, sizeof(keep) / sizeof(keep[0]));
    if (task->is_stage)
        acme_runner_stage(runner, task);
    acme_runner_dns(runner, task);
}

/* ---- tasks ----------------------------------------------------------- */

static void
forget(struct acme_task *task)
{
    if (task->answer != -1)
        close(task->answer);
    acme_buf_clear(&task->frame);
    acme_arena_free(task->arena);
    acme_batch_free(task->batch);
    memset(task, 0, sizeof(*task));
    task->answer = -1;
}

static struct acme_task *
free_task(struct acme_runner *runner)
{
    size_t i;

    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        if (!runner->task[i].used)
            return &runner->task[i];
    return NULL;
}

/* False: it is nothing that may be asked for. */
static bool
accept_record(const struct acme_runner *runner, const struct acme_task *task,
    struct acme_frame *frame)
{
    const struct acme_proof *proof;
    struct acme_errand ignored;

    if (task->of_store || frame->index >= runner->config->nlineages)
        return false;
    proof = runner->config->lineage[frame->index].proof;
    return (proof->command.kind != ACME_COMMAND_NONE ||
               proof->answer.by == ACME_ANSWERER_WEBROOT ||
               proof->answer.by == ACME_ANSWERER_MANUAL) &&
           acme_errand_parse(frame, proof, &ignored);
}

static bool
accept_stage(struct acme_runner *runner, struct acme_task *task,
    struct acme_frame *frame)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (!acme_stage_ask_parse(frame, runner->config, !task->of_store,
            &task->ask))
        return false;
    if (task->ask.unit != ACME_STAGE_ALL)
        task->lineage = (uint32_t)acme_unit_lineage(task->ask.unit);
    task->is_stage = true;
    if (acme_runner_settle_stage(runner, task, &err) != ACME_OK) {
        task->list.n = 0;
        acme_log(&runner->host, ACME_LOG_ERROR, "hooks are not run: %s",
            err.what);
    }
    return true;
}

static bool
accept_frame(struct acme_runner *runner, struct acme_task *task)
{
    struct acme_frame frame;

    if (!acme_frame_open(&frame, task->frame.data, task->frame.len))
        return false;
    if (frame.verb == ACME_VERB_STAGE)
        return accept_stage(runner, task, &frame);
    task->lineage = frame.index;
    return accept_record(runner, task, &frame);
}

/* Takes one from the engine, or the store; an exit status, or -1 to go on. */
static int
take(struct acme_runner *runner, struct acme_task *task, bool of_store)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_buf_init(&task->frame, ACME_FRAME_MAX);
    rc = acme_frame_recv_fd(of_store ? runner->child->store
                                     : runner->child->frame,
        &task->frame, &task->answer, &err);
    if (rc != ACME_OK)
        return rc == ACME_NOENT ? ACME_EXIT_PEER_GONE : ACME_EXIT_FAILED;
    task->of_store = of_store;
    task->number = ++runner->count;
    if ((task->answer == -1) != of_store || !accept_frame(runner, task))
        return ACME_EXIT_BAD_PEER;
    task->used = true;
    return -1;
}

/* What is to be done whether somebody waits for it or not. */
static bool
is_told(const struct acme_task *task)
{
    return task->of_store ||
           (task->is_stage && task->ask.stage == ACME_HOOKS_POST);
}

/* Its asker has ended, or does not want it any more. */
static bool
is_unwanted(const struct acme_task *task)
{
    struct pollfd pfd = { task->answer, POLLIN, 0 };

    return !is_told(task) && poll(&pfd, 1, 0) == 1;
}

/* What must not run twice at a time. */
static const char *
program_of(const struct acme_runner *runner, const struct acme_task *task)
{
    const struct acme_command *command;

    if (task->is_stage && task->ask.stage == ACME_HOOKS_MIRROR)
        return "mirror";
    if (task->is_stage && task->ask.stage == ACME_HOOKS_TRACKING)
        return "tracking";
    if (task->is_stage)
        return task->ask.stage == ACME_HOOKS_EVENT ? "events" : "hooks";
    command = &acme_task_lineage(runner, task)->proof->command;
    if (command->kind == ACME_COMMAND_NONE)
        return "by hand, or files";
    return command->word[command->kind == ACME_COMMAND_ACME_SH];
}

static bool
is_running(const struct acme_runner *runner, const char *program)
{
    size_t i;

    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        if (runner->task[i].used && runner->task[i].pid != 0 &&
            strcmp(program_of(runner, &runner->task[i]), program) == 0)
            return true;
    return false;
}

/* The engine sees the end of what was to have the answer. */
static void
answer_and_forget(const struct acme_runner *runner, struct acme_task *task,
    const struct acme_error *err)
{
    if (task->is_stage)
        acme_runner_answer_nothing(runner, task, err);
    forget(task);
}

static void
start(struct acme_runner *runner, struct acme_task *task)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (task->is_stage && task->list.n == 0) {
        answer_and_forget(runner, task, &err);
        return;
    }
    task->pid = fork();
    if (task->pid == 0)
        become_handler(runner, task);
    if (task->pid == -1) {
        (void)acme_error_errno(&err, ACME_IO, errno, "cannot fork");
        acme_log(&runner->host, ACME_LOG_ERROR, "%s", err.what);
        answer_and_forget(runner, task, &err);
    }
}

/* The one that has waited longest among those that may run. */
static struct acme_task *
next_task(struct acme_runner *runner)
{
    struct acme_task *found = NULL;
    size_t i;

    for (i = 0; i < ACME_ERRANDS_MAX; i++) {
        struct acme_task *task = &runner->task[i];

        if (!task->used || task->pid != 0)
            continue;
        if (is_unwanted(task))
            forget(task);
        else if ((found == NULL || task->number < found->number) &&
                 !is_running(runner, program_of(runner, task)))
            found = task;
    }
    return found;
}

static void
start_all(struct acme_runner *runner)
{
    struct acme_task *task;

    while ((task = next_task(runner)) != NULL)
        start(runner, task);
}

/* Returns how many handlers there are still.  One that was killed has left
 * what it ran to us: *killed. */
static size_t
reap(struct acme_runner *runner, bool *killed)
{
    int status = 0;
    size_t i, n = 0;

    for (i = 0; i < ACME_ERRANDS_MAX; i++) {
        struct acme_task *task = &runner->task[i];

        if (!task->used || task->pid == 0)
            continue;
        if (waitpid(task->pid, &status, WNOHANG) == 0) {
            n++;
            continue;
        }
        *killed = *killed || WIFSIGNALED(status);
        forget(task);
    }
    return n;
}

static size_t
count_waiting(const struct acme_runner *runner)
{
    size_t i, n = 0;

    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        n += runner->task[i].used;
    return n;
}

/* ---- life ------------------------------------------------------------- */

/* Those of the same files are the same user's (acme_command_files()). */
static int
by_files(const void *a, const void *b)
{
    const struct acme_command *x = *(const struct acme_command *const *)a;
    const struct acme_command *y = *(const struct acme_command *const *)b;
    int order = (x->kind > y->kind) - (x->kind < y->kind);

    if (order == 0)
        order = strcmp(x->word[0], y->word[0]);
    if (order == 0 && x->kind == ACME_COMMAND_ACME_SH)
        order = strcmp(x->word[1], y->word[1]);
    if (order == 0)
        order = acme_text_compare(x->cleanup, y->cleanup);
    return order == 0 ? acme_text_compare(x->credentials, y->credentials)
                      : order;
}

static void
tell_user(const struct acme_runner *runner, const struct acme_command *command)
{
    struct acme_command_user user;
    struct acme_error why, err;

    acme_error_clear(&why);
    acme_error_clear(&err);
    if (acme_command_user(runner->config, command, &user, &why, &err) !=
        ACME_OK)
        acme_log(&runner->host, ACME_LOG_ERROR, "%s", err.what);
    else if (user.become)
        acme_log(&runner->host, ACME_LOG_WARN,
            "program \"%s\" is run as uid %lu, not as root: %s",
            command->word[0], (unsigned long)user.uid, why.what);
}

/* Who runs what, once, where it is not root.  False: out of memory. */
static bool
tell_users(const struct acme_runner *runner)
{
    const struct acme_config *config = runner->config;
    const struct acme_command **all;
    size_t i, n = 0;

    all = calloc(config->nlineages + 1, sizeof(*all));
    if (all == NULL)
        return false;
    for (i = 0; i < config->nlineages; i++)
        if (config->lineage[i].proof->command.kind != ACME_COMMAND_NONE)
            all[n++] = &config->lineage[i].proof->command;
    qsort(all, n, sizeof(*all), by_files);
    for (i = 0; i < n; i++)
        if (i == 0 || by_files(&all[i - 1], &all[i]) != 0)
            tell_user(runner, all[i]);
    free(all);
    return true;
}

static void
sweep(void)
{
    struct acme_workdir dir;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_workdir_open(&dir, &ignored) == ACME_OK)
        acme_workdir_sweep(&dir, DIR_AGE_MAX);
    acme_workdir_close(&dir);
}

/* Handlers end what they run when their pipe does. */
static void
stop_all(struct acme_runner *runner)
{
    const long long until = acme_time_ms() + STOP_MS;
    bool ignored = false;

    close(runner->life[1]);
    while (reap(runner, &ignored) > 0 && acme_time_ms() < until)
        (void)poll(NULL, 0, LOOK_MS);
    (void)acme_program_kill_children(LOOK_MS);
}

/*
 * The store's questions first: what the engine ends may have begun there.
 * Where post hooks wait for the store's word that all is over, the engine's:
 * by then it has told what has ended, and that may still be unread.
 */
static int
serve(struct acme_runner *runner)
{
    struct pollfd fds[3] = { { runner->child->stop, POLLIN, 0 },
        { runner->child->store, POLLIN, 0 },
        { runner->child->frame, POLLIN, 0 } };
    struct acme_task *task;
    bool busy, killed = false;
    int status = -1;

    while (status == -1) {
        busy = reap(runner, &killed) + count_waiting(runner) > 0;
        if (killed)
            return ACME_EXIT_FAILED;
        start_all(runner);
        task = free_task(runner);
        fds[1].fd = task != NULL ? runner->child->store : -1;
        fds[2].fd = task != NULL ? runner->child->frame : -1;
        if (poll(fds, 3, busy ? LOOK_MS : -1) < 0 && errno != EINTR)
            return ACME_EXIT_FAILED;
        if (fds[0].revents != 0)
            return ACME_EXIT_STOPPED;
        if (task != NULL && (fds[1].revents != 0 || fds[2].revents != 0))
            status = take(runner, task,
                runner->holds ? fds[2].revents == 0 : fds[1].revents != 0);
    }
    return status;
}

void
acme_runner_process(const struct acme_config *config, struct acme_child *child,
    bool holds)
{
    struct acme_runner *runner = calloc(1, sizeof(*runner));
    size_t i;
    int status;

    if (runner == NULL)
        _exit(ACME_EXIT_FAILED);
    runner->config = config;
    runner->child = child;
    runner->host = acme_child_host(child);
    runner->holds = holds;
    runner->batch = acme_batch_new(acme_unit(config->nlineages, 0));
    if (runner->batch == NULL)
        _exit(ACME_EXIT_FAILED);
    acme_stage_find_places(config, &runner->places);
    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        runner->task[i].answer = -1;
    acme_sandbox_process();
#ifdef __linux__
    /* A handler that is killed leaves us what it has started. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
    if (pipe2(runner->life, O_CLOEXEC) != 0)
        _exit(ACME_EXIT_FAILED);
    if (!tell_users(runner) || !acme_runner_tell_hooks(runner))
        _exit(ACME_EXIT_FAILED);
    sweep();
    status = serve(runner);
    stop_all(runner);
    _exit(status);
}

#define _GNU_SOURCE
#include "drive/acme_runner.h"

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
#include "wrap/acme_hash.h"

/* How often it is looked whether a program has ended (ms). */
#define LOOK_MS 20

/* When it is to stop: what its programs get to end, below what the supervisor
 * gives us. */
#define STOP_MS 800

/* Private directories that nobody has come back to: as old as orders get. */
#define DIR_AGE_MAX ACME_ORDER_AGE_MAX

/* One that was asked for. */
struct errand {
    bool used;
    pid_t pid; /* of its handler; 0: it waits */
    unsigned long long number;
    uint32_t lineage;
    int answer;
    struct acme_buf frame;
};

struct runner {
    const struct acme_config *config;
    struct acme_child *child;
    struct acme_host host;
    int life[2]; /* handlers see its end when we are gone */
    unsigned long long count;
    struct errand errand[ACME_ERRANDS_MAX];
};

static const struct acme_lineage *
lineage_of(const struct runner *runner, const struct errand *errand)
{
    return &runner->config->lineage[errand->lineage];
}

/* ---- in a handler: one errand ----------------------------------------- */

struct handler {
    const struct runner *runner;
    const struct acme_lineage *lineage;
    struct acme_errand errand;
    struct acme_command_user user;
    struct acme_workdir dir;
    char id[ACME_HASH_HEX];
    char path[PATH_MAX]; /* private to the record */
    struct acme_buf output;
    struct acme_errand_end end;
};

/* The same for the one that makes a record and the one that takes it away,
 * whichever server of the state directory runs it. */
static enum acme_rc
name_directory(struct handler *handler, struct acme_error *err)
{
    const char *const part[] = { handler->runner->config->state_dir,
        handler->lineage->name, handler->errand.owner, handler->errand.token };
    struct acme_buf text;
    size_t i;

    acme_buf_init(&text, ACME_FRAME_MAX);
    for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
        acme_buf_add(&text, part[i], strlen(part[i]) + 1);
    handler->id[0] = '\0';
    if (acme_buf_ok(&text))
        acme_hash_hex(text.data, text.len, handler->id);
    acme_buf_clear(&text);
    return handler->id[0] != '\0' ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
make_directory(struct handler *handler, struct acme_error *err)
{
    const struct acme_command_user *user = &handler->user;
    const struct acme_errand *errand = &handler->errand;
    enum acme_rc rc = name_directory(handler, err);

    if (rc == ACME_OK)
        rc = acme_workdir_open(&handler->dir, err);
    if (rc == ACME_OK)
        rc = acme_workdir_make(&handler->dir, handler->id, user->uid,
            user->gid, handler->path, err);
    if (rc == ACME_OK && errand->all_len > ACME_COMMAND_LIST_MAX)
        rc = acme_workdir_put(&handler->dir, handler->id, "domains",
            errand->all, errand->all_len, user->uid, user->gid, err);
    return rc;
}

/* White space at both ends is of no use to anybody, as Certbot has it. */
static void
trim(struct acme_buf *output)
{
    static const char space[] = " \t\r\n\v\f";
    const char *text = acme_buf_str(output);
    size_t from = strspn(text, space), len = output->len;

    while (len > from && strchr(space, text[len - 1]) != NULL)
        len--;
    if (output->data == NULL)
        return;
    memmove(output->data, output->data + from, len - from);
    output->len = len - from;
    output->data[output->len] = '\0';
}

static enum acme_rc
execute(struct handler *handler, const struct acme_command_run *run,
    int answer, struct acme_error *err)
{
    const struct acme_command *command = &handler->lineage->proof->command;
    const struct acme_program program = { .path = run->path,
        .shown = run->shown,
        .argv = run->argv,
        .envp = run->envp,
        .become = handler->user.become,
        .uid = handler->user.uid,
        .gid = handler->user.gid,
        .timeout = command->timeout,
        .stop = { handler->runner->life[0], answer } };
    struct acme_program_end end;
    enum acme_rc rc = acme_program_run(&program, &handler->output, &end, err);

    handler->end.refused = !end.began;
    if (rc == ACME_OK && end.left > 0)
        acme_log(&handler->runner->host, ACME_LOG_WARN,
            "program \"%s\" left %u %s running, killed now, lineage \"%s\"",
            run->shown, end.left, end.left == 1 ? "process" : "processes",
            handler->lineage->name);
    if (rc != ACME_OK)
        acme_buf_reset(&handler->output);
    trim(&handler->output);
    /* uacme(1): one that does not accept a challenge is not told of its end.
     */
    if (rc == ACME_IO && command->kind == ACME_COMMAND_UACME &&
        handler->errand.add) {
        handler->end.refused = true;
        handler->end.declined = end.status > 0;
        if (handler->end.declined)
            (void)acme_error_wrap(err, "the challenge is declined");
    }
    return rc;
}

static enum acme_rc
carry_out(struct handler *handler, int answer, struct acme_error *err)
{
    const struct acme_lineage *lineage = handler->lineage;
    struct acme_arena *arena = acme_arena_new();
    struct acme_command_run run;
    struct acme_error why;
    bool nothing = false;
    enum acme_rc rc;

    if (arena == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    handler->end.refused = true;
    rc = acme_command_user(handler->runner->config, &lineage->proof->command,
        &handler->user, &why, err);
    if (rc == ACME_OK)
        rc = make_directory(handler, err);
    if (rc == ACME_OK)
        rc = acme_command_run(lineage, &handler->errand, &handler->user,
            handler->path, arena, &run, &nothing, err);
    if (rc == ACME_OK && !nothing)
        rc = execute(handler, &run, answer, err);
    acme_arena_free(arena);
    return rc;
}

static __attribute__((noreturn)) void
become_handler(const struct runner *runner, struct errand *errand)
{
    const int keep[] = { runner->life[0], runner->child->log, errand->answer };
    struct acme_error err, ignored;
    struct acme_frame frame;
    struct handler handler;
    struct acme_buf reply;

    memset(&handler, 0, sizeof(handler));
    acme_error_clear(&err);
    acme_error_clear(&ignored);
    acme_child_begin("acme-hook", keep, sizeof(keep) / sizeof(keep[0]));
    handler.runner = runner;
    handler.lineage = lineage_of(runner, errand);
    handler.dir.base = -1;
    acme_buf_init(&handler.output, ACME_COMMAND_OUTPUT_MAX);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    if (!acme_frame_open(&frame, errand->frame.data, errand->frame.len) ||
        !acme_errand_parse(&frame, handler.lineage->proof, &handler.errand))
        _exit(ACME_EXIT_FAILED); /* it was good a moment ago */
    (void)carry_out(&handler, errand->answer, &err);
    if (handler.dir.base != -1 &&
        (!handler.errand.add || handler.end.refused) &&
        err.rc != ACME_STOPPING)
        acme_workdir_remove(&handler.dir, handler.id);
    acme_errand_reply(&err, &handler.output, &handler.end, &reply);
    (void)acme_frame_send(errand->answer, &reply, &ignored);
    _exit(ACME_EXIT_STOPPED);
}

/* ---- errands ---------------------------------------------------------- */

static void
forget(struct errand *errand)
{
    if (errand->answer != -1)
        close(errand->answer);
    acme_buf_clear(&errand->frame);
    memset(errand, 0, sizeof(*errand));
    errand->answer = -1;
}

static struct errand *
free_errand(struct runner *runner)
{
    size_t i;

    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        if (!runner->errand[i].used)
            return &runner->errand[i];
    return NULL;
}

/* Takes one from the engine; an exit status, or -1 to go on. */
static int
take(struct runner *runner, struct errand *errand)
{
    struct acme_error err;
    struct acme_errand asked;
    struct acme_frame frame;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_buf_init(&errand->frame, ACME_FRAME_MAX);
    rc = acme_frame_recv_fd(runner->child->frame, &errand->frame,
        &errand->answer, &err);
    if (rc != ACME_OK)
        return rc == ACME_NOENT ? ACME_EXIT_PEER_GONE : ACME_EXIT_FAILED;
    if (errand->answer == -1 ||
        !acme_frame_open(&frame, errand->frame.data, errand->frame.len) ||
        frame.index >= runner->config->nlineages ||
        runner->config->lineage[frame.index].proof->command.kind ==
            ACME_COMMAND_NONE ||
        !acme_errand_parse(&frame, runner->config->lineage[frame.index].proof,
            &asked))
        return ACME_EXIT_BAD_PEER;
    errand->used = true;
    errand->lineage = frame.index;
    errand->number = ++runner->count;
    return -1;
}

/* Its asker has ended, or does not want it any more. */
static bool
is_unwanted(const struct errand *errand)
{
    struct pollfd pfd = { errand->answer, POLLIN, 0 };

    return poll(&pfd, 1, 0) == 1;
}

/* What must not run twice at a time. */
static const char *
program_of(const struct runner *runner, const struct errand *errand)
{
    const struct acme_command *command =
        &lineage_of(runner, errand)->proof->command;

    return command->word[command->kind == ACME_COMMAND_ACME_SH];
}

static bool
is_running(const struct runner *runner, const char *program)
{
    size_t i;

    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        if (runner->errand[i].used && runner->errand[i].pid != 0 &&
            strcmp(program_of(runner, &runner->errand[i]), program) == 0)
            return true;
    return false;
}

static void
start(struct runner *runner, struct errand *errand)
{
    errand->pid = fork();
    if (errand->pid == 0)
        become_handler(runner, errand);
    if (errand->pid == -1) {
        acme_log(&runner->host, ACME_LOG_ERROR, "cannot fork: %s (%d)",
            strerror(errno), errno);
        forget(errand); /* the engine sees its end */
    }
}

/* The one that has waited longest among those that may run. */
static struct errand *
next_errand(struct runner *runner)
{
    struct errand *found = NULL;
    size_t i;

    for (i = 0; i < ACME_ERRANDS_MAX; i++) {
        struct errand *errand = &runner->errand[i];

        if (!errand->used || errand->pid != 0)
            continue;
        if (is_unwanted(errand))
            forget(errand);
        else if ((found == NULL || errand->number < found->number) &&
                 !is_running(runner, program_of(runner, errand)))
            found = errand;
    }
    return found;
}

static void
start_all(struct runner *runner)
{
    struct errand *errand;

    while ((errand = next_errand(runner)) != NULL)
        start(runner, errand);
}

/* Returns how many handlers there are still.  One that was killed has left
 * what it ran to us: *killed. */
static size_t
reap(struct runner *runner, bool *killed)
{
    int status = 0;
    size_t i, n = 0;

    for (i = 0; i < ACME_ERRANDS_MAX; i++) {
        struct errand *errand = &runner->errand[i];

        if (!errand->used || errand->pid == 0)
            continue;
        if (waitpid(errand->pid, &status, WNOHANG) == 0) {
            n++;
            continue;
        }
        *killed = *killed || WIFSIGNALED(status);
        forget(errand);
    }
    return n;
}

static size_t
count_waiting(const struct runner *runner)
{
    size_t i, n = 0;

    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        n += runner->errand[i].used;
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
tell_user(const struct runner *runner, const struct acme_command *command)
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
tell_users(const struct runner *runner)
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
stop_all(struct runner *runner)
{
    const long long until = acme_time_ms() + STOP_MS;
    bool ignored = false;

    close(runner->life[1]);
    while (reap(runner, &ignored) > 0 && acme_time_ms() < until)
        (void)poll(NULL, 0, LOOK_MS);
    (void)acme_program_kill_children(LOOK_MS);
}

static int
serve(struct runner *runner)
{
    struct pollfd fds[2] = { { runner->child->stop, POLLIN, 0 },
        { runner->child->frame, POLLIN, 0 } };
    struct errand *errand;
    bool busy, killed = false;
    int status = -1;

    while (status == -1) {
        busy = reap(runner, &killed) + count_waiting(runner) > 0;
        if (killed)
            return ACME_EXIT_FAILED;
        start_all(runner);
        errand = free_errand(runner);
        fds[1].fd = errand != NULL ? runner->child->frame : -1;
        if (poll(fds, 2, busy ? LOOK_MS : -1) < 0 && errno != EINTR)
            return ACME_EXIT_FAILED;
        if (fds[0].revents != 0)
            return ACME_EXIT_STOPPED;
        if (fds[1].revents != 0 && errand != NULL)
            status = take(runner, errand);
    }
    return status;
}

void
acme_runner_process(const struct acme_config *config, struct acme_child *child)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    size_t i;
    int status;

    if (runner == NULL)
        _exit(ACME_EXIT_FAILED);
    runner->config = config;
    runner->child = child;
    runner->host = acme_child_host(child);
    for (i = 0; i < ACME_ERRANDS_MAX; i++)
        runner->errand[i].answer = -1;
    acme_sandbox_process();
#ifdef __linux__
    /* A handler that is killed leaves us what it has started. */
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
#endif
    if (pipe2(runner->life, O_CLOEXEC) != 0 || !tell_users(runner))
        _exit(ACME_EXIT_FAILED);
    sweep();
    status = serve(runner);
    stop_all(runner);
    _exit(status);
}

/*
 * In a handler of the runner's: one record of the DNS, or an answer that is
 * found at a name, made or taken away: by the command of a lineage, as a file,
 * or by a person.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_program.h"
#include "drive/acme_runner_private.h"
#include "drive/acme_store_process.h"
#include "drive/acme_webroot.h"
#include "drive/acme_workdir.h"
#include "wrap/acme_hash.h"

struct handler {
    const struct acme_runner *runner;
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
run_program(struct handler *handler, int answer, struct acme_error *err)
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

/* As whoever the directory belongs to, which this process is from then on. */
static enum acme_rc
change_file(struct handler *handler, struct acme_error *err)
{
    const struct acme_config *config = handler->runner->config;
    const struct acme_errand *errand = &handler->errand;
    const char *dir =
        acme_answer_webroot(&handler->lineage->proof->answer, errand->name);
    const struct acme_webroot webroot = { dir, config->uid, config->gid };
    enum acme_rc rc;

    handler->end.refused = true;
    if (dir == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "\"%s\" has no webroot; name its directory with --webroot-path or "
            "--webroot-map",
            errand->name);
    rc = errand->add ? acme_webroot_put(&webroot, errand, err)
                     : acme_webroot_remove(&webroot, errand, err);
    handler->end.refused = rc != ACME_OK;
    return rc;
}

static enum acme_rc
carry_out(struct handler *handler, int answer, struct acme_error *err)
{
    const struct acme_proof *proof = handler->lineage->proof;

    if (!acme_challenge_is_dns(handler->errand.type) &&
        proof->answer.by == ACME_ANSWERER_WEBROOT)
        return change_file(handler, err);
    if (!acme_proof_is_by_hand(proof))
        return run_program(handler, answer, err);
    handler->end.refused = acme_runner_by_hand(handler->runner,
                               &handler->errand, answer, err) != ACME_OK;
    return err->rc;
}

__attribute__((noreturn)) void
acme_runner_dns(const struct acme_runner *runner, struct acme_task *task)
{
    struct acme_error err, ignored;
    struct acme_frame frame;
    struct handler handler;
    struct acme_buf reply;

    memset(&handler, 0, sizeof(handler));
    acme_error_clear(&err);
    acme_error_clear(&ignored);
    handler.runner = runner;
    handler.lineage = acme_task_lineage(runner, task);
    handler.dir.base = -1;
    acme_buf_init(&handler.output, ACME_COMMAND_OUTPUT_MAX);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    if (!acme_frame_open(&frame, task->frame.data, task->frame.len) ||
        !acme_errand_parse(&frame, handler.lineage->proof, &handler.errand))
        _exit(ACME_EXIT_FAILED); /* it was good a moment ago */
    (void)carry_out(&handler, task->answer, &err);
    if (handler.dir.base != -1 &&
        (!handler.errand.add || handler.end.refused) &&
        err.rc != ACME_STOPPING)
        acme_workdir_remove(&handler.dir, handler.id);
    acme_errand_reply(&err, &handler.output, &handler.end, &reply);
    (void)acme_frame_send(task->answer, &reply, &ignored);
    _exit(ACME_EXIT_STOPPED);
}

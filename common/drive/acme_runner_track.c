/*
 * Tracking records, as the store or the engine asks for them: lines of a
 * directory's files, or runs of the administrator's program.
 */
#include <string.h>
#include <unistd.h>

#include "drive/acme_runner_private.h"
#include "drive/acme_track.h"
#include "state/acme_dir.h"

/* One thing that is done to a record. */
struct step {
    const char *action;
    const char *type; /* of CREATE, or NULL */
    const char *data; /* of SAVE, or NULL */
    const char *content;
    size_t len;
};

struct tracking {
    const struct acme_runner *runner;
    const struct acme_task *task;
    const struct acme_stage_hook *hook;
    const struct acme_lineage *lineage;
    const char *directory; /* or NULL: the program's */
    char id[ACME_TRACK_ID_MAX];
};

/* ---- one step --------------------------------------------------------- */

static enum acme_rc
write_step(const struct tracking *tracking, const struct step *step,
    struct acme_error *err)
{
    const struct acme_track_line line = { .id = tracking->id,
        .lineage = tracking->lineage->name,
        .action = step->action,
        .type = step->type,
        .data = step->data,
        .content = step->content,
        .content_len = step->len };

    return acme_track_write(tracking->directory, &line, err);
}

/* PROGRAM [WORD...] create NAME TYPE, or ACTION NAME RECORD [DATA]. */
static enum acme_rc
run_step(const struct tracking *tracking, const struct step *step,
    struct acme_buf *output, struct acme_error *err)
{
    const struct acme_program how = { .input = step->content,
        .input_len = step->len };
    struct acme_stage_facts facts = { .stage = acme_hooks_item_name(
                                          ACME_HOOKS_TRACKING),
        .state_dir = tracking->runner->config->state_dir,
        .lineage = tracking->lineage->name,
        .event = step->action };

    facts.more[0] = step->type != NULL ? step->type : tracking->id;
    facts.more[1] = step->data;
    if (step->len > ACME_PROGRAM_INPUT_MAX)
        return acme_error_set(err, ACME_IO,
            "%s of %zu bytes is more than a program gets (%zu)",
            step->data != NULL ? step->data : step->action, step->len,
            ACME_PROGRAM_INPUT_MAX);
    return acme_runner_program(tracking->runner, tracking->task,
        tracking->hook, &facts, &how, output, err);
}

static enum acme_rc
take_step(const struct tracking *tracking, const struct step *step,
    struct acme_buf *output, struct acme_error *err)
{
    return tracking->directory != NULL ? write_step(tracking, step, err)
                                       : run_step(tracking, step, output, err);
}

/* ---- a new record ----------------------------------------------------- */

/* What it is about. */
static enum acme_rc
describe(const struct tracking *tracking, struct acme_buf *out,
    struct acme_error *err)
{
    const struct acme_config *config = tracking->runner->config;
    const struct acme_lineage *lineage = tracking->lineage;
    struct acme_json *json = acme_json_object();
    struct acme_json *names = acme_json_array(), *servers = acme_json_array();
    struct acme_json *issuers = acme_json_array();
    char *server = acme_arena_printf(tracking->task->arena, "%s:%s",
        config->server, config->instance);
    enum acme_rc rc;
    size_t i;

    for (i = 0; i < lineage->nnames; i++)
        acme_json_append_str(names, lineage->names[i]);
    acme_json_append_str(issuers, config->issuer[lineage->issuer].name);
    for (i = 0; i < lineage->nfallbacks; i++)
        acme_json_append_str(issuers,
            config->issuer[lineage->fallback[i]].name);
    acme_json_append_str(servers, server != NULL ? server : "");
    acme_json_set(json, "names", names);
    acme_json_set(json, "issuers", issuers);
    acme_json_set(json, "servers", servers);
    acme_json_set_bool(json, "renews", tracking->task->ask.renews);
    rc = json == NULL ? acme_error_nomem(err)
                      : acme_json_render(json, false, out, err);
    acme_json_free(json);
    return rc;
}

/* Its settings, as they are on the disk. */
static enum acme_rc
save_lineage(const struct tracking *tracking, struct acme_error *err)
{
    struct step step = { .action = ACME_TRACK_SAVE,
        .data = acme_track_data_name(ACME_TRACK_LINEAGE) };
    const char *path = acme_arena_printf(tracking->task->arena,
        "renewal/%s.json", tracking->lineage->name);
    struct acme_buf text, ignored;
    enum acme_rc rc = path != NULL ? ACME_OK : acme_error_nomem(err);
    int fd = -1;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init(&ignored, ACME_COMMAND_OUTPUT_MAX);
    if (rc == ACME_OK)
        rc = acme_dir_open(tracking->runner->config->state_dir, geteuid(),
            false, &fd, err);
    if (rc == ACME_OK)
        rc = acme_dir_read(fd, path, geteuid(), ACME_STATE_JSON_MAX, &text,
            err);
    step.content = acme_buf_str(&text);
    step.len = text.len;
    if (rc == ACME_OK)
        rc = take_step(tracking, &step, &ignored, err);
    if (fd != -1)
        close(fd);
    acme_buf_clear(&text);
    acme_buf_clear(&ignored);
    return rc;
}

static enum acme_rc
create(struct tracking *tracking, const char *type, struct acme_error *err)
{
    struct step step = { .action = ACME_TRACK_CREATE, .type = type };
    struct acme_buf content, output;
    enum acme_rc rc;

    acme_buf_init(&content, ACME_STATE_JSON_MAX);
    acme_buf_init(&output, ACME_COMMAND_OUTPUT_MAX);
    acme_track_new_id(tracking->id);
    rc = describe(tracking, &content, err);
    step.content = acme_buf_str(&content);
    step.len = content.len;
    if (rc == ACME_OK)
        rc = take_step(tracking, &step, &output, err);
    if (rc == ACME_OK && tracking->directory == NULL)
        rc = acme_track_read_id(acme_buf_str(&output), tracking->id, err);
    if (rc == ACME_OK && (tracking->lineage->hooks->tracking_data &
                             1u << ACME_TRACK_LINEAGE) != 0)
        rc = save_lineage(tracking, err);
    acme_buf_clear(&content);
    acme_buf_clear(&output);
    return rc;
}

/* ---- what was asked for ----------------------------------------------- */

enum acme_rc
acme_runner_track(const struct acme_runner *runner,
    const struct acme_task *task, const struct acme_stage_hook *hook,
    struct acme_buf *output, struct acme_error *err)
{
    const struct acme_stage_ask *ask = &task->ask;
    const bool creates = strcmp(ask->event, ACME_TRACK_CREATE) == 0;
    struct tracking tracking = { runner, task, hook,
        acme_task_lineage(runner, task), acme_hook_directory(&hook->hook),
        "" };
    struct step step = { .content = ask->json, .len = ask->json_len };
    char action[ACME_EVENT_WORD_MAX], *data;
    enum acme_rc rc = ACME_OK;

    memcpy(tracking.id, ask->track, sizeof(tracking.id));
    if (tracking.id[0] == '\0')
        rc = create(&tracking,
            creates ? ACME_TRACK_RENEWAL : ACME_TRACK_SYNCHRONIZE, err);
    memcpy(action, ask->event, sizeof(action));
    step.action = action;
    data = strchr(action, ':');
    if (data != NULL) {
        *data = '\0';
        step.data = data + 1;
    }
    if (rc == ACME_OK && !creates)
        rc = take_step(&tracking, &step, output, err);
    acme_buf_reset(output);
    if (rc == ACME_OK)
        acme_buf_add_str(output, tracking.id);
    return rc;
}

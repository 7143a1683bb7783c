#include "drive/acme_store_process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_control.h"
#include "drive/acme_keeper.h"
#include "drive/acme_sandbox.h"
#include "drive/acme_wishes.h"

struct process {
    const struct acme_config *config;
    struct acme_area *area;
    struct acme_child *child;
    const struct acme_store_errand *errand;
    unsigned settle_ms;
    struct acme_host host;
    struct acme_store *store;
    struct acme_keeper *keeper;
    struct acme_control *control;
    struct acme_wishes wishes;
    struct acme_buf request, reply;
    size_t sent, answered; /* of the errand */
    bool hooks_ended;
    bool for_good; /* the server will not be there again soon */
};

/* How often others' work is looked for (ms). */
#define LOOK 1000
#define LOOK_SETTLING 100

/* Questions of an errand that the engine has at once. */
#define ERRAND_WINDOW 8

static void
log_error(struct process *process, enum acme_level level,
    const struct acme_error *err)
{
    char line[ACME_LOG_LINE_MAX];

    acme_log(&process->host, level, "%s; looked at again in a minute",
        acme_error_line(err, line, sizeof(line)));
}

/* ---- to the engine ---------------------------------------------------- */

/*
 * Never blocks: an engine in a long exchange does not read.  A CHANGED that is
 * lost costs nothing, every job looks again before it orders.
 */
static bool
notify(struct process *process, enum acme_verb verb, size_t lineage,
    unsigned flags, uint64_t id)
{
    struct pollfd pfd = { process->child->frame, POLLOUT, 0 };
    struct acme_error ignored;
    struct acme_buf frame;
    bool sent;

    if (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0)
        return false;
    acme_error_clear(&ignored);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, verb, (uint32_t)lineage);
    if (verb == ACME_VERB_RENEW) {
        acme_frame_add_u64(&frame, flags);
        acme_frame_add_u64(&frame, id);
    }
    sent = acme_frame_send(process->child->frame, &frame, &ignored) == ACME_OK;
    acme_buf_clear(&frame);
    return sent;
}

static void
on_moved(void *ctx, size_t lineage)
{
    (void)notify(ctx, ACME_VERB_CHANGED, lineage, 0, 0);
}

static bool
on_renew(void *ctx, const char *name, unsigned flags, uint64_t id)
{
    struct process *process = ctx;
    size_t lineage;

    if (!acme_config_find_lineage(process->config, name, &lineage))
        return false;
    if (!notify(process, ACME_VERB_RENEW, lineage, flags & ACME_RENEW_FORCE,
            id))
        acme_control_done(process->control, id, false,
            "the engine is too busy to be asked, try again later");
    return true;
}

static bool
on_wish(void *ctx, size_t lineage, uint64_t id)
{
    return notify(ctx, ACME_VERB_RENEW, lineage, ACME_RENEW_FORCE, id);
}

/* ---- to people -------------------------------------------------------- */

/* A lineage that is issued has no new certificate where none was due, and may
 * be wanted otherwise all the same. */
static void
declare(struct process *process, uint64_t id)
{
    const struct acme_store_errand *errand = process->errand;
    struct acme_error err;

    acme_error_clear(&err);
    if ((errand->flags & ACME_RENEW_ISSUE) != 0 && id > 0 &&
        id <= errand->nlineages &&
        acme_keeper_declare(process->keeper, errand->lineages[id - 1], &err) !=
            ACME_OK)
        acme_log(&process->host, ACME_LOG_ERROR, "cannot keep settings: %s",
            err.what);
}

static void
on_done(void *ctx, uint64_t id, bool ok, const char *text)
{
    struct process *process = ctx;
    struct acme_error ignored;
    struct acme_buf frame;

    if (process->errand == NULL) {
        if (!acme_wishes_done(&process->wishes, id, ok, text))
            acme_control_done(process->control, id, ok, text);
        return;
    }
    if (ok)
        declare(process, id);
    acme_error_clear(&ignored);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, ACME_VERB_DONE, (uint32_t)(id - 1));
    acme_frame_add_u64(&frame, ok);
    acme_frame_add_text(&frame, text);
    (void)acme_frame_send(process->errand->answers, &frame, &ignored);
    acme_buf_clear(&frame);
    process->answered++;
}

static size_t
count_rows(const struct acme_store_errand *errand)
{
    return errand->selftest != NULL ? errand->selftest->n : 0;
}

/* The lineages of a dry run the engine has itself. */
static bool
is_trial(const struct acme_store_errand *errand)
{
    return errand != NULL && (errand->flags & ACME_RENEW_TRIAL) != 0;
}

static void
go_on_with_errand(struct process *process)
{
    const struct acme_store_errand *errand = process->errand;

    while (errand != NULL && !is_trial(errand) &&
           process->sent < errand->nlineages &&
           process->sent < process->answered + ERRAND_WINDOW &&
           notify(process, ACME_VERB_RENEW, errand->lineages[process->sent],
               errand->flags, errand->lineages[process->sent] + 1))
        process->sent++;
}

/* All of its questions are answered, and all hooks have been run: those that
 * were to wait for that last. */
static bool
is_errand_done(struct process *process)
{
    const struct acme_store_errand *errand = process->errand;

    if (errand == NULL ||
        process->answered < errand->nlineages + errand->nrevocations +
                                errand->nchecks + (errand->account != NULL) +
                                errand->sweep + count_rows(errand))
        return false;
    if (!process->hooks_ended)
        acme_keeper_end_hooks(process->keeper);
    process->hooks_ended = true;
    return acme_keeper_asked(process->keeper) == 0;
}

/* ---- life ------------------------------------------------------------- */

static enum acme_rc
open_state(struct process *process, struct acme_error *err)
{
    const struct acme_config *config = process->config;
    enum acme_rc rc;

    rc = acme_store_open(config->state_dir, ACME_STORE_WRITE, &process->store,
        err);
    if (rc == ACME_OK)
        rc = acme_keeper_new(config, process->store, process->area,
            &process->host, &process->keeper, err);
    if (rc == ACME_OK && process->errand == NULL)
        rc = acme_control_open(acme_store_fd(process->store), config,
            &process->control, err);
    if (rc == ACME_OK)
        acme_keeper_on_done(process->keeper, on_done, process);
    return rc;
}

static void
report(struct process *process, const struct acme_sandbox_report *sandbox)
{
    acme_log(&process->host, ACME_LOG_DEBUG,
        "store runs, landlock %s, seccomp %s, capabilities %s",
        sandbox->landlock ? "on" : "off", sandbox->seccomp ? "on" : "off",
        sandbox->capabilities ? "dropped" : "kept");
}

/* The end of the pipe says it: who waits finds us without it then. */
static void
tell_ready(struct process *process)
{
    if (process->child->ready != -1)
        close(process->child->ready);
    process->child->ready = -1;
}

/* Answers one frame; an exit status, or -1 to go on. */
static int
serve_engine(struct process *process)
{
    struct acme_error err;
    int status = -1;

    acme_error_clear(&err);
    if (acme_frame_recv(process->child->frame, &process->request, &err) !=
        ACME_OK)
        return ACME_EXIT_PEER_GONE;
    acme_buf_reset(&process->reply);
    if (!acme_keeper_answer(process->keeper, &process->request,
            &process->reply))
        status = ACME_EXIT_BAD_PEER;
    else if (acme_frame_send(process->child->frame, &process->reply, &err) !=
             ACME_OK)
        status = ACME_EXIT_PEER_GONE;
    acme_buf_clear(&process->request);
    acme_buf_clear(&process->reply);
    return status;
}

/* An admin may have removed the whole directory: a new start makes it. */
static bool
is_gone(const struct process *process)
{
    struct stat st;

    return fstat(acme_store_fd(process->store), &st) == 0 && st.st_nlink == 0;
}

static int
serve(struct process *process)
{
    struct pollfd fds[3 + 1 + ACME_CONTROL_CLIENTS];
    long long now = acme_time_ms(), look_at = now;
    const long long settled = now + process->settle_ms;
    int status = -1;

    memset(fds, 0, sizeof(fds));
    fds[0].fd = process->child->stop;
    fds[1].fd = process->child->frame;
    fds[2].fd = process->child->runner;
    fds[0].events = fds[1].events = fds[2].events = POLLIN;
    while (status == -1) {
        size_t n = 3 + acme_control_poll(process->control, fds + 3);

        if (poll(fds, n, now < look_at ? (int)(look_at - now) : 0) < 0 &&
            errno != EINTR)
            return ACME_EXIT_FAILED;
        if (fds[0].revents != 0 && !acme_child_is_last(process->child))
            return ACME_EXIT_STOPPED;
        process->for_good |= fds[0].revents != 0;
        /* The runner first: the engine may go on from what it has answered,
         * and be heard before it. */
        if (fds[2].revents == 0 && fds[1].revents != 0)
            status = serve_engine(process);
        else if (fds[2].revents != 0 &&
                 !acme_keeper_hear_runner(process->keeper))
            fds[2].fd = -1;
        acme_control_serve(process->control, on_renew, process);
        now = acme_time_ms();
        if (now >= look_at) {
            acme_keeper_look(process->keeper, on_moved, process);
            acme_wishes_look(&process->wishes, on_wish, process);
            if (is_gone(process))
                return ACME_EXIT_PEER_GONE;
            look_at =
                now + (now < settled || acme_keeper_is_behind(process->keeper)
                              ? LOOK_SETTLING
                              : LOOK);
        }
        go_on_with_errand(process);
        if (is_errand_done(process))
            return ACME_EXIT_STOPPED;
    }
    return status;
}

/* Should memory be short for the list, signing requests cannot be read. */
static void
enter_sandbox(struct process *process, struct acme_sandbox_report *sandbox)
{
    size_t n = acme_keeper_csr_dirs(process->keeper, NULL, 0);
    int *fds = n > 0 ? calloc(n, sizeof(*fds)) : NULL;

    if (fds != NULL)
        (void)acme_keeper_csr_dirs(process->keeper, fds, n);
    acme_sandbox_store(acme_store_fd(process->store), fds, fds != NULL ? n : 0,
        sandbox);
    free(fds);
}

/*
 * A state directory that cannot be written (read-only, of a newer version,
 * damaged at the top) may still hold certificates: workers get them, and
 * nothing is ordered.
 */
static void
publish_only(struct process *process)
{
    struct acme_sandbox_report ignored;
    struct acme_error err;

    acme_error_clear(&err);
    acme_keeper_free(process->keeper);
    acme_store_close(process->store);
    process->keeper = NULL;
    process->store = NULL;
    if (process->errand != NULL ||
        acme_store_open(process->config->state_dir, ACME_STORE_SALVAGE,
            &process->store, &err) != ACME_OK ||
        acme_keeper_new(process->config, process->store, process->area,
            &process->host, &process->keeper, &err) != ACME_OK)
        return;
    enter_sandbox(process, &ignored);
    acme_keeper_start(process->keeper, ACME_KEEPER_READS);
}

static enum acme_keeper_role
role_of(const struct process *process)
{
    if (process->errand == NULL)
        return ACME_KEEPER_DECLARES;
    if (is_trial(process->errand))
        return ACME_KEEPER_TRIES;
    return (process->errand->flags & ACME_RENEW_ISSUE) != 0
               ? ACME_KEEPER_ISSUES
               : ACME_KEEPER_OBEYS;
}

/* No reload, no store in place of another one. */
static bool
is_fresh(const struct process *process)
{
    return process->errand == NULL && process->settle_ms == 0 &&
           process->child->ready != -1;
}

static int
run(struct process *process)
{
    struct acme_sandbox_report sandbox;
    struct acme_error err;
    int status;

    memset(&sandbox, 0, sizeof(sandbox));
    acme_error_clear(&err);
    if (open_state(process, &err) != ACME_OK) {
        log_error(process, ACME_LOG_ERROR, &err);
        publish_only(process);
        status = ACME_EXIT_UNUSABLE;
        goto done;
    }
    enter_sandbox(process, &sandbox);
    report(process, &sandbox);
    acme_keeper_use_runner(process->keeper, process->child->runner);
    if (is_fresh(process))
        acme_keeper_forget_left(process->keeper);
    acme_keeper_start(process->keeper, role_of(process));
    if (process->area != NULL)
        acme_area_beat(process->area, process->host.now(process->host.ctx));
    tell_ready(process);
    acme_keeper_settle(process->keeper);
    status = serve(process);

done:
    acme_control_close(process->control);
    if (process->for_good)
        acme_keeper_forget(process->keeper);
    acme_keeper_free(process->keeper);
    acme_store_close(process->store);
    return status;
}

void
acme_store_process(const struct acme_config *config, struct acme_area *area,
    struct acme_child *child, const struct acme_store_errand *errand,
    unsigned settle_ms)
{
    struct process process;

    memset(&process, 0, sizeof(process));
    process.config = config;
    process.area = area;
    process.child = child;
    process.errand = errand;
    process.settle_ms = settle_ms;
    process.host = acme_child_host(child);
    acme_wishes_init(&process.wishes, config, area, &process.host);
    acme_buf_init_secret(&process.request, ACME_FRAME_MAX);
    acme_buf_init_secret(&process.reply, ACME_FRAME_MAX);
    acme_sandbox_process();
    _exit(run(&process));
}

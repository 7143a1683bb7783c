/*
 * The processes below a supervisor: how each begins, is watched and ends.
 */
#define _GNU_SOURCE
#include "drive/acme_service_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_engine_process.h"
#include "drive/acme_runner.h"
#include "drive/acme_standalone.h"
#include "drive/acme_store_process.h"
#include "drive/acme_watcher.h"
#include "state/acme_frame.h"

/* A stop asks first and kills then: servers kill their children 1.5 s after
 * having asked themselves. */
#define STOP_MS 1000

void
acme_service_log(struct supervisor *supervisor, enum acme_level level,
    const char *fmt, ...)
{
    char line[ACME_LOG_LINE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    supervisor->server->log(supervisor->server->ctx, level, line);
}

void
acme_service_title(const struct supervisor *supervisor, const char *title)
{
    if (supervisor->server->title != NULL)
        supervisor->server->title(supervisor->server->ctx, title);
}

void
acme_service_init(struct supervisor *supervisor,
    const struct acme_config *config, const struct acme_server *server)
{
    memset(supervisor, 0, sizeof(*supervisor));
    supervisor->config = config;
    supervisor->server = server;
    supervisor->lifetime = supervisor->master = supervisor->ready = -1;
    supervisor->store.stop = supervisor->engine.stop = -1;
    supervisor->runner.stop = supervisor->watcher.stop = -1;
    supervisor->sweeper.stop = supervisor->sweep.news = -1;
    supervisor->engine_runner = supervisor->store_runner = -1;
    supervisor->runner_store = supervisor->engine_standalone = -1;
    supervisor->standalone.stop = -1;
    supervisor->ask[0] = supervisor->ask[1] = -1;
}

void
acme_service_close(int *fd)
{
    if (*fd != -1)
        close(*fd);
    *fd = -1;
}

/* ---- starting the two ------------------------------------------------- */

static void
become_store(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->frame, child->ready,
        child->runner,
        supervisor->errand != NULL ? supervisor->errand->answers : -1 };

    acme_service_title(supervisor, "acme store");
    acme_child_begin("acme-store", keep, sizeof(keep) / sizeof(keep[0]));
    acme_store_process(supervisor->config, supervisor->area, child,
        supervisor->errand, supervisor->pace.settle_ms);
}

static void
become_engine(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->frame, child->runner,
        child->standalone };

    acme_service_title(supervisor, "acme engine");
    acme_child_begin("acme-engine", keep, sizeof(keep) / sizeof(keep[0]));
    /* The engine talks to the network: no key is within its reach. */
    acme_area_free(supervisor->area);
    acme_engine_process(supervisor->config, child, supervisor->crashed,
        &supervisor->pace, supervisor->errand);
}

static void
become_runner(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->frame, child->store,
        child->ask };

    acme_service_title(supervisor, "acme runner");
    acme_child_begin("acme-runner", keep, sizeof(keep) / sizeof(keep[0]));
    /* It starts programs of others. */
    acme_area_free(supervisor->area);
    acme_runner_process(supervisor->config, child, supervisor->errand != NULL);
}

static void
become_watcher(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->ready };

    acme_service_title(supervisor, "acme watcher");
    acme_child_begin("acme-watcher", keep, sizeof(keep) / sizeof(keep[0]));
    acme_watcher_process(supervisor->config, supervisor->area, child);
}

static void
become_standalone(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->frame };

    acme_service_title(supervisor, "acme standalone");
    acme_child_begin("acme-alone", keep, sizeof(keep) / sizeof(keep[0]));
    acme_area_free(supervisor->area);
    acme_standalone_process(supervisor->config, child);
}

bool
acme_service_start_part(struct supervisor *supervisor, struct part *part,
    int frame, int ready,
    void (*become)(struct supervisor *supervisor, struct acme_child *child))
{
    struct acme_child child = { .stop = -1,
        .log = supervisor->log[1],
        .frame = frame,
        .ready = ready,
        .wake = { -1, -1 },
        .runner = -1,
        .store = -1,
        .ask = -1,
        .standalone = -1 };
    int stop[2];

    if (pipe2(stop, O_CLOEXEC) != 0)
        return false;
    child.stop = stop[0];
    if (part == &supervisor->engine) {
        child.runner = supervisor->engine_runner;
        child.standalone = supervisor->engine_standalone;
    } else if (part == &supervisor->runner) {
        child.store = supervisor->runner_store;
        child.ask = supervisor->ask[1];
    }
    if (part == &supervisor->store)
        child.runner = supervisor->store_runner;
    part->stop = stop[1];
    part->pid = fork();
    if (part->pid == 0)
        become(supervisor, &child);
    close(stop[0]);
    if (part->pid == -1) {
        part->pid = 0;
        acme_service_close(&part->stop);
        return false;
    }
    return true;
}

static bool
start_runner(struct supervisor *supervisor)
{
    struct acme_error err;
    int engine[2], store[2];
    bool started;

    if (!acme_config_runs_programs(supervisor->config))
        return true;
    acme_error_clear(&err);
    if (acme_frame_pair(engine, &err) != ACME_OK)
        return false;
    supervisor->engine_runner = engine[1];
    if (acme_frame_pair(store, &err) != ACME_OK) {
        close(engine[0]);
        return false;
    }
    supervisor->store_runner = store[1];
    supervisor->runner_store = store[0];
    started = acme_service_start_part(supervisor, &supervisor->runner,
        engine[0], -1, become_runner);
    close(engine[0]);
    return started;
}

/* For one piece of work alone: a server is where its lineages are proved. */
static bool
start_standalone(struct supervisor *supervisor)
{
    struct acme_error err;
    int engine[2];
    bool started;

    if (supervisor->errand == NULL ||
        !acme_standalone_is_wanted(supervisor->config))
        return true;
    acme_error_clear(&err);
    if (acme_frame_pair(engine, &err) != ACME_OK)
        return false;
    supervisor->engine_standalone = engine[1];
    started = acme_service_start_part(supervisor, &supervisor->standalone,
        engine[0], -1, become_standalone);
    close(engine[0]);
    return started;
}

bool
acme_service_start_parts(struct supervisor *supervisor)
{
    struct acme_error err;
    int frame[2];
    bool started;

    acme_error_clear(&err);
    if (acme_frame_pair(frame, &err) != ACME_OK)
        return false;
    started = start_runner(supervisor) && start_standalone(supervisor) &&
              acme_service_start_part(supervisor, &supervisor->store, frame[0],
                  supervisor->ready, become_store) &&
              acme_service_start_part(supervisor, &supervisor->engine,
                  frame[1], -1, become_engine);
    close(frame[0]);
    close(frame[1]);
    acme_service_close(&supervisor->engine_runner);
    acme_service_close(&supervisor->store_runner);
    acme_service_close(&supervisor->runner_store);
    acme_service_close(&supervisor->engine_standalone);
    acme_service_close(&supervisor->ask[1]);
    acme_service_close(&supervisor->ready);
    return started;
}

/* ---- watching them ---------------------------------------------------- */

void
acme_service_drain(struct supervisor *supervisor)
{
    acme_child_log_drain(supervisor->log[0], supervisor->server->log,
        supervisor->server->ctx);
}

bool
acme_service_reap(struct part *part)
{
    pid_t pid;

    if (part->pid == 0)
        return true;
    do {
        pid = waitpid(part->pid, &part->status, WNOHANG);
    } while (pid == -1 && errno == EINTR);
    if (pid == 0)
        return false;
    part->pid = 0;
    acme_service_close(&part->stop);
    return true;
}

void
acme_service_report(struct supervisor *supervisor, struct part *part)
{
    const char *name = part == &supervisor->store     ? "store"
                       : part == &supervisor->engine  ? "engine"
                       : part == &supervisor->runner  ? "runner"
                       : part == &supervisor->sweeper ? "sweeper"
                                                      : "watcher";

    part->told = true;
    if (WIFSIGNALED(part->status)) {
        acme_service_log(supervisor, ACME_LOG_ERROR,
            "%s died of signal %d and is started again", name,
            WTERMSIG(part->status));
    } else if (WEXITSTATUS(part->status) == ACME_EXIT_BAD_PEER) {
        acme_service_log(supervisor, ACME_LOG_ALERT,
            "engine broke the protocol with its %s and was killed", name);
    } else if (WEXITSTATUS(part->status) == ACME_EXIT_FAILED) {
        acme_service_log(supervisor, ACME_LOG_ERROR,
            "%s failed and is started again", name);
    }
}

void
acme_service_keep_watcher(struct supervisor *supervisor)
{
    struct part *part = &supervisor->watcher;
    bool ran = part->pid != 0;
    long long now = acme_time_ms();

    if (!acme_service_reap(part))
        return;
    if (ran)
        acme_service_report(supervisor, part);
    if (now < supervisor->watcher_at ||
        !acme_config_has_thumbprint_file(supervisor->config))
        return;
    supervisor->watcher_at = now + ACME_WATCHER_MS;
    (void)acme_service_start_part(supervisor, part, -1, supervisor->ready,
        become_watcher);
}

bool
acme_service_watch(struct supervisor *supervisor, int ms)
{
    struct pollfd fds[3] = { { supervisor->lifetime, POLLIN, 0 },
        { supervisor->master, POLLIN, 0 }, { supervisor->log[0], POLLIN, 0 } };

    (void)poll(fds, 3, ms);
    acme_service_drain(supervisor);
    acme_service_keep_watcher(supervisor);
    acme_service_keep_sweeper(supervisor);
    return ((fds[0].revents | fds[1].revents) & (POLLIN | POLLHUP)) == 0;
}

void
acme_service_stop_part(struct supervisor *supervisor, struct part *part)
{
    struct pollfd pfd = { supervisor->log[0], POLLIN, 0 };
    long long until = acme_time_ms() + STOP_MS;

    acme_service_close(&part->stop);
    while (!acme_service_reap(part)) {
        if (acme_time_ms() >= until) {
            part->told = true;
            (void)kill(part->pid, SIGKILL);
        }
        (void)poll(&pfd, 1, 10);
        acme_service_drain(supervisor);
    }
}

/* The engine first: what it has learned last must reach the disk.  Programs
 * may take their time to end. */
void
acme_service_stop_parts(struct supervisor *supervisor)
{
    ssize_t ignored = 0;

    if (supervisor->for_good && supervisor->store.stop != -1)
        ignored = write(supervisor->store.stop, "", 1);
    (void)ignored;
    acme_service_close(&supervisor->runner.stop);
    acme_service_stop_part(supervisor, &supervisor->engine);
    acme_service_stop_part(supervisor, &supervisor->store);
    acme_service_stop_part(supervisor, &supervisor->runner);
    acme_service_stop_part(supervisor, &supervisor->standalone);
    acme_service_drain(supervisor);
}

bool
acme_service_is_crash(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM &&
           WTERMSIG(status) != SIGKILL;
}

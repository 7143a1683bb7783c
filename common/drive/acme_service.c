#define _GNU_SOURCE
#include "drive/acme_service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#endif

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_child.h"
#include "drive/acme_engine_process.h"
#include "drive/acme_runner.h"
#include "drive/acme_sandbox.h"
#include "drive/acme_store_process.h"
#include "drive/acme_watcher.h"
#include "state/acme_frame.h"

#define READY_MS 15000

/* A stop asks first and kills then: servers kill their children 1.5 s after
 * having asked themselves. */
#define STOP_MS 1000

/* Pause before store and engine are started again, doubled up to the most,
 * back to the least when they have lived long enough. */
#define PAUSE_LEAST_MS 250
#define PAUSE_MOST_MS 60000
#define LIVED_S 60

/* The least between two starts of the watcher, whose work cannot fail. */
#define WATCHER_MS 2000

/* A state directory that can't be used is looked at again so often. */
#define UNUSABLE_MS 60000

/* nginx stops its old workers 100 ms after it has started the new ones; a
 * machine under load takes its time. */
#define SETTLE_MS 2000

/* Other servers of the state directory look once a second. */
#define PRESENT_OTHERS_MS 2500

struct part {
    pid_t pid; /* 0: not running */
    int stop;  /* our end; closing it asks for the end */
    int status;
};

struct supervisor {
    const struct acme_config *config;
    struct acme_area *area;
    const struct acme_server *server;
    const struct acme_store_errand *errand;
    struct acme_engine_pace pace;
    int lifetime; /* our end */
    int master;   /* pidfd; -1: only the connection tells */
    int log[2];
    int ready; /* -1 once used */
    struct part store, engine, runner, watcher;
    /* Ends of pairs with the runner, while the parts are started; -1: none. */
    int engine_runner, store_runner, runner_store;
    long long watcher_at; /* not before (ms) */
    bool for_good;        /* the server has ended, and said so */
    bool crashed;         /* the last engine, or store, died of itself */
};

static void supervisor_log(struct supervisor *supervisor,
    enum acme_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
supervisor_log(struct supervisor *supervisor, enum acme_level level,
    const char *fmt, ...)
{
    char line[ACME_LOG_LINE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    supervisor->server->log(supervisor->server->ctx, level, line);
}

static void
set_title(const struct supervisor *supervisor, const char *title)
{
    if (supervisor->server->title != NULL)
        supervisor->server->title(supervisor->server->ctx, title);
}

static void
close_fd(int *fd)
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

    set_title(supervisor, "acme store");
    acme_child_begin("acme-store", keep, sizeof(keep) / sizeof(keep[0]));
    acme_store_process(supervisor->config, supervisor->area, child,
        supervisor->errand, supervisor->pace.settle_ms);
}

static void
become_engine(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->frame, child->runner };

    set_title(supervisor, "acme engine");
    acme_child_begin("acme-engine", keep, sizeof(keep) / sizeof(keep[0]));
    /* The engine talks to the network: no key is within its reach. */
    acme_area_free(supervisor->area);
    acme_engine_process(supervisor->config, child, supervisor->crashed,
        &supervisor->pace, supervisor->errand);
}

static void
become_runner(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->frame, child->store };

    set_title(supervisor, "acme runner");
    acme_child_begin("acme-runner", keep, sizeof(keep) / sizeof(keep[0]));
    /* It starts programs of others. */
    acme_area_free(supervisor->area);
    acme_runner_process(supervisor->config, child, supervisor->errand != NULL);
}

static void
become_watcher(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->ready };

    set_title(supervisor, "acme watcher");
    acme_child_begin("acme-watcher", keep, sizeof(keep) / sizeof(keep[0]));
    acme_watcher_process(supervisor->config, supervisor->area, child);
}

static bool
start_part(struct supervisor *supervisor, struct part *part, int frame,
    void (*become)(struct supervisor *supervisor, struct acme_child *child))
{
    struct acme_child child = { -1, supervisor->log[1], frame, -1, { -1, -1 },
        -1, -1 };
    int stop[2];

    if (pipe2(stop, O_CLOEXEC) != 0)
        return false;
    child.stop = stop[0];
    if (part == &supervisor->engine)
        child.runner = supervisor->engine_runner;
    else if (part == &supervisor->runner)
        child.store = supervisor->runner_store;
    else
        child.ready = supervisor->ready;
    if (part == &supervisor->store)
        child.runner = supervisor->store_runner;
    part->stop = stop[1];
    part->pid = fork();
    if (part->pid == 0)
        become(supervisor, &child);
    close(stop[0]);
    if (part->pid == -1) {
        part->pid = 0;
        close_fd(&part->stop);
        return false;
    }
    return true;
}

/* Where there may be something to run. */
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
    started =
        start_part(supervisor, &supervisor->runner, engine[0], become_runner);
    close(engine[0]);
    return started;
}

static bool
start_parts(struct supervisor *supervisor)
{
    struct acme_error err;
    int frame[2];
    bool started;

    acme_error_clear(&err);
    if (acme_frame_pair(frame, &err) != ACME_OK)
        return false;
    started =
        start_runner(supervisor) &&
        start_part(supervisor, &supervisor->store, frame[0], become_store) &&
        start_part(supervisor, &supervisor->engine, frame[1], become_engine);
    close(frame[0]);
    close(frame[1]);
    close_fd(&supervisor->engine_runner);
    close_fd(&supervisor->store_runner);
    close_fd(&supervisor->runner_store);
    close_fd(&supervisor->ready);
    return started;
}

/* ---- watching them ---------------------------------------------------- */

static void
drain_log(struct supervisor *supervisor)
{
    acme_child_log_drain(supervisor->log[0], supervisor->server->log,
        supervisor->server->ctx);
}

static bool
reap(struct part *part)
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
    close_fd(&part->stop);
    return true;
}

static void
report_death(struct supervisor *supervisor, const struct part *part)
{
    const char *name = part == &supervisor->store    ? "store"
                       : part == &supervisor->engine ? "engine"
                       : part == &supervisor->runner ? "runner"
                                                     : "watcher";

    if (WIFSIGNALED(part->status)) {
        supervisor_log(supervisor, ACME_LOG_ERROR,
            "%s died of signal %d and is started again", name,
            WTERMSIG(part->status));
    } else if (WEXITSTATUS(part->status) == ACME_EXIT_BAD_PEER) {
        supervisor_log(supervisor, ACME_LOG_ALERT,
            "engine broke the protocol with its %s and was killed", name);
    } else if (WEXITSTATUS(part->status) == ACME_EXIT_FAILED) {
        supervisor_log(supervisor, ACME_LOG_ERROR,
            "%s failed and is started again", name);
    }
}

/* It lives beside the other two, whatever becomes of them. */
static void
keep_watcher(struct supervisor *supervisor)
{
    struct part *part = &supervisor->watcher;
    bool ran = part->pid != 0;
    long long now = acme_time_ms();

    if (!reap(part))
        return;
    if (ran)
        report_death(supervisor, part);
    if (now < supervisor->watcher_at ||
        !acme_config_has_thumbprint_file(supervisor->config))
        return;
    supervisor->watcher_at = now + WATCHER_MS;
    (void)start_part(supervisor, part, -1, become_watcher);
}

/* Waits until a line, the master's end or the time.  False: the master is gone
 * or has stopped the service. */
static bool
watch(struct supervisor *supervisor, int ms)
{
    struct pollfd fds[3] = { { supervisor->lifetime, POLLIN, 0 },
        { supervisor->master, POLLIN, 0 }, { supervisor->log[0], POLLIN, 0 } };

    (void)poll(fds, 3, ms);
    drain_log(supervisor);
    keep_watcher(supervisor);
    return ((fds[0].revents | fds[1].revents) & (POLLIN | POLLHUP)) == 0;
}

static void
stop_part(struct supervisor *supervisor, struct part *part)
{
    struct pollfd pfd = { supervisor->log[0], POLLIN, 0 };
    long long until = acme_time_ms() + STOP_MS;

    close_fd(&part->stop);
    while (!reap(part)) {
        if (acme_time_ms() >= until)
            (void)kill(part->pid, SIGKILL);
        (void)poll(&pfd, 1, 10);
        drain_log(supervisor);
    }
}

/* The engine first: what it has learned last must reach the disk.  Programs
 * may take their time to end. */
static void
stop_parts(struct supervisor *supervisor)
{
    ssize_t ignored = 0;

    if (supervisor->for_good && supervisor->store.stop != -1)
        ignored = write(supervisor->store.stop, "", 1);
    (void)ignored;
    close_fd(&supervisor->runner.stop);
    stop_part(supervisor, &supervisor->engine);
    stop_part(supervisor, &supervisor->store);
    stop_part(supervisor, &supervisor->runner);
    drain_log(supervisor);
}

/* Of itself, not because somebody killed it: then its job goes on at once,
 * and the pause between two starts is enough should it be the kernel, short
 * of memory. */
static bool
is_crash(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM &&
           WTERMSIG(status) != SIGKILL;
}

/* All live until one of them ends.  False: the master is gone. */
static bool
watch_parts(struct supervisor *supervisor)
{
    const bool runs = supervisor->runner.pid != 0;
    bool engine_ended = false, store_ended = false, runner_ended = false;

    while (!engine_ended && !store_ended && !runner_ended) {
        if (!watch(supervisor, 100))
            return false;
        engine_ended = reap(&supervisor->engine);
        store_ended = reap(&supervisor->store);
        runner_ended = runs && reap(&supervisor->runner);
    }
    drain_log(supervisor);
    if (runner_ended)
        report_death(supervisor, &supervisor->runner);
    if (engine_ended)
        report_death(supervisor, &supervisor->engine);
    if (store_ended)
        report_death(supervisor, &supervisor->store);
    supervisor->crashed =
        (engine_ended && is_crash(supervisor->engine.status)) ||
        (store_ended && is_crash(supervisor->store.status));
    return true;
}

static bool
is_unusable(const struct part *store)
{
    return WIFEXITED(store->status) &&
           WEXITSTATUS(store->status) == ACME_EXIT_UNUSABLE;
}

/* False: the master is gone. */
static bool
pause_for(struct supervisor *supervisor, long long ms)
{
    long long until = acme_time_ms() + ms, left;

    while ((left = until - acme_time_ms()) > 0) {
        if (!watch(supervisor, (int)left))
            return false;
    }
    return true;
}

static void
supervise_watcher(struct supervisor *supervisor)
{
    close_fd(&supervisor->ready);
    while (watch(supervisor, WATCHER_MS / 2))
        continue;
}

/* A byte comes before the end then. */
static bool
is_for_good(const struct supervisor *supervisor)
{
    char byte;

    return recv(supervisor->lifetime, &byte, 1, MSG_DONTWAIT) == 1;
}

static void
supervise(struct supervisor *supervisor)
{
    long long pause = PAUSE_LEAST_MS, started;

    for (;;) {
        started = acme_time_ms();
        memset(&supervisor->store, 0, sizeof(struct part));
        memset(&supervisor->engine, 0, sizeof(struct part));
        memset(&supervisor->runner, 0, sizeof(struct part));
        supervisor->store.stop = supervisor->engine.stop = -1;
        supervisor->runner.stop = -1;
        if (start_parts(supervisor) && !watch_parts(supervisor)) {
            supervisor->for_good = is_for_good(supervisor);
            break;
        }
        stop_parts(supervisor);
        if (acme_time_ms() - started > LIVED_S * 1000LL)
            pause = PAUSE_LEAST_MS;
        if (!pause_for(supervisor,
                is_unusable(&supervisor->store) ? UNUSABLE_MS : pause))
            return;
        pause = pause * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause * 2;
    }
    stop_parts(supervisor);
}

/* ---- in the master ---------------------------------------------------- */

static void
become_supervisor(struct supervisor *supervisor)
{
    int keep[32];
    size_t i, n = 0;

    keep[n++] = supervisor->lifetime;
    keep[n++] = supervisor->master;
    keep[n++] = supervisor->ready;
    for (i = 0; i < supervisor->server->nfds && n < 30; i++)
        keep[n++] = supervisor->server->fds[i];
    (void)setsid();
    set_title(supervisor, "acme supervisor");
    /* The server may have syslog(3) open.  Closed behind its back, the number
     * would be one of ours soon, and log() would write there. */
    closelog();
    acme_child_begin("acme-super", keep, n);
    acme_sandbox_process();
    if (!acme_child_log_pair(supervisor->log))
        _exit(ACME_EXIT_FAILED);
    keep_watcher(supervisor);
    if (supervisor->config->answers_only)
        supervise_watcher(supervisor);
    else
        supervise(supervisor);
    stop_part(supervisor, &supervisor->watcher);
    _exit(ACME_EXIT_STOPPED);
}

/* A grandchild is adopted by init: the server does not wonder whose it is. */
static pid_t
fork_supervisor(struct supervisor *supervisor, bool detach)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (!detach || (pid = fork()) == 0)
            become_supervisor(supervisor);
        _exit(pid == -1 ? ACME_EXIT_FAILED : ACME_EXIT_STOPPED);
    }
    if (pid > 0 && detach) {
        while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
            continue;
        /* A server's own SIGCHLD handler may have been quicker: then the
         * status is lost, and the ready pipe or acme_service_alive() tells. */
        return 0;
    }
    return pid;
}

static void
await_ready(int fd)
{
    struct pollfd pfd = { fd, POLLIN, 0 };
    long long until = acme_time_ms() + READY_MS, left;

    while ((left = until - acme_time_ms()) > 0) {
        if (poll(&pfd, 1, (int)left) != -1 || errno != EINTR)
            return;
    }
}

/*
 * Opened here and inherited: the master lives for sure while it starts a
 * service.  The supervisor would come too late for one that is gone, and its
 * process id might be somebody else's already.
 */
static enum acme_rc
open_master(struct supervisor *supervisor, struct acme_error *err)
{
#ifdef SYS_pidfd_open
    pid_t pid = supervisor->server->master;

    if (pid != 0)
        supervisor->master = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pid != 0 && supervisor->master == -1 && errno == ESRCH)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot watch process %ld", (long)pid);
#else
    (void)supervisor;
    (void)err;
#endif
    return ACME_OK;
}

/*
 * The connection is a pair of sockets, not a pipe: shutdown() ends it in all
 * processes that have inherited our end, and when the supervisor is gone
 * already it raises no SIGPIPE, as writing a byte into a pipe would.
 */
enum acme_rc
acme_service_start(const struct acme_config *config, struct acme_area *area,
    const struct acme_server *server, unsigned flags,
    struct acme_service *service, struct acme_error *err)
{
    struct supervisor supervisor;
    int lifetime[2] = { -1, -1 }, ready[2] = { -1, -1 };
    bool wait = (flags & ACME_SERVICE_NO_WAIT) == 0;
    enum acme_rc rc;
    pid_t pid;

    memset(&supervisor, 0, sizeof(supervisor));
    supervisor.config = config;
    supervisor.area = area;
    supervisor.server = server;
    supervisor.master = -1;
    supervisor.watcher.stop = -1;
    supervisor.engine_runner = supervisor.store_runner = -1;
    supervisor.runner_store = -1;
    if ((flags & ACME_SERVICE_RELOAD) != 0)
        supervisor.pace.settle_ms = SETTLE_MS;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifetime) != 0 ||
        (wait && pipe2(ready, O_CLOEXEC) != 0)) {
        rc = acme_error_errno(err, ACME_IO, errno, "cannot make a pipe");
        goto done;
    }
    rc = open_master(&supervisor, err);
    if (rc != ACME_OK)
        goto done;
    supervisor.lifetime = lifetime[0];
    supervisor.ready = ready[1];
    pid = fork_supervisor(&supervisor, (flags & ACME_SERVICE_DETACH) != 0);
    if (pid == -1) {
        rc = acme_error_errno(err, ACME_IO, errno, "cannot fork");
        goto done;
    }
    close_fd(&ready[1]);
    if (wait)
        await_ready(ready[0]);
    service->lifetime = lifetime[1];
    service->pid = pid;
    lifetime[1] = -1;

done:
    close_fd(&lifetime[0]);
    close_fd(&lifetime[1]);
    close_fd(&ready[0]);
    close_fd(&ready[1]);
    close_fd(&supervisor.master);
    return rc;
}

bool
acme_service_alive(const struct acme_service *service)
{
    struct pollfd pfd = { service->lifetime, 0, 0 };

    if (service->lifetime == -1)
        return false;
    /* Without events only an end is reported.  A call that a signal has
     * interrupted has found none. */
    (void)poll(&pfd, 1, 0);
    return pfd.revents == 0;
}

void
acme_service_stop(struct acme_service *service)
{
    if (service->lifetime != -1)
        (void)shutdown(service->lifetime, SHUT_RDWR);
    close_fd(&service->lifetime);
}

void
acme_service_end(struct acme_service *service)
{
    if (service->lifetime != -1)
        (void)send(service->lifetime, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    acme_service_stop(service);
}

void
acme_service_forget(struct acme_service *service)
{
    close_fd(&service->lifetime);
}

/* ---- once, for acmectl ------------------------------------------------ */

static bool
take_answer(int fd, const struct acme_service_work *work)
{
    char text[ACME_LOG_LINE_MAX];
    struct acme_error ignored;
    struct acme_frame frame;
    struct acme_buf data;
    bool ok, good;

    acme_error_clear(&ignored);
    acme_buf_init(&data, ACME_FRAME_MAX);
    good = acme_frame_recv(fd, &data, &ignored) == ACME_OK &&
           acme_frame_open(&frame, data.data, data.len);
    if (good) {
        ok = acme_frame_get_u64(&frame) != 0;
        acme_frame_get_text(&frame, text, sizeof(text));
        good = acme_frame_end(&frame);
        if (good)
            work->done(work->ctx, frame.index, ok, text);
    }
    acme_buf_clear(&data);
    return good;
}

/* Until every lineage has been answered for and the store has ended, which
 * waits for hooks, where there are any; or a part has died. */
static bool
await_work(struct supervisor *supervisor, int answers,
    const struct acme_service_work *work)
{
    struct pollfd pfd = { answers, POLLIN, 0 };
    long long next_tick = acme_time_ms() + 1000;
    size_t left = work->nlineages + work->nrevocations + work->nchecks +
                  (work->account != NULL) +
                  (work->selftest != NULL ? work->selftest->n : 0);

    while (left > 0 || supervisor->runner.pid != 0) {
        bool engine_ended, store_ended;

        (void)watch(supervisor, 50);
        engine_ended = reap(&supervisor->engine);
        store_ended = reap(&supervisor->store);
        while (left > 0 && poll(&pfd, 1, 0) == 1 && take_answer(answers, work))
            left--;
        if (engine_ended || store_ended)
            break;
        if (work->tick != NULL && acme_time_ms() >= next_tick) {
            work->tick(work->ctx);
            next_tick = acme_time_ms() + 1000;
        }
    }
    return left == 0;
}

enum acme_rc
acme_service_run_once(const struct acme_config *config,
    const struct acme_server *server, const struct acme_service_work *work,
    struct acme_error *err)
{
    struct acme_store_errand errand = { work->lineages, work->nlineages,
        work->flags, work->revocation, work->nrevocations, work->account,
        work->check, work->nchecks, work->selftest, -1 };
    struct supervisor supervisor;
    int answers[2], lifetime[2];
    enum acme_rc rc = ACME_OK;

    memset(&supervisor, 0, sizeof(supervisor));
    supervisor.config = config;
    supervisor.server = server;
    supervisor.errand = &errand;
    supervisor.pace.present_ms = PRESENT_OTHERS_MS;
    supervisor.master = supervisor.ready = -1;
    supervisor.store.stop = supervisor.engine.stop = -1;
    supervisor.runner.stop = supervisor.watcher.stop = -1;
    supervisor.engine_runner = supervisor.store_runner = -1;
    supervisor.runner_store = -1;
    if (pipe2(lifetime, O_CLOEXEC) != 0 ||
        !acme_child_log_pair(supervisor.log))
        return acme_error_errno(err, ACME_IO, errno, "cannot make a pipe");
    rc = acme_frame_pair(answers, err);
    if (rc != ACME_OK)
        return rc;
    supervisor.lifetime = lifetime[0];
    errand.answers = answers[1];
    if (!start_parts(&supervisor)) {
        rc = acme_error_errno(err, ACME_IO, errno, "cannot fork");
    } else {
        close(answers[1]);
        if (!await_work(&supervisor, answers[0], work))
            rc = acme_error_set(err, ACME_IO,
                "store or engine ended before the work was done");
    }
    stop_parts(&supervisor);
    close(answers[0]);
    close(lifetime[0]);
    close(lifetime[1]);
    close(supervisor.log[0]);
    close(supervisor.log[1]);
    return rc;
}

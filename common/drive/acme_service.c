#define _GNU_SOURCE
#include "drive/acme_service_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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
#include "drive/acme_sandbox.h"

#define READY_MS 15000

/* Pause before store and engine are started again, doubled up to the most,
 * back to the least when they have lived long enough. */
#define PAUSE_LEAST_MS 250
#define PAUSE_MOST_MS 60000
#define LIVED_S 60

/* A state directory that can't be used is looked at again so often. */
#define UNUSABLE_MS 60000

/* nginx stops its old workers 100 ms after it has started the new ones; a
 * machine under load takes its time. */
#define SETTLE_MS 2000

/* ---- watching ---------------------------------------------------------- */

/* All live until one of them ends.  False: the master is gone. */
static bool
watch_parts(struct supervisor *supervisor)
{
    const bool runs = supervisor->runner.pid != 0;
    bool engine_ended = false, store_ended = false, runner_ended = false;

    while (!engine_ended && !store_ended && !runner_ended) {
        if (!acme_service_watch(supervisor, 100))
            return false;
        engine_ended = acme_service_reap(&supervisor->engine);
        store_ended = acme_service_reap(&supervisor->store);
        runner_ended = runs && acme_service_reap(&supervisor->runner);
    }
    acme_service_drain(supervisor);
    if (runner_ended)
        acme_service_report(supervisor, &supervisor->runner);
    if (engine_ended)
        acme_service_report(supervisor, &supervisor->engine);
    if (store_ended)
        acme_service_report(supervisor, &supervisor->store);
    return true;
}

/* Whoever has died takes the others along, which may be seen first. */
static void
find_cause(struct supervisor *supervisor)
{
    struct part *const parts[] = { &supervisor->store, &supervisor->engine,
        &supervisor->runner };
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!parts[i]->told && WIFSIGNALED(parts[i]->status))
            acme_service_report(supervisor, parts[i]);
    supervisor->crashed = acme_service_is_crash(supervisor->engine.status) ||
                          acme_service_is_crash(supervisor->store.status);
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
        if (!acme_service_watch(supervisor, (int)left))
            return false;
    }
    return true;
}

static void
supervise_watcher(struct supervisor *supervisor)
{
    acme_service_close(&supervisor->ready);
    while (acme_service_watch(supervisor, ACME_WATCHER_MS / 2))
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
        if (acme_service_start_parts(supervisor) && !watch_parts(supervisor)) {
            supervisor->for_good = is_for_good(supervisor);
            acme_service_close(&supervisor->sweeper.stop);
            break;
        }
        acme_service_stop_parts(supervisor);
        find_cause(supervisor);
        if (acme_time_ms() - started > LIVED_S * 1000LL)
            pause = PAUSE_LEAST_MS;
        if (!pause_for(supervisor,
                is_unusable(&supervisor->store) ? UNUSABLE_MS : pause))
            return;
        pause = pause * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause * 2;
    }
    acme_service_stop_parts(supervisor);
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
    acme_service_title(supervisor, "acme supervisor");
    /* The server may have syslog(3) open.  Closed behind its back, the number
     * would be one of ours soon, and log() would write there. */
    closelog();
    acme_child_begin("acme-super", keep, n);
    acme_sandbox_process();
    if (!acme_child_log_pair(supervisor->log))
        _exit(ACME_EXIT_FAILED);
    acme_service_keep_watcher(supervisor);
    if (supervisor->config->answers_only)
        supervise_watcher(supervisor);
    else
        supervise(supervisor);
    acme_service_stop_part(supervisor, &supervisor->sweeper);
    acme_service_stop_part(supervisor, &supervisor->watcher);
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

    acme_service_init(&supervisor, config, server);
    supervisor.area = area;
    supervisor.sweep.wanted = !config->answers_only;
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
    acme_service_close(&ready[1]);
    if (wait)
        await_ready(ready[0]);
    service->lifetime = lifetime[1];
    service->pid = pid;
    lifetime[1] = -1;

done:
    acme_service_close(&lifetime[0]);
    acme_service_close(&lifetime[1]);
    acme_service_close(&ready[0]);
    acme_service_close(&ready[1]);
    acme_service_close(&supervisor.master);
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
    acme_service_close(&service->lifetime);
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
    acme_service_close(&service->lifetime);
}

/*
 * Sweeps: what acmectl has issued and no server has declared is renewed too,
 * while any server runs on the state directory.  Each is a process that looks
 * which lineages those are, has a store and an engine of its own see to what
 * is due, as `acmectl renew` does, says when there will be more to do, and
 * ends.  The supervisor itself reads nothing.
 */
#define _GNU_SOURCE
#include "drive/acme_service_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_obeyed.h"

/* Settings have changed: so soon, and up to as much later, as another server
 * on the state directory has seen the same. */
#define SOON_MS 2000
#define SPREAD_MS 1000

/* The least and the most between two sweeps, and after one that has failed. */
#define LEAST_MS 5000
#define MOST_MS (3600 * 1000LL)
#define FAILED_MS (600 * 1000LL)

/* Between two looks at whether settings have changed. */
#define LOOK_MS 1000

/* ---- in the sweeper --------------------------------------------------- */

struct sweep {
    struct supervisor *supervisor;
    struct acme_child *child;
    struct acme_host host;
    struct acme_config *config;
};

static void
pass_on(void *ctx, enum acme_level level, const char *line)
{
    struct sweep *sweep = ctx;

    sweep->host.log(sweep->host.ctx, level, line);
}

/* Not to be taken for the server's own: "acme sweeping store". */
static void
pass_title(void *ctx, const char *title)
{
    struct sweep *sweep = ctx;
    char own[64];

    (void)snprintf(own, sizeof(own), "acme sweeping %s",
        title + strlen("acme "));
    acme_service_title(sweep->supervisor, own);
}

/* A pipe's writes of that size are whole. */
static void
on_done(void *ctx, size_t lineage, bool ok, const char *text)
{
    struct sweep *sweep = ctx;
    const long long next = strtoll(text, NULL, 10);
    ssize_t ignored;

    (void)lineage;
    (void)ok;
    ignored = write(sweep->child->ready, &next, sizeof(next));
    (void)ignored;
}

/*
 * Nothing that is secret is read here, as what is would be in the engine too.
 * Programs in those settings are run if root alone can change them: of a user
 * for others nobody has said anything.
 */
static enum acme_rc
configure(struct sweep *sweep, struct acme_error *err)
{
    const struct acme_config *servers = sweep->supervisor->config;
    struct acme_store *store = NULL;
    enum acme_rc rc;

    sweep->config = acme_config_new(servers->state_dir, "acmectl", "renew");
    if (sweep->config == NULL)
        return acme_error_nomem(err);
    sweep->config->uid = servers->uid;
    sweep->config->gid = servers->gid;
    sweep->config->served = servers->reach.http == ACME_ARRIVAL_YES;
    rc = acme_store_open(servers->state_dir, ACME_STORE_READ, &store, err);
    if (rc == ACME_OK)
        rc = acme_obeyed_find(sweep->config, store, &sweep->host,
            sweep->supervisor->sweep.is_change, err);
    acme_store_close(store);
    if (rc == ACME_OK)
        rc = acme_config_finish(sweep->config, err);
    return rc;
}

static int
run(struct sweep *sweep)
{
    bool crashed = sweep->supervisor->sweep.crashed;
    const struct acme_server server = { .ctx = sweep,
        .log = pass_on,
        .title = pass_title };
    const struct acme_service_work work = { .sweep = true,
        .stop = &sweep->child->stop,
        .crashed = &crashed,
        .done = on_done,
        .ctx = sweep };
    char line[ACME_LOG_LINE_MAX];
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = configure(sweep, &err);
    if (rc == ACME_OK && sweep->config->nlineages == 0)
        on_done(sweep, 0, true, "0");
    else if (rc == ACME_OK)
        rc = acme_service_run_once(sweep->config, &server, &work, &err);
    if (rc == ACME_OK || !sweep->host.wait(sweep->host.ctx, 0))
        return ACME_EXIT_STOPPED;
    acme_log(&sweep->host, ACME_LOG_ERROR,
        "what acmectl has issued is looked at again in %lld minutes: %s",
        FAILED_MS / 60000, acme_error_line(&err, line, sizeof(line)));
    return crashed ? ACME_EXIT_FAILED : ACME_EXIT_STOPPED;
}

static void
become_sweeper(struct supervisor *supervisor, struct acme_child *child)
{
    int keep[] = { child->stop, child->log, child->ready };
    struct sweep sweep = { supervisor, child, acme_child_host(child), NULL };
    int status;

    acme_service_title(supervisor, "acme sweeper");
    acme_child_begin("acme-sweeper", keep, sizeof(keep) / sizeof(keep[0]));
    acme_area_free(supervisor->area);
    status = run(&sweep);
    acme_config_free(sweep.config);
    _exit(status);
}

/* ---- in the supervisor ------------------------------------------------ */

/* A declaration is a file that was renamed into its place. */
static void
look_at_settings(struct supervisor *supervisor, long long now)
{
    struct timespec *seen = &supervisor->sweep.settings;
    char path[PATH_MAX];
    struct stat st;

    supervisor->sweep.look_at = now + LOOK_MS;
    (void)snprintf(path, sizeof(path), "%s/renewal",
        supervisor->config->state_dir);
    if (stat(path, &st) != 0 || (st.st_mtim.tv_sec == seen->tv_sec &&
                                    st.st_mtim.tv_nsec == seen->tv_nsec))
        return;
    *seen = st.st_mtim;
    supervisor->sweep.is_change = true;
    supervisor->sweep.at = now + SOON_MS + (getpid() * 97LL) % SPREAD_MS;
}

static void
start_sweep(struct supervisor *supervisor, long long now)
{
    int news[2];

    supervisor->sweep.at = now + FAILED_MS;
    if (pipe2(news, O_CLOEXEC | O_NONBLOCK) != 0)
        return;
    if (acme_service_start_part(supervisor, &supervisor->sweeper, -1, news[1],
            become_sweeper))
        supervisor->sweep.news = news[0];
    else
        close(news[0]);
    close(news[1]);
    supervisor->sweep.is_change = false;
}

/* What it says is a time that an engine has said: within bounds. */
static void
end_sweep(struct supervisor *supervisor, long long now)
{
    const int status = supervisor->sweeper.status;
    long long next = 0, ms = FAILED_MS;

    if (read(supervisor->sweep.news, &next, sizeof(next)) ==
        (ssize_t)sizeof(next)) {
        ms = next - (long long)time(NULL);
        ms = next <= 0 || ms > MOST_MS / 1000 ? MOST_MS : ms * 1000;
        ms = ms < LEAST_MS ? LEAST_MS : ms;
    }
    acme_service_close(&supervisor->sweep.news);
    supervisor->sweep.crashed =
        WIFEXITED(status) && WEXITSTATUS(status) == ACME_EXIT_FAILED;
    if (!supervisor->sweep.is_change)
        supervisor->sweep.at = now + ms;
}

void
acme_service_keep_sweeper(struct supervisor *supervisor)
{
    const long long now = acme_time_ms();

    if (!supervisor->sweep.wanted)
        return;
    if (now >= supervisor->sweep.look_at)
        look_at_settings(supervisor, now);
    if (!acme_service_reap(&supervisor->sweeper))
        return;
    if (supervisor->sweep.news != -1)
        end_sweep(supervisor, now);
    if (supervisor->sweep.at != 0 && now >= supervisor->sweep.at)
        start_sweep(supervisor, now);
}

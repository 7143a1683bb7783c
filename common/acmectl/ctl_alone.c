#include "acmectl/ctl_alone.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drive/acme_host_check.h"
#include "drive/acme_service.h"
#include "state/acme_frame.h"

/* ---- progress --------------------------------------------------------- */

void
ctl_progress_clear(void)
{
    if (isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
}

void
ctl_progress_tick(void *progress)
{
    const struct ctl_progress *at = progress;

    if (at->ctl->quiet || !isatty(STDERR_FILENO))
        return;
    (void)fprintf(stderr, "\r\033[K%s %s ... %lld s", at->what, at->of,
        (long long)(time(NULL) - at->since));
}

/* ---- the configuration ------------------------------------------------ */

/* Who programs are run as that root must not run: of a server that may not
 * have the lineage, nobody has said. */
static enum acme_rc
choose_users(const struct ctl_alone *alone, struct acme_error *err)
{
    struct acme_config *config = alone->config;
    const unsigned other = geteuid() == 0 ? 65534 : 0;
    const bool trial = (alone->flags & ACME_RENEW_TRIAL) != 0;
    const uid_t uid = trial ? config->server_uid : 0;
    const gid_t gid = trial ? config->server_gid : 0;
    enum acme_rc rc = acme_host_engine_user(config, NULL, other, other, err);

    config->server_uid = uid;
    config->server_gid = gid;
    return rc;
}

/* ---- work ------------------------------------------------------------- */

static void
on_line(void *ctx, enum acme_level level, const char *line)
{
    struct ctl_alone *alone = ctx;

    if (level <= ACME_LOG_WARN || alone->progress.ctl->verbose > 0)
        ctl_progress_clear();
    ctl_log(alone->progress.ctl, level, line);
}

static void
on_done(void *ctx, size_t lineage, bool ok, const char *text)
{
    struct ctl_alone *alone = ctx;

    if (lineage < alone->config->nlineages)
        alone->done(alone->ctx, lineage, ok, text);
}

static void
on_tick(void *ctx)
{
    struct ctl_alone *alone = ctx;

    ctl_progress_tick(&alone->progress);
}

static bool
on_ask(void *ctx, const char *text, bool waits)
{
    bool done = true;

    (void)ctx;
    ctl_progress_clear();
    if (waits)
        done = ctl_ask_done(text);
    else
        (void)fprintf(stderr, "%s\n", text);
    return done;
}

/* Whether there is a lineage that only a server can answer for. */
static bool
needs_server(const struct acme_config *config)
{
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        if (config->lineage[i].proof->answer.by == ACME_ANSWERER_SERVER)
            return true;
    return false;
}

int
ctl_alone_run(struct ctl_alone *alone)
{
    struct acme_config *config = alone->config;
    struct acme_server server = { .ctx = alone, .log = on_line };
    struct acme_service_work work = { .nlineages = config->nlineages,
        .flags = alone->flags,
        .done = on_done,
        .tick = on_tick,
        .ask = alone->asks ? on_ask : NULL,
        .ctx = alone };
    struct acme_error err;
    size_t *lineages = calloc(config->nlineages + 1, sizeof(*lineages));
    size_t i;

    acme_error_clear(&err);
    if (lineages == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    for (i = 0; i < config->nlineages; i++)
        lineages[i] = i;
    config->asks = alone->asks;
    if (!alone->servers && needs_server(config))
        (void)fprintf(stderr,
            "acmectl: no server runs on \"%s\": the CA can "
            "validate names only if another program answers it\n",
            alone->state_dir);
    work.lineages = lineages;
    alone->progress.of =
        config->nlineages == 1 ? config->lineage[0].name : "certificates";
    alone->progress.since = time(NULL);
    if (acme_config_finish(config, &err) == ACME_OK &&
        choose_users(alone, &err) == ACME_OK)
        (void)acme_service_run_once(config, &server, &work, &err);
    free(lineages);
    return err.rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

#include "drive/acme_crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    FREE,
    RUNNING,
    ENDED
};

/* A client, and whether a job has it. */
struct line {
    struct acme_client *client;
    bool taken;
};

struct seat {
    atomic_int state;
    struct acme_crew *crew;
    pthread_t thread;
    bool threaded;
    size_t ca;
    struct line *line; /* NULL: none could be opened */
    struct acme_job job;
    struct acme_job_result result;
    struct acme_error err;
};

struct acme_crew {
    struct acme_crew_conf conf;
    size_t *ca;                            /* nissuers */
    struct line (*line)[ACME_JOBS_PER_CA]; /* nissuers */
    struct seat seat[ACME_JOBS_MAX];
};

/* ---- life ------------------------------------------------------------- */

static size_t
first_of(const struct acme_config *config, size_t issuer)
{
    size_t i;

    for (i = 0; i < issuer; i++)
        if (strcmp(config->issuer[i].directory,
                config->issuer[issuer].directory) == 0)
            break;
    return i;
}

enum acme_rc
acme_crew_new(const struct acme_crew_conf *conf, struct acme_crew **out,
    struct acme_error *err)
{
    struct acme_crew *crew = calloc(1, sizeof(*crew));
    size_t i, n = conf->config->nissuers;

    if (crew == NULL)
        return acme_error_nomem(err);
    crew->conf = *conf;
    crew->ca = calloc(n + 1, sizeof(crew->ca[0]));
    crew->line = calloc(n + 1, sizeof(crew->line[0]));
    for (i = 0; i < ACME_JOBS_MAX; i++) {
        crew->seat[i].crew = crew;
        atomic_init(&crew->seat[i].state, FREE);
    }
    if (crew->ca == NULL || crew->line == NULL) {
        acme_crew_free(crew);
        return acme_error_nomem(err);
    }
    for (i = 0; i < n; i++)
        crew->ca[i] = first_of(conf->config, i);
    *out = crew;
    return ACME_OK;
}

void
acme_crew_free(struct acme_crew *crew)
{
    size_t i, k;

    if (crew == NULL)
        return;
    acme_crew_join(crew);
    for (i = 0; crew->line != NULL && i < crew->conf.config->nissuers; i++)
        for (k = 0; k < ACME_JOBS_PER_CA; k++)
            acme_client_free(crew->line[i][k].client);
    free(crew->line);
    free(crew->ca);
    free(crew);
}

/* ---- clients ---------------------------------------------------------- */

static const char **
other_directories(const struct acme_config *config, size_t issuer, size_t *n)
{
    const char **others = calloc(config->nissuers + 1, sizeof(*others));
    size_t i;

    *n = 0;
    for (i = 0; others != NULL && i < config->nissuers; i++) {
        if (strcmp(config->issuer[i].directory,
                config->issuer[issuer].directory) != 0)
            others[(*n)++] = config->issuer[i].directory;
    }
    return others;
}

static enum acme_rc
open_line(struct acme_crew *crew, size_t issuer, struct line *line,
    struct acme_error *err)
{
    struct acme_network *network = &crew->conf.network;
    struct acme_client_conf conf;
    struct acme_transport transport;
    const char **others = NULL;
    enum acme_rc rc;

    rc = network->open(network->ctx, issuer, &transport, err);
    if (rc != ACME_OK)
        return rc;
    others = other_directories(crew->conf.config, issuer, &conf.nother);
    if (others == NULL)
        return acme_error_nomem(err);
    conf.directory_url = crew->conf.config->issuer[issuer].directory;
    conf.other_directories = others;
    line->client = acme_client_new(&conf, crew->conf.host, transport);
    free(others);
    return line->client != NULL ? ACME_OK : acme_error_nomem(err);
}

/* One that has been used before, if there is one.  NULL: `err` says why. */
static struct line *
take_line(struct acme_crew *crew, size_t issuer, struct acme_error *err)
{
    struct line *lines = crew->line[issuer], *unused = NULL;
    size_t i;

    for (i = 0; i < ACME_JOBS_PER_CA; i++) {
        if (lines[i].taken)
            continue;
        if (lines[i].client != NULL) {
            lines[i].taken = true;
            return &lines[i];
        }
        if (unused == NULL)
            unused = &lines[i];
    }
    if (unused == NULL || open_line(crew, issuer, unused, err) != ACME_OK)
        return NULL;
    unused->taken = true;
    return unused;
}

/* ---- seats ------------------------------------------------------------ */

size_t
acme_crew_ca(const struct acme_crew *crew, size_t issuer)
{
    return crew->ca[issuer];
}

static int
state_of(const struct seat *seat)
{
    return atomic_load_explicit(&seat->state, memory_order_acquire);
}

static struct seat *
free_seat(struct acme_crew *crew)
{
    size_t i;

    for (i = 0; i < ACME_JOBS_MAX; i++)
        if (state_of(&crew->seat[i]) == FREE)
            return &crew->seat[i];
    return NULL;
}

bool
acme_crew_has_room(const struct acme_crew *crew, size_t ca)
{
    size_t i, taken = 0, same = 0;

    for (i = 0; i < ACME_JOBS_MAX; i++) {
        if (state_of(&crew->seat[i]) == FREE)
            continue;
        taken++;
        same += crew->seat[i].ca == ca;
    }
    return taken < ACME_JOBS_MAX && same < ACME_JOBS_PER_CA;
}

static void
work(struct seat *seat)
{
    if (seat->line != NULL)
        (void)acme_job_run(&seat->job, &seat->result, &seat->err);
    atomic_store_explicit(&seat->state, ENDED, memory_order_release);
}

static void *
thread(void *data)
{
    struct seat *seat = data;
    const struct acme_crew_conf *conf = &seat->crew->conf;

    work(seat);
    conf->wake(conf->wake_ctx);
    return NULL;
}

bool
acme_crew_start(struct acme_crew *crew, size_t unit, bool force)
{
    const struct acme_crew_conf *conf = &crew->conf;
    size_t issuer = conf->config->lineage[acme_unit_lineage(unit)].issuer;
    struct seat *seat = free_seat(crew);

    if (seat == NULL)
        return false;
    memset(&seat->result, 0, sizeof(seat->result));
    acme_error_clear(&seat->err);
    seat->ca = crew->ca[issuer];
    seat->line = take_line(crew, issuer, &seat->err);
    seat->job = (struct acme_job){ .config = conf->config,
        .host = conf->host,
        .vault = conf->vault,
        .unit = unit,
        .client = seat->line != NULL ? seat->line->client : NULL,
        .force = force,
        .present_ms = conf->present_ms };
    atomic_store_explicit(&seat->state, RUNNING, memory_order_relaxed);

    /* Without a thread it takes longer, and that is all. */
    seat->threaded = conf->wake != NULL &&
                     pthread_create(&seat->thread, NULL, thread, seat) == 0;
    if (!seat->threaded)
        work(seat);
    return true;
}

static void
join(struct seat *seat)
{
    if (seat->threaded)
        (void)pthread_join(seat->thread, NULL);
    seat->threaded = false;
}

bool
acme_crew_take(struct acme_crew *crew, struct acme_crew_ended *ended)
{
    struct seat *seat = NULL;
    size_t i;

    for (i = 0; i < ACME_JOBS_MAX && seat == NULL; i++)
        if (state_of(&crew->seat[i]) == ENDED)
            seat = &crew->seat[i];
    if (seat == NULL)
        return false;
    join(seat);
    ended->unit = seat->job.unit;
    ended->force = seat->job.force;
    ended->result = seat->result;
    ended->err = seat->err;
    if (seat->line != NULL)
        seat->line->taken = false;
    atomic_store_explicit(&seat->state, FREE, memory_order_relaxed);
    return true;
}

void
acme_crew_join(struct acme_crew *crew)
{
    size_t i;

    for (i = 0; i < ACME_JOBS_MAX; i++)
        join(&crew->seat[i]);
}

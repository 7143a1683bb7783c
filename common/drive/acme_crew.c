#include "drive/acme_crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hundreds of the usual 8 MB are refused where memory is not overcommitted. */
#define STACK_SIZE ((size_t)1024 * 1024)

enum {
    FREE,
    RUNNING,
    ENDED
};

struct line {
    struct acme_connection *connection;
    bool taken;
};

struct seat {
    atomic_int state;
    struct acme_crew *crew;
    pthread_t thread;
    bool threaded;
    size_t issuer;
    struct line *line;     /* with a turn; else NULL */
    struct seat *behind;   /* in the queue for one */
    pthread_cond_t turn;   /* it has been given */
    struct acme_host host; /* the crew's, but waiting gives the turn away */
    struct acme_job job;
    acme_crew_errand *errand; /* instead of the job; or NULL */
    void *errand_ctx;
    struct acme_job_result result;
    bool look;
    char ari_id[sizeof(((struct acme_leaf *)0)->ari_id)];
    struct acme_renewal renewal;
    struct acme_error err;
};

/* Jobs of a CA. */
struct count {
    unsigned open;
    unsigned working;
    bool expected;      /* one that has not begun wants a turn */
    bool look_expected; /* and so does a look */
};

struct acme_crew {
    struct acme_crew_conf conf;
    size_t *ca; /* nissuers */
    struct seat *seat;
    pthread_mutex_t lock; /* of all that follows */
    struct seat *first;   /* of those that want a turn again */
    unsigned working;
    struct count *count;                   /* nissuers */
    struct line (*line)[ACME_JOBS_PER_CA]; /* nissuers */
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

static bool
make_seats(struct acme_crew *crew)
{
    size_t i;

    crew->seat = calloc(ACME_JOBS_OPEN, sizeof(crew->seat[0]));
    for (i = 0; crew->seat != NULL && i < ACME_JOBS_OPEN; i++) {
        crew->seat[i].crew = crew;
        (void)pthread_cond_init(&crew->seat[i].turn, NULL);
        atomic_init(&crew->seat[i].state, FREE);
    }
    return crew->seat != NULL;
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
    (void)pthread_mutex_init(&crew->lock, NULL);
    crew->ca = calloc(n + 1, sizeof(crew->ca[0]));
    crew->count = calloc(n + 1, sizeof(crew->count[0]));
    crew->line = calloc(n + 1, sizeof(crew->line[0]));
    if (crew->ca == NULL || crew->count == NULL || crew->line == NULL ||
        !make_seats(crew)) {
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
    struct acme_crew_ended ignored;
    size_t i, k;

    if (crew == NULL)
        return;
    acme_crew_join(crew);
    while (crew->seat != NULL && acme_crew_take(crew, &ignored))
        continue;
    for (i = 0; crew->line != NULL && i < crew->conf.config->nissuers; i++)
        for (k = 0; k < ACME_JOBS_PER_CA; k++)
            acme_connection_free(crew->line[i][k].connection);
    for (i = 0; crew->seat != NULL && i < ACME_JOBS_OPEN; i++)
        (void)pthread_cond_destroy(&crew->seat[i].turn);
    (void)pthread_mutex_destroy(&crew->lock);
    free(crew->line);
    free(crew->count);
    free(crew->seat);
    free(crew->ca);
    free(crew);
}

/* ---- connections ------------------------------------------------------ */

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
    struct acme_connection_conf conf;
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
    line->connection = acme_connection_new(&conf, crew->conf.host, transport);
    free(others);
    return line->connection != NULL ? ACME_OK : acme_error_nomem(err);
}

/* All that an issuer may need, so that none is missing later: whoever has a
 * turn has a line. */
static enum acme_rc
open_lines(struct acme_crew *crew, size_t issuer, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < ACME_JOBS_PER_CA && rc == ACME_OK; i++)
        if (crew->line[issuer][i].connection == NULL)
            rc = open_line(crew, issuer, &crew->line[issuer][i], err);
    return rc;
}

/* The first is the one that has been used before. */
static struct line *
free_line(struct line lines[ACME_JOBS_PER_CA])
{
    while (lines->taken)
        lines++;
    return lines;
}

/* ---- turns ------------------------------------------------------------ */

static bool
has_turn(const struct acme_crew *crew, size_t ca)
{
    return crew->working < ACME_JOBS_MAX &&
           crew->count[ca].working < ACME_JOBS_PER_CA;
}

static bool
is_expected(const struct count *count)
{
    return count->look_expected ||
           (count->expected && count->open < ACME_JOBS_OPEN_PER_CA);
}

/* The same for one that goes on. */
static bool
may_go_on(const struct acme_crew *crew, size_t ca)
{
    const struct count *count = &crew->count[ca];

    return has_turn(crew, ca) &&
           !(is_expected(count) && count->working + 1 == ACME_JOBS_PER_CA);
}

/* With crew->lock, and a turn to be had. */
static void
begin_turn(struct seat *seat)
{
    struct acme_crew *crew = seat->crew;

    crew->working++;
    crew->count[crew->ca[seat->issuer]].working++;
    seat->line = free_line(crew->line[seat->issuer]);
    seat->line->taken = true;
    acme_client_use(seat->job.client, seat->line->connection);
}

/* With crew->lock: to those that go on, in the order they have come. */
static void
give_turns(struct acme_crew *crew)
{
    struct seat **place = &crew->first, *seat;

    while ((seat = *place) != NULL && crew->working < ACME_JOBS_MAX) {
        if (may_go_on(crew, crew->ca[seat->issuer])) {
            *place = seat->behind;
            begin_turn(seat);
            (void)pthread_cond_signal(&seat->turn);
        } else {
            place = &seat->behind;
        }
    }
}

static void
end_turn(struct seat *seat)
{
    struct acme_crew *crew = seat->crew;

    (void)pthread_mutex_lock(&crew->lock);
    crew->working--;
    crew->count[crew->ca[seat->issuer]].working--;
    seat->line->taken = false;
    seat->line = NULL;
    give_turns(crew);
    (void)pthread_mutex_unlock(&crew->lock);
}

static void
want_turn(struct seat *seat)
{
    struct acme_crew *crew = seat->crew;
    struct seat **place = &crew->first;

    (void)pthread_mutex_lock(&crew->lock);
    while (*place != NULL)
        place = &(*place)->behind;
    *place = seat;
    seat->behind = NULL;
    give_turns(crew);
    while (seat->line == NULL)
        (void)pthread_cond_wait(&seat->turn, &crew->lock);
    (void)pthread_mutex_unlock(&crew->lock);
}

static void
wake(const struct acme_crew *crew)
{
    if (crew->conf.wake != NULL)
        crew->conf.wake(crew->conf.wake_ctx);
}

/* ---- the host of a job ------------------------------------------------ */

static const struct acme_host *
host_of(void *ctx)
{
    const struct seat *seat = ctx;

    return seat->crew->conf.host;
}

static void
seat_log(void *ctx, enum acme_level level, const char *line)
{
    host_of(ctx)->log(host_of(ctx)->ctx, level, line);
}

static time_t
seat_now(void *ctx)
{
    return host_of(ctx)->now(host_of(ctx)->ctx);
}

static bool
seat_wait(void *ctx, unsigned ms)
{
    const struct acme_host *host = host_of(ctx);
    struct seat *seat = ctx;
    bool goes_on;

    if (ms == 0)
        return host->wait(host->ctx, 0);
    end_turn(seat);
    wake(seat->crew);
    goes_on = host->wait(host->ctx, ms);
    want_turn(seat);
    return goes_on;
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
find_seat(struct acme_crew *crew, int state)
{
    size_t i;

    for (i = 0; i < ACME_JOBS_OPEN; i++)
        if (state_of(&crew->seat[i]) == state)
            return &crew->seat[i];
    return NULL;
}

bool
acme_crew_has_room(struct acme_crew *crew, size_t ca, bool wanted)
{
    struct count *count = &crew->count[ca];
    bool room;

    (void)pthread_mutex_lock(&crew->lock);
    room = wanted && has_turn(crew, ca) &&
           count->open < ACME_JOBS_OPEN_PER_CA &&
           find_seat(crew, FREE) != NULL;
    count->expected = wanted;
    give_turns(crew);
    (void)pthread_mutex_unlock(&crew->lock);
    return room;
}

static void
run_errand(struct seat *seat)
{
    const struct acme_job *job = &seat->job;
    struct acme_enroll account = { job->host, job->vault, job->client,
        &job->config->issuer[seat->issuer], seat->issuer };

    (void)seat->errand(&account, seat->errand_ctx, &seat->err);
}

static void
work(struct seat *seat)
{
    if (seat->look)
        (void)acme_renewal_get(acme_client_connection(seat->job.client),
            seat->ari_id, &seat->renewal, &seat->err);
    else if (seat->errand != NULL)
        run_errand(seat);
    else
        (void)acme_job_run(&seat->job, &seat->result, &seat->err);
    end_turn(seat);
    atomic_store_explicit(&seat->state, ENDED, memory_order_release);
}

static void *
thread(void *data)
{
    struct seat *seat = data;
    const struct acme_crew *crew = seat->crew;

    work(seat);
    wake(crew);
    return NULL;
}

static bool
start_thread(struct seat *seat)
{
    pthread_attr_t attr;
    bool good;

    if (pthread_attr_init(&attr) != 0)
        return false;
    good = pthread_attr_setstacksize(&attr, STACK_SIZE) == 0 &&
           pthread_create(&seat->thread, &attr, thread, seat) == 0;
    (void)pthread_attr_destroy(&attr);
    return good;
}

static enum acme_rc
prepare(struct seat *seat, size_t unit, size_t issuer, bool force)
{
    struct acme_crew *crew = seat->crew;
    const struct acme_crew_conf *conf = &crew->conf;

    memset(&seat->result, 0, sizeof(seat->result));
    memset(&seat->renewal, 0, sizeof(seat->renewal));
    acme_error_clear(&seat->err);
    seat->look = false;
    seat->ari_id[0] = '\0';
    seat->issuer = issuer;
    seat->errand = NULL;
    seat->host = (struct acme_host){ seat, seat_log, seat_now, seat_wait };
    seat->job = (struct acme_job){ .config = conf->config,
        .host = &seat->host,
        .vault = conf->vault,
        .unit = unit,
        .issuer = issuer,
        .force = force,
        .trial = conf->trial,
        .present_ms = conf->present_ms,
        .runner = conf->runner,
        .standalone = conf->standalone,
        .preflight = conf->preflight,
        .resolver = conf->resolver };
    seat->job.client = acme_client_new(NULL, &seat->host);
    if (seat->job.client == NULL)
        return acme_error_nomem(&seat->err);
    return open_lines(crew, seat->issuer, &seat->err);
}

/* False: the last turn has been taken by one that had begun. */
static bool
try_turn(struct seat *seat)
{
    struct acme_crew *crew = seat->crew;
    bool free;

    (void)pthread_mutex_lock(&crew->lock);
    free = has_turn(crew, crew->ca[seat->issuer]);
    if (free)
        begin_turn(seat);
    (void)pthread_mutex_unlock(&crew->lock);
    return free;
}

static void
count_open(const struct seat *seat, int change)
{
    struct acme_crew *crew = seat->crew;

    (void)pthread_mutex_lock(&crew->lock);
    crew->count[crew->ca[seat->issuer]].open += (unsigned)change;
    (void)pthread_mutex_unlock(&crew->lock);
}

static void
clear(struct seat *seat)
{
    acme_client_free(seat->job.client);
    seat->job.client = NULL;
    atomic_store_explicit(&seat->state, FREE, memory_order_relaxed);
}

/* `prepared`: what became of that. */
static bool
start(struct seat *seat, enum acme_rc prepared)
{
    if (prepared != ACME_OK) {
        atomic_store_explicit(&seat->state, ENDED, memory_order_relaxed);
    } else if (!try_turn(seat)) {
        clear(seat);
        return false;
    } else {
        atomic_store_explicit(&seat->state, RUNNING, memory_order_relaxed);
        /* Without a thread it takes longer, and that is all. */
        seat->threaded = seat->crew->conf.wake != NULL && start_thread(seat);
        if (!seat->threaded)
            work(seat);
    }
    count_open(seat, 1);
    return true;
}

bool
acme_crew_start(struct acme_crew *crew, size_t unit, size_t issuer,
    long offset, bool force)
{
    struct seat *seat = find_seat(crew, FREE);
    enum acme_rc rc;

    if (seat == NULL)
        return false;
    rc = prepare(seat, unit, issuer, force);
    seat->job.offset = offset;
    return start(seat, rc);
}

/* From here on the last turn at that CA is, or is not, for a look. */
static void
expect_look(struct acme_crew *crew, size_t issuer, bool expected)
{
    (void)pthread_mutex_lock(&crew->lock);
    crew->count[crew->ca[issuer]].look_expected = expected;
    give_turns(crew);
    (void)pthread_mutex_unlock(&crew->lock);
}

bool
acme_crew_look(struct acme_crew *crew, size_t unit, size_t issuer,
    const char *ari_id)
{
    struct seat *seat = find_seat(crew, FREE);
    enum acme_rc rc;
    bool started = false;

    if (seat != NULL) {
        rc = prepare(seat, unit, issuer, false);
        seat->look = true;
        (void)snprintf(seat->ari_id, sizeof(seat->ari_id), "%s", ari_id);
        started = start(seat, rc);
    }
    expect_look(crew, issuer, !started);
    return started;
}

bool
acme_crew_start_errand(struct acme_crew *crew, size_t issuer,
    acme_crew_errand *errand, void *ctx)
{
    struct seat *seat = find_seat(crew, FREE);
    enum acme_rc rc;

    if (seat == NULL)
        return false;
    rc = prepare(seat, 0, issuer, false);
    seat->errand = errand;
    seat->errand_ctx = ctx;
    return start(seat, rc);
}

bool
acme_crew_is_idle(struct acme_crew *crew)
{
    return find_seat(crew, RUNNING) == NULL && find_seat(crew, ENDED) == NULL;
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
    struct seat *seat = find_seat(crew, ENDED);

    if (seat == NULL)
        return false;
    join(seat);
    ended->errand = seat->errand;
    ended->errand_ctx = seat->errand_ctx;
    ended->unit = seat->job.unit;
    ended->issuer = seat->issuer;
    ended->force = seat->job.force;
    ended->look = seat->look;
    ended->renewal = seat->renewal;
    memcpy(ended->ari_id, seat->ari_id, sizeof(ended->ari_id));
    ended->result = seat->result;
    ended->err = seat->err;
    count_open(seat, -1);
    clear(seat);
    return true;
}

void
acme_crew_join(struct acme_crew *crew)
{
    size_t i;

    for (i = 0; crew->seat != NULL && i < ACME_JOBS_OPEN; i++)
        join(&crew->seat[i]);
}

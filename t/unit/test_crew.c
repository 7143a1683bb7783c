/*
 * Jobs side by side, with real threads: the limits, who gets which connection,
 * and what is shared (run it with ThreadSanitizer: make tsan).  The world
 * around the jobs is one process's and not made for threads: a lock keeps
 * them out of it two at a time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "drive/acme_crew.h"
#include "fake_drive.h"

struct world {
    struct fake_drive *d;
    pthread_mutex_t lock;
    struct acme_host host;
    struct acme_vault *vault;
    struct acme_crew *crew;
    struct line {
        struct world *world;
        struct acme_transport transport;
        atomic_int users;
    } line[2 * ACME_JOBS_PER_CA];
    size_t nlines;
    atomic_int woken;
    atomic_bool held;  /* no exchange with a CA goes on */
    atomic_bool night; /* nobody who sleeps wakes up */
    atomic_int asleep;
    atomic_int talking, crowd; /* now, at most */
    atomic_bool shared_line;
};

/* ---- the world, one thread at a time ---------------------------------- */

static void
locked_log(void *ctx, enum acme_level level, const char *line)
{
    struct world *w = ctx;

    (void)pthread_mutex_lock(&w->lock);
    w->d->host.host.log(w->d->host.host.ctx, level, line);
    (void)pthread_mutex_unlock(&w->lock);
}

static time_t
locked_now(void *ctx)
{
    struct world *w = ctx;
    time_t now;

    (void)pthread_mutex_lock(&w->lock);
    now = w->d->host.host.now(w->d->host.host.ctx);
    (void)pthread_mutex_unlock(&w->lock);
    return now;
}

static void
a_moment(void)
{
    (void)nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

static bool
locked_wait(void *ctx, unsigned ms)
{
    struct world *w = ctx;
    bool goes_on;

    (void)atomic_fetch_add(&w->asleep, 1);
    while (ms > 0 && atomic_load(&w->night))
        a_moment();
    (void)atomic_fetch_sub(&w->asleep, 1);
    (void)pthread_mutex_lock(&w->lock);
    goes_on = w->d->host.host.wait(w->d->host.host.ctx, ms);
    (void)pthread_mutex_unlock(&w->lock);
    return goes_on;
}

static enum acme_rc
locked_exchange(void *ctx, struct acme_buf *request, struct acme_buf *reply,
    struct acme_error *err)
{
    struct world *w = ctx;
    enum acme_rc rc;

    (void)pthread_mutex_lock(&w->lock);
    rc = fake_drive_exchange(w->d, request, reply, err);
    (void)pthread_mutex_unlock(&w->lock);
    return rc;
}

static enum acme_rc
locked_perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct line *line = ctx;
    struct world *w = line->world;
    enum acme_rc rc;
    int talking;

    if (atomic_fetch_add(&line->users, 1) != 0)
        atomic_store(&w->shared_line, true);
    talking = atomic_fetch_add(&w->talking, 1) + 1;
    if (talking > atomic_load(&w->crowd))
        atomic_store(&w->crowd, talking);
    while (atomic_load(&w->held))
        a_moment();
    (void)pthread_mutex_lock(&w->lock);
    rc = line->transport.perform(line->transport.ctx, request, response, err);
    (void)pthread_mutex_unlock(&w->lock);
    (void)atomic_fetch_sub(&w->talking, 1);
    (void)atomic_fetch_sub(&line->users, 1);
    return rc;
}

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    struct world *w = ctx;
    struct line *line = &w->line[w->nlines];

    (void)err;
    assert_in_range(w->nlines, 0, 2 * ACME_JOBS_PER_CA - 1);
    w->nlines++;
    line->world = w;
    (void)pthread_mutex_lock(&w->lock);
    line->transport = fake_drive_transport(w->d, issuer);
    (void)pthread_mutex_unlock(&w->lock);
    transport->ctx = line;
    transport->perform = locked_perform;
    return ACME_OK;
}

static void
wake(void *ctx)
{
    struct world *w = ctx;

    (void)atomic_fetch_add(&w->woken, 1);
}

/* ---- setup ------------------------------------------------------------ */

#define NLINEAGES 6 /* of the first CA, and one of the other */

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct acme_crew_conf conf;
    void *drive = NULL;
    char name[32];
    unsigned i;

    assert_non_null(w);
    fake_drive_setup(&drive);
    w->d = drive;
    for (i = 0; i < NLINEAGES; i++) {
        (void)snprintf(name, sizeof(name), "a%u.test", i);
        fake_drive_lineage(w->d, name, 0, name, NULL);
    }
    fake_drive_lineage(w->d, "b.test", 1, "b.test", NULL);
    fake_drive_open(w->d);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->host = (struct acme_host){ w, locked_log, locked_now, locked_wait };
    assert_int_equal(
        acme_vault_new_direct(locked_exchange, w, &w->vault, &w->d->err),
        ACME_OK);
    memset(&conf, 0, sizeof(conf));
    conf.config = w->d->config;
    conf.host = &w->host;
    conf.vault = w->vault;
    conf.network.ctx = w;
    conf.network.open = open_line;
    conf.wake = wake;
    conf.wake_ctx = w;
    assert_int_equal(acme_crew_new(&conf, &w->crew, &w->d->err), ACME_OK);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;
    void *drive = w->d;

    atomic_store(&w->held, false);
    acme_crew_free(w->crew);
    acme_vault_free(w->vault);
    assert_false(atomic_load(&w->shared_line));
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    return fake_drive_teardown(&drive);
}

/* All that run, to their end; how many there were. */
static unsigned
take_all(struct world *w)
{
    struct acme_crew_ended ended;
    unsigned n = 0;

    acme_crew_join(w->crew);
    while (acme_crew_take(w->crew, &ended)) {
        if (ended.err.rc != ACME_OK)
            fail_msg("unit %zu: %s", ended.unit, ended.err.what);
        assert_true(ended.result.ordered);
        assert_int_equal(ended.result.version, 1);
        n++;
    }
    return n;
}

/* ---- tests ------------------------------------------------------------ */

static void
test_limits(void **state)
{
    struct world *w = *state;
    size_t i;

    atomic_store(&w->held, true);
    assert_int_equal(acme_crew_ca(w->crew, 0), 0);
    assert_int_equal(acme_crew_ca(w->crew, 1), 1);
    for (i = 0; i < ACME_JOBS_PER_CA; i++) {
        assert_true(acme_crew_has_room(w->crew, 0, true));
        assert_true(acme_crew_start(w->crew, acme_unit(i, 0), 0, 0, false));
    }
    assert_false(acme_crew_has_room(w->crew, 0, true));
    assert_true(acme_crew_has_room(w->crew, 1, true));
    assert_true(
        acme_crew_start(w->crew, acme_unit(NLINEAGES, 0), 1, 0, false));
    atomic_store(&w->held, false);
    assert_int_equal(take_all(w), ACME_JOBS_PER_CA + 1);
    assert_true(atomic_load(&w->woken) > ACME_JOBS_PER_CA);
    assert_true(acme_crew_has_room(w->crew, 0, true));
    assert_int_equal(fake_ca_accounts(w->d->ca), 1);
    assert_int_equal(fake_ca_issued(w->d->ca), ACME_JOBS_PER_CA);
    assert_int_equal(fake_ca_issued(w->d->other), 1);
}

/* A connection that has been used, with all it knows, before a new one. */
static void
test_connections_reused(void **state)
{
    struct world *w = *state;
    size_t i;

    for (i = 0; i < NLINEAGES; i++) {
        assert_true(acme_crew_start(w->crew, acme_unit(i, 0), 0, 0, false));
        assert_int_equal(take_all(w), 1);
    }
    assert_int_equal(fake_ca_count(w->d->ca, FAKE_DIRECTORY), 1);
}

/* Who waits holds up nobody; a turn is kept for a new one as long as one is
 * expected. */
static void
test_turns(void **state)
{
    struct world *w = *state;
    size_t i;

    w->d->ca->conf.validation_polls = 1;
    atomic_store(&w->night, true);
    for (i = 0; i < NLINEAGES; i++) {
        while (!acme_crew_has_room(w->crew, 0, true))
            a_moment();
        assert_true(acme_crew_start(w->crew, acme_unit(i, 0), 0, 0, false));
    }
    while (atomic_load(&w->asleep) < NLINEAGES)
        a_moment();
    assert_true(acme_crew_has_room(w->crew, 0, true));

    atomic_store(&w->held, true);
    atomic_store(&w->night, false);
    while (atomic_load(&w->talking) < ACME_JOBS_PER_CA - 1)
        a_moment();
    a_moment();
    assert_true(acme_crew_has_room(w->crew, 0, true));
    assert_false(acme_crew_has_room(w->crew, 0, false));
    while (atomic_load(&w->talking) < ACME_JOBS_PER_CA)
        a_moment();
    assert_false(acme_crew_has_room(w->crew, 0, true));
    atomic_store(&w->held, false);
    assert_int_equal(take_all(w), NLINEAGES);
    assert_int_equal(atomic_load(&w->crowd), ACME_JOBS_PER_CA);
    assert_int_equal(fake_ca_count(w->d->ca, FAKE_DIRECTORY),
        ACME_JOBS_PER_CA);
}

static void
test_all_at_once(void **state)
{
    struct world *w = *state;
    struct acme_crew_ended ended;
    size_t started = 0, ended_jobs = 0;

    while (ended_jobs < NLINEAGES) {
        while (started < NLINEAGES && acme_crew_has_room(w->crew, 0, true))
            assert_true(acme_crew_start(w->crew, acme_unit(started++, 0), 0, 0,
                false));
        if (acme_crew_take(w->crew, &ended)) {
            assert_int_equal(ended.err.rc, ACME_OK);
            ended_jobs++;
        } else {
            a_moment();
        }
    }
    assert_int_equal(fake_ca_issued(w->d->ca), NLINEAGES);
    assert_int_equal(w->nlines, ACME_JOBS_PER_CA);
}

/* A look needs a turn as a job does, and it gets one while jobs go on and
 * on. */
static void
test_look(void **state)
{
    struct world *w = *state;
    struct acme_crew_ended ended;
    unsigned looks = 0, jobs = 0;
    bool started = false;
    size_t i;

    w->d->ca->conf.renewal_info = true;
    w->d->ca->conf.renewal_start = FAKE_NOW;
    w->d->ca->conf.renewal_end = FAKE_NOW + 1;
    w->d->ca->conf.validation_polls = 9;
    atomic_store(&w->held, true);
    for (i = 0; i < ACME_JOBS_PER_CA; i++)
        assert_true(acme_crew_start(w->crew, acme_unit(i, 0), 0, 0, false));
    assert_false(acme_crew_look(w->crew, acme_unit(5, 0), 0, "a.b"));
    atomic_store(&w->held, false);
    while (looks == 0) {
        if (!started)
            started = acme_crew_look(w->crew, acme_unit(5, 0), 0, "a.b");
        if (!acme_crew_take(w->crew, &ended)) {
            a_moment();
        } else if (ended.look) {
            looks++;
            assert_int_equal(ended.err.rc, ACME_OK);
            assert_int_equal(ended.unit, acme_unit(5, 0));
            assert_string_equal(ended.ari_id, "a.b");
            assert_int_equal(ended.renewal.end, FAKE_NOW + 1);
        } else {
            jobs++;
        }
    }
    assert_int_equal(jobs + take_all(w), ACME_JOBS_PER_CA);
    assert_string_equal(fake_ca_payload(w->d->ca, FAKE_RENEWAL_INFO), "a.b");
}

/* A stop reaches every job; what was ordered is kept. */
static void
test_stop(void **state)
{
    struct world *w = *state;
    struct acme_crew_ended ended;
    unsigned n = 0;
    size_t i;

    atomic_store(&w->held, true);
    for (i = 0; i < ACME_JOBS_PER_CA; i++)
        assert_true(acme_crew_start(w->crew, acme_unit(i, 0), 0, 0, false));
    (void)pthread_mutex_lock(&w->lock);
    w->d->host.stopping = true;
    (void)pthread_mutex_unlock(&w->lock);
    atomic_store(&w->held, false);
    acme_crew_join(w->crew);
    while (acme_crew_take(w->crew, &ended)) {
        assert_int_equal(ended.err.rc, ACME_STOPPING);
        n++;
    }
    assert_int_equal(n, ACME_JOBS_PER_CA);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limits),
        TEST(test_connections_reused),
        TEST(test_turns),
        TEST(test_all_at_once),
        TEST(test_look),
        TEST(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

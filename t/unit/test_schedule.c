/*
 * When, as tables: the rows of acme_schedule.h, and what an absurd CA, clock
 * or record may put in.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_schedule.h"

#define NOW ((time_t)1795262400)
#define HOUR 3600L
#define DAY (24 * HOUR)

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static const uint32_t randoms[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };

/* ---- renewal ---------------------------------------------------------- */

static void
test_renew_at(void **state)
{
    static const struct {
        long life, least, most; /* seconds after notBefore */
    } rows[] = {
        { 90 * DAY, 60 * DAY - 4 * DAY - DAY / 2,
            60 * DAY + 4 * DAY + DAY / 2 },
        { 10 * DAY, 6 * DAY + 4 * HOUR, 7 * DAY + 4 * HOUR },
        { 10 * DAY - 1, 4 * DAY + 12 * HOUR, 5 * DAY + 12 * HOUR - 2 },
        { 6 * DAY, 3 * DAY - DAY * 3 / 10, 3 * DAY + DAY * 3 / 10 },
        { 3, 1, 1 },
        { 1, 0, 0 },
        { 0, 0, 0 },
        { -DAY, -DAY, -DAY },
    };
    size_t i, j;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        for (j = 0; j < LEN(randoms); j++) {
            time_t at =
                acme_schedule_renew_at(NOW, NOW + rows[i].life, randoms[j]) -
                NOW;

            if (at < rows[i].least || at > rows[i].most)
                fail_msg("life %ld, random %x: %ld", rows[i].life, randoms[j],
                    (long)at);
            if (rows[i].life > 0)
                assert_true(at <= rows[i].life - rows[i].life / 10);
        }
        /* The ends are reached. */
        assert_int_equal(acme_schedule_renew_at(NOW, NOW + rows[i].life, 0),
            NOW + rows[i].least);
        assert_int_equal(
            acme_schedule_renew_at(NOW, NOW + rows[i].life, UINT32_MAX),
            NOW + rows[i].most);
    }
}

static void
test_renew_at_absurd(void **state)
{
    static const time_t times[] = { LONG_MIN, -1, 0, 1, NOW, 4102444800,
        253402300799, LONG_MAX };
    size_t i, j, k;

    (void)state;
    for (i = 0; i < LEN(times); i++)
        for (j = 0; j < LEN(times); j++)
            for (k = 0; k < LEN(randoms); k++) {
                time_t at =
                    acme_schedule_renew_at(times[i], times[j], randoms[k]);

                if (times[j] > times[i] && times[j] > 0)
                    assert_true(at <= times[j] && at >= 0);
                else
                    assert_true(at <= times[i] || times[i] < 0);
            }
}

static void
test_urgency(void **state)
{
    static const struct {
        time_t not_before, not_after;
        enum acme_urgency expected;
    } rows[] = {
        { 0, 0, ACME_URGENT_NOW },
        { NOW - 90 * DAY, NOW - 1, ACME_URGENT_NOW },
        { NOW - 90 * DAY, NOW, ACME_URGENT_NOW },
        { NOW - 90 * DAY, NOW + 1, ACME_URGENT_SOON },
        { NOW - 82 * DAY, NOW + 8 * DAY, ACME_URGENT_SOON },
        { NOW - 81 * DAY, NOW + 9 * DAY, ACME_URGENT_NORMAL },
        { NOW - 60 * DAY, NOW + 30 * DAY, ACME_URGENT_NORMAL },
        { NOW + DAY, NOW + 90 * DAY, ACME_URGENT_NORMAL },
        { LONG_MIN, LONG_MAX, ACME_URGENT_NORMAL },
        { LONG_MAX, LONG_MIN, ACME_URGENT_NOW },
    };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++)
        assert_int_equal(acme_schedule_urgency(rows[i].not_before,
                             rows[i].not_after, NOW, true),
            rows[i].expected);
    /* Without traffic only what has time waits longer. */
    for (i = 0; i < LEN(rows); i++)
        assert_int_equal(acme_schedule_urgency(rows[i].not_before,
                             rows[i].not_after, NOW, false),
            rows[i].expected == ACME_URGENT_NORMAL ? ACME_URGENT_LEAST
                                                   : rows[i].expected);
}

/* ---- what a CA suggests ----------------------------------------------- */

static void
test_pick(void **state)
{
    static const struct {
        time_t pick, start, end;
        time_t least, most;
    } rows[] = {
        { 0, NOW, NOW + DAY, NOW, NOW + DAY - 1 },
        { 0, NOW, NOW + 1, NOW, NOW },
        /* drawn once */
        { NOW + 5, NOW, NOW + DAY, NOW + 5, NOW + 5 },
        { NOW, NOW, NOW + DAY, NOW, NOW },
        { NOW + DAY, NOW, NOW + DAY, NOW + DAY, NOW + DAY },
        { NOW + DAY, NOW - HOUR, NOW + 2 * DAY, NOW + DAY, NOW + DAY },
        /* not in the window any more */
        { NOW - 1, NOW, NOW + DAY, NOW, NOW + DAY - 1 },
        { NOW + DAY + 1, NOW, NOW + DAY, NOW, NOW + DAY - 1 },
        { NOW, NOW - 2 * DAY, NOW - DAY, NOW - 2 * DAY, NOW - DAY - 1 },
    };
    size_t i, j;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        for (j = 0; j < LEN(randoms); j++)
            assert_in_range(acme_schedule_pick(rows[i].pick, rows[i].start,
                                rows[i].end, randoms[j]),
                rows[i].least, rows[i].most);
        assert_int_equal(
            acme_schedule_pick(rows[i].pick, rows[i].start, rows[i].end, 0),
            rows[i].least);
        assert_int_equal(acme_schedule_pick(rows[i].pick, rows[i].start,
                             rows[i].end, UINT32_MAX),
            rows[i].most);
    }
}

/* As likely in one part of the window as in another. */
static void
test_pick_uniform(void **state)
{
    unsigned i, hits[10] = { 0 };

    (void)state;
    for (i = 0; i < 10000; i++)
        hits[(acme_schedule_pick(0, NOW, NOW + 10 * DAY, i * 429497U) - NOW) /
             DAY]++;
    for (i = 0; i < 10; i++)
        assert_in_range(hits[i], 950, 1050);
}

/* Of a life of 90 days, at NOW. */
static void
test_renewal(void **state)
{
    static const struct {
        const char *label;
        long begun, usual, pick, suggested; /* from NOW; 0: as in the struct */
        long at;
        bool is_suggested;
    } rows[] = {
        { "no window", -DAY, 59 * DAY, 0, 0, 59 * DAY, false },
        { "earlier", -DAY, 59 * DAY, 20 * DAY, 0, 20 * DAY, false },
        { "past", -DAY, 59 * DAY, -20 * DAY, 0, -20 * DAY, true },
        { "past and usual past", -70 * DAY, -DAY, -20 * DAY, 0, -20 * DAY,
            false },
        { "later", -DAY, 59 * DAY, 70 * DAY, 0, 70 * DAY, false },
        { "later, usual past", -70 * DAY, -DAY, 5 * DAY, 0, 5 * DAY, false },
        { "too late", -DAY, 59 * DAY, 85 * DAY, 0, 80 * DAY, false },
        { "after expiry", -DAY, 59 * DAY, 900 * DAY, 0, 80 * DAY, false },
        { "expired", -100 * DAY, -40 * DAY, DAY, 0, -19 * DAY, false },
        { "usual put off", -85 * DAY, 4 * DAY, 900 * DAY, 0, 4 * DAY, false },
        /* a twentieth of 90 days is 4.5 */
        { "again", -DAY, 59 * DAY, -20 * DAY, -DAY, 3 * DAY + 12 * HOUR,
            false },
        { "again, later", -DAY, 59 * DAY, 20 * DAY, -DAY, 20 * DAY, false },
        { "again, waited", -5 * DAY, 55 * DAY, -20 * DAY, -5 * DAY, -12 * HOUR,
            true },
        { "again, usual first", -59 * DAY, DAY, -20 * DAY, -DAY, DAY, false },
        { "again, clock set back", -DAY, 59 * DAY, -DAY, 90 * DAY, 59 * DAY,
            false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        struct acme_schedule_renewal renewal = {
            .not_before = NOW + rows[i].begun,
            .not_after = NOW + rows[i].begun + 90 * DAY,
            .usual = NOW + rows[i].usual,
            .pick = rows[i].pick != 0 ? NOW + rows[i].pick : 0,
            .suggested = rows[i].suggested != 0 ? NOW + rows[i].suggested : 0,
        };
        long at = (long)(acme_schedule_renewal(&renewal) - NOW);

        if (at != rows[i].at)
            fail_msg("%s: %ld instead of %ld", rows[i].label, at, rows[i].at);
        if (acme_schedule_is_suggested(NOW + at, renewal.usual, NOW) !=
            rows[i].is_suggested)
            fail_msg("%s: is_suggested", rows[i].label);
    }
}

/* A CA whose windows are always over: at most 4 orders a day, also of
 * certificates of a day. */
static void
test_renewal_always_over(void **state)
{
    static const long lives[] = { DAY, 6 * DAY, 45 * DAY, 90 * DAY };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(lives); i++) {
        struct acme_schedule_renewal renewal = { 0 };
        time_t at = NOW;
        unsigned orders = 0;

        for (;;) {
            renewal.not_before = at;
            renewal.not_after = at + lives[i];
            renewal.usual =
                acme_schedule_renew_at(at, renewal.not_after, 0x80000000);
            renewal.pick = at - HOUR;
            at = acme_schedule_renewal(&renewal);
            if (at < renewal.not_before)
                at = renewal.not_before;
            if (at >= NOW + DAY)
                break;
            orders++;
            assert_in_range(orders, 1, 100);
            if (acme_schedule_is_suggested(at, renewal.usual, at))
                renewal.suggested = at;
        }
        assert_in_range(orders, 1, 4);
    }
}

static void
test_look(void **state)
{
    static const struct {
        long planned; /* from NOW; LONG_MIN: not */
        size_t lineages;
        long least, most;
    } rows[] = {
        { LONG_MIN, 0, 0, 0 },
        { LONG_MIN, 1, 0, 2 },
        { LONG_MIN, 100, 0, 200 },
        { LONG_MIN, 10000, 0, 20000 },
        { LONG_MIN, 10800, 0, 6 * HOUR },
        { LONG_MIN, SIZE_MAX, 0, 6 * HOUR },
        { 5, 1000, 5, 5 },
        { DAY, 1000, DAY, DAY },
        /* over while nobody was there; the clock was wrong */
        { -DAY, 1000, 0, 2000 },
        { 0, 1000, 0, 2000 },
        { 30 * DAY, 1000, 0, 2000 },
    };
    size_t i, j;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        time_t planned =
            rows[i].planned == LONG_MIN ? 0 : NOW + rows[i].planned;

        for (j = 0; j < LEN(randoms); j++)
            assert_in_range(acme_schedule_look(planned, rows[i].lineages, NOW,
                                randoms[j]) -
                                NOW,
                rows[i].least, rows[i].most);
        assert_int_equal(
            acme_schedule_look(planned, rows[i].lineages, NOW, UINT32_MAX) -
                NOW,
            rows[i].most);
    }
}

static void
test_look_after(void **state)
{
    static const struct {
        long retry_after, least, most;
    } rows[] = {
        { -1, 6 * HOUR, 6 * HOUR + 18 * 60 },
        { 0, 60, 63 },
        { 59, 60, 63 },
        { 61, 61, 64 },
        { HOUR, HOUR, HOUR + 180 },
        { DAY, DAY, DAY + 72 * 60 },
        { DAY + 1, DAY, DAY + 72 * 60 },
        { LONG_MAX, DAY, DAY + 72 * 60 },
        { LONG_MIN, 6 * HOUR, 6 * HOUR + 18 * 60 },
    };
    struct acme_error err;
    size_t i;

    (void)state;
    acme_error_clear(&err);
    for (i = 0; i < LEN(rows); i++) {
        assert_int_equal(
            acme_schedule_look_after(NULL, rows[i].retry_after, NOW, 0),
            NOW + rows[i].least);
        assert_int_equal(acme_schedule_look_after(NULL, rows[i].retry_after,
                             NOW, UINT32_MAX),
            NOW + rows[i].most);
        /* So does a failure that names a time. */
        if (rows[i].retry_after <= 0 || rows[i].retry_after > 2 * DAY)
            continue;
        err.retry_at = NOW + rows[i].retry_after;
        assert_int_equal(acme_schedule_look_failed(&err, 3, NOW, 0),
            NOW + rows[i].least);
    }
}

static void
test_look_failed(void **state)
{
    static const struct {
        unsigned failures;
        long most;
    } rows[] = { { 0, 300 }, { 1, 300 }, { 2, 600 }, { 3, 1200 }, { 7, 19200 },
        { 8, 6 * HOUR }, { 64, 6 * HOUR }, { UINT_MAX, 6 * HOUR } };
    struct acme_error err;
    size_t i;

    (void)state;
    acme_error_clear(&err);
    for (i = 0; i < LEN(rows); i++) {
        assert_int_equal(
            acme_schedule_look_failed(&err, rows[i].failures, NOW, 0),
            NOW + rows[i].most);
        assert_int_equal(
            acme_schedule_look_failed(&err, rows[i].failures, NOW, UINT32_MAX),
            NOW + rows[i].most - rows[i].most / 2);
    }
}

/* `since` and `until` are from now. */
static void
test_staple(void **state)
{
    static const struct {
        unsigned percent, seconds;
        long since, until;
        long first, last; /* when, by chance */
    } rows[] = {
        { 0, 0, 0, 3L * DAY, 2L * DAY - 2 * HOUR - 1440, 2L * DAY },
        { 50, 0, 0, 2L * DAY, DAY - 2 * HOUR - 1440, DAY },
        { 0, HOUR, 0, DAY, 23 * HOUR - 360, 23 * HOUR },
        /* as long as all of it, or longer: a third */
        { 0, DAY, 0, DAY, 16 * HOUR - 48 * 60, 16 * HOUR },
        /* past the time: half of what is left */
        { 0, 0, -2L * DAY, DAY - 100, (DAY - 100) / 2, (DAY - 100) / 2 },
        { 0, 0, -6L * DAY, 10 * HOUR, 5 * HOUR, 5 * HOUR },
        { 0, 0, -6L * DAY, 20, ACME_STAPLE_MIN, ACME_STAPLE_MIN },
        /* over, or never valid */
        { 0, 0, -6L * DAY, -DAY, ACME_STAPLE_MIN, ACME_STAPLE_MIN },
        { 0, 0, DAY, 0, ACME_STAPLE_MIN, ACME_STAPLE_MIN },
        { 33, 0, -NOW, -NOW, ACME_STAPLE_MIN, ACME_STAPLE_MIN },
    };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        struct acme_timing timing = { .window_percent = rows[i].percent,
            .window = (unsigned)rows[i].seconds };

        assert_in_range(acme_schedule_staple(&timing, NOW + rows[i].since,
                            NOW + rows[i].until, NOW, 0),
            NOW + rows[i].last - 1, NOW + rows[i].last);
        assert_in_range(acme_schedule_staple(&timing, NOW + rows[i].since,
                            NOW + rows[i].until, NOW, UINT32_MAX),
            NOW + rows[i].first - 1, NOW + rows[i].first + 1);
    }
}

static void
test_look_pause(void **state)
{
    static const struct {
        enum acme_rc rc;
        int status;
        long retry_at; /* from NOW; 0: none */
        unsigned failures;
        long expected;
    } rows[] = {
        { ACME_PROBLEM, 404, 0, 1, 0 },
        { ACME_PROBLEM, 409, 0, 9, 0 },
        { ACME_PROBLEM, 404, HOUR, 1, 0 },
        { ACME_WIRE, 0, 0, 1, 0 },
        { ACME_NOENT, 0, 0, 1, 0 },
        { ACME_NET, 0, 0, 1, 60 },
        { ACME_NET, 0, 0, 2, 120 },
        { ACME_NET, 0, 0, 7, HOUR },
        { ACME_PROBLEM, 500, 0, 1, 60 },
        { ACME_PROBLEM, 429, 0, UINT_MAX, HOUR },
        { ACME_PROBLEM, 429, 1, 1, 60 },
        { ACME_PROBLEM, 503, 2 * HOUR, 1, 2 * HOUR },
        { ACME_PROBLEM, 503, 7 * DAY, 1, DAY },
    };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        struct acme_error err;

        acme_error_clear(&err);
        err.rc = rows[i].rc;
        err.http_status = rows[i].status;
        err.retry_at = rows[i].retry_at != 0 ? NOW + rows[i].retry_at : 0;
        assert_int_equal(
            acme_schedule_look_pause(&err, rows[i].failures, NOW) - NOW,
            rows[i].expected);
    }
}

/* Nothing overflows (the sanitizer looks). */
static void
test_suggested_absurd(void **state)
{
    static const time_t times[] = { LONG_MIN, -1, 0, 1, NOW, 253402300799,
        LONG_MAX };
    size_t i, j, k;

    (void)state;
    for (i = 0; i < LEN(times); i++)
        for (j = 0; j < LEN(times); j++)
            for (k = 0; k < LEN(times); k++) {
                struct acme_schedule_renewal renewal = { times[i], times[j],
                    times[k], times[(i + j) % LEN(times)],
                    times[(j + k) % LEN(times)], false };
                struct acme_error err;

                acme_error_clear(&err);
                err.rc = ACME_NET;
                err.retry_at = times[i];
                (void)acme_schedule_renewal(&renewal);
                if (times[j] > times[i] && times[j] > 0)
                    assert_in_range(
                        acme_schedule_pick(0, times[i], times[j], UINT32_MAX),
                        1, 253402300799);
                assert_true(acme_schedule_look(times[i], 1, times[j], 0) >= 0);
                assert_true(acme_schedule_look_after(NULL, times[i], times[j],
                                UINT32_MAX) > 0);
                assert_true(acme_schedule_look_failed(&err, 1, times[j],
                                UINT32_MAX) > 0);
                assert_true(acme_schedule_look_pause(&err, 1, times[j]) > 0);
            }
}

/* ---- retries ---------------------------------------------------------- */

static struct acme_error
error_of(enum acme_rc rc, const char *type, int status)
{
    struct acme_error err;

    acme_error_clear(&err);
    err.rc = rc;
    err.http_status = status;
    snprintf(err.type, sizeof(err.type), "%s", type);
    return err;
}

/* All waits lie in these bounds, and both are reached. */
static void
check_wait(const struct acme_error *err, unsigned failures, unsigned crashes,
    time_t not_after, long least, long most)
{
    struct acme_schedule_next next;
    time_t low, high;
    size_t i;

    for (i = 0; i < LEN(randoms); i++) {
        next = acme_schedule_after(NULL, err, failures, crashes, NOW,
            not_after, randoms[i]);
        if (next.at < NOW + least || next.at > NOW + most)
            fail_msg("%s %s %d, %u failures: %ld", acme_rc_name(err->rc),
                err->type, err->http_status, failures, (long)(next.at - NOW));
        assert_true(next.why != NULL && next.why[0] != '\0');
    }
    low = acme_schedule_after(NULL, err, failures, crashes, NOW, not_after, 0)
              .at;
    high = acme_schedule_after(NULL, err, failures, crashes, NOW, not_after,
        UINT32_MAX)
               .at;
    assert_int_equal(low < high ? low : high, NOW + least);
    assert_int_equal(low < high ? high : low, NOW + most);
}

struct step {
    unsigned n;
    long least, most;
};

static const struct step network[] = {
    { 0, 8, 15 },
    { 1, 8, 15 },
    { 2, 15, 30 },
    { 3, 30, 60 },
    { 11, 7680, 15360 },
    { 12, 3 * HOUR, 6 * HOUR },
    { 64, 3 * HOUR, 6 * HOUR },
    { UINT_MAX, 3 * HOUR, 6 * HOUR },
};

static const struct step rate_limit[] = {
    { 1, HOUR, HOUR + 360 },
    { 2, 2 * HOUR, 2 * HOUR + 720 },
    { 5, 16 * HOUR, 16 * HOUR + 5760 },
    { 6, DAY, DAY },
    { UINT_MAX, DAY, DAY },
};

static const struct step validation[] = {
    { 1, 900, 990 },
    { 2, 1800, 1980 },
    { 3, 3600, 3960 },
    { 6, 8 * HOUR, 8 * HOUR + 2880 },
    { 7, 12 * HOUR, 12 * HOUR },
    { UINT_MAX, 12 * HOUR, 12 * HOUR },
};

static const struct step wait_for_change[] = {
    { 1, DAY, DAY + 8640 },
    { 2, DAY, DAY + 8640 },
    { UINT_MAX, DAY, DAY + 8640 },
};

#define STEPS(array) (array), LEN(array)

enum other {
    NEVER,
    AT_ONCE,
    AFTER_SOME, /* 3 failures, 10 with a valid certificate */
    IF_LONG     /* so without a certificate */
};

/* When the next CA is tried, of a class without a time of the CA's. */
static void
check_other(const struct acme_error *err, enum other other)
{
    static const struct {
        unsigned failures;
        time_t not_after;
        bool expected[4]; /* of each class */
    } rows[] = {
        { 1, 0, { false, true, false, true } },
        { 2, 0, { false, true, false, true } },
        { 3, 0, { false, true, true, true } },
        { 3, NOW - 1, { false, true, true, true } },
        { 3, NOW + 90 * DAY, { false, true, false, false } },
        { 9, NOW + 90 * DAY, { false, true, false, false } },
        { 10, NOW + 90 * DAY, { false, true, true, false } },
        { UINT_MAX, NOW + 90 * DAY, { false, true, true, false } },
        { 1, NOW + HOUR, { false, true, false, true } },
    };
    size_t i;

    for (i = 0; i < LEN(rows); i++) {
        bool next_ca = acme_schedule_after(NULL, err, rows[i].failures, 0, NOW,
            rows[i].not_after, 9)
                           .next_ca;

        if (next_ca != rows[i].expected[other])
            fail_msg("%s %s %d: row %zu", acme_rc_name(err->rc), err->type,
                err->http_status, i);
    }
}

static const struct trouble {
    enum acme_rc rc;
    const char *type;
    int status;
    const struct step *step;
    size_t nsteps;
    bool wait_for_config;
    enum other other;
} troubles[] = {
    /* Without a problem document: name, connect, TLS, time-out, reset
     * are one class. */
    { ACME_NET, "", 0, STEPS(network), false, AFTER_SOME },
    { ACME_WIRE, "", 200, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "", 500, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "", 502, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "", 503, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "", 504, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "", 403, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "", 429, STEPS(rate_limit), false, IF_LONG },
    { ACME_CONFIG, "", 0, STEPS(wait_for_change), true, AT_ONCE },
    { ACME_REFUSED, "", 0, STEPS(wait_for_change), true, AT_ONCE },
    /* Our own trouble: no other CA helps. */
    { ACME_NOMEM, "", 0, STEPS(network), false, NEVER },
    { ACME_IO, "", 0, STEPS(network), false, NEVER },
    { ACME_CRYPTO, "", 0, STEPS(network), false, NEVER },
    { ACME_NOENT, "", 0, STEPS(network), false, NEVER },
    { ACME_BUSY, "", 0, STEPS(network), false, NEVER },
    { ACME_STOPPING, "", 0, STEPS(network), false, NEVER },
    /* RFC 8555 6.7 */
    { ACME_PROBLEM, "accountDoesNotExist", 400, STEPS(network), false,
        AFTER_SOME },
    { ACME_PROBLEM, "alreadyRevoked", 400, STEPS(network), false, NEVER },
    { ACME_PROBLEM, "badCSR", 400, STEPS(wait_for_change), true, AT_ONCE },
    { ACME_PROBLEM, "badNonce", 400, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "badPublicKey", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_PROBLEM, "badRevocationReason", 400, STEPS(network), false, NEVER },
    { ACME_PROBLEM, "badSignatureAlgorithm", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_UNREADY, "", 0, STEPS(validation), false, NEVER },
    { ACME_PROBLEM, "caa", 403, STEPS(validation), false, NEVER },
    { ACME_PROBLEM, "compound", 400, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "connection", 400, STEPS(validation), false, NEVER },
    { ACME_PROBLEM, "dns", 400, STEPS(validation), false, NEVER },
    { ACME_PROBLEM, "externalAccountRequired", 400, STEPS(wait_for_change),
        true, AT_ONCE },
    { ACME_PROBLEM, "incorrectResponse", 200, STEPS(validation), false,
        NEVER },
    { ACME_PROBLEM, "invalidContact", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_PROBLEM, "malformed", 400, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "orderNotReady", 403, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "rateLimited", 429, STEPS(rate_limit), false, IF_LONG },
    { ACME_PROBLEM, "rateLimited", 503, STEPS(rate_limit), false, IF_LONG },
    { ACME_PROBLEM, "rejectedIdentifier", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_PROBLEM, "serverInternal", 500, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "tls", 400, STEPS(validation), false, NEVER },
    /* in a challenge, and as the answer to a request */
    { ACME_PROBLEM, "unauthorized", 0, STEPS(validation), false, NEVER },
    { ACME_PROBLEM, "unauthorized", 403, STEPS(validation), false,
        AFTER_SOME },
    { ACME_PROBLEM, "unsupportedContact", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_PROBLEM, "unsupportedIdentifier", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_PROBLEM, "userActionRequired", 403, STEPS(wait_for_change), true,
        AT_ONCE },
    /* RFC 9773, profiles, a pause by its type */
    { ACME_PROBLEM, "alreadyReplaced", 409, STEPS(network), false, NEVER },
    { ACME_PROBLEM, "invalidProfile", 400, STEPS(wait_for_change), true,
        AT_ONCE },
    { ACME_PROBLEM, "paused", 429, STEPS(wait_for_change), true, AT_ONCE },
    { ACME_PROBLEM, "somethingNew", 418, STEPS(network), false, AFTER_SOME },
    /* A prefix or another case is another type. */
    { ACME_PROBLEM, "dnsX", 400, STEPS(network), false, AFTER_SOME },
    { ACME_PROBLEM, "DNS", 400, STEPS(network), false, AFTER_SOME },
};

static void
test_rows(void **state)
{
    struct acme_schedule_next next;
    struct acme_error err;
    size_t i, j;

    (void)state;
    for (i = 0; i < LEN(troubles); i++) {
        err = error_of(troubles[i].rc, troubles[i].type, troubles[i].status);
        check_other(&err, troubles[i].other);
        for (j = 0; j < troubles[i].nsteps; j++) {
            const struct step *step = &troubles[i].step[j];

            check_wait(&err, step->n, 0, 0, step->least, step->most);
            next = acme_schedule_after(NULL, &err, step->n, 0, NOW, 0, 9);
            assert_int_equal(next.wait_for_config,
                troubles[i].wait_for_config);
        }
    }
}

/* Every type that the standards have is somebody's decision. */
static void
test_types(void **state)
{
    static const char *const known[] = { "accountDoesNotExist",
        "alreadyReplaced", "alreadyRevoked", "badCSR", "badNonce",
        "badPublicKey", "badRevocationReason", "badSignatureAlgorithm", "caa",
        "compound", "connection", "dns", "externalAccountRequired",
        "incorrectResponse", "invalidContact", "invalidProfile", "malformed",
        "orderNotReady", "paused", "rateLimited", "rejectedIdentifier",
        "serverInternal", "tls", "unauthorized", "unsupportedContact",
        "unsupportedIdentifier", "userActionRequired" };
    static const char *const unknown[] = { "", "autoRenewalCanceled",
        "autoRenewalExpired", "dnsX", "Caa" };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(known); i++)
        if (!acme_schedule_knows(known[i]))
            fail_msg("no row for %s", known[i]);
    for (i = 0; i < LEN(unknown); i++)
        assert_false(acme_schedule_knows(unknown[i]));
}

static void
add_part(struct acme_error *err, const char *type)
{
    snprintf(err->sub[err->nsub].type, sizeof(err->sub[0].type), "%s", type);
    err->nsub_total = ++err->nsub;
}

/* The worst part of a problem decides. */
static void
test_compound(void **state)
{
    static const struct {
        const char *type, *part[3];
        long least, most;
        bool wait_for_config;
    } rows[] = {
        { "compound", { "dns" }, 900, 990, false },
        { "compound", { "dns", "rateLimited" }, HOUR, HOUR + 360, false },
        { "compound", { "rejectedIdentifier", "dns" }, DAY, DAY + 8640, true },
        { "compound", { "caa", "rateLimited", "badCSR" }, DAY, DAY + 8640,
            true },
        { "compound", { "paused", "rejectedIdentifier" }, DAY, DAY + 8640,
            true },
        { "compound", { "who knows" }, 8, 15, false },
        { "malformed", { "serverInternal", "tls" }, 900, 990, false },
        { "unauthorized", { "serverInternal" }, 900, 990, false },
        { "rejectedIdentifier", { "dns" }, DAY, DAY + 8640, true },
    };
    struct acme_error err;
    size_t i, j;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        err = error_of(ACME_PROBLEM, rows[i].type, 403);
        for (j = 0; j < 3 && rows[i].part[j] != NULL; j++)
            add_part(&err, rows[i].part[j]);
        check_wait(&err, 1, 0, 0, rows[i].least, rows[i].most);
        assert_int_equal(
            acme_schedule_after(NULL, &err, 1, 0, NOW, 0, 9).wait_for_config,
            rows[i].wait_for_config);
    }
}

/* No time that it names ends what a person has to end. */
static void
test_paused(void **state)
{
    static const struct {
        const char *type;
        time_t retry_at;
        bool paused;
    } rows[] = {
        { "rateLimited", 0, true },
        { "rateLimited", NOW + 60, true },
        { "unauthorized", 0, true },
        { "malformed", 0, false },
    };
    struct acme_schedule_next next;
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        err = error_of(ACME_PROBLEM, rows[i].type, 429);
        snprintf(err.detail, sizeof(err.detail),
            "Your account is temporarily prevented from requesting "
            "certificates for a.test and possibly others.");
        err.retry_at = rows[i].retry_at;
        next = acme_schedule_after(NULL, &err, 1, 0, NOW, 0, 0);
        assert_int_equal(next.wait_for_config, rows[i].paused);
        assert_int_equal(next.at >= NOW + DAY, rows[i].paused);
        assert_int_equal(strstr(next.why, "portal") != NULL, rows[i].paused);
    }
    err = error_of(ACME_PROBLEM, "rateLimited", 429);
    assert_false(
        acme_schedule_after(NULL, &err, 1, 0, NOW, 0, 0).wait_for_config);
}

/* ---- which CA --------------------------------------------------------- */

/* A time that costs too much of the life makes another CA the better one. */
static void
test_long(void **state)
{
    static const struct {
        const char *type;
        int status;
        long asked, left;
        bool next_ca;
    } rows[] = {
        { "rateLimited", 429, DAY, 30 * DAY, false },
        { "rateLimited", 429, 6 * DAY, 10 * DAY, true },
        { "rateLimited", 429, DAY, 0, true },
        { "rateLimited", 429, 3700, 0, true },
        { "", 503, 40, 0, false },
        { "", 503, HOUR, 0, true },
        { "", 503, HOUR, 4 * HOUR, false },
        { "", 503, HOUR, 2 * HOUR, true },
        { "dns", 400, 6 * DAY, 0, false },
    };
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        err = error_of(ACME_PROBLEM, rows[i].type, rows[i].status);
        err.retry_at = NOW + rows[i].asked;
        assert_int_equal(acme_schedule_after(NULL, &err, 1, 0, NOW,
                             rows[i].left != 0 ? NOW + rows[i].left : 0, 0)
                             .next_ca,
            rows[i].next_ca);
    }
    assert_true(acme_schedule_is_long(LONG_MAX, LONG_MIN, LONG_MIN));
    assert_false(acme_schedule_is_long(LONG_MIN, LONG_MAX, LONG_MAX));
}

static void
test_clock(void **state)
{
    static const struct {
        long next, said, expected; /* from NOW */
    } rows[] = {
        { -5, -10, -5 },
        { 0, -10, 0 },
        { 100, -10, 100 },
        { 100, 0, 100 },
        { 100, 30, 100 }, /* clocks of two machines */
        { 40 * DAY + 100, 40 * DAY, 100 },
        { 40 * DAY + 3 * DAY, 40 * DAY, 3 * DAY },
        { 40 * DAY, 41 * DAY, 0 },
        { 7 * DAY + 8640, -10, 7 * DAY + 8640 },
        { 40 * DAY, -10, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++)
        assert_int_equal(acme_schedule_retry_at(NOW + rows[i].next,
                             NOW + rows[i].said, NOW),
            NOW + rows[i].expected);
    assert_true(acme_schedule_retry_at(LONG_MAX, LONG_MIN, LONG_MIN) >= 0);
    assert_true(acme_schedule_retry_at(LONG_MIN, LONG_MAX, LONG_MAX) <= 0);
    assert_int_equal(acme_schedule_offset(HOUR), 0);
    assert_int_equal(acme_schedule_offset(-HOUR), 0);
    assert_int_equal(acme_schedule_offset(HOUR + 1), HOUR + 1);
    assert_int_equal(acme_schedule_offset(-40 * DAY), -40 * DAY);
}

static void
test_choose(void **state)
{
    static const struct {
        time_t next[3];
        size_t expected;
    } rows[] = {
        { { 0, 0, 0 }, 0 },
        { { NOW, NOW, NOW }, 0 },
        { { NOW + 1, 0, 0 }, 1 },
        { { NOW + 1, NOW + 1, NOW - 5 }, 2 },
        { { NOW + 3, NOW + 2, NOW + 4 }, 1 },
        { { NOW + 2, NOW + 2, NOW + 2 }, 0 },
        { { LONG_MAX, LONG_MAX, LONG_MAX - 1 }, 0 },
        { { NOW + 5, NOW + 9 * DAY, NOW + 1 }, 1 },
        { { NOW + 1, LONG_MIN, 0 }, 1 },
    };
    struct acme_schedule_ca ca[3] = { { 0, 0, false } };
    size_t i, j;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        for (j = 0; j < 3; j++)
            ca[j].next = rows[i].next[j];
        assert_int_equal(acme_schedule_choose(ca, 3, NOW), rows[i].expected);
        assert_int_equal(acme_schedule_choose(ca, 1, NOW), 0);
    }
}

static void
test_crashes(void **state)
{
    static const struct step rows[] = {
        { 1, 60, 66 },
        { 2, 120, 132 },
        { 3, HOUR, HOUR },
        { 4, HOUR, HOUR },
        { UINT_MAX, HOUR, HOUR },
    };
    struct acme_error err = error_of(ACME_OK, "", 0);
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++)
        check_wait(&err, 20, rows[i].n, 0, rows[i].least, rows[i].most);
    /* What the last answer before the crash said does not count. */
    err = error_of(ACME_CONFIG, "rateLimited", 429);
    err.retry_at = NOW + 5;
    check_wait(&err, 1, 1, 0, 60, 66);
}

static void
test_retry_at(void **state)
{
    static const struct {
        const char *type;
        int status;
        unsigned failures;
        time_t retry_at;
        long least, most;
    } rows[] = {
        { "rateLimited", 429, 1, NOW + 600, 600, 610 },
        { "", 503, 1, NOW + 600, 600, 610 },
        { "rejectedIdentifier", 400, 1, NOW + 600, 600, 610 },
        { "dns", 400, 1, NOW + HOUR, HOUR, HOUR + 10 },
        { "rateLimited", 429, 9, NOW + 2 * DAY, 2 * DAY, 2 * DAY + 10 },
        { "rateLimited", 429, UINT_MAX, NOW + 2 * DAY, 2 * DAY, 2 * DAY + 10 },
        /* A week at most. */
        { "rateLimited", 429, 1, NOW + 8 * DAY, 7 * DAY - 10, 7 * DAY },
        { "rateLimited", 429, 1, 4070908800, 7 * DAY - 10, 7 * DAY },
        { "rateLimited", 429, 1, LONG_MAX, 7 * DAY - 10, 7 * DAY },
        { "", 500, 1, LONG_MAX, 7 * DAY - 10, 7 * DAY },
        /* No time, or one that has passed. */
        { "rateLimited", 429, 1, 0, HOUR, HOUR + 360 },
        { "rateLimited", 429, 1, NOW, HOUR, HOUR + 360 },
        { "rateLimited", 429, 1, NOW - 1, HOUR, HOUR + 360 },
        { "rateLimited", 429, 1, -5, HOUR, HOUR + 360 },
        { "rateLimited", 429, 1, LONG_MIN, HOUR, HOUR + 360 },
        { "", 503, 1, NOW - DAY, 8, 15 },
        /* A second each time is no licence to come each second. */
        { "", 503, 5, NOW + 1, 120, 240 },
        { "rateLimited", 429, 12, NOW + 1, 3 * HOUR, 6 * HOUR },
        { "dns", 400, 1, NOW + 1, 900, 990 },
    };
    struct acme_schedule_next next;
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        err = error_of(ACME_PROBLEM, rows[i].type, rows[i].status);
        err.retry_at = rows[i].retry_at;
        check_wait(&err, rows[i].failures, 0, 0, rows[i].least, rows[i].most);
    }
    err = error_of(ACME_PROBLEM, "rejectedIdentifier", 400);
    err.retry_at = NOW + 600;
    next = acme_schedule_after(NULL, &err, 1, 0, NOW, 0, 5);
    assert_false(next.wait_for_config);
    assert_string_equal(next.why, "the CA asked for it");
}

/* Not a failure: the order is being worked on. */
static void
test_later(void **state)
{
    struct acme_error err = error_of(ACME_LATER, "", 0);

    (void)state;
    err.retry_at = NOW + 30;
    check_wait(&err, 9, 0, 0, 30, 40);
    check_wait(&err, 9, 0, NOW + 40, 30, 40);
}

/* Towards the end of a certificate an outage is looked at more often; limits
 * of the CA are not. */
static void
test_end_of_life(void **state)
{
    static const struct {
        const char *type;
        unsigned failures;
        long left, least, most;
    } rows[] = {
        { "", 20, 30 * DAY, 3 * HOUR, 6 * HOUR },
        { "", 20, 18 * HOUR, 3 * HOUR, 6 * HOUR },
        { "", 20, 6 * HOUR, HOUR, 2 * HOUR },
        { "", 20, 600, 100, 200 },
        { "", 20, 45, 8, 15 },
        { "", 20, 1, 8, 15 },
        { "", 1, 600, 8, 15 },
        /* Expired, or none: nothing to save. */
        { "", 20, 0, 3 * HOUR, 6 * HOUR },
        { "", 20, -DAY, 3 * HOUR, 6 * HOUR },
        { "dns", 20, 600, 12 * HOUR, 12 * HOUR },
        { "rateLimited", 20, 600, DAY, DAY },
        { "badCSR", 20, 600, DAY, DAY + 8640 },
    };
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        err = error_of(ACME_PROBLEM, rows[i].type, 500);
        check_wait(&err, rows[i].failures, 0, NOW + rows[i].left,
            rows[i].least, rows[i].most);
    }
}

/* Nothing overflows (the sanitizer looks), and it is always later. */
static void
test_absurd(void **state)
{
    static const time_t times[] = { LONG_MIN, -1, 0, 1, NOW, 4102444800,
        253402300799, LONG_MAX };
    static const unsigned counts[] = { 0, 1, 63, 64, UINT_MAX };
    struct acme_schedule_next next;
    struct acme_error err = error_of(ACME_NET, "", 0);
    size_t i, j, k, l;

    (void)state;
    for (i = 0; i < LEN(times); i++)
        for (j = 0; j < LEN(times); j++)
            for (k = 0; k < LEN(times); k++)
                for (l = 0; l < LEN(counts); l++) {
                    err.retry_at = times[i];
                    next = acme_schedule_after(NULL, &err, counts[l],
                        counts[(l + k) % LEN(counts)], times[j], times[k],
                        UINT32_MAX);
                    assert_true(next.at > 0);
                    assert_true(next.at > times[j] || times[j] > 253402300799);
                }
}

/* ---- names that were left out ----------------------------------------- */

static void
test_complete_at(void **state)
{
    static const struct {
        unsigned times;
        time_t wait;
    } cases[] = { { 0, 86400 }, { 1, 86400 }, { 2, 2 * 86400 },
        { 3, 4 * 86400 }, { 4, 7 * 86400 }, { 4000000000u, 7 * 86400 } };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(acme_schedule_complete_at(cases[i].times, 1000, 0),
            1000 + cases[i].wait);
        assert_int_equal(
            acme_schedule_complete_at(cases[i].times, 1000, UINT32_MAX),
            1000 + cases[i].wait + cases[i].wait / 10);
    }
}

static void
test_is_validation(void **state)
{
    static const struct {
        enum acme_rc rc;
        int status;
        const char *type;
        bool is;
    } cases[] = {
        { ACME_PROBLEM, 0, "dns", true },
        { ACME_PROBLEM, 0, "connection", true },
        { ACME_PROBLEM, 0, "unauthorized", true },
        { ACME_PROBLEM, 0, "incorrectResponse", true },
        { ACME_PROBLEM, 0, "caa", true },
        { ACME_PROBLEM, 0, "tls", true },
        { ACME_PROBLEM, 403, "unauthorized", false },
        { ACME_PROBLEM, 0, "rejectedIdentifier", false },
        { ACME_PROBLEM, 429, "rateLimited", false },
        { ACME_PROBLEM, 0, "serverInternal", false },
        { ACME_PROBLEM, 0, "", false },
        { ACME_NET, 0, "dns", false },
        { ACME_UNREADY, 0, "", false },
        { ACME_OK, 0, "dns", false },
    };
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_error_clear(&err);
        err.rc = cases[i].rc;
        err.http_status = cases[i].status;
        (void)snprintf(err.type, sizeof(err.type), "%s", cases[i].type);
        if (acme_schedule_is_validation(&err) != cases[i].is)
            fail_msg("case %zu", i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renew_at),
        cmocka_unit_test(test_renew_at_absurd),
        cmocka_unit_test(test_urgency),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_pick_uniform),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_renewal_always_over),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_look_after),
        cmocka_unit_test(test_look_failed),
        cmocka_unit_test(test_staple),
        cmocka_unit_test(test_look_pause),
        cmocka_unit_test(test_suggested_absurd),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_compound),
        cmocka_unit_test(test_paused),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_retry_at),
        cmocka_unit_test(test_later),
        cmocka_unit_test(test_end_of_life),
        cmocka_unit_test(test_absurd),
        cmocka_unit_test(test_complete_at),
        cmocka_unit_test(test_is_validation),
    };

    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}

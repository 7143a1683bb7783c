/* acme_meter.h: what is counted of requests and attempts, and told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_meter.h"

struct world {
    struct acme_meter *meter;
    struct acme_error err;
    long long ms;    /* what the clock says, */
    long long takes; /* and how much later it is after a request */
    enum acme_rc rc; /* of it, and of opening a transport */
    bool is_private;
};

static long long
ticks(void *ctx)
{
    const struct world *w = ctx;

    return w->ms;
}

static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct world *w = ctx;

    (void)request;
    (void)response;
    w->ms += w->takes;
    return w->rc == ACME_OK ? ACME_OK : acme_error_set(err, w->rc, "no");
}

static bool
is_private(void *ctx)
{
    const struct world *w = ctx;

    return w->is_private;
}

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    struct world *w = ctx;

    if (w->rc != ACME_OK)
        return acme_error_set(err, w->rc, "no");
    *transport =
        (struct acme_transport){ w, perform, issuer == 1 ? is_private : NULL };
    return ACME_OK;
}

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct acme_meter_conf conf = { 2, { w, open_line }, ticks, w };

    assert_non_null(w);
    acme_error_clear(&w->err);
    assert_int_equal(acme_meter_new(&conf, &w->meter, &w->err), ACME_OK);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_meter_free(w->meter);
    free(w);
    return 0;
}

static struct acme_transport
line(struct world *w, size_t issuer)
{
    struct acme_network network = acme_meter_network(w->meter);
    struct acme_transport transport = { NULL, NULL, NULL };

    w->rc = ACME_OK;
    assert_int_equal(network.open(network.ctx, issuer, &transport, &w->err),
        ACME_OK);
    return transport;
}

static void
ask(struct world *w, const struct acme_transport *transport, long long takes,
    enum acme_rc rc)
{
    w->takes = takes;
    w->rc = rc;
    acme_error_clear(&w->err);
    assert_int_equal(transport->perform(transport->ctx, NULL, NULL, &w->err),
        rc);
}

static void
test_requests(void **state)
{
    struct world *w = *state;
    struct acme_transport first = line(w, 1), second = line(w, 1);
    struct acme_tally tally;

    assert_false(acme_meter_take(w->meter, 1, &tally));
    ask(w, &first, 50, ACME_OK);
    ask(w, &second, 51, ACME_NET);
    ask(w, &second, 40000, ACME_WIRE);
    ask(w, &first, -1000, ACME_OK); /* a clock that is set is no news */
    ask(w, &first, 7, ACME_STOPPING);
    assert_false(acme_meter_take(w->meter, 0, &tally));
    assert_true(acme_meter_take(w->meter, 1, &tally));
    assert_int_equal(tally.count[ACME_TALLY_REQUESTS], 2);
    assert_int_equal(tally.count[ACME_TALLY_REQUESTS + 1], 1);
    assert_int_equal(tally.count[ACME_TALLY_REQUESTS + ACME_TALLY_BOUNDS], 1);
    assert_int_equal(tally.count[ACME_TALLY_MS], 40101);
    assert_int_equal(tally.count[ACME_TALLY_UNANSWERED], 2);
    assert_false(acme_meter_take(w->meter, 1, &tally));
    acme_meter_count(w->meter, 1, ACME_TALLY_ORDERS);
    assert_true(acme_meter_take(w->meter, 1, &tally));
    assert_int_equal(tally.count[ACME_TALLY_ORDERS], 1);
    assert_int_equal(tally.count[ACME_TALLY_MS], 40101);
}

static void
test_transport(void **state)
{
    struct world *w = *state;
    struct acme_transport with = line(w, 1), without = line(w, 0);
    struct acme_network network = acme_meter_network(w->meter);

    assert_null(without.is_private);
    assert_false(with.is_private(with.ctx));
    w->is_private = true;
    assert_true(with.is_private(with.ctx));
    w->rc = ACME_CONFIG;
    assert_int_equal(network.open(network.ctx, 0, &without, &w->err),
        ACME_CONFIG);
}

static void
test_classes(void **state)
{
    (void)state;
    assert_string_equal(acme_tally_failure_word(acme_tally_failure(ACME_NET)),
        "net");
    assert_string_equal(
        acme_tally_failure_word(acme_tally_failure(ACME_CRYPTO)), "other");
    assert_int_equal(acme_tally_failure(ACME_NOMEM), ACME_TALLY_COUNTS - 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_transport, setup, teardown),
        cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * acme_metrics.h: numbers of lineages and CAs, with text of strangers in each
 * label; and what an engine counts (acme_tally.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_metrics.h"
#include "state/acme_tally.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINEAGES 4
#define NOW ((time_t)1795262400) /* 2026-11-21T12:00:00Z */

static const char *const told[LINEAGES] = {
    "{\"name\":\"a.test\",\"state\":\"ok\",\"issuer\":{\"name\":\"ca\"},"
    "\"certificates\":[{\"key\":\"ecdsa:256\","
    "\"not_after\":\"2026-11-21T12:00:01Z\"},{\"key\":\"rsa:2048\","
    "\"not_after\":\"2026-11-21T12:00:02Z\"},{\"key\":\"none\"}],"
    "\"renew_at\":\"2026-11-21T12:00:03Z\",\"failures\":0,"
    "\"last_attempt\":\"2026-11-21T11:59:59Z\"}",
    "{\"name\":\"q\\\"b\\\\n\\n\",\"state\":\"failing\",\"failures\":3,"
    "\"next_attempt\":\"2026-11-21T12:00:04Z\"}",
    NULL,
    "{\"name\":\"new.test\",\"state\":\"of-a-newer-version\"}",
};

static const char *const lines[] = {
    "acme_engine_up 1",
    "acme_engine_start_time_seconds 1795176000",
    "acme_server_info{server=\"nginx\",version=\"0.1\"} 1",
    "acme_certificates{state=\"ok\"} 1",
    "acme_certificates{state=\"failing\"} 1",
    "acme_certificates{state=\"expired\"} 0",
    "acme_certificates{state=\"unknown\"} 2",
    "acme_certificate_info{lineage=\"a.test\",state=\"ok\",issuer=\"ca\"} 1",
    "acme_certificate_expiry_timestamp_seconds{lineage=\"a.test\","
    "key=\"ecdsa:256\"} 1795262401",
    "acme_certificate_expiry_timestamp_seconds{lineage=\"a.test\","
    "key=\"rsa:2048\"} 1795262402",
    "acme_certificate_renewal_timestamp_seconds{lineage=\"a.test\"} "
    "1795262403",
    "acme_certificate_failures{lineage=\"q\\\"b\\\\n\\n\"} 3",
    "acme_certificate_next_attempt_timestamp_seconds{lineage=\"q\\\"b\\\\n"
    "\\n\"} 1795262404",
    "acme_certificate_last_attempt_timestamp_seconds{lineage=\"a.test\"} "
    "1795262399",
    "acme_attempts_total{issuer=\"ca\"} 3",
    "acme_failures_total{issuer=\"ca\",class=\"net\"} 1",
    "acme_failures_total{issuer=\"ca\",class=\"problem\"} 0",
    "acme_failures_total{issuer=\"ca\",class=\"other\"} 1",
    "acme_orders_total{issuer=\"ca\"} 2",
    "acme_certificates_obtained_total{issuer=\"ca\"} 1",
    "acme_ca_requests_unanswered_total{issuer=\"ca\"} 1",
    "acme_ca_request_duration_seconds_bucket{issuer=\"ca\",le=\"0.050\"} 2",
    "acme_ca_request_duration_seconds_bucket{issuer=\"ca\",le=\"0.100\"} 3",
    "acme_ca_request_duration_seconds_bucket{issuer=\"ca\",le=\"30.000\"} 3",
    "acme_ca_request_duration_seconds_bucket{issuer=\"ca\",le=\"+Inf\"} 4",
    "acme_ca_request_duration_seconds_sum{issuer=\"ca\"} 60.101",
    "acme_ca_request_duration_seconds_count{issuer=\"ca\"} 4",
};

struct world {
    struct acme_area *area;
    struct acme_buf out;
    struct acme_error err;
};

static void
put(struct world *w, size_t lineage, const char *text)
{
    assert_int_equal(
        acme_area_put_status(w->area, lineage, text, strlen(text), &w->err),
        ACME_OK);
}

/* As the store renders it. */
static void
put_server(struct world *w)
{
    struct acme_tally tally = { .count = { 0 } }, other = tally;
    struct acme_buf text;
    struct acme_json *json;

    acme_tally_request(&tally, 0, true);
    acme_tally_request(&tally, 50, true);
    acme_tally_request(&tally, 51, true);
    acme_tally_request(&other, 60000, false);
    tally.count[ACME_TALLY_ATTEMPTS] = 3;
    tally.count[ACME_TALLY_ORDERS] = 2;
    other.count[ACME_TALLY_CERTIFICATES] = 1;
    tally.count[acme_tally_failure(ACME_NET)]++;
    tally.count[acme_tally_failure(ACME_IO)]++;
    acme_tally_sum(&tally, &other);
    acme_buf_init(&text, 4096);
    acme_buf_add_str(&text,
        "{\"server\":{\"name\":\"nginx\",\"version\":\"0.1\","
        "\"since\":\"2026-11-20T12:00:00Z\"},\"issuers\":[");
    json = acme_tally_render("ca", &tally);
    assert_int_equal(acme_json_render(json, false, &text, &w->err), ACME_OK);
    acme_json_free(json);
    acme_buf_add_str(&text, "]}");
    put(w, ACME_AREA_SERVER, acme_buf_str(&text));
    acme_buf_clear(&text);
}

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    size_t i;

    assert_non_null(w);
    acme_error_clear(&w->err);
    assert_int_equal(acme_area_new(LINEAGES, 1, &w->area, &w->err), ACME_OK);
    for (i = 0; i < LINEAGES; i++)
        if (told[i] != NULL)
            put(w, i, told[i]);
    put_server(w);
    acme_area_beat(w->area, NOW);
    acme_buf_init(&w->out, acme_metrics_max(LINEAGES));
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_buf_clear(&w->out);
    acme_area_free(w->area);
    free(w);
    return 0;
}

static const char *
render(struct world *w, bool open)
{
    acme_buf_reset(&w->out);
    assert_true(acme_metrics_render(w->area, LINEAGES, NOW, open, &w->out));
    return acme_buf_str(&w->out);
}

static void
expect_line(const char *text, const char *line)
{
    char whole[512];

    (void)snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strstr(text, whole) == NULL)
        fail_msg("\"%s\" is not there:\n%s", line, text);
}

static void
test_samples(void **state)
{
    struct world *w = *state;
    size_t i;
    int open;

    for (open = 0; open < 2; open++)
        for (i = 0; i < COUNT(lines); i++)
            expect_line(render(w, open != 0), lines[i]);
}

static void
test_families(void **state)
{
    struct world *w = *state;
    const char *text = render(w, true);

    expect_line(text, "# TYPE acme_orders counter");
    expect_line(text, "# TYPE acme_certificate info");
    expect_line(text, "# UNIT acme_ca_request_duration_seconds seconds");
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    text = render(w, false);
    expect_line(text, "# TYPE acme_orders_total counter");
    expect_line(text, "# TYPE acme_certificate_info gauge");
    assert_null(strstr(text, "# UNIT"));
    assert_null(strstr(text, "# EOF"));
}

/* Nothing is known, nothing is heard of: no family without a sample. */
static void
test_nothing(void **state)
{
    struct world *w = *state;
    const char *text;

    acme_area_free(w->area);
    assert_int_equal(acme_area_new(LINEAGES, 1, &w->area, &w->err), ACME_OK);
    text = render(w, true);
    expect_line(text, "acme_engine_up 0");
    expect_line(text, "acme_certificates{state=\"unknown\"} 4");
    assert_null(strstr(text, "acme_orders"));
    assert_null(strstr(text, "acme_server"));
    acme_area_beat(w->area, NOW - 600);
    expect_line(render(w, true), "acme_engine_up 0");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples, setup, teardown),
        cmocka_unit_test_setup_teardown(test_families, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Records: out and in again, and whatever else may be in such a file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_record.h"

static void
render(const struct acme_record *record, struct acme_buf *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(text, ACME_STATE_JSON_MAX);
    assert_int_equal(acme_record_render(record, text, &err), ACME_OK);
}

static struct acme_record
parse(const char *text)
{
    struct acme_record record;
    struct acme_error err;

    memset(&record, 0xff, sizeof(record));
    acme_error_clear(&err);
    assert_int_equal(acme_record_parse(text, strlen(text), &record, &err),
        ACME_OK);
    return record;
}

static void
check_equal(const struct acme_record *a, const struct acme_record *b)
{
    unsigned i;

    assert_int_equal(a->attempt, b->attempt);
    assert_int_equal(a->attempt_open, b->attempt_open);
    assert_int_equal(a->nsteps, b->nsteps);
    for (i = 0; i < a->nsteps; i++) {
        assert_string_equal(a->step[i].name, b->step[i].name);
        assert_int_equal(a->step[i].at, b->step[i].at);
    }
    assert_string_equal(a->issuer, b->issuer);
    assert_int_equal(a->issuer_since, b->issuer_since);
    assert_int_equal(a->ca, b->ca);
    for (i = 0; i <= ACME_FALLBACKS_MAX; i++) {
        assert_int_equal(a->list[i].failures, b->list[i].failures);
        assert_int_equal(a->list[i].next, b->list[i].next);
        assert_int_equal(a->list[i].wait_for_config,
            b->list[i].wait_for_config);
    }
    assert_int_equal(a->failures, b->failures);
    assert_int_equal(a->crashes, b->crashes);
    assert_int_equal(a->next_attempt, b->next_attempt);
    assert_int_equal(a->wait_for_config, b->wait_for_config);
    assert_string_equal(a->config, b->config);
    assert_int_equal(a->error_time, b->error_time);
    assert_int_equal(a->clock_ahead, b->clock_ahead);
    assert_int_equal(a->renew_at, b->renew_at);
    assert_string_equal(a->renew_serial, b->renew_serial);
    assert_int_equal(a->renew_usual, b->renew_usual);
    assert_int_equal(a->window.start, b->window.start);
    assert_int_equal(a->window.end, b->window.end);
    assert_int_equal(a->window.pick, b->window.pick);
    assert_string_equal(a->window.explanation, b->window.explanation);
    assert_int_equal(a->window.next_look, b->window.next_look);
    assert_int_equal(a->window.failures, b->window.failures);
    assert_int_equal(a->window.suggested, b->window.suggested);
    assert_string_equal(a->revocation.certificate, b->revocation.certificate);
    assert_int_equal(a->revocation.revoked, b->revocation.revoked);
    assert_string_equal(a->revocation.by, b->revocation.by);
    assert_string_equal(a->revocation.reason, b->revocation.reason);
    assert_int_equal(a->revocation.next_look, b->revocation.next_look);
    assert_int_equal(a->revocation.failures, b->revocation.failures);
    assert_string_equal(a->staple.certificate, b->staple.certificate);
    assert_int_equal(a->staple.this_update, b->staple.this_update);
    assert_int_equal(a->staple.next_update, b->staple.next_update);
    assert_int_equal(a->staple.next_look, b->staple.next_look);
    assert_int_equal(a->staple.failures, b->staple.failures);
    assert_string_equal(a->staple.problem, b->staple.problem);
    assert_int_equal(a->forced, b->forced);
    assert_int_equal(a->error.rc, b->error.rc);
    assert_int_equal(a->error.http_status, b->error.http_status);
    assert_int_equal(a->error.retry_at, b->error.retry_at);
    assert_string_equal(a->error.what, b->error.what);
    assert_string_equal(a->error.type, b->error.type);
    assert_string_equal(a->error.detail, b->error.detail);
    assert_string_equal(a->error.instance, b->error.instance);
    assert_int_equal(a->error.nsub, b->error.nsub);
    assert_int_equal(a->error.nsub_total, b->error.nsub_total);
    for (i = 0; i < a->error.nsub; i++) {
        assert_string_equal(a->error.sub[i].type, b->error.sub[i].type);
        assert_string_equal(a->error.sub[i].identifier,
            b->error.sub[i].identifier);
        assert_string_equal(a->error.sub[i].detail, b->error.sub[i].detail);
    }
}

static void
fill(char *text, size_t size)
{
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
}

/* Every member at its largest. */
static struct acme_record
full_record(void)
{
    struct acme_record record;
    unsigned i;

    acme_record_init(&record);
    record.attempt = 1795262400;
    record.attempt_open = true;
    record.nsteps = ACME_STEPS_MAX;
    for (i = 0; i < ACME_STEPS_MAX; i++) {
        fill(record.step[i].name, sizeof(record.step[i].name));
        record.step[i].at = 1795262400 + (time_t)i;
    }
    fill(record.issuer, sizeof(record.issuer));
    record.issuer_since = 1795262411;
    record.ca = ACME_FALLBACKS_MAX;
    for (i = 0; i <= ACME_FALLBACKS_MAX; i++) {
        record.list[i].failures = 7 - i;
        record.list[i].next = 1795262412 + (time_t)i;
        record.list[i].wait_for_config = true;
    }
    record.failures = UINT32_MAX;
    record.crashes = 3;
    record.next_attempt = 4102444800;
    record.wait_for_config = true;
    fill(record.config, sizeof(record.config));
    record.error_time = 1795262401;
    record.clock_ahead = -3456000;
    record.renew_at = 1795262402;
    fill(record.renew_serial, sizeof(record.renew_serial));
    record.renew_usual = 1795262405;
    record.window.start = 1795262406;
    record.window.end = 1795262407;
    record.window.pick = 1795262408;
    fill(record.window.explanation, sizeof(record.window.explanation));
    record.window.next_look = 1795262409;
    record.window.failures = 5;
    record.window.suggested = 1795262410;
    fill(record.revocation.certificate, sizeof(record.revocation.certificate));
    record.revocation.revoked = true;
    fill(record.revocation.by, sizeof(record.revocation.by));
    fill(record.revocation.reason, sizeof(record.revocation.reason));
    record.revocation.next_look = 1795262420;
    record.revocation.failures = 6;
    fill(record.staple.certificate, sizeof(record.staple.certificate));
    record.staple.this_update = 1795262421;
    record.staple.next_update = 1795262422;
    record.staple.next_look = 1795262423;
    record.staple.failures = 7;
    fill(record.staple.problem, sizeof(record.staple.problem));
    record.forced = 1795262403;
    record.error.rc = ACME_PROBLEM;
    record.error.http_status = 429;
    record.error.retry_at = 1795262404;
    fill(record.error.what, sizeof(record.error.what));
    fill(record.error.type, sizeof(record.error.type));
    fill(record.error.detail, sizeof(record.error.detail));
    fill(record.error.instance, sizeof(record.error.instance));
    record.error.nsub = ACME_SUBPROBLEMS_MAX;
    record.error.nsub_total = 17;
    for (i = 0; i < record.error.nsub; i++) {
        struct acme_subproblem *sub = &record.error.sub[i];

        fill(sub->type, sizeof(sub->type));
        fill(sub->identifier, sizeof(sub->identifier));
        snprintf(sub->detail, sizeof(sub->detail), "\"detail\" %u", i);
    }
    return record;
}

static void
test_round_trip(void **state)
{
    struct acme_record record = full_record(), back;
    struct acme_buf text, again;
    int rc;

    (void)state;
    render(&record, &text);
    back = parse(acme_buf_str(&text));
    check_equal(&record, &back);
    render(&back, &again);
    assert_string_equal(acme_buf_str(&text), acme_buf_str(&again));
    acme_buf_clear(&again);
    acme_buf_clear(&text);
    for (rc = ACME_OK; rc <= ACME_STOPPING; rc++) {
        acme_record_init(&record);
        record.error.rc = (enum acme_rc)rc;
        render(&record, &text);
        back = parse(acme_buf_str(&text));
        check_equal(&record, &back);
        acme_buf_clear(&text);
    }
}

/* What a CA says of a certificate, and what there is to be said of one that
 * is good. */
static void
test_revocation(void **state)
{
    struct acme_record record, back;
    struct acme_buf text;

    (void)state;
    acme_record_init(&record);
    record.revocation.revoked = true; /* of nobody: nothing is written */
    render(&record, &text);
    assert_string_equal(acme_buf_str(&text), "{}\n");
    acme_buf_clear(&text);
    back = parse("{ \"revocation\": { \"certificate\": \"ab12\","
                 " \"revoked\": true, \"by\": \"ocsp\","
                 " \"reason\": \"keyCompromise\" } }");
    assert_true(back.revocation.revoked);
    assert_string_equal(back.revocation.certificate, "ab12");
    assert_string_equal(back.revocation.by, "ocsp");
    assert_string_equal(back.revocation.reason, "keyCompromise");
    render(&back, &text);
    record = parse(acme_buf_str(&text));
    check_equal(&record, &back);
    acme_buf_clear(&text);
    back = parse("{ \"revocation\": { \"certificate\": \"ab12\","
                 " \"next_look\": \"2026-11-21T12:00:00Z\","
                 " \"failures\": 2 } }");
    assert_false(back.revocation.revoked);
    assert_int_equal(back.revocation.next_look, 1795262400);
    assert_int_equal(back.revocation.failures, 2);
    render(&back, &text);
    assert_null(strstr(acme_buf_str(&text), "revoked"));
    assert_null(strstr(acme_buf_str(&text), "reason"));
    acme_buf_clear(&text);
}

static void
test_empty(void **state)
{
    struct acme_record record, back;
    struct acme_error err;
    struct acme_buf text;

    (void)state;
    acme_record_init(&record);
    assert_int_equal(record.error.rc, ACME_OK);
    memset(&back, 0xff, sizeof(back));
    acme_error_clear(&err);
    assert_int_equal(acme_record_parse("", 0, &back, &err), ACME_OK);
    check_equal(&record, &back);
    render(&record, &text);
    assert_string_equal(acme_buf_str(&text), "{}\n");
    back = parse(acme_buf_str(&text));
    check_equal(&record, &back);
    acme_buf_clear(&text);
}

/* The last ones of one attempt. */
static void
test_steps(void **state)
{
    struct acme_record record;
    char name[8];
    unsigned i;

    (void)state;
    acme_record_init(&record);
    assert_string_equal(acme_record_last_step(&record), "");
    for (i = 0; i < ACME_STEPS_MAX + 3; i++) {
        (void)snprintf(name, sizeof(name), "s%u", i);
        acme_record_step(&record, name, 1000 + (time_t)i);
    }
    assert_int_equal(record.nsteps, ACME_STEPS_MAX);
    assert_string_equal(record.step[0].name, "s3");
    assert_int_equal(record.step[0].at, 1003);
    assert_string_equal(acme_record_last_step(&record), name);
    acme_record_step(&record, ACME_STEP_DONE, 2000);
    assert_string_equal(acme_record_last_step(&record), "done");
    acme_record_step(&record, "a step with a very long name\n", 2001);
    assert_int_equal(record.nsteps, 1);
    assert_string_equal(record.step[0].name, "a step with a v");
    acme_record_step(&record, ACME_STEP_FAILED, 2002);
    acme_record_step(&record, "account", 2003);
    assert_int_equal(record.nsteps, 1);
}

/* What does not fit is as if it were not there, and nothing else suffers. */
static void
test_tolerant(void **state)
{
    static const char *const rows[] = {
        "\"unknown\": {\"deep\": [1, 2]}",
        "\"attempt\": 1795262400",
        "\"attempt\": \"yesterday\"",
        "\"attempt\": \"2026-13-01T00:00:00Z\"",
        "\"attempt_open\": \"true\"",
        "\"attempt_open\": 1",
        "\"steps\": 5",
        "\"steps\": [5, {}, {\"step\": \"\"}, {\"step\": 5}]",
        "\"failures\": -1",
        "\"failures\": 4294967296",
        "\"failures\": 9223372036854775807",
        "\"failures\": 1.5",
        "\"failures\": \"2\"",
        "\"crashes\": null",
        "\"next_attempt\": {}",
        "\"config\": []",
        "\"error\": \"net\"",
        "\"error\": []",
        "\"error\": {}",
        "\"error\": {\"result\": \"ok\", \"what\": \"x\"}",
        "\"error\": {\"result\": \"no such\", \"what\": \"x\"}",
        "\"error\": {\"result\": 7, \"what\": \"x\"}",
        "\"error\": {\"what\": \"x\", \"type\": \"dns\"}",
        "\"renew_serial\": false",
        "\"renewal_info\": []",
        "\"renewal_info\": {}",
        "\"renewal_info\": { \"start\": \"2026-11-21T12:00:00Z\" }",
        "\"renewal_info\": { \"end\": 5, \"pick\": true }",
        "\"renewal_info\": { \"pick\": \"2026-11-21T12:00:00Z\" }",
        "\"renewal_info\": { \"start\": \"2026-11-21T12:00:00Z\","
        " \"end\": \"2026-11-21T12:00:00Z\" }",
        "\"renewal_info\": { \"explanation\": {}, \"failures\": -1 }",
        "\"revocation\": true",
        "\"revocation\": [\"revoked\"]",
        "\"revocation\": { \"revoked\": \"true\", \"by\": 1 }",
        "\"revocation\": { \"certificate\": {}, \"reason\": [],"
        " \"next_look\": \"soon\", \"failures\": -1 }",
    };
    struct acme_record expected, record;
    char text[256];
    size_t i;

    (void)state;
    acme_record_init(&expected);
    expected.forced = 1795262400;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text),
            "{ %s, \"forced\": \"2026-11-21T12:00:00Z\" }", rows[i]);
        record = parse(text);
        check_equal(&expected, &record);
    }
}

static void
test_tolerant_error(void **state)
{
    struct acme_record record = parse(
        "{ \"error\": { \"result\": \"problem\", \"http_status\": 70000,"
        " \"retry_at\": true, \"what\": 1, \"detail\": \"kept\","
        " \"subproblems\": [ {\"type\": \"dns\"}, 5, {\"detail\": \"d\"},"
        "   {}, {\"type\": \"fifth\"}, {} ],"
        " \"subproblems_total\": 2 } }");

    (void)state;
    assert_int_equal(record.error.rc, ACME_PROBLEM);
    assert_int_equal(record.error.http_status, 0);
    assert_int_equal(record.error.retry_at, 0);
    assert_string_equal(record.error.what, "");
    assert_string_equal(record.error.detail, "kept");
    assert_int_equal(record.error.nsub, ACME_SUBPROBLEMS_MAX);
    assert_int_equal(record.error.nsub_total, ACME_SUBPROBLEMS_MAX);
    assert_string_equal(record.error.sub[0].type, "dns");
    assert_string_equal(record.error.sub[1].type, "");
    assert_string_equal(record.error.sub[2].detail, "d");
}

/* The engine wrote it, root's terminal shows it. */
static void
test_hostile_text(void **state)
{
    char text[2048], fill_up[1025];
    struct acme_record record;

    (void)state;
    record =
        parse("{ \"steps\": [ { \"step\": \"a\\u001b[2J\\nb\" } ],"
              " \"error\": { \"result\": \"io\","
              " \"what\": \"w\\u001b]0;x\\u0007\","
              " \"detail\": \"\\u202e\", \"type\": \"\\r\","
              " \"subproblems\": [ { \"identifier\": \"\\u009b\" } ] } }");
    assert_null(strpbrk(acme_record_last_step(&record), "\x1b\n"));
    assert_null(strpbrk(record.error.what, "\x1b\x07"));
    assert_null(strstr(record.error.detail, "\xe2\x80\xae"));
    assert_null(strpbrk(record.error.type, "\r"));
    assert_null(strpbrk(record.error.sub[0].identifier, "\xc2\x9b"));
    record = parse("{ \"renewal_info\": { \"explanation\":"
                   " \"https://x/\\u001b[2J\\n\" } }");
    assert_null(strpbrk(record.window.explanation, "\x1b\n"));

    fill(fill_up, sizeof(fill_up));
    snprintf(text, sizeof(text), "{ \"config\": \"%s\" }", fill_up);
    record = parse(text);
    assert_int_equal(strlen(record.config), sizeof(record.config) - 1);
}

static void
test_not_an_object(void **state)
{
    static const char *const rows[] = { "[]", "null", "5", "\"x\"", "{",
        "{} {}", " ", "\xff", "[{}]", "{\"failures\": 1, \"failures\": 2}" };
    struct acme_record record, untouched;
    struct acme_error err;
    size_t i;

    (void)state;
    memset(&untouched, 0x5a, sizeof(untouched));
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&record, 0x5a, sizeof(record));
        acme_error_clear(&err);
        assert_int_equal(
            acme_record_parse(rows[i], strlen(rows[i]), &record, &err),
            ACME_WIRE);
        assert_memory_equal(&record, &untouched, sizeof(record));
        assert_non_null(strstr(err.what, "record"));
    }
}

/* Names that were left out, and what the CA said, made printable. */
static void
test_left_out(void **state)
{
    static const char text[] =
        "{\"left_out\":[{\"name\":\"B.test\",\"type\":\"dns\",\"detail\":"
        "\"no\\nsuch\"},{\"name\":\"../x\"},{\"type\":\"dns\"},7,"
        "{\"name\":\"c.test\"}],\"left_out_serial\":\"0a\",\"left_out_times\":"
        "2,"
        "\"complete_at\":\"2026-11-22T00:00:00Z\"}";
    struct acme_record record, again;
    struct acme_error err;
    struct acme_buf out;
    char line[80];

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_record_parse(text, strlen(text), &record, &err),
        ACME_OK);
    assert_int_equal(record.left_out.n, 2);
    assert_true(acme_left_out_has(&record.left_out, "b.test"));
    assert_true(acme_left_out_has(&record.left_out, "c.test"));
    assert_false(acme_left_out_has(&record.left_out, "a.test"));
    assert_null(strchr(record.left_out.item[0].detail, '\n'));
    assert_string_equal(record.left_out_serial, "0a");
    acme_buf_init(&out, ACME_STATE_JSON_MAX);
    assert_int_equal(acme_record_render(&record, &out, &err), ACME_OK);
    assert_int_equal(
        acme_record_parse(acme_buf_str(&out), out.len, &again, &err), ACME_OK);
    acme_buf_clear(&out);
    assert_memory_equal(&again.left_out.item[0], &record.left_out.item[0],
        sizeof(record.left_out.item[0]));
    assert_int_equal(again.left_out.n, 2);
    assert_int_equal(again.left_out_times, 2);
    assert_int_equal(again.complete_at, record.complete_at);
    assert_int_not_equal(again.complete_at, 0);
    (void)acme_left_out_text(&again.left_out, line, sizeof(line));
    assert_non_null(strstr(line, "\"b.test\" (dns: no"));
    assert_string_equal(acme_left_out_text(&again.left_out, line, 9),
        "\"b.test\"");
}

/* No more than fit, however many there are. */
static void
test_left_out_many(void **state)
{
    struct acme_left_out left_out = { 0 };
    struct acme_error why;
    char name[32];
    unsigned i;

    (void)state;
    acme_error_clear(&why);
    for (i = 0; i < ACME_LEFT_OUT_MAX; i++) {
        (void)snprintf(name, sizeof(name), "n%u.test", i);
        assert_true(acme_left_out_add(&left_out, name, &why));
    }
    assert_false(acme_left_out_add(&left_out, "more.test", &why));
    assert_int_equal(left_out.n, ACME_LEFT_OUT_MAX);
    assert_false(acme_left_out_has(&left_out, "more.test"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_revocation),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_tolerant),
        cmocka_unit_test(test_tolerant_error),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_not_an_object),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_left_out_many),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

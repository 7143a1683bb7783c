/*
 * Events: out and in again, and whatever else may be in such a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_event.h"

#define HOSTILE "a\x1b]0;x\a\nb\r\xe2\x80\xae<script>\xff\""
#define CLEAN "a\\x1b]0;x\\x07\\x0ab\\x0d\\xe2\\x80\\xae<script>\\xff\""

static void
render(const struct acme_event *event, struct acme_buf *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(text, ACME_EVENT_LINE_MAX);
    assert_int_equal(acme_event_render(event, text, &err), ACME_OK);
    assert_null(strchr(acme_buf_str(text), '\n'));
}

static struct acme_event
again(const struct acme_event *event)
{
    struct acme_event out;
    struct acme_error err;
    struct acme_buf text;

    memset(&out, 0xff, sizeof(out));
    acme_error_clear(&err);
    render(event, &text);
    assert_int_equal(
        acme_event_parse(acme_buf_str(&text), text.len, &out, &err), ACME_OK);
    acme_buf_clear(&text);
    return out;
}

static void
test_round(void **state)
{
    struct acme_event event, out;

    (void)state;
    acme_event_init(&event, ACME_EVENT_RENEWED);
    event.at = 1795262400;
    strcpy(event.lineage, "a.test");
    event.key = ACME_KEY_RSA_2048;
    strcpy(event.issuer, "le");
    event.version = 4000000000u;
    strcpy(event.serial, "0a");
    event.not_after = 1800000000;
    event.next_attempt = 1795262401;
    strcpy(event.subject, "http-01:a.test");
    strcpy(event.problem, "rateLimited");
    strcpy(event.text, "it is \"renewed\"");
    strcpy(event.by, "nginx:/etc/nginx/nginx.conf");
    out = again(&event);
    assert_memory_equal(&out, &event, sizeof(event));

    acme_event_init(&event, ACME_EVENT_HOOK);
    out = again(&event);
    assert_memory_equal(&out, &event, sizeof(event));
}

/* Each kind has a word, and is found by it again. */
static void
test_words(void **state)
{
    struct acme_event event;
    int i, j;

    (void)state;
    for (i = 1; i < ACME_EVENT_KINDS; i++) {
        acme_event_init(&event, (enum acme_event_kind)i);
        assert_int_equal(again(&event).kind, i);
        assert_true(strlen(acme_event_word(event.kind)) > 3);
        for (j = 1; j < i; j++)
            assert_string_not_equal(acme_event_word((enum acme_event_kind)j),
                acme_event_word(event.kind));
    }
    assert_string_equal(acme_event_word(ACME_EVENT_NONE), "");
    assert_string_equal(acme_event_word(ACME_EVENT_KINDS), "");
    assert_string_equal(acme_event_word(ACME_EVENT_CHALLENGE_SETUP),
        "challenge-setup");
}

/* Whoever has filled it in, and however: nothing gets out that steers a
 * terminal, forges a line or is longer than it may be. */
static void
test_clean(void **state)
{
    struct acme_event event, out;
    struct acme_buf text;
    char *all[] = { event.issuer, event.serial, event.subject, event.problem,
        event.text, event.by };
    size_t i;

    (void)state;
    acme_event_init(&event, ACME_EVENT_ERRORED);
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        strcpy(all[i], HOSTILE);
    out = again(&event);
    assert_string_equal(out.text, CLEAN);
    assert_string_equal(out.subject, CLEAN);
    assert_string_equal(out.problem, CLEAN);
    assert_string_equal(out.by, CLEAN);

    /* all full of what JSON and we make longest */
    memset(event.lineage, '"', sizeof(event.lineage) - 1);
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        memset(all[i], i % 2 ? '"' : '\x1b', ACME_EVENT_TEXT_MAX - 1);
    render(&event, &text);
    assert_true(text.len < ACME_EVENT_LINE_MAX / 2);
    acme_buf_clear(&text);
    out = again(&event);
    assert_int_equal(strlen(out.subject), ACME_EVENT_TEXT_MAX - 4);
    assert_int_equal(strlen(out.serial), ACME_EVENT_TEXT_MAX - 1);

    acme_event_put(event.text, HOSTILE);
    assert_string_equal(event.text, CLEAN);
}

/* A file may have anything in it. */
static void
test_parse(void **state)
{
    static const char *const bad[] = { "", "x", "[]", "{}", "\"event\"",
        "{\"event\":1}", "{\"event\":\"\"}", "{\"event\":\"of-tomorrow\"}",
        "{\"event\":\"renewed\"", "{\"event\":\"renewed\"} x" };
    static const char odd[] =
        "{\"event\":\"installed\",\"at\":\"yesterday\",\"lineage\":7,"
        "\"key\":\"dsa\",\"version\":-1,\"not_after\":true,"
        "\"text\":[\"x\"],\"by\":\"a\\u001b[2Jb\\u202ec\",\"of\":{\"more\":1}"
        "}";
    struct acme_event event, empty;
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        if (acme_event_parse(bad[i], strlen(bad[i]), &event, &err) !=
            ACME_WIRE)
            fail_msg("\"%s\" is an event", bad[i]);
    }
    acme_error_clear(&err);
    assert_int_equal(acme_event_parse(odd, strlen(odd), &event, &err),
        ACME_OK);
    acme_event_init(&empty, ACME_EVENT_INSTALLED);
    strcpy(empty.by, "a\\x1b[2Jb\\xe2\\x80\\xaec");
    assert_memory_equal(&event, &empty, sizeof(event));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_clean),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

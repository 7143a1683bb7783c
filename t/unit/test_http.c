#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "wrap/acme_http.h"

static struct acme_http_response response;

static int
before_each(void **state)
{
    (void)state;
    acme_http_response_init(&response);
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    acme_http_response_clear(&response);
    return 0;
}

static void
header(const char *name, const char *value)
{
    /* no NUL behind either: they are parts of a line */
    char *n = malloc(strlen(name));
    char *v = malloc(strlen(value) + 1);

    memcpy(n, name, strlen(name));
    memcpy(v, value, strlen(value));
    acme_http_response_header(&response, n, strlen(name), v, strlen(value));
    free(n);
    free(v);
}

static void
a_new_response_is_empty(void **state)
{
    (void)state;
    assert_int_equal(response.status, 0);
    assert_true(response.retry_after == -1);
    assert_true(response.date == 0);
    assert_string_equal(response.content_type, "");
    assert_string_equal(response.nonce, "");
    assert_string_equal(response.location, "");
    assert_int_equal(response.nlinks, 0);
    acme_buf_init(&response.body, 10);
    acme_buf_add_str(&response.body, "x");
    response.status = 200;
    header("Replay-Nonce", "abc");
    acme_http_response_clear(&response);
    assert_int_equal(response.status, 0);
    assert_string_equal(response.nonce, "");
    assert_int_equal(response.body.len, 0);
    assert_true(response.retry_after == -1);
}

static void
known_headers_are_taken(void **state)
{
    (void)state;
    header("Content-Type", " Application/JSON; charset=utf-8");
    header("LOCATION", "\t/acme/acct/1 ");
    header("replay-nonce", " oFvnlFP1wIhRlYS2jTaXbA");
    header("X-Other", "ignored");
    header("Conten", "text/html");
    assert_string_equal(response.content_type, "application/json");
    assert_string_equal(response.location, "/acme/acct/1");
    assert_string_equal(response.nonce, "oFvnlFP1wIhRlYS2jTaXbA");
    header("Content-Type", "application/problem+json ;a=b");
    assert_string_equal(response.content_type, "application/problem+json");
}

/* RFC 8555 6.5.1 */
static void
bad_nonces_are_ignored(void **state)
{
    char longest[ACME_NONCE_MAX + 2];

    (void)state;
    header("Replay-Nonce", "");
    header("Replay-Nonce", "a b");
    header("Replay-Nonce", "abc=");
    header("Replay-Nonce", "a\"b");
    memset(longest, 'a', sizeof(longest));
    longest[ACME_NONCE_MAX + 1] = '\0';
    header("Replay-Nonce", longest);
    assert_string_equal(response.nonce, "");
    longest[ACME_NONCE_MAX] = '\0';
    header("Replay-Nonce", longest);
    assert_string_equal(response.nonce, longest);
}

static void
overlong_and_unprintable_values_are_ignored(void **state)
{
    char url[ACME_URL_MAX + 1];

    (void)state;
    memset(url, 'a', sizeof(url));
    url[ACME_URL_MAX] = '\0';
    header("Location", url);
    header("Location", "https://a.example/\x1b[31m");
    header("Location", "https://a.example/ b");
    header("Location", "https://a.example/\xc3\xa4");
    assert_string_equal(response.location, "");
    url[ACME_URL_MAX - 1] = '\0';
    header("Location", url);
    assert_string_equal(response.location, url);
    url[64] = '\0';
    header("Content-Type", url);
    assert_string_equal(response.content_type, "");
    header("Content-Type", "");
    assert_string_equal(response.content_type, "");
}

/* The first link with that relation, or NULL. */
static const char *
find_link(const char *rel)
{
    size_t i;

    for (i = 0; i < response.nlinks; i++)
        if (strcasecmp(response.link[i].rel, rel) == 0)
            return response.link[i].url;
    return NULL;
}

/* RFC 8288 3, and what is seen in the wild */
static void
links_are_taken_apart(void **state)
{
    static const struct {
        const char *value;
        const char *rel;
        const char *url; /* NULL: none */
    } links[] = {
        { "<https://ca.example/dir>;rel=\"index\"", "index",
            "https://ca.example/dir" },
        { "<https://ca.example/dir>; rel=index", "index",
            "https://ca.example/dir" },
        { " < >; rel=x, </alt/1> ; rel = \"alternate\" ", "alternate",
            "/alt/1" },
        { "</a>; title=\"x, rel=y; <b>\"; rel=up", "up", "/a" },
        { "</a>; title=\"x\\\", <b>\"; rel=up", "up", "/a" },
        { "</a,b;c>;REL=\"Up\"", "up", "/a,b;c" },
        { "</a>;rel=\"one two\"", "two", "/a" },
        { "</a>;rel=\"one two\"", "one", "/a" },
        { "</a>;rel=first;rel=second", "first", "/a" },
        { "</a>;rel=first;rel=second", "second", NULL },
        { "</a>", "up", NULL },
        { "</a>;rel=", "", NULL },
        { "</a>;rel", "up", NULL },
        { "/a;rel=up", "up", NULL },
        { "<;rel=up", "up", NULL },
        { "<", "up", NULL },
        { ">", "up", NULL },
        { "\"", "up", NULL },
        { ",,;;,=,", "up", NULL },
        { "<>;rel=up", "up", "" },
        { "</a>;rel=\"up", "up", NULL },
        { "</a>;rel=up;", "up", "/a" },
        { "</a b>;rel=up", "up", NULL },
        { "</a>;rel=a-relation-of-more-than-31-characters",
            "a-relation-of-more-than-31-characters", NULL },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        const char *url;

        acme_http_response_clear(&response);
        header("Link", links[i].value);
        url = find_link(links[i].rel);
        if ((url == NULL) != (links[i].url == NULL))
            fail_msg("%s", links[i].value);
        if (url != NULL)
            assert_string_equal(url, links[i].url);
    }
}

static void
links_are_kept_in_order_and_bounded(void **state)
{
    char value[64];
    size_t i;

    (void)state;
    header("Link", "</dir>;rel=index, </1>;rel=alternate");
    for (i = 2; i < 20; i++) {
        snprintf(value, sizeof(value), "</%zu>;rel=\"alternate\"", i);
        header("Link", value);
    }
    assert_int_equal(response.nlinks, ACME_HTTP_LINKS_MAX);
    assert_string_equal(find_link("index"), "/dir");
    assert_string_equal(find_link("alternate"), "/1");
    assert_string_equal(response.link[7].url, "/7");
    assert_null(find_link("up"));
}

#define test(f) cmocka_unit_test_setup_teardown(f, before_each, after_each)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_new_response_is_empty),
        test(known_headers_are_taken),
        test(bad_nonces_are_ignored),
        test(overlong_and_unprintable_values_are_ignored),
        test(links_are_taken_apart),
        test(links_are_kept_in_order_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

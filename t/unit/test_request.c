/*
 * Requests of HTTP/1, as acmectl gets them where it listens.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *text;
    enum acme_request_end end;
    bool head;
    const char *path, *host;
} cases[] = {
    { "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n", ACME_REQUEST_GOOD, false,
        "/x", "a.test" },
    { "HEAD / HTTP/1.0\n\n", ACME_REQUEST_GOOD, true, "/", "" },
    { "GET /x HTTP/1.1\r\nA: b\r\nhOsT:\t a.test:80 \r\n\r\nrest",
        ACME_REQUEST_GOOD, false, "/x", "a.test:80" },
    { "GET /x HTTP/1.1\r\nHost:\r\n\r\n", ACME_REQUEST_GOOD, false, "/x", "" },
    { "", ACME_REQUEST_MORE, false, NULL, NULL },
    { "GET /x HTTP/1.1", ACME_REQUEST_MORE, false, NULL, NULL },
    { "GET /x HTTP/1.1\r\n", ACME_REQUEST_MORE, false, NULL, NULL },
    { "GET /x HTTP/1.1\r\nHost: a\r\n", ACME_REQUEST_MORE, false, NULL, NULL },
    { "POST /x HTTP/1.1\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "get /x HTTP/1.1\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "GET http://a.test/x HTTP/1.1\r\n\r\n", ACME_REQUEST_OTHER, false, NULL,
        NULL },
    { "GET /x y HTTP/1.1\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "GET /x\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "GET /x HTTP/2.0\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "GET /x HTTP/1.11\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "GET  HTTP/1.1\r\n\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
    { "\r\n", ACME_REQUEST_OTHER, false, NULL, NULL },
};

static void
test_parse(void **state)
{
    struct acme_request request;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        if (acme_request_parse(cases[i].text, strlen(cases[i].text),
                &request) != cases[i].end)
            fail_msg("%zu: %s", i, cases[i].text);
        if (cases[i].end != ACME_REQUEST_GOOD)
            continue;
        assert_int_equal(request.head, cases[i].head);
        assert_int_equal(request.path_len, strlen(cases[i].path));
        assert_memory_equal(request.path, cases[i].path, request.path_len);
        assert_int_equal(request.host_len, strlen(cases[i].host));
        assert_memory_equal(request.host, cases[i].host, request.host_len);
    }
}

static void
test_nul(void **state)
{
    static const char nul[] = "GET /x\0y HTTP/1.1\r\n\r\n";
    struct acme_request request;

    (void)state;
    assert_int_equal(acme_request_parse(nul, sizeof(nul) - 1, &request),
        ACME_REQUEST_OTHER);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

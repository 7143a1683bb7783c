#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wrap/acme_url.h"

static void
urls_are_taken_apart(void **state)
{
    static const struct {
        const char *text;
        const char *origin;
        const char *host;
        const char *path;
    } urls[] = {
        { "https://acme-v02.api.letsencrypt.org/directory",
            "https://acme-v02.api.letsencrypt.org:443",
            "acme-v02.api.letsencrypt.org", "/directory" },
        { "HTTPS://CA.Example:8443/A/b?c=d", "https://ca.example:8443",
            "ca.example", "/A/b" },
        { "https://ca.example", "https://ca.example:443", "ca.example", "/" },
        { "https://ca.example?q", "https://ca.example:443", "ca.example",
            "/" },
        { "https://ca.example:443/", "https://ca.example:443", "ca.example",
            "/" },
        { "https://ca.example:/", "https://ca.example:443", "ca.example",
            "/" },
        { "https://ca.example:0443/", "https://ca.example:443", "ca.example",
            "/" },
        { "https://127.0.0.1:14000/dir", "https://127.0.0.1:14000",
            "127.0.0.1", "/dir" },
        { "https://[::1]:14000/dir", "https://[::1]:14000", "::1", "/dir" },
        { "https://[2001:DB8::A]/", "https://[2001:db8::a]:443", "2001:db8::a",
            "/" },
        { "https://ca.example/a/../b/./c", "https://ca.example:443",
            "ca.example", "/b/c" },
        { "https://localhost/%41", "https://localhost:443", "localhost",
            "/%41" },
    };
    struct acme_url url;
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        acme_error_clear(&err);
        if (acme_url_parse(urls[i].text, ACME_WIRE, &url, &err) != ACME_OK)
            fail_msg("%s", err.what);
        assert_string_equal(url.origin, urls[i].origin);
        assert_string_equal(url.host, urls[i].host);
        assert_string_equal(url.path, urls[i].path);
    }
}

static void
others_are_refused(void **state)
{
    static const char *const bad[] = { "", "/", "ca.example", "//ca.example/",
        "http://ca.example/", "ftp://ca.example/", "file:///etc/passwd",
        "https:", "https:/ca.example/", "https:///ca.example/", "https://",
        "https://:443/", "https://?q", "https://user@ca.example/",
        "https://user:pw@ca.example/", "https://@ca.example/",
        "https://ca.example@evil.example/", "https://ca.example/#",
        "https://ca.example/#f", "https://ca.example#f",
        "https://ca.example:0/", "https://ca.example:65536/",
        "https://ca.example:x/", "https://ca.example:-1/",
        "https://ca.example:4 43/", "https://ca example/",
        " https://ca.example/", "https://ca.example/ ",
        "https://ca.example/a b", "https://ca.example/\n",
        "https://ca.example/\x1b[31m", "https://ca.example/\x7f",
        "https://ca.example/\xc3\xa4", "https://\xc3\xbc.example/",
        "https://ca.example\\@evil.example/", "https://ca.example/\\x",
        "https://%63a.example/", "https://ca.example%2f/",
        "https://[fe80::1%25eth0]/", "https://[::1/", "https://::1/",
        "https://[1.2.3.4]/", "https://ca,example/", "https://ca.example;x/" };
    struct acme_url url;
    struct acme_error err;
    size_t i;

    (void)state;
    memset(&url, '#', sizeof(url));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        if (acme_url_parse(bad[i], ACME_WIRE, &url, &err) != ACME_WIRE)
            fail_msg("\"%s\" was taken as %s", bad[i], url.origin);
        assert_int_equal(url.origin[0], '#');
        assert_null(strchr(err.what, '\x1b'));
        assert_null(strchr(err.what, '\n'));
    }
    acme_error_clear(&err);
    assert_int_equal(acme_url_parse("x", ACME_CONFIG, &url, &err),
        ACME_CONFIG);
    assert_string_equal(err.what, "URL \"x\" is not an absolute https URL");
}

static void
length_is_bounded(void **state)
{
    char text[ACME_URL_MAX + 1];
    struct acme_url url;
    struct acme_error err;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://ca.example/", 19);
    text[ACME_URL_MAX] = '\0';
    acme_error_clear(&err);
    assert_int_equal(acme_url_parse(text, ACME_WIRE, &url, &err), ACME_WIRE);
    text[ACME_URL_MAX - 1] = '\0';
    acme_error_clear(&err);
    assert_int_equal(acme_url_parse(text, ACME_WIRE, &url, &err), ACME_OK);
    memset(text + 8, 'a', 256);
    acme_error_clear(&err);
    assert_int_equal(acme_url_parse(text, ACME_WIRE, &url, &err), ACME_WIRE);
}

static void
references_are_resolved(void **state)
{
    static const struct {
        const char *base;
        const char *reference;
        const char *url; /* NULL: refused */
    } pairs[] = {
        { "https://ca.example/acme/new-order", "/acme/order/1",
            "https://ca.example/acme/order/1" },
        { "https://ca.example/acme/new-order", "order/1",
            "https://ca.example/acme/order/1" },
        { "https://ca.example/acme/new-order?x=y", "../order/1?a",
            "https://ca.example/order/1?a" },
        { "https://ca.example:8443/a", "/b", "https://ca.example:8443/b" },
        { "https://ca.example/a", "//other.example/b",
            "https://other.example/b" },
        /* to the letter: it may be an account's name */
        { "https://ca.example/a", "https://CA.example:443/a/../B",
            "https://CA.example:443/a/../B" },
        { "https://ca.example/a", "http://ca.example/b", NULL },
        { "https://ca.example/a", "//user@ca.example/b", NULL },
        { "https://ca.example/a", "/b#c", NULL },
        { "https://ca.example/a", "/b c", NULL },
        { "https://ca.example/a", "/b\n", NULL },
        { "https://ca.example/a", "javascript:alert(1)", NULL },
    };
    char url[ACME_URL_MAX];
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        enum acme_rc rc;

        acme_error_clear(&err);
        strcpy(url, "untouched");
        rc = acme_url_resolve(pairs[i].base, pairs[i].reference, url, &err);
        if (pairs[i].url == NULL) {
            if (rc != ACME_WIRE)
                fail_msg("%s became %s", pairs[i].reference, url);
            assert_string_equal(url, "untouched");
        } else {
            assert_string_equal(err.what, "");
            assert_int_equal(rc, ACME_OK);
            assert_string_equal(url, pairs[i].url);
        }
    }
}

static void
a_long_reference_is_refused(void **state)
{
    char reference[2 * ACME_URL_MAX];
    char url[ACME_URL_MAX];
    struct acme_error err;

    (void)state;
    memset(reference, 'a', sizeof(reference));
    reference[0] = '/';
    reference[ACME_URL_MAX - 10] = '\0'; /* fits, but not with the origin */
    acme_error_clear(&err);
    assert_int_equal(
        acme_url_resolve("https://ca.example/", reference, url, &err),
        ACME_WIRE);
    reference[ACME_URL_MAX - 10] = 'a';
    reference[sizeof(reference) - 1] = '\0';
    acme_error_clear(&err);
    assert_int_equal(
        acme_url_resolve("https://ca.example/", reference, url, &err),
        ACME_WIRE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(length_is_bounded),
        cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(a_long_reference_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

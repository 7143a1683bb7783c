#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_name.h"

#define L63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define L62 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"
#define N253                                   \
    L63 "." L63 "." L63 "."                    \
        "abcdefghijklmnopqrstuvwxyz0123456789" \
        "abcdefghijklmnopqrstuvwxy"

static const struct {
    const char *text;
    const char *canonical;
} good[] = {
    { "example.com", "example.com" },
    { "EXAMPLE.Com", "example.com" },
    { "localhost", "localhost" },
    { "a-b.c--d.example", "a-b.c--d.example" },
    { "xn--bcher-kva.example", "xn--bcher-kva.example" },
    { "1.example", "1.example" },
    { "1.2.3.4a", "1.2.3.4a" },
    { "*.example.com", "*.example.com" },
    { L63 ".example", L63 ".example" },
    { N253, N253 },
    { "192.0.2.1", "192.0.2.1" },
    { "2001:DB8:0:0::1", "2001:db8::1" },
    { "::1", "::1" },
    { "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
};

static const struct {
    const char *text;
    const char *reason; /* part of it */
} bad[] = {
    { "", "is empty" },
    { N253 "a", "longer than 253" },
    { L63 "a.example", "more than 63" },
    { "a..example", "empty label" },
    { ".example", "empty label" },
    { "example.com.", "empty label" },
    { ".", "empty label" },
    { "-a.example", "hyphen" },
    { "a-.example", "hyphen" },
    { "a_b.example", "underscore" },
    { "a b.example", "character" },
    { "a/b.example", "character" },
    { "a:b.example", "character" },
    { "http://example.com", "character" },
    { "example.com:80", "character" },
    { "a,b.example", "character" },
    { "a\nb.example", "character" },
    { "b\xc3\xbc"
      "cher.example",
        "A-label" },
    { "*", "\"*\"" },
    { "a*.example.com", "\"*\"" },
    { "*a.example.com", "\"*\"" },
    { "a.*.example.com", "\"*\"" },
    { "**.example.com", "\"*\"" },
    { "*.*.example.com", "\"*\"" },
    { "*.com", "top-level" },
    { "*.", "empty label" },
    { "*..com", "empty label" },
    { "1.2.3", "digits" },
    { "1.2.3.256", "digits" },
    { "1.2.3.4.5", "digits" },
    { "example.1", "digits" },
    { "*.0.2.1", "digits" },
    { "[::1]", "brackets" },
    { "::1%lo", "character" },
    { "1:2:3", "character" },
};

static void
names_get_one_form(void **state)
{
    char out[ACME_NAME_MAX + 1];
    struct acme_error err;
    size_t i;

    (void)state;
    assert_int_equal(strlen(N253), 253);
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(
            acme_name_parse(good[i].text, strlen(good[i].text), out, &err),
            ACME_OK);
        assert_string_equal(out, good[i].canonical);
        assert_int_equal(acme_name_parse(out, strlen(out), out, &err),
            ACME_OK); /* canonical stays, in place */
        assert_string_equal(out, good[i].canonical);
    }
    assert_int_equal(acme_name_parse("example.com/path", 11, out, &err),
        ACME_OK);
    assert_string_equal(out, "example.com");
}

static void
bad_names_are_refused_with_the_reason(void **state)
{
    char out[ACME_NAME_MAX + 1] = "untouched";
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        acme_error_clear(&err);
        if (acme_name_parse(bad[i].text, strlen(bad[i].text), out, &err) !=
            ACME_CONFIG)
            fail_msg("\"%s\" was taken", bad[i].text);
        if (strstr(err.what, bad[i].reason) == NULL)
            fail_msg("%s", err.what);
        assert_string_equal(out, "untouched");
        assert_null(strchr(err.what, '\n'));
    }
    acme_error_clear(&err);
    assert_int_equal(acme_name_parse("a.example\0.b", 12, out, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "NUL"));
}

static void
kinds_are_told_apart(void **state)
{
    (void)state;
    assert_true(acme_name_is_ip("192.0.2.1"));
    assert_true(acme_name_is_ip("::1"));
    assert_false(acme_name_is_ip("example.com"));
    assert_false(acme_name_is_ip("*.example.com"));
    assert_true(acme_name_is_wildcard("*.example.com"));
    assert_false(acme_name_is_wildcard("example.com"));
}

/* RFC 6125 6.4.3 */
static void
wildcards_cover_one_label(void **state)
{
    static const struct {
        const char *certificate;
        const char *name;
        bool covers;
    } pairs[] = {
        { "example.com", "example.com", true },
        { "*.example.com", "a.example.com", true },
        { "*.example.com", "*.example.com", true },
        { "192.0.2.1", "192.0.2.1", true },
        { "*.example.com", "example.com", false },
        { "*.example.com", "a.b.example.com", false },
        { "*.example.com", "*.a.example.com", false },
        { "*.a.example.com", "*.example.com", false },
        { "*.example.com", "a.example.org", false },
        { "*.example.com", "aexample.com", false },
        { "a.example.com", "*.example.com", false },
        { "*.0.2.1", "192.0.2.1", false },
        { "example.com", "localhost", false },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (acme_name_covers(pairs[i].certificate, pairs[i].name) !=
            pairs[i].covers)
            fail_msg("%s, %s", pairs[i].certificate, pairs[i].name);
    }
}

static void
hosts_become_names(void **state)
{
    static const struct {
        const char *host;
        const char *name; /* NULL: none */
    } hosts[] = {
        { "example.com", "example.com" },
        { "Example.COM:80", "example.com" },
        { "example.com:", "example.com" },
        { "example.com.", "example.com" },
        { "example.com.:8080", "example.com" },
        { "192.0.2.1:80", "192.0.2.1" },
        { "[2001:DB8::1]:443", "2001:db8::1" },
        { "[::1]", "::1" },
        { "::1", "::1" },
        { "2001:db8::1", "2001:db8::1" },
        { "", NULL },
        { ".", NULL },
        { ":80", NULL },
        { "example.com..", NULL },
        { "example.com:80a", NULL },
        { "example.com:80:80", NULL },
        { "*.example.com", NULL },
        { "[::1", NULL },
        { "[::1]80", NULL },
        { "[::1]:x", NULL },
        { "[192.0.2.1]", NULL },
        { "[example.com]", NULL },
        { "[]", NULL },
        { "[", NULL },
        { "[::1].", NULL },
        { "a_b.example", NULL },
        { "a/b", NULL },
    };
    char out[ACME_NAME_MAX + 1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        bool found =
            acme_name_from_host(hosts[i].host, strlen(hosts[i].host), out);

        if (found != (hosts[i].name != NULL))
            fail_msg("host \"%s\"", hosts[i].host);
        if (found)
            assert_string_equal(out, hosts[i].name);
    }
    assert_false(acme_name_from_host("a\0b", 3, out));
}

/* RFC 1035 3.5, RFC 3596 2.5 */
static void
addresses_have_names(void **state)
{
#define ONES "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0"
    static const struct {
        const char *name;
        const char *address; /* NULL: none */
    } names[] = {
        { "7.2.0.192.in-addr.arpa", "192.0.2.7" },
        { "1.0.0.127.in-addr.arpa", "127.0.0.1" },
        { "255.255.255.255.in-addr.arpa", "255.255.255.255" },
        { ONES ".2.ip6.arpa", "2001:db8::1" },
        { "f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f.f"
          ".ip6.arpa",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { "2.0.192.in-addr.arpa", NULL },
        { "1.7.2.0.192.in-addr.arpa", NULL },
        { "256.2.0.192.in-addr.arpa", NULL },
        { "07.2.0.192.in-addr.arpa", NULL },
        { "a.2.0.192.in-addr.arpa", NULL },
        { "192.000000000002.0.7.in-addr.arpa", NULL },
        { "7.2.0.192.in-addr.arpa.test", NULL },
        { "7.2.0.192in-addr.arpa", NULL },
        { "in-addr.arpa", NULL },
        { "ip6.arpa", NULL },
        { ONES ".ip6.arpa", NULL },
        { ONES ".2.0.ip6.arpa", NULL },
        { ONES ".g.ip6.arpa", NULL },
        { ONES "-2.ip6.arpa", NULL },
        { "10" ONES ".2.ip6.arpa", NULL },
        { ONES ".2.in-addr.arpa", NULL },
        { "a.test", NULL },
        { "192.0.2.7", NULL },
        { "::1", NULL },
        { "", NULL },
    };
    char out[ACME_NAME_MAX + 1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        bool found = acme_name_from_arpa(names[i].name, out);

        if (found != (names[i].address != NULL))
            fail_msg("name \"%s\"", names[i].name);
        if (!found)
            continue;
        assert_string_equal(out, names[i].address);
        /* and back */
        assert_true(acme_name_to_arpa(names[i].address, out));
        assert_string_equal(out, names[i].name);
    }
    assert_false(acme_name_to_arpa("a.test", out));
    assert_false(acme_name_to_arpa("192.0.2", out));
    assert_false(acme_name_to_arpa("", out));
#undef ONES
}

static void
lineage_names_are_safe_directories(void **state)
{
    static const char *const refused[] = { "", ".", "..", ".a", "-a", "a/b",
        "/a", "a\\b", "*.a", "a b", "a\nb", "\xc3\xa4", "a\x7f" };
    char longest[ACME_LINEAGE_MAX + 2];
    struct acme_error err;
    size_t i;

    (void)state;
    acme_error_clear(&err);
    assert_int_equal(acme_lineage_name_check("example.com", &err), ACME_OK);
    assert_int_equal(acme_lineage_name_check("A.b_c-0001", &err), ACME_OK);
    assert_int_equal(acme_lineage_name_check("2001:db8::1", &err), ACME_OK);
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        acme_error_clear(&err);
        if (acme_lineage_name_check(refused[i], &err) != ACME_CONFIG)
            fail_msg("\"%s\" was taken", refused[i]);
    }
    memset(longest, 'a', sizeof(longest));
    longest[ACME_LINEAGE_MAX + 1] = '\0';
    acme_error_clear(&err);
    assert_int_equal(acme_lineage_name_check(longest, &err), ACME_CONFIG);
    longest[ACME_LINEAGE_MAX] = '\0';
    acme_error_clear(&err);
    assert_int_equal(acme_lineage_name_check(longest, &err), ACME_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_one_form),
        cmocka_unit_test(bad_names_are_refused_with_the_reason),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(wildcards_cover_one_label),
        cmocka_unit_test(hosts_become_names),
        cmocka_unit_test(addresses_have_names),
        cmocka_unit_test(lineage_names_are_safe_directories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * acme_tsig.h: keys as people have them in files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wrap/acme_tsig.h"

#define SECRET "c2VjcmV0IG9mIGFuIHVwZGF0ZSBrZXk="
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
test_forms(void **state)
{
    static const struct {
        const char *text, *name, *alg;
    } rows[] = {
        { "key \"update\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET
          "\";\n};\n",
            "update", "hmac-sha256" },
        { "# made by tsig-keygen\nkey Update.Example. { /* x */ secret " SECRET
          "; // y\nalgorithm HMAC-SHA512; }",
            "update.example", "hmac-sha512" },
        { "# hmac-sha384:u:" SECRET "\nkey:\n  - id: u\n    algorithm: "
          "hmac-sha384\n    secret: " SECRET "\n",
            "u", "hmac-sha384" },
        { "hmac-sha512:u.example.:" SECRET "\n", "u.example", "hmac-sha512" },
        { "  u:" SECRET, "u", "hmac-sha256" },
    };
    struct acme_error err;
    struct acme_tsig key;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        acme_tsig_init(&key);
        acme_error_clear(&err);
        assert_int_equal(
            acme_tsig_parse(&key, rows[i].text, strlen(rows[i].text), &err),
            ACME_OK);
        assert_string_equal(key.name, rows[i].name);
        assert_string_equal(key.alg, rows[i].alg);
        assert_string_equal(acme_buf_str(&key.secret), SECRET);
        acme_tsig_clear(&key);
    }
}

static void
test_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "# nothing\n",
        SECRET,
        "key",
        "key \"u\"",
        "key \"u\" { algorithm hmac-sha256; };",
        "key \"u\" { secret \"" SECRET "\"; };",
        "key \"u\" { algorithm hmac-md5; secret \"" SECRET "\"; };",
        "key \"u\" { algorithm hmac-sha256; secret \"" SECRET,
        "key \"u\" { algorithm hmac-sha256 secret \"" SECRET "\" };",
        "key \"u\" { algorithm hmac-sha256; secret \"not/base64!\"; };",
        "key \"u u\" { algorithm hmac-sha256; secret \"" SECRET "\"; };",
        "key \"u\" { algorithm hmac-sha256; secret \"" SECRET "\"; };\n"
        "key \"v\" { algorithm hmac-sha256; secret \"" SECRET "\"; };",
        "hmac-sha1:u:" SECRET,
        "hmac-sha256:u:" SECRET "=",
        "hmac-sha256::" SECRET,
        "hmac-sha256:u:",
        "u:" SECRET " more",
        "key:\n  - id: u\n    algorithm: hmac-sha256\n",
        "key:\n  - id: u\n    id: v\n",
    };
    struct acme_error err;
    struct acme_tsig key;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(texts); i++) {
        acme_tsig_init(&key);
        acme_error_clear(&err);
        assert_int_equal(
            acme_tsig_parse(&key, texts[i], strlen(texts[i]), &err),
            ACME_CONFIG);
        assert_null(strstr(err.what, "c2VjcmV0"));
        assert_int_equal(key.secret.len, 0);
        acme_tsig_clear(&key);
    }
}

static void
test_bounds(void **state)
{
    char text[2048], name[300];
    struct acme_error err;
    struct acme_tsig key;

    (void)state;
    acme_tsig_init(&key);
    acme_error_clear(&err);
    memset(text, 'A', sizeof(text));
    memcpy(text, "u:", 2);
    assert_int_equal(
        acme_tsig_parse(&key, text, 2 + ACME_TSIG_SECRET_MAX, &err), ACME_OK);
    assert_int_equal(
        acme_tsig_parse(&key, text, 6 + ACME_TSIG_SECRET_MAX, &err),
        ACME_CONFIG);
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    acme_error_clear(&err);
    assert_int_equal(
        acme_tsig_set(&key, name, "hmac-sha256", SECRET, strlen(SECRET), &err),
        ACME_CONFIG);
    acme_tsig_clear(&key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

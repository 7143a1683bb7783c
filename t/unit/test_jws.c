#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_jws.h"
#include "protocol/acme_jws.h"

#define URL "https://ca.test/new-order"
#define KID "https://ca.test/account/7"
#define NONCE "oFvnlFP1wIhRlYS2jTaXbA"

static struct acme_key *
new_key(enum acme_key_type type)
{
    struct acme_key *key = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    assert_int_equal(acme_key_generate(type, &key, &err), ACME_OK);
    return key;
}

static json_t *
jwk_of(const struct acme_key *key)
{
    struct acme_buf text;
    struct acme_error err;
    json_t *jwk;

    acme_buf_init(&text, 4096);
    acme_error_clear(&err);
    assert_int_equal(acme_key_jwk(key, &text, &err), ACME_OK);
    jwk = json_loads(acme_buf_str(&text), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(jwk);
    acme_buf_clear(&text);
    return jwk;
}

static void
sign(const struct acme_key *key, const char *kid, const char *url,
    const char *payload, struct fake_jws *jws)
{
    struct acme_buf out;
    struct acme_error err;

    acme_buf_init(&out, 1 << 20);
    acme_error_clear(&err);
    assert_int_equal(acme_jws_sign(key, kid, NONCE, url, payload, &out, &err),
        ACME_OK);
    assert_true(fake_jws_parse(acme_buf_str(&out), out.len, jws));
    acme_buf_clear(&out);
}

static const struct {
    enum acme_key_type type;
    const char *alg;
} types[] = {
    { ACME_KEY_ECDSA_256, "ES256" },
    { ACME_KEY_ECDSA_384, "ES384" },
    { ACME_KEY_ECDSA_521, "ES512" },
    { ACME_KEY_RSA_2048, "RS256" },
};

/* RFC 8555 6.2: alg, nonce, url and either jwk or kid. */
static void
check_type(enum acme_key_type type, const char *alg, const char *kid)
{
    struct acme_key *key = new_key(type);
    json_t *jwk = jwk_of(key), *want;
    struct fake_jws jws;

    sign(key, kid, URL, "{\"a\":1}", &jws);
    assert_null(fake_jws_verify(&jws, jwk));
    assert_string_equal(jws.payload, "{\"a\":1}");
    want = kid != NULL ? json_pack("{s:s,s:s,s:s,s:s}", "alg", alg, "kid", kid,
                             "nonce", NONCE, "url", URL)
                       : json_pack("{s:s,s:O,s:s,s:s}", "alg", alg, "jwk", jwk,
                             "nonce", NONCE, "url", URL);
    assert_true(json_equal(jws.header, want));
    json_decref(want);
    json_decref(jwk);
    fake_jws_clear(&jws);
    acme_key_unref(key);
}

static void
test_types(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        check_type(types[i].type, types[i].alg, NULL);
        check_type(types[i].type, types[i].alg, KID);
    }
}

/* RFC 8555 6.3: the payload of a POST-as-GET is the empty string. */
static void
test_post_as_get(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    json_t *jwk = jwk_of(key);
    struct fake_jws jws;

    (void)state;
    sign(key, KID, URL, "", &jws);
    assert_int_equal(jws.payload_len, 0);
    assert_null(fake_jws_verify(&jws, jwk));
    fake_jws_clear(&jws);
    json_decref(jwk);
    acme_key_unref(key);
}

/* One P-256 signature in 128 has a short r or s: each must be padded. */
static void
test_many_signatures(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    json_t *jwk = jwk_of(key);
    struct fake_jws jws;
    int i;

    (void)state;
    for (i = 0; i < 600; i++) {
        sign(key, KID, URL, "", &jws);
        assert_null(fake_jws_verify(&jws, jwk));
        fake_jws_clear(&jws);
    }
    json_decref(jwk);
    acme_key_unref(key);
}

static void
test_escapes(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    const char *url = "https://ca.test/a\"b\\c", *got;
    struct fake_jws jws;

    (void)state;
    sign(key, "https://ca.test/\",\"x\":\"", url, "", &jws);
    assert_int_equal(json_object_size(jws.header), 4);
    got = json_string_value(json_object_get(jws.header, "url"));
    assert_string_equal(got, url);
    fake_jws_clear(&jws);
    acme_key_unref(key);
}

/* The verifier of these tests sees a difference. */
static void
test_tampered(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    struct acme_key *other = new_key(ACME_KEY_ECDSA_256);
    json_t *jwk = jwk_of(key), *wrong = jwk_of(other);
    struct fake_jws jws;

    (void)state;
    sign(key, KID, URL, "{}", &jws);
    assert_string_equal(fake_jws_verify(&jws, wrong), "bad signature");
    jws.input[0] ^= 1;
    assert_string_equal(fake_jws_verify(&jws, jwk), "bad signature");
    jws.input[0] ^= 1;
    assert_null(fake_jws_verify(&jws, jwk));
    jws.signature[40] ^= 1;
    assert_string_equal(fake_jws_verify(&jws, jwk), "bad signature");
    fake_jws_clear(&jws);
    json_decref(jwk);
    json_decref(wrong);
    acme_key_unref(key);
    acme_key_unref(other);
}

static void
test_appends(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    struct acme_buf out;
    struct acme_error err;

    (void)state;
    acme_buf_init(&out, 4096);
    acme_buf_add_str(&out, "before");
    acme_error_clear(&err);
    assert_int_equal(acme_jws_sign(key, KID, NONCE, URL, "", &out, &err),
        ACME_OK);
    assert_memory_equal(out.data, "before{\"protected\":\"", 20);
    acme_buf_clear(&out);
    acme_key_unref(key);
}

static void
test_no_room(void **state)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256);
    struct acme_buf out;
    struct acme_error err;

    (void)state;
    acme_buf_init(&out, 100);
    acme_error_clear(&err);
    assert_int_equal(acme_jws_sign(key, KID, NONCE, URL, "", &out, &err),
        ACME_NOMEM);
    acme_buf_clear(&out);
    acme_key_unref(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_post_as_get),
        cmocka_unit_test(test_many_signatures),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_tampered),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

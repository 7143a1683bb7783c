/*
 * Private keys in the forms of other programs: what each looks like, that all
 * lead back to the same key, and the vectors of the RFCs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "helper_errors.h"
#include "wrap/acme_key.h"

/* RFC 8037 A.1, A.2 */
static const char ed25519[] =
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";

static struct acme_error err;

static int
before_each(void **state)
{
    (void)state;
    acme_error_clear(&err);
    helper_errors_begin();
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    helper_errors_end();
    return 0;
}

static struct acme_key *
read_text(const char *text, size_t len)
{
    struct acme_key *key = NULL;

    if (acme_key_from_any_text(text, len, NULL, &key, &err) != ACME_OK)
        fail_msg("%s", err.what);
    return key;
}

static void
same(const struct acme_key *a, const struct acme_key *b)
{
    assert_int_equal(EVP_PKEY_eq(acme_key_evp(a), acme_key_evp(b)), 1);
}

static const struct {
    enum acme_key_form form;
    const char *rsa, *ec; /* how it begins */
} forms[] = {
    { ACME_KEY_FORM_PKCS8, "-----BEGIN PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\n" },
    { ACME_KEY_FORM_PKCS1, "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n" },
    { ACME_KEY_FORM_JWK, "{\"e\":\"AQAB\",\"kty\":\"RSA\",", "{\"crv\":\"P-" },
    { ACME_KEY_FORM_DER8, "0\x82", "0\x81" },
    { ACME_KEY_FORM_DER1, "0\x82", "0" },
};

static void
check_forms(enum acme_key_type type)
{
    const bool rsa = strcmp(acme_key_algorithm(type), "rsa") == 0;
    struct acme_key *key = NULL, *again;
    struct acme_buf out;
    const char *begin;
    size_t i;

    assert_int_equal(acme_key_generate(type, &key, &err), ACME_OK);
    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        acme_buf_init_secret(&out, ACME_STATE_PEM_MAX);
        assert_int_equal(acme_key_to_form(key, forms[i].form, &out, &err),
            ACME_OK);
        begin = rsa ? forms[i].rsa : forms[i].ec;
        assert_memory_equal(out.data, begin, strlen(begin));
        if (forms[i].form == ACME_KEY_FORM_DER8) {
            assert_int_equal(
                acme_key_from_der(out.data, out.len, &again, &err), ACME_OK);
        } else if (forms[i].form == ACME_KEY_FORM_DER1) {
            const unsigned char *at = out.data;
            EVP_PKEY *evp = d2i_PrivateKey(rsa ? EVP_PKEY_RSA : EVP_PKEY_EC,
                NULL, &at, (long)out.len);

            assert_non_null(evp);
            assert_ptr_equal(at, out.data + out.len);
            assert_int_equal(EVP_PKEY_eq(evp, acme_key_evp(key)), 1);
            EVP_PKEY_free(evp);
            again = acme_key_ref(key);
        } else {
            again = read_text(acme_buf_str(&out), out.len);
        }
        same(key, again);
        acme_key_unref(again);
        acme_buf_clear(&out);
    }
    acme_key_unref(key);
}

static void
all_forms_are_the_same_key(void **state)
{
    (void)state;
    check_forms(ACME_KEY_ECDSA_256);
    check_forms(ACME_KEY_ECDSA_384);
    check_forms(ACME_KEY_ECDSA_521);
    check_forms(ACME_KEY_RSA_2048);
}

/* A "d" that begins with zero bytes, until one has been seen: 1 of 256. */
static void
numbers_are_padded(void **state)
{
    struct acme_key *key = NULL, *again;
    struct acme_buf jwk;
    const char *d;
    unsigned n;
    bool seen = false;

    (void)state;
    for (n = 0; n < 100000 && !seen; n++) {
        assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
            ACME_OK);
        acme_buf_init_secret(&jwk, 4096);
        assert_int_equal(acme_key_to_form(key, ACME_KEY_FORM_JWK, &jwk, &err),
            ACME_OK);
        d = strstr(acme_buf_str(&jwk), "\"d\":\"");
        assert_non_null(d);
        assert_int_equal(strcspn(d + 5, "\""), 43);
        seen = d[5] == 'A' && (d[6] >= 'A' && d[6] <= 'P');
        if (seen) {
            again = read_text(acme_buf_str(&jwk), jwk.len);
            same(key, again);
            acme_key_unref(again);
        }
        acme_buf_clear(&jwk);
        acme_key_unref(key);
    }
    assert_true(seen);
}

static void
ed25519_is_shown_and_converted(void **state)
{
    static const struct {
        const char *jwk, *why;
    } cases[] = {
        { "{\"kty\":\"OKP\",\"crv\":\"X25519\"}", "must be Ed25519" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
            "\"d\" is missing" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"AAAA\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
            "malformed JWK" },
        { "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
          "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp\"}",
            "JWK" },
    };
    struct acme_key *key = read_text(ed25519, strlen(ed25519)), *again = NULL;
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_buf out;
    size_t i;

    (void)state;
    assert_string_equal(acme_key_type_name(acme_key_type_of(key)), "ed25519");
    assert_int_equal(acme_key_thumbprint(key, thumbprint, &err), ACME_OK);
    assert_string_equal(thumbprint, /* RFC 8037 A.3 */
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        acme_buf_init_secret(&out, ACME_STATE_PEM_MAX);
        acme_error_clear(&err);
        if (forms[i].form == ACME_KEY_FORM_PKCS1 ||
            forms[i].form == ACME_KEY_FORM_DER1) {
            assert_int_equal(acme_key_to_form(key, forms[i].form, &out, &err),
                ACME_CONFIG);
            assert_non_null(strstr(err.what, "take pkcs8"));
        } else {
            assert_int_equal(acme_key_to_form(key, forms[i].form, &out, &err),
                ACME_OK);
        }
        if (forms[i].form == ACME_KEY_FORM_JWK ||
            forms[i].form == ACME_KEY_FORM_PKCS8) {
            again = read_text(acme_buf_str(&out), out.len);
            same(key, again);
            acme_key_unref(again);
            again = NULL;
            assert_int_equal(
                acme_key_from_text(acme_buf_str(&out), out.len, &again, &err),
                ACME_CONFIG); /* it is no account's */
        }
        acme_buf_clear(&out);
    }
    acme_key_unref(key);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_key_from_any_text(cases[i].jwk,
                             strlen(cases[i].jwk), NULL, &again, &err),
            ACME_CONFIG);
        assert_non_null(strstr(err.what, cases[i].why));
    }
}

/* RFC 7517 A.2's key without its primes is one without them. */
static void
a_key_may_lack_its_primes(void **state)
{
    struct acme_key *key = NULL, *again;
    struct acme_buf jwk;
    char *primes;

    (void)state;
    assert_int_equal(acme_key_generate(ACME_KEY_RSA_2048, &key, &err),
        ACME_OK);
    acme_buf_init_secret(&jwk, ACME_STATE_PEM_MAX);
    assert_int_equal(acme_key_to_form(key, ACME_KEY_FORM_JWK, &jwk, &err),
        ACME_OK);
    primes = strstr((char *)jwk.data, ",\"p\":");
    assert_non_null(primes);
    strcpy(primes, "}");
    again = read_text((char *)jwk.data, strlen((char *)jwk.data));
    same(key, again);
    acme_buf_clear(&jwk);
    acme_buf_init_secret(&jwk, ACME_STATE_PEM_MAX);
    assert_int_equal(acme_key_to_form(again, ACME_KEY_FORM_JWK, &jwk, &err),
        ACME_OK);
    assert_null(strstr(acme_buf_str(&jwk), "\"p\""));
    acme_buf_clear(&jwk);
    acme_key_unref(again);
    acme_key_unref(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_forms_are_the_same_key,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(numbers_are_padded, before_each,
            after_each),
        cmocka_unit_test_setup_teardown(ed25519_is_shown_and_converted,
            before_each, after_each),
        cmocka_unit_test_setup_teardown(a_key_may_lack_its_primes, before_each,
            after_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * PKCS#12: what OpenSSL reads of it again, by its password alone.
 */
#define _GNU_SOURCE

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "helper_store.h"
#include "wrap/acme_pkcs12.h"

static struct acme_version version;
static struct acme_chain *chain;
static struct acme_key *key;
static struct acme_buf out;
static struct acme_error err;

static int
setup(void **state)
{
    static const enum acme_key_type type[] = { ACME_KEY_ECDSA_256 };

    (void)state;
    acme_error_clear(&err);
    acme_buf_init_secret(&out, 100000);
    helper_store_version(&version, 1, type);
    assert_int_equal(acme_chain_from_der(version.pair[0].chain.data,
                         version.pair[0].chain.len, &chain, &err),
        ACME_OK);
    assert_int_equal(acme_key_from_der(version.pair[0].key.data,
                         version.pair[0].key.len, &key, &err),
        ACME_OK);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_buf_clear(&out);
    acme_version_clear(&version);
    acme_chain_free(chain);
    acme_key_unref(key);
    return 0;
}

static PKCS12 *
parse(void)
{
    const unsigned char *p = out.data;
    PKCS12 *sealed = d2i_PKCS12(NULL, &p, (long)out.len);

    assert_non_null(sealed);
    assert_ptr_equal(p, out.data + out.len);
    return sealed;
}

static void
test_read_again(void **state)
{
    STACK_OF(X509) *more = NULL;
    EVP_PKEY *evp = NULL;
    X509 *leaf = NULL;
    PKCS12 *sealed;
    int len;

    (void)state;
    assert_int_equal(
        acme_pkcs12_render(chain, key, "a.test", "w\xc3\xb6rd", &out, &err),
        ACME_OK);
    assert_int_equal(ERR_peek_error(), 0);
    sealed = parse();
    assert_int_equal(PKCS12_verify_mac(sealed, "w\xc3\xb6rd", -1), 1);
    assert_int_equal(PKCS12_verify_mac(sealed, "word", -1), 0);
    ERR_clear_error();
    assert_int_equal(PKCS12_parse(sealed, "w\xc3\xb6rd", &evp, &leaf, &more),
        1);
    assert_int_equal(EVP_PKEY_eq(evp, acme_key_evp(key)), 1);
    assert_int_equal(X509_cmp(leaf, acme_chain_x509(chain, 0)), 0);
    assert_string_equal((const char *)X509_alias_get0(leaf, &len), "a.test");
    assert_int_equal(more == NULL ? 0 : sk_X509_num(more),
        (int)acme_chain_count(chain) - 1);
    EVP_PKEY_free(evp);
    X509_free(leaf);
    sk_X509_pop_free(more, X509_free);
    PKCS12_free(sealed);
}

/* The key's bytes are not in it as they are. */
static void
test_sealed(void **state)
{
    struct acme_buf der;

    (void)state;
    acme_buf_init_secret(&der, 100000);
    assert_int_equal(acme_key_to_der(key, &der, &err), ACME_OK);
    assert_int_equal(
        acme_pkcs12_render(chain, key, "a.test", "word", &out, &err), ACME_OK);
    assert_null(memmem(out.data, out.len, der.data + 36, 32));
    acme_buf_clear(&der);
}

static void
test_too_long(void **state)
{
    (void)state;
    acme_buf_clear(&out);
    acme_buf_init_secret(&out, 100);
    assert_int_equal(
        acme_pkcs12_render(chain, key, "a.test", "word", &out, &err),
        ACME_NOMEM);
    assert_int_equal(ERR_peek_error(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

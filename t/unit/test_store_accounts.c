/*
 * Accounts that come from elsewhere: added once, the same again is nothing
 * new; which one orders are made with; keys that are lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "helper_tmp.h"
#include "state/acme_store.h"

#define NOW ((time_t)1795366800)

static struct helper_tmp tmp;
static struct acme_store *store;
static struct acme_error err;
static struct acme_issuer issuer, other;
static struct acme_key *key[3]; /* ecdsa:256, ecdsa:256, rsa:2048 */
static char id[3][ACME_KEY_ID_LEN + 1];

static int
setup(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_ECDSA_256, ACME_KEY_RSA_2048 };
    size_t i;

    (void)state;
    umask(077);
    acme_error_clear(&err);
    helper_tmp_init(&tmp);
    acme_issuer_init(&issuer);
    issuer.name = "test";
    issuer.directory = "https://ca.test/dir";
    other = issuer;
    other.directory = "https://other.test/dir";
    for (i = 0; i < 3; i++) {
        assert_int_equal(acme_key_generate(types[i], &key[i], &err), ACME_OK);
        assert_int_equal(acme_key_id(key[i], id[i], &err), ACME_OK);
    }
    assert_int_equal(acme_store_open(helper_tmp_path(&tmp, "acme"),
                         ACME_STORE_WRITE, &store, &err),
        ACME_OK);
    return 0;
}

static int
teardown(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++)
        acme_key_unref(key[i]);
    acme_store_close(store);
    helper_tmp_clear(&tmp);
    return 0;
}

static bool
add(const struct acme_issuer *at, size_t i, const char *url, time_t now)
{
    bool is_new = false;

    if (acme_store_account_add(store, at, key[i], url, now, &is_new, &err) !=
        ACME_OK)
        fail_msg("%s", err.what);
    return is_new;
}

static void
uses(const struct acme_issuer *at, size_t i, const char *url)
{
    struct acme_account_entry entry = { "", "", NULL };

    if (acme_store_account(store, at, NULL, &entry, &err) != ACME_OK)
        fail_msg("%s", err.what);
    assert_string_equal(entry.id, id[i]);
    assert_string_equal(entry.url, url);
    acme_account_entry_clear(&entry);
}

static void
one_is_added_once(void **state)
{
    struct acme_account_entry entry = { "", "", NULL };

    (void)state;
    assert_true(add(&issuer, 0, "", NOW));
    uses(&issuer, 0, "");
    assert_false(add(&issuer, 0, "https://ca.test/1", NOW + 10));
    uses(&issuer, 0, "https://ca.test/1");
    assert_false(add(&issuer, 0, "", NOW + 20)); /* what is known stays */
    uses(&issuer, 0, "https://ca.test/1");
    /* another key is another account, and no key is another CA's */
    assert_true(add(&issuer, 1, "https://ca.test/2", NOW - 1000));
    uses(&issuer, 0, "https://ca.test/1");
    assert_int_equal(acme_store_account(store, &other, NULL, &entry, &err),
        ACME_NOENT);
}

static void
one_is_preferred(void **state)
{
    struct acme_issuer rsa = issuer;

    (void)state;
    rsa.key_type = ACME_KEY_RSA_2048;
    (void)add(&issuer, 0, "https://ca.test/1", NOW);
    (void)add(&issuer, 1, "https://ca.test/2", NOW - 10);
    (void)add(&issuer, 2, "https://ca.test/3", NOW - 20);
    (void)add(&other, 0, "https://other.test/1", NOW);
    uses(&issuer, 0, "https://ca.test/1");
    uses(&rsa, 2, "https://ca.test/3");

    /* whatever type is asked for, and at this CA alone */
    assert_int_equal(
        acme_store_account_prefer(store, &issuer, id[2], NOW, &err), ACME_OK);
    uses(&issuer, 2, "https://ca.test/3");
    uses(&rsa, 2, "https://ca.test/3");
    uses(&other, 0, "https://other.test/1");
    /* in the same second, and with a clock that goes backwards */
    assert_int_equal(
        acme_store_account_prefer(store, &issuer, id[1], NOW, &err), ACME_OK);
    uses(&issuer, 1, "https://ca.test/2");
    assert_int_equal(
        acme_store_account_prefer(store, &issuer, id[0], NOW - 99, &err),
        ACME_OK);
    uses(&rsa, 0, "https://ca.test/1");
    /* another URL does not change it */
    assert_int_equal(acme_store_account_url(store, &issuer, id[0],
                         "https://ca.test/9", NOW, &err),
        ACME_OK);
    uses(&rsa, 0, "https://ca.test/9");
    /* nor do servers that make one */
    assert_int_equal(acme_store_account_park(store, &issuer, id[0], &err),
        ACME_OK);
    uses(&rsa, 1, "https://ca.test/2");
    assert_int_equal(
        acme_store_account_prefer(store, &issuer, id[0], NOW, &err),
        ACME_NOENT);
}

static void
a_lost_key_is_replaced(void **state)
{
    struct acme_account_entry entry = { "", "", NULL };
    char path[128];

    (void)state;
    assert_int_equal(acme_store_account_key(store, &issuer, key[0], &err),
        ACME_OK);
    (void)add(&issuer, 0, "https://ca.test/1", NOW);
    /* it is not lost */
    assert_int_equal(acme_store_account_key_anew(store, &issuer, key[1], &err),
        ACME_OK);
    uses(&other, 0, "");
    (void)snprintf(path, sizeof(path), "acme/keys/%s.pem", id[0]);
    helper_tmp_remove(&tmp, path);
    acme_error_clear(&err);
    assert_int_equal(acme_store_account(store, &other, NULL, &entry, &err),
        ACME_IO);
    acme_error_clear(&err);
    assert_int_equal(acme_store_account_key_anew(store, &issuer, key[1], &err),
        ACME_OK);
    uses(&other, 1, "");
    assert_int_equal(acme_store_account_lost(store, &issuer, id[0], &err),
        ACME_OK);
    (void)snprintf(path, sizeof(path),
        "acme/accounts/ca.test/dir/%s/lost.json", id[0]);
    assert_true(helper_tmp_exists(&tmp, path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_added_once, setup, teardown),
        cmocka_unit_test_setup_teardown(one_is_preferred, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_key_is_replaced, setup,
            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

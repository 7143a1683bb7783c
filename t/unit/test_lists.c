/*
 * acme_lists.h: what is kept, for whom, for how long, and how much of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "drive/acme_lists.h"
#include "helper_ca.h"

#define URL "http://crl.test/1.crl"

static struct helper_ca *ca, *other;
static struct acme_key *key;
static struct acme_chain *leaf, *stranger;
static struct acme_error err;
static time_t now;

static struct acme_chain *
new_leaf(struct helper_ca *issuer)
{
    static const char *const names[] = { "a.test", NULL };
    return helper_ca_chain(issuer, key, names, NULL);
}

static struct acme_crl *
new_list(void)
{
    struct helper_ca_crl options = { .this_update = now - 60,
        .next_update = now + 60 };
    struct acme_crl *crl = NULL;
    struct acme_buf der;

    acme_buf_init(&der, 1 << 20);
    helper_ca_crl(ca, &options, &der);
    assert_int_equal(acme_crl_read(der.data, der.len, leaf, now, &crl, &err),
        ACME_OK);
    acme_buf_clear(&der);
    return crl;
}

static int
setup(void **state)
{
    (void)state;
    now = time(NULL);
    ca = helper_ca_new();
    other = helper_ca_new();
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    leaf = new_leaf(ca);
    stranger = new_leaf(other);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_chain_free(leaf);
    acme_chain_free(stranger);
    acme_key_unref(key);
    helper_ca_free(ca);
    helper_ca_free(other);
    return 0;
}

static void
test_find(void **state)
{
    struct acme_lists *lists = acme_lists_new();
    struct acme_crl *crl = new_list();
    struct acme_listed found;

    (void)state;
    assert_false(acme_lists_find(lists, URL, leaf, now, &found));
    acme_lists_keep(lists, URL, crl, now + 10);
    assert_true(acme_lists_find(lists, URL, leaf, now, &found));
    assert_ptr_equal(found.crl, crl);
    assert_int_equal(found.until, now + 10);
    /* of another place, or another issuer */
    assert_false(acme_lists_find(lists, URL "2", leaf, now, &found));
    assert_false(acme_lists_find(lists, URL, stranger, now, &found));
    /* that there was nothing is true of all */
    acme_lists_keep(lists, URL "2", NULL, now + 5);
    assert_true(acme_lists_find(lists, URL "2", stranger, now, &found));
    assert_null(found.crl);
    assert_int_equal(found.until, now + 5);
    /* and it ends */
    assert_false(acme_lists_find(lists, URL "2", leaf, now + 5, &found));
    assert_true(acme_lists_find(lists, URL, leaf, now + 9, &found));
    assert_false(acme_lists_find(lists, URL, leaf, now + 10, &found));
    assert_false(acme_lists_find(lists, URL, leaf, now, &found));
    acme_lists_free(lists);
    acme_lists_free(NULL);
}

/* What ends first makes room. */
static void
test_bound(void **state)
{
    struct acme_lists *lists = acme_lists_new();
    struct acme_listed found;
    char url[64];
    int i;

    (void)state;
    for (i = 0; i <= ACME_CRLS_MAX; i++) {
        (void)snprintf(url, sizeof(url), URL "%d", i);
        acme_lists_keep(lists, url, i % 50 == 0 ? new_list() : NULL,
            now + 1000 + (i == 7 ? -1 : i));
    }
    for (i = 0; i <= ACME_CRLS_MAX; i++) {
        (void)snprintf(url, sizeof(url), URL "%d", i);
        assert_int_equal(acme_lists_find(lists, url, leaf, now, &found),
            i != 7);
    }
    acme_lists_free(lists);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_bound),
    };

    return cmocka_run_group_tests_name("lists", tests, setup, teardown);
}

/*
 * mod_md's store as it may be found: which of its directories are a domain's,
 * in which order, and what is not looked at.
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
#include "state/acme_md_store.h"

static struct helper_tmp tmp;
static struct acme_md_store *store;
static struct acme_error err;

static int
setup(void **state)
{
    static const char *const dirs[] = { "md", "md/domains", "md/archive",
        "md/accounts", "md/staging" };
    size_t i;

    (void)state;
    umask(077);
    acme_error_clear(&err);
    store = NULL;
    helper_tmp_init(&tmp);
    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        helper_tmp_mkdir(&tmp, dirs[i]);
    helper_tmp_puts(&tmp, "md/md_store.json", "{\"key\": \"AAAA\"}");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_md_store_free(store);
    helper_tmp_clear(&tmp);
    return 0;
}

static void
open_store(void)
{
    assert_int_equal(
        acme_md_store_open(helper_tmp_path(&tmp, "md"), &store, &err),
        ACME_OK);
}

/* A certificate in md/DIR; its bytes are not looked at. */
static void
put(const char *dir)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "md/%s", dir);
    helper_tmp_mkdir(&tmp, path);
    (void)snprintf(path, sizeof(path), "md/%s/pubcert.pem", dir);
    helper_tmp_puts(&tmp, path, dir);
    (void)snprintf(path, sizeof(path), "md/%s/privkey.pem", dir);
    helper_tmp_puts(&tmp, path, dir);
}

static void
is_set(const char *name, size_t i, const char *path)
{
    const struct acme_md_set *set = acme_md_store_set(store, name, i);

    if (path == NULL) {
        assert_null(set);
        return;
    }
    assert_non_null(set);
    assert_string_equal(acme_md_set_path(set), path);
}

static void
known(void **state)
{
    (void)state;
    assert_true(acme_md_store_is(helper_tmp_path(&tmp, "md")));
    assert_false(acme_md_store_is(helper_tmp_path(&tmp, "md/domains")));
    assert_false(acme_md_store_is(helper_tmp_path(&tmp, "elsewhere")));
    assert_int_equal(
        acme_md_store_open(helper_tmp_path(&tmp, "md/domains"), &store, &err),
        ACME_NOENT);
}

/* By number, not by text; those of names that only begin alike are others'. */
static void
history(void **state)
{
    static const char *const dirs[] = { "domains/a.test", "archive/a.test.1",
        "archive/a.test.2", "archive/a.test.9", "archive/a.test.10",
        "archive/a.test.010", "archive/a.test.x", "archive/a.test.2.7",
        "archive/a.test-b.3", "domains/a.test.2", "domains/*.a.test" };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        put(dirs[i]);
    helper_tmp_remove(&tmp, "md/archive/a.test.9/privkey.pem");
    open_store();
    assert_int_equal(acme_md_store_read_domain(store, "a.test.2", 9, &err),
        ACME_OK);
    assert_int_equal(acme_md_store_read_domain(store, "a.test", 2, &err),
        ACME_OK);
    assert_int_equal(acme_md_store_read_domain(store, "*.a.test", 2, &err),
        ACME_OK);
    acme_md_store_close(store);
    is_set("a.test", 0, "domains/a.test");
    is_set("a.test", 1, "archive/a.test.10");
    is_set("a.test", 2, "archive/a.test.2");
    is_set("a.test", 3, NULL);
    is_set("a.test.2", 0, "domains/a.test.2");
    is_set("a.test.2", 1, "archive/a.test.2.7");
    is_set("a.test.2", 2, NULL);
    is_set("*.a.test", 0, "domains/*.a.test");
    is_set("*.a.test", 1, NULL);
    is_set("a.tes", 0, NULL);
    is_set("b.test", 0, NULL);
}

/* What is there before the first certificate, and what is no domain. */
static void
nothing(void **state)
{
    static const char *const names[] = { "b.test", "../domains/a.test",
        "a.test/../a.test", "..", "." };
    size_t i;

    (void)state;
    put("domains/a.test");
    helper_tmp_mkdir(&tmp, "md/domains/b.test");
    helper_tmp_puts(&tmp, "md/domains/b.test/fallback-pubcert.pem", "x");
    helper_tmp_puts(&tmp, "md/domains/b.test/md.json", "{}");
    open_store();
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        acme_error_clear(&err);
        assert_int_equal(acme_md_store_read_domain(store, names[i], 9, &err),
            ACME_NOENT);
    }
}

static void
kinds(void **state)
{
    (void)state;
    put("domains/a.test");
    helper_tmp_puts(&tmp, "md/domains/a.test/pubcert.secp384r1.pem", "x");
    helper_tmp_puts(&tmp, "md/domains/a.test/privkey.secp384r1.pem", "x");
    helper_tmp_puts(&tmp, "md/domains/a.test/pubcert.pem.bak", "x");
    helper_tmp_puts(&tmp, "md/domains/a.test/fallback-pubcert.pem", "x");
    open_store();
    assert_int_equal(acme_md_store_read_domain(store, "a.test", 0, &err),
        ACME_OK);
    acme_md_store_close(store);
    assert_int_equal(acme_md_set_pairs(acme_md_store_set(store, "a.test", 0)),
        2);
}

/* A certificate without its key is no current one. */
static void
lacking(void **state)
{
    (void)state;
    put("domains/a.test");
    helper_tmp_remove(&tmp, "md/domains/a.test/privkey.pem");
    open_store();
    assert_int_equal(acme_md_store_read_domain(store, "a.test", 0, &err),
        ACME_IO);
    assert_non_null(strstr(err.what, "domains/a.test"));
    assert_non_null(strstr(err.what, "privkey.pem"));
}

static void
planted(void **state)
{
    (void)state;
    put("domains/a.test");
    put("domains/b.test");
    helper_tmp_link(&tmp, "../domains/a.test", "md/domains/c.test");
    chmod(helper_tmp_path(&tmp, "md/domains/b.test"), 0730);
    open_store();
    assert_int_equal(acme_md_store_read_domain(store, "b.test", 0, &err),
        ACME_IO);
    acme_error_clear(&err);
    assert_int_not_equal(acme_md_store_read_domain(store, "c.test", 0, &err),
        ACME_OK);
    acme_md_store_free(store);
    acme_error_clear(&err);
    chmod(helper_tmp_path(&tmp, "md"), 0777);
    store = NULL;
    assert_int_equal(
        acme_md_store_open(helper_tmp_path(&tmp, "md"), &store, &err),
        ACME_IO);
    assert_null(store);
}

static void
accounts(void **state)
{
    struct acme_md_account account;

    (void)state;
    helper_tmp_mkdir(&tmp, "md/accounts/ACME-a-0000");
    helper_tmp_mkdir(&tmp, "md/accounts/ACME-b-0000");
    helper_tmp_puts(&tmp, "md/accounts/ACME-b-0000/account.json",
        "{\"ca-url\": 1}");
    helper_tmp_puts(&tmp, "md/accounts/ACME-b-0000/account.pem", "x");
    open_store();
    assert_int_equal(acme_md_store_read_accounts(store, &err), ACME_OK);
    acme_md_store_close(store);
    assert_int_equal(acme_md_store_accounts(store), 2);
    assert_int_equal(acme_md_store_account(store, 0, &account, &err), ACME_IO);
    assert_non_null(strstr(err.what, "account.json"));
    acme_error_clear(&err);
    assert_int_equal(acme_md_store_account(store, 1, &account, &err), ACME_IO);
    assert_non_null(strstr(err.what, "ca-url"));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(known),
        TEST(history),
        TEST(nothing),
        TEST(kinds),
        TEST(lacking),
        TEST(planted),
        TEST(accounts),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What is wrong below a state directory: each kind of trouble is found, by
 * its path, a repair puts right what has one right answer, and nothing else
 * is touched.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_store.h"
#include "state/acme_config.h"
#include "state/acme_store_check.h"

static struct helper_tmp tmp;
static struct acme_store *store;
static struct acme_error err;
static struct acme_version version;
static char found[4000]; /* a line each: "word wrong path" */
static char said[4000];

static enum acme_rc
on_finding(void *ctx, const struct acme_finding *finding,
    struct acme_error *error)
{
    (void)ctx;
    (void)error;
    (void)snprintf(found + strlen(found), sizeof(found) - strlen(found),
        "%s %s %s\n", acme_ailment_word(finding->ailment),
        finding->repaired ? "repaired"
        : finding->wrong  ? "wrong"
                          : "note",
        finding->path);
    (void)snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n",
        finding->what);
    assert_non_null(finding->cure);
    return ACME_OK;
}

static void
mode(const char *name, mode_t bits)
{
    assert_int_equal(fchmodat(tmp.fd, name, bits, 0), 0);
}

static const char *
look(bool repair)
{
    struct acme_store_check check = { .store = store,
        .repair = repair,
        .now = time(NULL),
        .visit = on_finding };

    found[0] = said[0] = '\0';
    assert_int_equal(acme_store_check_objects(&check, &err), ACME_OK);
    assert_int_equal(acme_store_check_lineages(&check, &err), ACME_OK);
    assert_int_equal(acme_store_check_accounts(&check, &err), ACME_OK);
    assert_int_equal(err.rc, ACME_OK);
    return found;
}

static void
declare(const char *name)
{
    struct acme_config *config = acme_config_new("/nowhere", "nginx", "c");
    struct acme_issuer asked = { .name = "ca",
        .directory = "https://ca.test/directory",
        .verify = true };
    static const char *const names[] = { "example.com" };
    struct acme_lineage lineage = { .name = name,
        .names = names,
        .nnames = 1,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    struct acme_settings *settings = acme_settings_new();
    size_t index;
    bool changed;

    assert_int_equal(
        acme_config_add_issuer(config, &asked, &lineage.issuer, &err),
        ACME_OK);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    assert_int_equal(acme_settings_declare(settings, "nginx:c", config, index,
                         1700000000, &changed, &err),
        ACME_OK);
    assert_int_equal(acme_store_settings_write(store, name, settings, &err),
        ACME_OK);
    acme_settings_free(settings);
    acme_config_free(config);
}

static void
write_version(const char *name)
{
    version.number = 0;
    assert_int_equal(
        acme_store_version_write(store, name, &version, time(NULL), &err),
        ACME_OK);
}

static int
setup(void **state)
{
    static const enum acme_key_type types[] = { ACME_KEY_ECDSA_256,
        ACME_KEY_RSA_2048 };

    (void)state;
    umask(0);
    acme_error_clear(&err);
    helper_tmp_init(&tmp);
    store = helper_store_open(&tmp);
    helper_store_version(&version, 2, types);
    declare("a.test");
    write_version("a.test");
    write_version("a.test");
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_store_close(store);
    acme_version_clear(&version);
    helper_tmp_clear(&tmp);
    return 0;
}

static void
test_sound(void **state)
{
    (void)state;
    assert_string_equal(look(false), "");
    assert_string_equal(look(true), "");
}

static void
age(const char *name)
{
    const struct timespec old[2] = { { 1, 0 }, { 1, 0 } };

    assert_int_equal(utimensat(tmp.fd, name, old, AT_SYMLINK_NOFOLLOW), 0);
}

/* Modes: also those that keep their owner out, and those of a key group. */
static void
test_modes(void **state)
{
    static const char want[] = "mode repaired archive/a.test/1/privkey.pem\n"
                               "mode repaired format\n"
                               "mode repaired live\n"
                               "mode repaired record\n";

    (void)state;
    mode("state/archive/a.test/1/privkey.pem", 0644);
    mode("state/archive/a.test/1/cert.pem", 0600);
    mode("state/format", 0);
    mode("state/live", 0755);
    mode("state/record", 04770);
    mode("state/renewal-hooks/deploy", 0755);
    look(true);
    assert_string_equal(found, want);
    assert_int_equal(helper_tmp_mode(&tmp, "state/format"), 0400);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live"), 0750);
    assert_int_equal(helper_tmp_mode(&tmp, "state/record"), 0700);
    assert_string_equal(look(true), "");
    if (geteuid() != 0)
        return;
    assert_int_equal(fchownat(tmp.fd, "state/archive/a.test/1/privkey.pem",
                         (uid_t)-1, 33, 0),
        0);
    mode("state/archive/a.test/1/privkey.pem", 0640);
    assert_string_equal(look(false), "");
}

static void
test_planted(void **state)
{
    static const char want[] = "planted wrong due\n"
                               "unknown note elsewhere\n"
                               "planted wrong keys/x.pem\n"
                               "planted wrong record/a.test.json\n"
                               "unknown note told/.hidden\n";

    (void)state;
    helper_tmp_link(&tmp, "/etc/passwd", "state/keys/x.pem");
    helper_tmp_fifo(&tmp, "state/record/a.test.json");
    helper_tmp_remove(&tmp, "state/due");
    helper_tmp_puts(&tmp, "state/due", "a file");
    mode("state/due", 0600);
    helper_tmp_mkdir(&tmp, "state/elsewhere");
    helper_tmp_puts(&tmp, "state/told/.hidden", "x");
    mode("state/told/.hidden", 0600);
    look(true);
    assert_string_equal(found, want);
    assert_true(helper_tmp_exists(&tmp, "state/elsewhere"));
}

static void
test_owner(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(fchownat(tmp.fd, "state/renewal/a.test.json", 33, 33, 0),
        0);
    look(true);
    assert_string_equal(found, "owner wrong renewal/a.test.json\n"
                               "damaged wrong renewal/a.test.json\n");
}

static void
test_temporary(void **state)
{
    static const char first[] = "temporary wrong archive/a.test/.3.tmp\n"
                                "temporary repaired told/.old.tmp\n"
                                "temporary repaired archive/a.test\n";

    (void)state;
    helper_tmp_mkdir(&tmp, "state/archive/a.test/.3.tmp");
    helper_tmp_puts(&tmp, "state/told/.old.tmp", "x");
    helper_tmp_puts(&tmp, "state/told/.young.tmp", "x");
    assert_string_equal(look(false), "");
    age("state/archive/a.test/.3.tmp");
    age("state/told/.old.tmp");
    look(true);
    assert_string_equal(found, first);
    assert_true(helper_tmp_exists(&tmp, "state/told/.young.tmp"));
    assert_false(helper_tmp_exists(&tmp, "state/archive/a.test/.3.tmp"));
    assert_string_equal(look(false), "");
}

static void
test_json(void **state)
{
    (void)state;
    helper_tmp_puts(&tmp, "state/record/a.test.json", "{ no");
    helper_tmp_puts(&tmp, "state/told/a.test.json", "");
    helper_tmp_puts(&tmp, "state/record/gone.test~rsa.json", "{}");
    mode("state/record/a.test.json", 0600);
    mode("state/told/a.test.json", 0600);
    mode("state/record/gone.test~rsa.json", 0600);
    assert_string_equal(look(true), "damaged wrong record/a.test.json\n"
                                    "orphan note record/gone.test~rsa.json\n");
}

/* ---- versions and links ----------------------------------------------- */

static void
assert_live(const char *name, unsigned want)
{
    unsigned live = 0;

    assert_int_equal(acme_store_live(store, name, &live, &err), ACME_OK);
    assert_int_equal(live, want);
}

static void
test_damaged_live(void **state)
{
    static const char wrong[] = "live wrong live/a.test\n"
                                "version wrong archive/a.test/2\n";
    static const char repaired[] = "live repaired live/a.test\n"
                                   "version note archive/a.test/2\n";

    (void)state;
    helper_tmp_puts(&tmp, "state/archive/a.test/2/privkey.rsa.pem", "x");
    mode("state/archive/a.test/2/privkey.rsa.pem", 0600);
    assert_string_equal(look(false), wrong);
    assert_non_null(strstr(said, "servers use version 1 instead"));
    assert_live("a.test", 2);
    assert_string_equal(look(true), repaired);
    assert_live("a.test", 1);
    assert_string_equal(look(true), "version note archive/a.test/2\n");
}

/* A file that only other programs read. */
static void
test_other_files(void **state)
{
    (void)state;
    helper_tmp_remove(&tmp, "state/archive/a.test/1/chain.rsa.pem");
    assert_string_equal(look(true), "version note archive/a.test/1\n");
    helper_tmp_remove(&tmp, "state/archive/a.test/2/cert.pem");
    assert_int_equal(renameat(tmp.fd, "state/archive/a.test/1/cert.rsa.pem",
                         tmp.fd, "state/archive/a.test/2/cert.pem"),
        0);
    assert_string_equal(look(true), "version wrong archive/a.test/2\n"
                                    "version note archive/a.test/1\n");
    assert_non_null(strstr(said, "together are not fullchain.pem"));
    assert_live("a.test", 2);
}

static void
test_links(void **state)
{
    (void)state;
    helper_tmp_remove(&tmp, "state/live/a.test");
    assert_string_equal(look(false), "live wrong live/a.test\n");
    assert_string_equal(look(true), "live repaired live/a.test\n");
    assert_live("a.test", 2);
    helper_tmp_remove(&tmp, "state/live/a.test");
    helper_tmp_link(&tmp, "../archive/a.test/7", "state/live/a.test");
    assert_string_equal(look(true), "live repaired live/a.test\n");
    assert_live("a.test", 2);
    helper_tmp_remove(&tmp, "state/live/a.test");
    helper_tmp_link(&tmp, "/etc", "state/live/a.test");
    assert_string_equal(look(true), "planted wrong live/a.test\n");
    helper_tmp_remove(&tmp, "state/live/a.test");
    helper_tmp_remove(&tmp, "state/archive/a.test/1");
    helper_tmp_remove(&tmp, "state/archive/a.test/2");
    assert_string_equal(look(true), "");
}

/* A delete that was killed half way is not undone. */
static void
test_half_deleted(void **state)
{
    (void)state;
    helper_tmp_remove(&tmp, "state/live/a.test");
    helper_tmp_remove(&tmp, "state/renewal/a.test.json");
    assert_string_equal(look(true), "orphan wrong live/a.test\n");
    assert_false(helper_tmp_exists(&tmp, "state/live/a.test"));
}

static void
test_pending(void **state)
{
    (void)state;
    assert_int_equal(acme_store_switch(store, "a.test", 1, &err), ACME_OK);
    assert_live("a.test", 1);
    assert_string_equal(look(true), ""); /* a rollback stays */
    assert_live("a.test", 1);
    helper_tmp_puts(&tmp, "state/archive/a.test/2/pending", "");
    mode("state/archive/a.test/2/pending", 0600);
    assert_string_equal(look(false), ""); /* just being switched to */
    age("state/archive/a.test/2/pending");
    assert_string_equal(look(false),
        "pending wrong archive/a.test/2/pending\n");
    assert_string_equal(look(true), "pending repaired archive/a.test\n");
    assert_live("a.test", 2);
}

static void
test_switch(void **state)
{
    (void)state;
    helper_tmp_puts(&tmp, "state/archive/a.test/2/pending", "");
    assert_int_equal(acme_store_switch(store, "a.test", 1, &err), ACME_OK);
    assert_live("a.test", 1);
    assert_false(helper_tmp_exists(&tmp, "state/archive/a.test/2/pending"));
    assert_int_equal(acme_store_switch(store, "a.test", 9, &err), ACME_IO);
    acme_error_clear(&err);
    helper_tmp_puts(&tmp, "state/archive/a.test/2/privkey.pem", "x");
    assert_int_equal(acme_store_switch(store, "a.test", 2, &err), ACME_IO);
    assert_non_null(strstr(err.what, "a.test/2/privkey.pem"));
    acme_error_clear(&err);
    assert_live("a.test", 1);
}

static void
test_locked(void **state)
{
    int lock = -1;

    (void)state;
    helper_tmp_remove(&tmp, "state/live/a.test");
    assert_int_equal(acme_store_lock(store, "lineage", "a.test", &lock, &err),
        ACME_OK);
    assert_string_equal(look(true), "locked note locks/lineage-a.test\n"
                                    "live wrong live/a.test\n");
    close(lock);
}

/* ---- accounts --------------------------------------------------------- */

static void
test_accounts(void **state)
{
    struct acme_issuer issuer;
    struct acme_key *key = NULL;
    char path[100], id[ACME_KEY_ID_LEN + 1], want[100];

    (void)state;
    acme_issuer_init(&issuer);
    issuer.name = "ca";
    issuer.directory = "https://ca.test/directory";
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    assert_int_equal(acme_store_account_key(store, &issuer, key, &err),
        ACME_OK);
    assert_int_equal(acme_key_id(key, id, &err), ACME_OK);
    assert_int_equal(acme_store_account_url(store, &issuer, id,
                         "https://ca.test/acct/1", time(NULL), &err),
        ACME_OK);
    acme_key_unref(key);
    assert_string_equal(look(true), "");
    (void)snprintf(path, sizeof(path), "state/keys/%s.pem", id);
    (void)snprintf(want, sizeof(want), "key wrong keys/%s.pem\n", id);
    helper_tmp_puts(&tmp, path, "damaged");
    mode(path, 0600);
    assert_string_equal(look(true), want);
    helper_tmp_remove(&tmp, path);
    assert_string_equal(look(true), want);
    assert_non_null(strstr(said, "https://ca.test/acct/1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_planted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_temporary, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_live, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pending, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_locked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accounts, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

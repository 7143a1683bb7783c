/*
 * The state directory: layout, versions, orders, accounts, and what somebody
 * may have planted in any of them.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_store.h"
#include "state/acme_config.h"
#include "wrap/acme_hash.h"

#define CA "https://ca.test/directory"
#define NOW 1700000000

static struct helper_tmp tmp;
static struct acme_store *store;
static struct acme_error err;
static struct acme_buf buf;
static struct acme_version version; /* as written */
static struct acme_version found;   /* as read */

static int
setup(void **state)
{
    (void)state;
    umask(0);
    acme_error_clear(&err);
    acme_buf_init(&buf, 100000);
    acme_version_init(&version);
    acme_version_init(&found);
    helper_tmp_init(&tmp);
    store = helper_store_open(&tmp);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_store_close(store);
    acme_version_clear(&version);
    acme_version_clear(&found);
    acme_buf_clear(&buf);
    helper_tmp_clear(&tmp);
    return 0;
}

/* The error says `part`; then it is empty again. */
static void
expect_error(enum acme_rc rc, enum acme_rc want, const char *part)
{
    if (rc != want || strstr(err.what, part) == NULL)
        fail_msg("rc %d, err.rc %d, \"%s\" (wanted %d, \"%s\")", (int)rc,
            (int)err.rc, err.what, (int)want, part);
    acme_error_clear(&err);
}

static void
ok(enum acme_rc rc)
{
    if (rc != ACME_OK || err.rc != ACME_OK)
        fail_msg("rc %d: %s", (int)rc, err.what);
}

static void
assert_content(const char *name, const char *want)
{
    char *text = helper_tmp_gets(&tmp, name);

    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
}

static void
assert_target(const char *name, const char *want)
{
    char text[200];
    ssize_t len;

    len = readlinkat(tmp.fd, name, text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_string_equal(text, want);
}

static void
age(const char *name, time_t seconds)
{
    struct timespec times[2];

    memset(times, 0, sizeof(times));
    times[0].tv_sec = times[1].tv_sec = time(NULL) - seconds;
    assert_int_equal(utimensat(tmp.fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* ---- opening ---------------------------------------------------------- */

static enum acme_rc
open_at(const char *name, enum acme_store_mode mode)
{
    struct acme_store *other = NULL;
    enum acme_rc rc;

    rc = acme_store_open(helper_tmp_path(&tmp, name), mode, &other, &err);
    if (rc != ACME_OK)
        assert_null(other);
    acme_store_close(other);
    return rc;
}

static void
test_layout(void **state)
{
    static const char *const dirs[] = { "accounts", "keys", "archive", "live",
        "renewal", "record", "orders", "ledger", "locks", "servers", "revoked",
        "staples", "told", "due", "due-mirror", "renewal-hooks",
        "renewal-hooks/pre", "renewal-hooks/deploy", "renewal-hooks/post" };
    char path[100];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        (void)snprintf(path, sizeof(path), "state/%s", dirs[i]);
        assert_int_equal(helper_tmp_mode(&tmp, path), 0700);
    }
    assert_int_equal(helper_tmp_count(&tmp, "state"), 17);
    assert_int_equal(helper_tmp_mode(&tmp, "state"), 0700);
    assert_int_equal(helper_tmp_mode(&tmp, "state/format"), 0600);
    assert_content("state/format", "1\n");
    assert_true(fcntl(acme_store_fd(store), F_GETFD) & FD_CLOEXEC);
    ok(open_at("state", ACME_STORE_WRITE));
    ok(open_at("state", ACME_STORE_READ));
    acme_store_close(NULL);
}

static void
test_open_read(void **state)
{
    (void)state;
    expect_error(open_at("none", ACME_STORE_READ), ACME_NOENT,
        "/none\" does not exist");
    assert_false(helper_tmp_exists(&tmp, "none"));
    helper_tmp_mkdir(&tmp, "empty");
    expect_error(open_at("empty", ACME_STORE_READ), ACME_NOENT, "format");
    expect_error(open_at("empty", ACME_STORE_SALVAGE), ACME_NOENT, "format");
    assert_int_equal(helper_tmp_count(&tmp, "empty"), 0);
    assert_int_equal(fchmodat(tmp.fd, "state", 0770, 0), 0);
    expect_error(open_at("state", ACME_STORE_READ), ACME_IO,
        "writable by others");
    expect_error(open_at("state", ACME_STORE_SALVAGE), ACME_IO,
        "writable by others");
    assert_int_equal(helper_tmp_mode(&tmp, "state"), 0770);
    assert_int_equal(fchmodat(tmp.fd, "state", 0755, 0), 0);
    ok(open_at("state", ACME_STORE_READ));
    assert_int_equal(helper_tmp_mode(&tmp, "state"), 0755);
    ok(open_at("state", ACME_STORE_WRITE));
    assert_int_equal(helper_tmp_mode(&tmp, "state"), 0700);
}

static void
test_format(void **state)
{
    static const char *const bad[] = { "", "\n", "x\n", "1x", "-1\n", " 1\n",
        "01\n", "1\n\n", "0\n", "1.5\n", "99999999999999999999\n" };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        helper_tmp_puts(&tmp, "state/format", bad[i]);
        expect_error(open_at("state", ACME_STORE_READ), ACME_IO,
            "\"format\" holds no layout version");
        expect_error(open_at("state", ACME_STORE_WRITE), ACME_IO,
            "\"format\" holds no layout version");
        ok(open_at("state", ACME_STORE_SALVAGE));
    }
    assert_int_equal(unlinkat(tmp.fd, "state/format", 0), 0);
    ok(open_at("state", ACME_STORE_SALVAGE));
    helper_tmp_puts(&tmp, "state/format", "1");
    ok(open_at("state", ACME_STORE_WRITE));
    helper_tmp_puts(&tmp, "state/format", "2\n");
    ok(open_at("state", ACME_STORE_READ));
    expect_error(open_at("state", ACME_STORE_WRITE), ACME_IO,
        "its layout is version 2, this program writes version 1; use the "
        "newer program");
    helper_tmp_puts(&tmp, "state/format", "3\n");
    expect_error(open_at("state", ACME_STORE_READ), ACME_IO, "version 3");
    expect_error(open_at("state", ACME_STORE_SALVAGE), ACME_IO, "version 3");
    assert_content("state/format", "3\n");
}

/* Orders and records have a unit's name, which no lineage can have. */
static void
test_units(void **state)
{
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_buf text;

    (void)state;
    acme_buf_init(&text, 100);
    acme_store_unit_name(unit, "a.test", 0);
    assert_string_equal(unit, "a.test");
    acme_store_unit_name(unit, "a.test", 1);
    assert_string_equal(unit, "a.test~rsa");
    ok(acme_store_record_write(store, unit, "{}", 2, &err));
    assert_content("state/record/a.test~rsa.json", "{}");
    ok(acme_store_record_read(store, unit, &text, &err));
    expect_error(acme_store_record_write(store, "a.test~dsa", "{}", 2, &err),
        ACME_CONFIG, "a.test~dsa");
    expect_error(acme_store_record_write(store, "~rsa", "{}", 2, &err),
        ACME_CONFIG, "~rsa");
    expect_error(acme_store_live(store, "a.test~rsa", &(unsigned){ 0 }, &err),
        ACME_CONFIG, "a.test~rsa");
    acme_buf_clear(&text);
}

/* A typing error must not close /etc. */
static void
test_foreign_directory(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "etc");
    assert_int_equal(fchmodat(tmp.fd, "etc", 0755, 0), 0);
    helper_tmp_puts(&tmp, "etc/passwd", "root");
    expect_error(open_at("etc", ACME_STORE_WRITE), ACME_IO,
        "it is no state directory");
    assert_int_equal(helper_tmp_mode(&tmp, "etc"), 0755);
    assert_int_equal(helper_tmp_count(&tmp, "etc"), 1);

    helper_tmp_mkdir(&tmp, "volume"); /* fresh file system */
    helper_tmp_mkdir(&tmp, "volume/lost+found");
    helper_tmp_puts(&tmp, "volume/.format.0123.tmp", ""); /* a crash */
    assert_int_equal(fchmodat(tmp.fd, "volume", 0777, 0), 0);
    ok(open_at("volume", ACME_STORE_WRITE));
    assert_int_equal(helper_tmp_mode(&tmp, "volume"), 0700);
}

static void
await(const pid_t *pid, int count)
{
    int status, i;

    for (i = 0; i < count; i++) {
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
}

/* Many servers may make it at the same time. */
static void
test_open_together(void **state)
{
    pid_t pid[6];
    int go[2], i, k;
    char c;

    (void)state;
    for (k = 0; k < 60; k++) {
        assert_int_equal(pipe(go), 0);
        for (i = 0; i < 6; i++) {
            pid[i] = fork();
            if (pid[i] != 0)
                continue;
            close(go[1]);
            (void)!read(go[0], &c, 1); /* until all are there */
            _exit(open_at("new", ACME_STORE_WRITE) == ACME_OK ? 0 : 1);
        }
        close(go[0]);
        close(go[1]);
        await(pid, 6);
        helper_tmp_remove(&tmp, "new");
    }
}

static void
test_planted_layout(void **state)
{
    (void)state;
    helper_tmp_remove(&tmp, "state/live");
    helper_tmp_link(&tmp, "../elsewhere", "state/live");
    expect_error(open_at("state", ACME_STORE_WRITE), ACME_IO, "\"live\"");
    assert_false(helper_tmp_exists(&tmp, "elsewhere"));
    assert_int_equal(unlinkat(tmp.fd, "state/live", 0), 0);
    helper_tmp_fifo(&tmp, "state/live");
    expect_error(open_at("state", ACME_STORE_WRITE), ACME_IO, "\"live\"");
    assert_int_equal(unlinkat(tmp.fd, "state/live", 0), 0);
    ok(open_at("state", ACME_STORE_WRITE));

    assert_int_equal(unlinkat(tmp.fd, "state/format", 0), 0);
    helper_tmp_fifo(&tmp, "state/format");
    expect_error(open_at("state", ACME_STORE_WRITE), ACME_IO, "format");
    expect_error(open_at("state", ACME_STORE_READ), ACME_IO, "format");
}

static void
test_open_sweeps(void **state)
{
    (void)state;
    helper_tmp_puts(&tmp, "state/keys/.x.pem.0123.tmp", "secret");
    helper_tmp_puts(&tmp, "state/renewal/.young.tmp", "");
    helper_tmp_mkdir(&tmp, "state/orders/.gone.tmp");
    helper_tmp_puts(&tmp, "state/orders/.gone.tmp/privkey.pem", "");
    age("state/keys/.x.pem.0123.tmp", 4000);
    age("state/orders/.gone.tmp", 4000);
    ok(open_at("state", ACME_STORE_READ));
    assert_int_equal(helper_tmp_count(&tmp, "state/keys"), 1);
    ok(open_at("state", ACME_STORE_WRITE));
    assert_int_equal(helper_tmp_count(&tmp, "state/keys"), 0);
    assert_int_equal(helper_tmp_count(&tmp, "state/orders"), 0);
    assert_int_equal(helper_tmp_count(&tmp, "state/renewal"), 1);
}

/* Names reach the store checked; it checks them again. */
static void
test_lineage_names(void **state)
{
    static const char *const bad[] = { "", ".", "..", "../x", "a/b", ".x",
        "-x", "a b", "a\nb" };
    unsigned number = 0;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(acme_store_live(store, bad[i], &number, &err),
            ACME_OK);
        acme_error_clear(&err);
        assert_int_not_equal(
            acme_store_record_write(store, bad[i], "x", 1, &err), ACME_OK);
        acme_error_clear(&err);
        assert_int_not_equal(
            acme_store_version_read(store, bad[i], 1, &found, &err), ACME_OK);
        acme_error_clear(&err);
    }
}

/* ---- settings and records --------------------------------------------- */

static void
test_settings(void **state)
{
    struct acme_settings *settings = acme_settings_new(), *read = NULL;

    (void)state;
    expect_error(acme_store_settings_read(store, "a.test", &read, &err),
        ACME_NOENT, "renewal/a.test.json");
    ok(acme_store_settings_write(store, "a.test", settings, &err));
    assert_int_equal(helper_tmp_mode(&tmp, "state/renewal/a.test.json"), 0600);
    ok(acme_store_settings_read(store, "a.test", &read, &err));
    assert_int_equal(read->ndeclared, 0);
    acme_settings_free(settings);
    acme_settings_free(read);
    read = NULL;
    helper_tmp_puts(&tmp, "state/renewal/a.test.json", "{\"secret\": oops}");
    expect_error(acme_store_settings_read(store, "a.test", &read, &err),
        ACME_IO, "\"renewal/a.test.json\" is damaged");
    helper_tmp_link(&tmp, "a.test.json", "state/renewal/b.test.json");
    expect_error(acme_store_settings_read(store, "b.test", &read, &err),
        ACME_IO, "renewal/b.test.json");
    assert_null(read);
}

static void
test_record(void **state)
{
    (void)state;
    acme_buf_add_str(&buf, "x");
    ok(acme_store_record_read(store, "a.test", &buf, &err));
    ok(acme_store_record_write(store, "a.test", "{}", 2, &err));
    ok(acme_store_record_read(store, "a.test", &buf, &err));
    assert_string_equal(acme_buf_str(&buf), "x{}");
    helper_tmp_fifo(&tmp, "state/record/b.test.json");
    expect_error(acme_store_record_read(store, "b.test", &buf, &err), ACME_IO,
        "record/b.test.json");
    ok(acme_store_record_write(store, "b.test", "{}", 2, &err));
    expect_error(acme_store_record_write(store, "a.test", acme_buf_str(&buf),
                     ACME_STATE_JSON_MAX + 1, &err),
        ACME_IO, "too large");
}

static enum acme_rc
collect(void *ctx, const char *name, struct acme_error *error)
{
    (void)error;
    acme_buf_addf(ctx, "%s,", name);
    return strcmp(name, "stop") == 0 ? ACME_LATER : ACME_OK;
}

static void
test_lineages(void **state)
{
    (void)state;
    ok(acme_store_lineages(store, collect, &buf, &err));
    assert_int_equal(buf.len, 0);
    helper_tmp_puts(&tmp, "state/renewal/b.test.json", "");
    helper_tmp_puts(&tmp, "state/renewal/c.test.json", "");
    helper_tmp_puts(&tmp, "state/renewal/.x.json.tmp", "");
    helper_tmp_puts(&tmp, "state/renewal/README", "");
    helper_tmp_puts(&tmp, "state/renewal/.json", "");
    helper_tmp_puts(&tmp, "state/renewal/a b.json", "");
    helper_tmp_link(&tmp, "../archive/b.test/1", "state/live/b.test");
    helper_tmp_link(&tmp, "../archive/a.test/1", "state/live/a.test");
    helper_tmp_link(&tmp, "x", "state/live/.a.test.tmp");
    ok(acme_store_lineages(store, collect, &buf, &err));
    assert_string_equal(acme_buf_str(&buf), "a.test,b.test,c.test,");
    acme_buf_reset(&buf);
    helper_tmp_puts(&tmp, "state/renewal/stop.json", "");
    helper_tmp_puts(&tmp, "state/renewal/z.json", "");
    assert_int_equal(acme_store_lineages(store, collect, &buf, &err),
        ACME_LATER);
    assert_string_equal(acme_buf_str(&buf), "a.test,b.test,c.test,stop,");
}

/* ---- versions --------------------------------------------------------- */

static const enum acme_key_type both[] = { ACME_KEY_ECDSA_256,
    ACME_KEY_RSA_2048 };

static void
make_version(size_t npairs)
{
    acme_version_clear(&version);
    helper_store_version(&version, npairs, both);
}

/* Writes a new version of "a" and returns its number. */
static unsigned
write_version(size_t npairs)
{
    make_version(npairs);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    return version.number;
}

static void
test_version(void **state)
{
    unsigned number = 0;
    struct acme_chain *chain = NULL;
    char *text;

    (void)state;
    assert_int_equal(acme_store_live(store, "a", &number, &err), ACME_NOENT);
    acme_error_clear(&err);
    assert_int_equal(acme_store_live_read(store, "a", &found, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    assert_int_equal(write_version(2), 1);
    assert_target("state/live/a", "../archive/a/1");
    assert_int_equal(helper_tmp_mode(&tmp, "state/archive/a"), 0700);
    assert_int_equal(helper_tmp_mode(&tmp, "state/archive/a/1"), 0700);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live/a/privkey.pem"), 0600);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live/a/privkey.rsa.pem"),
        0600);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live/a/meta.json"), 0600);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live/a/fullchain.pem"),
        0644);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live/a/chain.rsa.pem"),
        0644);
    assert_int_equal(helper_tmp_mode(&tmp, "state/live/a/cert.pem"), 0644);
    assert_int_equal(helper_tmp_count(&tmp, "state/live/a"), 9);
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a"), 1);
    assert_int_equal(helper_tmp_count(&tmp, "state/live"), 1);

    ok(acme_store_live_read(store, "a", &found, &err));
    assert_int_equal(found.number, 1);
    assert_true(helper_store_same(&version, &found));
    assert_string_equal(found.pair[1].origin.issuer, CA);
    assert_string_equal(found.pair[1].origin.order, "https://ca.test/order/1");
    assert_int_equal(found.pair[1].origin.obtained, 1700000000);

    /* cert and chain are the parts of fullchain. */
    text = helper_tmp_gets(&tmp, "state/live/a/cert.pem");
    acme_buf_add_str(&buf, text);
    free(text);
    text = helper_tmp_gets(&tmp, "state/live/a/chain.pem");
    assert_true(strlen(text) > 100);
    acme_buf_add_str(&buf, text);
    free(text);
    assert_content("state/live/a/fullchain.pem", acme_buf_str(&buf));
    ok(acme_chain_from_pem(acme_buf_str(&buf), buf.len, &chain, &err));
    assert_int_equal(acme_chain_count(chain), 2);
    acme_chain_free(chain);

    assert_int_equal(write_version(1), 2);
    assert_target("state/live/a", "../archive/a/2");
    assert_int_equal(helper_tmp_count(&tmp, "state/live/a"), 5);
    ok(acme_store_live(store, "a", &number, &err));
    assert_int_equal(number, 2);
    ok(acme_store_version_read(store, "a", 1, &found, &err));
    assert_int_equal(found.npairs, 2);
}

static void
assert_meta(const char *part)
{
    char *text = helper_tmp_gets(&tmp, "state/live/a/meta.json");

    if (strstr(text, part) == NULL)
        fail_msg("no %s in %s", part, text);
    free(text);
}

static void
test_meta(void **state)
{
    struct acme_chain *chain = NULL;
    struct acme_leaf leaf;
    char text[200], hash[ACME_HASH_HEX];

    (void)state;
    write_version(1);
    ok(acme_chain_from_der(version.pair[0].chain.data,
        version.pair[0].chain.len, &chain, &err));
    ok(acme_chain_leaf(chain, &leaf, &err));
    acme_chain_free(chain);
    assert_meta("\"key\": \"ecdsa:256\"");
    assert_meta("\"issuer\": \"" CA "\"");
    assert_meta("\"obtained\": \"2023-11-14T22:13:20Z\"");
    assert_meta("\"not_before\": \"20");
    assert_meta("\"not_after\": \"20");
    (void)snprintf(text, sizeof(text), "\"serial\": \"%s\"", leaf.serial);
    assert_meta(text);
    (void)snprintf(text, sizeof(text), "\"ari_id\": \"%s\"", leaf.ari_id);
    assert_meta(text);
    acme_hash_hex(version.pair[0].key.data, version.pair[0].key.len, hash);
    (void)snprintf(text, sizeof(text), "\"sha256_key\": \"%s\"", hash);
    assert_meta(text);
    acme_hash_hex(version.pair[0].chain.data, version.pair[0].chain.len, hash);
    (void)snprintf(text, sizeof(text), "\"sha256_chain\": \"%s\"", hash);
    assert_meta(text);
    /* no mark */
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a/1"), 5);
}

static void
test_version_refused(void **state)
{
    struct acme_version other;
    struct acme_buf key;

    (void)state;
    make_version(1);
    version.npairs = 0;
    assert_int_equal(acme_store_version_write(store, "a", &version, NOW, &err),
        ACME_IO);
    acme_error_clear(&err);

    helper_store_version(&other, 2,
        (const enum acme_key_type[]){ ACME_KEY_ECDSA_256,
            ACME_KEY_ECDSA_384 });
    expect_error(acme_store_version_write(store, "a", &other, NOW, &err),
        ACME_IO, "two keys of one algorithm");

    /* The key of another pair. */
    version.npairs = 1;
    key = version.pair[0].key;
    version.pair[0].key = other.pair[0].key;
    expect_error(acme_store_version_write(store, "a", &version, NOW, &err),
        ACME_REFUSED, "not the certificate's");
    version.pair[0].key = key;
    assert_false(helper_tmp_exists(&tmp, "state/live/a"));
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a"), 0);
    assert_int_equal(version.number, 0);
    acme_version_clear(&other);
}

/* Bytes that carry their hash are not parsed: these could not be. */
static void
test_known_by_hash(void **state)
{
    char meta[500], key[ACME_HASH_HEX], chain[ACME_HASH_HEX];

    (void)state;
    write_version(1);
    acme_hash_hex("no key", 6, key);
    acme_hash_hex("no certificate", 14, chain);
    (void)snprintf(meta, sizeof(meta),
        "{\"pairs\": [{\"key\": \"rsa:4096\", \"sha256_key\": \"%s\", "
        "\"sha256_chain\": \"%s\"}]}",
        key, chain);
    helper_tmp_puts(&tmp, "state/archive/a/1/meta.json", meta);
    helper_tmp_puts(&tmp, "state/archive/a/1/privkey.pem",
        "-----BEGIN PRIVATE KEY-----\nbm8ga2V5\n-----END PRIVATE KEY-----\n");
    helper_tmp_puts(&tmp, "state/archive/a/1/fullchain.pem",
        "text\n-----BEGIN CERTIFICATE-----\r\nbm8gY2Vy\r\n-----END "
        "CERTIFICATE-----\r\n\r\n-----BEGIN CERTIFICATE-----\ndGlma\nWNhdGU="
        "\n-----END CERTIFICATE-----");
    ok(acme_store_version_read(store, "a", 1, &found, &err));
    assert_int_equal(found.npairs, 1);
    assert_int_equal(found.pair[0].type, ACME_KEY_RSA_4096);
    assert_string_equal(acme_buf_str(&found.pair[0].key), "no key");
    assert_string_equal(acme_buf_str(&found.pair[0].chain), "no certificate");
    assert_string_equal(found.pair[0].origin.issuer, "");

    meta[strlen(meta) - 10] ^= 1; /* another hash: looked at, refused */
    helper_tmp_puts(&tmp, "state/archive/a/1/meta.json", meta);
    expect_error(acme_store_version_read(store, "a", 1, &found, &err), ACME_IO,
        "\"archive/a/1/privkey.pem\" is damaged");
    assert_int_equal(found.pair[0].key.len, 6); /* untouched */
}

static void
copy(const char *from, const char *to)
{
    char *text = helper_tmp_gets(&tmp, from);

    assert_non_null(text);
    helper_tmp_puts(&tmp, to, text);
    free(text);
}

static void mark(unsigned number);
static bool recover(void);
static void point(const char *target);

/* The operator's own key is nowhere; without the word for it that is damage.
 */
static void
test_keyless(void **state)
{
    char *meta, *word;

    (void)state;
    write_version(1);
    make_version(1);
    acme_buf_reset(&version.pair[0].key);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    assert_int_equal(version.number, 2);
    assert_target("state/live/a", "../archive/a/2");
    assert_false(helper_tmp_exists(&tmp, "state/archive/a/2/privkey.pem"));
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a/2"), 4);
    ok(acme_store_live_read(store, "a", &found, &err));
    assert_int_equal(found.number, 2);
    assert_int_equal(found.pair[0].key.len, 0);
    assert_int_equal(found.pair[0].type, ACME_KEY_ECDSA_256);
    assert_true(helper_store_same(&version, &found));

    point("../archive/a/1");
    mark(2);
    assert_true(recover());
    assert_target("state/live/a", "../archive/a/2");

    /* another certificate, put there by hand; then none */
    copy("state/archive/a/1/fullchain.pem", "state/archive/a/2/fullchain.pem");
    ok(acme_store_version_read(store, "a", 2, &found, &err));
    assert_false(helper_store_same(&version, &found));
    helper_tmp_puts(&tmp, "state/archive/a/2/fullchain.pem", "none");
    expect_error(acme_store_version_read(store, "a", 2, &found, &err), ACME_IO,
        "archive/a/2/fullchain.pem\" is damaged");

    copy("state/archive/a/1/fullchain.pem", "state/archive/a/2/fullchain.pem");
    meta = helper_tmp_gets(&tmp, "state/archive/a/2/meta.json");
    word = strstr(meta, "\"csr\"");
    assert_non_null(word);
    word[1] = 'x';
    helper_tmp_puts(&tmp, "state/archive/a/2/meta.json", meta);
    free(meta);
    expect_error(acme_store_version_read(store, "a", 2, &found, &err), ACME_IO,
        "privkey.pem");
    assert_int_equal(acme_store_live_read(store, "a", &found, &err), ACME_OK);
    assert_int_equal(found.number, 1);
    assert_non_null(strstr(err.what, "privkey.pem"));
    acme_error_clear(&err);
}

static void
test_replaced_by_hand(void **state)
{
    (void)state;
    write_version(1);
    write_version(1);
    copy("state/archive/a/1/privkey.pem", "state/archive/a/2/privkey.pem");
    expect_error(acme_store_version_read(store, "a", 2, &found, &err), ACME_IO,
        "\"archive/a/2/privkey.pem\" is not the key of the certificate in "
        "\"archive/a/2/fullchain.pem\"");
    copy("state/archive/a/1/fullchain.pem", "state/archive/a/2/fullchain.pem");
    ok(acme_store_version_read(store, "a", 2, &found, &err));
    assert_false(helper_store_same(&version, &found));
    ok(acme_store_version_read(store, "a", 1, &version, &err));
    assert_true(helper_store_same(&version, &found));
}

static void
test_without_meta(void **state)
{
    static const char *const bad[] = { "{", "[]", "{}", "{\"pairs\": 1}",
        "{\"pairs\": []}" };
    size_t i;

    (void)state;
    write_version(2);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        helper_tmp_puts(&tmp, "state/archive/a/1/meta.json", bad[i]);
        ok(acme_store_live_read(store, "a", &found, &err));
        assert_true(helper_store_same(&version, &found));
        assert_string_equal(found.pair[0].origin.issuer, "");
    }
    assert_int_equal(unlinkat(tmp.fd, "state/archive/a/1/meta.json", 0), 0);
    helper_tmp_fifo(&tmp, "state/archive/a/1/meta.json");
    ok(acme_store_live_read(store, "a", &found, &err));
    assert_true(helper_store_same(&version, &found));
    assert_int_equal(
        unlinkat(tmp.fd, "state/archive/a/1/fullchain.rsa.pem", 0), 0);
    expect_error(acme_store_version_read(store, "a", 1, &found, &err), ACME_IO,
        "fullchain.rsa.pem");
    helper_tmp_puts(&tmp, "state/archive/a/1/meta.json.new",
        "{\"pairs\": [{\"key\": \"../../x\"}]}");
    assert_int_equal(renameat(tmp.fd, "state/archive/a/1/meta.json.new",
                         tmp.fd, "state/archive/a/1/meta.json"),
        0);
    expect_error(acme_store_version_read(store, "a", 1, &found, &err), ACME_IO,
        "no known key type");
}

/* S16: every file in turn; the version before is served. */
static void
damage(const char *file, bool matters)
{
    char path[100], saved[100];
    int kind;

    (void)snprintf(path, sizeof(path), "state/archive/a/2/%s", file);
    (void)snprintf(saved, sizeof(saved), "state/archive/a/2/%s.saved", file);
    assert_int_equal(renameat(tmp.fd, path, tmp.fd, saved), 0);
    for (kind = 0; kind < 6; kind++) {
        if (kind == 1)
            helper_tmp_puts(&tmp, path, "");
        else if (kind == 2)
            helper_tmp_puts(&tmp, path, "-----BEGIN CERTIFICATE-----\nAA");
        else if (kind == 3)
            helper_tmp_link(&tmp, "/etc/passwd", path);
        else if (kind == 4)
            helper_tmp_fifo(&tmp, path);
        else if (kind == 5)
            helper_tmp_mkdir(&tmp, path);
        assert_int_equal(acme_store_live_read(store, "a", &found, &err),
            ACME_OK);
        assert_int_equal(found.number, matters ? 1 : 2);
        assert_int_equal(err.rc, matters ? ACME_IO : ACME_OK);
        if (matters && strstr(err.what, file) == NULL)
            fail_msg("%s: %s", file, err.what);
        acme_error_clear(&err);
        if (kind > 0)
            assert_int_equal(
                unlinkat(tmp.fd, path, kind == 5 ? AT_REMOVEDIR : 0), 0);
    }
    assert_int_equal(renameat(tmp.fd, saved, tmp.fd, path), 0);
    ok(acme_store_live_read(store, "a", &found, &err));
    assert_int_equal(found.number, 2);
}

static void
test_damage(void **state)
{
    (void)state;
    write_version(2);
    write_version(2);
    damage("privkey.pem", true);
    damage("fullchain.pem", true);
    damage("privkey.rsa.pem", true);
    damage("fullchain.rsa.pem", true);
    damage("cert.pem", false); /* for others to read */
    damage("chain.pem", false);
    damage("meta.json", false);

    helper_tmp_remove(&tmp, "state/archive/a/1");
    helper_tmp_puts(&tmp, "state/archive/a/2/privkey.pem", "");
    expect_error(acme_store_live_read(store, "a", &found, &err), ACME_NOENT,
        "archive/a/2/privkey.pem");
    helper_tmp_remove(&tmp, "state/archive/a/2");
    expect_error(acme_store_live_read(store, "a", &found, &err), ACME_NOENT,
        "archive/a/2");
}

static void
test_live_planted(void **state)
{
    static const char *const bad[] = { "/etc", "../archive/b/1",
        "../archive/a", "../archive/a/", "../archive/a/0", "../archive/a/01",
        "../archive/a/1/", "../archive/a/1x", "../archive/a/1/../2",
        "../archive/a/1234567890", "../../state/archive/a/1", "archive/a/1",
        "../archive/a/-1", "1" };
    unsigned number = 99;
    size_t i;

    (void)state;
    write_version(1);
    write_version(1);
    helper_tmp_mkdir(&tmp, "state/archive/b");
    assert_int_equal(unlinkat(tmp.fd, "state/live/a", 0), 0);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        helper_tmp_link(&tmp, bad[i], "state/live/a");
        expect_error(acme_store_live(store, "a", &number, &err), ACME_IO,
            "\"live/a\" does not point to a version");
        assert_int_equal(number, 99);
        assert_int_equal(acme_store_live_read(store, "a", &found, &err),
            ACME_OK);
        assert_int_equal(found.number, 2);
        expect_error(err.rc, ACME_IO, "live/a");
        assert_int_equal(unlinkat(tmp.fd, "state/live/a", 0), 0);
    }
    helper_tmp_mkdir(&tmp, "state/live/a");
    expect_error(acme_store_live(store, "a", &number, &err), ACME_IO,
        "\"live/a\" is no symbolic link");
    make_version(1);
    expect_error(acme_store_version_write(store, "a", &version, NOW, &err),
        ACME_IO, "live/a");
    assert_int_equal(unlinkat(tmp.fd, "state/live/a", AT_REMOVEDIR), 0);
    helper_tmp_fifo(&tmp, "state/live/a");
    expect_error(acme_store_live(store, "a", &number, &err), ACME_IO,
        "\"live/a\" is no symbolic link");
    /* A new version puts it right. */
    assert_int_equal(write_version(1), 4);
    assert_target("state/live/a", "../archive/a/4");
}

static void
test_archive_planted(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "elsewhere");
    helper_tmp_link(&tmp, "../../elsewhere", "state/archive/a");
    make_version(1);
    expect_error(acme_store_version_write(store, "a", &version, NOW, &err),
        ACME_IO, "archive/a");
    assert_int_equal(helper_tmp_count(&tmp, "elsewhere"), 0);
    assert_int_equal(unlinkat(tmp.fd, "state/archive/a", 0), 0);

    /* Numbers that are taken by something else are left alone. */
    helper_tmp_mkdir(&tmp, "state/archive/a");
    helper_tmp_link(&tmp, "../../../elsewhere", "state/archive/a/7");
    helper_tmp_puts(&tmp, "state/archive/a/README", "");
    helper_tmp_puts(&tmp, "state/archive/a/012", "");
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    assert_int_equal(version.number, 8);
    assert_int_equal(helper_tmp_count(&tmp, "elsewhere"), 0);
    expect_error(acme_store_version_read(store, "a", 7, &found, &err), ACME_IO,
        "archive/a/7");
    helper_tmp_mkdir(&tmp, "state/archive/a/999999999");
    expect_error(acme_store_version_write(store, "a", &version, NOW, &err),
        ACME_IO, "no number left");
}

static void
test_prune(void **state)
{
    char path[100];
    time_t now = time(NULL);
    unsigned i;

    (void)state;
    make_version(1);
    for (i = 1; i <= 7; i++)
        ok(acme_store_version_write(store, "a", &version, now, &err));
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a"), 7);
    for (i = 1; i <= 7; i++) {
        (void)snprintf(path, sizeof(path), "state/archive/a/%u", i);
        if (i != 2)
            age(path, ACME_VERSION_MIN_AGE + 10);
    }
    helper_tmp_mkdir(&tmp, "state/archive/a/.1.tmp"); /* of a crash */
    ok(acme_store_version_write(store, "a", &version, now, &err));
    assert_false(helper_tmp_exists(&tmp, "state/archive/a/1"));
    assert_true(helper_tmp_exists(&tmp, "state/archive/a/2")); /* young */
    assert_false(helper_tmp_exists(&tmp, "state/archive/a/3"));
    for (i = 4; i <= 8; i++) {
        (void)snprintf(path, sizeof(path), "state/archive/a/%u", i);
        assert_true(helper_tmp_exists(&tmp, path));
    }
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a"), 6);
}

/* What cannot be pruned does not undo what is served. */
static void
test_prune_stuck(void **state)
{
    unsigned i;

    (void)state;
    make_version(1);
    for (i = 1; i <= 5; i++)
        ok(acme_store_version_write(store, "a", &version, time(NULL), &err));
    helper_tmp_mkdir(&tmp, "state/archive/a/1/deep");
    helper_tmp_puts(&tmp, "state/archive/a/1/deep/file", "");
    age("state/archive/a/1", ACME_VERSION_MIN_AGE + 10);
    assert_int_equal(
        acme_store_version_write(store, "a", &version, time(NULL), &err),
        ACME_OK);
    assert_int_equal(version.number, 6);
    assert_target("state/live/a", "../archive/a/6");
    expect_error(err.rc, ACME_IO, "archive/a");
}

/* ---- recovery --------------------------------------------------------- */

static bool
recover(void)
{
    bool settled = acme_store_is_settled(store, "a"), moved = false;

    ok(acme_store_recover(store, "a", &moved, &err));
    assert_false(settled && moved);
    return moved;
}

static void
mark(unsigned number)
{
    char path[100];

    (void)snprintf(path, sizeof(path), "state/archive/a/%u/pending", number);
    helper_tmp_puts(&tmp, path, "");
}

static bool
is_marked(unsigned number)
{
    char path[100];

    (void)snprintf(path, sizeof(path), "state/archive/a/%u/pending", number);
    return faccessat(tmp.fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
point(const char *target)
{
    (void)unlinkat(tmp.fd, "state/live/a", 0);
    helper_tmp_link(&tmp, target, "state/live/a");
}

static void
test_recover(void **state)
{
    (void)state;
    assert_false(recover()); /* nothing there at all */
    assert_true(acme_store_is_settled(store, "a"));
    write_version(1);
    write_version(2);
    assert_true(acme_store_is_settled(store, "a"));
    assert_false(recover());

    /* M10: a rollback stays. */
    point("../archive/a/1");
    assert_false(recover());
    assert_target("state/live/a", "../archive/a/1");

    mark(2);
    assert_false(acme_store_is_settled(store, "a"));
    assert_true(recover());
    assert_target("state/live/a", "../archive/a/2");
    assert_false(is_marked(2));
    ok(acme_store_live_read(store, "a", &found, &err));
    assert_true(helper_store_same(&version, &found));

    /* The first version of all. */
    assert_int_equal(unlinkat(tmp.fd, "state/live/a", 0), 0);
    mark(2);
    assert_true(recover());
    assert_target("state/live/a", "../archive/a/2");
    assert_int_equal(unlinkat(tmp.fd, "state/live/a", 0), 0);
    assert_false(recover());
}

static void
test_recover_marks(void **state)
{
    (void)state;
    make_version(1);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    /* Live already, the mark not yet cleared. */
    mark(3);
    assert_false(recover());
    assert_false(is_marked(3));
    /* Overtaken: must not come back after a rollback. */
    mark(2);
    mark(3);
    point("../archive/a/1");
    assert_true(recover());
    assert_target("state/live/a", "../archive/a/3");
    assert_false(is_marked(2));
    assert_false(is_marked(3));
    mark(1);
    mark(2);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    assert_false(is_marked(1));
    assert_false(is_marked(2));
    assert_false(is_marked(4));
    /* Never backwards. */
    mark(1);
    assert_false(recover());
    assert_target("state/live/a", "../archive/a/4");
}

static void
test_switch(void **state)
{
    (void)state;
    make_version(1);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    mark(2);
    mark(3);
    ok(acme_store_switch(store, "a", 1, &err));
    assert_target("state/live/a", "../archive/a/1");
    assert_false(is_marked(2) || is_marked(3));
    assert_false(recover());
    assert_target("state/live/a", "../archive/a/1");
    expect_error(acme_store_switch(store, "a", 4, &err), ACME_IO,
        "archive/a/4");
    expect_error(acme_store_switch(store, "b", 1, &err), ACME_IO,
        "archive/b/1");
    assert_target("state/live/a", "../archive/a/1");
    ok(acme_store_switch(store, "a", 3, &err));
    assert_target("state/live/a", "../archive/a/3");
    /* A number is never used twice. */
    ok(acme_store_switch(store, "a", 2, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    assert_target("state/live/a", "../archive/a/4");
}

static void
test_live_stamp(void **state)
{
    uint64_t none = acme_store_live_stamp(store, "a"), first;

    (void)state;
    make_version(1);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    first = acme_store_live_stamp(store, "a");
    assert_true(first != none);
    assert_true(first == acme_store_live_stamp(store, "a"));
    ok(acme_store_forget(store, "a", &err));
    assert_true(acme_store_live_stamp(store, "a") == none);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    assert_target("state/live/a", "../archive/a/1");
    assert_true(acme_store_live_stamp(store, "a") != first);
}

static void
test_recover_damaged(void **state)
{
    bool moved = true;

    (void)state;
    make_version(1);
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    ok(acme_store_version_write(store, "a", &version, NOW, &err));
    point("../archive/a/1");
    mark(2);
    mark(3);
    helper_tmp_puts(&tmp, "state/archive/a/3/privkey.pem", "");
    expect_error(acme_store_recover(store, "a", &moved, &err), ACME_IO,
        "archive/a/3/privkey.pem");
    assert_true(moved);
    assert_target("state/live/a", "../archive/a/2");
    assert_false(is_marked(2));
}

static void
test_recover_tidies(void **state)
{
    (void)state;
    write_version(1);
    helper_tmp_mkdir(&tmp, "state/archive/a/.2.0123.tmp");
    helper_tmp_puts(&tmp, "state/archive/a/.2.0123.tmp/privkey.pem", "");
    helper_tmp_mkdir(&tmp, "state/archive/a/.1.tmp");
    helper_tmp_link(&tmp, "../archive/a/2", "state/live/.a.tmp");
    helper_tmp_link(&tmp, "../archive/b/2", "state/live/.b.tmp");
    helper_tmp_mkdir(&tmp, "state/orders/a");
    helper_tmp_puts(&tmp, "state/orders/a/order.json", "{}");
    helper_tmp_puts(&tmp, "state/orders/a/.order.json.0123.tmp", "");
    assert_false(recover());
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a"), 1);
    assert_int_equal(helper_tmp_count(&tmp, "state/archive/a/1"), 5);
    assert_int_equal(helper_tmp_count(&tmp, "state/live"), 2);
    assert_int_equal(helper_tmp_count(&tmp, "state/orders/a"), 1);
}

/* Each of what a crash may leave is noticed by itself. */
static void
test_settled(void **state)
{
    static const char *const left[] = { "archive/a/.2.tmp", "live/.a.tmp",
        "orders/a", "orders/.a.tmp", "orders/a~rsa", "orders/.a~rsa.tmp",
        "archive/a/1/pending" };
    char path[100];
    size_t i;

    (void)state;
    write_version(1);
    helper_tmp_mkdir(&tmp, "state/orders/b");
    helper_tmp_mkdir(&tmp, "state/archive/b");
    for (i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        assert_true(acme_store_is_settled(store, "a"));
        (void)snprintf(path, sizeof(path), "state/%s", left[i]);
        helper_tmp_mkdir(&tmp, path);
        if (acme_store_is_settled(store, "a"))
            fail_msg("%s is not noticed", left[i]);
        helper_tmp_remove(&tmp, path);
    }
}

/* A key, or challenges, without their order; an order half removed; of this
 * lineage only. */
static void
test_recover_tidies_orders(void **state)
{
    (void)state;
    write_version(1);
    helper_tmp_mkdir(&tmp, "state/orders/a");
    helper_tmp_puts(&tmp, "state/orders/a/privkey.pem", "");
    helper_tmp_mkdir(&tmp, "state/orders/.a.tmp");
    helper_tmp_puts(&tmp, "state/orders/.a.tmp/privkey.pem", "");
    helper_tmp_mkdir(&tmp, "state/orders/a~rsa");
    helper_tmp_puts(&tmp, "state/orders/a~rsa/privkey.pem", "");
    helper_tmp_mkdir(&tmp, "state/orders/b");
    helper_tmp_mkdir(&tmp, "state/orders/.b.tmp");
    assert_false(recover());
    assert_int_equal(helper_tmp_count(&tmp, "state/orders"), 2);
    assert_false(recover());
}

static void
test_refused(void **state)
{
    struct acme_chain *chain = NULL, *again = NULL;
    char *text;

    (void)state;
    make_version(1);
    ok(acme_chain_from_der(version.pair[0].chain.data,
        version.pair[0].chain.len, &chain, &err));
    ok(acme_store_refused(store, "a", chain, "it has expired\n-----BEGIN",
        &err));
    text = helper_tmp_gets(&tmp, "state/record/a.refused.pem");
    assert_non_null(strstr(text, "refused: it has expired\\x0a-----BEGIN\n"));
    ok(acme_chain_from_pem(text, strlen(text), &again, &err));
    assert_int_equal(acme_chain_count(again), 2);
    assert_int_equal(helper_tmp_mode(&tmp, "state/record/a.refused.pem"),
        0600);
    free(text);
    acme_chain_free(chain);
    acme_chain_free(again);
}

/* ---- orders ----------------------------------------------------------- */

static void
test_order(void **state)
{
    struct acme_buf key;

    (void)state;
    make_version(2);
    acme_buf_init_secret(&key, 10000);
    assert_int_equal(acme_store_order_read(store, "a", &buf, &key, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    ok(acme_store_order_write(store, "a", "one", 3, version.pair[0].key.data,
        version.pair[0].key.len, &err));
    ok(acme_store_order_read(store, "a", &buf, &key, &err));
    assert_string_equal(acme_buf_str(&buf), "one");
    assert_int_equal(key.len, version.pair[0].key.len);
    assert_memory_equal(key.data, version.pair[0].key.data, key.len);
    assert_int_equal(helper_tmp_mode(&tmp, "state/orders/a"), 0700);
    assert_int_equal(helper_tmp_mode(&tmp, "state/orders/a/privkey.pem"),
        0600);
    assert_int_equal(helper_tmp_mode(&tmp, "state/orders/a/order.json"), 0600);

    /* The blob alone. */
    ok(acme_store_order_update(store, "a", "more", 4, &err));
    acme_buf_reset(&buf);
    acme_buf_reset(&key);
    ok(acme_store_order_read(store, "a", &buf, &key, &err));
    assert_string_equal(acme_buf_str(&buf), "more");
    assert_memory_equal(key.data, version.pair[0].key.data, key.len);

    /* Another key, then none. */
    ok(acme_store_order_write(store, "a", "two", 3, version.pair[1].key.data,
        version.pair[1].key.len, &err));
    acme_buf_reset(&buf);
    acme_buf_reset(&key);
    ok(acme_store_order_read(store, "a", &buf, &key, &err));
    assert_int_equal(key.len, version.pair[1].key.len);
    ok(acme_store_order_write(store, "a", "three", 5, NULL, 0, &err));
    acme_buf_reset(&buf);
    acme_buf_reset(&key);
    ok(acme_store_order_read(store, "a", &buf, &key, &err));
    assert_string_equal(acme_buf_str(&buf), "three");
    assert_int_equal(key.len, 0);

    ok(acme_store_order_drop(store, "a", &err));
    assert_int_equal(helper_tmp_count(&tmp, "state/orders"), 0);
    ok(acme_store_order_drop(store, "a", &err));
    expect_error(acme_store_order_update(store, "a", "x", 1, &err), ACME_NOENT,
        "orders/a/order.json");
    acme_buf_clear(&key);
}

static void
test_order_key_refused(void **state)
{
    struct acme_buf key;

    (void)state;
    make_version(1);
    ok(acme_store_order_write(store, "a", "one", 3, version.pair[0].key.data,
        version.pair[0].key.len, &err));
    assert_int_not_equal(
        acme_store_order_write(store, "a", "two", 3, "x", 1, &err), ACME_OK);
    acme_error_clear(&err);
    /* Never the old order with another key, nor the other way. */
    acme_buf_init_secret(&key, 10000);
    ok(acme_store_order_read(store, "a", &buf, &key, &err));
    assert_string_equal(acme_buf_str(&buf), "one");
    assert_int_equal(key.len, version.pair[0].key.len);
    assert_memory_equal(key.data, version.pair[0].key.data, key.len);
    acme_buf_clear(&key);
}

static void
test_order_planted(void **state)
{
    struct acme_buf key;

    (void)state;
    make_version(1);
    acme_buf_init_secret(&key, 10000);
    ok(acme_store_order_write(store, "a", "one", 3, version.pair[0].key.data,
        version.pair[0].key.len, &err));
    helper_tmp_puts(&tmp, "state/orders/a/privkey.pem", "SECRETSECRET");
    expect_error(acme_store_order_read(store, "a", &buf, &key, &err), ACME_IO,
        "orders/a/privkey.pem");
    assert_int_equal(buf.len, 0);
    assert_int_equal(unlinkat(tmp.fd, "state/orders/a/privkey.pem", 0), 0);
    helper_tmp_fifo(&tmp, "state/orders/a/privkey.pem");
    expect_error(acme_store_order_read(store, "a", &buf, &key, &err), ACME_IO,
        "orders/a/privkey.pem");
    ok(acme_store_order_write(store, "a", "two", 3, version.pair[0].key.data,
        version.pair[0].key.len, &err));
    ok(acme_store_order_read(store, "a", &buf, &key, &err));
    assert_string_equal(acme_buf_str(&buf), "two");
    ok(acme_store_order_drop(store, "a", &err));

    helper_tmp_mkdir(&tmp, "elsewhere");
    helper_tmp_puts(&tmp, "elsewhere/order.json", "three");
    helper_tmp_link(&tmp, "../../elsewhere", "state/orders/a");
    expect_error(acme_store_order_read(store, "a", &buf, &key, &err), ACME_IO,
        "orders/a/order.json");
    expect_error(acme_store_order_update(store, "a", "x", 1, &err), ACME_IO,
        "orders/a");
    ok(acme_store_order_drop(store, "a", &err)); /* the link goes */
    assert_false(helper_tmp_exists(&tmp, "state/orders/a"));
    assert_content("elsewhere/order.json", "three");
    acme_buf_clear(&key);
}

/* ---- challenges ------------------------------------------------------- */

static struct acme_key *
new_key(enum acme_key_type type, char id[ACME_KEY_ID_LEN + 1],
    char thumbprint[ACME_THUMBPRINT_LEN + 1])
{
    struct acme_key *key = NULL;

    ok(acme_key_generate(type, &key, &err));
    ok(acme_key_id(key, id, &err));
    ok(acme_key_thumbprint(key, thumbprint, &err));
    return key;
}

static const struct acme_issuer verified = { .verify = true };
static char id[ACME_KEY_ID_LEN + 1];
static char thumbprint[ACME_THUMBPRINT_LEN + 1];

/* An account key of the state directory. */
static void
store_key(void)
{
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256, id, thumbprint);

    ok(acme_store_account_key(store, &verified, key, &err));
    acme_key_unref(key);
}

static void
write_challenge(const char *lineage, const char *account, const char *name,
    const char *token)
{
    struct acme_area_token tokens;

    memset(&tokens, 0, sizeof(tokens));
    strcpy(tokens.name, name);
    strcpy(tokens.token, token);
    ok(acme_store_challenges_write(store, lineage, account, &tokens, 1, &err));
}

static struct acme_area_token *tokens;
static size_t ntokens;

static void
read_tokens(void)
{
    free(tokens);
    tokens = NULL;
    ntokens = 99;
    acme_buf_reset(&buf);
    ok(acme_store_tokens(store, &tokens, &ntokens, &buf, &err));
}

static void
test_tokens(void **state)
{
    struct acme_area_token two[2];
    char *text;

    (void)state;
    read_tokens();
    assert_int_equal(ntokens, 0);
    store_key();
    write_challenge("b", id, "b.test", "token-b");
    memset(two, 0, sizeof(two));
    strcpy(two[0].name, "a.test");
    strcpy(two[0].token, "token-a");
    strcpy(two[0].thumbprint, "planted");
    strcpy(two[1].name, "2001:db8::1");
    strcpy(two[1].token, "_-");
    two[1].type = ACME_TLS_ALPN_01;
    two[1].presented = 1795262400;
    ok(acme_store_challenges_write(store, "a", id, two, 2, &err));
    read_tokens();
    assert_int_equal(ntokens, 3);
    assert_string_equal(tokens[0].name, "a.test");
    assert_string_equal(tokens[0].token, "token-a");
    assert_string_equal(tokens[0].thumbprint, thumbprint);
    assert_string_equal(tokens[1].name, "2001:db8::1");
    assert_string_equal(tokens[1].token, "_-");
    assert_int_equal(tokens[0].type, ACME_HTTP_01);
    assert_int_equal(tokens[1].type, ACME_TLS_ALPN_01);
    assert_int_equal(tokens[1].presented, 1795262400);
    assert_string_equal(tokens[2].thumbprint, thumbprint);
    assert_int_equal(buf.len, 0);
    text = helper_tmp_gets(&tmp, "state/orders/a/challenge.json");
    assert_null(strstr(text, thumbprint)); /* never a key authorization */
    assert_null(strstr(text, "planted"));
    assert_non_null(strstr(text, id));
    free(text);

    ok(acme_store_challenges_write(store, "a", id, NULL, 0, &err));
    read_tokens();
    assert_int_equal(ntokens, 1);
    ok(acme_store_order_drop(store, "b", &err));
    read_tokens();
    assert_int_equal(ntokens, 0);
    expect_error(acme_store_challenges_write(store, "a", "../x", two, 2, &err),
        ACME_IO, "account id");
    free(tokens);
    tokens = NULL;
}

#define GOOD "{\"name\": \"good.test\", \"token\": \"good\"}"

/* What is planted never gets out, what is beside it does (S2). */
static void
planted(const char *text, const char *why)
{
    helper_tmp_puts(&tmp, "state/orders/bad/challenge.json", text);
    read_tokens();
    assert_int_equal(ntokens, 1);
    assert_string_equal(tokens[0].name, "good.test");
    assert_string_equal(tokens[0].thumbprint, thumbprint);
    if (strstr(acme_buf_str(&buf), "orders/bad/challenge.json") == NULL ||
        strstr(acme_buf_str(&buf), why) == NULL)
        fail_msg("%s: %s", text, acme_buf_str(&buf));
}

/* The same in the name of an account that is here. */
static void
planted_challenges(const char *challenges)
{
    char text[1000];

    (void)snprintf(text, sizeof(text),
        "{\"account\": \"%s\", \"challenges\": [%s]}", id, challenges);
    planted(text, "malformed");
}

static void
test_tokens_planted(void **state)
{
    (void)state;
    store_key();
    write_challenge("good", id, "good.test", "good");
    helper_tmp_mkdir(&tmp, "state/orders/bad");
    planted("{", "malformed JSON");
    planted("[]", "no JSON object");
    planted("{}", "no account");
    planted("{\"challenges\": [" GOOD "]}", "no account");
    planted("{\"account\": \"../../x\", \"challenges\": [" GOOD "]}",
        "no account");
    planted("{\"account\": \"0123456789abcdef0123456789abcdef\", "
            "\"challenges\": [" GOOD "]}",
        "not here");
    planted_challenges(GOOD ", {\"name\": \"x.test\", \"token\": \"a.b\"}");
    planted_challenges("{\"name\": \"x.test\", \"token\": \"\"}");
    planted_challenges("{\"name\": \"X.test\", \"token\": \"a\"}");
    planted_challenges("{\"name\": \"../x\", \"token\": \"a\"}");
    planted_challenges("{\"token\": \"a\"}");
    planted_challenges("{\"name\": \"x.test\", \"token\": [\"a\"]}");
    planted_challenges("1");
    free(tokens);
    tokens = NULL;
}

static void
test_tokens_farm(void **state)
{
    int fd;

    (void)state;
    store_key();
    write_challenge("good", id, "good.test", "good");
    helper_tmp_puts(&tmp, "state/orders/file", "");
    helper_tmp_link(&tmp, "good", "state/orders/link");
    helper_tmp_fifo(&tmp, "state/orders/fifo");
    helper_tmp_mkdir(&tmp, "state/orders/dir");
    helper_tmp_mkdir(&tmp, "state/orders/dir/challenge.json");
    helper_tmp_mkdir(&tmp, "state/orders/pipe");
    helper_tmp_fifo(&tmp, "state/orders/pipe/challenge.json");
    helper_tmp_mkdir(&tmp, "state/orders/huge");
    fd = openat(tmp.fd, "state/orders/huge/challenge.json", O_WRONLY | O_CREAT,
        0600);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    close(fd);
    helper_tmp_mkdir(&tmp, "state/orders/empty");
    helper_tmp_mkdir(&tmp, "state/orders/a b\033");
    read_tokens();
    assert_int_equal(ntokens, 1);
    assert_non_null(strstr(acme_buf_str(&buf), "orders/file/"));
    assert_non_null(strstr(acme_buf_str(&buf), "orders/link/"));
    assert_non_null(strstr(acme_buf_str(&buf), "orders/fifo/"));
    assert_non_null(strstr(acme_buf_str(&buf), "orders/dir/"));
    assert_non_null(strstr(acme_buf_str(&buf), "orders/pipe/"));
    assert_non_null(strstr(acme_buf_str(&buf), "orders/huge/"));
    assert_null(strstr(acme_buf_str(&buf), "orders/empty/"));
    free(tokens);
    tokens = NULL;
    ok(acme_store_tokens(store, &tokens, &ntokens, NULL, &err));
    assert_int_equal(ntokens, 1);
    free(tokens);
    tokens = NULL;
}

/* The thumbprint is remembered, the key's presence is not. */
static void
test_tokens_key_gone(void **state)
{
    char path[100], good[100], other_id[ACME_KEY_ID_LEN + 1];
    char other[ACME_THUMBPRINT_LEN + 1];
    struct acme_key *key;

    (void)state;
    store_key();
    write_challenge("a", id, "a.test", "a");
    read_tokens();
    assert_int_equal(ntokens, 1);
    (void)snprintf(path, sizeof(path), "state/keys/%s.pem", id);
    assert_int_equal(renameat(tmp.fd, path, tmp.fd, "saved"), 0);
    read_tokens();
    assert_int_equal(ntokens, 0);
    helper_tmp_link(&tmp, "../../saved", path);
    read_tokens();
    assert_int_equal(ntokens, 0);
    assert_int_equal(renameat(tmp.fd, "saved", tmp.fd, path), 0);
    read_tokens();
    assert_int_equal(ntokens, 1);

    /* A key under another one's name. */
    key = new_key(ACME_KEY_ECDSA_256, other_id, other);
    write_challenge("b", other_id, "b.test", "b");
    (void)snprintf(good, sizeof(good), "%s", path);
    (void)snprintf(path, sizeof(path), "state/keys/%s.pem", other_id);
    copy(good, path);
    read_tokens();
    assert_int_equal(ntokens, 1);
    assert_string_equal(tokens[0].name, "a.test");
    assert_non_null(strstr(acme_buf_str(&buf), "another key"));
    assert_int_equal(unlinkat(tmp.fd, path, 0), 0);

    /* An operator's own key is in no file of ours. */
    read_tokens();
    assert_int_equal(ntokens, 1);
    ok(acme_store_known_key(store, key, &err));
    ok(acme_store_known_key(store, key, &err));
    acme_key_unref(key);
    read_tokens();
    assert_int_equal(ntokens, 2);
    assert_string_equal(tokens[1].name, "b.test");
    assert_string_equal(tokens[1].thumbprint, other);
    free(tokens);
    tokens = NULL;
}

static void
test_tokens_many(void **state)
{
    static struct acme_area_token many[ACME_TOKENS_MAX];
    size_t i;

    (void)state;
    store_key();
    for (i = 0; i < ACME_TOKENS_MAX; i++) {
        strcpy(many[i].name, "a.test");
        (void)snprintf(many[i].token, sizeof(many[i].token), "%zu", i);
    }
    ok(acme_store_challenges_write(store, "a", id, many, ACME_TOKENS_MAX,
        &err));
    write_challenge("b", id, "b.test", "b");
    read_tokens();
    assert_int_equal(ntokens, ACME_TOKENS_MAX);
    assert_non_null(strstr(acme_buf_str(&buf), "more than 1024"));
    free(tokens);
    tokens = NULL;
}

/* ---- accounts --------------------------------------------------------- */

static struct acme_issuer
issuer_of(const char *directory, enum acme_key_type type)
{
    struct acme_issuer issuer;

    memset(&issuer, 0, sizeof(issuer));
    issuer.name = "test";
    issuer.directory = directory;
    issuer.key_type = type;
    issuer.verify = true;
    return issuer;
}

/* Security S34: a CA whose server is not verified has a key of its own. */
static void
test_account_unverified(void **state)
{
    struct acme_issuer issuer = issuer_of(CA, ACME_KEY_ECDSA_256);
    struct acme_issuer unverified =
        issuer_of("https://other.test/dir", ACME_KEY_ECDSA_256);
    struct acme_account_entry entry = { "", "", NULL };
    char second[ACME_KEY_ID_LEN + 1], unused[ACME_THUMBPRINT_LEN + 1];
    struct acme_key *key = new_key(ACME_KEY_ECDSA_256, second, unused);

    (void)state;
    unverified.verify = false;
    store_key();
    assert_int_equal(
        acme_store_account(store, &unverified, NULL, &entry, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    ok(acme_store_account_key(store, &unverified, key, &err));
    acme_key_unref(key);
    ok(acme_store_account(store, &unverified, NULL, &entry, &err));
    assert_string_equal(entry.id, second);
    acme_account_entry_clear(&entry);
    /* It was verified once, and got an account with everybody's key. */
    ok(acme_store_account_url(store, &unverified, id, "https://other.test/1",
        NOW, &err));
    ok(acme_store_account(store, &unverified, NULL, &entry, &err));
    assert_string_equal(entry.id, second);
    acme_account_entry_clear(&entry);
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.id, id);
    acme_account_entry_clear(&entry);
}

static void
test_account(void **state)
{
    struct acme_issuer issuer = issuer_of(CA, ACME_KEY_ECDSA_256);
    struct acme_issuer other =
        issuer_of("https://other.test:14000/dir", ACME_KEY_ECDSA_256);
    struct acme_issuer third =
        issuer_of("https://third.test/", ACME_KEY_ECDSA_256);
    struct acme_account_entry entry = { "", "", NULL };
    char first[ACME_KEY_ID_LEN + 1], path[200], *text;
    const char *smaller;

    (void)state;
    assert_int_equal(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    store_key();
    strcpy(first, id);
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.id, first);
    assert_string_equal(entry.url, "");
    assert_non_null(entry.key);
    acme_account_entry_clear(&entry);
    ok(acme_store_account_url(store, &issuer, first, "https://ca.test/acct/1",
        NOW, &err));
    (void)snprintf(path, sizeof(path),
        "state/accounts/ca.test/directory/%s/account.json", first);
    text = helper_tmp_gets(&tmp, path);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"url\": \"https://ca.test/acct/1\""));
    assert_non_null(strstr(text, "\"created\": \"2023-11-14T22:13:20Z\""));
    assert_non_null(strstr(text, "\"directory\": \"" CA "\""));
    assert_non_null(strstr(text, first));
    free(text);
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.url, "https://ca.test/acct/1");
    acme_account_entry_clear(&entry);

    /* One key for every CA. */
    ok(acme_store_account(store, &other, NULL, &entry, &err));
    assert_string_equal(entry.id, first);
    assert_string_equal(entry.url, "");
    acme_account_entry_clear(&entry);
    ok(acme_store_account_url(store, &other, first, "https://other.test/1",
        NOW, &err));
    (void)snprintf(path, sizeof(path),
        "state/accounts/other.test:14000/dir/%s/account.json", first);
    assert_true(helper_tmp_exists(&tmp, path));
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.url, "https://ca.test/acct/1");
    acme_account_entry_clear(&entry);

    /* A second key is no default, but its account may be the newer one; the
     * names do not tell. */
    store_key();
    ok(acme_store_account(store, &third, NULL, &entry, &err));
    assert_string_equal(entry.id, first);
    acme_account_entry_clear(&entry);
    smaller = strcmp(id, first) < 0 ? id : first;
    ok(acme_store_account_url(store, &issuer, id, "https://ca.test/acct/2",
        smaller == id ? NOW + 10 : NOW - 10, &err));
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.id, smaller);
    acme_account_entry_clear(&entry);
    /* "created" stays what it was, a forgotten URL keeps the account. */
    ok(acme_store_account_url(store, &issuer, first, "", NOW + 20, &err));
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.id, smaller);
    acme_account_entry_clear(&entry);
    acme_account_entry_clear(&entry);
}

static void
test_account_types(void **state)
{
    struct acme_issuer ecdsa = issuer_of(CA, ACME_KEY_NONE);
    struct acme_issuer rsa = issuer_of(CA, ACME_KEY_RSA_2048);
    struct acme_account_entry entry = { "", "", NULL };
    char rsa_id[ACME_KEY_ID_LEN + 1], unused[ACME_THUMBPRINT_LEN + 1];
    struct acme_key *key = new_key(ACME_KEY_RSA_2048, rsa_id, unused);
    char path[100];

    (void)state;
    store_key();
    assert_int_equal(acme_store_account(store, &rsa, NULL, &entry, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    ok(acme_store_account_key(store, &verified, key, &err));
    ok(acme_store_account_key(store, &verified, key, &err));
    acme_key_unref(key);
    ok(acme_store_account_url(store, &rsa, rsa_id, "https://ca.test/2", NOW,
        &err));
    ok(acme_store_account(store, &rsa, NULL, &entry, &err));
    assert_string_equal(entry.id, rsa_id);
    acme_account_entry_clear(&entry);
    ok(acme_store_account(store, &ecdsa, NULL, &entry, &err));
    assert_string_equal(entry.id, id);
    acme_account_entry_clear(&entry);
    (void)snprintf(path, sizeof(path), "state/keys/%s.pem", rsa_id);
    assert_int_equal(helper_tmp_mode(&tmp, path), 0600);
    assert_int_equal(helper_tmp_mode(&tmp, "state/keys/default.json"), 0600);
}

static void
test_account_own(void **state)
{
    struct acme_issuer issuer = issuer_of(CA, ACME_KEY_ECDSA_256);
    struct acme_account_entry entry = { "", "", NULL };
    char own_id[ACME_KEY_ID_LEN + 1], unused[ACME_THUMBPRINT_LEN + 1];
    struct acme_key *own = new_key(ACME_KEY_ECDSA_256, own_id, unused);

    (void)state;
    store_key();
    ok(acme_store_account(store, &issuer, own, &entry, &err));
    assert_string_equal(entry.id, own_id);
    assert_string_equal(entry.url, "");
    acme_account_entry_clear(&entry);
    ok(acme_store_account_url(store, &issuer, own_id, "https://ca.test/3", NOW,
        &err));
    ok(acme_store_account(store, &issuer, own, &entry, &err));
    assert_string_equal(entry.url, "https://ca.test/3");
    acme_account_entry_clear(&entry);
    acme_key_unref(own);
    assert_int_equal(helper_tmp_count(&tmp, "state/keys"), 2);
    /* Nobody else uses it. */
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.id, id);
    acme_account_entry_clear(&entry);
}

/* Never another account or key because one cannot be read. */
static void
test_account_damaged(void **state)
{
    struct acme_issuer issuer = issuer_of(CA, ACME_KEY_ECDSA_256);
    struct acme_account_entry entry = { "", "", NULL };
    char path[200], key[100];

    (void)state;
    store_key();
    (void)snprintf(key, sizeof(key), "state/keys/%s.pem", id);
    assert_int_equal(renameat(tmp.fd, key, tmp.fd, "saved"), 0);
    expect_error(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_IO, "is missing; restore it, or remove");
    helper_tmp_puts(&tmp, key, "SECRETSECRET");
    assert_int_equal(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_IO);
    assert_null(strstr(err.what, "SECRET"));
    acme_error_clear(&err);
    assert_int_equal(renameat(tmp.fd, "saved", tmp.fd, key), 0);

    helper_tmp_puts(&tmp, "state/keys/default.json", "{\"ecdsa:256\": \"x\"}");
    expect_error(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_IO, "keys/default.json");
    helper_tmp_puts(&tmp, "state/keys/default.json", "SECRET");
    expect_error(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_IO, "keys/default.json");

    ok(acme_store_account_url(store, &issuer, id, "https://ca.test/1", NOW,
        &err));
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    acme_account_entry_clear(&entry);
    (void)snprintf(path, sizeof(path),
        "state/accounts/ca.test/directory/%s/account.json", id);
    helper_tmp_puts(&tmp, path,
        "{\"url\": \"https://evil.test/\", \"directory\": "
        "\"https://evil.test/\"}");
    expect_error(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_IO, "account.json\" is damaged");
    assert_int_equal(unlinkat(tmp.fd, path, 0), 0);
    helper_tmp_fifo(&tmp, path);
    expect_error(acme_store_account(store, &issuer, NULL, &entry, &err),
        ACME_IO, "account.json");
    assert_null(entry.key);
}

static void
account_at(const char *directory, const char *want)
{
    struct acme_issuer issuer = issuer_of(directory, ACME_KEY_ECDSA_256);
    struct acme_account_entry entry = { "", "", NULL };
    char path[1000];

    ok(acme_store_account_url(store, &issuer, id, directory, NOW, &err));
    (void)snprintf(path, sizeof(path), "state/accounts/%s/%s/account.json",
        want, id);
    if (!helper_tmp_exists(&tmp, path))
        fail_msg("%s is not at %s", directory, path);
    ok(acme_store_account(store, &issuer, NULL, &entry, &err));
    assert_string_equal(entry.url, directory);
    acme_account_entry_clear(&entry);
}

/* S15: whatever the URL, one place below accounts/, of its own. */
static void
test_account_paths(void **state)
{
    struct acme_issuer issuer =
        issuer_of("https://a.test/x", ACME_KEY_ECDSA_256);
    char longer[1000];
    size_t i;

    (void)state;
    store_key();
    account_at("https://a.test/", "a.test/%2F");
    account_at("https://a.test/a/b/c", "a.test/a/b/c");
    account_at("https://a.test/a/b/", "a.test/a/b/%2F");
    account_at("https://a.test/a//b", "a.test/a/%2F/b");
    account_at("https://a.test/.hidden/x", "a.test/%2Ehidden/x");
    account_at("https://a.test/a%2f..%2fb", "a.test/a%252f..%252fb");
    account_at("https://a.test/a?ca=1/2", "a.test/a/%3Fca%3D1%2F2");
    account_at("https://a.test/a;b=c", "a.test/a%3Bb%3Dc");
    account_at("https://[2001:db8::1]:99/a", "[2001:db8::1]:99/a");
    account_at("https://a.test:443/z", "a.test/z");
    expect_error(
        acme_store_account_url(store, &issuer, "../../x", "", NOW, &err),
        ACME_IO, "account id");
    issuer.directory = "http://a.test/";
    assert_int_equal(acme_store_account_url(store, &issuer, id, "", NOW, &err),
        ACME_CONFIG);
    acme_error_clear(&err);
    strcpy(longer, "https://a.test/");
    for (i = strlen(longer); i < 400; i++)
        longer[i] = 'x';
    longer[i] = '\0';
    issuer.directory = longer;
    expect_error(acme_store_account_url(store, &issuer, id, "", NOW, &err),
        ACME_CONFIG, "too long");
}

static enum acme_rc
visit_key(void *ctx, const char *name, const struct acme_key *key,
    struct acme_error *error)
{
    (void)error;
    assert_non_null(key);
    acme_buf_addf(ctx, "%s,", name);
    return ACME_OK;
}

static void
test_keys(void **state)
{
    (void)state;
    store_key();
    helper_tmp_puts(&tmp, "state/keys/README.pem", "");
    ok(acme_store_keys(store, visit_key, &buf, &err));
    assert_int_equal(buf.len, ACME_KEY_ID_LEN + 1);
    assert_memory_equal(buf.data, id, ACME_KEY_ID_LEN);
}

/* In a child: makes a key, and tells which one it is to use then. */
static int
join_keys(int out)
{
    struct acme_issuer issuer = issuer_of(CA, ACME_KEY_ECDSA_256);
    struct acme_account_entry entry = { "", "", NULL };
    struct acme_store *mine = NULL;
    struct acme_key *key = NULL;
    bool failed = acme_store_open(helper_tmp_path(&tmp, "state"),
                      ACME_STORE_WRITE, &mine, &err) ||
                  acme_key_generate(ACME_KEY_ECDSA_256, &key, &err) ||
                  acme_store_account_key(mine, &verified, key, &err) ||
                  acme_store_account(mine, &issuer, NULL, &entry, &err) ||
                  write(out, entry.id, ACME_KEY_ID_LEN) != ACME_KEY_ID_LEN;

    acme_account_entry_clear(&entry);
    acme_key_unref(key);
    acme_store_close(mine);
    return failed;
}

static void
test_keys_together(void **state)
{
    char first[ACME_KEY_ID_LEN], next[ACME_KEY_ID_LEN];
    pid_t pid[6];
    int out[2], i, k;

    (void)state;
    for (k = 0; k < 20; k++) {
        assert_int_equal(pipe(out), 0);
        for (i = 0; i < 6; i++) {
            pid[i] = fork();
            if (pid[i] == 0)
                _exit(join_keys(out[1]));
        }
        await(pid, 6);
        close(out[1]);
        assert_int_equal(read(out[0], first, sizeof(first)), sizeof(first));
        for (i = 1; i < 6; i++) {
            assert_int_equal(read(out[0], next, sizeof(next)), sizeof(next));
            assert_memory_equal(first, next, sizeof(first));
        }
        close(out[0]);
        assert_int_equal(helper_tmp_count(&tmp, "state/keys"), 7);
        helper_tmp_remove(&tmp, "state");
    }
}

static void
test_ledger(void **state)
{
    struct acme_issuer issuer =
        issuer_of("https://ca.test:9000/a/b", ACME_KEY_ECDSA_256);
    char path[200];

    (void)state;
    store_key();
    ok(acme_store_ledger_read(store, &issuer, id, &buf, &err));
    assert_int_equal(buf.len, 0);
    ok(acme_store_ledger_write(store, &issuer, id, "{}", 2, &err));
    ok(acme_store_ledger_read(store, &issuer, id, &buf, &err));
    assert_string_equal(acme_buf_str(&buf), "{}");
    (void)snprintf(path, sizeof(path), "state/ledger/ca.test:9000/%s.json",
        id);
    assert_int_equal(helper_tmp_mode(&tmp, path), 0600);
    expect_error(acme_store_ledger_write(store, &issuer, "../x", "", 0, &err),
        ACME_IO, "account id");
    assert_int_equal(unlinkat(tmp.fd, path, 0), 0);
    helper_tmp_link(&tmp, "/etc/passwd", path);
    expect_error(acme_store_ledger_read(store, &issuer, id, &buf, &err),
        ACME_IO, "ledger/ca.test:9000/");
}

/* ---- together --------------------------------------------------------- */

static void
test_lock(void **state)
{
    struct acme_store *other = helper_store_open(&tmp);
    int one = -1, two = -1;

    (void)state;
    ok(acme_store_lock(store, "lineage", "a", &one, &err));
    expect_error(acme_store_lock(other, "lineage", "a", &two, &err), ACME_BUSY,
        "locks/lineage-a");
    ok(acme_store_lock(other, "account", "a", &two, &err));
    close(two);
    close(one);
    ok(acme_store_lock(other, "lineage", "a", &two, &err));
    close(two);
    assert_int_equal(helper_tmp_mode(&tmp, "state/locks/lineage-a"), 0600);
    assert_int_not_equal(acme_store_lock(other, "lineage", "../x", &two, &err),
        ACME_OK);
    acme_error_clear(&err);
    acme_store_close(other);
}

static bool live_moved, orders_moved, settings_moved;

static void
watch(struct acme_watch *seen)
{
    live_moved = orders_moved = settings_moved = false;
    ok(acme_store_changed(store, seen, time(NULL), &live_moved, &orders_moved,
        &settings_moved, &err));
}

/* Looks until nothing is fresh any more. */
static void
calm(struct acme_watch *seen)
{
    age("state/live", 100);
    age("state/orders", 100);
    age("state/keys", 100);
    age("state/renewal", 100);
    do
        watch(seen);
    while (live_moved || orders_moved || settings_moved);
}

static void
test_watch(void **state)
{
    struct acme_settings *settings;
    struct acme_watch seen;
    uint64_t stamp;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    age("state/live", 100);
    age("state/orders", 100);
    age("state/keys", 100);
    age("state/renewal", 100);
    watch(&seen);
    assert_true(live_moved && orders_moved && settings_moved);
    watch(&seen);
    assert_false(live_moved || orders_moved || settings_moved);

    write_version(1);
    watch(&seen);
    assert_true(live_moved && !orders_moved);
    watch(&seen); /* once more: the tick of the clock */
    assert_true(live_moved && !orders_moved);
    watch(&seen);
    assert_false(live_moved || orders_moved);

    store_key(); /* it is in keys/, with which orders are answered */
    watch(&seen);
    assert_true(!live_moved && orders_moved);
    calm(&seen);
    write_challenge("a", id, "a.test", "one");
    watch(&seen);
    assert_true(!live_moved && orders_moved);
    calm(&seen);
    /* The directory orders/a is there already: only the touch tells. */
    write_challenge("a", id, "a.test", "two");
    watch(&seen);
    assert_true(orders_moved);
    calm(&seen);
    ok(acme_store_challenges_write(store, "a", id, NULL, 0, &err));
    watch(&seen);
    assert_true(orders_moved);
    calm(&seen);
    ok(acme_store_order_drop(store, "a", &err));
    watch(&seen);
    assert_true(orders_moved && !settings_moved);
    calm(&seen);
    settings = acme_settings_new();
    stamp = acme_store_settings_stamp(store, "a");
    ok(acme_store_settings_write(store, "a", settings, &err));
    acme_settings_free(settings);
    watch(&seen);
    assert_true(!live_moved && !orders_moved && settings_moved);
    assert_true(stamp != acme_store_settings_stamp(store, "a"));
}

/* Nothing writes through a store that was opened for reading. */
static void
test_read_only(void **state)
{
    struct acme_issuer issuer = issuer_of(CA, ACME_KEY_ECDSA_256);
    struct acme_settings *settings = acme_settings_new();
    struct acme_store *reader = NULL;
    struct acme_key *key = NULL;
    bool moved = false;
    int fd = -1;

    (void)state;
    make_version(1);
    ok(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err));
    ok(acme_store_open(helper_tmp_path(&tmp, "state"), ACME_STORE_READ,
        &reader, &err));
#define REFUSED(call) expect_error((call), ACME_IO, "for reading only")
    REFUSED(acme_store_settings_write(reader, "a", settings, &err));
    REFUSED(acme_store_record_write(reader, "a", "x", 1, &err));
    REFUSED(acme_store_version_write(reader, "a", &version, NOW, &err));
    REFUSED(acme_store_recover(reader, "a", &moved, &err));
    REFUSED(acme_store_refused(reader, "a", NULL, "x", &err));
    REFUSED(acme_store_order_write(reader, "a", "x", 1, NULL, 0, &err));
    REFUSED(acme_store_challenges_write(reader, "a",
        "0123456789abcdef0123456789abcdef", NULL, 0, &err));
    REFUSED(acme_store_order_drop(reader, "a", &err));
    REFUSED(acme_store_account_key(reader, &verified, key, &err));
    REFUSED(acme_store_account_url(reader, &issuer,
        "0123456789abcdef0123456789abcdef", "", NOW, &err));
    REFUSED(acme_store_ledger_write(reader, &issuer,
        "0123456789abcdef0123456789abcdef", "", 0, &err));
    REFUSED(acme_store_lock(reader, "lineage", "a", &fd, &err));
    assert_int_equal(helper_tmp_count(&tmp, "state/orders"), 0);
    assert_int_equal(helper_tmp_count(&tmp, "state/locks"), 0);
    assert_int_equal(helper_tmp_count(&tmp, "state/archive"), 0);
    acme_store_close(reader);
    acme_settings_free(settings);
    acme_key_unref(key);
}

#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_layout),
        TEST(test_open_read),
        TEST(test_format),
        TEST(test_units),
        TEST(test_foreign_directory),
        TEST(test_open_together),
        TEST(test_planted_layout),
        TEST(test_open_sweeps),
        TEST(test_lineage_names),
        TEST(test_settings),
        TEST(test_record),
        TEST(test_lineages),
        TEST(test_version),
        TEST(test_meta),
        TEST(test_version_refused),
        TEST(test_known_by_hash),
        TEST(test_keyless),
        TEST(test_replaced_by_hand),
        TEST(test_without_meta),
        TEST(test_damage),
        TEST(test_live_planted),
        TEST(test_archive_planted),
        TEST(test_prune),
        TEST(test_prune_stuck),
        TEST(test_recover),
        TEST(test_recover_marks),
        TEST(test_switch),
        TEST(test_live_stamp),
        TEST(test_recover_damaged),
        TEST(test_recover_tidies),
        TEST(test_settled),
        TEST(test_recover_tidies_orders),
        TEST(test_refused),
        TEST(test_order),
        TEST(test_order_key_refused),
        TEST(test_order_planted),
        TEST(test_tokens),
        TEST(test_tokens_planted),
        TEST(test_tokens_farm),
        TEST(test_tokens_key_gone),
        TEST(test_tokens_many),
        TEST(test_account),
        TEST(test_account_unverified),
        TEST(test_account_types),
        TEST(test_account_own),
        TEST(test_account_damaged),
        TEST(test_account_paths),
        TEST(test_keys),
        TEST(test_keys_together),
        TEST(test_ledger),
        TEST(test_lock),
        TEST(test_watch),
        TEST(test_read_only),
    };

    alarm(300); /* nothing may wait for a FIFO */
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

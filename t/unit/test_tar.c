/*
 * tar archives: what is written is read again, also with names that no header
 * has room for; what is malformed, cut off or of another kind is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_tar.h"

static struct acme_buf tar;
static size_t at;
static struct acme_error err;
static struct acme_tar_entry entry;

static bool
read_on(void *ctx, void *out, size_t len)
{
    (void)ctx;
    if (len > tar.len - at)
        return false;
    memcpy(out, tar.data + at, len);
    at += len;
    return true;
}

static int
setup(void **state)
{
    (void)state;
    acme_buf_init(&tar, 1000000);
    acme_error_clear(&err);
    memset(&entry, 0, sizeof(entry));
    at = 0;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    acme_buf_clear(&tar);
    return 0;
}

static void
add(enum acme_tar_kind kind, const char *name, const char *target,
    const char *content)
{
    struct acme_tar_entry one = { .kind = kind,
        .mode = 0600,
        .mtime = 1700000000,
        .size = strlen(content) };

    (void)snprintf(one.name, sizeof(one.name), "%s", name);
    (void)snprintf(one.target, sizeof(one.target), "%s", target);
    assert_int_equal(acme_tar_add(&tar, &one, content, &err), ACME_OK);
}

static void
expect(enum acme_tar_kind kind, const char *name, const char *target,
    const char *content)
{
    struct acme_buf got;

    acme_buf_init(&got, 10000);
    assert_int_equal(acme_tar_next(read_on, NULL, &entry, &err), ACME_OK);
    assert_int_equal(entry.kind, kind);
    assert_string_equal(entry.name, name);
    assert_string_equal(entry.target, target);
    assert_int_equal(entry.mode, 0600);
    assert_int_equal(entry.mtime, 1700000000);
    assert_int_equal(acme_tar_content(read_on, NULL, &entry, 5000, &got, &err),
        ACME_OK);
    assert_string_equal(acme_buf_str(&got), content);
    acme_buf_clear(&got);
}

static void
expect_error(const char *part)
{
    at = 0;
    assert_int_equal(acme_tar_next(read_on, NULL, &entry, &err), ACME_WIRE);
    if (strstr(err.what, part) == NULL)
        fail_msg("\"%s\", wanted \"%s\"", err.what, part);
    acme_error_clear(&err);
}

static void
test_round(void **state)
{
    char name[300], target[300], block[513];

    (void)state;
    memset(name, 'n', 250);
    memset(target, 't', 299);
    memset(block, 'b', 512);
    name[250] = target[299] = block[512] = '\0';
    add(ACME_TAR_FILE, "format", "", "1\n");
    add(ACME_TAR_LINK, name, target, "");
    add(ACME_TAR_FILE, name, "", block);
    add(ACME_TAR_DIRECTORY, "d/", "", "");
    name[100] = target[100] = '\0';
    add(ACME_TAR_LINK, name, target, "");
    add(ACME_TAR_FILE, "empty", "", "");
    acme_tar_end(&tar);
    assert_int_equal(tar.len % ACME_TAR_BLOCK, 0);
    expect(ACME_TAR_FILE, "format", "", "1\n");
    name[100] = 'n';
    target[100] = 't';
    expect(ACME_TAR_LINK, name, target, "");
    expect(ACME_TAR_FILE, name, "", block);
    expect(ACME_TAR_DIRECTORY, "d/", "", "");
    name[100] = target[100] = '\0';
    expect(ACME_TAR_LINK, name, target, "");
    expect(ACME_TAR_FILE, "empty", "", "");
    assert_int_equal(acme_tar_next(read_on, NULL, &entry, &err), ACME_NOENT);
}

/* Sets a byte and the checksum that goes with it. */
static void
forge(size_t where, const char *text)
{
    unsigned sum = 0, i;
    char digits[16];

    memcpy(tar.data + where, text, strlen(text));
    for (i = 0; i < ACME_TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : tar.data[i];
    (void)snprintf(digits, sizeof(digits), "%06o", sum);
    memcpy(tar.data + 148, digits, 7);
}

static void
test_refused(void **state)
{
    static const char types[] = { '1', '3', '4', '6', '7', 'S', 'x', 'g', 'V',
        'M' };
    char type[2] = "";
    size_t i;

    (void)state;
    add(ACME_TAR_FILE, "bad\033name", "", "content");
    for (i = 0; i < sizeof(types); i++) {
        type[0] = types[i];
        forge(156, type);
        expect_error("it is neither a file");
        assert_null(strchr(err.what, '\033'));
    }
    forge(156, "2");
    expect_error("it has content and is no file");
    forge(156, "0");
    forge(124, "9");
    expect_error("no sensible size");
    forge(124, "\200");
    expect_error("no sensible size");
    forge(124, "77777777777");
    at = 0;
    assert_int_equal(acme_tar_next(read_on, NULL, &entry, &err), ACME_OK);
    assert_int_equal(acme_tar_content(read_on, NULL, &entry, 5000, &tar, &err),
        ACME_WIRE);
    assert_non_null(strstr(err.what, "too large"));
    acme_error_clear(&err);
    tar.data[0] ^= 1;
    expect_error("no tar archive");
    tar.data[0] ^= 1;
    tar.len = 100;
    expect_error("ends too early");
}

/* Names that come before their entry. */
static void
test_long_refused(void **state)
{
    (void)state;
    add(ACME_TAR_FILE, "././@LongLink", "", "name");
    forge(156, "L");
    expect_error("ends too early");
    forge(124, "77777777777");
    expect_error("a name of 8589934591 bytes");
    forge(124, "00000000000");
    expect_error("a name of 0 bytes");
    forge(124, "00000000004");
    add(ACME_TAR_FILE, "x", "", "");
    at = 0;
    assert_int_equal(acme_tar_next(read_on, NULL, &entry, &err), ACME_OK);
    assert_string_equal(entry.name, "name");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

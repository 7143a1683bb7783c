/* acme_thumbprint.h: values, and files with one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_skip.h"
#include "helper_tmp.h"
#include "state/acme_thumbprint.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THUMB "abcdefghijklmnopqrstuvwxyz-_CDEFGHIJKLMNOPQ"

struct world {
    struct helper_tmp tmp;
    struct acme_error err;
    char path[512];
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    acme_error_clear(&w->err);
    helper_tmp_init(&w->tmp);
    helper_tmp_mkdir(&w->tmp, "d");
    strcpy(w->path, helper_tmp_path(&w->tmp, "d/thumbprint"));
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    helper_tmp_clear(&w->tmp);
    free(w);
    return 0;
}

static void
put(struct world *w, const char *text, mode_t mode)
{
    helper_tmp_puts(&w->tmp, "d/thumbprint", text);
    assert_int_equal(chmod(w->path, mode), 0);
}

static void
read_refused(struct world *w, const char *why)
{
    char value[ACME_THUMBPRINT_LEN + 1] = "untouched";

    acme_error_clear(&w->err);
    assert_int_equal(acme_thumbprint_read(w->path, value, &w->err),
        ACME_CONFIG);
    if (strstr(w->err.what, why) == NULL ||
        strstr(w->err.what, "thumbprint file \"") != w->err.what)
        fail_msg("%s: %s", why, w->err.what);
    assert_string_equal(value, "untouched");
}

static void
test_check(void **state)
{
    static const char *const bad[] = { "", "x", THUMB "x",
        "abcdefghijklmnopqrstuvwxyz-_CDEFGHIJKLMNOP=",
        "abcdefghijklmnopqrstuvwxyz-_CDEFGHIJKLMNOP+",
        "abcdefghijklmnopqrstuvwxyz-_CDEFGHIJKLMNOP\n" };
    struct world *w = *state;
    size_t i;

    assert_int_equal(acme_thumbprint_check(THUMB, &w->err), ACME_OK);
    for (i = 0; i < COUNT(bad); i++) {
        acme_error_clear(&w->err);
        assert_int_equal(acme_thumbprint_check(bad[i], &w->err), ACME_CONFIG);
        assert_non_null(strstr(w->err.what, "43 characters"));
        assert_null(strchr(w->err.what, '\n'));
    }
}

static void
test_read(void **state)
{
    static const char *const good[] = { THUMB, THUMB "\n", THUMB "\r\n",
        "  \n" THUMB "\t\n\n" };
    static const char *const bad[] = { "", "\n", THUMB "\n" THUMB, THUMB "x",
        "-----BEGIN PRIVATE KEY-----" };
    struct world *w = *state;
    char value[ACME_THUMBPRINT_LEN + 1];
    size_t i;

    for (i = 0; i < COUNT(good); i++) {
        put(w, good[i], 0644);
        if (acme_thumbprint_read(w->path, value, &w->err) != ACME_OK)
            fail_msg("%zu: %s", i, w->err.what);
        assert_string_equal(value, THUMB);
    }
    for (i = 0; i < COUNT(bad); i++) {
        put(w, bad[i], 0644);
        read_refused(w, "43 characters");
    }
}

static void
test_large(void **state)
{
    struct world *w = *state;
    char text[301];

    memset(text, ' ', 300);
    text[300] = '\0';
    put(w, text, 0644);
    read_refused(w, "256");
}

/* Who can write it chooses whose certificates there will be. */
static void
test_writable(void **state)
{
    struct world *w = *state;
    char dir[512];

    read_refused(w, "does not exist");
    put(w, THUMB, 0664);
    read_refused(w, "it is writable by others (mode 664)");
    put(w, THUMB, 0644);
    strcpy(dir, helper_tmp_path(&w->tmp, "d"));
    assert_int_equal(chmod(dir, 0777), 0);
    read_refused(w, "its directory is writable by others");
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(unlink(w->path), 0);
    helper_tmp_link(&w->tmp, "/etc/passwd", "d/thumbprint");
    read_refused(w, "thumbprint");
    assert_int_equal(unlink(w->path), 0);
    helper_tmp_fifo(&w->tmp, "d/thumbprint");
    read_refused(w, "thumbprint");
    strcpy(w->path, "relative");
    read_refused(w, "absolute");
}

static void
test_owner(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        SKIP();
    put(w, THUMB, 0644);
    assert_int_equal(chown(w->path, 65534, 65534), 0);
    read_refused(w, "belongs to uid 65534");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_check),
        TEST(test_read),
        TEST(test_large),
        TEST(test_writable),
        TEST(test_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

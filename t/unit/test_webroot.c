/*
 * Files for http-01 below a web server's directory, each time in a process of
 * its own: what is made and taken away, and what is in the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_webroot.h"
#include "helper_skip.h"
#include "helper_tmp.h"

#define PRINT "0123456789abcdefghijABCDEFGHIJ0123456789-_x"
#define DIR ".well-known/acme-challenge"
#define ONE DIR "/one"

#define TENANT 4242
#define NOBODY 65534

static struct helper_tmp tmp;

static int
setup(void **state)
{
    (void)state;
    helper_tmp_init(&tmp);
    assert_int_equal(chmod(tmp.path, 0755), 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    helper_tmp_clear(&tmp);
    return 0;
}

typedef enum acme_rc change_files(const struct acme_webroot *webroot,
    const struct acme_errand *errand, struct acme_error *err);

/* What it says if it fails, in a buffer that is used again; NULL: it is done.
 */
static const char *
in_process(change_files *change, const char *path, const char *token)
{
    static char text[1024];
    const struct acme_webroot webroot = { path, NOBODY, NOBODY };
    struct acme_errand errand = { .type = ACME_HTTP_01,
        .name = "a.test",
        .owner = "a.test",
        .value = PRINT };
    struct acme_error err;
    int pipes[2], status;
    ssize_t n;
    pid_t pid;

    (void)snprintf(errand.token, sizeof(errand.token), "%s", token);
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        acme_error_clear(&err);
        if (change(&webroot, &errand, &err) != ACME_OK)
            n = write(pipes[1], err.what, strlen(err.what));
        _exit(0);
    }
    close(pipes[1]);
    n = read(pipes[0], text, sizeof(text) - 1);
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? text : NULL;
}

static const char *
put(const char *token)
{
    return in_process(acme_webroot_put, tmp.path, token);
}

static const char *
take_away(const char *token)
{
    return in_process(acme_webroot_remove, tmp.path, token);
}

static void
assert_in(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text != NULL ? text : "(done)");
}

static void
assert_text(const char *name, const char *text)
{
    char *is = helper_tmp_gets(&tmp, name);

    assert_non_null(is);
    assert_string_equal(is, text);
    free(is);
}

static void
test_both(void **state)
{
    (void)state;
    assert_null(put("one"));
    assert_text(ONE, "one." PRINT);
    assert_int_equal(helper_tmp_mode(&tmp, ONE), 0644);
    assert_int_equal(helper_tmp_mode(&tmp, DIR), 0755);
    assert_null(put("one")); /* again */
    assert_null(put("two"));
    assert_null(take_away("one"));
    assert_false(helper_tmp_exists(&tmp, ONE));
    assert_text(DIR "/two", "two." PRINT);
    assert_null(take_away("two"));
    assert_false(helper_tmp_exists(&tmp, ".well-known"));
    assert_null(take_away("two"));
}

/* What was there before stays. */
static void
test_of_others(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, ".well-known");
    assert_null(put("one"));
    helper_tmp_puts(&tmp, DIR "/theirs", "theirs");
    assert_null(take_away("one"));
    assert_text(DIR "/theirs", "theirs");
    assert_int_equal(unlink(helper_tmp_path(&tmp, DIR "/theirs")), 0);
    assert_null(put("one"));
    assert_null(take_away("one"));
    assert_false(helper_tmp_exists(&tmp, DIR));
    assert_true(helper_tmp_exists(&tmp, ".well-known"));
}

static void
test_in_the_way(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, ".well-known");
    helper_tmp_mkdir(&tmp, DIR);
    helper_tmp_puts(&tmp, ONE, "theirs");
    assert_in(put("one"), "/one");
    assert_null(take_away("one"));
    assert_text(ONE, "theirs");
    helper_tmp_puts(&tmp, ONE, "one.0123"); /* somebody was killed there */
    assert_null(take_away("one"));
    assert_false(helper_tmp_exists(&tmp, ONE));
    helper_tmp_fifo(&tmp, ONE);
    assert_in(put("one"), "/one");
    assert_null(take_away("one"));
    assert_true(helper_tmp_exists(&tmp, ONE));
    helper_tmp_puts(&tmp, "victim", "one." PRINT);
    helper_tmp_link(&tmp, "../../victim", DIR "/two");
    assert_in(put("two"), "/two");
    assert_null(take_away("two"));
    assert_text("victim", "one." PRINT);
}

static void
test_links(void **state)
{
    (void)state;
    helper_tmp_mkdir(&tmp, "elsewhere");
    helper_tmp_link(&tmp, "elsewhere", ".well-known");
    assert_in(put("one"), "/.well-known\" is a symbolic link");
    assert_in(take_away("one"), "/.well-known\" is a symbolic link");
    assert_false(helper_tmp_exists(&tmp, "elsewhere/acme-challenge"));
    helper_tmp_link(&tmp, "elsewhere", "root");
    assert_in(
        in_process(acme_webroot_put, helper_tmp_path(&tmp, "root"), "one"),
        "/root\" is a symbolic link");
    assert_in(
        in_process(acme_webroot_put, helper_tmp_path(&tmp, "none"), "one"),
        "cannot open");
}

static void
test_owners(void **state)
{
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        SKIP();
    assert_int_equal(chown(tmp.path, TENANT, TENANT), 0);
    assert_null(put("one"));
    assert_int_equal(stat(helper_tmp_path(&tmp, ONE), &st), 0);
    assert_int_equal(st.st_uid, TENANT);
    assert_null(take_away("one"));
    /* root's group may write: nobody, in that group, does it */
    assert_int_equal(chown(tmp.path, 0, TENANT), 0);
    assert_int_equal(chmod(tmp.path, 0775), 0);
    assert_null(put("one"));
    assert_int_equal(stat(helper_tmp_path(&tmp, ONE), &st), 0);
    assert_int_equal(st.st_uid, NOBODY);
    assert_null(take_away("one"));
    assert_int_equal(chmod(tmp.path, 0777), 0);
    assert_in(put("one"), "everybody can write");
    assert_int_equal(chmod(tmp.path, 0755), 0);
    helper_tmp_mkdir(&tmp, ".well-known");
    assert_int_equal(
        chown(helper_tmp_path(&tmp, ".well-known"), TENANT, TENANT), 0);
    assert_in(put("one"), "Permission denied"); /* root without its rights */
    assert_int_equal(chmod(helper_tmp_path(&tmp, ".well-known"), 0755), 0);
    assert_in(put("one"), "belongs to uid 4242");
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_both),
        TEST(test_of_others),
        TEST(test_in_the_way),
        TEST(test_links),
        TEST(test_owners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* acme_host_check.h: answers to challenges, and words and files of a
 * configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_host_check.h"
#include "helper_ca.h"
#include "helper_skip.h"
#include "helper_tmp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PATH ACME_CHALLENGE_PATH
#define THUMB "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
#define OTHER_THUMB "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
#define PENDING_THUMB "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"

struct world {
    struct helper_tmp tmp;
    struct acme_config *config;
    struct acme_area *area;
    struct acme_error err;
};

static void
add_issuer(struct world *w, const char *name, const char *directory)
{
    struct acme_issuer issuer = { .name = name,
        .directory = directory,
        .verify = true,
        .key_type = ACME_KEY_ECDSA_256 };
    size_t index;

    assert_int_equal(
        acme_config_add_issuer(w->config, &issuer, &index, &w->err), ACME_OK);
}

static void
add_lineage(struct world *w, size_t issuer, const char *const *names, size_t n)
{
    struct acme_lineage lineage = { .issuer = issuer,
        .names = names,
        .nnames = n,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    size_t index;

    assert_int_equal(
        acme_config_add_lineage(w->config, &lineage, &index, &w->err),
        ACME_OK);
}

static int
setup(void **state)
{
    static const char *const first[] = { "a.test", "2001:db8::1",
        "192.0.2.1" };
    static const char *const second[] = { "b.test" };
    struct acme_area_token pending = { "elsewhere.test", "pending",
        PENDING_THUMB };
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    acme_error_clear(&w->err);
    helper_tmp_init(&w->tmp);
    w->config = acme_config_new(helper_tmp_path(&w->tmp, "state"), "nginx",
        "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    add_issuer(w, "one", "https://one.test/dir");
    add_issuer(w, "two", "https://two.test/dir");
    add_lineage(w, 0, first, COUNT(first));
    add_lineage(w, 1, second, COUNT(second));
    assert_int_equal(acme_config_finish(w->config, &w->err), ACME_OK);
    assert_int_equal(acme_area_new(2, 2, &w->area, &w->err), ACME_OK);
    acme_area_put_thumbprint(w->area, 0, THUMB);
    acme_area_put_thumbprint(w->area, 1, OTHER_THUMB);
    acme_area_put_tokens(w->area, &pending, 1);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_area_free(w->area);
    acme_config_free(w->config);
    helper_tmp_clear(&w->tmp);
    free(w);
    return 0;
}

/* ---- answers ---------------------------------------------------------- */

#define TOKEN_64 \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static void
test_answers(void **state)
{
    static const struct {
        const char *host, *path;
        const char *answer; /* NULL: declined */
    } cases[] = {
        { "a.test", PATH "token", "token." THUMB },
        { "b.test", PATH "token", "token." OTHER_THUMB },

        /* token */
        { "a.test", PATH "t", "t." THUMB },
        { "a.test", PATH TOKEN_64 TOKEN_64, TOKEN_64 TOKEN_64 "." THUMB },
        { "a.test", PATH TOKEN_64 TOKEN_64 "a", NULL },
        { "a.test", PATH, NULL },
        { "a.test", PATH "to.ken", NULL },
        { "a.test", PATH "token/", NULL },
        { "a.test", PATH "../token", NULL },
        { "a.test", PATH "token=", NULL },
        { "a.test", PATH "token+", NULL },
        { "a.test", PATH "to ken", NULL },
        { "a.test", PATH "token\n", NULL },
        { "a.test", PATH "<b>", NULL },
        { "a.test", PATH "%74oken", NULL },
        { "a.test", PATH "tok\xc3\xa9n", NULL },

        /* path */
        { "a.test", "/.well-known/acme-challenge", NULL },
        { "a.test", "/.well-known/acme-challenge-token", NULL },
        { "a.test", "/.well-known/ACME-challenge/token", NULL },
        { "a.test", "/x" PATH "token", NULL },
        { "a.test", "/.well-known//acme-challenge/token", NULL },
        { "a.test", "/", NULL },
        { "a.test", "", NULL },

        /* host */
        { "A.TeSt", PATH "token", "token." THUMB },
        { "a.test.", PATH "token", "token." THUMB },
        { "a.test:80", PATH "token", "token." THUMB },
        { "a.test:8080", PATH "token", "token." THUMB },
        { "[2001:db8::1]", PATH "token", "token." THUMB },
        { "[2001:DB8:0::1]:80", PATH "token", "token." THUMB },
        { "192.0.2.1", PATH "token", "token." THUMB },
        { "192.0.2.1:80", PATH "token", "token." THUMB },
        { "[2001:db8::2]", PATH "token", NULL },
        { "192.0.2.2", PATH "token", NULL },
        { "c.test", PATH "token", NULL },
        { "www.a.test", PATH "token", NULL },
        { "test", PATH "token", NULL },
        { "a.test..", PATH "token", NULL },
        { "a.test:80:80", PATH "token", NULL },
        { "a.test\r\nX: y", PATH "token", NULL },
        { "", PATH "token", NULL },

        /* orders of others */
        { "elsewhere.test", PATH "pending", "pending." PENDING_THUMB },
        { "elsewhere.test", PATH "token", NULL },
        { "c.test", PATH "pending", NULL },
        { "b.test", PATH "pending", "pending." OTHER_THUMB },
    };
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    size_t i;
    bool got;

    for (i = 0; i < COUNT(cases); i++) {
        got = acme_challenge_answer(w->config, w->area, cases[i].host,
            strlen(cases[i].host), cases[i].path, strlen(cases[i].path),
            answer);
        if (got != (cases[i].answer != NULL) ||
            (got && strcmp(answer, cases[i].answer) != 0))
            fail_msg("%s%s: %s", cases[i].host, cases[i].path,
                got ? answer : "declined");
    }
}

/* Host and path are counted, not ended by NUL. */
static void
test_counted(void **state)
{
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    assert_true(acme_challenge_answer(w->config, w->area, "a.testX", 6,
        PATH "tokenX", strlen(PATH) + 5, answer));
    assert_string_equal(answer, "token." THUMB);
    assert_false(acme_challenge_answer(w->config, w->area, "a.test\0x", 8,
        PATH "token", strlen(PATH) + 5, answer));
    assert_false(acme_challenge_answer(w->config, w->area, "a.test", 6,
        PATH "tok\0en", strlen(PATH) + 6, answer));
}

/* No account yet: nothing to answer with. */
static void
test_no_thumbprint(void **state)
{
    struct world *w = *state;
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    acme_area_put_thumbprint(w->area, 0, "");
    assert_false(acme_challenge_answer(w->config, w->area, "a.test", 6,
        PATH "token", strlen(PATH) + 5, answer));
}

/* ---- words ------------------------------------------------------------ */

static void
test_name(void **state)
{
    static const struct {
        const char *text;
        const char *name; /* NULL: refused */
        const char *wrong;
    } cases[] = {
        { "A.Test", "a.test", NULL },
        { "192.0.2.1", "192.0.2.1", NULL },
        { "2001:DB8:0::1", "2001:db8::1", NULL },
        { "*.a.test", NULL, "http-01" },
        { "*", NULL, "\"*\"" },
        { "a_b.test", NULL, "a_b.test" },
        { "", NULL, "\"\"" },
    };
    struct world *w = *state;
    char name[ACME_NAME_MAX + 1];
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        strcpy(name, "untouched");
        acme_error_clear(&w->err);
        assert_int_equal(acme_host_check_name(cases[i].text,
                             strlen(cases[i].text), name, &w->err),
            cases[i].name != NULL ? ACME_OK : ACME_CONFIG);
        assert_string_equal(name,
            cases[i].name != NULL ? cases[i].name : "untouched");
        if (cases[i].wrong != NULL &&
            strstr(w->err.what, cases[i].wrong) == NULL)
            fail_msg("%s: %s", cases[i].text, w->err.what);
    }
    acme_error_clear(&w->err);
    assert_int_equal(acme_host_check_name("a.testX", 6, name, &w->err),
        ACME_OK);
    assert_string_equal(name, "a.test");
}

static void
test_account_key(void **state)
{
    static const struct {
        const char *word;
        bool is_file;
        enum acme_key_type type; /* NONE: none is made */
        enum acme_rc rc;
    } cases[] = {
        { "ecdsa", false, ACME_KEY_ECDSA_256, ACME_OK },
        { "ECDSA:384", false, ACME_KEY_ECDSA_384, ACME_OK },
        { "rsa", false, ACME_KEY_RSA_2048, ACME_OK },
        { "Rsa:4096", false, ACME_KEY_RSA_4096, ACME_OK },
        { "rsa:1024", true, ACME_KEY_NONE, ACME_CONFIG },
        { "ecdsa:", true, ACME_KEY_NONE, ACME_CONFIG },
        { "ecdsa:256 ", true, ACME_KEY_NONE, ACME_CONFIG },
        { "", true, ACME_KEY_NONE, ACME_OK },
        { "rs", true, ACME_KEY_NONE, ACME_OK },
        { "rsa4096", true, ACME_KEY_NONE, ACME_OK },
        { "ecdsa.pem", true, ACME_KEY_NONE, ACME_OK },
        { "/keys/rsa:2048", true, ACME_KEY_NONE, ACME_OK },
    };
    struct world *w = *state;
    enum acme_key_type type;
    size_t i;
    bool is_file;

    for (i = 0; i < COUNT(cases); i++) {
        type = ACME_KEY_NONE;
        is_file = cases[i].rc != ACME_OK || !cases[i].is_file;
        acme_error_clear(&w->err);
        if (acme_host_account_key(cases[i].word, &type, &is_file, &w->err) !=
                cases[i].rc ||
            is_file != cases[i].is_file || type != cases[i].type)
            fail_msg("\"%s\": %d %d %s", cases[i].word, is_file, type,
                w->err.what);
    }
}

static void
test_contact(void **state)
{
    struct world *w = *state;
    char address[ACME_URL_MAX + 1], url[ACME_URL_MAX] = "untouched";

    memset(address, 'a', sizeof(address));
    address[ACME_URL_MAX - 7] = '\0'; /* "mailto:" and it: one too many */
    assert_int_equal(acme_host_contact(address, url, &w->err), ACME_CONFIG);
    assert_string_equal(url, "untouched");
    acme_error_clear(&w->err);
    address[ACME_URL_MAX - 8] = '\0';
    assert_int_equal(acme_host_contact(address, url, &w->err), ACME_OK);
    assert_int_equal(strlen(url), ACME_URL_MAX - 1);
    assert_int_equal(acme_host_contact("a@a.test", url, &w->err), ACME_OK);
    assert_string_equal(url, "mailto:a@a.test");
    assert_int_equal(acme_host_contact("mailto:a@a.test", url, &w->err),
        ACME_OK);
    assert_string_equal(url, "mailto:a@a.test");
    assert_int_equal(acme_host_contact("tel:+1-2", url, &w->err), ACME_OK);
    assert_string_equal(url, "tel:+1-2");
}

/* ---- files ------------------------------------------------------------ */

static void
check_ca(struct world *w, const char *name, const char *wrong)
{
    struct acme_issuer issuer = { .name = "x" };

    issuer.ca_file = helper_tmp_path(&w->tmp, name);
    acme_error_clear(&w->err);
    if (wrong == NULL) {
        assert_int_equal(acme_host_check_issuer(&issuer, &w->err), ACME_OK);
        return;
    }
    assert_int_equal(acme_host_check_issuer(&issuer, &w->err), ACME_CONFIG);
    if (strstr(w->err.what, wrong) == NULL ||
        strstr(w->err.what, name) == NULL)
        fail_msg("%s: %s", name, w->err.what);
}

static void
test_ca_file(void **state)
{
    struct world *w = *state;
    struct helper_ca *ca = helper_ca_new();

    helper_tmp_puts(&w->tmp, "ca.pem", helper_ca_root_pem(ca));
    helper_tmp_puts(&w->tmp, "empty.pem", "");
    helper_tmp_puts(&w->tmp, "text.pem", "no certificate");
    helper_tmp_fifo(&w->tmp, "fifo.pem");
    helper_tmp_mkdir(&w->tmp, "dir.pem");
    helper_tmp_link(&w->tmp, "ca.pem", "link.pem");
    alarm(20);
    check_ca(w, "ca.pem", NULL);
    check_ca(w, "link.pem", NULL); /* /etc/ssl is full of links */
    check_ca(w, "empty.pem", "no PEM certificate");
    check_ca(w, "text.pem", "no PEM certificate");
    check_ca(w, "missing.pem", "does not exist");
    check_ca(w, "fifo.pem", "");
    check_ca(w, "dir.pem", "");
    alarm(0);
    helper_ca_free(ca);
}

static void
check_key(struct world *w, const char *name, const char *wrong)
{
    struct acme_issuer issuer = { .name = "x" };

    issuer.key_file = helper_tmp_path(&w->tmp, name);
    acme_error_clear(&w->err);
    if (wrong == NULL) {
        assert_int_equal(acme_host_check_issuer(&issuer, &w->err), ACME_OK);
        return;
    }
    assert_int_equal(acme_host_check_issuer(&issuer, &w->err), ACME_CONFIG);
    if (strstr(w->err.what, wrong) == NULL ||
        strstr(w->err.what, name) == NULL)
        fail_msg("%s: %s", name, w->err.what);
}

static void
make_mode(struct world *w, const char *name, mode_t mode)
{
    helper_tmp_puts(&w->tmp, name, "not looked into");
    assert_int_equal(chmod(helper_tmp_path(&w->tmp, name), mode), 0);
}

static void
test_key_file(void **state)
{
    struct world *w = *state;

    make_mode(w, "600.pem", 0600);
    make_mode(w, "640.pem", 0640);
    make_mode(w, "644.pem", 0644);
    make_mode(w, "601.pem", 0601);
    helper_tmp_fifo(&w->tmp, "fifo.pem");
    helper_tmp_mkdir(&w->tmp, "dir.pem");
    check_key(w, "600.pem", NULL);
    check_key(w, "640.pem", NULL);
    check_key(w, "644.pem", "chmod 600");
    check_key(w, "601.pem", "chmod 600");
    check_key(w, "missing.pem", "No such file");
    check_key(w, "fifo.pem", "not a regular file");
    check_key(w, "dir.pem", "not a regular file");
}

static void
test_key_owner(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        SKIP();
    make_mode(w, "theirs.pem", 0600);
    assert_int_equal(
        chown(helper_tmp_path(&w->tmp, "theirs.pem"), 65534, 65534), 0);
    check_key(w, "theirs.pem", "chown it to root");
}

static void
test_nothing_named(void **state)
{
    struct world *w = *state;
    struct acme_issuer issuer = { .name = "x" };

    assert_int_equal(acme_host_check_issuer(&issuer, &w->err), ACME_OK);
}

/* ---- the state directory ---------------------------------------------- */

/* -t looks and makes nothing. */
static void
test_state(void **state)
{
    struct world *w = *state;

    assert_int_equal(acme_host_check_state(w->config, &w->err), ACME_OK);
    assert_int_equal(w->err.rc, ACME_OK);
    assert_false(helper_tmp_exists(&w->tmp, "state"));
    helper_tmp_mkdir(&w->tmp, "state");
    assert_int_equal(acme_host_check_state(w->config, &w->err), ACME_OK);
    assert_int_equal(helper_tmp_count(&w->tmp, "state"), 0);
}

static void
test_state_unsafe(void **state)
{
    struct world *w = *state;

    assert_int_equal(chmod(w->tmp.path, 0777), 0);
    assert_int_equal(acme_host_check_state(w->config, &w->err), ACME_IO);
    assert_non_null(strstr(w->err.what, w->tmp.path));
    assert_false(helper_tmp_exists(&w->tmp, "state"));
}

static void
test_state_file(void **state)
{
    struct world *w = *state;

    helper_tmp_puts(&w->tmp, "state", "a file");
    assert_int_equal(acme_host_check_state(w->config, &w->err), ACME_IO);
}

/* ---- the engine's user ------------------------------------------------ */

static void
test_user(void **state)
{
    struct world *w = *state;

    assert_int_equal(acme_host_engine_user(w->config, "root", 5, 6, &w->err),
        ACME_OK);
    assert_int_equal(w->config->uid, 0);
    assert_int_equal(
        acme_host_engine_user(w->config, "no-such-user", 5, 6, &w->err),
        ACME_CONFIG);
    assert_non_null(strstr(w->err.what, "no-such-user"));
    assert_int_equal(w->config->uid, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_counted),
        TEST(test_no_thumbprint),
        TEST(test_name),
        TEST(test_account_key),
        TEST(test_contact),
        TEST(test_ca_file),
        TEST(test_key_file),
        TEST(test_key_owner),
        TEST(test_nothing_named),
        TEST(test_state),
        TEST(test_state_unsafe),
        TEST(test_state_file),
        TEST(test_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

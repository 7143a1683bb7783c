/* acme_host_check.h: words and files of a configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drive/acme_host_check.h"
#include "helper_ca.h"
#include "helper_skip.h"
#include "helper_tmp.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct world {
    struct helper_tmp tmp;
    struct acme_config *config;
    struct acme_error err;
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    acme_error_clear(&w->err);
    helper_tmp_init(&w->tmp);
    w->config = acme_config_new(helper_tmp_path(&w->tmp, "state"), "nginx",
        "/etc/nginx/nginx.conf");
    assert_non_null(w->config);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_config_free(w->config);
    helper_tmp_clear(&w->tmp);
    free(w);
    return 0;
}

/* ---- words ------------------------------------------------------------ */

static void
test_port_map(void **state)
{
    static const struct {
        const char *word;
        int http, tls; /* of a good one */
        bool good;
    } cases[] = {
        { "http:8080", 8080, 0, true },
        { "HTTPS:65535", 0, 65535, true },
        { "http:-", -1, 0, true },
        { "80:8080", 8080, 0, true },
        { "443:-", 0, -1, true },
        { "8080:80", 0, 0, false },
        { "http", 0, 0, false },
        { "http:", 0, 0, false },
        { "http:0", 0, 0, false },
        { "http:65536", 0, 0, false },
        { "http:-1", 0, 0, false },
        { "http:80x", 0, 0, false },
        { "ftp:21", 0, 0, false },
        { ":80", 0, 0, false },
    };
    struct world *w = *state;
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        struct acme_port_map map = { 0, 0 };

        acme_error_clear(&w->err);
        assert_int_equal(acme_host_port_map(&map, cases[i].word, &w->err),
            cases[i].good ? ACME_OK : ACME_CONFIG);
        assert_int_equal(map.http, cases[i].http);
        assert_int_equal(map.tls, cases[i].tls);
        if (!cases[i].good)
            assert_non_null(strstr(w->err.what, cases[i].word));
    }
}

static void
test_listens(void **state)
{
    static const struct {
        struct acme_port_map map;
        unsigned port;
        bool tls;
        struct acme_reach reach;
    } cases[] = {
        { { 0, 0 }, 80, false, { ACME_ARRIVAL_YES, ACME_ARRIVAL_NO } },
        { { 0, 0 }, 443, true, { ACME_ARRIVAL_NO, ACME_ARRIVAL_YES } },
        { { 0, 0 }, 80, true, { ACME_ARRIVAL_NO, ACME_ARRIVAL_UNKNOWN } },
        { { 0, 0 }, 8080, false, { ACME_ARRIVAL_UNKNOWN, ACME_ARRIVAL_NO } },
        { { 8080, 0 }, 8080, false, { ACME_ARRIVAL_YES, ACME_ARRIVAL_NO } },
        { { 8080, 0 }, 80, false, { ACME_ARRIVAL_NO, ACME_ARRIVAL_NO } },
        { { -1, 0 }, 80, false, { ACME_ARRIVAL_NEVER, ACME_ARRIVAL_NO } },
        { { 0, -1 }, 443, true, { ACME_ARRIVAL_NO, ACME_ARRIVAL_NEVER } },
    };
    struct acme_reach reach;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        reach.http = reach.tls = ACME_ARRIVAL_NO;
        acme_host_listens(&reach, &cases[i].map, cases[i].port, cases[i].tls);
        assert_int_equal(reach.http, cases[i].reach.http);
        assert_int_equal(reach.tls, cases[i].reach.tls);
    }

    /* What is certain stays so. */
    reach.http = ACME_ARRIVAL_YES;
    acme_host_listens(&reach, &cases[0].map, 8080, false);
    assert_int_equal(reach.http, ACME_ARRIVAL_YES);
}

/* Where public port 80 or 443 may lead, each once. */
static void
test_listeners(void **state)
{
    static const struct {
        const char *address;
        unsigned port;
        bool tls;
    } cases[] = { { "0.0.0.0", 80, false }, { "127.0.0.1", 80, false },
        { "::", 80, false }, { "192.0.2.1", 8080, false },
        { "127.0.0.1", 443, true } };
    static const struct acme_listener wanted[] = {
        { "127.0.0.1", 80, false, true }, { "::1", 80, false, true },
        { "192.0.2.1", 8080, false, false }, { "127.0.0.1", 443, true, true }
    };
    struct acme_config *config = acme_config_new("/none", "test", "test");
    struct acme_port_map map = { 0, 0 };
    struct sockaddr_storage at;
    size_t i;

    (void)state;
    assert_non_null(config);
    config->reach.http = config->reach.tls = ACME_ARRIVAL_NO;
    for (i = 0; i < COUNT(cases); i++) {
        assert_true(acme_address_parse(cases[i].address, cases[i].port, &at));
        acme_host_listens_at(config, &map, (struct sockaddr *)&at,
            cases[i].port, cases[i].tls);
    }
    at.ss_family = AF_UNIX;
    acme_host_listens_at(config, &map, (struct sockaddr *)&at, 0, false);
    assert_int_equal(config->reach.http, ACME_ARRIVAL_YES);
    assert_int_equal(config->nlisteners, COUNT(wanted));
    for (i = 0; i < COUNT(wanted); i++) {
        assert_string_equal(config->listener[i].address, wanted[i].address);
        assert_int_equal(config->listener[i].port, wanted[i].port);
        assert_int_equal(config->listener[i].tls, wanted[i].tls);
        assert_int_equal(config->listener[i].certain, wanted[i].certain);
    }
    /* Elsewhere it never arrives. */
    map.http = 8081;
    assert_true(acme_address_parse("192.0.2.2", 80, &at));
    acme_host_listens_at(config, &map, (struct sockaddr *)&at, 80, false);
    assert_int_equal(config->nlisteners, COUNT(wanted));
    for (i = 0; i < 2 * ACME_LISTENERS_MAX; i++)
        acme_host_listens_at(config, &(struct acme_port_map){ 0, 0 },
            (struct sockaddr *)&at, 8000 + (unsigned)i, false);
    assert_int_equal(config->nlisteners, ACME_LISTENERS_MAX);
    acme_config_free(config);
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

/* With its file at that mode; 0: it is missing. */
static void
check_command(struct world *w, struct acme_command *command, mode_t mode,
    const char *wrong)
{
    enum acme_rc rc;

    helper_tmp_puts(&w->tmp, "hook", "");
    assert_int_equal(chmod(helper_tmp_path(&w->tmp, "hook"), mode), 0);
    if (mode == 0)
        helper_tmp_remove(&w->tmp, "hook");
    acme_error_clear(&w->err);
    rc = acme_host_check_command(command, &w->err);
    assert_int_equal(rc, wrong == NULL ? ACME_OK : ACME_CONFIG);
    if (wrong != NULL && strstr(w->err.what, wrong) == NULL)
        fail_msg("%s", w->err.what);
}

static void
test_command(void **state)
{
    struct world *w = *state;
    struct acme_command command = { .kind = ACME_COMMAND_NONE };
    char hook[100], home[100], other[100];

    strcpy(hook, helper_tmp_path(&w->tmp, "hook"));
    strcpy(home, helper_tmp_path(&w->tmp, "home"));
    strcpy(other, helper_tmp_path(&w->tmp, "other"));
    check_command(w, &command, 0, NULL);
    command.kind = ACME_COMMAND_CERTBOT;
    command.nwords = 1;
    command.word[0] = hook;
    check_command(w, &command, 0700, NULL);
    check_command(w, &command, 0, "hook\" does not exist");
    check_command(w, &command, 0600, "hook\" is not executable; chmod +x it");
    command.cleanup = home;
    check_command(w, &command, 0700, "program \"");
    helper_tmp_mkdir(&w->tmp, "home");
    check_command(w, &command, 0700, "home\" is not a regular file");
    command.cleanup = NULL;
    command.credentials = other;
    check_command(w, &command, 0700, "cannot use credentials file");
    make_mode(w, "other", 0604);
    check_command(w, &command, 0700, "is open to every user");
    make_mode(w, "other", 0600);
    check_command(w, &command, 0700, NULL);
    command.kind = ACME_COMMAND_ACME_SH;
    command.nwords = 2;
    command.word[0] = "dns_x";
    command.word[1] = home;
    check_command(w, &command, 0, "home/acme.sh\" does not exist");
    helper_tmp_puts(&w->tmp, "home/acme.sh", "");
    helper_tmp_mkdir(&w->tmp, "home/dnsapi");
    check_command(w, &command, 0, "home/dnsapi/dns_x.sh\" does not exist");
    helper_tmp_puts(&w->tmp, "home/dnsapi/dns_x.sh", "");
    check_command(w, &command, 0, NULL);
    assert_false(acme_host_demotes_command(&command, &w->err));
    if (geteuid() != 0)
        SKIP();
    make_mode(w, "home/account.conf", 0660);
    assert_true(acme_host_demotes_command(&command, &w->err));
    assert_non_null(strstr(w->err.what, "account.conf\" is writable by"));
    make_mode(w, "home/account.conf", 0600);
    acme_error_clear(&w->err);
    assert_int_equal(chown(other, 65534, 65534), 0);
    assert_true(acme_host_demotes_command(&command, &w->err));
    assert_non_null(strstr(w->err.what, "other\" belongs to uid 65534"));
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
        TEST(test_port_map),
        TEST(test_listens),
        TEST(test_listeners),
        TEST(test_account_key),
        TEST(test_contact),
        TEST(test_ca_file),
        TEST(test_key_file),
        TEST(test_command),
        TEST(test_key_owner),
        TEST(test_nothing_named),
        TEST(test_state),
        TEST(test_state_unsafe),
        TEST(test_state_file),
        TEST(test_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Which lineages of a state directory every server renews, and what they are
 * in a configuration.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_obeyed.h"
#include "fake_host.h"
#include "helper_store.h"

#define SERVER "nginx:/etc/nginx/nginx.conf"
#define CA "https://ca.test/directory"
#define OTHER_CA "https://other.test/directory"

struct world {
    struct helper_tmp tmp;
    struct fake_host host;
    struct acme_store *store;
    struct acme_config *config;
    const char *chain; /* that declare() says */
    struct acme_error err;
};

static int
setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    acme_error_clear(&w->err);
    helper_tmp_init(&w->tmp);
    fake_host_init(&w->host);
    w->store = helper_store_open(&w->tmp);
    w->config = acme_config_new("/state", "acmectl", "renew");
    assert_non_null(w->config);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    acme_config_free(w->config);
    acme_store_close(w->store);
    helper_tmp_clear(&w->tmp);
    fake_host_clear(&w->host);
    free(w);
    return 0;
}

/* `by` wants it of that CA; mode: of its renewals, or NULL. */
static void
declare(struct world *w, const char *name, const char *by,
    const char *directory, const char *mode)
{
    struct acme_config *config = acme_config_new("/state", "x", "y");
    struct acme_settings *settings = NULL;
    struct acme_issuer issuer;
    struct acme_lineage lineage = { .name = name,
        .nnames = 1,
        .names = &name,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    bool changed;
    size_t ignored;

    acme_issuer_init(&issuer);
    issuer.name = issuer.directory = directory;
    issuer.preferred_chain = w->chain;
    if (mode != NULL)
        assert_int_equal(acme_timing_set(&lineage.timing, ACME_TIMING_MODE,
                             &mode, 1, &w->err),
            ACME_OK);
    assert_int_equal(
        acme_config_add_issuer(config, &issuer, &lineage.issuer, &w->err),
        ACME_OK);
    assert_int_equal(
        acme_config_add_lineage(config, &lineage, &ignored, &w->err), ACME_OK);
    if (acme_store_settings_read(w->store, name, &settings, &w->err) !=
        ACME_OK)
        settings = acme_settings_new();
    acme_error_clear(&w->err);
    assert_int_equal(
        acme_settings_declare(settings, by, config, 0, 100, &changed, &w->err),
        ACME_OK);
    assert_int_equal(
        acme_store_settings_write(w->store, name, settings, &w->err), ACME_OK);
    acme_settings_free(settings);
    acme_config_free(config);
}

static void
find(struct world *w, bool tell)
{
    assert_int_equal(
        acme_obeyed_find(w->config, w->store, &w->host.host, tell, &w->err),
        ACME_OK);
}

static bool
has(const struct world *w, const char *name)
{
    size_t ignored;

    return acme_config_find_lineage(w->config, name, &ignored);
}

static void
test_whose(void **state)
{
    struct world *w = *state;

    declare(w, "own.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "auto.test", ACME_DECLARER_ACMECTL, OTHER_CA, "auto");
    declare(w, "manual.test", ACME_DECLARER_ACMECTL, CA, "manual");
    declare(w, "server.test", SERVER, CA, NULL);
    declare(w, "both.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "both.test", SERVER, CA, NULL);
    find(w, true);
    assert_int_equal(w->config->nlineages, 2);
    assert_true(has(w, "own.test"));
    assert_true(has(w, "auto.test"));
    assert_int_equal(w->config->nissuers, 2);
    assert_int_equal(w->host.nlines, 0);
}

static const struct acme_issuer *
issuer_of(const struct world *w, const char *name)
{
    size_t i;

    assert_true(acme_config_find_lineage(w->config, name, &i));
    return &w->config->issuer[w->config->lineage[i].issuer];
}

static void
test_other_wishes(void **state)
{
    struct world *w = *state;

    declare(w, "a.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "c.test", ACME_DECLARER_ACMECTL, CA, NULL);
    w->chain = "Other Root";
    declare(w, "b.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "d.test", ACME_DECLARER_ACMECTL, CA, NULL);
    find(w, true);
    assert_int_equal(w->config->nlineages, 4);
    assert_int_equal(w->config->nissuers, 2);
    assert_null(issuer_of(w, "a.test")->preferred_chain);
    assert_ptr_equal(issuer_of(w, "c.test"), issuer_of(w, "a.test"));
    assert_string_equal(issuer_of(w, "b.test")->preferred_chain, w->chain);
    assert_ptr_equal(issuer_of(w, "d.test"), issuer_of(w, "b.test"));
    assert_int_equal(w->host.nlines, 0);
}

static void
test_bad_settings(void **state)
{
    struct world *w = *state;
    char path[64];

    declare(w, "good.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "zbad.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "bad.test", ACME_DECLARER_ACMECTL, CA, NULL);
    (void)snprintf(path, sizeof(path), "state/renewal/bad.test.json");
    helper_tmp_puts(&w->tmp, path, "{ \"declared\": [ {");
    find(w, false);
    assert_int_equal(w->host.nlines, 0);
    assert_int_equal(w->config->nlineages, 2);
    acme_config_free(w->config);
    w->config = acme_config_new("/state", "acmectl", "renew");
    find(w, true);
    assert_int_equal(w->config->nlineages, 2);
    assert_true(has(w, "zbad.test"));
    assert_true(fake_host_logged(&w->host,
        "error: lineage \"bad.test\", which acmectl has issued, is not "
        "renewed: "));
}

static void
test_nobodys(void **state)
{
    struct world *w = *state;
    struct acme_settings *settings = acme_settings_new();

    assert_false(acme_obeyed_is_acmectls(settings));
    assert_int_equal(acme_obeyed_add(w->config, "a.test", settings,
                         acme_obeyed_issuers, NULL, &w->err),
        ACME_NOENT);
    acme_settings_free(settings);
}

static void
test_conflict(void **state)
{
    struct world *w = *state;
    struct acme_settings *settings = NULL;

    declare(w, "a.test", ACME_DECLARER_ACMECTL, CA, NULL);
    declare(w, "a.test", SERVER, OTHER_CA, NULL);
    assert_int_equal(
        acme_store_settings_read(w->store, "a.test", &settings, &w->err),
        ACME_OK);
    assert_int_equal(acme_obeyed_add(w->config, "a.test", settings,
                         acme_obeyed_issuers, NULL, &w->err),
        ACME_CONFIG);
    assert_int_equal(w->config->nlineages, 0);
    acme_settings_free(settings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whose, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_wishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conflict, setup, teardown),
    };

    return cmocka_run_group_tests_name("obeyed", tests, NULL, NULL);
}

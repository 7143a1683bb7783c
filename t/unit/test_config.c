/*
 * Configurations as a host would build them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "state/acme_config.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct acme_issuer
issuer_of(const char *name, const char *key_file, bool verify)
{
    struct acme_issuer issuer;

    memset(&issuer, 0, sizeof(issuer));
    issuer.name = name;
    issuer.directory = "https://ca.test/directory";
    issuer.key_type = ACME_KEY_ECDSA_256;
    issuer.key_file = key_file;
    issuer.verify = verify;
    return issuer;
}

/* With issuers "one" (0) and "two" (1). */
static struct acme_config *
config_new(void)
{
    struct acme_config *config = acme_config_new("/state", "nginx", "/conf");
    struct acme_issuer one = issuer_of("one", NULL, true);
    struct acme_issuer two = issuer_of("two", NULL, true);
    struct acme_error err;
    size_t index = 99;

    acme_error_clear(&err);
    assert_non_null(config);
    assert_int_equal(acme_config_add_issuer(config, &one, &index, &err),
        ACME_OK);
    assert_int_equal(index, 0);
    assert_int_equal(acme_config_add_issuer(config, &two, &index, &err),
        ACME_OK);
    assert_int_equal(index, 1);
    return config;
}

/* Whatever is proved, it is not what these tests are about. */
static const struct acme_proof *
any_proof(void)
{
    static struct acme_proof proof;

    acme_proof_init(&proof);
    proof.said = 1u << ACME_PROOF_DNS_UPDATE;
    proof.dns_server = "192.0.2.53";
    return &proof;
}

#define NAMES_MAX 4

struct wish {
    const char *name;
    size_t issuer;
    const char *names[NAMES_MAX + 1];
    enum acme_key_type type[ACME_TYPES_MAX]; /* none: ecdsa:256 */
};

static struct acme_lineage
lineage_of(const struct wish *wish)
{
    struct acme_lineage lineage;

    memset(&lineage, 0, sizeof(lineage));
    lineage.name = wish->name;
    lineage.issuer = wish->issuer;
    lineage.proof = any_proof();
    lineage.names = wish->names;
    while (wish->names[lineage.nnames] != NULL)
        lineage.nnames++;
    while (lineage.ntypes < ACME_TYPES_MAX &&
           wish->type[lineage.ntypes] != ACME_KEY_NONE) {
        lineage.type[lineage.ntypes] = wish->type[lineage.ntypes];
        lineage.ntypes++;
    }
    if (lineage.ntypes == 0)
        lineage.type[lineage.ntypes++] = ACME_KEY_ECDSA_256;
    return lineage;
}

static enum acme_rc
add(struct acme_config *config, const struct wish *wish, size_t *index,
    struct acme_error *err)
{
    const struct acme_lineage lineage = lineage_of(wish);

    acme_error_clear(err);
    return acme_config_add_lineage(config, &lineage, index, err);
}

/* ---- issuers ---------------------------------------------------------- */

static void
test_new(void **state)
{
    char dir[] = "/var/lib/acme", server[] = "httpd", instance[] = "/etc/x";
    struct acme_config *config = acme_config_new(dir, server, instance);

    (void)state;
    memset(dir, 'x', sizeof(dir) - 1);
    memset(server, 'x', sizeof(server) - 1);
    memset(instance, 'x', sizeof(instance) - 1);
    assert_string_equal(config->state_dir, "/var/lib/acme");
    assert_string_equal(config->server, "httpd");
    assert_string_equal(config->instance, "/etc/x");
    assert_int_equal(config->nissuers + config->nlineages, 0);
    acme_config_free(config);
    acme_config_free(NULL);
}

static void
test_short_names(void **state)
{
    (void)state;
    assert_string_equal(acme_issuer_directory("letsencrypt"),
        "https://acme-v02.api.letsencrypt.org/directory");
    assert_string_equal(acme_issuer_directory("letsencrypt-staging"),
        "https://acme-staging-v02.api.letsencrypt.org/directory");
    assert_string_equal(acme_issuer_directory("LetsEncrypt"),
        acme_issuer_directory("letsencrypt"));
    assert_string_equal(acme_issuer_directory("LETSENCRYPT-STAGING"),
        acme_issuer_directory("letsencrypt-staging"));
    assert_string_equal(acme_issuer_directory("letsencrypt-test"),
        acme_issuer_directory("letsencrypt-staging"));
    assert_null(acme_issuer_directory("letsencryp"));
    assert_null(acme_issuer_directory("letsencrypt-"));
    assert_null(acme_issuer_directory("letsencrypt-tests"));
    assert_null(acme_issuer_directory(""));
    assert_null(acme_issuer_directory("https://ca.test/"));
}

static void
test_issuer_is_copied(void **state)
{
    struct acme_config *config = acme_config_new("/s", "nginx", "/c");
    char name[] = "le", dir[] = "https://ca.test/d", contact[] = "mailto:a@b";
    char key[] = "/key", ca[] = "/ca";
    struct acme_issuer issuer = issuer_of(name, key, true);
    struct acme_error err;
    size_t index = 9;

    (void)state;
    issuer.directory = dir;
    issuer.ca_file = ca;
    issuer.ncontacts = 1;
    issuer.contact[0] = contact;
    issuer.terms_accepted = true;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_issuer(config, &issuer, &index, &err),
        ACME_OK);
    name[0] = dir[0] = contact[0] = key[0] = ca[0] = '!';
    assert_string_equal(config->issuer[0].name, "le");
    assert_string_equal(config->issuer[0].directory, "https://ca.test/d");
    assert_string_equal(config->issuer[0].contact[0], "mailto:a@b");
    assert_string_equal(config->issuer[0].key_file, "/key");
    assert_string_equal(config->issuer[0].ca_file, "/ca");
    assert_true(config->issuer[0].terms_accepted);
    assert_true(acme_config_find_issuer(config, "le", &index));
    assert_int_equal(index, 0);
    assert_false(acme_config_find_issuer(config, "l", &index));
    acme_config_free(config);
}

static void
test_bad_issuers(void **state)
{
    static const struct {
        const char *name, *directory;
        size_t ncontacts;
        const char *says, *cure;
    } rows[] = {
        { "", "https://ca.test/", 0, "no name", "" },
        { NULL, "https://ca.test/", 0, "no name", "" },
        { "one", "https://ca.test/", 0, "\"one\"", "rename" },
        { "x", NULL, 0, "\"x\"", "https" },
        { "x", "", 0, "\"x\"", "https" },
        { "x", "http://ca.test/", 0, "\"x\"", "https" },
        { "x", "letsencrypt ", 0, "\"x\"", "letsencrypt-staging" },
        { "x", "https://user@ca.test/", 0, "\"x\"", "https" },
        { "x", "https://ca.test/", ACME_CONTACTS_MAX + 1, "\"x\"", "16" },
    };
    struct acme_config *config = config_new();
    struct acme_issuer issuer;
    struct acme_error err;
    size_t i, index = 99;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        issuer = issuer_of(rows[i].name, NULL, true);
        issuer.directory = rows[i].directory;
        issuer.ncontacts = rows[i].ncontacts;
        acme_error_clear(&err);
        assert_int_equal(acme_config_add_issuer(config, &issuer, &index, &err),
            ACME_CONFIG);
        if (strstr(err.what, rows[i].says) == NULL ||
            strstr(err.what, rows[i].cure) == NULL)
            fail_msg("row %zu: %s", i, err.what);
    }
    assert_int_equal(index, 99);
    assert_int_equal(config->nissuers, 2);
    acme_config_free(config);
}

static void
test_too_many_issuers(void **state)
{
    struct acme_config *config = config_new();
    struct acme_issuer issuer;
    struct acme_error err;
    char name[16];
    size_t i, index = 0;

    (void)state;
    acme_error_clear(&err);
    for (i = 2; i <= ACME_ISSUERS_MAX; i++) {
        snprintf(name, sizeof(name), "i%zu", i);
        issuer = issuer_of(name, NULL, true);
        assert_int_equal(acme_config_add_issuer(config, &issuer, &index, &err),
            i < ACME_ISSUERS_MAX ? ACME_OK : ACME_CONFIG);
    }
    assert_int_equal(config->nissuers, ACME_ISSUERS_MAX);
    assert_true(acme_config_find_issuer(config, "i63", &index));
    assert_int_equal(index, 63);
    assert_string_equal(config->issuer[0].name, "one");
    acme_config_free(config);
}

/* S34 */
static void
test_shared_keys(void **state)
{
    static const struct {
        const char *key1, *key2;
        bool verify1, verify2;
        enum acme_rc expected;
    } rows[] = {
        { "/k", "/k", true, true, ACME_OK },
        { "/k", "/k", true, false, ACME_CONFIG },
        { "/k", "/k", false, true, ACME_CONFIG },
        { "/k", "/k", false, false, ACME_CONFIG },
        { "/k", "/l", true, false, ACME_OK },
        { "/k", NULL, true, false, ACME_OK },
        { NULL, "/k", false, true, ACME_OK },
        { NULL, NULL, true, false, ACME_OK }, /* the store's business */
    };
    struct acme_config *config;
    struct acme_issuer first, second;
    struct acme_error err;
    size_t i, index;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        config = config_new();
        first = issuer_of("first", rows[i].key1, rows[i].verify1);
        second = issuer_of("second", rows[i].key2, rows[i].verify2);
        acme_error_clear(&err);
        assert_int_equal(acme_config_add_issuer(config, &first, &index, &err),
            ACME_OK);
        assert_int_equal(acme_config_add_issuer(config, &second, &index, &err),
            rows[i].expected);
        if (rows[i].expected != ACME_OK) {
            assert_non_null(strstr(err.what, "\"first\""));
            assert_non_null(strstr(err.what, "\"second\""));
            assert_non_null(strstr(err.what, "\"/k\""));
        }
        acme_config_free(config);
    }
}

/* ---- lineages --------------------------------------------------------- */

/*
 * Wishes in a row, what each gives, and how the lineages are called in the
 * end.
 */
static const struct sharing {
    struct wish wish[4];
    int index[4]; /* -1: ACME_CONFIG */
    const char *name[4];
} sharings[] = {
    /* Equal ones, whatever the order. */
    { { { NULL, 0, { "a.test", "b.test" }, { 0 } },
          { NULL, 0, { "b.test", "a.test" }, { 0 } },
          { NULL, 0, { "b.test", "a.test", "b.test" }, { 0 } } },
        { 0, 0, 0 }, { "a.test" } },
    { { { NULL, 0, { "a.test" }, { ACME_KEY_ECDSA_256, ACME_KEY_RSA_2048 } },
          { NULL, 0, { "a.test" },
              { ACME_KEY_RSA_2048, ACME_KEY_ECDSA_256 } } },
        { 0, 0 }, { "a.test" } },
    /* Anything else makes another. */
    { { { NULL, 0, { "a.test" }, { 0 } }, { NULL, 1, { "a.test" }, { 0 } },
          { NULL, 0, { "a.test", "b.test" }, { 0 } },
          { NULL, 0, { "a.test" }, { ACME_KEY_RSA_2048 } } },
        { 0, 1, 2, 3 },
        { "a.test", "a.test-0001", "a.test-0002", "a.test-0003" } },
    /* Names do not run together. */
    { { { NULL, 0, { "a.test", "b.test" }, { 0 } },
          { NULL, 0, { "a.testb.test" }, { 0 } } },
        { 0, 1 }, { "a.test", "a.testb.test" } },
    /* A wildcard is called after its domain. */
    { { { NULL, 0, { "*.a.test" }, { 0 } }, { NULL, 0, { "a.test" }, { 0 } },
          { NULL, 0, { "2001:db8::1" }, { 0 } } },
        { 0, 1, 2 }, { "a.test", "a.test-0001", "2001:db8::1" } },
    /* One explicit name, one definition. */
    { { { "x", 0, { "a.test" }, { 0 } }, { "x", 0, { "a.test" }, { 0 } },
          { "x", 0, { "b.test" }, { 0 } }, { "x", 1, { "a.test" }, { 0 } } },
        { 0, 0, -1, -1 }, { "x" } },
    /* Who names nothing shares with who does, in either order. */
    { { { "x", 0, { "a.test" }, { 0 } }, { NULL, 0, { "a.test" }, { 0 } } },
        { 0, 0 }, { "x" } },
    { { { NULL, 0, { "a.test" }, { 0 } }, { "x", 0, { "a.test" }, { 0 } },
          { NULL, 1, { "a.test" }, { 0 } } },
        { 0, 0, 1 }, { "x", "a.test" } },
    /* Two explicit names for one definition are two. */
    { { { "x", 0, { "a.test" }, { 0 } }, { "y", 0, { "a.test" }, { 0 } },
          { NULL, 0, { "a.test" }, { 0 } } },
        { 0, 1, 0 }, { "x", "y" } },
    /* A name we made up yields to an explicit one. */
    { { { NULL, 0, { "a.test" }, { 0 } }, { "a.test", 1, { "b.test" }, { 0 } },
          { "a.test", 0, { "c.test" }, { 0 } } },
        { 0, 1, -1 }, { "a.test-0001", "a.test" } },
    { { { NULL, 0, { "a.test" }, { 0 } }, { NULL, 1, { "a.test" }, { 0 } },
          { "a.test-0001", 0, { "c.test" }, { 0 } } },
        { 0, 1, 2 }, { "a.test", "a.test-0002", "a.test-0001" } },
    /* ... also when the explicit one takes over an equal. */
    { { { NULL, 0, { "a.test" }, { 0 } }, { NULL, 1, { "b.test" }, { 0 } },
          { "a.test", 1, { "b.test" }, { 0 } } },
        { 0, 1, 1 }, { "a.test-0001", "a.test" } },
    /* Once explicit, it does not yield. */
    { { { NULL, 0, { "a.test" }, { 0 } }, { "a.test", 0, { "a.test" }, { 0 } },
          { "a.test", 0, { "b.test" }, { 0 } } },
        { 0, 0, -1 }, { "a.test" } },
    /* A suffixed name that is taken is passed over. */
    { { { NULL, 0, { "a.test" }, { 0 } },
          { "a.test-0001", 0, { "b.test" }, { 0 } },
          { NULL, 1, { "a.test" }, { 0 } } },
        { 0, 1, 2 }, { "a.test", "a.test-0001", "a.test-0002" } },
};

static void
check_sharing(const struct sharing *row, size_t i)
{
    struct acme_config *config = config_new();
    struct acme_error err;
    size_t j, index;

    for (j = 0; j < 4 && row->wish[j].names[0] != NULL; j++) {
        index = 99;
        if (add(config, &row->wish[j], &index, &err) != ACME_OK) {
            assert_int_equal(err.rc, ACME_CONFIG);
            assert_int_equal(index, 99);
            index = (size_t)-1;
        }
        if ((int)index != row->index[j])
            fail_msg("row %zu, wish %zu: %d %s", i, j, (int)index, err.what);
    }
    for (j = 0; j < 4 && row->name[j] != NULL; j++)
        if (strcmp(config->lineage[j].name, row->name[j]) != 0)
            fail_msg("row %zu: lineage %zu is %s", i, j,
                config->lineage[j].name);
    assert_int_equal(config->nlineages, j);
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    acme_config_free(config);
}

static void
test_sharing(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < LEN(sharings); i++)
        check_sharing(&sharings[i], i);
}

static void
test_lineage_is_copied(void **state)
{
    struct acme_config *config = config_new();
    char first[] = "z.test", second[] = "a.test", name[] = "mine";
    struct wish wish = { name, 1, { first, second, first, second },
        { ACME_KEY_RSA_2048, ACME_KEY_ECDSA_384 } };
    const struct acme_lineage *lineage;
    struct acme_error err;
    size_t index = 9;

    (void)state;
    assert_int_equal(add(config, &wish, &index, &err), ACME_OK);
    first[0] = second[0] = name[0] = '!';
    lineage = &config->lineage[index];
    assert_string_equal(lineage->name, "mine");
    assert_int_equal(lineage->issuer, 1);
    assert_int_equal(lineage->nnames, 2); /* each once, in order */
    assert_string_equal(lineage->names[0], "z.test");
    assert_string_equal(lineage->names[1], "a.test");
    assert_int_equal(lineage->ntypes, 2);
    assert_int_equal(lineage->type[0], ACME_KEY_RSA_2048);
    assert_int_equal(lineage->type[1], ACME_KEY_ECDSA_384);
    acme_config_free(config);
}

static void
test_bad_lineages(void **state)
{
    static const struct {
        struct wish wish;
        const char *says, *cure;
    } rows[] = {
        { { "x", 0, { NULL }, { 0 } }, "\"x\" has no names", "host name" },
        { { NULL, 0, { NULL }, { 0 } }, "no names", "host name" },
        { { "../x", 0, { "a.test" }, { 0 } }, "../x", "" },
        { { ".x", 0, { "a.test" }, { 0 } }, ".x", "" },
        { { "-x", 0, { "a.test" }, { 0 } }, "-x", "" },
        { { "", 0, { "a.test" }, { 0 } }, "", "" },
        { { NULL, 2, { "a.test" }, { 0 } }, "no issuer", "" },
        { { NULL, 0, { "a.test" }, { ACME_KEY_RSA_2048, ACME_KEY_RSA_4096 } },
            "\"a.test\" has two rsa keys, rsa:2048 and rsa:4096", "only one" },
        { { NULL, 0, { "a.test" },
              { ACME_KEY_RSA_2048, ACME_KEY_ECDSA_256, ACME_KEY_ECDSA_256 } },
            "two ecdsa keys", "only one" },
    };
    struct acme_config *config = config_new();
    struct acme_lineage lineage;
    struct acme_error err;
    const char *many[ACME_NAMES_MAX + 1];
    size_t i, index = 99;

    (void)state;
    for (i = 0; i < LEN(rows); i++) {
        assert_int_equal(add(config, &rows[i].wish, &index, &err),
            ACME_CONFIG);
        if (strstr(err.what, rows[i].says) == NULL ||
            strstr(err.what, rows[i].cure) == NULL)
            fail_msg("row %zu: %s", i, err.what);
    }
    memset(&lineage, 0, sizeof(lineage));
    for (i = 0; i < LEN(many); i++)
        many[i] = "a.test";
    lineage.names = many;
    lineage.nnames = ACME_NAMES_MAX + 1;
    lineage.ntypes = 1;
    lineage.type[0] = ACME_KEY_ECDSA_256;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    lineage.nnames = 1;
    lineage.ntypes = 0;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    lineage.ntypes = ACME_TYPES_MAX + 1;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    assert_int_equal(index, 99);
    assert_int_equal(config->nlineages, 0);
    acme_config_free(config);
}

/* What a CA would refuse each time, and what is of no use with a wildcard. */
static void
test_bad_wishes(void **state)
{
    struct acme_config *config = config_new();
    struct acme_issuer issuer = issuer_of("le", NULL, true);
    const char *names[] = { "a.test", "*.a.test" };
    struct acme_lineage lineage = { .names = names,
        .nnames = 1,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 },
        .must_staple = true };
    struct acme_error err;
    size_t le, staging, index;

    (void)state;
    acme_error_clear(&err);
    issuer.directory = "https://ACME-v02.api.letsencrypt.org/directory";
    assert_int_equal(acme_config_add_issuer(config, &issuer, &le, &err),
        ACME_OK);
    issuer.name = "staging";
    issuer.directory = acme_issuer_directory("letsencrypt-staging");
    assert_int_equal(acme_config_add_issuer(config, &issuer, &staging, &err),
        ACME_OK);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK); /* of issuer 0 */
    lineage.issuer = le;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "\"le\" issues no"));
    assert_non_null(strstr(err.what, "turn acme_must_staple or ACMEMustStap"));
    lineage.issuer = 0;
    lineage.nfallbacks = 1;
    lineage.fallback[0] = staging;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "\"staging\" issues no"));
    lineage.must_staple = false;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);

    lineage.allow_subset = true;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    lineage.nnames = 2;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "wildcard \"*.a.test\""));
    assert_non_null(strstr(err.what, "ACMEAllowSubset off"));
    acme_config_free(config);
}

/* Both definitions are named: they may be in different files. */
static void
test_two_definitions(void **state)
{
    const struct wish first = { "shop", 0, { "a.test" }, { 0 } };
    const struct wish second = { "shop", 0, { "b.test" }, { 0 } };
    struct acme_config *config = config_new();
    struct acme_error err;
    size_t index;

    (void)state;
    assert_int_equal(add(config, &first, &index, &err), ACME_OK);
    assert_int_equal(add(config, &second, &index, &err), ACME_CONFIG);
    assert_non_null(strstr(err.what, "\"shop\""));
    assert_non_null(strstr(err.what, "\"a.test\""));
    assert_non_null(strstr(err.what, "\"b.test\""));
    assert_non_null(strstr(err.what, "another name"));
    acme_config_free(config);
}

/* Names longer than a lineage's may be, with and without a suffix. */
static void
test_long_names(void **state)
{
    struct acme_config *config = config_new();
    char name[ACME_NAME_MAX + 1];
    struct wish wish = { NULL, 0, { name }, { 0 } };
    struct acme_error err;
    size_t i, j, index;

    (void)state;
    for (i = 0; i < 2; i++)
        for (j = 0; j < 3; j++) {
            memset(name, 'a', sizeof(name) - 1);
            name[i == 0 ? ACME_NAME_MAX : ACME_LINEAGE_MAX] = '\0';
            memcpy(name + strlen(name) - 5, ".test", 5);
            wish.issuer = j % 2;
            name[ACME_LINEAGE_MAX - 3] = (char)('0' + j);
            assert_int_equal(add(config, &wish, &index, &err), ACME_OK);
            assert_int_equal(index, i * 3 + j);
        }
    for (i = 0; i < 6; i++) {
        assert_true(strlen(config->lineage[i].name) <= ACME_LINEAGE_MAX);
        for (j = 0; j < i; j++)
            assert_string_not_equal(config->lineage[i].name,
                config->lineage[j].name);
    }
    acme_config_free(config);
}

/* Lineages that are proved differently are different; those proved alike
 * share the description. */
static void
test_proofs(void **state)
{
    static const char *const names[] = { "a.test" };
    struct acme_config *config = config_new();
    struct acme_lineage lineage;
    struct acme_proof other = *any_proof(), same = other;
    struct acme_error err;
    size_t index;

    (void)state;
    acme_error_clear(&err);
    memset(&lineage, 0, sizeof(lineage));
    lineage.nnames = 1;
    lineage.names = names;
    lineage.type[lineage.ntypes++] = ACME_KEY_ECDSA_256;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    assert_int_equal(config->lineage[0].proof->said, 0);
    other.dns_server = "192.0.2.54";
    lineage.proof = &other;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    assert_int_equal(index, 1);
    lineage.proof = &same;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    assert_int_equal(index, 2);
    other.dns_server = "192.0.2.53";
    lineage.proof = &other;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    assert_int_equal(index, 2);
    lineage.issuer = 1;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_OK);
    assert_ptr_equal(config->lineage[2].proof, config->lineage[3].proof);
    assert_string_equal(config->lineage[1].proof->dns_server, "192.0.2.54");
    acme_config_free(config);
}

/* Found while the configuration is read, not at the CA. */
static void
test_unprovable(void **state)
{
    static const char *const names[] = { "a.test", "*.a.test" };
    struct acme_config *config = config_new();
    struct acme_lineage lineage;
    struct acme_error err;
    size_t index;

    (void)state;
    acme_error_clear(&err);
    memset(&lineage, 0, sizeof(lineage));
    lineage.nnames = 2;
    lineage.names = names;
    lineage.type[lineage.ntypes++] = ACME_KEY_ECDSA_256;
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "\"*.a.test\" cannot be proved"));
    lineage.nnames = 1;
    config->reach.http = config->reach.tls = ACME_ARRIVAL_NO;
    acme_error_clear(&err);
    assert_int_equal(acme_config_add_lineage(config, &lineage, &index, &err),
        ACME_CONFIG);
    assert_int_equal(config->nlineages, 0);
    acme_config_free(config);
}

static void
test_find_name(void **state)
{
    static const struct wish wishes[] = {
        { NULL, 0, { "a.test", "www.a.test" }, { 0 } },
        { NULL, 0, { "b.test", "www.a.test" }, { 0 } },
        { NULL, 0, { "*.c.test" }, { 0 } },
    };
    static const struct {
        const char *name;
        int lineage;
    } rows[] = {
        { "a.test", 0 },
        { "www.a.test", 0 },
        { "b.test", 1 },
        { "*.c.test", 2 },
        { "x.c.test", -1 },
        { "c.test", -1 },
        { "", -1 },
        { "a.tes", -1 },
        { "A.test", -1 },
    };
    struct acme_config *config = config_new();
    struct acme_error err;
    size_t i, index;

    (void)state;
    assert_false(acme_config_find_name(config, "a.test", &index));
    for (i = 0; i < LEN(wishes); i++)
        assert_int_equal(add(config, &wishes[i], &index, &err), ACME_OK);
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    for (i = 0; i < LEN(rows); i++) {
        index = 99;
        assert_int_equal(acme_config_find_name(config, rows[i].name, &index),
            rows[i].lineage >= 0);
        assert_int_equal(index,
            rows[i].lineage >= 0 ? (size_t)rows[i].lineage : 99);
    }
    acme_config_free(config);
    config = acme_config_new("/s", "nginx", "/c");
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    assert_false(acme_config_find_name(config, "a.test", &index));
    acme_config_free(config);
}

/* ---- thumbprints ------------------------------------------------------ */

static void
test_thumbprints(void **state)
{
    char value[ACME_THUMBPRINT_LEN + 1] =
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    struct acme_thumbprint thumbprint = { value, NULL };
    struct acme_config *config = config_new();
    struct acme_error err;
    size_t i, index = 99;

    (void)state;
    acme_error_clear(&err);
    for (i = 0; i < ACME_THUMBPRINTS_MAX - 1; i++) {
        value[0] = (char)('A' + i % 26);
        value[1] = (char)('A' + i / 26);
        assert_int_equal(
            acme_config_add_thumbprint(config, &thumbprint, &index, &err),
            ACME_OK);
        assert_int_equal(index, i);
    }
    assert_false(acme_config_has_thumbprint_file(config));
    thumbprint.value = NULL;
    thumbprint.file = "/etc/thumbprint";
    for (i = 0; i < 2; i++)
        assert_int_equal(
            acme_config_add_thumbprint(config, &thumbprint, &index, &err),
            ACME_OK);
    assert_int_equal(index, ACME_THUMBPRINTS_MAX - 1);
    assert_true(acme_config_has_thumbprint_file(config));

    /* an equal one is found, another one does not fit any more */
    memset(value, 'A', 2);
    thumbprint = (struct acme_thumbprint){ value, NULL };
    assert_int_equal(
        acme_config_add_thumbprint(config, &thumbprint, &index, &err),
        ACME_OK);
    assert_int_equal(index, 0);
    value[2] = 'x';
    assert_int_equal(
        acme_config_add_thumbprint(config, &thumbprint, &index, &err),
        ACME_CONFIG);
    assert_non_null(strstr(err.what, "64 are allowed"));
    value[2] = '=';
    acme_error_clear(&err);
    assert_int_equal(
        acme_config_add_thumbprint(config, &thumbprint, &index, &err),
        ACME_CONFIG);
    assert_int_equal(config->nthumbprints, ACME_THUMBPRINTS_MAX);
    assert_string_equal(config->thumbprint[1].value + 2,
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    acme_config_free(config);
}

/* ---- size ------------------------------------------------------------- */

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- wildcards -------------------------------------------------------- */

static void
test_find_wildcard(void **state)
{
    static const struct wish there[] = {
        { .names = { "b.test", "*.b.test" } },
        { .names = { "*.a.test", "a.test" },
            .type = { ACME_KEY_RSA_2048, ACME_KEY_ECDSA_256 } },
        { .names = { "*.a.test" } },
    };
    static const struct {
        struct wish wish;
        size_t found; /* 9: none */
    } cases[] = {
        { { .names = { "x.a.test" } }, 1 },
        { { .names = { "a.test", "x.a.test", "y.a.test" } }, 1 },
        { { .names = { "x.b.test", "b.test" } }, 0 },
        { { .names = { "x.a.test" }, .type = { ACME_KEY_RSA_2048 } }, 1 },
        { { .names = { "x.a.test" }, .type = { ACME_KEY_RSA_4096 } }, 9 },
        { { .names = { "x.b.test" }, .type = { ACME_KEY_RSA_2048 } }, 9 },
        { { .names = { "x.a.test" }, .issuer = 1 }, 9 },
        { { .names = { "x.y.a.test" } }, 9 },
        { { .names = { "a.test" } }, 9 },
        { { .names = { "x.a.test", "x.b.test" } }, 9 },
        { { .names = { "x.a.test", "192.0.2.1" } }, 9 },
        { { .names = { "192.0.2.1" } }, 9 },
    };
    struct acme_config *config = config_new();
    struct acme_error err;
    size_t i, index;

    (void)state;
    for (i = 0; i < LEN(there); i++)
        assert_int_equal(add(config, &there[i], &index, &err), ACME_OK);
    for (i = 0; i < LEN(cases); i++) {
        struct acme_lineage lineage = lineage_of(&cases[i].wish);

        index = 9;
        assert_int_equal(acme_config_find_wildcard(config, &lineage, &index),
            cases[i].found != 9);
        if (cases[i].found != 9)
            assert_int_equal(index, cases[i].found);
        lineage.must_staple = true;
        assert_false(acme_config_find_wildcard(config, &lineage, &index));
    }
    acme_config_free(config);
}

/* Which certificate a client can have at a host. */
static void
test_find_host(void **state)
{
    static const struct wish there[] = {
        { .names = { "*.a.test" } },
        { .names = { "b.a.test" } },
        { .names = { "192.0.2.1" } },
    };
    static const struct {
        const char *host;
        size_t found; /* 9: none */
    } cases[] = {
        { "x.a.test", 0 },
        { "X.A.test:8080", 0 },
        { "b.a.test.", 1 },
        { "a.test", 9 },
        { "x.y.a.test", 9 },
        { "192.0.2.1", 2 },
        { "192.0.2.1:80", 2 },
        { "192.0.2.2", 9 },
        { "*.a.test", 9 }, /* nobody asks for that */
        { "a_b.test", 9 },
        { "", 9 },
    };
    struct acme_config *config = config_new();
    struct acme_error err;
    size_t i, index;

    (void)state;
    for (i = 0; i < LEN(there); i++)
        assert_int_equal(add(config, &there[i], &index, &err), ACME_OK);
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    for (i = 0; i < LEN(cases); i++) {
        index = 9;
        (void)acme_config_find_host(config, cases[i].host,
            strlen(cases[i].host), &index);
        if (index != cases[i].found)
            fail_msg("%s: %zu", cases[i].host, index);
    }
    acme_config_free(config);
}

/* Ten thousand of their own names, ten thousand of one first name, and all of
 * them again: what is quadratic takes minutes here. */
static void
test_ten_thousand(void **state)
{
    struct acme_config *config = config_new();
    char first[32], second[32], expected[40];
    struct wish wish = { NULL, 0, { first, second }, { 0 } };
    struct acme_error err;
    double start = seconds();
    size_t i, index, round;

    (void)state;
    for (round = 0; round < 2; round++)
        for (i = 0; i < 20000; i++) {
            if (i < 10000)
                snprintf(first, sizeof(first), "n%zu.test", i);
            else
                strcpy(first, "same.test");
            snprintf(second, sizeof(second), "www%zu.test", i);
            assert_int_equal(add(config, &wish, &index, &err), ACME_OK);
            assert_int_equal(index, i);
        }
    assert_int_equal(config->nlineages, 20000);
    assert_string_equal(config->lineage[10000].name, "same.test");
    assert_string_equal(config->lineage[10001].name, "same.test-0001");
    assert_string_equal(config->lineage[19999].name, "same.test-9999");
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    for (i = 0; i < 20000; i++) {
        snprintf(expected, sizeof(expected), "www%zu.test", i);
        assert_true(acme_config_find_name(config, expected, &index));
        assert_int_equal(index, i);
    }
    assert_true(seconds() - start < 10);
    acme_config_free(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_short_names),
        cmocka_unit_test(test_issuer_is_copied),
        cmocka_unit_test(test_bad_issuers),
        cmocka_unit_test(test_too_many_issuers),
        cmocka_unit_test(test_shared_keys),
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_lineage_is_copied),
        cmocka_unit_test(test_bad_lineages),
        cmocka_unit_test(test_bad_wishes),
        cmocka_unit_test(test_two_definitions),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_unprovable),
        cmocka_unit_test(test_find_name),
        cmocka_unit_test(test_thumbprints),
        cmocka_unit_test(test_find_wildcard),
        cmocka_unit_test(test_find_host),
        cmocka_unit_test(test_ten_thousand),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

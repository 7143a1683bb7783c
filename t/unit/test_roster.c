/*
 * acme_roster.h: which certificate a changed configuration means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "helper_store.h"
#include "state/acme_roster.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIRST "lineages of nginx:/etc/nginx.conf\n"

/* "NAME=a b" or "a b" for each lineage, ";" between. */
static struct acme_config *
config_of(const char *lineages)
{
    struct acme_config *config =
        acme_config_new("/nowhere", "nginx", "/etc/nginx.conf");
    struct acme_issuer issuer = { .name = "one",
        .directory = "https://one.test/dir",
        .verify = true };
    char text[1024], *rest = text, *line, *word;
    const char *names[32];
    struct acme_error err;
    size_t index;

    acme_error_clear(&err);
    assert_int_equal(acme_config_add_issuer(config, &issuer, &index, &err),
        ACME_OK);
    assert_true(strlen(lineages) < sizeof(text));
    strcpy(text, lineages);
    while ((line = strsep(&rest, ";")) != NULL && *line != '\0') {
        struct acme_lineage lineage = { .names = names,
            .ntypes = 1,
            .type = { ACME_KEY_ECDSA_256 } };

        if (strchr(line, '=') != NULL)
            lineage.name = strsep(&line, "=");
        while ((word = strsep(&line, " ")) != NULL)
            names[lineage.nnames++] = word;
        assert_int_equal(
            acme_config_add_lineage(config, &lineage, &index, &err), ACME_OK);
    }
    return config;
}

static struct acme_roster *
roster_of(const struct acme_config *config, const char *text)
{
    struct acme_roster *roster = NULL;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_roster_parse(text, strlen(text), config, &roster, &err) !=
        ACME_OK)
        fail_msg("%s", err.what);
    return roster;
}

/* What is remembered of a configuration after the one of `before`. */
static void
remembered(const char *before, const char *lineages, const char *expected)
{
    struct acme_config *config = config_of(lineages);
    struct acme_roster *old =
        before == NULL ? NULL : roster_of(config, before);
    struct acme_error err;
    struct acme_buf text;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_ROSTER_MAX);
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    assert_int_equal(acme_roster_render(config, old, &text, &err), ACME_OK);
    assert_string_equal(acme_buf_str(&text), expected);
    acme_roster_free(roster_of(config, acme_buf_str(&text)));
    acme_buf_clear(&text);
    acme_roster_free(old);
    acme_config_free(config);
}

static void
names_are_remembered(void **state)
{
    (void)state;
    remembered(NULL, "", FIRST);
    remembered(NULL, "a.test b.test;c.test;x=d.test",
        FIRST "a.test a.test b.test\nc.test c.test\nx d.test\n");
    /* what another one has now, from a lineage that is and one that was */
    remembered(FIRST "a.test a.test b.test\nold c.test d.test\n",
        "a.test;b.test c.test",
        FIRST "a.test a.test +b.test\nb.test b.test c.test\nold +c.test\n");
    /* and for longer than one change */
    remembered(FIRST "a.test a.test +b.test\nold +c.test\n",
        "a.test;b.test c.test",
        FIRST "a.test a.test +b.test\nb.test b.test c.test\nold +c.test\n");
    /* until nobody wants it */
    remembered(FIRST "a.test a.test +b.test\nold +c.test\n", "a.test",
        FIRST "a.test a.test\n");
    /* or it is back */
    remembered(FIRST "a.test a.test +b.test\n", "a.test b.test",
        FIRST "a.test a.test b.test\n");
}

static void
adopts(const char *before, const char *lineages, const char *expected)
{
    struct acme_config *config = config_of(lineages);
    struct acme_roster *roster = roster_of(config, before);
    struct acme_error err;
    char names[1024] = "";
    size_t i, index;

    acme_error_clear(&err);
    assert_int_equal(acme_roster_adopt(roster, config, &err), ACME_OK);
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    for (i = 0; i < config->nlineages; i++) {
        strcat(names, i > 0 ? " " : "");
        strcat(names, config->lineage[i].name);
        assert_true(
            acme_config_find_lineage(config, config->lineage[i].name, &index));
        assert_int_equal(index, i);
    }
    if (strcmp(names, expected) != 0)
        fail_msg("\"%s\" became \"%s\", not \"%s\"", lineages, names,
            expected);
    acme_roster_free(roster);
    acme_config_free(config);
}

static void
lineages_are_found_again(void **state)
{
    static const char *const rows[][3] = {
        /* nothing is known, or nothing fits */
        { "", "a.test b.test", "a.test" },
        { "c.test c.test\n", "a.test b.test", "a.test" },
        /* the same names; one more; one less */
        { "a.test a.test b.test\n", "a.test b.test", "a.test" },
        { "a.test a.test b.test\n", "a.test b.test c.test", "a.test" },
        { "a.test a.test b.test\n", "a.test", "a.test" },
        /* without the first; swapped; a new first */
        { "a.test a.test b.test\n", "b.test", "a.test" },
        { "a.test a.test b.test\n", "b.test a.test", "a.test" },
        { "a.test a.test b.test\n", "x.test a.test b.test", "a.test" },
        /* for good */
        { "a.test b.test\n", "b.test", "a.test" },
        /* a newcomer may not have the name, and keeps the other one */
        { "a.test b.test\n", "a.test;b.test", "a.test-0001 a.test" },
        { "a.test b.test\na.test-0001 a.test\n", "a.test;b.test",
            "a.test-0001 a.test" },
        { "a.test b.test\na.test-0001 a.test\n", "b.test;a.test",
            "a.test a.test-0001" },
        /* two in one: the own name first, else most in common, else the
         * first name */
        { "a.test a.test\nb.test b.test\n", "a.test b.test", "a.test" },
        { "a.test a.test\nb.test b.test\n", "b.test a.test", "b.test" },
        { "a.test a.test\nb.test b.test c.test\n",
            "x.test a.test b.test "
            "c.test",
            "b.test" },
        { "a.test a.test\nb.test b.test\n", "x.test b.test a.test", "b.test" },
        /* one in two: the own name, else most in common, else the first */
        { "a.test a.test b.test c.test\n", "b.test c.test;a.test",
            "b.test a.test" },
        { "a.test a.test b.test c.test\n", "b.test;x.test c.test a.test",
            "b.test a.test" },
        { "a.test a.test b.test c.test\n", "b.test;c.test", "a.test c.test" },
        /* a name of the administrator's goes before */
        { "a.test a.test b.test\n", "mine=a.test b.test", "mine" },
        { "a.test a.test b.test\n", "a.test=c.test;b.test", "a.test b.test" },
        { "mine a.test b.test\n", "b.test a.test", "mine" },
        { "mine a.test b.test\n", "mine=c.test;a.test", "mine a.test" },
        /* what it once had is not what it is for */
        { "a.test +a.test +b.test\n", "b.test a.test", "b.test" },
        { "a.test c.test +b.test\n", "b.test", "b.test" },
        /* names that go round */
        { "a.test a.test\nb.test b.test\nc.test c.test\n",
            "b.test a.test;c.test b.test;a.test c.test",
            "b.test c.test a.test" },
        /* one file for two, and one twice */
        { "p a.test b.test\nq a.test b.test\n", "a.test b.test;b.test",
            "p q" },
        { "p a.test\np b.test\n", "a.test", "p" },
    };
    char before[256];
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(rows); i++) {
        (void)snprintf(before, sizeof(before), "%s%s", FIRST, rows[i][0]);
        adopts(before, rows[i][1], rows[i][2]);
    }
}

static void
damage_is_refused(void **state)
{
    static const char *const bad[] = { "", "\n", "a.test a.test\n",
        "lineages of nginx:/etc/nginx.conf",
        "lineages of httpd:/etc/nginx.conf\n",
        "lineages of nginx:/etc/nginx.conf2\n", FIRST "\n", FIRST "a.test\n",
        FIRST "a.test \n", FIRST "a.test a.test", FIRST "../a a.test\n",
        FIRST "a.test A.test\n", FIRST "a.test a_b.test\n",
        FIRST "a.test  a.test\n", FIRST "a.test +\n",
        FIRST "a.test ++a.test\n", FIRST "a.test +a.test b.test\n",
        FIRST "a.test a.test\n\nb.test b.test\n" };
    struct acme_config *config = config_of("");
    struct acme_roster *roster = NULL;
    struct acme_error err;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(bad); i++) {
        acme_error_clear(&err);
        if (acme_roster_parse(bad[i], strlen(bad[i]), config, &roster, &err) !=
            ACME_WIRE)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_null(roster);
    }
    acme_error_clear(&err);
    assert_int_equal(acme_roster_parse(FIRST "a\0b c\n", sizeof(FIRST) + 5,
                         config, &roster, &err),
        ACME_WIRE);
    acme_config_free(config);
}

/* A server has a file of its own, which another one does not read. */
static void
files_are_of_one_server(void **state)
{
    struct acme_config *config = config_of("a.test b.test");
    struct acme_config *other =
        acme_config_new("/nowhere", "nginx", "/etc/other.conf");
    struct acme_roster *roster = NULL;
    struct acme_store *store;
    struct acme_error err;
    struct helper_tmp tmp;

    (void)state;
    acme_error_clear(&err);
    helper_tmp_init(&tmp);
    store = helper_store_open(&tmp);
    assert_int_equal(acme_config_finish(config, &err), ACME_OK);
    assert_int_equal(acme_roster_read(store, config, &roster, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    assert_int_equal(acme_roster_write(store, config, NULL, &err), ACME_OK);
    assert_int_equal(acme_roster_read(store, other, &roster, &err),
        ACME_NOENT);
    acme_error_clear(&err);
    assert_int_equal(acme_roster_read(store, config, &roster, &err), ACME_OK);
    assert_int_equal(roster->nentries, 1);
    assert_string_equal(roster->entry[0].names[1], "b.test");
    acme_roster_free(roster);
    acme_store_close(store);
    acme_config_free(config);
    acme_config_free(other);
    helper_tmp_clear(&tmp);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_remembered),
        cmocka_unit_test(lineages_are_found_again),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(files_are_of_one_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

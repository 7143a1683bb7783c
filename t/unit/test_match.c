/* Which lineage a request means: the table of Certbot's rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "state/acme_match.h"

#define NAMES_MAX 4

struct lineage {
    const char *name;
    const char *names[NAMES_MAX];
};

static struct acme_match_names
list(const char *const names[NAMES_MAX])
{
    struct acme_match_names out = { 0, names };

    while (out.n < NAMES_MAX && names[out.n] != NULL)
        out.n++;
    return out;
}

static void
test_rules(void **state)
{
    static const struct lineage there[] = {
        { "a", { "a.test" } },
        { "ab", { "a.test", "b.test" } },
        { "cd", { "c.test", "d.test" } },
        { "dc", { "d.test", "c.test" } },
        { "empty", { NULL } },
    };
    static const struct {
        const char *named; /* or NULL */
        const char *wanted[NAMES_MAX];
        enum acme_match_kind kind;
        const char *lineage; /* or NULL */
    } rows[] = {
        { NULL, { "a.test" }, ACME_MATCH_SAME, "a" },
        { NULL, { "b.test", "a.test" }, ACME_MATCH_SAME, "ab" },
        { NULL, { "d.test", "c.test" }, ACME_MATCH_SAME, "cd" },
        /* part of a lineage is a new one */
        { NULL, { "b.test" }, ACME_MATCH_NEW, NULL },
        /* the largest of those that it would expand */
        { NULL, { "x.test", "b.test", "a.test" }, ACME_MATCH_EXPANDS, "ab" },
        { NULL, { "a.test", "c.test" }, ACME_MATCH_EXPANDS, "a" },
        { NULL, { "x.test" }, ACME_MATCH_NEW, NULL },
        { "ab", { "a.test", "b.test" }, ACME_MATCH_SAME, "ab" },
        { "ab", { NULL }, ACME_MATCH_SAME, "ab" },
        { "ab", { "a.test" }, ACME_MATCH_OTHER, "ab" },
        { "ab", { "a.test", "b.test", "x.test" }, ACME_MATCH_OTHER, "ab" },
        { "ab", { "x.test" }, ACME_MATCH_OTHER, "ab" },
        { "empty", { "x.test" }, ACME_MATCH_OTHER, "empty" },
        { "new", { "a.test" }, ACME_MATCH_NEW, NULL },
        { "new", { NULL }, ACME_MATCH_NEW, NULL },
    };
    const size_t nthere = sizeof(there) / sizeof(there[0]);
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_match_names wanted = list(rows[i].wanted);
        struct acme_match match = { 0 };

        for (k = 0; k < nthere; k++) {
            struct acme_match_names has = list(there[k].names);
            bool is = rows[i].named != NULL &&
                      strcmp(rows[i].named, there[k].name) == 0;

            acme_match_look(&match, k, &has, &wanted, rows[i].named != NULL,
                is);
        }
        if (match.kind != rows[i].kind)
            fail_msg("row %zu: kind %d", i, (int)match.kind);
        if (rows[i].lineage != NULL)
            assert_string_equal(there[match.index].name, rows[i].lineage);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rules) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Which pre and post hooks are run for renewals that overlap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drive/acme_batch.h"

enum {
    UNITS = 4
};

static struct acme_batch *batch;
static struct acme_error err;
static struct acme_stage_hook room[8];
static const char *const name_a = "a.test", *const name_b = "b.test";
static const struct acme_lineage lineage[] = {
    { .name = "a", .names = &name_a, .nnames = 1 },
    { .name = "b", .names = &name_b, .nnames = 1 },
};

static int
setup(void **state)
{
    (void)state;
    acme_error_clear(&err);
    batch = acme_batch_new(UNITS);
    return batch == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    acme_batch_free(batch);
    return 0;
}

/* Hooks of one word, a letter each; "." in front: of a directory. */
static struct acme_stage_list
list_of(const char *letters)
{
    static const char *const text[] = { "a", "b", "c", "d" };
    struct acme_stage_list list = { 0, room };
    bool file = false;

    memset(room, 0, sizeof(room));
    for (; *letters != '\0'; letters++) {
        if (*letters == '.') {
            file = true;
            continue;
        }
        room[list.n].file = file;
        room[list.n].hook.nwords = 1;
        room[list.n].text = room[list.n].hook.word[0] = text[*letters - 'a'];
        list.n++;
        file = false;
    }
    return list;
}

static void
assert_list(const struct acme_stage_list *list, const char *letters)
{
    char text[16] = "";
    size_t i;

    for (i = 0; i < list->n; i++) {
        strcat(text, list->hook[i].file ? "." : "");
        strcat(text, list->hook[i].hook.word[0]);
    }
    assert_string_equal(text, letters);
}

static void
begin(uint32_t unit, const char *letters, const char *run)
{
    struct acme_stage_list list = list_of(letters);

    assert_int_equal(acme_batch_begin(batch, unit, &list, &err), ACME_OK);
    assert_list(&list, run);
}

static void
end(uint32_t unit, const char *letters, bool failed)
{
    const struct acme_stage_list list = list_of(letters);

    assert_int_equal(
        acme_batch_end(batch, unit, &lineage[unit], &list, failed, &err),
        ACME_OK);
}

static void
test_pre_once(void **state)
{
    (void)state;
    assert_false(acme_batch_is_open(batch));
    begin(0, "ab", "ab");
    begin(1, "bc", "c");
    begin(0, "d", "");
    assert_true(acme_batch_is_open(batch));
}

/* An executable of a directory and a line with its path are two things. */
static void
test_files_are_others(void **state)
{
    (void)state;
    begin(0, ".a", ".a");
    begin(1, "a.a", "a");
}

static void
test_post_at_end(void **state)
{
    struct acme_batch_end all;

    (void)state;
    begin(0, "", "");
    begin(1, "", "");
    end(0, "ab", false);
    assert_true(acme_batch_is_open(batch));
    /* what is kept is ours: `room` is another list by then */
    end(1, "cb", true);
    assert_false(acme_batch_is_open(batch));
    (void)list_of("dddd");
    acme_batch_take(batch, &all);
    assert_list(&all.list, "abc");
    assert_string_equal(all.renewed, "a.test");
    assert_string_equal(all.failed, "b.test");
}

static void
test_end_without_begin(void **state)
{
    struct acme_batch_end all;

    (void)state;
    end(0, "a", true);
    assert_false(acme_batch_is_open(batch));
    begin(1, "", "");
    end(1, "b", false);
    end(1, "c", false);
    acme_batch_take(batch, &all);
    assert_list(&all.list, "b");
    assert_string_equal(all.renewed, "b.test");
    assert_null(all.failed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pre_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_are_others, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_post_at_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_without_begin, setup,
            teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

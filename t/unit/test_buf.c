#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_buf.h"

static void
appends_in_order(void **state)
{
    struct acme_buf buf;
    unsigned char *p;

    (void)state;
    acme_buf_init(&buf, 1000);
    assert_null(buf.data);
    assert_string_equal(acme_buf_str(&buf), "");
    acme_buf_add(&buf, "abc", 2);
    acme_buf_add_str(&buf, "cd");
    acme_buf_addf(&buf, "%d-%s", 42, "x");
    p = acme_buf_extend(&buf, 3);
    assert_non_null(p);
    memcpy(p, "...", 3);
    assert_true(acme_buf_ok(&buf));
    assert_string_equal(acme_buf_str(&buf), "abcd42-x...");
    assert_int_equal(buf.len, 11);
    acme_buf_clear(&buf);
    assert_null(buf.data);
    acme_buf_add_str(&buf, "again");
    assert_string_equal(acme_buf_str(&buf), "again");
    acme_buf_clear(&buf);
}

static void
grows_over_many_appends(void **state)
{
    struct acme_buf buf;
    size_t i;

    (void)state;
    acme_buf_init_secret(&buf, 100000);
    for (i = 0; i < 100000; i++)
        acme_buf_add(&buf, i % 2 ? "b" : "a", 1);
    assert_true(acme_buf_ok(&buf));
    assert_int_equal(buf.len, 100000);
    for (i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], i % 2 ? 'b' : 'a');
    assert_int_equal(buf.data[buf.len], '\0');
    acme_buf_clear(&buf);
}

static void
maximum_is_exact_and_failure_sticks(void **state)
{
    struct acme_buf buf;

    (void)state;
    acme_buf_init(&buf, 4);
    acme_buf_add_str(&buf, "1234");
    assert_true(acme_buf_ok(&buf));
    acme_buf_add_str(&buf, "");
    acme_buf_addf(&buf, "%s", "");
    assert_true(acme_buf_ok(&buf));
    acme_buf_add_str(&buf, "5");
    assert_false(acme_buf_ok(&buf));
    assert_string_equal(acme_buf_str(&buf), "1234");
    acme_buf_reset(&buf);
    assert_true(acme_buf_ok(&buf));
    assert_string_equal(acme_buf_str(&buf), "");
    acme_buf_add_str(&buf, "12345");
    acme_buf_add_str(&buf, "1"); /* would fit: the failure sticks */
    acme_buf_addf(&buf, "%d", 1);
    assert_null(acme_buf_extend(&buf, 1));
    assert_false(acme_buf_ok(&buf));
    assert_int_equal(buf.len, 0);
    acme_buf_clear(&buf);
    assert_true(acme_buf_ok(&buf));
}

static void
absurd_sizes_fail(void **state)
{
    struct acme_buf buf;

    (void)state;
    acme_buf_init(&buf, SIZE_MAX);
    acme_buf_add_str(&buf, "x");
    assert_null(acme_buf_extend(&buf, SIZE_MAX));
    assert_false(acme_buf_ok(&buf));
    acme_buf_reset(&buf);
    assert_null(acme_buf_extend(&buf, SIZE_MAX - 1));
    acme_buf_clear(&buf);
}

static void
extend_by_nothing_is_no_failure(void **state)
{
    struct acme_buf buf;

    (void)state;
    acme_buf_init(&buf, 0);
    assert_non_null(acme_buf_extend(&buf, 0));
    assert_true(acme_buf_ok(&buf));
    acme_buf_clear(&buf);
}

/* What was in the buffer must not be readable in it any more. */
static void
secret_is_wiped_by_reset(void **state)
{
    struct acme_buf buf;

    (void)state;
    acme_buf_init_secret(&buf, 100);
    acme_buf_add_str(&buf, "hunter2");
    acme_buf_reset(&buf);
    assert_memory_equal(buf.data, "\0\0\0\0\0\0\0", 7);
    acme_buf_clear(&buf);
    acme_buf_init(&buf, 100);
    assert_false(buf.secret);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(grows_over_many_appends),
        cmocka_unit_test(maximum_is_exact_and_failure_sticks),
        cmocka_unit_test(absurd_sizes_fail),
        cmocka_unit_test(extend_by_nothing_is_no_failure),
        cmocka_unit_test(secret_is_wiped_by_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

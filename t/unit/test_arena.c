#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/acme_arena.h"

/* Sizes around those at which a new block or one's own is taken. */
static void
memory_is_zeroed_aligned_and_apart(void **state)
{
    static const size_t sizes[] = { 0, 1, 7, 8, 31, 32, 33, 1000, 1023, 1024,
        1025, 4095, 4096, 4097, 100000 };
    enum {
        N = sizeof(sizes) / sizeof(sizes[0])
    };
    struct acme_arena *arena = acme_arena_new();
    unsigned char *memory[20 * N];
    size_t i;
    size_t j;

    (void)state;
    assert_non_null(arena);
    for (i = 0; i < 20 * N; i++) {
        size_t size = sizes[i % N];

        memory[i] = acme_arena_alloc(arena, size);
        assert_non_null(memory[i]);
        assert_int_equal((uintptr_t)memory[i] % _Alignof(max_align_t), 0);
        for (j = 0; j < size; j++)
            assert_int_equal(memory[i][j], 0);
        memset(memory[i], (int)i + 1, size);
    }
    for (i = 0; i < 20 * N; i++) {
        for (j = 0; j < sizes[i % N]; j++)
            assert_int_equal(memory[i][j], (unsigned char)(i + 1));
    }
    acme_arena_free(arena);
    acme_arena_free(NULL);
}

static void
strings_are_copied(void **state)
{
    struct acme_arena *arena = acme_arena_new();
    char text[] = "example.com";
    char *copy;
    char *part;

    (void)state;
    copy = acme_arena_strdup(arena, text);
    part = acme_arena_strndup(arena, text, 7);
    text[0] = '#';
    assert_string_equal(copy, "example.com");
    assert_string_equal(part, "example");
    assert_string_equal(acme_arena_strdup(arena, ""), "");
    assert_string_equal(acme_arena_printf(arena, "%s/%05d", part, 42),
        "example/00042");
    assert_string_equal(acme_arena_printf(arena, "%s", ""), "");
    acme_arena_free(arena);
}

static void
borrowed_texts_become_its_own(void **state)
{
    struct acme_arena *arena = acme_arena_new();
    char first[] = "first", last[] = "last";
    const char *text[] = { first, NULL, last, first };

    (void)state;
    assert_true(acme_arena_own(arena, text, 3));
    first[0] = last[0] = '#';
    assert_string_equal(text[0], "first");
    assert_null(text[1]);
    assert_string_equal(text[2], "last");
    assert_ptr_equal(text[3], first);
    acme_arena_free(arena);
}

static void
absurd_sizes_fail(void **state)
{
    struct acme_arena *arena = acme_arena_new();

    (void)state;
    assert_null(acme_arena_alloc(arena, SIZE_MAX));
    assert_null(acme_arena_alloc(arena, SIZE_MAX - 40));
    assert_null(acme_arena_strndup(arena, "x", SIZE_MAX));
    assert_string_equal(acme_arena_strdup(arena, "still good"), "still good");
    acme_arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(strings_are_copied),
        cmocka_unit_test(borrowed_texts_become_its_own),
        cmocka_unit_test(absurd_sizes_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

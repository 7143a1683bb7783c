/* acme_heap.h: order, moves, removal; at random against a plain model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "drive/acme_heap.h"

static void
expect_first(const struct acme_heap *heap, size_t item, int64_t major)
{
    size_t found = SIZE_MAX;
    int64_t key = -1;

    assert_true(acme_heap_first(heap, &found, &key));
    assert_int_equal(found, item);
    assert_int_equal(key, major);
}

static void
expect_empty(const struct acme_heap *heap)
{
    size_t item = 77;
    int64_t key = 78;

    assert_false(acme_heap_first(heap, &item, &key));
    assert_int_equal(item, 77);
    assert_int_equal(key, 78);
}

/* Takes the first out. */
static void
expect_next(struct acme_heap *heap, size_t item, int64_t major)
{
    expect_first(heap, item, major);
    acme_heap_remove(heap, item);
}

static void
test_empty(void **state)
{
    struct acme_heap *heap = acme_heap_new(0);

    (void)state;
    assert_non_null(heap);
    expect_empty(heap);
    acme_heap_free(heap);
    acme_heap_free(NULL);
}

static void
test_order(void **state)
{
    struct acme_heap *heap = acme_heap_new(5);

    (void)state;
    acme_heap_put(heap, 0, 30, 0);
    acme_heap_put(heap, 1, -10, 9);
    acme_heap_put(heap, 2, 20, 5);
    acme_heap_put(heap, 3, -10, 2); /* the minor key decides */
    acme_heap_put(heap, 4, INT64_MAX, 0);
    expect_next(heap, 3, -10);
    expect_next(heap, 1, -10);
    expect_next(heap, 2, 20);
    expect_next(heap, 0, 30);
    expect_next(heap, 4, INT64_MAX);
    expect_empty(heap);
    acme_heap_free(heap);
}

static void
test_moves(void **state)
{
    struct acme_heap *heap = acme_heap_new(3);

    (void)state;
    acme_heap_put(heap, 0, 1, 0);
    acme_heap_put(heap, 1, 2, 0);
    acme_heap_put(heap, 2, 3, 0);
    acme_heap_put(heap, 0, 9, 0); /* back */
    expect_first(heap, 1, 2);
    acme_heap_put(heap, 2, 0, 0); /* forth */
    expect_first(heap, 2, 0);
    acme_heap_put(heap, 2, 0, 0); /* to where it is */
    expect_next(heap, 2, 0);
    expect_next(heap, 1, 2);
    expect_next(heap, 0, 9);
    expect_empty(heap);
    acme_heap_free(heap);
}

static void
test_removal(void **state)
{
    struct acme_heap *heap = acme_heap_new(3);

    (void)state;
    acme_heap_remove(heap, 1); /* is not in it */
    expect_empty(heap);
    acme_heap_put(heap, 0, 1, 0);
    acme_heap_put(heap, 1, 2, 0);
    acme_heap_put(heap, 2, 3, 0);
    acme_heap_remove(heap, 1);
    acme_heap_remove(heap, 1);
    expect_next(heap, 0, 1);
    acme_heap_put(heap, 1, 4, 0); /* and in again */
    expect_next(heap, 2, 3);
    expect_next(heap, 1, 4);
    expect_empty(heap);
    acme_heap_free(heap);
}

/* ---- at random -------------------------------------------------------- */

enum {
    ITEMS = 40,
    STEPS = 20000
};

struct model {
    bool in[ITEMS];
    int64_t major[ITEMS], minor[ITEMS];
};

static uint32_t
draw(void)
{
    static uint32_t x = 2463534242u; /* xorshift: the same in each run */

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

static bool
is_before(const struct model *m, size_t a, size_t b)
{
    if (m->major[a] != m->major[b])
        return m->major[a] < m->major[b];
    return m->minor[a] < m->minor[b];
}

static void
compare(const struct acme_heap *heap, const struct model *m)
{
    size_t i, first = ITEMS;

    for (i = 0; i < ITEMS; i++) {
        if (m->in[i] && (first == ITEMS || is_before(m, i, first)))
            first = i;
    }
    if (first == ITEMS)
        expect_empty(heap);
    else
        expect_first(heap, first, m->major[first]);
}

static void
put(struct acme_heap *heap, struct model *m, size_t item)
{
    m->in[item] = true;
    m->major[item] = (int64_t)(draw() % 7) - 3;
    /* distinct: the order of equals is nobody's business */
    m->minor[item] = (int64_t)(draw() / ITEMS * ITEMS + item);
    acme_heap_put(heap, item, m->major[item], m->minor[item]);
}

static void
test_random(void **state)
{
    struct acme_heap *heap = acme_heap_new(ITEMS);
    struct model m = { .in = { false } };
    size_t item;
    int i;

    (void)state;
    for (i = 0; i < STEPS; i++) {
        item = draw() % ITEMS;
        if (draw() % 3 == 0) {
            m.in[item] = false;
            acme_heap_remove(heap, item);
        } else {
            put(heap, &m, item);
        }
        compare(heap, &m);
    }
    acme_heap_free(heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_removal),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

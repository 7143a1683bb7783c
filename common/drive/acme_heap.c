#include "drive/acme_heap.h"

#include <stdlib.h>

#define ABSENT SIZE_MAX

struct entry {
    int64_t major, minor;
    size_t item;
};

struct acme_heap {
    size_t n;
    struct entry *entry;
    size_t *place; /* of an item in entry[], or ABSENT */
};

struct acme_heap *
acme_heap_new(size_t n)
{
    struct acme_heap *heap = calloc(1, sizeof(*heap));
    size_t i;

    if (heap == NULL)
        return NULL;
    heap->entry = calloc(n + 1, sizeof(heap->entry[0]));
    heap->place = calloc(n + 1, sizeof(heap->place[0]));
    if (heap->entry == NULL || heap->place == NULL) {
        acme_heap_free(heap);
        return NULL;
    }
    for (i = 0; i < n; i++)
        heap->place[i] = ABSENT;
    return heap;
}

void
acme_heap_free(struct acme_heap *heap)
{
    if (heap == NULL)
        return;
    free(heap->entry);
    free(heap->place);
    free(heap);
}

static bool
before(const struct entry *a, const struct entry *b)
{
    if (a->major != b->major)
        return a->major < b->major;
    return a->minor < b->minor;
}

static void
set(struct acme_heap *heap, size_t at, struct entry entry)
{
    heap->entry[at] = entry;
    heap->place[entry.item] = at;
}

static void
up(struct acme_heap *heap, size_t at)
{
    struct entry entry = heap->entry[at];

    while (at > 0 && before(&entry, &heap->entry[(at - 1) / 2])) {
        set(heap, at, heap->entry[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    set(heap, at, entry);
}

static void
down(struct acme_heap *heap, size_t at)
{
    struct entry entry = heap->entry[at];
    size_t child;

    while ((child = 2 * at + 1) < heap->n) {
        if (child + 1 < heap->n &&
            before(&heap->entry[child + 1], &heap->entry[child]))
            child++;
        if (!before(&heap->entry[child], &entry))
            break;
        set(heap, at, heap->entry[child]);
        at = child;
    }
    set(heap, at, entry);
}

void
acme_heap_remove(struct acme_heap *heap, size_t item)
{
    size_t at = heap->place[item];

    if (at == ABSENT)
        return;
    heap->place[item] = ABSENT;
    heap->n--;
    if (at == heap->n)
        return;
    set(heap, at, heap->entry[heap->n]);
    up(heap, at);
    down(heap, at);
}

void
acme_heap_put(struct acme_heap *heap, size_t item, int64_t major,
    int64_t minor)
{
    struct entry entry = { major, minor, item };

    acme_heap_remove(heap, item);
    set(heap, heap->n++, entry);
    up(heap, heap->n - 1);
}

bool
acme_heap_has(const struct acme_heap *heap, size_t item)
{
    return heap->place[item] != ABSENT;
}

bool
acme_heap_first(const struct acme_heap *heap, size_t *item, int64_t *major)
{
    if (heap->n == 0)
        return false;
    *item = heap->entry[0].item;
    *major = heap->entry[0].major;
    return true;
}

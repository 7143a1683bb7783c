/*
 * A binary heap of small integers ordered by two keys: what the scheduler
 * takes next.  Each integer (0 ... n-1) is in it at most once.
 */
#ifndef ACME_HEAP_H
#define ACME_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acme_heap;

/* NULL: out of memory. */
struct acme_heap *acme_heap_new(size_t n);
void acme_heap_free(struct acme_heap *heap); /* accepts NULL */

/* Puts `item` in or moves it; smaller (major, minor) comes first. */
void acme_heap_put(struct acme_heap *heap, size_t item, int64_t major,
    int64_t minor);
void acme_heap_remove(struct acme_heap *heap, size_t item);

bool acme_heap_has(const struct acme_heap *heap, size_t item);

/* The first item and its major key; false: empty. */
bool acme_heap_first(const struct acme_heap *heap, size_t *item,
    int64_t *major);

#endif

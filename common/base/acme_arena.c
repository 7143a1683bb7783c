#include "base/acme_arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 4096

/* What is too big for the rest of a block gets one of its own, behind the
 * block in use. */
struct block {
    struct block *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

struct acme_arena {
    struct block *first; /* the one in use */
};

struct acme_arena *
acme_arena_new(void)
{
    return calloc(1, sizeof(struct acme_arena));
}

void
acme_arena_free(struct acme_arena *arena)
{
    struct block *block;

    if (arena == NULL)
        return;
    while ((block = arena->first) != NULL) {
        arena->first = block->next;
        free(block);
    }
    free(arena);
}

static struct block *
add_block(struct acme_arena *arena, size_t size)
{
    bool own = size > BLOCK_SIZE / 4;
    struct block *block;

    if (!own)
        size = BLOCK_SIZE;
    block = calloc(1, sizeof(*block) + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    if (own && arena->first != NULL) {
        block->next = arena->first->next;
        arena->first->next = block;
    } else {
        block->next = arena->first;
        arena->first = block;
    }
    return block;
}

void *
acme_arena_alloc(struct acme_arena *arena, size_t size)
{
    const size_t align = sizeof(max_align_t);
    struct block *block = arena->first;
    void *memory;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = size ? (size + align - 1) / align * align : align;
    if (block == NULL || size > block->size - block->used)
        block = add_block(arena, size);
    if (block == NULL)
        return NULL;
    memory = (char *)block->data + block->used;
    block->used += size;
    return memory;
}

char *
acme_arena_strndup(struct acme_arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? acme_arena_alloc(arena, len + 1) : NULL;

    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

char *
acme_arena_strdup(struct acme_arena *arena, const char *text)
{
    return acme_arena_strndup(arena, text, strlen(text));
}

char *
acme_arena_printf(struct acme_arena *arena, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0)
        text = acme_arena_alloc(arena, (size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, args);
    va_end(args);
    return text;
}

bool
acme_arena_own(struct acme_arena *arena, const char **text, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (text[i] == NULL)
            continue;
        text[i] = acme_arena_strdup(arena, text[i]);
        if (text[i] == NULL)
            return false;
    }
    return true;
}

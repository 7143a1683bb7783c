/*
 * Memory of one attempt (a job, a configuration): many small strings, freed
 * together.  Nothing in it is ever freed alone.  Not for secrets.
 */
#ifndef ACME_ARENA_H
#define ACME_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct acme_arena;

/* NULL: out of memory. */
struct acme_arena *acme_arena_new(void);
void acme_arena_free(struct acme_arena *arena); /* accepts NULL */

/* Zeroed, aligned for any type; NULL: out of memory. */
void *acme_arena_alloc(struct acme_arena *arena, size_t size);
char *acme_arena_strdup(struct acme_arena *arena, const char *text);
char *acme_arena_strndup(struct acme_arena *arena, const char *text,
    size_t len);
char *acme_arena_printf(struct acme_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Replaces borrowed texts by copies of the arena's own; NULL stays NULL.
 * False: out of memory, and only some of them are copies. */
bool acme_arena_own(struct acme_arena *arena, const char **text, size_t n);

#endif

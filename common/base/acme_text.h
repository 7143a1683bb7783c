/*
 * Texts that may be absent: what an operator left out, or a file has not.
 */
#ifndef ACME_TEXT_H
#define ACME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Whether both are there and alike, or both are NULL. */
static inline bool
acme_text_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* As strcmp(); what is absent is before all that is there. */
static inline int
acme_text_compare(const char *a, const char *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

/* Whether it is one of a list. */
static inline bool
acme_text_in(const char *const *list, size_t n, const char *text)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

#endif

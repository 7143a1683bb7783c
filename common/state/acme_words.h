/*
 * What the readers of directives' words share: errors that name the word and
 * the cure, and the few forms that occur in many of them.
 */
#ifndef ACME_WORDS_H
#define ACME_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"

/* The host's way to make a path whole; NULL: it cannot be. */
typedef const char *acme_path_fn(void *ctx, const char *path);

/* Words of one directive, borrowed, and what makes paths of some of them
 * whole; path NULL: they are. */
struct acme_words {
    const char *const *word;
    size_t n;
    acme_path_fn *path;
    void *ctx;
};

/* ACME_CONFIG with the word, made printable, and `cure`. */
enum acme_rc acme_words_bad(struct acme_error *err, const char *word,
    const char *cure);

/* ACME_CONFIG: there are too many or too few; `cure` says how many. */
enum acme_rc acme_words_count(struct acme_error *err, const char *cure);

/* A file's name, made whole, of at most ACME_URL_MAX - 16 bytes. */
enum acme_rc acme_words_path(const struct acme_words *words, const char *word,
    const char **path, struct acme_error *err);

/* Seconds, maybe with "s", "m" or "h": 1 to `most`. */
enum acme_rc acme_words_seconds(const char *word, unsigned long most,
    unsigned *seconds, struct acme_error *err);

/* "on" or "off". */
enum acme_rc acme_words_flag(const char *word, bool *flag,
    struct acme_error *err);

#endif

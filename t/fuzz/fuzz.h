/*
 * What the fuzz targets share: the entry point libFuzzer and replay.c call,
 * and short words for taking an input apart.  A target reads bytes from
 * outside through the same functions a server does and checks what must hold
 * for every input; to fail is to abort.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <openssl/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `data` has just `size` bytes, so that a sanitizer sees the first one read
 * beyond. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A slow target defines it: replay.c tries only one in so many places of a
 * file. */
extern const unsigned fuzz_replay_step __attribute__((weak));

/* Not assert(): a build with NDEBUG is to check too. */
#define FUZZ_CHECK(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                          \
        }                                                                     \
    } while (0)

/* At the end of an input: nothing of ours may be in OpenSSL's queue. */
#define FUZZ_CHECK_QUEUE() FUZZ_CHECK(ERR_peek_error() == 0)

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* 0 at the end. */
static inline uint8_t
fuzz_byte(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* A string of its own of these bytes, to be freed; it ends at a NUL. */
static inline char *
fuzz_text(const void *data, size_t size)
{
    char *text = malloc(size + 1);

    FUZZ_CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* What stands before the next newline (which is taken too), or all. */
static inline struct fuzz_input
fuzz_line(struct fuzz_input *in)
{
    const uint8_t *end = in->left > 0 ? memchr(in->at, '\n', in->left) : NULL;
    struct fuzz_input line = { in->at, in->left };

    if (end != NULL)
        line.left = (size_t)(end - in->at);
    in->at += line.left + (end != NULL);
    in->left -= line.left + (end != NULL);
    return line;
}

/* The same as a string, to be freed. */
static inline char *
fuzz_line_text(struct fuzz_input *in)
{
    struct fuzz_input line = fuzz_line(in);

    return fuzz_text(line.at, line.left);
}

#endif

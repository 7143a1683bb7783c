/*
 * Growing bytes with a maximum.  A failure (out of memory, maximum passed)
 * sticks: appends after it do nothing and acme_buf_ok() is asked once, at the
 * end.  A secret buffer is wiped whenever memory is given back.
 */
#ifndef ACME_BUF_H
#define ACME_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acme_buf {
    unsigned char *data; /* NULL while empty; always NUL-terminated else */
    size_t len;          /* bytes used, without the NUL */
    size_t cap;
    size_t max; /* len never passes it */
    bool failed;
    bool secret;
};

void acme_buf_init(struct acme_buf *buf, size_t max);
void acme_buf_init_secret(struct acme_buf *buf, size_t max);

/* Frees (and wipes, if secret) the bytes; the buffer can be used again. */
void acme_buf_clear(struct acme_buf *buf);

/* Forgets the content and the failure, keeps the memory. */
void acme_buf_reset(struct acme_buf *buf);

void acme_buf_add(struct acme_buf *buf, const void *data, size_t len);
void acme_buf_add_str(struct acme_buf *buf, const char *text);
void acme_buf_addf(struct acme_buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends `len` bytes to be filled by the caller; NULL on failure. */
unsigned char *acme_buf_extend(struct acme_buf *buf, size_t len);

/* False when any append since init or reset failed. */
bool acme_buf_ok(const struct acme_buf *buf);

/* The content as a C string, "" while empty; valid until the next append. */
const char *acme_buf_str(const struct acme_buf *buf);

#endif

#include "base/acme_buf.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

void
acme_buf_init(struct acme_buf *buf, size_t max)
{
    memset(buf, 0, sizeof(*buf));
    buf->max = max;
}

void
acme_buf_init_secret(struct acme_buf *buf, size_t max)
{
    acme_buf_init(buf, max);
    buf->secret = true;
}

void
acme_buf_clear(struct acme_buf *buf)
{
    if (buf->secret && buf->data != NULL)
        OPENSSL_cleanse(buf->data, buf->cap);
    free(buf->data);
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    buf->failed = false;
}

void
acme_buf_reset(struct acme_buf *buf)
{
    if (buf->secret && buf->data != NULL)
        OPENSSL_cleanse(buf->data, buf->cap);
    if (buf->data != NULL)
        buf->data[0] = '\0';
    buf->len = 0;
    buf->failed = false;
}

/* Never realloc(): it would leave a secret in the memory it gives back. */
static bool
grow(struct acme_buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    unsigned char *data;

    while (cap < need)
        cap *= 2;
    data = malloc(cap);
    if (data == NULL)
        return false;
    if (buf->data != NULL) {
        memcpy(data, buf->data, buf->len + 1);
        if (buf->secret)
            OPENSSL_cleanse(buf->data, buf->cap);
        free(buf->data);
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

unsigned char *
acme_buf_extend(struct acme_buf *buf, size_t len)
{
    unsigned char *added;

    if (buf->failed)
        return NULL;
    if (buf->len > buf->max || len > buf->max - buf->len ||
        len >= SIZE_MAX / 2 - buf->len)
        goto failed;
    if (buf->len + len + 1 > buf->cap && !grow(buf, buf->len + len + 1))
        goto failed;
    added = buf->data + buf->len;
    buf->len += len;
    buf->data[buf->len] = '\0';
    return added;

failed:
    buf->failed = true;
    return NULL;
}

void
acme_buf_add(struct acme_buf *buf, const void *data, size_t len)
{
    unsigned char *added;

    if (len == 0)
        return;
    added = acme_buf_extend(buf, len);
    if (added != NULL)
        memcpy(added, data, len);
}

void
acme_buf_add_str(struct acme_buf *buf, const char *text)
{
    acme_buf_add(buf, text, strlen(text));
}

void
acme_buf_addf(struct acme_buf *buf, const char *fmt, ...)
{
    unsigned char *added = NULL;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        buf->failed = true;
    else
        added = acme_buf_extend(buf, (size_t)n);
    if (added == NULL)
        return;
    va_start(args, fmt);
    vsnprintf((char *)added, (size_t)n + 1, fmt, args);
    va_end(args);
}

bool
acme_buf_ok(const struct acme_buf *buf)
{
    return !buf->failed;
}

const char *
acme_buf_str(const struct acme_buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

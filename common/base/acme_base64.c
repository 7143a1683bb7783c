#include "base/acme_base64.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void
acme_base64_encode(struct acme_buf *out, const void *data, size_t len)
{
    const unsigned char *in = data;
    unsigned char *text;
    uint32_t bits = 0;
    unsigned nbits = 0;
    size_t i;

    if (len == 0)
        return;
    if (len > SIZE_MAX / 2) {
        out->failed = true;
        return;
    }
    text = acme_buf_extend(out, len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0));
    if (text == NULL)
        return;
    for (i = 0; i < len; i++) {
        bits = bits << 8 | in[i];
        for (nbits += 8; nbits >= 6; nbits -= 6)
            *text++ = (unsigned char)alphabet[bits >> (nbits - 6) & 63];
    }
    if (nbits > 0)
        *text = (unsigned char)alphabet[bits << (6 - nbits) & 63];
}

/* -1: not in the alphabet */
static int
value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Nothing is appended unless all of it is good: `len` characters of the
 * alphabet that stand for whole bytes, the bits left over being zero. */
static bool
decodable(const char *text, size_t len)
{
    static const unsigned char left_over[] = { 0, 0, 15, 3 };

    if (len == 0)
        return true;
    if (len % 4 == 1 || !acme_base64_is(text, len))
        return false;
    return (value_of(text[len - 1]) & left_over[len % 4]) == 0;
}

enum acme_rc
acme_base64_decode(struct acme_buf *out, const char *text, size_t len,
    struct acme_error *err)
{
    unsigned char *data;
    uint32_t bits = 0;
    unsigned nbits = 0;
    size_t i;

    if (!decodable(text, len))
        return acme_error_set(err, ACME_WIRE, "malformed base64url");
    data = acme_buf_extend(out, len / 4 * 3 + len % 4 * 3 / 4);
    if (data == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < len; i++) {
        bits = bits << 6 | (uint32_t)value_of(text[i]);
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            *data++ = (unsigned char)(bits >> nbits);
        }
    }
    return ACME_OK;
}

bool
acme_base64_is(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (value_of(text[i]) < 0)
            return false;
    }
    return len > 0;
}

bool
acme_token_ok(const char *token, size_t len)
{
    return len <= ACME_TOKEN_MAX && acme_base64_is(token, len);
}

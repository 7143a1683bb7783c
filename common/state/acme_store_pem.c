/*
 * The bytes in PEM blocks, and nothing about them.  Ten thousand lineages are
 * read at a start, and bytes whose hash is known need no parser of keys and
 * certificates.
 */
#include <stdint.h>
#include <string.h>

#include "state/acme_store_private.h"

/* 0 to 63; 64: to be skipped; 65: not base64 (RFC 4648 4). */
static unsigned
sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 52;
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return c == '\n' || c == '\r' || c == '=' ? 64 : 65;
}

/* Lenient about padding: whether it is the right text is decided by the hash
 * of the result. */
static bool
decode(const char *text, size_t len, struct acme_buf *out)
{
    size_t before = out->len, n = 0, i;
    unsigned char *room;
    unsigned value, bits = 0;
    uint32_t acc = 0;

    room = acme_buf_extend(out, len / 4 * 3 + 3);
    if (room == NULL)
        return false;
    for (i = 0; i < len; i++) {
        value = sextet(text[i]);
        if (value == 64)
            continue;
        if (value > 64)
            break;
        acc = acc << 6 | value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            room[n++] = (unsigned char)(acc >> bits);
        }
    }
    out->len = before + n;
    out->data[out->len] = '\0';
    return i == len;
}

static const char *
find(const char *from, const char *end, const char *what)
{
    size_t len = strlen(what);

    for (; (size_t)(end - from) >= len; from++) {
        from = memchr(from, what[0], (size_t)(end - from));
        if (from == NULL || (size_t)(end - from) < len)
            return NULL;
        if (memcmp(from, what, len) == 0)
            return from;
    }
    return NULL;
}

bool
acme_store_pem_bytes(const struct acme_buf *pem, const char *begin,
    const char *stop, struct acme_buf *out)
{
    const char *at = acme_buf_str(pem), *end = at + pem->len, *last;
    size_t before = out->len;

    while ((at = find(at, end, begin)) != NULL) {
        at += strlen(begin);
        last = find(at, end, stop);
        if (last == NULL || !decode(at, (size_t)(last - at), out)) {
            out->len = before;
            return false;
        }
        at = last + strlen(stop);
    }
    return out->len > before;
}

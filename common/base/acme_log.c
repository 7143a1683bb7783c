#include "base/acme_log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_limits.h"

static const char *const level_names[] = {
    [ACME_LOG_ALERT] = "alert",
    [ACME_LOG_CRIT] = "crit",
    [ACME_LOG_ERROR] = "error",
    [ACME_LOG_WARN] = "warn",
    [ACME_LOG_NOTICE] = "notice",
    [ACME_LOG_INFO] = "info",
    [ACME_LOG_DEBUG] = "debug",
};

void
acme_log(const struct acme_host *host, enum acme_level level, const char *fmt,
    ...)
{
    char text[ACME_LOG_LINE_MAX + 4]; /* a character cut here is never shown */
    char line[ACME_LOG_LINE_MAX];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';
    acme_log_clean(line, sizeof(line), text, strlen(text));
    host->log(host->ctx, level, line);
}

/*
 * Length of the character that `text` begins with, 0 if it is malformed:
 * cut short, overlong, a surrogate or past U+10FFFF (RFC 3629 3).
 */
static size_t
decode(const unsigned char *text, size_t len, uint32_t *character)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char lead = text[0];
    size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t c = n == 1 ? lead : lead & (0x7fU >> n);
    size_t i;

    if (lead > 0xf4 || (lead >= 0x80 && lead < 0xc2) || n > len)
        return 0;
    for (i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (text[i] & 0x3fU);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *character = c;
    return n;
}

/* What can end a line, steer a terminal or turn the direction of text. */
static bool
is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c ||
           (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

char *
acme_log_clean(char *out, size_t size, const char *text, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)text;
    char *o = out;
    char *end = out + size;
    uint32_t c;
    size_t n;

    if (size == 0)
        return out;
    while (len > 0) {
        n = decode(p, len, &c);
        if (n > 0 && !is_harmful(c)) {
            if (n >= (size_t)(end - o))
                break;
            memcpy(o, p, n);
            o += n;
        } else {
            /* byte by byte: what follows a malformed one may be good */
            n = 1;
            if (end - o <= 4)
                break;
            *o++ = '\\';
            *o++ = 'x';
            *o++ = hex[*p >> 4];
            *o++ = hex[*p & 15];
        }
        p += n;
        len -= n;
    }
    *o = '\0';
    return out;
}

const char *
acme_level_name(enum acme_level level)
{
    if ((size_t)level >= sizeof(level_names) / sizeof(level_names[0]))
        return "unknown";
    return level_names[level];
}

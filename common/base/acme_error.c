#include "base/acme_error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char *const rc_names[] = {
    [ACME_OK] = "ok",
    [ACME_NOMEM] = "no-memory",
    [ACME_CONFIG] = "config",
    [ACME_IO] = "io",
    [ACME_NET] = "net",
    [ACME_WIRE] = "wire",
    [ACME_PROBLEM] = "problem",
    [ACME_CRYPTO] = "crypto",
    [ACME_REFUSED] = "refused",
    [ACME_UNREADY] = "unready",
    [ACME_NOENT] = "not-found",
    [ACME_BUSY] = "busy",
    [ACME_LATER] = "later",
    [ACME_STOPPING] = "stopping",
};

void
acme_error_clear(struct acme_error *err)
{
    memset(err, 0, sizeof(*err));
}

/* A text that was cut loses the first bytes of a character cut in two. */
static void
trim_character(char *text)
{
    size_t len = strlen(text);
    size_t start = len;
    unsigned char lead;
    size_t need;

    while (start > 0 && len - start < 3 &&
           ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    lead = (unsigned char)text[start - 1];
    need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    if (len - start < need)
        text[start - 1] = '\0';
}

/* False if it had to be cut. */
__attribute__((format(printf, 3, 0))) static bool
print(char *text, size_t size, const char *fmt, va_list args)
{
    int n = vsnprintf(text, size, fmt, args);

    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= size)
        trim_character(text);
    return n >= 0 && (size_t)n < size;
}

enum acme_rc
acme_error_set(struct acme_error *err, enum acme_rc rc, const char *fmt, ...)
{
    va_list args;

    if (err->rc != ACME_OK)
        return err->rc;
    err->rc = rc;
    va_start(args, fmt);
    print(err->what, sizeof(err->what), fmt, args);
    va_end(args);
    return rc;
}

enum acme_rc
acme_error_nomem(struct acme_error *err)
{
    return acme_error_set(err, ACME_NOMEM, "out of memory");
}

enum acme_rc
acme_error_errno(struct acme_error *err, enum acme_rc rc, int errno_value,
    const char *fmt, ...)
{
    char text[sizeof(err->what)];
    va_list args;

    va_start(args, fmt);
    print(text, sizeof(text), fmt, args);
    va_end(args);
    /* strerror() and not strerror_r(), whose type depends on how the file is
     * compiled: every libc in use has it thread-safe for real errors. */
    return acme_error_set(err, rc, "%s: %s (%d)", text, strerror(errno_value),
        errno_value);
}

enum acme_rc
acme_error_wrap(struct acme_error *err, const char *fmt, ...)
{
    char before[sizeof(err->what)];
    char text[sizeof(err->what)];
    va_list args;

    if (err->rc == ACME_OK)
        return ACME_OK;
    va_start(args, fmt);
    print(before, sizeof(before), fmt, args);
    va_end(args);
    memcpy(text, err->what, sizeof(text));
    if ((size_t)snprintf(err->what, sizeof(err->what), "%s: %s", before,
            text) >= sizeof(err->what))
        trim_character(err->what);
    return err->rc;
}

struct line {
    char *text;
    size_t size;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void
add(struct line *line, const char *fmt, ...)
{
    va_list args;
    bool whole;

    va_start(args, fmt);
    whole = print(line->text + line->len, line->size - line->len, fmt, args);
    va_end(args);
    line->len += strlen(line->text + line->len);
    if (!whole)
        line->size = line->len + 1; /* nothing may come behind a cut */
}

/* "TYPE: DETAIL", or the one that is there */
static void
add_problem(struct line *line, const char *type, const char *detail)
{
    add(line, "%s%s%s", type, type[0] && detail[0] ? ": " : "", detail);
}

const char *
acme_error_line(const struct acme_error *err, char *line, size_t size)
{
    struct line out = { line, size, 0 };
    unsigned nsub = err->nsub;
    unsigned i;

    if (size == 0)
        return line;
    line[0] = '\0';
    if (nsub > ACME_SUBPROBLEMS_MAX)
        nsub = ACME_SUBPROBLEMS_MAX;
    add(&out, "%s", err->what);
    if (err->type[0] || err->detail[0]) {
        add(&out, " (");
        add_problem(&out, err->type, err->detail);
        add(&out, ")");
    }
    for (i = 0; i < nsub; i++) {
        add(&out, "; \"%s\" ", err->sub[i].identifier);
        add_problem(&out, err->sub[i].type, err->sub[i].detail);
    }
    if (err->nsub_total > nsub)
        add(&out, "; and %u more", err->nsub_total - nsub);
    return line;
}

const char *
acme_rc_name(enum acme_rc rc)
{
    if ((size_t)rc >= sizeof(rc_names) / sizeof(rc_names[0]))
        return "unknown";
    return rc_names[rc];
}

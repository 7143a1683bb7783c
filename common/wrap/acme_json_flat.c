#include "wrap/acme_json_flat.h"

#include <stdlib.h>
#include <string.h>

#include "base/acme_limits.h"

/* Digits that fit into a number of ours whatever they are. */
#define DIGITS_MAX 18

struct acme_json_value {
    enum {
        STRING,
        TRUE,
        NUMBER, /* a whole one that is not negative */
        OTHER,  /* other numbers, false, null */
        ARRAY,
        OBJECT
    } kind;
    const char *name; /* in an object, else NULL */
    const char *text; /* of a string */
    int64_t number;   /* of a whole number */
    struct acme_json_value *first, *next;
};

struct acme_json_flat {
    size_t max;  /* of a text */
    size_t size; /* of the array below */
    struct acme_json_value value[];
};

/* Where the reader is.  A container that is open knows its last item. */
struct reader {
    struct acme_json_flat *flat;
    size_t nvalues;
    char *at, *end;
    unsigned depth;
    struct acme_json_value *open[ACME_JSON_DEPTH_MAX];
    struct acme_json_value *last[ACME_JSON_DEPTH_MAX];
};

/* Two bytes of text, or one and a comma, are a value at least. */
struct acme_json_flat *
acme_json_flat_new(size_t max)
{
    size_t size = max / 2 + 2;
    struct acme_json_flat *flat =
        malloc(sizeof(*flat) + size * sizeof(flat->value[0]));

    if (flat == NULL)
        return NULL;
    flat->max = max;
    flat->size = size;
    return flat;
}

void
acme_json_flat_free(struct acme_json_flat *flat)
{
    free(flat);
}

/* ---- strings ---------------------------------------------------------- */

static bool
take_hex(struct reader *r, unsigned *value)
{
    unsigned v = 0;
    int i;

    if (r->end - r->at < 4)
        return false;
    for (i = 0; i < 4; i++) {
        char c = *r->at++;

        if (c >= '0' && c <= '9')
            v = v << 4 | (unsigned)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            v = v << 4 | (unsigned)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *value = v;
    return true;
}

/* Behind `\u`; what it becomes is no longer than it was. */
static bool
take_unicode(struct reader *r, char **to)
{
    unsigned v, low;

    if (!take_hex(r, &v) || v == 0)
        return false;
    if (v >= 0xd800 && v < 0xe000) {
        if (v >= 0xdc00 || r->end - r->at < 6 || r->at[0] != '\\' ||
            r->at[1] != 'u')
            return false;
        r->at += 2;
        if (!take_hex(r, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        *(*to)++ = (char)(0xf0 | v >> 18);
        *(*to)++ = (char)(0x80 | (v >> 12 & 0x3f));
        *(*to)++ = (char)(0x80 | (v >> 6 & 0x3f));
        *(*to)++ = (char)(0x80 | (v & 0x3f));
        return true;
    }
    if (v >= 0x800) {
        *(*to)++ = (char)(0xe0 | v >> 12);
        *(*to)++ = (char)(0x80 | (v >> 6 & 0x3f));
        *(*to)++ = (char)(0x80 | (v & 0x3f));
    } else if (v >= 0x80) {
        *(*to)++ = (char)(0xc0 | v >> 6);
        *(*to)++ = (char)(0x80 | (v & 0x3f));
    } else {
        *(*to)++ = (char)v;
    }
    return true;
}

static bool
take_escape(struct reader *r, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (r->at == r->end)
        return false;
    if (*r->at == 'u') {
        r->at++;
        return take_unicode(r, to);
    }
    found = *r->at != '\0' ? strchr(from, *r->at) : NULL;
    if (found == NULL)
        return false;
    *(*to)++ = into[found - from];
    r->at++;
    return true;
}

/* Behind the first quote.  The last one, or what is before it, becomes the end
 * of the C string. */
static bool
take_string(struct reader *r, const char **text)
{
    char *to = r->at;

    *text = to;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at == '\0')
            return false;
        if (*r->at != '\\') {
            *to++ = *r->at++;
            continue;
        }
        r->at++;
        if (!take_escape(r, &to))
            return false;
    }
    if (r->at == r->end)
        return false;
    r->at++;
    *to = '\0';
    return true;
}

/* ---- values ----------------------------------------------------------- */

static void
skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' ||
                                 *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static bool
take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool
take_number(const char *text, size_t len, int64_t *number)
{
    int64_t n = 0;
    size_t i;

    for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        n = n * 10 + (text[i] - '0');
    *number = n;
    return i == len;
}

/* A number or a word: up to what cannot be a part of it. */
static bool
take_word(struct reader *r, struct acme_json_value *value)
{
    const char *start = r->at;
    size_t len;

    while (r->at < r->end && *r->at != '\0' &&
           strchr(" \n\r\t,:]}[{\"\\", *r->at) == NULL)
        r->at++;
    len = (size_t)(r->at - start);
    if (len == 4 && memcmp(start, "true", 4) == 0)
        value->kind = TRUE;
    else if (len <= DIGITS_MAX && take_number(start, len, &value->number))
        value->kind = NUMBER;
    else
        value->kind = OTHER;
    return len > 0;
}

static struct acme_json_value *
new_value(struct reader *r, const char *name)
{
    struct acme_json_value *value;

    if (r->nvalues == r->flat->size)
        return NULL;
    value = &r->flat->value[r->nvalues++];
    memset(value, 0, sizeof(*value));
    value->name = name;
    if (r->depth == 0)
        return value;
    if (r->last[r->depth - 1] != NULL)
        r->last[r->depth - 1]->next = value;
    else
        r->open[r->depth - 1]->first = value;
    r->last[r->depth - 1] = value;
    return value;
}

/* A value, or the beginning of a container. */
static bool
take_value(struct reader *r, const char *name)
{
    struct acme_json_value *value = new_value(r, name);

    if (value == NULL)
        return false;
    if (take(r, '"')) {
        value->kind = STRING;
        return take_string(r, &value->text);
    }
    if (take(r, '{'))
        value->kind = OBJECT;
    else if (take(r, '['))
        value->kind = ARRAY;
    else
        return take_word(r, value);
    if (r->depth == ACME_JSON_DEPTH_MAX)
        return false;
    r->open[r->depth] = value;
    r->last[r->depth] = NULL;
    r->depth++;
    return true;
}

/* The next item of the innermost container, or its end. */
static bool
go_on(struct reader *r)
{
    const struct acme_json_value *in = r->open[r->depth - 1];
    const char *name = NULL;

    if (take(r, in->kind == OBJECT ? '}' : ']')) {
        r->depth--;
        return true;
    }
    if (r->last[r->depth - 1] != NULL && !take(r, ','))
        return false;
    if (in->kind == OBJECT &&
        (!take(r, '"') || !take_string(r, &name) || !take(r, ':')))
        return false;
    return take_value(r, name);
}

const struct acme_json_value *
acme_json_flat_read(struct acme_json_flat *flat, char *text, size_t len)
{
    struct reader r;

    r.flat = flat;
    r.nvalues = 0;
    r.at = text;
    r.end = text + len;
    r.depth = 0;
    if (len > flat->max || !take_value(&r, NULL))
        return NULL;
    while (r.depth > 0)
        if (!go_on(&r))
            return NULL;
    skip_space(&r);
    return r.at == r.end ? &flat->value[0] : NULL;
}

/* ---- looking ---------------------------------------------------------- */

const struct acme_json_value *
acme_json_flat_get(const struct acme_json_value *object, const char *name)
{
    const struct acme_json_value *at;

    if (object == NULL || object->kind != OBJECT)
        return NULL;
    for (at = object->first; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0)
            break;
    return at;
}

const char *
acme_json_flat_text(const struct acme_json_value *value)
{
    return value != NULL && value->kind == STRING ? value->text : NULL;
}

bool
acme_json_flat_true(const struct acme_json_value *value)
{
    return value != NULL && value->kind == TRUE;
}

int64_t
acme_json_flat_int(const struct acme_json_value *value, int64_t absent)
{
    return value != NULL && value->kind == NUMBER ? value->number : absent;
}

const struct acme_json_value *
acme_json_flat_first(const struct acme_json_value *array)
{
    return array != NULL && array->kind == ARRAY ? array->first : NULL;
}

const struct acme_json_value *
acme_json_flat_next(const struct acme_json_value *item)
{
    return item != NULL ? item->next : NULL;
}

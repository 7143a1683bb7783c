#include "state/acme_status_format.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *word;
    const char *range; /* as a client names it */
    const char *type;
} formats[ACME_STATUS_FORMATS] = {
    [ACME_STATUS_JSON] = { "json", "application/json", "application/json" },
    [ACME_STATUS_HTML] = { "html", "text/html", "text/html; charset=utf-8" },
    [ACME_STATUS_OPENMETRICS] = { "openmetrics",
        "application/openmetrics-text",
        "application/openmetrics-text; version=1.0.0; charset=utf-8" },
    [ACME_STATUS_PROMETHEUS] = { "prometheus", "text/plain",
        "text/plain; version=0.0.4; charset=utf-8" },
};

bool
acme_status_format_parse(const char *word, enum acme_status_format *format)
{
    size_t i;

    for (i = 0; i < ACME_STATUS_FORMATS; i++)
        if (strcmp(word, formats[i].word) == 0) {
            *format = (enum acme_status_format)i;
            return true;
        }
    return false;
}

const char *
acme_status_format_type(enum acme_status_format format)
{
    return formats[format].type;
}

/* ---- Accept ----------------------------------------------------------- */

/* One of its items, with the blanks around it. */
struct item {
    const char *text;
    size_t len;
};

static struct item
trim(struct item item)
{
    while (item.len > 0 && (*item.text == ' ' || *item.text == '\t')) {
        item.text++;
        item.len--;
    }
    while (item.len > 0 &&
           (item.text[item.len - 1] == ' ' || item.text[item.len - 1] == '\t'))
        item.len--;
    return item;
}

/* The next of a list, which goes on behind it. */
static struct item
next(const char **list, const char *ends, const char *end)
{
    struct item item = { *list, 0 };

    while (*list < end && strchr(ends, **list) == NULL)
        (*list)++;
    item.len = (size_t)(*list - item.text);
    if (*list < end)
        (*list)++;
    return trim(item);
}

/* "0.5" as thousandths; what is none counts as nothing. */
static int
weight_of(struct item item)
{
    int weight = 0, unit = 1000;
    size_t i;

    for (i = 0; i < item.len && unit > 0; i++) {
        if (i == 1 && item.text[i] == '.')
            continue;
        if (item.text[i] < '0' || item.text[i] > (i == 0 ? '1' : '9'))
            return 0;
        weight += (item.text[i] - '0') * unit;
        unit /= 10;
    }
    return weight > 1000 ? 1000 : weight;
}

static bool
is_word(struct item item, const char *word)
{
    return item.len == strlen(word) &&
           strncasecmp(item.text, word, item.len) == 0;
}

/* How exactly a range names a type; 0: not at all. */
static int
fit_of(struct item range, const char *type)
{
    const size_t main = strcspn(type, "/") + 1;

    if (is_word(range, type))
        return 3;
    if (range.len == main + 1 && range.text[main] == '*' &&
        strncasecmp(range.text, type, main) == 0)
        return 2;
    return is_word(range, "*/*") ? 1 : 0;
}

/* What the most exact of its ranges says (RFC 9110 12.5.1). */
static int
weight_in(const char *accept, const char *type)
{
    const char *end = accept + strlen(accept), *at, *stop;
    int best = 0, weight = 0;
    struct item item, part;

    while (accept < end) {
        int fit, said = 1000;

        item = next(&accept, ",", end);
        at = item.text;
        stop = item.text + item.len;
        fit = fit_of(next(&at, ";", stop), type);
        while (at < stop) {
            part = next(&at, ";", stop);
            if (part.len > 2 && strncasecmp(part.text, "q=", 2) == 0)
                said = weight_of((struct item){ part.text + 2, part.len - 2 });
        }
        if (fit > best) {
            best = fit;
            weight = said;
        }
    }
    return weight;
}

enum acme_status_format
acme_status_format_accepted(const char *accept)
{
    enum acme_status_format format = ACME_STATUS_JSON;
    int best = 0;
    size_t i;

    for (i = 0; accept != NULL && i < ACME_STATUS_FORMATS; i++) {
        int weight = weight_in(accept, formats[i].range);

        if (weight > best) {
            best = weight;
            format = (enum acme_status_format)i;
        }
    }
    return format;
}

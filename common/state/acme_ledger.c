#include "state/acme_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wrap/acme_json.h"
#include "wrap/acme_url.h"

/* https://letsencrypt.org/docs/rate-limits/ and .../staging-environment/, as
 * of April 2026; what has no whole number of seconds is rounded up. */
static const struct acme_limits rows[] = {
    { "acme-v02.api.letsencrypt.org",
        { [ACME_LEDGER_ORDERS] = { 300, 36 },
            [ACME_LEDGER_FAILURES] = { 5, 12 * 60 },
            [ACME_LEDGER_SETS] = { 5, 34 * 3600 },
            [ACME_LEDGER_ACCOUNTS] = { 10, 18 * 60 } } },
    { "acme-staging-v02.api.letsencrypt.org",
        { [ACME_LEDGER_ORDERS] = { 1500, 8 },
            [ACME_LEDGER_FAILURES] = { 200, 18 },
            [ACME_LEDGER_SETS] = { 30000, 21 },
            [ACME_LEDGER_ACCOUNTS] = { 50, 216 } } },
};

static const char *const kinds[] = { [ACME_LEDGER_ORDERS] = "orders",
    [ACME_LEDGER_FAILURES] = "failures",
    [ACME_LEDGER_SETS] = "certificates",
    [ACME_LEDGER_ACCOUNTS] = "accounts" };

const struct acme_limits *
acme_limits_of(const char *directory)
{
    struct acme_error ignored;
    struct acme_url url;
    size_t i;

    acme_error_clear(&ignored);
    if (acme_url_parse(directory, ACME_CONFIG, &url, &ignored) != ACME_OK)
        return NULL;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].host, url.host) == 0)
            return &rows[i];
    return NULL;
}

void
acme_ledger_init(struct acme_ledger *ledger)
{
    memset(ledger, 0, sizeof(*ledger));
}

void
acme_ledger_clear(struct acme_ledger *ledger)
{
    free(ledger->mark);
    acme_ledger_init(ledger);
}

/* ---- marks ------------------------------------------------------------ */

static struct acme_ledger_mark *
find_mark(const struct acme_ledger *ledger, enum acme_ledger_kind kind,
    const char *name)
{
    size_t i;

    for (i = 0; i < ledger->nmarks; i++)
        if (ledger->mark[i].kind == kind &&
            strcmp(ledger->mark[i].name, name) == 0)
            return &ledger->mark[i];
    return NULL;
}

/* Room for one more: a new one, or that of the one that is over first.  NULL:
 * out of memory. */
static struct acme_ledger_mark *
new_mark(struct acme_ledger *ledger)
{
    struct acme_ledger_mark *grown, *first = ledger->mark;
    size_t i, n = ledger->nmarks;

    if (n < ACME_LEDGER_MARKS_MAX) {
        grown = realloc(ledger->mark, (n + 1) * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        ledger->mark = grown;
        ledger->nmarks++;
        return &grown[n];
    }
    for (i = 1; i < n; i++)
        if (ledger->mark[i].full < first->full)
            first = &ledger->mark[i];
    return first;
}

static void
put_mark(struct acme_ledger *ledger, enum acme_ledger_kind kind,
    const char *name, time_t full)
{
    struct acme_ledger_mark *mark = find_mark(ledger, kind, name);

    if (mark == NULL)
        mark = new_mark(ledger);
    if (mark == NULL)
        return; /* the CA counts as well */
    mark->kind = kind;
    (void)snprintf(mark->name, sizeof(mark->name), "%s", name);
    mark->full = full;
}

/* Never more than empty: the clock may have been set back. */
static time_t
full_at(const struct acme_ledger *ledger, const struct acme_limit *limit,
    enum acme_ledger_kind kind, const char *name, time_t now)
{
    const struct acme_ledger_mark *mark = find_mark(ledger, kind, name);
    time_t empty = now + (time_t)limit->count * limit->every;

    if (mark == NULL || mark->full <= now)
        return now;
    return mark->full < empty ? mark->full : empty;
}

time_t
acme_ledger_next(const struct acme_ledger *ledger,
    const struct acme_limits *limits, enum acme_ledger_kind kind,
    const char *name, time_t now)
{
    const struct acme_limit *limit;
    time_t at;

    if (limits == NULL || limits->of[kind].count == 0)
        return 0;
    limit = &limits->of[kind];
    at = full_at(ledger, limit, kind, name, now) -
         (time_t)(limit->count - 1) * limit->every;
    return at > now ? at : 0;
}

void
acme_ledger_take(struct acme_ledger *ledger, const struct acme_limits *limits,
    enum acme_ledger_kind kind, const char *name, time_t now)
{
    const struct acme_limit *limit;

    if (limits == NULL || limits->of[kind].count == 0)
        return;
    limit = &limits->of[kind];
    put_mark(ledger, kind, name,
        full_at(ledger, limit, kind, name, now) + limit->every);
}

void
acme_ledger_give_back(struct acme_ledger *ledger,
    const struct acme_limits *limits, enum acme_ledger_kind kind,
    const char *name, time_t now)
{
    struct acme_ledger_mark *mark = find_mark(ledger, kind, name);

    if (limits != NULL && mark != NULL && mark->full > now)
        mark->full -= limits->of[kind].every;
}

/* ---- JSON ------------------------------------------------------------- */

static void
parse_mark(const struct acme_json *from, struct acme_ledger *ledger)
{
    const char *kind = acme_json_str(from, "kind");
    const char *name = acme_json_str(from, "name");
    time_t full = (time_t)acme_json_time(from, "full");
    int i;

    if (kind == NULL || full <= 0 ||
        (name != NULL && strlen(name) > ACME_NAME_MAX))
        return;
    for (i = 0; i < ACME_LEDGER_KINDS; i++)
        if (strcmp(kinds[i], kind) == 0)
            put_mark(ledger, (enum acme_ledger_kind)i,
                name != NULL ? name : "", full);
}

enum acme_rc
acme_ledger_parse(const char *text, size_t len, struct acme_ledger *ledger,
    struct acme_error *err)
{
    const struct acme_json *marks;
    struct acme_json *root = NULL;
    enum acme_rc rc;
    size_t i;

    acme_ledger_clear(ledger);
    if (len == 0)
        return ACME_OK;
    rc = acme_json_parse(text, len, "ledger", &root, err);
    if (rc == ACME_OK && !acme_json_is_object(root))
        rc = acme_error_set(err, ACME_WIRE, "ledger: not a JSON object");
    if (rc == ACME_OK) {
        ledger->not_before = (time_t)acme_json_time(root, "not_before");
        marks = acme_json_get(root, "used");
        for (i = 0; i < acme_json_count(marks) && i < ACME_LEDGER_MARKS_MAX;
             i++)
            parse_mark(acme_json_at(marks, i), ledger);
    }
    acme_json_free(root);
    return rc;
}

static struct acme_json *
render_marks(const struct acme_ledger *ledger, time_t now)
{
    struct acme_json *array = acme_json_array(), *one;
    const struct acme_ledger_mark *mark;
    size_t i;

    for (i = 0; i < ledger->nmarks; i++) {
        mark = &ledger->mark[i];
        if (mark->full <= now)
            continue;
        one = acme_json_object();
        acme_json_set_str(one, "kind", kinds[mark->kind]);
        if (mark->name[0] != '\0')
            acme_json_set_str(one, "name", mark->name);
        acme_json_set_time(one, "full", mark->full);
        acme_json_append(array, one);
    }
    return array;
}

enum acme_rc
acme_ledger_render(const struct acme_ledger *ledger, time_t now,
    struct acme_buf *out, struct acme_error *err)
{
    struct acme_json *root = acme_json_object();
    enum acme_rc rc;

    if (ledger->not_before > now)
        acme_json_set_time(root, "not_before", ledger->not_before);
    acme_json_set(root, "used", render_marks(ledger, now));
    rc = acme_json_render(root, true, out, err);
    acme_json_free(root);
    return rc;
}

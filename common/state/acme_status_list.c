#include "state/acme_status_list.h"

#include <stdlib.h>
#include <string.h>

#include "state/acme_status_reader.h"

/* The store gives a sign of life each second; one that is busy, or a clock
 * that was set, is no news. */
#define SILENCE 120

/* The most urgent first. */
static const struct {
    enum acme_condition condition;
    enum acme_concern concern;
} order[ACME_CONDITIONS] = {
    { ACME_IS_EXPIRED, ACME_CONCERN_URGENT },
    { ACME_IS_REVOKED, ACME_CONCERN_URGENT },
    { ACME_IS_CONFLICT, ACME_CONCERN_URGENT },
    { ACME_IS_EXPIRING, ACME_CONCERN_DOUBT },
    { ACME_IS_WAITING, ACME_CONCERN_DOUBT },
    { ACME_IS_FAILING, ACME_CONCERN_DOUBT },
    { ACME_IS_DAMAGED, ACME_CONCERN_DOUBT },
    { ACME_IS_MISSING, ACME_CONCERN_DOUBT },
    { ACME_IS_PENDING, ACME_CONCERN_WORK },
    { ACME_IS_DUE, ACME_CONCERN_WORK },
    { ACME_IS_OK, ACME_CONCERN_NONE },
    { ACME_IS_DORMANT, ACME_CONCERN_OLD },
};

static size_t
rank_of(enum acme_condition condition)
{
    size_t i = 0;

    while (i + 1 < ACME_CONDITIONS && order[i].condition != condition)
        i++;
    return i;
}

enum acme_concern
acme_status_concern(enum acme_condition condition)
{
    return order[rank_of(condition)].concern;
}

enum acme_condition
acme_status_condition(const char *word)
{
    int i = 0;

    while (i < ACME_CONDITIONS &&
           strcmp(word, acme_condition_word((enum acme_condition)i)) != 0)
        i++;
    return (enum acme_condition)i;
}

bool
acme_status_is_alive(const struct acme_area *area, time_t now)
{
    const time_t beat = acme_area_last_beat(area);

    return beat != 0 && beat + SILENCE > now;
}

size_t
acme_status_list_troubled(const struct acme_status_list *list)
{
    size_t i, n = 0;

    for (i = 0; i < ACME_CONDITIONS; i++)
        if (acme_status_concern((enum acme_condition)i) <= ACME_CONCERN_DOUBT)
            n += list->count[i];
    return n;
}

/* ---- filter ----------------------------------------------------------- */

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
begins_with(const char *text, const char *part)
{
    while (*part != '\0' && lower(*text) == lower(*part)) {
        text++;
        part++;
    }
    return *part == '\0';
}

static bool
has_part(const char *text, const char *part)
{
    for (; *text != '\0'; text++)
        if (begins_with(text, part))
            return true;
    return false;
}

static bool
has_text(const struct acme_json_value *json, const char *part)
{
    static const char *const members[] = { "name", "state", "signed_by" };
    const struct acme_json_value *name;
    size_t i;

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (has_part(acme_status_reader_str(json, members[i]), part))
            return true;
    name = acme_json_flat_first(acme_json_flat_get(json, "names"));
    for (; name != NULL; name = acme_json_flat_next(name)) {
        const char *text = acme_json_flat_text(name);

        if (text != NULL && has_part(text, part))
            return true;
    }
    return has_part(
        acme_status_reader_str(acme_json_flat_get(json, "issuer"), "name"),
        part);
}

static bool
passes(const struct acme_json_value *json, enum acme_condition condition,
    const struct acme_status_filter *filter)
{
    return (filter->condition == ACME_CONDITIONS ||
               filter->condition == condition) &&
           (filter->text[0] == '\0' || has_text(json, filter->text));
}

/* ---- reading ---------------------------------------------------------- */

static int
compare(const void *left, const void *right)
{
    const struct acme_status_row *a = left, *b = right;
    size_t first = rank_of(a->condition), second = rank_of(b->condition);

    if (first != second)
        return first < second ? -1 : 1;
    if (a->until != b->until)
        return a->until < b->until ? -1 : 1;
    return a->lineage < b->lineage ? -1 : 1;
}

static void
take(struct acme_status_list *list, size_t lineage,
    const struct acme_json_value *json,
    const struct acme_status_filter *filter)
{
    enum acme_condition condition =
        acme_status_condition(acme_status_reader_str(json, "state"));
    time_t renewal = acme_status_reader_time(json, "renew_at");

    if (condition == ACME_CONDITIONS) {
        list->unknown++;
        return;
    }
    list->count[condition]++;
    if (condition == ACME_IS_OK && renewal != 0 &&
        (list->next == 0 || renewal < list->next))
        list->next = renewal;
    if (passes(json, condition, filter))
        list->row[list->nrows++] = (struct acme_status_row){ lineage,
            condition, acme_status_reader_time(json, "not_after") };
}

bool
acme_status_list_read(const struct acme_area *area, size_t nlineages,
    const struct acme_status_filter *filter, struct acme_status_list *list)
{
    struct acme_status_reader *reader = acme_status_reader_new(area);
    const struct acme_json_value *json;
    size_t i;

    memset(list, 0, sizeof(*list));
    list->total = nlineages;
    list->row = calloc(nlineages + 1, sizeof(list->row[0]));
    for (i = 0; reader != NULL && list->row != NULL && i < nlineages; i++) {
        json = acme_status_reader_get(reader, i);
        if (json != NULL)
            take(list, i, json, filter);
        else
            list->unknown++;
    }
    if (list->row != NULL)
        qsort(list->row, list->nrows, sizeof(list->row[0]), compare);
    acme_status_reader_free(reader);
    if (reader != NULL && list->row != NULL)
        return true;
    acme_status_list_clear(list);
    return false;
}

void
acme_status_list_clear(struct acme_status_list *list)
{
    free(list->row);
    memset(list, 0, sizeof(*list));
}

#include "state/acme_tally.h"

#include <string.h>

/* Most CAs answer in a tenth of a second, and a few take all of a minute. */
const unsigned acme_tally_bound_ms[ACME_TALLY_BOUNDS] = { 50, 100, 250, 500,
    1000, 2500, 5000, 10000, 30000 };

static const struct {
    enum acme_rc rc;
    const char *word;
} failures[ACME_TALLY_COUNTS - ACME_TALLY_FAILURES] = {
    { ACME_PROBLEM, "problem" },
    { ACME_NET, "net" },
    { ACME_WIRE, "wire" },
    { ACME_CONFIG, "config" },
    { ACME_REFUSED, "refused" },
    { ACME_UNREADY, "unready" },
    { ACME_OK, "other" },
};

enum acme_tally_count
acme_tally_failure(enum acme_rc rc)
{
    int i = ACME_TALLY_FAILURES;

    while (i + 1 < ACME_TALLY_COUNTS &&
           failures[i - ACME_TALLY_FAILURES].rc != rc)
        i++;
    return (enum acme_tally_count)i;
}

const char *
acme_tally_failure_word(enum acme_tally_count count)
{
    return failures[count - ACME_TALLY_FAILURES].word;
}

void
acme_tally_request(struct acme_tally *tally, uint64_t ms, bool answered)
{
    size_t i = 0;

    while (i < ACME_TALLY_BOUNDS && ms > acme_tally_bound_ms[i])
        i++;
    tally->count[ACME_TALLY_REQUESTS + i]++;
    tally->count[ACME_TALLY_MS] += ms;
    if (!answered)
        tally->count[ACME_TALLY_UNANSWERED]++;
}

void
acme_tally_sum(struct acme_tally *to, const struct acme_tally *from)
{
    size_t i;

    for (i = 0; i < ACME_TALLY_COUNTS; i++)
        to->count[i] += from->count[i];
}

/* ---- JSON ------------------------------------------------------------- */

static void
set(struct acme_json *json, const char *name, const struct acme_tally *tally,
    size_t i)
{
    acme_json_set_int(json, name, (int64_t)(tally->count[i] & INT64_MAX));
}

static struct acme_json *
requests_json(const struct acme_tally *tally)
{
    struct acme_json *json = acme_json_object(), *list = acme_json_array();
    struct acme_tally all = { .count = { 0 } };
    size_t i;

    for (i = 0; i <= ACME_TALLY_BOUNDS; i++) {
        uint64_t n = tally->count[ACME_TALLY_REQUESTS + i];

        acme_json_append_int(list, (int64_t)(n & INT64_MAX));
        all.count[0] += n;
    }
    set(json, "count", &all, 0);
    set(json, "unanswered", tally, ACME_TALLY_UNANSWERED);
    set(json, "ms", tally, ACME_TALLY_MS);
    acme_json_set(json, "buckets", list);
    return json;
}

struct acme_json *
acme_tally_render(const char *name, const struct acme_tally *tally)
{
    struct acme_json *json = acme_json_object(), *list = acme_json_object();
    size_t i;

    acme_json_set_str(json, "name", name);
    set(json, "attempts", tally, ACME_TALLY_ATTEMPTS);
    set(json, "orders", tally, ACME_TALLY_ORDERS);
    set(json, "certificates", tally, ACME_TALLY_CERTIFICATES);
    for (i = ACME_TALLY_FAILURES; i < ACME_TALLY_COUNTS; i++)
        set(list, acme_tally_failure_word((enum acme_tally_count)i), tally, i);
    acme_json_set(json, "failures", list);
    acme_json_set(json, "requests", requests_json(tally));
    return json;
}

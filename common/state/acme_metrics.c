#include "state/acme_metrics.h"

#include <string.h>

#include "state/acme_condition.h"
#include "state/acme_status_list.h"
#include "state/acme_status_reader.h"
#include "state/acme_tally.h"

/* What a label makes of its text: "\n" of one byte. */
#define LINEAGE_MAX ((size_t)2 * ACME_STATUS_BYTES)
#define FRAME_MAX ((size_t)512 * 1024)

enum kind {
    GAUGE,
    COUNTER,
    HISTOGRAM,
    INFO
};

/* A family's samples stand together, and lineages are read once: each family
 * is written by itself. */
enum family {
    SERVER,
    UP,
    SINCE,
    STATES,
    CERTIFICATE,
    EXPIRY,
    RENEWAL,
    FAILED,
    NEXT_ATTEMPT,
    LAST_ATTEMPT,
    ATTEMPTS,
    FAILURES,
    ORDERS,
    OBTAINED,
    UNANSWERED,
    DURATION,
    FAMILIES
};

static const struct {
    const char *name; /* without what its kind adds */
    enum kind kind;
    const char *unit; /* or NULL */
    const char *help;
} families[FAMILIES] = {
    [SERVER] = { "acme_server", INFO, NULL,
        "The server, and the version of "
        "its ACME module." },
    [UP] = { "acme_engine_up", GAUGE, NULL,
        "Whether the processes that renew certificates are alive." },
    [SINCE] = { "acme_engine_start_time_seconds", GAUGE, "seconds",
        "When they began; the counters began with them." },
    [STATES] = { "acme_certificates", GAUGE, NULL,
        "How many certificates are in each state." },
    [CERTIFICATE] = { "acme_certificate", INFO, NULL,
        "The state of a certificate, and its CA." },
    [EXPIRY] = { "acme_certificate_expiry_timestamp_seconds", GAUGE, "seconds",
        "When a certificate ends." },
    [RENEWAL] = { "acme_certificate_renewal_timestamp_seconds", GAUGE,
        "seconds", "When a certificate is to be renewed." },
    [FAILED] = { "acme_certificate_failures", GAUGE, NULL,
        "Attempts that have failed in a row." },
    [NEXT_ATTEMPT] = { "acme_certificate_next_attempt_timestamp_seconds",
        GAUGE, "seconds", "When the next attempt is, after a failure." },
    [LAST_ATTEMPT] = { "acme_certificate_last_attempt_timestamp_seconds",
        GAUGE, "seconds", "When the last attempt began." },
    [ATTEMPTS] = { "acme_attempts", COUNTER, NULL,
        "Attempts to obtain a certificate that have ended or paused." },
    [FAILURES] = { "acme_failures", COUNTER, NULL,
        "Attempts that have failed, by what went wrong." },
    [ORDERS] = { "acme_orders", COUNTER, NULL, "Orders made at a CA." },
    [OBTAINED] = { "acme_certificates_obtained", COUNTER, NULL,
        "Certificates that a CA has issued and that were served." },
    [UNANSWERED] = { "acme_ca_requests_unanswered", COUNTER, NULL,
        "Requests to a CA without a usable answer." },
    [DURATION] = { "acme_ca_request_duration_seconds", HISTOGRAM, "seconds",
        "How long requests to a CA took." },
};

struct metrics {
    bool open; /* OpenMetrics */
    time_t now;
    struct acme_status_reader *reader;
    struct acme_buf text[FAMILIES];
    size_t count[ACME_CONDITIONS], unknown;
};

/* ---- words ------------------------------------------------------------ */

/* Prometheus has counters with "_total" in their families' names, and no
 * infos. */
static void
add_name(struct metrics *m, enum family family, struct acme_buf *out)
{
    const enum kind kind = families[family].kind;

    acme_buf_add_str(out, families[family].name);
    if (m->open)
        return;
    acme_buf_add_str(out, kind == COUNTER ? "_total"
                          : kind == INFO  ? "_info"
                                          : "");
}

static void
add_head(struct metrics *m, enum family family, struct acme_buf *out)
{
    static const char *const kinds[] = { "gauge", "counter", "histogram",
        "info" };
    const enum kind kind = families[family].kind;

    acme_buf_add_str(out, "# TYPE ");
    add_name(m, family, out);
    acme_buf_addf(out, " %s\n",
        kinds[kind == INFO && !m->open ? GAUGE : kind]);
    if (m->open && families[family].unit != NULL) {
        acme_buf_add_str(out, "# UNIT ");
        add_name(m, family, out);
        acme_buf_addf(out, " %s\n", families[family].unit);
    }
    acme_buf_add_str(out, "# HELP ");
    add_name(m, family, out);
    acme_buf_addf(out, " %s\n", families[family].help);
}

/* The beginning of a sample; the suffix is that of its kind. */
static struct acme_buf *
begin(struct metrics *m, enum family family, const char *suffix)
{
    struct acme_buf *out = &m->text[family];

    acme_buf_addf(out, "%s%s", families[family].name, suffix);
    return out;
}

/* A label behind `before`: "{" or ",". */
static void
add_label(struct acme_buf *out, const char *before, const char *name,
    const char *value)
{
    size_t plain;

    acme_buf_addf(out, "%s%s=\"", before, name);
    for (; *value != '\0'; value += plain + 1) {
        plain = strcspn(value, "\\\"\n");
        acme_buf_add(out, value, plain);
        if (value[plain] == '\0')
            break;
        acme_buf_add_str(out, value[plain] == '\n'  ? "\\n"
                              : value[plain] == '"' ? "\\\""
                                                    : "\\\\");
    }
    acme_buf_add_str(out, "\"");
}

static void
end(struct acme_buf *out, long long value)
{
    acme_buf_addf(out, "} %lld\n", value);
}

/* Of milliseconds. */
static void
add_seconds(struct acme_buf *out, unsigned long long ms)
{
    acme_buf_addf(out, "%llu.%03llu", ms / 1000, ms % 1000);
}

/* ---- certificates ----------------------------------------------------- */

static void
add_of(struct metrics *m, enum family family, const char *lineage,
    long long value)
{
    struct acme_buf *out = begin(m, family, "");

    add_label(out, "{", "lineage", lineage);
    end(out, value);
}

static void
add_time_of(struct metrics *m, enum family family,
    const struct acme_json_value *json, const char *member)
{
    const time_t at = acme_status_reader_time(json, member);

    if (at != 0)
        add_of(m, family, acme_status_reader_str(json, "name"), at);
}

static void
add_expiry(struct metrics *m, const struct acme_json_value *json)
{
    const struct acme_json_value *one =
        acme_json_flat_first(acme_json_flat_get(json, "certificates"));
    struct acme_buf *out;

    for (; one != NULL; one = acme_json_flat_next(one)) {
        const time_t at = acme_status_reader_time(one, "not_after");

        if (at == 0)
            continue;
        out = begin(m, EXPIRY, "");
        add_label(out, "{", "lineage", acme_status_reader_str(json, "name"));
        add_label(out, ",", "key", acme_status_reader_str(one, "key"));
        end(out, at);
    }
}

static void
add_state(struct metrics *m, const struct acme_json_value *json)
{
    const struct acme_json_value *issuer = acme_json_flat_get(json, "issuer");
    struct acme_buf *out = begin(m, CERTIFICATE, "_info");

    add_label(out, "{", "lineage", acme_status_reader_str(json, "name"));
    add_label(out, ",", "state", acme_status_reader_str(json, "state"));
    add_label(out, ",", "issuer", acme_status_reader_str(issuer, "name"));
    end(out, 1);
}

static void
add_lineage(struct metrics *m, const struct acme_json_value *json)
{
    enum acme_condition condition =
        acme_status_condition(acme_status_reader_str(json, "state"));

    if (condition == ACME_CONDITIONS) {
        m->unknown++;
        return;
    }
    m->count[condition]++;
    add_state(m, json);
    add_expiry(m, json);
    add_time_of(m, RENEWAL, json, "renew_at");
    add_of(m, FAILED, acme_status_reader_str(json, "name"),
        (long long)acme_status_reader_int(json, "failures"));
    add_time_of(m, NEXT_ATTEMPT, json, "next_attempt");
    add_time_of(m, LAST_ATTEMPT, json, "last_attempt");
}

static void
add_states(struct metrics *m)
{
    struct acme_buf *out;
    int i;

    for (i = 0; i <= ACME_CONDITIONS; i++) {
        out = begin(m, STATES, "");
        add_label(out, "{", "state",
            i < ACME_CONDITIONS ? acme_condition_word((enum acme_condition)i)
                                : "unknown");
        end(out, (long long)(i < ACME_CONDITIONS ? m->count[i] : m->unknown));
    }
}

/* ---- CAs -------------------------------------------------------------- */

static void
add_count(struct metrics *m, enum family family, const char *issuer,
    int64_t value)
{
    struct acme_buf *out = begin(m, family, "_total");

    add_label(out, "{", "issuer", issuer);
    end(out, (long long)value);
}

static void
add_failures(struct metrics *m, const char *issuer,
    const struct acme_json_value *json)
{
    struct acme_buf *out;
    int i;

    for (i = ACME_TALLY_FAILURES; i < ACME_TALLY_COUNTS; i++) {
        const char *word = acme_tally_failure_word((enum acme_tally_count)i);

        out = begin(m, FAILURES, "_total");
        add_label(out, "{", "issuer", issuer);
        add_label(out, ",", "class", word);
        end(out, (long long)acme_status_reader_int(json, word));
    }
}

/* Each bucket counts those before it, too. */
static void
add_buckets(struct metrics *m, const char *issuer,
    const struct acme_json_value *json)
{
    const struct acme_json_value *at =
        acme_json_flat_first(acme_json_flat_get(json, "buckets"));
    int64_t all = 0;
    size_t i;

    for (i = 0; i <= ACME_TALLY_BOUNDS; i++) {
        struct acme_buf *out = begin(m, DURATION, "_bucket");

        add_label(out, "{", "issuer", issuer);
        acme_buf_add_str(out, ",le=\"");
        if (i < ACME_TALLY_BOUNDS)
            add_seconds(out, acme_tally_bound_ms[i]);
        else
            acme_buf_add_str(out, "+Inf");
        acme_buf_add_str(out, "\"");
        all += acme_json_flat_int(at, 0);
        at = acme_json_flat_next(at);
        end(out, (long long)all);
    }
}

static void
add_durations(struct metrics *m, const char *issuer,
    const struct acme_json_value *json)
{
    struct acme_buf *out;

    add_buckets(m, issuer, json);
    out = begin(m, DURATION, "_sum");
    add_label(out, "{", "issuer", issuer);
    acme_buf_add_str(out, "} ");
    add_seconds(out, (unsigned long long)acme_status_reader_int(json, "ms"));
    acme_buf_add_str(out, "\n");
    out = begin(m, DURATION, "_count");
    add_label(out, "{", "issuer", issuer);
    end(out, (long long)acme_status_reader_int(json, "count"));
}

static void
add_issuer(struct metrics *m, const struct acme_json_value *json)
{
    const struct acme_json_value *requests =
        acme_json_flat_get(json, "requests");
    const char *name = acme_status_reader_str(json, "name");

    add_count(m, ATTEMPTS, name, acme_status_reader_int(json, "attempts"));
    add_failures(m, name, acme_json_flat_get(json, "failures"));
    add_count(m, ORDERS, name, acme_status_reader_int(json, "orders"));
    add_count(m, OBTAINED, name, acme_status_reader_int(json, "certificates"));
    add_count(m, UNANSWERED, name,
        acme_status_reader_int(requests, "unanswered"));
    add_durations(m, name, requests);
}

/* ---- the server ------------------------------------------------------- */

static void
add_server(struct metrics *m, const struct acme_area *area)
{
    const struct acme_json_value *json =
        acme_status_reader_get(m->reader, ACME_AREA_SERVER);
    const struct acme_json_value *server = acme_json_flat_get(json, "server");
    const struct acme_json_value *issuer =
        acme_json_flat_first(acme_json_flat_get(json, "issuers"));
    const time_t since = acme_status_reader_time(server, "since");

    acme_buf_addf(begin(m, UP, ""), " %d\n",
        acme_status_is_alive(area, m->now));
    if (since != 0)
        acme_buf_addf(begin(m, SINCE, ""), " %lld\n", (long long)since);
    if (server != NULL) {
        struct acme_buf *out = begin(m, SERVER, "_info");

        add_label(out, "{", "server", acme_status_reader_str(server, "name"));
        add_label(out, ",", "version",
            acme_status_reader_str(server, "version"));
        end(out, 1);
    }
    for (; issuer != NULL; issuer = acme_json_flat_next(issuer))
        add_issuer(m, issuer);
}

/* ---- all of it -------------------------------------------------------- */

size_t
acme_metrics_max(size_t nlineages)
{
    return nlineages * LINEAGE_MAX + FRAME_MAX;
}

static void
read_all(struct metrics *m, const struct acme_area *area, size_t nlineages)
{
    const struct acme_json_value *json;
    size_t i;

    for (i = 0; i < nlineages; i++) {
        json = acme_status_reader_get(m->reader, i);
        if (json != NULL)
            add_lineage(m, json);
        else
            m->unknown++;
    }
    add_states(m);
    add_server(m, area);
}

/* A family without samples is not there. */
static void
join(struct metrics *m, struct acme_buf *out)
{
    int i;

    for (i = 0; i < FAMILIES; i++) {
        if (!acme_buf_ok(&m->text[i]))
            out->failed = true;
        if (m->text[i].len == 0)
            continue;
        add_head(m, (enum family)i, out);
        acme_buf_add(out, m->text[i].data, m->text[i].len);
    }
    if (m->open)
        acme_buf_add_str(out, "# EOF\n");
}

bool
acme_metrics_render(const struct acme_area *area, size_t nlineages, time_t now,
    bool open, struct acme_buf *out)
{
    struct metrics m = { .open = open, .now = now };
    int i;

    m.reader = acme_status_reader_new(area);
    for (i = 0; i < FAMILIES; i++)
        acme_buf_init(&m.text[i], acme_metrics_max(nlineages));
    if (m.reader != NULL) {
        read_all(&m, area, nlineages);
        join(&m, out);
    }
    for (i = 0; i < FAMILIES; i++)
        acme_buf_clear(&m.text[i]);
    acme_status_reader_free(m.reader);
    return m.reader != NULL && acme_buf_ok(out);
}

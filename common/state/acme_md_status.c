#include "state/acme_md_status.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_time.h"
#include "state/acme_live_status.h"
#include "state/acme_status_reader.h"
#include "wrap/acme_html.h"
#include "wrap/acme_json.h"
#include "wrap/acme_url.h"

/* HTML makes six bytes of one; what is around a row, and around all rows. */
#define ROW_MAX ((size_t)6 * ACME_STATUS_BYTES + 4096)
#define FRAME_MAX 4096

/* It is copied in words. */
#define TEXT_MAX (ACME_STATUS_BYTES + sizeof(uintptr_t))

/* ---- one certificate, for everybody ----------------------------------- */

/* NULL: the store has not told of it, or memory is short. */
static struct acme_json *
read_lineage(const struct acme_area *area, size_t lineage)
{
    struct acme_json *json = NULL;
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, TEXT_MAX);
    if (acme_live_status(area, lineage, &text))
        (void)acme_json_parse(acme_buf_str(&text), text.len, "status", &json,
            &ignored);
    acme_buf_clear(&text);
    return json;
}

static const char *
str_of(const struct acme_json *json, const char *name)
{
    const char *text = acme_json_str(json, name);

    return text != NULL ? text : "";
}

/* As mod_md calls keys. */
static const char *
md_key_name(const char *type)
{
    if (strncmp(type, "rsa", 3) == 0)
        return "rsa";
    if (strcmp(type, "ecdsa:384") == 0)
        return "secp384r1";
    return strcmp(type, "ecdsa:521") == 0 ? "secp521r1" : "secp256r1";
}

static struct acme_json *
valid_json(time_t from, time_t until)
{
    struct acme_json *json = acme_json_object();
    char text[ACME_TIME_TEXT];

    acme_json_set_str(json, "from", acme_time_format_http(from, text));
    acme_json_set_str(json, "until", acme_time_format_http(until, text));
    return json;
}

/* mod_md has them in upper case. */
static void
set_serial(struct acme_json *json, const char *serial)
{
    char upper[128];
    size_t i;

    for (i = 0; serial[i] != '\0' && i + 1 < sizeof(upper); i++)
        upper[i] =
            (char)(serial[i] >= 'a' && serial[i] <= 'f' ? serial[i] - 'a' + 'A'
                                                        : serial[i]);
    upper[i] = '\0';
    acme_json_set_str(json, "serial", upper);
}

static struct acme_json *
certificate_json(const struct acme_json *one)
{
    struct acme_json *json = acme_json_object();

    acme_json_set(json, "valid",
        valid_json(acme_json_time(one, "not_before"),
            acme_json_time(one, "not_after")));
    set_serial(json, str_of(one, "serial"));
    acme_json_set_str(json, "sha256-fingerprint", str_of(one, "fingerprint"));
    return json;
}

/* The time in which all of them are valid. */
static void
add_valid(struct acme_json *to, const struct acme_json *list)
{
    size_t i, n = acme_json_count(list);
    time_t from = 0, until = 0;

    for (i = 0; i < n; i++) {
        const struct acme_json *one = acme_json_at(list, i);
        time_t begin = acme_json_time(one, "not_before");
        time_t end = acme_json_time(one, "not_after");

        if (i == 0 || begin > from)
            from = begin;
        if (i == 0 || end < until)
            until = end;
    }
    if (n > 0)
        acme_json_set(to, "valid", valid_json(from, until));
}

static struct acme_json *
public_json(const struct acme_json *lineage)
{
    const struct acme_json *list = acme_json_get(lineage, "certificates");
    const struct acme_json *keys = acme_json_get(lineage, "keys");
    struct acme_json *json = acme_json_object(), *renewal;
    const struct acme_json *one;
    size_t i;

    add_valid(json, list);
    for (i = 0; i < acme_json_count(keys); i++) {
        const char *key = acme_json_text(acme_json_at(keys, i));

        if (key != NULL)
            acme_json_set(json, md_key_name(key), acme_json_object());
    }
    for (i = 0; (one = acme_json_at(list, i)) != NULL; i++)
        acme_json_set(json, md_key_name(str_of(one, "key")),
            certificate_json(one));
    if (acme_json_bool(lineage, "at_work", false) ||
        acme_json_time(lineage, "not_after") == 0) {
        renewal = acme_json_object();
        acme_json_set(renewal, "cert", acme_json_object());
        acme_json_set(json, "renewal", renewal);
    }
    return json;
}

bool
acme_md_status_certificate(const struct acme_area *area, size_t lineage,
    struct acme_buf *out)
{
    struct acme_json *json = read_lineage(area, lineage), *told;
    struct acme_error ignored;
    bool ok;

    if (json == NULL)
        return false;
    acme_error_clear(&ignored);
    told = public_json(json);
    ok = acme_json_render(told, true, out, &ignored) == ACME_OK;
    acme_json_free(told);
    acme_json_free(json);
    return ok;
}

/* ---- all of them, for the server's page ------------------------------- */

enum acme_rc
acme_md_check_parse(const char *url, struct acme_error *err)
{
    struct acme_error ignored;
    struct acme_url parts;

    acme_error_clear(&ignored);
    if (acme_url_is_link(url) ||
        acme_url_parse_plain(url, ACME_CONFIG, &parts, &ignored) == ACME_OK)
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG,
        "it must be an http or https URL, to which the fingerprint of a "
        "certificate is added");
}

static bool
is_state(const struct acme_json_value *json, const char *word)
{
    return strcmp(acme_status_reader_str(json, "state"), word) == 0;
}

static bool
has_certificate(const struct acme_json_value *json)
{
    return acme_status_reader_time(json, "not_after") != 0;
}

struct table {
    enum acme_md_form form;
    const struct acme_md_check *check;
    time_t now;
    struct acme_buf *out;
    size_t index;
    const struct acme_json_value *json; /* of the row */
};

struct counts {
    unsigned ok, renew, errored;
};

/* One line of the form for programs; `value` has no line end. */
static void
add_line(const struct table *table, const char *key, const char *value)
{
    acme_buf_addf(table->out, "ManagedDomain[%zu]%s: ", table->index, key);
    acme_buf_add_str(table->out, value);
    acme_buf_add_str(table->out, "\n");
}

static void
add_seconds(const struct table *table, const char *key, time_t at)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld",
        at > table->now ? (long long)(at - table->now) : 0LL);
    if (at != 0)
        add_line(table, key, text);
}

static void
begin_cell(const struct table *table)
{
    if (table->form == ACME_MD_HTML)
        acme_buf_add_str(table->out, "<td>");
}

static void
end_cell(const struct table *table)
{
    if (table->form == ACME_MD_HTML)
        acme_buf_add_str(table->out, "</td>");
}

static void
add_names(const struct table *table)
{
    const struct acme_json_value *at =
        acme_json_flat_first(acme_json_flat_get(table->json, "names"));
    char key[48];
    size_t i = 0;

    for (; at != NULL; at = acme_json_flat_next(at), i++) {
        const char *name = acme_json_flat_text(at);

        (void)snprintf(key, sizeof(key), "Names[%zu]", i);
        if (name == NULL)
            continue;
        if (table->form == ACME_MD_AUTO) {
            add_line(table, key, name);
        } else {
            acme_buf_add_str(table->out, i > 0 ? " " : "");
            acme_html_text(table->out, name);
        }
    }
}

/* mod_md's words; what is not good is told in ours. */
static const char *
md_state(const struct acme_json_value *json)
{
    if (is_state(json, "conflict") || is_state(json, "damaged"))
        return "error";
    if (is_state(json, "expired") || is_state(json, "revoked"))
        return acme_status_reader_str(json, "state");
    return has_certificate(json) ? "good" : "incomplete";
}

static void
add_state(const struct table *table)
{
    const char *word = md_state(table->json);
    struct acme_buf text;

    acme_buf_init(&text, ACME_STATUS_BYTES);
    acme_buf_add_str(&text, word);
    if (strcmp(word, "good") != 0) {
        acme_buf_add_str(&text, ": ");
        acme_buf_add_str(&text,
            acme_status_reader_str(table->json, "state_text"));
    }
    if (table->form == ACME_MD_AUTO)
        add_line(table, "Status", acme_buf_str(&text));
    else
        acme_html_text(table->out, acme_buf_str(&text));
    acme_buf_clear(&text);
}

/* The day is enough. */
static void
add_day(const struct table *table, const char *key, time_t at)
{
    char text[ACME_TIME_TEXT];

    acme_time_format(at, text);
    text[strcspn(text, "T")] = '\0';
    if (table->form == ACME_MD_AUTO)
        add_line(table, key, text);
    else
        acme_buf_add_str(table->out, text);
}

static void
add_valid_cell(const struct table *table)
{
    const time_t from = acme_status_reader_time(table->json, "not_before");
    const time_t until = acme_status_reader_time(table->json, "not_after");
    char begin[ACME_TIME_TEXT], end[ACME_TIME_TEXT];

    if (until == 0)
        return;
    if (table->form == ACME_MD_HTML) {
        acme_buf_addf(table->out, "until <span title=\"%s - %s\">",
            acme_time_format_http(from, begin),
            acme_time_format_http(until, end));
        add_day(table, "", until);
        acme_buf_add_str(table->out, "</span>");
        return;
    }
    if (from > table->now)
        add_day(table, "ValidFrom", from);
    add_day(table, "ValidUntil", until);
}

static void
add_ca(const struct table *table)
{
    const struct acme_json_value *issuer =
        acme_json_flat_get(table->json, "issuer");
    const char *url = acme_status_reader_str(issuer, "directory");
    struct acme_error ignored;
    struct acme_url parts;
    const char *host;

    acme_error_clear(&ignored);
    host = acme_url_parse(url, ACME_WIRE, &parts, &ignored) == ACME_OK
               ? parts.host
               : acme_status_reader_str(issuer, "name");
    if (issuer == NULL)
        return;
    if (table->form == ACME_MD_HTML) {
        acme_html_link(table->out, url, host);
        return;
    }
    add_line(table, "CAName", host);
    add_line(table, "CAURL", url);
}

static void
add_check_of(const struct table *table, const struct acme_json_value *one)
{
    const char *key = md_key_name(acme_status_reader_str(one, "key"));
    const char *print = acme_status_reader_str(one, "fingerprint");
    struct acme_buf url;

    acme_buf_init(&url, ACME_URL_MAX + 256);
    acme_buf_add_str(&url, table->check->url);
    acme_buf_add_str(&url, print);
    if (table->form == ACME_MD_AUTO) {
        add_line(table, "CheckAtType", key);
        add_line(table, "CheckAtName", table->check->name);
        add_line(table, "CheckAtURL", acme_buf_str(&url));
        add_line(table, "CheckAtFingerprint", print);
    } else {
        acme_buf_add_str(table->out, "<a href=\"");
        acme_html_text(table->out, acme_buf_str(&url));
        acme_buf_add_str(table->out, "\" rel=\"noopener noreferrer\">");
        acme_html_text(table->out, table->check->name);
        acme_buf_addf(table->out, "[%s]</a><br>", key);
    }
    acme_buf_clear(&url);
}

static void
add_checks(const struct table *table)
{
    const struct acme_json_value *one =
        acme_json_flat_first(acme_json_flat_get(table->json, "certificates"));

    for (; one != NULL; one = acme_json_flat_next(one))
        add_check_of(table, one);
}

static void
add_activity_lines(const struct table *table)
{
    const struct acme_json_value *error =
        acme_json_flat_get(table->json, "error");

    if (error != NULL) {
        add_line(table, "ActivityLastStatus",
            acme_status_reader_str(error, "result"));
        add_line(table, "ActivityLastProblem",
            acme_status_reader_str(error, "type"));
        add_line(table, "ActivityFinished", "no");
        add_line(table, "ActivityLastDetail",
            acme_status_reader_str(error, "text"));
        add_seconds(table, "ActivityNextRun",
            acme_status_reader_time(table->json, "next_attempt"));
    } else {
        add_seconds(table, "ActivityRenew",
            acme_status_reader_time(table->json, "renew_at"));
    }
}

/* The sentence has it all but for the CA's own words. */
static void
add_activity_cell(const struct table *table)
{
    const struct acme_json_value *error =
        acme_json_flat_get(table->json, "error");
    const struct acme_json_value *window =
        acme_json_flat_get(table->json, "renewal_info");
    const char *url = acme_status_reader_str(error, "url");
    const char *more = acme_status_reader_str(window, "url");

    acme_html_text(table->out,
        acme_status_reader_str(table->json, "state_text"));
    if (error != NULL) {
        acme_buf_add_str(table->out, "<br>");
        acme_html_text(table->out, acme_status_reader_str(error, "text"));
    }
    if (*url != '\0') {
        acme_buf_add_str(table->out, "<br>");
        acme_html_link(table->out, url, url);
    }
    if (*more != '\0') {
        acme_buf_add_str(table->out, "<br>");
        acme_html_link(table->out, more, "why the CA wants it renewed");
    }
}

static void
add_name(const struct table *table)
{
    if (table->form == ACME_MD_AUTO)
        add_line(table, "Domain", acme_status_reader_str(table->json, "name"));
    else
        acme_html_text(table->out,
            acme_status_reader_str(table->json, "name"));
}

static void
add_activity(const struct table *table)
{
    if (table->form == ACME_MD_AUTO)
        add_activity_lines(table);
    else
        add_activity_cell(table);
}

static const struct {
    const char *label;
    void (*add)(const struct table *table);
} columns[] = {
    { "Domain", add_name },
    { "Names", add_names },
    { "Status", add_state },
    { "Valid", add_valid_cell },
    { "CA", add_ca },
    { "CheckAt", add_checks },
    { "Activity", add_activity },
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
add_row(struct table *table)
{
    size_t i;

    if (table->form == ACME_MD_HTML)
        acme_buf_addf(table->out, "<tr class=\"%s\">",
            table->index % 2 != 0 ? "odd" : "even");
    for (i = 0; i < COLUMNS; i++) {
        begin_cell(table);
        columns[i].add(table);
        end_cell(table);
    }
    if (table->form == ACME_MD_HTML)
        acme_buf_add_str(table->out, "</tr>\n");
    table->index++;
}

static void
count(struct counts *counts, const struct acme_json_value *json)
{
    counts->ok += strcmp(md_state(json), "good") == 0;
    counts->renew +=
        !has_certificate(json) || is_state(json, "due") ||
        acme_json_flat_true(acme_json_flat_get(json, "at_work")) ||
        acme_json_flat_get(json, "error") != NULL;
    counts->errored += acme_json_flat_get(json, "error") != NULL;
}

static void
add_head(struct acme_buf *out)
{
    size_t i;

    acme_buf_add_str(out, "<hr>\n<h3>Managed Certificates</h3>\n"
                          "<table class=\"md_status\"><thead><tr>\n");
    for (i = 0; i < COLUMNS; i++)
        acme_buf_addf(out, "<th class=\"%s\">%s</th>", columns[i].label,
            columns[i].label);
    acme_buf_add_str(out, "</tr>\n</thead><tbody>\n");
}

/* None is ever only ready: they are served as soon as they are there. */
static void
add_counts(struct acme_buf *out, size_t total, const struct counts *counts)
{
    acme_buf_addf(out,
        "ManagedCertificatesTotal: %zu\n"
        "ManagedCertificatesOK: %u\n"
        "ManagedCertificatesRenew: %u\n"
        "ManagedCertificatesErrored: %u\n"
        "ManagedCertificatesReady: 0\n",
        total, counts->ok, counts->renew, counts->errored);
}

static void
add_rows(struct table *table, const struct acme_area *area, size_t nlineages,
    struct counts *counts)
{
    struct acme_status_reader *reader = acme_status_reader_new(area);
    size_t i;

    if (reader == NULL)
        table->out->failed = true;
    for (i = 0; i < nlineages && acme_buf_ok(table->out); i++) {
        table->json = acme_status_reader_get(reader, i);
        if (table->json == NULL)
            continue;
        count(counts, table->json);
        add_row(table);
    }
    acme_status_reader_free(reader);
}

size_t
acme_md_status_max(size_t nlineages)
{
    return nlineages * ROW_MAX + FRAME_MAX;
}

void
acme_md_status_table(const struct acme_area *area, size_t nlineages,
    enum acme_md_form form, const struct acme_md_check *check, time_t now,
    struct acme_buf *out)
{
    struct table table = { form, check, now, out, 0, NULL };
    struct counts counts = { 0, 0, 0 };
    struct acme_buf rows;

    if (form == ACME_MD_HTML) {
        add_head(out);
        add_rows(&table, area, nlineages, &counts);
        acme_buf_add_str(out, "</tbody>\n</table>\n");
        return;
    }

    /* The counts go first, as mod_md has it. */
    acme_buf_init(&rows, acme_md_status_max(nlineages));
    table.out = &rows;
    add_rows(&table, area, nlineages, &counts);
    add_counts(out, nlineages, &counts);
    if (acme_buf_ok(&rows))
        acme_buf_add(out, rows.data, rows.len);
    else
        out->failed = true;
    acme_buf_clear(&rows);
}

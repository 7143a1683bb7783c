#include <string.h>

#include "base/acme_base64.h"
#include "base/acme_time.h"
#include "state/acme_status_page_private.h"
#include "state/acme_status_reader.h"
#include "state/acme_status_words.h"
#include "wrap/acme_hash.h"

/* Of what comes sooner than that the day is plain (seconds). */
#define SOON (12 * 3600)

/* ---- the frame -------------------------------------------------------- */

void
acme_page_begin(struct acme_buf *out, const char *title)
{
    acme_buf_add_str(out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    if (title != NULL) {
        acme_html_text(out, title);
        acme_buf_add_str(out, " - ");
    }
    acme_buf_add_str(out, "Certificates</title>\n<style>");
    acme_buf_add_str(out, acme_page_style);
    acme_buf_add_str(out, "</style>\n</head>\n<body>\n");
}

void
acme_page_end(struct acme_buf *out, bool script)
{
    if (script) {
        acme_buf_add_str(out, "<script>");
        acme_buf_add_str(out, acme_page_script);
        acme_buf_add_str(out, "</script>\n");
    }
    acme_buf_add_str(out, "</body>\n</html>\n");
}

/* As a policy names what is in a page (CSP 3, 2.3.1); "'none'" if OpenSSL
 * fails, and then the page is plain. */
static void
add_source(struct acme_buf *out, const char *directive, const char *text)
{
    unsigned char digest[ACME_HASH_LEN];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_buf_addf(out, "; %s ", directive);
    if (acme_hash(text, strlen(text), digest, &ignored) != ACME_OK) {
        acme_buf_add_str(out, "'none'");
        return;
    }
    acme_buf_add_str(out, "'sha256-");
    acme_base64_encode(out, digest, sizeof(digest));
    acme_buf_add_str(out, "='");
}

void
acme_status_page_policy(struct acme_buf *out)
{
    acme_buf_add_str(out, "default-src 'none'");
    add_source(out, "style-src", acme_page_style);
    add_source(out, "script-src", acme_page_script);
    acme_buf_add_str(out, "; connect-src 'self'; form-action 'self'; "
                          "base-uri 'none'; frame-ancestors 'none'");
}

/* ---- states ----------------------------------------------------------- */

const char *
acme_page_class(enum acme_condition condition)
{
    static const char *const classes[] = { [ACME_CONCERN_URGENT] = "bad",
        [ACME_CONCERN_DOUBT] = "warn",
        [ACME_CONCERN_WORK] = "busy",
        [ACME_CONCERN_NONE] = "good",
        [ACME_CONCERN_OLD] = "old" };

    return classes[acme_status_concern(condition)];
}

void
acme_page_state(struct acme_buf *out, enum acme_condition condition)
{
    acme_buf_addf(out, "<span class=\"state %s\">%s</span>",
        acme_page_class(condition), acme_condition_word(condition));
}

/* ---- times ------------------------------------------------------------ */

void
acme_page_span(struct acme_buf *out, time_t seconds)
{
    static const struct {
        time_t until; /* from then on the next one says more */
        time_t unit;
        const char *name;
    } units[] = { { 90, 1, "second" }, { 90 * 60, 60, "minute" },
        { 48 * 3600, 3600, "hour" }, { 0, 86400, "day" } };
    size_t i = 0;
    long long n;

    while (units[i].until != 0 && seconds >= units[i].until)
        i++;
    n = (long long)(seconds / units[i].unit);
    acme_buf_addf(out, "%lld %s%s", n, units[i].name, n == 1 ? "" : "s");
}

void
acme_page_when(struct acme_buf *out, time_t at, time_t now)
{
    char iso[ACME_TIME_TEXT];

    acme_buf_addf(out, "<time datetime=\"%s\" title=\"",
        acme_time_format(at, iso));
    acme_page_time(out, at);
    acme_buf_add_str(out, at > now ? "\">in " : "\">");
    acme_page_span(out, at > now ? at - now : now - at);
    acme_buf_add_str(out, at > now ? "</time>" : " ago</time>");
}

/* Of "Sat, 21 Nov 2026 13:45:00 GMT". */
void
acme_page_day(struct acme_buf *out, time_t at)
{
    char text[ACME_TIME_TEXT];

    acme_buf_addf(out, "%.11s", acme_time_format_http(at, text) + 5);
}

static void
add_clock(struct acme_buf *out, time_t at)
{
    char text[ACME_TIME_TEXT];

    acme_buf_addf(out, "%.5s UTC", acme_time_format_http(at, text) + 17);
}

void
acme_page_time(struct acme_buf *out, time_t at)
{
    acme_page_day(out, at);
    acme_buf_add_str(out, ", ");
    add_clock(out, at);
}

/* 0 to 100. */
static int
percent(time_t part, time_t whole)
{
    if (part <= 0 || whole <= 0)
        return 0;
    return part >= whole ? 100 : (int)(100.0 * (double)part / (double)whole);
}

void
acme_page_life(struct acme_buf *out, time_t from, time_t until, time_t renewal,
    time_t now)
{
    acme_buf_addf(out,
        "<svg class=\"life\" viewBox=\"0 0 100 6\" "
        "preserveAspectRatio=\"none\" aria-hidden=\"true\">"
        "<rect class=\"all\" width=\"100\" height=\"6\"/>"
        "<rect class=\"left\" width=\"%d\" height=\"6\"/>",
        percent(until - now, until - from));
    if (renewal > from && renewal < until)
        acme_buf_addf(out,
            "<rect class=\"mark\" x=\"%d\" width=\"1\" height=\"6\"/>",
            percent(until - renewal, until - from));
    acme_buf_add_str(out, "</svg>");
}

/* ---- one certificate -------------------------------------------------- */

void
acme_page_link(struct acme_buf *out, const char *base, const char *name)
{
    acme_buf_addf(out, "<a href=\"%s?name=", base);
    acme_html_query(out, name);
    acme_buf_add_str(out, "\">");
    acme_html_text(out, name);
    acme_buf_add_str(out, "</a>");
}

void
acme_page_renew(struct acme_buf *out, const char *base, const char *name)
{
    acme_buf_addf(out,
        "<form class=\"renew\" method=\"post\" action=\"%s?renew=", base);
    acme_html_query(out, name);
    acme_buf_add_str(out, "\"><button>Renew now<span class=\"unseen\"> ");
    acme_html_text(out, name);
    acme_buf_add_str(out, "</span></button></form>");
}

static void
add_next_attempt(struct acme_buf *out, const struct acme_json_value *json,
    time_t now)
{
    time_t next = acme_status_reader_time(json, "next_attempt");

    acme_buf_add_str(out, "<p class=\"next\">");
    if (next == 0) {
        acme_buf_add_str(out, "Tried again with <code>acmectl renew</code>.");
    } else {
        acme_buf_add_str(out, "Next attempt ");
        if (next <= now) {
            acme_buf_add_str(out, "now");
        } else {
            acme_page_when(out, next, now);
            acme_buf_add_str(out, " (");
            if (next - now < SOON)
                add_clock(out, next);
            else
                acme_page_time(out, next);
            acme_buf_add_str(out, ")");
        }
        if (acme_json_flat_true(acme_json_flat_get(json, "wait_for_config")))
            acme_buf_add_str(out,
                ", or when the configuration was changed and reloaded");
        acme_buf_add_str(out, ".");
    }
    acme_buf_add_str(out, "</p>");
}

void
acme_page_problem(struct acme_buf *out, const struct acme_json_value *json,
    time_t now)
{
    const struct acme_json_value *error = acme_json_flat_get(json, "error");

    acme_buf_add_str(out, "<p class=\"why\">");
    acme_html_text(out,
        acme_status_words(acme_status_reader_str(error, "type"),
            acme_status_reader_str(error, "result")));
    acme_buf_add_str(out, "</p>");
    add_next_attempt(out, json, now);
}

/*
 * All there is to be told of one certificate.
 */
#include <stdio.h>
#include <string.h>

#include "state/acme_status_page_private.h"
#include "state/acme_status_reader.h"

struct view {
    const struct acme_status_page *page;
    const struct acme_json_value *json;
    struct acme_buf *out;
    size_t lineage;
};

static void
add(const struct view *view, const char *text)
{
    acme_buf_add_str(view->out, text);
}

static const char *
str_of(const struct acme_json_value *json, const char *name)
{
    return acme_status_reader_str(json, name);
}

static const struct acme_json_value *
first_of(const struct acme_json_value *json, const char *list)
{
    return acme_json_flat_first(acme_json_flat_get(json, list));
}

static void
begin_section(const struct view *view, const char *title)
{
    acme_buf_addf(view->out, "<section>\n<h2>%s</h2>\n", title);
}

static void
end_section(const struct view *view)
{
    add(view, "</section>\n");
}

/* ---- facts: a term and what there is to it ---------------------------- */

static void
begin_fact(const struct view *view, const char *term)
{
    acme_buf_addf(view->out, "<dt>%s</dt><dd>", term);
}

static void
end_fact(const struct view *view)
{
    add(view, "</dd>\n");
}

static void
add_text_fact(const struct view *view, const char *term, const char *text)
{
    if (text[0] == '\0')
        return;
    begin_fact(view, term);
    acme_html_text(view->out, text);
    end_fact(view);
}

static void
add_code_fact(const struct view *view, const char *term, const char *text)
{
    if (text[0] == '\0')
        return;
    begin_fact(view, term);
    add(view, "<code>");
    acme_html_text(view->out, text);
    add(view, "</code>");
    end_fact(view);
}

static void
add_moment(const struct view *view, time_t at)
{
    acme_page_when(view->out, at, view->page->now);
    add(view, " <small>");
    acme_page_time(view->out, at);
    add(view, "</small>");
}

static void
add_time_fact(const struct view *view, const char *term, time_t at)
{
    if (at == 0)
        return;
    begin_fact(view, term);
    add_moment(view, at);
    end_fact(view);
}

/* ---- the problem ------------------------------------------------------ */

static void
add_subproblems(const struct view *view, const struct acme_json_value *error)
{
    const struct acme_json_value *at = first_of(error, "subproblems");

    if (at == NULL)
        return;
    add(view, "<dl>\n");
    for (; at != NULL; at = acme_json_flat_next(at)) {
        add(view, "<dt>");
        acme_html_text(view->out, str_of(at, "identifier"));
        add(view, "</dt><dd>");
        acme_html_text(view->out, str_of(at, "detail"));
        end_fact(view);
    }
    add(view, "</dl>\n");
}

static void
add_problem(const struct view *view)
{
    const struct acme_json_value *error =
        acme_json_flat_get(view->json, "error");
    const int64_t failures = acme_status_reader_int(view->json, "failures");
    const char *url = str_of(error, "url");

    if (error == NULL)
        return;
    begin_section(view, "Last problem");
    acme_page_problem(view->out, view->json, view->page->now);
    add(view, "<blockquote>");
    acme_html_text(view->out, str_of(error, "text"));
    add(view, "</blockquote>\n");
    add_subproblems(view, error);
    if (url[0] != '\0') {
        add(view, "<p>");
        acme_html_link(view->out, url, "What the CA has to say about it");
        add(view, "</p>\n");
    }
    acme_buf_addf(view->out, "<p><small>%lld failure%s in a row, the last ",
        (long long)failures, failures == 1 ? "" : "s");
    acme_page_when(view->out, acme_status_reader_time(error, "at"),
        view->page->now);
    add(view, "</small></p>\n");
    end_section(view);
}

/* ---- certificates ----------------------------------------------------- */

static void
add_revoked(const struct view *view, const struct acme_json_value *one)
{
    if (!acme_json_flat_true(acme_json_flat_get(one, "revoked")))
        return;
    begin_fact(view, "Revoked");
    add(view, "<strong class=\"bad\">yes</strong> ");
    acme_html_text(view->out, str_of(one, "revocation_reason"));
    end_fact(view);
}

/* What is stapled to it, and what went wrong when it was fetched last. */
static void
add_staple(const struct view *view, const struct acme_json_value *one)
{
    const struct acme_json_value *staple = acme_json_flat_get(one, "staple");

    add_time_fact(view, "Stapled until",
        acme_status_reader_time(staple, "next_update"));
    add_text_fact(view, "Last stapling problem", str_of(staple, "problem"));
}

static void
add_certificate(const struct view *view, const struct acme_json_value *one)
{
    const time_t until = acme_status_reader_time(one, "not_after");
    const time_t from = acme_status_reader_time(one, "not_before");

    add(view, "<dl class=\"certificate\">\n");
    begin_fact(view, until > view->page->now ? "Valid until" : "Expired");
    add_moment(view, until);
    acme_page_life(view->out, from, until,
        acme_status_reader_time(one, "renew_at"), view->page->now);
    end_fact(view);
    add_revoked(view, one);
    add_staple(view, one);
    add_text_fact(view, "Key", str_of(one, "key"));
    add_text_fact(view, "Signed by", str_of(one, "signed_by"));
    add_time_fact(view, "Obtained", acme_status_reader_time(one, "obtained"));
    add_code_fact(view, "Serial", str_of(one, "serial"));
    add_code_fact(view, "SHA-256", str_of(one, "fingerprint"));
    add(view, "</dl>\n");
}

static void
add_certificates(const struct view *view)
{
    const struct acme_json_value *one = first_of(view->json, "certificates");

    begin_section(view, "What is served");
    if (one == NULL)
        add(view, "<p>There is no certificate yet.</p>\n");
    for (; one != NULL; one = acme_json_flat_next(one))
        add_certificate(view, one);
    end_section(view);
}

/* ---- renewal ---------------------------------------------------------- */

static void
add_issuers(const struct view *view)
{
    const struct acme_json_value *at = first_of(view->json, "fallbacks");
    const struct acme_json_value *issuer =
        acme_json_flat_get(view->json, "issuer");

    if (issuer == NULL)
        return;
    begin_fact(view, "CA");
    acme_html_text(view->out, str_of(issuer, "name"));
    for (; at != NULL; at = acme_json_flat_next(at)) {
        add(view, ", then ");
        acme_html_text(view->out, str_of(at, "name"));
    }
    end_fact(view);
}

static void
add_suggestion(const struct view *view)
{
    const struct acme_json_value *window =
        acme_json_flat_get(view->json, "renewal_info");
    const char *url = str_of(window, "url");

    if (window == NULL)
        return;
    begin_fact(view, "The CA suggests");
    acme_page_time(view->out, acme_status_reader_time(window, "start"));
    add(view, " to ");
    acme_page_time(view->out, acme_status_reader_time(window, "end"));
    if (url[0] != '\0') {
        add(view, ", ");
        acme_html_link(view->out, url, "and says why");
    }
    end_fact(view);
}

static void
add_renewal(const struct view *view)
{
    const time_t rest = acme_area_rest(view->page->area, view->lineage);

    begin_section(view, "Renewal");
    add(view, "<dl>\n");
    add_time_fact(view, "Planned",
        acme_status_reader_time(view->json, "renew_at"));
    add_text_fact(view, "Reason", str_of(view->json, "renew_why"));
    add_issuers(view);
    add_suggestion(view);
    if (rest > view->page->now)
        add_time_fact(view, "Asked for here; again", rest);
    add(view, "</dl>\n");
    if (view->page->admin && rest <= view->page->now)
        acme_page_renew(view->out, view->page->base,
            str_of(view->json, "name"));
    end_section(view);
}

/* ---- what has happened ------------------------------------------------ */

static void
add_steps(const struct view *view)
{
    const struct acme_json_value *at = first_of(view->json, "steps");

    if (at == NULL)
        return;
    begin_section(view, "Last attempt");
    add(view, "<ol class=\"steps\">\n");
    for (; at != NULL; at = acme_json_flat_next(at)) {
        add(view, "<li><b>");
        acme_html_text(view->out, str_of(at, "step"));
        add(view, "</b> ");
        add_moment(view, acme_status_reader_time(at, "at"));
        add(view, "</li>\n");
    }
    add(view, "</ol>\n");
    end_section(view);
}

static void
add_hooks(const struct view *view)
{
    const struct acme_json_value *at = first_of(view->json, "hooks");

    if (at == NULL)
        return;
    begin_section(view, "Hooks");
    add(view, "<ul>\n");
    for (; at != NULL; at = acme_json_flat_next(at)) {
        const bool failed =
            acme_json_flat_true(acme_json_flat_get(at, "failed"));

        acme_buf_addf(view->out, "<li class=\"%s\"><b>",
            failed ? "bad" : "good");
        acme_html_text(view->out, str_of(at, "stage"));
        acme_buf_addf(view->out, "</b> %s ", failed ? "failed" : "went well");
        acme_page_when(view->out, acme_status_reader_time(at, "at"),
            view->page->now);
        add(view, "</li>\n");
    }
    add(view, "</ul>\n");
    end_section(view);
}

/* ---- names ------------------------------------------------------------ */

static void
add_name_list(const struct view *view, const char *title, const char *list)
{
    const struct acme_json_value *at = first_of(view->json, list);
    char omitted[32];
    int64_t more;

    if (at == NULL)
        return;
    (void)snprintf(omitted, sizeof(omitted), "%s_omitted", list);
    more = acme_status_reader_int(view->json, omitted);
    begin_section(view, title);
    add(view, "<ul class=\"names\">\n");
    for (; at != NULL; at = acme_json_flat_next(at)) {
        const char *name = acme_json_flat_text(at);

        add(view, "<li>");
        acme_html_text(view->out, name != NULL ? name : str_of(at, "name"));
        if (name == NULL) {
            add(view, " <small>");
            acme_html_text(view->out, str_of(at, "detail"));
            add(view, "</small>");
        }
        add(view, "</li>\n");
    }
    if (more > 0)
        acme_buf_addf(view->out, "<li>and %lld more</li>\n", (long long)more);
    add(view, "</ul>\n");
    end_section(view);
}

/* ---- the page --------------------------------------------------------- */

static void
add_head(const struct view *view)
{
    enum acme_condition condition =
        acme_status_condition(str_of(view->json, "state"));
    const char *preflight = str_of(view->json, "preflight");

    acme_buf_addf(view->out,
        "<header>\n<p><a href=\"%s?\">&larr; All certificates</a></p>\n<h1>",
        view->page->base);
    acme_html_text(view->out, str_of(view->json, "name"));
    add(view, "</h1>\n</header>\n<main>\n<div id=\"live\">\n"
              "<p class=\"summary\">");
    if (condition != ACME_CONDITIONS)
        acme_page_state(view->out, condition);
    add(view, " ");
    acme_html_text(view->out, str_of(view->json, "state_text"));
    add(view, "</p>\n");
    if (preflight[0] != '\0') {
        add(view, "<p class=\"note warn\">Before the order: ");
        acme_html_text(view->out, preflight);
        add(view, "</p>\n");
    }
}

static void
add_page(const struct view *view)
{
    acme_page_begin(view->out, str_of(view->json, "name"));
    add_head(view);
    add_problem(view);
    add_renewal(view);
    add_certificates(view);
    add_name_list(view, "Names", "names");
    add_name_list(view, "Names that the certificate has not", "names_missing");
    add_name_list(view, "Names that were left out", "left_out");
    add_steps(view);
    add_hooks(view);
    add(view, "</div>\n</main>\n");
    acme_page_end(view->out, true);
}

bool
acme_status_page_one(const struct acme_status_page *page, size_t lineage,
    struct acme_buf *out)
{
    struct acme_status_reader *reader = acme_status_reader_new(page->area);
    struct view view = { page, NULL, out, lineage };

    if (reader != NULL)
        view.json = acme_status_reader_get(reader, lineage);
    if (view.json != NULL)
        add_page(&view);
    acme_status_reader_free(reader);
    return view.json != NULL && acme_buf_ok(out);
}

/*
 * The list of all certificates.
 */
#include "state/acme_status_page.h"

#include <string.h>

#include "state/acme_status_page_private.h"
#include "state/acme_status_reader.h"
#include "state/acme_status_words.h"

/* Names that a row has besides that of the lineage. */
#define NAMES_SHOWN 2

struct view {
    const struct acme_status_page *page;
    struct acme_status_list list;
    struct acme_status_reader *reader;
    struct acme_buf *out;
    size_t number, parts; /* of the list */
};

static void
add(const struct view *view, const char *text)
{
    acme_buf_add_str(view->out, text);
}

/* ---- the head --------------------------------------------------------- */

static void
add_server(const struct view *view)
{
    const struct acme_json_value *server = acme_json_flat_get(
        acme_status_reader_get(view->reader, ACME_AREA_SERVER), "server");
    time_t since = acme_status_reader_time(server, "since");

    if (server == NULL)
        return;
    add(view, "<p class=\"server\">");
    acme_html_text(view->out, acme_status_reader_str(server, "name"));
    add(view, ", ACME ");
    acme_html_text(view->out, acme_status_reader_str(server, "version"));
    if (since != 0) {
        add(view, ", up since ");
        acme_page_time(view->out, since);
    }
    add(view, "</p>\n");
}

static void
add_silence(const struct view *view)
{
    time_t beat = acme_area_last_beat(view->page->area);

    if (acme_status_is_alive(view->page->area, view->page->now))
        return;
    add(view, "<p class=\"note bad\">Nothing renews certificates at the "
              "moment: the processes beside the server were ");
    if (beat == 0) {
        add(view, "not heard of yet");
    } else {
        add(view, "last heard of ");
        acme_page_when(view->out, beat, view->page->now);
    }
    add(view, ". The server's error log says why.</p>\n");
}

/* The sentence to be read when there is time for one. */
static void
add_summary(const struct view *view)
{
    const struct acme_status_list *list = &view->list;
    const size_t troubled = acme_status_list_troubled(list);
    const char *s = list->total == 1 ? "" : "s";

    add(view, "<p class=\"summary\">");
    if (troubled > 0)
        acme_buf_addf(view->out,
            "<strong>%zu of %zu certificate%s %s "
            "attention.</strong>",
            troubled, list->total, s, troubled == 1 ? "needs" : "need");
    else if (list->total == list->unknown)
        acme_buf_addf(view->out,
            "%zu certificate%s, of which nothing is "
            "known yet.",
            list->total, s);
    else
        acme_buf_addf(view->out, "All is well with %zu certificate%s.",
            list->total, s);
    if (list->next != 0 && list->next > view->page->now) {
        add(view, " The next renewal is due ");
        acme_page_when(view->out, list->next, view->page->now);
        add(view, ".");
    }
    add(view, "</p>\n");
}

/* ---- addresses of lists ----------------------------------------------- */

static void
add_address(const struct view *view, enum acme_condition condition,
    size_t number)
{
    const char *text = view->page->filter.text;
    const char *before = "?";

    add(view, view->page->base);
    if (text[0] != '\0') {
        add(view, "?q=");
        acme_html_query(view->out, text);
        before = "&amp;";
    }
    if (condition != ACME_CONDITIONS) {
        acme_buf_addf(view->out, "%sstate=%s", before,
            acme_condition_word(condition));
        before = "&amp;";
    }
    acme_buf_addf(view->out, "%spage=%zu", before, number);
}

static void
add_count(const struct view *view, enum acme_condition condition, size_t n,
    const char *word)
{
    const bool chosen = view->page->filter.condition == condition;

    add(view, "<li><a href=\"");
    add_address(view, condition, 1);
    acme_buf_addf(view->out,
        "\"%s><b>%zu</b> <span class=\"state %s\">%s"
        "</span></a></li>\n",
        chosen ? " aria-current=\"true\"" : "", n,
        condition == ACME_CONDITIONS ? "all" : acme_page_class(condition),
        word);
}

static void
add_counts(const struct view *view)
{
    const struct acme_status_list *list = &view->list;
    int concern, i;

    add(view, "<nav aria-label=\"States\"><ul class=\"counts\">\n");
    add_count(view, ACME_CONDITIONS, list->total, "all");
    for (concern = ACME_CONCERN_URGENT; concern <= ACME_CONCERN_OLD; concern++)
        for (i = 0; i < ACME_CONDITIONS; i++) {
            enum acme_condition condition = (enum acme_condition)i;

            if (list->count[i] > 0 &&
                (int)acme_status_concern(condition) == concern)
                add_count(view, condition, list->count[i],
                    acme_condition_word(condition));
        }
    add(view, "</ul></nav>\n");
}

static void
add_form(const struct view *view)
{
    const struct acme_status_filter *filter = &view->page->filter;

    add(view, "<form class=\"filter\" role=\"search\" method=\"get\">\n"
              "<label for=\"q\">Filter</label>\n<input id=\"q\" name=\"q\" "
              "type=\"search\" maxlength=\"253\" autocomplete=\"off\" "
              "spellcheck=\"false\" placeholder=\"name, issuer or state\" "
              "value=\"");
    acme_html_text(view->out, filter->text);
    add(view, "\">\n");
    if (filter->condition != ACME_CONDITIONS)
        acme_buf_addf(view->out,
            "<input type=\"hidden\" name=\"state\" value=\"%s\">\n",
            acme_condition_word(filter->condition));
    add(view, "<noscript><button>Filter</button></noscript>\n</form>\n");
}

/* ---- rows ------------------------------------------------------------- */

static void
add_names(const struct view *view, const struct acme_json_value *json)
{
    const char *own = acme_status_reader_str(json, "name"), *name;
    const struct acme_json_value *at;
    size_t shown = 0, more = 0;

    more = (size_t)acme_status_reader_int(json, "names_omitted");
    at = acme_json_flat_first(acme_json_flat_get(json, "names"));
    for (; at != NULL; at = acme_json_flat_next(at)) {
        name = acme_json_flat_text(at);
        if (name == NULL || strcmp(name, own) == 0)
            continue;
        if (shown == NAMES_SHOWN) {
            more++;
            continue;
        }
        add(view, shown++ == 0 ? "<small class=\"names\">" : ", ");
        acme_html_text(view->out, name);
    }
    if (more > 0)
        acme_buf_addf(view->out, " and %zu more", more);
    if (shown > 0)
        add(view, "</small>");
}

static void
add_name_cell(const struct view *view, const struct acme_json_value *json)
{
    add(view, "<th role=\"rowheader\" scope=\"row\">");
    acme_page_link(view->out, view->page->base,
        acme_status_reader_str(json, "name"));
    if (acme_json_flat_true(acme_json_flat_get(json, "test_ca")))
        add(view, " <span class=\"tag\">test CA</span>");
    add_names(view, json);
    add(view, "</th>\n");
}

static void
add_life_cell(const struct view *view, const struct acme_json_value *json,
    enum acme_condition condition)
{
    const time_t now = view->page->now;
    const time_t from = acme_status_reader_time(json, "not_before");
    const time_t until = acme_status_reader_time(json, "not_after");
    const char *signer = acme_status_reader_str(json, "signed_by");

    acme_buf_addf(view->out, "<td role=\"cell\" class=\"valid %s\">",
        acme_page_class(condition));
    if (until == 0) {
        add(view, "no certificate yet</td>\n");
        return;
    }
    acme_page_life(view->out, from, until,
        acme_status_reader_time(json, "renew_at"), now);
    add(view, until > now ? "" : "ended ");
    acme_page_span(view->out, until > now ? until - now : now - until);
    add(view, until > now ? " left<small>until " : " ago<small>on ");
    acme_page_day(view->out, until);
    if (signer[0] != '\0') {
        add(view, ", by ");
        acme_html_text(view->out, signer);
    }
    add(view, "</small></td>\n");
}

static void
add_plan(const struct view *view, const struct acme_json_value *json)
{
    const time_t renewal = acme_status_reader_time(json, "renew_at");
    const char *why = acme_status_reader_str(json, "renew_why");

    if (acme_json_flat_true(acme_json_flat_get(json, "at_work"))) {
        add(view, "<p>It is being ordered.</p>");
    } else if (renewal > view->page->now) {
        add(view, "<p>Renews ");
        acme_page_when(view->out, renewal, view->page->now);
        add(view, "</p>");
    } else {
        add(view, "<p>");
        acme_html_text(view->out, acme_status_reader_str(json, "state_text"));
        add(view, "</p>");
        return;
    }
    if (why[0] != '\0') {
        add(view, "<small>");
        acme_html_text(view->out, why);
        add(view, "</small>");
    }
}

/* What others have said, for whoever wants to know it here already. */
static void
add_detail(const struct view *view, const struct acme_json_value *json)
{
    const struct acme_json_value *error = acme_json_flat_get(json, "error");
    const char *detail = acme_status_reader_str(error, "detail");

    if (detail[0] == '\0')
        return;
    add(view, "<details><summary>What the CA says</summary><q>");
    acme_html_text(view->out, detail);
    add(view, "</q></details>");
}

static void
add_next_cell(const struct view *view, const struct acme_json_value *json,
    enum acme_condition condition)
{
    const bool failed = acme_json_flat_get(json, "error") != NULL;

    add(view, "<td role=\"cell\" class=\"plan\">");
    if (failed)
        acme_page_problem(view->out, json, view->page->now);
    else
        add_plan(view, json);
    if (failed)
        add_detail(view, json);
    if (view->page->admin &&
        acme_status_concern(condition) <= ACME_CONCERN_DOUBT)
        acme_page_renew(view->out, view->page->base,
            acme_status_reader_str(json, "name"));
    add(view, "</td>\n");
}

static void
add_row(const struct view *view, const struct acme_status_row *row)
{
    const struct acme_json_value *json =
        acme_status_reader_get(view->reader, row->lineage);

    if (json == NULL)
        return;
    add(view, "<tr role=\"row\">\n<td role=\"cell\">");
    acme_page_state(view->out, row->condition);
    add(view, "</td>\n");
    add_name_cell(view, json);
    add_life_cell(view, json, row->condition);
    add_next_cell(view, json, row->condition);
    add(view, "</tr>\n");
}

static void
add_rows(const struct view *view)
{
    const struct acme_status_list *list = &view->list;
    size_t i = (view->number - 1) * ACME_STATUS_ROWS;
    size_t end = i + ACME_STATUS_ROWS;

    add(view, "<table role=\"table\">\n<caption class=\"unseen\">Certificates,"
              " the most urgent first</caption>\n"
              "<thead role=\"rowgroup\"><tr role=\"row\">"
              "<th role=\"columnheader\" scope=\"col\">State</th>"
              "<th role=\"columnheader\" scope=\"col\">Certificate</th>"
              "<th role=\"columnheader\" scope=\"col\">Valid</th>"
              "<th role=\"columnheader\" scope=\"col\">What is next</th>"
              "</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for (; i < list->nrows && i < end && acme_buf_ok(view->out); i++)
        add_row(view, &list->row[i]);
    add(view, "</tbody></table>\n");
}

/* ---- what has happened ------------------------------------------------ */

static void
add_event(const struct view *view, const struct acme_json_value *event)
{
    const char *issuer = acme_status_reader_str(event, "issuer");
    const char *problem = acme_status_reader_str(event, "problem");
    const time_t at = acme_status_reader_time(event, "at");

    add(view, "<li>");
    acme_page_when(view->out, at, view->page->now);
    add(view, " ");
    acme_page_link(view->out, view->page->base,
        acme_status_reader_str(event, "lineage"));
    add(view, " ");
    if (strcmp(acme_status_reader_str(event, "event"), "errored") == 0) {
        add(view, "<span class=\"warn\">failed</span>");
        if (problem[0] != '\0') {
            add(view, ": ");
            acme_html_text(view->out, acme_status_words(problem, "problem"));
        }
    } else {
        acme_html_text(view->out, acme_status_reader_str(event, "text"));
        if (issuer[0] != '\0') {
            add(view, ", by ");
            acme_html_text(view->out, issuer);
        }
    }
    add(view, "</li>\n");
}

static void
add_history(const struct view *view)
{
    const struct acme_json_value *event =
        acme_json_flat_first(acme_json_flat_get(
            acme_status_reader_get(view->reader, ACME_AREA_SERVER), "recent"));

    if (event == NULL)
        return;
    add(view, "<section class=\"history\">\n<h2>Lately</h2>\n<ol>\n");
    for (; event != NULL; event = acme_json_flat_next(event))
        add_event(view, event);
    add(view, "</ol>\n</section>\n");
}

/* ---- which part ------------------------------------------------------- */

static void
add_found(const struct view *view)
{
    const struct acme_status_filter *filter = &view->page->filter;
    const size_t n = view->list.nrows;
    const size_t first = (view->number - 1) * ACME_STATUS_ROWS + 1;

    add(view, "<p class=\"found\" role=\"status\">");
    if (n == 0)
        add(view,
            filter->text[0] != '\0' || filter->condition != ACME_CONDITIONS
                ? "None is like that."
                : "There is none.");
    else if (view->parts > 1)
        acme_buf_addf(view->out, "%zu to %zu of %zu", first,
            n - first < ACME_STATUS_ROWS ? n : first + ACME_STATUS_ROWS - 1,
            n);
    else if (n < view->list.total)
        acme_buf_addf(view->out, "%zu of %zu", n, view->list.total);
    if (view->list.unknown > 0)
        acme_buf_addf(view->out, "%s%zu not known yet", n > 0 ? " - " : " ",
            view->list.unknown);
    add(view, "</p>\n");
}

static void
add_step(const struct view *view, size_t number, const char *rel,
    const char *text)
{
    acme_buf_addf(view->out, "<a rel=\"%s\" href=\"", rel);
    add_address(view, view->page->filter.condition, number);
    acme_buf_addf(view->out, "\">%s</a>\n", text);
}

static void
add_parts(const struct view *view)
{
    if (view->parts < 2)
        return;
    add(view, "<nav class=\"parts\" aria-label=\"Pages\">\n");
    if (view->number > 1)
        add_step(view, view->number - 1, "prev", "&larr; Previous");
    acme_buf_addf(view->out, "<span>Page %zu of %zu</span>\n", view->number,
        view->parts);
    if (view->number < view->parts)
        add_step(view, view->number + 1, "next", "Next &rarr;");
    add(view, "</nav>\n");
}

/* ---- the page --------------------------------------------------------- */

static void
choose_part(struct view *view)
{
    const size_t n = view->list.nrows, wanted = view->page->number;

    view->parts = n == 0 ? 1 : (n - 1) / ACME_STATUS_ROWS + 1;
    view->number = wanted == 0            ? 1
                   : wanted > view->parts ? view->parts
                                          : wanted;
}

bool
acme_status_page_list(const struct acme_status_page *page,
    struct acme_buf *out)
{
    struct view view = { .page = page, .out = out };

    view.reader = acme_status_reader_new(page->area);
    if (view.reader == NULL ||
        !acme_status_list_read(page->area, page->nlineages, &page->filter,
            &view.list)) {
        acme_status_reader_free(view.reader);
        return false;
    }
    choose_part(&view);
    acme_page_begin(out, NULL);
    add(&view, "<header>\n<h1>Certificates</h1>\n");
    add_server(&view);
    add(&view, "</header>\n<main>\n");
    add_form(&view);
    add(&view, "<div id=\"live\">\n");
    add_silence(&view);
    add_summary(&view);
    add_counts(&view);
    add_found(&view);
    if (view.list.nrows > 0)
        add_rows(&view);
    add_parts(&view);
    add_history(&view);
    add(&view, "</div>\n</main>\n");
    acme_page_end(out, true);
    acme_status_list_clear(&view.list);
    acme_status_reader_free(view.reader);
    return acme_buf_ok(out);
}

void
acme_status_page_error(const char *base, const char *why, struct acme_buf *out)
{
    acme_page_begin(out, NULL);
    acme_buf_add_str(out,
        "<main>\n<h1>Certificates</h1>\n<p class=\"summary\">"
        "<strong>That did not work: ");
    acme_html_text(out, why);
    acme_buf_addf(out,
        ".</strong></p>\n<p><a href=\"%s?\">All certificates</a></p>\n"
        "</main>\n",
        base);
    acme_page_end(out, false);
}

#include "state/acme_status_query.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/acme_name.h"
#include "state/acme_live_status.h"
#include "state/acme_metrics.h"
#include "state/acme_status_format.h"
#include "state/acme_status_page.h"
#include "state/acme_status_query_private.h"
#include "wrap/acme_html.h"

/* The document around the lineages. */
#define FRAME_MAX (64 * 1024)

/* HTML makes six bytes of one. */
#define PAGE_MAX ((size_t)6 * ACME_STATUS_BYTES * ACME_STATUS_ROWS + FRAME_MAX)

/* After which a store that has just started knows more (seconds). */
#define SOON 2

#define RENEW "/renew"

/* ---- what is asked for ------------------------------------------------ */

static int
hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at;

    if (c >= 'A' && c <= 'F')
        c = (char)(c - 'A' + 'a');
    at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* False: too long to be anything. */
static bool
decode(const char *text, size_t len, char *out, size_t size)
{
    size_t i, n = 0;

    for (i = 0; i < len && n + 1 < size; i++) {
        int high = -1, low = -1;

        if (text[i] == '%' && len - i > 2) {
            high = hex_digit(text[i + 1]);
            low = hex_digit(text[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    out[n] = '\0';
    return i == len && strlen(out) == n;
}

/* The value of the first one of that name in the arguments; NULL: none. */
static const char *
find_argument(const char *args, const char *name)
{
    const size_t len = strlen(name);

    while (args != NULL) {
        if (strncmp(args, name, len) == 0 && args[len] == '=')
            return args + len + 1;
        args = strchr(args, '&');
        args = args != NULL ? args + 1 : NULL;
    }
    return NULL;
}

/* The same decoded, "" if it is too long to be anything.  False: none. */
static bool
get_argument(const char *args, const char *name, char *out, size_t size)
{
    const char *value = find_argument(args, name);

    out[0] = '\0';
    if (value == NULL)
        return false;
    if (!decode(value, strcspn(value, "&"), out, size))
        out[0] = '\0';
    return true;
}

/* By its name, or by one of its identifiers. */
static bool
find(const struct acme_config *config, const char *text, size_t *lineage)
{
    char name[ACME_NAME_MAX + 1];

    return acme_config_find_lineage(config, text, lineage) ||
           (acme_name_from_host(text, strlen(text), name) &&
               acme_config_find_name(config, name, lineage));
}

/* ---- answers ---------------------------------------------------------- */

/* One query being answered. */
struct answer {
    const struct acme_config *config;
    const struct acme_area *area;
    const struct acme_status_policy *policy;
    const struct acme_status_query *query;
    enum acme_status_format format;
    const char *base; /* see struct acme_status_page */
    struct acme_status_reply *reply;
    struct acme_buf *body;
};

/* One too many, or too long a one, would be a mistake of ours. */
static void
set_field(struct acme_status_reply *reply, const char *name, const char *value)
{
    const size_t len = strlen(value) + 1;
    struct acme_status_field *field;

    if (reply->nfields == ACME_STATUS_FIELDS_MAX ||
        len > sizeof(reply->text) - reply->text_len)
        return;
    field = &reply->field[reply->nfields++];
    field->name = name;
    field->value = memcpy(reply->text + reply->text_len, value, len);
    reply->text_len += len;
}

static void
set_retry_after(struct acme_status_reply *reply, unsigned seconds)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", seconds);
    set_field(reply, "Retry-After", text);
}

/* `why` is ours, JSON as it is, and without a final stop. */
static void
say(struct answer *answer, int status, const char *why)
{
    answer->reply->status = status;
    acme_buf_reset(answer->body);
    if (answer->format == ACME_STATUS_HTML) {
        acme_status_page_error(answer->base, why, answer->body);
        return;
    }
    answer->reply->type = acme_status_format_type(ACME_STATUS_JSON);
    acme_buf_addf(answer->body, "{\"error\":\"%s\"}\n", why);
}

static void
say_no_memory(struct answer *answer)
{
    say(answer, 503, "there is not enough memory");
}

static void
say_unknown_yet(struct answer *answer)
{
    set_retry_after(answer->reply, SOON);
    say(answer, 503, "nothing is known of it yet");
}

static void
say_method(struct answer *answer, const char *allow)
{
    set_field(answer->reply, "Allow", allow);
    say(answer, 405, "the method is not one of this resource");
}

/* ---- for programs ----------------------------------------------------- */

static bool
is_known(const struct acme_status_query *query, const char *etag)
{
    const char *list = query->none_match;

    return list != NULL &&
           (strcmp(list, "*") == 0 || strstr(list, etag) != NULL);
}

static void
all_json(struct answer *answer)
{
    if (acme_live_status_all(answer->area, answer->config->nlineages,
            answer->body))
        acme_buf_add_str(answer->body, "\n");
    else
        say_no_memory(answer);
}

static void
one_json(struct answer *answer, size_t lineage)
{
    if (acme_live_status(answer->area, lineage, answer->body))
        acme_buf_add_str(answer->body, "\n");
    else
        say_unknown_yet(answer);
}

/* Pages and metrics change as time goes by: only this has a tag. */
static void
json(struct answer *answer, const size_t *lineage)
{
    char etag[32];

    (void)snprintf(etag, sizeof(etag), "\"%llx\"",
        (unsigned long long)acme_area_status_stamp(answer->area));
    if (is_known(answer->query, etag))
        answer->reply->status = 304;
    else if (lineage != NULL)
        one_json(answer, *lineage);
    else
        all_json(answer);
    if (answer->reply->status == 200 || answer->reply->status == 304)
        set_field(answer->reply, "ETag", etag);
}

/* ---- for people ------------------------------------------------------- */

static void
set_page_fields(struct acme_status_reply *reply)
{
    struct acme_buf policy;

    acme_buf_init(&policy, sizeof(reply->text));
    acme_status_page_policy(&policy);
    set_field(reply, "Content-Security-Policy", acme_buf_str(&policy));
    acme_buf_clear(&policy);
    /* "no-referrer" would take the Origin from our own form */
    set_field(reply, "Referrer-Policy", "same-origin");
}

/* Decimal, of a few digits; 0: none. */
static size_t
page_number(const char *text)
{
    size_t n = 0, i;

    for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 9; i++)
        n = n * 10 + (size_t)(text[i] - '0');
    return text[i] == '\0' ? n : 0;
}

static bool
read_filter(struct answer *answer, char text[ACME_NAME_MAX + 1],
    struct acme_status_page *page)
{
    const char *args = answer->query->args;
    char word[16];

    (void)get_argument(args, "q", text, ACME_NAME_MAX + 1);
    page->filter.text = text;
    page->filter.condition = ACME_CONDITIONS;
    page->number = 1;
    if (get_argument(args, "state", word, sizeof(word)) &&
        (page->filter.condition = acme_status_condition(word)) ==
            ACME_CONDITIONS) {
        say(answer, 400, "there is no such state");
        return false;
    }
    if (get_argument(args, "page", word, sizeof(word)) &&
        (page->number = page_number(word)) == 0) {
        say(answer, 400, "a page is a number, the first is 1");
        return false;
    }
    return true;
}

static void
html(struct answer *answer, const size_t *lineage)
{
    char text[ACME_NAME_MAX + 1];
    struct acme_status_page page = { .area = answer->area,
        .nlineages = answer->config->nlineages,
        .now = time(NULL),
        .admin = answer->policy->mode == ACME_STATUS_ADMIN,
        .base = answer->base };

    if (lineage != NULL) {
        if (!acme_status_page_one(&page, *lineage, answer->body))
            say_unknown_yet(answer);
    } else if (read_filter(answer, text, &page) &&
               !acme_status_page_list(&page, answer->body)) {
        say_no_memory(answer);
    }
}

/* ---- for monitoring --------------------------------------------------- */

static void
metrics(struct answer *answer, const size_t *lineage)
{
    const bool open = answer->format == ACME_STATUS_OPENMETRICS;

    if (lineage != NULL)
        say(answer, 400, "metrics are of all certificates");
    else if (!acme_metrics_render(answer->area, answer->config->nlineages,
                 time(NULL), open, answer->body))
        say_no_memory(answer);
}

/* ---- looking ---------------------------------------------------------- */

static void
show(struct answer *answer, const size_t *lineage)
{
    answer->reply->status = 200;
    if (answer->format == ACME_STATUS_HTML)
        html(answer, lineage);
    else if (answer->format != ACME_STATUS_JSON)
        metrics(answer, lineage);
    else
        json(answer, lineage);
}

/* "/NAME", or anything that is no place for the list. */
static bool
is_below(const char *path)
{
    return path[0] != '\0' && strcmp(path, "/") != 0;
}

static void
look(struct answer *answer)
{
    const struct acme_status_query *query = answer->query;
    char name[ACME_NAME_MAX + 1];
    const char *wanted = NULL;
    size_t lineage;

    if (is_below(query->path))
        wanted = query->path + 1;
    else if (get_argument(query->args, "name", name, sizeof(name)))
        wanted = name;
    if (wanted == NULL)
        show(answer, NULL);
    else if (find(answer->config, wanted, &lineage))
        show(answer, &lineage);
    else
        say(answer, 404, "this server has no such certificate");
}

/* ---- renewals --------------------------------------------------------- */

/* Seconds until a question is heard again; 0: now. */
static unsigned
rest_of(const struct acme_area *area, size_t lineage)
{
    const time_t now = time(NULL), rest = acme_area_rest(area, lineage);

    return rest > now && rest - now <= ACME_FORCE_INTERVAL
               ? (unsigned)(rest - now)
               : 0;
}

/* A browser goes on to what becomes of it. */
static void
say_asked(struct answer *answer, const char *name)
{
    struct acme_buf place;

    if (answer->format != ACME_STATUS_HTML) {
        answer->reply->status = 202;
        acme_buf_addf(answer->body,
            "{\"name\":\"%s\",\"renewal\":\"asked for\"}\n", name);
        return;
    }
    answer->reply->status = 303;
    acme_buf_init(&place, sizeof(answer->reply->text));
    acme_buf_addf(&place, "%s?name=", answer->base);
    acme_html_query(&place, name);
    set_field(answer->reply, "Location", acme_buf_str(&place));
    acme_buf_clear(&place);
}

static void
renew(struct answer *answer)
{
    const char *args = answer->query->args;
    char name[ACME_NAME_MAX + 1];
    unsigned rest;
    size_t lineage;

    if (!get_argument(args, "renew", name, sizeof(name)))
        (void)get_argument(args, "name", name, sizeof(name));
    if (name[0] == '\0') {
        say(answer, 400, "no certificate is named: add ?name=NAME");
    } else if (!find(answer->config, name, &lineage)) {
        say(answer, 404, "this server has no such certificate");
    } else if ((rest = rest_of(answer->area, lineage)) > 0) {
        set_retry_after(answer->reply, rest);
        say(answer, 429, "it was asked for not long ago");
    } else if (!acme_area_ask(answer->area, lineage)) {
        set_retry_after(answer->reply, SOON);
        say(answer, 429, "it is asked for already");
    } else {
        say_asked(answer, answer->config->lineage[lineage].name);
    }
}

/* ---- who gets what ---------------------------------------------------- */

/* False: it names one that there is not. */
static bool
choose_format(struct answer *answer)
{
    char word[16];

    answer->format = acme_status_format_accepted(answer->query->accept);
    return !get_argument(answer->query->args, "format", word, sizeof(word)) ||
           acme_status_format_parse(word, &answer->format);
}

static void
serve(struct answer *answer)
{
    const struct acme_status_query *query = answer->query;
    const bool posts = strcmp(query->method, "POST") == 0;
    const bool renews = strcmp(query->path, RENEW) == 0 ||
                        (posts && find_argument(query->args, "renew") != NULL);
    const bool looks = strcmp(query->method, "GET") == 0 ||
                       strcmp(query->method, "HEAD") == 0;
    const bool known = choose_format(answer);
    const char *why = acme_status_refusal(answer->policy, query);

    answer->reply->type = acme_status_format_type(answer->format);
    if (why == NULL && renews && posts)
        why = acme_status_admin_refusal(answer->policy, query);
    if (why != NULL)
        say(answer, 403, why);
    else if (renews && !posts)
        say_method(answer, "POST");
    else if (!renews && !looks)
        say_method(answer, "GET, HEAD");
    else if (!known)
        say(answer, 400,
            "there is no such format: json, html, openmetrics or prometheus");
    else if (answer->area == NULL)
        say(answer, 503, "no certificate is managed here");
    else if (renews)
        renew(answer);
    else
        look(answer);
}

void
acme_status_answer(const struct acme_config *config,
    const struct acme_area *area, const struct acme_status_policy *policy,
    const struct acme_status_query *query, struct acme_status_reply *reply,
    struct acme_buf *body)
{
    struct answer answer = { .config = config,
        .area = area,
        .policy = policy,
        .query = query,
        .base = is_below(query->path) ? "./" : "",
        .reply = reply,
        .body = body };

    memset(reply, 0, sizeof(*reply));
    acme_buf_init(body, PAGE_MAX);
    if (config != NULL)
        body->max += acme_metrics_max(config->nlineages);
    set_field(reply, "Cache-Control", ACME_STATUS_CACHE);
    set_field(reply, "X-Content-Type-Options", "nosniff");
    set_field(reply, "Vary", "Accept");
    serve(&answer);
    if (answer.format == ACME_STATUS_HTML)
        set_page_fields(reply);
}

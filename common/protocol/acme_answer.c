#include "protocol/acme_answer.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_time.h"

static void
clean_member(char *out, size_t size, const struct acme_json *object,
    const char *name)
{
    const char *text = acme_json_str(object, name);
    size_t len = text != NULL ? strlen(text) : 0;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--; /* Go's errors end their lines */
    acme_log_clean(out, size, text, len);
}

/* RFC 8555 6.7: its types share a prefix; those of others stay whole. */
static void
clean_type(char *out, size_t size, const struct acme_json *problem)
{
    static const char prefix[] = "urn:ietf:params:acme:error:";
    const char *text = acme_json_str(problem, "type");

    if (text == NULL)
        return;
    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0)
        text += sizeof(prefix) - 1;
    acme_log_clean(out, size, text, strlen(text));
}

/* RFC 8555 6.7.1 */
static void
read_subproblems(const struct acme_json *list, struct acme_error *err)
{
    const struct acme_json *problem;
    struct acme_subproblem *sub;
    size_t i, n = acme_json_count(list);

    err->nsub_total = (unsigned)n;
    for (i = 0; i < n && err->nsub < ACME_SUBPROBLEMS_MAX; i++) {
        problem = acme_json_at(list, i);
        sub = &err->sub[err->nsub++];
        clean_type(sub->type, sizeof(sub->type), problem);
        clean_member(sub->detail, sizeof(sub->detail), problem, "detail");
        clean_member(sub->identifier, sizeof(sub->identifier),
            acme_json_get(problem, "identifier"), "value");
    }
}

/* Where the first https URL of a text ends. */
static size_t
url_length(const char *url)
{
    size_t len = strcspn(url, " \t\r\n\"'<>()");

    while (len > 0 && strchr(".,;:", url[len - 1]) != NULL)
        len--;
    return len;
}

/* RFC 8555 7.3.3 has an "instance" for what a person has to do; Boulder
 * writes its portal's URL into the text.  One that was cut leads nowhere. */
static void
read_instance(const struct acme_json *problem, struct acme_error *err)
{
    const char *url = acme_json_str(problem, "instance");
    const char *detail = acme_json_str(problem, "detail");

    if (url == NULL && detail != NULL)
        url = strstr(detail, "https://");
    if (url != NULL && url_length(url) < sizeof(err->instance))
        acme_log_clean(err->instance, sizeof(err->instance), url,
            url_length(url));
}

enum acme_rc
acme_answer_problem(const struct acme_json *problem, const char *what,
    struct acme_error *err)
{
    if (err->rc != ACME_OK)
        return err->rc;
    acme_error_set(err, ACME_PROBLEM, "%s", what);
    clean_type(err->type, sizeof(err->type), problem);
    clean_member(err->detail, sizeof(err->detail), problem, "detail");
    read_instance(problem, err);
    read_subproblems(acme_json_get(problem, "subproblems"), err);
    return err->rc;
}

/*
 * Let's Encrypt tells the time in the text ("retry after 2026-09-21 12:00:00
 * UTC"), by its own clock.  Seconds from now; -1: it does not.
 */
static long
delay_in_text(const struct acme_error *err,
    const struct acme_http_response *response, time_t now)
{
    static const char words[] = "retry after ";
    const char *at = strstr(err->detail, words);
    char text[] = "0000-00-00T00:00:00Z";
    time_t then;

    if (at == NULL || strlen(at) < sizeof(words) - 1 + 19 + 4 ||
        memcmp(at + sizeof(words) - 1 + 19, " UTC", 4) != 0)
        return -1;
    memcpy(text, at + sizeof(words) - 1, 19);
    if (text[10] != ' ')
        return -1;
    text[10] = 'T';
    if (!acme_time_parse(text, &then))
        return -1;
    then -= response->date != 0 ? response->date : now;
    if (then > ACME_RETRY_AFTER_MAX)
        return ACME_RETRY_AFTER_MAX;
    return then < 0 ? -1 : (long)then;
}

/* A body that is no problem document (a proxy's page) says nothing: the
 * status does, whatever the content type claims. */
static enum acme_rc
read_failure(const struct acme_http_response *response, time_t now,
    struct acme_error *err)
{
    struct acme_json *problem = NULL;
    struct acme_error fault;
    char what[48];
    long delay = response->retry_after;

    if (err->rc != ACME_OK)
        return err->rc;
    acme_error_clear(&fault);
    if (acme_json_parse(acme_buf_str(&response->body), response->body.len,
            "problem", &problem, &fault) == ACME_NOMEM)
        return acme_error_nomem(err);
    snprintf(what, sizeof(what), "the CA answered %d", response->status);
    acme_answer_problem(problem, what, err);
    acme_json_free(problem);
    err->http_status = response->status;
    if (delay < 0)
        delay = delay_in_text(err, response, now);
    if (delay > ACME_RETRY_AFTER_MAX)
        delay = ACME_RETRY_AFTER_MAX;
    if (delay >= 0)
        err->retry_at = now + delay;
    return err->rc;
}

/* RFC 8555 uses two codes of success: 200, and 201 for what was made. */
enum acme_rc
acme_answer_judge(const struct acme_http_response *response, time_t now,
    struct acme_error *err)
{
    if (response->status == 200 || response->status == 201)
        return ACME_OK;
    if (response->status >= 400)
        return read_failure(response, now, err);
    if (err->rc != ACME_OK)
        return err->rc;
    acme_error_set(err, ACME_WIRE, "unexpected status %d", response->status);
    err->http_status = response->status;
    return err->rc;
}

enum acme_rc
acme_answer_object(const struct acme_http_response *response,
    struct acme_json **root, struct acme_error *err)
{
    struct acme_json *json = NULL;
    enum acme_rc rc;

    rc = acme_json_parse(acme_buf_str(&response->body), response->body.len,
        "answer", &json, err);
    if (rc == ACME_OK && !acme_json_is_object(json))
        rc = acme_error_set(err, ACME_WIRE, "answer is not a JSON object");
    if (rc != ACME_OK) {
        acme_json_free(json);
        return rc;
    }
    *root = json;
    return ACME_OK;
}

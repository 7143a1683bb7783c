#include "protocol/acme_renewal.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_time.h"
#include "protocol/acme_answer.h"
#include "wrap/acme_url.h"

/* RFC 9773 4.1: the URL, a slash, and the identifier, which is base64url with
 * a dot in it.  Some CAs end their URL with the slash. */
static enum acme_rc
make_url(const char *base, const char *ari_id, char url[ACME_URL_MAX],
    struct acme_error *err)
{
    size_t len = strlen(base);
    int n;

    if (len > 0 && base[len - 1] == '/')
        len--;
    n = snprintf(url, ACME_URL_MAX, "%.*s/%s", (int)len, base, ari_id);
    if (n < 0 || n >= ACME_URL_MAX)
        return acme_error_set(err, ACME_WIRE, "URL is too long");
    return ACME_OK;
}

static enum acme_rc
take_time(const struct acme_json *window, const char *name, time_t *t,
    struct acme_error *err)
{
    const char *text;
    enum acme_rc rc;

    rc = acme_json_need_str(window, name, 64, &text, err);
    if (rc == ACME_OK && !acme_time_parse(text, t))
        rc = acme_error_set(err, ACME_WIRE, "member \"%s\" is not a time",
            name);
    return rc;
}

/* RFC 9773 4.2 */
static enum acme_rc
take_window(const struct acme_json *window, struct acme_renewal *renewal,
    struct acme_error *err)
{
    enum acme_rc rc = take_time(window, "start", &renewal->start, err);

    if (rc == ACME_OK)
        rc = take_time(window, "end", &renewal->end, err);
    if (rc == ACME_OK && renewal->end <= renewal->start)
        rc = acme_error_set(err, ACME_WIRE, "it ends before it begins");
    return rc == ACME_OK ? rc : acme_error_wrap(err, "suggestedWindow");
}

static bool
is_visible(const char *text)
{
    while (*text > ' ' && *text < 0x7f)
        text++;
    return *text == '\0';
}

/* For people's eyes only, so one that is no good is no error. */
static enum acme_rc
take_explanation(const struct acme_json *root, struct acme_renewal *renewal,
    struct acme_error *err)
{
    const char *text = acme_json_str(root, "explanationURL");
    struct acme_error ignored;
    struct acme_url url;
    enum acme_rc rc;

    if (text == NULL || strlen(text) >= sizeof(renewal->explanation) ||
        !is_visible(text))
        return ACME_OK;
    acme_error_clear(&ignored);
    rc = acme_url_parse(text, ACME_WIRE, &url, &ignored);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc == ACME_OK)
        memcpy(renewal->explanation, text, strlen(text) + 1);
    return ACME_OK;
}

static enum acme_rc
read_renewal(const struct acme_http_response *response,
    struct acme_renewal *renewal, struct acme_error *err)
{
    struct acme_renewal read = { .retry_after = response->retry_after };
    struct acme_json *root = NULL;
    enum acme_rc rc;

    rc = acme_answer_object(response, &root, err);
    if (rc == ACME_OK)
        rc = take_window(acme_json_get(root, "suggestedWindow"), &read, err);
    if (rc == ACME_OK)
        rc = take_explanation(root, &read, err);
    if (rc == ACME_OK)
        *renewal = read;
    acme_json_free(root);
    return rc;
}

enum acme_rc
acme_renewal_get(struct acme_connection *connection, const char *ari_id,
    struct acme_renewal *renewal, struct acme_error *err)
{
    const struct acme_directory *directory;
    struct acme_http_response response;
    char url[ACME_URL_MAX];
    enum acme_rc rc;

    rc = acme_connection_directory(connection, &directory, err);
    if (rc != ACME_OK)
        return rc;
    if (directory->renewal_info[0] == '\0')
        return acme_error_set(err, ACME_NOENT,
            "the CA has no renewal information");
    acme_http_response_init(&response);
    rc = make_url(directory->renewal_info, ari_id, url, err);
    if (rc == ACME_OK)
        rc = acme_connection_get(connection, url, &response, err);
    if (rc == ACME_OK)
        rc = read_renewal(&response, renewal, err);
    acme_http_response_clear(&response);
    return rc == ACME_OK ? rc : acme_error_wrap(err, "renewal information");
}

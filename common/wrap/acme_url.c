#include "wrap/acme_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"

#define SCHEME "https://"
#define PLAIN "http://"
#define SHOWN_MAX 200

static const char out_of_memory[] = "out of memory";
static const char malformed[] = "is malformed";

/* Not tolower(), which asks the locale. */
static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
has_scheme(const char *text, const char *scheme)
{
    size_t i;

    for (i = 0; scheme[i] != '\0'; i++) {
        if (lower(text[i]) != scheme[i])
            return false;
    }
    return true;
}

/* Of a URL and of a reference; the reason why not or NULL. */
static const char *
check_chars(const char *text)
{
    size_t len = strlen(text);
    size_t i;

    if (len >= ACME_URL_MAX)
        return "is too long";
    for (i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '\\')
            return "has a character that no URL has";
    }
    return NULL;
}

/*
 * What we refuse and parsers disagree about; the reason or NULL.  A URL that
 * passes is signed and sent as it is written, so libcurl must not read
 * another host out of it than we do.
 */
static const char *
check_text(const char *text, const char *scheme)
{
    const char *authority = text + strlen(scheme);
    const char *reason = check_chars(text);
    size_t len;

    if (reason != NULL)
        return reason;
    if (!has_scheme(text, scheme))
        return strcmp(scheme, PLAIN) == 0 ? "is not an absolute http URL"
                                          : "is not an absolute https URL";
    if (strchr(text, '#') != NULL)
        return "has a fragment";
    len = strcspn(authority, "/?");
    if (memchr(authority, '@', len) != NULL)
        return "has user information";
    if (len == 0 || memchr(authority, '%', len) != NULL)
        return "has no usable host";
    return NULL;
}

/* One part of a parsed URL; the reason why not or NULL. */
static const char *
get(CURLU *parsed, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    const char *reason = NULL;
    CURLUcode code = curl_url_get(parsed, part, &text, flags);

    if (code != CURLUE_OK)
        reason = code == CURLUE_OUT_OF_MEMORY ? out_of_memory : malformed;
    else if ((size_t)snprintf(out, size, "%s", text) >= size)
        reason = "is too long";
    curl_free(text);
    return reason;
}

/* From "[::1]" or "Ca.Example" to "::1" and "ca.example". */
static const char *
clean_host(char *host, bool *brackets)
{
    const char *allowed = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t len = strlen(host);
    size_t i;

    *brackets = host[0] == '[';
    if (*brackets) {
        allowed = "0123456789abcdef:.";
        if (len < 2 || host[len - 1] != ']')
            return malformed;
        len -= 2;
        memmove(host, host + 1, len);
        host[len] = '\0';
    }
    for (i = 0; i < len; i++)
        host[i] = lower(host[i]);
    return len == 0 || strspn(host, allowed) != len ? "has no usable host"
                                                    : NULL;
}

static const char *
split(CURLU *parsed, const char *text, const char *scheme,
    struct acme_url *url)
{
    char port[8];
    bool brackets = false;
    const char *reason;
    CURLUcode code;

    code = curl_url_set(parsed, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    if (code != CURLUE_OK)
        return code == CURLUE_OUT_OF_MEMORY ? out_of_memory : malformed;
    reason = get(parsed, CURLUPART_HOST, 0, url->host, sizeof(url->host));
    if (reason == NULL)
        reason = clean_host(url->host, &brackets);
    if (reason == NULL)
        reason = get(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT, port,
            sizeof(port));
    if (reason == NULL)
        reason = get(parsed, CURLUPART_PATH, 0, url->path, sizeof(url->path));
    if (reason != NULL)
        return reason;
    if (strcmp(port, "0") == 0)
        return "has no usable port";
    snprintf(url->origin, sizeof(url->origin), "%s%s%s%s:%s", scheme,
        brackets ? "[" : "", url->host, brackets ? "]" : "", port);
    return NULL;
}

static enum acme_rc
refuse(const char *text, const char *reason, enum acme_rc rc,
    struct acme_error *err)
{
    char shown[SHOWN_MAX];

    if (reason == out_of_memory)
        return acme_error_nomem(err);
    acme_log_clean(shown, sizeof(shown), text, strlen(text));
    return acme_error_set(err, rc, "URL \"%s\" %s", shown, reason);
}

static enum acme_rc
parse(const char *text, const char *scheme, enum acme_rc rc,
    struct acme_url *url, struct acme_error *err)
{
    const char *reason = check_text(text, scheme);
    struct acme_url parts;
    CURLU *parsed;

    if (reason != NULL)
        return refuse(text, reason, rc, err);
    parsed = curl_url();
    if (parsed == NULL)
        return acme_error_nomem(err);
    memset(&parts, 0, sizeof(parts));
    reason = split(parsed, text, scheme, &parts);
    curl_url_cleanup(parsed);
    if (reason != NULL)
        return refuse(text, reason, rc, err);
    *url = parts;
    return ACME_OK;
}

enum acme_rc
acme_url_parse(const char *text, enum acme_rc rc, struct acme_url *url,
    struct acme_error *err)
{
    return parse(text, SCHEME, rc, url, err);
}

enum acme_rc
acme_url_parse_plain(const char *text, enum acme_rc rc, struct acme_url *url,
    struct acme_error *err)
{
    return parse(text, PLAIN, rc, url, err);
}

/* `reference` as seen from `base`; the reason why not or NULL. */
static const char *
join(const char *base, const char *reference, char out[ACME_URL_MAX])
{
    CURLU *parsed = curl_url();
    const char *reason = out_of_memory;
    CURLUcode code;

    if (parsed == NULL)
        return reason;
    code = curl_url_set(parsed, CURLUPART_URL, base, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_URL, reference, 0);
    if (code == CURLUE_OK)
        reason = get(parsed, CURLUPART_URL, 0, out, ACME_URL_MAX);
    else if (code != CURLUE_OUT_OF_MEMORY)
        reason = malformed;
    curl_url_cleanup(parsed);
    return reason;
}

bool
acme_url_is_link(const char *text)
{
    struct acme_error ignored;
    struct acme_url url;

    acme_error_clear(&ignored);
    return acme_url_parse(text, ACME_WIRE, &url, &ignored) == ACME_OK;
}

enum acme_rc
acme_url_resolve(const char *base, const char *reference,
    char out[ACME_URL_MAX], struct acme_error *err)
{
    char joined[ACME_URL_MAX];
    struct acme_url parts;
    const char *reason;

    /* One that is absolute is kept to the letter: it may be an account's
     * name, which the CA compares. */
    if (has_scheme(reference, SCHEME)) {
        if (acme_url_parse(reference, ACME_WIRE, &parts, err) != ACME_OK)
            return err->rc;
        memcpy(out, reference, strlen(reference) + 1);
        return ACME_OK;
    }
    reason = check_chars(reference);
    if (reason == NULL)
        reason = join(base, reference, joined);
    if (reason != NULL)
        return refuse(reference, reason, ACME_WIRE, err);
    if (acme_url_parse(joined, ACME_WIRE, &parts, err) != ACME_OK)
        return err->rc;
    memcpy(out, joined, strlen(joined) + 1);
    return ACME_OK;
}

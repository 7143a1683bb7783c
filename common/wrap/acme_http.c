#include "wrap/acme_http.h"

#include <string.h>

#include "base/acme_base64.h"

void
acme_http_response_init(struct acme_http_response *response)
{
    memset(response, 0, sizeof(*response));
    response->retry_after = -1;
    acme_buf_init(&response->body, 0);
}

void
acme_http_response_clear(struct acme_http_response *response)
{
    acme_buf_clear(&response->body);
    acme_http_response_init(response);
}

/* Header names and media types are ASCII: no locale may have a say. */
static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
equals(const char *text, size_t len, const char *word)
{
    size_t i;

    if (len != strlen(word))
        return false;
    for (i = 0; i < len; i++) {
        if (lower(text[i]) != word[i])
            return false;
    }
    return true;
}

/* A piece of a header line. */
struct piece {
    const char *p;
    size_t len;
};

static void
trim(struct piece *piece)
{
    while (piece->len > 0 && (*piece->p == ' ' || *piece->p == '\t')) {
        piece->p++;
        piece->len--;
    }
    while (piece->len > 0 && (piece->p[piece->len - 1] == ' ' ||
                                 piece->p[piece->len - 1] == '\t'))
        piece->len--;
}

/*
 * Cuts off what stands before the first `separator` that is in no quotes and
 * no angle brackets; false when nothing is left.
 */
static bool
cut(struct piece *rest, char separator, struct piece *first)
{
    bool quoted = false;
    bool angle = false;
    size_t i;

    if (rest->len == 0)
        return false;
    for (i = 0; i < rest->len; i++) {
        char c = rest->p[i];

        if (quoted && c == '\\' && i + 1 < rest->len)
            i++;
        else if (c == '"' && !angle)
            quoted = !quoted;
        else if (!quoted && (c == '<' || c == '>'))
            angle = c == '<';
        else if (!quoted && !angle && c == separator)
            break;
    }
    first->p = rest->p;
    first->len = i;
    i += i < rest->len;
    rest->p += i;
    rest->len -= i;
    trim(first);
    return true;
}

/* Visible ASCII that fits with its NUL: what an URL, a nonce or a media type
 * is made of. */
static bool
copy(char *out, size_t size, struct piece text)
{
    size_t i;

    if (text.len >= size)
        return false;
    for (i = 0; i < text.len; i++) {
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    }
    memcpy(out, text.p, text.len);
    out[text.len] = '\0';
    return true;
}

static void
add_link(struct acme_http_response *response, struct piece rel,
    struct piece url)
{
    struct acme_http_link *link = &response->link[response->nlinks];

    if (response->nlinks < ACME_HTTP_LINKS_MAX && rel.len > 0 &&
        copy(link->rel, sizeof(link->rel), rel) &&
        copy(link->url, sizeof(link->url), url))
        response->nlinks++;
}

/* One link: `<URL>; rel="a b"; title=...`.  Only its first rel counts
 * (RFC 8288 3.3), which may name several relations. */
static void
take_link(struct acme_http_response *response, struct piece link)
{
    struct piece url;
    struct piece param;
    struct piece rel;

    if (!cut(&link, ';', &url) || url.len < 2 || url.p[0] != '<' ||
        url.p[url.len - 1] != '>')
        return;
    url.p++;
    url.len -= 2;
    while (cut(&link, ';', &param)) {
        struct piece value = param;

        if (!cut(&value, '=', &rel) || !equals(rel.p, rel.len, "rel"))
            continue;
        trim(&value);
        if (value.len >= 2 && value.p[0] == '"' &&
            value.p[value.len - 1] == '"') {
            value.p++;
            value.len -= 2;
        }
        while (cut(&value, ' ', &rel))
            add_link(response, rel, url);
        return;
    }
}

static void
take_content_type(struct acme_http_response *response, struct piece value)
{
    char *c = response->content_type;
    struct piece type;

    if (!cut(&value, ';', &type) ||
        !copy(c, sizeof(response->content_type), type))
        return;
    for (; *c != '\0'; c++)
        *c = lower(*c);
}

void
acme_http_response_header(struct acme_http_response *response,
    const char *name, size_t name_len, const char *value, size_t value_len)
{
    struct piece text = { value, value_len };
    struct piece link;

    trim(&text);
    if (equals(name, name_len, "content-type")) {
        take_content_type(response, text);
    } else if (equals(name, name_len, "location")) {
        copy(response->location, sizeof(response->location), text);
    } else if (equals(name, name_len, "replay-nonce")) {
        /* RFC 8555 6.5.1: one that is not base64url is ignored */
        if (acme_base64_is(text.p, text.len))
            copy(response->nonce, sizeof(response->nonce), text);
    } else if (equals(name, name_len, "link")) {
        while (cut(&text, ',', &link))
            take_link(response, link);
    }
}

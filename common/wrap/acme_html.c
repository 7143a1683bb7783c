#include "wrap/acme_html.h"

#include <string.h>

#include "wrap/acme_url.h"

void
acme_html_text(struct acme_buf *out, const char *text)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
        { '"', "&quot;" }, { '\'', "&#39;" } };
    size_t plain, i;

    for (; *text != '\0'; text += plain + 1) {
        plain = strcspn(text, "&<>\"'");
        acme_buf_add(out, text, plain);
        if (text[plain] == '\0')
            return;
        for (i = 0; text[plain] != entities[i].c;)
            i++;
        acme_buf_add_str(out, entities[i].entity);
    }
}

static bool
is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

void
acme_html_query(struct acme_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (is_plain(*text))
            acme_buf_add(out, text, 1);
        else
            acme_buf_addf(out, "%%%02X", (unsigned char)*text);
    }
}

void
acme_html_link(struct acme_buf *out, const char *url, const char *text)
{
    if (!acme_url_is_link(url)) {
        acme_html_text(out, url);
        return;
    }
    acme_buf_add_str(out, "<a href=\"");
    acme_html_text(out, url);
    acme_buf_add_str(out, "\" rel=\"noopener noreferrer\">");
    acme_html_text(out, text);
    acme_buf_add_str(out, "</a>");
}

#include "state/acme_zone.h"

#include <string.h>

/* RFC 1035 3.3: a character-string. */
#define STRING_MAX 255

/* In quotes a semicolon begins no comment; what is not printable is written
 * as its number. */
static void
add_string(struct acme_buf *out, const char *text, size_t len)
{
    size_t i;

    acme_buf_add_str(out, "\"");
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            acme_buf_addf(out, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            acme_buf_addf(out, "\\%03u", (unsigned)c);
        else
            acme_buf_add(out, &c, 1);
    }
    acme_buf_add_str(out, "\"");
}

static void
add_owner(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *type)
{
    acme_buf_addf(out, "%s. %u IN %s ", owner, ttl, type);
}

void
acme_zone_txt(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *text, size_t len)
{
    size_t part;

    add_owner(out, owner, ttl, "TXT");
    do {
        part = len < STRING_MAX ? len : STRING_MAX;
        add_string(out, text, part);
        text += part;
        len -= part;
        if (len > 0)
            acme_buf_add_str(out, " ");
    } while (len > 0);
}

void
acme_zone_caa(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *tag, const char *value)
{
    add_owner(out, owner, ttl, "CAA");
    acme_buf_addf(out, "0 %s ", tag);
    add_string(out, value, strlen(value));
}

void
acme_zone_cname(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *target)
{
    add_owner(out, owner, ttl, "CNAME");
    acme_buf_addf(out, "%s.", target);
}

#include "base/acme_name.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Not tolower(), which asks the locale. */
static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
is_label_char(char c)
{
    c = lower(c);
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
}

/* What is wrong with the characters, before labels are looked at. */
static const char *
check_chars(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0x80)
            return "is not ASCII: write its A-label form (xn--...)";
        if (text[i] == '_')
            return "has an underscore: no CA issues for it";
        if (text[i] == '[' || text[i] == ']')
            return "has brackets: write an IPv6 address without them";
        if (text[i] == '*' && (i != 0 || len < 2 || text[1] != '.'))
            return "has a \"*\" that is not its whole first label";
        if (!is_label_char(text[i]) && text[i] != '.' && text[i] != '*')
            return "has a character other than letters, digits, hyphens "
                   "and dots";
    }
    return NULL;
}

static const char *
check_label(const char *label, size_t len)
{
    if (len == 0)
        return "has an empty label: check its dots";
    if (len > LABEL_MAX)
        return "has a label of more than 63 characters";
    if (label[0] == '-' || label[len - 1] == '-')
        return "has a label that begins or ends with a hyphen";
    return NULL;
}

static bool
all_digits(const char *text, size_t len)
{
    while (len > 0 && is_digit(*text)) {
        text++;
        len--;
    }
    return len == 0;
}

/* The reason why `name` is no DNS name; NULL if it is one. */
static const char *
check_dns(const char *name)
{
    const char *label = name;
    const char *reason = check_chars(name, strlen(name));
    size_t labels = 0;
    size_t len;

    if (reason != NULL)
        return reason;
    if (label[0] == '*')
        label += 2; /* check_chars() saw "*." */
    for (;;) {
        len = strcspn(label, ".");
        reason = check_label(label, len);
        if (reason != NULL)
            return reason;
        labels++;
        if (label[len] == '\0')
            break;
        label += len + 1;
    }
    if (all_digits(label, len))
        return "ends in a label of digits only and is no IPv4 address";
    if (name[0] == '*' && labels < 2)
        return "is a wildcard for a top-level domain";
    return NULL;
}

/* inet_pton() takes "::1" and "1.2.3.4" only: no zone, no short forms. */
static bool
canonical_ip(const char *text, char out[ACME_NAME_MAX + 1])
{
    int family = strchr(text, ':') == NULL ? AF_INET : AF_INET6;
    struct in6_addr address;

    return inet_pton(family, text, &address) == 1 &&
           inet_ntop(family, &address, out, ACME_NAME_MAX + 1) != NULL;
}

/* The reason why the text is no identifier; NULL if `out` has it. */
static const char *
canonical(const char *text, size_t len, char out[ACME_NAME_MAX + 1])
{
    char name[ACME_NAME_MAX + 1];
    const char *reason;
    size_t i;

    if (len == 0)
        return "is empty";
    if (len > ACME_NAME_MAX)
        return "is longer than 253 characters";
    if (memchr(text, '\0', len) != NULL)
        return "has a NUL byte";
    for (i = 0; i < len; i++)
        name[i] = lower(text[i]);
    name[len] = '\0';
    if (canonical_ip(name, out))
        return NULL;
    reason = check_dns(name);
    if (reason == NULL)
        memcpy(out, name, len + 1);
    return reason;
}

enum acme_rc
acme_name_parse(const char *text, size_t len, char out[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    const char *reason = canonical(text, len, out);
    char shown[ACME_NAME_MAX + 1];

    if (reason == NULL)
        return ACME_OK;
    acme_log_clean(shown, sizeof(shown), text, len);
    return acme_error_set(err, ACME_CONFIG, "name \"%s\" %s", shown, reason);
}

bool
acme_name_is_ip(const char *name)
{
    char out[ACME_NAME_MAX + 1];

    return canonical_ip(name, out);
}

bool
acme_name_is_wildcard(const char *name)
{
    return name[0] == '*';
}

bool
acme_name_covers(const char *certificate_name, const char *name)
{
    const char *rest = strchr(name, '.');

    if (strcmp(certificate_name, name) == 0)
        return true;
    return acme_name_is_wildcard(certificate_name) && rest != NULL &&
           !acme_name_is_ip(name) && strcmp(certificate_name + 1, rest) == 0;
}

/* What follows the name: nothing or ":port", the number perhaps empty. */
static bool
is_port(const char *text, size_t len)
{
    return len == 0 || (text[0] == ':' && all_digits(text + 1, len - 1));
}

bool
acme_name_from_host(const char *host, size_t len, char out[ACME_NAME_MAX + 1])
{
    bool brackets = len > 0 && host[0] == '[';
    const char *name = brackets ? host + 1 : host;
    const char *all = host + len;
    const char *end;

    if (len == 0 || host[0] == '*')
        return false;
    end = memchr(host, brackets ? ']' : ':', len);
    if (brackets) {
        if (end == NULL || !is_port(end + 1, (size_t)(all - end - 1)) ||
            memchr(name, ':', (size_t)(end - name)) == NULL)
            return false;
    } else {
        if (end == NULL || !is_port(end, (size_t)(all - end)))
            end = all; /* perhaps an IPv6 address without brackets */
        if (end > name && end[-1] == '.')
            end--;
    }
    return canonical(name, (size_t)(end - name), out) == NULL;
}

/* ---- addresses as names ----------------------------------------------- */

#define NIBBLES 32 /* of an IPv6 address */

/* Whether `name` ends so; *len is what comes before. */
static bool
ends_with(const char *name, const char *end, size_t *len)
{
    size_t all = strlen(name), tail = strlen(end);

    if (all <= tail || strcmp(name + all - tail, end) != 0)
        return false;
    *len = all - tail;
    return true;
}

/* "4.3.2.1" to "1.2.3.4": its parser sees what is no address. */
static bool
reverse_ipv4(const char *name, size_t len, char out[ACME_NAME_MAX + 1])
{
    char text[INET_ADDRSTRLEN];
    size_t start, at = 0;

    if (len >= sizeof(text))
        return false;
    for (; len > 0; len = start > 0 ? start - 1 : 0) {
        for (start = len; start > 0 && name[start - 1] != '.'; start--)
            ;
        memcpy(text + at, name + start, len - start);
        at += len - start;
        text[at++] = '.';
    }
    text[at - 1] = '\0';
    return strchr(text, ':') == NULL && canonical_ip(text, out);
}

/* "b.a.9.8. ..." to "...:89ab". */
static bool
reverse_ipv6(const char *name, size_t len, char out[ACME_NAME_MAX + 1])
{
    char text[NIBBLES + NIBBLES / 4], *to = text;
    size_t i;

    if (len != 2 * NIBBLES - 1)
        return false;
    for (i = 0; i < NIBBLES; i++) {
        if (i > 0 && (i % 4 == 0))
            *to++ = ':';
        *to++ = name[len - 1 - 2 * i];
        if (i > 0 && name[len - 2 * i] != '.')
            return false;
    }
    *to = '\0';
    return canonical_ip(text, out);
}

bool
acme_name_from_arpa(const char *name, char out[ACME_NAME_MAX + 1])
{
    size_t len;

    if (ends_with(name, ".in-addr.arpa", &len))
        return reverse_ipv4(name, len, out);
    return ends_with(name, ".ip6.arpa", &len) && reverse_ipv6(name, len, out);
}

bool
acme_name_to_arpa(const char *address, char out[ACME_NAME_MAX + 1])
{
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t i, len = 0;

    if (inet_pton(AF_INET, address, bytes) == 1) {
        (void)snprintf(out, ACME_NAME_MAX + 1, "%u.%u.%u.%u.in-addr.arpa",
            bytes[3], bytes[2], bytes[1], bytes[0]);
        return true;
    }
    if (inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    for (i = sizeof(bytes); i > 0; i--)
        len += (size_t)snprintf(out + len, ACME_NAME_MAX + 1 - len, "%x.%x.",
            bytes[i - 1] & 15u, bytes[i - 1] >> 4);
    (void)snprintf(out + len, ACME_NAME_MAX + 1 - len, "ip6.arpa");
    return true;
}

enum acme_rc
acme_lineage_name_check(const char *name, struct acme_error *err)
{
    size_t len = strlen(name);
    char shown[ACME_LINEAGE_MAX + 1];
    const char *reason = NULL;
    size_t i;

    if (len == 0)
        reason = "is empty";
    else if (len > ACME_LINEAGE_MAX)
        reason = "is longer than 200 bytes";
    else if (name[0] == '.' || name[0] == '-')
        reason = "begins with a dot or a hyphen";
    for (i = 0; reason == NULL && i < len; i++) {
        if (!is_label_char(name[i]) && strchr("._:", name[i]) == NULL)
            reason = "has a character other than letters, digits and "
                     "\".\", \"_\", \":\", \"-\"";
    }
    if (reason == NULL)
        return ACME_OK;
    acme_log_clean(shown, sizeof(shown), name, len);
    return acme_error_set(err, ACME_CONFIG, "lineage name \"%s\" %s", shown,
        reason);
}

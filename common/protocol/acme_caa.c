#include "protocol/acme_caa.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/acme_log.h"

#define CRITICAL 0x80u

/* Of the value of one "issue" or "issuewild" (RFC 8659 4.2). */
struct value {
    const char *domain; /* of the issuer */
    size_t domain_len;  /* 0: nobody */
    unsigned naccounts, nmethods;
    bool other_account; /* it does not name the asker's account, */
    bool account_asked; /* of which nothing is known; */
    bool other_method;  /* nor the way of validation */
    bool method_asked;
};

/* ---- reading a value -------------------------------------------------- */

struct text {
    const char *at, *end;
};

static void
skip_space(struct text *text)
{
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
        text->at++;
}

static bool
take_char(struct text *text, char c)
{
    if (text->at == text->end || *text->at != c)
        return false;
    text->at++;
    return true;
}

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

/* Letters, digits and hyphens, and dots of a domain. */
static size_t
take_word(struct text *text, bool dots)
{
    const char *from = text->at;

    while (text->at < text->end && (is_alnum(*text->at) || *text->at == '-' ||
                                       (dots && *text->at == '.')))
        text->at++;
    return (size_t)(text->at - from);
}

/* RFC 8659 4.2: printable, and no semicolon. */
static size_t
take_value(struct text *text)
{
    const char *from = text->at;

    while (text->at<text->end && * text->at> 0x20 && *text->at < 0x7f &&
           *text->at != ';')
        text->at++;
    return (size_t)(text->at - from);
}

static bool
is_text(const char *text, size_t len, const char *known)
{
    return len == strlen(known) && memcmp(text, known, len) == 0;
}

static bool
is_tag(const char *tag, size_t len, const char *known)
{
    return len == strlen(known) && strncasecmp(tag, known, len) == 0;
}

/* RFC 8657 4: a list with commas. */
static bool
has_method(const char *list, size_t len, const char *method)
{
    const char *end = list + len, *comma;

    for (; list <= end; list = comma + 1) {
        comma = memchr(list, ',', (size_t)(end - list));
        if (comma == NULL)
            comma = end;
        if (is_text(list, (size_t)(comma - list), method))
            return true;
    }
    return false;
}

static void
take_parameter(struct value *value, const struct acme_caa_asker *asker,
    const char *tag, size_t tag_len, const char *text, size_t len)
{
    if (is_tag(tag, tag_len, "accounturi")) {
        value->naccounts++;
        value->account_asked = asker->account == NULL;
        value->other_account =
            asker->account != NULL && !is_text(text, len, asker->account);
    } else if (is_tag(tag, tag_len, "validationmethods")) {
        value->nmethods++;
        value->method_asked = asker->method == NULL;
        value->other_method =
            asker->method != NULL && !has_method(text, len, asker->method);
    }
}

static bool
take_parameters(struct text *text, const struct acme_caa_asker *asker,
    struct value *value)
{
    const char *tag, *word;
    size_t tag_len, len;

    for (;;) {
        skip_space(text);
        tag = text->at;
        tag_len = take_word(text, false);
        skip_space(text);
        if (tag_len == 0 || !take_char(text, '='))
            return false;
        skip_space(text);
        word = text->at;
        len = take_value(text);
        take_parameter(value, asker, tag, tag_len, word, len);
        skip_space(text);
        if (text->at == text->end)
            return true;
        if (!take_char(text, ';'))
            return false;
    }
}

/* What does not obey the grammar is for nobody (RFC 8659 4.2). */
static void
parse_value(const struct acme_caa_property *property,
    const struct acme_caa_asker *asker, struct value *value)
{
    struct text text = { property->value,
        property->value + property->value_len };
    bool good = true;

    memset(value, 0, sizeof(*value));
    skip_space(&text);
    value->domain = text.at;
    value->domain_len = take_word(&text, true);
    skip_space(&text);
    if (take_char(&text, ';')) {
        skip_space(&text);
        if (text.at < text.end)
            good = take_parameters(&text, asker, value);
    }
    if (!good || text.at < text.end)
        value->domain_len = 0;
}

/* ---- judging ---------------------------------------------------------- */

static bool
is_property(const struct acme_caa_property *property, const char *tag)
{
    return is_tag(property->tag, property->tag_len, tag);
}

/* RFC 8659 4.2-4.4, RFC 9495, and contacts of the CA/Browser Forum. */
static bool
is_known(const struct acme_caa_property *property)
{
    static const char *const known[] = { "issue", "issuewild", "iodef",
        "issuemail", "issuevmc", "contactemail", "contactphone" };
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (is_property(property, known[i]))
            return true;
    return false;
}

static bool
is_asker(const struct value *value, const struct acme_caa_asker *asker)
{
    size_t i;

    for (i = 0; i < asker->nidentities; i++)
        if (is_tag(value->domain, value->domain_len, asker->identity[i]))
            return true;
    return false;
}

/* What the records come to. */
struct sum {
    unsigned nissuers; /* that anything is issued by at all */
    unsigned nown;     /* of these, the asker's */
    bool allowed, unknown;
    bool account, method; /* what does not fit in the asker's */
    char issuers[160];
};

static void
add_issuer(struct sum *sum, const struct value *value)
{
    size_t len = strlen(sum->issuers);
    char clean[80];

    sum->nissuers++;
    acme_log_clean(clean, sizeof(clean), value->domain, value->domain_len);
    (void)snprintf(sum->issuers + len, sizeof(sum->issuers) - len, "%s\"%s\"",
        len > 0 ? ", " : "", clean);
}

static void
add_value(struct sum *sum, const struct value *value,
    const struct acme_caa_asker *asker)
{
    /* RFC 8657 3 and 4: more than one cannot be satisfied. */
    const bool account = value->other_account || value->naccounts > 1;
    const bool method = value->other_method || value->nmethods > 1;

    if (value->domain_len == 0)
        return;
    add_issuer(sum, value);
    if (asker->nidentities == 0) {
        sum->unknown = true;
        return;
    }
    if (!is_asker(value, asker))
        return;
    sum->nown++;
    sum->account = sum->account || account;
    sum->method = sum->method || method;
    if (account || method)
        return;
    if (value->account_asked || value->method_asked)
        sum->unknown = true;
    else
        sum->allowed = true;
}

static enum acme_caa_answer
conclude(const struct sum *sum, const struct acme_caa_asker *asker, char *why,
    size_t size)
{
    if (sum->allowed) {
        (void)snprintf(why, size, "allow it");
        return ACME_CAA_ALLOWED;
    }
    if (sum->unknown && asker->nidentities == 0) {
        (void)snprintf(why, size,
            "allow %s; the CA does not say whether that is it", sum->issuers);
        return ACME_CAA_UNKNOWN;
    }
    if (sum->unknown) {
        (void)snprintf(why, size,
            "allow one account at the CA, and there is "
            "none of ours yet");
        return ACME_CAA_UNKNOWN;
    }
    if (sum->nown > 0 && sum->account)
        (void)snprintf(why, size, "allow another account at the CA, not %s",
            asker->account != NULL ? asker->account : "more than one");
    else if (sum->nown > 0)
        (void)snprintf(why, size, "do not allow %s at the CA",
            asker->method != NULL ? asker->method : "this validation method");
    else if (sum->nissuers > 0)
        (void)snprintf(why, size, "allow %s, not \"%s\"", sum->issuers,
            asker->nidentities > 0 ? asker->identity[0] : "?");
    else
        (void)snprintf(why, size, "allow no CA at all");
    return ACME_CAA_FORBIDDEN;
}

/* A wildcard's own records count where there are some (RFC 8659 4.3). */
static const char *
choose_tag(const struct acme_caa_property *property, size_t n, bool wildcard)
{
    size_t i;

    for (i = 0; i < n && wildcard; i++)
        if (is_property(&property[i], "issuewild"))
            return "issuewild";
    return "issue";
}

enum acme_caa_answer
acme_caa_judge(const struct acme_caa_property *property, size_t n,
    const struct acme_caa_asker *asker, char *why, size_t size)
{
    const char *tag = choose_tag(property, n, asker->wildcard);
    struct value value;
    struct sum sum;
    char clean[80];
    size_t i, found = 0;

    memset(&sum, 0, sizeof(sum));
    for (i = 0; i < n; i++) {
        if ((property[i].flags & CRITICAL) != 0 && !is_known(&property[i])) {
            acme_log_clean(clean, sizeof(clean), property[i].tag,
                property[i].tag_len);
            (void)snprintf(why, size,
                "have a critical \"%s\", which CAs do not know", clean);
            return ACME_CAA_FORBIDDEN;
        }
        if (!is_property(&property[i], tag))
            continue;
        found++;
        parse_value(&property[i], asker, &value);
        add_value(&sum, &value, asker);
    }
    if (found > 0)
        return conclude(&sum, asker, why, size);
    (void)snprintf(why, size, "say nothing of who may issue");
    return ACME_CAA_ALLOWED;
}

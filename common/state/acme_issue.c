#include "state/acme_issue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_name.h"

/* ---- the value -------------------------------------------------------- */

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct acme_issue_text
trim(const char *from, const char *to)
{
    struct acme_issue_text text;

    while (from < to && is_space(*from))
        from++;
    while (to > from && is_space(to[-1]))
        to--;
    text.at = from;
    text.len = (size_t)(to - from);
    return text;
}

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* tag = (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT)); a label of the issuer's
 * domain is of the same form. */
static bool
is_tag(const struct acme_issue_text *text)
{
    size_t i;

    for (i = 0; i < text->len; i++)
        if (!is_alnum(text->at[i]) && text->at[i] != '-')
            return false;
    return text->len > 0 && text->at[0] != '-' &&
           text->at[text->len - 1] != '-';
}

/* value = *(%x21-3A / %x3C-7E) */
static bool
is_value(const struct acme_issue_text *text)
{
    size_t i;

    for (i = 0; i < text->len; i++)
        if (text->at[i] < 0x21 || text->at[i] > 0x7e || text->at[i] == ';')
            return false;
    return true;
}

/* issuer-domain-name = label *("." label) */
static bool
is_domain(const struct acme_issue_text *text)
{
    const char *at = text->at, *end = text->at + text->len, *dot;

    for (;; at = dot + 1) {
        struct acme_issue_text label = { at, (size_t)(end - at) };

        dot = memchr(at, '.', label.len);
        if (dot != NULL)
            label.len = (size_t)(dot - at);
        if (!is_tag(&label))
            return false;
        if (dot == NULL)
            return true;
    }
}

static bool
same(const struct acme_issue_text *a, const struct acme_issue_text *b)
{
    return a->len == b->len && strncasecmp(a->at, b->at, a->len) == 0;
}

static bool
take_param(struct acme_issue *issue, const char *from, const char *to)
{
    const char *equals = memchr(from, '=', (size_t)(to - from));
    size_t n = issue->nparams, i;

    if (equals == NULL || n == ACME_ISSUE_PARAMS_MAX)
        return false;
    issue->param[n].tag = trim(from, equals);
    issue->param[n].value = trim(equals + 1, to);
    for (i = 0; i < n; i++)
        if (same(&issue->param[i].tag, &issue->param[n].tag))
            return false;
    issue->nparams++;
    return is_tag(&issue->param[n].tag) && is_value(&issue->param[n].value);
}

bool
acme_issue_parse(const char *text, size_t len, struct acme_issue *issue)
{
    const char *end = text + len, *semicolon = memchr(text, ';', len);
    struct acme_issue_text rest;

    memset(issue, 0, sizeof(*issue));
    issue->issuer = trim(text, semicolon != NULL ? semicolon : end);
    if (issue->issuer.len > 0 && !is_domain(&issue->issuer))
        return false;
    if (semicolon == NULL)
        return true;
    rest = trim(semicolon + 1, end);
    if (rest.len == 0)
        return true;
    do {
        text = semicolon + 1;
        semicolon = memchr(text, ';', (size_t)(end - text));
        if (!take_param(issue, text, semicolon != NULL ? semicolon : end))
            return false;
    } while (semicolon != NULL);
    return true;
}

const struct acme_issue_text *
acme_issue_get(const struct acme_issue *issue, const char *tag)
{
    size_t i;

    for (i = 0; i < issue->nparams; i++)
        if (acme_issue_is_like(&issue->param[i].tag, tag))
            return &issue->param[i].value;
    return NULL;
}

bool
acme_issue_is(const struct acme_issue_text *text, const char *wanted)
{
    return text->len == strlen(wanted) &&
           memcmp(text->at, wanted, text->len) == 0;
}

bool
acme_issue_is_like(const struct acme_issue_text *text, const char *wanted)
{
    return text->len == strlen(wanted) &&
           strncasecmp(text->at, wanted, text->len) == 0;
}

/* ---- dns-persist-01 --------------------------------------------------- */

void
acme_persist_render(const struct acme_persist *persist, struct acme_buf *out)
{
    acme_buf_addf(out, "%s; accounturi=%s", persist->issuer, persist->account);
    if (persist->wildcard)
        acme_buf_add_str(out, "; policy=wildcard");
    if (persist->until != 0)
        acme_buf_addf(out, "; persistUntil=%lld", (long long)persist->until);
}

/* Whether it is a number of seconds, and past; false: no number. */
static bool
is_past(const struct acme_issue_text *text, time_t now, bool *past)
{
    char digits[24];
    long long until;

    if (text->len == 0 || text->len >= sizeof(digits))
        return false;
    memcpy(digits, text->at, text->len);
    digits[text->len] = '\0';
    if (strspn(digits, "0123456789") != text->len)
        return false;
    errno = 0;
    until = strtoll(digits, NULL, 10);
    *past = errno == 0 && until < (long long)now;
    return errno == 0;
}

enum acme_persist_verdict
acme_persist_judge(const char *text, size_t len,
    const struct acme_persist *persist, time_t now)
{
    const struct acme_issue_text *account, *policy, *until;
    struct acme_issue issue;
    bool good = acme_issue_parse(text, len, &issue), past = false;

    if (!acme_issue_is_like(&issue.issuer, persist->issuer))
        return ACME_PERSIST_OTHER;
    if (!acme_issue_is(&issue.issuer, persist->issuer))
        return ACME_PERSIST_MALFORMED; /* it must be one of the CA's list */
    account = acme_issue_get(&issue, "accounturi");
    policy = acme_issue_get(&issue, "policy");
    until = acme_issue_get(&issue, "persistUntil");
    if (!good || (until != NULL && !is_past(until, now, &past)))
        return ACME_PERSIST_MALFORMED;
    if (account == NULL || !acme_issue_is(account, persist->account))
        return ACME_PERSIST_ACCOUNT;
    if (persist->wildcard &&
        (policy == NULL || !acme_issue_is_like(policy, "wildcard")))
        return ACME_PERSIST_EXACT;
    return past ? ACME_PERSIST_EXPIRED : ACME_PERSIST_GOOD;
}

const char *
acme_persist_text(enum acme_persist_verdict verdict)
{
    static const char *const texts[] = {
        [ACME_PERSIST_NONE] = "there is no such record",
        [ACME_PERSIST_OTHER] = "it is not about this CA",
        [ACME_PERSIST_MALFORMED] = "it is malformed",
        [ACME_PERSIST_ACCOUNT] = "it is not about this account",
        [ACME_PERSIST_EXACT] = "it is not for wildcards",
        [ACME_PERSIST_EXPIRED] = "its persistUntil is over",
        [ACME_PERSIST_GOOD] = "good",
    };

    return texts[verdict];
}

/* ---- CAA -------------------------------------------------------------- */

void
acme_issue_caa(const struct acme_caa_wish *wish, struct acme_buf *out)
{
    size_t i;

    acme_buf_addf(out, "%s; accounturi=%s", wish->issuer, wish->account);
    for (i = 0; i < wish->nmethods; i++)
        acme_buf_addf(out, "%s%s", i == 0 ? "; validationmethods=" : ",",
            acme_challenge_name(wish->method[i]));
}

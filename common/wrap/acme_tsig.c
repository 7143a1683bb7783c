#include "wrap/acme_tsig.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void
acme_tsig_init(struct acme_tsig *key)
{
    memset(key, 0, sizeof(*key));
    acme_buf_init_secret(&key->secret, ACME_TSIG_SECRET_MAX);
}

void
acme_tsig_clear(struct acme_tsig *key)
{
    acme_buf_clear(&key->secret);
    key->name[0] = key->alg[0] = '\0';
}

/* ---- the parts -------------------------------------------------------- */

/* RFC 8945 6: those that must or should be there and are not broken. */
static const char *
find_alg(const char *alg)
{
    static const char *const known[] = { "hmac-sha256", "hmac-sha384",
        "hmac-sha512" };
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(alg, known[i]) == 0)
            return known[i];
    return NULL;
}

/* Labels of letters, digits, "-" and "_". */
static bool
is_name(const char *name, size_t len)
{
    size_t i, label = 0;

    for (i = 0; i < len; i++) {
        if (name[i] == '.' && (label == 0 || i + 1 == len))
            return false;
        label = name[i] == '.' ? 0 : label + 1;
        if (label > 63 ||
            (name[i] != '.' && name[i] != '-' && name[i] != '_' &&
                !isalnum((unsigned char)name[i])))
            return false;
    }
    return len > 0 && len <= ACME_NAME_MAX;
}

static bool
is_base64(const char *text, size_t len)
{
    size_t padding = 0, i;

    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    for (i = 0; i < len - padding; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '+' &&
            text[i] != '/')
            return false;
    return len > 0 && len % 4 == 0;
}

enum acme_rc
acme_tsig_set(struct acme_tsig *key, const char *name, const char *alg,
    const char *secret, size_t len, struct acme_error *err)
{
    size_t i, name_len = strlen(name);

    alg = find_alg(alg);
    if (alg == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "its algorithm must be hmac-sha256, hmac-sha384 or hmac-sha512");
    if (name_len > 1 && name[name_len - 1] == '.')
        name_len--;
    if (!is_name(name, name_len))
        return acme_error_set(err, ACME_CONFIG,
            "its name is no name of the DNS");
    if (len > ACME_TSIG_SECRET_MAX || !is_base64(secret, len))
        return acme_error_set(err, ACME_CONFIG,
            "its secret is not base64; copy it as it is");
    acme_buf_reset(&key->secret);
    acme_buf_add(&key->secret, secret, len);
    if (!acme_buf_ok(&key->secret)) {
        acme_tsig_clear(key);
        return acme_error_nomem(err);
    }
    for (i = 0; i < name_len; i++)
        key->name[i] = (char)tolower((unsigned char)name[i]);
    key->name[name_len] = '\0';
    (void)snprintf(key->alg, sizeof(key->alg), "%s", alg);
    return ACME_OK;
}

/* ---- files ------------------------------------------------------------ */

struct word {
    const char *at;
    size_t len;
};

struct reader {
    const char *at, *end;
};

static bool
starts(const struct reader *reader, const char *text)
{
    return (size_t)(reader->end - reader->at) >= strlen(text) &&
           memcmp(reader->at, text, strlen(text)) == 0;
}

static void
skip_to(struct reader *reader, const char *text)
{
    while (reader->at < reader->end && !starts(reader, text))
        reader->at++;
    if (reader->at < reader->end)
        reader->at += strlen(text);
}

static void
skip_blank(struct reader *reader)
{
    while (reader->at < reader->end) {
        if (isspace((unsigned char)*reader->at))
            reader->at++;
        else if (*reader->at == '#' || starts(reader, "//"))
            skip_to(reader, "\n");
        else if (starts(reader, "/*"))
            skip_to(reader, "*/");
        else
            return;
    }
}

/* The text of a string, one of "{};" or whatever stands together.  False: the
 * end. */
static bool
next(struct reader *reader, struct word *word)
{
    skip_blank(reader);
    if (reader->at == reader->end)
        return false;
    word->at = reader->at;
    if (*reader->at == '"') {
        reader->at++;
        skip_to(reader, "\"");
        word->at++;
        word->len = (size_t)(reader->at - word->at);
        if (word->len > 0 && reader->at[-1] == '"')
            word->len--;
        return true;
    }
    if (strchr("{};", *reader->at) != NULL) {
        reader->at++;
    } else {
        while (reader->at < reader->end &&
               !isspace((unsigned char)*reader->at) &&
               strchr("{};\"", *reader->at) == NULL)
            reader->at++;
    }
    word->len = (size_t)(reader->at - word->at);
    return true;
}

static bool
is(const struct word *word, const char *text)
{
    return word->len == strlen(text) &&
           strncasecmp(word->at, text, word->len) == 0;
}

static enum acme_rc
take(struct acme_tsig *key, const struct word *name, const struct word *alg,
    const struct word *secret, struct acme_error *err)
{
    char name_text[ACME_NAME_MAX + 2], alg_text[32];

    if (name->len >= sizeof(name_text) || alg->len >= sizeof(alg_text) ||
        memchr(name->at, '\0', name->len) != NULL ||
        memchr(alg->at, '\0', alg->len) != NULL)
        return acme_error_set(err, ACME_CONFIG,
            "it is no TSIG key, or in a form that is not known");
    memcpy(name_text, name->at, name->len);
    name_text[name->len] = '\0';
    memcpy(alg_text, alg->at, alg->len);
    alg_text[alg->len] = '\0';
    return acme_tsig_set(key, name_text, alg_text, secret->at, secret->len,
        err);
}

static enum acme_rc
incomplete(struct acme_error *err)
{
    return acme_error_set(err, ACME_CONFIG,
        "it is no TSIG key such as: key \"name\" { algorithm hmac-sha256; "
        "secret \"...\"; };");
}

/* named.conf(5), behind "key". */
static enum acme_rc
parse_bind(struct acme_tsig *key, struct reader *reader,
    struct acme_error *err)
{
    struct word name, what, value, alg = { "", 0 }, secret = { "", 0 };

    if (!next(reader, &name) || !next(reader, &what) || !is(&what, "{"))
        return incomplete(err);
    while (next(reader, &what) && !is(&what, "}")) {
        if (!next(reader, &value))
            return incomplete(err);
        if (is(&what, "algorithm"))
            alg = value;
        else if (is(&what, "secret"))
            secret = value;
        if (!next(reader, &what) || !is(&what, ";"))
            return incomplete(err);
    }
    if (alg.len == 0 || secret.len == 0)
        return incomplete(err);
    return take(key, &name, &alg, &secret, err);
}

/* knot.conf(5), as keymgr -t writes it, behind "key:". */
static enum acme_rc
parse_knot(struct acme_tsig *key, struct reader *reader,
    struct acme_error *err)
{
    struct word what, name = { "", 0 }, alg = { "", 0 }, secret = { "", 0 };
    struct word *value;

    while (next(reader, &what)) {
        if (is(&what, "-"))
            continue;
        if (is(&what, "id:") && name.len == 0)
            value = &name;
        else if (is(&what, "algorithm:"))
            value = &alg;
        else if (is(&what, "secret:"))
            value = &secret;
        else
            return incomplete(err);
        if (!next(reader, value))
            return incomplete(err);
    }
    if (name.len == 0 || alg.len == 0 || secret.len == 0)
        return incomplete(err);
    return take(key, &name, &alg, &secret, err);
}

static enum acme_rc
parse_line(struct acme_tsig *key, const struct word *line,
    struct acme_error *err)
{
    const char *end = line->at + line->len;
    const char *first = memchr(line->at, ':', line->len), *second;
    struct word name, alg = { "hmac-sha256", strlen("hmac-sha256") }, secret;

    if (first == NULL)
        return incomplete(err);
    second = memchr(first + 1, ':', (size_t)(end - first - 1));
    name.at = line->at;
    if (second != NULL) {
        alg = (struct word){ line->at, (size_t)(first - line->at) };
        name.at = first + 1;
        first = second;
    }
    name.len = (size_t)(first - name.at);
    secret.at = first + 1;
    secret.len = (size_t)(end - secret.at);
    return take(key, &name, &alg, &secret, err);
}

enum acme_rc
acme_tsig_parse(struct acme_tsig *key, const char *text, size_t len,
    struct acme_error *err)
{
    struct reader reader = { text, text + len };
    struct word word, more;
    enum acme_rc rc;

    if (!next(&reader, &word))
        return acme_error_set(err, ACME_CONFIG, "there is no key in it");
    if (is(&word, "key:"))
        return parse_knot(key, &reader, err);
    if (!is(&word, "key")) {
        if (next(&reader, &more))
            return incomplete(err);
        return parse_line(key, &word, err);
    }
    rc = parse_bind(key, &reader, err);
    while (rc == ACME_OK && next(&reader, &more))
        if (!is(&more, ";")) {
            acme_tsig_clear(key);
            return acme_error_set(err, ACME_CONFIG,
                "there is more than one key in it");
        }
    return rc;
}

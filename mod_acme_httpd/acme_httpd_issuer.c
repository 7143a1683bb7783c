/*
 * <ACMEIssuer>: a CA with settings of its own, which ACMECertificateAuthority
 * calls by its name.
 */
#include "mod_acme_httpd.h"

#include <apr_lib.h>
#include <strings.h>

#define NAME_MAX_BYTES 64

/* The name in "NAME>"; NULL: there is not one word, or no ">". */
static const char *
name_in(apr_pool_t *pool, const char *words)
{
    const char *end = ap_strrchr_c(words, '>'), *name;

    if (end == NULL)
        return NULL;
    words = apr_pstrmemdup(pool, words, (apr_size_t)(end - words));
    name = ap_getword_conf(pool, &words);
    return *name != '\0' && *words == '\0' ? name : NULL;
}

static bool
is_name(const char *text)
{
    const char *c;

    for (c = text; *c != '\0'; c++)
        if (!apr_isalnum(*c) && ap_strchr_c("._-", *c) == NULL)
            return false;
    return apr_isalnum(*text) && c - text <= NAME_MAX_BYTES;
}

struct acme_httpd_issuer *
acme_httpd_find_issuer(const struct acme_httpd_conf *conf, const char *name)
{
    int i;

    for (i = 0; i < conf->issuers->nelts; i++) {
        struct acme_httpd_issuer *issuer =
            APR_ARRAY_IDX(conf->issuers, i, struct acme_httpd_issuer *);

        if (strcasecmp(issuer->name, name) == 0)
            return issuer;
    }
    return NULL;
}

static const char *
lower(apr_pool_t *pool, const char *text)
{
    char *copy = apr_pstrdup(pool, text);

    ap_str_tolower(copy);
    return copy;
}

/* All is read by now, and the sections are looked for once. */
static apr_hash_t *
read_names(apr_pool_t *pool)
{
    apr_hash_t *names = apr_hash_make(pool);
    const ap_directive_t *line;
    const char *name;

    for (line = ap_conftree; line != NULL; line = line->next) {
        if (strcasecmp(line->directive, ACME_HTTPD_ISSUER) != 0)
            continue;
        name = name_in(pool, line->args);
        if (name != NULL)
            apr_hash_set(names, lower(pool, name), APR_HASH_KEY_STRING, line);
    }
    return names;
}

bool
acme_httpd_has_issuer(struct acme_httpd_conf *conf, const char *name)
{
    if (conf->issuer_names == NULL)
        conf->issuer_names = read_names(conf->pool);
    return apr_hash_get(conf->issuer_names, lower(conf->pool, name),
               APR_HASH_KEY_STRING) != NULL;
}

const char *
acme_httpd_add_issuer(cmd_parms *cmd, struct acme_httpd_conf *conf,
    const char *words, struct acme_httpd_issuer **out)
{
    struct acme_httpd_issuer *issuer = apr_pcalloc(cmd->pool, sizeof(*issuer));
    const struct acme_httpd_issuer *other;

    issuer->name = name_in(cmd->pool, words);
    if (issuer->name == NULL || !is_name(issuer->name))
        return "<ACMEIssuer> needs one name, of letters, digits, \".\", \"_\" "
               "and \"-\", and a closing \">\"; ACMECertificateAuthority "
               "calls "
               "the CA by it";
    other = acme_httpd_find_issuer(conf, issuer->name);
    if (other != NULL)
        return apr_psprintf(cmd->pool,
            "<ACMEIssuer %s>: there is one of that name already (%s:%d); give "
            "one of them another name",
            issuer->name, other->file, other->line);
    issuer->file = cmd->directive->filename;
    issuer->line = cmd->directive->line_num;
    APR_ARRAY_PUSH(conf->issuers, struct acme_httpd_issuer *) = issuer;
    *out = issuer;
    return NULL;
}

const char *
acme_httpd_check_issuer(cmd_parms *cmd, const struct acme_httpd_issuer *issuer)
{
    if (issuer->settings.cas != NULL ||
        acme_issuer_directory(issuer->name) != NULL)
        return NULL;
    return apr_psprintf(cmd->pool,
        "<ACMEIssuer %s>: which CA is it? Add \"ACMECertificateAuthority\" "
        "with the https URL of its ACME directory, or one of %s",
        issuer->name, acme_issuer_short_names);
}

const char *
acme_httpd_issuer_ca(const struct acme_httpd_issuer *issuer)
{
    return issuer->settings.cas != NULL
               ? APR_ARRAY_IDX(issuer->settings.cas, 0, const char *)
               : issuer->name;
}

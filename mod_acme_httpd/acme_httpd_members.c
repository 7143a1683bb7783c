/*
 * Which names belong to a domain, beside those in its own line, and files
 * that it has instead of a certificate of ours: the directives for it, and
 * what is wrong with such files.
 */
#include "mod_acme_httpd.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* "auto" or "manual"; false: neither. */
static bool
set_automatic(int *members, const char *word)
{
    if (strcasecmp(word, "auto") == 0)
        *members = 1;
    else if (strcasecmp(word, "manual") == 0)
        *members = 0;
    else
        return false;
    return true;
}

const char *
acme_httpd_add_member(cmd_parms *cmd, struct acme_httpd_domain *domain,
    const char *word)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_error err;
    int i;

    if (set_automatic(&domain->settings.members, word))
        return NULL;
    acme_error_clear(&err);
    if (acme_idn_parse(word, strlen(word), name, &err) != ACME_OK)
        return apr_psprintf(cmd->pool, "%s \"%s\": %s",
            *cmd->cmd->name == '<' ? cmd->cmd->name + 1 : cmd->cmd->name, word,
            err.what);
    for (i = 0; i < domain->names->nelts; i++)
        if (strcmp(APR_ARRAY_IDX(domain->names, i, const char *), name) == 0)
            return NULL;
    APR_ARRAY_PUSH(domain->names, const char *) = apr_pstrdup(cmd->pool, name);
    return NULL;
}

const char *
acme_httpd_set_members(cmd_parms *cmd, struct acme_httpd_server *server,
    int argc, char *const argv[])
{
    const char *error = NULL;
    int i;

    if (argc == 0)
        return apr_psprintf(cmd->pool, "%s needs names, or auto or manual",
            cmd->cmd->name);
    if (server->section == NULL &&
        (argc > 1 || !set_automatic(&server->settings.members, argv[0])))
        return apr_psprintf(cmd->pool,
            "%s \"%s\": outside of <ACMEDomain> it must be auto or manual "
            "alone; names are those of one certificate",
            cmd->cmd->name, argv[0]);
    for (i = 0; server->section != NULL && i < argc && error == NULL; i++)
        error = acme_httpd_add_member(cmd, server->section, argv[i]);
    return error;
}

const char *
acme_httpd_set_match_names(cmd_parms *cmd, struct acme_httpd_conf *conf,
    const char *word)
{
    conf->servernames = strcasecmp(word, "servernames") == 0;
    if (!conf->servernames && strcasecmp(word, "all") != 0)
        return apr_psprintf(cmd->pool,
            "%s \"%s\": it must be all or "
            "servernames",
            cmd->cmd->name, word);
    return NULL;
}

/* ---- files ------------------------------------------------------------ */

static const char *
add_file(cmd_parms *cmd, struct acme_httpd_domain *domain,
    apr_array_header_t **list, const char *word)
{
    const char *path = ap_server_root_relative(cmd->pool, word);
    apr_finfo_t info;

    if (domain == NULL)
        return apr_psprintf(cmd->pool,
            "%s stands in <ACMEDomain> alone; for a virtual host there is %s",
            cmd->cmd->name,
            strcasecmp(cmd->cmd->name, "ACMECertificateFile") == 0
                ? "SSLCertificateFile"
                : "SSLCertificateKeyFile");
    if (path == NULL ||
        apr_stat(&info, path, APR_FINFO_TYPE, cmd->temp_pool) != APR_SUCCESS ||
        info.filetype != APR_REG)
        return apr_psprintf(cmd->pool,
            "%s \"%s\": there is no such file, or it cannot be read",
            cmd->cmd->name, word);
    if (*list == NULL)
        *list = apr_array_make(cmd->pool, 1, sizeof(const char *));
    APR_ARRAY_PUSH(*list, const char *) = path;
    return NULL;
}

const char *
acme_httpd_add_certificate_file(cmd_parms *cmd,
    struct acme_httpd_domain *domain, const char *word)
{
    return add_file(cmd, domain, domain != NULL ? &domain->certs : NULL, word);
}

const char *
acme_httpd_add_key_file(cmd_parms *cmd, struct acme_httpd_domain *domain,
    const char *word)
{
    return add_file(cmd, domain, domain != NULL ? &domain->keys : NULL, word);
}

/* A key with a passphrase is mod_ssl's to ask for. */
static int
no_passphrase(char *buf, int size, int rwflag, void *asked)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    *(bool *)asked = true;
    return -1;
}

/* As mod_ssl will read them. */
static const char *
check_pair(SSL_CTX *ctx, const char *cert, const char *key)
{
    bool asked = false;

    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        return "has no PEM certificate";
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 || asked)
        return NULL;
    return "does not belong to the key of its ACMECertificateKeyFile, or that "
           "has none";
}

const char *
acme_httpd_check_files(const struct acme_httpd_domain *domain,
    apr_pool_t *pool)
{
    int ncerts = domain->certs != NULL ? domain->certs->nelts : 0, i;
    int nkeys = domain->keys != NULL ? domain->keys->nelts : 0;
    const char *why = NULL, *cert = NULL;
    SSL_CTX *ctx;

    if (ncerts != nkeys)
        return apr_psprintf(pool,
            "there are %d ACMECertificateFile and %d ACMECertificateKeyFile; "
            "each certificate has a key: name as many of both, in the same "
            "order",
            ncerts, nkeys);
    for (i = 0; i < ncerts && why == NULL; i++) {
        ctx = SSL_CTX_new(TLS_method());
        cert = APR_ARRAY_IDX(domain->certs, i, const char *);
        why = ctx == NULL ? "cannot be read: out of memory"
                          : check_pair(ctx, cert,
                                APR_ARRAY_IDX(domain->keys, i, const char *));
        SSL_CTX_free(ctx);
        ERR_clear_error();
    }
    if (why == NULL)
        return NULL;
    return apr_psprintf(pool, "ACMECertificateFile \"%s\" %s", cert, why);
}

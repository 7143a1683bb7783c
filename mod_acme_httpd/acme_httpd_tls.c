/*
 * Certificates into handshakes.  mod_ssl needs a file with a key before it
 * makes an SSL_CTX: a virtual host of ours without SSLCertificateFile is
 * given a placeholder, for its names and of no value to anybody.  The keys
 * that matter never pass through the parent, from which all its daemons are
 * forked: the callback takes them from the key area.
 */
#include "mod_acme_httpd.h"

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_optional_hooks.h>
#include <http_ssl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

APLOG_USE_MODULE(acme_httpd);

#define PEM_MAX (64 * 1024)

/* A hook of mod_ssl whose header (mod_ssl_openssl.h) Debian does not ship:
 * once per virtual host, when its SSL_CTX is complete. */
typedef int ssl_HOOK_init_server_t(server_rec *s, apr_pool_t *pool,
    int is_proxy, SSL_CTX *ctx);

/* ---- placeholders ----------------------------------------------------- */

static apr_status_t
remove_placeholders(void *data)
{
    struct acme_httpd_conf *conf = data;
    apr_finfo_t info;
    apr_dir_t *dir;

    acme_key_unref(conf->placeholder_key);
    conf->placeholder_key = NULL;
    if (conf->placeholders == NULL)
        return APR_SUCCESS;
    if (apr_dir_open(&dir, conf->placeholders, conf->pool) == APR_SUCCESS) {
        while (apr_dir_read(&info, APR_FINFO_NAME, dir) == APR_SUCCESS)
            (void)apr_file_remove(apr_pstrcat(conf->pool, conf->placeholders,
                                      "/", info.name, NULL),
                conf->pool);
        (void)apr_dir_close(dir);
    }
    (void)apr_dir_remove(conf->placeholders, conf->pool);
    conf->placeholders = NULL;
    return APR_SUCCESS;
}

static const char *
private_directory(apr_pool_t *pool, const char *parent)
{
    char *path;

    if (parent == NULL)
        return NULL;
    path = apr_pstrcat(pool, parent, "/acme-placeholders-XXXXXX", NULL);
    return mkdtemp(path);
}

/* Where the server keeps what it needs while it runs; else where everybody
 * may write. */
static const char *
make_directory(apr_pool_t *pool)
{
    const char *temp = NULL, *dir;

    dir = private_directory(pool, ap_runtime_dir_relative(pool, "."));
    if (dir == NULL && apr_temp_dir_get(&temp, pool) == APR_SUCCESS)
        dir = private_directory(pool, temp);
    return dir;
}

static apr_status_t
write_file(const char *path, const struct acme_buf *text, apr_pool_t *pool)
{
    apr_file_t *file;
    apr_status_t rv, closed;

    rv = apr_file_open(&file, path,
        APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_EXCL,
        APR_FPROT_UREAD | APR_FPROT_UWRITE, pool);
    if (rv != APR_SUCCESS)
        return APR_STATUS_IS_EEXIST(rv) ? APR_SUCCESS : rv;
    rv = apr_file_write_full(file, text->data, text->len, NULL);
    closed = apr_file_close(file);
    return rv != APR_SUCCESS ? rv : closed;
}

/*
 * One path per lineage for all its virtual hosts: mod_ssl takes virtual hosts
 * with the same paths for such with the same certificate
 * (SSLVHostSNIPolicy).  NULL: logged.
 */
static const char *
placeholder(struct acme_httpd_conf *conf, server_rec *s, size_t index)
{
    const struct acme_lineage *lineage = &conf->config->lineage[index];
    const char *path = NULL;
    struct acme_error err;
    struct acme_buf pem;
    apr_status_t rv;

    acme_error_clear(&err);
    acme_buf_init_secret(&pem, PEM_MAX);
    if (conf->placeholders == NULL) {
        apr_pool_cleanup_register(conf->pool, conf, remove_placeholders,
            apr_pool_cleanup_null);
        conf->placeholders = make_directory(conf->pool);
    }
    if (conf->placeholders == NULL) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, errno, s,
            "cannot make a directory for placeholder certificates in \"%s\"; "
            "set DefaultRuntimeDir to one that can be written",
            ap_runtime_dir_relative(conf->pool, "."));
        goto done;
    }
    path = apr_pstrcat(conf->pool, conf->placeholders, "/", lineage->name,
        ".pem", NULL);
    if (access(path, F_OK) == 0)
        goto done;
    if (acme_live_placeholder_pem(lineage->names, lineage->nnames,
            &conf->placeholder_key, &pem, &err) != ACME_OK) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
            "cannot make a placeholder certificate: %s", err.what);
        path = NULL;
        goto done;
    }
    rv = write_file(path, &pem, conf->pool);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, rv, s,
            "cannot write the placeholder certificate \"%s\"", path);
        path = NULL;
    }

done:
    acme_buf_clear(&pem);
    return path;
}

void
acme_httpd_tls_read(struct acme_httpd_conf *conf)
{
    if (conf->placeholders != NULL)
        apr_pool_cleanup_run(conf->pool, conf, remove_placeholders);
}

/* ---- hooks of mod_ssl ------------------------------------------------- */

/* Called for virtual hosts with SSLEngine, with the files they are
 * configured with. */
static int
add_cert_files(server_rec *s, apr_pool_t *pool, apr_array_header_t *cert_files,
    apr_array_header_t *key_files)
{
    struct acme_httpd_server *server = acme_httpd_server_of(s);
    const char *path;

    (void)pool;
    if (server->domain == NULL)
        return DECLINED;
    if (!apr_is_empty_array(cert_files)) {
        server->explicit_files = true;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
            "the virtual host \"%s\" in %s:%u keeps its SSLCertificateFile "
            "and does not serve the certificate of ACMEDomain in %s:%d; "
            "remove SSLCertificateFile and SSLCertificateKeyFile there",
            s->server_hostname, s->defn_name != NULL ? s->defn_name : "?",
            s->defn_line_number, server->domain->file, server->domain->line);
        return DECLINED;
    }
    path = placeholder(server->conf, s, server->domain->lineage);
    if (path == NULL)
        return DECLINED;
    APR_ARRAY_PUSH(cert_files, const char *) = path;
    APR_ARRAY_PUSH(key_files, const char *) = path;
    return DONE;
}

/* In every child, for each full handshake with a virtual host of ours. */
static int
certificate(SSL *ssl, void *arg)
{
    const struct acme_httpd_server *server = arg;

    if (server->conf->cache != NULL)
        (void)acme_live_apply(server->conf->cache, server->domain->lineage,
            ssl);

    /* Where there is nothing yet, the placeholder is still in place. */
    return 1;
}

static int
init_server(server_rec *s, apr_pool_t *pool, int is_proxy, SSL_CTX *ctx)
{
    struct acme_httpd_server *server = acme_httpd_server_of(s);

    (void)pool;
    if (!is_proxy && server->domain != NULL && !server->explicit_files)
        SSL_CTX_set_cert_cb(ctx, certificate, server);
    return OK;
}

void
acme_httpd_tls_hooks(void)
{
    ap_hook_ssl_add_cert_files(add_cert_files, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, init_server, init_server, NULL, NULL,
        APR_HOOK_MIDDLE);
}

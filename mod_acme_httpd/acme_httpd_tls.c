/*
 * Certificates into handshakes.  mod_ssl needs a file with a key before it
 * makes an SSL_CTX: a virtual host of ours without SSLCertificateFile is
 * given a placeholder, for its names and of no value to anybody.  The keys
 * that matter never pass through the parent, from which all its daemons are
 * forked: the callback takes them from the key area.
 */
#include "mod_acme_httpd.h"

#include <apr_file_io.h>
#include <apr_optional_hooks.h>
#include <fcntl.h>
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

static void
close_file(struct acme_httpd_file *file)
{
    if (file->path == NULL)
        return;
    (void)unlink(file->path);
    (void)close(file->fd);
    file->path = NULL;
}

static apr_status_t
close_placeholder(void *data)
{
    struct acme_httpd_conf *conf = data;

    acme_live_placeholder_free(conf->placeholder);
    close_file(&conf->placeholder_key);
    close_file(&conf->placeholder_cert);
    conf->placeholder = NULL;
    return APR_SUCCESS;
}

static bool
open_file(apr_pool_t *pool, const char *directory,
    struct acme_httpd_file *file)
{
    char *path =
        apr_pstrcat(pool, directory, "/acme-placeholder-XXXXXX", NULL);

    file->fd = mkostemp(path, O_CLOEXEC);
    if (file->fd != -1)
        file->path = path;
    return file->fd != -1;
}

/* So many times, one after the other. */
static bool
write_file(const struct acme_httpd_file *file, const struct acme_buf *text,
    size_t times)
{
    size_t i, at = 0;

    for (i = 0; i < times; i++, at += text->len)
        if (pwrite(file->fd, text->data, text->len, (off_t)at) !=
            (ssize_t)text->len)
            return false;
    return ftruncate(file->fd, (off_t)at) == 0;
}

/* Where the server keeps what it needs while it runs; else where everybody
 * may write. */
static bool
open_files(struct acme_httpd_conf *conf)
{
    const char *directory = ap_runtime_dir_relative(conf->pool, ".");

    if (directory == NULL ||
        !open_file(conf->pool, directory, &conf->placeholder_key)) {
        if (apr_temp_dir_get(&directory, conf->pool) != APR_SUCCESS ||
            !open_file(conf->pool, directory, &conf->placeholder_key))
            return false;
    }
    conf->placeholder_directory = directory;
    return open_file(conf->pool, directory, &conf->placeholder_cert);
}

/* The key once, for all. */
static enum acme_rc
open_placeholder(struct acme_httpd_conf *conf, struct acme_buf *pem,
    struct acme_error *err)
{
    enum acme_rc rc = acme_live_placeholder_new(&conf->placeholder, err);

    if (rc != ACME_OK)
        return rc;
    apr_pool_cleanup_register(conf->pool, conf, close_placeholder,
        apr_pool_cleanup_null);
    rc = acme_live_placeholder_key(conf->placeholder, pem, err);
    if (rc == ACME_OK &&
        (!open_files(conf) || !write_file(&conf->placeholder_key, pem, 1)))
        rc = acme_error_errno(err, ACME_IO, errno,
            "\"%s\" cannot be written; set DefaultRuntimeDir to a directory "
            "that can",
            ap_runtime_dir_relative(conf->pool, "."));
    acme_buf_clear(pem);
    return rc;
}

/*
 * The one certificate file, by another path for each lineage: mod_ssl takes
 * virtual hosts with the same path for such with the same certificate
 * (SSLVHostSNIPolicy).  A set bit of the index is "/.", another one a "/".
 */
static const char *
path_for(const struct acme_httpd_conf *conf, size_t lineage)
{
    char bits[2 * 8 * sizeof(lineage) + 1], *p = bits;

    for (; lineage > 0; lineage >>= 1) {
        *p++ = '/';
        if (lineage & 1)
            *p++ = '.';
    }
    *p = '\0';
    return apr_pstrcat(conf->pool, conf->placeholder_directory, bits,
        conf->placeholder_cert.path + strlen(conf->placeholder_directory),
        NULL);
}

/*
 * mod_ssl reads the file as soon as it knows its path, so one does for all.
 * SSLUseStapling makes it look for the issuer, which is the same once more.
 * NULL: logged.
 */
static const char *
placeholder(struct acme_httpd_conf *conf, server_rec *s, size_t index)
{
    const struct acme_lineage *lineage = &conf->config->lineage[index];
    enum acme_rc rc = ACME_OK;
    struct acme_error err;
    struct acme_buf pem;

    acme_error_clear(&err);
    acme_buf_init(&pem, PEM_MAX);
    if (conf->placeholder == NULL)
        rc = open_placeholder(conf, &pem, &err);
    if (rc == ACME_OK)
        rc = acme_live_placeholder_cert(conf->placeholder, lineage->names,
            lineage->nnames, &pem, &err);
    if (rc == ACME_OK && !write_file(&conf->placeholder_cert, &pem,
                             acme_httpd_server_of(s)->ssl_stapling ? 2 : 1))
        rc = acme_error_errno(&err, ACME_IO, errno, "cannot write \"%s\"",
            conf->placeholder_cert.path);
    acme_buf_clear(&pem);
    if (rc == ACME_OK)
        return path_for(conf, index);
    ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
        "cannot make a placeholder certificate for mod_ssl: %s", err.what);
    return NULL;
}

void
acme_httpd_tls_read(struct acme_httpd_conf *conf)
{
    if (conf->placeholder != NULL)
        apr_pool_cleanup_run(conf->pool, conf, close_placeholder);
}

/* ---- hooks of mod_ssl ------------------------------------------------- */

/* Once: not in the first of two readings at start. */
static void
warn_explicit(const struct acme_httpd_server *server, server_rec *s)
{
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return;
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
        "the virtual host \"%s\" in %s:%u keeps its SSLCertificateFile "
        "and does not serve the certificate of ACMEDomain in %s:%d; "
        "remove SSLCertificateFile and SSLCertificateKeyFile there",
        s->server_hostname, s->defn_name != NULL ? s->defn_name : "?",
        s->defn_line_number, server->domain->file, server->domain->line);
}

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
        warn_explicit(server, s);
        return DECLINED;
    }
    if (server->domain->certs != NULL) {
        apr_array_cat(cert_files, server->domain->certs);
        apr_array_cat(key_files, server->domain->keys);
        return DONE;
    }
    path = placeholder(server->conf, s, server->domain->lineage);
    if (path == NULL)
        return DECLINED;
    APR_ARRAY_PUSH(cert_files, const char *) = path;
    APR_ARRAY_PUSH(key_files, const char *) =
        server->conf->placeholder_key.path;
    return DONE;
}

/* In every child, for each full handshake. */
static int
certificate(SSL *ssl, void *arg)
{
    const struct acme_httpd_server *server = arg;
    int answered = acme_httpd_alpn_certificate(ssl);

    if (answered != DECLINED)
        return answered == OK;
    if (server->conf->cache != NULL && server->domain != NULL &&
        server->domain->managed && !server->explicit_files)
        (void)acme_live_apply(server->conf->cache, server->domain->lineage,
            ssl);

    /* Where there is nothing yet, the placeholder, or what the operator has
     * instead, is still in place. */
    return 1;
}

/* The same for clients that ask what the responder says (OCSP). */
static int
certificate_status(SSL *ssl, void *arg)
{
    const struct acme_httpd_server *server = arg;

    if (server->conf->cache != NULL &&
        acme_live_staple(server->conf->cache, server->domain->lineage, ssl))
        return SSL_TLSEXT_ERR_OK;
    return server->status != NULL ? server->status(ssl, server->status_arg)
                                  : SSL_TLSEXT_ERR_NOACK;
}

/* For mod_ssl's own stapling; nobody is asked about a placeholder. */
static int
prime(server_rec *s, apr_pool_t *pool, const char *id, apr_size_t id_len,
    const char *pem)
{
    const struct acme_httpd_server *server = acme_httpd_server_of(s);

    (void)pool;
    (void)id;
    (void)id_len;
    (void)pem;
    return server->ssl_stapling && server->domain != NULL &&
                   server->domain->certs == NULL && !server->explicit_files
               ? OK
               : DECLINED;
}

/*
 * mod_ssl asks others for answers only about certificates whose issuer it has
 * found in its files, or where its own SSLUseStapling is on, and there is
 * none for a placeholder: so its callback is taken, not its hooks.  It goes
 * on for certificates that are not ours.
 */
static void
staple(struct acme_httpd_server *server, SSL_CTX *ctx)
{
    SSL_CTX_get_tlsext_status_cb(ctx, &server->status);
    SSL_CTX_get_tlsext_status_arg(ctx, &server->status_arg);
    SSL_CTX_set_tlsext_status_cb(ctx, certificate_status);
    SSL_CTX_set_tlsext_status_arg(ctx, server);
}

static bool
is_stapled(const struct acme_httpd_server *server)
{
    const struct acme_httpd_domain *domain = server->domain;

    return domain != NULL && domain->managed && !server->explicit_files &&
           server->conf->config->lineage[domain->lineage].stapling;
}

static int
init_server(server_rec *s, apr_pool_t *pool, int is_proxy, SSL_CTX *ctx)
{
    struct acme_httpd_server *server = acme_httpd_server_of(s);

    (void)pool;
    if (is_proxy || server->conf->config == NULL)
        return OK;
    SSL_CTX_set_cert_cb(ctx, certificate, server);
    if (is_stapled(server))
        staple(server, ctx);
    return OK;
}

void
acme_httpd_tls_hooks(void)
{
    ap_hook_ssl_add_cert_files(add_cert_files, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, init_server, init_server, NULL, NULL,
        APR_HOOK_MIDDLE);
    ap_hook_ssl_ocsp_prime_hook(prime, NULL, NULL, APR_HOOK_FIRST);
}

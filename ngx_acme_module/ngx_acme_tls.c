
/*
 * Certificates into handshakes, of http, stream and mail.  A server without
 * ssl_certificate is given an empty list of them, which makes nginx build an
 * SSL_CTX with no certificate at all; the callback puts in what the key area
 * holds.  An explicit ssl_certificate is served until there is one of ours.
 */


#include "ngx_acme_module.h"


#define ngx_acme_tls_at(ascf, member, type)                                  \
    ((type *) ((u_char *) (ascf)->sscf + (ascf)->ssl->member))


static ngx_uint_t ngx_acme_tls_is_given(ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_tls_session_context(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, const char *lineage);
static void ngx_acme_tls_staple(SSL_CTX *ctx, ngx_acme_srv_conf_t *ascf);
static int ngx_acme_certificate(ngx_ssl_conn_t *ssl_conn, void *data);
static int ngx_acme_certificate_status(ngx_ssl_conn_t *ssl_conn, void *data);


/*
 * Runs between the parsing of all servers and the merge of the ssl module,
 * so neither the order of directives nor inheritance matters.
 */

ngx_int_t
ngx_acme_tls_inject(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf)
{
    ngx_array_t  **certs, **keys;

    if (!ascf->tls || (!ascf->own && ngx_acme_tls_is_given(ascf))) {
        return NGX_OK;
    }

    certs = ngx_acme_tls_at(ascf, certificates, ngx_array_t *);
    keys = ngx_acme_tls_at(ascf, certificate_keys, ngx_array_t *);

    *certs = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    *keys = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));

    if (*certs == NULL || *keys == NULL) {
        return NGX_ERROR;
    }

    ascf->injected = 1;

    return NGX_OK;
}


/* a certificate by the administrator; not merged yet */

static ngx_uint_t
ngx_acme_tls_is_given(ngx_acme_srv_conf_t *ascf)
{
    ngx_array_t  *certs, *keys, *outer;

    certs = *ngx_acme_tls_at(ascf, certificates, ngx_array_t *);
    keys = *ngx_acme_tls_at(ascf, certificate_keys, ngx_array_t *);
    outer = *ngx_acme_tls_at(ascf->outer, certificates, ngx_array_t *);

    return certs != NGX_CONF_UNSET_PTR || keys != NGX_CONF_UNSET_PTR
           || outer != NGX_CONF_UNSET_PTR;
}


/* ssl_stapling, which nginx itself does for files only; not merged yet */

ngx_flag_t
ngx_acme_tls_stapling(ngx_acme_srv_conf_t *ascf)
{
    ngx_flag_t  flag;

    if (ascf->ssl == NULL || ascf->ssl->stapling == -1) {
        return 0;
    }

    flag = *ngx_acme_tls_at(ascf, stapling, ngx_flag_t);

    if (flag == NGX_CONF_UNSET && ascf->outer != NULL) {
        flag = *ngx_acme_tls_at(ascf->outer, stapling, ngx_flag_t);
    }

    return flag == 1;
}


/* each lineage has the name it is known by, each such server its SSL_CTX */

ngx_int_t
ngx_acme_tls_install(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf)
{
    ngx_ssl_t                  *ssl;
    const struct acme_lineage  *lineage;

    ssl = ngx_acme_tls_at(ascf, ssl, ngx_ssl_t);

    if (ssl->ctx == NULL) {
        return NGX_OK;
    }

    lineage = &ascf->main->config->lineage[ascf->lineage];

    if (ascf->injected && lineage->csr_file != NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" with \"csr=\" in %V:%ui: only "
                      "you have the key, and the server has no "
                      "\"ssl_certificate\"; point it to a certificate, later "
                      "%s/live/%s/fullchain.pem, and \"ssl_certificate_key\" "
                      "to your key, and reload after renewals",
                      &ascf->file, ascf->line, ascf->main->config->state_dir,
                      lineage->name);
        return NGX_ERROR;
    }

    SSL_CTX_set_cert_cb(ssl->ctx, ngx_acme_certificate, ascf);

    if (ascf->stapling) {
        ngx_acme_tls_staple(ssl->ctx, ascf);
    }

    return ascf->injected
           ? ngx_acme_tls_session_context(cf, ascf, lineage->name) : NGX_OK;
}


/* nginx's own ssl_stapling goes on for certificates that are not ours */

static void
ngx_acme_tls_staple(SSL_CTX *ctx, ngx_acme_srv_conf_t *ascf)
{
    SSL_CTX_get_tlsext_status_cb(ctx, &ascf->status);
    SSL_CTX_get_tlsext_status_arg(ctx, &ascf->status_data);

    SSL_CTX_set_tlsext_status_cb(ctx, ngx_acme_certificate_status);
    SSL_CTX_set_tlsext_status_arg(ctx, ascf);
}


/*
 * A session is resumed where it was made: nginx tells servers apart by their
 * certificates, and this one has had none, so it is asked once more with the
 * name of the lineage.
 */

static ngx_int_t
ngx_acme_tls_session_context(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    const char *lineage)
{
    ngx_str_t    context, name;
    ngx_array_t  names;

    context = ascf->ssl->context;

    name.data = (u_char *) lineage;
    name.len = ngx_strlen(lineage);

    ngx_memzero(&names, sizeof(ngx_array_t));

    names.elts = &name;
    names.nelts = 1;

    return ngx_ssl_session_cache(ngx_acme_tls_at(ascf, ssl, ngx_ssl_t),
                      &context, &names,
                      *ngx_acme_tls_at(ascf, builtin_session_cache, ssize_t),
                      *ngx_acme_tls_at(ascf, shm_zone, ngx_shm_zone_t *),
                      *ngx_acme_tls_at(ascf, session_timeout, time_t));
}


static int
ngx_acme_certificate(ngx_ssl_conn_t *ssl_conn, void *data)
{
    ngx_acme_srv_conf_t  *ascf = data;

    enum acme_live_result  (*apply)(struct acme_live_cache *, size_t, SSL *);

    /* what nginx has loaded itself stays in the SSL_CTX */

    apply = ascf->injected ? acme_live_apply_keeping : acme_live_apply;

    if (ascf->main->cache != NULL
        && apply(ascf->main->cache, ascf->lineage, ssl_conn)
           != ACME_LIVE_NONE)
    {
        return 1;
    }

    if (!ascf->injected) {

        /* the explicit certificate, which nginx may have to look up */

        return ascf->ssl->lookup ? ascf->ssl->lookup(ssl_conn, ascf->sscf)
                                 : 1;
    }

    if (ascf->placeholder == NGX_ACME_PLACEHOLDER_SELF_SIGNED
        && ascf->main->cache != NULL)
    {
        (void) acme_live_apply_placeholder(ascf->main->cache, ssl_conn);
    }

    /* with no certificate OpenSSL itself answers handshake_failure */

    return 1;
}


/* asked for by the client, about the certificate that was chosen for it */

static int
ngx_acme_certificate_status(ngx_ssl_conn_t *ssl_conn, void *data)
{
    ngx_acme_srv_conf_t  *ascf = data;

    if (ascf->main->cache != NULL
        && acme_live_staple(ascf->main->cache, ascf->lineage, ssl_conn))
    {
        return SSL_TLSEXT_ERR_OK;
    }

    return ascf->status != NULL ? ascf->status(ssl_conn, ascf->status_data)
                                : SSL_TLSEXT_ERR_NOACK;
}


/*
 * Answers for validations by tls-alpn-01 (RFC 8737): a ClientHello that asks
 * for one that is pending is turned to an SSL_CTX of its own, before anything
 * of a server counts, and the connection ends with the handshake.
 */


#include "ngx_acme_module.h"


static int ngx_acme_alpn_hello(ngx_ssl_conn_t *ssl_conn, int *ad, void *arg);
static ngx_uint_t ngx_acme_alpn_wanted(ngx_acme_main_conf_t *amcf,
    ngx_ssl_conn_t *ssl_conn, char *name);
static int ngx_acme_alpn_servername(ngx_ssl_conn_t *ssl_conn, int *ad,
    void *arg);
static int ngx_acme_alpn_select(ngx_ssl_conn_t *ssl_conn,
    const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned int inlen, void *arg);
static void ngx_acme_alpn_info(const ngx_ssl_conn_t *ssl_conn, int where,
    int ret);


/* on all: a client's first bytes go to the default server of the address */

void
ngx_acme_alpn_install(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf)
{
    ngx_uint_t                  i;
    ngx_http_ssl_srv_conf_t    *sscf;
    ngx_http_core_srv_conf_t  **cscf;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        sscf = cscf[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->ssl.ctx != NULL) {
            SSL_CTX_set_client_hello_cb(sscf->ssl.ctx, ngx_acme_alpn_hello,
                                        amcf);
        }
    }
}


void
ngx_acme_alpn_start(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf)
{
    SSL_CTX            *ctx;
    struct acme_error   err;

    acme_error_clear(&err);

    ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL
        || acme_live_alpn_new(amcf->area, &amcf->alpn, &err) != ACME_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "acme: this worker answers no tls-alpn-01: no memory");
        SSL_CTX_free(ctx);
        return;
    }

    SSL_CTX_set_tlsext_servername_callback(ctx, ngx_acme_alpn_servername);
    SSL_CTX_set_alpn_select_cb(ctx, ngx_acme_alpn_select, NULL);

    amcf->alpn_ctx = ctx;
}


void
ngx_acme_alpn_stop(ngx_acme_main_conf_t *amcf)
{
    acme_live_alpn_free(amcf->alpn);
    SSL_CTX_free(amcf->alpn_ctx);

    amcf->alpn = NULL;
    amcf->alpn_ctx = NULL;
}


static int
ngx_acme_alpn_hello(ngx_ssl_conn_t *ssl_conn, int *ad, void *arg)
{
    char                   name[ACME_NAME_MAX + 1];
    ngx_acme_main_conf_t  *amcf = arg;

    if (amcf->alpn != NULL
        && acme_area_alpn_is_pending(amcf->area)
        && ngx_acme_alpn_wanted(amcf, ssl_conn, name))
    {
        /* settings of a server, e.g. its ciphers, might leave no way */

        SSL_set_SSL_CTX(ssl_conn, amcf->alpn_ctx);
        SSL_set_info_callback(ssl_conn, ngx_acme_alpn_info);

        if (acme_live_alpn_apply(amcf->alpn, name, ssl_conn) == ACME_LIVE_SET)
        {
            return SSL_CLIENT_HELLO_SUCCESS;
        }

        *ad = SSL_AD_INTERNAL_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }

#if (nginx_version >= 1029002)

    return ngx_ssl_client_hello_callback(ssl_conn, ad, NULL);

#else

    return SSL_CLIENT_HELLO_SUCCESS;

#endif
}


static ngx_uint_t
ngx_acme_alpn_wanted(ngx_acme_main_conf_t *amcf, ngx_ssl_conn_t *ssl_conn,
    char *name)
{
    size_t         len;
    const u_char  *p;

#if (nginx_version >= 1025000)

    ngx_connection_t  *c;

    c = ngx_ssl_get_connection(ssl_conn);

    if (c->listening->quic) {
        return 0;
    }

#endif

    return SSL_client_hello_get0_ext(ssl_conn,
                         TLSEXT_TYPE_application_layer_protocol_negotiation,
                         &p, &len)
           && acme_alpn_is_offered(p, len)
           && SSL_client_hello_get0_ext(ssl_conn, TLSEXT_TYPE_server_name, &p,
                                        &len)
           && acme_alpn_server_name(p, len, name)
           && acme_live_alpn_is_pending(amcf->alpn, name);
}


/* without one, that of the server would be called */

static int
ngx_acme_alpn_servername(ngx_ssl_conn_t *ssl_conn, int *ad, void *arg)
{
    return SSL_TLSEXT_ERR_OK;
}


static int
ngx_acme_alpn_select(ngx_ssl_conn_t *ssl_conn, const unsigned char **out,
    unsigned char *outlen, const unsigned char *in, unsigned int inlen,
    void *arg)
{
    static const unsigned char  protocols[] = "\012" ACME_ALPN_PROTOCOL;

    /* the ClientHello behind a HelloRetryRequest may be another one */

    if (inlen != sizeof(protocols) - 1
        || ngx_memcmp(in, protocols, sizeof(protocols) - 1) != 0)
    {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    *out = in + 1;
    *outlen = in[0];

    return SSL_TLSEXT_ERR_OK;
}


/* nginx is told that the client has nothing to say, and closes */

static void
ngx_acme_alpn_info(const ngx_ssl_conn_t *ssl_conn, int where, int ret)
{
    if (where & SSL_CB_HANDSHAKE_DONE) {
        SSL_set_shutdown((ngx_ssl_conn_t *) ssl_conn, SSL_RECEIVED_SHUTDOWN);
    }
}

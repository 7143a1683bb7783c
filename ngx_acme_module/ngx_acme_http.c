
/*
 * Servers of http{}: what the rest knows them by, which of them speak TLS, and
 * what their ssl_certificate has to do with acme_certificate.
 */


#include "ngx_acme_module.h"


static void ngx_acme_http_mark(ngx_http_core_main_conf_t *cmcf);
static ngx_int_t ngx_acme_http_own(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_acme_srv_conf_t *ascf);
static ngx_uint_t ngx_acme_http_is(ngx_str_t *value, const char *variable);
static void ngx_acme_http_warn(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
#if (nginx_version < 1025001)
static ngx_uint_t ngx_acme_http_enabled(ngx_http_ssl_srv_conf_t *sscf,
    ngx_http_ssl_srv_conf_t *outer);
#endif
static int ngx_acme_http_lookup(ngx_ssl_conn_t *ssl_conn, void *data);


static const ngx_acme_ssl_module_t  ngx_acme_http_ssl =
    ngx_acme_ssl_module("HTTP", ngx_http_ssl_srv_conf_t,
                        offsetof(ngx_http_ssl_srv_conf_t, stapling),
                        ngx_acme_http_lookup);


void
ngx_acme_http_servers(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t                  i;
    ngx_http_conf_ctx_t        *ctx;
    ngx_acme_srv_conf_t        *ascf, *outer;
    ngx_http_core_srv_conf_t  **cscf;

    ctx = cf->ctx;

    outer = ctx->srv_conf[ngx_acme_module.ctx_index];
    outer->ssl = &ngx_acme_http_ssl;
    outer->sscf = ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    amcf->http = outer;

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ctx = cscf[i]->ctx;

        ascf = ctx->srv_conf[ngx_acme_module.ctx_index];
        ascf->main = amcf;
        ascf->outer = outer;
        ascf->server_names = &cscf[i]->server_names;
        ascf->ssl = outer->ssl;
        ascf->sscf = ctx->srv_conf[ngx_http_ssl_module.ctx_index];

#if (nginx_version < 1025001)

        /* the "ssl on" directive */

        ascf->tls = ngx_acme_http_enabled(ascf->sscf, outer->sscf);

#endif
    }

    ngx_acme_http_mark(cmcf);
}


/*
 * A server that only listens in the clear needs no SSL_CTX: one pass over all
 * addresses marks the others.
 */

static void
ngx_acme_http_mark(ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t                  p, a, s, ssl;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_acme_srv_conf_t        *ascf;
    ngx_http_core_srv_conf_t  **cscf;

    if (cmcf->ports == NULL) {
        return;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            ssl = addr[a].opt.ssl;

#if (nginx_version >= 1025000)
            ssl |= addr[a].opt.quic;
#endif

            cscf = addr[a].servers.elts;

            for (s = 0; ssl && s < addr[a].servers.nelts; s++) {
                ascf = cscf[s]->ctx->srv_conf[ngx_acme_module.ctx_index];
                ascf->tls = 1;
            }
        }
    }
}


#if (nginx_version < 1025001)


static ngx_uint_t
ngx_acme_http_enabled(ngx_http_ssl_srv_conf_t *sscf,
    ngx_http_ssl_srv_conf_t *outer)
{
    return sscf->enable == 1
           || (sscf->enable == NGX_CONF_UNSET && outer->enable == 1);
}


#endif


ngx_int_t
ngx_acme_http_inject(ngx_conf_t *cf, ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t                  i;
    ngx_acme_srv_conf_t        *ascf;
    ngx_http_core_srv_conf_t  **cscf;

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ascf = cscf[i]->ctx->srv_conf[ngx_acme_module.ctx_index];

        if (ngx_acme_http_own(cf, cscf[i], ascf) != NGX_OK
            || (ascf->managed && ngx_acme_tls_inject(cf, ascf) != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * "ssl_certificate $acme_certificate" with its key, of the server or inherited:
 * the certificate of the server's acme_certificate, which is put into
 * handshakes without a look at variables.  Such pairs are taken out; what else
 * there is counts as the explicit certificate.
 */

static ngx_int_t
ngx_acme_http_own(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_acme_srv_conf_t *ascf)
{
    ngx_str_t                *cert, *key, *to;
    ngx_uint_t                i, own;
    ngx_array_t              *certs, *keys, *other[2];
    ngx_http_ssl_srv_conf_t  *sscf, *outer;

    sscf = ascf->sscf;
    outer = ascf->outer->sscf;

    certs = sscf->certificates;
    keys = sscf->certificate_keys;

    if (certs == NGX_CONF_UNSET_PTR) {
        certs = outer->certificates;
    }

    if (keys == NGX_CONF_UNSET_PTR) {
        keys = outer->certificate_keys;
    }

    if (certs == NGX_CONF_UNSET_PTR || keys == NGX_CONF_UNSET_PTR
        || certs->nelts != keys->nelts)
    {
        return NGX_OK;
    }

    other[0] = ngx_array_create(cf->pool, certs->nelts, sizeof(ngx_str_t));
    other[1] = ngx_array_create(cf->pool, certs->nelts, sizeof(ngx_str_t));

    if (other[0] == NULL || other[1] == NULL) {
        return NGX_ERROR;
    }

    cert = certs->elts;
    key = keys->elts;

    for (i = 0, own = 0; i < certs->nelts; i++) {

        if (ngx_acme_http_is(&cert[i], "acme_certificate")
            && ngx_acme_http_is(&key[i], "acme_certificate_key"))
        {
            own = 1;
            continue;
        }

        to = ngx_array_push(other[0]);
        *to = cert[i];

        to = ngx_array_push(other[1]);
        *to = key[i];
    }

    if (!own) {
        return NGX_OK;
    }

    if (!ascf->managed && ascf->tls) {
        ngx_acme_http_warn(cf, cscf);
        return NGX_OK;
    }

    if (other[0]->nelts == 0) {

        /* NULL: nobody asks this server for a certificate */

        ascf->own = ascf->managed;
        other[0] = ascf->tls ? NGX_CONF_UNSET_PTR : NULL;
        other[1] = other[0];
    }

    sscf->certificates = other[0];
    sscf->certificate_keys = other[1];

    return NGX_OK;
}


static ngx_uint_t
ngx_acme_http_is(ngx_str_t *value, const char *variable)
{
    u_char  *p, *last;
    size_t   len;

    p = value->data;
    last = p + value->len;

    if (p == last || *p++ != '$') {
        return 0;
    }

    if (last - p > 2 && *p == '{' && last[-1] == '}') {
        p++;
        last--;
    }

    len = ngx_strlen(variable);

    /* names of variables are of any case */

    return (size_t) (last - p) == len
           && ngx_strncasecmp(p, (u_char *) variable, len) == 0;
}


static void
ngx_acme_http_warn(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"ssl_certificate $acme_certificate\" of the server in "
                  "%s:%ui has no certificate: add \"acme_certificate\" to "
                  "the server, or handshakes with it fail",
                  cscf->file_name, cscf->line);
}


static int
ngx_acme_http_lookup(ngx_ssl_conn_t *ssl_conn, void *data)
{
    ngx_http_ssl_srv_conf_t  *sscf = data;

    return sscf->certificate_values ? ngx_http_ssl_certificate(ssl_conn, sscf)
                                    : 1;
}


/*
 * Certificates into handshakes.  A server without ssl_certificate is given a
 * pseudo certificate name with a variable in it, which makes nginx build an
 * SSL_CTX with no certificate at all; the callback puts in what the key area
 * holds.  An explicit ssl_certificate is served until there is one of ours.
 */


#include "ngx_acme_module.h"


static ngx_int_t ngx_acme_none_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_acme_tls_own(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_acme_srv_conf_t *ascf);
static ngx_uint_t ngx_acme_tls_is(ngx_str_t *value, const char *variable);
static void ngx_acme_tls_warn(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_acme_tls_wanted(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf);
#if (nginx_version < 1025001)
static void ngx_acme_tls_mark_enabled(ngx_conf_t *cf,
    ngx_http_core_main_conf_t *cmcf);
#endif
static ngx_array_t *ngx_acme_tls_pseudo(ngx_conf_t *cf, ngx_str_t *name);
static int ngx_acme_certificate(ngx_ssl_conn_t *ssl_conn, void *data);


static ngx_str_t  ngx_acme_none_name = ngx_string("acme_none");


ngx_int_t
ngx_acme_tls_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_acme_none_name, NGX_HTTP_VAR_NOHASH);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_acme_none_variable;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_none_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    v->not_found = 1;

    return NGX_OK;
}


/*
 * Runs between the parsing of all servers and the merge of the ssl module,
 * so neither the order of directives nor inheritance matters.
 */

ngx_int_t
ngx_acme_tls_inject(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_acme_srv_conf_t *ascf, const char *lineage)
{
    u_char     *p;
    ngx_str_t   name;

    ascf->ssl = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (ngx_acme_tls_own(cf, cscf, ascf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ascf->managed || !ngx_acme_tls_wanted(cf, ascf)) {
        return NGX_OK;
    }

    if (ascf->main->config->lineage[ascf->lineage].csr_file != NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" with \"csr=\" in %V:%ui: only "
                      "you have the key, and the server has no "
                      "\"ssl_certificate\"; point it to a certificate, later "
                      "%s/live/%s/fullchain.pem, and \"ssl_certificate_key\" "
                      "to your key, and reload after renewals",
                      &ascf->file, ascf->line, ascf->main->config->state_dir,
                      lineage);
        return NGX_ERROR;
    }

    /* unique per lineage: it becomes a part of the session id context */

    name.len = sizeof("acme:$acme_none") - 1 + ngx_strlen(lineage);
    name.data = ngx_pnalloc(cf->pool, name.len + 1);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(name.data, "acme:%s$acme_none", lineage);
    *p = '\0';

    ascf->ssl->certificates = ngx_acme_tls_pseudo(cf, &name);
    ascf->ssl->certificate_keys = ngx_acme_tls_pseudo(cf, &name);

    if (ascf->ssl->certificates == NULL || ascf->ssl->certificate_keys == NULL)
    {
        return NGX_ERROR;
    }

    ascf->injected = 1;

    return NGX_OK;
}


/*
 * "ssl_certificate $acme_certificate" with its key, of the server or inherited:
 * the certificate of the server's acme_certificate, which is put into
 * handshakes without a look at variables.  Such pairs are taken out; what else
 * there is counts as the explicit certificate.
 */

static ngx_int_t
ngx_acme_tls_own(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_acme_srv_conf_t *ascf)
{
    ngx_str_t                *cert, *key, *to;
    ngx_uint_t                i, own;
    ngx_array_t              *certs, *keys, *other[2];
    ngx_http_conf_ctx_t      *ctx;
    ngx_http_ssl_srv_conf_t  *msscf;

    ctx = cf->ctx;
    msscf = ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    certs = ascf->ssl->certificates;
    keys = ascf->ssl->certificate_keys;

    if (certs == NGX_CONF_UNSET_PTR) {
        certs = msscf->certificates;
    }

    if (keys == NGX_CONF_UNSET_PTR) {
        keys = msscf->certificate_keys;
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

        if (ngx_acme_tls_is(&cert[i], "acme_certificate")
            && ngx_acme_tls_is(&key[i], "acme_certificate_key"))
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
        ngx_acme_tls_warn(cf, cscf);
        return NGX_OK;
    }

    if (other[0]->nelts == 0) {

        /* NULL: nobody asks this server for a certificate */

        ascf->own = ascf->managed;
        other[0] = ascf->tls ? NGX_CONF_UNSET_PTR : NULL;
        other[1] = other[0];
    }

    ascf->ssl->certificates = other[0];
    ascf->ssl->certificate_keys = other[1];

    return NGX_OK;
}


static ngx_uint_t
ngx_acme_tls_is(ngx_str_t *value, const char *variable)
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
ngx_acme_tls_warn(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"ssl_certificate $acme_certificate\" of the server in "
                  "%s:%ui has no certificate: add \"acme_certificate\" to "
                  "the server, or handshakes with it fail",
                  cscf->file_name, cscf->line);
}


/* the server speaks TLS, and nobody has given it a certificate */

static ngx_uint_t
ngx_acme_tls_wanted(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf)
{
    ngx_http_conf_ctx_t      *ctx;
    ngx_http_ssl_srv_conf_t  *msscf;

    ctx = cf->ctx;
    msscf = ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (ascf->own) {
        return ascf->tls;
    }

    if (ascf->ssl->certificates != NGX_CONF_UNSET_PTR
        || ascf->ssl->certificate_keys != NGX_CONF_UNSET_PTR
        || msscf->certificates != NGX_CONF_UNSET_PTR)
    {
        return 0;
    }

    return ascf->tls;
}


/*
 * A server that only listens in the clear needs no SSL_CTX: one pass over all
 * addresses marks the others.
 */

void
ngx_acme_tls_mark(ngx_conf_t *cf)
{
    ngx_uint_t                  p, a, s, ssl;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_acme_srv_conf_t        *ascf;
    ngx_http_core_srv_conf_t  **cscf;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

#if (nginx_version < 1025001)
    ngx_acme_tls_mark_enabled(cf, cmcf);
#endif

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


/* the "ssl on" directive */

static void
ngx_acme_tls_mark_enabled(ngx_conf_t *cf, ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t                  i;
    ngx_http_conf_ctx_t        *ctx;
    ngx_acme_srv_conf_t        *ascf;
    ngx_http_ssl_srv_conf_t    *sscf, *msscf;
    ngx_http_core_srv_conf_t  **cscf;

    ctx = cf->ctx;
    msscf = ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ascf = cscf[i]->ctx->srv_conf[ngx_acme_module.ctx_index];
        sscf = cscf[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (sscf->enable == 1
            || (sscf->enable == NGX_CONF_UNSET && msscf->enable == 1))
        {
            ascf->tls = 1;
        }
    }
}


#endif


static ngx_array_t *
ngx_acme_tls_pseudo(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t    *value;
    ngx_array_t  *array;

    array = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (array == NULL) {
        return NULL;
    }

    value = ngx_array_push(array);
    if (value == NULL) {
        return NULL;
    }

    *value = *name;

    return array;
}


void
ngx_acme_tls_install(ngx_acme_srv_conf_t *ascf)
{
    if (ascf->ssl->ssl.ctx != NULL) {
        SSL_CTX_set_cert_cb(ascf->ssl->ssl.ctx, ngx_acme_certificate, ascf);
    }
}


static int
ngx_acme_certificate(ngx_ssl_conn_t *ssl_conn, void *data)
{
    ngx_acme_srv_conf_t  *ascf = data;

    if (ascf->main->cache != NULL
        && acme_live_apply(ascf->main->cache, ascf->lineage, ssl_conn)
           != ACME_LIVE_NONE)
    {
        return 1;
    }

    if (!ascf->injected) {

        /* the explicit certificate, which nginx may have to look up */

        if (ascf->ssl->certificate_values) {
            return ngx_http_ssl_certificate(ssl_conn, ascf->ssl);
        }

        return 1;
    }

    if (ascf->placeholder == NGX_ACME_PLACEHOLDER_SELF_SIGNED
        && ascf->main->cache != NULL)
    {
        (void) acme_live_apply_placeholder(ascf->main->cache, ssl_conn);
    }

    /* with no certificate OpenSSL itself answers handshake_failure */

    return 1;
}

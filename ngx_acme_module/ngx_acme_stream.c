
/*
 * Certificates of servers of stream{}.
 */


#include "ngx_acme_module.h"

#include <ngx_stream.h>
#include <ngx_stream_ssl_module.h>


#if (NGX_STREAM_MAIN_CONF != NGX_HTTP_MAIN_CONF                               \
     || NGX_STREAM_SRV_CONF != NGX_HTTP_SRV_CONF)
#error "directives of http are not those of stream"
#endif


#if (nginx_version < 1025005)
#define ngx_stream_ssl_srv_conf_t  ngx_stream_ssl_conf_t
#endif

#if (nginx_version >= 1027002)
#define NGX_ACME_STREAM_STAPLING                                             \
    offsetof(ngx_stream_ssl_srv_conf_t, stapling)
#else
#define NGX_ACME_STREAM_STAPLING  -1
#endif


static char *ngx_acme_stream_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_acme_stream_server(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, ngx_stream_core_srv_conf_t *cscf);
static ngx_int_t ngx_acme_stream_explicit(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf);
#if (nginx_version >= 1025005)
static void ngx_acme_stream_mark(ngx_stream_core_main_conf_t *cmcf);
static ngx_int_t ngx_acme_stream_names(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, ngx_stream_core_srv_conf_t *cscf);
#endif


static const ngx_acme_ssl_module_t  ngx_acme_stream_ssl =
    ngx_acme_ssl_module("STREAM", ngx_stream_ssl_srv_conf_t,
                        NGX_ACME_STREAM_STAPLING, NULL);


static ngx_stream_module_t  ngx_acme_stream_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_acme_create_main_conf,             /* create main configuration */
    ngx_acme_stream_init_main_conf,        /* init main configuration */

    ngx_acme_create_srv_conf,              /* create server configuration */
    ngx_acme_merge_tls_conf                /* merge server configuration */
};


ngx_module_t  ngx_acme_stream_module = {
    NGX_MODULE_V1,
    &ngx_acme_stream_module_ctx,           /* module context */
    ngx_acme_commands + NGX_ACME_HTTP_COMMANDS,
                                           /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_acme_stream_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_uint_t                     i;
    ngx_module_t                  *core, *ssl;
    ngx_acme_srv_conf_t           *ascf, *outer;
    ngx_stream_conf_ctx_t         *ctx;
    ngx_stream_core_srv_conf_t   **cscf;
    ngx_stream_core_main_conf_t   *cmcf;

    core = ngx_acme_find_module(cf->cycle, "ngx_stream_core_module");
    ssl = ngx_acme_find_module(cf->cycle, "ngx_stream_ssl_module");

    if (core == NULL || ssl == NULL) {
        return NGX_CONF_OK;
    }

    ctx = cf->ctx;
    cmcf = ctx->main_conf[core->ctx_index];

    outer = ctx->srv_conf[ngx_acme_stream_module.ctx_index];
    outer->ssl = &ngx_acme_stream_ssl;
    outer->sscf = ctx->srv_conf[ssl->ctx_index];

#if (nginx_version >= 1025005)
    ngx_acme_stream_mark(cmcf);
#endif

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ctx = cscf[i]->ctx;
        ascf = ctx->srv_conf[ngx_acme_stream_module.ctx_index];

        ascf->main = conf;
        ascf->outer = outer;
        ascf->ssl = outer->ssl;
        ascf->sscf = ctx->srv_conf[ssl->ctx_index];

        if (ngx_acme_stream_server(cf, ascf, cscf[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_acme_stream_server(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    ngx_stream_core_srv_conf_t *cscf)
{
#if (nginx_version >= 1025005)

    if (ngx_acme_stream_names(cf, ascf, cscf) != NGX_OK) {
        return NGX_ERROR;
    }

#else

    ngx_stream_ssl_srv_conf_t  *sscf = ascf->sscf;

    ascf->tls = sscf->listen;

#endif

    if (ngx_acme_take_server(cf, ascf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ascf->certificate != NULL ? ngx_acme_stream_explicit(cf, ascf)
                                     : NGX_OK;
}


/*
 * nginx looks such a certificate up in a callback of its own, which cannot be
 * called from another module, and there is one callback only
 */

static ngx_int_t
ngx_acme_stream_explicit(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf)
{
    ngx_str_t                  *value;
    ngx_uint_t                  i;
    ngx_array_t                *certs;
    ngx_stream_ssl_srv_conf_t  *sscf, *outer;

    sscf = ascf->sscf;
    outer = ascf->outer->sscf;

    certs = sscf->certificates != NGX_CONF_UNSET_PTR ? sscf->certificates
                                                     : outer->certificates;
    if (certs == NGX_CONF_UNSET_PTR) {
        return NGX_OK;
    }

    value = certs->elts;

    for (i = 0; i < certs->nelts; i++) {

        if (ngx_strlchr(value[i].data, value[i].data + value[i].len, '$')
            == NULL)
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" in %V:%ui: the server has "
                      "\"ssl_certificate %V\" too, and in stream one with "
                      "variables cannot be served before ours; name a file "
                      "without variables, or remove it",
                      &ascf->file, ascf->line, &value[i]);
        return NGX_ERROR;
    }

    return NGX_OK;
}


#if (nginx_version >= 1025005)


static void
ngx_acme_stream_mark(ngx_stream_core_main_conf_t *cmcf)
{
    ngx_uint_t                    p, a, s;
    ngx_acme_srv_conf_t          *ascf;
    ngx_stream_conf_port_t       *port;
    ngx_stream_conf_addr_t       *addr;
    ngx_stream_core_srv_conf_t  **cscf;

    if (cmcf->ports == NULL) {
        return;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            cscf = addr[a].servers.elts;

            for (s = 0; addr[a].opt.ssl && s < addr[a].servers.nelts; s++) {
                ascf = cscf[s]->ctx->srv_conf[ngx_acme_stream_module.ctx_index];
                ascf->tls = 1;
            }
        }
    }
}


static ngx_int_t
ngx_acme_stream_names(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    ngx_stream_core_srv_conf_t *cscf)
{
    ngx_uint_t                 i;
    ngx_http_server_name_t    *name;
    ngx_stream_server_name_t  *sn;

    ascf->server_names = ngx_array_create(cf->temp_pool,
                                          cscf->server_names.nelts + 1,
                                          sizeof(ngx_http_server_name_t));
    if (ascf->server_names == NULL) {
        return NGX_ERROR;
    }

    sn = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {
        name = ngx_array_push(ascf->server_names);

        ngx_memzero(name, sizeof(ngx_http_server_name_t));

        name->name = sn[i].name;

#if (NGX_PCRE)
        name->regex = (ngx_http_regex_t *) sn[i].regex;
#endif
    }

    return NGX_OK;
}


#endif


/*
 * Certificates of servers of mail{}, which speak TLS from the start or after
 * STARTTLS.
 */


#include "ngx_acme_module.h"

#include <ngx_mail.h>
#include <ngx_mail_ssl_module.h>


#if (NGX_MAIL_MAIN_CONF != NGX_HTTP_MAIN_CONF                                 \
     || NGX_MAIL_SRV_CONF != NGX_HTTP_SRV_CONF)
#error "directives of http are not those of mail"
#endif


static char *ngx_acme_mail_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_uint_t ngx_acme_mail_tls(ngx_mail_ssl_conf_t *sscf,
    ngx_mail_ssl_conf_t *outer);
static ngx_int_t ngx_acme_mail_name(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    ngx_str_t *name);


static const ngx_acme_ssl_module_t  ngx_acme_mail_ssl =
    ngx_acme_ssl_module("MAIL", ngx_mail_ssl_conf_t, -1, NULL);


static ngx_mail_module_t  ngx_acme_mail_module_ctx = {
    NULL,                                  /* protocol */

    ngx_acme_create_main_conf,             /* create main configuration */
    ngx_acme_mail_init_main_conf,          /* init main configuration */

    ngx_acme_create_srv_conf,              /* create server configuration */
    ngx_acme_merge_tls_conf                /* merge server configuration */
};


ngx_module_t  ngx_acme_mail_module = {
    NGX_MODULE_V1,
    &ngx_acme_mail_module_ctx,             /* module context */
    ngx_acme_commands + NGX_ACME_HTTP_COMMANDS,
                                           /* module directives */
    NGX_MAIL_MODULE,                       /* module type */
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
ngx_acme_mail_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_uint_t                   i;
    ngx_module_t                *core, *ssl;
    ngx_acme_srv_conf_t         *ascf, *outer;
    ngx_mail_conf_ctx_t         *ctx;
    ngx_mail_core_srv_conf_t   **cscf, *ocscf;
    ngx_mail_core_main_conf_t   *cmcf;

    core = ngx_acme_find_module(cf->cycle, "ngx_mail_core_module");
    ssl = ngx_acme_find_module(cf->cycle, "ngx_mail_ssl_module");

    if (core == NULL || ssl == NULL) {
        return NGX_CONF_OK;
    }

    ctx = cf->ctx;
    cmcf = ctx->main_conf[core->ctx_index];
    ocscf = ctx->srv_conf[core->ctx_index];

    outer = ctx->srv_conf[ngx_acme_mail_module.ctx_index];
    outer->ssl = &ngx_acme_mail_ssl;
    outer->sscf = ctx->srv_conf[ssl->ctx_index];

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ctx = cscf[i]->ctx;
        ascf = ctx->srv_conf[ngx_acme_mail_module.ctx_index];

        ascf->main = conf;
        ascf->outer = outer;
        ascf->ssl = outer->ssl;
        ascf->sscf = ctx->srv_conf[ssl->ctx_index];
        ascf->tls = ngx_acme_mail_tls(ascf->sscf, outer->sscf);

        if (ngx_acme_mail_name(cf, ascf, cscf[i]->server_name.len
                                         ? &cscf[i]->server_name
                                         : &ocscf->server_name)
            != NGX_OK
            || ngx_acme_take_server(cf, ascf) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* not merged yet */

static ngx_uint_t
ngx_acme_mail_tls(ngx_mail_ssl_conf_t *sscf, ngx_mail_ssl_conf_t *outer)
{
    ngx_uint_t  starttls;

    starttls = sscf->starttls != NGX_CONF_UNSET_UINT ? sscf->starttls
                                                     : outer->starttls;

    if (starttls == NGX_MAIL_STARTTLS_ON
        || starttls == NGX_MAIL_STARTTLS_ONLY)
    {
        return 1;
    }

#if (nginx_version < 1025001)

    /* the "ssl on" directive */

    if (sscf->enable == 1
        || (sscf->enable == NGX_CONF_UNSET && outer->enable == 1))
    {
        return 1;
    }

#endif

    return sscf->listen;
}


/*
 * One at most, merged or not, as the modules are in either order; that of the
 * machine, which nginx falls back to, is not meant.
 */

static ngx_int_t
ngx_acme_mail_name(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf, ngx_str_t *name)
{
    ngx_http_server_name_t  *sn;

    ascf->server_names = ngx_array_create(cf->temp_pool, 1,
                                          sizeof(ngx_http_server_name_t));
    if (ascf->server_names == NULL) {
        return NGX_ERROR;
    }

    if (name->len == 0 || name->data == cf->cycle->hostname.data) {
        return NGX_OK;
    }

    sn = ngx_array_push(ascf->server_names);

    ngx_memzero(sn, sizeof(ngx_http_server_name_t));

    sn->name = *name;

    return NGX_OK;
}

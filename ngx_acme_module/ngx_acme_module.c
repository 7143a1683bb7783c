
/*
 * The module of http and the core module, and their place in nginx's life:
 * checks in every process that reads the configuration, the service from the
 * master, the cache in the workers.  What the core module is for is the moment
 * when all blocks are read; processes are started by that of http, which even
 * in a static build stands behind nginx's modules for events.
 */


#include "ngx_acme_module.h"


static ngx_int_t ngx_acme_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_acme_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_acme_init_process(ngx_cycle_t *cycle);
static void ngx_acme_exit_master(ngx_cycle_t *cycle);


static ngx_core_module_t  ngx_acme_core_module_ctx = {
    ngx_string("acme"),
    ngx_acme_create_conf,
    ngx_acme_init_conf
};


ngx_module_t  ngx_acme_core_module = {
    NGX_MODULE_V1,
    &ngx_acme_core_module_ctx,             /* module context */
    NULL,                                  /* module directives */
    NGX_CORE_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    ngx_acme_exit_master,                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_module_t  ngx_acme_module_ctx = {
    ngx_acme_add_variables,                /* preconfiguration */
    ngx_acme_postconfiguration,            /* postconfiguration */

    ngx_acme_create_main_conf,             /* create main configuration */
    ngx_acme_init_main_conf,               /* init main configuration */

    ngx_acme_create_srv_conf,              /* create server configuration */
    ngx_acme_merge_srv_conf,               /* merge server configuration */

    ngx_acme_create_loc_conf,              /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_acme_module = {
    NGX_MODULE_V1,
    &ngx_acme_module_ctx,                  /* module context */
    ngx_acme_commands,                     /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_acme_init_module,                  /* init module */
    ngx_acme_init_process,                 /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_acme_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_acme_main_conf_t       *amcf;
    ngx_http_core_main_conf_t  *cmcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_acme_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* before rewrites, redirects, access rules and content of any kind */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_acme_challenge_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_acme_enhance_handler;

    ngx_acme_alpn_install(cf, amcf);

    return NGX_OK;
}


static ngx_int_t
ngx_acme_init_module(ngx_cycle_t *cycle)
{
    ngx_acme_main_conf_t  *amcf;

    amcf = (ngx_acme_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                 ngx_acme_core_module);

    if (amcf->config == NULL) {
        return NGX_OK;
    }

    /* an error here would end the master in a reload: warnings only */

    ngx_acme_host_start(cycle, amcf);

    return NGX_OK;
}


static ngx_int_t
ngx_acme_init_process(ngx_cycle_t *cycle)
{
    ngx_acme_main_conf_t  *amcf;

    amcf = (ngx_acme_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                 ngx_acme_core_module);

    if (amcf->area == NULL) {
        return NGX_OK;
    }

    ngx_acme_host_worker(cycle, amcf);

    return NGX_OK;
}


static void
ngx_acme_exit_master(ngx_cycle_t *cycle)
{
    ngx_acme_main_conf_t  *amcf;

    amcf = (ngx_acme_main_conf_t *) ngx_get_conf(cycle->conf_ctx,
                                                 ngx_acme_core_module);

    if (amcf->config != NULL) {
        acme_service_end(&amcf->service);
    }
}


/*
 * Servers of stream{} and mail{}.  What nginx knows of them is in modules that
 * may be in another file, loaded before this one, after it or not at all:
 * they are found by their names, and no symbol of theirs is used.
 */


#include "ngx_acme_module.h"


ngx_module_t *
ngx_acme_find_module(ngx_cycle_t *cycle, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; cycle->modules[i]; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, name) == 0) {
            return cycle->modules[i];
        }
    }

    return NULL;
}


/* as the server is read, before the merge of the ssl module */

ngx_int_t
ngx_acme_take_server(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf)
{
    ngx_acme_srv_conf_t  **server;

    ngx_acme_inherit(ascf);

    if (ascf->certificate == NULL) {
        return NGX_OK;
    }

    /* TLS is what it is there for: it is meant, and has to have a name */

    ascf->inherited = 0;

    server = ngx_array_push(&ascf->main->servers);
    if (server == NULL) {
        return NGX_ERROR;
    }

    *server = ascf;

    return ngx_acme_tls_inject(cf, ascf);
}

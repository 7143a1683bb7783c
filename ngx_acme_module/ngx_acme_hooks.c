
/*
 * What is run when a certificate is worked on: the directives for it.
 */


#include "ngx_acme_module.h"


static char *ngx_acme_hooks_words(ngx_conf_t *cf, struct acme_hooks **hooks,
    enum acme_hooks_item item, ngx_uint_t first);


/* acme_hook pre|deploy|post COMMAND [WORD...] */

char *
ngx_acme_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    ngx_str_t             *value;
    struct acme_error      err;
    enum acme_hooks_item   item;

    value = cf->args->elts;
    acme_error_clear(&err);

    if (acme_hooks_stage((char *) value[1].data, &item, &err) != ACME_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &value[0],
                           err.what);
        return NGX_CONF_ERROR;
    }

    return ngx_acme_hooks_words(cf, &ascf->hooks, item, 2);
}


/* the item of acme_hooks_set() is in cmd->post */

char *
ngx_acme_hooks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    enum acme_hooks_item  item = *(enum acme_hooks_item *) cmd->post;

    if (ascf->hooks != NULL && (ascf->hooks->said & (1u << item))) {
        return "is duplicate";
    }

    return ngx_acme_hooks_words(cf, &ascf->hooks, item, 1);
}


static char *
ngx_acme_hooks_words(ngx_conf_t *cf, struct acme_hooks **hooks,
    enum acme_hooks_item item, ngx_uint_t first)
{
    ngx_str_t          *value;
    ngx_uint_t          i;
    const char        **word;
    struct acme_error   err;

    if (*hooks == NULL) {
        *hooks = ngx_palloc(cf->pool, sizeof(struct acme_hooks));
        if (*hooks == NULL) {
            return NGX_CONF_ERROR;
        }

        acme_hooks_init(*hooks);
    }

    value = cf->args->elts;

    word = ngx_palloc(cf->pool, cf->args->nelts * sizeof(char *));
    if (word == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = first; i < cf->args->nelts; i++) {
        word[i] = (char *) value[i].data;
    }

    acme_error_clear(&err);

    if (acme_hooks_set(*hooks, item, word + first, i - first, &err)
        != ACME_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &value[0],
                           err.what);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* what a server says, then its block, then http{}; not merged yet */

void
ngx_acme_hooks_of(ngx_acme_srv_conf_t *ascf, struct acme_hooks *hooks)
{
    acme_hooks_init(hooks);

    for ( /* void */ ; ascf != NULL; ascf = ascf->outer) {
        if (ascf->hooks != NULL) {
            acme_hooks_merge(hooks, ascf->hooks);
        }
    }
}

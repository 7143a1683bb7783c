
/*
 * When a certificate is renewed, and tried again: the directives for it.
 */


#include "ngx_acme_module.h"


typedef struct {
    ngx_str_t              name;
    enum acme_timing_item  item;
} ngx_acme_timing_word_t;


static ngx_acme_timing_word_t  ngx_acme_timing_words[] = {
    { ngx_string("acme_renew_mode"), ACME_TIMING_MODE },
    { ngx_string("acme_renew_window"), ACME_TIMING_WINDOW },
    { ngx_string("acme_check_interval"), ACME_TIMING_CHECK_INTERVAL },
    { ngx_string("acme_initial_delay"), ACME_TIMING_INITIAL_DELAY },
    { ngx_string("acme_retry_delay"), ACME_TIMING_RETRY_DELAY },
    { ngx_string("acme_retry_failover"), ACME_TIMING_RETRY_FAILOVER },
    { ngx_string("acme_activation_delay"), ACME_TIMING_ACTIVATION_DELAY },
    { ngx_null_string, ACME_TIMING_ITEMS }
};


char *
ngx_acme_timing(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    ngx_str_t               *value;
    const char              *word;
    struct acme_error        err;
    ngx_acme_timing_word_t  *w;

    value = cf->args->elts;
    acme_error_clear(&err);

    for (w = ngx_acme_timing_words; w->name.len; w++) {
        if (ngx_strcmp(w->name.data, cmd->name.data) == 0) {
            break;
        }
    }

    if (ascf->timing.said & (1u << w->item)) {
        return "is duplicate";
    }

    word = (char *) value[1].data;

    if (acme_timing_set(&ascf->timing, w->item, &word, 1, &err) != ACME_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &value[0],
                           err.what);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* what a server says, then its block, then http{}; not merged yet */

struct acme_timing
ngx_acme_timing_of(ngx_acme_srv_conf_t *ascf)
{
    struct acme_timing  timing;

    timing = ascf->timing;

    for (ascf = ascf->outer; ascf != NULL; ascf = ascf->outer) {
        acme_timing_merge(&timing, &ascf->timing);
    }

    return timing;
}


/*
 * What each server answers to the CA: its mode, and the thumbprint of an
 * account key that another host has.
 */


#include "ngx_acme_module.h"


static void ngx_acme_answering_place(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf);


char *
ngx_acme_stateless(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    ngx_str_t          *value;
    enum acme_answers   mode;
    struct acme_error   err;

    if (ascf->stateless != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    acme_error_clear(&err);

    if (acme_answering_mode((char *) value[1].data, &mode, &err) != ACME_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &cmd->name,
                           err.what);
        return NGX_CONF_ERROR;
    }

    ascf->stateless = mode;
    ngx_acme_answering_place(cf, ascf);

    return NGX_CONF_OK;
}


char *
ngx_acme_thumbprint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    ngx_str_t          *value;
    struct acme_error   err;

    if (ascf->thumbprint.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    acme_error_clear(&err);

    if (ngx_strncmp(value[1].data, ACME_THUMBPRINT_FILE,
                    sizeof(ACME_THUMBPRINT_FILE) - 1)
        != 0
        && acme_thumbprint_check((char *) value[1].data, &err) != ACME_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": %s; a file with one is written "
                           "\"file:PATH\"", &cmd->name, err.what);
        return NGX_CONF_ERROR;
    }

    ascf->thumbprint = value[1];
    ngx_acme_answering_place(cf, ascf);

    return NGX_CONF_OK;
}


static void
ngx_acme_answering_place(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf)
{
    ascf->answers_file = cf->conf_file->file.name;
    ascf->answers_line = cf->conf_file->line;
}


/* the thumbprint of a server, or of http{}, into the core's config */

ngx_int_t
ngx_acme_answering_init(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf)
{
    char                     value[ACME_THUMBPRINT_LEN + 1];
    size_t                   index, prefix;
    ngx_str_t                path;
    struct acme_error        err;
    struct acme_thumbprint   thumbprint;

    if (ascf->thumbprint.data == NULL) {
        return NGX_OK;
    }

    acme_error_clear(&err);
    ngx_memzero(&thumbprint, sizeof(struct acme_thumbprint));

    prefix = sizeof(ACME_THUMBPRINT_FILE) - 1;

    if (ngx_strncmp(ascf->thumbprint.data, ACME_THUMBPRINT_FILE, prefix) == 0)
    {
        path.data = ascf->thumbprint.data + prefix;
        path.len = ascf->thumbprint.len - prefix;

        if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
            return NGX_ERROR;
        }

        thumbprint.file = (char *) path.data;

        /* it may be right before anybody asks */

        if (acme_thumbprint_read(thumbprint.file, value, &err) != ACME_OK) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"acme_thumbprint\" in %V:%ui: %s; challenges are "
                          "not answered with it until it can be used",
                          &ascf->answers_file, ascf->answers_line, err.what);
            acme_error_clear(&err);
        }

    } else {
        thumbprint.value = (char *) ascf->thumbprint.data;
    }

    if (acme_config_add_thumbprint(amcf->config, &thumbprint, &index, &err)
        != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_thumbprint\" in %V:%ui: %s",
                      &ascf->answers_file, ascf->answers_line, err.what);
        return NGX_ERROR;
    }

    ascf->answering.thumbprint = index;

    return NGX_OK;
}


/* all issuers are known; said where it was written, once */

ngx_int_t
ngx_acme_answering_merge(ngx_conf_t *cf, ngx_acme_srv_conf_t *prev,
    ngx_acme_srv_conf_t *conf)
{
    int                   own;
    const char           *warning;
    struct acme_error     err;
    ngx_acme_srv_conf_t  *said;

    said = conf->answers_file.data != NULL ? conf : prev;

    ngx_conf_merge_uint_value(conf->stateless, prev->stateless,
                              ACME_ANSWERS_ON);

    if (conf->thumbprint.data == NULL) {
        conf->answering.thumbprint = prev->answering.thumbprint;
    }

    conf->answering.mode = conf->stateless;

    own = conf->managed ? (int) conf->wanted->issuer : -1;

    acme_error_clear(&err);

    if (acme_answering_finish(&conf->answering, conf->main->config, own, &err)
        != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_stateless\" in %V:%ui: %s",
                      &said->answers_file, said->answers_line, err.what);
        return NGX_ERROR;
    }

    warning = acme_answering_warning(&conf->answering,
                                     conf->thumbprint.data != NULL);

    if (warning != NULL && !said->answers_told) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0, "\"%s\" in %V:%ui: %s",
                      conf->answering.thumbprint != -1 ? "acme_thumbprint"
                                                       : "acme_stateless",
                      &said->answers_file, said->answers_line, warning);
        said->answers_told = 1;
    }

    return NGX_OK;
}

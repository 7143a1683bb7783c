
/*
 * How names are proved: the directives for it, and what the server listens
 * on, which tells the challenges that can work.
 */


#include "ngx_acme_module.h"


static const char *ngx_acme_proof_path(void *ctx, const char *path);


/* the item of acme_proof_set() is in cmd->post */

char *
ngx_acme_proof(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    return ngx_acme_proof_words(cf, &ascf->proof,
                                *(enum acme_proof_item *) cmd->post);
}


/* the words of cf->args behind the first */

char *
ngx_acme_proof_words(ngx_conf_t *cf, struct acme_proof **proof,
    enum acme_proof_item item)
{
    ngx_str_t          *value;
    ngx_uint_t          i, n;
    const char        **word;
    struct acme_error   err;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    word = ngx_palloc(cf->pool, cf->args->nelts * sizeof(char *));
    if (word == NULL) {
        return NGX_CONF_ERROR;
    }

    if (*proof == NULL) {
        *proof = ngx_palloc(cf->pool, sizeof(struct acme_proof));
        if (*proof == NULL) {
            return NGX_CONF_ERROR;
        }

        acme_proof_init(*proof);
    }

    if ((*proof)->said & (1u << item)) {
        return "is duplicate";
    }

    for (i = 0; i < n; i++) {
        word[i] = (char *) value[i + 1].data;
    }

    acme_error_clear(&err);

    if (acme_proof_set(*proof, item, word, n, ngx_acme_proof_path, cf, &err)
           != ACME_OK
        || (item == ACME_PROOF_COMMAND
            && acme_host_check_command(&(*proof)->command, &err) != ACME_OK)
        || (item == ACME_PROOF_DNS_UPDATE
            && acme_host_check_dns_key(*proof, &err) != ACME_OK))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &value[0],
                           err.what);
        return NGX_CONF_ERROR;
    }

    if (item == ACME_PROOF_COMMAND
        && acme_host_demotes_command(&(*proof)->command, &err))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" is run as the server's user, not as root: "
                           "%s",
                           &value[0], err.what);
    }

    return NGX_CONF_OK;
}


static const char *
ngx_acme_proof_path(void *ctx, const char *path)
{
    ngx_conf_t  *cf = ctx;

    ngx_str_t  name;

    name.data = (u_char *) path;
    name.len = ngx_strlen(path);

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NULL;
    }

    return (char *) name.data;
}


/*
 * What a server says, then its block, then http{}, then its issuer; not merged
 * yet.
 */

void
ngx_acme_proof_of(ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf,
    size_t index, struct acme_proof *proof)
{
    ngx_uint_t          i;
    ngx_acme_issuer_t  *issuer;

    acme_proof_init(proof);

    for ( /* void */ ; ascf != NULL; ascf = ascf->outer) {
        if (ascf->proof != NULL) {
            acme_proof_merge(proof, ascf->proof);
        }
    }

    issuer = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (issuer[i].index == index && issuer[i].proof != NULL) {
            acme_proof_merge(proof, issuer[i].proof);
        }
    }
}


char *
ngx_acme_port_map(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    ngx_str_t          *value;
    ngx_uint_t          i;
    struct acme_error   err;

    if (amcf->port_map.http != 0 || amcf->port_map.tls != 0) {
        return "is duplicate";
    }

    value = cf->args->elts;
    acme_error_clear(&err);

    for (i = 1; i < cf->args->nelts; i++) {
        if (acme_host_port_map(&amcf->port_map, (char *) value[i].data, &err)
            != ACME_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &value[0],
                               err.what);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void
ngx_acme_reach(ngx_acme_main_conf_t *amcf, ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t             i, j;
    struct acme_config    *config;
    ngx_http_conf_addr_t  *addr;
    ngx_http_conf_port_t  *port;

    config = amcf->config;
    config->reach.http = ACME_ARRIVAL_NO;
    config->reach.tls = ACME_ARRIVAL_NO;

    if (cmcf->ports == NULL) {
        return;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {

        addr = port[i].addrs.elts;

#if (nginx_version >= 1025000)

        if (port[i].type != SOCK_STREAM) {
            continue;
        }

#endif

        for (j = 0; j < port[i].addrs.nelts; j++) {

            if (addr[j].opt.proxy_protocol) {
                /* whoever asks it directly is refused */
                acme_host_listens(&config->reach, &amcf->port_map,
                                  port[i].port, addr[j].opt.ssl);
                continue;
            }

            acme_host_listens_at(config, &amcf->port_map,
                                 addr[j].opt.sockaddr, port[i].port,
                                 addr[j].opt.ssl);
        }
    }
}

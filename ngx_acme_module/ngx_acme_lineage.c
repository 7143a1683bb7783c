
/*
 * Issuers and lineages out of the directives: what the core is asked for.
 * Runs when all servers of a block are known, those of http first; a mistake in
 * what directives mean together is found here, with the file and line of one of
 * them and the cure.
 */


#include "ngx_acme_module.h"


typedef ngx_int_t (*ngx_acme_visit_pt)(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf);


static ngx_int_t ngx_acme_new_config(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf);
static void ngx_acme_http_resolver(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf);
static ngx_int_t ngx_acme_add_issuers(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf);
static ngx_int_t ngx_acme_read_servers(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_http_core_main_conf_t *cmcf);
static ngx_int_t ngx_acme_read_others(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf);
static ngx_int_t ngx_acme_each_server(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_visit_pt visit);
static ngx_int_t ngx_acme_add_own(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_add_sharing(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_install(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf);
static ngx_uint_t ngx_acme_may_share(ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_finish_config(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf);
static void ngx_acme_cleanup_config(void *data);
static ngx_int_t ngx_acme_use_issuer(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf, ngx_str_t *name,
    size_t *index);
static ngx_int_t ngx_acme_add_issuer(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_issuer_t *issuer);
static void ngx_acme_plain_words(ngx_acme_main_conf_t *amcf,
    ngx_acme_issuer_t *issuer, struct acme_issuer *core);
static ngx_int_t ngx_acme_directory(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, struct acme_issuer *core);
static ngx_int_t ngx_acme_domain(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core, char domain[ACME_NAME_MAX + 1]);
static ngx_int_t ngx_acme_trusted(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core);
static ngx_int_t ngx_acme_resolver(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core);
static ngx_int_t ngx_acme_adopt(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core);
static ngx_int_t ngx_acme_proxy(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core, char proxy[ACME_URL_MAX]);
static void ngx_acme_warn_issuer(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    const struct acme_issuer *core);
static ngx_int_t ngx_acme_account_key(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, struct acme_issuer *core,
    struct acme_error *err);
static ngx_int_t ngx_acme_external_account(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, struct acme_issuer *core);
static ngx_int_t ngx_acme_use_issuers(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf,
    struct acme_lineage *lineage);
static ngx_flag_t ngx_acme_flag(ngx_acme_srv_conf_t *ascf, size_t offset,
    ngx_flag_t unset);
static ngx_int_t ngx_acme_read_server(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_read_names(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf,
    ngx_array_t *names);
static ngx_int_t ngx_acme_add_server(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_parameters(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, struct acme_lineage *lineage,
    ngx_array_t *names);
static ngx_int_t ngx_acme_parameter(ngx_conf_t *cf, ngx_str_t *word,
    struct acme_lineage *lineage, ngx_array_t *names, struct acme_error *err);
static ngx_int_t ngx_acme_key_parameter(char *value,
    struct acme_lineage *lineage, struct acme_error *err);
static ngx_int_t ngx_acme_csr_parameter(ngx_conf_t *cf, ngx_str_t *value,
    struct acme_lineage *lineage);
static ngx_int_t ngx_acme_server_names(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, const struct acme_proof *proof,
    ngx_array_t *names);
static void ngx_acme_public_names(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, ngx_array_t *names);
static void ngx_acme_warn_unicode(ngx_conf_t *cf, ngx_array_t *server_names,
    ngx_str_t *name);
static ngx_int_t ngx_acme_push_server_name(ngx_conf_t *cf,
    ngx_acme_srv_conf_t *ascf, const struct acme_proof *proof,
    ngx_array_t *names, ngx_http_server_name_t *sn, struct acme_error *err);
static ngx_int_t ngx_acme_push_dotted(ngx_conf_t *cf, ngx_array_t *names,
    ngx_str_t *name, struct acme_error *err);
static ngx_int_t ngx_acme_push_name(ngx_conf_t *cf, ngx_array_t *names,
    u_char *data, size_t len, struct acme_error *err);


/* http{} is read, stream{} and mail{} may follow */

char *
ngx_acme_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    ngx_acme_http_resolver(cf, amcf);

    if (ngx_acme_new_config(cf, amcf) != NGX_OK
        || ngx_acme_add_issuers(cf, amcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_acme_http_servers(cf, amcf, cmcf);

    if (ngx_acme_read_servers(cf, amcf, cmcf) != NGX_OK
        || ngx_acme_http_inject(cf, cmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * All is read, and each server that speaks TLS has its SSL_CTX.  Last come
 * servers that may do with a wildcard of another one, whatever block it is in.
 */

char *
ngx_acme_init_conf(ngx_cycle_t *cycle, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    ngx_conf_t  cf;

    ngx_memzero(&cf, sizeof(ngx_conf_t));

    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.temp_pool = amcf->temp_pool;
    cf.log = cycle->log;

    /* as in http{}, if there is one; it has no place in a file */
    cf.ctx = ngx_get_conf(cycle->conf_ctx, ngx_http_module);

    if (ngx_acme_read_others(&cf, amcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (amcf->config == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_acme_each_server(&cf, amcf, ngx_acme_add_own) != NGX_OK
        || ngx_acme_each_server(&cf, amcf, ngx_acme_add_sharing) != NGX_OK
        || ngx_acme_finish_config(&cf, amcf) != NGX_OK
        || ngx_acme_each_server(&cf, amcf, ngx_acme_install) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* what http{} says, which is not merged yet */

static void
ngx_acme_http_resolver(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    amcf->resolver = clcf->resolver;

    if (clcf->resolver_timeout != NGX_CONF_UNSET_MSEC) {
        amcf->resolver_timeout = ngx_min((clcf->resolver_timeout + 999) / 1000,
                                         ACME_RESOLVER_TIMEOUT_MAX);
    }
}


static ngx_int_t
ngx_acme_new_config(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf)
{
    ngx_pool_cleanup_t  *cln;

    amcf->used = amcf->state_path.data != NULL || amcf->issuers.nelts > 0
                 || amcf->terms;

    if (amcf->state_path.data == NULL) {
        ngx_str_set(&amcf->state_path, ACME_NGINX_STATE_DIR);

    } else if (ngx_conf_full_name(cf->cycle, &amcf->state_path, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    amcf->config = acme_config_new((char *) amcf->state_path.data, "nginx",
                                   (char *) cf->cycle->conf_file.data);
    if (amcf->config == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_acme_cleanup_config;
    cln->data = amcf->config;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_add_issuers(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf)
{
    ngx_uint_t          i;
    ngx_acme_issuer_t  *issuer;

    issuer = amcf->issuers.elts;

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (ngx_acme_add_issuer(cf, amcf, &issuer[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_acme_read_servers(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t                  i;
    ngx_acme_srv_conf_t        *ascf, *http;
    ngx_http_core_srv_conf_t  **cscf;

    http = ngx_http_conf_get_module_srv_conf(cf, ngx_acme_module);

    if (ngx_acme_answering_init(cf, amcf, http) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_acme_reach(amcf, cmcf);

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ascf = cscf[i]->ctx->srv_conf[ngx_acme_module.ctx_index];

        ngx_acme_inherit(ascf);

        if (ngx_acme_answering_init(cf, amcf, ascf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ascf = cscf[i]->ctx->srv_conf[ngx_acme_module.ctx_index];

        if (ascf->certificate != NULL
            && ngx_acme_read_server(cf, amcf, ascf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* servers of stream{} and mail{}: http{} has the issuers, and is read first */

static ngx_int_t
ngx_acme_read_others(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf)
{
    ngx_uint_t             i;
    ngx_acme_srv_conf_t  **ascf;

    ascf = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {

        if (amcf->config == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"acme_certificate\" in %V:%ui has no \"http\" "
                          "block beside it; write one, with the "
                          "\"acme_issuer\" and the other directives of "
                          "http level in it, and a server on port 80 that "
                          "answers the CA",
                          &ascf[i]->file, ascf[i]->line);
            return NGX_ERROR;
        }

        ascf[i]->outer->outer = amcf->http;

        if (ngx_acme_read_server(cf, amcf, ascf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* those of http{} that are ours, and then those of stream{} and mail{} */

static ngx_int_t
ngx_acme_each_server(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_visit_pt visit)
{
    ngx_uint_t                   i;
    ngx_acme_srv_conf_t         *ascf, **other;
    ngx_http_core_srv_conf_t   **cscf;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cf->cycle,
                                               ngx_http_core_module);
    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ascf = cscf[i]->ctx->srv_conf[ngx_acme_module.ctx_index];

        if (ascf->managed && visit(cf, amcf, ascf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    other = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {
        if (visit(cf, amcf, other[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_acme_add_own(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf)
{
    return ascf->may_share ? NGX_OK : ngx_acme_add_server(cf, amcf, ascf);
}


static ngx_int_t
ngx_acme_add_sharing(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf)
{
    return ascf->may_share ? ngx_acme_add_server(cf, amcf, ascf) : NGX_OK;
}


static ngx_int_t
ngx_acme_install(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf)
{
    return ngx_acme_tls_install(cf, ascf);
}


/* names of server_name alone, none of them a wildcard */

static ngx_uint_t
ngx_acme_may_share(ngx_acme_srv_conf_t *ascf)
{
    ngx_str_t               *word;
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    if (!ngx_acme_flag(ascf, offsetof(ngx_acme_srv_conf_t, use_wildcard), 0)
        || ascf->server_names == NULL)
    {
        return 0;
    }

    word = ascf->certificate->elts;

    for (i = 1; i < ascf->certificate->nelts; i++) {
        if (ngx_strncmp(word[i].data, "key=", 4) != 0) {
            return 0;
        }
    }

    sn = ascf->server_names->elts;

    for (i = 0; i < ascf->server_names->nelts; i++) {
        if (sn[i].name.len > 0
            && (sn[i].name.data[0] == '*' || sn[i].name.data[0] == '.'))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * What their block says is for servers that speak TLS and say nothing; a
 * redirect from port 80 needs no certificate.  "off" is none at all.
 */

void
ngx_acme_inherit(ngx_acme_srv_conf_t *ascf)
{
    ngx_str_t            *word;
    ngx_acme_srv_conf_t  *outer;

    outer = ascf->outer;

    if (ascf->certificate == NULL) {

        if (outer->certificate == NULL || !ascf->tls) {
            return;
        }

        ascf->certificate = outer->certificate;
        ascf->file = outer->file;
        ascf->line = outer->line;
        ascf->inherited = 1;
    }

    word = ascf->certificate->elts;

    if (ascf->certificate->nelts == 1
        && ngx_strcmp(word[0].data, "off") == 0)
    {
        ascf->certificate = NULL;
    }
}


static ngx_int_t
ngx_acme_finish_config(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf)
{
    ngx_uint_t                   i;
    struct acme_error            err;
    ngx_http_core_srv_conf_t   **cscf;
    ngx_http_core_main_conf_t   *cmcf;

    amcf->config->workers_ask = amcf->admin;
    amcf->config->answers_only = amcf->config->nlineages == 0 && !amcf->used;

    acme_error_clear(&err);

    if (acme_host_known_lineages(amcf->config, &err) != ACME_OK
        || acme_config_finish(amcf->config, &err) != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "acme: %s", err.what);
        return NGX_ERROR;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cf->cycle,
                                               ngx_http_core_module);
    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ngx_acme_enhance_check(cf, amcf, cscf[i]);
    }

    return NGX_OK;
}


static void
ngx_acme_cleanup_config(void *data)
{
    acme_config_free(data);
}


/* issuers */


/* an issuer by its name; a short name needs no block */

static ngx_int_t
ngx_acme_use_issuer(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf, ngx_str_t *name, size_t *index)
{
    ngx_acme_issuer_t  *issuer;

    if (acme_config_find_issuer(amcf->config, (char *) name->data, index)) {
        return NGX_OK;
    }

    if (acme_issuer_directory((char *) name->data) == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" names the unknown issuer \"%V\" "
                      "in %V:%ui; write an \"acme_issuer %V { uri ...; }\" "
                      "block at http level, or use one of %s",
                      name, &ascf->file, ascf->line, name,
                      acme_issuer_short_names);
        return NGX_ERROR;
    }

    /* one issuer, however its short name is written */

    ngx_strlow(name->data, name->data, name->len);

    if (acme_config_find_issuer(amcf->config, (char *) name->data, index)) {
        return NGX_OK;
    }

    issuer = ngx_acme_push_issuer(cf, amcf, name);
    if (issuer == NULL) {
        return NGX_ERROR;
    }

    issuer->file = ascf->file;
    issuer->line = ascf->line;
    issuer->implicit = 1;

    if (ngx_acme_add_issuer(cf, amcf, issuer) != NGX_OK) {
        return NGX_ERROR;
    }

    *index = issuer->index;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_add_issuer(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_issuer_t *issuer)
{
    char                domain[ACME_NAME_MAX + 1];
    char                proxy[ACME_URL_MAX];
    struct acme_error   err;
    struct acme_issuer  core;

    acme_error_clear(&err);
    ngx_acme_plain_words(amcf, issuer, &core);

    if (ngx_acme_resolver(cf, amcf, issuer, &core) != NGX_OK
        || ngx_acme_directory(cf, issuer, &core) != NGX_OK
        || ngx_acme_domain(cf, issuer, &core, domain) != NGX_OK
        || ngx_acme_trusted(cf, issuer, &core) != NGX_OK
        || ngx_acme_adopt(cf, issuer, &core) != NGX_OK
        || ngx_acme_proxy(cf, issuer, &core, proxy) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_acme_account_key(cf, issuer, &core, &err) != NGX_OK
        || ngx_acme_external_account(cf, issuer, &core) != NGX_OK
        || acme_host_check_issuer(&core, &err) != ACME_OK
        || acme_config_add_issuer(amcf->config, &core, &issuer->index, &err)
           != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s \"%V\" in %V:%ui: %s",
                      issuer->implicit ? "issuer" : "\"acme_issuer\"",
                      &issuer->name, &issuer->file, issuer->line, err.what);
        return NGX_ERROR;
    }

    ngx_acme_warn_issuer(cf, issuer, &core);

    return NGX_OK;
}


/* what is taken as it was written */

static void
ngx_acme_plain_words(ngx_acme_main_conf_t *amcf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core)
{
    acme_issuer_init(core);

    core->name = (char *) issuer->name.data;
    core->verify = issuer->verify;
    core->profile = (char *) issuer->profile.data;
    core->profile_required = issuer->profile_required;
    core->preferred_chain = (char *) issuer->preferred_chain.data;
    core->renewal_info = issuer->renewal_info;
    core->cn_in_csr = issuer->cn_in_csr;
    core->terms_accepted = issuer->terms || amcf->terms;
    core->ncontacts = issuer->contacts.nelts;
    ngx_memcpy(core->contact, issuer->contacts.elts,
               issuer->contacts.nelts * sizeof(char *));
}


/* "uri", or else the issuer's own name, may be a short name */

static ngx_int_t
ngx_acme_directory(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core)
{
    const char         *uri;
    struct acme_error   err;

    uri = issuer->uri.data ? (char *) issuer->uri.data : core->name;
    core->directory = acme_issuer_directory(uri);

    if (core->directory == NULL) {
        core->directory = (char *) issuer->uri.data;
    }

    if (core->directory == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_issuer\" \"%V\" has no \"uri\" in %V:%ui; add "
                      "the URL of the CA's ACME directory",
                      &issuer->name, &issuer->file, issuer->line);
        return NGX_ERROR;
    }

    acme_error_clear(&err);

    if (issuer->staging && acme_host_staging(core, &err) != ACME_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"staging on\" in \"acme_issuer\" \"%V\" in %V:%ui: "
                      "%s", &issuer->name, &issuer->file, issuer->line,
                      err.what);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_acme_domain(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core, char domain[ACME_NAME_MAX + 1])
{
    struct acme_error  err;

    if (issuer->issuer_domain.data == NULL) {
        return NGX_OK;
    }

    acme_error_clear(&err);

    if (acme_host_issuer_domain((char *) issuer->issuer_domain.data, domain,
                                &err)
        != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"issuer_domain\" of \"acme_issuer\" \"%V\" %s "
                      "in %V:%ui", &issuer->name, err.what,
                      &issuer->file, issuer->line);
        return NGX_ERROR;
    }

    core->domain = domain;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_trusted(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core)
{
    if (issuer->trusted.data == NULL) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &issuer->trusted, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    core->ca_file = (char *) issuer->trusted.data;

    return NGX_OK;
}


/*
 * The name servers of the "resolver" of the issuer or of http{}; without one
 * those of the machine.  They are asked by the engine: of nginx's own resolver
 * nothing but its words is used.
 */

static ngx_int_t
ngx_acme_resolver(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_issuer_t *issuer, struct acme_issuer *core)
{
    u_char                     *p;
    ngx_uint_t                  i;
    ngx_resolver_t             *r;
    struct acme_resolver       *to;
    ngx_resolver_connection_t  *rec;

    r = issuer->resolver != NULL ? issuer->resolver : amcf->resolver;

    if (r == NULL) {
        return NGX_OK;
    }

    to = &core->resolver;
    rec = r->connections.elts;

    for (i = 0; i < r->connections.nelts && i < ACME_DNS_SERVERS_MAX; i++) {

        /* there is no zero behind nginx's text */

        p = ngx_pnalloc(cf->pool, rec[i].server.len + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_cpystrn(p, rec[i].server.data, rec[i].server.len + 1);

        to->server[to->n++] = (char *) p;
    }

#if (NGX_HAVE_INET6)
    to->no_ipv6 = !r->ipv6;
#endif

#if (nginx_version >= 1023001)
    to->no_ipv4 = !r->ipv4;
#endif

    to->timeout = issuer->resolver_timeout != 0 ? issuer->resolver_timeout
                                                : amcf->resolver_timeout;

    return NGX_OK;
}


/* where nginx's own module keeps the state of this issuer, also by default */

static ngx_int_t
ngx_acme_adopt(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core)
{
    u_char     *p;
    ngx_str_t   path;

    path = issuer->state_path;

    if (issuer->implicit) {
        return NGX_OK;
    }

    if (path.len && ngx_strcmp(path.data, "off") == 0) {
        core->forgets = 1;
        return NGX_OK;
    }

    if (path.len == 0) {
        path.len = sizeof("acme_") - 1 + issuer->name.len;
        path.data = ngx_pnalloc(cf->pool, path.len + 1);
        if (path.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_sprintf(path.data, "acme_%V", &issuer->name);
        *p = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    while (path.len > 1 && path.data[path.len - 1] == '/') {
        path.data[--path.len] = '\0';
    }

    core->adopt_dir = (char *) path.data;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_proxy(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core, char proxy[ACME_URL_MAX])
{
    struct acme_error  err;

    acme_error_clear(&err);

    if (issuer->proxy_trusted.data != NULL) {

        if (ngx_conf_full_name(cf->cycle, &issuer->proxy_trusted, 1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        core->proxy_ca_file = (char *) issuer->proxy_trusted.data;
    }

    if (issuer->proxy.data == NULL) {
        return NGX_OK;
    }

    if (acme_host_proxy((char *) issuer->proxy.data, proxy, &err)
        != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"proxy\" \"%V\" of \"acme_issuer\" \"%V\" in "
                      "%V:%ui: %s", &issuer->proxy, &issuer->name,
                      &issuer->file, issuer->line, err.what);
        return NGX_ERROR;
    }

    core->proxy = proxy;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_account_key(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core, struct acme_error *err)
{
    bool  is_file;

    if (issuer->account_key.data == NULL) {
        return NGX_OK;
    }

    if (acme_host_account_key((char *) issuer->account_key.data,
                              &core->key_type, &is_file, err)
        != ACME_OK)
    {
        (void) acme_error_wrap(err, "\"account_key\"");
        return NGX_ERROR;
    }

    if (!is_file) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &issuer->account_key, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    core->key_file = (char *) issuer->account_key.data;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_external_account(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    struct acme_issuer *core)
{
    if (issuer->eab_kid.data == NULL) {
        return NGX_OK;
    }

    core->eab_kid = (char *) issuer->eab_kid.data;
    core->eab_alg = issuer->eab_alg;

    if (ngx_strncmp(issuer->eab_key.data, "data:", 5) == 0) {
        core->eab_key = (char *) issuer->eab_key.data + 5;
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &issuer->eab_key, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    core->eab_file = (char *) issuer->eab_key.data;

    return NGX_OK;
}


static void
ngx_acme_warn_issuer(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    const struct acme_issuer *core)
{
    if (!core->verify) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_verify off\" in \"acme_issuer\" \"%V\" in "
                      "%V:%ui: whoever is on the way to the CA can read and "
                      "change what it says; use \"ssl_trusted_certificate\"",
                      &issuer->name, &issuer->file, issuer->line);
    }

    if (!core->terms_accepted) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "the terms of service of %s \"%V\" in %V:%ui are "
                      "not accepted; an account can be made only with "
                      "\"acme_accept_terms_of_service\"",
                      issuer->implicit ? "issuer" : "\"acme_issuer\"",
                      &issuer->name, &issuer->file, issuer->line);
    }
}


/* servers */


/* "a,b,c": the issuer, and whom to ask while it fails */

static ngx_int_t
ngx_acme_use_issuers(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf, struct acme_lineage *lineage)
{
    u_char      *p, *last, *comma;
    size_t       index;
    ngx_str_t   *word, name;
    ngx_uint_t   n;

    word = ascf->certificate->elts;
    p = word[0].data;
    last = p + word[0].len;

    for (n = 0; p <= last; n++) {

        comma = ngx_strlchr(p, last, ',');
        if (comma == NULL) {
            comma = last;
        }

        name.len = comma - p;
        name.data = ngx_pnalloc(cf->pool, name.len + 1);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        ngx_cpystrn(name.data, p, name.len + 1);
        p = comma + 1;

        if (n > ACME_FALLBACKS_MAX) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"acme_certificate\" names more than %d issuers in "
                          "%V:%ui; remove some", ACME_FALLBACKS_MAX + 1,
                          &ascf->file, ascf->line);
            return NGX_ERROR;
        }

        if (ngx_acme_use_issuer(cf, amcf, ascf, &name, &index) != NGX_OK) {
            return NGX_ERROR;
        }

        if (n == 0) {
            lineage->issuer = index;

        } else {
            lineage->fallback[lineage->nfallbacks++] = index;
        }
    }

    return NGX_OK;
}


/* servers are not merged with their block yet when this is asked for */

static ngx_flag_t
ngx_acme_flag(ngx_acme_srv_conf_t *ascf, size_t offset, ngx_flag_t unset)
{
    ngx_flag_t  flag;

    for ( /* void */ ; ascf != NULL; ascf = ascf->outer) {
        flag = *(ngx_flag_t *) ((u_char *) ascf + offset);

        if (flag != NGX_CONF_UNSET) {
            return flag;
        }
    }

    return unset;
}


/* what a server wants, whatever others want */

static ngx_int_t
ngx_acme_read_server(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf)
{
    ngx_int_t             rc;
    ngx_array_t           names;
    struct acme_lineage  *lineage;

    lineage = ngx_pcalloc(cf->temp_pool, sizeof(struct acme_lineage));
    if (lineage == NULL) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&names, cf->temp_pool, 4, sizeof(char *)) != NGX_OK) {
        return NGX_ERROR;
    }

    ascf->wanted = lineage;

    lineage->must_staple = ngx_acme_flag(ascf,
                              offsetof(ngx_acme_srv_conf_t, must_staple), 0);
    ascf->stapling = ngx_acme_flag(ascf,
                              offsetof(ngx_acme_srv_conf_t, stapling),
                              lineage->must_staple
                              || ngx_acme_tls_stapling(ascf));
    lineage->stapling = ascf->stapling;
    lineage->reuse_key = ngx_acme_flag(ascf,
                              offsetof(ngx_acme_srv_conf_t, reuse_key), 0);
    lineage->allow_subset = ngx_acme_flag(ascf,
                              offsetof(ngx_acme_srv_conf_t, allow_subset), 0);

    if (ngx_acme_use_issuers(cf, amcf, ascf, lineage) != NGX_OK
        || ngx_acme_parameters(cf, ascf, lineage, &names) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_acme_read_names(cf, amcf, ascf, &names);
    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
    }

    lineage->names = names.elts;
    lineage->nnames = names.nelts;

    ascf->managed = 1;
    ascf->may_share = ngx_acme_may_share(ascf);

    return NGX_OK;
}


/* those of the directive, or else of the server; as ngx_acme_server_names() */

static ngx_int_t
ngx_acme_read_names(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf, ngx_array_t *names)
{
    struct acme_proof  proof;

    if (names->nelts > 0) {
        return NGX_OK;
    }

    ngx_acme_proof_of(amcf, ascf, ascf->wanted->issuer, &proof);

    return ngx_acme_server_names(cf, ascf, &proof, names);
}


static ngx_int_t
ngx_acme_add_server(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf)
{
    struct acme_error     err;
    struct acme_proof     proof;
    struct acme_hooks     hooks;
    struct acme_lineage  *lineage;

    acme_error_clear(&err);

    lineage = ascf->wanted;

    if (ascf->may_share
        && acme_config_find_wildcard(amcf->config, lineage, &ascf->lineage))
    {
        ngx_log_error(NGX_LOG_INFO, cf->log, 0,
                      "\"acme_certificate\" in %V:%ui uses the certificate "
                      "\"%s\", whose wildcard covers its names",
                      &ascf->file, ascf->line,
                      amcf->config->lineage[ascf->lineage].name);

        if (ascf->stapling) {
            amcf->config->lineage[ascf->lineage].stapling = 1;
        }

        return NGX_OK;
    }

    ngx_acme_proof_of(amcf, ascf, lineage->issuer, &proof);
    ngx_acme_hooks_of(ascf, &hooks);

    lineage->proof = &proof;
    lineage->hooks = &hooks;
    lineage->timing = ngx_acme_timing_of(ascf);

    if (acme_host_check_csr(lineage, &err) != ACME_OK
        || acme_host_check_hooks(&hooks, &err) != ACME_OK
        || acme_config_add_lineage(amcf->config, lineage, &ascf->lineage,
                                   &err)
           != ACME_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" in %V:%ui: %s",
                      &ascf->file, ascf->line, err.what);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_acme_parameters(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    struct acme_lineage *lineage, ngx_array_t *names)
{
    ngx_int_t           rc;
    ngx_str_t          *word;
    ngx_uint_t          i;
    struct acme_error   err;

    acme_error_clear(&err);

    word = ascf->certificate->elts;

    for (i = 1; i < ascf->certificate->nelts; i++) {

        rc = ngx_acme_parameter(cf, &word[i], lineage, names, &err);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"acme_certificate\" has the parameter \"%V\" in "
                          "%V:%ui: %s", &word[i], &ascf->file, ascf->line,
                          err.what);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (lineage->ntypes == 0) {
        lineage->type[0] = ACME_KEY_ECDSA_256;
        lineage->ntypes = 1;
    }

    return NGX_OK;
}


/* NGX_DECLINED: what is wrong with it is in err */

static ngx_int_t
ngx_acme_parameter(ngx_conf_t *cf, ngx_str_t *word,
    struct acme_lineage *lineage, ngx_array_t *names, struct acme_error *err)
{
    ngx_str_t  value;

    if (ngx_strncmp(word->data, "key=", 4) == 0) {
        return ngx_acme_key_parameter((char *) word->data + 4, lineage, err);
    }

    if (ngx_strncmp(word->data, "csr=", 4) == 0) {
        value.data = word->data + 4;
        value.len = word->len - 4;

        return ngx_acme_csr_parameter(cf, &value, lineage);
    }

    if (ngx_strncmp(word->data, "name=", 5) == 0) {
        lineage->name = (char *) word->data + 5;

        return acme_lineage_name_check(lineage->name, err) == ACME_OK
               ? NGX_OK : NGX_DECLINED;
    }

    if (ngx_strlchr(word->data, word->data + word->len, '=') != NULL) {
        (void) acme_error_set(err, ACME_CONFIG,
                              "unknown parameter; known are names, key=, "
                              "csr= and name=");
        return NGX_DECLINED;
    }

    return ngx_acme_push_dotted(cf, names, word, err);
}


static ngx_int_t
ngx_acme_key_parameter(char *value, struct acme_lineage *lineage,
    struct acme_error *err)
{
    if (lineage->ntypes == ACME_ALGORITHMS) {
        (void) acme_error_set(err, ACME_CONFIG,
                              "one key of each algorithm, ecdsa and rsa, is "
                              "all there can be");
        return NGX_DECLINED;
    }

    if (acme_key_type_parse(value, &lineage->type[lineage->ntypes], err)
        != ACME_OK)
    {
        return NGX_DECLINED;
    }

    lineage->ntypes++;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_csr_parameter(ngx_conf_t *cf, ngx_str_t *value,
    struct acme_lineage *lineage)
{
    if (ngx_conf_full_name(cf->cycle, value, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    lineage->csr_file = (char *) value->data;

    return NGX_OK;
}


/*
 * The names of the server: ".x" means x and www.x; what no certificate can
 * be had for, and wildcards that cannot be proved, are left out with a
 * warning.  NGX_DECLINED: none, and that is no mistake.
 */

static ngx_int_t
ngx_acme_server_names(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    const struct acme_proof *proof, ngx_array_t *names)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    struct acme_error        err;
    ngx_http_server_name_t  *sn;

    if (ascf->server_names == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" in %V:%ui has no name to get a "
                      "certificate for, and servers of \"stream\" have no "
                      "\"server_name\" before nginx 1.25.5; add names to the "
                      "directive", &ascf->file, ascf->line);
        return NGX_ERROR;
    }

    sn = ascf->server_names->elts;

    for (i = 0; i < ascf->server_names->nelts; i++) {

        if (sn[i].name.len == 0) {
            continue;
        }

        acme_error_clear(&err);

        rc = ngx_acme_push_server_name(cf, ascf, proof, names, &sn[i], &err);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "server_name \"%V\" is not put into the "
                          "certificate of \"acme_certificate\" in %V:%ui: %s",
                          &sn[i].name, &ascf->file, ascf->line, err.what);
            continue;
        }

        ngx_acme_warn_unicode(cf, ascf->server_names, &sn[i].name);
    }

    ngx_acme_public_names(cf, ascf, names);

    if (names->nelts == 0 && ascf->inherited) {

        /* a catch-all, say: http{} did not mean this one */

        return NGX_DECLINED;
    }

    if (names->nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"acme_certificate\" in %V:%ui has no name to get a "
                      "certificate for; give the server a \"server_name\" or "
                      "add names to the directive", &ascf->file, ascf->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * "example.com localhost": the order would fail for the second name; where
 * there are only such names a private CA is meant
 */

static void
ngx_acme_public_names(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    ngx_array_t *names)
{
    char        **name;
    ngx_uint_t    i, n;

    name = names->elts;

    for (i = 0, n = 0; i < names->nelts; i++) {
        n += (strpbrk(name[i], ".:") != NULL);
    }

    if (n == 0) {
        return;
    }

    for (i = 0, n = 0; i < names->nelts; i++) {

        if (strpbrk(name[i], ".:") != NULL) {
            name[n++] = name[i];
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "server_name \"%s\" is not put into the certificate of "
                      "\"acme_certificate\" in %V:%ui: it has no dot, no "
                      "public CA would sign it; name it in the directive if "
                      "yours does", name[i], &ascf->file, ascf->line);
    }

    names->nelts = n;
}


/* nginx compares bytes, and clients send the A-labels */

static void
ngx_acme_warn_unicode(ngx_conf_t *cf, ngx_array_t *server_names,
    ngx_str_t *name)
{
    char                     ascii[ACME_NAME_MAX + 1];
    size_t                   dot;
    ngx_uint_t               i;
    struct acme_error        err;
    ngx_http_server_name_t  *sn;

    for (i = 0; i < name->len && name->data[i] < 0x80; i++) { /* void */ }

    if (i == name->len) {
        return;
    }

    acme_error_clear(&err);

    dot = (name->data[0] == '.');

    if (acme_idn_parse((char *) name->data + dot, name->len - dot,
                             ascii, &err)
        != ACME_OK)
    {
        return;
    }

    sn = server_names->elts;

    for (i = 0; i < server_names->nelts; i++) {
        if (sn[i].name.len == dot + ngx_strlen(ascii)
            && ngx_strncmp(sn[i].name.data + dot, ascii, ngx_strlen(ascii))
               == 0)
        {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "server_name \"%V\" is in no request: clients send "
                  "\"%s%s\"; add that to the names of this server and of "
                  "others with this name", name, dot ? "." : "", ascii);
}


/* as ngx_acme_push_name() */

static ngx_int_t
ngx_acme_push_server_name(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf,
    const struct acme_proof *proof, ngx_array_t *names,
    ngx_http_server_name_t *sn, struct acme_error *err)
{
    ngx_str_t  name;

#if (NGX_PCRE)
    if (sn->regex) {
        (void) acme_error_set(err, ACME_CONFIG, "it is a regular expression");
        return NGX_DECLINED;
    }
#endif

    name = sn->name;

    if (name.len > 2 && ngx_strncmp(name.data, "*.", 2) == 0
        && acme_proof_check(proof, &ascf->main->config->reach,
                            (char *) name.data, err)
           != ACME_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_acme_push_dotted(cf, names, &name, err);
}


/* ".x" is x and www.x; as ngx_acme_push_name() */

static ngx_int_t
ngx_acme_push_dotted(ngx_conf_t *cf, ngx_array_t *names, ngx_str_t *name,
    struct acme_error *err)
{
    u_char     *p, www[ACME_IDN_TEXT_MAX + sizeof("www.")];
    ngx_int_t   rc;
    ngx_str_t   bare;

    if (name->len < 2 || name->data[0] != '.') {
        return ngx_acme_push_name(cf, names, name->data, name->len, err);
    }

    bare.data = name->data + 1;
    bare.len = name->len - 1;

    rc = ngx_acme_push_name(cf, names, bare.data, bare.len, err);
    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_snprintf(www, sizeof(www), "www.%V", &bare);

    return ngx_acme_push_name(cf, names, www, p - www, err);
}


/* NGX_DECLINED with `err` set: not a name; a name given twice counts once */

static ngx_int_t
ngx_acme_push_name(ngx_conf_t *cf, ngx_array_t *names, u_char *data,
    size_t len, struct acme_error *err)
{
    char         text[ACME_NAME_MAX + 1];
    char       **name;
    ngx_uint_t   i;

    if (acme_idn_parse((char *) data, len, text, err) != ACME_OK) {
        return NGX_DECLINED;
    }

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (ngx_strcmp(name[i], text) == 0) {
            return NGX_OK;
        }
    }

    name = ngx_array_push(names);
    if (name == NULL) {
        return NGX_ERROR;
    }

    *name = ngx_acme_text(cf, text);

    return *name != NULL ? NGX_OK : NGX_ERROR;
}

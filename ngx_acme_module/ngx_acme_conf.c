
/*
 * Directives, as they are read: their words and where they were written.  A
 * mistake within one is found here, with the directive, the value and the
 * cure; what they mean together is not known here.
 */


#include "ngx_acme_module.h"


static char *ngx_acme_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_acme_issuer_directive(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static ngx_int_t ngx_acme_issuer_word(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value);
static char *ngx_acme_issuer_eab(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value, ngx_uint_t n);
static char *ngx_acme_issuer_resolver(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value, ngx_uint_t n);
static char *ngx_acme_issuer_resolver_timeout(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value);
static char *ngx_acme_issuer_state(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value);
static char *ngx_acme_issuer_challenge(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value);
static char *ngx_acme_issuer_contact(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value, ngx_uint_t n);
static ngx_int_t ngx_acme_issuer_flag(ngx_conf_t *cf,
    ngx_acme_issuer_t *issuer, ngx_str_t *value, ngx_flag_t *flag,
    ngx_uint_t bit);
static char *ngx_acme_state_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_acme_accept_terms(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_acme_user(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_acme_key_group(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_acme_shared_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_acme_certificate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_acme_placeholder(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static enum acme_hooks_item  ngx_acme_hooks_event = ACME_HOOKS_EVENT;
static enum acme_hooks_item  ngx_acme_hooks_directories =
    ACME_HOOKS_DIRECTORIES;
static enum acme_hooks_item  ngx_acme_hooks_validation = ACME_HOOKS_VALIDATION;
static enum acme_hooks_item  ngx_acme_hooks_timeout = ACME_HOOKS_TIMEOUT;
static enum acme_hooks_item  ngx_acme_hooks_warn_window =
    ACME_HOOKS_WARN_WINDOW;
static enum acme_hooks_item  ngx_acme_hooks_mirror = ACME_HOOKS_MIRROR;
static enum acme_hooks_item  ngx_acme_hooks_mirror_failure =
    ACME_HOOKS_MIRROR_FAILURE;
static enum acme_hooks_item  ngx_acme_hooks_tracking = ACME_HOOKS_TRACKING;
static enum acme_hooks_item  ngx_acme_hooks_tracking_data =
    ACME_HOOKS_TRACKING_DATA;
static enum acme_hooks_item  ngx_acme_hooks_tracking_required =
    ACME_HOOKS_TRACKING_REQUIRED;

static enum acme_enhance_item  ngx_acme_enhance_redirect =
    ACME_ENHANCE_REDIRECT;
static enum acme_enhance_item  ngx_acme_enhance_hsts = ACME_ENHANCE_HSTS;
static enum acme_enhance_item  ngx_acme_enhance_upgrade =
    ACME_ENHANCE_UPGRADE;

static enum acme_proof_item  ngx_acme_proof_challenge = ACME_PROOF_CHALLENGE;
static enum acme_proof_item  ngx_acme_proof_command = ACME_PROOF_COMMAND;
static enum acme_proof_item  ngx_acme_proof_preflight = ACME_PROOF_PREFLIGHT;
static enum acme_proof_item  ngx_acme_proof_dns_update =
    ACME_PROOF_DNS_UPDATE;
static enum acme_proof_item  ngx_acme_proof_dns_delegation =
    ACME_PROOF_DNS_DELEGATION;
static enum acme_proof_item  ngx_acme_proof_dns_propagation =
    ACME_PROOF_DNS_PROPAGATION;
static enum acme_proof_item  ngx_acme_proof_dns_resolver =
    ACME_PROOF_DNS_RESOLVER;


ngx_command_t  ngx_acme_commands[] = {

    /* of http alone */

    { ngx_string("acme_state_path"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_acme_state_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_acme_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_accept_terms_of_service"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_NOARGS,
      ngx_acme_accept_terms,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_user"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_acme_user,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_key_group"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_acme_key_group,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_shared_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_acme_shared_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_stateless"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_stateless,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_thumbprint"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_thumbprint,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_port_map"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_acme_port_map,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_require_https"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_enhance,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_enhance_redirect },

    { ngx_string("acme_hsts"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE123,
      ngx_acme_enhance,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_enhance_hsts },

    { ngx_string("acme_upgrade_insecure"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_enhance,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_enhance_upgrade },

    { ngx_string("acme_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_acme_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    /* of http, stream and mail, whose contexts have equal numbers */

    [NGX_ACME_HTTP_COMMANDS] =
    { ngx_string("acme_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_certificate,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_challenge"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_challenge },

    { ngx_string("acme_challenge_cmd"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_command },

    { ngx_string("acme_preflight"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_preflight },

    { ngx_string("acme_dns_update"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_dns_update },

    { ngx_string("acme_dns_delegation"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_dns_delegation },

    { ngx_string("acme_dns_propagation"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_dns_propagation },

    { ngx_string("acme_dns_resolver"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_proof,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_proof_dns_resolver },

    { ngx_string("acme_hook"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_2MORE,
      ngx_acme_hook,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_event_cmd"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_event },

    { ngx_string("acme_directory_hooks"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_directories },

    { ngx_string("acme_hook_validation"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_validation },

    { ngx_string("acme_hook_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_timeout },

    { ngx_string("acme_warn_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_warn_window },

    { ngx_string("acme_renew_mode"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_renew_window"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_check_interval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_initial_delay"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_retry_delay"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_retry_failover"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_activation_delay"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_timing,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("acme_mirror"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_mirror },

    { ngx_string("acme_mirror_failure"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_mirror_failure },

    { ngx_string("acme_tracking"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_tracking },

    { ngx_string("acme_tracking_data"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_tracking_data },

    { ngx_string("acme_tracking_required"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_hooks,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      &ngx_acme_hooks_tracking_required },

    { ngx_string("acme_must_staple"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_acme_srv_conf_t, must_staple),
      NULL },

    { ngx_string("acme_stapling"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_acme_srv_conf_t, stapling),
      NULL },

    { ngx_string("acme_reuse_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_acme_srv_conf_t, reuse_key),
      NULL },

    { ngx_string("acme_use_wildcard"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_acme_srv_conf_t, use_wildcard),
      NULL },

    { ngx_string("acme_allow_subset"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_acme_srv_conf_t, allow_subset),
      NULL },

    { ngx_string("acme_placeholder"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_acme_placeholder,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


void *
ngx_acme_create_conf(ngx_cycle_t *cycle)
{
    ngx_acme_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cycle->pool, sizeof(ngx_acme_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&amcf->issuers, cycle->pool, 2,
                       sizeof(ngx_acme_issuer_t))
        != NGX_OK
        || ngx_array_init(&amcf->servers, cycle->pool, 2,
                          sizeof(ngx_acme_srv_conf_t *))
           != NGX_OK)
    {
        return NULL;
    }

    amcf->service.lifetime = -1;

    return amcf;
}


/* http, stream and mail share one */

void *
ngx_acme_create_main_conf(ngx_conf_t *cf)
{
    ngx_acme_main_conf_t  *amcf;

    amcf = (ngx_acme_main_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                                 ngx_acme_core_module);
    amcf->temp_pool = cf->temp_pool;

    return amcf;
}


void *
ngx_acme_create_srv_conf(ngx_conf_t *cf)
{
    ngx_acme_srv_conf_t  *ascf;

    ascf = ngx_pcalloc(cf->pool, sizeof(ngx_acme_srv_conf_t));
    if (ascf == NULL) {
        return NULL;
    }

    ascf->stateless = NGX_CONF_UNSET_UINT;
    ascf->answering = acme_answering_default;
    ascf->must_staple = NGX_CONF_UNSET;
    ascf->stapling = NGX_CONF_UNSET;
    ascf->reuse_key = NGX_CONF_UNSET;
    ascf->allow_subset = NGX_CONF_UNSET;
    ascf->use_wildcard = NGX_CONF_UNSET;
    ascf->placeholder = NGX_CONF_UNSET_UINT;

    return ascf;
}


char *
ngx_acme_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_acme_srv_conf_t  *prev = parent;
    ngx_acme_srv_conf_t  *conf = child;

    (void) ngx_acme_merge_tls_conf(cf, parent, child);

    acme_enhance_merge(&conf->enhance, &prev->enhance);

    return ngx_acme_answering_merge(cf, prev, conf) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_acme_merge_tls_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_acme_srv_conf_t  *prev = parent;
    ngx_acme_srv_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->placeholder, prev->placeholder,
                              NGX_ACME_PLACEHOLDER_OFF);

    return NGX_CONF_OK;
}


/* directives */


static char *
ngx_acme_issuer(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    char               *rv;
    ngx_str_t          *value;
    ngx_uint_t          i;
    ngx_conf_t          save;
    ngx_acme_issuer_t  *issuer;

    value = cf->args->elts;
    issuer = amcf->issuers.elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"acme_issuer\" has an empty name \"\"; give it "
                           "one for \"acme_certificate\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"acme_issuer\" cannot be called \"off\", which "
                           "is no certificate in \"acme_certificate\"; use "
                           "another name");
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < amcf->issuers.nelts; i++) {
        if (issuer[i].name.len == value[1].len
            && ngx_strncmp(issuer[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"acme_issuer\" \"%V\", first in "
                               "%V:%ui", &value[1], &issuer[i].file,
                               issuer[i].line);
            return NGX_CONF_ERROR;
        }
    }

    issuer = ngx_acme_push_issuer(cf, amcf, &value[1]);
    if (issuer == NULL) {
        return NGX_CONF_ERROR;
    }

    issuer->file = cf->conf_file->file.name;
    issuer->line = cf->conf_file->line;

    save = *cf;

    cf->handler = ngx_acme_issuer_directive;
    cf->handler_conf = (void *) issuer;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


static char *
ngx_acme_issuer_directive(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_acme_issuer_t  *issuer = (ngx_acme_issuer_t *) conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   n;

    value = cf->args->elts;
    n = cf->args->nelts;

    if (ngx_strcmp(value[0].data, "state_path") == 0 && n == 2) {
        return ngx_acme_issuer_state(cf, issuer, value);
    }

    if (ngx_strcmp(value[0].data, "resolver") == 0 && n > 1) {
        return ngx_acme_issuer_resolver(cf, issuer, value, n);
    }

    if (ngx_strcmp(value[0].data, "resolver_timeout") == 0 && n == 2) {
        return ngx_acme_issuer_resolver_timeout(cf, issuer, value);
    }

    if (ngx_strcmp(value[0].data, "contact") == 0 && n > 1) {
        return ngx_acme_issuer_contact(cf, issuer, value, n);
    }

    if (ngx_strcmp(value[0].data, "challenge") == 0) {
        return ngx_acme_issuer_challenge(cf, issuer, value);
    }

    if (ngx_strcmp(value[0].data, "accept_terms_of_service") == 0 && n == 1) {
        issuer->terms = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[0].data, "external_account_key") == 0
        && (n == 3 || n == 4))
    {
        return ngx_acme_issuer_eab(cf, issuer, value, n);
    }

    if (ngx_strcmp(value[0].data, "profile") == 0 && n == 3) {

        if (ngx_strcmp(value[2].data, "require") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"profile\", it "
                               "must be \"require\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        issuer->profile_required = 1;
        n = 2;
    }

    rc = n == 2 ? ngx_acme_issuer_word(cf, issuer, value) : NGX_DECLINED;

    if (rc != NGX_DECLINED) {
        return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"acme_issuer\", or a "
                       "wrong number of its parameters; known are uri URL, "
                       "contact ADDRESS..., accept_terms_of_service, "
                       "account_key TYPE|FILE, challenge TYPE..., "
                       "external_account_key KID FILE|data:KEY "
                       "[HS256|HS384|HS512], profile NAME [require], "
                       "preferred_chain CN, issuer_domain NAME, "
                       "renewal_info on|off, "
                       "staging on|off, "
                       "common_name_in_csr on|off, ssl_trusted_certificate "
                       "FILE, ssl_verify on|off, state_path PATH|off, "
                       "resolver ADDRESS..., resolver_timeout TIME, "
                       "proxy URL, proxy_trusted_certificate FILE",
                       &value[0]);

    return NGX_CONF_ERROR;
}


/* nginx's own reading of the words; it is never asked anything */

static char *
ngx_acme_issuer_resolver(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value, ngx_uint_t n)
{
    if (issuer->resolver != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                           &value[0], &issuer->name);
        return NGX_CONF_ERROR;
    }

    issuer->resolver = ngx_resolver_create(cf, &value[1], n - 1);

    return issuer->resolver != NULL ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_acme_issuer_resolver_timeout(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value)
{
    ngx_int_t  seconds;

    if (issuer->resolver_timeout != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                           &value[0], &issuer->name);
        return NGX_CONF_ERROR;
    }

    seconds = ngx_parse_time(&value[1], 1);

    if (seconds < 1 || seconds > ACME_RESOLVER_TIMEOUT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it "
                           "must be a time from 1s to %ds, such as \"30s\"",
                           &value[1], &value[0], ACME_RESOLVER_TIMEOUT_MAX);
        return NGX_CONF_ERROR;
    }

    issuer->resolver_timeout = seconds;

    return NGX_CONF_OK;
}


/*
 * Of nginx's own module: what is there is taken over, once; "off" is for
 * certificates that go when nginx ends.
 */

static char *
ngx_acme_issuer_state(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value)
{
    if (issuer->state_path.data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                           &value[0], &issuer->name);
        return NGX_CONF_ERROR;
    }

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty value \"\" of \"%V\" in \"acme_issuer\" "
                           "\"%V\", it must be a path or \"off\"",
                           &value[0], &issuer->name);
        return NGX_CONF_ERROR;
    }

    issuer->state_path = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_acme_issuer_challenge(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value)
{
    char  *rv;

    rv = ngx_acme_proof_words(cf, &issuer->proof, ACME_PROOF_CHALLENGE);

    if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
        return rv;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                       &value[0], &issuer->name);

    return NGX_CONF_ERROR;
}


/* the directives with one parameter; NGX_DECLINED: not one of them */

static ngx_int_t
ngx_acme_issuer_word(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value)
{
    ngx_uint_t   i;
    ngx_str_t   *field;

    static const char  *names[] = {
        "uri", "account_key", "ssl_trusted_certificate", "profile",
        "preferred_chain", "issuer_domain", "proxy",
        "proxy_trusted_certificate"
    };

    ngx_str_t  *fields[] = {
        &issuer->uri, &issuer->account_key, &issuer->trusted,
        &issuer->profile, &issuer->preferred_chain, &issuer->issuer_domain,
        &issuer->proxy, &issuer->proxy_trusted
    };

    static const char  *flag_names[] = {
        "ssl_verify", "renewal_info", "common_name_in_csr", "staging"
    };

    ngx_flag_t  *flags[] = {
        &issuer->verify, &issuer->renewal_info, &issuer->cn_in_csr,
        &issuer->staging
    };

    for (i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
        if (ngx_strcmp(value[0].data, flag_names[i]) == 0) {
            return ngx_acme_issuer_flag(cf, issuer, value, flags[i],
                                        1 << i);
        }
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        if (ngx_strcmp(value[0].data, names[i]) != 0) {
            continue;
        }

        field = fields[i];

        if (field->data != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                               &value[0], &issuer->name);
            return NGX_ERROR;
        }

        if (value[1].len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "empty value \"\" of \"%V\" in "
                               "\"acme_issuer\" \"%V\"; write one, or remove "
                               "the directive", &value[0], &issuer->name);
            return NGX_ERROR;
        }

        *field = value[1];

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* the path of a file is made whole, and the file looked at, when all is read */

static char *
ngx_acme_issuer_eab(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value, ngx_uint_t n)
{
    struct acme_error   err;

    if (issuer->eab_kid.data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                           &value[0], &issuer->name);
        return NGX_CONF_ERROR;
    }

    acme_error_clear(&err);

    issuer->eab_kid = value[1];
    issuer->eab_key = value[2];

    if (n == 4
        && acme_host_eab_alg((char *) value[3].data, &issuer->eab_alg, &err)
           != ACME_OK)
    {
        goto failed;
    }

    if (ngx_strncmp(value[2].data, "data:", 5) != 0) {
        return NGX_CONF_OK;
    }

    if (acme_host_eab_key((char *) value[2].data + 5, &err) != ACME_OK) {
        goto failed;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "the \"external_account_key\" of \"acme_issuer\" "
                       "\"%V\" can be read in the configuration; put it into "
                       "a file of mode 600 and give its name",
                       &issuer->name);

    return NGX_CONF_OK;

failed:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"external_account_key\" of \"acme_issuer\" \"%V\": "
                       "%s", &issuer->name, err.what);

    return NGX_CONF_ERROR;
}


static char *
ngx_acme_issuer_contact(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value, ngx_uint_t n)
{
    char                url[ACME_URL_MAX];
    char              **contact;
    ngx_uint_t          i;
    struct acme_error   err;

    acme_error_clear(&err);

    for (i = 1; i < n; i++) {

        if (issuer->contacts.nelts == ACME_CONTACTS_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "too many contacts in \"acme_issuer\" \"%V\"",
                               &issuer->name);
            return NGX_CONF_ERROR;
        }

        if (acme_host_contact((char *) value[i].data, url, &err) != ACME_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"acme_issuer\" \"%V\" has %s",
                               &issuer->name, err.what);
            return NGX_CONF_ERROR;
        }

        contact = ngx_array_push(&issuer->contacts);
        if (contact == NULL) {
            return NGX_CONF_ERROR;
        }

        *contact = ngx_acme_text(cf, url);
        if (*contact == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* they have their defaults from the beginning: `bit` tells what was said */

static ngx_int_t
ngx_acme_issuer_flag(ngx_conf_t *cf, ngx_acme_issuer_t *issuer,
    ngx_str_t *value, ngx_flag_t *flag, ngx_uint_t bit)
{
    if (issuer->said & bit) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"%V\" in \"acme_issuer\" \"%V\"",
                           &value[0], &issuer->name);
        return NGX_ERROR;
    }

    issuer->said |= bit;

    if (ngx_strcasecmp(value[1].data, (u_char *) "on") == 0) {
        *flag = 1;

    } else if (ngx_strcasecmp(value[1].data, (u_char *) "off") == 0) {
        *flag = 0;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it "
                           "must be \"on\" or \"off\"", &value[1], &value[0]);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_acme_state_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->state_path.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"acme_state_path\" has the empty value \"\"; "
                           "write the path of a directory");
        return NGX_CONF_ERROR;
    }

    amcf->state_path = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_acme_accept_terms(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    amcf->terms = 1;

    return NGX_CONF_OK;
}


static char *
ngx_acme_user(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->user.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (getpwnam((const char *) value[1].data) == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"acme_user\": there is no user \"%V\"; make it "
                           "(useradd --system %V) or name another",
                           &value[1], &value[1]);
        return NGX_CONF_ERROR;
    }

    amcf->user = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_acme_key_group(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    if (amcf->key_group.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (getgrnam((const char *) value[1].data) == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"acme_key_group\": there is no group \"%V\"; "
                           "make it (groupadd --system %V) or name another",
                           &value[1], &value[1]);
        return NGX_CONF_ERROR;
    }

    amcf->key_group = value[1];

    return NGX_CONF_OK;
}


/*
 * Of nginx's own module, where it bounds what can be kept.  Here memory is as
 * large as the certificates of the configuration need it: the words are
 * checked and nothing follows from them.
 */

static char *
ngx_acme_shared_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_main_conf_t  *amcf = conf;

    u_char     *p;
    ssize_t     n;
    ngx_str_t  *value, size;

    if (amcf->shared_zone) {
        return "is duplicate";
    }

    amcf->shared_zone = 1;

    value = cf->args->elts;

    p = ngx_strlchr(value[1].data, value[1].data + value[1].len, ':');

    if (ngx_strncmp(value[1].data, "zone=", 5) != 0 || p == NULL
        || p == value[1].data + 5)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it "
                           "must be \"zone=name:size\"; or remove it, memory "
                           "is as large as needed", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    size.data = p + 1;
    size.len = value[1].data + value[1].len - size.data;

    n = ngx_parse_size(&size);

    if (n == NGX_ERROR || n < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\" in \"%V\" directive, it must "
                           "be %uik or more, such as \"256k\"; or remove it, "
                           "memory is as large as needed",
                           &size, &cmd->name, 8 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_acme_certificate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    ngx_uint_t   i;
    ngx_str_t   *value, *word;

    if (ascf->certificate != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ascf->certificate = ngx_array_create(cf->pool, cf->args->nelts,
                                         sizeof(ngx_str_t));
    if (ascf->certificate == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        word = ngx_array_push(ascf->certificate);
        if (word == NULL) {
            return NGX_CONF_ERROR;
        }

        *word = value[i];
    }

    ascf->file = cf->conf_file->file.name;
    ascf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


static char *
ngx_acme_placeholder(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t  *ascf = conf;

    ngx_str_t  *value;

    if (ascf->placeholder != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ascf->placeholder = NGX_ACME_PLACEHOLDER_OFF;

    } else if (ngx_strcmp(value[1].data, "self_signed") == 0) {
        ascf->placeholder = NGX_ACME_PLACEHOLDER_SELF_SIGNED;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\" directive, it "
                           "must be \"off\" or \"self_signed\"",
                           &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* for ngx_acme_lineage.c too */


ngx_acme_issuer_t *
ngx_acme_push_issuer(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_str_t *name)
{
    ngx_acme_issuer_t  *issuer;

    issuer = ngx_array_push(&amcf->issuers);
    if (issuer == NULL) {
        return NULL;
    }

    ngx_memzero(issuer, sizeof(ngx_acme_issuer_t));

    issuer->name = *name;
    issuer->verify = 1;
    issuer->renewal_info = 1;

    if (ngx_array_init(&issuer->contacts, cf->pool, 1, sizeof(char *))
        != NGX_OK)
    {
        return NULL;
    }

    return issuer;
}


char *
ngx_acme_text(ngx_conf_t *cf, const char *text)
{
    char    *copy;
    size_t   size;

    size = ngx_strlen(text) + 1;

    copy = ngx_pnalloc(cf->pool, size);

    if (copy != NULL) {
        ngx_memcpy(copy, text, size);
    }

    return copy;
}

/*
 * The module table and its place in httpd's life: checks in every process
 * that reads the configuration, the service from the parent, the cache in the
 * children.
 */
#include "mod_acme_httpd.h"

#include <ap_mpm.h>
#include <http_request.h>
#include <mod_status.h>
#include <mpm_common.h>

/* Runs behind mod_ssl, which has read its files by then. */
static int
post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *base)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(base)->conf;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    acme_httpd_tls_read(conf);

    /* The first of two readings at start: nothing of it is used. */
    if (conf->config == NULL ||
        ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;

    /* An error here would end the server in a reload: warnings only. */
    acme_httpd_check_log(conf);
    if (!conf->config->answers_only ||
        acme_config_has_thumbprint_file(conf->config))
        acme_httpd_host_start(conf);
    return OK;
}

static int
monitor(apr_pool_t *pool, server_rec *base)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(base)->conf;
    int state = AP_MPMQ_STARTING;

    (void)pool;
    if (conf->area != NULL &&
        ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS &&
        state != AP_MPMQ_STOPPING)
        acme_httpd_host_watch(conf);
    return DECLINED;
}

/* The only place where a child of the MPM and a daemon of another module,
 * which takes a user of its own its own way, are told apart.  mod_cgid's comes
 * here too, but not while a generation starts. */
static int
drop_privileges(apr_pool_t *pool, server_rec *base)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(base)->conf;
    int state = AP_MPMQ_STOPPING;

    (void)pool;
    if (conf->area != NULL &&
        ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS &&
        state == AP_MPMQ_STARTING)
        acme_httpd_host_open(conf);
    return OK;
}

static void
child_init(apr_pool_t *pool, server_rec *base)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(base)->conf;

    (void)pool;
    if (conf->area != NULL)
        acme_httpd_host_child(conf);
}

static void
register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_config(acme_httpd_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_monitor(monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_drop_privileges(drop_privileges, NULL, NULL,
        APR_HOOK_REALLY_FIRST);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    acme_httpd_tls_hooks();
    acme_httpd_alpn_hooks();
    acme_httpd_enhance_hooks();

    /* Before rewrites, redirects, proxies, access rules and caches. */
    ap_hook_quick_handler(acme_httpd_request, NULL, NULL,
        APR_HOOK_REALLY_FIRST);
    ap_hook_handler(acme_httpd_status, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, acme_httpd_server_status, NULL, NULL,
        APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(acme_httpd) = {
    STANDARD20_MODULE_STUFF,
    acme_httpd_create_place,
    acme_httpd_merge_place,
    acme_httpd_create_server,
    acme_httpd_merge_server,
    acme_httpd_commands,
    register_hooks,
    0,
};

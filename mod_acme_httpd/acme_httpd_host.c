/*
 * The service beside httpd: started from the parent, started again when it
 * died, told apart from children, its lines in httpd's error log.
 */
#include "mod_acme_httpd.h"

#include <apr_file_info.h>
#include <apr_getopt.h>
#include <apr_portable.h>
#include <errno.h>
#include <http_main.h>
#include <mpm_common.h>
#include <stdint.h>
#include <unistd.h>
#include <unixd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

APLOG_USE_MODULE(acme_httpd);

/* More than this is no command line. */
#define TITLE_MAX 4096

const char *
acme_httpd_conf_path(const process_rec *process, apr_pool_t *pool)
{
    const char *root = HTTPD_ROOT, *file = SERVER_CONFIG_FILE, *arg;
    apr_getopt_t *options;
    char option, *path;

    if (apr_getopt_init(&options, pool, process->argc, process->argv) ==
        APR_SUCCESS) {
        options->errfn = NULL;
        while (apr_getopt(options, AP_SERVER_BASEARGS "Xk:", &option, &arg) ==
               APR_SUCCESS) {
            if (option == 'd')
                root = arg;
            else if (option == 'f')
                file = arg;
        }
    }

    /* ServerRoot comes too late for it. */
    if (apr_filepath_merge(&path, root, file, APR_FILEPATH_TRUENAME, pool) !=
        APR_SUCCESS)
        return file;
    return path;
}

/* ---- called in the supervisor process only ---------------------------- */

static void
log_line(void *ctx, enum acme_level level, const char *line)
{
    static const int levels[] = { APLOG_ALERT, APLOG_CRIT, APLOG_ERR,
        APLOG_WARNING, APLOG_NOTICE, APLOG_INFO, APLOG_DEBUG };
    const struct acme_httpd_conf *conf = ctx;

    ap_log_error(APLOG_MARK, levels[level], 0, conf->base, "%s", line);
}

/* Bytes of the command line as the kernel shows it: up to the environment,
 * as httpd leaves out of its argv what its next start must not see. */
static size_t
title_room(const process_rec *process)
{
    const char *start = process->argv[0], *end = start, *next = NULL;
    char **env;
    int i;

    for (i = 0; i < process->argc; i++)
        if (process->argv[i] >= end)
            end = process->argv[i] + strlen(process->argv[i]) + 1;
    for (env = environ; env != NULL && *env != NULL; env++)
        if (*env >= end && (next == NULL || *env < next))
            next = *env;
    if (next != NULL && next - end < TITLE_MAX)
        end = next;
    return end - start < TITLE_MAX ? (size_t)(end - start) : 0;
}

/* What httpd calls itself in syslog(3): the word after "syslog:facility:", or
 * its name. */
static const char *
syslog_name(const struct acme_httpd_conf *conf)
{
    const char *word = conf->base->error_fname;

    word = word != NULL ? ap_strchr_c(word, ':') : NULL;
    word = word != NULL ? ap_strchr_c(word + 1, ':') : NULL;
    return word != NULL && word[1] != '\0' ? word + 1 : conf->program;
}

/* As ps shows it: over the command line. */
static void
set_title(void *ctx, const char *title)
{
    const struct acme_httpd_conf *conf = ctx;
    const process_rec *process = conf->base->process;
    char *start = (char *)(uintptr_t)process->argv[0], text[64];
    size_t room = title_room(process);

    apr_snprintf(text, sizeof(text), "%s: %s", conf->program, title);
    if (room > 0) {
        memset(start, 0, room);
        apr_cpystrn(start, text, room);
    }
#ifdef __GLIBC__
    /* A part of the command line, and what syslog(3) falls back to when the
     * core has closed httpd's connection; the facility stays. */
    program_invocation_short_name = (char *)(uintptr_t)syslog_name(conf);
#endif
}

/* ---- in the parent ---------------------------------------------------- */

static enum acme_rc
start(struct acme_httpd_conf *conf, unsigned flags, struct acme_error *err)
{
    struct acme_server server;
    apr_os_file_t fd;
    enum acme_rc rc;

    memset(&server, 0, sizeof(server));
    server.ctx = conf;
    server.log = log_line;
    server.title = set_title;
    server.master = getpid();
    if (conf->base->error_log != NULL &&
        apr_os_file_get(&fd, conf->base->error_log) == APR_SUCCESS) {
        server.fds = &fd;
        server.nfds = 1;
    }
    acme_area_inherit(conf->area, true);
    rc = acme_service_start(conf->config, conf->area, &server,
        flags | ACME_SERVICE_DETACH, &conf->service, err);
    /* Daemons of other modules, forked whenever, have no part in it. */
    acme_area_inherit(conf->area, false);
    return rc;
}

/* The pool of a configuration goes with it; a daemon that was forked from the
 * parent, e.g. mod_cgid's, clears a copy when it exits. */
static apr_status_t
stop(void *data)
{
    struct acme_httpd_conf *conf = data;

    if (getpid() == conf->parent)
        acme_service_stop(&conf->service);
    else
        acme_service_forget(&conf->service);
    acme_live_alpn_free(conf->alpn);
    acme_live_cache_free(conf->cache);
    acme_area_free(conf->area);
    conf->alpn = NULL;
    conf->cache = NULL;
    conf->area = NULL;
    return APR_SUCCESS;
}

/* Whether children of an older configuration may still be there. */
static unsigned
reload_flag(void)
{
    int generation = 0;

    if (ap_mpm_query(AP_MPMQ_GENERATION, &generation) != APR_SUCCESS ||
        generation > 0)
        return ACME_SERVICE_RELOAD;
    return 0;
}

void
acme_httpd_host_start(struct acme_httpd_conf *conf)
{
    struct acme_error err;

    acme_error_clear(&err);
    conf->parent = getpid();

    /* The original is a part of the command line, which titles go over. */
    conf->program = apr_pstrdup(conf->pool, conf->base->process->short_name);
    if (acme_host_engine_user(conf->config, conf->user,
            ap_unixd_config.user_id, ap_unixd_config.group_id,
            &err) != ACME_OK ||
        (conf->key_group != NULL && acme_host_key_group(conf->config,
                                        conf->key_group, &err) != ACME_OK) ||
        acme_area_new(conf->config->nlineages,
            acme_challenge_thumbprints(conf->config), &conf->area,
            &err) != ACME_OK)
        goto done;
    apr_pool_cleanup_register(conf->pool, conf, stop, apr_pool_cleanup_null);
    conf->unsupervised = start(conf, reload_flag(), &err) != ACME_OK;

done:
    if (err.rc != ACME_OK)
        ap_log_error(APLOG_MARK, APLOG_ALERT, 0, conf->base,
            "no certificate is served or renewed: %s", err.what);
}

void
acme_httpd_host_watch(struct acme_httpd_conf *conf)
{
    struct acme_error err;

    if (acme_service_alive(&conf->service))
        return;
    acme_error_clear(&err);
    acme_service_stop(&conf->service);

    /* Nobody waits: the area has what it had. */
    if (start(conf, ACME_SERVICE_NO_WAIT, &err) == ACME_OK)
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, conf->base,
            "the supervisor has ended and is started again");
    else if (!conf->unsupervised)
        ap_log_error(APLOG_MARK, APLOG_ALERT, 0, conf->base,
            "certificates are served but not renewed: %s", err.what);
    conf->unsupervised = err.rc != ACME_OK;
}

/* ---- in the children -------------------------------------------------- */

void
acme_httpd_host_open(struct acme_httpd_conf *conf)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (getpid() == conf->parent ||
        acme_area_open(conf->area, &err) == ACME_OK)
        return;
    ap_log_error(APLOG_MARK, APLOG_ALERT, 0, conf->base,
        "this child serves no certificate: %s", err.what);
    acme_area_free(conf->area);
    conf->area = NULL;
}

void
acme_httpd_host_child(struct acme_httpd_conf *conf)
{
    struct acme_error err;

    acme_error_clear(&err);
    acme_httpd_host_open(conf);
    if (conf->area == NULL)
        return;

    /* With -X the only child is the parent. */
    if (getpid() != conf->parent) {
        acme_service_forget(&conf->service);
        acme_area_protect(conf->area);
    }
#ifdef __linux__
    /* Children that were not started as root are dumpable: other processes
     * of their user could read the keys in them. */
    if (!ap_coredumpdir_configured && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        ap_log_error(APLOG_MARK, APLOG_ALERT, errno, conf->base,
            "prctl(PR_SET_DUMPABLE) failed");
#endif
    if (acme_live_cache_new(conf->area, conf->config->nlineages,
            ACME_LIVE_CACHE_DEFAULT, &conf->cache, &err) != ACME_OK)
        ap_log_error(APLOG_MARK, APLOG_ALERT, 0, conf->base,
            "this child serves no certificate: %s", err.what);
    acme_error_clear(&err);
    if (acme_live_alpn_new(conf->area, &conf->alpn, &err) != ACME_OK)
        ap_log_error(APLOG_MARK, APLOG_ALERT, 0, conf->base,
            "this child answers no tls-alpn-01: %s", err.what);
}


/*
 * The service beside nginx: started from the master, told apart from workers,
 * its lines in nginx's error log.
 */


#include "ngx_acme_module.h"

#if (NGX_LINUX)
#include <sys/prctl.h>
#endif


#define NGX_ACME_MAX_LOGS   16
#define NGX_ACME_WATCH      20000
#define NGX_ACME_AGAIN      60000
#define NGX_ACME_OVERDUE    60


static ngx_int_t ngx_acme_host_prepare(ngx_cycle_t *cycle,
    ngx_acme_main_conf_t *amcf, struct acme_error *err);
static ngx_int_t ngx_acme_host_run(ngx_cycle_t *cycle,
    ngx_acme_main_conf_t *amcf, struct acme_error *err);
static void ngx_acme_host_warn(ngx_cycle_t *cycle,
    ngx_acme_main_conf_t *amcf);
static ngx_uint_t ngx_acme_host_log_fds(ngx_log_t *log, int *fds);
static void ngx_acme_host_stop(void *data);
static void ngx_acme_host_log(void *ctx, enum acme_level level,
    const char *line);
static void ngx_acme_host_title(void *ctx, const char *title);
static void ngx_acme_host_reopen(ngx_cycle_t *cycle);
static void ngx_acme_host_watch(ngx_event_t *ev);


void
ngx_acme_host_start(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf)
{
    struct acme_error  err;

    /*
     * without a certificate of its own it still answers for the orders of
     * others, and its old certificates are known to be nobody's any more
     */

    if (amcf->config->answers_only) {

        if (!acme_config_has_thumbprint_file(amcf->config)) {
            return;
        }

    } else {
        ngx_acme_host_warn(cycle, amcf);
    }

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        return;
    }

    acme_error_clear(&err);

    if (ngx_acme_host_prepare(cycle, amcf, &err) != NGX_OK
        || ngx_acme_host_run(cycle, amcf, &err) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "acme: no certificate is served or renewed: %s",
                      err.what);
    }
}


/* what the service and the workers share */

static ngx_int_t
ngx_acme_host_prepare(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf,
    struct acme_error *err)
{
    ngx_core_conf_t     *ccf;
    ngx_pool_cleanup_t  *cln;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    /* the pool of an old cycle goes when a reload has succeeded */

    cln = ngx_pool_cleanup_add(cycle->pool, 0);

    if (cln == NULL
        || acme_host_engine_user(amcf->config,
                                 amcf->user.len ? (char *) amcf->user.data
                                                : NULL,
                                 ccf->user, ccf->group, err)
           != ACME_OK
        || (amcf->key_group.len != 0
            && acme_host_key_group(amcf->config,
                                   (char *) amcf->key_group.data, err)
               != ACME_OK)
        || acme_area_new(amcf->config->nlineages,
                         acme_challenge_thumbprints(amcf->config),
                         &amcf->area, err)
           != ACME_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_acme_host_stop;
    cln->data = amcf;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_host_run(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf,
    struct acme_error *err)
{
    int                 fds[NGX_ACME_MAX_LOGS];
    unsigned            flags;
    struct acme_server  server;

    ngx_memzero(&server, sizeof(struct acme_server));

    server.ctx = cycle;
    server.log = ngx_acme_host_log;
    server.title = ngx_acme_host_title;
    server.fds = fds;
    server.nfds = ngx_acme_host_log_fds(cycle->log, fds);

    /* workers of an older configuration, or of an older binary */

    flags = ACME_SERVICE_DETACH;
    if (!ngx_is_init_cycle(cycle->old_cycle) || ngx_inherited) {
        flags |= ACME_SERVICE_RELOAD;
    }

    return acme_service_start(amcf->config, amcf->area, &server, flags,
                              &amcf->service, err)
           == ACME_OK ? NGX_OK : NGX_ERROR;
}


/* what -t and a start should say, and what must not stop either */

static void
ngx_acme_host_warn(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf)
{
    ngx_core_conf_t    *ccf;
    struct acme_error   err;

    acme_error_clear(&err);

    if (acme_host_check_state(amcf->config, &err) != ACME_OK) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"acme_state_path\" \"%V\" cannot be used: %s",
                      &amcf->state_path, err.what);
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->rlimit_core != NGX_CONF_UNSET) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"worker_rlimit_core\" makes workers dumpable: core "
                      "files and other processes of their user can read the "
                      "private keys");
    }
}


static ngx_uint_t
ngx_acme_host_log_fds(ngx_log_t *log, int *fds)
{
    ngx_uint_t          n;
    ngx_syslog_peer_t  *peer;

    for (n = 0; log != NULL && n < NGX_ACME_MAX_LOGS; log = log->next) {

        if (log->file != NULL && log->file->fd != NGX_INVALID_FILE) {
            fds[n++] = log->file->fd;
            continue;
        }

        if (log->writer != ngx_syslog_writer) {
            continue;
        }

        /*
         * closed behind its back, the connection would be used under a number
         * that is one of the supervisor's by then, and that closed on an
         * error; one that is not open yet the supervisor opens for itself
         */

        peer = log->wdata;

        if (peer->conn.fd != (ngx_socket_t) -1) {
            fds[n++] = peer->conn.fd;
        }
    }

    return n;
}


static void
ngx_acme_host_stop(void *data)
{
    ngx_acme_main_conf_t  *amcf = data;

    acme_service_stop(&amcf->service);
    ngx_acme_alpn_stop(amcf);
    acme_live_cache_free(amcf->cache);
    acme_area_free(amcf->area);

    amcf->cache = NULL;
    amcf->area = NULL;
}


/* called in the supervisor process only */

static void
ngx_acme_host_log(void *ctx, enum acme_level level, const char *line)
{
    ngx_cycle_t  *cycle = ctx;

    static const ngx_uint_t  levels[] = {
        NGX_LOG_ALERT, NGX_LOG_CRIT, NGX_LOG_ERR, NGX_LOG_WARN,
        NGX_LOG_NOTICE, NGX_LOG_INFO, NGX_LOG_DEBUG
    };

    ngx_pid = ngx_getpid();

    ngx_time_update();
    ngx_acme_host_reopen(cycle);

    ngx_log_error(levels[level], cycle->log, 0, "acme: %s", line);
}


static void
ngx_acme_host_title(void *ctx, const char *title)
{
    ngx_setproctitle((char *) title);
}


/*
 * nginx tells its own children to reopen the logs.  This process is not one
 * of them: it compares the file behind the name with the one it has open.
 */

static void
ngx_acme_host_reopen(ngx_cycle_t *cycle)
{
    ngx_fd_t           fd;
    ngx_log_t         *log;
    ngx_file_info_t    named, opened;
    ngx_open_file_t   *file;

    for (log = cycle->log; log != NULL; log = log->next) {
        file = log->file;

        if (file == NULL || file->name.len == 0
            || file->fd == NGX_INVALID_FILE
            || ngx_file_info(file->name.data, &named) == NGX_FILE_ERROR
            || ngx_fd_info(file->fd, &opened) == NGX_FILE_ERROR
            || (named.st_dev == opened.st_dev
                && named.st_ino == opened.st_ino))
        {
            continue;
        }

        fd = open((const char *) file->name.data,
                  O_WRONLY|O_APPEND|O_NOFOLLOW|O_NONBLOCK);
        if (fd == -1) {
            continue;
        }

        (void) dup2(fd, file->fd);
        (void) close(fd);
    }
}


/* workers, and the helpers that also run init_process */

void
ngx_acme_host_worker(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf)
{
    ngx_core_conf_t    *ccf;
    struct acme_error   err;

    if (ngx_process != NGX_PROCESS_SINGLE) {
        acme_service_forget(&amcf->service);
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

#if (NGX_HAVE_PR_SET_DUMPABLE)

    /*
     * nginx has just made the process dumpable, which lets any other process
     * of the same user read the keys in it
     */

    if (ccf->rlimit_core == NGX_CONF_UNSET
        && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "prctl(PR_SET_DUMPABLE) failed");
    }

#endif

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return;
    }

    if (ngx_process == NGX_PROCESS_WORKER) {
        acme_area_protect(amcf->area);
    }

    acme_error_clear(&err);

    if (acme_live_cache_new(amcf->area, amcf->config->nlineages,
                            ACME_LIVE_CACHE_DEFAULT, &amcf->cache, &err)
        != ACME_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "acme: this worker serves no certificate: %s",
                      err.what);
    }

    ngx_acme_alpn_start(cycle, amcf);

    if (ngx_worker == 0) {
        amcf->watch.handler = ngx_acme_host_watch;
        amcf->watch.data = amcf;
        amcf->watch.log = cycle->log;
        amcf->watch.cancelable = 1;

        ngx_add_timer(&amcf->watch, NGX_ACME_WATCH);
    }
}


/* a supervisor that was killed is started again only by a reload */

static void
ngx_acme_host_watch(ngx_event_t *ev)
{
    time_t                 last;
    ngx_msec_t             next;
    ngx_acme_main_conf_t  *amcf = ev->data;

    last = acme_area_last_beat(amcf->area);
    next = NGX_ACME_WATCH;

    if (last != 0 && ngx_time() - last > NGX_ACME_OVERDUE) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "acme: nothing has been heard of the %s process for "
                      "%T seconds, %s; reload nginx to start it again",
                      amcf->config->answers_only ? "watcher" : "store",
                      ngx_time() - last,
                      amcf->config->answers_only
                      ? "thumbprint files are not read"
                      : "certificates are served but not renewed");
        next = NGX_ACME_AGAIN;
    }

    ngx_add_timer(ev, next);
}

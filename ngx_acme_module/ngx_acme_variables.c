
/*
 * Variables: what a server has, for logs and headers, and its certificate as
 * files for directives that load some.  A key never gets into a value: that is
 * the path of a sealed file in memory, which lives as long as the request and
 * which only this worker can open.
 */


#include "ngx_acme_module.h"

#include <sys/mman.h>


/* of one request */

typedef struct {
    ngx_str_t   certificate;                  /* paths */
    ngx_str_t   key;
    ngx_uint_t  answered;                     /* unsigned  answered:1 */
} ngx_acme_ctx_t;


static ngx_int_t ngx_acme_lineage_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_acme_expires_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_acme_challenge_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_acme_file_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_acme_ctx_t *ngx_acme_request_ctx(ngx_http_request_t *r);
static ngx_int_t ngx_acme_files(ngx_http_request_t *r, ngx_acme_ctx_t *ctx,
    ngx_acme_srv_conf_t *ascf);
static ngx_int_t ngx_acme_memory_file(ngx_http_request_t *r,
    struct acme_buf *content, ngx_str_t *path);


static ngx_http_variable_t  ngx_acme_vars[] = {

    { ngx_string("acme_certificate"), NULL, ngx_acme_file_variable,
      offsetof(ngx_acme_ctx_t, certificate), 0, 0 },

    { ngx_string("acme_certificate_key"), NULL, ngx_acme_file_variable,
      offsetof(ngx_acme_ctx_t, key), 0, 0 },

    { ngx_string("acme_lineage"), NULL, ngx_acme_lineage_variable, 0, 0, 0 },

    { ngx_string("acme_expires"), NULL, ngx_acme_expires_variable, 0, 0, 0 },

    { ngx_string("acme_challenge"), NULL, ngx_acme_challenge_variable,
      0, 0, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_acme_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_acme_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* the answer to a challenge is on its way */

void
ngx_acme_note_answer(ngx_http_request_t *r)
{
    ngx_acme_ctx_t  *ctx;

    ctx = ngx_acme_request_ctx(r);

    if (ctx != NULL) {
        ctx->answered = 1;
    }
}


static ngx_int_t
ngx_acme_lineage_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_acme_srv_conf_t  *ascf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_acme_module);

    if (!ascf->managed) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) ascf->main->config->lineage[ascf->lineage].name;
    v->len = ngx_strlen(v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_expires_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    time_t                end;
    ngx_acme_srv_conf_t  *ascf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_acme_module);

    end = ascf->managed && ascf->main->cache != NULL
          ? acme_live_not_after(ascf->main->cache, ascf->lineage) : 0;

    if (end == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = ngx_pnalloc(r->pool, ACME_TIME_TEXT);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_strlen(acme_time_format(end, (char *) v->data));
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_challenge_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_acme_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_acme_module);

    if (ctx == NULL || !ctx->answered) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) "http-01";
    v->len = sizeof("http-01") - 1;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* what asks for a path has to get one, or nothing: never an error */

static ngx_int_t
ngx_acme_file_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t            *path;
    ngx_acme_ctx_t       *ctx;
    ngx_acme_srv_conf_t  *ascf;

    v->not_found = 1;

    ascf = ngx_http_get_module_srv_conf(r, ngx_acme_module);

    if (!ascf->managed || ascf->main->cache == NULL) {
        return NGX_OK;
    }

    ctx = ngx_acme_request_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->key.len == 0 && ngx_acme_files(r, ctx, ascf) != NGX_OK) {
        return NGX_OK;
    }

    path = (ngx_str_t *) ((u_char *) ctx + data);

    v->data = path->data;
    v->len = path->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_acme_ctx_t *
ngx_acme_request_ctx(ngx_http_request_t *r)
{
    ngx_acme_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_acme_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_acme_ctx_t));

        if (ctx != NULL) {
            ngx_http_set_ctx(r, ctx, ngx_acme_module);
        }
    }

    return ctx;
}


/* both at once: they must not be of two versions */

static ngx_int_t
ngx_acme_files(ngx_http_request_t *r, ngx_acme_ctx_t *ctx,
    ngx_acme_srv_conf_t *ascf)
{
    ngx_int_t        rc;
    struct acme_buf  chain, key;

    acme_buf_init(&chain, ACME_STATE_PEM_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);

    rc = NGX_DECLINED;

    if (acme_live_pem(ascf->main->cache, ascf->lineage, &chain, &key)) {
        rc = ngx_acme_memory_file(r, &chain, &ctx->certificate);

        if (rc == NGX_OK) {
            rc = ngx_acme_memory_file(r, &key, &ctx->key);
        }
    }

    acme_buf_clear(&chain);
    acme_buf_clear(&key);

    return rc;
}


#ifdef MFD_ALLOW_SEALING


static ngx_int_t
ngx_acme_memory_file(ngx_http_request_t *r, struct acme_buf *content,
    ngx_str_t *path)
{
    u_char                    *p;
    ngx_fd_t                   fd;
    ngx_pool_cleanup_t        *cln;
    ngx_pool_cleanup_file_t   *file;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_pool_cleanup_file_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, sizeof("/proc/self/fd/") + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fd = memfd_create("acme", MFD_CLOEXEC|MFD_ALLOW_SEALING);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, ngx_errno,
                      "acme: memfd_create() failed");
        return NGX_ERROR;
    }

    cln->handler = ngx_pool_cleanup_file;
    file = cln->data;
    file->fd = fd;
    file->name = p;
    file->log = r->pool->log;

    if (write(fd, content->data, content->len) != (ssize_t) content->len
        || fcntl(fd, F_ADD_SEALS,
                 F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_WRITE|F_SEAL_SEAL)
           == -1)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, ngx_errno,
                      "acme: a file in memory cannot be filled");
        return NGX_ERROR;
    }

    path->data = p;
    path->len = ngx_sprintf(p, "/proc/self/fd/%d%Z", fd) - p - 1;

    return NGX_OK;
}


#else


static ngx_int_t
ngx_acme_memory_file(ngx_http_request_t *r, struct acme_buf *content,
    ngx_str_t *path)
{
    return NGX_DECLINED;
}


#endif

/*
 * The status of this server's certificates for whoever may see it: requests
 * are turned into the core's words, and its answer is sent.  Nothing here
 * waits: the answer is in memory.
 */
#include "mod_acme_httpd.h"

#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>
#include <strings.h>

/* ---- configuration ---------------------------------------------------- */

void *
acme_httpd_create_place(apr_pool_t *pool, char *dir)
{
    struct acme_httpd_place *place = apr_pcalloc(pool, sizeof(*place));

    (void)dir;
    place->status.mode = ACME_STATUS_ON; /* the handler is set, or it is not */
    return place;
}

void *
acme_httpd_merge_place(apr_pool_t *pool, void *base, void *add)
{
    const struct acme_httpd_place *narrow = add;

    (void)pool;
    return narrow->said ? add : base;
}

const char *
acme_httpd_set_status(cmd_parms *cmd, void *place, int argc,
    char *const argv[])
{
    struct acme_httpd_place *to = place;
    char name[ACME_NAME_MAX + 1];
    struct acme_error err;
    const char **hosts;
    int i;

    acme_error_clear(&err);
    if (argc == 0)
        return "ACMEStatus needs on, admin or off";
    if (acme_status_mode_parse(argv[0], &to->status.mode, &err) != ACME_OK)
        goto failed;
    hosts = apr_pcalloc(cmd->pool, (apr_size_t)argc * sizeof(*hosts));
    for (i = 1; i < argc; i++) {
        if (acme_status_host_parse(argv[i], name, &err) != ACME_OK)
            goto failed;
        hosts[i - 1] = apr_pstrdup(cmd->pool, name);
    }
    to->said = true;
    to->status.hosts = hosts;
    to->status.nhosts = (size_t)argc - 1;
    if (to->status.mode == ACME_STATUS_ADMIN)
        acme_httpd_server_of(cmd->server)->conf->admin = true;
    return NULL;

failed:
    return apr_psprintf(cmd->pool, "ACMEStatus: %s", err.what);
}

const char *
acme_httpd_set_shown(cmd_parms *cmd, void *dir, int flag)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(cmd->server)->conf;
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error != NULL)
        return error;
    if (strcasecmp(cmd->cmd->name, "ACMEServerStatus") == 0)
        conf->server_status = flag;
    else
        conf->certificate_status = flag;
    return NULL;
}

const char *
acme_httpd_set_check(cmd_parms *cmd, void *dir, const char *name,
    const char *url)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(cmd->server)->conf;
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    struct acme_error err;

    (void)dir;
    if (error != NULL)
        return error;
    acme_error_clear(&err);
    if (acme_md_check_parse(url, &err) != ACME_OK)
        return apr_psprintf(cmd->pool, "%s \"%s\": %s", cmd->cmd->name, url,
            err.what);
    conf->check.name = name;
    conf->check.url = url;
    return NULL;
}

/* ---- requests --------------------------------------------------------- */

static apr_status_t
clear(void *body)
{
    acme_buf_clear(body);
    return APR_SUCCESS;
}

static void
ask(request_rec *r, struct acme_status_query *query)
{
    const apr_table_t *in = r->headers_in;
    const char *const *name;

    memset(query, 0, sizeof(*query));
    query->method = r->method;
    query->host = apr_table_get(in, "Host");
    if (query->host == NULL)
        query->host = r->hostname != NULL ? r->hostname : "";
    query->client = (const struct sockaddr *)&r->useragent_addr->sa;
    for (name = acme_status_forwarding; *name != NULL; name++)
        if (apr_table_get(in, *name) != NULL)
            query->forwarded = true;
    query->accept = apr_table_get(in, "Accept");
    query->none_match = apr_table_get(in, "If-None-Match");
    query->origin = apr_table_get(in, "Origin");
    query->site = apr_table_get(in, "Sec-Fetch-Site");
    query->admin = apr_table_get(in, ACME_STATUS_ADMIN_HEADER);
    query->path = r->path_info != NULL ? r->path_info : "";
    query->args = r->args;
}

static void
set_fields(request_rec *r, const struct acme_status_reply *reply)
{
    size_t i;

    for (i = 0; i < reply->nfields; i++)
        apr_table_set(r->headers_out, reply->field[i].name,
            reply->field[i].value);
}

/* What is to be sent lives as long as the request. */
static struct acme_buf *
make_body(request_rec *r, size_t max)
{
    struct acme_buf *body = apr_palloc(r->pool, sizeof(*body));

    acme_buf_init(body, max);
    apr_pool_cleanup_register(r->pool, body, clear, apr_pool_cleanup_null);
    return body;
}

static int
send_body(request_rec *r, int status, const char *type,
    const struct acme_buf *body)
{
    r->status = status;
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)body->len);
    apr_table_unset(r->headers_in, "Range");
    if (!r->header_only)
        (void)ap_rwrite(body->data, (int)body->len, r);
    return OK;
}

/* "md-status" is what mod_md calls it. */
int
acme_httpd_status(request_rec *r)
{
    const struct acme_httpd_conf *conf = acme_httpd_server_of(r->server)->conf;
    const struct acme_httpd_place *place =
        ap_get_module_config(r->per_dir_config, &acme_httpd_module);
    struct acme_status_query query;
    struct acme_status_reply reply;
    struct acme_buf *body;
    int status;

    if (r->handler == NULL || (strcmp(r->handler, "acme-status") != 0 &&
                                  strcmp(r->handler, "md-status") != 0))
        return DECLINED;
    status = ap_discard_request_body(r);
    if (status != OK)
        return status;
    ask(r, &query);
    body = make_body(r, 0);
    acme_status_answer(conf->config, conf->cache != NULL ? conf->area : NULL,
        &place->status, &query, &reply, body);
    if (!acme_buf_ok(body))
        return HTTP_INTERNAL_SERVER_ERROR;
    set_fields(r, &reply);
    return reply.status == HTTP_NOT_MODIFIED
               ? HTTP_NOT_MODIFIED
               : send_body(r, reply.status, reply.type, body);
}

/* ---- as mod_md has it ------------------------------------------------- */

/* A store that has just started knows it in a moment (seconds). */
#define SOON "2"

int
acme_httpd_certificate_status(request_rec *r)
{
    const struct acme_httpd_conf *conf = acme_httpd_server_of(r->server)->conf;
    const char *host = r->hostname != NULL ? r->hostname : "";
    char name[ACME_NAME_MAX + 1];
    struct acme_buf *body;
    size_t lineage;

    if (strcmp(r->uri, ACME_MD_CERTIFICATE_PATH) != 0 ||
        !conf->certificate_status || conf->cache == NULL ||
        !acme_name_from_host(host, strlen(host), name) ||
        !acme_config_find_name(conf->config, name, &lineage))
        return DECLINED;
    if (r->method_number != M_GET) {
        ap_allow_methods(r, REPLACE_ALLOW, "GET", "HEAD", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    body = make_body(r, ACME_STATUS_BYTES);
    if (!acme_md_status_certificate(conf->area, lineage, body)) {
        apr_table_setn(r->err_headers_out, "Retry-After", SOON);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    apr_table_setn(r->headers_out, "Cache-Control", ACME_STATUS_CACHE);
    return send_body(r, HTTP_OK, ACME_STATUS_TYPE, body);
}

int
acme_httpd_server_status(request_rec *r, int flags)
{
    const struct acme_httpd_conf *conf = acme_httpd_server_of(r->server)->conf;
    struct acme_buf *body;

    if (!conf->server_status || conf->cache == NULL ||
        conf->config->nlineages == 0)
        return DECLINED;
    body = make_body(r, acme_md_status_max(conf->config->nlineages));
    acme_md_status_table(conf->area, conf->config->nlineages,
        (flags & AP_STATUS_SHORT) != 0 ? ACME_MD_AUTO : ACME_MD_HTML,
        &conf->check, apr_time_sec(apr_time_now()), body);
    if (!acme_buf_ok(body))
        return DECLINED;
    (void)ap_rwrite(body->data, (int)body->len, r);
    return OK;
}


/*
 * The status of this server's certificates for whoever may see it: requests
 * are turned into the core's words, and its answer is sent.  Nothing here
 * waits: the answer is in memory.
 */


#include "ngx_acme_module.h"


static ngx_int_t ngx_acme_status_hosts(ngx_conf_t *cf,
    struct acme_status_policy *policy);
static ngx_int_t ngx_acme_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_acme_status_query(ngx_http_request_t *r,
    struct acme_status_query *query);
static char *ngx_acme_status_path(ngx_http_request_t *r);
static ngx_table_elt_t *ngx_acme_status_find(ngx_http_request_t *r,
    const char *name);
static char *ngx_acme_status_field(ngx_http_request_t *r, const char *name);
static char *ngx_acme_status_text(ngx_http_request_t *r, u_char *data,
    size_t len);
static ngx_int_t ngx_acme_status_fields(ngx_http_request_t *r,
    struct acme_status_reply *reply);
static ngx_int_t ngx_acme_status_send(ngx_http_request_t *r,
    struct acme_status_reply *reply, struct acme_buf *body);
static void ngx_acme_status_cleanup(void *data);


/* what is sent, as long as the request */

typedef struct {
    struct acme_status_reply   reply;
    struct acme_buf            body;
} ngx_acme_status_answer_t;


void *
ngx_acme_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_acme_loc_conf_t));
}


char *
ngx_acme_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_loc_conf_t  *alcf = conf;

    ngx_str_t                 *value;
    struct acme_error          err;
    ngx_acme_main_conf_t      *amcf;
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->status.hosts != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    acme_error_clear(&err);

    if (acme_status_mode_parse((char *) value[1].data, &alcf->status.mode,
                               &err)
        != ACME_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &cmd->name,
                           err.what);
        return NGX_CONF_ERROR;
    }

    if (ngx_acme_status_hosts(cf, &alcf->status) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (alcf->status.mode == ACME_STATUS_OFF) {
        return NGX_CONF_OK;
    }

    if (alcf->status.mode == ACME_STATUS_ADMIN) {
        amcf = ngx_http_conf_get_module_main_conf(cf, ngx_acme_module);
        amcf->admin = 1;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_acme_status_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_acme_status_hosts(ngx_conf_t *cf, struct acme_status_policy *policy)
{
    char                name[ACME_NAME_MAX + 1];
    ngx_str_t          *value;
    ngx_uint_t          i;
    const char        **host;
    struct acme_error   err;

    value = cf->args->elts;

    host = ngx_pcalloc(cf->pool, cf->args->nelts * sizeof(char *));
    if (host == NULL) {
        return NGX_ERROR;
    }

    acme_error_clear(&err);

    for (i = 2; i < cf->args->nelts; i++) {
        if (acme_status_host_parse((char *) value[i].data, name, &err)
            != ACME_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &value[0],
                               err.what);
            return NGX_ERROR;
        }

        host[i - 2] = ngx_acme_text(cf, name);
        if (host[i - 2] == NULL) {
            return NGX_ERROR;
        }
    }

    policy->hosts = host;
    policy->nhosts = cf->args->nelts - 2;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_pool_cleanup_t        *cln;
    ngx_acme_loc_conf_t       *alcf;
    ngx_acme_main_conf_t      *amcf;
    ngx_acme_status_answer_t  *answer;
    struct acme_status_query   query;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_acme_status_query(r, &query) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_acme_status_answer_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_acme_module);
    alcf = ngx_http_get_module_loc_conf(r, ngx_acme_module);

    answer = cln->data;

    acme_status_answer(amcf->config, amcf->area, &alcf->status, &query,
                       &answer->reply, &answer->body);
    cln->handler = ngx_acme_status_cleanup;

    if (!acme_buf_ok(&answer->body)
        || ngx_acme_status_fields(r, &answer->reply) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_acme_status_send(r, &answer->reply, &answer->body);
}


static ngx_int_t
ngx_acme_status_query(ngx_http_request_t *r, struct acme_status_query *query)
{
    const char *const  *name;

    ngx_memzero(query, sizeof(struct acme_status_query));

    /* nginx's own, "Host" may have come in the request line */

    query->host = ngx_acme_status_field(r, "Host");

    if (query->host == NULL) {
        query->host = ngx_acme_status_text(r, r->headers_in.server.data,
                                           r->headers_in.server.len);
    }

    query->method = ngx_acme_status_text(r, r->method_name.data,
                                         r->method_name.len);
    query->path = ngx_acme_status_path(r);
    query->args = ngx_acme_status_text(r, r->args.data, r->args.len);

    if (query->host == NULL || query->method == NULL || query->path == NULL
        || query->args == NULL)
    {
        return NGX_ERROR;
    }

    query->client = r->connection->sockaddr;
    query->accept = ngx_acme_status_field(r, "Accept");
    query->none_match = ngx_acme_status_field(r, "If-None-Match");
    query->origin = ngx_acme_status_field(r, "Origin");
    query->site = ngx_acme_status_field(r, "Sec-Fetch-Site");
    query->admin = ngx_acme_status_field(r, ACME_STATUS_ADMIN_HEADER);

    for (name = acme_status_forwarding; *name != NULL; name++) {
        if (ngx_acme_status_find(r, *name) != NULL) {
            query->forwarded = 1;
        }
    }

    return NGX_OK;
}


/* behind the location's own name, if that is a prefix */

static char *
ngx_acme_status_path(ngx_http_request_t *r)
{
    ngx_str_t                 *name;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    name = &clcf->name;

    if (clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
        || r->uri.len < name->len
        || ngx_strncmp(r->uri.data, name->data, name->len) != 0)
    {
        return "";
    }

    if (name->len > 0 && name->data[name->len - 1] == '/') {
        return ngx_acme_status_text(r, r->uri.data + name->len - 1,
                                    r->uri.len - name->len + 1);
    }

    return ngx_acme_status_text(r, r->uri.data + name->len,
                                r->uri.len - name->len);
}


/* the first one of that name */

static ngx_table_elt_t *
ngx_acme_status_find(ngx_http_request_t *r, const char *name)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


static char *
ngx_acme_status_field(ngx_http_request_t *r, const char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_acme_status_find(r, name);

    return h != NULL ? ngx_acme_status_text(r, h->value.data, h->value.len)
                     : NULL;
}


static char *
ngx_acme_status_text(ngx_http_request_t *r, u_char *data, size_t len)
{
    u_char  *text;

    text = ngx_pnalloc(r->pool, len + 1);
    if (text == NULL) {
        return NULL;
    }

    if (len > 0) {
        ngx_memcpy(text, data, len);
    }

    text[len] = '\0';

    return (char *) text;
}


static ngx_int_t
ngx_acme_status_fields(ngx_http_request_t *r, struct acme_status_reply *reply)
{
    size_t  i;

    for (i = 0; i < reply->nfields; i++) {
        if (ngx_acme_header(r, reply->field[i].name, reply->field[i].value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_acme_status_send(ngx_http_request_t *r, struct acme_status_reply *reply,
    struct acme_buf *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.status = reply->status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type.data = (u_char *) reply->type;
    r->headers_out.content_type.len = ngx_strlen(reply->type);
    r->headers_out.content_type_len = strcspn(reply->type, ";");

    if (reply->status == NGX_HTTP_NOT_MODIFIED) {
        r->headers_out.content_length_n = -1;
        r->headers_out.content_type.len = 0;
    }

    if (body->len == 0) {
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_acme_status_cleanup(void *data)
{
    ngx_acme_status_answer_t  *answer = data;

    acme_buf_clear(&answer->body);
}


/*
 * What brings clients to https: plain requests are sent there, and clients
 * told to come there at once and to fetch what pages refer to so, too; where
 * there is a certificate to serve.  The filter is a module of its own, as its
 * place is behind that of nginx's "add_header".
 */


#include "ngx_acme_module.h"


#define NGX_ACME_HSTS  "Strict-Transport-Security"


static ngx_int_t ngx_acme_enhance_lineage(ngx_http_request_t *r,
    ngx_acme_srv_conf_t *ascf, size_t *lineage);
static ngx_uint_t ngx_acme_enhance_exempt(ngx_str_t *uri);
static ngx_uint_t ngx_acme_enhance_port(ngx_http_request_t *r,
    ngx_acme_main_conf_t *amcf);
static ngx_int_t ngx_acme_enhance_location(ngx_http_request_t *r);
static ngx_int_t ngx_acme_enhance_filter(ngx_http_request_t *r);
static ngx_table_elt_t *ngx_acme_enhance_find(ngx_http_request_t *r,
    const char *name, ngx_uint_t upgraded);
static ngx_int_t ngx_acme_enhance_upgrade(ngx_http_request_t *r);
static ngx_int_t ngx_acme_enhance_init(ngx_conf_t *cf);


static ngx_http_output_header_filter_pt  ngx_acme_enhance_next;


static ngx_http_module_t  ngx_acme_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_acme_enhance_init,                 /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_acme_filter_module = {
    NGX_MODULE_V1,
    &ngx_acme_filter_module_ctx,           /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


char *
ngx_acme_enhance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_acme_srv_conf_t     *ascf = conf;
    enum acme_enhance_item  *item = cmd->post;

    ngx_str_t          *value;
    ngx_uint_t          i;
    const char        **word;
    struct acme_error   err;

    if (acme_enhance_is_said(&ascf->enhance, *item)) {
        return "is duplicate";
    }

    value = cf->args->elts;

    word = ngx_palloc(cf->temp_pool, cf->args->nelts * sizeof(char *));
    if (word == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        word[i - 1] = (char *) value[i].data;
    }

    acme_error_clear(&err);

    if (acme_enhance_set(&ascf->enhance, *item, word, i - 1, &err) != ACME_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &cmd->name,
                           err.what);
        return NGX_CONF_ERROR;
    }

    /* of this level, what it inherits is not known yet */

    ascf->redirects = ascf->enhance.redirect > ACME_REDIRECT_OFF;

    return NGX_CONF_OK;
}


/* all lineages are known: what a server says of them, and cannot do */

void
ngx_acme_enhance_check(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_http_core_srv_conf_t *cscf)
{
    size_t                   lineage;
    ngx_uint_t               i;
    ngx_acme_srv_conf_t     *ascf;
    ngx_http_server_name_t  *sn;

    ascf = cscf->ctx->srv_conf[ngx_acme_module.ctx_index];

    if (ascf->managed) {

        if (ascf->enhance.hsts.mode == ACME_HSTS_AUTO) {
            amcf->config->lineage[ascf->lineage].auto_hsts = 1;
        }

        return;
    }

    if (!ascf->redirects) {
        return;
    }

    sn = cscf->server_names.elts;

    /* of a pattern it is not known what it leads to */

    for (i = 0; i < cscf->server_names.nelts; i++) {
        if (sn[i].name.len == 0
#if (NGX_PCRE)
            || sn[i].regex != NULL
#endif
            || sn[i].name.data[0] == '*'
            || sn[i].name.data[0] == '.'
            || acme_config_find_host(amcf->config, (char *) sn[i].name.data,
                                     sn[i].name.len, &lineage))
        {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"acme_require_https\" has no effect on the server in "
                  "%s:%ui: no \"acme_certificate\" has one of its names; "
                  "write a \"return\", if https is served all the same",
                  cscf->file_name, cscf->line);
}


/* redirects */


/*
 * Behind "return" and "rewrite", which are the administrator's own words for
 * it, and before anybody is asked for a password.
 */

ngx_int_t
ngx_acme_enhance_handler(ngx_http_request_t *r)
{
    size_t                     lineage;
    ngx_acme_srv_conf_t       *ascf;
    ngx_acme_main_conf_t      *amcf;
    struct acme_live_enhance   live;

    if (r->connection->ssl != NULL || r != r->main || r->internal
        || r->headers_in.server.len == 0
        || ngx_acme_enhance_exempt(&r->uri)
        || ngx_acme_enhance_exempt(&r->unparsed_uri))
    {
        return NGX_DECLINED;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_acme_module);
    ascf = ngx_http_get_module_srv_conf(r, ngx_acme_module);

    if (amcf->area == NULL
        || ascf->enhance.redirect == ACME_REDIRECT_OFF
        || ngx_acme_enhance_lineage(r, ascf, &lineage) != NGX_OK
        || !acme_live_enhance(amcf->area, lineage, &ascf->enhance, ngx_time(),
                              &live)
        || live.redirect == ACME_REDIRECT_OFF)
    {
        return NGX_DECLINED;
    }

    if (ngx_acme_enhance_location(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return acme_redirect_status(live.redirect,
                                (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
                                != 0);
}


/* that of the server; of one that has none, as on port 80, by the name */

static ngx_int_t
ngx_acme_enhance_lineage(ngx_http_request_t *r, ngx_acme_srv_conf_t *ascf,
    size_t *lineage)
{
    if (ascf->managed) {
        *lineage = ascf->lineage;
        return NGX_OK;
    }

    return acme_config_find_host(ascf->main->config,
                                 (char *) r->headers_in.server.data,
                                 r->headers_in.server.len, lineage)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_acme_enhance_exempt(ngx_str_t *uri)
{
    return uri->len >= sizeof(ACME_WELL_KNOWN) - 1
           && ngx_strncmp(uri->data, ACME_WELL_KNOWN,
                          sizeof(ACME_WELL_KNOWN) - 1)
              == 0;
}


/* to the host as the client has named it, and its path as he wrote it */

static ngx_int_t
ngx_acme_enhance_location(ngx_http_request_t *r)
{
    u_char                *p;
    ngx_str_t              uri;
    ngx_uint_t             port;
    ngx_table_elt_t       *location;
    ngx_acme_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_acme_module);

    uri = r->unparsed_uri;

    if (uri.len == 0 || uri.data[0] != '/') {
        ngx_str_set(&uri, "/");
    }

    port = ngx_acme_enhance_port(r, amcf);

    ngx_http_clear_location(r);

    location = ngx_list_push(&r->headers_out.headers);
    if (location == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(location, sizeof(ngx_table_elt_t));

    location->value.data = ngx_pnalloc(r->pool, sizeof("https://:65535")
                                                + r->headers_in.server.len
                                                + uri.len);
    if (location->value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(location->value.data, "https://%V",
                    &r->headers_in.server);
    if (port != 0) {
        p = ngx_sprintf(p, ":%ui", port);
    }

    p = ngx_cpymem(p, uri.data, uri.len);

    location->value.len = p - location->value.data;
    location->hash = 1;
    ngx_str_set(&location->key, "Location");

    r->headers_out.location = location;

    return NGX_OK;
}


static ngx_uint_t
ngx_acme_enhance_port(ngx_http_request_t *r, ngx_acme_main_conf_t *amcf)
{
    u_char     *p, *last;
    ngx_int_t   named;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    /* behind the host, which may be an IPv6 address in brackets */

    p = r->headers_in.host->value.data;
    last = p + r->headers_in.host->value.len;

    p += ngx_min(r->headers_in.server.len, r->headers_in.host->value.len);

    if (p == last || *p++ != ':') {
        return 0;
    }

    named = ngx_atoi(p, last - p);

    return named > 0 ? acme_redirect_port(amcf->port_map.tls, named) : 0;
}


/* headers */


static ngx_int_t
ngx_acme_enhance_filter(ngx_http_request_t *r)
{
    char                      *hsts;
    size_t                     size;
    ngx_acme_srv_conf_t       *ascf;
    struct acme_live_enhance   live;

    ascf = ngx_http_get_module_srv_conf(r, ngx_acme_module);

    if (r != r->main || r->connection->ssl == NULL || !ascf->managed
        || ascf->main->area == NULL
        || !acme_live_enhance(ascf->main->area, ascf->lineage, &ascf->enhance,
                              ngx_time(), &live))
    {
        return ngx_acme_enhance_next(r);
    }

    if (live.hsts[0] != '\0'
        && ngx_acme_enhance_find(r, NGX_ACME_HSTS, 0) == NULL)
    {
        size = ngx_strlen(live.hsts) + 1;

        hsts = ngx_pnalloc(r->pool, size);
        if (hsts == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(hsts, live.hsts, size);

        if (ngx_acme_header(r, NGX_ACME_HSTS, hsts) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (live.upgrade && ngx_acme_enhance_upgrade(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_acme_enhance_next(r);
}


/* the first one of that name; if it is a policy, maybe one that upgrades */

static ngx_table_elt_t *
ngx_acme_enhance_find(ngx_http_request_t *r, const char *name,
    ngx_uint_t upgraded)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0
                && h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0
                && (!upgraded
                    || acme_csp_upgrades((char *) h[i].value.data,
                                         h[i].value.len)))
            {
                return &h[i];
            }
        }
    }

    return NULL;
}


/* into a policy that there is, as of two clients take the sum */

static ngx_int_t
ngx_acme_enhance_upgrade(ngx_http_request_t *r)
{
    u_char           *value, *p;
    ngx_table_elt_t  *h;

    if (ngx_acme_enhance_find(r, ACME_CSP, 1) != NULL) {
        return NGX_OK;
    }

    h = ngx_acme_enhance_find(r, ACME_CSP, 0);

    if (h == NULL) {
        return ngx_acme_header(r, ACME_CSP, ACME_CSP_UPGRADE);
    }

    value = ngx_pnalloc(r->pool, h->value.len + sizeof("; " ACME_CSP_UPGRADE));
    if (value == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(value, h->value.data, h->value.len);

    if (h->value.len > 0) {
        p = ngx_cpymem(p, "; ", 2);
    }

    p = ngx_cpymem(p, ACME_CSP_UPGRADE, sizeof(ACME_CSP_UPGRADE) - 1);

    h->value.data = value;
    h->value.len = p - value;

    return NGX_OK;
}


static ngx_int_t
ngx_acme_enhance_init(ngx_conf_t *cf)
{
    ngx_acme_enhance_next = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_acme_enhance_filter;

    return NGX_OK;
}

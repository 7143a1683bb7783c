/*
 * What brings clients to https: plain requests are sent there, and clients
 * told to come there at once (RFC 6797) and to fetch what pages refer to so,
 * too; where there is a certificate to serve.
 */
#include "mod_acme_httpd.h"

#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <util_filter.h>

#define HSTS "Strict-Transport-Security"
#define FILTER "ACME_ENHANCE"

const char *
acme_httpd_set_enhance(cmd_parms *cmd, struct acme_enhance *enhance, int argc,
    char *const argv[])
{
    enum acme_enhance_item item = ACME_ENHANCE_UPGRADE;
    const char *name = cmd->cmd->name;
    struct acme_error err;

    if (strcasecmp(name, "ACMEHSTS") == 0)
        item = ACME_ENHANCE_HSTS;
    else if (strcasecmp(name, "ACMERequireHttps") == 0)
        item = ACME_ENHANCE_REDIRECT;
    acme_error_clear(&err);
    if (acme_enhance_set(enhance, item, (const char *const *)argv,
            (size_t)argc, &err) == ACME_OK)
        return NULL;
    return apr_psprintf(cmd->pool, "%s %s", name, err.what);
}

/* What is to be done about a request.  False: nothing, as there is no
 * certificate yet, or none that is valid; https is of no use then, and what
 * clients are told for good is not to be had back. */
static bool
look(const request_rec *r, const struct acme_httpd_server *server,
    struct acme_live_enhance *live)
{
    const struct acme_httpd_domain *domain = server->domain;

    if (domain == NULL)
        return false;
    if (domain->certs != NULL) {
        acme_live_enhance_own(&server->enhance, live);
        return true;
    }
    return domain->managed && server->conf->cache != NULL &&
           acme_live_enhance(server->conf->area, domain->lineage,
               &server->enhance, apr_time_sec(r->request_time), live);
}

/* ---- redirects -------------------------------------------------------- */

/* Path and query as the client wrote them: httpd has decoded its own. */
static const char *
target(request_rec *r)
{
    apr_uri_t uri;

    if (*r->unparsed_uri == '/')
        return r->unparsed_uri;
    if (apr_uri_parse(r->pool, r->unparsed_uri, &uri) != APR_SUCCESS ||
        uri.path == NULL || *uri.path != '/')
        return "/";
    return apr_pstrcat(r->pool, uri.path, uri.query != NULL ? "?" : "",
        uri.query != NULL ? uri.query : "", NULL);
}

static int
redirect(request_rec *r, const struct acme_httpd_server *server,
    enum acme_redirect how)
{
    const char *host = r->hostname;
    unsigned port = acme_redirect_port(server->conf->port_map.tls,
        r->parsed_uri.port_str != NULL ? r->parsed_uri.port : 0);

    if (ap_strchr_c(host, ':') != NULL)
        host = apr_pstrcat(r->pool, "[", host, "]", NULL);
    apr_table_setn(r->headers_out, "Location",
        apr_pstrcat(r->pool, "https://", host,
            port != 0 ? apr_psprintf(r->pool, ":%u", port) : "", target(r),
            NULL));
    return acme_redirect_status(how, r->method_number == M_GET);
}

/* Behind Redirect and RewriteRule of the server, which are the
 * administrator's own words for it, and before anybody is asked for a
 * password. */
static int
require(request_rec *r)
{
    const struct acme_httpd_server *server = acme_httpd_server_of(r->server);
    struct acme_live_enhance live;

    if (server->domain == NULL || r->hostname == NULL || *r->uri != '/' ||
        !ap_is_initial_req(r) || ap_ssl_conn_is_ssl(r->connection) ||
        strncmp(r->uri, ACME_WELL_KNOWN, strlen(ACME_WELL_KNOWN)) == 0 ||
        !look(r, server, &live) || live.redirect == ACME_REDIRECT_OFF)
        return DECLINED;
    return redirect(r, server, live.redirect);
}

/* ---- headers ---------------------------------------------------------- */

/* The first of that name; NULL: none. */
static apr_table_entry_t *
find_header(apr_table_t *headers, const char *name)
{
    const apr_array_header_t *all = apr_table_elts(headers);
    apr_table_entry_t *entry = (apr_table_entry_t *)(void *)all->elts;
    int i;

    for (i = 0; i < all->nelts; i++)
        if (entry[i].key != NULL && strcasecmp(entry[i].key, name) == 0)
            return &entry[i];
    return NULL;
}

static int
is_upgraded(void *ctx, const char *name, const char *policy)
{
    (void)ctx;
    (void)name;
    return !acme_csp_upgrades(policy, strlen(policy)); /* 0 ends it */
}

/* Into a policy that there is, as of two clients take the sum. */
static void
upgrade(request_rec *r)
{
    apr_table_entry_t *policy;

    if (!apr_table_do(is_upgraded, NULL, r->headers_out, ACME_CSP, NULL) ||
        !apr_table_do(is_upgraded, NULL, r->err_headers_out, ACME_CSP, NULL))
        return;
    policy = find_header(r->headers_out, ACME_CSP);
    if (policy == NULL)
        policy = find_header(r->err_headers_out, ACME_CSP);
    if (policy == NULL)
        apr_table_setn(r->err_headers_out, ACME_CSP, ACME_CSP_UPGRADE);
    else
        policy->val = apr_pstrcat(r->pool, policy->val,
            *policy->val != '\0' ? "; " : "", ACME_CSP_UPGRADE, NULL);
}

/* Runs behind mod_headers: what the administrator says there counts. */
static apr_status_t
add_headers(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    const struct acme_live_enhance *live = f->ctx;
    request_rec *r = f->r;
    ap_filter_t *next = f->next;

    if (live->hsts[0] != '\0' && apr_table_get(r->headers_out, HSTS) == NULL &&
        apr_table_get(r->err_headers_out, HSTS) == NULL)
        apr_table_setn(r->err_headers_out, HSTS, live->hsts);
    if (live->upgrade)
        upgrade(r);
    ap_remove_output_filter(f);
    return ap_pass_brigade(next, brigade);
}

static void
insert(request_rec *r)
{
    const struct acme_httpd_server *server = acme_httpd_server_of(r->server);
    struct acme_live_enhance live;

    if (server->domain == NULL || r->main != NULL ||
        !ap_ssl_conn_is_ssl(r->connection) || !look(r, server, &live) ||
        (live.hsts[0] == '\0' && !live.upgrade))
        return;
    (void)ap_add_output_filter(FILTER,
        apr_pmemdup(r->pool, &live, sizeof(live)), r, r->connection);
}

void
acme_httpd_enhance_hooks(void)
{
    ap_hook_header_parser(require, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_filter(insert, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_error_filter(insert, NULL, NULL, APR_HOOK_LAST);
    (void)ap_register_output_filter(FILTER, add_headers, NULL,
        (ap_filter_type)(AP_FTYPE_CONTENT_SET + 1));
}

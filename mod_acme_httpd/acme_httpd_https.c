/*
 * ACMERequireHttps: plain requests are sent to https, and clients told to
 * come there at once (RFC 6797), where there is a certificate to serve.
 */
#include "mod_acme_httpd.h"

#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <util_filter.h>

#define HEADER "Strict-Transport-Security"
#define HALF_A_YEAR "max-age=15768000"
#define FILTER "ACME_HSTS"
#define WELL_KNOWN "/.well-known/"

static const char *const words[] = { [ACME_HTTPD_HTTPS_OFF] = "off",
    [ACME_HTTPD_HTTPS_TEMPORARY] = "temporary",
    [ACME_HTTPD_HTTPS_PERMANENT] = "permanent" };

const char *
acme_httpd_set_require_https(cmd_parms *cmd, int *mode, const char *word)
{
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(word, words[i]) == 0) {
            *mode = (int)i;
            return NULL;
        }
    return apr_psprintf(cmd->pool,
        "%s \"%s\": it must be off, temporary or permanent", cmd->cmd->name,
        word);
}

/* Before a certificate is there https is of no use, and what clients are told
 * for good is not to be had back. */
static bool
has_certificate(const struct acme_httpd_server *server)
{
    const struct acme_httpd_domain *domain = server->domain;

    if (domain == NULL)
        return false;
    return domain->certs != NULL ||
           (domain->managed && server->conf->cache != NULL &&
               acme_area_version(server->conf->area, domain->lineage) != 0);
}

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
redirect(request_rec *r, int mode)
{
    const bool again = r->method_number == M_GET;
    const char *host = r->hostname;

    if (ap_strchr_c(host, ':') != NULL)
        host = apr_pstrcat(r->pool, "[", host, "]", NULL);
    apr_table_setn(r->headers_out, "Location",
        apr_pstrcat(r->pool, "https://", host, target(r), NULL));
    if (mode == ACME_HTTPD_HTTPS_TEMPORARY)
        return again ? HTTP_MOVED_TEMPORARILY : HTTP_TEMPORARY_REDIRECT;
    return again ? HTTP_MOVED_PERMANENTLY : HTTP_PERMANENT_REDIRECT;
}

/* Behind Redirect and RewriteRule of the server, which are the
 * administrator's own words for it, and before anybody is asked for a
 * password. */
static int
require(request_rec *r)
{
    const struct acme_httpd_server *server = acme_httpd_server_of(r->server);

    if (server->https <= ACME_HTTPD_HTTPS_OFF || r->hostname == NULL ||
        *r->uri != '/' || !ap_is_initial_req(r) ||
        ap_ssl_conn_is_ssl(r->connection) ||
        strncmp(r->uri, WELL_KNOWN, strlen(WELL_KNOWN)) == 0 ||
        !has_certificate(server))
        return DECLINED;
    return redirect(r, server->https);
}

/* ---- the header ------------------------------------------------------- */

/* Runs behind mod_headers: what the administrator says there counts. */
static apr_status_t
add_header(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    request_rec *r = f->r;
    ap_filter_t *next = f->next;

    if (apr_table_get(r->headers_out, HEADER) == NULL &&
        apr_table_get(r->err_headers_out, HEADER) == NULL)
        apr_table_setn(r->err_headers_out, HEADER, HALF_A_YEAR);
    ap_remove_output_filter(f);
    return ap_pass_brigade(next, brigade);
}

static void
insert(request_rec *r)
{
    const struct acme_httpd_server *server = acme_httpd_server_of(r->server);

    if (server->https == ACME_HTTPD_HTTPS_PERMANENT && r->main == NULL &&
        ap_ssl_conn_is_ssl(r->connection) && has_certificate(server))
        (void)ap_add_output_filter(FILTER, NULL, r, r->connection);
}

void
acme_httpd_https_hooks(void)
{
    ap_hook_header_parser(require, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_filter(insert, NULL, NULL, APR_HOOK_LAST);
    ap_hook_insert_error_filter(insert, NULL, NULL, APR_HOOK_LAST);
    (void)ap_register_output_filter(FILTER, add_header, NULL,
        (ap_filter_type)(AP_FTYPE_CONTENT_SET + 1));
}

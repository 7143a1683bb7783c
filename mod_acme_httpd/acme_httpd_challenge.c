/*
 * Answers before any other module has a say: to the CA's validation requests,
 * from the token in the path and what the key area holds, to whoever asks for
 * the certificate of a host, and to whoever accepted a placeholder, that there
 * is no certificate yet.
 */
#include "mod_acme_httpd.h"

#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>

#define RETRY_AFTER "30"

static int
answer(request_rec *r, const char *text)
{
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_unset(r->headers_in, "Range");
    ap_set_content_type(r, "text/plain");
    ap_set_content_length(r, (apr_off_t)strlen(text));
    if (!r->header_only)
        (void)ap_rputs(text, r);
    return OK;
}

/* mod_ssl was given a placeholder, and nothing better has arrived. */
static bool
on_placeholder(const struct acme_httpd_server *server, request_rec *r)
{
    return server->domain != NULL && server->domain->managed &&
           server->domain->certs == NULL && !server->explicit_files &&
           server->placeholder != ACME_HTTPD_PLACEHOLDER_SERVE &&
           (server->conf->cache == NULL ||
               acme_area_version(server->conf->area,
                   server->domain->lineage) == 0) &&
           ap_ssl_conn_is_ssl(r->connection);
}

int
acme_httpd_request(request_rec *r, int lookup)
{
    const struct acme_httpd_server *server = acme_httpd_server_of(r->server);
    const struct acme_httpd_conf *conf = server->conf;
    const char *host = r->hostname != NULL ? r->hostname : "";
    char text[ACME_KEY_AUTHORIZATION_MAX + 1];
    int told;

    if (lookup)
        return DECLINED;
    if (conf->config != NULL && r->method_number == M_GET &&
        acme_challenge_answer(conf->config,
            conf->cache != NULL ? conf->area : NULL, &server->answering, host,
            strlen(host), r->uri, strlen(r->uri), text))
        return answer(r, text);
    told = acme_httpd_certificate_status(r);
    if (told != DECLINED)
        return told;

    /* An ErrorDocument for the 503 is an internal redirect. */
    if (ap_is_initial_req(r) && on_placeholder(server, r)) {
        apr_table_setn(r->err_headers_out, "Retry-After", RETRY_AFTER);
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return DECLINED;
}

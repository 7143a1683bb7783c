/*
 * Answers for validations by tls-alpn-01 (RFC 8737), for names with a virtual
 * host and without.  The order in which OpenSSL asks for a certificate and
 * for a protocol depends on the version of TLS, and mod_ssl has taken the one
 * callback that comes before both: so the ClientHello is looked at as it
 * passes by, on connections made while something is pending.
 */
#include "mod_acme_httpd.h"

#include <apr_optional_hooks.h>
#include <http_connection.h>
#include <http_protocol.h>
#include <openssl/ssl.h>

/* A hook of mod_ssl whose header (mod_ssl_openssl.h) Debian does not ship:
 * once per connection. */
typedef int ssl_HOOK_pre_handshake_t(conn_rec *c, SSL *ssl, int is_proxy);

/* What is kept with a connection that may be a validation. */
struct visit {
    const struct acme_httpd_conf *conf;
    bool validates;
    char name[ACME_NAME_MAX + 1]; /* of the server, as the client has it */
};

static struct visit *
visit_of(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &acme_httpd_module);
}

static bool
validates(const conn_rec *c)
{
    const struct visit *visit = visit_of(c);

    return visit != NULL && visit->validates;
}

/* The first message that arrives is the ClientHello. */
static void
look(int is_written, int version, int type, const void *data, size_t len,
    SSL *ssl, void *arg)
{
    struct visit *visit = arg;

    (void)version;
    if (is_written || type != SSL3_RT_HANDSHAKE)
        return;
    visit->validates =
        acme_alpn_hello(data, len, visit->name) &&
        acme_live_alpn_is_pending(visit->conf->alpn, visit->name);
    SSL_set_msg_callback(ssl, NULL);
}

static int
pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    const struct acme_httpd_conf *conf =
        acme_httpd_server_of(c->base_server)->conf;
    struct visit *visit;

    if (is_proxy || conf->alpn == NULL ||
        !acme_area_alpn_is_pending(conf->area))
        return OK;
    visit = apr_pcalloc(c->pool, sizeof(*visit));
    visit->conf = conf;
    ap_set_module_config(c->conn_config, &acme_httpd_module, visit);
    SSL_set_msg_callback(ssl, look);
    SSL_set_msg_callback_arg(ssl, visit);
    return OK;
}

/* What mod_ssl answers to a client that offers nothing of `Protocols`. */
static const char *
protocol(const conn_rec *c)
{
    return validates(c) ? ACME_ALPN_PROTOCOL : NULL;
}

int
acme_httpd_alpn_certificate(SSL *ssl)
{
    const conn_rec *c = SSL_get_app_data(ssl); /* mod_ssl's */
    const struct visit *visit;

    if (c == NULL || !validates(c))
        return DECLINED;
    visit = visit_of(c);
    return acme_live_alpn_apply(visit->conf->alpn, visit->name, ssl) ==
                   ACME_LIVE_SET
               ? OK
               : HTTP_INTERNAL_SERVER_ERROR;
}

/* Behind the handshake, which is mod_ssl's work, and before any protocol. */
static int
end(conn_rec *c)
{
    if (!validates(c))
        return DECLINED;
    c->keepalive = AP_CONN_CLOSE;
    if (c->cs != NULL)
        c->cs->state = CONN_STATE_LINGER;
    return OK;
}

void
acme_httpd_alpn_hooks(void)
{
    static const char *const behind[] = { "mod_ssl.c", NULL };

    APR_OPTIONAL_HOOK(ssl, pre_handshake, pre_handshake, NULL, NULL,
        APR_HOOK_MIDDLE);
    ap_hook_protocol_get(protocol, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_process_connection(end, behind, NULL, APR_HOOK_FIRST);
}

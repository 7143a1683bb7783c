#include "drive/acme_standalone_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "state/acme_live_alpn.h"
#include "wrap/acme_alpn.h"
#include "wrap/acme_openssl.h"

struct acme_standalone_tls {
    SSL_CTX *ctx;
    struct acme_live_alpn *alpn;
};

/* ---- a handshake ------------------------------------------------------ */

/* RFC 8737 3: that protocol, no other, and a name. */
static int
judge_hello(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *data;
    size_t len;

    (void)arg;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_client_hello_get0_ext(ssl,
               TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
               &len) == 1 &&
                   acme_alpn_is_offered(data, len)
               ? SSL_CLIENT_HELLO_SUCCESS
               : SSL_CLIENT_HELLO_ERROR;
}

static int
select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    (void)arg;
    *out = (const unsigned char *)ACME_ALPN_PROTOCOL;
    *out_len = sizeof(ACME_ALPN_PROTOCOL) - 1;
    return SSL_TLSEXT_ERR_OK;
}

static int
show_certificate(SSL *ssl, void *arg)
{
    const struct acme_standalone_tls *tls = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    return name != NULL &&
           acme_live_alpn_apply(tls->alpn, name, ssl) == ACME_LIVE_SET;
}

/* ---- for all of them -------------------------------------------------- */

static enum acme_rc
put_key(struct acme_area *area, enum acme_key_type type,
    struct acme_error *err)
{
    struct acme_key *key = NULL;
    struct acme_buf der;
    enum acme_rc rc;

    acme_buf_init_secret(&der, ACME_ALPN_KEY_MAX);
    rc = acme_key_generate(type, &key, err);
    if (rc == ACME_OK)
        rc = acme_key_to_der(key, &der, err);
    if (rc == ACME_OK)
        rc = acme_area_put_alpn_key(area, acme_key_algorithm_number(type),
            der.data, der.len, err);
    acme_key_unref(key);
    acme_buf_clear(&der);
    return rc;
}

static bool
set_up(struct acme_standalone_tls *tls)
{
    tls->ctx = SSL_CTX_new(TLS_server_method());
    if (tls->ctx == NULL ||
        SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) != 1)
        return false;
    SSL_CTX_set_client_hello_cb(tls->ctx, judge_hello, tls);
    SSL_CTX_set_alpn_select_cb(tls->ctx, select_protocol, tls);
    SSL_CTX_set_cert_cb(tls->ctx, show_certificate, tls);
    (void)SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(tls->ctx, 0);
    return true;
}

enum acme_rc
acme_standalone_tls_new(struct acme_area *area,
    struct acme_standalone_tls **out, struct acme_error *err)
{
    struct acme_standalone_tls *tls = calloc(1, sizeof(*tls));
    enum acme_rc rc;

    if (tls == NULL)
        return acme_error_nomem(err);
    rc = put_key(area, ACME_KEY_ECDSA_256, err);
    if (rc == ACME_OK)
        rc = put_key(area, ACME_KEY_RSA_2048, err);
    if (rc == ACME_OK)
        rc = acme_live_alpn_new(area, &tls->alpn, err);
    if (rc == ACME_OK && !set_up(tls))
        rc = acme_error_set(err, ACME_CRYPTO, "cannot set up TLS");
    ERR_clear_error();
    if (rc == ACME_OK)
        *out = tls;
    else
        acme_standalone_tls_free(tls);
    return rc;
}

void
acme_standalone_tls_free(struct acme_standalone_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->ctx);
    acme_live_alpn_free(tls->alpn);
    free(tls);
}

/* ---- one -------------------------------------------------------------- */

struct ssl_st *
acme_standalone_tls_begin(struct acme_standalone_tls *tls, int fd)
{
    SSL *ssl = SSL_new(tls->ctx);

    if (ssl != NULL && SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        ssl = NULL;
    }
    ERR_clear_error();
    return ssl;
}

short
acme_standalone_tls_step(struct ssl_st *ssl)
{
    int n, why;

    ERR_clear_error();
    n = SSL_accept(ssl);
    why = SSL_get_error(ssl, n);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ)
        return POLLIN;
    if (why == SSL_ERROR_WANT_WRITE)
        return POLLOUT;
    if (n == 1)
        (void)SSL_shutdown(ssl);
    ERR_clear_error();
    return 0;
}

void
acme_standalone_tls_end(struct ssl_st *ssl)
{
    SSL_free(ssl);
    ERR_clear_error();
}

#include "wrap/acme_tls_look.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "wrap/acme_ocsp.h"

/* By number; with TLS 1.2 it also chooses the cipher suite. */
static const char *const signatures[] = {
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519",
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:"
    "RSA+SHA512"
};

static void
fail(struct acme_tls_look *look, const char *why)
{
    (void)snprintf(look->why, sizeof(look->why), "%s", why);
}

static int
connect_to(const struct acme_tls_look *look, unsigned ms)
{
    struct timeval wait = { ms / 1000, (ms % 1000) * 1000L };
    struct sockaddr_storage at;
    int fd, error;

    if (!acme_address_parse(look->address, look->port, &at)) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    /* the first one bounds connect(), too */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&at,
            at.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                     : sizeof(struct sockaddr_in)) == 0)
        return fd;
    error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    errno = error;
    return -1;
}

static SSL *
new_handshake(SSL_CTX *ctx, const struct acme_tls_look *look)
{
    SSL *ssl = NULL;
    struct sockaddr_storage ignored;

    if (ctx != NULL) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        ssl = SSL_new(ctx);
    }
    if (ssl != NULL &&
        SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1 &&
        SSL_set1_sigalgs_list(ssl, signatures[look->algorithm]) == 1 &&
        (acme_address_parse(look->name, 0, &ignored) ||
            SSL_set_tlsext_host_name(ssl, look->name) == 1))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static void
take_certificate(struct acme_tls_look *look, const SSL *ssl)
{
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0, i;

    if (leaf == NULL || X509_digest(leaf, EVP_sha256(), digest, &len) != 1 ||
        len != 32) {
        fail(look, "no certificate");
        return;
    }
    for (i = 0; i < len; i++)
        (void)snprintf(look->fingerprint + (size_t)2 * i, 3, "%02x",
            digest[i]);
    look->shown = true;
}

/* By what the server has shown itself: leaf and issuer. */
static enum acme_tls_staple
judge_staple(const unsigned char *staple, size_t len,
    const STACK_OF(X509) * shown)
{
    struct acme_ocsp_answer ignored;
    struct acme_chain *chain = NULL;
    struct acme_error why;
    struct acme_buf der;
    bool good = false;
    int i;

    acme_error_clear(&why);
    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    for (i = 0; i < sk_X509_num(shown); i++) {
        unsigned char *one = NULL;
        int n = i2d_X509(sk_X509_value(shown, i), &one);

        if (n > 0)
            acme_buf_add(&der, one, (size_t)n);
        OPENSSL_free(one);
    }
    if (acme_buf_ok(&der) &&
        acme_chain_from_der(der.data, der.len, &chain, &why) == ACME_OK)
        good = acme_ocsp_read_staple(staple, len, chain, time(NULL), &ignored,
                   &why) == ACME_OK;
    acme_chain_free(chain);
    acme_buf_clear(&der);
    return good ? ACME_TLS_STAPLE_GOOD : ACME_TLS_STAPLE_BAD;
}

static void
take_staple(struct acme_tls_look *look, SSL *ssl)
{
    const unsigned char *staple = NULL;
    long len = SSL_get_tlsext_status_ocsp_resp(ssl, &staple);

    if (staple != NULL && len > 0)
        look->staple =
            judge_staple(staple, (size_t)len, SSL_get_peer_cert_chain(ssl));
}

static void
explain(struct acme_tls_look *look, int error)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);

    if (code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL && reason != NULL)
        fail(look, reason);
    else if (error == EAGAIN || error == EWOULDBLOCK)
        fail(look, "no answer");
    else
        fail(look, error != 0 ? strerror(error) : "the connection was closed");
}

void
acme_tls_look(struct acme_tls_look *look, unsigned ms)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = new_handshake(ctx, look);
    int fd = connect_to(look, ms);

    look->shown = false;
    look->staple = ACME_TLS_STAPLE_NONE;
    look->fingerprint[0] = look->why[0] = '\0';
    if (fd == -1) {
        fail(look, strerror(errno));
    } else if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        fail(look, "out of memory");
    } else {
        ERR_clear_error();
        errno = 0;
        if (SSL_connect(ssl) == 1) {
            take_certificate(look, ssl);
            take_staple(look, ssl);
        } else {
            explain(look, errno);
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    if (fd != -1)
        close(fd);
    ERR_clear_error();
}

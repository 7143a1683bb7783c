#include "wrap/acme_alpn_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "base/acme_time.h"

#define SIDE_BY_SIDE 16
#define WAKE_MS 100 /* how often the host is asked whether to stop */

/* One of those that are under way. */
struct visit {
    struct acme_alpn_probe *probe;
    int fd;
    SSL *ssl;
    bool connected;
    short events; /* that are waited for; 0: it has ended */
};

/* ---- ends ------------------------------------------------------------- */

static void
end_visit(struct visit *visit, enum acme_alpn_end end, const char *why)
{
    struct acme_alpn_probe *probe = visit->probe;

    visit->events = 0;
    probe->end = end;
    (void)snprintf(probe->why, sizeof(probe->why), "%s", why);
}

/* Whoever says one of these speaks, and the CA will hear the same; NULL: it
 * has not been understood, or the connection has ended. */
static const char *
explain(unsigned long code)
{
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return NULL;
    switch (ERR_GET_REASON(code)) {
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "it refuses the protocol " ACME_ALPN_PROTOCOL;
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
        return "it does not know the name";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
        return "it does not speak TLS 1.2 or newer";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
        return "it does not speak TLS";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return NULL;
    default:
        return ERR_reason_error_string(code);
    }
}

/* `error`: errno of the last call. */
static void
fail_handshake(struct visit *visit, int error)
{
    const char *why = explain(ERR_peek_last_error());

    if (why != NULL) {
        visit->probe->proof = ACME_ALPN_NO_HANDSHAKE;
        end_visit(visit, ACME_ALPN_ANSWERED, why);
    } else {
        end_visit(visit, ACME_ALPN_REFUSED,
            error != 0 ? strerror(error)
                       : "the connection was closed in the handshake");
    }
}

static void
look_at(struct visit *visit)
{
    struct acme_alpn_probe *probe = visit->probe;
    X509 *cert = SSL_get0_peer_certificate(visit->ssl);
    const unsigned char *protocol;
    unsigned len;

    SSL_get0_alpn_selected(visit->ssl, &protocol, &len);
    if (len != sizeof(ACME_ALPN_PROTOCOL) - 1 ||
        memcmp(protocol, ACME_ALPN_PROTOCOL, len) != 0)
        probe->proof = ACME_ALPN_NO_PROTOCOL;
    else if (cert == NULL)
        probe->proof = ACME_ALPN_ORDINARY;
    else
        probe->proof = acme_alpn_judge(cert, probe->identifier, probe->answer);
    end_visit(visit, ACME_ALPN_ANSWERED, "");
}

/* ---- going on --------------------------------------------------------- */

static void
shake(struct visit *visit)
{
    int error, done;

    errno = 0;
    done = SSL_connect(visit->ssl);
    error = errno;
    if (done == 1)
        look_at(visit);
    else if (SSL_want_read(visit->ssl) &&
             BIO_should_retry(SSL_get_rbio(visit->ssl)))
        visit->events = POLLIN;
    else if (SSL_want_write(visit->ssl) &&
             BIO_should_retry(SSL_get_wbio(visit->ssl)))
        visit->events = POLLOUT;
    else
        fail_handshake(visit, error);
    ERR_clear_error();
}

static void
go_on(struct visit *visit)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (!visit->connected &&
        getsockopt(visit->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        error = errno;
    visit->connected = true;
    if (error != 0)
        end_visit(visit, ACME_ALPN_REFUSED, strerror(error));
    else
        shake(visit);
}

/* Waits for some of them, not long.  False: all have ended. */
static bool
wait_for_some(struct visit *visit, size_t n, long long ms)
{
    struct pollfd fds[SIDE_BY_SIDE];
    bool any = false;
    size_t i;

    for (i = 0; i < n; i++) {
        fds[i].fd = visit[i].events != 0 ? visit[i].fd : -1;
        fds[i].events = visit[i].events;
        fds[i].revents = 0;
        any = any || visit[i].events != 0;
    }
    if (!any || poll(fds, n, (int)(ms < WAKE_MS ? ms : WAKE_MS)) <= 0)
        return any;
    for (i = 0; i < n; i++)
        if (fds[i].revents != 0)
            go_on(&visit[i]);
    return true;
}

static bool
drive(struct visit *visit, size_t n, unsigned ms, const struct acme_host *host)
{
    const long long until = acme_time_ms() + ms;
    long long left = ms;
    size_t i;

    do {
        if (!host->wait(host->ctx, 0))
            return false;
        left = until - acme_time_ms();
    } while (left > 0 && wait_for_some(visit, n, left));
    for (i = 0; i < n; i++)
        if (visit[i].events != 0)
            end_visit(&visit[i], ACME_ALPN_SILENT, "");
    return true;
}

/* ---- beginning -------------------------------------------------------- */

static SSL *
new_handshake(SSL_CTX *ctx, const struct acme_alpn_probe *probe)
{
    static const unsigned char protocols[] = "\012" ACME_ALPN_PROTOCOL;
    char name[ACME_NAME_MAX + 1];
    SSL *ssl = SSL_new(ctx);

    if (!acme_name_to_arpa(probe->identifier, name))
        (void)snprintf(name, sizeof(name), "%s", probe->identifier);
    if (ssl != NULL && SSL_set_tlsext_host_name(ssl, name) == 1 &&
        SSL_set_alpn_protos(ssl, protocols, sizeof(protocols) - 1) == 0)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

/* -1: errno.  What is under way is no error. */
static int
connect_to(const struct acme_alpn_probe *probe)
{
    struct sockaddr_storage at;
    socklen_t len;
    int fd, error;

    if (!acme_address_parse(probe->address, probe->port, &at)) {
        errno = EINVAL;
        return -1;
    }
    len = at.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                   : sizeof(struct sockaddr_in);
    fd = socket(at.ss_family, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != -1 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) != -1 &&
        (connect(fd, (struct sockaddr *)&at, len) == 0 ||
            errno == EINPROGRESS))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void
begin(struct visit *visit, SSL_CTX *ctx, struct acme_alpn_probe *probe)
{
    memset(visit, 0, sizeof(*visit));
    visit->probe = probe;
    visit->fd = -1;
    if (ctx != NULL)
        visit->ssl = new_handshake(ctx, probe);
    if (visit->ssl == NULL) {
        end_visit(visit, ACME_ALPN_REFUSED, "out of memory");
        return;
    }
    visit->fd = connect_to(probe);
    if (visit->fd == -1)
        end_visit(visit, ACME_ALPN_REFUSED, strerror(errno));
    else if (SSL_set_fd(visit->ssl, visit->fd) != 1)
        end_visit(visit, ACME_ALPN_REFUSED, "out of memory");
    else
        visit->events = POLLOUT;
}

/* At most SIDE_BY_SIDE of them. */
static bool
probe_some(SSL_CTX *ctx, struct acme_alpn_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host)
{
    struct visit visit[SIDE_BY_SIDE];
    bool goes_on;
    size_t i;

    for (i = 0; i < n; i++)
        begin(&visit[i], ctx, &probe[i]);
    goes_on = drive(visit, n, ms, host);
    for (i = 0; i < n; i++) {
        SSL_free(visit[i].ssl);
        if (visit[i].fd != -1)
            close(visit[i].fd);
    }
    return goes_on;
}

/* Whom it talks to is seen by the certificate alone. */
static SSL_CTX *
new_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

bool
acme_alpn_probe(struct acme_alpn_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host)
{
    bool goes_on = true;
    SSL_CTX *ctx;
    size_t i, some;

    for (i = 0; i < n; i++) {
        probe[i].end = ACME_ALPN_NOT_TRIED;
        probe[i].proof = ACME_ALPN_NOT_JUDGED;
        probe[i].why[0] = '\0';
    }
    ctx = new_context();
    for (i = 0; i < n && goes_on; i += some) {
        some = n - i < SIDE_BY_SIDE ? n - i : SIDE_BY_SIDE;
        goes_on = probe_some(ctx, probe + i, some, ms, host);
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return goes_on;
}

#include "helper_tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "wrap/acme_x509.h"

#define REQUEST_MAX 65536

struct helper_tls_server {
    SSL_CTX *ctx;
    int listener;
    int stop[2]; /* a pipe: closing its end ends all waiting */
    unsigned port;
    pthread_t thread;
    helper_tls_answer *answer;
    void *answer_ctx;
    atomic_uint connections;
    atomic_uint requests;
    atomic_uint meetings; /* see meet() */
    char request[REQUEST_MAX];
};

/*
 * What one thread has written before it comes here, the other may read after
 * it has come here.  The bytes between them order the two in truth; this
 * tells the thread sanitizer.
 */
static void
meet(struct helper_tls_server *server)
{
    atomic_fetch_add(&server->meetings, 1);
}

static void
use_certificate(struct helper_tls_server *server, struct helper_ca *ca,
    const char *const *names, const struct helper_ca_options *options)
{
    struct acme_key *key = NULL;
    struct acme_chain *chain;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    chain = helper_ca_chain(ca, key, names, options);
    server->ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(server->ctx);
    assert_int_equal(
        SSL_CTX_use_certificate(server->ctx, acme_chain_x509(chain, 0)), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server->ctx, acme_key_evp(key)),
        1);
    for (i = 1; i < acme_chain_count(chain); i++)
        assert_int_equal(
            SSL_CTX_add1_chain_cert(server->ctx, acme_chain_x509(chain, i)),
            1);
    acme_chain_free(chain);
    acme_key_unref(key);
}

static void
open_listener(struct helper_tls_server *server)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(
        bind(server->listener, (struct sockaddr *)&address, sizeof(address)),
        0);
    assert_int_equal(listen(server->listener, 10), 0);
    assert_int_equal(
        getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
}

/* Until `fd` can be read.  False: stop, another connection, or time-out. */
static bool
wait_for(struct helper_tls_server *server, int fd, bool others, int ms)
{
    struct pollfd fds[] = {
        { .fd = fd, .events = POLLIN },
        { .fd = server->stop[0], .events = POLLIN },
        { .fd = others ? server->listener : -1, .events = POLLIN },
    };

    return poll(fds, 3, ms) > 0 && fds[1].revents == 0 &&
           fds[2].revents == 0 && fds[0].revents != 0;
}

static size_t
content_length(const char *head)
{
    const char *line = head;

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)atol(line + 15);
    }
    return 0;
}

/* Reads and answers one request; false: the connection is done. */
static bool
serve_one(struct helper_tls_server *server, SSL *tls)
{
    struct helper_tls_request request = { .server = server, .tls = tls };
    char *text = server->request;
    size_t len = 0;
    char *end = NULL;

    while (end == NULL || len < (size_t)(end - text) + request.body_len) {
        int n;

        if (len == REQUEST_MAX - 1)
            return false;
        if (SSL_pending(tls) == 0 &&
            !wait_for(server, SSL_get_fd(tls), true, -1))
            return false;
        n = SSL_read(tls, text + len, (int)(REQUEST_MAX - 1 - len));
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        if (end == NULL && (end = strstr(text, "\r\n\r\n")) != NULL) {
            end += 4;
            request.body_len = content_length(text);
        }
    }
    request.head = text;
    request.body = end;
    atomic_fetch_add(&server->requests, 1);
    meet(server);
    return server->answer(server->answer_ctx, &request);
}

static void
serve(struct helper_tls_server *server, int fd)
{
    SSL *tls = SSL_new(server->ctx);
    struct linger now = { 1, 0 };

    if (tls != NULL && SSL_set_fd(tls, fd) == 1 && SSL_accept(tls) == 1) {
        while (serve_one(server, tls))
            ;
    }
    SSL_free(tls);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

static void *
run(void *arg)
{
    struct helper_tls_server *server = arg;
    sigset_t pipe_signal;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    while (wait_for(server, server->listener, false, -1)) {
        int fd = accept(server->listener, NULL, NULL);

        if (fd < 0)
            break;
        atomic_fetch_add(&server->connections, 1);
        serve(server, fd);
    }
    return NULL;
}

struct helper_tls_server *
helper_tls_server_new(struct helper_ca *ca, const char *const *names,
    const struct helper_ca_options *options, helper_tls_answer *answer,
    void *ctx)
{
    struct helper_tls_server *server = calloc(1, sizeof(*server));

    assert_non_null(server);
    use_certificate(server, ca, names, options);
    open_listener(server);
    assert_int_equal(pipe(server->stop), 0);
    server->answer = answer;
    server->answer_ctx = ctx;
    assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

void
helper_tls_server_free(struct helper_tls_server *server)
{
    if (server == NULL)
        return;
    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->listener);
    SSL_CTX_free(server->ctx);
    free(server);
}

unsigned
helper_tls_server_port(const struct helper_tls_server *server)
{
    return server->port;
}

unsigned
helper_tls_server_connections(struct helper_tls_server *server)
{
    return atomic_load(&server->connections);
}

unsigned
helper_tls_server_requests(struct helper_tls_server *server)
{
    meet(server);
    return atomic_load(&server->requests);
}

bool
helper_tls_write(const struct helper_tls_request *request, const void *data,
    size_t len)
{
    struct pollfd stop = { .fd = request->server->stop[0], .events = POLLIN };

    meet(request->server);
    return poll(&stop, 1, 0) == 0 &&
           (len == 0 || SSL_write(request->tls, data, (int)len) > 0);
}

bool
helper_tls_print(const struct helper_tls_request *request, const char *fmt,
    ...)
{
    char text[4096];
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return len >= 0 && (size_t)len < sizeof(text) &&
           helper_tls_write(request, text, (size_t)len);
}

bool
helper_tls_sleep(const struct helper_tls_request *request, unsigned ms)
{
    struct pollfd fds[] = {
        { .fd = SSL_get_fd(request->tls), .events = POLLIN },
        { .fd = request->server->stop[0], .events = POLLIN },
    };

    return poll(fds, 2, (int)ms) == 0;
}

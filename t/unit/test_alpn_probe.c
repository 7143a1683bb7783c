/*
 * acme_alpn_probe.h against servers that answer as a CA wants it, otherwise,
 * with something else than TLS, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "fake_host.h"
#include "wrap/acme_alpn_probe.h"

#define MS 700
#define ANSWER "token.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"

/* What a server does. */
enum manner {
    PROVES,   /* as it should be */
    NO_ALPN,  /* takes no notice of the protocol */
    ALERTS,   /* that there is no such protocol */
    NO_NAME,  /* an alert that it has no such name */
    OLD,      /* TLS 1.1 */
    PLAIN,    /* HTTP */
    CLOSES,   /* at once */
    LEAVES,   /* after the first byte of an answer */
    TRICKLES, /* a byte now and then */
    SILENT    /* nothing */
};

/* One connection. */
struct server {
    enum manner manner;
    const char *shown;  /* identifier of the certificate */
    const char *answer; /* key authorization of the certificate */
    int fd;
    unsigned port;
    char name[ACME_NAME_MAX + 1]; /* that was asked for */
    char offered[64];             /* ALPN, as it came */
    pthread_t thread;
};

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
    struct server *server = arg;

    (void)ssl;
    assert_in_range(inlen, 1, sizeof(server->offered) - 1);
    memcpy(server->offered, in, inlen);
    if (server->manner == ALERTS)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    if (server->manner == NO_ALPN)
        return SSL_TLSEXT_ERR_NOACK;
    *out = in + 1;
    *outlen = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static int
on_name(SSL *ssl, int *ad, void *arg)
{
    struct server *server = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    if (name != NULL)
        (void)snprintf(server->name, sizeof(server->name), "%s", name);
    *ad = SSL_AD_UNRECOGNIZED_NAME;
    return server->manner == NO_NAME ? SSL_TLSEXT_ERR_ALERT_FATAL
                                     : SSL_TLSEXT_ERR_OK;
}

static void
shake_hands(struct server *server, int fd)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL *ssl;
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_error err;
    char byte;

    acme_error_clear(&err);
    assert_int_equal(acme_key_generate(ACME_KEY_ECDSA_256, &key, &err),
        ACME_OK);
    assert_int_equal(acme_alpn_certificate(key, server->shown, server->answer,
                         &chain, &err),
        ACME_OK);
    if (server->manner == OLD) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, TLS1_1_VERSION);
        SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
    }
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, server);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, server);
    ssl = SSL_new(ctx);
    assert_int_equal(SSL_use_cert_and_key(ssl, acme_chain_x509(chain, 0),
                         acme_key_evp(key), NULL, 1),
        1);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        (void)SSL_read(ssl, &byte, 1);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    acme_chain_free(chain);
    acme_key_unref(key);
    ERR_clear_error();
}

static void
say(int fd, const char *text)
{
    char ignored[4096];

    (void)recv(fd, ignored, sizeof(ignored), 0);
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void
trickle(int fd)
{
    static const char record[] = "\x16\x03\x03\x20\x20\x02";
    size_t i;

    for (i = 0; i < sizeof(record); i++) {
        (void)send(fd, record + i, 1, MSG_NOSIGNAL);
        usleep(MS * 1000 / 4);
    }
}

static void *
serve(void *data)
{
    struct server *server = data;
    int fd = accept(server->fd, NULL, NULL);

    if (fd < 0)
        return NULL;
    switch (server->manner) {
    case PLAIN:
        say(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
        break;
    case LEAVES:
        say(fd, "\x16");
        break;
    case TRICKLES:
        trickle(fd);
        break;
    case SILENT:
        usleep(2 * MS * 1000);
        break;
    case CLOSES:
        break;
    default:
        shake_hands(server, fd);
        break;
    }
    close(fd);
    return NULL;
}

static void
start(struct server *server, enum manner manner, const char *shown,
    const char *answer)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof(at);

    memset(server, 0, sizeof(*server));
    server->manner = manner;
    server->shown = shown;
    server->answer = answer;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(server->fd, 8), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&at, &len), 0);
    server->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void
stop(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->fd);
}

static struct acme_alpn_probe
probe_of(const struct server *server, const char *identifier)
{
    struct acme_alpn_probe probe = { .identifier = identifier,
        .answer = ANSWER };

    strcpy(probe.address, "127.0.0.1");
    probe.port = server->port;
    return probe;
}

static const struct {
    enum manner manner;
    const char *identifier, *shown, *answer;
    enum acme_alpn_end end;
    enum acme_alpn_proof proof; /* if it is answered */
    const char *why;
    const char *name; /* that is asked for; NULL: the identifier */
} rows[] = {
    { PROVES, "a.test", "a.test", ANSWER, ACME_ALPN_ANSWERED, ACME_ALPN_PROVEN,
        "", NULL },
    { PROVES, "192.0.2.7", "192.0.2.7", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_PROVEN, "", "7.2.0.192.in-addr.arpa" },
    { PROVES, "2001:db8::1", "2001:db8::1", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_PROVEN, "",
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
        "ip6.arpa" },
    { PROVES, "a.test", "b.test", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_OTHER_NAME, "", NULL },
    { PROVES, "a.test", "a.test", "other", ACME_ALPN_ANSWERED,
        ACME_ALPN_OTHER_ANSWER, "", NULL },
    { NO_ALPN, "a.test", "a.test", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_NO_PROTOCOL, "", NULL },
    { ALERTS, "a.test", "a.test", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_NO_HANDSHAKE, "it refuses the protocol acme-tls/1", NULL },
    { NO_NAME, "a.test", "a.test", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_NO_HANDSHAKE, "it does not know the name", NULL },
    { OLD, "a.test", "a.test", ANSWER, ACME_ALPN_ANSWERED,
        ACME_ALPN_NO_HANDSHAKE, "it does not speak TLS 1.2 or newer", "" },
    { PLAIN, "a.test", "", "", ACME_ALPN_ANSWERED, ACME_ALPN_NO_HANDSHAKE,
        "it does not speak TLS", "" },
    { LEAVES, "a.test", "", "", ACME_ALPN_REFUSED, ACME_ALPN_PROVEN,
        "the connection was closed in the handshake", "" },
    { CLOSES, "a.test", "", "", ACME_ALPN_REFUSED, ACME_ALPN_PROVEN, NULL,
        "" },
    { TRICKLES, "a.test", "", "", ACME_ALPN_SILENT, ACME_ALPN_PROVEN, "", "" },
    { SILENT, "a.test", "", "", ACME_ALPN_SILENT, ACME_ALPN_PROVEN, "", "" },
};

#define N (sizeof(rows) / sizeof(rows[0]))

/* All of them at once. */
static void
test_answers(void **state)
{
    struct acme_alpn_probe probe[N];
    struct server server[N];
    struct fake_host host;
    size_t i;

    (void)state;
    fake_host_init(&host);
    for (i = 0; i < N; i++) {
        start(&server[i], rows[i].manner, rows[i].shown, rows[i].answer);
        probe[i] = probe_of(&server[i], rows[i].identifier);
    }
    assert_true(acme_alpn_probe(probe, N, MS, &host.host));
    for (i = 0; i < N; i++) {
        const char *name =
            rows[i].name != NULL ? rows[i].name : rows[i].identifier;

        stop(&server[i]);
        if (probe[i].end != rows[i].end ||
            (probe[i].end == ACME_ALPN_ANSWERED &&
                probe[i].proof != rows[i].proof) ||
            (rows[i].why != NULL && strcmp(probe[i].why, rows[i].why) != 0))
            fail_msg("row %zu: %d, %d, %s", i, (int)probe[i].end,
                (int)probe[i].proof, probe[i].why);
        if (name[0] != '\0' && strcmp(server[i].name, name) != 0)
            fail_msg("row %zu: asked for \"%s\"", i, server[i].name);
    }
    assert_string_equal(server[0].offered, "\012acme-tls/1");
    assert_int_equal(ERR_peek_error(), 0);
    fake_host_clear(&host);
}

/* Nobody listens; a host that wants to stop. */
static void
test_no_answer(void **state)
{
    struct acme_alpn_probe probe[40];
    struct server server;
    struct fake_host host;
    size_t i;

    (void)state;
    fake_host_init(&host);
    start(&server, CLOSES, "", "");
    probe[0] = probe_of(&server, "a.test");
    assert_true(acme_alpn_probe(probe, 1, MS, &host.host));
    stop(&server); /* and its port is closed now */
    for (i = 0; i < 40; i++)
        probe[i] = probe_of(&server, "a.test");
    strcpy(probe[39].address, "nowhere");
    assert_true(acme_alpn_probe(probe, 40, MS, &host.host));
    for (i = 0; i < 40; i++) {
        assert_int_equal(probe[i].end, ACME_ALPN_REFUSED);
        assert_string_equal(probe[i].why,
            i < 39 ? "Connection refused" : "Invalid argument");
    }
    start(&server, SILENT, "", "");
    probe[0] = probe_of(&server, "a.test");
    host.stopping = true;
    assert_false(acme_alpn_probe(probe, 1, MS, &host.host));
    assert_int_equal(probe[0].end, ACME_ALPN_NOT_TRIED);
    host.stopping = false;
    assert_true(acme_alpn_probe(probe, 1, MS, &host.host));
    assert_int_equal(probe[0].end, ACME_ALPN_SILENT);
    stop(&server);
    fake_host_clear(&host);
}

static void *
stop_soon(void *data)
{
    struct fake_host *host = data;

    usleep(200 * 1000);
    host->stopping = true;
    return NULL;
}

/* Amidst a handshake. */
static void
test_stop(void **state)
{
    struct acme_alpn_probe probe;
    struct server server;
    struct fake_host host;
    pthread_t thread;
    long long began = acme_time_ms();

    (void)state;
    fake_host_init(&host);
    start(&server, SILENT, "", "");
    probe = probe_of(&server, "a.test");
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &host), 0);
    assert_false(acme_alpn_probe(&probe, 1, 10 * MS, &host.host));
    assert_in_range(acme_time_ms() - began, 150, 1000);
    assert_int_equal(probe.end, ACME_ALPN_NOT_TRIED);
    pthread_join(thread, NULL);
    stop(&server);
    fake_host_clear(&host);
}

static int
setup(void **state)
{
    (void)state;
    return signal(SIGPIPE, SIG_IGN) != SIG_ERR ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_stop),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}

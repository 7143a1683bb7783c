/*
 * acme_http_probe.h against sockets that answer as badly as anybody may, and
 * acme_address.h.
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
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_host.h"
#include "wrap/acme_http_curl.h"
#include "wrap/acme_http_probe.h"

#define MS 700

/* One connection, one request, one answer. */
struct server {
    int fd;
    unsigned port;
    const char *answer; /* NULL: nothing, and it stays open */
    char request[1024];
    pthread_t thread;
};

static void *
serve(void *data)
{
    struct server *server = data;
    int fd = accept(server->fd, NULL, NULL);
    ssize_t n = 0;

    if (fd < 0)
        return NULL;
    n = recv(fd, server->request, sizeof(server->request) - 1, 0);
    server->request[n > 0 ? n : 0] = '\0';
    if (server->answer != NULL)
        (void)send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
    else
        usleep(2 * MS * 1000);
    close(fd);
    return NULL;
}

static void
start(struct server *server, const char *answer)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof(at);

    memset(server, 0, sizeof(*server));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->answer = answer;
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

static struct acme_probe
probe_of(const struct server *server)
{
    struct acme_probe probe = { .name = "a.test", .path = "/x" };

    strcpy(probe.address, "127.0.0.1");
    probe.port = server->port;
    return probe;
}

static void
test_answers(void **state)
{
    static char longest[4096] = "HTTP/1.1 200 OK\r\n\r\n";
    static const struct {
        const char *answer;
        enum acme_probe_end end;
        int status;
        const char *body;
    } rows[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            ACME_PROBE_ANSWERED, 200, "hello" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            ACME_PROBE_ANSWERED, 200, "hello" },
        { "HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:1/\r\n"
          "Content-Length: 0\r\n\r\n",
            ACME_PROBE_ANSWERED, 302, "" },
        { "HTTP/1.1 404 N\r\nContent-Length: 2\r\n\r\nno", ACME_PROBE_ANSWERED,
            404, "no" },
        { longest, ACME_PROBE_ANSWERED, 200, NULL },
        { "\x16\x03\x01", ACME_PROBE_REFUSED, 0, NULL },
        { "", ACME_PROBE_REFUSED, 0, NULL },
        { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            ACME_PROBE_REFUSED, 200, NULL },
        { NULL, ACME_PROBE_SILENT, 0, NULL },
    };
    enum {
        N = sizeof(rows) / sizeof(rows[0])
    };
    struct acme_probe probe[N];
    struct server server[N];
    struct fake_host host;
    size_t i;

    (void)state;
    fake_host_init(&host);
    memset(longest + strlen(longest), 'x',
        sizeof(longest) - strlen(longest) - 1);
    for (i = 0; i < N; i++) {
        start(&server[i], rows[i].answer);
        probe[i] = probe_of(&server[i]);
    }
    assert_true(acme_http_probe(probe, N, MS, &host.host));
    for (i = 0; i < N; i++) {
        stop(&server[i]);
        if (probe[i].end != rows[i].end || probe[i].status != rows[i].status)
            fail_msg("row %zu: %d, %d, %s", i, (int)probe[i].end,
                probe[i].status, probe[i].why);
        if (rows[i].body != NULL)
            assert_memory_equal(probe[i].body, rows[i].body,
                strlen(rows[i].body));
        assert_non_null(strstr(server[i].request, "GET /x HTTP/1.1\r\n"));
        assert_non_null(strstr(server[i].request, "Host: a.test\r\n"));
    }
    assert_int_equal(probe[4].body_len, ACME_PROBE_BODY_MAX);
    fake_host_clear(&host);
}

/* Nobody listens; a host that wants to stop. */
static void
test_no_answer(void **state)
{
    struct acme_probe probe[40];
    struct server server;
    struct fake_host host;
    size_t i;

    (void)state;
    fake_host_init(&host);
    start(&server, "");
    probe[0] = probe_of(&server);
    assert_true(acme_http_probe(probe, 1, MS, &host.host));
    stop(&server); /* and its port is closed now */
    for (i = 0; i < 40; i++)
        probe[i] = probe_of(&server);
    assert_true(acme_http_probe(probe, 40, MS, &host.host));
    for (i = 0; i < 40; i++) {
        assert_int_equal(probe[i].end, ACME_PROBE_REFUSED);
        assert_string_equal(probe[i].why, "Connection refused");
    }
    start(&server, NULL);
    probe[0] = probe_of(&server);
    host.stopping = true;
    assert_false(acme_http_probe(probe, 1, MS, &host.host));
    assert_int_equal(probe[0].end, ACME_PROBE_NONE);
    host.stopping = false;
    assert_true(acme_http_probe(probe, 1, MS, &host.host));
    assert_int_equal(probe[0].end, ACME_PROBE_SILENT);
    stop(&server);
    fake_host_clear(&host);
}

static void
test_addresses(void **state)
{
    static const struct {
        const char *text;
        bool is_private;
        const char *reach;
    } rows[] = {
        { "192.0.2.1", false, "192.0.2.1" },
        { "127.0.0.1", true, "127.0.0.1" },
        { "0.0.0.0", true, "127.0.0.1" },
        { "10.1.2.3", true, "10.1.2.3" },
        { "169.254.169.254", true, "169.254.169.254" },
        { "2001:db8::1", false, "2001:db8::1" },
        { "::", true, "::1" },
        { "::1", true, "::1" },
        { "fe80::1", true, "fe80::1" },
        { "::ffff:10.0.0.1", true, "::ffff:10.0.0.1" },
    };
    struct sockaddr_storage at;
    char text[ACME_ADDRESS_TEXT];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(acme_address_parse(rows[i].text, 80, &at));
        assert_int_equal(acme_address_is_private((struct sockaddr *)&at),
            rows[i].is_private);
        assert_true(acme_address_reach((struct sockaddr *)&at, text));
        assert_string_equal(text, rows[i].reach);
    }
    assert_false(acme_address_parse("a.test", 80, &at));
    assert_false(acme_address_parse("[::1]", 80, &at));
    assert_false(acme_address_parse("", 80, &at));
    at.ss_family = AF_UNIX;
    assert_true(acme_address_is_private((struct sockaddr *)&at));
    assert_false(acme_address_reach((struct sockaddr *)&at, text));
}

static int
setup(void **state)
{
    struct acme_error err;

    (void)state;
    acme_error_clear(&err);
    return acme_http_curl_setup(&err) == ACME_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_addresses),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}

/*
 * acme_dns.h: which messages are taken for answers, and what is read out of
 * them.  The name server is a thread of ours with a script.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "wrap/acme_dns.h"
#include "wrap/acme_resolve.h"

#define NAME "_acme-challenge.a.test"

/* The name in a message: the question's at 12. */
#define SAME "\xc0\x0c"

/* One datagram in answer; the last row of a script has no records. */
struct reply {
    unsigned char flags[2]; /* of the header, QR included */
    unsigned answers, authorities;
    const char *records; /* behind the question */
    size_t len;
    int id_change, type_change; /* to what does not match */
    bool silent, cut;
};

struct server {
    int udp, tcp;
    unsigned asked, connections;
    const struct reply *script;
    size_t nreplies;
    const struct reply *by_tcp;
    pthread_t thread;
    struct sockaddr_in address;
};

#define REPLY_OF(high, low, nanswers, nauthorities, text, ...) \
    {                                                          \
        .flags = { high, low }, .answers = nanswers,           \
        .authorities = nauthorities, .records = text,          \
        .len = sizeof(text) - 1, __VA_ARGS__                   \
    }
#define REPLY(...) REPLY_OF(__VA_ARGS__, .silent = false)

static struct acme_dns_servers servers;
static struct acme_arena *arena;
static struct acme_error err;

static size_t
make_reply(const struct reply *reply, const unsigned char *question,
    size_t len, unsigned char *out)
{
    size_t end = 12;

    while (end < len && question[end] != 0)
        end += question[end] + 1u;
    end += 5;
    memcpy(out, question, end);
    out[1] = (unsigned char)(out[1] + reply->id_change);
    out[2] = reply->flags[0];
    out[3] = reply->flags[1];
    memset(out + 4, 0, 8);
    out[5] = 1;
    out[7] = (unsigned char)reply->answers;
    out[9] = (unsigned char)reply->authorities;
    out[end - 3] = (unsigned char)(out[end - 3] + reply->type_change);
    if (reply->len > 0)
        memcpy(out + end, reply->records, reply->len);
    return reply->cut ? end - 1 : end + reply->len;
}

static void
answer_tcp(struct server *server)
{
    unsigned char in[1024], out[4096];
    int fd = accept(server->tcp, NULL, NULL);
    ssize_t len = recv(fd, in, 2, MSG_WAITALL);
    size_t n;

    server->connections++;
    if (len == 2) {
        len = recv(fd, in, (size_t)(in[0] << 8 | in[1]), MSG_WAITALL);
        n = make_reply(server->by_tcp, in, (size_t)len, out + 2);
        out[0] = (unsigned char)(n >> 8);
        out[1] = (unsigned char)n;
        (void)!write(fd, out, n + 2);
    }
    close(fd);
}

static void *
serve(void *data)
{
    struct server *server = data;
    unsigned char in[1024], out[4096];
    struct sockaddr_in from;
    size_t i;

    for (i = 0; i < server->nreplies;) {
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(server->udp, in, sizeof(in), 0,
            (struct sockaddr *)&from, &from_len);
        bool more = true;

        if (len < 12)
            return NULL;
        server->asked++;
        /* A row with a wrong number is followed by the next at once. */
        while (more && i < server->nreplies) {
            const struct reply *reply = &server->script[i++];

            more = reply->id_change != 0 || reply->type_change != 0;
            if (reply->silent)
                continue;
            (void)sendto(server->udp, out,
                make_reply(reply, in, (size_t)len, out), 0,
                (struct sockaddr *)&from, from_len);
        }
        if (server->by_tcp != NULL)
            answer_tcp(server);
    }
    return NULL;
}

static int
listener(struct server *server, int type)
{
    socklen_t len = sizeof(server->address);
    int fd = socket(AF_INET, type, 0), yes = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    assert_int_equal(bind(fd, (struct sockaddr *)&server->address, len), 0);
    assert_int_equal(
        getsockname(fd, (struct sockaddr *)&server->address, &len), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* All that the thread reads is there before it begins. */
static void
start_both(struct server *server, const struct reply *script, size_t n,
    const struct reply *by_tcp)
{
    memset(server, 0, sizeof(*server));
    server->by_tcp = by_tcp;
    server->address.sin_family = AF_INET;
    server->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->tcp = listener(server, SOCK_STREAM);
    server->udp = listener(server, SOCK_DGRAM);
    server->script = script;
    server->nreplies = n;
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    memcpy(&servers.server[servers.n++], &server->address,
        sizeof(server->address));
}

static void
start(struct server *server, const struct reply *script, size_t n)
{
    start_both(server, script, n, NULL);
}

static void
stop(struct server *server)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    /* too short for a question: the thread ends */
    (void)sendto(fd, "", 1, 0, (struct sockaddr *)&server->address,
        sizeof(server->address));
    (void)pthread_join(server->thread, NULL);
    close(fd);
    close(server->udp);
    close(server->tcp);
}

static enum acme_rc
ask(enum acme_dns_type type, struct acme_dns_answer *answer)
{
    struct acme_dns dns = { .servers = &servers,
        .arena = arena,
        .recursive = true };

    acme_error_clear(&err);
    return acme_dns_ask(&dns, NAME, type, answer, &err);
}

/* One reply to one question. */
static enum acme_rc
ask_once(const struct reply *reply, enum acme_dns_type type,
    struct acme_dns_answer *answer)
{
    struct server server;
    enum acme_rc rc;

    servers.n = 0;
    start(&server, reply, 1);
    rc = ask(type, answer);
    stop(&server);
    return rc;
}

static int
setup(void **state)
{
    (void)state;
    servers.n = 0;
    arena = acme_arena_new();
    return arena == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    acme_arena_free(arena);
    return 0;
}

/* Answer records: name, type, class, time, length, data. */
#define RR(name, type, length, data) \
    name "\0" type "\0\x01"          \
         "\0\0\0\x3c"                \
         "\0" length data

static void
test_txt(void **state)
{
    static const char records[] = RR(SAME, "\x10", "\x08",
        "\x03"
        "one"
        "\x03"
        "two") RR(SAME, "\x10", "\x03",
        "\x02"
        "hi") RR("\x05"
                 "other"
                 "\0",
        "\x10", "\x03",
        "\x02"
        "no") RR(SAME, "\x01", "\x04", "\x7f\0\0\x01");
    const struct reply reply = REPLY(0x84, 0x20, 4, 0, records);
    struct acme_dns_answer answer;

    (void)state;
    assert_int_equal(ask_once(&reply, ACME_DNS_TXT, &answer), ACME_OK);
    assert_int_equal(answer.rcode, 0);
    assert_true(answer.authoritative);
    assert_true(answer.authentic);
    assert_string_equal(answer.name, NAME);
    assert_int_equal(answer.n, 2); /* other's name, other type: ignored */
    assert_string_equal(answer.rr[0].text, "onetwo");
    assert_string_equal(answer.rr[1].text, "hi");
    assert_int_equal(answer.rr[0].ttl, 60);
    assert_int_equal(ntohs(((struct sockaddr_in *)&answer.server)->sin_port),
        ntohs(((struct sockaddr_in *)&servers.server[0])->sin_port));
}

#define B_TEST \
    "\x01"     \
    "B\x04"    \
    "tEst\0"

static void
test_alias(void **state)
{
    static const char records[] =
        RR(SAME, "\x05", "\x08", B_TEST) RR(B_TEST, "\x10", "\x03",
            "\x02"
            "hi");
    const struct reply reply = REPLY(0x80, 0, 2, 0, records);
    struct acme_dns_answer answer;

    (void)state;
    assert_int_equal(ask_once(&reply, ACME_DNS_TXT, &answer), ACME_OK);
    assert_string_equal(answer.name, "b.test");
    assert_int_equal(answer.naliases, 1);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.rr[0].text, "hi");
    assert_int_equal(ask_once(&reply, ACME_DNS_CNAME, &answer), ACME_OK);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.rr[0].text, "b.test");
    assert_int_equal(answer.naliases, 0);
}

/* Two names that lead to each other. */
static void
test_alias_loop(void **state)
{
    static const char records[] =
        RR(SAME, "\x05", "\x08", B_TEST) RR(B_TEST, "\x05", "\x02", SAME);
    const struct reply reply = REPLY(0x80, 0, 2, 0, records);
    struct acme_dns_answer answer;

    (void)state;
    assert_int_equal(ask_once(&reply, ACME_DNS_TXT, &answer), ACME_OK);
    assert_int_equal(answer.naliases, ACME_DNS_ALIASES_MAX);
    assert_int_equal(answer.n, 0);
}

static void
test_caa(void **state)
{
    static const char caa[] = SAME "\x01\x01"
                                   "\0\x01"
                                   "\0\0\0\x3c"
                                   "\0\x0e"
                                   "\x80\x05"
                                   "Issue"
                                   "ca.test";
    const struct reply reply = REPLY(0x80, 0, 1, 0, caa);
    struct acme_dns_answer answer;

    (void)state;
    assert_int_equal(ask_once(&reply, ACME_DNS_CAA, &answer), ACME_OK);
    assert_int_equal(answer.n, 1);
    assert_int_equal(answer.rr[0].flags, 0x80);
    assert_string_equal(answer.rr[0].tag, "issue");
    assert_string_equal(answer.rr[0].text, "ca.test");
}

/* The root is its primary server and its mailbox. */
#define SOA(label)                 \
    "\x01" label "\x04"            \
    "test\0"                       \
    "\0\x06\0\x01\0\0\0\x3c\0\x16" \
    "\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x01"

static void
test_negative(void **state)
{
    static const char own[] = SOA("a"), foreign[] = SOA("b");
    struct reply reply = REPLY(0x84, 3, 0, 1, own);
    struct acme_dns_answer answer;

    (void)state;
    assert_int_equal(ask_once(&reply, ACME_DNS_TXT, &answer), ACME_OK);
    assert_int_equal(answer.rcode, 3);
    assert_string_equal(answer.zone, "a.test");
    reply.records = foreign;
    assert_int_equal(ask_once(&reply, ACME_DNS_TXT, &answer), ACME_OK);
    assert_null(answer.zone); /* it is not above the name */
}

/* What is no answer to us is waited past. */
static void
test_strangers(void **state)
{
    static const char records[] = RR(SAME, "\x10", "\x03",
        "\x02"
        "hi");
    static const char wrong[] = RR(SAME, "\x10", "\x03",
        "\x02"
        "no");
    const struct reply script[] = {
        REPLY(0x80, 0, 1, 0, wrong, .id_change = 1),
        REPLY(0x80, 0, 1, 0, wrong, .type_change = 1),
        REPLY(0x80, 0, 1, 0, records),
    };
    struct acme_dns_answer answer;
    struct server server;

    (void)state;
    start(&server, script, 3);
    assert_int_equal(ask(ACME_DNS_TXT, &answer), ACME_OK);
    stop(&server);
    assert_int_equal(server.asked, 1);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.rr[0].text, "hi");
}

/* Nothing that can be read, and nothing at all: the next try. */
static void
test_tries(void **state)
{
    const struct reply script[] = {
        REPLY(0x80, 0, 1, 0, "", .cut = true),
        REPLY(0x80, 0, 0, 0, ""),
    };
    struct acme_dns_answer answer;
    struct server server;

    (void)state;
    start(&server, script, 2);
    assert_int_equal(ask(ACME_DNS_TXT, &answer), ACME_OK);
    stop(&server);
    assert_int_equal(server.asked, 2);
}

static void
test_silence(void **state)
{
    struct reply script[5] = { { .silent = true } };
    size_t i;
    struct acme_dns_answer answer;
    struct server server;
    long long begin = acme_time_ms();

    (void)state;
    for (i = 0; i < 5; i++)
        script[i].silent = true;
    start(&server, script, 5);
    assert_int_equal(ask(ACME_DNS_TXT, &answer), ACME_NET);
    assert_true(acme_time_ms() - begin < 3 * ACME_DNS_TRY_MS + 1000);
    assert_non_null(strstr(err.what, "127.0.0.1:"));
    stop(&server);
    assert_int_equal(server.asked, 3);
}

/* Not waited for beyond a moment. */
static bool
says_stop(void *ctx, unsigned ms)
{
    (void)ctx;
    (void)ms;
    return false;
}

static void
test_stop(void **state)
{
    const struct reply script[] = { { .silent = true } };
    struct acme_host host = { .wait = says_stop };
    struct acme_dns dns = { .servers = &servers,
        .host = &host,
        .arena = arena,
        .recursive = true };
    struct acme_dns_answer answer;
    struct server server;
    long long begin = acme_time_ms();

    (void)state;
    start(&server, script, 1);
    acme_error_clear(&err);
    assert_int_equal(acme_dns_ask(&dns, NAME, ACME_DNS_A, &answer, &err),
        ACME_STOPPING);
    assert_true(acme_time_ms() - begin < 1000);
    stop(&server);
}

static void
test_second_server(void **state)
{
    static const char records[] = RR(SAME, "\x10", "\x03",
        "\x02"
        "hi");
    const struct reply refused = REPLY(0x80, 5, 0, 0, "");
    const struct reply good = REPLY(0x80, 0, 1, 0, records);
    struct acme_dns_answer answer;
    struct server first, second;

    (void)state;
    start(&first, &refused, 1);
    start(&second, &good, 1);
    assert_int_equal(ask(ACME_DNS_TXT, &answer), ACME_OK);
    stop(&first);
    stop(&second);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.n, 1);
}

static void
test_refused(void **state)
{
    const struct reply refused = REPLY(0x80, 5, 0, 0, "");
    struct acme_dns dns = { .servers = &servers,
        .arena = arena,
        .recursive = true };
    struct acme_dns_answer answer;
    struct server server;

    (void)state;
    assert_int_equal(ask_once(&refused, ACME_DNS_TXT, &answer), ACME_OK);
    assert_int_equal(answer.rcode, 5);
    servers.n = 0;
    start(&server, &refused, 1);
    assert_int_equal(acme_dns_look_up(&dns, NAME, ACME_DNS_TXT, &answer, &err),
        ACME_NET);
    assert_non_null(strstr(err.what, "REFUSED"));
    stop(&server);
}

static void
test_truncated(void **state)
{
    static const char records[] = RR(SAME, "\x10", "\x03",
        "\x02"
        "hi");
    const struct reply cut = REPLY(0x82, 0, 0, 0, "");
    const struct reply whole = REPLY(0x80, 0, 1, 0, records);
    struct acme_dns_answer answer;
    struct server server;

    (void)state;
    start_both(&server, &cut, 1, &whole);
    assert_int_equal(ask(ACME_DNS_TXT, &answer), ACME_OK);
    stop(&server);
    assert_int_equal(server.connections, 1);
    assert_int_equal(answer.n, 1);
    assert_string_equal(answer.rr[0].text, "hi");
}

static void
test_servers(void **state)
{
    static const struct {
        const char *text, *shown;
    } good[] = { { "192.0.2.1", "192.0.2.1:53" },
        { "192.0.2.1:5353", "192.0.2.1:5353" },
        { "2001:db8::1", "[2001:db8::1]:53" },
        { "[2001:db8::1]:99", "[2001:db8::1]:99" } };
    static const char *const bad[] = { "", "ns.test",
        "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:5x",
        "[192.0.2.1]:53", "[2001:db8::1", "[2001:db8::1]53", "192.0.2" };
    char text[ACME_DNS_SERVER_TEXT], host[ACME_NAME_MAX + 1];
    struct acme_dns_servers list;
    unsigned port;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        list.n = 0;
        acme_error_clear(&err);
        assert_int_equal(acme_dns_servers_add(&list, good[i].text, &err),
            ACME_OK);
        assert_string_equal(acme_dns_server_text(&list.server[0], text),
            good[i].shown);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        list.n = 0;
        acme_error_clear(&err);
        assert_int_equal(acme_dns_servers_add(&list, bad[i], &err),
            ACME_CONFIG);
        assert_int_equal(list.n, 0);
    }
    acme_error_clear(&err);
    assert_int_equal(acme_dns_host_parse("Ns1.test:99", host, &port, &err),
        ACME_OK);
    assert_string_equal(host, "ns1.test");
    assert_int_equal(port, 99);
}

static void
test_resolv_conf(void **state)
{
    struct acme_dns_servers list;
    char text[ACME_DNS_SERVER_TEXT];

    (void)state;
    acme_dns_servers_read(&list,
        "# nameserver 192.0.2.9\nsearch test\nnameserver\t192.0.2.1 \r\n"
        "nameservers 192.0.2.8\nnameserver name\nnameserver fe80::1%eth0\n"
        "nameserver 2001:db8::1\nnameserver 192.0.2.2\nnameserver 192.0.2.3");
    assert_int_equal(list.n, 3);
    assert_string_equal(acme_dns_server_text(&list.server[0], text),
        "192.0.2.1:53");
    assert_string_equal(acme_dns_server_text(&list.server[1], text),
        "[2001:db8::1]:53");
    assert_string_equal(acme_dns_server_text(&list.server[2], text),
        "192.0.2.2:53");
    acme_dns_servers_read(&list, "");
    assert_int_equal(list.n, 1);
    assert_string_equal(acme_dns_server_text(&list.server[0], text),
        "127.0.0.1:53");
}

/* ---- acme_resolve.h --------------------------------------------------- */

static const char two[] = RR(SAME, "\x01", "\x04", "\xc0\0\x02\x01")
    RR(SAME, "\x01", "\x04", "\xc0\0\x02\x02");
/* For a second only. */
static const char six[] = SAME "\0\x1c\0\x01"
                               "\0\0\0\x01"
                               "\0\x10"
                               "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";

/* What is found in answers to so many questions; "": nothing. */
static void
check_resolve(const struct reply *script, size_t n, bool no_ipv4, bool no_ipv6,
    const char *expected, unsigned ttl)
{
    struct acme_resolve resolve = { .timeout = 5,
        .no_ipv4 = no_ipv4,
        .no_ipv6 = no_ipv6 };
    struct acme_buf addresses;
    struct server server;
    unsigned lives = 0;

    servers.n = 0;
    start(&server, script, n);
    resolve.servers = servers;
    acme_buf_init(&addresses, 1000);
    acme_error_clear(&err);
    assert_int_equal(
        acme_resolve(&resolve, NAME, NULL, &addresses, &lives, &err),
        expected[0] != '\0' ? ACME_OK : ACME_NET);
    assert_string_equal(acme_buf_str(&addresses), expected);
    if (expected[0] != '\0')
        assert_int_equal(lives, ttl);
    else
        assert_non_null(strstr(err.what, NAME));
    acme_buf_clear(&addresses);
    stop(&server);
    assert_int_equal(server.asked, n);
}

static void
test_resolve(void **state)
{
    const struct reply both[] = { REPLY(0x80, 0, 2, 0, two),
        REPLY(0x80, 0, 1, 0, six) };
    const struct reply nothing[] = { REPLY(0x80, 0, 0, 0, ""),
        REPLY(0x80, 3, 0, 0, "") };
    const struct reply half[] = { REPLY(0x80, 0, 2, 0, two),
        REPLY(0x80, 5, 0, 0, "") };
    const struct reply refused[] = { REPLY(0x80, 5, 0, 0, "") };

    (void)state;
    check_resolve(both, 2, false, false, "192.0.2.1,192.0.2.2,[2001:db8::1]",
        5);
    check_resolve(both, 1, false, true, "192.0.2.1,192.0.2.2", 60);
    check_resolve(both + 1, 1, true, false, "[2001:db8::1]", 5);
    check_resolve(nothing, 2, false, false, "", 0);
    check_resolve(half, 2, false, false, "192.0.2.1,192.0.2.2", 60);
    check_resolve(refused, 1, false, false, "", 0);
}

static void
test_below(void **state)
{
    (void)state;
    assert_true(acme_dns_is_below("a.test", "a.test"));
    assert_true(acme_dns_is_below("b.a.test", "a.test"));
    assert_true(acme_dns_is_below("a.test", ""));
    assert_false(acme_dns_is_below("ba.test", "a.test"));
    assert_false(acme_dns_is_below("test", "a.test"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_txt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alias, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alias_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caa, setup, teardown),
        cmocka_unit_test_setup_teardown(test_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resolve, setup, teardown),
        cmocka_unit_test(test_servers),
        cmocka_unit_test(test_resolv_conf),
        cmocka_unit_test(test_below),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

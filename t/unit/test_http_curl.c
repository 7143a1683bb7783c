#define _GNU_SOURCE /* strcasestr() */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <openssl/err.h>

#include "helper_tls_server.h"
#include "wrap/acme_http_curl.h"

#define BODY_MAX 1000
#define KEY_LOG "/tmp/acme-test-key-log"
#define NOW ((time_t)1795262400) /* Sat, 21 Nov 2026 12:00:00 GMT */

static const char *const names[] = { "localhost", "127.0.0.1", NULL };

static struct helper_ca *ca;
static struct helper_tls_server *server;
static struct acme_http_curl *curl;
static struct acme_http_response response;
static struct acme_error err;
static char last_head[8192];
static char last_body[8192];

/* A host that wants to stop once `stop_ms` has passed; 0: never. */
static int64_t stop_ms;

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
host_log(void *ctx, enum acme_level level, const char *line)
{
    (void)ctx;
    (void)level;
    fail_msg("the transport logged: %s", line);
}

static time_t
host_now(void *ctx)
{
    (void)ctx;
    return NOW;
}

static bool
host_wait(void *ctx, unsigned ms)
{
    (void)ctx;
    assert_int_equal(ms, 0);
    return stop_ms == 0 || now_ms() < stop_ms;
}

static const struct acme_host host = { NULL, host_log, host_now, host_wait };

/* Answers: `ctx` is a text that is sent as it is, or a function does it. */

static void
keep_request(const struct helper_tls_request *request)
{
    snprintf(last_head, sizeof(last_head), "%s", request->head);
    snprintf(last_body, sizeof(last_body), "%.*s", (int)request->body_len,
        request->body);
}

static bool
answer_text(void *ctx, const struct helper_tls_request *request)
{
    keep_request(request);
    return helper_tls_write(request, ctx, strlen(ctx));
}

/* A text, and then the connection is gone. */
static bool
answer_and_close(void *ctx, const struct helper_tls_request *request)
{
    answer_text(ctx, request);
    return false;
}

static char ok_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void
start(helper_tls_answer *answer, const char *text)
{
    server = helper_tls_server_new(ca, names, NULL, answer,
        (void *)(uintptr_t)text);
}

static char *
url_on(const char *name, const char *path)
{
    static char urls[4][300];
    static unsigned n;
    char *url = urls[n++ % 4];

    snprintf(url, 300, "https://%s:%u%s", name, helper_tls_server_port(server),
        path);
    return url;
}

static void
connect_to(const char *directory)
{
    struct acme_http_curl_conf conf = { .directory_url = directory,
        .ca_pem = helper_ca_root_pem(ca),
        .verify = true,
        .user_agent = "acme-test/1" };

    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
}

static enum acme_rc
perform(const struct acme_http_request *request)
{
    struct acme_transport transport = acme_http_curl_transport(curl);
    enum acme_rc rc;

    acme_error_clear(&err);
    if (server != NULL)
        helper_tls_server_requests(server);
    rc = transport.perform(transport.ctx, request, &response, &err);
    if (server != NULL)
        helper_tls_server_requests(server);
    return rc;
}

static enum acme_rc
request(const char *method, const char *url)
{
    struct acme_http_request r = { .method = method,
        .url = url,
        .max_body = BODY_MAX };

    return perform(&r);
}

static void
assert_rc(enum acme_rc rc, enum acme_rc expected, const char *reason)
{
    if (rc != expected)
        fail_msg("%s instead of %s: %s", acme_rc_name(rc),
            acme_rc_name(expected), err.what);
    if (strstr(err.what, reason) == NULL)
        fail_msg("%s", err.what);
}

/* GET of what the server was started with. */
static void
get(enum acme_rc expected, const char *reason)
{
    if (curl == NULL)
        connect_to(url_on("127.0.0.1", "/dir"));
    assert_rc(request("GET", url_on("127.0.0.1", "/dir")), expected, reason);
}

static int
before_all(void **state)
{
    (void)state;
    unlink(KEY_LOG);
    setenv("SSLKEYLOGFILE", KEY_LOG, 1);
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    ca = helper_ca_new();
    return acme_http_curl_setup(&err);
}

static int
after_all(void **state)
{
    (void)state;
    helper_ca_free(ca);
    curl_global_cleanup();
    return 0;
}

static int
before_each(void **state)
{
    (void)state;
    server = NULL;
    curl = NULL;
    stop_ms = 0;
    acme_error_clear(&err);
    acme_http_response_init(&response);
    ERR_clear_error();
    return 0;
}

static int
after_each(void **state)
{
    (void)state;
    assert_int_equal(ERR_peek_error(), 0);
    acme_http_response_clear(&response);
    acme_http_curl_free(curl);
    helper_tls_server_free(server);
    return 0;
}

static void
get_brings_headers_and_body(void **state)
{
    (void)state;
    start(answer_text, "HTTP/1.1 200 OK\r\n"
                       "Content-Type: application/json; charset=utf-8\r\n"
                       "Replay-Nonce: abc-_\r\n"
                       "Location: /acct/1\r\n"
                       "Link: </dir>;rel=\"index\"\r\n"
                       "Date: Sat, 21 Nov 2026 11:59:00 GMT\r\n"
                       "Content-Length: 2\r\n\r\n{}");
    get(ACME_OK, "");
    assert_int_equal(response.status, 200);
    assert_string_equal(response.content_type, "application/json");
    assert_string_equal(response.nonce, "abc-_");
    assert_string_equal(response.location, "/acct/1");
    assert_int_equal(response.nlinks, 1);
    assert_string_equal(response.link[0].rel, "index");
    assert_string_equal(response.link[0].url, "/dir");
    assert_true(response.date == NOW - 60);
    assert_true(response.retry_after == -1);
    assert_string_equal(acme_buf_str(&response.body), "{}");
    assert_int_equal(strncmp(last_head, "GET /dir HTTP/1.1\r\n", 19), 0);
    assert_non_null(strstr(last_head, "User-Agent: acme-test/1\r\n"));
    assert_null(strcasestr(last_head, "accept-encoding"));
}

static void
post_is_sent_as_given(void **state)
{
    struct acme_http_request r = { .method = "POST",
        .content_type = "application/jose+json",
        .accept = "application/pem-certificate-chain",
        .body = "{\"a\":1}",
        .body_len = 7,
        .max_body = BODY_MAX };

    (void)state;
    start(answer_text, ok_text);
    r.url = url_on("127.0.0.1", "/a/../b?c=%20d");
    connect_to(r.url);
    assert_rc(perform(&r), ACME_OK, "");
    /* RFC 8555 6.4: the URL that was signed, to the letter */
    assert_int_equal(strncmp(last_head, "POST /a/../b?c=%20d HTTP/1.1\r\n",
                         strlen("POST /a/../b?c=%20d HTTP/1.1\r\n")),
        0);
    assert_non_null(
        strstr(last_head, "Content-Type: application/jose+json\r\n"));
    assert_non_null(
        strstr(last_head, "Accept: application/pem-certificate-chain\r\n"));
    assert_null(strcasestr(last_head, "\r\nexpect:"));
    assert_string_equal(last_body, "{\"a\":1}");
    r.body = NULL;
    r.body_len = 0;
    r.content_type = NULL;
    r.accept = NULL;
    assert_rc(perform(&r), ACME_OK, "");
    assert_null(strcasestr(last_head, "\r\ncontent-type:"));
    assert_non_null(strstr(last_head, "Content-Length: 0\r\n"));
}

/* The answer to HEAD has the length of a body that does not come. */
static bool
answer_by_method(void *ctx, const struct helper_tls_request *r)
{
    (void)ctx;
    return helper_tls_print(r,
        "HTTP/1.1 200 OK\r\nReplay-Nonce: %s\r\nContent-Length: 5\r\n\r\n%s",
        r->head[0] == 'H' ? "head" : "get", r->head[0] == 'H' ? "" : "12345");
}

static void
a_connection_is_reused_after_any_method(void **state)
{
    (void)state;
    start(answer_by_method, NULL);
    get(ACME_OK, "");
    assert_string_equal(acme_buf_str(&response.body), "12345");
    assert_rc(request("HEAD", url_on("127.0.0.1", "/nonce")), ACME_OK, "");
    assert_string_equal(response.nonce, "head");
    assert_int_equal(response.body.len, 0);
    get(ACME_OK, "");
    assert_string_equal(response.nonce, "get");
    assert_string_equal(acme_buf_str(&response.body), "12345");
    assert_rc(request("POST", url_on("127.0.0.1", "/x")), ACME_OK, "");
    assert_rc(request("HEAD", url_on("127.0.0.1", "/nonce")), ACME_OK, "");
    assert_int_equal(helper_tls_server_requests(server), 5);
    assert_int_equal(helper_tls_server_connections(server), 1);
}

static void
errors_have_bodies_too(void **state)
{
    (void)state;
    start(answer_text, "HTTP/1.1 429 Slow down\r\n"
                       "Content-Type: application/problem+json\r\n"
                       "Content-Length: 2\r\n\r\n{}");
    get(ACME_OK, "");
    assert_int_equal(response.status, 429);
    assert_string_equal(response.content_type, "application/problem+json");
    assert_string_equal(acme_buf_str(&response.body), "{}");
}

static void
a_wrong_name_is_refused(void **state)
{
    static const char *const others[] = { "other.example", NULL };

    (void)state;
    server = helper_tls_server_new(ca, others, NULL, answer_text, ok_text);
    get(ACME_NET, "no answer from \"127.0.0.1\": ");
    assert_int_equal(helper_tls_server_requests(server), 0);
}

static void
an_unknown_issuer_is_refused(void **state)
{
    struct helper_ca *stranger = helper_ca_new();

    (void)state;
    server =
        helper_tls_server_new(stranger, names, NULL, answer_text, ok_text);
    get(ACME_NET, "certificate");
    assert_int_equal(helper_tls_server_requests(server), 0);
    helper_ca_free(stranger);
}

static void
an_expired_certificate_is_refused(void **state)
{
    struct helper_ca_options options = { .not_after = -1 };

    (void)state;
    server = helper_tls_server_new(ca, names, &options, answer_text, ok_text);
    get(ACME_NET, "certificate has expired");
    assert_int_equal(helper_tls_server_requests(server), 0);
}

static void
the_systems_cas_are_not_asked_by_default(void **state)
{
    struct acme_http_curl_conf conf = { .verify = true };

    (void)state;
    start(answer_text, ok_text);
    conf.directory_url = url_on("127.0.0.1", "/");
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
    get(ACME_NET, "certificate"); /* ours is none of the system's */
}

static void
verification_can_be_off(void **state)
{
    static const char *const others[] = { "other.example", NULL };
    struct helper_ca *stranger = helper_ca_new();
    struct acme_http_curl_conf conf = { .verify = false };

    (void)state;
    server =
        helper_tls_server_new(stranger, others, NULL, answer_text, ok_text);
    conf.directory_url = url_on("127.0.0.1", "/");
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
    get(ACME_OK, "");
    assert_non_null(strstr(last_head, "User-Agent: acme/"));
    helper_ca_free(stranger);
}

static void
a_ca_file_is_read(void **state)
{
    char path[] = "/tmp/acme-test-ca-XXXXXX";
    struct acme_http_curl_conf conf = { .verify = true, .ca_file = path };
    const char *pem = helper_ca_root_pem(ca);
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
    close(fd);
    start(answer_text, ok_text);
    conf.directory_url = url_on("127.0.0.1", "/");
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
    get(ACME_OK, "");
    acme_http_curl_free(curl);
    unlink(path);
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
    get(ACME_CONFIG, path);
    acme_http_curl_free(curl);
    conf.ca_pem = "no certificate";
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
    get(ACME_CONFIG, "");
}

/* `ctx`: the size of the body */
static bool
answer_chunked(void *ctx, const struct helper_tls_request *r)
{
    size_t left = *(size_t *)ctx;

    if (!helper_tls_print(r,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        return false;
    while (left > 0) {
        size_t n = left < 100 ? left : 100;

        if (!helper_tls_print(r, "%zx\r\n%*s\r\n", n, (int)n, "x"))
            return false;
        left -= n;
    }
    return helper_tls_print(r, "0\r\n\r\n");
}

static void
bodies_are_bounded(void **state)
{
    size_t size = BODY_MAX;

    (void)state;
    server = helper_tls_server_new(ca, names, NULL, answer_chunked, &size);
    get(ACME_OK, "");
    assert_int_equal(response.body.len, BODY_MAX);
    size = BODY_MAX + 1;
    get(ACME_WIRE, "answer of \"127.0.0.1\" has more than 1000 bytes");
    size = SIZE_MAX; /* ends when the client goes */
    get(ACME_WIRE, "more than 1000 bytes");
    size = 10; /* and is good again afterwards */
    get(ACME_OK, "");
    assert_int_equal(response.body.len, 10);
}

static void
an_announced_length_is_bounded(void **state)
{
    static char body[2 * BODY_MAX];

    (void)state;
    memset(body, 'x', sizeof(body) - 1);
    memcpy(body, "HTTP/1.1 200 OK\r\nContent-Length: 1500\r\n\r\n", 41);
    start(answer_text, body);
    get(ACME_WIRE, "more than 1000 bytes");
}

/* Writes bits the way deflate (RFC 1951 3.1.1) has them. */
struct bits {
    unsigned char *out;
    size_t n;
};

static void
put_bits(struct bits *bits, unsigned value, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++, bits->n++)
        bits->out[bits->n / 8] |=
            (unsigned char)((value >> i & 1) << bits->n % 8);
}

/* Huffman codes go in with their first bit first. */
static void
put_code(struct bits *bits, unsigned code, unsigned count)
{
    while (count-- > 0)
        put_bits(bits, code >> count & 1, 1);
}

/* 50 MB of NULs as 312 kB of gzip: "repeat the last byte 258 times", each
 * 13 bits in fixed Huffman codes (RFC 1951 3.2.6). */
static size_t
make_bomb(unsigned char *out)
{
    static const unsigned char header[10] = { 0x1f, 0x8b, 8, [9] = 255 };
    struct bits bits = { out, 8 * sizeof(header) };
    unsigned i;

    memcpy(out, header, sizeof(header));
    put_bits(&bits, 1, 1);    /* last block */
    put_bits(&bits, 1, 2);    /* fixed codes */
    put_code(&bits, 0x30, 8); /* a NUL */
    for (i = 0; i < 192000; i++) {
        put_code(&bits, 0xc5, 8); /* length 258 */
        put_code(&bits, 0, 5);    /* distance 1 */
    }
    put_code(&bits, 0, 7);     /* end of the block */
    return bits.n / 8 + 1 + 8; /* check sum and size are never reached */
}

/* Security E11: libcurl decodes this without having been asked to. */
static bool
answer_bomb(void *ctx, const struct helper_tls_request *r)
{
    unsigned char *bomb = calloc(1, 400000);
    size_t len = make_bomb(bomb);
    bool ok;

    (void)ctx;
    ok = helper_tls_print(r,
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
             "%zx\r\n",
             len) &&
         helper_tls_write(r, bomb, len) &&
         helper_tls_print(r, "\r\n0\r\n\r\n");
    free(bomb);
    return ok;
}

static void
decoded_bytes_are_bounded(void **state)
{
    (void)state;
    server = helper_tls_server_new(ca, names, NULL, answer_bomb, NULL);
    get(ACME_WIRE, "more than 1000 bytes");
    assert_true(response.body.cap < 100000);
}

static void
content_encoding_is_left_alone(void **state)
{
    (void)state;
    start(answer_text, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                       "Content-Length: 5\r\n\r\nplain");
    get(ACME_OK, "");
    assert_string_equal(acme_buf_str(&response.body), "plain");
}

/* `ctx`: what is repeated, behind a status line if it has none */
static bool
answer_endless(void *ctx, const struct helper_tls_request *r)
{
    if (strncmp(ctx, "HTTP/", 5) != 0 &&
        !helper_tls_print(r, "HTTP/1.1 200 OK\r\n"))
        return false;
    while (helper_tls_write(r, ctx, strlen(ctx)))
        ;
    return false;
}

static void
headers_are_bounded(void **state)
{
    int64_t start_ms = now_ms();

    (void)state;
    start(answer_endless, "X-Header: 0123456789\r\n");
    get(ACME_WIRE, "headers of more than 65536 bytes");
    assert_true(now_ms() - start_ms < 5000);
}

static void
informational_answers_are_bounded(void **state)
{
    (void)state;
    start(answer_endless, "HTTP/1.1 100 Continue\r\n\r\n");
    get(ACME_WIRE, "headers of more than 65536 bytes");
}

static void
a_header_line_is_bounded(void **state)
{
    (void)state;
    start(answer_endless, "X-Header-Without-End");
    get(ACME_WIRE, "header line too long");
}

static void
trailers_are_ignored(void **state)
{
    (void)state;
    start(answer_text, "HTTP/1.1 103 Early Hints\r\n"
                       "Replay-Nonce: early\r\nRetry-After: 5\r\n\r\n"
                       "HTTP/1.1 200 OK\r\nLocation: /good\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n"
                       "2\r\nok\r\n0\r\n"
                       "Location: /evil\r\nReplay-Nonce: late\r\n\r\n");
    get(ACME_OK, "");
    assert_int_equal(response.status, 200);
    assert_string_equal(response.location, "/good");
    assert_string_equal(response.nonce, "");
    assert_true(response.retry_after == -1);
    assert_string_equal(acme_buf_str(&response.body), "ok");
}

static void
a_dropped_connection_is_no_answer(void **state)
{
    static const char *const texts[] = { "", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab" };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        start(answer_and_close, texts[i]);
        connect_to(url_on("127.0.0.1", "/dir"));
        get(ACME_NET, "no answer from \"127.0.0.1\": ");
        helper_tls_server_free(server);
        acme_http_curl_free(curl);
    }
    server = NULL;
    curl = NULL;
}

static void
nobody_there_is_no_answer(void **state)
{
    (void)state;
    start(answer_text, ok_text);
    connect_to("https://127.0.0.1:1/dir");
    assert_rc(request("GET", "https://127.0.0.1:1/dir"), ACME_NET,
        "no answer from \"127.0.0.1\": ");
}

static void
nonsense_is_a_wire_error(void **state)
{
    (void)state;
    start(answer_text, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    get(ACME_WIRE, "");
}

static void
redirects_are_not_followed(void **state)
{
    (void)state;
    start(answer_text, "HTTP/1.1 302 Found\r\nLocation: /other\r\n"
                       "Content-Length: 0\r\n\r\n");
    get(ACME_OK, "");
    assert_int_equal(response.status, 302);
    assert_string_equal(response.location, "/other");
    assert_int_equal(helper_tls_server_requests(server), 1);
}

/* `ctx`: the headers */
static bool
answer_headers(void *ctx, const struct helper_tls_request *r)
{
    return helper_tls_print(r,
        "HTTP/1.1 503 Busy\r\n%sContent-Length: 0\r\n\r\n",
        *(const char *const *)ctx);
}

static void
retry_after_has_two_forms(void **state)
{
    static const struct {
        const char *headers;
        long seconds;
    } forms[] = {
        { "", -1 },
        { "Retry-After: 120\r\n", 120 },
        { "retry-after:\t 7 \r\n", 7 },
        { "Retry-After: 0\r\n", 0 },
        { "Retry-After: 604800\r\n", 604800 },
        { "Retry-After: 604801\r\n", 604800 },
        { "Retry-After: 99999999999999999999999\r\n", 604800 },
        { "Retry-After: -5\r\n", -1 },
        { "Retry-After: \r\n", -1 },
        { "Retry-After: soon\r\n", -1 },
        { "Retry-After: 1.5\r\n", -1 },
        /* on our clock */
        { "Retry-After: Sat, 21 Nov 2026 12:05:00 GMT\r\n", 300 },
        { "Retry-After: Sat, 21 Nov 2026 11:00:00 GMT\r\n", 0 },
        { "Retry-After: Sat, 21 Nov 2099 11:00:00 GMT\r\n", 604800 },
        /* on theirs, which is an hour behind */
        { "Retry-After: Sat, 21 Nov 2026 11:05:00 GMT\r\n"
          "Date: Sat, 21 Nov 2026 11:00:00 GMT\r\n",
            300 },
        { "Retry-After: Sat, 21 Nov 2026 11:05:00 GMT\r\n"
          "Date: whenever\r\n",
            0 },
    };
    const char *headers = NULL;
    size_t i;

    (void)state;
    server = helper_tls_server_new(ca, names, NULL, answer_headers, &headers);
    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        headers = forms[i].headers;
        get(ACME_OK, "");
        if (response.retry_after != forms[i].seconds)
            fail_msg("%ld from %s", response.retry_after, headers);
        assert_int_equal(response.status, 503);
    }
}

/* `ctx`: how long it takes to answer (ms) */
static bool
answer_late(void *ctx, const struct helper_tls_request *r)
{
    return helper_tls_sleep(r, *(unsigned *)ctx) &&
           helper_tls_write(r, ok_text, strlen(ok_text));
}

static void
a_stop_ends_a_get_at_once(void **state)
{
    unsigned late = 20000;
    int64_t start_ms;

    (void)state;
    server = helper_tls_server_new(ca, names, NULL, answer_late, &late);
    connect_to(url_on("127.0.0.1", "/"));
    start_ms = now_ms();
    stop_ms = start_ms + 200;
    get(ACME_STOPPING, "stopping");
    assert_in_range(now_ms() - start_ms, 200, 600);
    assert_int_equal(helper_tls_server_requests(server), 1);
    get(ACME_STOPPING, "stopping"); /* and nothing more is begun */
    poll(NULL, 0, 50);
    assert_int_equal(helper_tls_server_connections(server), 1);
}

static void
a_stop_gives_a_post_some_time(void **state)
{
    unsigned late = 600;
    int64_t start_ms;

    (void)state;
    server = helper_tls_server_new(ca, names, NULL, answer_late, &late);
    connect_to(url_on("127.0.0.1", "/"));
    stop_ms = now_ms() + 200;
    assert_rc(request("POST", url_on("127.0.0.1", "/")), ACME_OK, "");
    late = 20000;
    start_ms = now_ms();
    stop_ms = start_ms + 200;
    assert_rc(request("POST", url_on("127.0.0.1", "/")), ACME_STOPPING, "");
    assert_in_range(now_ms() - start_ms, 850, 1300);
}

/* TCP connects to a listener that nobody accepts on; TLS gets no answer. */
static void
a_stop_ends_a_handshake_at_once(void **state)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int64_t start_ms = now_ms();
    char url[64];

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len),
        0);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/",
        ntohs(address.sin_port));
    connect_to(url);
    stop_ms = start_ms + 200;
    assert_rc(request("POST", url), ACME_STOPPING, ""); /* it is not sent */
    assert_in_range(now_ms() - start_ms, 200, 600);
    close(listener);
}

/* Only where it is asked for, and then nothing else; an address is private
 * whatever the scheme. */
static void
plain_http(void **state)
{
    struct acme_http_request r = { .method = "GET",
        .plain = true,
        .max_body = BODY_MAX };

    (void)state;
    start(answer_text, ok_text);
    connect_to("https://192.0.2.1/directory");
    assert_rc(request("GET", "http://127.0.0.1/1.crl"), ACME_WIRE,
        "is not an absolute https URL");
    r.url = "https://127.0.0.1/1.crl";
    assert_rc(perform(&r), ACME_WIRE, "is not an absolute http URL");
    r.url = "http://u@127.0.0.1/1.crl";
    assert_rc(perform(&r), ACME_WIRE, "has user information");
    r.url = "http://127.0.0.1/1.crl";
    assert_rc(perform(&r), ACME_NET, "is at a private address");
    r.url = "http://[::ffff:10.0.0.1]:8080/1.crl";
    assert_rc(perform(&r), ACME_NET, "is at a private address");
    r.url = "http://localhost/1.crl";
    assert_rc(perform(&r), ACME_NET, "is at a private address");
    /* nor before it is known where the directory is, on its host neither */
    connect_to("https://localhost/directory");
    assert_rc(perform(&r), ACME_NET, "is at a private address");
    r.url = "http://127.0.0.1/1.crl";
    assert_rc(perform(&r), ACME_NET, "is at a private address");
}

static const char *const private_urls[] = { "https://10.0.0.1/",
    "https://172.31.255.255/", "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data", "https://100.64.0.1/",
    "https://127.0.0.1/", "https://127.1.2.3/", "https://0.0.0.0/",
    "https://255.255.255.255/", "https://224.0.0.1/", "https://[::1]/",
    "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::127.0.0.1]/",
    "https://[64:ff9b::10.0.0.1]/", "https://[2002:7f00:1::1]/",
    "https://[fd00::1]/", "https://[fc00::1]/", "https://[fe80::1]/",
    "https://[fec0::1]/", "https://[ff02::1]/", "https://2130706433/",
    "https://0x7f.1/", "https://localhost/" };

#define COUNT_PRIVATE (sizeof(private_urls) / sizeof(private_urls[0]))

static void
private_addresses_are_refused(void **state)
{
    size_t i;

    (void)state;
    start(answer_text, ok_text);
    connect_to("https://192.0.2.1/directory");
    for (i = 0; i < COUNT_PRIVATE; i++)
        assert_rc(request("GET", private_urls[i]), ACME_NET,
            "at a private address and the directory is not");
    assert_rc(request("GET", url_on("127.0.0.1", "/")), ACME_NET,
        "\"127.0.0.1\" is at a private address");
    assert_int_equal(helper_tls_server_connections(server), 0);
}

/* Nor is a proxy made to connect there; itself it may be anywhere. */
static void
private_addresses_are_refused_to_proxies(void **state)
{
    struct acme_http_curl_conf conf = { .directory_url =
                                            "https://ca.test/directory",
        .verify = true,
        .proxy = "http://127.0.0.1:1" };
    size_t i;

    (void)state;
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err), ACME_OK);
    for (i = 0; i < COUNT_PRIVATE; i++)
        assert_rc(request("GET", private_urls[i]), ACME_NET,
            "at a private address and the directory is not");
    assert_rc(request("GET", "https://a.localhost/"), ACME_NET, "private");
    assert_rc(request("GET", "https://192.0.2.1/"), ACME_NET,
        "\"192.0.2.1\" through http://127.0.0.1:1: ");
    assert_rc(request("GET", "https://ca.test/directory"), ACME_NET,
        "\"ca.test\" through http://127.0.0.1:1: ");
}

/* Documentation addresses (RFC 5737, RFC 3849), given up at once. */
static void
public_addresses_are_tried(void **state)
{
    static const char *const urls[] = { "https://192.0.2.1/",
        "https://198.51.100.1/", "https://203.0.113.1/",
        "https://[2001:db8::1]/", "https://[64:ff9b::192.0.2.1]/" };
    size_t i;

    (void)state;
    connect_to("https://192.0.2.1/directory");
    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        enum acme_rc rc;

        stop_ms = now_ms() + 50;
        rc = request("GET", urls[i]);
        assert_true(rc == ACME_STOPPING || rc == ACME_NET);
        assert_null(strstr(err.what, "private"));
    }
}

/* A name is not known to be private before its directory has answered. */
static void
a_private_directory_opens_its_neighbours(void **state)
{
    struct helper_tls_server *neighbour;
    const char *url;

    (void)state;
    start(answer_text, ok_text);
    neighbour = server;
    url = url_on("127.0.0.1", "/order");
    start(answer_text, ok_text);
    connect_to(url_on("localhost", "/dir"));
    assert_rc(request("GET", url), ACME_NET, "private");
    assert_rc(request("GET", url_on("localhost", "/dir")), ACME_OK, "");
    assert_rc(request("GET", url), ACME_OK, "");
    assert_int_equal(helper_tls_server_connections(neighbour), 1);
    helper_tls_server_free(neighbour);
}

/* The directory's name at another port is not the directory. */
static void
only_the_directory_itself_is_trusted_to_be_private(void **state)
{
    (void)state;
    start(answer_text, ok_text);
    connect_to("https://localhost:1/dir");
    assert_rc(request("GET", "https://localhost:1/dir"), ACME_NET,
        "no answer from \"localhost\"");
    assert_rc(request("GET", url_on("localhost", "/")), ACME_NET, "private");
    assert_int_equal(helper_tls_server_connections(server), 0);
}

static void
other_urls_are_refused(void **state)
{
    char plain[64];
    struct acme_http_curl_conf conf = { .directory_url = "http://a.example/",
        .verify = true };

    (void)state;
    start(answer_text, ok_text);
    connect_to(url_on("127.0.0.1", "/"));
    snprintf(plain, sizeof(plain), "http://127.0.0.1:%u/",
        helper_tls_server_port(server));
    assert_rc(request("GET", plain), ACME_WIRE, "absolute https");
    assert_rc(request("GET", url_on("u:p@127.0.0.1", "/")), ACME_WIRE,
        "user information");
    assert_rc(request("GET", "file:///etc/passwd"), ACME_WIRE, "https");
    assert_int_equal(helper_tls_server_connections(server), 0);
    acme_error_clear(&err);
    acme_http_curl_free(curl);
    curl = NULL;
    assert_int_equal(acme_http_curl_new(&conf, &host, &curl, &err),
        ACME_CONFIG);
    assert_null(curl);
}

/* before_all() set the variable before libcurl was initialised. */
static void
session_keys_are_not_logged(void **state)
{
    (void)state;
    start(answer_text, ok_text);
    get(ACME_OK, "");
    assert_null(getenv("SSLKEYLOGFILE"));
    assert_int_equal(access(KEY_LOG, F_OK), -1);
}

#define test(f) cmocka_unit_test_setup_teardown(f, before_each, after_each)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        test(get_brings_headers_and_body),
        test(post_is_sent_as_given),
        test(a_connection_is_reused_after_any_method),
        test(errors_have_bodies_too),
        test(a_wrong_name_is_refused),
        test(an_unknown_issuer_is_refused),
        test(an_expired_certificate_is_refused),
        test(the_systems_cas_are_not_asked_by_default),
        test(verification_can_be_off),
        test(a_ca_file_is_read),
        test(bodies_are_bounded),
        test(an_announced_length_is_bounded),
        test(decoded_bytes_are_bounded),
        test(content_encoding_is_left_alone),
        test(headers_are_bounded),
        test(informational_answers_are_bounded),
        test(a_header_line_is_bounded),
        test(trailers_are_ignored),
        test(a_dropped_connection_is_no_answer),
        test(nobody_there_is_no_answer),
        test(nonsense_is_a_wire_error),
        test(redirects_are_not_followed),
        test(retry_after_has_two_forms),
        test(a_stop_ends_a_get_at_once),
        test(a_stop_gives_a_post_some_time),
        test(a_stop_ends_a_handshake_at_once),
        test(plain_http),
        test(private_addresses_are_refused),
        test(private_addresses_are_refused_to_proxies),
        test(public_addresses_are_tried),
        test(a_private_directory_opens_its_neighbours),
        test(only_the_directory_itself_is_trusted_to_be_private),
        test(other_urls_are_refused),
        test(session_keys_are_not_logged),
    };

    return cmocka_run_group_tests(tests, before_all, after_all);
}

#include "wrap/acme_http_curl.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "base/acme_version.h"
#include "wrap/acme_address.h"
#include "wrap/acme_curl_private.h"
#include "wrap/acme_url.h"

#define POST_GRACE_MS 700 /* for the answer to a POST already sent */

struct acme_http_curl {
    CURLM *multi; /* the connection cache */
    CURL *easy;
    const struct acme_host *host;
    char *ca_file;
    char *ca_pem;
    char *user_agent;
    char *proxy;
    char *proxy_pem;
    bool verify;
    struct acme_url directory;
    struct acme_resolve resolve;
    struct acme_buf found; /* "+host:port:ADDRESS,..." of the last one found */
    size_t found_for;      /* how much of it is the host and its port */
    long long found_until_ms;
    /* Where the directory answered from.  A name may not move from a public
     * address to a private one afterwards. */
    enum {
        UNKNOWN,
        PUBLIC,
        PRIVATE
    } place;
};

/* One exchange: what the callbacks need. */
struct exchange {
    struct acme_http_curl *curl;
    const struct acme_http_request *request;
    struct acme_http_response *response;
    struct acme_error *err;
    struct acme_url url;
    struct curl_slist *headers;
    struct curl_slist *addresses;
    size_t sent; /* of the request's body */
    size_t header_bytes;
    bool headers_done;    /* what follows are trailers: ignored */
    bool refused_private; /* an address was not connected to */
    char retry_after[64]; /* as sent */
    int64_t heard_ms;     /* of the last byte of the answer; 0: none */
    char text[CURL_ERROR_SIZE];
};

enum acme_rc
acme_http_curl_setup(struct acme_error *err)
{
    CURLcode code;

    /* libcurl would write the secrets of every session into that file, and
     * reads the variable when it is initialised. */
    unsetenv("SSLKEYLOGFILE");
    ERR_set_mark();
    code = curl_global_init(CURL_GLOBAL_DEFAULT);
    ERR_pop_to_mark();
    if (code == CURLE_OUT_OF_MEMORY)
        return acme_error_nomem(err);
    if (code != CURLE_OK)
        return acme_error_set(err, ACME_CONFIG, "libcurl %s cannot start: %s",
            LIBCURL_VERSION, curl_easy_strerror(code));
    return ACME_OK;
}

/* Where an address in text form is; UNKNOWN for a name. */
static int
place_of(const char *text)
{
    struct sockaddr_storage address;

    if (!acme_address_parse(text, 0, &address))
        return UNKNOWN;
    return acme_address_is_private((struct sockaddr *)&address) ? PRIVATE
                                                                : PUBLIC;
}

static bool
is_directory(const struct exchange *x)
{
    return strcmp(x->url.origin, x->curl->directory.origin) == 0;
}

static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange *x = ctx;
    bool allowed = x->curl->place == PRIVATE || x->curl->proxy != NULL ||
                   (x->curl->place == UNKNOWN && is_directory(x));
    int fd;

    (void)purpose;
    if (!allowed && acme_address_is_private(&address->addr)) {
        x->refused_private = true;
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype, address->protocol);
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

/* A new answer: the final one behind a 1xx, say. */
static void
reset_response(struct exchange *x)
{
    acme_http_response_clear(x->response);
    acme_buf_init(&x->response->body, x->request->max_body);
    x->retry_after[0] = '\0';
    x->headers_done = false;
}

static void
take_header(struct exchange *x, const char *line, size_t len)
{
    static const char retry_after[] = "retry-after";
    static const char date[] = "date";
    const char *colon = memchr(line, ':', len);
    const char *value;
    char text[64];
    size_t name_len;

    if (colon == NULL)
        return;
    name_len = (size_t)(colon - line);
    value = colon + 1;
    len -= name_len + 1;
    acme_http_response_header(x->response, line, name_len, value, len);
    while (len > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        len--;
    }
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        len--;
    if (len >= sizeof(text))
        return;
    memcpy(text, value, len);
    text[len] = '\0';
    if (name_len == strlen(retry_after) &&
        curl_strnequal(line, retry_after, name_len))
        memcpy(x->retry_after, text, len + 1);
    if (name_len == strlen(date) && curl_strnequal(line, date, name_len))
        x->response->date = curl_getdate(text, NULL);
    if (x->response->date < 0)
        x->response->date = 0;
}

/* Returns something other than the bytes given to end the transfer. */
static size_t
on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    size_t all = size * count;
    size_t len = all;

    x->heard_ms = acme_time_ms();
    x->header_bytes += all;
    if (x->header_bytes > ACME_HTTP_HEADERS_MAX) {
        acme_error_set(x->err, ACME_WIRE,
            "answer of \"%s\" has headers of more than %d bytes", x->url.host,
            ACME_HTTP_HEADERS_MAX);
        return all - 1;
    }
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        len--;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
        reset_response(x);
    else if (len == 0)
        x->headers_done = true;
    else if (!x->headers_done)
        take_header(x, line, len);
    return all;
}

/*
 * The body of a POST.  There is no way to rewind it: when a kept connection
 * breaks before the answer begins, libcurl would send it a second time, and
 * the CA may have acted upon the first.
 */
static size_t
on_send(char *to, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    const char *body = x->request->body;
    size_t room = size * count;
    size_t len = x->request->body_len - x->sent;

    if (len > room)
        len = room;
    if (len > 0)
        memcpy(to, body + x->sent, len);
    x->sent += len;
    return len;
}

static size_t
on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    struct acme_buf *body = &x->response->body;
    size_t len = size * count;

    x->heard_ms = acme_time_ms();
    if (len > body->max - body->len) {
        acme_error_set(x->err, ACME_WIRE,
            "answer of \"%s\" has more than %zu bytes", x->url.host,
            body->max);
        return len - 1;
    }
    acme_buf_add(body, data, len);
    if (acme_buf_ok(body))
        return len;
    acme_error_nomem(x->err);
    return len - 1;
}

static CURLcode
set_bounds(CURL *easy, bool plain, unsigned timeout_ms)
{
    CURLcode code = CURLE_OK;

    ACME_CURL_SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* An abort while a silent name server is asked takes 10 s without. */
    ACME_CURL_SET(CURLOPT_QUICK_EXIT, 1L);
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    ACME_CURL_SET(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
#else
    ACME_CURL_SET(CURLOPT_PROTOCOLS, plain ? CURLPROTO_HTTP : CURLPROTO_HTTPS);
#endif
    ACME_CURL_SET(CURLOPT_FOLLOWLOCATION, 0L);
    ACME_CURL_SET(CURLOPT_TIMEOUT_MS,
        timeout_ms != 0 ? (long)timeout_ms : (long)ACME_HTTP_TIMEOUT_MS);
    ACME_CURL_SET(CURLOPT_CONNECTTIMEOUT_MS,
        (long)ACME_HTTP_CONNECT_TIMEOUT_MS);
    /* RFC 8555 6.4: "url" is what was requested, to the letter. */
    ACME_CURL_SET(CURLOPT_PATH_AS_IS, 1L);
    return code;
}

static CURLcode
set_tls(CURL *easy, const struct acme_http_curl *curl)
{
    CURLcode code = CURLE_OK;

    ACME_CURL_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* A resumed session is not verified again, and libcurl 7.88 frees twice
     * when memory is short for one. */
    ACME_CURL_SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    ACME_CURL_SET(CURLOPT_SSL_VERIFYPEER, curl->verify ? 1L : 0L);
    ACME_CURL_SET(CURLOPT_SSL_VERIFYHOST, curl->verify ? 2L : 0L);
    if (curl->ca_pem == NULL && curl->ca_file == NULL)
        return code;
    /* instead of the system's: libcurl's built-in directory has to go too */
    ACME_CURL_SET(CURLOPT_CAPATH, NULL);
    ACME_CURL_SET(CURLOPT_CAINFO, curl->ca_pem ? NULL : curl->ca_file);
    if (curl->ca_pem != NULL) {
#if LIBCURL_VERSION_NUM >= 0x074d00
        struct curl_blob blob = { curl->ca_pem, strlen(curl->ca_pem),
            CURL_BLOB_NOCOPY };

        ACME_CURL_SET(CURLOPT_CAINFO_BLOB, &blob);
#else
        code = CURLE_UNKNOWN_OPTION;
#endif
    }
    return code;
}

/* None from the environment; nor is what goes through it said there. */
static CURLcode
set_proxy(CURL *easy, const struct acme_http_curl *curl)
{
    CURLcode code = CURLE_OK;

    ACME_CURL_SET(CURLOPT_PROXY, curl->proxy != NULL ? curl->proxy : "");
    if (curl->proxy == NULL)
        return code;
    ACME_CURL_SET(CURLOPT_NOPROXY, "");
    ACME_CURL_SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    ACME_CURL_SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (curl->proxy_pem == NULL)
        return code;
    ACME_CURL_SET(CURLOPT_PROXY_CAPATH, NULL);
    ACME_CURL_SET(CURLOPT_PROXY_CAINFO, NULL);
#if LIBCURL_VERSION_NUM >= 0x074d00
    struct curl_blob blob = { curl->proxy_pem, strlen(curl->proxy_pem),
        CURL_BLOB_NOCOPY };

    ACME_CURL_SET(CURLOPT_PROXY_CAINFO_BLOB, &blob);
#else
    code = CURLE_UNKNOWN_OPTION;
#endif
    return code;
}

static CURLcode
set_callbacks(CURL *easy, struct exchange *x)
{
    CURLcode code = CURLE_OK;

    ACME_CURL_SET(CURLOPT_ERRORBUFFER, x->text);
    ACME_CURL_SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    ACME_CURL_SET(CURLOPT_OPENSOCKETDATA, x);
    ACME_CURL_SET(CURLOPT_HEADERFUNCTION, on_header);
    ACME_CURL_SET(CURLOPT_HEADERDATA, x);
    ACME_CURL_SET(CURLOPT_WRITEFUNCTION, on_body);
    ACME_CURL_SET(CURLOPT_WRITEDATA, x);
    return code;
}

static bool
add_header(struct exchange *x, const char *name, const char *value)
{
    char line[256];
    struct curl_slist *list = NULL;

    if ((size_t)snprintf(line, sizeof(line), "%s:%s%s", name,
            value[0] ? " " : "", value) < sizeof(line))
        list = curl_slist_append(x->headers, line);
    if (list != NULL)
        x->headers = list;
    return list != NULL;
}

static CURLcode
set_request(CURL *easy, struct exchange *x)
{
    const struct acme_http_request *request = x->request;
    const char *type = request->content_type ? request->content_type : "";
    CURLcode code = CURLE_OK;
    bool ok = true;

    if (request->accept != NULL)
        ok = add_header(x, "Accept", request->accept);
    if (strcmp(request->method, "POST") == 0) {
        /* no "Expect: 100-continue", no default content type */
        ok = ok && add_header(x, "Expect", "") &&
             add_header(x, "Content-Type", type);
        ACME_CURL_SET(CURLOPT_POST, 1L);
        ACME_CURL_SET(CURLOPT_POSTFIELDSIZE_LARGE,
            (curl_off_t)request->body_len);
        ACME_CURL_SET(CURLOPT_READFUNCTION, on_send);
        ACME_CURL_SET(CURLOPT_READDATA, x);
    } else if (strcmp(request->method, "HEAD") == 0) {
        ACME_CURL_SET(CURLOPT_NOBODY, 1L);
    }
    if (!ok)
        return CURLE_OUT_OF_MEMORY;
    ACME_CURL_SET(CURLOPT_HTTPHEADER, x->headers);
    ACME_CURL_SET(CURLOPT_USERAGENT, x->curl->user_agent);
    ACME_CURL_SET(CURLOPT_URL, request->url);
    if (x->addresses != NULL)
        ACME_CURL_SET(CURLOPT_RESOLVE, x->addresses);
    return code;
}

/* ---- addresses -------------------------------------------------------- */

#define FOUND_MAX 4096 /* bytes: the addresses of a host */

/* With the plus sign libcurl forgets an entry some time. */
#if LIBCURL_VERSION_NUM >= 0x074b00
#define ENTRY "+%s%s:"
#else
#define ENTRY "%s%s:"
#endif

/* How an entry for the host of the URL begins. */
static void
begin_entry(const struct exchange *x, struct acme_buf *entry)
{
    const char *port = strrchr(x->url.origin, ':');

    acme_buf_addf(entry, ENTRY, x->url.host, port != NULL ? port : ":443");
}

static enum acme_rc
look_up(struct exchange *x)
{
    struct acme_http_curl *curl = x->curl;
    struct acme_buf addresses;
    unsigned ttl = 0;
    enum acme_rc rc;

    acme_buf_reset(&curl->found);
    acme_buf_init(&addresses, FOUND_MAX / 2);
    rc = acme_resolve(&curl->resolve, x->url.host, curl->host, &addresses,
        &ttl, x->err);
    if (rc == ACME_OK) {
        begin_entry(x, &curl->found);
        curl->found_for = curl->found.len;
        acme_buf_add_str(&curl->found, acme_buf_str(&addresses));
        curl->found_until_ms = acme_time_ms() + 1000LL * ttl;
        if (!acme_buf_ok(&curl->found))
            rc = acme_error_nomem(x->err);
    }
    acme_buf_clear(&addresses);
    return rc;
}

static bool
is_found(const struct exchange *x)
{
    const struct acme_http_curl *curl = x->curl;
    struct acme_buf entry;
    bool same;

    if (curl->found.len == 0 || acme_time_ms() >= curl->found_until_ms)
        return false;
    acme_buf_init(&entry, FOUND_MAX);
    begin_entry(x, &entry);
    same = acme_buf_ok(&entry) && entry.len == curl->found_for &&
           memcmp(entry.data, curl->found.data, entry.len) == 0;
    acme_buf_clear(&entry);
    return same;
}

/* Where somebody is to be asked for the addresses of names. */
static enum acme_rc
find_addresses(struct exchange *x)
{
    struct acme_http_curl *curl = x->curl;
    enum acme_rc rc = ACME_OK;

    if (curl->resolve.servers.n == 0 || curl->proxy != NULL ||
        place_of(x->url.host) != UNKNOWN)
        return ACME_OK;
    if (!is_found(x))
        rc = look_up(x);
    if (rc != ACME_OK)
        return rc;
    x->addresses = curl_slist_append(NULL, acme_buf_str(&curl->found));
    return x->addresses != NULL ? ACME_OK : acme_error_nomem(x->err);
}

/* All options anew: nothing of the exchange before is left but its
 * connection. */
static enum acme_rc
prepare(struct exchange *x)
{
    CURL *easy = x->curl->easy;
    CURLcode code;

    curl_easy_reset(easy);
    code = set_bounds(easy, x->request->plain, x->request->timeout_ms);
    if (code == CURLE_OK)
        code = set_tls(easy, x->curl);
    if (code == CURLE_OK)
        code = set_proxy(easy, x->curl);
    if (code == CURLE_OK)
        code = set_callbacks(easy, x);
    if (code == CURLE_OK)
        code = set_request(easy, x);
    if (code == CURLE_OK)
        return ACME_OK;
    if (code == CURLE_OUT_OF_MEMORY)
        return acme_error_nomem(x->err);
    return acme_error_set(x->err, ACME_CONFIG, "libcurl %s cannot do this: %s",
        LIBCURL_VERSION, curl_easy_strerror(code));
}

static bool
may_go_on(const struct exchange *x)
{
    const struct acme_host *host = x->curl->host;

    return host->wait(host->ctx, 0);
}

static enum acme_rc
stopping(struct exchange *x)
{
    return acme_error_set(x->err, ACME_STOPPING, "stopping");
}

/* Whether the request may be with the server already. */
static bool
is_sent(const struct exchange *x)
{
    curl_off_t sent_at = 0;

    return curl_easy_getinfo(x->curl->easy, CURLINFO_PRETRANSFER_TIME_T,
               &sent_at) == CURLE_OK &&
           sent_at > 0;
}

static int64_t
grace_ms(const struct exchange *x)
{
    return strcmp(x->request->method, "POST") == 0 && is_sent(x)
               ? POST_GRACE_MS
               : 0;
}

/* ACME_OK when libcurl has finished, well or not. */
static enum acme_rc
drive(struct exchange *x)
{
    CURLM *multi = x->curl->multi;
    CURLMcode code = CURLM_OK;
    int64_t stop_ms = 0;
    int running = 1;

    for (;;) {
        code = curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running)
            code = curl_multi_poll(multi, NULL, 0, ACME_CURL_WAKE_MS, NULL);
        if (code != CURLM_OK)
            return acme_error_set(x->err,
                code == CURLM_OUT_OF_MEMORY ? ACME_NOMEM : ACME_NET,
                "no answer from \"%s\": %s", x->url.host,
                curl_multi_strerror(code));
        if (!running)
            return ACME_OK;
        if (stop_ms == 0 && !may_go_on(x))
            stop_ms = acme_time_ms() + grace_ms(x);
        if (stop_ms != 0 && acme_time_ms() >= stop_ms)
            return stopping(x);
        /* Not CURLOPT_LOW_SPEED_TIME, which would count the time that a CA
         * thinks before it answers. */
        if (x->heard_ms != 0 &&
            acme_time_ms() - x->heard_ms > ACME_HTTP_STALL_S * 1000)
            return acme_error_set(x->err, ACME_NET,
                "answer of \"%s\" stopped in the middle", x->url.host);
    }
}

static CURLcode
result_of(CURLM *multi)
{
    CURLcode result = CURLE_RECV_ERROR;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            result = message->data.result;
    }
    return result;
}

static enum acme_rc
rc_of(CURLcode code)
{
    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        return ACME_NOMEM;
    case CURLE_SSL_CACERT_BADFILE:
        return ACME_CONFIG;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
#if LIBCURL_VERSION_NUM >= 0x080700
    case CURLE_TOO_LARGE:
#endif
        return ACME_WIRE;
    default:
        return ACME_NET;
    }
}

/* Does nothing if a callback has set the error. */
static enum acme_rc
fail(struct exchange *x, CURLcode code)
{
    const char *text = x->text[0] ? x->text : curl_easy_strerror(code);
    char shown[CURL_ERROR_SIZE];

    if (x->refused_private)
        return acme_error_set(x->err, ACME_NET,
            "\"%s\" is at a private address and the directory is not",
            x->url.host);
    /* libcurl below 8.6 calls both the same */
    if (code == CURLE_OUT_OF_MEMORY && is_sent(x) && !x->headers_done)
        return acme_error_set(x->err, ACME_WIRE,
            "answer of \"%s\" has a header line too long, or out of memory",
            x->url.host);
    if (code == CURLE_OUT_OF_MEMORY)
        return acme_error_nomem(x->err);
    if (code == CURLE_SEND_FAIL_REWIND)
        text = "it closed the connection"; /* see on_send() */
    acme_log_clean(shown, sizeof(shown), text, strlen(text));
    return acme_error_set(x->err, rc_of(code), "no answer from \"%s\"%s%s: %s",
        x->url.host, x->curl->proxy != NULL ? " through " : "",
        x->curl->proxy != NULL ? x->curl->proxy : "", shown);
}

/*
 * Retry-After as seconds from now: a number, or a date on the server's own
 * clock if it tells it (RFC 9110 10.2.3).  -1: none.
 */
static long
retry_after(const struct exchange *x)
{
    const struct acme_host *host = x->curl->host;
    const char *text = x->retry_after;
    size_t digits = strspn(text, "0123456789");
    time_t now = x->response->date;
    int64_t seconds;
    time_t date;

    if (text[0] == '\0')
        return -1;
    if (text[digits] == '\0') {
        seconds = digits > 9 ? ACME_RETRY_AFTER_MAX : atol(text);
    } else {
        date = curl_getdate(text, NULL);
        if (date == -1)
            return -1;
        if (now == 0)
            now = host->now(host->ctx);
        seconds = (int64_t)date - now;
    }
    if (seconds < 0)
        return 0;
    return seconds < ACME_RETRY_AFTER_MAX ? (long)seconds
                                          : ACME_RETRY_AFTER_MAX;
}

static void
finish(struct exchange *x)
{
    CURL *easy = x->curl->easy;
    char *address = NULL;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    x->response->status = (int)status;
    x->response->retry_after = retry_after(x);
    if (x->curl->place == UNKNOWN && x->curl->proxy == NULL &&
        is_directory(x) &&
        curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &address) == CURLE_OK)
        x->curl->place = place_of(address);
}

static enum acme_rc
transfer(struct exchange *x)
{
    CURLM *multi = x->curl->multi;
    CURLcode code;
    enum acme_rc rc;

    if (!may_go_on(x))
        return stopping(x);
    if (curl_multi_add_handle(multi, x->curl->easy) != CURLM_OK)
        return acme_error_nomem(x->err);
    rc = drive(x);
    code = result_of(multi);
    if (rc == ACME_OK && code != CURLE_OK)
        rc = fail(x, code);
    if (rc == ACME_OK)
        finish(x);
    curl_multi_remove_handle(multi, x->curl->easy);
    return rc;
}

/* A name is for the proxy to look up, and to know what it may connect to; but
 * no CA makes it connect to its own host, or to a private address in a URL.
 * Without a proxy that is found when it is to be connected to. */
static bool
leads_proxy_astray(const struct exchange *x)
{
    static const char local[] = "localhost";
    const char *host = x->url.host;
    size_t len = strlen(host), n = sizeof(local) - 1;

    if (x->curl->proxy == NULL || x->curl->place == PRIVATE ||
        strcmp(x->url.origin, x->curl->directory.origin) == 0)
        return false;
    return place_of(host) == PRIVATE ||
           (len >= n && strcmp(host + len - n, local) == 0 &&
               (len == n || host[len - n - 1] == '.'));
}

static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct exchange x = { .curl = ctx,
        .request = request,
        .response = response,
        .err = err };
    enum acme_rc rc;

    reset_response(&x);
    rc = request->plain
             ? acme_url_parse_plain(request->url, ACME_WIRE, &x.url, err)
             : acme_url_parse(request->url, ACME_WIRE, &x.url, err);
    if (rc != ACME_OK)
        return rc;
    x.refused_private = leads_proxy_astray(&x);
    if (x.refused_private)
        return fail(&x, CURLE_COULDNT_CONNECT);
    ERR_set_mark();
    rc = find_addresses(&x);
    if (rc == ACME_OK)
        rc = prepare(&x);
    if (rc == ACME_OK)
        rc = transfer(&x);
    ERR_pop_to_mark();
    curl_easy_reset(x.curl->easy); /* it must forget this stack */
    curl_slist_free_all(x.headers);
    curl_slist_free_all(x.addresses);
    return rc;
}

/* NULL stays NULL. */
static bool
copy(char **out, const char *text)
{
    if (text != NULL)
        *out = strdup(text);
    return text == NULL || *out != NULL;
}

enum acme_rc
acme_http_curl_new(const struct acme_http_curl_conf *conf,
    const struct acme_host *host, struct acme_http_curl **out,
    struct acme_error *err)
{
    const char *agent = conf->user_agent;
    struct acme_http_curl *curl = calloc(1, sizeof(*curl));
    enum acme_rc rc;

    if (curl == NULL)
        return acme_error_nomem(err);
    curl->host = host;
    curl->verify = conf->verify;
    curl->resolve = conf->resolve;
    acme_buf_init(&curl->found, FOUND_MAX);
    rc = acme_url_parse(conf->directory_url, ACME_CONFIG, &curl->directory,
        err);
    if (rc != ACME_OK)
        goto done;
    curl->place = place_of(curl->directory.host);
    ERR_set_mark();
    curl->multi = curl_multi_init();
    curl->easy = curl_easy_init();
    ERR_pop_to_mark();
    if (curl->multi == NULL || curl->easy == NULL ||
        !copy(&curl->ca_file, conf->ca_file) ||
        !copy(&curl->ca_pem, conf->ca_pem) ||
        !copy(&curl->proxy, conf->proxy) ||
        !copy(&curl->proxy_pem, conf->proxy_pem) ||
        !copy(&curl->user_agent, agent ? agent : "acme/" ACME_VERSION)) {
        rc = acme_error_nomem(err);
        goto done;
    }
    *out = curl;
    curl = NULL;

done:
    acme_http_curl_free(curl);
    return rc;
}

void
acme_http_curl_free(struct acme_http_curl *curl)
{
    if (curl == NULL)
        return;
    ERR_set_mark();
    curl_easy_cleanup(curl->easy);
    curl_multi_cleanup(curl->multi);
    ERR_pop_to_mark();
    free(curl->ca_file);
    free(curl->ca_pem);
    free(curl->user_agent);
    acme_buf_clear(&curl->found);
    free(curl->proxy);
    free(curl->proxy_pem);
    free(curl);
}

static bool
is_private(void *ctx)
{
    const struct acme_http_curl *curl = ctx;

    return curl->place == PRIVATE;
}

struct acme_transport
acme_http_curl_transport(struct acme_http_curl *curl)
{
    struct acme_transport transport = { curl, perform, is_private };

    return transport;
}

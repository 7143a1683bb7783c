#include "wrap/acme_http_probe.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_version.h"
#include "wrap/acme_curl_private.h"

#define SIDE_BY_SIDE 16

static size_t
on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct acme_probe *probe = ctx;
    size_t len = size * count;
    size_t room = sizeof(probe->body) - probe->body_len;
    size_t taken = len < room ? len : room;

    memcpy(probe->body + probe->body_len, data, taken);
    probe->body_len += taken;
    return taken; /* less than there was: the rest is not waited for */
}

/* The address is connected to whatever the name says; `to` is the caller's to
 * free, when the transfer has ended. */
static CURLcode
set_target(CURL *easy, const struct acme_probe *probe, struct curl_slist **to)
{
    const char *six = strchr(probe->address, ':');
    const char *name_six = strchr(probe->name, ':');
    char text[ACME_NAME_MAX + ACME_URL_MAX];
    CURLcode code = CURLE_OK;

    (void)snprintf(text, sizeof(text), "::%s%s%s:%u", six ? "[" : "",
        probe->address, six ? "]" : "", probe->port);
    *to = curl_slist_append(NULL, text);
    if (*to == NULL)
        return CURLE_OUT_OF_MEMORY;
    (void)snprintf(text, sizeof(text), "http://%s%s%s%s", name_six ? "[" : "",
        probe->name, name_six ? "]" : "", probe->path);
    ACME_CURL_SET(CURLOPT_URL, text);
    ACME_CURL_SET(CURLOPT_CONNECT_TO, *to);
    return code;
}

static CURLcode
set_bounds(CURL *easy, unsigned ms)
{
    CURLcode code = CURLE_OK;

    ACME_CURL_SET(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075500
    ACME_CURL_SET(CURLOPT_PROTOCOLS_STR, "http");
#else
    ACME_CURL_SET(CURLOPT_PROTOCOLS, CURLPROTO_HTTP);
#endif
    ACME_CURL_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    ACME_CURL_SET(CURLOPT_FOLLOWLOCATION, 0L);
    ACME_CURL_SET(CURLOPT_PROXY, "");
    ACME_CURL_SET(CURLOPT_TIMEOUT_MS, (long)ms);
    ACME_CURL_SET(CURLOPT_FRESH_CONNECT, 1L);
    ACME_CURL_SET(CURLOPT_FORBID_REUSE, 1L);
    ACME_CURL_SET(CURLOPT_PATH_AS_IS, 1L);
    ACME_CURL_SET(CURLOPT_USERAGENT, "acme/" ACME_VERSION " (pre-flight)");
    return code;
}

static CURL *
open_probe(struct acme_probe *probe, unsigned ms, struct curl_slist **to)
{
    CURL *easy = curl_easy_init();
    CURLcode code = CURLE_OUT_OF_MEMORY;

    if (easy != NULL)
        code = set_bounds(easy, ms);
    if (code == CURLE_OK)
        code = set_target(easy, probe, to);
    ACME_CURL_SET(CURLOPT_WRITEFUNCTION, on_body);
    ACME_CURL_SET(CURLOPT_WRITEDATA, probe);
    ACME_CURL_SET(CURLOPT_PRIVATE, probe);
    if (code == CURLE_OK)
        return easy;
    curl_easy_cleanup(easy);
    return NULL;
}

/* A body longer than is read is an answer too. */
static void
end_probe(CURL *easy, CURLcode code)
{
    struct acme_probe *probe = NULL;
    const char *why = curl_easy_strerror(code);
    char *at = NULL;
    long status = 0, reason = 0;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &at);
    probe = (struct acme_probe *)(void *)at;
    if (probe == NULL)
        return;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &reason);
    probe->status = (int)status;
    if (status != 0 && (code == CURLE_OK || code == CURLE_WRITE_ERROR)) {
        probe->end = ACME_PROBE_ANSWERED;
        return;
    }
    probe->end = code == CURLE_OPERATION_TIMEDOUT ? ACME_PROBE_SILENT
                                                  : ACME_PROBE_REFUSED;
    if (code == CURLE_COULDNT_CONNECT && reason != 0)
        why = strerror((int)reason);
    acme_log_clean(probe->why, sizeof(probe->why), why, strlen(why));
}

static void
take_ended(CURLM *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            end_probe(message->easy_handle, message->data.result);
}

static bool
drive(CURLM *multi, const struct acme_host *host)
{
    CURLMcode code = CURLM_OK;
    int running = 1;

    while (code == CURLM_OK && running > 0) {
        if (!host->wait(host->ctx, 0))
            return false;
        code = curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running > 0)
            code = curl_multi_poll(multi, NULL, 0, ACME_CURL_WAKE_MS, NULL);
        take_ended(multi);
    }
    return true;
}

/* At most SIDE_BY_SIDE of them. */
static bool
probe_some(struct acme_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host)
{
    CURLM *multi = curl_multi_init();
    CURL *easy[SIDE_BY_SIDE] = { NULL };
    struct curl_slist *to[SIDE_BY_SIDE] = { NULL };
    bool goes_on = true;
    size_t i;

    for (i = 0; i < n && multi != NULL; i++) {
        easy[i] = open_probe(&probe[i], ms, &to[i]);
        if (easy[i] != NULL)
            (void)curl_multi_add_handle(multi, easy[i]);
    }
    if (multi != NULL)
        goes_on = drive(multi, host);
    for (i = 0; i < n; i++) {
        if (easy[i] != NULL)
            (void)curl_multi_remove_handle(multi, easy[i]);
        curl_easy_cleanup(easy[i]);
        curl_slist_free_all(to[i]);
    }
    curl_multi_cleanup(multi);
    return goes_on;
}

bool
acme_http_probe(struct acme_probe *probe, size_t n, unsigned ms,
    const struct acme_host *host)
{
    bool goes_on = true;
    size_t i, some;

    for (i = 0; i < n; i++) {
        probe[i].end = ACME_PROBE_NONE;
        probe[i].status = 0;
        probe[i].body_len = 0;
        probe[i].why[0] = '\0';
    }
    ERR_set_mark();
    for (i = 0; i < n && goes_on; i += some) {
        some = n - i < SIDE_BY_SIDE ? n - i : SIDE_BY_SIDE;
        goes_on = probe_some(probe + i, some, ms, host);
    }
    ERR_pop_to_mark();
    return goes_on;
}

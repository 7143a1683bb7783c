/*
 * The header of an HTTP answer, line by line as libcurl gives it: links,
 * nonce, location, media type, Retry-After and Date.  The .c file is
 * included: its callbacks are its own.
 */
#include "base/acme_base64.h"
#include "fuzz.h"
#include "wrap/acme_http_curl.c"

static time_t
tell_time(void *ctx)
{
    (void)ctx;
    return 1795262400;
}

static void
check_response(const struct acme_http_response *response, long delay)
{
    FUZZ_CHECK(response->nlinks <= ACME_HTTP_LINKS_MAX);
    FUZZ_CHECK(strlen(response->nonce) <= ACME_NONCE_MAX);
    FUZZ_CHECK(response->nonce[0] == '\0' ||
               acme_base64_is(response->nonce, strlen(response->nonce)));
    FUZZ_CHECK(delay >= -1 && delay <= ACME_RETRY_AFTER_MAX);
    FUZZ_CHECK(response->date >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct acme_http_request request = { .max_body = 64 };
    const struct acme_host host = { NULL, NULL, tell_time, NULL };
    struct acme_http_curl curl = { .host = &host };
    struct fuzz_input in = { data, size };
    struct acme_http_response *response = malloc(sizeof(*response));
    struct acme_error err;
    struct exchange x = { .curl = &curl,
        .request = &request,
        .response = response,
        .err = &err };

    FUZZ_CHECK(response != NULL);
    acme_error_clear(&err);
    acme_http_response_init(response);
    while (in.left > 0) {
        struct fuzz_input line = fuzz_line(&in);
        char *text = fuzz_text(line.at, line.left);

        text[line.left] = '\n'; /* as it arrives: without a NUL */
        (void)on_header(text, 1, line.left + 1, &x);
        free(text);
    }
    check_response(response, retry_after(&x));
    acme_http_response_clear(response);
    free(response);
    return 0;
}

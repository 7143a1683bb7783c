/*
 * What a stranger sends where acmectl listens: a request that is taken has a
 * path, its pieces are within it, and no prefix of it is another one.
 */
#include "drive/acme_request.h"
#include "fuzz.h"

static bool
is_within(const char *piece, size_t len, const char *data, size_t size)
{
    return piece >= data && len <= size &&
           (size_t)(piece - data) <= size - len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct acme_request request, shorter;

    if (size == 0 ||
        acme_request_parse(text, size, &request) != ACME_REQUEST_GOOD)
        return 0;
    FUZZ_CHECK(request.path_len > 0 && request.path[0] == '/');
    FUZZ_CHECK(is_within(request.path, request.path_len, text, size));
    FUZZ_CHECK(memchr(request.path, ' ', request.path_len) == NULL);
    FUZZ_CHECK(memchr(request.path, '\n', request.path_len) == NULL);
    FUZZ_CHECK(request.host_len == 0 ||
               is_within(request.host, request.host_len, text, size));
    FUZZ_CHECK(memchr(request.host, '\n', request.host_len) == NULL);
    /* The first line alone is not all of one. */
    FUZZ_CHECK(acme_request_parse(text,
                   (size_t)(request.path - text) + request.path_len,
                   &shorter) == ACME_REQUEST_MORE);
    return 0;
}

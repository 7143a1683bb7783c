/*
 * The first message of a stranger, as it passes by on its way to OpenSSL: what
 * is taken for a validation by tls-alpn-01 offers nothing else, and its name
 * is canonical.
 */
#include "base/acme_name.h"
#include "fuzz.h"
#include "wrap/acme_alpn.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t len = strlen(ACME_ALPN_PROTOCOL);
    char name[ACME_NAME_MAX + 1], same[ACME_NAME_MAX + 1];

    (void)acme_alpn_server_name(data, size, name);
    if (acme_alpn_is_offered(data, size)) {
        FUZZ_CHECK(size == 3 + len);
        FUZZ_CHECK(memcmp(data + 3, ACME_ALPN_PROTOCOL, len) == 0);
    }
    if (!acme_alpn_hello(data, size, name))
        return 0;
    FUZZ_CHECK(acme_name_from_host(name, strlen(name), same));
    FUZZ_CHECK(strcmp(name, same) == 0);
    (void)acme_name_from_arpa(name, same);
    return 0;
}

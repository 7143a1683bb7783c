#include "wrap/acme_libraries.h"

#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>

const char *
acme_libraries_openssl(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}

const char *
acme_libraries_curl(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}

const char *
acme_libraries_jansson(void)
{
    return jansson_version_str();
}

/*
 * What the files that call libcurl share.
 */
#ifndef ACME_CURL_PRIVATE_H
#define ACME_CURL_PRIVATE_H

#include <curl/curl.h>

/* How often the host is asked whether to stop. */
#define ACME_CURL_WAKE_MS 100

/* With `CURL *easy` and `CURLcode code` of the caller's, which remembers the
 * first failure of curl_easy_setopt(): nothing is set after it. */
#define ACME_CURL_SET(option, value)                      \
    do {                                                  \
        if (code == CURLE_OK)                             \
            code = curl_easy_setopt(easy, option, value); \
    } while (0)

#endif

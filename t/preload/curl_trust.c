/*
 * Preloaded into uacme (t/import_others.t), which has no option for the CA
 * that it trusts: TEST_CURL_CA names a file of certificates for libcurl.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>

/* Of libcurl, whose headers are not needed for it. */
#define OPTION_CAINFO 10065
int curl_easy_perform(void *handle);

int
curl_easy_perform(void *handle)
{
    int (*next)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, __func__);
    int (*set)(void *, int, ...) =
        (int (*)(void *, int, ...))dlsym(RTLD_NEXT, "curl_easy_setopt");
    const char *file = getenv("TEST_CURL_CA");

    if (file != NULL)
        (void)set(handle, OPTION_CAINFO, file);
    return next(handle);
}

/*
 * Preloaded into gtlsclient (t/nginx_http3.t), which says nothing of the
 * certificate it is shown: prints it as hexadecimal DER on standard error when
 * a handshake is complete.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>

/* Of GnuTLS, whose headers are not needed for it. */
struct datum {
    unsigned char *data;
    unsigned size;
};
int gnutls_handshake(void *session);
const struct datum *gnutls_certificate_get_peers(void *session, unsigned *n);

int
gnutls_handshake(void *session)
{
    int (*next)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, __func__);
    int result = next(session);
    const struct datum *leaf;
    unsigned n, i;

    leaf =
        result == 0 ? gnutls_certificate_get_peers(session, &n) : NULL;
    if (leaf == NULL)
        return result;
    (void)fprintf(stderr, "peer-certificate: ");
    for (i = 0; i < leaf->size; i++)
        (void)fprintf(stderr, "%02x", leaf->data[i]);
    (void)fprintf(stderr, "\n");
    return result;
}

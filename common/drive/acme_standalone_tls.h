/*
 * Handshakes of acme_standalone.h: a client that proves a name by tls-alpn-01
 * is shown its certificate, and nobody anything else.
 */
#ifndef ACME_STANDALONE_TLS_H
#define ACME_STANDALONE_TLS_H

#include "base/acme_error.h"
#include "state/acme_area.h"

struct acme_standalone_tls;
struct ssl_st;

/* Borrows `area`, which has the challenges, and gets keys. */
enum acme_rc acme_standalone_tls_new(struct acme_area *area,
    struct acme_standalone_tls **tls, struct acme_error *err);
void acme_standalone_tls_free(struct acme_standalone_tls *tls);

/* On a connection (that stays the caller's).  NULL: out of memory. */
struct ssl_st *acme_standalone_tls_begin(struct acme_standalone_tls *tls,
    int fd);

/* Goes on as far as it can without blocking: POLLIN or POLLOUT is waited for;
 * 0: it is over, however it went. */
short acme_standalone_tls_step(struct ssl_st *ssl);
void acme_standalone_tls_end(struct ssl_st *ssl);

#endif

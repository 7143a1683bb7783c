/*
 * Certificates as a worker serves them: parsed once per generation, at the
 * first handshake that needs them, in a bounded cache (least recently used
 * goes first).  A slot that does not parse keeps what was there.  Safe for
 * threads.  The only core file that knows libssl.
 */
#ifndef ACME_LIVE_H
#define ACME_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/acme_error.h"
#include "state/acme_area.h"

struct ssl_st;
struct acme_live_cache;

/* Borrows `area`.  max: parsed lineages kept. */
enum acme_rc acme_live_cache_new(const struct acme_area *area,
    size_t nlineages, size_t max, struct acme_live_cache **cache,
    struct acme_error *err);
void acme_live_cache_free(struct acme_live_cache *cache); /* accepts NULL */

enum acme_live_result {
    ACME_LIVE_NONE,  /* nothing to serve: the SSL is untouched */
    ACME_LIVE_SET,   /* certificates put into the SSL */
    ACME_LIVE_FAILED /* OpenSSL refused them: the SSL may have none */
};

/*
 * Puts the lineage's certificates and keys into one connection, from within
 * its certificate callback.  Leaves OpenSSL's error queue as it was.
 */
enum acme_live_result acme_live_apply(struct acme_live_cache *cache,
    size_t lineage, struct ssl_st *ssl);

/*
 * The same in a process of one thread, for an SSL_CTX that is one server's and
 * was made without a certificate: it is given this one, so that what comes
 * next begins with it, at the cost of a file's.  Not where there are two kinds
 * of keys, nor more lineages than the cache holds, as that would be no bound
 * then.
 */
enum acme_live_result acme_live_apply_keeping(struct acme_live_cache *cache,
    size_t lineage, struct ssl_st *ssl);

/*
 * From within the status callback of one connection: the answer of OCSP about
 * the certificate that OpenSSL has chosen, if that is one of the lineage's and
 * there is one that is not over, is sent with it.  True: it is.  What is false
 * is nothing to fail for.  Leaves OpenSSL's error queue as it was.
 */
bool acme_live_staple(struct acme_live_cache *cache, size_t lineage,
    struct ssl_st *ssl);

/* When the first of the certificates that are served for the lineage is no
 * longer valid, those lent by others left out if it has its own; 0: there is
 * none. */
time_t acme_live_not_after(struct acme_live_cache *cache, size_t lineage);

/*
 * The lineage's first certificate with its issuers, and the key that belongs
 * to it, for libraries that load files.  Appends PEM; `key` is a secret
 * buffer.  False: there is none, or memory is short; what was appended is of
 * no use.
 */
bool acme_live_pem(struct acme_live_cache *cache, size_t lineage,
    struct acme_buf *chain, struct acme_buf *key);

/* The shared self-signed certificate, made on first use. */
enum acme_live_result acme_live_apply_placeholder(
    struct acme_live_cache *cache, struct ssl_st *ssl);

/*
 * The placeholder as files, for a server that must have some before it makes
 * an SSL_CTX.  Its key is worth nothing.  Made once; its certificate can be
 * had for any names (canonical), again and again.  Both append PEM.
 */
struct acme_placeholder;
enum acme_rc acme_live_placeholder_new(struct acme_placeholder **placeholder,
    struct acme_error *err);
void acme_live_placeholder_free(struct acme_placeholder *p); /* accepts NULL */
enum acme_rc acme_live_placeholder_key(
    const struct acme_placeholder *placeholder, struct acme_buf *pem,
    struct acme_error *err);
enum acme_rc acme_live_placeholder_cert(struct acme_placeholder *placeholder,
    const char *const *names, size_t nnames, struct acme_buf *pem,
    struct acme_error *err);

#endif

/*
 * PKCS#12 (RFC 7292): a key and its chain in one file under a password, for
 * programs that read nothing else.  Leaves OpenSSL's error queue as it found
 * it.
 */
#ifndef ACME_PKCS12_H
#define ACME_PKCS12_H

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "wrap/acme_key.h"
#include "wrap/acme_x509.h"

/*
 * Appends it to `out`, a secret buffer: the leaf, its key and the issuers,
 * encrypted by AES-256 (PBES2) and sealed by HMAC-SHA-256 under `password`
 * (UTF-8).  `title` is what key and certificate are called in it.
 */
enum acme_rc acme_pkcs12_render(const struct acme_chain *chain,
    const struct acme_key *key, const char *title, const char *password,
    struct acme_buf *out, struct acme_error *err);

#endif

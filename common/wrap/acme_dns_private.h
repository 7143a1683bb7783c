/*
 * What the files behind acme_dns.h share: messages are exchanged by
 * acme_dns_wire.c; acme_dns.c asks, acme_dns_update.c changes.
 */
#ifndef ACME_DNS_PRIVATE_H
#define ACME_DNS_PRIVATE_H

/* Its headers name types that OpenSSL 3 has deprecated; nothing of them is
 * used.  This header goes before all others. */
#undef OPENSSL_NO_DEPRECATED
#include <ldns/ldns.h>
#include <stdint.h>

#include "base/acme_buf.h"
#include "wrap/acme_dns.h"

/* One question and its answers. */
struct acme_dns_exchange {
    const struct acme_dns *dns;
    /* Makes the message for the next try, with that number; ACME_OK. */
    enum acme_rc (*make)(void *ctx, uint16_t id, struct acme_buf *out,
        struct acme_error *err);
    /* Whether a message with that number is the answer, and *good enough that
     * no other server is asked.  `packet` and `data` are borrowed. */
    bool (*take)(void *ctx, ldns_pkt *packet, const struct acme_buf *data,
        const struct sockaddr_storage *server, bool *good,
        struct acme_error *err);
    void *ctx;
};

/* As acme_dns_ask(): ACME_OK once an answer has been taken. */
enum acme_rc acme_dns_exchange(const struct acme_dns_exchange *exchange,
    struct acme_error *err);

/* A name in the form of messages; NULL: it is none, or memory is short. */
ldns_rdf *acme_dns_name(const char *name);

/* The text of one, in lower case without its final dot: false, if that is not
 * possible. */
#define ACME_DNS_NAME_TEXT 1024
bool acme_dns_name_text(const ldns_rdf *name, char text[ACME_DNS_NAME_TEXT]);

#endif

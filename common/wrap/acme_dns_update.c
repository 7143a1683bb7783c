/*
 * Updates (RFC 2136), each signed (RFC 8945), with an answer that is, too.
 */
#include "wrap/acme_dns_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUDGE 300 /* RFC 8945 10: seconds that clocks may differ by */

/* Fields of a TSIG record (RFC 8945 4.2). */
enum {
    TSIG_MAC = 3,
    TSIG_ERROR = 5,
    TSIG_OTHER = 6
};

#define BADTIME 18
#define STRING_MAX 255 /* RFC 1035 3.3 */

struct update {
    const struct acme_tsig *key;
    const struct acme_dns_change *change;
    ldns_rdf *mac; /* of the last request */
    bool signed_;  /* the answer is, with our key */
    unsigned rcode;
    unsigned tsig_error;
    struct sockaddr_storage server;
};

/* ---- the request ------------------------------------------------------ */

static ldns_rdf *
string_of(const char *value)
{
    const size_t len = strlen(value);
    uint8_t data[STRING_MAX + 1];

    if (len > STRING_MAX)
        return NULL;
    data[0] = (uint8_t)len;
    memcpy(data + 1, value, len);
    return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, len + 1, data);
}

/* RFC 2136 2.5.1: added as it is; 2.5.4: one that goes has class NONE. */
static ldns_rr *
record_of(const struct acme_dns_change *change)
{
    ldns_rr *rr = ldns_rr_new();
    ldns_rdf *owner = acme_dns_name(change->owner);
    ldns_rdf *string = string_of(change->value);

    if (rr == NULL || owner == NULL || string == NULL ||
        !ldns_rr_push_rdf(rr, string)) {
        ldns_rdf_deep_free(string);
        ldns_rdf_deep_free(owner);
        ldns_rr_free(rr);
        return NULL;
    }
    ldns_rr_set_owner(rr, owner);
    ldns_rr_set_type(rr, LDNS_RR_TYPE_TXT);
    ldns_rr_set_class(rr,
        change->remove ? LDNS_RR_CLASS_NONE : LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(rr, change->remove ? 0 : (uint32_t)change->ttl);
    return rr;
}

static ldns_pkt *
packet_of(const struct acme_dns_change *change)
{
    ldns_rr_list *list = ldns_rr_list_new();
    ldns_rr *rr = record_of(change);
    ldns_rdf *zone = acme_dns_name(change->zone);
    ldns_pkt *packet = NULL;

    if (list != NULL && rr != NULL && zone != NULL &&
        ldns_rr_list_push_rr(list, rr)) {
        rr = NULL;
        packet = ldns_update_pkt_new(zone, LDNS_RR_CLASS_IN, NULL, list, NULL);
        if (packet != NULL) {
            zone = NULL;
            ldns_pkt_set_rd(packet, false);
        }
    }
    ldns_rr_free(rr);
    ldns_rdf_deep_free(zone);
    ldns_rr_list_deep_free(list);
    return packet;
}

/* The request's MAC goes into that of the answer (RFC 8945 5.3.1). */
static bool
sign(struct update *update, ldns_pkt *packet)
{
    const struct acme_tsig *key = update->key;
    const ldns_rr *tsig;

    if (ldns_pkt_tsig_sign(packet, key->name, acme_buf_str(&key->secret),
            FUDGE, key->alg, NULL) != LDNS_STATUS_OK)
        return false;
    tsig = ldns_pkt_tsig(packet);
    ldns_rdf_deep_free(update->mac);
    update->mac = ldns_rdf_clone(ldns_rr_rdf(tsig, TSIG_MAC));
    return update->mac != NULL;
}

static enum acme_rc
make_update(void *ctx, uint16_t id, struct acme_buf *out,
    struct acme_error *err)
{
    struct update *update = ctx;
    ldns_pkt *packet = packet_of(update->change);
    uint8_t *wire = NULL;
    size_t len = 0;
    enum acme_rc rc = ACME_OK;

    if (packet == NULL)
        return acme_error_nomem(err);
    ldns_pkt_set_id(packet, id);
    if (!sign(update, packet))
        rc = acme_error_set(err, ACME_CRYPTO,
            "the update cannot be signed with the key \"%s\"",
            update->key->name);
    else if (ldns_pkt2wire(&wire, packet, &len) == LDNS_STATUS_OK)
        acme_buf_add(out, wire, len);
    if (rc == ACME_OK && (len == 0 || !acme_buf_ok(out)))
        rc = acme_error_nomem(err);
    free(wire);
    ldns_pkt_free(packet);
    return rc;
}

/* ---- the answer ------------------------------------------------------- */

static unsigned
tsig_error(const ldns_pkt *packet)
{
    const ldns_rr *tsig = ldns_pkt_tsig(packet);

    if (tsig == NULL || ldns_rr_rd_count(tsig) <= TSIG_OTHER ||
        ldns_rdf_size(ldns_rr_rdf(tsig, TSIG_ERROR)) != 2)
        return 0;
    return ldns_rdf2native_int16(ldns_rr_rdf(tsig, TSIG_ERROR));
}

/* ldns takes the signature off for that, and where it does not know the
 * algorithm it does not put it back. */
static bool
is_signed(const struct update *update, ldns_pkt *packet,
    const struct acme_buf *data)
{
    ldns_rr *tsig = ldns_pkt_tsig(packet);
    bool good = ldns_pkt_tsig_verify(packet, data->data, data->len,
        update->key->name, acme_buf_str(&update->key->secret), update->mac);

    if (ldns_pkt_tsig(packet) == NULL)
        ldns_pkt_set_tsig(packet, tsig);
    return good;
}

/* One that says "done" and cannot prove it is none: somebody else's. */
static bool
take_result(void *ctx, ldns_pkt *packet, const struct acme_buf *data,
    const struct sockaddr_storage *server, bool *good, struct acme_error *err)
{
    struct update *update = ctx;

    (void)err;
    if (ldns_pkt_get_opcode(packet) != LDNS_PACKET_UPDATE)
        return false;
    update->rcode = (unsigned)ldns_pkt_get_rcode(packet);
    update->tsig_error = tsig_error(packet);
    update->server = *server;
    update->signed_ = is_signed(update, packet, data);
    *good = true;
    return true;
}

/* What the server does not like will be so the next time, but for what it
 * could not do (SERVFAIL) and clocks. */
static enum acme_rc
judge(const struct update *update, struct acme_error *err)
{
    const struct acme_dns_change *change = update->change;
    char server[ACME_DNS_SERVER_TEXT], why[64] = "";
    enum acme_rc rc = ACME_CONFIG;

    acme_dns_server_text(&update->server, server);
    if (update->rcode == LDNS_RCODE_NOERROR && update->tsig_error == 0) {
        if (update->signed_)
            return ACME_OK;
        return acme_error_set(err, ACME_WIRE,
            "the answer of the name server %s is not signed with the key "
            "\"%s\"",
            server, update->key->name);
    }
    if (update->tsig_error != 0)
        (void)snprintf(why, sizeof(why), " (%s)",
            acme_dns_rcode_name(update->tsig_error));
    if (update->tsig_error == BADTIME || update->rcode == LDNS_RCODE_SERVFAIL)
        rc = ACME_NET;
    return acme_error_set(err, rc,
        "the name server %s refuses to %s \"%s\" in zone \"%s\" for the key "
        "\"%s\": %s%s",
        server, change->remove ? "remove" : "add", change->owner, change->zone,
        update->key->name, acme_dns_rcode_name(update->rcode), why);
}

enum acme_rc
acme_dns_update(const struct acme_dns *dns, const struct acme_tsig *key,
    const struct acme_dns_change *change, struct acme_error *err)
{
    struct update update = { .key = key, .change = change };
    const struct acme_dns_exchange exchange = { dns, make_update, take_result,
        &update };
    enum acme_rc rc = acme_dns_exchange(&exchange, err);

    ldns_rdf_deep_free(update.mac);
    return rc == ACME_OK ? judge(&update, err) : rc;
}

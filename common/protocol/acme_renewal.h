/*
 * Renewal information (RFC 9773): when the CA that issued a certificate would
 * like to see it renewed.  Asked by a plain GET, without an account.
 */
#ifndef ACME_RENEWAL_H
#define ACME_RENEWAL_H

#include "protocol/acme_connection.h"
#include "wrap/acme_json.h"

struct acme_renewal {
    time_t start, end; /* of the suggested window; start < end */
    /* https URL of a page for people, printable; "": none (or none of use) */
    char explanation[ACME_EXPLANATION_MAX];
    long retry_after; /* seconds until it should be asked again; -1: not said
                       */
};

/*
 * Asks about the certificate `ari_id` (struct acme_leaf).  ACME_NOENT: the CA
 * offers no such information.  A window that is none (malformed, or its end
 * not after its start) is ACME_WIRE; what else is wrong with the answer is as
 * in acme_client_post().  Redirects are not followed.  Blocks.
 */
enum acme_rc acme_renewal_get(struct acme_connection *connection,
    const char *ari_id, struct acme_renewal *renewal, struct acme_error *err);

#endif

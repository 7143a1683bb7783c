/*
 * What the files behind acme_status_query.h share: acme_status_access.c has
 * who may ask, acme_status_query.c what is answered.
 */
#ifndef ACME_STATUS_QUERY_PRIVATE_H
#define ACME_STATUS_QUERY_PRIVATE_H

#include "state/acme_status_query.h"

/* Why it is not told, in a sentence; NULL: it is. */
const char *acme_status_refusal(const struct acme_status_policy *policy,
    const struct acme_status_query *query);

/* Why no renewal can be asked for, of who is told. */
const char *acme_status_admin_refusal(const struct acme_status_policy *policy,
    const struct acme_status_query *query);

#endif

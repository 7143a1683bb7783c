/*
 * What has been fetched about revocations, by its URL: lists, each for all
 * the certificates that it is about, and that there was nothing to be had.
 * Bounded in number and memory; in memory only.
 */
#ifndef ACME_LISTS_H
#define ACME_LISTS_H

#include <stdbool.h>
#include <time.h>

#include "wrap/acme_revocation.h"

struct acme_lists;

/* NULL: out of memory. */
struct acme_lists *acme_lists_new(void);
void acme_lists_free(struct acme_lists *lists); /* accepts NULL */

/* Takes the list; NULL: there is none at that URL.  Without memory it is not
 * kept; what ends first makes room. */
void acme_lists_keep(struct acme_lists *lists, const char *url,
    struct acme_crl *crl, time_t until);

struct acme_listed {
    const struct acme_crl *crl; /* until the next acme_lists_...(); NULL: there
                                   was none */
    time_t until;
};

/* What still counts at that URL, for this certificate.  False: nothing. */
bool acme_lists_find(struct acme_lists *lists, const char *url,
    const struct acme_chain *chain, time_t now, struct acme_listed *out);

#endif

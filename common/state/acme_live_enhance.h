/*
 * What a worker does about one request: what its directive says, what was said
 * of the lineage (acmectl enhance), and whether there is a certificate to come
 * to.  Without one, or with one that has expired, nothing: whoever was sent to
 * https would stand before a locked door.  No disk, no lock.
 */
#ifndef ACME_LIVE_ENHANCE_H
#define ACME_LIVE_ENHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "state/acme_area.h"
#include "state/acme_enhance.h"

struct acme_live_enhance {
    enum acme_redirect redirect; /* OFF, or one of the others */
    bool upgrade;
    char hsts[ACME_HSTS_TEXT]; /* "": the header is not sent */
};

/*
 * `said` goes before what is said of the lineage.  False: there is no
 * certificate of the lineage, or what is served has expired; *out is empty.
 */
bool acme_live_enhance(const struct acme_area *area, size_t lineage,
    const struct acme_enhance *said, time_t now,
    struct acme_live_enhance *out);

/* So where the certificate is the operator's, who alone knows how it is. */
void acme_live_enhance_own(const struct acme_enhance *said,
    struct acme_live_enhance *out);

#endif

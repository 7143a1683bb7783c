/*
 * What a worker can tell of its server's lineages: the texts that the store
 * has left in the key area, copied as they are.  No disk, and nothing is
 * parsed; ../STATUS.md has what is in them.  Safe for threads.
 */
#ifndef ACME_LIVE_STATUS_H
#define ACME_LIVE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "state/acme_area.h"

/* Appends one lineage's object.  False, with nothing appended: the store has
 * not told of it yet. */
bool acme_live_status(const struct acme_area *area, size_t lineage,
    struct acme_buf *out);

/*
 * Appends the document of the server with all of its lineages, in the order of
 * the configuration; how many are not known yet is in it.  About 2 kB for each
 * of them.  False: `out` may not become long enough.
 */
bool acme_live_status_all(const struct acme_area *area, size_t nlineages,
    struct acme_buf *out);

#endif

/*
 * Renewals that workers ask for, through the key area: whoever may do that
 * with a request may do it a thousand times, and a worker faces the network.
 * Each lineage has its turn once in a while, and all of them together so often
 * in an hour; what the engine makes of it is its own business.
 */
#ifndef ACME_WISHES_H
#define ACME_WISHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/acme_host.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

/* Ids of its questions have this bit, and the lineage in the others. */
#define ACME_WISH ((uint64_t)1 << 62)

struct acme_wishes {
    const struct acme_config *config;
    struct acme_area *area; /* NULL: nobody asks */
    const struct acme_host *host;
    time_t since; /* of the hour that is counted */
    unsigned heard;
    size_t next; /* lineage that is looked at first */
};

/* Borrows all of it; `area` may be NULL. */
void acme_wishes_init(struct acme_wishes *wishes,
    const struct acme_config *config, struct acme_area *area,
    const struct acme_host *host);

/* Once a second: calls `renew` for what is asked for and may be, which says
 * whether the engine was told; if not, it comes again. */
void acme_wishes_look(struct acme_wishes *wishes,
    bool (*renew)(void *ctx, size_t lineage, uint64_t id), void *ctx);

/* The engine's answer.  False: to somebody else. */
bool acme_wishes_done(struct acme_wishes *wishes, uint64_t id, bool ok,
    const char *text);

#endif

/*
 * The process that answers a CA where no server does: it listens at the ports
 * that lineages name for that, while challenges of theirs are to be answered
 * and not longer.  It is told of these by the engine (acme_errand.h), and has
 * no key, no file and no connection of its own; of what comes from outside
 * everything is bounded.
 */
#ifndef ACME_STANDALONE_H
#define ACME_STANDALONE_H

#include "drive/acme_child.h"
#include "state/acme_config.h"

/* Whether a lineage wants it. */
bool acme_standalone_is_wanted(const struct acme_config *config);

/*
 * Everything until exit.  child->frame is its end of a pair with the engine:
 * each frame has a descriptor with it that the answer is sent on.  Stops as
 * the other children do and when the engine is gone.  As root it becomes the
 * engine's user, and keeps nothing but the right to listen at any port: pre
 * hooks may have to stop a server before it can.
 */
void acme_standalone_process(const struct acme_config *config,
    struct acme_child *child) __attribute__((noreturn));

#endif

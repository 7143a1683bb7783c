/* The engine as a process: everything until exit. */
#ifndef ACME_ENGINE_PROCESS_H
#define ACME_ENGINE_PROCESS_H

#include <stdbool.h>

#include "drive/acme_child.h"
#include "drive/acme_store_process.h"
#include "state/acme_config.h"

/* See struct acme_engine_conf. */
struct acme_engine_pace {
    unsigned settle_ms;
    unsigned present_ms;
};

/* Does not return.  crashed: the last engine of this service died of itself.
 * With an errand of revocations it does those and ends. */
void acme_engine_process(const struct acme_config *config,
    struct acme_child *child, bool crashed,
    const struct acme_engine_pace *pace,
    const struct acme_store_errand *errand) __attribute__((noreturn));

#endif

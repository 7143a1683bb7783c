/* The engine as a process: everything until exit. */
#ifndef ACME_ENGINE_PROCESS_H
#define ACME_ENGINE_PROCESS_H

#include <stdbool.h>

#include "drive/acme_child.h"
#include "state/acme_config.h"

/*
 * Does not return.  crashed: the last engine of this service died of itself.
 * present_ms: see struct acme_job.
 */
void acme_engine_process(const struct acme_config *config,
    struct acme_child *child, bool crashed, unsigned present_ms)
    __attribute__((noreturn));

#endif

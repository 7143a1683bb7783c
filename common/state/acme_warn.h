/*
 * When people are told that a certificate is about to expire, although it
 * should have been renewed long ago.  Pure.
 */
#ifndef ACME_WARN_H
#define ACME_WARN_H

#include <stdbool.h>
#include <time.h>

#include "state/acme_config.h"

/* Whether so little is left of its life that people are warned
 * (acme_hooks_warn_window()), or it has expired.  not_after 0: there is none,
 * and nothing to warn of. */
bool acme_warn_is_due(const struct acme_lineage *lineage, time_t not_before,
    time_t not_after, time_t now);

#endif

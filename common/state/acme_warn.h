/*
 * When people are told that a certificate is about to expire, although it
 * should have been renewed long ago.  Pure.
 */
#ifndef ACME_WARN_H
#define ACME_WARN_H

#include <stdbool.h>
#include <time.h>

#include "state/acme_hooks.h"

/* From when on (acme_hooks_warn_window()); hooks NULL: nothing was said of
 * it. */
time_t acme_warn_at(const struct acme_hooks *hooks, time_t not_before,
    time_t not_after);

/* Whether that is so, or it has expired.  not_after 0: there is none, and
 * nothing to warn of. */
bool acme_warn_is_due(const struct acme_hooks *hooks, time_t not_before,
    time_t not_after, time_t now);

#endif

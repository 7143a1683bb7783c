#include "state/acme_warn.h"

#include <stddef.h>

time_t
acme_warn_at(const struct acme_hooks *hooks, time_t not_before,
    time_t not_after)
{
    struct acme_hooks usual;

    acme_hooks_init(&usual);
    if (not_after <= not_before)
        return not_after;
    return not_after -
           (time_t)acme_hooks_warn_window(hooks != NULL ? hooks : &usual,
               (long)(not_after - not_before));
}

bool
acme_warn_is_due(const struct acme_hooks *hooks, time_t not_before,
    time_t not_after, time_t now)
{
    return not_after != 0 && now > acme_warn_at(hooks, not_before, not_after);
}

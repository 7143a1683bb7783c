#include "state/acme_warn.h"

#include <stddef.h>

bool
acme_warn_is_due(const struct acme_lineage *lineage, time_t not_before,
    time_t not_after, time_t now)
{
    struct acme_hooks usual;
    const struct acme_hooks *hooks = lineage->hooks;

    acme_hooks_init(&usual);
    if (hooks == NULL)
        hooks = &usual;
    return not_after != 0 &&
           now > not_after - (time_t)acme_hooks_warn_window(hooks,
                                 (long)(not_after - not_before));
}

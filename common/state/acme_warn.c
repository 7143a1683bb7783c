#include "state/acme_warn.h"

unsigned
acme_warn_window(const struct acme_lineage *lineage)
{
    (void)lineage;
    return ACME_WARN_WINDOW;
}

bool
acme_warn_is_due(const struct acme_lineage *lineage, time_t not_before,
    time_t not_after, time_t now)
{
    time_t window =
        (not_after - not_before) / 100 * (time_t)acme_warn_window(lineage);

    /* lives of minutes, in tests and elsewhere */
    if (not_after - not_before < 100 * 60)
        window =
            (not_after - not_before) * (time_t)acme_warn_window(lineage) / 100;
    return not_after != 0 && now > not_after - window;
}

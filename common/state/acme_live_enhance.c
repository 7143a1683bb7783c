#include "state/acme_live_enhance.h"

#include <string.h>

/* What is said of HSTS itself goes before what a permanent redirect
 * implies. */
static void
find(const struct acme_enhance *said, unsigned grown, bool permanent,
    struct acme_live_enhance *out)
{
    const struct acme_hsts *hsts = &said->hsts;

    memset(out, 0, sizeof(*out));
    out->redirect = said->redirect == ACME_REDIRECT_UNSAID ? ACME_REDIRECT_OFF
                                                           : said->redirect;
    out->upgrade = said->upgrade == ACME_UPGRADE_ON;
    if (hsts->mode == ACME_HSTS_FIXED)
        (void)acme_hsts_text(hsts, hsts->max_age, out->hsts);
    else if (hsts->mode == ACME_HSTS_AUTO)
        (void)acme_hsts_text(hsts, grown, out->hsts);
    else if (hsts->mode == ACME_HSTS_UNSAID && permanent)
        (void)acme_hsts_text(hsts, ACME_HSTS_PERMANENT, out->hsts);
}

bool
acme_live_enhance(const struct acme_area *area, size_t lineage,
    const struct acme_enhance *said, time_t now, struct acme_live_enhance *out)
{
    struct acme_enhance both = *said;
    struct acme_area_enhance facts;

    memset(out, 0, sizeof(*out));
    out->redirect = ACME_REDIRECT_OFF;
    if (!acme_area_enhance(area, lineage, &facts) || facts.not_after <= now)
        return false;
    acme_enhance_merge(&both, &facts.enhance);
    find(&both, acme_hsts_auto(facts.hsts_since, facts.issued, now),
        said->redirect == ACME_REDIRECT_PERMANENT, out);
    return true;
}

void
acme_live_enhance_own(const struct acme_enhance *said,
    struct acme_live_enhance *out)
{
    find(said, acme_hsts_auto(0, 0, 0),
        said->redirect == ACME_REDIRECT_PERMANENT, out);
}

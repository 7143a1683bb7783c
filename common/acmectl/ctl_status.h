/* The document of state directories, as status and certificates show it. */
#ifndef ACME_CTL_STATUS_H
#define ACME_CTL_STATUS_H

#include "acmectl/ctl.h"

/*
 * Reads the document (common/STATUS.md) of every state directory, with the
 * lineages that --cert-name and -d mean, and prints it as JSON or, unless
 * quiet, shows it.  CTL_FAILED: also for one that there is not, said at the
 * end.
 */
int ctl_each_status(struct ctl *ctl,
    void (*show)(struct ctl *ctl, const struct acme_json *status));

#endif

/* The ways of issue that have files of their own. */
#ifndef ACME_CTL_ISSUE_H
#define ACME_CTL_ISSUE_H

#include "acmectl/ctl.h"

/* issue --csr: for a key that we do not have; files are all that is kept. */
int ctl_issue_csr(struct ctl *ctl);

#endif

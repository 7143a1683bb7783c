/* What the tables of verbs and options look like to people. */
#ifndef ACME_CTL_HELP_H
#define ACME_CTL_HELP_H

#include <stdio.h>

#include "acmectl/ctl_options.h"

/* All verbs, a line each. */
void ctl_help_print(FILE *out);

/* All of one verb. */
void ctl_help_verb(FILE *out, const struct ctl_verb *verb);

/* The manual page, as mdoc(7). */
void ctl_help_man(FILE *out);

#endif

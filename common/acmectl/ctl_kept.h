/*
 * What a lineage has kept, or a server's directives say of it, in the words of
 * options: which of them goes before which.
 */
#ifndef ACME_CTL_KEPT_H
#define ACME_CTL_KEPT_H

#include "acmectl/ctl_options.h"
#include "state/acme_settings.h"

/* Whether it is an option of which lineages have values. */
bool ctl_kept_is(const struct ctl_option *option);

/* The value that a declaration has of an option, as text in the arena; NULL:
 * it says nothing.  `declaration` is acme_declaration_render()'s. */
const char *ctl_kept_text(const struct acme_json *declaration,
    const struct ctl_option *option, struct acme_arena *arena);

/* What configuration files say does not count where the lineage itself has
 * something to say; the command line does. */
int ctl_kept_first(struct ctl *ctl, const struct acme_declaration *kept);

#endif

/*
 * Who answers the CA for a lineage of acmectl's: what the options say, as
 * Certbot's of these names do.
 */
#ifndef ACME_CTL_ANSWER_H
#define ACME_CTL_ANSWER_H

#include "acmectl/ctl.h"
#include "state/acme_proof.h"

/*
 * Puts into `proof`, which has what was kept, who answers.  CTL_USAGE: two are
 * named, or an option goes with another one, or nobody can be asked to do it
 * by hand.
 */
int ctl_answer_take(struct ctl *ctl, struct acme_proof *proof);

/* The names of --webroot-map count as those of -d: before these are looked
 * at. */
int ctl_webroot_domains(struct ctl *ctl);

/* Whether a webroot is named; and the words of acme_answer_set() for it, an
 * array of the arena. */
bool ctl_webroot_is_named(const struct ctl *ctl);
int ctl_webroot_words(struct ctl *ctl, const char *const **word, size_t *n);

#endif

/*
 * Which lineage a request for a certificate means, by its names, where its
 * name is not said: the same names are the same certificate, more names may
 * be meant to replace it, fewer are another one.
 */
#ifndef ACME_MATCH_H
#define ACME_MATCH_H

#include <stdbool.h>
#include <stddef.h>

enum acme_match_kind {
    ACME_MATCH_NEW,    /* none: a new lineage */
    ACME_MATCH_SAME,   /* one with exactly these names */
    ACME_MATCH_OTHER,  /* the one that is named, with other names */
    ACME_MATCH_EXPANDS /* one all of whose names are asked for, and more */
};

/* A list of canonical names, in any order, each once. */
struct acme_match_names {
    size_t n;
    const char *const *name;
};

/* What has been found so far; all zero at the beginning. */
struct acme_match {
    enum acme_match_kind kind;
    size_t index; /* of the lineage, as it was shown */
    size_t nnames;
};

/*
 * Looks at one lineage after the other; the best one stays: the one that is
 * named, else one with the same names, else the largest one that the request
 * would expand, and of equal ones the first.  `wanted` has no names where only
 * the lineage is named, which then is the same.  `is_named`: the request names
 * this lineage; `named`: it names one.
 */
void acme_match_look(struct acme_match *match, size_t index,
    const struct acme_match_names *has, const struct acme_match_names *wanted,
    bool named, bool is_named);

/* Whether all names of `part` are in `whole`. */
bool acme_match_covers(const struct acme_match_names *whole,
    const struct acme_match_names *part);

#endif

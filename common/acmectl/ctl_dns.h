/*
 * What the verbs of dns share: the records that the lineages of the state
 * directory want to see in the DNS, of each name at each of its CAs.
 */
#ifndef ACME_CTL_DNS_H
#define ACME_CTL_DNS_H

#include "acmectl/ctl.h"
#include "base/acme_arena.h"
#include "state/acme_issue.h"
#include "state/acme_proof.h"

/* "caa", and the challenges that are proved by a record. */
#define CTL_DNS_CAA ACME_CHALLENGE_TYPES
#define CTL_DNS_TYPES (ACME_CHALLENGE_TYPES + 1)

/* All of it in the arena. */
struct ctl_dns_row {
    unsigned type;    /* challenge, or CTL_DNS_CAA */
    const char *name; /* of a certificate */
    const char *ca;   /* name of the issuer */
    const char *owner;
    unsigned ttl;
    /* The record; or, with `value` NULL, what is made for each order. */
    const char *rr;  /* "CAA", "TXT", "CNAME" */
    const char *tag; /* of CAA */
    const char *value;
    const char *line; /* of a zone file; "; ..." without a record */
    /* What it is judged by. */
    struct acme_caa_wish caa;
    enum acme_challenge_type method[ACME_CHALLENGE_TYPES];
    struct acme_persist persist;
    const struct acme_proof *proof;
};

struct ctl_dns {
    struct ctl *ctl;
    struct acme_arena *arena;
    bool wanted[CTL_DNS_TYPES]; /* none: what each lineage uses */
    time_t until;               /* of dns-persist-01; 0: for ever */
    bool by_name;               /* names are asked for, not lineages */
    struct ctl_words asked;     /* none: all lineages */
    bool seen[CTL_WORDS_MAX];   /* of each, whether a lineage has it */
    size_t nrows;
    struct ctl_dns_row **row;
    int code; /* CTL_FAILED: something could not be told */
};

const char *ctl_dns_type_name(unsigned type);

/* Fills in the rows; code: with messages about what could not be told. */
int ctl_dns_collect(struct ctl_dns *dns, struct acme_store *store);

/* A row as JSON. */
struct acme_json *ctl_dns_render(const struct ctl_dns_row *row);

/* Looks all of them up; CTL_FAILED: one is not as it should be. */
int ctl_dns_look_up(struct ctl_dns *dns);

#endif

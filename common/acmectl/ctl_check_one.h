/*
 * acmectl check: one lineage, and what is found out about it by looking at the
 * disk, then by asking; and the report.
 */
#ifndef ACME_CTL_CHECK_ONE_H
#define ACME_CTL_CHECK_ONE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "acmectl/ctl.h"
#include "acmectl/ctl_check.h"
#include "drive/acme_control.h"

/* Why something has to be done; the words are what programs look for. */
enum reason {
    REASON_NEW,      /* no certificate yet */
    REASON_MISSING,  /* none of a key type that is wanted */
    REASON_CHANGED,  /* of other names, another CA or key type than wanted */
    REASON_CONFLICT, /* servers want different things */
    REASON_EXPIRING, /* people are warned of its end */
    REASON_EXPIRED,
    REASON_REVOKED,
    REASON_DAMAGED,     /* files that cannot be used */
    REASON_NOT_SERVED,  /* a server shows something else */
    REASON_NOT_STAPLED, /* so, without what clients ask of must-staple */
    REASONS
};

/* One lineage. */
struct one {
    char name[ACME_LINEAGE_MAX + 1];
    struct acme_json *status;
    unsigned reasons; /* bits */
    char damage[300];
    char issuer[ACME_URL_MAX]; /* directory of the first pair */
    struct acme_chain *chain[ACME_ALGORITHMS]; /* live; NULL: none */
    struct acme_leaf leaf[ACME_ALGORITHMS];
    struct acme_json *shown; /* array: what servers show */
    struct acme_json *asked; /* array: what the CA says */
};

struct check {
    struct ctl *ctl;
    struct acme_store *store;
    time_t now;
    char host[CTL_HOST_MAX]; /* --connect-to; "" not given */
    unsigned port;
    bool used[CTL_WORDS_MAX]; /* names of -d */
    size_t n;
    struct one **one;
    size_t nservers;
    struct acme_control_server *server;
    size_t nprobes;
    struct ctl_probe *probe;
};

/* Somebody declares it. */
bool ctl_check_is_wanted(const struct one *one);

/* False: servers want it, and none of those runs. */
bool ctl_check_has_server(const struct check *check, const struct one *one);

/* Whether that member is that word. */
bool ctl_check_has_word(const struct acme_json *row, const char *member,
    const char *word);

/* Prints all of it.  CTL_OK: there is nothing to be done. */
int ctl_check_report(struct check *check);

#endif

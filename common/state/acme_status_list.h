/*
 * All lineages of a server by how urgent they are, and how many there are of
 * each kind: one pass over the key area, for pages that show some of them.
 */
#ifndef ACME_STATUS_LIST_H
#define ACME_STATUS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "state/acme_area.h"
#include "state/acme_condition.h"

/* Which ones are listed. */
struct acme_status_filter {
    /* Part of a name, an issuer or a state, in any case; "": all. */
    const char *text;
    enum acme_condition condition; /* ACME_CONDITIONS: all */
};

struct acme_status_row {
    size_t lineage;
    enum acme_condition condition;
    time_t until; /* first end of a certificate; 0: there is none */
};

struct acme_status_list {
    /* Of all, whatever the filter says. */
    size_t total, unknown; /* not told of yet */
    size_t count[ACME_CONDITIONS];
    time_t next; /* renewal, of those that are well; 0: none */
    /* Those that pass, the most urgent first. */
    size_t nrows;
    struct acme_status_row *row;
};

/* False: no memory. */
bool acme_status_list_read(const struct acme_area *area, size_t nlineages,
    const struct acme_status_filter *filter, struct acme_status_list *list);
void acme_status_list_clear(struct acme_status_list *list);

/* How much it wants somebody's attention. */
enum acme_concern {
    ACME_CONCERN_URGENT, /* clients notice, or nothing goes on without a person
                          */
    ACME_CONCERN_DOUBT,  /* not right, but there is time */
    ACME_CONCERN_WORK,   /* it is seen to */
    ACME_CONCERN_NONE,
    ACME_CONCERN_OLD, /* nobody wants it */
};
enum acme_concern acme_status_concern(enum acme_condition condition);

/* ACME_CONDITIONS: no such word. */
enum acme_condition acme_status_condition(const char *word);

/* Whether what renews certificates has given a sign of life lately. */
bool acme_status_is_alive(const struct acme_area *area, time_t now);

/* How many need attention. */
size_t acme_status_list_troubled(const struct acme_status_list *list);

#endif

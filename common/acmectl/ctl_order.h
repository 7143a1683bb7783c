/*
 * One certificate that a person has asked for, ordered by processes of
 * acmectl's own.
 */
#ifndef ACME_CTL_ORDER_H
#define ACME_CTL_ORDER_H

#include "acmectl/ctl_alone.h"
#include "acmectl/ctl_wish.h"

struct ctl_order {
    struct ctl *ctl;
    struct acme_store *store; /* of ctl->state[0] */
    struct ctl_wish *wish;
    const char *name; /* of the lineage */
    size_t nnames;
    const char *const *names;
    bool force; /* although nothing is due */
    /* What became of it: */
    bool ok;
    char text[ACME_LOG_LINE_MAX];
};

/*
 * Has it ordered, or tries it.  CTL_OK: order->ok.  CTL_FAILED: it is not, and
 * order->text says why, or that was said, and the text is empty.  CTL_USAGE.
 */
int ctl_order_run(struct ctl_order *order);

/* Says what became of it, where there is something to say: for people, or
 * (json not NULL, which is taken) with what is in there. */
void ctl_order_tell(const struct ctl_order *order, const char *name,
    struct acme_json *json);

#endif

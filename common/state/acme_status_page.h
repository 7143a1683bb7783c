/*
 * The status as a page for people, out of the key area: all certificates, the
 * most urgent first, or one of them.  It is whole without script and without
 * anything from elsewhere; whatever is a stranger's text is text in it.  Pure
 * but for reading the area; safe for threads.
 */
#ifndef ACME_STATUS_PAGE_H
#define ACME_STATUS_PAGE_H

#include <stdbool.h>
#include <time.h>

#include "base/acme_buf.h"
#include "state/acme_area.h"
#include "state/acme_status_list.h"

struct acme_status_page {
    const struct acme_area *area;
    size_t nlineages;
    time_t now;
    bool admin;       /* renewals can be asked for */
    const char *base; /* before the "?" of links: "" from the list's own place,
                         "./" from below it */
    /* Of a list: */
    struct acme_status_filter filter;
    size_t number; /* of its parts of ACME_STATUS_ROWS; the first is 1, and
                      what is behind the last is the last */
};

/* Rows of one part: some 100 kB. */
#define ACME_STATUS_ROWS 100

/* Each appends a whole document.  False: no memory. */
bool acme_status_page_list(const struct acme_status_page *page,
    struct acme_buf *out);

/* False too if nothing is known of it yet. */
bool acme_status_page_one(const struct acme_status_page *page, size_t lineage,
    struct acme_buf *out);

/* Why there is no such page, in words of ours; `base` as above. */
void acme_status_page_error(const char *base, const char *why,
    struct acme_buf *out);

/* Appends the content security policy of all of them: nothing but what is in
 * them. */
void acme_status_page_policy(struct acme_buf *out);

#endif

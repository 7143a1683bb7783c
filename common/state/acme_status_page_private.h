/*
 * Parts of a page: acme_status_page.c has the list, _one.c a single
 * certificate, _parts.c what both have and _style.c what they look like.
 */
#ifndef ACME_STATUS_PAGE_PRIVATE_H
#define ACME_STATUS_PAGE_PRIVATE_H

#include "state/acme_status_page.h"
#include "wrap/acme_html.h"
#include "wrap/acme_json_flat.h"

extern const char acme_page_style[];
extern const char acme_page_script[];

/* The document's frame; the title is a stranger's, or NULL. */
void acme_page_begin(struct acme_buf *out, const char *title);
void acme_page_end(struct acme_buf *out, bool script);

/* "expired" as a coloured word. */
void acme_page_state(struct acme_buf *out, enum acme_condition condition);

/* The class that colours it. */
const char *acme_page_class(enum acme_condition condition);

/* "58 days", "1 hour": a time of that many seconds. */
void acme_page_span(struct acme_buf *out, time_t seconds);

/* "in 58 days", "3 hours ago", with the time itself to be looked at. */
void acme_page_when(struct acme_buf *out, time_t at, time_t now);

/* "21 Nov 2026", and with ", 13:45 UTC". */
void acme_page_day(struct acme_buf *out, time_t at);
void acme_page_time(struct acme_buf *out, time_t at);

/* A certificate's life as a bar, what is left of it filled, with a mark where
 * it is renewed (0: not planned). */
void acme_page_life(struct acme_buf *out, time_t from, time_t until,
    time_t renewal, time_t now);

/* A link to one certificate's page. */
void acme_page_link(struct acme_buf *out, const char *base, const char *name);

/* A form of one button that asks for a renewal. */
void acme_page_renew(struct acme_buf *out, const char *base, const char *name);

/* What went wrong, and what becomes of it; `json` is the lineage. */
void acme_page_problem(struct acme_buf *out,
    const struct acme_json_value *json, time_t now);

#endif

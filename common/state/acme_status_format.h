/*
 * In which of its forms the status is wanted: what a query says, or else what
 * a client accepts (RFC 9110 12.5.1).  Pure.
 */
#ifndef ACME_STATUS_FORMAT_H
#define ACME_STATUS_FORMAT_H

#include <stdbool.h>

enum acme_status_format {
    ACME_STATUS_JSON, /* for whoever says nothing */
    ACME_STATUS_HTML,
    ACME_STATUS_OPENMETRICS,
    ACME_STATUS_PROMETHEUS, /* the same in the text format before that */
    ACME_STATUS_FORMATS
};

/* The word of a query: "json", "html", "openmetrics", "prometheus". */
bool acme_status_format_parse(const char *word,
    enum acme_status_format *format);

/*
 * What is liked best of an Accept field (NULL: there was none); of several
 * the first of the list above, which is also what anybody gets who accepts
 * none of them.
 */
enum acme_status_format acme_status_format_accepted(const char *accept);

/* Of Content-Type. */
const char *acme_status_format_type(enum acme_status_format format);

#endif

/*
 * Internationalized names (RFC 5890) as people write and read them; the only
 * file that knows libidn2.  For configurations and for display: what comes
 * from the network or the disk is ASCII, or it is no name.
 */
#ifndef ACME_IDN_H
#define ACME_IDN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"

/*
 * acme_name_parse() for a text that somebody has written: labels that are not
 * ASCII are taken as UTF-8 and become A-labels (IDNA 2008, after the
 * non-transitional mapping of UTS #46: lower case, NFC, full stops of other
 * scripts).  A final dot is left out.  ACME_CONFIG, with the name, libidn2's
 * reason and the cure.
 */
enum acme_rc acme_idn_parse(const char *text, size_t len,
    char out[ACME_NAME_MAX + 1], struct acme_error *err);

/* A DNS name's UTF-8 text, 4 bytes for each character at most. */
#define ACME_IDN_TEXT_MAX (4 * ACME_NAME_MAX)

/*
 * The U-labels of a canonical name, in `out`; false: it has none, or it has
 * A-labels that stand for nothing.
 */
bool acme_idn_show(const char *name, char out[ACME_IDN_TEXT_MAX + 1]);

#endif

/*
 * Identifiers: DNS names, wildcards and IP addresses in one canonical text
 * form.  DNS names are lower case A-labels without a final dot; IPv6 is in
 * the form of inet_ntop(), without brackets.  Knows nothing of DNS itself.
 */
#ifndef ACME_NAME_H
#define ACME_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"

/*
 * Canonical form of `len` bytes of text into `out`.  Refuses, with the reason
 * and the cure in `err` (ACME_CONFIG): empty, too long, empty label, label
 * over 63 bytes, characters outside letters, digits, hyphen (underscore too:
 * no CA issues for it), leading or trailing hyphen, a `*` that is not the
 * whole first label, a single label after `*.`, a top label of digits only,
 * a non-ASCII name: operators may write one (wrap/acme_idn.h), nobody else.
 */
enum acme_rc acme_name_parse(const char *text, size_t len,
    char out[ACME_NAME_MAX + 1], struct acme_error *err);

/* On canonical names. */
bool acme_name_is_ip(const char *name);
bool acme_name_is_wildcard(const char *name);

/* Whether a certificate name covers an identifier: equal, or a wildcard over
 * exactly one label (RFC 6125 6.4.3). */
bool acme_name_covers(const char *certificate_name, const char *name);

/*
 * The canonical name of a Host header's or SNI's `len` bytes: port, brackets
 * and one final dot removed, lower case.  False: not a name we could manage.
 */
bool acme_name_from_host(const char *host, size_t len,
    char out[ACME_NAME_MAX + 1]);

/*
 * The address that a canonical name below in-addr.arpa or ip6.arpa stands for
 * (RFC 1035 3.5, RFC 3596 2.5), canonical.  False: it is no whole address.
 */
bool acme_name_from_arpa(const char *name, char out[ACME_NAME_MAX + 1]);

/* The way back: what a canonical address is called there, as who asks for it
 * in a handshake calls it (RFC 8738 6).  False: it is none. */
bool acme_name_to_arpa(const char *address, char out[ACME_NAME_MAX + 1]);

/*
 * Whether a lineage may have this name: it becomes a directory.  1 to
 * ACME_LINEAGE_MAX of [A-Za-z0-9._:-], no leading dot or dash.
 */
enum acme_rc acme_lineage_name_check(const char *name, struct acme_error *err);

#endif

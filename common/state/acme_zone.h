/*
 * Resource records as lines of a zone file (RFC 1035 5.1, RFC 8659 4.1.1),
 * for people to publish.
 */
#ifndef ACME_ZONE_H
#define ACME_ZONE_H

#include <stddef.h>

#include "base/acme_buf.h"

/* RFC 2181 8: the longest time to live. */
#define ACME_ZONE_TTL_MAX 2147483647u

/* Where nobody said another one. */
#define ACME_ZONE_TTL 600

/* Each appends one line without its end.  Owner and target are names without
 * a final dot, which they get: the line means the same in any zone. */

/* The text goes into as many strings of 255 bytes as it needs. */
void acme_zone_txt(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *text, size_t len);
void acme_zone_caa(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *tag, const char *value);
void acme_zone_cname(struct acme_buf *out, const char *owner, unsigned ttl,
    const char *target);

#endif

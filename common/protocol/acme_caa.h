/*
 * What the CAA records of a domain say of a CA: RFC 8659 4, and RFC 8657 for
 * the account and the way of validation.  Pure: the records are there; where
 * they are looked for is the caller's affair (RFC 8659 3).
 */
#ifndef ACME_CAA_H
#define ACME_CAA_H

#include <stdbool.h>
#include <stddef.h>

/* One record, as it came out of the DNS: both are bytes of somebody else's,
 * and end with a NUL that does not count. */
struct acme_caa_property {
    unsigned flags;
    const char *tag;
    size_t tag_len;
    const char *value;
    size_t value_len;
};

/* Who wants to know: what the CA calls itself in such records (the directory's
 * meta.caaIdentities), our account there, and how the name is to be proved. */
struct acme_caa_asker {
    size_t nidentities; /* 0: it does not say */
    const char *const *identity;
    const char *account; /* URL; NULL: not known yet */
    const char *method;  /* "http-01"; NULL: not known */
    bool wildcard;
};

enum acme_caa_answer {
    ACME_CAA_ALLOWED,
    ACME_CAA_FORBIDDEN,
    ACME_CAA_UNKNOWN /* it depends on what the asker does not know */
};

/*
 * Judges the n > 0 records of one domain.  `why` is text for people in any
 * case, printable: what follows "the CAA records of example.com".
 */
enum acme_caa_answer acme_caa_judge(const struct acme_caa_property *property,
    size_t n, const struct acme_caa_asker *asker, char *why, size_t size);

#endif

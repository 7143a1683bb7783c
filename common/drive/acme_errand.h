/*
 * What the engine asks the runner for, or who listens in a server's place:
 * the answer to a challenge, a record in the DNS or what is found at the name,
 * to be made or taken away.  By which program, or in which directory, is never
 * in it: that is in the configuration.
 */
#ifndef ACME_ERRAND_H
#define ACME_ERRAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_limits.h"
#include "state/acme_challenge_type.h"
#include "state/acme_frame.h"
#include "state/acme_proof.h"

/* RFC 1035 2.3.4, with the labels in front of a name. */
#define ACME_OWNER_MAX 253

struct acme_errand {
    bool add;    /* or take it away; then: */
    bool failed; /* the order came to nothing */
    enum acme_challenge_type type;
    char name[ACME_NAME_MAX + 1];   /* a wildcard has its "*." */
    char owner[ACME_OWNER_MAX + 1]; /* of a record; else the name */
    /* Of a record; else the thumbprint, which makes, behind the token and a
     * dot, the key authorization. */
    char value[ACME_THUMBPRINT_LEN + 1];
    char token[ACME_TOKEN_MAX + 1];
    unsigned remaining; /* records of this order that come after it */
    /* Borrowed: the names of the order that are proved like it, with commas,
     * and what was written when the record was made.  Not ended by NUL. */
    const char *all;
    size_t all_len;
    const char *output;
    size_t output_len;
};

/* Into a frame of ACME_VERB_HOOK, whose index is the lineage's. */
void acme_errand_render(const struct acme_errand *errand, uint32_t lineage,
    struct acme_buf *frame);

/*
 * Out of one, which it borrows from then on.  False: it is not what an engine
 * of ours sends: a challenge without a record, a name that is none, a record
 * that is neither one for this name nor in a zone that `proof` names, a value
 * or token that is not base64url.
 */
bool acme_errand_parse(struct acme_frame *frame,
    const struct acme_proof *proof, struct acme_errand *errand);

/* The key authorization of one that is no record. */
void acme_errand_authorization(const struct acme_errand *errand,
    char text[ACME_KEY_AUTHORIZATION_MAX + 1]);

/* What came of it, besides an error. */
struct acme_errand_end {
    bool refused;  /* nothing needs to be taken away */
    bool declined; /* the program does not want this challenge; another one of
                      the name may do */
};

/* The answer: an error, what the program wrote, and the above.  On success
 * `output` may be empty. */
void acme_errand_reply(const struct acme_error *err,
    const struct acme_buf *output, const struct acme_errand_end *end,
    struct acme_buf *frame);
/* Its rc; `output` is borrowed.  ACME_IO: it is none. */
enum acme_rc acme_errand_outcome(const struct acme_buf *data,
    const char **output, size_t *output_len, struct acme_errand_end *end,
    struct acme_error *err);

#endif

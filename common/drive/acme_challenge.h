/*
 * Answers to the requests of a CA that validates by http-01 (RFC 8555 8.3),
 * made from the token in the path: who is answered, and with whose
 * thumbprint.  Called for requests, so it neither blocks nor allocates, and it
 * says nothing; whoever it declines is the server's.
 */
#ifndef ACME_CHALLENGE_H
#define ACME_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

#define ACME_CHALLENGE_PATH "/.well-known/acme-challenge/"

enum acme_answers {
    ACME_ANSWERS_OFF,     /* nothing */
    ACME_ANSWERS_PENDING, /* tokens of orders in flight, by (name, token) */
    ACME_ANSWERS_ON,      /* these, and any token for a lineage's name */
    ACME_ANSWERS_ANY      /* these, and any token for any name */
};

/* What one server, of those that a host knows, answers. */
struct acme_answering {
    enum acme_answers mode;
    int issuer; /* ANY: whose account answers for others' names; -1: none */
    int thumbprint; /* of the configuration's, for others' names; -1: none */
};

/* ACME_ANSWERS_ON, for the names of lineages alone. */
extern const struct acme_answering acme_answering_default;

/* Its words, "on", "any", "pending" and "off", in any case.  ACME_CONFIG. */
enum acme_rc acme_answering_mode(const char *word, enum acme_answers *mode,
    struct acme_error *err);

/*
 * Completes what one server answers: ANY without a thumbprint is for the
 * account of issuer `own`, or with -1 of the first there is.  ACME_CONFIG: it
 * has none, or one whose key was not chosen (S40: the key of every name).
 */
enum acme_rc acme_answering_finish(struct acme_answering *how,
    const struct acme_config *config, int own, struct acme_error *err);

/* What the operator of such a server must know; NULL: nothing.  `written`: the
 * thumbprint is not one that the server has inherited. */
const char *acme_answering_warning(const struct acme_answering *how,
    bool written);

/* How many thumbprints an area has room for: those of the issuers, and behind
 * them those of the configuration that are in files. */
size_t acme_challenge_thumbprints(const struct acme_config *config);

/*
 * The body to answer a request with, or false to decline it.  `path` must be
 * ACME_CHALLENGE_PATH and a token; `host` is as sent, and may be empty.  A
 * pending (name, token) decides first, then the issuer of the lineage that has
 * the name, if http-01 is no challenge that it does without, then what `how`
 * says of others' names.  `area` NULL: there is
 * none, only thumbprints that are values.
 */
bool acme_challenge_answer(const struct acme_config *config,
    const struct acme_area *area, const struct acme_answering *how,
    const char *host, size_t host_len, const char *path, size_t path_len,
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1]);

#endif

/*
 * The key area: memory that one generation of a server's configuration shares
 * between its store process (the only writer) and its workers (readers).  One
 * slot per lineage with the keys and chains to serve, the thumbprints to
 * answer challenges with, and the pending tokens of others.  Readers trust
 * nothing in it: every offset and length is checked, a torn or bad slot means
 * "keep what you have".
 */
#ifndef ACME_AREA_H
#define ACME_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_challenge_type.h"
#include "state/acme_enhance.h"
#include "wrap/acme_key.h"

struct acme_area;

/* Shared memory without a name, not in core dumps, pages touched only where
 * used.  Made before the fork. */
enum acme_rc acme_area_new(size_t nlineages, size_t nissuers,
    struct acme_area **area, struct acme_error *err);
/* Unmaps it in this process; accepts NULL. */
void acme_area_free(struct acme_area *area);

/*
 * Whether processes forked from now on have the area.  One that does not can
 * still take it with acme_area_open(), read-only for good, while its user is
 * that of acme_area_new(); of what it inherits nothing else opens it.  Without
 * effect where the system cannot do it (Linux with /proc can): then all have
 * it, and acme_area_open() has nothing to do.
 */
void acme_area_inherit(struct acme_area *area, bool inherit);
enum acme_rc acme_area_open(struct acme_area *area, struct acme_error *err);

/* ---- the store's side ------------------------------------------------- */

struct acme_area_pair {
    enum acme_key_type type;
    bool spare;      /* another lineage's, for names that ours do not cover */
    const void *key; /* PKCS#8 */
    size_t key_len;
    const void *chain; /* certificates one behind the other, leaf first */
    size_t chain_len;
    const void *staple;  /* what its responder says (OCSP), to be sent along */
    size_t staple_len;   /* 0: nothing */
    time_t staple_until; /* not from then on */
};

/*
 * Fills a slot and moves its generation on.  At most ACME_SLOT_PAIRS_MAX, its
 * own before the spare ones; npairs 0 empties it.
 * ACME_REFUSED: does not fit.  `version` is the lineage's version number,
 * for people.
 */
enum acme_rc acme_area_put(struct acme_area *area, size_t lineage,
    const struct acme_area_pair *pairs, size_t npairs, unsigned version,
    struct acme_error *err);

/* "" removes it. */
void acme_area_put_thumbprint(struct acme_area *area, size_t issuer,
    const char *thumbprint);

/* The pending challenges of everybody's orders, replacing all. At most
 * ACME_TOKENS_MAX are kept. */
struct acme_area_token {
    char name[ACME_NAME_MAX + 1];
    char token[ACME_TOKEN_MAX + 1];
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    enum acme_challenge_type type; /* the others are of no use here */
    int64_t presented;             /* when: seconds since the epoch */
};
void acme_area_put_tokens(struct acme_area *area,
    const struct acme_area_token *tokens, size_t ntokens);

/*
 * The key of an algorithm (a number of acme_key_algorithm_number()) for the
 * certificates that prove names by tls-alpn-01: PKCS#8.  To have it gives no
 * power over anything.  ACME_REFUSED: too long.
 */
enum acme_rc acme_area_put_alpn_key(struct acme_area *area, size_t algorithm,
    const void *der, size_t len, struct acme_error *err);

/*
 * What there is to know of a lineage, as text for people (STATUS.md): of at
 * most ACME_STATUS_BYTES, or ACME_REFUSED.  In the place of a lineage's index
 * ACME_AREA_SERVER is of the server as a whole.
 */
#define ACME_AREA_SERVER SIZE_MAX
enum acme_rc acme_area_put_status(struct acme_area *area, size_t lineage,
    const void *text, size_t len, struct acme_error *err);

/* What is said of a lineage's requests, and since when HSTS grows (0: it does
 * not). */
void acme_area_put_enhance(struct acme_area *area, size_t lineage,
    const struct acme_enhance *enhance, time_t hsts_since);

/* Of what is in the slot: the first time that one of them was issued (0: not
 * known), and the first end (0: nothing is there). */
void acme_area_put_life(struct acme_area *area, size_t lineage, time_t issued,
    time_t not_after);

/* The store's sign of life. */
void acme_area_beat(struct acme_area *area, time_t now);

/* Whether a worker has served the lineage since the area was made. */
bool acme_area_has_traffic(const struct acme_area *area, size_t lineage);

/* Whether a worker asks for a renewal of the lineage. */
bool acme_area_is_asked(const struct acme_area *area, size_t lineage);

/* That question has been heard; the next one is none before `until`. */
void acme_area_put_rest(struct acme_area *area, size_t lineage, time_t until);

/* ---- the workers' side ------------------------------------------------ */

/* This and the next one are all that a worker ever writes; believed for the
 * order of work and nothing else. */
void acme_area_note_traffic(const struct acme_area *area, size_t lineage);

/* Asks for a renewal of the lineage.  False: somebody else has done so, and
 * the store has not heard of it yet. */
bool acme_area_ask(const struct acme_area *area, size_t lineage);

/* No question is heard before then; 0: at once. */
time_t acme_area_rest(const struct acme_area *area, size_t lineage);

/* Best effort: read-only in this process from now on, so that a worker's
 * stray write is its own end and not that of everybody's keys. */
void acme_area_protect(struct acme_area *area);

/* 0: never filled.  Changes with every acme_area_put(). */
uint32_t acme_area_generation(const struct acme_area *area, size_t lineage);

/* Version number in the slot; 0: empty. */
unsigned acme_area_version(const struct acme_area *area, size_t lineage);

/* What the store has said of these; false: it is torn. */
struct acme_area_enhance {
    struct acme_enhance enhance;
    time_t hsts_since;
    time_t issued, not_after;
};
bool acme_area_enhance(const struct acme_area *area, size_t lineage,
    struct acme_area_enhance *out);

/*
 * Copies a slot's pairs into `copy` (secret, reset first) and points `pairs`
 * (ACME_SLOT_PAIRS_MAX) into it.  *generation is that of the copy.  False:
 * empty, torn (a writer was at it) or bad: keep what you have and ask again
 * later.
 */
bool acme_area_get(const struct acme_area *area, size_t lineage,
    struct acme_buf *copy, struct acme_area_pair *pairs, size_t *npairs,
    uint32_t *generation);

/*
 * The key authorization for a token asked for at `name` (canonical).
 * `issuer` is the index of the issuer of the lineage that wants the name, or
 * -1 for a name of ours no lineage has.  A pending (name, token) decides
 * first, then the issuer's thumbprint; false: decline.  The token must have
 * passed acme_token_ok().
 */
bool acme_area_answer(const struct acme_area *area, const char *name,
    int issuer, const char *token, size_t token_len,
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1]);

/* Whether a tls-alpn-01 challenge is pending, of whatever name: one load. */
bool acme_area_alpn_is_pending(const struct acme_area *area);

/*
 * What a client that names the server so (canonical) can be proved by
 * tls-alpn-01: the identifier, which is the name or the address it stands for
 * (RFC 8738 6), and its key authorization; of several the one presented last.
 * False: nothing.
 */
bool acme_area_alpn_answer(const struct acme_area *area,
    const char *server_name, char identifier[ACME_NAME_MAX + 1],
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1]);

/* Appends a key of acme_area_put_alpn_key() to a secret buffer.  False: there
 * is none. */
bool acme_area_alpn_key(const struct acme_area *area, size_t algorithm,
    struct acme_buf *der);

/* Appends the text of acme_area_put_status(), as one writer has left it.
 * False: there is none yet, or it is torn or bad; nothing is appended. */
bool acme_area_status(const struct acme_area *area, size_t lineage,
    struct acme_buf *out);

/* Another one as soon as any of these texts is another, and in any other
 * area; taken before the texts are read. */
uint64_t acme_area_status_stamp(const struct acme_area *area);

/* Time of the last beat; 0: none yet. */
time_t acme_area_last_beat(const struct acme_area *area);

#endif

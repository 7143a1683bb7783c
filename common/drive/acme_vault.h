/*
 * The state directory as the engine sees it: typed questions over frames to
 * the store process.  Knows no path.  Every call blocks until the store has
 * answered; notices that arrive meanwhile are kept for acme_vault_notice().
 * Any thread may call; one question is asked at a time.
 */
#ifndef ACME_VAULT_H
#define ACME_VAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "protocol/acme_binding.h"
#include "state/acme_area.h"
#include "state/acme_event.h"
#include "state/acme_frame.h"
#include "state/acme_record.h"
#include "state/acme_tally.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_tsig.h"
#include "wrap/acme_x509.h"

struct acme_vault;

/*
 * How a request reaches the store: over a socket (acme_vault_new()), or
 * within the process (tests).  `reply` is reset first.
 */
typedef enum acme_rc acme_vault_exchange(void *ctx, struct acme_buf *request,
    struct acme_buf *reply, struct acme_error *err);

/* Over the engine's end of the pair; borrows the descriptor. */
enum acme_rc acme_vault_new(int fd, struct acme_vault **vault,
    struct acme_error *err);
enum acme_rc acme_vault_new_direct(acme_vault_exchange *exchange, void *ctx,
    struct acme_vault **vault, struct acme_error *err);
void acme_vault_free(struct acme_vault *vault); /* accepts NULL */

/* What the store tells on its own account. */
struct acme_notice {
    enum acme_verb verb; /* ACME_VERB_RENEW or ACME_VERB_CHANGED */
    size_t lineage;
    unsigned flags;
    uint64_t id; /* of a RENEW: given back in acme_vault_done() */
};

/* The next notice, without blocking; false: none.  ACME_IO in *rc: the
 * store is gone. */
bool acme_vault_notice(struct acme_vault *vault, struct acme_notice *notice,
    enum acme_rc *rc);

/* Whether the store has gone: every call fails from then on. */
bool acme_vault_is_gone(const struct acme_vault *vault);

/* Answers a RENEW. */
enum acme_rc acme_vault_done(struct acme_vault *vault, uint64_t id, bool ok,
    const char *text, struct acme_error *err);

/* A unit now: what is wanted of it, what is served, what happened. */
struct acme_vault_unit {
    size_t nnames;
    const char **names;                        /* in `arena` */
    bool must_staple, reuse_key, allow_subset; /* see struct acme_lineage */
    bool csr; /* the signing request is the operator's, so is the key */
    enum acme_key_type type; /* ACME_KEY_NONE: it is not wanted */
    const char *conflict;    /* contradictory declarations; NULL: none */
    unsigned version;        /* the lineage's; 0: none */
    enum acme_key_type live_type;
    struct acme_chain *leaf; /* the live one's; NULL: none */
    bool order;              /* one is in flight */
    bool other_issuer;       /* the live one is of another CA than wanted */
    bool revoked;            /* the live one, as acmectl or the record says;
                                its key is not used again */
    bool issued_by_known;    /* it is of a CA of this configuration, */
    size_t issued_by;        /* this issuer's */
    time_t staple_since; /* what is stapled to the live one says so much of */
    time_t staple_until; /* its validity; 0: nothing is */
    struct acme_record record;
    struct acme_arena *arena;
};
enum acme_rc acme_vault_unit(struct acme_vault *vault, size_t unit,
    struct acme_vault_unit *out, struct acme_error *err);
void acme_vault_unit_clear(struct acme_vault_unit *unit);

/* Whether a client has asked for the unit's lineage lately; true also if that
 * cannot be told. */
bool acme_vault_traffic(struct acme_vault *vault, size_t unit);

enum acme_rc acme_vault_record(struct acme_vault *vault, size_t unit,
    const struct acme_record *record, struct acme_error *err);
/* The same, but the store keeps it in mind, and writes it only when it ends
 * before another one has come: for what matters if this process dies. */
enum acme_rc acme_vault_note(struct acme_vault *vault, size_t unit,
    const struct acme_record *record, struct acme_error *err);

/* The lock is the unit's lineage's.  ACME_BUSY names the holder.  Held until
 * unlocked or this process ends. */
enum acme_rc acme_vault_lock(struct acme_vault *vault, size_t unit,
    struct acme_error *err);
void acme_vault_unlock(struct acme_vault *vault, size_t unit);

/* The issuer's account key (caller's reference) and URL ("" unknown).
 * ACME_NOENT: no key yet. */
enum acme_rc acme_vault_account(struct acme_vault *vault, size_t issuer,
    struct acme_key **key, char url[ACME_URL_MAX], struct acme_error *err);
/* Offers a new key; *key is replaced by the one that counts, should somebody
 * else have been first. */
enum acme_rc acme_vault_account_key(struct acme_vault *vault, size_t issuer,
    struct acme_key **key, struct acme_error *err);
/* acmectl only: the CA has deactivated the issuer's account, it is put aside.
 */
enum acme_rc acme_vault_account_dead(struct acme_vault *vault, size_t issuer,
    struct acme_error *err);

/*
 * The account's key is being changed, or that was interrupted
 * (keys/rekey.json): the other one of the two (caller's reference), which may
 * be the one that the CA knows; _moved: it is.  `ours`: it is we who change
 * it.  ACME_NOENT: nothing is changed.  ACME_BUSY: somebody is at it.
 */
enum acme_rc acme_vault_other_key(struct acme_vault *vault, size_t issuer,
    bool ours, struct acme_key **key, struct acme_error *err);
enum acme_rc acme_vault_account_moved(struct acme_vault *vault, size_t issuer,
    struct acme_error *err);

/* Whether the configuration says of the account's contacts something that the
 * CA has not been told; that it has been, and how that went. */
enum acme_rc acme_vault_contacts(struct acme_vault *vault, size_t issuer,
    bool *due, struct acme_error *err);
enum acme_rc acme_vault_contacts_told(struct acme_vault *vault, size_t issuer,
    enum acme_contacts how, struct acme_error *err);
/* The issuer's external account binding; ACME_CONFIG: its file cannot be
 * used, by name. */
enum acme_rc acme_vault_binding(struct acme_vault *vault, size_t issuer,
    struct acme_binding *binding, struct acme_error *err);

/* The key that the DNS of the unit's names is changed with; ACME_CONFIG: its
 * file cannot be used, ACME_NOENT: none is configured. */
enum acme_rc acme_vault_tsig(struct acme_vault *vault, size_t unit,
    struct acme_tsig *key, struct acme_error *err);
/* *is_new: it was not known yet. */
enum acme_rc acme_vault_account_url(struct acme_vault *vault, size_t issuer,
    const char *url, bool *is_new, struct acme_error *err);

/* The order in flight: its blob and certificate key (NULL: there is none, it
 * is the operator's).  ACME_NOENT: no order.  _put is for a new one. */
enum acme_rc acme_vault_order(struct acme_vault *vault, size_t unit,
    struct acme_buf *text, struct acme_key **key, struct acme_error *err);
enum acme_rc acme_vault_order_put(struct acme_vault *vault, size_t unit,
    const struct acme_buf *text, const struct acme_key *key,
    struct acme_error *err);
/* Only the blob, of the order that is there; kept as acme_vault_note() does.
 */
enum acme_rc acme_vault_order_note(struct acme_vault *vault, size_t unit,
    const struct acme_buf *text, struct acme_error *err);
enum acme_rc acme_vault_order_drop(struct acme_vault *vault, size_t unit,
    struct acme_error *err);

/* The key of the live certificate (caller's reference), where a renewal keeps
 * it and it is of the wanted type; ACME_NOENT: a new one is to be made.  The
 * lock is held. */
enum acme_rc acme_vault_live_key(struct acme_vault *vault, size_t unit,
    struct acme_key **key, struct acme_error *err);

/* The live certificate with its issuers.  ACME_NOENT: none. */
enum acme_rc acme_vault_chain(struct acme_vault *vault, size_t unit,
    struct acme_chain **chain, struct acme_error *err);

/* The operator's own signing request, read and checked by the store just now:
 * caller's.  ACME_IO: it is not for the wanted names, or not to be read. */
enum acme_rc acme_vault_csr(struct acme_vault *vault, size_t unit,
    struct acme_csr **csr, struct acme_error *err);

/* Makes challenges of an issuer of the unit's list answerable; type, name and
 * token of each count.  *others: other servers live on the state directory,
 * and see them a moment later. */
enum acme_rc acme_vault_challenges(struct acme_vault *vault, size_t unit,
    size_t issuer, const struct acme_area_token *tokens, size_t ntokens,
    bool *others, struct acme_error *err);

/*
 * Offers a certificate of an issuer of the unit's list.  The store checks it,
 * makes it durable and live, and serves it: ACME_OK and the version's number.
 * ACME_REFUSED: why not.  A public key: the
 * operator has the other half.  staple: its responder's answer, or nothing.
 * left_out: names that it is without (where that is allowed), or NULL.
 */
enum acme_rc acme_vault_version(struct acme_vault *vault, size_t unit,
    size_t issuer, const struct acme_key *key, const struct acme_chain *chain,
    const char *order_url, const struct acme_buf *staple,
    const struct acme_left_out *left_out, unsigned *version,
    struct acme_error *err);

/* acmectl only: notes that a certificate (the chain's leaf) was revoked, and
 * why.  `barred`: no certificate may have its key any more. */
enum acme_rc acme_vault_revoked(struct acme_vault *vault, size_t issuer,
    const struct acme_chain *chain, const char *reason, bool barred,
    struct acme_error *err);

/*
 * One more account is about to be made at the issuer's CA: *not_before is
 * when its published limits let us, 0 now, and then it is counted, for every
 * process here.  _unmade: it was not, as the CA has refused it.
 */
enum acme_rc acme_vault_account_room(struct acme_vault *vault, size_t issuer,
    time_t *not_before, struct acme_error *err);
enum acme_rc acme_vault_account_unmade(struct acme_vault *vault, size_t issuer,
    struct acme_error *err);

/*
 * Notes that the CA says the live certificate (acme_leaf's fingerprint) was
 * revoked: by "ocsp" or "crl"; the reason is a word of RFC 5280 or "".  After
 * "keyCompromise" no certificate may have its key any more.  The lock is held.
 * ACME_NOENT: another one is live.
 */
enum acme_rc acme_vault_learned(struct acme_vault *vault, size_t unit,
    const char *fingerprint, const char *by, const char *reason,
    struct acme_error *err);

/*
 * What the responder of the live certificate (acme_leaf's fingerprint) says,
 * DER, to be stapled to it; len 0: nothing is from now on.  The lock is held.
 * ACME_NOENT: another one is live.  ACME_WIRE, ACME_REFUSED: it is not good.
 */
enum acme_rc acme_vault_staple(struct acme_vault *vault, size_t unit,
    const char *fingerprint, const void *der, size_t len,
    struct acme_error *err);

/*
 * Something has happened to the unit, at an issuer of its lineage's list: of
 * the event its kind (RENEWING, CHALLENGE_SETUP, ERRORED, FAILED_OVER),
 * next_attempt, subject, problem and text count, the rest is the store's.
 * Best effort: nothing waits for it to be told.
 */
void acme_vault_event(struct acme_vault *vault, size_t unit, size_t issuer,
    const struct acme_event *event);

/* The CA gets this signing request (DER), for the unit's tracking record.
 * Best effort. */
void acme_vault_request(struct acme_vault *vault, size_t unit,
    const struct acme_buf *der);

/* What was counted of an issuer.  Best effort. */
void acme_vault_tally(struct acme_vault *vault, size_t issuer,
    const struct acme_tally *tally);

/* The issuer's ledger blob, opaque to the store. */
enum acme_rc acme_vault_ledger(struct acme_vault *vault, size_t issuer,
    struct acme_buf *text, struct acme_error *err);
enum acme_rc acme_vault_ledger_put(struct acme_vault *vault, size_t issuer,
    const struct acme_buf *text, struct acme_error *err);

#endif

/*
 * The wire between engine and store: one SOCK_SEQPACKET message is one frame,
 * a header {verb, index, length} and fields of counted bytes.  The reader
 * never trusts a count.  Host byte order: both ends are one program.
 */
#ifndef ACME_FRAME_H
#define ACME_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

/* Requests of the engine, each answered by one frame of the same verb.  The
 * index is a unit's, of ACCOUNT*, CONTACTS*, BINDING, LEDGER* and TALLY an
 * issuer's. */
enum acme_verb {
    ACME_VERB_NONE = 0,
    ACME_VERB_UNIT,   /* -> names, live leaf, record */
    ACME_VERB_RECORD, /* record blob -> */
    ACME_VERB_NOTE,   /* the same, kept in mind until the next one */
    ACME_VERB_LOCK,   /* -> ok or busy */
    ACME_VERB_UNLOCK,
    ACME_VERB_ACCOUNT,       /* -> key, account URL */
    ACME_VERB_ACCOUNT_KEY,   /* new key -> */
    ACME_VERB_ACCOUNT_URL,   /* account URL (or "": forget) -> is it new? */
    ACME_VERB_ACCOUNT_DEAD,  /* it was deactivated -> */
    ACME_VERB_OTHER_KEY,     /* is it we who change it? -> key */
    ACME_VERB_ACCOUNT_MOVED, /* the CA knows it by that one -> */
    ACME_VERB_CONTACTS,      /* -> is there something new to tell of them? */
    ACME_VERB_CONTACTS_TOLD, /* the configured ones: how it went -> */
    ACME_VERB_BINDING,       /* -> key identifier, algorithm, MAC key */
    ACME_VERB_TSIG,          /* -> name, algorithm, secret of its DNS key */
    ACME_VERB_ORDER,         /* -> order blob, key */
    ACME_VERB_ORDER_PUT,     /* order blob, key -> */
    ACME_VERB_CHALLENGES,    /* issuer, (type, name, token)... -> others */
    ACME_VERB_ORDER_NOTE,    /* order blob, kept in mind -> */
    ACME_VERB_ORDER_DROP,
    ACME_VERB_CHAIN,          /* -> live certificate and its issuers */
    ACME_VERB_CSR,            /* -> the operator's request, checked just now */
    ACME_VERB_LIVE_KEY,       /* -> key of what is live, if it is to be kept */
    ACME_VERB_VERSION,        /* issuer, key, chain, order, its responder's
                                 answer, names that it is without -> version or
                                 refusal */
    ACME_VERB_LEDGER,         /* -> ledger blob */
    ACME_VERB_LEDGER_PUT,     /* ledger blob -> */
    ACME_VERB_LEDGER_ACCOUNT, /* is one made (or was not)? -> when */
    ACME_VERB_TRAFFIC,        /* -> was it served to anybody? */
    ACME_VERB_REVOKED,        /* certificate, reason, is its key barred? -> */
    ACME_VERB_LEARNED,        /* fingerprint of what is live, how, reason -> */
    ACME_VERB_STAPLE,         /* the same, its responder's answer -> */
    ACME_VERB_EVENT,          /* kind, issuer, next attempt, subject, problem,
                                 text -> */
    ACME_VERB_REQUEST,        /* the signing request that the CA gets -> */
    ACME_VERB_TALLY,          /* numbers of acme_tally.h -> */
    ACME_VERB_HOOK,           /* to the runner, see acme_errand.h */
    ACME_VERB_STAGE,          /* to the runner, see acme_stage_ask.h */
    ACME_VERB_DONE,           /* answer to a RENEW: id, ok, text; no reply */
    /* Notices of the store to the engine; never answered as such.  The index
     * is a lineage's. */
    ACME_VERB_RENEW = 64, /* flags, id: asked for by a person */
    ACME_VERB_CHANGED,    /* somebody else moved this lineage */
    ACME_VERB_LAST
};

#define ACME_RENEW_FORCE 1u
#define ACME_RENEW_TRIAL 2u /* acmectl's own: see acme_trial.h */
#define ACME_RENEW_ISSUE 4u /* so: a lineage as its configuration has it */

/* What has become of contacts, in CONTACTS_TOLD. */
enum acme_contacts {
    ACME_CONTACTS_REFUSED,
    ACME_CONTACTS_TAKEN,
    ACME_CONTACTS_MADE_WITH /* with the account itself */
};

/* Starts a frame in `frame` (reset first); its length is put right by
 * acme_frame_send(). */
void acme_frame_begin(struct acme_buf *frame, enum acme_verb verb,
    uint32_t index);
void acme_frame_add(struct acme_buf *frame, const void *data, size_t len);
void acme_frame_add_text(struct acme_buf *frame, const char *text);
void acme_frame_add_u64(struct acme_buf *frame, uint64_t value);

/* A reply's first field: rc, text of what went wrong, retry_at. */
void acme_frame_add_error(struct acme_buf *frame,
    const struct acme_error *err);

struct acme_frame {
    enum acme_verb verb;
    uint32_t index;
    const unsigned char *at, *end;
    bool bad; /* sticks: a field was missing, too long or malformed */
};

/* False: not a frame. */
bool acme_frame_open(struct acme_frame *frame, const void *data, size_t len);

/* Next field.  On a bad frame: empty and zero. */
void acme_frame_get(struct acme_frame *frame, const void **data, size_t *len);
/* As a string without NUL inside, at most size - 1 bytes. */
void acme_frame_get_text(struct acme_frame *frame, char *out, size_t size);
uint64_t acme_frame_get_u64(struct acme_frame *frame);
/* Returns the rc of the peer and fills `err` from the field. */
enum acme_rc acme_frame_get_error(struct acme_frame *frame,
    struct acme_error *err);
/* Whether all fields were read and none was bad. */
bool acme_frame_end(const struct acme_frame *frame);

/* A SOCK_SEQPACKET pair with room for ACME_FRAME_MAX, CLOEXEC. */
enum acme_rc acme_frame_pair(int fds[2], struct acme_error *err);
/* Blocks.  ACME_IO: the peer is gone, or the frame is too large.  The frame
 * is wiped and empty in any case. */
enum acme_rc acme_frame_send(int fd, struct acme_buf *frame,
    struct acme_error *err);
/* The same with a descriptor that goes along, which stays the caller's, and
 * without blocking.  ACME_BUSY: there is no room now, the frame is kept. */
enum acme_rc acme_frame_send_fd(int fd, struct acme_buf *frame, int passed,
    struct acme_error *err);
/* One that is there, with its descriptor (caller's, CLOEXEC); -1: it has
 * none.  ACME_NOENT: the peer is gone. */
enum acme_rc acme_frame_recv_fd(int fd, struct acme_buf *data, int *passed,
    struct acme_error *err);
/* Blocks until a frame is there.  ACME_NOENT: the peer is gone. */
enum acme_rc acme_frame_recv(int fd, struct acme_buf *data,
    struct acme_error *err);

#endif

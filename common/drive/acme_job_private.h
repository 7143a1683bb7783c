/*
 * What the files behind acme_job.h share: the story (acme_job.c), its order
 * and what is remembered of it (acme_job_order.c), the proof of its names
 * (acme_job_prove.c, acme_job_dns.c, acme_job_persist.c) and what is known of
 * that before (acme_job_preflight.c), doing without some (acme_job_subset.c),
 * and what comes of it (acme_job_finish.c), if it is to be more than a trial
 * (acme_job_trial.c).
 */
#ifndef ACME_JOB_PRIVATE_H
#define ACME_JOB_PRIVATE_H

#include "drive/acme_job.h"
#include "protocol/acme_authz.h"
#include "protocol/acme_order.h"
#include "state/acme_challenge_type.h"
#include "state/acme_schedule.h"
#include "wrap/acme_json.h"

/* Challenges that a program does not want. */
struct acme_declined {
    const struct acme_challenge *challenge;
    const struct acme_declined *next;
};

/* State of one run.  What must survive it is in orders/NAME. */
struct acme_run {
    const struct acme_job *job;
    const struct acme_lineage *lineage; /* configuration */
    const struct acme_issuer *issuer;
    struct acme_vault_unit now; /* the state directory's view */
    struct acme_arena *arena;
    /* Names that the order is for: those of `now`, but for what was left out;
     * and whether it is the second one of this attempt. */
    size_t nnames;
    const char *const *names;
    struct acme_left_out *left_out; /* in `arena` */
    bool again;
    bool unproved; /* an attempt failed for nothing but what was left out */
    struct acme_key *key; /* of the certificate */
    struct acme_csr *csr; /* the operator's; then `key` is its public half */
    struct acme_order order;
    struct acme_authz *authz;
    const struct acme_declined *declined; /* in this run */
    bool told;                            /* that an order is made */
    struct acme_json *memo;               /* orders/NAME/order.json */
    bool memo_changed;                    /* and not been saved since */
    struct acme_job_result *result;
    struct acme_error *err;
};

/*
 * Asks the runner and waits for the answer; others have the turn meanwhile.
 * `frame` is wiped.  ACME_STOPPING, ACME_IO: it cannot be asked, or has ended.
 */
enum acme_rc acme_job_ask_runner(const struct acme_run *run,
    struct acme_buf *frame, struct acme_buf *answer, struct acme_error *err);

/* The same of the process that listens in a server's place. */
enum acme_rc acme_job_ask_standalone(const struct acme_run *run,
    struct acme_buf *frame, struct acme_buf *answer, struct acme_error *err);

/* The same of what needs no answer: it is done whether somebody waits or not.
 */
enum acme_rc acme_job_tell_runner(const struct acme_run *run,
    struct acme_buf *frame, struct acme_error *err);

/* Before an order: the command for events is asked, a tracking record opened,
 * and pre hooks are run, if they have not been for this attempt.  A hook that
 * fails is no failure of ours.  ACME_UNREADY: the command says no, or there is
 * no record where one is required. */
enum acme_rc acme_job_begin(struct acme_run *run);

/* Its tracking record, if it has one, gets the signing request (DER). */
void acme_job_track_request(const struct acme_run *run,
    const struct acme_buf *der);

/* The same of a challenge that is presented: "http-01:NAME". */
enum acme_rc acme_job_ask_challenge(struct acme_run *run, const char *subject);

/* After it, unless it goes on later: post hooks, for which nobody waits, as
 * they wait for others that are under way. */
void acme_job_end(const struct acme_run *run, enum acme_rc outcome);

/*
 * The order of an earlier run, or a new one: run->order, its memo and its key
 * are there afterwards, also in the state directory.
 */
enum acme_rc acme_job_obtain_order(struct acme_run *run);

/* orders/NAME/order.json; with the key, if the order is new. */
enum acme_rc acme_job_save_memo(struct acme_run *run, bool is_new,
    struct acme_error *err);

/* Forgets the order, its memo and key, here and in the state directory. */
enum acme_rc acme_job_drop_order(struct acme_run *run, struct acme_error *err);

/* Whether the order may still lead somewhere after this failure. */
bool acme_job_order_survives(const struct acme_error *err);

/*
 * Of a trial's new order: takes back what was proved before, which the CA
 * would not look at again (RFC 8555 7.5.2).  *again: another order is to be
 * made, this one has lost authorizations.
 */
enum acme_rc acme_job_unprove(struct acme_run *run, bool *again);

/* What has to wait is a trial's failure when it has taken too long: in its
 * error. */
enum acme_rc acme_job_give_up(const struct acme_run *run);

/* Proves the order's names: all authorizations are valid at the end. */
enum acme_rc acme_job_prove_names(struct acme_run *run);

/* An authorization that is pending, and the challenge that is to do. */
struct acme_proved {
    const struct acme_authz *authz;
    const struct acme_challenge *challenge;
    enum acme_challenge_type type;
    /* Why the program that was to make its record has not; or NULL. */
    const char *declined;
};

/* Has the servers answer to these tokens, n > 0, and waits until they do. */
enum acme_rc acme_job_show_tokens(struct acme_run *run,
    const struct acme_area_token *tokens, size_t n);

/*
 * Pre-flight (acme_preflight.h), as the lineage has it: what it finds goes to
 * the record and, if it is new, to the log.  ACME_UNREADY: no order is to be
 * made.  There is none in flight.
 */
enum acme_rc acme_job_preflight(struct acme_run *run);

/* Whether such a challenge of the run is answered by what is made for it, a
 * record or a file, and not by servers that are told of it. */
bool acme_job_is_made(const struct acme_run *run,
    enum acme_challenge_type type);

/* Makes the records, files and other answers of those that are proved by one;
 * n of them.  ACME_OK also if some are `declined`: then none may be answered.
 */
enum acme_rc acme_job_dns_present(struct acme_run *run,
    struct acme_proved *proved, size_t n);

/*
 * Of dns-persist-01: whether the CA means us and itself, and the record is
 * there.  ACME_CONFIG: refused, nothing may be answered.  ACME_NET: there is
 * no record that would do, with the line to publish; or nobody could say.
 * Blocks.
 */
enum acme_rc acme_job_persist_check(const struct acme_run *run,
    const struct acme_proved *proved, struct acme_error *err);

/* Takes away what was made for the order, as far as that is known.  What
 * cannot be is logged. */
void acme_job_dns_clean(struct acme_run *run, bool failed);

/* Sets run->names: all but what was left out. */
enum acme_rc acme_job_choose_names(struct acme_run *run);

/* Whether the name that run->err is about may be left out; it is noted. */
bool acme_job_may_leave_out(const struct acme_run *run, const char *name);

/*
 * After run->unproved: drops the order and makes one for the rest.  *enough:
 * none is needed, as what is served covers that; it is remembered.
 */
enum acme_rc acme_job_order_rest(struct acme_run *run, bool *enough);

/* What this certificate, live or about to be, is without goes to the
 * record. */
enum acme_rc acme_job_remember_left_out(struct acme_run *run,
    const struct acme_chain *chain);

/* A ready order gets its signing request (RFC 8555 7.4). */
enum acme_rc acme_job_finalize(struct acme_run *run);

/* The certificate of a valid order is downloaded and goes to the store. */
enum acme_rc acme_job_deliver(struct acme_run *run);

#endif

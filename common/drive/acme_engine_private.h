/*
 * What the files behind acme_engine.h share: what the engine knows of each
 * unit and each CA.
 */
#ifndef ACME_ENGINE_PRIVATE_H
#define ACME_ENGINE_PRIVATE_H

#include "drive/acme_engine.h"
#include "drive/acme_heap.h"
#include "drive/acme_meter.h"
#include "state/acme_ledger.h"
#include "state/acme_schedule.h"
#include "wrap/acme_hash.h"

/* A unit. */
struct planned {
    bool wanted;
    bool running;
    bool again; /* asked for while it runs */
    bool asked; /* by a person, who waits for it */
    time_t since;
    bool force;
    time_t not_before, not_after; /* of what is live; 0: nothing */
    size_t ca;   /* whom it asks next: number in its lineage's list */
    bool order;  /* one is in flight */
    bool renews; /* a certificate of the same CA, which will know that */
};

/* A person's question about a lineage, until all its units have an answer. */
struct question {
    uint64_t id;
    unsigned left;
    bool ok;
    char text[ACME_LOG_LINE_MAX];
};

/* What is remembered of an issuer, as it was on disk a second ago or less. */
struct ledger {
    time_t read; /* 0: not yet */
    const struct acme_limits *limits;
    struct acme_ledger is;
    time_t account; /* see acme_engine_no_account() */
};

/* An issuer's account. */
struct tended {
    bool running;
    time_t at; /* when it is looked after; 0: all is said */
    unsigned failures;
};

/* A CA's clock. */
struct clock {
    bool known;     /* since this engine began */
    bool told;      /* that it is not ours */
    long ahead;     /* seconds, of ours */
    time_t started; /* last renewal */
};

struct acme_engine {
    struct acme_engine_conf conf;
    struct clock *clock;   /* nissuers */
    bool replan;           /* what is due when has changed for many */
    time_t started;        /* by our clock */
    time_t wall;           /* our clock when we last looked at it, */
    long long wall_ms;     /* and ticks_ms() */
    struct tended *tended; /* nissuers */
    struct acme_meter *meter;
    struct acme_crew *crew;
    struct ledger *ledger;        /* nissuers */
    struct planned *planned;      /* of each unit */
    struct question **question;   /* nlineages; NULL: none */
    struct acme_heap *later;      /* by time */
    struct acme_heap **due;       /* of each CA, by urgency, then time */
    struct acme_looks *looks;     /* acme_engine_look.c */
    struct acme_crls *crls;       /* acme_engine_revocation.c */
    struct acme_staples *staples; /* acme_engine_staple.c */
};

static inline time_t
now(const struct acme_engine *engine)
{
    return engine->conf.host->now(engine->conf.host->ctx);
}

static inline uint32_t
draw(const struct acme_engine *engine)
{
    return engine->conf.random(engine->conf.random_ctx);
}

static inline size_t
count_units(const struct acme_engine *engine)
{
    return acme_unit(engine->conf.config->nlineages, 0);
}

static inline const struct acme_lineage *
wish_of(const struct acme_engine *engine, size_t unit)
{
    return &engine->conf.config->lineage[acme_unit_lineage(unit)];
}

/* ---- acme_engine.c ---------------------------------------------------- */

/* What could not be done for a unit, unless the store is gone, which has said
 * why itself. */
void acme_engine_log_failure(const struct acme_engine *engine, size_t unit,
    const char *what, const struct acme_error *err);

/* A person who waits for the unit gets an answer, once all units of the
 * lineage have one. */
void acme_engine_reply(struct acme_engine *engine, size_t unit, bool ok,
    const char *text);

/* Another CA is asked for a unit than the issuer: an event. */
void acme_engine_tell_failover(struct acme_engine *engine, size_t unit,
    size_t asked, size_t issuer, const char *why);

/* An attempt at an issuer has failed: an event.  `line` is `err`'s. */
void acme_engine_tell_error(struct acme_engine *engine, size_t unit,
    size_t issuer, const struct acme_error *err, const char *line,
    time_t next);

/* ---- acme_engine_plan.c ----------------------------------------------- */

/* Reads the unit's view and plans it.  An attempt that was cut off is closed
 * there; `crashed`: it killed its engine. */
enum acme_rc acme_engine_plan_unit(struct acme_engine *engine, size_t unit,
    bool at_start, bool crashed, struct acme_error *err);

/* Plans what follows from the view.  `is_new`: its certificate came with the
 * job that just ended; `changed`: the record has to be written in any case. */
enum acme_rc acme_engine_plan_view(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, bool is_new, bool changed,
    struct acme_error *err);

/* Writes the view's record, and plans what follows from it. */
enum acme_rc acme_engine_replan(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, struct acme_error *err);

/* Hash of what a failure may have been about: when it changes, what waited
 * for a change goes again. */
void acme_engine_config_hash(const struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view, char hash[ACME_HASH_HEX]);

/* Makes the record one of today's configuration: what it remembers of each CA
 * of another one is forgotten. */
void acme_engine_forget_others(const struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view);

/* Until when what is live lasts, and whether an order is in flight. */
void acme_engine_note_life(struct acme_engine *engine, size_t unit,
    const struct acme_vault_unit *view);

/* The units of a lineage have one lock, and versions come one by one. */
bool acme_engine_is_busy(const struct acme_engine *engine, size_t unit);

/* Among which the unit is when it is due: those of the CA that it asks. */
struct acme_heap *acme_engine_due_of(const struct acme_engine *engine,
    size_t unit);

/* Makes the unit due at that time, or before all others. */
void acme_engine_put_off(struct acme_engine *engine, size_t unit, time_t at);
void acme_engine_go_now(struct acme_engine *engine, size_t unit);

/* Those whose time has come. */
void acme_engine_make_due(struct acme_engine *engine);

/* The most urgent one that is due, of a CA that has room for a job (`any`:
 * of any CA).  False: there is none. */
bool acme_engine_first_due(const struct acme_engine *engine, bool any,
    size_t *unit);

/* ---- acme_engine_conclude.c ------------------------------------------- */

/* What the record says after an attempt, and when the lineage is due again. */
void acme_engine_conclude(struct acme_engine *engine,
    const struct acme_crew_ended *ended);

/* ---- acme_engine_look.c ----------------------------------------------- */

/* engine->looks, with the crew there already.  False: out of memory. */
bool acme_engine_looks_new(struct acme_engine *engine);
void acme_engine_looks_free(struct acme_looks *looks); /* accepts NULL */

/* No look at the unit's certificate is planned any more. */
void acme_engine_forget_look(struct acme_engine *engine, size_t unit);

/* Another certificate is live than the record's: no window is known of it.
 * Whether the old one's brought the renewal forward is noted. */
void acme_engine_new_window(const struct acme_engine *engine, size_t unit,
    struct acme_record *record);

/*
 * Plans the next look, and puts into the record what its window makes of
 * record->renew_usual: pick and renew_at.  `leaf` is the live one.  True: the
 * record has changed and wants to be written.
 */
bool acme_engine_apply_window(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf);

/* Starts the looks that are due and have room; true: at least one.  Without
 * threads they have ended when this returns. */
bool acme_engine_start_looks(struct acme_engine *engine);
void acme_engine_end_look(struct acme_engine *engine,
    const struct acme_crew_ended *ended);

/* When the next one is due; 0: none is planned. */
time_t acme_engine_next_look(const struct acme_engine *engine);

/* Whether there is somebody to ask about the live certificate: the CA that
 * issued it, which is not asked about what has expired (RFC 9773 4.3.3). */
bool acme_engine_is_asked(const struct acme_engine *engine,
    const struct acme_vault_unit *view, const struct acme_leaf *leaf);

/* ---- acme_engine_revocation.c ----------------------------------------- */

/* engine->crls.  False: out of memory.  Freed after the crew. */
bool acme_engine_crls_new(struct acme_engine *engine);
void acme_engine_crls_free(struct acme_crls *crls); /* accepts NULL */

/* No look is planned any more. */
void acme_engine_forget_revocation(struct acme_engine *engine, size_t unit);

/* Plans the next look at whether the live certificate is revoked.  True: the
 * record has changed and wants to be written. */
bool acme_engine_plan_revocation(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf);

/* Does the look that is due; true: a list is fetched for it.  Without threads
 * that has ended when this returns. */
bool acme_engine_start_revocation(struct acme_engine *engine);

/* True: it was that. */
bool acme_engine_end_revocation(struct acme_engine *engine,
    const struct acme_crew_ended *ended);

/* When the next look is due; 0: none is planned. */
time_t acme_engine_next_revocation(const struct acme_engine *engine);

/* A responder has said so, when it was asked for a staple: there will be a
 * look soon. */
void acme_engine_hear_revoked(struct acme_engine *engine, size_t unit,
    const struct acme_chain *chain);

/* A responder that gives no answer at all is not asked about the next
 * certificate at once, but after _at; 0: now. */
void acme_engine_spare_responder(struct acme_engine *engine,
    const char *responder, const struct acme_error *why);
time_t acme_engine_responder_at(struct acme_engine *engine,
    const char *responder, const struct acme_chain *chain);

/* ---- acme_engine_staple.c --------------------------------------------- */

/* engine->staples.  False: out of memory.  Freed after the crew. */
bool acme_engine_staples_new(struct acme_engine *engine);
void acme_engine_staples_free(struct acme_staples *staples); /* accepts NULL */

/* No answer is fetched for the unit any more. */
void acme_engine_forget_staple(struct acme_engine *engine, size_t unit);

/* Plans when the next one is, for the live certificate.  True: the record has
 * changed and wants to be written. */
bool acme_engine_plan_staple(struct acme_engine *engine, size_t unit,
    struct acme_vault_unit *view, const struct acme_leaf *leaf);

/* Fetches the one that is due; true: it does.  Without threads that has ended
 * when this returns. */
bool acme_engine_start_staple(struct acme_engine *engine);

/* True: it was that. */
bool acme_engine_end_staple(struct acme_engine *engine,
    const struct acme_crew_ended *ended);

/* ---- acme_engine_clock.c ---------------------------------------------- */

/* Seconds of the clock of the unit's CA where it counts instead of ours. */
long acme_engine_offset(const struct acme_engine *engine, size_t unit);

/* The time, by the clock of an issuer's CA where it counts instead of ours:
 * what its certificates and windows are compared with. */
time_t acme_engine_today(const struct acme_engine *engine, size_t issuer);

/* What a job has seen of the CA's clock; also for the record. */
void acme_engine_note_clock(struct acme_engine *engine,
    const struct acme_crew_ended *ended, struct acme_record *record);

/* Notices when our clock is set.  True: everything is to be planned again. */
bool acme_engine_watch_clock(struct acme_engine *engine);

/* Until when the unit's renewal waits because a clock is wrong; 0: not. */
time_t acme_engine_pace(const struct acme_engine *engine, size_t unit);
void acme_engine_note_start(struct acme_engine *engine, size_t unit);

/* ---- acme_engine_ca.c ------------------------------------------------- */

/* Index of the issuer that a unit asks next. */
size_t acme_engine_issuer(const struct acme_engine *engine, size_t unit);

/*
 * What follows from a failure at an issuer, of an attempt that the view's
 * record counts already: notes there whom to ask when.
 */
struct acme_schedule_next acme_engine_after(struct acme_engine *engine,
    size_t unit, struct acme_vault_unit *view, size_t issuer,
    const struct acme_error *err);

/* The CA that is to be asked wants to be left alone until then: notes another
 * one in the record, if there is one for which to wait less. */
bool acme_engine_ask_another(struct acme_engine *engine, size_t unit,
    struct acme_record *record, time_t until);

/* When the CA wants to hear from us again, by the ledger; 0: now. */
time_t acme_engine_not_before(struct acme_engine *engine, size_t issuer);

/* Until when there is no account at the issuer, and none is made: for all of
 * its lineages.  _at: or a time that is past. */
void acme_engine_no_account(struct acme_engine *engine, size_t issuer,
    time_t until);
time_t acme_engine_account_at(const struct acme_engine *engine, size_t issuer);

/* When a job of the unit would be within the published limits of its issuer;
 * 0: now. */
time_t acme_engine_within_limits(struct acme_engine *engine, size_t unit);

/* What a job has cost: of the limits, and of the CA's patience, for which it
 * is left alone by its other lineages too.  The view is the unit's. */
void acme_engine_keep_account(struct acme_engine *engine,
    const struct acme_vault_unit *view, const struct acme_crew_ended *ended);

/* ---- acme_engine_account.c -------------------------------------------- */

/* After a start; often; when an errand has ended. */
void acme_engine_watch_accounts(struct acme_engine *engine);
void acme_engine_tend_accounts(struct acme_engine *engine);
void acme_engine_tended(struct acme_engine *engine,
    const struct acme_crew_ended *ended);

#endif

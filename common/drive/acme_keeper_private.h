/*
 * What the files behind acme_keeper.h share: what is known and published
 * (acme_keeper.c, _spare.c), what is taken over from others (_adopt.c,
 * _adopt_dir.c, _adopt_md.c) and what does not outlive the server (_forget.c),
 * and what the engine's frames are
 * answered with (acme_keeper_answer.c has the list; _unit.c, _account.c,
 * _binding.c, _tsig.c, _order.c, _csr.c, _version.c and _event.c have the
 * answers, and _trial.c those of a dry run), and what the runner is asked for
 * (_asked.c; _hooks.c and _react.c say when).
 */
#ifndef ACME_KEEPER_PRIVATE_H
#define ACME_KEEPER_PRIVATE_H

#include "drive/acme_heap.h"
#include "drive/acme_keeper.h"
#include "drive/acme_stage_ask.h"
#include "protocol/acme_binding.h"
#include "state/acme_condition.h"
#include "state/acme_frame.h"
#include "state/acme_md_store.h"
#include "state/acme_roster.h"
#include "state/acme_tally.h"
#include "wrap/acme_csr.h"
#include "wrap/acme_tsig.h"

/* What a responder says of a certificate (OCSP), verified.  All zero: nothing.
 */
struct acme_staple {
    struct acme_buf der;
    time_t since, until; /* its thisUpdate and nextUpdate */
};

/* What is served of one key algorithm: kept, should the files be damaged
 * later. */
struct acme_served {
    enum acme_key_type type; /* ACME_KEY_NONE: nothing */
    struct acme_buf leaf;    /* DER */
    bool life_known;         /* of it: */
    time_t not_before, not_after;
    bool other_issuer;    /* it came from another CA than is wanted now */
    bool issued_by_known; /* from a CA of this configuration: */
    size_t issued_by;     /* this issuer's */
    bool order;           /* one of ours is in flight */
    struct acme_staple staple;
};

/* What the engine has said last of a unit, not written yet; or empty.  Of a
 * dry run it is never written. */
struct acme_note {
    struct acme_buf record;
    struct acme_buf order;
    struct acme_buf key; /* of a dry run's order */
    bool shown;          /* a dry run has challenges on disk */
};

/* What is kept in memory of a lineage. */
struct acme_kept {
    struct acme_arena *arena;
    struct acme_lineage wanted;
    const char *conflict;   /* or NULL */
    int lock;               /* -1: not held for the engine */
    int csr_dir;            /* where the signing request is; -1: nowhere */
    struct acme_csr *csr;   /* as last read, or NULL */
    unsigned published;     /* version in the area; 0: none */
    uint64_t live_stamp;    /* acme_store_live_stamp() of then */
    uint64_t staple_stamp;  /* acme_store_staple_stamp() of then */
    uint64_t enhance_stamp; /* acme_store_settings_stamp(), of what is said
                               of requests */
    bool unread;            /* memory was short for what is live, */
    bool unsettled;         /* or for what is wanted */
    time_t expiring; /* when that was told last; 0: not since the start */
    unsigned mirror_tries; /* how often the mirror has failed by now, */
    time_t mirror_at;      /* and when it is tried again */
    struct acme_served served[ACME_ALGORITHMS];
    struct acme_note note[ACME_ALGORITHMS];
};

/* An issuer's external account binding, or why it cannot be used. */
struct acme_kept_binding {
    struct acme_binding binding;
    struct acme_error trouble;
};

/* A TSIG key, or why it cannot be used. */
struct acme_kept_tsig {
    const char *path;
    struct acme_tsig key;
    struct acme_error trouble;
};

/* What another client has left, as it was read; see acme_keeper_adopt_dir.c.
 */
struct acme_adopted;

/* What workers have been told of a lineage. */
struct acme_shown {
    bool touched; /* something of it has changed since */
    bool there;   /* anything */
    enum acme_condition condition;
    time_t at;      /* when */
    uint64_t stamp; /* of acme_store_stamp(), with what was revoked */
};

/* Events that workers can tell of. */
#define ACME_RECENT 16

struct acme_keeper_status {
    struct acme_heap *heap;   /* when each is rendered again; NULL: no area */
    struct acme_shown *shown; /* nlineages */
    int64_t turn;             /* of those touched */
    size_t next;              /* to be looked at */
    unsigned count[ACME_CONDITIONS];
    bool told;                      /* of the server, as it is */
    time_t since;                   /* when we began */
    struct acme_tally *tally;       /* nissuers; NULL: no area */
    struct acme_events_place place; /* up to where events are known */
    time_t events_at;               /* when they are looked at next */
    size_t nevents;
    struct acme_event event[ACME_RECENT]; /* of our lineages, newest first */
};

/* What the runner was asked for, and has not answered yet. */
struct acme_asked {
    struct acme_asked *next; /* an older one */
    uint64_t id;
    enum acme_hooks_item stage;
    size_t lineage; /* SIZE_MAX: all of them */
    char fingerprint[sizeof(((struct acme_due *)0)->fingerprint)];
    enum acme_event_kind kind; /* of an event */
    bool kept;                 /* an event that must be heard of: */
    unsigned tries;
    time_t again; /* and when it is told again; 0: not */
    int lock;     /* held until then, or -1 */
    bool sent;
    struct acme_buf frame;
};

struct acme_keeper {
    const struct acme_config *config;
    struct acme_store *store;
    struct acme_area *area;
    const struct acme_host *host;
    enum acme_keeper_role role;
    struct acme_kept *kept; /* nlineages */
    struct acme_key **own;  /* nissuers: the operator's keys, or NULL */
    struct acme_error *own_trouble;    /* nissuers: why there is none */
    struct acme_kept_binding *binding; /* nissuers */
    struct acme_kept_tsig *tsig;       /* each file once */
    size_t ntsigs;
    struct acme_adopted *adopted;       /* nissuers; until it was */
    struct acme_md_store *adopted_md;   /* the same, or NULL */
    struct acme_account_entry *account; /* nissuers, as last read: or no key */
    struct timespec keys;               /* see acme_store_keys_changed() */
    bool others_known, others;          /* other servers live here too */
    struct acme_area_token *token;      /* those in the area */
    size_t ntokens;
    struct acme_roster *roster; /* of before; or NULL */
    struct acme_keeper_status status;
    struct acme_watch watch;
    bool fresh;         /* nothing of the server ran before */
    bool has_left;      /* see acme_keeper_leave() */
    bool started;       /* what is published from now on is news */
    bool journal_fails; /* which has been said */
    size_t looked_at;   /* the lineage whose end is looked at next */
    int runner;         /* -1: there is none */
    struct acme_asked *asked;
    uint64_t asked_count;
    time_t due_at; /* when due hooks are looked for next */
    void (*done)(void *ctx, uint64_t id, bool ok, const char *text);
    void *done_ctx;
};

void acme_keeper_log(const struct acme_keeper *keeper, enum acme_level level,
    const struct acme_error *err, const char *what);

/* Reads the issuers' external account bindings, or what is wrong with them;
 * before the sandbox.  The keys are wiped with them. */
enum acme_rc acme_keeper_read_bindings(struct acme_keeper *keeper,
    struct acme_error *err);
void acme_keeper_free_bindings(struct acme_keeper *keeper);

/* The same of the TSIG keys that lineages' DNS is changed with. */
enum acme_rc acme_keeper_read_tsigs(struct acme_keeper *keeper,
    struct acme_error *err);
void acme_keeper_free_tsigs(struct acme_keeper *keeper);

/*
 * What other clients have left (acme_issuer's adopt_dir, acme_config's
 * adopt_md): read before the sandbox where there is none of our own yet, then
 * taken over, accounts all at once and certificates lineage by lineage, before
 * they are published.
 */
enum acme_rc acme_keeper_open_adopted(struct acme_keeper *keeper,
    struct acme_error *err);
void acme_keeper_free_adopted(struct acme_keeper *keeper);
void acme_keeper_adopt_accounts(struct acme_keeper *keeper);
void acme_keeper_adopt(struct acme_keeper *keeper, size_t lineage);

/* Whether there is an account of this CA that an order could be made with; a
 * version of a lineage, in whatever state. */
bool acme_adopt_has_account(struct acme_keeper *keeper, size_t issuer);
bool acme_adopt_has_version(const struct acme_keeper *keeper, size_t lineage);

/* Makes the key that of an issuer's account.  *taken: it was not before.
 * ACME_CONFIG: another type of key is wanted. */
enum acme_rc acme_adopt_account(struct acme_keeper *keeper, size_t issuer,
    struct acme_key *key, bool *taken, struct acme_error *err);

/* A pair that was found. */
struct acme_adopt_pair {
    struct acme_key *key;
    struct acme_chain *chain;
    struct acme_leaf leaf;
};
void acme_adopt_clear_pair(struct acme_adopt_pair *pair);

/* Whether it is as good as what would be ordered for the lineage, of that type
 * of key.  *surplus: how many names it has besides.  ACME_REFUSED: why not. */
enum acme_rc acme_adopt_check(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, enum acme_key_type type,
    const struct acme_adopt_pair *pair, unsigned *surplus,
    struct acme_error *err);

/* Puts it into a version; `issuer` is its CA's directory URL, or "". */
enum acme_rc acme_adopt_add(const struct acme_adopt_pair *from,
    const char *issuer, struct acme_version *version, struct acme_error *err);
void acme_adopt_say(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, const struct acme_adopt_pair *pair,
    const char *from);

/* Those of nginx's own module.  _find adds no pair where there is none that is
 * good. */
enum acme_rc acme_adopt_dir_open(struct acme_keeper *keeper,
    struct acme_error *err);
void acme_adopt_dir_free(struct acme_keeper *keeper);
void acme_adopt_dir_accounts(struct acme_keeper *keeper);
bool acme_adopt_dir_has(const struct acme_keeper *keeper, size_t lineage);
enum acme_rc acme_adopt_dir_find(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, struct acme_version *version,
    struct acme_error *err);

/* Those of mod_md; _find also writes what it has archived. */
void acme_adopt_md_open(struct acme_keeper *keeper);
void acme_adopt_md_accounts(struct acme_keeper *keeper);
enum acme_rc acme_adopt_md_find(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, struct acme_version *version,
    struct acme_error *err);

/* A lineage of an older configuration that is to go with the server: at once,
 * if that has just started, else at its end. */
void acme_keeper_leave(struct acme_keeper *keeper, const char *name);

/* The directories of operators' signing requests, before the sandbox. */
void acme_keeper_open_csrs(struct acme_keeper *keeper);
void acme_keeper_close_csr(struct acme_kept *kept);

/* Reads a lineage's signing request again, into kept->csr, and checks that it
 * is for what is wanted and has a key of that type.  ACME_IO: why not; a look
 * later may find it put right. */
enum acme_rc acme_keeper_read_csr(struct acme_keeper *keeper, size_t lineage,
    enum acme_key_type type, struct acme_error *err);

/* Under which name this server declares what it wants. */
void acme_keeper_declared_by(const struct acme_keeper *keeper, char *by,
    size_t size);

/* Lets the lineage go. */
void acme_keeper_unlock(struct acme_kept *kept);

/* What is wanted of a lineage, before it has been settled too. */
const struct acme_lineage *acme_keeper_wanted(const struct acme_keeper *keeper,
    size_t lineage);

/* Whether what is wanted includes a key of this algorithm. */
bool acme_keeper_wants(const struct acme_lineage *wanted,
    enum acme_key_type type);

/*
 * The issuer's account, the keeper's own: read again after each look, or a
 * thousand jobs would parse the same key.  Forget it where it is changed.
 */
enum acme_rc acme_keeper_account(struct acme_keeper *keeper, size_t issuer,
    const struct acme_account_entry **entry, struct acme_error *err);
void acme_keeper_forget_accounts(struct acme_keeper *keeper);

/* Appends the newest record of a unit, written or not; what is wrong with it
 * is logged. */
void acme_keeper_read_record(struct acme_keeper *keeper, size_t lineage,
    size_t algorithm, struct acme_buf *record, struct acme_error *why);

/* Finds out again what is wanted of a lineage, and shows or hides what is
 * wanted again or not any more. */
void acme_keeper_settle_one(struct acme_keeper *keeper, size_t lineage);

/* What a crash left; the lineage's lock is held. */
void acme_keeper_recover(struct acme_keeper *keeper, size_t lineage);

/* Whether the pair's certificate is what is served. */
bool acme_keeper_is_served(const struct acme_kept *kept,
    const struct acme_pair *pair);

/* Puts what is live on disk into the area. */
void acme_keeper_publish(struct acme_keeper *keeper, size_t lineage);

/* Publishes what is live now; whether that is another version. */
bool acme_keeper_look_at(struct acme_keeper *keeper, size_t lineage);
void acme_keeper_look_at_orders(struct acme_keeper *keeper, size_t lineage);

/* Takes back the challenges of dry runs that came to no end. */
void acme_keeper_end_trials(struct acme_keeper *keeper);

/* Before the lineage is let go: the next one who has it may be somebody else,
 * with orders of his own. */
void acme_keeper_write_order(struct acme_keeper *keeper, size_t lineage,
    size_t algorithm);

/* Puts a version into the area, without the pairs that nobody wants. */
enum acme_rc acme_keeper_put_version(struct acme_keeper *keeper,
    size_t lineage, struct acme_version *version, struct acme_error *err);

/*
 * Others' valid certificates for names of a lineage that its own version
 * (NULL: it has none) does not cover: once they were one lineage, or a lineage
 * each.  They are served until its own does.
 */
#define ACME_SPARES_MAX 8
struct acme_spares {
    size_t n;
    const char *lineage[ACME_SPARES_MAX]; /* whose it is; borrowed */
    struct acme_staple staple[ACME_SPARES_MAX][ACME_ALGORITHMS];
    struct acme_version version[ACME_SPARES_MAX];
};
void acme_keeper_find_spares(struct acme_keeper *keeper, size_t lineage,
    const struct acme_version *own, struct acme_spares *spares);
void acme_spares_clear(struct acme_spares *spares);

/* ---- staples ---------------------------------------------------------- */

void acme_staple_clear(struct acme_staple *staple);

/* Reads what there is for a pair of a lineage.  ACME_NOENT: nothing is; any
 * other error: what is there is not for this pair, or over. */
enum acme_rc acme_keeper_find_staple(const struct acme_keeper *keeper,
    const char *lineage, const struct acme_pair *pair,
    struct acme_staple *staple);

/* The same for a pair of a lineage of ours, if its certificates are to have
 * one, into what is kept of it.  While what is there is not for this pair
 * what was goes on: its successor may be about to be switched live. */
void acme_keeper_read_staple(struct acme_keeper *keeper, size_t lineage,
    const struct acme_pair *pair);

/* Those of the k-th spare version. */
void acme_keeper_read_spare_staples(const struct acme_keeper *keeper,
    struct acme_spares *spares, size_t k);

/* Publishes what others have changed. */
void acme_keeper_look_at_staples(struct acme_keeper *keeper);

/* Keeps the answer about a unit's certificate, or forgets it (len 0). */
void acme_keeper_write_staple(struct acme_keeper *keeper, const char *unit,
    const void *der, size_t len);

/* ---- status ----------------------------------------------------------- */

/* False: out of memory; acme_keeper_status_free() is called all the same. */
bool acme_keeper_status_init(struct acme_keeper *keeper);
void acme_keeper_status_free(struct acme_keeper *keeper);

/* Something that workers tell of the lineage has changed.  Costs nothing. */
void acme_keeper_touch(struct acme_keeper *keeper, size_t lineage);

/* Renders what has changed, or changes by itself: for some milliseconds. */
void acme_keeper_render(struct acme_keeper *keeper);

/* What was remembered of this server's lineages, and what is from now on. */
void acme_keeper_read_roster(struct acme_keeper *keeper);
void acme_keeper_write_roster(struct acme_keeper *keeper);

void acme_keeper_publish_thumbprints(struct acme_keeper *keeper);

/* Puts the tokens of all orders on disk into the area. */
void acme_keeper_publish_tokens(struct acme_keeper *keeper);
/* Besides those that are there already. */
void acme_keeper_add_tokens(struct acme_keeper *keeper,
    const struct acme_area_token *tokens, size_t ntokens);

/* The issuer of a pair, by its CA: of several the lineage's own goes first.
 * False: none of this configuration's. */
bool acme_keeper_issuer_of(const struct acme_keeper *keeper, size_t lineage,
    const struct acme_pair *pair, size_t *issuer);

/* ---- events ----------------------------------------------------------- */

/*
 * Every event passes here: `at` and `by` are set, and it goes to the journal.
 * What goes wrong is logged, and nobody's concern.
 */
void acme_keeper_event(struct acme_keeper *keeper,
    const struct acme_event *event);

/* Makes it one of a lineage, and of a pair (NULL: none) of its. */
void acme_keeper_event_init(const struct acme_keeper *keeper, size_t lineage,
    const struct acme_pair *pair, enum acme_event_kind kind,
    struct acme_event *event);

/* A version has come to be; _recovered: the one that is live, after a crash;
 * _installed: it is in the area; _rolled_back: another than the newer one
 * that was there. */
void acme_keeper_tell_renewed(struct acme_keeper *keeper, size_t lineage,
    const struct acme_version *version, const struct acme_pair *pair,
    bool first);
void acme_keeper_tell_recovered(struct acme_keeper *keeper, size_t lineage);
void acme_keeper_tell_installed(struct acme_keeper *keeper, size_t lineage,
    const struct acme_version *version, const struct acme_pair *pair);
void acme_keeper_tell_rolled_back(struct acme_keeper *keeper, size_t lineage,
    unsigned version);

/* Some lineages whose certificates end soon, and that this was not said of for
 * a day.  Often. */
void acme_keeper_tell_expiring(struct acme_keeper *keeper);

/* ---- hooks ------------------------------------------------------------ */

/* Before a version with that certificate is made live: its deploy hooks and
 * its mirror are due then. */
enum acme_rc acme_keeper_mark_due(struct acme_keeper *keeper, size_t lineage,
    const struct acme_chain *chain, bool renews, struct acme_error *err);

/* Has the due deploy hooks of a lineage run, if what is due is live. */
void acme_keeper_deploy(struct acme_keeper *keeper, size_t lineage);

/* Has the version that is live mirrored, if that is due and its deploy hooks
 * are through. */
void acme_keeper_mirror(struct acme_keeper *keeper, size_t lineage);

/* Both of all lineages: those that nobody runs. */
void acme_keeper_find_due(struct acme_keeper *keeper);

/* Has the lineage's command told of an event, as often as it wants to hear of
 * such. */
void acme_keeper_react(struct acme_keeper *keeper,
    const struct acme_event *event);

/* The lineage's tracking records: the engine has had one opened (with the
 * runner's outcome); something has happened; deploy hooks were run. */
void acme_keeper_track_opened(struct acme_keeper *keeper,
    const struct acme_stage_answer *answer, struct acme_frame *outcomes);
void acme_keeper_track(struct acme_keeper *keeper,
    const struct acme_event *event);
void acme_keeper_track_deployed(struct acme_keeper *keeper, size_t lineage,
    const struct acme_stage_answer *answer);

/* Sends questions that the runner had no room for, and those whose time has
 * come again. */
void acme_keeper_send_asked(struct acme_keeper *keeper);
void acme_keeper_free_asked(struct acme_keeper *keeper);

/* A new question, which is sent when there is room.  NULL: out of memory. */
struct acme_asked *acme_asked_new(struct acme_keeper *keeper, size_t lineage);

/* Makes it that, and sends it.  False: out of memory, it is forgotten. */
bool acme_asked_send(struct acme_keeper *keeper, struct acme_asked *asked,
    struct acme_stage_ask *stage);

/* From now on it is this, with the same id: where it is not sent yet, or sent
 * again.  Without memory it stays as it is. */
void acme_asked_replace(struct acme_asked *asked,
    struct acme_stage_ask *stage);
void acme_asked_forget(struct acme_keeper *keeper, struct acme_asked *asked);

/* How long is waited after so many failures (seconds). */
time_t acme_asked_pause(unsigned tries);

/* Answers: of what was due, which is forgotten, and of an event; true: that
 * is told again later. */
void acme_asked_conclude_due(struct acme_keeper *keeper,
    struct acme_asked *asked, const struct acme_stage_answer *answer);
bool acme_asked_conclude_event(struct acme_keeper *keeper,
    struct acme_asked *asked, bool good);

/* ---- answers ---------------------------------------------------------- */

/*
 * One frame of the engine's being answered: its fields, and the reply, whose
 * first field is added when the action has ended.
 */
struct acme_call {
    struct acme_keeper *keeper;
    struct acme_frame in;
    struct acme_buf *reply;
    size_t index;     /* lineage or issuer */
    size_t algorithm; /* with a lineage: its unit */
    const char *name; /* of the lineage */
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error err;
};

/* Begins the reply, with what has become of the action: call->err. */
void acme_call_reply(struct acme_call *call);

/* The unit's, and to make the frame's field the newest of its kind. */
struct acme_note *acme_call_note(const struct acme_call *call);
void acme_call_keep_note(struct acme_call *call, struct acme_buf *note);

/* Whether it is a key of which somebody has said that it was given away. */
bool acme_call_is_barred(const struct acme_call *call,
    const struct acme_buf *der);

/* The next field, an issuer.  One that this lineage has nothing to do with is
 * a lie: the frame is bad. */
size_t acme_call_get_issuer(struct acme_call *call);

/* The pair of the unit's algorithm, or NULL. */
const struct acme_pair *acme_call_own_pair(const struct acme_call *call,
    const struct acme_version *version);

/* The answer that came with a new certificate is kept, if it is one. */
void acme_call_version_staple(struct acme_call *call,
    const struct acme_chain *chain, const void *der, size_t len);

/* Something has become of the account of call->index. */
void acme_call_account_event(struct acme_call *call, enum acme_event_kind kind,
    const char *id, const char *text);

/* Forgets the unit's order. */
void acme_call_drop_order(struct acme_call *call, struct acme_error *err);

/* The same of a dry run. */
void acme_keeper_drop_trial(struct acme_call *call);

/* Whether an engine may say that in a dry run; *answer is left alone, where
 * the answer is the same. */
bool acme_keeper_is_tried(enum acme_verb verb,
    void (**answer)(struct acme_call *call));

/* One for each verb of the engine's, see acme_frame.h. */
void acme_keeper_answer_unit(struct acme_call *call);
void acme_keeper_answer_record(struct acme_call *call);
void acme_keeper_answer_note(struct acme_call *call);
void acme_keeper_answer_lock(struct acme_call *call);
void acme_keeper_answer_unlock(struct acme_call *call);
void acme_keeper_answer_traffic(struct acme_call *call);
void acme_keeper_answer_ledger(struct acme_call *call);
void acme_keeper_answer_ledger_put(struct acme_call *call);
void acme_keeper_answer_ledger_account(struct acme_call *call);
void acme_keeper_answer_account(struct acme_call *call);
void acme_keeper_answer_account_key(struct acme_call *call);
void acme_keeper_answer_account_url(struct acme_call *call);
void acme_keeper_answer_account_dead(struct acme_call *call);
void acme_keeper_answer_other_key(struct acme_call *call);
void acme_keeper_answer_account_moved(struct acme_call *call);
void acme_keeper_answer_contacts(struct acme_call *call);
void acme_keeper_answer_contacts_told(struct acme_call *call);
void acme_keeper_answer_binding(struct acme_call *call);
void acme_keeper_answer_tsig(struct acme_call *call);
void acme_keeper_answer_order(struct acme_call *call);
void acme_keeper_answer_order_put(struct acme_call *call);
void acme_keeper_answer_order_note(struct acme_call *call);
void acme_keeper_answer_order_drop(struct acme_call *call);
void acme_keeper_answer_challenges(struct acme_call *call);
void acme_keeper_answer_csr(struct acme_call *call);
void acme_keeper_answer_chain(struct acme_call *call);
void acme_keeper_answer_live_key(struct acme_call *call);
void acme_keeper_answer_revoked(struct acme_call *call);
void acme_keeper_answer_learned(struct acme_call *call);
void acme_keeper_answer_staple(struct acme_call *call);
void acme_keeper_answer_version(struct acme_call *call);
void acme_keeper_answer_event(struct acme_call *call);
void acme_keeper_answer_request(struct acme_call *call);
void acme_keeper_answer_tally(struct acme_call *call);

#endif

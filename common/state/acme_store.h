/*
 * The state directory (DESIGN 2): its layout and every durable change of it.
 * Used by the store process, and for reading by acmectl.  Names of lineages
 * come from configurations and have passed acme_lineage_name_check(); ids are
 * computed here.  Blocks on the disk; never on the network.
 */
#ifndef ACME_STORE_H
#define ACME_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_area.h"
#include "state/acme_event.h"
#include "state/acme_settings.h"
#include "state/acme_told.h"
#include "wrap/acme_x509.h"

struct acme_store;

enum acme_store_mode {
    ACME_STORE_READ,    /* must exist; nothing is made or changed */
    ACME_STORE_SALVAGE, /* so, and "format" may be missing or damaged: each
                         * version in it is checked before it is believed */
    ACME_STORE_WRITE    /* made if absent; a newer format is refused */
};

/* The owner of all files is the caller's effective user.  A directory that is
 * neither empty nor has our "format" in it is refused, its mode untouched.
 * ACME_NOENT (only without WRITE): there is none yet. */
enum acme_rc acme_store_open(const char *path, enum acme_store_mode mode,
    struct acme_store **store, struct acme_error *err);
void acme_store_close(struct acme_store *store); /* accepts NULL */

/* The directory's descriptor (borrowed): for sandboxes and sockets. */
int acme_store_fd(const struct acme_store *store);

/*
 * Lets a group read certificates and keys (mode 0640, of directories 0750), of
 * all that is written from now on.  Without it a new version has the group and
 * the group's bits of the one that is live.
 */
void acme_store_key_group(struct acme_store *store, gid_t group);

/* The same for what there is: the directories that lineages are in, and of one
 * lineage its own and its live version. */
enum acme_rc acme_store_share_top(struct acme_store *store,
    struct acme_error *err);
enum acme_rc acme_store_share(struct acme_store *store, const char *name,
    struct acme_error *err);

/* ---- units ------------------------------------------------------------ */

/* Name of a lineage's unit (see acme_config.h) in the file system: orders and
 * records are theirs. */
#define ACME_UNIT_NAME_MAX (ACME_LINEAGE_MAX + 16)
void acme_store_unit_name(char out[ACME_UNIT_NAME_MAX], const char *lineage,
    size_t algorithm);

/* Where the challenges of a unit's dry run are, beside an order's.  `out` may
 * be `unit`. */
void acme_store_trial_name(char out[ACME_UNIT_NAME_MAX], const char *unit);

/* ---- lineages --------------------------------------------------------- */

/* Calls `visit` for every lineage there is (settings or a live version), in
 * byte order. */
enum acme_rc acme_store_lineages(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *name, struct acme_error *err),
    void *ctx, struct acme_error *err);

/* renewal/NAME.json.  ACME_NOENT: no such lineage.  The last words may go with
 * the power: servers say them again when they start. */
enum acme_rc acme_store_settings_read(struct acme_store *store,
    const char *name, struct acme_settings **settings, struct acme_error *err);
enum acme_rc acme_store_settings_write(struct acme_store *store,
    const char *name, const struct acme_settings *settings,
    struct acme_error *err);

/* record/NAME.json, opaque here.  Reading an absent one appends nothing; the
 * last words may go with the power. */
enum acme_rc acme_store_record_read(struct acme_store *store, const char *unit,
    struct acme_buf *text, struct acme_error *err);
enum acme_rc acme_store_record_write(struct acme_store *store,
    const char *unit, const void *text, size_t len, struct acme_error *err);

/* ---- versions --------------------------------------------------------- */

/* Where a pair came from, kept in meta.json. */
struct acme_origin {
    char issuer[ACME_URL_MAX]; /* directory URL; "" unknown */
    char order[ACME_URL_MAX];
    time_t obtained;
    bool key_reused; /* it has the key of the version before */
};

struct acme_pair {
    enum acme_key_type type;
    struct acme_buf key;   /* PKCS#8, secret; empty: the operator's own, never
                            * here (meta.json says so, or it is damage) */
    struct acme_buf chain; /* DER certificates, leaf first */
    struct acme_origin origin;
};

/* One complete version.  pair[0] is the primary: privkey.pem and so on. */
struct acme_version {
    unsigned number; /* N of archive/NAME/N */
    size_t npairs;
    struct acme_pair pair[ACME_TYPES_MAX];
};

void acme_version_init(struct acme_version *version);
void acme_version_clear(struct acme_version *version);

/* The versions that there are, whatever state they are in: the newest `max`,
 * highest first, into number[]; *n of them. */
enum acme_rc acme_store_version_numbers(struct acme_store *store,
    const char *name, unsigned *number, size_t max, size_t *n,
    struct acme_error *err);

/* N that live/NAME points to.  ACME_NOENT: no version yet.  ACME_IO: the
 * link is not one of ours. */
enum acme_rc acme_store_live(struct acme_store *store, const char *name,
    unsigned *number, struct acme_error *err);

/*
 * Reads version N completely and checks it: by the hashes in its meta.json
 * if they match, else by parsing and comparing each pair.  ACME_IO: damaged,
 * by file name.
 */
enum acme_rc acme_store_version_read(struct acme_store *store,
    const char *name, unsigned number, struct acme_version *version,
    struct acme_error *err);

/*
 * The live version, or, when it is damaged, the newest older one that is not
 * (version->number tells; `err` then holds the damage although ACME_OK is
 * returned).  ACME_NOENT: nothing servable (`err` tells why).
 */
enum acme_rc acme_store_live_read(struct acme_store *store, const char *name,
    struct acme_version *version, struct acme_error *err);

/*
 * Writes a new version, durable and complete, marked (an empty file
 * "pending"), then moves
 * live to it with one rename and clears the mark.  version->number is set.
 * Older versions beyond ACME_VERSIONS_KEPT are pruned (never live, never
 * younger than ACME_VERSION_MIN_AGE).  The caller has checked the pairs and
 * holds the lineage's lock.  On an error live is where it was.  ACME_OK with
 * `err` set: the new version is served, but something after the switch (the
 * mark, old versions) was left for acme_store_recover().
 */
enum acme_rc acme_store_version_write(struct acme_store *store,
    const char *name, struct acme_version *version, time_t now,
    struct acme_error *err);

/*
 * Moves live to version N, back or forth again, with one rename.  It is read
 * once before: ACME_IO if it is damaged or not there, by name.  No version
 * above it is left marked, or the next recovery would undo it.  The caller
 * holds the lineage's lock.  On an error live is where it was; ACME_OK with
 * `err` set is as of acme_store_version_write().
 */
enum acme_rc acme_store_switch(struct acme_store *store, const char *name,
    unsigned number, struct acme_error *err);

/* Writes a version for the lineage's history, that was live elsewhere: live
 * does not move, nothing is pruned. */
enum acme_rc acme_store_version_add(struct acme_store *store, const char *name,
    const struct acme_version *version, struct acme_error *err);

/*
 * The same under a number of its own, version->number, which must be free, and
 * with files as old as `at` says.  `pending`: it is to be live, and the next
 * acme_store_recover() makes it so, whatever happens until then; settings that
 * are written in between are there when it is.
 */
enum acme_rc acme_store_version_bring(struct acme_store *store,
    const char *name, const struct acme_version *version, time_t at,
    bool pending, struct acme_error *err);

/* Whether a recovery would find nothing to do.  Needs no lock: what somebody
 * is at work on is not settled. */
bool acme_store_is_settled(const struct acme_store *store, const char *name);

/*
 * After a crash: removes half-written versions and temporary files; moves
 * live to a version newer than it that is still marked and whose files are
 * sound (and only then).  *moved tells whether live moved.  The
 * caller holds the lineage's lock: when that is busy nothing has crashed.
 * ACME_IO: a pending version is damaged, by name; the rest was done.
 */
enum acme_rc acme_store_recover(struct acme_store *store, const char *name,
    bool *moved, struct acme_error *err);

/* Removes all there is of a lineage but its events, and files of others beside
 * its versions.  The caller holds its lock; who serves it goes on.  Once more
 * it does what it could not. */
enum acme_rc acme_store_forget(struct acme_store *store, const char *name,
    struct acme_error *err);

/* Keeps a refused chain as evidence: record/UNIT.refused.pem, with the
 * reason as text before it. */
enum acme_rc acme_store_refused(struct acme_store *store, const char *unit,
    const struct acme_chain *chain, const char *reason,
    struct acme_error *err);

/* ---- revocations ------------------------------------------------------ */

/* Who has had a certificate revoked, or how we have learned of it, and why. */
struct acme_revoked {
    char by[8];      /* "acmectl", "ocsp" or "crl"; "": not known */
    char reason[24]; /* a word of RFC 5280 5.3.1; "": not known */
};

/*
 * Notes that a certificate (the chain's leaf) was revoked:
 * revoked/FINGERPRINT.json.  `barred`: its key has been given away, and is
 * noted too (revoked/key-ID.json): no lineage may have it any more.
 */
enum acme_rc acme_store_revoked_write(struct acme_store *store,
    const struct acme_chain *chain, const struct acme_revoked *is, bool barred,
    time_t now, struct acme_error *err);

/* What was noted of a certificate (acme_leaf's fingerprint); false: nothing.
 */
bool acme_store_revoked_read(const struct acme_store *store,
    const char *fingerprint, struct acme_revoked *is);

/* Whether that was noted of a certificate (DER) or of its key; of a key. */
bool acme_store_is_revoked(const struct acme_store *store, const void *der,
    size_t len);
bool acme_store_is_barred(const struct acme_store *store,
    const struct acme_key *key);

/* ---- staples ---------------------------------------------------------- */

/* staples/UNIT.der: what a responder has said last of the unit's certificate,
 * opaque here.  ACME_NOENT: nothing.  _write with len 0 removes it; the last
 * words may go with the power. */
enum acme_rc acme_store_staple_read(const struct acme_store *store,
    const char *unit, struct acme_buf *der, struct acme_error *err);
enum acme_rc acme_store_staple_write(struct acme_store *store,
    const char *unit, const void *der, size_t len, struct acme_error *err);

/* ---- hooks ------------------------------------------------------------ */

/* told/NAME.json.  What cannot be read is as good as nothing; what is written
 * may be undone by a loss of power. */
void acme_store_told_read(const struct acme_store *store, const char *lineage,
    struct acme_told *told);
enum acme_rc acme_store_told_write(struct acme_store *store,
    const char *lineage, const struct acme_told *told, struct acme_error *err);

/*
 * due/NAME.json: deploy hooks are to be run as soon as a certificate is live
 * that has this fingerprint.  It is there from before the switch until they
 * have been run, so that no crash keeps other programs from hearing of a
 * certificate.  due-mirror/NAME.json is the same for the mirror, until it has
 * the version.  _read is false where there is none that can be read; _done
 * leaves one with another fingerprint alone, which somebody has just written.
 */
enum acme_due_kind {
    ACME_DUE_DEPLOY,
    ACME_DUE_MIRROR
};
struct acme_due {
    char fingerprint[sizeof(((struct acme_leaf *)0)->fingerprint)];
    bool renews; /* the lineage had a certificate before */
};
enum acme_rc acme_store_due_write(struct acme_store *store,
    enum acme_due_kind kind, const char *lineage, const struct acme_due *due,
    struct acme_error *err);
bool acme_store_due_read(const struct acme_store *store,
    enum acme_due_kind kind, const char *lineage, struct acme_due *due);
enum acme_rc acme_store_due_done(struct acme_store *store,
    enum acme_due_kind kind, const char *lineage, const char *fingerprint,
    struct acme_error *err);

/* Every lineage that has one. */
enum acme_rc acme_store_due(const struct acme_store *store,
    enum acme_due_kind kind,
    enum acme_rc (
        *visit)(void *ctx, const char *lineage, struct acme_error *err),
    void *ctx, struct acme_error *err);

/* ---- orders ----------------------------------------------------------- */

/*
 * orders/UNIT: the order blob (opaque) and its key (nothing if there is
 * none); ACME_NOENT: no order.  _write is for a new one: the old one
 * disappears first, an order is never found with a key that is not its own.
 * _update is for the blob of the one that is there (ACME_NOENT).  A crash
 * loses none of it; when the power goes, what was written last may go too.
 * Who writes holds the lineage's lock.
 */
enum acme_rc acme_store_order_read(struct acme_store *store, const char *unit,
    struct acme_buf *text, struct acme_buf *key_der, struct acme_error *err);
enum acme_rc acme_store_order_write(struct acme_store *store, const char *unit,
    const void *text, size_t len, const void *key_der, size_t key_len,
    struct acme_error *err);
enum acme_rc acme_store_order_update(struct acme_store *store,
    const char *unit, const void *text, size_t len, struct acme_error *err);
/* challenge.json: what must be answerable for this order.  `account` is an
 * account's id. */
enum acme_rc acme_store_challenges_write(struct acme_store *store,
    const char *unit, const char *account,
    const struct acme_area_token *tokens, size_t ntokens,
    struct acme_error *err);
enum acme_rc acme_store_order_drop(struct acme_store *store, const char *unit,
    struct acme_error *err);

/* Lets tokens of orders of an operator's own account key (a file outside of
 * keys/) be answered: call it for each such key. */
enum acme_rc acme_store_known_key(struct acme_store *store,
    const struct acme_key *key, struct acme_error *err);

/*
 * The tokens of every order in flight, of anybody, with the thumbprint
 * computed from the account key it names (one whose account or key is not
 * here is left out, so is a malformed file, with a line in *problems if not
 * NULL).  *tokens is malloc()ed.
 */
enum acme_rc acme_store_tokens(struct acme_store *store,
    struct acme_area_token **tokens, size_t *ntokens,
    struct acme_buf *problems, struct acme_error *err);

/* ---- accounts --------------------------------------------------------- */

#define ACME_ACCOUNT_ID_LEN ACME_KEY_ID_LEN

/*
 * An account is the pair (directory, key); its id is its key's id.  `url` is
 * "" until the CA told it.
 */
struct acme_account_entry {
    char id[ACME_ACCOUNT_ID_LEN + 1];
    char url[ACME_URL_MAX];
    struct acme_key *key; /* reference owned by the entry */
};
void acme_account_entry_clear(struct acme_account_entry *entry);

/*
 * The account for an issuer.  With `own` (the operator's key) that one.
 * Otherwise: the one that issuer->account names, under either of its keys
 * while it is rekeyed; else the one of that directory that is preferred; the
 * newest account there that serves issuer->key_type (see
 * acme_store_rekey_move()), or else whose key is of it; else that type's
 * default key of this state directory (one key may serve every CA).
 * ACME_NOENT: no key yet.
 */
enum acme_rc acme_store_account(struct acme_store *store,
    const struct acme_issuer *issuer, struct acme_key *own,
    struct acme_account_entry *entry, struct acme_error *err);

/*
 * Stores a new key (keys/ID.pem) and makes it its type's default if there is
 * none.  Ask acme_store_account() again afterwards: another engine's key may
 * have become the default in the meantime, and then that one is used.  An
 * operator's own key is never copied here.
 */
enum acme_rc acme_store_account_key(struct acme_store *store,
    const struct acme_issuer *issuer, struct acme_key *key,
    struct acme_error *err);

/* The same for a key that takes the place of one that is lost: it is the
 * default too where the key of the default is gone or damaged. */
enum acme_rc acme_store_account_key_anew(struct acme_store *store,
    const struct acme_issuer *issuer, struct acme_key *key,
    struct acme_error *err);

/*
 * An account that was made elsewhere, with its key: both are stored, or, where
 * the key's account is here already, at most its URL is.  `url` "" is not
 * known: the CA finds it by the key.  *is_new: it was not here.  A crash
 * leaves the key alone, at worst, which is no account's.
 */
enum acme_rc acme_store_account_add(struct acme_store *store,
    const struct acme_issuer *issuer, const struct acme_key *key,
    const char *url, time_t now, bool *is_new, struct acme_error *err);

/*
 * From now on this account is the one for its directory, whatever type of key
 * is asked for, before all others; where several were preferred, the one that
 * was last.  ACME_NOENT: it is not here.
 */
enum acme_rc acme_store_account_prefer(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, time_t now,
    struct acme_error *err);

/* Stores the account's URL ("" forgets it), of an operator's own key too. */
enum acme_rc acme_store_account_url(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, const char *url,
    time_t now, struct acme_error *err);

/* An account that another client has made. */
struct acme_brought_account {
    struct acme_key *key; /* borrowed */
    const char *url;      /* "": not known, the CA finds it by the key */
    time_t created;
};

/*
 * Stores it, for configurations that ask for a key of issuer->key_type and for
 * those that ask for one of its own.  *taken is false where it is here
 * already.  ACME_CONFIG: another account is, and why that counts.  A store
 * that was opened for reading says what would become of it.  The caller holds
 * the lock "new-key" of accounts.
 */
enum acme_rc acme_store_account_bring(struct acme_store *store,
    const struct acme_issuer *issuer,
    const struct acme_brought_account *brought, bool *taken,
    struct acme_error *err);

/*
 * What the CA knows of an account's contacts is in account.json: the list it
 * took last, and for each declarer (`by`: a server, its configuration and
 * issuer) a hash of what it wanted to be told last, taken or not.  _due: that
 * is not what the issuer's settings say now.  Who has never said anything and
 * still does not leaves them as they are.
 */
enum acme_rc acme_store_contacts_due(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, const char *by,
    bool *due, struct acme_error *err);
enum acme_rc acme_store_contacts_told(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, const char *by,
    bool taken, struct acme_error *err);

/* Every account that is here, in no order: its id and its account.json
 * (borrowed).  One that cannot be read is left out. */
enum acme_rc acme_store_accounts(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *id,
        const struct acme_json *account, struct acme_error *err),
    void *ctx, struct acme_error *err);

/* Puts an account aside that is no use any more, as deactivated.json; its key
 * stays, it may serve other CAs. */
enum acme_rc acme_store_account_park(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, struct acme_error *err);

/* So one whose key is lost, as lost.json. */
enum acme_rc acme_store_account_lost(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, struct acme_error *err);

/*
 * An account key's change to another, of every account that has it: what is
 * on the way is in keys/rekey.json, so that whoever comes after a crash can
 * ask the CAs which of the two they know.  It is there from before the first
 * request until every account has the same key again.
 */
struct acme_rekey {
    char from[ACME_ACCOUNT_ID_LEN + 1]; /* ids of keys */
    char to[ACME_ACCOUNT_ID_LEN + 1];
};
/* Stores the new key and says what is on the way.  ACME_CONFIG: the new key
 * is a default already.  The caller holds the lock "account" of `from`. */
enum acme_rc acme_store_rekey_begin(struct acme_store *store, const char *from,
    const struct acme_key *to, struct acme_rekey *rekey,
    struct acme_error *err);
/* ACME_NOENT: nothing is. */
enum acme_rc acme_store_rekey_read(const struct acme_store *store,
    struct acme_rekey *rekey, struct acme_error *err);
/* The CA knows the account of `from` by the key `to` now (or again): its files
 * move.  It goes on serving those whose configuration asks for the type that
 * its first key had. */
enum acme_rc acme_store_rekey_move(struct acme_store *store,
    const struct acme_issuer *issuer, const char *from, const char *to,
    struct acme_error *err);
/* Every account has the new key (`done`: it is the default where the old one
 * was, which is put aside), or every one the old key (the new one goes). */
enum acme_rc acme_store_rekey_end(struct acme_store *store,
    const struct acme_rekey *rekey, bool done, struct acme_error *err);

/* Reads keys/ID.pem.  ACME_NOENT: there is none. */
enum acme_rc acme_store_key_read(const struct acme_store *store,
    const char *id, struct acme_key **key, struct acme_error *err);

/* Thumbprints of all account keys in keys/, for `acmectl key thumbprint`:
 * visit(id, thumbprint). */
enum acme_rc acme_store_keys(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *id,
        const struct acme_key *key, struct acme_error *err),
    void *ctx, struct acme_error *err);

/* ledger/<host>/<account>.json, opaque here; absent appends nothing.  Account
 * NULL: that of the CA's accounts together, accounts.json. */
enum acme_rc acme_store_ledger_read(struct acme_store *store,
    const struct acme_issuer *issuer, const char *account,
    struct acme_buf *text, struct acme_error *err);
enum acme_rc acme_store_ledger_write(struct acme_store *store,
    const struct acme_issuer *issuer, const char *account, const void *text,
    size_t len, struct acme_error *err);

/* ---- events ----------------------------------------------------------- */

/*
 * events.jsonl, a line for each event of everybody's.  Beyond
 * ACME_EVENTS_FILE_MAX it becomes events.1.jsonl, that events.2.jsonl, and
 * that goes.  What is in these places and is no file of ours is refused by
 * name. The last lines may go with the power.
 */
enum acme_rc acme_store_event_write(struct acme_store *store,
    const struct acme_event *event, struct acme_error *err);

/* How far events have been read; all zero: not at all. */
struct acme_events_place {
    uint64_t device, inode; /* of the file */
    uint64_t head;          /* and of what it begins with */
    size_t offset;
};

typedef enum acme_rc acme_event_visit(void *ctx,
    const struct acme_event *event, struct acme_error *err);

/*
 * Visits those of a lineage (NULL: all) that are behind *place, the oldest
 * first, until `visit` fails, and moves it; of more than `most` the newest.
 * Lines that are no events are left out.
 */
enum acme_rc acme_store_events(const struct acme_store *store,
    const char *lineage, size_t most, struct acme_events_place *place,
    acme_event_visit *visit, void *ctx, struct acme_error *err);

/* ---- together with others --------------------------------------------- */

/* Exclusive, without waiting: kind "lineage", "account", "deploy" or "mirror",
 * and its name.  ACME_BUSY names the holder.  Closing *fd releases it. */
enum acme_rc acme_store_lock(struct acme_store *store, const char *kind,
    const char *name, int *fd, struct acme_error *err);

/*
 * Whether live/, orders/ or renewal/ changed since the last call (rename moves
 * a directory's mtime; a change less than 2 s old is reported once more).
 * `watch` starts zeroed; the first call reports all.  As *orders counts also
 * that keys/ changed: an order is answered with a key of there.
 */
struct acme_watch {
    struct timespec live, orders, keys, settings, staples;
    bool live_again, orders_again, keys_again, settings_again, staples_again;
};
enum acme_rc acme_store_changed(struct acme_store *store,
    struct acme_watch *watch, time_t now, bool *live, bool *orders,
    bool *settings, struct acme_error *err);

/* So of staples/ alone; a directory that is not there does not change. */
bool acme_store_staples_changed(const struct acme_store *store,
    struct acme_watch *watch, time_t now);

/*
 * Something that is another one when the settings, a record or the live
 * version of a lineage have changed, whoever did it; a change of the same
 * moment may escape.  A few system calls, nothing is read.
 */
uint64_t acme_store_stamp(const struct acme_store *store, const char *name);

/* So of the settings alone. */
uint64_t acme_store_settings_stamp(const struct acme_store *store,
    const char *name);

/* So of live/NAME alone: of a lineage that was removed and made anew the
 * version may have the number of the one before.  Also where there is none. */
uint64_t acme_store_live_stamp(const struct acme_store *store,
    const char *name);

/* And of the lineage's answers in staples/. */
uint64_t acme_store_staple_stamp(const struct acme_store *store,
    const char *name);

/* Whether keys/ changed since `seen`, which starts zeroed; one look, which a
 * change of the same moment may escape. */
bool acme_store_keys_changed(const struct acme_store *store,
    struct timespec *seen);

#endif

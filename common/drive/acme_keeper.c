#include "drive/acme_keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "drive/acme_control.h"
#include "state/acme_dir.h"

/* What is served of one key algorithm: kept, should the files be damaged
 * later. */
struct served {
    enum acme_key_type type; /* ACME_KEY_NONE: nothing */
    struct acme_buf leaf;    /* DER */
    bool other_issuer;       /* it came from another CA than is wanted now */
    bool order;              /* one of ours is in flight */
};

/* What the engine has said last of a unit, not written yet; or empty. */
struct note {
    struct acme_buf record;
    struct acme_buf order;
};

/* What is kept in memory of a lineage. */
struct kept {
    struct acme_arena *arena;
    struct acme_lineage wanted;
    const char *conflict; /* or NULL */
    int lock;             /* -1: not held for the engine */
    unsigned published;   /* version in the area; 0: none */
    bool unread;          /* memory was short for what is live, */
    bool unsettled;       /* or for what is wanted */
    struct served served[ACME_ALGORITHMS];
    struct note note[ACME_ALGORITHMS];
};

struct acme_keeper {
    const struct acme_config *config;
    struct acme_store *store;
    struct acme_area *area;
    const struct acme_host *host;
    enum acme_keeper_role role;
    struct kept *kept;     /* nlineages */
    struct acme_key **own; /* nissuers: the operator's keys, or NULL */
    struct acme_account_entry *account; /* nissuers, as last read: or no key */
    bool others_known, others;          /* other servers live here too */
    struct acme_area_token *token;      /* those in the area */
    size_t ntokens;
    struct acme_watch watch;
    void (*done)(void *ctx, uint64_t id, bool ok, const char *text);
    void *done_ctx;
};

static void
log_error(const struct acme_keeper *keeper, enum acme_level level,
    const struct acme_error *err, const char *what)
{
    char line[ACME_LOG_LINE_MAX];

    acme_log(keeper->host, level, "%s: %s", what,
        acme_error_line(err, line, sizeof(line)));
}

/* ---- life ------------------------------------------------------------- */

static enum acme_rc
read_own_key(const char *path, uid_t owner, struct acme_key **key,
    struct acme_error *err)
{
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    rc = acme_dir_read_secret(path, owner, ACME_STATE_PEM_MAX, &pem, err);
    if (rc == ACME_OK) {
        rc = acme_key_from_pem(acme_buf_str(&pem), pem.len, key, err);
        if (rc != ACME_OK)
            (void)acme_error_wrap(err, "account key \"%s\"", path);
    }
    acme_buf_clear(&pem);
    return rc;
}

/* An unreadable key is trouble of its issuer only. */
static void
read_own_keys(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    struct acme_error err;
    size_t i;

    for (i = 0; i < config->nissuers; i++) {
        const char *path = config->issuer[i].key_file;

        if (path == NULL)
            continue;
        acme_error_clear(&err);
        if (read_own_key(path, config->uid, &keeper->own[i], &err) !=
                ACME_OK ||
            acme_store_known_key(keeper->store, keeper->own[i], &err) !=
                ACME_OK)
            log_error(keeper, ACME_LOG_ERROR, &err, "cannot read key");
    }
}

enum acme_rc
acme_keeper_new(const struct acme_config *config, struct acme_store *store,
    struct acme_area *area, const struct acme_host *host,
    struct acme_keeper **out, struct acme_error *err)
{
    struct acme_keeper *keeper = calloc(1, sizeof(*keeper));
    size_t i, k;

    if (keeper == NULL)
        return acme_error_nomem(err);
    keeper->config = config;
    keeper->store = store;
    keeper->area = area;
    keeper->host = host;
    keeper->kept = calloc(config->nlineages + 1, sizeof(*keeper->kept));
    keeper->own = calloc(config->nissuers + 1, sizeof(struct acme_key *));
    keeper->account = calloc(config->nissuers + 1, sizeof(keeper->account[0]));
    for (i = 0; keeper->kept != NULL && i < config->nlineages; i++) {
        struct kept *kept = &keeper->kept[i];

        kept->lock = -1;
        for (k = 0; k < ACME_ALGORITHMS; k++) {
            acme_buf_init(&kept->served[k].leaf, ACME_CHAIN_DER_MAX);
            acme_buf_init(&kept->note[k].record, ACME_STATE_JSON_MAX);
            acme_buf_init(&kept->note[k].order, ACME_STATE_JSON_MAX);
        }
    }
    if (keeper->kept == NULL || keeper->own == NULL ||
        keeper->account == NULL) {
        acme_keeper_free(keeper);
        return acme_error_nomem(err);
    }
    read_own_keys(keeper);
    *out = keeper;
    return ACME_OK;
}

static void
unlock(struct kept *kept)
{
    if (kept->lock != -1)
        close(kept->lock);
    kept->lock = -1;
}

static void
forget_accounts(struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; keeper->account != NULL && i < keeper->config->nissuers; i++)
        acme_account_entry_clear(&keeper->account[i]);
}

/* The engine has ended before it had anything better to say. */
static void
write_record_note(struct acme_keeper *keeper, size_t i, size_t algorithm)
{
    const struct acme_buf *note = &keeper->kept[i].note[algorithm].record;
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error err;

    if (note->len == 0)
        return;
    acme_error_clear(&err);
    acme_store_unit_name(unit, keeper->config->lineage[i].name, algorithm);
    if (acme_store_record_write(keeper->store, unit, note->data, note->len,
            &err) != ACME_OK)
        log_error(keeper, ACME_LOG_ERROR, &err, "cannot write record");
}

/* Before the lineage is let go: the next one who has it may be somebody else,
 * with orders of his own. */
static void
write_order_note(struct acme_keeper *keeper, size_t i, size_t algorithm)
{
    struct acme_buf *note = &keeper->kept[i].note[algorithm].order;
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error err;

    if (note->len == 0)
        return;
    acme_error_clear(&err);
    acme_store_unit_name(unit, keeper->config->lineage[i].name, algorithm);
    if (acme_store_order_update(keeper->store, unit, note->data, note->len,
            &err) != ACME_OK)
        log_error(keeper, ACME_LOG_WARN, &err, "cannot write order");
    acme_buf_reset(note);
}

void
acme_keeper_free(struct acme_keeper *keeper)
{
    size_t i, k;

    if (keeper == NULL)
        return;
    for (i = 0; keeper->kept != NULL && i < keeper->config->nlineages; i++) {
        struct kept *kept = &keeper->kept[i];

        for (k = 0; k < ACME_ALGORITHMS; k++) {
            write_record_note(keeper, i, k);
            write_order_note(keeper, i, k);
            acme_buf_clear(&kept->note[k].record);
            acme_buf_clear(&kept->note[k].order);
            acme_buf_clear(&kept->served[k].leaf);
        }
        unlock(kept);
        acme_arena_free(kept->arena);
    }
    for (i = 0; keeper->own != NULL && i < keeper->config->nissuers; i++)
        acme_key_unref(keeper->own[i]);
    forget_accounts(keeper);
    free(keeper->token);
    free(keeper->account);
    free(keeper->kept);
    free(keeper->own);
    free(keeper);
}

void
acme_keeper_on_done(struct acme_keeper *keeper,
    void (*done)(void *ctx, uint64_t id, bool ok, const char *text), void *ctx)
{
    keeper->done = done;
    keeper->done_ctx = ctx;
}

/* ---- settings: who wants what ----------------------------------------- */

static void
declared_by(const struct acme_config *config, char *by, size_t size)
{
    (void)snprintf(by, size, "%s:%s", config->server, config->instance);
}

static enum acme_rc
read_settings(struct acme_keeper *keeper, const char *name,
    struct acme_settings **settings, struct acme_error *err)
{
    enum acme_rc rc =
        acme_store_settings_read(keeper->store, name, settings, err);

    if (rc != ACME_NOENT)
        return rc;
    acme_error_clear(err);
    *settings = acme_settings_new();
    return *settings != NULL ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
declare(struct acme_keeper *keeper, size_t i, struct acme_settings *settings,
    struct acme_error *err)
{
    const char *name = keeper->config->lineage[i].name;
    char by[ACME_LOG_LINE_MAX];
    bool changed = false;
    enum acme_rc rc;

    declared_by(keeper->config, by, sizeof(by));
    rc = acme_settings_declare(settings, by, keeper->config, i,
        keeper->host->now(keeper->host->ctx), &changed, err);
    if (rc == ACME_OK && changed)
        rc = acme_store_settings_write(keeper->store, name, settings, err);
    return rc;
}

/* What the state directory wants of lineage i, once declared. */
static enum acme_rc
load_wanted(struct acme_keeper *keeper, size_t i, struct acme_error *err)
{
    struct kept *kept = &keeper->kept[i];
    struct acme_settings *settings = NULL;
    enum acme_rc rc;

    acme_arena_free(kept->arena);
    kept->arena = acme_arena_new();
    if (kept->arena == NULL)
        return acme_error_nomem(err);
    rc =
        read_settings(keeper, keeper->config->lineage[i].name, &settings, err);
    if (rc == ACME_OK && keeper->role == ACME_KEEPER_DECLARES)
        rc = declare(keeper, i, settings, err);
    if (rc == ACME_OK)
        rc = acme_settings_wanted(settings, kept->arena, &kept->wanted,
            &kept->conflict, err);
    acme_settings_free(settings);
    return rc;
}

static void
settle(struct acme_keeper *keeper, size_t i)
{
    struct kept *kept = &keeper->kept[i];
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    struct acme_error err;

    acme_error_clear(&err);
    kept->unsettled = load_wanted(keeper, i, &err) == ACME_NOMEM;
    if (err.rc != ACME_OK) {
        /* Without its settings the configuration's own wish counts. */
        log_error(keeper, ACME_LOG_ERROR, &err, "cannot use settings");
        kept->wanted = *lineage;
        kept->conflict = NULL;
    }
    if (kept->conflict != NULL) {
        acme_log(keeper->host, ACME_LOG_ERROR,
            "%s; no certificate is ordered for lineage \"%s\" until the "
            "declarations agree",
            kept->conflict, lineage->name);
    }
}

struct withdrawal {
    struct acme_keeper *keeper;
    const char *by;
};

/* A lineage that we declared once and do not want any more goes dormant. */
static enum acme_rc
withdraw(void *ctx, const char *name, struct acme_error *err)
{
    struct withdrawal *w = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error own;
    size_t ignored;

    (void)err;
    acme_error_clear(&own);
    if (acme_config_find_lineage(w->keeper->config, name, &ignored) ||
        acme_store_settings_read(w->keeper->store, name, &settings, &own) !=
            ACME_OK)
        return ACME_OK;
    if (acme_settings_withdraw(settings, w->by)) {
        (void)acme_store_settings_write(w->keeper->store, name, settings,
            &own);
        acme_log(w->keeper->host, ACME_LOG_NOTICE,
            "lineage \"%s\" is no longer declared by this server; its "
            "certificates are kept",
            name);
    }
    acme_settings_free(settings);
    return ACME_OK;
}

static void
withdraw_others(struct acme_keeper *keeper)
{
    struct withdrawal w = { keeper, NULL };
    struct acme_error err;
    char by[ACME_LOG_LINE_MAX];

    acme_error_clear(&err);
    declared_by(keeper->config, by, sizeof(by));
    w.by = by;
    if (acme_store_lineages(keeper->store, withdraw, &w, &err) != ACME_OK)
        log_error(keeper, ACME_LOG_WARN, &err, "cannot list lineages");
}

/* ---- publishing ------------------------------------------------------- */

/* An imported certificate has no issuer in its meta: it is nobody else's. */
static bool
is_of_other(const struct acme_keeper *keeper, size_t i,
    const struct acme_pair *pair)
{
    const struct acme_config *config = keeper->config;

    return pair->origin.issuer[0] != '\0' &&
           strcmp(pair->origin.issuer,
               config->issuer[config->lineage[i].issuer].directory) != 0;
}

static enum acme_rc
keep_pair(struct acme_keeper *keeper, size_t i, const struct acme_pair *pair,
    struct acme_error *err)
{
    struct served *served =
        &keeper->kept[i].served[acme_key_algorithm_number(pair->type)];

    acme_buf_reset(&served->leaf);
    acme_buf_add(&served->leaf, pair->chain.data,
        acme_chain_der_first(pair->chain.data, pair->chain.len));
    served->type = pair->type;
    served->other_issuer = is_of_other(keeper, i, pair);
    return acme_buf_ok(&served->leaf) ? ACME_OK : acme_error_nomem(err);
}

/* What is wanted of lineage i, before it has been settled too. */
static const struct acme_lineage *
wanted_of(const struct acme_keeper *keeper, size_t i)
{
    const struct kept *kept = &keeper->kept[i];

    return kept->wanted.ntypes > 0 ? &kept->wanted
                                   : &keeper->config->lineage[i];
}

static bool
wants(const struct acme_lineage *wanted, enum acme_key_type type)
{
    return acme_lineage_type(wanted, acme_key_algorithm_number(type)) !=
           ACME_KEY_NONE;
}

/* Pairs of algorithms that are not wanted any more are not renewed either:
 * they are left out while there is another. */
static void
drop_unwanted(const struct acme_lineage *wanted, struct acme_version *version)
{
    struct acme_version rest;
    size_t i;

    acme_version_init(&rest);
    rest.number = version->number;
    for (i = 0; i < version->npairs; i++)
        if (wants(wanted, version->pair[i].type))
            rest.pair[rest.npairs++] = version->pair[i];
    if (rest.npairs == 0 || rest.npairs == version->npairs)
        return;
    for (i = 0; i < version->npairs; i++) {
        if (wants(wanted, version->pair[i].type))
            continue;
        acme_buf_clear(&version->pair[i].key);
        acme_buf_clear(&version->pair[i].chain);
    }
    *version = rest;
}

static enum acme_rc
put_version(struct acme_keeper *keeper, size_t i, struct acme_version *version,
    struct acme_error *err)
{
    struct kept *kept = &keeper->kept[i];
    struct acme_area_pair pairs[ACME_TYPES_MAX];
    size_t n;
    enum acme_rc rc = ACME_OK;

    drop_unwanted(wanted_of(keeper, i), version);
    for (n = 0; n < version->npairs; n++) {
        pairs[n].type = version->pair[n].type;
        pairs[n].key = version->pair[n].key.data;
        pairs[n].key_len = version->pair[n].key.len;
        pairs[n].chain = version->pair[n].chain.data;
        pairs[n].chain_len = version->pair[n].chain.len;
    }
    if (keeper->area != NULL)
        rc = acme_area_put(keeper->area, i, pairs, version->npairs,
            version->number, err);
    if (rc != ACME_OK)
        return rc;
    for (n = 0; n < ACME_ALGORITHMS; n++) {
        kept->served[n].type = ACME_KEY_NONE;
        acme_buf_reset(&kept->served[n].leaf);
    }
    kept->published = version->number;
    for (n = 0; rc == ACME_OK && n < version->npairs; n++)
        rc = keep_pair(keeper, i, &version->pair[n], err);
    kept->unread = rc == ACME_NOMEM;
    return rc;
}

/* Puts what is live on disk into the area.  Nothing servable leaves the slot
 * as it is: a valid certificate is not withdrawn because a disk failed. */
static void
publish(struct acme_keeper *keeper, size_t i)
{
    const char *name = keeper->config->lineage[i].name;
    struct acme_version version;
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_version_init(&version);
    rc = acme_store_live_read(keeper->store, name, &version, &err);
    if (rc == ACME_OK && err.rc != ACME_OK) {
        log_error(keeper, ACME_LOG_ERROR, &err,
            "damaged version, an older one is served");
        acme_error_clear(&err);
    }
    if (rc == ACME_OK)
        rc = put_version(keeper, i, &version, &err);
    /* damage is told of, also where that leaves nothing to serve */
    if (rc != ACME_OK && err.rc != ACME_NOENT)
        log_error(keeper, ACME_LOG_ERROR, &err, "cannot publish certificate");
    keeper->kept[i].unread = rc == ACME_NOMEM;
    acme_version_clear(&version);
}

static bool
same_algorithms(const struct acme_lineage *one,
    const struct acme_lineage *other)
{
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++)
        if ((acme_lineage_type(one, i) == ACME_KEY_NONE) !=
            (acme_lineage_type(other, i) == ACME_KEY_NONE))
            return false;
    return true;
}

/* Settles, and shows or hides what is wanted again or not any more. */
static void
settle_served(struct acme_keeper *keeper, size_t i)
{
    struct acme_lineage before = *wanted_of(keeper, i);

    settle(keeper, i);
    if (keeper->kept[i].published != 0 &&
        !same_algorithms(&before, wanted_of(keeper, i)))
        publish(keeper, i);
}

static void
publish_thumbprint(struct acme_keeper *keeper, size_t issuer,
    const struct acme_key *key)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_error err;

    if (keeper->area == NULL)
        return;
    acme_error_clear(&err);
    if (acme_key_thumbprint(key, thumbprint, &err) == ACME_OK)
        acme_area_put_thumbprint(keeper->area, issuer, thumbprint);
    else
        log_error(keeper, ACME_LOG_ERROR, &err, "cannot compute thumbprint");
}

static enum acme_rc
read_account(struct acme_keeper *keeper, size_t issuer,
    struct acme_account_entry *entry, struct acme_error *err)
{
    const struct acme_issuer *conf = &keeper->config->issuer[issuer];

    if (conf->key_file != NULL && keeper->own[issuer] == NULL) {
        return acme_error_set(err, ACME_CONFIG,
            "account key \"%s\" of issuer \"%s\" could not be read at start",
            conf->key_file, conf->name);
    }
    return acme_store_account(keeper->store, conf, keeper->own[issuer], entry,
        err);
}

/* The issuer's account, the keeper's own: read once a second at most, or a
 * thousand jobs would parse the same key. */
static enum acme_rc
account(struct acme_keeper *keeper, size_t issuer,
    const struct acme_account_entry **entry, struct acme_error *err)
{
    struct acme_account_entry *kept = &keeper->account[issuer];
    enum acme_rc rc = ACME_OK;

    if (kept->key == NULL)
        rc = read_account(keeper, issuer, kept, err);
    *entry = kept;
    return rc;
}

/* An account key may have been made by another server meanwhile. */
static void
publish_thumbprints(struct acme_keeper *keeper)
{
    const struct acme_account_entry *entry;
    struct acme_error err;
    size_t i;

    forget_accounts(keeper);
    for (i = 0; i < keeper->config->nissuers; i++) {
        acme_error_clear(&err);
        if (account(keeper, i, &entry, &err) == ACME_OK)
            publish_thumbprint(keeper, i, entry->key);
    }
}

static void
publish_tokens(struct acme_keeper *keeper)
{
    struct acme_area_token *tokens = NULL;
    struct acme_buf problems;
    struct acme_error err;
    size_t ntokens = 0;

    if (keeper->area == NULL)
        return;
    acme_error_clear(&err);
    acme_buf_init(&problems, ACME_STATE_JSON_MAX);
    if (acme_store_tokens(keeper->store, &tokens, &ntokens, &problems, &err) ==
        ACME_OK) {
        free(keeper->token);
        keeper->token = tokens;
        keeper->ntokens = ntokens;
        acme_area_put_tokens(keeper->area, tokens, ntokens);
    } else {
        log_error(keeper, ACME_LOG_WARN, &err, "cannot read orders");
    }
    if (problems.len > 0) {
        acme_log(keeper->host, ACME_LOG_WARN, "orders left out: %s",
            acme_buf_str(&problems));
    }
    acme_buf_clear(&problems);
}

/*
 * These can be answered at once; those that were dropped can be a moment
 * longer, until somebody looks at all orders again.  That is not done here:
 * hundreds may be in flight.
 */
static void
publish_more_tokens(struct acme_keeper *keeper,
    const struct acme_area_token *tokens, size_t ntokens)
{
    struct acme_area_token *grown = NULL;
    size_t n = keeper->ntokens + ntokens;

    if (keeper->area == NULL)
        return;
    if (n <= ACME_TOKENS_MAX)
        grown = realloc(keeper->token, (n + 1) * sizeof(*grown));
    if (grown == NULL) {
        publish_tokens(keeper);
        return;
    }
    memcpy(grown + keeper->ntokens, tokens, ntokens * sizeof(*grown));
    keeper->token = grown;
    keeper->ntokens = n;
    acme_area_put_tokens(keeper->area, grown, n);
}

/* What a crash left; the lineage's lock is held. */
static void
recover_locked(struct acme_keeper *keeper, size_t i)
{
    const char *name = keeper->config->lineage[i].name;
    struct acme_error err;
    bool moved = false;

    acme_error_clear(&err);
    if (acme_store_recover(keeper->store, name, &moved, &err) != ACME_OK)
        log_error(keeper, ACME_LOG_WARN, &err, "cannot recover lineage");
    if (moved) {
        acme_log(keeper->host, ACME_LOG_NOTICE,
            "certificate switched live after an interrupted renewal, "
            "lineage \"%s\"",
            name);
    }
}

/* Where somebody has the lock nothing has crashed, and what looks left over
 * is his work. */
static void
recover(struct acme_keeper *keeper, size_t i)
{
    struct acme_error err;
    int lock = -1;
    enum acme_rc rc;

    if (acme_store_is_settled(keeper->store, keeper->config->lineage[i].name))
        return;
    acme_error_clear(&err);
    rc = acme_store_lock(keeper->store, "lineage",
        keeper->config->lineage[i].name, &lock, &err);
    if (rc == ACME_OK)
        recover_locked(keeper, i);
    else if (rc != ACME_BUSY)
        log_error(keeper, ACME_LOG_WARN, &err, "cannot recover lineage");
    if (lock != -1)
        close(lock);
}

static bool
has_order(struct acme_keeper *keeper, const char *unit)
{
    struct acme_error ignored;
    struct acme_buf text, key;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    rc = acme_store_order_read(keeper->store, unit, &text, &key, &ignored);
    acme_buf_clear(&text);
    acme_buf_clear(&key);
    return rc == ACME_OK;
}

static void
look_at_orders(struct acme_keeper *keeper, size_t i)
{
    char unit[ACME_UNIT_NAME_MAX];
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++) {
        acme_store_unit_name(unit, keeper->config->lineage[i].name, k);
        keeper->kept[i].served[k].order = has_order(keeper, unit);
    }
}

void
acme_keeper_start(struct acme_keeper *keeper, enum acme_keeper_role role)
{
    struct acme_error err;
    bool live, orders;
    size_t i;

    acme_error_clear(&err);
    keeper->role = role;
    for (i = 0; i < keeper->config->nlineages; i++) {
        if (role != ACME_KEEPER_READS)
            recover(keeper, i);
        publish(keeper, i);
        look_at_orders(keeper, i);
    }
    publish_thumbprints(keeper);
    publish_tokens(keeper);
    (void)acme_store_changed(keeper->store, &keeper->watch,
        keeper->host->now(keeper->host->ctx), &live, &orders, &err);
}

void
acme_keeper_settle(struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; i < keeper->config->nlineages; i++)
        settle_served(keeper, i);
    if (keeper->role == ACME_KEEPER_DECLARES)
        withdraw_others(keeper);
}

/* ---- once a second ---------------------------------------------------- */

/* Publishes what is live now; whether that is another version. */
static bool
look_at(struct acme_keeper *keeper, size_t i)
{
    struct acme_error err;
    unsigned number = 0;

    acme_error_clear(&err);
    if (acme_store_live(keeper->store, keeper->config->lineage[i].name,
            &number, &err) != ACME_OK ||
        (number == keeper->kept[i].published && !keeper->kept[i].unread))
        return false;
    publish(keeper, i);
    return keeper->kept[i].published == number;
}

static void
look_at_live(struct acme_keeper *keeper,
    void (*moved)(void *ctx, size_t lineage), void *ctx)
{
    size_t i;

    for (i = 0; i < keeper->config->nlineages; i++) {
        if (look_at(keeper, i))
            moved(ctx, i);
    }
}

void
acme_keeper_look(struct acme_keeper *keeper,
    void (*moved)(void *ctx, size_t lineage), void *ctx)
{
    time_t now = keeper->host->now(keeper->host->ctx);
    struct acme_error err;
    bool live = false, orders = false;

    acme_error_clear(&err);
    forget_accounts(keeper);
    keeper->others_known = false;
    if (keeper->area != NULL)
        acme_area_beat(keeper->area, now);
    if (acme_store_changed(keeper->store, &keeper->watch, now, &live, &orders,
            &err) != ACME_OK)
        return;
    if (live)
        look_at_live(keeper, moved, ctx);
    if (orders) {
        publish_thumbprints(keeper);
        publish_tokens(keeper);
    }
}

/* ---- answers ---------------------------------------------------------- */

/*
 * One frame being answered: its fields, and the reply, whose first field is
 * added when the action has ended.
 */
struct call {
    struct acme_keeper *keeper;
    struct acme_frame in;
    struct acme_buf *reply;
    size_t index;     /* lineage or issuer */
    size_t algorithm; /* with a lineage: its unit */
    const char *name; /* of the lineage */
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error err;
};

static void
begin_reply(struct call *call)
{
    acme_frame_begin(call->reply, call->in.verb, call->in.index);
    acme_frame_add_error(call->reply, &call->err);
}

static void
reply_rc(struct call *call)
{
    begin_reply(call);
}

static struct note *
note_of(const struct call *call)
{
    return &call->keeper->kept[call->index].note[call->algorithm];
}

static void
read_record(struct call *call, struct acme_buf *record, struct acme_error *why)
{
    const struct acme_buf *note = &note_of(call)->record;

    if (note->len > 0)
        acme_buf_add(record, note->data, note->len);
    else if (acme_store_record_read(call->keeper->store, call->unit, record,
                 why) != ACME_OK)
        log_error(call->keeper, ACME_LOG_ERROR, why, "record left out");
}

static void
answer_unit(struct call *call)
{
    const struct kept *kept = &call->keeper->kept[call->index];
    const struct served *served = &kept->served[call->algorithm];
    enum acme_key_type type;
    struct acme_error why;
    struct acme_buf record;
    size_t i;

    acme_error_clear(&why);
    acme_buf_init(&record, ACME_STATE_JSON_MAX);
    if (kept->unsettled)
        settle_served(call->keeper, call->index);
    if (kept->unread)
        (void)look_at(call->keeper, call->index);
    type = acme_lineage_type(&kept->wanted, call->algorithm);
    if (type != ACME_KEY_NONE)
        read_record(call, &record, &why);
    /* Less than there is would be taken for a reason to order. */
    if (kept->unread || kept->unsettled || why.rc == ACME_NOMEM)
        (void)acme_error_nomem(&call->err);

    begin_reply(call);
    acme_frame_add_u64(call->reply, kept->wanted.nnames);
    for (i = 0; i < kept->wanted.nnames; i++)
        acme_frame_add_text(call->reply, kept->wanted.names[i]);
    acme_frame_add_u64(call->reply, type);
    acme_frame_add_text(call->reply,
        kept->conflict != NULL ? kept->conflict : "");
    acme_frame_add_u64(call->reply, kept->published);
    acme_frame_add_u64(call->reply, served->type);
    acme_frame_add_u64(call->reply, served->order);
    acme_frame_add_u64(call->reply, served->other_issuer);
    acme_frame_add(call->reply, served->leaf.data, served->leaf.len);
    acme_frame_add(call->reply, record.data, record.len);
    acme_buf_clear(&record);
}

static void
answer_record(struct call *call)
{
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    if (!call->in.bad && acme_store_record_write(call->keeper->store,
                             call->unit, data, len, &call->err) == ACME_OK)
        acme_buf_reset(&note_of(call)->record);
    reply_rc(call);
}

/* The frame's field is the newest of its kind. */
static void
keep_note(struct call *call, struct acme_buf *note)
{
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    acme_buf_reset(note);
    acme_buf_add(note, data, len);
    if (!acme_buf_ok(note)) {
        acme_buf_reset(note);
        (void)acme_error_nomem(&call->err);
    }
    reply_rc(call);
}

static void
answer_note(struct call *call)
{
    keep_note(call, &note_of(call)->record);
}

/*
 * Whoever had the lock before may have renewed, ordered or declared within
 * the second since we looked; while we have it nobody else does.
 */
static void
refresh(struct acme_keeper *keeper, size_t i)
{
    if (!acme_store_is_settled(keeper->store, keeper->config->lineage[i].name))
        recover_locked(keeper, i);
    settle_served(keeper, i);
    (void)look_at(keeper, i);
    look_at_orders(keeper, i);
}

static void
answer_lock(struct call *call)
{
    struct kept *kept = &call->keeper->kept[call->index];

    if (kept->lock == -1 &&
        acme_store_lock(call->keeper->store, "lineage", call->name,
            &kept->lock, &call->err) == ACME_OK)
        refresh(call->keeper, call->index);
    reply_rc(call);
}

static void
answer_unlock(struct call *call)
{
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++)
        write_order_note(call->keeper, call->index, k);
    unlock(&call->keeper->kept[call->index]);
    reply_rc(call);
}

static void
add_key(struct call *call, const struct acme_key *key)
{
    struct acme_buf der;

    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    if (acme_key_to_der(key, &der, &call->err) == ACME_OK) {
        begin_reply(call);
        acme_frame_add(call->reply, der.data, der.len);
    } else {
        reply_rc(call);
    }
    acme_buf_clear(&der);
}

static void
answer_account(struct call *call)
{
    const struct acme_account_entry *entry;

    if (account(call->keeper, call->index, &entry, &call->err) == ACME_OK) {
        add_key(call, entry->key);
        if (call->err.rc == ACME_OK)
            acme_frame_add_text(call->reply, entry->url);
    } else {
        reply_rc(call);
    }
}

/* Two servers may start on an empty state directory together: the first key
 * that is stored under the lock is everybody's. */
static enum acme_rc
store_account_key(struct call *call, struct acme_key *offered,
    const struct acme_account_entry **entry)
{
    struct acme_keeper *keeper = call->keeper;
    enum acme_rc rc;
    int lock = -1;

    rc = acme_store_lock(keeper->store, "account", "new-key", &lock,
        &call->err);
    if (rc != ACME_OK)
        return rc;
    forget_accounts(keeper);
    rc = account(keeper, call->index, entry, &call->err);
    if (rc == ACME_NOENT) {
        acme_error_clear(&call->err);
        rc = acme_store_account_key(keeper->store,
            &keeper->config->issuer[call->index], offered, &call->err);
        if (rc == ACME_OK)
            rc = account(keeper, call->index, entry, &call->err);
    }
    close(lock);
    return rc;
}

static void
answer_account_key(struct call *call)
{
    const struct acme_account_entry *entry;
    struct acme_key *offered = NULL;
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    if (!call->in.bad &&
        acme_key_from_der(data, len, &offered, &call->err) == ACME_OK &&
        store_account_key(call, offered, &entry) == ACME_OK) {
        add_key(call, entry->key);
        publish_thumbprints(call->keeper);
    } else {
        reply_rc(call);
    }
    acme_key_unref(offered);
}

static void
answer_account_url(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    char url[ACME_URL_MAX];
    bool is_new = false;

    acme_frame_get_text(&call->in, url, sizeof(url));
    if (!call->in.bad &&
        account(keeper, call->index, &entry, &call->err) == ACME_OK) {
        is_new = strcmp(entry->url, url) != 0;
        if (is_new)
            (void)acme_store_account_url(keeper->store,
                &keeper->config->issuer[call->index], entry->id, url,
                keeper->host->now(keeper->host->ctx), &call->err);
        forget_accounts(keeper);
    }
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, is_new);
}

static void
answer_order(struct call *call)
{
    const struct acme_buf *note = &note_of(call)->order;
    struct acme_buf text, key;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    (void)acme_store_order_read(call->keeper->store, call->unit, &text, &key,
        &call->err);
    if (call->err.rc == ACME_OK && note->len > 0) {
        acme_buf_reset(&text);
        acme_buf_add(&text, note->data, note->len);
    }
    begin_reply(call);
    if (call->err.rc == ACME_OK) {
        acme_frame_add(call->reply, text.data, text.len);
        acme_frame_add(call->reply, key.data, key.len);
    }
    acme_buf_clear(&text);
    acme_buf_clear(&key);
}

static void
answer_order_put(struct call *call)
{
    const void *text, *key;
    size_t text_len, key_len;

    acme_frame_get(&call->in, &text, &text_len);
    acme_frame_get(&call->in, &key, &key_len);
    if (!call->in.bad &&
        acme_store_order_write(call->keeper->store, call->unit, text, text_len,
            key, key_len, &call->err) == ACME_OK) {
        call->keeper->kept[call->index].served[call->algorithm].order = true;
        acme_buf_reset(&note_of(call)->order);
    }
    reply_rc(call);
}

static void
answer_order_note(struct call *call)
{
    keep_note(call, &note_of(call)->order);
}

static bool
is_wanted(const struct kept *kept, const char *name)
{
    size_t i;

    for (i = 0; i < kept->wanted.nnames; i++) {
        if (strcmp(kept->wanted.names[i], name) == 0)
            return true;
    }
    return false;
}

/* The engine may ask for answers only about names of this lineage: whatever
 * else it says would prove somebody else's name. */
static bool
get_tokens(struct call *call, struct acme_area_token *tokens, size_t n)
{
    const struct kept *kept = &call->keeper->kept[call->index];
    size_t i;

    for (i = 0; i < n; i++) {
        acme_frame_get_text(&call->in, tokens[i].name, sizeof(tokens[i].name));
        acme_frame_get_text(&call->in, tokens[i].token,
            sizeof(tokens[i].token));
        if (call->in.bad || !is_wanted(kept, tokens[i].name) ||
            !acme_token_ok(tokens[i].token, strlen(tokens[i].token))) {
            call->in.bad = true;
            return false;
        }
    }
    return acme_frame_end(&call->in);
}

struct others {
    const char *own;
    bool found;
};

static enum acme_rc
note_other(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct others *others = ctx;

    (void)err;
    if (strncmp(server->config, others->own, sizeof(server->config) - 1) != 0)
        others->found = true;
    return ACME_OK;
}

/* Whether other servers live on the state directory. */
static bool
has_others(struct acme_keeper *keeper)
{
    struct others others = { keeper->config->instance, false };
    struct acme_error ignored;

    if (keeper->others_known)
        return keeper->others;
    acme_error_clear(&ignored);
    (void)acme_control_servers(acme_store_fd(keeper->store), note_other,
        &others, &ignored);
    keeper->others = others.found;
    keeper->others_known = true;
    return others.found;
}

/* Tells whose challenges these are. */
static enum acme_rc
sign_tokens(struct acme_area_token *tokens, size_t n,
    const struct acme_account_entry *entry, struct acme_error *err)
{
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    enum acme_rc rc = acme_key_thumbprint(entry->key, thumbprint, err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < n; i++)
        memcpy(tokens[i].thumbprint, thumbprint, sizeof(thumbprint));
    return rc;
}

static void
answer_challenges(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    size_t issuer = keeper->config->lineage[call->index].issuer;
    const struct acme_account_entry *entry;
    struct acme_area_token *tokens = NULL;
    uint64_t n = acme_frame_get_u64(&call->in);

    if (n > ACME_NAMES_MAX) {
        call->in.bad = true;
        return;
    }
    tokens = calloc((size_t)n + 1, sizeof(*tokens));
    if (tokens == NULL)
        (void)acme_error_nomem(&call->err);
    else if (get_tokens(call, tokens, (size_t)n) &&
             account(keeper, issuer, &entry, &call->err) == ACME_OK &&
             sign_tokens(tokens, (size_t)n, entry, &call->err) == ACME_OK &&
             acme_store_challenges_write(keeper->store, call->unit, entry->id,
                 tokens, (size_t)n, &call->err) == ACME_OK)
        publish_more_tokens(keeper, tokens, (size_t)n);
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, has_others(keeper));
    free(tokens);
}

static void
drop_order(struct call *call, struct acme_error *err)
{
    struct acme_keeper *keeper = call->keeper;

    if (acme_store_order_drop(keeper->store, call->unit, err) == ACME_OK) {
        keeper->kept[call->index].served[call->algorithm].order = false;
        acme_buf_reset(&note_of(call)->order);
    }
}

static void
answer_order_drop(struct call *call)
{
    drop_order(call, &call->err);
    reply_rc(call);
}

/* ---- versions: the gate ----------------------------------------------- */

static void
refuse(struct call *call, const struct acme_chain *chain)
{
    struct acme_error ignored;
    char line[ACME_LOG_LINE_MAX];

    acme_error_clear(&ignored);
    (void)acme_store_refused(call->keeper->store, call->unit, chain,
        acme_error_line(&call->err, line, sizeof(line)), &ignored);
}

static enum acme_rc
check(struct call *call, const struct acme_key *key,
    const struct acme_chain *chain)
{
    struct acme_keeper *keeper = call->keeper;
    const struct kept *kept = &keeper->kept[call->index];
    unsigned surplus = 0;
    enum acme_rc rc;

    rc = acme_chain_check(chain, key, kept->wanted.names, kept->wanted.nnames,
        keeper->host->now(keeper->host->ctx), &surplus, &call->err);
    if (rc == ACME_REFUSED)
        refuse(call, chain);
    if (rc == ACME_OK && surplus > 0) {
        acme_log(keeper->host, ACME_LOG_WARN,
            "certificate has %u names that were not asked for, lineage "
            "\"%s\"",
            surplus, call->name);
    }
    return rc;
}

/*
 * The live version's pairs of the other algorithms, so that every version is
 * complete by itself; one that nobody wants ends here.
 */
static enum acme_rc
carry_over(struct call *call, const struct acme_version *live,
    struct acme_version *version)
{
    const struct kept *kept = &call->keeper->kept[call->index];
    struct acme_pair *pair;
    size_t i;

    for (i = 0; i < live->npairs; i++) {
        if (acme_key_algorithm_number(live->pair[i].type) == call->algorithm ||
            !wants(&kept->wanted, live->pair[i].type))
            continue;
        pair = &version->pair[version->npairs++];
        pair->type = live->pair[i].type;
        pair->origin = live->pair[i].origin;
        acme_buf_add(&pair->key, live->pair[i].key.data,
            live->pair[i].key.len);
        acme_buf_add(&pair->chain, live->pair[i].chain.data,
            live->pair[i].chain.len);
        if (!acme_buf_ok(&pair->key) || !acme_buf_ok(&pair->chain))
            return acme_error_nomem(&call->err);
    }
    return ACME_OK;
}

/* The first type that is wanted comes first: its files have the plain names.
 */
static void
put_in_order(const struct acme_lineage *wanted, struct acme_version *version)
{
    struct acme_pair pair;
    size_t i;

    for (i = 1; i < version->npairs; i++) {
        if (acme_key_algorithm_number(version->pair[i].type) !=
            acme_key_algorithm_number(wanted->type[0]))
            continue;
        pair = version->pair[0];
        version->pair[0] = version->pair[i];
        version->pair[i] = pair;
    }
}

static enum acme_rc
add_others(struct call *call, struct acme_version *version)
{
    struct acme_version live;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    rc =
        acme_store_live_read(call->keeper->store, call->name, &live, &ignored);
    if (rc == ACME_OK)
        rc = carry_over(call, &live, version);
    else
        rc = rc == ACME_NOMEM ? acme_error_nomem(&call->err) : ACME_OK;
    acme_version_clear(&live);
    put_in_order(&call->keeper->kept[call->index].wanted, version);
    return rc;
}

static enum acme_rc
commit(struct call *call, const struct acme_key *key,
    const struct acme_chain *chain, const char *order_url, unsigned *number)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_config *config = keeper->config;
    size_t issuer = config->lineage[call->index].issuer;
    time_t now = keeper->host->now(keeper->host->ctx);
    struct acme_version version;
    struct acme_pair *pair = &version.pair[0];
    struct acme_error ignored;
    enum acme_rc rc;

    acme_version_init(&version);
    version.npairs = 1;
    pair->type = acme_key_type_of(key);
    pair->origin.obtained = now;
    (void)snprintf(pair->origin.issuer, sizeof(pair->origin.issuer), "%s",
        config->issuer[issuer].directory);
    (void)snprintf(pair->origin.order, sizeof(pair->origin.order), "%s",
        order_url);
    rc = acme_key_to_der(key, &pair->key, &call->err);
    if (rc == ACME_OK)
        rc = acme_chain_to_der(chain, 0, 0, &pair->chain, &call->err);
    if (rc == ACME_OK)
        rc = add_others(call, &version);
    if (rc == ACME_OK)
        rc = acme_store_version_write(keeper->store, call->name, &version, now,
            &call->err);
    if (rc == ACME_OK) {
        if (call->err.rc != ACME_OK) {
            log_error(keeper, ACME_LOG_WARN, &call->err,
                "certificate is live, but not all was tidied up");
            acme_error_clear(&call->err);
        }
        /* Left behind it would be resumed, to the same certificate. */
        acme_error_clear(&ignored);
        drop_order(call, &ignored);
        rc = put_version(keeper, call->index, &version, &call->err);
    }
    *number = version.number;
    acme_version_clear(&version);
    return rc;
}

static void
answer_version(struct call *call)
{
    struct acme_key *key = NULL;
    struct acme_chain *chain = NULL;
    const void *key_der, *chain_der;
    size_t key_len, chain_len;
    char order_url[ACME_URL_MAX];
    unsigned number = 0;

    acme_frame_get(&call->in, &key_der, &key_len);
    acme_frame_get(&call->in, &chain_der, &chain_len);
    acme_frame_get_text(&call->in, order_url, sizeof(order_url));
    if (call->in.bad)
        return;
    if (acme_key_from_der(key_der, key_len, &key, &call->err) == ACME_OK &&
        acme_key_algorithm_number(acme_key_type_of(key)) != call->algorithm)
        call->in.bad = true;
    if (call->err.rc == ACME_OK && !call->in.bad &&
        acme_chain_from_der(chain_der, chain_len, &chain, &call->err) ==
            ACME_OK &&
        check(call, key, chain) == ACME_OK)
        (void)commit(call, key, chain, order_url, &number);
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, number);
    acme_key_unref(key);
    acme_chain_free(chain);
}

/* ---- ledger, done ----------------------------------------------------- */

static void
answer_ledger(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    struct acme_buf text;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (account(keeper, call->index, &entry, &call->err) == ACME_OK)
        (void)acme_store_ledger_read(keeper->store,
            &keeper->config->issuer[call->index], entry->id, &text,
            &call->err);
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, text.data, text.len);
    acme_buf_clear(&text);
}

static void
answer_ledger_put(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    const void *data;
    size_t len;

    acme_frame_get(&call->in, &data, &len);
    if (!call->in.bad &&
        account(keeper, call->index, &entry, &call->err) == ACME_OK)
        (void)acme_store_ledger_write(keeper->store,
            &keeper->config->issuer[call->index], entry->id, data, len,
            &call->err);
    reply_rc(call);
}

static void
answer_traffic(struct call *call)
{
    const struct acme_area *area = call->keeper->area;

    begin_reply(call);
    acme_frame_add_u64(call->reply,
        area == NULL || acme_area_has_traffic(area, call->index));
}

static void
answer_done(struct call *call)
{
    char text[ACME_LOG_LINE_MAX];
    uint64_t id = acme_frame_get_u64(&call->in);
    uint64_t ok = acme_frame_get_u64(&call->in);

    acme_frame_get_text(&call->in, text, sizeof(text));
    if (!call->in.bad && call->keeper->done != NULL)
        call->keeper->done(call->keeper->done_ctx, id, ok != 0, text);
    reply_rc(call);
}

/* ---- dispatch --------------------------------------------------------- */

enum scope {
    OF_UNIT,
    OF_ISSUER,
    OF_NOTHING
};

/* Number of fields in a request, or of one that its answer counts itself. */
#define ANY_NUMBER SIZE_MAX

static const struct {
    enum acme_verb verb;
    enum scope scope;
    size_t nfields;
    void (*answer)(struct call *call);
} verbs[] = {
    { ACME_VERB_UNIT, OF_UNIT, 0, answer_unit },
    { ACME_VERB_RECORD, OF_UNIT, 1, answer_record },
    { ACME_VERB_NOTE, OF_UNIT, 1, answer_note },
    { ACME_VERB_LOCK, OF_UNIT, 0, answer_lock },
    { ACME_VERB_UNLOCK, OF_UNIT, 0, answer_unlock },
    { ACME_VERB_ACCOUNT, OF_ISSUER, 0, answer_account },
    { ACME_VERB_ACCOUNT_KEY, OF_ISSUER, 1, answer_account_key },
    { ACME_VERB_ACCOUNT_URL, OF_ISSUER, 1, answer_account_url },
    { ACME_VERB_ORDER, OF_UNIT, 0, answer_order },
    { ACME_VERB_ORDER_PUT, OF_UNIT, 2, answer_order_put },
    { ACME_VERB_ORDER_NOTE, OF_UNIT, 1, answer_order_note },
    { ACME_VERB_CHALLENGES, OF_UNIT, ANY_NUMBER, answer_challenges },
    { ACME_VERB_ORDER_DROP, OF_UNIT, 0, answer_order_drop },
    { ACME_VERB_VERSION, OF_UNIT, 3, answer_version },
    { ACME_VERB_LEDGER, OF_ISSUER, 0, answer_ledger },
    { ACME_VERB_LEDGER_PUT, OF_ISSUER, 1, answer_ledger_put },
    { ACME_VERB_TRAFFIC, OF_UNIT, 0, answer_traffic },
    { ACME_VERB_DONE, OF_NOTHING, 3, answer_done },
};

/* Before anything is done: a frame is all good or it is nothing. */
static bool
has_fields(struct acme_frame frame, size_t n)
{
    const void *data;
    size_t len;

    if (n == ANY_NUMBER)
        return true;
    while (n-- > 0)
        acme_frame_get(&frame, &data, &len);
    return acme_frame_end(&frame);
}

static bool
in_range(const struct acme_keeper *keeper, enum scope scope, size_t index)
{
    switch (scope) {
    case OF_UNIT:
        return acme_unit_lineage(index) < keeper->config->nlineages;
    case OF_ISSUER:
        return index < keeper->config->nissuers;
    default:
        return index == 0;
    }
}

static void
choose_unit(struct call *call)
{
    size_t unit = call->index;

    call->index = acme_unit_lineage(unit);
    call->algorithm = acme_unit_algorithm(unit);
    call->name = call->keeper->config->lineage[call->index].name;
    acme_store_unit_name(call->unit, call->name, call->algorithm);
}

bool
acme_keeper_answer(struct acme_keeper *keeper, const struct acme_buf *request,
    struct acme_buf *reply)
{
    struct call call;
    size_t i;

    memset(&call, 0, sizeof(call));
    call.keeper = keeper;
    call.reply = reply;
    acme_error_clear(&call.err);
    if (!acme_frame_open(&call.in, request->data, request->len))
        return false;
    call.index = call.in.index;
    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (verbs[i].verb != call.in.verb)
            continue;
        if (!in_range(keeper, verbs[i].scope, call.index) ||
            !has_fields(call.in, verbs[i].nfields))
            return false;
        if (verbs[i].scope == OF_UNIT)
            choose_unit(&call);
        verbs[i].answer(&call);
        return acme_frame_end(&call.in);
    }
    return false;
}

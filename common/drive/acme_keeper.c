#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"
#include "state/acme_dir.h"

/* Hooks that another store has not run to their end are looked for so often
 * (seconds). */
#define DUE_EVERY 60

/* And so soon after a version has become live: not at once, as who has made it
 * so has them run. */
#define DUE_SOON 2

void
acme_keeper_log(const struct acme_keeper *keeper, enum acme_level level,
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
        rc = acme_key_from_text(acme_buf_str(&pem), pem.len, key, err);
        if (rc != ACME_OK)
            (void)acme_error_wrap(err,
                "account key \"%s\" of \"account_key\" (nginx) or "
                "\"ACMEAccountKey\" (Apache httpd)",
                path);
    }
    acme_buf_clear(&pem);
    return rc;
}

/* An unreadable key is trouble of its issuer only. */
static void
read_own_keys(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    struct acme_error *err;
    size_t i;

    for (i = 0; i < config->nissuers; i++) {
        const char *path = config->issuer[i].key_file;

        err = &keeper->own_trouble[i];
        acme_error_clear(err);
        if (path == NULL)
            continue;
        if (read_own_key(path, config->uid, &keeper->own[i], err) != ACME_OK ||
            acme_store_known_key(keeper->store, keeper->own[i], err) !=
                ACME_OK)
            acme_keeper_log(keeper, ACME_LOG_ERROR, err, "cannot read key");
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
    keeper->runner = -1;
    if (config->has_key_group)
        acme_store_key_group(store, config->key_group);
    keeper->kept = calloc(config->nlineages + 1, sizeof(*keeper->kept));
    keeper->own = calloc(config->nissuers + 1, sizeof(struct acme_key *));
    keeper->own_trouble =
        calloc(config->nissuers + 1, sizeof(keeper->own_trouble[0]));
    keeper->account = calloc(config->nissuers + 1, sizeof(keeper->account[0]));
    for (i = 0; keeper->kept != NULL && i < config->nlineages; i++) {
        struct acme_kept *kept = &keeper->kept[i];

        kept->lock = -1;
        kept->csr_dir = -1;
        for (k = 0; k < ACME_ALGORITHMS; k++) {
            acme_buf_init(&kept->served[k].leaf, ACME_CHAIN_DER_MAX);
            acme_buf_init(&kept->note[k].record, ACME_STATE_JSON_MAX);
            acme_buf_init(&kept->note[k].order, ACME_STATE_JSON_MAX);
            acme_buf_init_secret(&kept->note[k].key, ACME_STATE_PEM_MAX);
        }
    }
    if (keeper->kept == NULL || keeper->own == NULL ||
        keeper->own_trouble == NULL || keeper->account == NULL ||
        !acme_keeper_status_init(keeper) ||
        acme_keeper_read_bindings(keeper, err) != ACME_OK ||
        acme_keeper_read_tsigs(keeper, err) != ACME_OK) {
        acme_keeper_free(keeper);
        return acme_error_nomem(err);
    }
    read_own_keys(keeper);
    acme_keeper_open_csrs(keeper);
    if (acme_keeper_open_adopted(keeper, err) != ACME_OK) {
        acme_keeper_free(keeper);
        return acme_error_nomem(err);
    }
    *out = keeper;
    return ACME_OK;
}

void
acme_keeper_unlock(struct acme_kept *kept)
{
    if (kept->lock != -1)
        close(kept->lock);
    kept->lock = -1;
}

void
acme_keeper_forget_accounts(struct acme_keeper *keeper)
{
    size_t i;

    for (i = 0; keeper->account != NULL && i < keeper->config->nissuers; i++)
        acme_account_entry_clear(&keeper->account[i]);
}

/* A note is over when it is written, or cannot be. */
static void
write_note(struct acme_keeper *keeper, size_t i, size_t algorithm,
    struct acme_buf *note,
    enum acme_rc (*write)(struct acme_store *store, const char *unit,
        const void *text, size_t len, struct acme_error *err))
{
    char unit[ACME_UNIT_NAME_MAX];
    struct acme_error err;

    if (note->len == 0 || keeper->role == ACME_KEEPER_TRIES)
        return;
    acme_error_clear(&err);
    acme_store_unit_name(unit, keeper->config->lineage[i].name, algorithm);
    if (write(keeper->store, unit, note->data, note->len, &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err, "cannot write note");
    acme_buf_reset(note);
}

void
acme_keeper_write_order(struct acme_keeper *keeper, size_t i, size_t algorithm)
{
    write_note(keeper, i, algorithm, &keeper->kept[i].note[algorithm].order,
        acme_store_order_update);
}

void
acme_keeper_free(struct acme_keeper *keeper)
{
    size_t i, k;

    if (keeper == NULL)
        return;
    if (keeper->role == ACME_KEEPER_TRIES)
        acme_keeper_end_trials(keeper);
    for (i = 0; keeper->kept != NULL && i < keeper->config->nlineages; i++) {
        struct acme_kept *kept = &keeper->kept[i];

        for (k = 0; k < ACME_ALGORITHMS; k++) {
            /* the engine has ended with nothing better to say */
            write_note(keeper, i, k, &kept->note[k].record,
                acme_store_record_write);
            acme_keeper_write_order(keeper, i, k);
            acme_buf_clear(&kept->note[k].record);
            acme_buf_clear(&kept->note[k].order);
            acme_buf_clear(&kept->note[k].key);
            acme_buf_clear(&kept->served[k].leaf);
            acme_staple_clear(&kept->served[k].staple);
        }
        acme_keeper_unlock(kept);
        acme_keeper_close_csr(kept);
        acme_arena_free(kept->arena);
    }
    for (i = 0; keeper->own != NULL && i < keeper->config->nissuers; i++)
        acme_key_unref(keeper->own[i]);
    acme_keeper_forget_accounts(keeper);
    acme_keeper_free_bindings(keeper);
    acme_keeper_free_tsigs(keeper);
    acme_keeper_free_adopted(keeper);
    acme_keeper_free_asked(keeper);
    acme_roster_free(keeper->roster);
    acme_keeper_status_free(keeper);
    free(keeper->token);
    free(keeper->account);
    free(keeper->kept);
    free(keeper->own);
    free(keeper->own_trouble);
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

void
acme_keeper_declared_by(const struct acme_keeper *keeper, char *by,
    size_t size)
{
    (void)snprintf(by, size, "%s:%s", keeper->config->server,
        keeper->config->instance);
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

    acme_keeper_declared_by(keeper, by, sizeof(by));
    rc = acme_settings_declare(settings, by, keeper->config, i,
        keeper->host->now(keeper->host->ctx), &changed, err);
    if (rc == ACME_OK && changed)
        rc = acme_store_settings_write(keeper->store, name, settings, err);
    return rc;
}

enum acme_rc
acme_keeper_declare(struct acme_keeper *keeper, size_t i,
    struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    enum acme_rc rc =
        read_settings(keeper, keeper->config->lineage[i].name, &settings, err);

    if (rc == ACME_OK)
        rc = declare(keeper, i, settings, err);
    acme_settings_free(settings);
    return rc;
}

static void
publish_enhance(struct acme_keeper *keeper, size_t i,
    const struct acme_settings *settings)
{
    if (keeper->area != NULL)
        acme_area_put_enhance(keeper->area, i, &settings->enhance,
            settings->hsts_since);
}

/* What the state directory wants of lineage i, once declared. */
static enum acme_rc
load_wanted(struct acme_keeper *keeper, size_t i, struct acme_error *err)
{
    struct acme_kept *kept = &keeper->kept[i];
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
    if (settings != NULL)
        publish_enhance(keeper, i, settings);
    if (rc == ACME_OK)
        rc = acme_settings_wanted(settings, kept->arena, &kept->wanted,
            &kept->conflict, err);
    acme_settings_free(settings);
    return rc;
}

static void
settle(struct acme_keeper *keeper, size_t i)
{
    struct acme_kept *kept = &keeper->kept[i];
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    struct acme_error err;

    acme_keeper_touch(keeper, i);
    acme_error_clear(&err);
    if (keeper->role == ACME_KEEPER_ISSUES ||
        keeper->role == ACME_KEEPER_TRIES) {
        kept->wanted = *lineage;
        return;
    }
    kept->unsettled = load_wanted(keeper, i, &err) == ACME_NOMEM;
    if (err.rc != ACME_OK) {
        /* Without its settings the configuration's own wish counts. */
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err, "cannot use settings");
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

/* A lineage that we declared once and do not want any more goes dormant, or
 * with the server. */
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
    if (acme_settings_forgets(settings, w->by)) {
        acme_keeper_leave(w->keeper, name);
    } else if (acme_settings_withdraw(settings, w->by)) {
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
    acme_keeper_declared_by(keeper, by, sizeof(by));
    w.by = by;
    if (acme_store_lineages(keeper->store, withdraw, &w, &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err, "cannot list lineages");
}

/* ---- settled anew ----------------------------------------------------- */

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

void
acme_keeper_settle_one(struct acme_keeper *keeper, size_t i)
{
    struct acme_lineage before = *acme_keeper_wanted(keeper, i);

    settle(keeper, i);
    if (keeper->kept[i].published != 0 &&
        !same_algorithms(&before, acme_keeper_wanted(keeper, i)))
        acme_keeper_publish(keeper, i);
}

/* ---- start ------------------------------------------------------------ */

void
acme_keeper_recover(struct acme_keeper *keeper, size_t i)
{
    const char *name = keeper->config->lineage[i].name;
    struct acme_error err;
    bool moved = false;

    acme_error_clear(&err);
    if (acme_store_recover(keeper->store, name, &moved, &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err, "cannot recover lineage");
    if (moved) {
        acme_log(keeper->host, ACME_LOG_NOTICE,
            "certificate switched live after an interrupted renewal, "
            "lineage \"%s\"",
            name);
        acme_keeper_tell_recovered(keeper, i);
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
        acme_keeper_recover(keeper, i);
    else if (rc != ACME_BUSY)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err, "cannot recover lineage");
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

void
acme_keeper_look_at_orders(struct acme_keeper *keeper, size_t i)
{
    char unit[ACME_UNIT_NAME_MAX];
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++) {
        acme_store_unit_name(unit, keeper->config->lineage[i].name, k);
        keeper->kept[i].served[k].order = has_order(keeper, unit);
    }
}

/* Rounds of rendering where no look follows. */
#define SHOWS_MAX 64

void
acme_keeper_start(struct acme_keeper *keeper, enum acme_keeper_role role)
{
    struct acme_error err;
    bool live, orders, settings;
    size_t i;

    acme_error_clear(&err);
    keeper->role = role;
    acme_keeper_read_roster(keeper);
    if (role == ACME_KEEPER_DECLARES)
        acme_keeper_adopt_accounts(keeper);
    for (i = 0; i < keeper->config->nlineages; i++) {
        if (role == ACME_KEEPER_DECLARES || role == ACME_KEEPER_OBEYS ||
            role == ACME_KEEPER_ISSUES)
            recover(keeper, i);
        if (role == ACME_KEEPER_DECLARES)
            acme_keeper_adopt(keeper, i);
        acme_keeper_publish(keeper, i);
        if (role != ACME_KEEPER_TRIES) /* which has its own */
            acme_keeper_look_at_orders(keeper, i);
    }
    acme_keeper_free_adopted(keeper);
    acme_keeper_write_roster(keeper);
    acme_keeper_publish_thumbprints(keeper);
    acme_keeper_publish_tokens(keeper);
    (void)acme_store_changed(keeper->store, &keeper->watch,
        keeper->host->now(keeper->host->ctx), &live, &orders, &settings, &err);
    (void)acme_store_staples_changed(keeper->store, &keeper->watch,
        keeper->host->now(keeper->host->ctx));
    keeper->started = true;
    for (i = 0; role == ACME_KEEPER_READS && i < SHOWS_MAX &&
                acme_keeper_is_behind(keeper);
         i++)
        acme_keeper_render(keeper); /* nobody looks later */
}

/* A group that cannot be given is told of once. */
static void
share(struct acme_keeper *keeper)
{
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    (void)acme_store_share_top(keeper->store, &err);
    for (i = 0; keeper->config->has_key_group &&
                i < keeper->config->nlineages && err.rc == ACME_OK;
         i++)
        (void)acme_store_share(keeper->store, keeper->config->lineage[i].name,
            &err);
    if (err.rc != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
            "keys cannot be read by the key group");
}

void
acme_keeper_settle(struct acme_keeper *keeper)
{
    size_t i;

    if (keeper->role == ACME_KEEPER_DECLARES)
        share(keeper);
    for (i = 0; i < keeper->config->nlineages; i++)
        acme_keeper_settle_one(keeper, i);
    if (keeper->role == ACME_KEEPER_DECLARES)
        withdraw_others(keeper);
}

/* ---- once a second ---------------------------------------------------- */

/* Not so where the lineage was removed and begins anew. */
static bool
has_newer(const struct acme_keeper *keeper, const char *name, unsigned number)
{
    struct acme_error ignored;
    unsigned newest = 0;
    size_t n = 0;

    acme_error_clear(&ignored);
    return acme_store_version_numbers(keeper->store, name, &newest, 1, &n,
               &ignored) == ACME_OK &&
           n > 0 && newest > number;
}

bool
acme_keeper_look_at(struct acme_keeper *keeper, size_t i)
{
    const char *name = keeper->config->lineage[i].name;
    const unsigned before = keeper->kept[i].published;
    struct acme_error err;
    unsigned number = 0;

    acme_error_clear(&err);
    if (acme_store_live(keeper->store, name, &number, &err) != ACME_OK ||
        (number == before && !keeper->kept[i].unread &&
            acme_store_live_stamp(keeper->store, name) ==
                keeper->kept[i].live_stamp))
        return false;
    acme_keeper_publish(keeper, i);
    if (keeper->kept[i].published != number)
        return false;
    if (number < before && keeper->area != NULL &&
        has_newer(keeper, name, number))
        acme_keeper_tell_rolled_back(keeper, i, number);
    return true;
}

static void
look_at_live(struct acme_keeper *keeper,
    void (*moved)(void *ctx, size_t lineage), void *ctx)
{
    size_t i;

    for (i = 0; i < keeper->config->nlineages; i++) {
        if (acme_keeper_look_at(keeper, i))
            moved(ctx, i);
    }
}

/* What others have said of requests; what cannot be read stays as it was. */
static void
look_at_settings(struct acme_keeper *keeper)
{
    struct acme_settings *settings;
    struct acme_error ignored;
    const char *name;
    uint64_t stamp;
    size_t i;

    for (i = 0; keeper->area != NULL && i < keeper->config->nlineages; i++) {
        name = keeper->config->lineage[i].name;
        stamp = acme_store_settings_stamp(keeper->store, name);
        if (stamp == keeper->kept[i].enhance_stamp)
            continue;
        acme_error_clear(&ignored);
        settings = NULL;
        if (read_settings(keeper, name, &settings, &ignored) == ACME_OK)
            publish_enhance(keeper, i, settings);
        if (ignored.rc != ACME_NOMEM)
            keeper->kept[i].enhance_stamp = stamp;
        acme_settings_free(settings);
    }
}

void
acme_keeper_look(struct acme_keeper *keeper,
    void (*moved)(void *ctx, size_t lineage), void *ctx)
{
    time_t now = keeper->host->now(keeper->host->ctx);
    struct acme_error err;
    bool live = false, orders = false, settings = false;

    acme_error_clear(&err);
    acme_keeper_forget_accounts(keeper);
    keeper->others_known = false;
    if (keeper->area != NULL)
        acme_area_beat(keeper->area, now);
    acme_keeper_tell_expiring(keeper);
    acme_keeper_send_asked(keeper);
    if (now >= keeper->due_at) {
        keeper->due_at = now + DUE_EVERY;
        acme_keeper_find_due(keeper);
    }
    (void)acme_store_changed(keeper->store, &keeper->watch, now, &live,
        &orders, &settings, &err);
    if (settings)
        look_at_settings(keeper);
    if (live) {
        look_at_live(keeper, moved, ctx);
        if (keeper->due_at > now + DUE_SOON)
            keeper->due_at = now + DUE_SOON;
    }
    if (acme_store_staples_changed(keeper->store, &keeper->watch, now))
        acme_keeper_look_at_staples(keeper);
    if (orders) {
        acme_keeper_publish_thumbprints(keeper);
        acme_keeper_publish_tokens(keeper);
    }
    acme_keeper_render(keeper);
}

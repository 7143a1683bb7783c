/*
 * The engine's frames and what they are answered with: nothing in them is
 * believed, and a certificate has to pass the gate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "drive/acme_control.h"
#include "drive/acme_keeper_private.h"

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

static struct acme_note *
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
        acme_keeper_log(call->keeper, ACME_LOG_ERROR, why, "record left out");
}

static void
answer_unit(struct call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_served *served = &kept->served[call->algorithm];
    enum acme_key_type type;
    struct acme_error why;
    struct acme_buf record;
    size_t i;

    acme_error_clear(&why);
    acme_buf_init(&record, ACME_STATE_JSON_MAX);
    if (kept->unsettled)
        acme_keeper_settle_one(call->keeper, call->index);
    if (kept->unread)
        (void)acme_keeper_look_at(call->keeper, call->index);
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
    acme_frame_add_u64(call->reply, kept->wanted.must_staple);
    acme_frame_add_u64(call->reply, kept->wanted.reuse_key);
    acme_frame_add_u64(call->reply, kept->wanted.allow_subset);
    acme_frame_add_u64(call->reply, kept->wanted.csr_file != NULL);
    acme_frame_add_u64(call->reply, type);
    acme_frame_add_text(call->reply,
        kept->conflict != NULL ? kept->conflict : "");
    acme_frame_add_u64(call->reply, kept->published);
    acme_frame_add_u64(call->reply, served->type);
    acme_frame_add_u64(call->reply, served->order);
    acme_frame_add_u64(call->reply, served->other_issuer);
    acme_frame_add_u64(call->reply, acme_store_is_revoked(call->keeper->store,
                                        served->leaf.data, served->leaf.len));
    acme_frame_add_u64(call->reply,
        served->issued_by_known ? served->issued_by + 1 : 0);
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
        acme_keeper_recover(keeper, i);
    acme_keeper_settle_one(keeper, i);
    (void)acme_keeper_look_at(keeper, i);
    acme_keeper_look_at_orders(keeper, i);
}

static void
answer_lock(struct call *call)
{
    struct acme_kept *kept = &call->keeper->kept[call->index];

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
        acme_keeper_write_order(call->keeper, call->index, k);
    acme_keeper_unlock(&call->keeper->kept[call->index]);
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

    if (acme_keeper_account(call->keeper, call->index, &entry, &call->err) ==
        ACME_OK) {
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
    acme_keeper_forget_accounts(keeper);
    rc = acme_keeper_account(keeper, call->index, entry, &call->err);
    if (rc == ACME_NOENT) {
        acme_error_clear(&call->err);
        rc = acme_store_account_key(keeper->store,
            &keeper->config->issuer[call->index], offered, &call->err);
        if (rc == ACME_OK)
            rc = acme_keeper_account(keeper, call->index, entry, &call->err);
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
        acme_keeper_publish_thumbprints(call->keeper);
    } else {
        reply_rc(call);
    }
    acme_key_unref(offered);
}

/* No server's engine has any business here. */
static void
answer_account_dead(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;

    if (keeper->role != ACME_KEEPER_OBEYS) {
        call->in.bad = true;
        return;
    }
    if (acme_keeper_account(keeper, call->index, &entry, &call->err) ==
        ACME_OK)
        (void)acme_store_account_park(keeper->store,
            &keeper->config->issuer[call->index], entry->id, &call->err);
    acme_keeper_forget_accounts(keeper);
    reply_rc(call);
}

/* ---- a change of an account's key ------------------------------------- */

/* ACME_NOENT: the account's key is not being changed. */
static enum acme_rc
find_rekey(struct call *call, const struct acme_account_entry **entry,
    struct acme_rekey *rekey, const char **other)
{
    struct acme_keeper *keeper = call->keeper;
    enum acme_rc rc;

    rc = acme_store_rekey_read(keeper->store, rekey, &call->err);
    if (rc == ACME_OK)
        acme_keeper_forget_accounts(keeper);
    if (rc == ACME_OK)
        rc = acme_keeper_account(keeper, call->index, entry, &call->err);
    if (rc != ACME_OK)
        return rc;
    *other = NULL;
    if (keeper->config->issuer[call->index].key_file == NULL) {
        if (strcmp((*entry)->id, rekey->from) == 0)
            *other = rekey->to;
        else if (strcmp((*entry)->id, rekey->to) == 0)
            *other = rekey->from;
    }
    return *other != NULL ? ACME_OK
                          : acme_error_set(&call->err, ACME_NOENT,
                                "this key is not being changed");
}

/* Whoever holds the lock is at work: what the CA knows now it may not know in
 * a moment. */
static enum acme_rc
check_idle(struct call *call, const struct acme_rekey *rekey)
{
    int lock = -1;
    enum acme_rc rc = acme_store_lock(call->keeper->store, "account",
        rekey->from, &lock, &call->err);

    if (lock != -1)
        close(lock);
    return rc;
}

static void
answer_other_key(struct call *call)
{
    const struct acme_account_entry *entry;
    struct acme_key *key = NULL;
    const char *other = NULL;
    struct acme_rekey rekey;
    bool ours = acme_frame_get_u64(&call->in) != 0;
    enum acme_rc rc;

    if (call->in.bad)
        return;
    rc = find_rekey(call, &entry, &rekey, &other);
    if (rc == ACME_OK && !ours)
        rc = check_idle(call, &rekey);
    if (rc == ACME_OK)
        rc = acme_store_key_read(call->keeper->store, other, &key, &call->err);
    if (rc == ACME_OK)
        add_key(call, key);
    else
        reply_rc(call);
    acme_key_unref(key);
}

static void
answer_account_moved(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    const char *other = NULL;
    struct acme_rekey rekey;

    if (find_rekey(call, &entry, &rekey, &other) == ACME_OK)
        (void)acme_store_rekey_move(keeper->store,
            &keeper->config->issuer[call->index], entry->id, other,
            &call->err);
    acme_keeper_publish_thumbprints(keeper);
    reply_rc(call);
}

/* Issuers of one configuration may share an account, and each has contacts. */
static void
issuer_of(const struct call *call, char *by, size_t size)
{
    const struct acme_keeper *keeper = call->keeper;
    size_t len;

    acme_keeper_declared_by(keeper, by, size);
    len = strlen(by);
    (void)snprintf(by + len, size - len, " %s",
        keeper->config->issuer[call->index].name);
}

/* Only a server speaks for its configuration. */
static void
answer_contacts(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    char by[ACME_LOG_LINE_MAX];
    bool due = false;
    enum acme_rc rc;

    issuer_of(call, by, sizeof(by));
    rc = acme_keeper_account(keeper, call->index, &entry, &call->err);
    if (rc == ACME_NOENT)
        acme_error_clear(&call->err);
    else if (rc == ACME_OK && keeper->role == ACME_KEEPER_DECLARES &&
             entry->url[0] != '\0')
        (void)acme_store_contacts_due(keeper->store,
            &keeper->config->issuer[call->index], entry->id, by, &due,
            &call->err);
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, due);
}

static void
answer_contacts_told(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    uint64_t taken = acme_frame_get_u64(&call->in);
    const struct acme_account_entry *entry;
    char by[ACME_LOG_LINE_MAX];

    issuer_of(call, by, sizeof(by));
    if (!call->in.bad && acme_keeper_account(keeper, call->index, &entry,
                             &call->err) == ACME_OK)
        (void)acme_store_contacts_told(keeper->store,
            &keeper->config->issuer[call->index], entry->id, by, taken != 0,
            &call->err);
    reply_rc(call);
}

static void
answer_binding(struct call *call)
{
    const struct acme_kept_binding *kept = &call->keeper->binding[call->index];

    call->err = kept->trouble;
    if (call->err.rc == ACME_OK && kept->binding.kid[0] == '\0')
        (void)acme_error_set(&call->err, ACME_NOENT,
            "no external account binding is configured");
    begin_reply(call);
    if (call->err.rc != ACME_OK)
        return;
    acme_frame_add_text(call->reply, kept->binding.kid);
    acme_frame_add_text(call->reply, kept->binding.alg);
    acme_frame_add(call->reply, kept->binding.key.data, kept->binding.key.len);
}

static void
answer_account_url(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    char url[ACME_URL_MAX];
    bool is_new = false;

    acme_frame_get_text(&call->in, url, sizeof(url));
    if (!call->in.bad && acme_keeper_account(keeper, call->index, &entry,
                             &call->err) == ACME_OK) {
        is_new = strcmp(entry->url, url) != 0;
        if (is_new)
            (void)acme_store_account_url(keeper->store,
                &keeper->config->issuer[call->index], entry->id, url,
                keeper->host->now(keeper->host->ctx), &call->err);
        acme_keeper_forget_accounts(keeper);
    }
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, is_new);
}

/* A key of which somebody has said that it was given away. */
static bool
is_barred(const struct call *call, const struct acme_buf *der)
{
    struct acme_error ignored;
    struct acme_key *key = NULL;
    bool barred;

    acme_error_clear(&ignored);
    barred =
        acme_key_from_der(der->data, der->len, &key, &ignored) == ACME_OK &&
        acme_store_is_barred(call->keeper->store, key);
    acme_key_unref(key);
    return barred;
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
    if (call->err.rc == ACME_OK && is_barred(call, &key))
        (void)acme_error_set(&call->err, ACME_IO,
            "the order's key was revoked as compromised");
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
is_wanted(const struct acme_kept *kept, const char *name)
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
    const struct acme_kept *kept = &call->keeper->kept[call->index];
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

/* An issuer that this lineage has nothing to do with is a lie. */
static size_t
get_issuer(struct call *call)
{
    const struct acme_lineage *lineage =
        &call->keeper->config->lineage[call->index];
    uint64_t issuer = acme_frame_get_u64(&call->in);
    size_t i;

    if (issuer == lineage->issuer)
        return lineage->issuer;
    for (i = 0; i < lineage->nfallbacks; i++)
        if (issuer == lineage->fallback[i])
            return lineage->fallback[i];
    call->in.bad = true;
    return lineage->issuer;
}

static void
answer_challenges(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    size_t issuer = get_issuer(call);
    const struct acme_account_entry *entry;
    struct acme_area_token *tokens = NULL;
    uint64_t n = acme_frame_get_u64(&call->in);

    if (call->in.bad || n > ACME_NAMES_MAX) {
        call->in.bad = true;
        return;
    }
    tokens = calloc((size_t)n + 1, sizeof(*tokens));
    if (tokens == NULL)
        (void)acme_error_nomem(&call->err);
    else if (get_tokens(call, tokens, (size_t)n) &&
             acme_keeper_account(keeper, issuer, &entry, &call->err) ==
                 ACME_OK &&
             sign_tokens(tokens, (size_t)n, entry, &call->err) == ACME_OK &&
             acme_store_challenges_write(keeper->store, call->unit, entry->id,
                 tokens, (size_t)n, &call->err) == ACME_OK)
        acme_keeper_add_tokens(keeper, tokens, (size_t)n);
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

/* ---- the key of what is live ------------------------------------------ */

/* The pair of this unit's algorithm, or NULL. */
static const struct acme_pair *
own_pair(const struct call *call, const struct acme_version *version)
{
    size_t i;

    for (i = 0; i < version->npairs; i++) {
        if (acme_key_algorithm_number(version->pair[i].type) ==
            call->algorithm)
            return &version->pair[i];
    }
    return NULL;
}

static bool
is_revoked(const struct call *call, const struct acme_pair *pair)
{
    return acme_store_is_revoked(call->keeper->store, pair->chain.data,
        acme_chain_der_first(pair->chain.data, pair->chain.len));
}

static void
answer_chain(struct call *call)
{
    const struct acme_pair *pair = NULL;
    struct acme_version live;

    acme_version_init(&live);
    if (acme_store_live_read(call->keeper->store, call->name, &live,
            &call->err) == ACME_OK)
        pair = own_pair(call, &live);
    if (call->err.rc == ACME_OK && pair == NULL)
        (void)acme_error_set(&call->err, ACME_NOENT, "no certificate");
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, pair->chain.data, pair->chain.len);
    acme_version_clear(&live);
}

/*
 * The engine gets a certificate's key back only where a renewal is to keep
 * it, while it has the lineage, and of the type that is wanted today; never
 * that of one that was revoked.
 */
static void
answer_live_key(struct call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_pair *pair = NULL;
    struct acme_version live;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    if (kept->wanted.reuse_key && kept->lock != -1) {
        (void)acme_store_live_read(call->keeper->store, call->name, &live,
            &ignored);
        pair = own_pair(call, &live);
    }
    if (ignored.rc == ACME_NOMEM)
        (void)acme_error_nomem(&call->err);
    else if (pair == NULL || pair->key.len == 0 || is_revoked(call, pair) ||
             is_barred(call, &pair->key) ||
             pair->type != acme_lineage_type(&kept->wanted, call->algorithm))
        (void)acme_error_set(&call->err, ACME_NOENT, "no key to be kept");
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, pair->key.data, pair->key.len);
    acme_version_clear(&live);
}

/* ---- the operator's signing request ----------------------------------- */

static void
answer_csr(struct call *call)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    const struct acme_buf *der;

    (void)acme_keeper_read_csr(call->keeper, call->index,
        acme_lineage_type(&kept->wanted, call->algorithm), &call->err);
    begin_reply(call);
    if (call->err.rc != ACME_OK)
        return;
    der = acme_csr_der(kept->csr);
    acme_frame_add(call->reply, der->data, der->len);
}

/* What the certificate must be for.  The request as it was last given to the
 * engine; should that have been another store, as it is today. */
static enum acme_rc
get_version_key(struct call *call, const void *der, size_t len,
    struct acme_key **key)
{
    struct acme_kept *kept = &call->keeper->kept[call->index];

    if ((len == 0) != (kept->wanted.csr_file != NULL))
        return acme_error_set(&call->err, ACME_REFUSED,
            "whose key the certificate has was configured differently "
            "meanwhile");
    if (len > 0)
        return acme_key_from_der(der, len, key, &call->err);
    if (kept->csr == NULL &&
        acme_keeper_read_csr(call->keeper, call->index,
            acme_lineage_type(&kept->wanted, call->algorithm),
            &call->err) != ACME_OK)
        return call->err.rc;
    *key = acme_key_ref(acme_csr_key(kept->csr));
    return ACME_OK;
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

/* A server that staples nothing would be refused by clients for the sake of an
 * extension that nobody asked for; one that is missing harms nobody. */
static enum acme_rc
check_staple(struct call *call, const struct acme_chain *chain)
{
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    bool has = acme_chain_must_staple(chain);

    if (has && !kept->wanted.must_staple)
        return acme_error_set(&call->err, ACME_REFUSED,
            "the certificate has the must-staple extension, which was not "
            "asked for");
    if (!has && kept->wanted.must_staple) {
        acme_log(call->keeper->host, ACME_LOG_WARN,
            "certificate lacks the must-staple extension that was asked for, "
            "lineage \"%s\"",
            call->name);
    }
    return ACME_OK;
}

static bool
has_name(char (*names)[ACME_NAME_MAX + 1], size_t n, const char *name)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/*
 * What is left of the wanted names without those that the engine could not
 * prove, if a certificate may be without any: *names is malloc()ed.
 */
static enum acme_rc
get_rest(struct call *call, const char ***names, size_t *n)
{
    const struct acme_lineage *wanted =
        &call->keeper->kept[call->index].wanted;
    char left_out[ACME_LEFT_OUT_MAX][ACME_NAME_MAX + 1];
    uint64_t nleft = acme_frame_get_u64(&call->in);
    size_t i;

    if (nleft > ACME_LEFT_OUT_MAX || (nleft > 0 && !wanted->allow_subset) ||
        (nleft > 0 && nleft >= wanted->nnames))
        call->in.bad = true;
    for (i = 0; i < nleft && !call->in.bad; i++) {
        acme_frame_get_text(&call->in, left_out[i], sizeof(left_out[0]));
        if (has_name(left_out, i, left_out[i]))
            call->in.bad = true;
    }
    if (!acme_frame_end(&call->in)) {
        call->in.bad = true;
        return ACME_IO;
    }
    *n = 0;
    *names = calloc(wanted->nnames + 1, sizeof(**names));
    if (*names == NULL)
        return acme_error_nomem(&call->err);
    for (i = 0; i < wanted->nnames; i++) {
        if (!has_name(left_out, (size_t)nleft, wanted->names[i]))
            (*names)[(*n)++] = wanted->names[i];
    }
    return ACME_OK;
}

static enum acme_rc
check(struct call *call, const struct acme_key *key,
    const struct acme_chain *chain, const char *const *names, size_t nnames)
{
    struct acme_keeper *keeper = call->keeper;
    unsigned surplus = 0;
    enum acme_rc rc = ACME_OK;

    if (acme_store_is_barred(keeper->store, key))
        rc = acme_error_set(&call->err, ACME_REFUSED,
            "the certificate's key was revoked as compromised, and must not "
            "be used again");
    if (rc == ACME_OK)
        rc = acme_chain_check(chain, key, names, nnames,
            keeper->host->now(keeper->host->ctx), &surplus, &call->err);
    if (rc == ACME_OK)
        rc = check_staple(call, chain);
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
    const struct acme_kept *kept = &call->keeper->kept[call->index];
    struct acme_pair *pair;
    size_t i;

    for (i = 0; i < live->npairs; i++) {
        if (acme_key_algorithm_number(live->pair[i].type) == call->algorithm ||
            !acme_keeper_wants(&kept->wanted, live->pair[i].type))
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

static void
note_reuse(const struct call *call, const struct acme_version *live,
    struct acme_pair *pair)
{
    const struct acme_pair *old = own_pair(call, live);

    pair->origin.key_reused =
        old != NULL && pair->key.len > 0 && old->key.len == pair->key.len &&
        memcmp(old->key.data, pair->key.data, pair->key.len) == 0;
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
    if (rc == ACME_OK) {
        note_reuse(call, &live, &version->pair[0]);
        rc = carry_over(call, &live, version);
    } else {
        rc = rc == ACME_NOMEM ? acme_error_nomem(&call->err) : ACME_OK;
    }
    acme_version_clear(&live);
    put_in_order(&call->keeper->kept[call->index].wanted, version);
    return rc;
}

static enum acme_rc
commit(struct call *call, const struct acme_key *key,
    const struct acme_chain *chain, size_t issuer, const char *order_url,
    unsigned *number)
{
    struct acme_keeper *keeper = call->keeper;
    time_t now = keeper->host->now(keeper->host->ctx);
    struct acme_version version;
    struct acme_pair *pair = &version.pair[0];
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;

    acme_version_init(&version);
    version.npairs = 1;
    pair->type = acme_key_type_of(key);
    pair->origin.obtained = now;
    (void)snprintf(pair->origin.issuer, sizeof(pair->origin.issuer), "%s",
        keeper->config->issuer[issuer].directory);
    (void)snprintf(pair->origin.order, sizeof(pair->origin.order), "%s",
        order_url);
    if (!acme_key_is_public(key))
        rc = acme_key_to_der(key, &pair->key, &call->err);
    if (rc == ACME_OK)
        rc = acme_chain_to_der(chain, 0, acme_chain_useful(chain),
            &pair->chain, &call->err);
    if (rc == ACME_OK)
        rc = add_others(call, &version);
    if (rc == ACME_OK)
        rc = acme_store_version_write(keeper->store, call->name, &version, now,
            &call->err);
    if (rc == ACME_OK) {
        if (call->err.rc != ACME_OK) {
            acme_keeper_log(keeper, ACME_LOG_WARN, &call->err,
                "certificate is live, but not all was tidied up");
            acme_error_clear(&call->err);
        }
        /* Left behind it would be resumed, to the same certificate. */
        acme_error_clear(&ignored);
        drop_order(call, &ignored);
        rc =
            acme_keeper_put_version(keeper, call->index, &version, &call->err);
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
    size_t issuer = get_issuer(call);
    unsigned number = 0;
    const char **names = NULL;
    size_t nnames = 0;

    acme_frame_get(&call->in, &key_der, &key_len);
    acme_frame_get(&call->in, &chain_der, &chain_len);
    acme_frame_get_text(&call->in, order_url, sizeof(order_url));
    if (!call->in.bad)
        (void)get_rest(call, &names, &nnames);
    if (call->in.bad)
        return;
    if (call->err.rc == ACME_OK &&
        get_version_key(call, key_der, key_len, &key) == ACME_OK &&
        acme_key_algorithm_number(acme_key_type_of(key)) != call->algorithm)
        call->in.bad = true;
    if (call->err.rc == ACME_OK && !call->in.bad &&
        acme_chain_from_der(chain_der, chain_len, &chain, &call->err) ==
            ACME_OK &&
        check(call, key, chain, names, nnames) == ACME_OK)
        (void)commit(call, key, chain, issuer, order_url, &number);
    begin_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, number);
    acme_key_unref(key);
    acme_chain_free(chain);
    free(names);
}

/* ---- ledger, done ----------------------------------------------------- */

static void
answer_ledger(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    struct acme_buf text;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_keeper_account(keeper, call->index, &entry, &call->err) ==
        ACME_OK)
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
    if (!call->in.bad && acme_keeper_account(keeper, call->index, &entry,
                             &call->err) == ACME_OK)
        (void)acme_store_ledger_write(keeper->store,
            &keeper->config->issuer[call->index], entry->id, data, len,
            &call->err);
    reply_rc(call);
}

/*
 * What acmectl has had revoked.  A server's engine has no say in this: one
 * that an attacker has taken over could make each certificate due.
 */
static void
answer_revoked(struct call *call)
{
    struct acme_keeper *keeper = call->keeper;
    struct acme_chain *chain = NULL;
    char reason[64];
    const void *der;
    size_t len;
    bool barred;

    acme_frame_get(&call->in, &der, &len);
    acme_frame_get_text(&call->in, reason, sizeof(reason));
    barred = acme_frame_get_u64(&call->in) != 0;
    if (keeper->role != ACME_KEEPER_OBEYS)
        call->in.bad = true;
    if (!call->in.bad &&
        acme_chain_from_der(der, len, &chain, &call->err) == ACME_OK)
        (void)acme_store_revoked_write(keeper->store, chain, reason, barred,
            keeper->host->now(keeper->host->ctx), &call->err);
    acme_chain_free(chain);
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
    { ACME_VERB_ACCOUNT_DEAD, OF_ISSUER, 0, answer_account_dead },
    { ACME_VERB_OTHER_KEY, OF_ISSUER, 1, answer_other_key },
    { ACME_VERB_ACCOUNT_MOVED, OF_ISSUER, 0, answer_account_moved },
    { ACME_VERB_CONTACTS, OF_ISSUER, 0, answer_contacts },
    { ACME_VERB_CONTACTS_TOLD, OF_ISSUER, 1, answer_contacts_told },
    { ACME_VERB_BINDING, OF_ISSUER, 0, answer_binding },
    { ACME_VERB_ORDER, OF_UNIT, 0, answer_order },
    { ACME_VERB_ORDER_PUT, OF_UNIT, 2, answer_order_put },
    { ACME_VERB_ORDER_NOTE, OF_UNIT, 1, answer_order_note },
    { ACME_VERB_CHALLENGES, OF_UNIT, ANY_NUMBER, answer_challenges },
    { ACME_VERB_ORDER_DROP, OF_UNIT, 0, answer_order_drop },
    { ACME_VERB_CHAIN, OF_UNIT, 0, answer_chain },
    { ACME_VERB_CSR, OF_UNIT, 0, answer_csr },
    { ACME_VERB_LIVE_KEY, OF_UNIT, 0, answer_live_key },
    { ACME_VERB_VERSION, OF_UNIT, ANY_NUMBER, answer_version },
    { ACME_VERB_LEDGER, OF_ISSUER, 0, answer_ledger },
    { ACME_VERB_LEDGER_PUT, OF_ISSUER, 1, answer_ledger_put },
    { ACME_VERB_TRAFFIC, OF_UNIT, 0, answer_traffic },
    { ACME_VERB_REVOKED, OF_ISSUER, 3, answer_revoked },
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

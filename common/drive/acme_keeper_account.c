/*
 * What the engine asks and says of an issuer's account: its key, its URL, a
 * change of its key, its contacts.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drive/acme_keeper_private.h"

static void
add_key(struct acme_call *call, const struct acme_key *key)
{
    struct acme_buf der;

    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    (void)acme_key_to_der(key, &der, &call->err);
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add(call->reply, der.data, der.len);
    acme_buf_clear(&der);
}

void
acme_keeper_answer_account(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;

    /* Who asks is about to use it: one that acmectl has changed since the last
     * look would be refused. */
    if (acme_store_keys_changed(keeper->store, &keeper->keys))
        acme_keeper_forget_accounts(keeper);
    if (acme_keeper_account(keeper, call->index, &entry, &call->err) ==
        ACME_OK) {
        add_key(call, entry->key);
        if (call->err.rc == ACME_OK)
            acme_frame_add_text(call->reply, entry->url);
    } else {
        acme_call_reply(call);
    }
}

/* Two servers may start on an empty state directory together: the first key
 * that is stored under the lock is everybody's. */
static enum acme_rc
store_account_key(struct acme_call *call, struct acme_key *offered,
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

void
acme_keeper_answer_account_key(struct acme_call *call)
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
        acme_call_reply(call);
    }
    acme_key_unref(offered);
}

void
acme_keeper_answer_account_url(struct acme_call *call)
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
        if (is_new && url[0] != '\0' && call->err.rc == ACME_OK)
            acme_call_account_event(call, ACME_EVENT_ACCOUNT_CREATED,
                entry->id, "account found or registered");
        acme_keeper_forget_accounts(keeper);
    }
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, is_new);
}

/* No server's engine has any business here. */
void
acme_keeper_answer_account_dead(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;

    if (keeper->role != ACME_KEEPER_OBEYS) {
        call->in.bad = true;
        return;
    }
    if (acme_keeper_account(keeper, call->index, &entry, &call->err) ==
            ACME_OK &&
        acme_store_account_park(keeper->store,
            &keeper->config->issuer[call->index], entry->id,
            &call->err) == ACME_OK)
        acme_call_account_event(call, ACME_EVENT_ACCOUNT_DEACTIVATED,
            entry->id, "account deactivated");
    acme_keeper_forget_accounts(keeper);
    acme_call_reply(call);
}

/* ---- a change of its key ---------------------------------------------- */

/* ACME_NOENT: the account's key is not being changed. */
static enum acme_rc
find_rekey(struct acme_call *call, const struct acme_account_entry **entry,
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
check_idle(struct acme_call *call, const struct acme_rekey *rekey)
{
    int lock = -1;
    enum acme_rc rc = acme_store_lock(call->keeper->store, "account",
        rekey->from, &lock, &call->err);

    if (lock != -1)
        close(lock);
    return rc;
}

void
acme_keeper_answer_other_key(struct acme_call *call)
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
        acme_call_reply(call);
    acme_key_unref(key);
}

void
acme_keeper_answer_account_moved(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    const struct acme_account_entry *entry;
    const char *other = NULL;
    struct acme_rekey rekey;

    if (find_rekey(call, &entry, &rekey, &other) == ACME_OK &&
        acme_store_rekey_move(keeper->store,
            &keeper->config->issuer[call->index], entry->id, other,
            &call->err) == ACME_OK)
        acme_call_account_event(call, ACME_EVENT_ACCOUNT_REKEYED, other,
            "the CA knows the account by this key now");
    acme_keeper_publish_thumbprints(keeper);
    acme_call_reply(call);
}

/* ---- contacts --------------------------------------------------------- */

/* Issuers of one configuration may share an account, and each has contacts. */
static void
issuer_of(const struct acme_call *call, char *by, size_t size)
{
    const struct acme_keeper *keeper = call->keeper;
    size_t len;

    acme_keeper_declared_by(keeper, by, size);
    len = strlen(by);
    (void)snprintf(by + len, size - len, " %s",
        keeper->config->issuer[call->index].name);
}

/* Only a server speaks for its configuration. */
void
acme_keeper_answer_contacts(struct acme_call *call)
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
    acme_call_reply(call);
    if (call->err.rc == ACME_OK)
        acme_frame_add_u64(call->reply, due);
}

void
acme_keeper_answer_contacts_told(struct acme_call *call)
{
    struct acme_keeper *keeper = call->keeper;
    uint64_t how = acme_frame_get_u64(&call->in);
    const struct acme_account_entry *entry;
    char by[ACME_LOG_LINE_MAX];

    issuer_of(call, by, sizeof(by));
    if (how > ACME_CONTACTS_MADE_WITH)
        call->in.bad = true;
    if (!call->in.bad &&
        acme_keeper_account(keeper, call->index, &entry, &call->err) ==
            ACME_OK &&
        acme_store_contacts_told(keeper->store,
            &keeper->config->issuer[call->index], entry->id, by,
            how != ACME_CONTACTS_REFUSED, &call->err) == ACME_OK &&
        how == ACME_CONTACTS_TAKEN)
        acme_call_account_event(call, ACME_EVENT_ACCOUNT_UPDATED, entry->id,
            "contacts of the account changed at the CA");
    acme_call_reply(call);
}

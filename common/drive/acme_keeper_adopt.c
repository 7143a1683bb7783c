/*
 * What other clients have left is taken over where there is nothing yet,
 * never changed: what is the same whoever they were.  Their layouts are known
 * to _adopt_dir.c (nginx's own module) and _adopt_md.c (mod_md).  The bytes
 * are read before the sandbox, as only root can read all of them, and looked
 * into behind it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_keeper_private.h"

/* ---- what there is ---------------------------------------------------- */

bool
acme_adopt_has_account(struct acme_keeper *keeper, size_t issuer)
{
    struct acme_account_entry entry;
    struct acme_error ignored;
    bool has = false;
    enum acme_rc rc;

    memset(&entry, 0, sizeof(entry));
    acme_error_clear(&ignored);
    rc = acme_store_account(keeper->store, &keeper->config->issuer[issuer],
        NULL, &entry, &ignored);
    if (rc == ACME_OK)
        has = entry.url[0] != '\0';
    acme_account_entry_clear(&entry);
    return has || (rc != ACME_OK && rc != ACME_NOENT);
}

/* The same key, though nobody has asked the CA for its account yet. */
static bool
has_key(struct acme_keeper *keeper, size_t issuer, const char *id)
{
    struct acme_account_entry entry;
    struct acme_error ignored;
    bool has = false;

    memset(&entry, 0, sizeof(entry));
    acme_error_clear(&ignored);
    if (acme_store_account(keeper->store, &keeper->config->issuer[issuer],
            NULL, &entry, &ignored) == ACME_OK)
        has = strcmp(entry.id, id) == 0;
    acme_account_entry_clear(&entry);
    return has;
}

bool
acme_adopt_has_version(const struct acme_keeper *keeper, size_t lineage)
{
    struct acme_error ignored;
    unsigned number;

    acme_error_clear(&ignored);
    return acme_store_live(keeper->store,
               keeper->config->lineage[lineage].name, &number,
               &ignored) != ACME_NOENT;
}

/* ---- accounts --------------------------------------------------------- */

/* By its key the CA finds the account: what it is called there is not asked of
 * anybody else. */
enum acme_rc
acme_adopt_account(struct acme_keeper *keeper, size_t issuer,
    struct acme_key *key, bool *taken, struct acme_error *err)
{
    const struct acme_issuer *is = &keeper->config->issuer[issuer];
    char id[ACME_KEY_ID_LEN + 1];
    enum acme_rc rc;
    int lock = -1;

    *taken = false;
    if (acme_key_type_of(key) != is->key_type)
        return acme_error_set(err, ACME_CONFIG,
            "its type is %s and that of issuer \"%s\" is %s, so the CA is "
            "asked for a new account; to keep this one, say \"account_key "
            "%s\" (nginx) or \"ACMEAccountKey %s\" (Apache httpd)",
            acme_key_type_name(acme_key_type_of(key)), is->name,
            acme_key_type_name(is->key_type),
            acme_key_type_name(acme_key_type_of(key)),
            acme_key_type_name(acme_key_type_of(key)));
    rc = acme_key_id(key, id, err);
    if (rc != ACME_OK || has_key(keeper, issuer, id))
        return rc;
    rc = acme_store_lock(keeper->store, "account", "new-key", &lock, err);
    if (rc == ACME_OK && !acme_adopt_has_account(keeper, issuer)) {
        rc = acme_store_account_key(keeper->store, is, key, err);
        if (rc == ACME_OK)
            rc = acme_store_account_url(keeper->store, is, id, "",
                keeper->host->now(keeper->host->ctx), err);
        *taken = rc == ACME_OK;
    }
    if (lock != -1)
        close(lock);
    acme_keeper_forget_accounts(keeper);
    return rc;
}

void
acme_keeper_adopt_accounts(struct acme_keeper *keeper)
{
    acme_adopt_dir_accounts(keeper);
    acme_adopt_md_accounts(keeper);
}

/* ---- certificates ----------------------------------------------------- */

void
acme_adopt_clear_pair(struct acme_adopt_pair *pair)
{
    acme_key_unref(pair->key);
    acme_chain_free(pair->chain);
    memset(pair, 0, sizeof(*pair));
}

enum acme_rc
acme_adopt_check(struct acme_keeper *keeper,
    const struct acme_lineage *lineage, enum acme_key_type type,
    const struct acme_adopt_pair *pair, unsigned *surplus,
    struct acme_error *err)
{
    time_t now = keeper->host->now(keeper->host->ctx);
    enum acme_rc rc;

    if (acme_key_type_of(pair->key) != type)
        return acme_error_set(err, ACME_REFUSED,
            "its key is %s, and %s is wanted",
            acme_key_type_name(acme_key_type_of(pair->key)),
            acme_key_type_name(type));
    rc = acme_chain_check(pair->chain, pair->key, lineage->names,
        lineage->nnames, now, surplus, err);
    if (rc != ACME_OK)
        return rc;
    if (acme_store_is_barred(keeper->store, pair->key))
        return acme_error_set(err, ACME_REFUSED,
            "its key has been given away");
    if (acme_chain_must_staple(pair->chain) != lineage->must_staple)
        return acme_error_set(err, ACME_REFUSED, "%s must-staple, which is %s",
            lineage->must_staple ? "it has no" : "it has",
            lineage->must_staple ? "wanted" : "not wanted");
    return ACME_OK;
}

enum acme_rc
acme_adopt_add(const struct acme_adopt_pair *from, const char *issuer,
    struct acme_version *version, struct acme_error *err)
{
    struct acme_pair *pair = &version->pair[version->npairs++];
    enum acme_rc rc;

    pair->type = acme_key_type_of(from->key);
    pair->origin.obtained = from->leaf.not_before;
    (void)snprintf(pair->origin.issuer, sizeof(pair->origin.issuer), "%s",
        issuer);
    rc = acme_key_to_der(from->key, &pair->key, err);
    if (rc == ACME_OK)
        rc = acme_chain_to_der(from->chain, 0, acme_chain_useful(from->chain),
            &pair->chain, err);
    return rc;
}

void
acme_adopt_say(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    const struct acme_adopt_pair *pair, const char *from)
{
    char until[ACME_TIME_TEXT];

    acme_log(keeper->host, ACME_LOG_NOTICE,
        "certificate taken over, lineage \"%s\", from \"%s\", valid until %s",
        lineage->name, from, acme_time_format(pair->leaf.not_after, until));
}

/* As one version, with what there is of the wanted types. */
static enum acme_rc
adopt(struct acme_keeper *keeper, const struct acme_lineage *lineage,
    struct acme_error *err)
{
    struct acme_version version;
    enum acme_rc rc;

    acme_version_init(&version);
    rc = keeper->adopted_md != NULL
             ? acme_adopt_md_find(keeper, lineage, &version, err)
             : acme_adopt_dir_find(keeper, lineage, &version, err);
    if (rc == ACME_OK && version.npairs > 0)
        rc = acme_store_version_write(keeper->store, lineage->name, &version,
            keeper->host->now(keeper->host->ctx), err);
    acme_version_clear(&version);
    return rc;
}

void
acme_keeper_adopt(struct acme_keeper *keeper, size_t i)
{
    const struct acme_lineage *lineage = &keeper->config->lineage[i];
    struct acme_error err;
    enum acme_rc rc;
    int lock = -1;

    if ((keeper->adopted_md == NULL && !acme_adopt_dir_has(keeper, i)) ||
        lineage->csr_file != NULL || acme_adopt_has_version(keeper, i))
        return;
    acme_error_clear(&err);
    rc = acme_store_lock(keeper->store, "lineage", lineage->name, &lock, &err);
    if (rc == ACME_OK && !acme_adopt_has_version(keeper, i))
        rc = adopt(keeper, lineage, &err);
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "certificate not taken over");
    if (lock != -1)
        close(lock);
}

/* ---- all of it -------------------------------------------------------- */

enum acme_rc
acme_keeper_open_adopted(struct acme_keeper *keeper, struct acme_error *err)
{
    enum acme_rc rc = acme_adopt_dir_open(keeper, err);

    if (rc == ACME_OK)
        acme_adopt_md_open(keeper);
    return rc;
}

void
acme_keeper_free_adopted(struct acme_keeper *keeper)
{
    acme_adopt_dir_free(keeper);
    acme_md_store_free(keeper->adopted_md);
    keeper->adopted_md = NULL;
}

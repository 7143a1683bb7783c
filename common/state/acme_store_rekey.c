/*
 * An account key's change to another one: what is on the way, and the files
 * of the accounts that move.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "state/acme_store_private.h"

#define REKEY "keys/rekey.json"

enum acme_rc
acme_store_rekey_read(const struct acme_store *store, struct acme_rekey *rekey,
    struct acme_error *err)
{
    struct acme_json *root = NULL;
    const char *from, *to;
    enum acme_rc rc = acme_store_json_read(store, REKEY, &root, err);

    if (rc != ACME_OK)
        return rc;
    from = acme_json_str(root, "from");
    to = acme_json_str(root, "to");
    if (from == NULL || to == NULL || !acme_store_id_ok(from) ||
        !acme_store_id_ok(to)) {
        rc = acme_error_set(err, ACME_IO,
            "\"" REKEY "\" is damaged: two keys have to be in it");
    } else {
        memcpy(rekey->from, from, sizeof(rekey->from));
        memcpy(rekey->to, to, sizeof(rekey->to));
    }
    acme_json_free(root);
    return rc;
}

/* ---- the beginning ---------------------------------------------------- */

static enum acme_rc
check_unused(const struct acme_store *store, const char *id,
    struct acme_error *err)
{
    struct acme_json *root = NULL;
    enum acme_rc rc = acme_store_defaults(store, &root, err);
    const char *is;
    void *at;

    for (at = rc == ACME_OK ? acme_json_next(root, NULL) : NULL; at != NULL;
         at = acme_json_next(root, at)) {
        is = acme_json_text(acme_json_iter_value(at));
        if (is != NULL && strcmp(is, id) == 0)
            rc = acme_error_set(err, ACME_CONFIG,
                "the new key is in use here already, another one is needed");
    }
    acme_json_free(root);
    return rc;
}

static enum acme_rc
write_rekey(const struct acme_store *store, const struct acme_rekey *rekey,
    struct acme_error *err)
{
    struct acme_json *root = acme_json_object();
    enum acme_rc rc;

    acme_json_set_str(root, "from", rekey->from);
    acme_json_set_str(root, "to", rekey->to);
    rc = root != NULL ? acme_store_json_write(store, REKEY, root, err)
                      : acme_error_nomem(err);
    acme_json_free(root);
    return rc;
}

enum acme_rc
acme_store_rekey_begin(struct acme_store *store, const char *from,
    const struct acme_key *to, struct acme_rekey *rekey,
    struct acme_error *err)
{
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK && !acme_store_id_ok(from))
        rc = acme_error_set(err, ACME_IO, "a malformed account id");
    if (rc == ACME_OK)
        rc = acme_key_id(to, rekey->to, err);
    if (rc == ACME_OK)
        rc = check_unused(store, rekey->to, err);
    if (rc == ACME_OK)
        rc = acme_store_key_write(store, to, rekey->to, err);
    if (rc != ACME_OK)
        return rc;
    memcpy(rekey->from, from, sizeof(rekey->from));
    return write_rekey(store, rekey, err);
}

/* ---- one account ------------------------------------------------------ */

/* Which type configurations ask for to get this account. */
static enum acme_rc
find_served(const struct acme_store *store, const struct acme_json *account,
    const char *id, struct acme_json *moved, struct acme_error *err)
{
    const char *serves = acme_json_str(account, "serves");
    struct acme_key *key = NULL;
    enum acme_rc rc = ACME_OK;

    if (serves == NULL)
        rc = acme_store_key_read(store, id, &key, err);
    if (rc == ACME_OK)
        acme_json_set_str(moved, "serves",
            serves != NULL ? serves
                           : acme_key_type_name(acme_key_type_of(key)));
    acme_key_unref(key);
    return rc;
}

static enum acme_rc
write_moved(struct acme_store *store, const struct acme_issuer *issuer,
    const char *from, const char *to, const struct acme_json *account,
    struct acme_error *err)
{
    struct acme_json *moved = acme_json_copy(account);
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    if (moved == NULL)
        return acme_error_nomem(err);
    acme_json_set_str(moved, "key", to);
    rc = find_served(store, account, from, moved, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, to, "", path, err);
    if (rc == ACME_OK)
        rc = acme_dir_make(store->fd, path, err);
    if (rc == ACME_OK) {
        acme_dir_sweep(store->fd, path, ACME_STORE_TEMP_AGE);
        rc = acme_store_account_path(issuer, to, "/account.json", path, err);
    }
    if (rc == ACME_OK)
        rc = acme_store_json_write(store, path, moved, err);
    acme_json_free(moved);
    return rc;
}

/* What a CA has asked of an account it asks of it still. */
static void
move_ledger(struct acme_store *store, const struct acme_issuer *issuer,
    const char *from, const char *to)
{
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    if (acme_store_ledger_read(store, issuer, from, &text, &ignored) ==
            ACME_OK &&
        text.len > 0)
        (void)acme_store_ledger_write(store, issuer, to, text.data, text.len,
            &ignored);
    acme_buf_clear(&text);
}

/* Between the two writes both are there, and whoever takes either asks the CA
 * which it is, as REKEY is there too. */
enum acme_rc
acme_store_rekey_move(struct acme_store *store,
    const struct acme_issuer *issuer, const char *from, const char *to,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], aside[ACME_STORE_PATH_MAX];
    struct acme_json *account = NULL;
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, from, "/account.json", path, err);
    if (rc == ACME_OK)
        rc =
            acme_store_account_path(issuer, from, "/rekeyed.json", aside, err);
    if (rc == ACME_OK)
        rc = acme_store_json_read(store, path, &account, err);
    if (rc == ACME_OK)
        rc = write_moved(store, issuer, from, to, account, err);
    if (rc == ACME_OK) {
        move_ledger(store, issuer, from, to);
        rc = acme_dir_rename(store->fd, path, aside, err);
    }
    if (rc == ACME_OK) /* which others watch */
        rc = acme_dir_touch(store->fd, "keys", err);
    acme_json_free(account);
    return rc;
}

/* ---- the end ---------------------------------------------------------- */

static enum acme_rc
replace_defaults(const struct acme_store *store,
    const struct acme_rekey *rekey, struct acme_error *err)
{
    struct acme_json *root = NULL, *next = acme_json_object();
    enum acme_rc rc = acme_store_defaults(store, &root, err);
    bool changed = false;
    const char *is;
    void *at;

    for (at = rc == ACME_OK ? acme_json_next(root, NULL) : NULL; at != NULL;
         at = acme_json_next(root, at)) {
        is = acme_json_text(acme_json_iter_value(at));
        if (is != NULL && strcmp(is, rekey->from) == 0) {
            is = rekey->to;
            changed = true;
        }
        acme_json_set_str(next, acme_json_iter_name(at), is);
    }
    if (rc == ACME_OK && next == NULL)
        rc = acme_error_nomem(err);
    if (rc == ACME_OK && changed)
        rc = acme_store_json_write(store, ACME_STORE_DEFAULTS, next, err);
    acme_json_free(next);
    acme_json_free(root);
    return rc;
}

static bool
is_there(const struct acme_store *store, const char *path)
{
    return faccessat(store->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           errno != ENOENT;
}

/* An account that has moved, and of which a crash has left both records. */
struct left {
    struct acme_store *store;
    const char *id, *moved_to;
};

static enum acme_rc
put_aside(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    const struct left *left = ctx;
    const struct acme_issuer issuer = { .directory = acme_json_str(account,
                                            "directory") };
    char path[ACME_STORE_PATH_MAX], aside[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    if (strcmp(id, left->id) != 0)
        return ACME_OK;
    rc = acme_store_account_path(&issuer, left->moved_to, "/account.json",
        path, err);
    if (rc != ACME_OK || !is_there(left->store, path))
        return rc;
    rc = acme_store_account_path(&issuer, id, "/account.json", path, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(&issuer, id, "/rekeyed.json", aside, err);
    return rc == ACME_OK ? acme_dir_rename(left->store->fd, path, aside, err)
                         : rc;
}

/* The old key has no use any more, but nobody's key is ever deleted here. */
static enum acme_rc
retire(const struct acme_store *store, const char *id, struct acme_error *err)
{
    char path[64], aside[64];

    (void)snprintf(path, sizeof(path), "keys/%s.pem", id);
    (void)snprintf(aside, sizeof(aside), "keys/%s.replaced.pem", id);
    if (!is_there(store, path))
        return ACME_OK; /* somebody has begun with this before us */
    return acme_dir_rename(store->fd, path, aside, err);
}

enum acme_rc
acme_store_rekey_end(struct acme_store *store, const struct acme_rekey *rekey,
    bool done, struct acme_error *err)
{
    struct left left = { store, done ? rekey->from : rekey->to,
        done ? rekey->to : rekey->from };
    char path[64];
    int lock = -1;
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK)
        rc = acme_store_lock_keys(store, &lock, err);
    if (rc != ACME_OK)
        return rc;
    (void)snprintf(path, sizeof(path), "keys/%s.pem", rekey->to);
    if (done)
        rc = replace_defaults(store, rekey, err);
    if (rc == ACME_OK)
        rc = acme_store_accounts(store, put_aside, &left, err);
    if (rc == ACME_OK)
        rc = done ? retire(store, rekey->from, err)
                  : acme_dir_remove(store->fd, path, err);
    if (rc == ACME_OK)
        rc = acme_dir_remove(store->fd, REKEY, err);
    close(lock);
    return rc;
}

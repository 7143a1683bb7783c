/*
 * The accounts of every CA: what acmectl shows, adds, prefers and puts aside.
 */
#include <stdio.h>
#include <string.h>

#include "state/acme_store_private.h"

/* accounts/<host>/<path>/<id>: components of a directory URL's path. */
#define DEPTH_MAX 32

struct walk {
    struct acme_store *store;
    char path[ACME_STORE_PATH_MAX]; /* of the directory we are in */
    unsigned depth;
    enum acme_rc (*visit)(void *ctx, const char *id,
        const struct acme_json *account, struct acme_error *err);
    void *ctx;
};

static enum acme_rc
visit_one(struct walk *walk, const char *id, bool *is_account,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    struct acme_error why;
    enum acme_rc rc;
    int len;

    acme_error_clear(&why);
    len = snprintf(path, sizeof(path), "%s/%s/account.json", walk->path, id);
    if (len < 0 || (size_t)len >= sizeof(path))
        return ACME_OK;
    rc = acme_store_json_read(walk->store, path, &root, &why);
    *is_account = rc == ACME_OK || rc == ACME_IO;
    if (rc == ACME_OK && acme_json_str(root, "url") != NULL &&
        acme_json_str(root, "directory") != NULL)
        rc = walk->visit(walk->ctx, id, root, err);
    else
        rc = rc == ACME_NOMEM ? acme_error_nomem(err) : ACME_OK;
    acme_json_free(root);
    return rc;
}

static enum acme_rc
walk_into(void *ctx, const char *name, struct acme_error *err)
{
    struct walk *walk = ctx;
    size_t len = strlen(walk->path), more = strlen(name) + 1;
    struct acme_error ignored;
    bool is_account = false;
    enum acme_rc rc = ACME_OK;

    if (acme_store_id_ok(name))
        rc = visit_one(walk, name, &is_account, err);
    if (rc != ACME_OK || is_account || walk->depth == DEPTH_MAX ||
        len + more >= sizeof(walk->path))
        return rc;
    (void)snprintf(walk->path + len, sizeof(walk->path) - len, "/%s", name);
    walk->depth++;
    acme_error_clear(&ignored);
    rc = acme_dir_list(walk->store->fd, walk->path, walk_into, walk, &ignored);
    walk->depth--;
    walk->path[len] = '\0';
    /* A file, or what is not ours: there are no accounts in it. */
    return rc == ACME_OK || rc == ACME_IO
               ? ACME_OK
               : acme_error_set(err, rc, "%s", ignored.what);
}

enum acme_rc
acme_store_accounts(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *id,
        const struct acme_json *account, struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct walk walk = { store, "accounts", 0, visit, ctx };

    return acme_dir_list(store->fd, walk.path, walk_into, &walk, err);
}

/* ---- those that come from elsewhere ----------------------------------- */

/* The URL that is known of an account; ACME_NOENT: it is not here. */
static enum acme_rc
read_url(const struct acme_store *store, const char *path,
    char url[ACME_URL_MAX], struct acme_error *err)
{
    struct acme_json *root = NULL;
    enum acme_rc rc = acme_store_json_read(store, path, &root, err);

    if (rc == ACME_OK && acme_json_str(root, "url") != NULL)
        (void)snprintf(url, ACME_URL_MAX, "%s", acme_json_str(root, "url"));
    acme_json_free(root);
    return rc;
}

enum acme_rc
acme_store_account_add(struct acme_store *store,
    const struct acme_issuer *issuer, const struct acme_key *key,
    const char *url, time_t now, bool *is_new, struct acme_error *err)
{
    char id[ACME_KEY_ID_LEN + 1], path[ACME_STORE_PATH_MAX];
    char known[ACME_URL_MAX] = "";
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_key_id(key, id, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, id, "/account.json", path, err);
    if (rc != ACME_OK)
        return rc;
    rc = read_url(store, path, known, &why);
    if (rc != ACME_OK && rc != ACME_NOENT)
        return acme_error_set(err, rc, "%s", why.what);
    *is_new = rc == ACME_NOENT;
    rc = acme_store_key_write(store, key, id, err);
    if (rc == ACME_OK &&
        (*is_new || (url[0] != '\0' && strcmp(known, url) != 0)))
        rc = acme_store_account_url(store, issuer, id, url, now, err);
    if (rc == ACME_OK) /* which servers watch */
        rc = acme_dir_touch(store->fd, "keys", err);
    return rc;
}

/* When an account of this directory was preferred last. */
struct latest {
    const char *directory;
    time_t at;
};

static enum acme_rc
look_at_preferred(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    struct latest *latest = ctx;
    time_t at = (time_t)acme_json_time(account, "preferred");

    (void)id;
    (void)err;
    if (at > latest->at &&
        strcmp(acme_json_str(account, "directory"), latest->directory) == 0)
        latest->at = at;
    return ACME_OK;
}

enum acme_rc
acme_store_account_prefer(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, time_t now,
    struct acme_error *err)
{
    struct latest latest = { issuer->directory, 0 };
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK)
        rc = acme_store_accounts(store, look_at_preferred, &latest, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, id, "/account.json", path, err);
    if (rc == ACME_OK)
        rc = acme_store_json_read(store, path, &root, err);
    if (rc == ACME_OK) {
        acme_json_set_time(root, "preferred",
            now > latest.at ? now : latest.at + 1);
        rc = acme_store_json_write(store, path, root, err);
    }
    if (rc == ACME_OK)
        rc = acme_dir_touch(store->fd, "keys", err);
    acme_json_free(root);
    return rc;
}

/* ---- those that are no use any more ----------------------------------- */

static enum acme_rc
put_aside(struct acme_store *store, const struct acme_issuer *issuer,
    const char *id, const char *name, struct acme_error *err)
{
    char from[ACME_STORE_PATH_MAX], to[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, id, "/account.json", from, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, id, name, to, err);
    return rc == ACME_OK ? acme_dir_rename(store->fd, from, to, err) : rc;
}

enum acme_rc
acme_store_account_park(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, struct acme_error *err)
{
    return put_aside(store, issuer, id, "/deactivated.json", err);
}

enum acme_rc
acme_store_account_lost(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, struct acme_error *err)
{
    return put_aside(store, issuer, id, "/lost.json", err);
}

/* ---- brought from elsewhere ------------------------------------------- */

struct others {
    const char *directory;
    const char *id;         /* of the one that is brought */
    bool here;              /* that very one */
    char url[ACME_URL_MAX]; /* of another one at that CA */
};

static enum acme_rc
look_at_other(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    struct others *others = ctx;
    const char *url = acme_json_str(account, "url");

    (void)err;
    if (strcmp(acme_json_str(account, "directory"), others->directory) != 0)
        return ACME_OK;
    if (strcmp(id, others->id) == 0)
        others->here = true;
    else if (url[0] != '\0' && strlen(url) < sizeof(others->url))
        memcpy(others->url, url, strlen(url) + 1);
    return ACME_OK;
}

static enum acme_rc
write_brought(struct acme_store *store, const struct acme_issuer *issuer,
    const struct acme_brought_account *brought, const char *id,
    struct acme_error *err)
{
    const enum acme_key_type type = acme_key_type_of(brought->key);
    struct acme_json *root = acme_json_object();
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    acme_json_set_str(root, "url", brought->url);
    acme_json_set_str(root, "key", id);
    acme_json_set_time(root, "created", brought->created);
    acme_json_set_str(root, "directory", issuer->directory);
    if (type != issuer->key_type)
        acme_json_set_str(root, "serves",
            acme_key_type_name(issuer->key_type));
    rc = root == NULL ? acme_error_nomem(err)
                      : acme_store_account_path(issuer, id, "", path, err);
    if (rc == ACME_OK)
        rc = acme_dir_make(store->fd, path, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, id, "/account.json", path, err);
    if (rc == ACME_OK)
        rc = acme_store_json_write(store, path, root, err);
    acme_json_free(root);
    return rc;
}

enum acme_rc
acme_store_account_bring(struct acme_store *store,
    const struct acme_issuer *issuer,
    const struct acme_brought_account *brought, bool *taken,
    struct acme_error *err)
{
    char id[ACME_ACCOUNT_ID_LEN + 1];
    struct others others = { issuer->directory, id, false, "" };
    enum acme_rc rc = acme_key_id(brought->key, id, err);

    if (rc == ACME_OK)
        rc = acme_store_accounts(store, look_at_other, &others, err);
    *taken = rc == ACME_OK && !others.here && others.url[0] == '\0';
    if (rc == ACME_OK && !others.here && others.url[0] != '\0')
        return acme_error_set(err, ACME_CONFIG,
            "there is the account \"%s\" at this CA here already, which "
            "certificates are renewed with",
            others.url);
    if (rc != ACME_OK || !*taken || store->mode != ACME_STORE_WRITE)
        return rc;
    rc = acme_store_account_key(store, issuer, brought->key, err);
    return rc == ACME_OK ? write_brought(store, issuer, brought, id, err) : rc;
}

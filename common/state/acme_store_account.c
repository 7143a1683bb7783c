/*
 * Accounts, their keys, and the ledgers of what CAs asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "state/acme_store_private.h"
#include "wrap/acme_url.h"

#define HTTPS "https://"
#define HTTPS_PORT ":443"

/* ---- keys ------------------------------------------------------------- */

bool
acme_store_id_ok(const char *id)
{
    return strlen(id) == ACME_ACCOUNT_ID_LEN &&
           strspn(id, "0123456789abcdef") == ACME_ACCOUNT_ID_LEN;
}

static void
key_path(char path[64], const char *id)
{
    (void)snprintf(path, 64, "keys/%s.pem", id);
}

enum acme_rc
acme_store_key_read(const struct acme_store *store, const char *id,
    struct acme_key **key, struct acme_error *err)
{
    char path[64], is[ACME_KEY_ID_LEN + 1];
    struct acme_key *read = NULL;
    struct acme_error why;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    key_path(path, id);
    rc = acme_store_read(store, path, ACME_STATE_PEM_MAX, &pem, err);
    if (rc != ACME_OK)
        goto done;
    rc = acme_key_from_pem(acme_buf_str(&pem), pem.len, &read, &why);
    if (rc == ACME_OK)
        rc = acme_key_id(read, is, &why);
    if (rc == ACME_OK && strcmp(is, id) != 0)
        rc = acme_error_set(&why, ACME_IO, "it holds another key");
    if (rc != ACME_OK) {
        rc = acme_store_damaged(err, path, &why);
        goto done;
    }
    *key = read;
    read = NULL;

done:
    acme_key_unref(read);
    acme_buf_clear(&pem);
    return rc;
}

static struct acme_store_known *
find_known(const struct acme_store *store, const char *id)
{
    size_t i;

    for (i = 0; i < store->nknown; i++)
        if (strcmp(store->known[i].id, id) == 0)
            return &store->known[i];
    return NULL;
}

static enum acme_rc
remember(struct acme_store *store, const struct acme_key *key, bool own,
    struct acme_error *err)
{
    struct acme_store_known entry = { "", "", own }, *there;
    enum acme_rc rc;

    rc = acme_key_id(key, entry.id, err);
    if (rc == ACME_OK)
        rc = acme_key_thumbprint(key, entry.thumbprint, err);
    if (rc != ACME_OK)
        return rc;
    there = find_known(store, entry.id);
    if (there != NULL) {
        there->own |= own;
        return ACME_OK;
    }
    there = realloc(store->known, (store->nknown + 1) * sizeof(*there));
    if (there == NULL)
        return acme_error_nomem(err);
    store->known = there;
    there[store->nknown++] = entry;
    return ACME_OK;
}

enum acme_rc
acme_store_known_key(struct acme_store *store, const struct acme_key *key,
    struct acme_error *err)
{
    return remember(store, key, true, err);
}

enum acme_rc
acme_store_thumbprint(struct acme_store *store, const char *id,
    char thumbprint[ACME_THUMBPRINT_LEN + 1], struct acme_error *err)
{
    const struct acme_store_known *known = find_known(store, id);
    struct acme_key *key = NULL;
    char path[64];
    struct stat st;
    enum acme_rc rc;

    key_path(path, id);
    if (known != NULL && !known->own &&
        (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
            !S_ISREG(st.st_mode)))
        known = NULL; /* the key was taken away: say what is there now */
    if (known == NULL) {
        rc = acme_store_key_read(store, id, &key, err);
        if (rc == ACME_OK)
            rc = remember(store, key, false, err);
        acme_key_unref(key);
        if (rc != ACME_OK)
            return rc;
        known = find_known(store, id);
    }
    memcpy(thumbprint, known->thumbprint, sizeof(known->thumbprint));
    return ACME_OK;
}

struct keys {
    struct acme_store *store;
    enum acme_rc (*visit)(void *ctx, const char *id,
        const struct acme_key *key, struct acme_error *err);
    void *ctx;
};

static enum acme_rc
visit_key(void *ctx, const char *name, struct acme_error *err)
{
    char id[ACME_KEY_ID_LEN + 1];
    struct acme_key *key = NULL;
    struct keys *keys = ctx;
    enum acme_rc rc;

    if (strlen(name) != ACME_KEY_ID_LEN + 4 ||
        strcmp(name + ACME_KEY_ID_LEN, ".pem") != 0)
        return ACME_OK;
    memcpy(id, name, ACME_KEY_ID_LEN);
    id[ACME_KEY_ID_LEN] = '\0';
    if (!acme_store_id_ok(id))
        return ACME_OK;
    rc = acme_store_key_read(keys->store, id, &key, err);
    if (rc == ACME_OK)
        rc = keys->visit(keys->ctx, id, key, err);
    acme_key_unref(key);
    return rc;
}

enum acme_rc
acme_store_keys(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *id,
        const struct acme_key *key, struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct keys keys = { store, visit, ctx };

    return acme_dir_list(store->fd, "keys", visit_key, &keys, err);
}

/* Of two engines that start on an empty directory, one's key becomes the
 * default, and both use it. */
enum acme_rc
acme_store_lock_keys(const struct acme_store *store, int *fd,
    struct acme_error *err)
{
    return acme_store_lock_soon(store, "locks/keys", fd, err);
}

#define DEFAULT_NAME_MAX (ACME_URL_MAX + 32)

/*
 * Member of keys/default.json: the key type, so that one key may serve every
 * CA; for a CA whose server is not verified also its directory.  Whoever
 * poses as that one has messages signed by its key, which must be nobody
 * else's (security S34).
 */
static const char *
default_name(const struct acme_issuer *issuer, enum acme_key_type type,
    char name[DEFAULT_NAME_MAX])
{
    (void)snprintf(name, DEFAULT_NAME_MAX, "%s%s%s", acme_key_type_name(type),
        issuer->verify ? "" : " ", issuer->verify ? "" : issuer->directory);
    return name;
}

/* *root is an empty object when there is no file yet. */
enum acme_rc
acme_store_defaults(const struct acme_store *store, struct acme_json **root,
    struct acme_error *err)
{
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_json_read(store, ACME_STORE_DEFAULTS, root, &why);
    if (rc == ACME_NOENT) {
        *root = acme_json_object();
        return *root != NULL ? ACME_OK : acme_error_nomem(err);
    }
    return rc == ACME_OK ? rc : acme_error_set(err, rc, "%s", why.what);
}

/* Whether the key of a default is gone, or damaged: nobody can use it. */
static bool
is_lost(const struct acme_store *store, const char *id)
{
    struct acme_key *key = NULL;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    rc = acme_store_id_ok(id) ? acme_store_key_read(store, id, &key, &ignored)
                              : ACME_NOENT;
    acme_key_unref(key);
    return rc == ACME_NOENT || rc == ACME_IO;
}

/* Where there is none yet; or, `lost`, where the key of the one that there is
 * is lost. */
static enum acme_rc
make_default(const struct acme_store *store, const char *type, const char *id,
    bool lost, struct acme_error *err)
{
    struct acme_json *root = NULL;
    enum acme_rc rc;
    const char *is;
    int lock = -1;

    rc = acme_store_lock_keys(store, &lock, err);
    if (rc != ACME_OK)
        return rc;
    rc = acme_store_defaults(store, &root, err);
    is = rc == ACME_OK ? acme_json_str(root, type) : NULL;
    if (rc == ACME_OK && (is == NULL || (lost && is_lost(store, is)))) {
        acme_json_set_str(root, type, id);
        rc = acme_store_json_write(store, ACME_STORE_DEFAULTS, root, err);
    }
    acme_json_free(root);
    close(lock);
    return rc;
}

enum acme_rc
acme_store_key_write(const struct acme_store *store,
    const struct acme_key *key, const char *id, struct acme_error *err)
{
    struct acme_key *there = NULL;
    struct acme_error ignored;
    struct acme_buf pem;
    char path[64];
    enum acme_rc rc;

    acme_error_clear(&ignored);
    rc = acme_store_key_read(store, id, &there, &ignored);
    acme_key_unref(there);
    if (rc == ACME_OK)
        return ACME_OK;
    /* What else is under that name can only be in the way. */
    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    key_path(path, id);
    rc = acme_key_to_pem(key, &pem, err);
    if (rc == ACME_OK)
        rc = acme_dir_write(store->fd, path, 0600, acme_buf_str(&pem), pem.len,
            err);
    acme_buf_clear(&pem);
    return rc;
}

static enum acme_rc
store_key(struct acme_store *store, const struct acme_issuer *issuer,
    struct acme_key *key, bool lost, struct acme_error *err)
{
    char id[ACME_KEY_ID_LEN + 1], name[DEFAULT_NAME_MAX];
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_key_id(key, id, err);
    if (rc == ACME_OK)
        rc = acme_store_key_write(store, key, id, err);
    if (rc == ACME_OK)
        rc = make_default(store,
            default_name(issuer, acme_key_type_of(key), name), id, lost, err);
    return rc;
}

enum acme_rc
acme_store_account_key(struct acme_store *store,
    const struct acme_issuer *issuer, struct acme_key *key,
    struct acme_error *err)
{
    return store_key(store, issuer, key, false, err);
}

enum acme_rc
acme_store_account_key_anew(struct acme_store *store,
    const struct acme_issuer *issuer, struct acme_key *key,
    struct acme_error *err)
{
    return store_key(store, issuer, key, true, err);
}

/* ---- an issuer's place ------------------------------------------------ */

/* Adds one path component; every byte that is not plain is percent-encoded,
 * so that two URLs never share a directory.  An empty one is "%2F". */
static void
add_component(struct acme_buf *path, const char *text, size_t len)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ._~-:[]";
    size_t i;

    if (len == 0)
        acme_buf_add_str(path, "%2F");
    for (i = 0; i < len; i++) {
        /* A first dot would hide it from acme_dir_list(). */
        if (strchr(plain, text[i]) != NULL && text[i] != '\0' &&
            (i > 0 || text[i] != '.'))
            acme_buf_add(path, &text[i], 1);
        else
            acme_buf_addf(path, "%%%02X", (unsigned char)text[i]);
    }
}

static enum acme_rc
add_checked(struct acme_buf *path, const char *text, size_t len,
    struct acme_error *err)
{
    size_t before = path->len;

    if ((len == 1 && text[0] == '.') ||
        (len == 2 && text[0] == '.' && text[1] == '.'))
        return acme_error_set(err, ACME_CONFIG,
            "a directory URL must not have \".\" or \"..\" in its path");
    acme_buf_add_str(path, "/");
    add_component(path, text, len);
    if (path->len - before > NAME_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "a directory URL has too long a path");
    return ACME_OK;
}

/* "host", or "host:port" unless the port is the usual one. */
static enum acme_rc
add_host(struct acme_buf *path, const struct acme_url *url,
    struct acme_error *err)
{
    const char *host = url->origin + strlen(HTTPS);
    size_t len = strlen(host), port = strlen(HTTPS_PORT);

    if (len > port && strcmp(host + len - port, HTTPS_PORT) == 0)
        len -= port;
    return add_checked(path, host, len, err);
}

/* "accounts/<host>/<path>", or "ledger/<host>" without a path. */
static enum acme_rc
issuer_path(const struct acme_issuer *issuer, const char *top, bool with_path,
    char out[ACME_STORE_PATH_MAX], struct acme_error *err)
{
    struct acme_url *url = NULL;
    struct acme_buf path;
    const char *at, *query;
    enum acme_rc rc;
    size_t len;

    acme_buf_init(&path, ACME_STORE_PATH_MAX - 64);
    url = malloc(sizeof(*url));
    /* All of the room at once: a failure later on means a too long path. */
    if (url == NULL || acme_buf_extend(&path, path.max) == NULL) {
        rc = acme_error_nomem(err);
        goto done;
    }
    rc = acme_url_parse(issuer->directory, ACME_CONFIG, url, err);
    if (rc != ACME_OK)
        goto done;
    acme_buf_reset(&path);
    acme_buf_add_str(&path, top);
    rc = add_host(&path, url, err);
    for (at = url->path; with_path && rc == ACME_OK && *at == '/'; at += len) {
        at++;
        len = strcspn(at, "/");
        rc = add_checked(&path, at, len, err);
    }
    query = strchr(issuer->directory, '?');
    if (with_path && rc == ACME_OK && query != NULL)
        rc = add_checked(&path, query, strlen(query), err);
    if (rc == ACME_OK && !acme_buf_ok(&path))
        rc = acme_error_set(err, ACME_CONFIG,
            "a directory URL is too long for a path");
    if (rc == ACME_OK)
        memcpy(out, acme_buf_str(&path), path.len + 1);

done:
    acme_buf_clear(&path);
    free(url);
    return rc;
}

/* Room for "/<id>/account.json" was left by issuer_path(). */
enum acme_rc
acme_store_account_path(const struct acme_issuer *issuer, const char *id,
    const char *file, char path[ACME_STORE_PATH_MAX], struct acme_error *err)
{
    enum acme_rc rc;
    size_t len;

    if (!acme_store_id_ok(id))
        return acme_error_set(err, ACME_IO, "a malformed account id");
    rc = issuer_path(issuer, "accounts", true, path, err);
    if (rc != ACME_OK)
        return rc;
    len = strlen(path);
    (void)snprintf(path + len, ACME_STORE_PATH_MAX - len, "/%s%s", id, file);
    return ACME_OK;
}

/* ---- accounts --------------------------------------------------------- */

void
acme_account_entry_clear(struct acme_account_entry *entry)
{
    acme_key_unref(entry->key);
    memset(entry, 0, sizeof(*entry));
}

struct account {
    char url[ACME_URL_MAX];
    time_t created;
    time_t preferred;          /* see acme_store_account_prefer(); 0: not */
    enum acme_key_type serves; /* see acme_store_rekey_move() */
};

static enum acme_key_type
read_type(const char *text)
{
    enum acme_key_type type = ACME_KEY_NONE;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (text != NULL)
        (void)acme_key_type_parse(text, &type, &ignored);
    return type;
}

/* ACME_NOENT: no such account here. */
static enum acme_rc
read_account(const struct acme_store *store, const struct acme_issuer *issuer,
    const char *id, struct account *account, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    const char *url, *directory;
    enum acme_rc rc;

    rc = acme_store_account_path(issuer, id, "/account.json", path, err);
    if (rc == ACME_OK)
        rc = acme_store_json_read(store, path, &root, err);
    if (rc != ACME_OK)
        return rc;
    url = acme_json_str(root, "url");
    directory = acme_json_str(root, "directory");
    if (url == NULL || strlen(url) >= sizeof(account->url) ||
        directory == NULL || strcmp(directory, issuer->directory) != 0) {
        rc = acme_error_set(err, ACME_IO,
            "\"%s\" is damaged: it is no account of \"%s\"", path,
            issuer->directory);
    } else {
        memcpy(account->url, url, strlen(url) + 1);
        account->created = (time_t)acme_json_time(root, "created");
        account->preferred = (time_t)acme_json_time(root, "preferred");
        account->serves = read_type(acme_json_str(root, "serves"));
    }
    acme_json_free(root);
    return rc;
}

struct search {
    struct acme_store *store;
    const struct acme_issuer *issuer;
    enum acme_key_type type;
    const char *avoid; /* the id of a key that is not for this CA, or NULL */
    const struct acme_rekey *rekey; /* what is on the way, or NULL */
    struct acme_account_entry *found;
    bool serves; /* what was found says that it is for that type */
    time_t created, preferred; /* of that */
};

/* Whether it is the one that is named, if one is. */
static bool
is_named(const struct search *search, const char *id)
{
    const struct acme_rekey *rekey = search->rekey;
    const char *name = search->issuer->account;

    if (name == NULL || strcmp(id, name) == 0)
        return true;
    return rekey != NULL &&
           ((strcmp(name, rekey->from) == 0 && strcmp(id, rekey->to) == 0) ||
               (strcmp(name, rekey->to) == 0 && strcmp(id, rekey->from) == 0));
}

/* Whether an account goes before the one found so far. */
static bool
is_better(const struct search *search, const struct account *account,
    enum acme_key_type type)
{
    const bool serves = account->serves == search->type;

    if (search->issuer->account == NULL && account->preferred == 0 &&
        !serves && type != search->type)
        return false;
    if (search->found->key == NULL)
        return true;
    if (account->preferred != search->preferred)
        return account->preferred > search->preferred;
    if (serves != search->serves)
        return serves;
    return account->created >= search->created;
}

/*
 * One that is preferred wins, whatever its key, the last one first; else the
 * newest account that serves the wanted type, or else one with a key of it.
 * What cannot be
 * read ends the search: passing it over would mean another account, whose
 * CAA records and limits are not this one's.
 */
static enum acme_rc
visit_account(void *ctx, const char *name, struct acme_error *err)
{
    struct search *search = ctx;
    struct acme_key *key = NULL;
    struct account account;
    struct acme_error why;
    enum acme_rc rc;

    if (!acme_store_id_ok(name) || !is_named(search, name) ||
        (search->avoid != NULL && strcmp(name, search->avoid) == 0))
        return ACME_OK;
    acme_error_clear(&why);
    rc = read_account(search->store, search->issuer, name, &account, &why);
    if (rc == ACME_OK) /* an operator's own key is not here */
        rc = acme_store_key_read(search->store, name, &key, &why);
    if (rc == ACME_NOENT)
        return ACME_OK;
    if (rc != ACME_OK)
        return acme_error_set(err, rc, "%s", why.what);
    if (account.serves == ACME_KEY_NONE)
        account.serves = acme_key_type_of(key);
    if (is_better(search, &account, acme_key_type_of(key))) {
        acme_account_entry_clear(search->found);
        memcpy(search->found->id, name, ACME_ACCOUNT_ID_LEN + 1);
        memcpy(search->found->url, account.url, sizeof(account.url));
        search->found->key = acme_key_ref(key);
        search->created = account.created;
        search->preferred = account.preferred;
        search->serves = account.serves == search->type;
    }
    acme_key_unref(key);
    return ACME_OK;
}

/* Never a new key because the old one cannot be read. */
static enum acme_rc
default_key(const struct acme_store *store, const struct acme_issuer *issuer,
    enum acme_key_type type, struct acme_account_entry *entry,
    struct acme_error *err)
{
    char name[DEFAULT_NAME_MAX];
    const char *id;
    struct acme_json *root = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_defaults(store, &root, err);
    if (rc != ACME_OK)
        return rc;
    id = acme_json_str(root, default_name(issuer, type, name));
    if (id == NULL) {
        rc = acme_error_set(err, ACME_NOENT, "no account key of type %s yet",
            acme_key_type_name(type));
    } else if (!acme_store_id_ok(id)) {
        rc = acme_error_set(err, ACME_IO,
            "\"" ACME_STORE_DEFAULTS "\" is damaged: a malformed id in it");
    } else {
        rc = acme_store_key_read(store, id, &entry->key, &why);
        if (rc == ACME_OK)
            memcpy(entry->id, id, ACME_ACCOUNT_ID_LEN + 1);
        else if (rc == ACME_NOENT)
            rc = acme_error_set(err, ACME_IO,
                "\"keys/%s.pem\" is missing; restore it, or remove "
                "\"" ACME_STORE_DEFAULTS "\" for a new account",
                id);
        else
            rc = acme_error_set(err, rc, "%s", why.what);
    }
    acme_json_free(root);
    return rc;
}

static enum acme_rc
own_account(const struct acme_store *store, const struct acme_issuer *issuer,
    struct acme_key *own, struct acme_account_entry *entry,
    struct acme_error *err)
{
    struct account account = { "", 0, 0, ACME_KEY_NONE };
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_key_id(own, entry->id, err);
    if (rc != ACME_OK)
        return rc;
    rc = read_account(store, issuer, entry->id, &account, &why);
    if (rc != ACME_OK && rc != ACME_NOENT)
        return acme_error_set(err, rc, "%s", why.what);
    memcpy(entry->url, account.url, sizeof(account.url));
    entry->key = acme_key_ref(own);
    return ACME_OK;
}

/*
 * A CA that was verified once may have an account with the key of all the
 * others; now that it is not, that key is not for it (S34).
 */
static enum acme_rc
search_accounts(struct search *search, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    struct acme_rekey rekey;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (search->issuer->account != NULL &&
        acme_store_rekey_read(search->store, &rekey, &ignored) == ACME_OK)
        search->rekey = &rekey;
    rc = issuer_path(search->issuer, "accounts", true, path, err);
    if (rc == ACME_OK && !search->issuer->verify) {
        rc = acme_store_defaults(search->store, &root, err);
        if (rc == ACME_OK)
            search->avoid =
                acme_json_str(root, acme_key_type_name(search->type));
    }
    if (rc == ACME_OK)
        rc =
            acme_dir_list(search->store->fd, path, visit_account, search, err);
    search->rekey = NULL;
    acme_json_free(root);
    return rc;
}

enum acme_rc
acme_store_account(struct acme_store *store, const struct acme_issuer *issuer,
    struct acme_key *own, struct acme_account_entry *entry,
    struct acme_error *err)
{
    struct acme_account_entry found = { "", "", NULL };
    struct search search = { .store = store,
        .issuer = issuer,
        .type = issuer->key_type,
        .found = &found };
    enum acme_rc rc;

    if (search.type == ACME_KEY_NONE)
        search.type = ACME_KEY_ECDSA_256;
    if (own != NULL) {
        rc = own_account(store, issuer, own, &found, err);
    } else {
        rc = search_accounts(&search, err);
        if (rc == ACME_OK && found.key == NULL && issuer->account != NULL)
            rc = acme_error_set(err, ACME_NOENT,
                "the account of key %s is not here", issuer->account);
        else if (rc == ACME_OK && found.key == NULL)
            rc = default_key(store, issuer, search.type, &found, err);
    }
    if (rc == ACME_OK)
        *entry = found;
    else
        acme_account_entry_clear(&found);
    return rc;
}

enum acme_rc
acme_store_account_url(struct acme_store *store,
    const struct acme_issuer *issuer, const char *id, const char *url,
    time_t now, struct acme_error *err)
{
    struct account account = { "", 0, 0, ACME_KEY_NONE };
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    struct acme_error ignored;
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_account_path(issuer, id, "", path, err);
    if (rc == ACME_OK)
        rc = acme_dir_make(store->fd, path, err);
    if (rc == ACME_OK) {
        acme_dir_sweep(store->fd, path, ACME_STORE_TEMP_AGE);
        rc = acme_store_account_path(issuer, id, "/account.json", path, err);
    }
    if (rc != ACME_OK)
        return rc;
    acme_error_clear(&ignored);
    (void)read_account(store, issuer, id, &account, &ignored);
    root = acme_json_object();
    acme_json_set_str(root, "url", url);
    acme_json_set_str(root, "key", id);
    acme_json_set_time(root, "created",
        account.created != 0 ? account.created : now);
    acme_json_set_str(root, "directory", issuer->directory);
    acme_json_set_time(root, "preferred", account.preferred);
    if (account.serves != ACME_KEY_NONE)
        acme_json_set_str(root, "serves", acme_key_type_name(account.serves));
    rc = root == NULL ? acme_error_nomem(err)
                      : acme_store_json_write(store, path, root, err);
    acme_json_free(root);
    return rc;
}

/* ---- ledgers ---------------------------------------------------------- */

static enum acme_rc
ledger_path(const struct acme_issuer *issuer, const char *account,
    char path[ACME_STORE_PATH_MAX], struct acme_error *err)
{
    enum acme_rc rc;
    size_t len;

    if (account != NULL && !acme_store_id_ok(account))
        return acme_error_set(err, ACME_IO, "a malformed account id");
    rc = issuer_path(issuer, "ledger", false, path, err);
    if (rc != ACME_OK)
        return rc;
    len = strlen(path);
    (void)snprintf(path + len, ACME_STORE_PATH_MAX - len, "/%s.json",
        account != NULL ? account : "accounts");
    return ACME_OK;
}

enum acme_rc
acme_store_ledger_read(struct acme_store *store,
    const struct acme_issuer *issuer, const char *account,
    struct acme_buf *text, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    rc = ledger_path(issuer, account, path, err);
    if (rc == ACME_OK)
        rc = acme_store_read_any(store, path, text, err);
    return rc;
}

enum acme_rc
acme_store_ledger_write(struct acme_store *store,
    const struct acme_issuer *issuer, const char *account, const void *text,
    size_t len, struct acme_error *err)
{
    char dir[ACME_STORE_PATH_MAX], path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = ledger_path(issuer, account, path, err);
    if (rc == ACME_OK && len > ACME_STATE_JSON_MAX)
        rc = acme_error_set(err, ACME_IO, "\"%s\" would be too large", path);
    if (rc == ACME_OK)
        rc = issuer_path(issuer, "ledger", false, dir, err);
    if (rc == ACME_OK)
        rc = acme_dir_make(store->fd, dir, err);
    if (rc == ACME_OK)
        rc = acme_dir_write(store->fd, path, 0600, text, len, err);
    return rc;
}

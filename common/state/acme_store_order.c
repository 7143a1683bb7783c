/*
 * Orders in flight, and what has to be answered for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "state/acme_store_private.h"

/* ---- the order and its key -------------------------------------------- */

/* ACME_NOENT: no key file. */
static enum acme_rc
read_key(const struct acme_store *store, const char *unit,
    struct acme_buf *der, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_key *key = NULL;
    struct acme_error why;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    rc = acme_store_unit_path(path, "orders/", unit, "/privkey.pem", err);
    if (rc == ACME_OK)
        rc = acme_store_read(store, path, ACME_STATE_PEM_MAX, &pem, err);
    if (rc != ACME_OK)
        goto done;
    rc = acme_key_from_pem(acme_buf_str(&pem), pem.len, &key, &why);
    if (rc == ACME_OK)
        rc = acme_key_to_der(key, der, &why);
    if (rc != ACME_OK)
        rc = acme_store_damaged(err, path, &why);

done:
    acme_key_unref(key);
    acme_buf_clear(&pem);
    return rc;
}

enum acme_rc
acme_store_order_read(struct acme_store *store, const char *unit,
    struct acme_buf *text, struct acme_buf *key_der, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    size_t before = text->len;
    enum acme_rc rc;

    rc = acme_store_unit_path(path, "orders/", unit, "/order.json", err);
    if (rc == ACME_OK)
        rc = acme_store_read(store, path, ACME_STATE_JSON_MAX, text, err);
    if (rc != ACME_OK)
        return rc;
    acme_error_clear(&why);
    rc = read_key(store, unit, key_der, &why);
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    text->len = before;
    if (text->data != NULL)
        text->data[before] = '\0';
    return acme_error_set(err, rc, "%s", why.what);
}

/* Nothing of an absent one. */
static enum acme_rc
render_key(const void *der, size_t len, struct acme_buf *pem,
    struct acme_error *err)
{
    struct acme_key *key = NULL;
    enum acme_rc rc;

    if (len == 0)
        return ACME_OK;
    rc = acme_key_from_der(der, len, &key, err);
    if (rc == ACME_OK)
        rc = acme_key_to_pem(key, pem, err);
    acme_key_unref(key);
    return rc;
}

/* Its directory, to be changed. */
static enum acme_rc
order_dir(const struct acme_store *store, const char *unit,
    char path[ACME_STORE_PATH_MAX], struct acme_error *err)
{
    enum acme_rc rc = acme_store_writable(store, err);

    if (rc == ACME_OK)
        rc = acme_store_unit_path(path, "orders/", unit, "", err);
    return rc;
}

static enum acme_rc
make_order(const struct acme_store *store, const char *unit,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = order_dir(store, unit, path, err);

    if (rc == ACME_OK)
        rc = acme_dir_make(store->fd, path, err);
    return rc;
}

static enum acme_rc
order_path(char path[ACME_STORE_PATH_MAX], const char *unit, size_t len,
    struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_store_unit_path(path, "orders/", unit, "/order.json", err);
    if (rc == ACME_OK && len > ACME_STATE_JSON_MAX)
        rc = acme_error_set(err, ACME_IO, "\"%s\" would be too large", path);
    return rc;
}

/* The files of a new order into `dir`, which nobody sees. */
static enum acme_rc
fill(const struct acme_store *store, const char *dir, const void *text,
    size_t len, const struct acme_buf *pem, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = ACME_OK;

    (void)snprintf(path, sizeof(path), "%s/privkey.pem", dir);
    if (pem->len > 0)
        rc = acme_dir_create(store->fd, path, 0600, pem->data, pem->len, err);
    (void)snprintf(path, sizeof(path), "%s/order.json", dir);
    if (rc == ACME_OK)
        rc = acme_dir_create(store->fd, path, 0600, text, len, err);
    return rc;
}

static enum acme_rc
replace_order(const struct acme_store *store, const char *dir,
    const void *text, size_t len, const struct acme_buf *pem,
    struct acme_error *err)
{
    char hidden[ACME_STORE_PATH_MAX - 16];
    struct acme_error ignored;
    enum acme_rc rc;

    rc = acme_dir_drop(store->fd, dir, err);
    if (rc == ACME_OK)
        rc = acme_dir_make_hidden(store->fd, dir, hidden, sizeof(hidden), err);
    if (rc != ACME_OK)
        return rc;
    rc = fill(store, hidden, text, len, pem, err);
    if (rc == ACME_OK)
        rc = acme_dir_rename_soon(store->fd, hidden, dir, err);
    acme_error_clear(&ignored);
    if (rc != ACME_OK)
        (void)acme_dir_remove(store->fd, hidden, &ignored);
    return rc;
}

/*
 * An order and a key that is not its own would end in a certificate nobody
 * can use: the old order goes, and the new one comes whole.  Should the power
 * fail, one more order is made.
 */
enum acme_rc
acme_store_order_write(struct acme_store *store, const char *unit,
    const void *text, size_t len, const void *key_der, size_t key_len,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = order_path(path, unit, len, err);
    if (rc == ACME_OK)
        rc = render_key(key_der, key_len, &pem, err);
    if (rc == ACME_OK)
        rc = acme_store_unit_path(path, "orders/", unit, "", err);
    if (rc == ACME_OK)
        rc = replace_order(store, path, text, len, &pem, err);
    acme_buf_clear(&pem);
    return rc;
}

enum acme_rc
acme_store_order_update(struct acme_store *store, const char *unit,
    const void *text, size_t len, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct stat st;
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = order_path(path, unit, len, err);
    if (rc == ACME_OK &&
        fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        rc = acme_error_set(err, errno == ENOENT ? ACME_NOENT : ACME_IO,
            "cannot write \"%s\": %s", path, strerror(errno));
    if (rc == ACME_OK)
        rc = acme_dir_write_soon(store->fd, path, 0600, text, len, err);
    return rc;
}

enum acme_rc
acme_store_order_drop(struct acme_store *store, const char *unit,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = order_dir(store, unit, path, err);

    /* Whole, or a crash would leave an order without its key. */
    if (rc == ACME_OK)
        rc = acme_dir_drop(store->fd, path, err);
    return rc;
}

/* ---- challenges ------------------------------------------------------- */

static struct acme_json *
describe_challenges(const char *account, const struct acme_area_token *tokens,
    size_t ntokens)
{
    struct acme_json *root, *list, *entry;
    size_t i;

    root = acme_json_object();
    list = acme_json_array();
    for (i = 0; i < ntokens; i++) {
        entry = acme_json_object();
        acme_json_set_str(entry, "type", acme_challenge_name(tokens[i].type));
        acme_json_set_time(entry, "presented", (time_t)tokens[i].presented);
        acme_json_set_str(entry, "name", tokens[i].name);
        acme_json_set_str(entry, "token", tokens[i].token);
        acme_json_append(list, entry);
    }
    acme_json_set_str(root, "account", account);
    acme_json_set(root, "challenges", list);
    return root;
}

enum acme_rc
acme_store_challenges_write(struct acme_store *store, const char *unit,
    const char *account, const struct acme_area_token *tokens, size_t ntokens,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_json *root = NULL;
    struct acme_buf text;
    enum acme_rc rc;

    if (!acme_store_id_ok(account))
        return acme_error_set(err, ACME_IO, "a malformed account id");
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = make_order(store, unit, err);
    if (rc == ACME_OK)
        rc = acme_store_unit_path(path, "orders/", unit, "/challenge.json",
            err);
    if (rc == ACME_OK && ntokens == 0) {
        rc = acme_dir_remove(store->fd, path, err);
    } else if (rc == ACME_OK) {
        root = describe_challenges(account, tokens, ntokens);
        rc = root != NULL ? acme_json_render(root, true, &text, err)
                          : acme_error_nomem(err);
        if (rc == ACME_OK)
            rc = acme_dir_write_soon(store->fd, path, 0600,
                acme_buf_str(&text), text.len, err);
    }
    /* The file is one level below the directory that others watch. */
    if (rc == ACME_OK)
        rc = acme_dir_touch(store->fd, "orders", err);
    acme_json_free(root);
    acme_buf_clear(&text);
    return rc;
}

/* ---- the tokens of everybody ------------------------------------------ */

struct tokens {
    struct acme_store *store;
    struct acme_area_token *token;
    size_t count;
    size_t cap;
    struct acme_buf *problems; /* may be NULL */
};

static enum acme_rc
note(struct tokens *all, const struct acme_error *why, struct acme_error *err)
{
    if (why->rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (all->problems != NULL)
        acme_buf_addf(all->problems, "%s\n", why->what);
    return ACME_OK;
}

static enum acme_rc
add_token(struct tokens *all, const struct acme_area_token *token,
    struct acme_error *err)
{
    struct acme_area_token *grown;
    size_t cap;

    if (all->count == ACME_TOKENS_MAX)
        return acme_error_set(err, ACME_IO,
            "more than %d challenges are pending", ACME_TOKENS_MAX);
    if (all->count == all->cap) {
        cap = all->cap == 0 ? 16 : all->cap * 2;
        grown = realloc(all->token, cap * sizeof(*grown));
        if (grown == NULL)
            return acme_error_nomem(err);
        all->token = grown;
        all->cap = cap;
    }
    all->token[all->count++] = *token;
    return ACME_OK;
}

/* Nothing that is not exactly a name and a token gets to the workers.  An
 * entry without a type is from a time when there was one. */
static enum acme_rc
parse_token(const struct acme_json *entry, const char *path,
    struct acme_area_token *token, struct acme_error *err)
{
    const char *name = acme_json_str(entry, "name");
    const char *text = acme_json_str(entry, "token");
    const char *type = acme_json_str(entry, "type");
    struct acme_error ignored;

    acme_error_clear(&ignored);
    token->type = ACME_HTTP_01;
    token->presented = acme_json_time(entry, "presented");
    if (name == NULL || text == NULL ||
        (type != NULL && !acme_challenge_find(type, &token->type)) ||
        acme_name_parse(name, strlen(name), token->name, &ignored) !=
            ACME_OK ||
        strcmp(name, token->name) != 0 || !acme_token_ok(text, strlen(text)))
        return acme_error_set(err, ACME_IO,
            "\"%s\" is damaged: a name or token in it is malformed", path);
    memcpy(token->token, text, strlen(text) + 1);
    return ACME_OK;
}

/* One order's challenges: all of them or none. */
static enum acme_rc
read_challenges(struct tokens *all, const char *path, struct acme_error *err)
{
    const struct acme_json *list;
    struct acme_json *root = NULL;
    struct acme_area_token token;
    size_t before = all->count, i;
    const char *account;
    enum acme_rc rc;

    memset(&token, 0, sizeof(token));
    rc = acme_store_json_read(all->store, path, &root, err);
    if (rc != ACME_OK)
        return rc;
    account = acme_json_str(root, "account");
    if (account == NULL || !acme_store_id_ok(account))
        rc = acme_error_set(err, ACME_IO,
            "\"%s\" is damaged: no account in it", path);
    if (rc == ACME_OK)
        rc = acme_store_thumbprint(all->store, account, token.thumbprint, err);
    if (rc == ACME_NOENT) {
        rc = err->rc = ACME_IO;
        acme_error_wrap(err, "\"%s\" is of an account that is not here", path);
    }
    list = acme_json_get(root, "challenges");
    for (i = 0; rc == ACME_OK && i < acme_json_count(list); i++) {
        rc = parse_token(acme_json_at(list, i), path, &token, err);
        if (rc == ACME_OK)
            rc = add_token(all, &token, err);
    }
    if (rc != ACME_OK)
        all->count = before;
    acme_json_free(root);
    return rc;
}

static enum acme_rc
visit_order(void *ctx, const char *unit, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct tokens *all = ctx;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_unit_path(path, "orders/", unit, "/challenge.json", &why);
    if (rc != ACME_OK)
        return ACME_OK; /* not one of ours */
    rc = read_challenges(all, path, &why);
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    return note(all, &why, err);
}

enum acme_rc
acme_store_tokens(struct acme_store *store, struct acme_area_token **tokens,
    size_t *ntokens, struct acme_buf *problems, struct acme_error *err)
{
    struct tokens all = { store, NULL, 0, 0, problems };
    enum acme_rc rc;

    rc = acme_dir_list(store->fd, "orders", visit_order, &all, err);
    if (rc != ACME_OK) {
        free(all.token);
        return rc;
    }
    *tokens = all.token;
    *ntokens = all.count;
    return ACME_OK;
}

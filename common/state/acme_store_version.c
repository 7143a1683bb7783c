/*
 * Versions as they are found: complete, immutable pairs of key and chain
 * below archive/, and the one symbolic link below live/ that says which of
 * them is served.  acme_store_archive.c writes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_name.h"
#include "state/acme_store_private.h"
#include "wrap/acme_hash.h"

void
acme_version_init(struct acme_version *version)
{
    size_t i;

    memset(version, 0, sizeof(*version));
    for (i = 0; i < ACME_TYPES_MAX; i++) {
        acme_buf_init_secret(&version->pair[i].key, ACME_STATE_PEM_MAX);
        acme_buf_init(&version->pair[i].chain, ACME_STATE_PEM_MAX);
    }
}

void
acme_version_clear(struct acme_version *version)
{
    size_t i;

    for (i = 0; i < ACME_TYPES_MAX; i++) {
        acme_buf_clear(&version->pair[i].key);
        acme_buf_clear(&version->pair[i].chain);
    }
    acme_version_init(version);
}

/* ---- names and numbers ------------------------------------------------ */

/* 0: no version number. */
static unsigned
parse_number(const char *text)
{
    size_t len = strlen(text), i;

    if (len < 1 || len > 9 || text[0] == '0')
        return 0;
    for (i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return 0;
    return (unsigned)strtoul(text, NULL, 10);
}

void
acme_store_version_path(char path[ACME_STORE_VERSION_MAX], const char *name,
    unsigned number)
{
    (void)snprintf(path, ACME_STORE_VERSION_MAX, "archive/%s/%u", name,
        number);
}

enum acme_rc
acme_store_file_path(char path[ACME_STORE_PATH_MAX], const char *dir,
    const char *stem, const char *extra, struct acme_error *err)
{
    int n;

    n = snprintf(path, ACME_STORE_PATH_MAX, "%s/%s%s%s.pem", dir, stem,
        extra != NULL ? "." : "", extra != NULL ? extra : "");
    if (n < 0 || n >= ACME_STORE_PATH_MAX)
        return acme_error_set(err, ACME_IO, "a path is too long");
    return ACME_OK;
}

static enum acme_rc
collect_number(void *ctx, const char *name, struct acme_error *err)
{
    struct acme_store_numbers *all = ctx;
    unsigned number = parse_number(name);
    unsigned *grown;
    size_t cap;

    if (number == 0)
        return ACME_OK;
    if (all->count == all->cap) {
        cap = all->cap == 0 ? 16 : all->cap * 2;
        grown = realloc(all->number, cap * sizeof(*grown));
        if (grown == NULL)
            return acme_error_nomem(err);
        all->number = grown;
        all->cap = cap;
    }
    all->number[all->count++] = number;
    return ACME_OK;
}

static int
higher_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

enum acme_rc
acme_store_versions(const struct acme_store *store, const char *name,
    struct acme_store_numbers *all, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    memset(all, 0, sizeof(*all));
    rc = acme_store_path(path, "archive/", name, "", err);
    if (rc == ACME_OK)
        rc = acme_dir_list(store->fd, path, collect_number, all, err);
    if (rc == ACME_OK && all->count > 1)
        qsort(all->number, all->count, sizeof(*all->number), higher_first);
    return rc;
}

enum acme_rc
acme_store_version_numbers(struct acme_store *store, const char *name,
    unsigned *number, size_t max, size_t *n, struct acme_error *err)
{
    struct acme_store_numbers all;
    enum acme_rc rc = acme_store_versions(store, name, &all, err);

    if (rc == ACME_OK) {
        *n = all.count < max ? all.count : max;
        if (*n > 0)
            memcpy(number, all.number, *n * sizeof(*number));
    }
    free(all.number);
    return rc;
}

enum acme_rc
acme_store_live(struct acme_store *store, const char *name, unsigned *number,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], start[ACME_STORE_VERSION_MAX];
    char target[ACME_STORE_VERSION_MAX];
    unsigned found = 0;
    enum acme_rc rc;
    int len;

    rc = acme_store_path(path, "live/", name, "", err);
    if (rc == ACME_OK)
        rc = acme_dir_readlink(store->fd, path, target, sizeof(target), err);
    if (rc != ACME_OK)
        return rc;
    len = snprintf(start, sizeof(start), "../archive/%s/", name);
    if (strncmp(target, start, (size_t)len) == 0)
        found = parse_number(target + len);
    if (found == 0)
        return acme_error_set(err, ACME_IO,
            "\"%s\" does not point to a version in \"archive/%s\"; remove "
            "the link",
            path, name);
    *number = found;
    return ACME_OK;
}

enum acme_rc
acme_store_meta_read(const struct acme_store *store, const char *dir,
    struct acme_json **root, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;

    (void)snprintf(path, sizeof(path), "%s/meta.json", dir);
    acme_error_clear(&why);
    *root = NULL;
    if (acme_store_json_read(store, path, root, &why) == ACME_NOMEM)
        return acme_error_nomem(err);
    return ACME_OK;
}

/* ---- reading ---------------------------------------------------------- */

static bool
hash_is(const struct acme_buf *data, const char *want)
{
    char hex[ACME_HASH_HEX];

    acme_hash_hex(data->data, data->len, hex);
    return want != NULL && hex[0] != '\0' && strcmp(hex, want) == 0;
}

/*
 * The bytes as they were written, known by their hashes: nothing has to be
 * parsed.  False: somebody changed the files, look closer.
 */
static bool
read_known(const struct acme_json *meta, const struct acme_buf *key_pem,
    const struct acme_buf *chain_pem, struct acme_pair *pair)
{
    struct acme_error ignored;
    const char *type;

    acme_error_clear(&ignored);
    type = acme_json_str(meta, "key");
    if (type != NULL &&
        acme_key_type_parse(type, &pair->type, &ignored) == ACME_OK &&
        acme_store_pem_bytes(key_pem, "-----BEGIN PRIVATE KEY-----",
            "-----END PRIVATE KEY-----", &pair->key) &&
        acme_store_pem_bytes(chain_pem, "-----BEGIN CERTIFICATE-----",
            "-----END CERTIFICATE-----", &pair->chain) &&
        hash_is(&pair->key, acme_json_str(meta, "sha256_key")) &&
        hash_is(&pair->chain, acme_json_str(meta, "sha256_chain")))
        return true;
    acme_buf_reset(&pair->key);
    acme_buf_reset(&pair->chain);
    return false;
}

/* Files that somebody put there by hand: any form OpenSSL reads will do. */
static enum acme_rc
read_foreign(const struct acme_buf *key_pem, const struct acme_buf *chain_pem,
    const char *key_path, const char *chain_path, struct acme_pair *pair,
    struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    if (acme_key_from_pem(acme_buf_str(key_pem), key_pem->len, &key, &why) !=
        ACME_OK) {
        rc = acme_store_damaged(err, key_path, &why);
        goto done;
    }
    if (acme_chain_from_pem(acme_buf_str(chain_pem), chain_pem->len, &chain,
            &why) != ACME_OK) {
        rc = acme_store_damaged(err, chain_path, &why);
        goto done;
    }
    if (!acme_chain_matches(chain, key)) {
        rc = acme_error_set(err, ACME_IO,
            "\"%s\" is not the key of the certificate in \"%s\"", key_path,
            chain_path);
        goto done;
    }
    /* A damaged leaf may still have its key. */
    if (acme_chain_check_links(chain, &why) != ACME_OK) {
        rc = acme_store_damaged(err, chain_path, &why);
        goto done;
    }
    pair->type = acme_key_type_of(key);
    rc = acme_key_to_der(key, &pair->key, err);
    if (rc == ACME_OK)
        rc = acme_chain_to_der(chain, 0, 0, &pair->chain, err);

done:
    acme_chain_free(chain);
    acme_key_unref(key);
    return rc;
}

static void
copy_text(char *out, size_t size, const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (len >= size)
        len = 0;
    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
}

void
acme_store_read_origin(const struct acme_json *meta,
    struct acme_origin *origin)
{
    copy_text(origin->issuer, sizeof(origin->issuer),
        acme_json_str(meta, "issuer"));
    copy_text(origin->order, sizeof(origin->order),
        acme_json_str(meta, "order"));
    origin->obtained = (time_t)acme_json_time(meta, "obtained");
    origin->key_reused = acme_json_bool(meta, "key_reused", false);
}

/* A certificate for the operator's own key, which is not here. */
static enum acme_rc
read_keyless(const struct acme_store *store, const char *path,
    const struct acme_json *meta, struct acme_pair *pair,
    struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_error why;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init(&pem, ACME_STATE_PEM_MAX);
    rc = acme_store_read(store, path, ACME_STATE_PEM_MAX, &pem, err);
    if (rc == ACME_NOENT)
        rc = err->rc = ACME_IO;
    if (rc != ACME_OK ||
        (acme_store_pem_bytes(&pem, "-----BEGIN CERTIFICATE-----",
             "-----END CERTIFICATE-----", &pair->chain) &&
            hash_is(&pair->chain, acme_json_str(meta, "sha256_chain"))))
        goto done;
    acme_buf_reset(&pair->chain);
    if (acme_chain_from_pem(acme_buf_str(&pem), pem.len, &chain, &why) !=
            ACME_OK ||
        acme_chain_check_links(chain, &why) != ACME_OK)
        rc = acme_store_damaged(err, path, &why);
    else
        rc = acme_chain_to_der(chain, 0, 0, &pair->chain, err);

done:
    acme_chain_free(chain);
    acme_buf_clear(&pem);
    return rc;
}

/* ACME_NOENT: there is no such key file. */
static enum acme_rc
read_pair(const struct acme_store *store, const char *dir, const char *extra,
    const struct acme_json *meta, struct acme_pair *pair,
    struct acme_error *err)
{
    char key_path[ACME_STORE_PATH_MAX], chain_path[ACME_STORE_PATH_MAX];
    struct acme_buf key_pem, chain_pem;
    enum acme_rc rc;

    acme_buf_init_secret(&key_pem, ACME_STATE_PEM_MAX);
    acme_buf_init(&chain_pem, ACME_STATE_PEM_MAX);
    rc = acme_store_file_path(key_path, dir, "privkey", extra, err);
    if (rc == ACME_OK)
        rc = acme_store_file_path(chain_path, dir, "fullchain", extra, err);
    if (rc == ACME_OK && acme_json_bool(meta, "csr", false)) {
        (void)acme_key_type_parse(acme_json_str(meta, "key"), &pair->type,
            err);
        rc = read_keyless(store, chain_path, meta, pair, err);
        if (rc == ACME_OK)
            acme_store_read_origin(meta, &pair->origin);
        goto done;
    }
    if (rc == ACME_OK)
        rc = acme_store_read(store, key_path, ACME_STATE_PEM_MAX, &key_pem,
            err);
    if (rc != ACME_OK)
        goto done;
    rc = acme_store_read(store, chain_path, ACME_STATE_PEM_MAX, &chain_pem,
        err);
    if (rc == ACME_NOENT) /* a key without its chain is no absent pair */
        rc = err->rc = ACME_IO;
    if (rc == ACME_OK && !read_known(meta, &key_pem, &chain_pem, pair))
        rc = read_foreign(&key_pem, &chain_pem, key_path, chain_path, pair,
            err);
    if (rc == ACME_OK)
        acme_store_read_origin(meta, &pair->origin);

done:
    acme_buf_clear(&chain_pem);
    acme_buf_clear(&key_pem);
    return rc;
}

/* As meta.json lists them. */
static enum acme_rc
read_listed(const struct acme_store *store, const char *dir,
    const struct acme_json *pairs, struct acme_version *version,
    struct acme_error *err)
{
    size_t count = acme_json_count(pairs), i;
    const struct acme_json *meta;
    enum acme_key_type type;
    enum acme_rc rc = ACME_OK;
    struct acme_error ignored;
    const char *name;

    if (count > ACME_TYPES_MAX)
        return acme_error_set(err, ACME_IO,
            "\"%s/meta.json\" lists too many pairs", dir);
    for (i = 0; i < count && rc == ACME_OK; i++) {
        meta = acme_json_at(pairs, i);
        name = acme_json_str(meta, "key");
        acme_error_clear(&ignored);
        if (name == NULL ||
            acme_key_type_parse(name, &type, &ignored) != ACME_OK)
            return acme_error_set(err, ACME_IO,
                "\"%s/meta.json\" lists a pair of no known key type", dir);
        rc = read_pair(store, dir, i == 0 ? NULL : acme_key_algorithm(type),
            meta, &version->pair[i], err);
        version->npairs = i + 1;
    }
    return rc;
}

/* Without a usable meta.json the file names say what there is. */
static enum acme_rc
read_unlisted(const struct acme_store *store, const char *dir,
    struct acme_version *version, struct acme_error *err)
{
    static const char *const extra[] = { NULL, "ecdsa", "rsa" };
    struct acme_error why;
    enum acme_rc rc;
    size_t i;

    for (i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
        acme_error_clear(&why);
        rc = read_pair(store, dir, extra[i], NULL,
            &version->pair[version->npairs], &why);
        if (rc == ACME_OK)
            version->npairs++;
        else if (rc != ACME_NOENT || i == 0)
            return acme_error_set(err, rc, "%s", why.what);
    }
    return ACME_OK;
}

static enum acme_rc
read_version(const struct acme_store *store, const char *name, unsigned number,
    struct acme_version *version, struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX];
    const struct acme_json *pairs;
    struct acme_json *meta = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_store_version_path(dir, name, number);
    acme_error_clear(&why);
    rc = acme_store_meta_read(store, dir, &meta, &why);
    if (rc == ACME_OK) {
        pairs = acme_json_get(meta, "pairs");
        if (acme_json_count(pairs) > 0)
            rc = read_listed(store, dir, pairs, version, &why);
        else
            rc = read_unlisted(store, dir, version, &why);
    }
    acme_json_free(meta);
    version->number = number;
    if (rc == ACME_OK || rc == ACME_NOMEM)
        return rc == ACME_OK ? rc : acme_error_nomem(err);
    return acme_error_set(err, ACME_IO, "%s", why.what);
}

enum acme_rc
acme_store_version_read(struct acme_store *store, const char *name,
    unsigned number, struct acme_version *version, struct acme_error *err)
{
    struct acme_version read;
    enum acme_rc rc;

    rc = acme_lineage_name_check(name, err);
    if (rc != ACME_OK)
        return rc;
    acme_version_init(&read);
    rc = read_version(store, name, number, &read, err);
    if (rc == ACME_OK) {
        acme_version_clear(version);
        *version = read;
    } else {
        acme_version_clear(&read);
    }
    return rc;
}

enum acme_rc
acme_store_live_read(struct acme_store *store, const char *name,
    struct acme_version *version, struct acme_error *err)
{
    struct acme_store_numbers all = { 0, 0, NULL };
    unsigned live = ACME_STORE_NUMBER_MAX + 1;
    struct acme_error why;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&why);
    rc = acme_store_live(store, name, &live, &why);
    if (rc == ACME_OK)
        rc = acme_store_version_read(store, name, live, version, &why);
    if (rc == ACME_OK)
        return ACME_OK;
    acme_error_set(err, rc, "%s", why.what);
    if (rc == ACME_NOENT || rc == ACME_NOMEM)
        return rc;

    /* `err` has the damage; what comes now happens because of it. */
    acme_error_clear(&why);
    rc = acme_store_versions(store, name, &all, &why);
    for (i = 0; i < all.count && rc == ACME_OK; i++) {
        acme_error_clear(&why);
        if (all.number[i] < live &&
            acme_store_version_read(store, name, all.number[i], version,
                &why) == ACME_OK)
            break;
    }
    if (rc == ACME_OK && i == all.count)
        rc = ACME_NOENT;
    free(all.number);
    return rc;
}

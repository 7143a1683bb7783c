/*
 * Versions as they are made: written out of sight, moved to their place when
 * they are complete, then served by moving one link; and what is put right
 * after a crash in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/acme_log.h"
#include "state/acme_store_private.h"
#include "wrap/acme_hash.h"

/* ---- the mark --------------------------------------------------------- */

/* An empty file beside the others: this version has not been live yet. */
static void
mark_path(char path[ACME_STORE_PATH_MAX], const char *version_dir)
{
    (void)snprintf(path, ACME_STORE_PATH_MAX, "%s/pending", version_dir);
}

static bool
has_mark(const struct acme_store *store, const char *version_dir)
{
    char path[ACME_STORE_PATH_MAX];
    struct stat st;

    mark_path(path, version_dir);
    return fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool
is_pending(const struct acme_store *store, const char *name, unsigned number)
{
    char dir[ACME_STORE_VERSION_MAX];

    acme_store_version_path(dir, name, number);
    return has_mark(store, dir);
}

/* One that comes back when the power fails does no harm while the version is
 * live: whoever makes another one live clears it for good first. */
static enum acme_rc
clear_mark(const struct acme_store *store, const char *name, unsigned number,
    struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX], path[ACME_STORE_PATH_MAX];

    acme_store_version_path(dir, name, number);
    if (!has_mark(store, dir))
        return ACME_OK;
    mark_path(path, dir);
    return acme_dir_remove_soon(store->fd, path, err);
}

/* ---- writing ---------------------------------------------------------- */

struct write {
    const struct acme_store *store;
    const char *dir;   /* where the files go */
    const char *extra; /* algorithm in the file names, or NULL */
};

static enum acme_rc
put_file(const struct write *w, const char *stem, mode_t mode,
    const struct acme_buf *text, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    rc = acme_store_file_path(path, w->dir, stem, w->extra, err);
    if (rc == ACME_OK)
        rc = acme_dir_create(w->store->fd, path, mode, acme_buf_str(text),
            text->len, err);
    return rc;
}

static enum acme_rc
put_key(const struct write *w, const struct acme_key *key,
    struct acme_error *err)
{
    struct acme_buf pem;
    enum acme_rc rc;

    acme_buf_init_secret(&pem, ACME_STATE_PEM_MAX);
    rc = acme_key_to_pem(key, &pem, err);
    if (rc == ACME_OK)
        rc = put_file(w, "privkey", 0600, &pem, err);
    acme_buf_clear(&pem);
    return rc;
}

/* Certificates are public; other daemons read them under Certbot's names. */
static enum acme_rc
put_chain(const struct write *w, const char *stem,
    const struct acme_chain *chain, size_t first, size_t last,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    struct acme_buf pem;

    acme_buf_init(&pem, ACME_STATE_PEM_MAX);
    if (first < acme_chain_count(chain))
        rc = acme_chain_to_pem(chain, first, last, &pem, err);
    if (rc == ACME_OK)
        rc = put_file(w, stem, 0644, &pem, err);
    acme_buf_clear(&pem);
    return rc;
}

/* What meta.json says of a pair; NULL with *rc.  key NULL: it is the
 * operator's. */
static struct acme_json *
describe(const struct acme_pair *pair, const struct acme_key *key,
    const struct acme_chain *chain, enum acme_rc *rc, struct acme_error *err)
{
    char key_hash[ACME_HASH_HEX], chain_hash[ACME_HASH_HEX];
    const struct acme_origin *origin = &pair->origin;
    struct acme_buf key_der, chain_der;
    struct acme_json *meta = NULL;
    struct acme_leaf leaf;

    acme_buf_init_secret(&key_der, ACME_STATE_PEM_MAX);
    acme_buf_init(&chain_der, ACME_STATE_PEM_MAX);
    *rc = acme_chain_leaf(chain, &leaf, err);
    if (*rc == ACME_OK && key != NULL)
        *rc = acme_key_to_der(key, &key_der, err);
    if (*rc == ACME_OK)
        *rc = acme_chain_to_der(chain, 0, 0, &chain_der, err);
    if (*rc != ACME_OK)
        goto done;
    acme_hash_hex(key_der.data, key_der.len, key_hash);
    acme_hash_hex(chain_der.data, chain_der.len, chain_hash);
    meta = acme_json_object();
    acme_json_set_str(meta, "key", acme_key_type_name(pair->type));
    if (key == NULL)
        acme_json_set_bool(meta, "csr", true);
    acme_json_set_str(meta, "issuer", origin->issuer);
    acme_json_set_str(meta, "order", origin->order);
    acme_json_set_time(meta, "obtained", origin->obtained);
    if (origin->key_reused)
        acme_json_set_bool(meta, "key_reused", true);
    acme_json_set_time(meta, "not_before", leaf.not_before);
    acme_json_set_time(meta, "not_after", leaf.not_after);
    acme_json_set_str(meta, "serial", leaf.serial);
    acme_json_set_str(meta, "ari_id", leaf.ari_id);
    if (key != NULL)
        acme_json_set_str(meta, "sha256_key", key_hash);
    acme_json_set_str(meta, "sha256_chain", chain_hash);

done:
    acme_buf_clear(&chain_der);
    acme_buf_clear(&key_der);
    return meta;
}

static enum acme_rc
put_pair(const struct write *w, const struct acme_pair *pair,
    struct acme_json *pairs, struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    struct acme_json *meta;
    enum acme_rc rc = ACME_OK;

    if (pair->key.len > 0)
        rc = acme_key_from_der(pair->key.data, pair->key.len, &key, err);
    if (rc == ACME_OK)
        rc = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain,
            err);
    if (rc == ACME_OK && key != NULL && !acme_chain_matches(chain, key))
        rc = acme_error_set(err, ACME_REFUSED,
            "the key is not the certificate's");
    if (rc != ACME_OK)
        goto done;
    meta = describe(pair, key, chain, &rc, err);
    if (rc != ACME_OK)
        goto done;
    acme_json_append(pairs, meta);
    if (key != NULL)
        rc = put_key(w, key, err);
    if (rc == ACME_OK)
        rc = put_chain(w, "cert", chain, 0, 1, err);
    if (rc == ACME_OK)
        rc = put_chain(w, "chain", chain, 1, 0, err);
    if (rc == ACME_OK)
        rc = put_chain(w, "fullchain", chain, 0, 0, err);

done:
    acme_chain_free(chain);
    acme_key_unref(key);
    return rc;
}

static enum acme_rc
put_meta(const struct write *w, const struct acme_json *pairs,
    struct acme_error *err)
{
    struct acme_json *meta = acme_json_object();
    char path[ACME_STORE_PATH_MAX];
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    acme_json_set(meta, "pairs", acme_json_copy(pairs));
    rc = meta != NULL ? acme_json_render(meta, true, &text, err)
                      : acme_error_nomem(err);
    (void)snprintf(path, sizeof(path), "%s/meta.json", w->dir);
    if (rc == ACME_OK)
        rc = acme_dir_create(w->store->fd, path, 0600, acme_buf_str(&text),
            text.len, err);
    acme_buf_clear(&text);
    acme_json_free(meta);
    return rc;
}

/* What is to be written, and how. */
struct entry {
    const struct acme_version *version;
    bool pending; /* it is to be live */
    time_t at;    /* when its files were written elsewhere; 0: now */
};

/* Best effort: only people look at it. */
static void
set_times(const struct acme_store *store, const char *dir, time_t at)
{
    const struct timespec times[2] = { { .tv_sec = at }, { .tv_sec = at } };
    struct acme_dir_names names = { 0 };
    char path[ACME_STORE_PATH_MAX];
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    if (acme_dir_names_read(store->fd, dir, true, &names, &ignored) == ACME_OK)
        for (i = 0; i < names.count; i++) {
            (void)snprintf(path, sizeof(path), "%s/%s", dir, names.name[i]);
            (void)utimensat(store->fd, path, times, AT_SYMLINK_NOFOLLOW);
        }
    (void)utimensat(store->fd, dir, times, AT_SYMLINK_NOFOLLOW);
    acme_dir_names_free(&names);
}

/* The files of all pairs, meta.json and, if it is to be live, the mark into
 * `dir`, which nobody knows yet. */
static enum acme_rc
fill(const struct acme_store *store, const char *dir,
    const struct entry *entry, struct acme_error *err)
{
    const struct acme_version *version = entry->version;
    struct acme_json *pairs = acme_json_array();
    struct write w = { store, dir, NULL };
    char mark[ACME_STORE_PATH_MAX];
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < version->npairs && rc == ACME_OK; i++) {
        if (i > 0)
            w.extra = acme_key_algorithm(version->pair[i].type);
        rc = put_pair(&w, &version->pair[i], pairs, err);
    }
    if (rc == ACME_OK)
        rc = put_meta(&w, pairs, err);
    mark_path(mark, dir);
    if (rc == ACME_OK && entry->pending)
        rc = acme_dir_create(store->fd, mark, 0600, "", 0, err);
    if (rc == ACME_OK && entry->at != 0)
        set_times(store, dir, entry->at);
    if (rc == ACME_OK)
        rc = acme_dir_sync_files(store->fd, dir, err);
    acme_json_free(pairs);
    return rc;
}

/* archive/NAME/N, complete, durable and, if it is to be live, marked; or
 * nothing. */
static enum acme_rc
archive(struct acme_store *store, const char *name, unsigned number,
    const struct entry *entry, struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX], temp[ACME_STORE_VERSION_MAX];
    struct acme_error ignored;
    enum acme_rc rc;

    acme_store_version_path(dir, name, number);
    rc = acme_dir_make_hidden(store->fd, dir, temp, sizeof(temp), err);
    if (rc != ACME_OK)
        return rc;
    rc = fill(store, temp, entry, err);
    if (rc == ACME_OK)
        rc = acme_store_share_new(store, name, temp, err);
    if (rc == ACME_OK)
        rc = acme_dir_rename(store->fd, temp, dir, err);
    if (rc != ACME_OK) {
        acme_error_clear(&ignored);
        (void)acme_dir_remove(store->fd, temp, &ignored);
        return rc;
    }
    /* archive/NAME itself may be new, made by somebody who crashed then. */
    return number == 1 || entry->at != 0
               ? acme_dir_sync(store->fd, "archive", err)
               : ACME_OK;
}

static enum acme_rc
check_version(const struct acme_version *version, struct acme_error *err)
{
    size_t i, k;

    if (version->npairs == 0 || version->npairs > ACME_TYPES_MAX)
        return acme_error_set(err, ACME_IO, "a version needs a pair");
    for (i = 0; i < version->npairs; i++)
        for (k = 0; k < i; k++)
            if (strcmp(acme_key_algorithm(version->pair[i].type),
                    acme_key_algorithm(version->pair[k].type)) == 0)
                return acme_error_set(err, ACME_IO,
                    "a version with two keys of one algorithm");
    return ACME_OK;
}

static enum acme_rc
next_number(struct acme_store *store, const char *name,
    const struct acme_store_numbers *all, unsigned *number,
    struct acme_error *err)
{
    unsigned highest = all->count > 0 ? all->number[0] : 0, live = 0;
    struct acme_error ignored;

    /* Should the archive have been emptied by hand: live still points to a
     * number that means something to those who read it. */
    acme_error_clear(&ignored);
    if (acme_store_live(store, name, &live, &ignored) == ACME_OK &&
        live > highest)
        highest = live;
    if (highest >= ACME_STORE_NUMBER_MAX)
        return acme_error_set(err, ACME_IO,
            "\"archive/%s\" has no number left for a version", name);
    *number = highest + 1;
    return ACME_OK;
}

/* Moves live.  An error after the rename did not undo it, so ask. */
static enum acme_rc
switch_live(struct acme_store *store, const char *name, unsigned number,
    struct acme_error *err)
{
    char path[ACME_STORE_VERSION_MAX], target[ACME_STORE_VERSION_MAX];
    struct acme_error why, ignored;
    unsigned live = 0;
    enum acme_rc rc;

    (void)snprintf(path, sizeof(path), "live/%s", name);
    (void)snprintf(target, sizeof(target), "../archive/%s/%u", name, number);
    acme_error_clear(&why);
    acme_error_clear(&ignored);
    rc = acme_dir_link(store->fd, target, path, &why);
    if (rc == ACME_OK)
        return ACME_OK;
    acme_error_set(err, rc, "%s", why.what);
    if (acme_store_live(store, name, &live, &ignored) == ACME_OK &&
        live == number)
        return ACME_OK;
    return rc;
}

/*
 * A version that is older than the live one and still marked (its turn failed
 * once) must not come back at a recovery after a rollback.
 */
static void
clear_marks(const struct acme_store *store, const char *name,
    const struct acme_store_numbers *all, struct acme_error *err)
{
    size_t i;

    for (i = 0; i < all->count; i++)
        (void)clear_mark(store, name, all->number[i], err);
}

static void
remove_version(const struct acme_store *store, const char *name,
    unsigned number, struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX];

    /* What is half removed must not look like a damaged version. */
    acme_store_version_path(dir, name, number);
    (void)acme_dir_drop(store->fd, dir, err);
}

/* A slow reader may still be on its way to a version that was live. */
static void
prune(const struct acme_store *store, const char *name,
    const struct acme_store_numbers *all, time_t now, struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX];
    struct stat st;
    size_t i;

    /* The new one, which is live, is not in `all`. */
    for (i = ACME_VERSIONS_KEPT - 1; i < all->count; i++) {
        acme_store_version_path(dir, name, all->number[i]);
        if (fstatat(store->fd, dir, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
            st.st_mtime > now - ACME_VERSION_MIN_AGE)
            continue;
        remove_version(store, name, all->number[i], err);
    }
}

/* A version of a lineage, not live yet: that of the number asked for, or for 0
 * the next; all->number is the caller's to free, whatever comes back. */
static enum acme_rc
write_next(struct acme_store *store, const char *name,
    const struct entry *entry, struct acme_store_numbers *all,
    unsigned *number, struct acme_error *err)
{
    char dir[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    memset(all, 0, sizeof(*all));
    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = check_version(entry->version, err);
    if (rc == ACME_OK)
        rc = acme_store_path(dir, "archive/", name, "", err);
    if (rc == ACME_OK)
        rc = acme_dir_make(store->fd, dir, err);
    if (rc == ACME_OK)
        rc = acme_store_versions(store, name, all, err);
    if (rc == ACME_OK && *number == 0)
        rc = next_number(store, name, all, number, err);
    if (rc == ACME_OK)
        rc = archive(store, name, *number, entry, err);
    return rc;
}

enum acme_rc
acme_store_version_write(struct acme_store *store, const char *name,
    struct acme_version *version, time_t now, struct acme_error *err)
{
    const struct entry entry = { version, true, 0 };
    struct acme_store_numbers all;
    unsigned number = 0;
    enum acme_rc rc;

    rc = write_next(store, name, &entry, &all, &number, err);
    if (rc == ACME_OK)
        rc = switch_live(store, name, number, err);
    if (rc != ACME_OK)
        goto done;

    /* From here on it is served, whatever happens: `err` tells what was left
     * undone, and the next recovery does it. */
    version->number = number;
    (void)clear_mark(store, name, number, err);
    clear_marks(store, name, &all, err);
    prune(store, name, &all, now, err);

done:
    free(all.number);
    return rc;
}

enum acme_rc
acme_store_version_add(struct acme_store *store, const char *name,
    const struct acme_version *version, struct acme_error *err)
{
    const struct entry entry = { version, false, 0 };
    struct acme_store_numbers all;
    unsigned number = 0;
    enum acme_rc rc;

    rc = write_next(store, name, &entry, &all, &number, err);
    free(all.number);
    return rc;
}

enum acme_rc
acme_store_version_bring(struct acme_store *store, const char *name,
    const struct acme_version *version, time_t at, bool pending,
    struct acme_error *err)
{
    const struct entry entry = { version, pending, at };
    struct acme_store_numbers all;
    unsigned number = version->number;
    enum acme_rc rc;

    rc = write_next(store, name, &entry, &all, &number, err);
    free(all.number);
    return rc;
}

/* A version must be read once before it is served. */
static enum acme_rc
read_once(struct acme_store *store, const char *name, unsigned number,
    struct acme_error *err)
{
    struct acme_version version;
    enum acme_rc rc;

    acme_version_init(&version);
    rc = acme_store_version_read(store, name, number, &version, err);
    acme_version_clear(&version);
    return rc;
}

/* A mark that was removed may come back when the power fails: of a version
 * that is newer than the live one it would undo the choice. */
static enum acme_rc
clear_mark_for_good(const struct acme_store *store, const char *name,
    unsigned number, struct acme_error *err)
{
    char dir[ACME_STORE_VERSION_MAX], path[ACME_STORE_PATH_MAX];

    acme_store_version_path(dir, name, number);
    if (!has_mark(store, dir))
        return acme_dir_sync(store->fd, dir, err);
    mark_path(path, dir);
    return acme_dir_remove(store->fd, path, err);
}

enum acme_rc
acme_store_switch(struct acme_store *store, const char *name, unsigned number,
    struct acme_error *err)
{
    struct acme_store_numbers all = { 0, 0, NULL };
    enum acme_rc rc;
    size_t i;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_versions(store, name, &all, err);
    if (rc == ACME_OK)
        rc = read_once(store, name, number, err);
    for (i = 0; rc == ACME_OK && i < all.count && all.number[i] > number; i++)
        rc = clear_mark_for_good(store, name, all.number[i], err);
    if (rc == ACME_OK)
        rc = switch_live(store, name, number, err);
    if (rc == ACME_OK)
        clear_marks(store, name, &all, err);
    free(all.number);
    return rc;
}

/* ---- after a crash ---------------------------------------------------- */

static bool
is_of_kind(const struct acme_store *store, const char *path, mode_t kind)
{
    struct stat st;

    return fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (st.st_mode & S_IFMT) == kind;
}

static bool
is_absent(const struct acme_store *store, const char *path)
{
    struct stat st;

    return fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1 &&
           errno == ENOENT;
}

/* Of an order: what a writer left, one that was dropped half way, the key of
 * one that did not get to the disk.  Whatever else is in its place is not
 * ours to take away. */
static enum acme_rc
tidy_order(const struct acme_store *store, const char *unit,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], file[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    (void)snprintf(path, sizeof(path), "orders/.%s.tmp", unit);
    rc = acme_dir_remove(store->fd, path, err);
    (void)snprintf(path, sizeof(path), "orders/%s", unit);
    if (rc != ACME_OK || !is_of_kind(store, path, S_IFDIR))
        return rc;
    acme_dir_sweep(store->fd, path, ACME_DIR_SWEEP_ALL);
    (void)snprintf(file, sizeof(file), "orders/%s/privkey.pem", unit);
    if (!is_of_kind(store, file, S_IFREG))
        return ACME_OK;
    (void)snprintf(file, sizeof(file), "orders/%s/order.json", unit);
    return is_absent(store, file) ? acme_dir_remove(store->fd, path, err)
                                  : ACME_OK;
}

/* What a crashed writer of this lineage left; the caller holds its lock, so
 * that it is nobody's work. */
static enum acme_rc
tidy(const struct acme_store *store, const char *name, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], unit[ACME_UNIT_NAME_MAX];
    enum acme_rc rc;
    size_t i;

    rc = acme_store_path(path, "archive/", name, "", err);
    if (rc != ACME_OK)
        return rc;
    acme_dir_sweep(store->fd, path, ACME_DIR_SWEEP_ALL);
    (void)snprintf(path, sizeof(path), "live/.%s.tmp", name);
    rc = acme_dir_remove(store->fd, path, err);
    for (i = 0; i < ACME_ALGORITHMS && rc == ACME_OK; i++) {
        acme_store_unit_name(unit, name, i);
        rc = tidy_order(store, unit, err);
    }
    return rc;
}

/* Complete in fact, or only called so? */
static enum acme_rc
adopt(struct acme_store *store, const char *name, unsigned number,
    struct acme_error *err)
{
    enum acme_rc rc = read_once(store, name, number, err);

    if (rc == ACME_OK)
        rc = switch_live(store, name, number, err);
    return rc;
}

/*
 * Only what is at or above live counts: a mark below it is of a version that
 * was overtaken.  The newest one that is marked and sound wins, and no mark
 * survives but a damaged version's, or a rollback would be undone by the next
 * recovery (M10).
 */
static enum acme_rc
resume(struct acme_store *store, const char *name, unsigned live,
    const struct acme_store_numbers *all, bool *moved, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK, damage = ACME_OK;
    unsigned number;
    size_t i;

    for (i = 0; i < all->count && rc == ACME_OK; i++) {
        number = all->number[i];
        if (number < live)
            break;
        if (!is_pending(store, name, number))
            continue;
        if (number > live && !*moved) {
            *moved = adopt(store, name, number, err) == ACME_OK;
            if (!*moved) {
                damage = err->rc;
                continue;
            }
        }
        rc = clear_mark(store, name, number, err);
    }
    return rc != ACME_OK ? rc : damage;
}

static bool
has_marks(const struct acme_store *store, const char *name,
    const struct acme_dir_names *names)
{
    char dir[ACME_STORE_VERSION_MAX];
    size_t i;

    for (i = 0; i < names->count; i++) {
        if (names->name[i][0] == '.')
            return true;
        (void)snprintf(dir, sizeof(dir), "archive/%s/%.32s", name,
            names->name[i]);
        if (has_mark(store, dir))
            return true;
    }
    return false;
}

static bool
has_orders(const struct acme_store *store, const char *name)
{
    char path[ACME_STORE_PATH_MAX], unit[ACME_UNIT_NAME_MAX];
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_store_unit_name(unit, name, i);
        (void)snprintf(path, sizeof(path), "orders/.%s.tmp", unit);
        if (!is_absent(store, path))
            return true;
        (void)snprintf(path, sizeof(path), "orders/%s", unit);
        if (!is_absent(store, path))
            return true;
    }
    return false;
}

bool
acme_store_is_settled(const struct acme_store *store, const char *name)
{
    struct acme_dir_names names;
    char path[ACME_STORE_PATH_MAX];
    struct acme_error ignored;
    bool settled;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    (void)snprintf(path, sizeof(path), "live/.%s.tmp", name);
    if (!is_absent(store, path) || has_orders(store, name))
        return false;
    (void)snprintf(path, sizeof(path), "archive/%s", name);
    rc = acme_dir_names_read(store->fd, path, true, &names, &ignored);
    if (rc != ACME_OK)
        return rc == ACME_NOENT;
    settled = !has_marks(store, name, &names);
    acme_dir_names_free(&names);
    return settled;
}

enum acme_rc
acme_store_recover(struct acme_store *store, const char *name, bool *moved,
    struct acme_error *err)
{
    struct acme_store_numbers all = { 0, 0, NULL };
    struct acme_error why;
    unsigned live = 0;
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_versions(store, name, &all, err);
    if (rc == ACME_OK)
        rc = tidy(store, name, err);
    if (rc != ACME_OK)
        goto done;
    acme_error_clear(&why);
    rc = acme_store_live(store, name, &live, &why);
    if (rc != ACME_OK && rc != ACME_NOENT) {
        (void)acme_error_set(err, rc, "%s", why.what);
        goto done;
    }
    *moved = false;
    rc = resume(store, name, rc == ACME_OK ? live : 0, &all, moved, err);

done:
    free(all.number);
    return rc;
}

/* One of its files or directories; the first error counts. */
static void
forget(const struct acme_store *store, const char *before, const char *name,
    const char *after, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];

    if (acme_store_unit_path(path, before, name, after, err) == ACME_OK)
        (void)acme_dir_remove(store->fd, path, err);
}

/* What somebody has put beside the versions is his. */
static void
forget_archive(const struct acme_store *store, const char *name,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_dir_names names;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    if (acme_store_path(path, "archive/", name, "", err) != ACME_OK)
        return;
    acme_dir_sweep(store->fd, path, ACME_DIR_SWEEP_ALL);
    rc = acme_dir_names_read(store->fd, path, true, &names, &why);
    if (rc == ACME_OK) {
        if (names.count == 0)
            (void)acme_dir_remove(store->fd, path, err);
        acme_dir_names_free(&names);
    } else if (rc != ACME_NOENT) {
        (void)acme_error_set(err, rc, "%s", why.what);
    }
}

/* First what makes others take it for one that is there. */
enum acme_rc
acme_store_forget(struct acme_store *store, const char *name,
    struct acme_error *err)
{
    static const char *const notes[] = { "told/", "due/", "due-mirror/" };
    struct acme_store_numbers all = { 0, 0, NULL };
    char unit[ACME_UNIT_NAME_MAX];
    enum acme_rc rc;
    size_t i;

    rc = acme_store_writable(store, err);
    if (rc != ACME_OK)
        return rc;
    forget(store, "live/", name, "", err);
    if (acme_store_versions(store, name, &all, err) == ACME_OK)
        for (i = 0; i < all.count; i++)
            remove_version(store, name, all.number[i], err);
    free(all.number);
    forget_archive(store, name, err);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_store_unit_name(unit, name, i);
        forget(store, "orders/", unit, "", err);
        forget(store, "record/", unit, ".json", err);
        forget(store, "record/", unit, ".refused.pem", err);
        forget(store, "staples/", unit, ".der", err);
    }
    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
        forget(store, notes[i], name, ".json", err);
    forget(store, "renewal/", name, ".json", err);
    return err->rc;
}

enum acme_rc
acme_store_refused(struct acme_store *store, const char *unit,
    const struct acme_chain *chain, const char *reason, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], clean[ACME_LOG_LINE_MAX];
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_PEM_MAX + sizeof(clean));
    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_unit_path(path, "record/", unit, ".refused.pem", err);
    if (rc != ACME_OK)
        goto done;
    acme_log_clean(clean, sizeof(clean), reason, strlen(reason));
    acme_buf_addf(&text, "refused: %s\n", clean);
    rc = acme_chain_to_pem(chain, 0, 0, &text, err);
    if (rc == ACME_OK)
        rc = acme_dir_write(store->fd, path, 0600, acme_buf_str(&text),
            text.len, err);

done:
    acme_buf_clear(&text);
    return rc;
}

/*
 * The state directory as a whole, and its small files: settings, records,
 * locks.  Versions, orders and accounts have files of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "state/acme_store_private.h"

/* The layout this code writes, and the newest it understands: additions of
 * the next one do not stop a reader after a rollback of the package. */
#define FORMAT 1
#define FORMAT_READ 2

static const char *const directories[] = { "accounts", "keys", "archive",
    "live", "renewal", "record", "orders", "ledger", "locks", "servers",
    "revoked", "staples", "told", "due", "due-mirror", "renewal-hooks/pre",
    "renewal-hooks/deploy", "renewal-hooks/post" };

/* Where durable writes without a lock of their own leave something after a
 * crash. */
static const char *const swept[] = { ".", "keys", "live", "renewal", "record",
    "orders", "servers", "revoked", "staples", "told", "due", "due-mirror" };

/* How often, and so long (ms), a lock is waited for that is held for some
 * milliseconds. */
#define LOCK_TRIES 200
#define LOCK_WAIT_MS 10

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum acme_rc
acme_store_writable(const struct acme_store *store, struct acme_error *err)
{
    if (store->mode == ACME_STORE_WRITE)
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "the state directory was opened for reading only");
}

/* No lineage can be called so. */
#define RSA_MARK "~rsa"
#define TRIAL_MARK "~trial"

enum acme_rc
acme_store_path(char path[ACME_STORE_PATH_MAX], const char *before,
    const char *name, const char *after, struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_lineage_name_check(name, err);
    if (rc == ACME_OK)
        (void)snprintf(path, ACME_STORE_PATH_MAX, "%s%s%s", before, name,
            after);
    return rc;
}

void
acme_store_unit_name(char out[ACME_UNIT_NAME_MAX], const char *lineage,
    size_t algorithm)
{
    (void)snprintf(out, ACME_UNIT_NAME_MAX, "%s%s", lineage,
        algorithm == 0 ? "" : RSA_MARK);
}

void
acme_store_trial_name(char out[ACME_UNIT_NAME_MAX], const char *unit)
{
    size_t len = strlen(unit);

    memmove(out, unit, len + 1);
    (void)snprintf(out + len, ACME_UNIT_NAME_MAX - len, TRIAL_MARK);
}

static void
cut_mark(char *unit, const char *mark)
{
    size_t len = strlen(unit), end = strlen(mark);

    if (len > end && strcmp(unit + len - end, mark) == 0)
        unit[len - end] = '\0';
}

enum acme_rc
acme_store_unit_path(char path[ACME_STORE_PATH_MAX], const char *before,
    const char *unit, const char *after, struct acme_error *err)
{
    char lineage[ACME_UNIT_NAME_MAX];
    enum acme_rc rc;

    (void)snprintf(lineage, sizeof(lineage), "%s", unit);
    cut_mark(lineage, TRIAL_MARK);
    cut_mark(lineage, RSA_MARK);
    rc = acme_lineage_name_check(lineage, err);
    if (rc == ACME_OK)
        (void)snprintf(path, ACME_STORE_PATH_MAX, "%s%s%s", before, unit,
            after);
    return rc;
}

enum acme_rc
acme_store_read(const struct acme_store *store, const char *path, size_t max,
    struct acme_buf *out, struct acme_error *err)
{
    return acme_dir_read(store->fd, path, store->owner, max, out, err);
}

enum acme_rc
acme_store_read_any(const struct acme_store *store, const char *path,
    struct acme_buf *out, struct acme_error *err)
{
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_store_read(store, path, ACME_STATE_JSON_MAX, out, &why);
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    return acme_error_set(err, rc, "%s", why.what);
}

enum acme_rc
acme_store_damaged(struct acme_error *err, const char *path,
    const struct acme_error *why)
{
    char clean[300];

    if (why->rc == ACME_NOMEM)
        return acme_error_nomem(err);
    return acme_error_set(err, ACME_IO, "\"%s\" is damaged: %s",
        acme_log_clean(clean, sizeof(clean), path, strlen(path)), why->what);
}

enum acme_rc
acme_store_json_read(const struct acme_store *store, const char *path,
    struct acme_json **root, struct acme_error *err)
{
    struct acme_json *json = NULL;
    struct acme_buf text;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init_secret(&text, ACME_STATE_JSON_MAX);
    rc = acme_store_read(store, path, ACME_STATE_JSON_MAX, &text, err);
    if (rc != ACME_OK)
        goto done;
    rc = acme_json_parse(acme_buf_str(&text), text.len, path, &json, &why);
    if (rc == ACME_OK && !acme_json_is_object(json))
        rc = acme_error_set(&why, ACME_WIRE, "%s: no JSON object", path);
    if (rc == ACME_OK) {
        *root = json;
        json = NULL;
    } else if (rc == ACME_NOMEM) {
        rc = acme_error_nomem(err);
    } else {
        rc = acme_error_set(err, ACME_IO, "%s", why.what);
    }
    acme_json_free(json);

done:
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_store_json_write(const struct acme_store *store, const char *path,
    const struct acme_json *root, struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_json_render(root, true, &text, err);
    if (rc == ACME_OK)
        rc = acme_dir_write(store->fd, path, 0600, acme_buf_str(&text),
            text.len, err);
    acme_buf_clear(&text);
    return rc;
}

/* ---- opening ---------------------------------------------------------- */

/* 0: what is in the file is no layout version. */
static unsigned long
parse_format(const char *text)
{
    unsigned long format;
    char *end;

    if (text[0] < '1' || text[0] > '9' || strlen(text) > 9)
        return 0;
    format = strtoul(text, &end, 10);
    return strcmp(end, "\n") == 0 || *end == '\0' ? format : 0;
}

/* ACME_NOENT: no format file. */
static enum acme_rc
read_format(const struct acme_store *store, unsigned long *format,
    struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, 64);
    rc = acme_store_read(store, "format", 64, &text, err);
    if (rc == ACME_OK)
        *format = parse_format(acme_buf_str(&text));
    acme_buf_clear(&text);
    if (rc == ACME_OK && *format == 0)
        return acme_error_set(err, ACME_IO,
            "\"format\" holds no layout version; restore the directory from "
            "a backup, or configure another one");
    return rc;
}

static enum acme_rc
check_format(const struct acme_store *store, struct acme_error *err)
{
    const bool writes = store->mode == ACME_STORE_WRITE;
    unsigned long format = 0, known = writes ? FORMAT : FORMAT_READ;
    enum acme_rc rc = read_format(store, &format, err);

    if (rc == ACME_OK && format > known)
        rc = acme_error_set(err, ACME_IO,
            "its layout is version %lu, this program %s version %d; use the "
            "newer program again, or configure another directory",
            format, writes ? "writes" : "reads up to", (int)known);
    return rc;
}

/* What is below is verified piece by piece; it only must not be of a newer
 * program, that may have meant something else by it. */
static bool
can_salvage(const struct acme_store *store)
{
    unsigned long format = 0;
    struct acme_error ignored;
    struct stat st;

    acme_error_clear(&ignored);
    (void)read_format(store, &format, &ignored);
    return format <= FORMAT_READ &&
           fstatat(store->fd, "archive", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode);
}

static enum acme_rc
refuse_entry(void *ctx, const char *name, struct acme_error *err)
{
    (void)ctx;
    if (strcmp(name, "lost+found") == 0)
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "it has no file \"format\" but other files: it is no state "
        "directory; configure an empty or a new one");
}

/*
 * Makes an empty directory ours.  One that has something else in it may be
 * anything: /etc, by a typing error.
 */
static enum acme_rc
found_store(struct acme_store *store, struct acme_error *err)
{
    char text[16];
    enum acme_rc rc;
    int len;

    rc = acme_dir_list(store->fd, ".", refuse_entry, NULL, err);
    if (rc != ACME_OK)
        return rc;
    rc = acme_dir_private(store->fd, ".", err);
    if (rc != ACME_OK)
        return rc;
    len = snprintf(text, sizeof(text), "%d\n", FORMAT);
    return acme_dir_write(store->fd, "format", 0600, text, (size_t)len, err);
}

static enum acme_rc
furnish(struct acme_store *store, struct acme_error *err)
{
    struct acme_error why, again;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&why);
    rc = check_format(store, &why);
    if (rc == ACME_NOENT) {
        acme_error_clear(&why);
        rc = found_store(store, &why);
        /* Another server may have been faster. */
        acme_error_clear(&again);
        if (rc != ACME_OK && check_format(store, &again) == ACME_OK)
            rc = ACME_OK;
    }
    if (rc != ACME_OK)
        return acme_error_set(err, rc, "%s", why.what);
    rc = acme_dir_private(store->fd, ".", err);
    for (i = 0; i < COUNT(directories) && rc == ACME_OK; i++)
        rc = acme_dir_make(store->fd, directories[i], err);
    for (i = 0; i < COUNT(swept) && rc == ACME_OK; i++)
        acme_dir_sweep(store->fd, swept[i], ACME_STORE_TEMP_AGE);
    return rc;
}

/* Whoever reads must be able to believe what is there. */
static enum acme_rc
check_private(const struct acme_store *store, struct acme_error *err)
{
    struct stat st;

    if (fstat(store->fd, &st) == -1)
        return acme_error_errno(err, ACME_IO, errno, "cannot read it");
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return acme_error_set(err, ACME_IO,
            "it is writable by others; chmod 0700");
    return ACME_OK;
}

static enum acme_rc
open_store(struct acme_store *store, const char *path, struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_dir_open(path, store->owner, store->mode == ACME_STORE_WRITE,
        &store->fd, err);
    if (rc != ACME_OK)
        return rc;
    if (store->mode == ACME_STORE_WRITE)
        return furnish(store, err);
    rc = check_private(store, err);
    if (rc == ACME_OK &&
        (store->mode != ACME_STORE_SALVAGE || !can_salvage(store)))
        rc = check_format(store, err);
    return rc;
}

enum acme_rc
acme_store_open(const char *path, enum acme_store_mode mode,
    struct acme_store **store, struct acme_error *err)
{
    struct acme_store *opened;
    struct acme_error why;
    char clean[300];
    enum acme_rc rc;

    opened = calloc(1, sizeof(*opened));
    if (opened == NULL)
        return acme_error_nomem(err);
    opened->fd = -1;
    opened->owner = geteuid();
    opened->mode = mode;
    acme_error_clear(&why);
    rc = open_store(opened, path, &why);
    if (rc == ACME_OK) {
        *store = opened;
        return ACME_OK;
    }
    acme_store_close(opened);
    return acme_error_set(err, rc, "state directory \"%s\": %s",
        acme_log_clean(clean, sizeof(clean), path, strlen(path)), why.what);
}

void
acme_store_close(struct acme_store *store)
{
    if (store == NULL)
        return;
    if (store->fd != -1)
        close(store->fd);
    free(store->known);
    free(store);
}

int
acme_store_fd(const struct acme_store *store)
{
    return store->fd;
}

/* ---- lineages --------------------------------------------------------- */

struct lineages {
    struct acme_buf names; /* each ended by NUL */
    size_t count;
    const char *suffix; /* to take off */
};

/* A file that cannot be a lineage's is none of our business. */
static enum acme_rc
collect_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct lineages *all = ctx;
    size_t len = strlen(name), cut = strlen(all->suffix);
    char text[ACME_LINEAGE_MAX + 1];
    struct acme_error ignored;

    if (len <= cut || len - cut >= sizeof(text) ||
        strcmp(name + len - cut, all->suffix) != 0)
        return ACME_OK;
    memcpy(text, name, len - cut);
    text[len - cut] = '\0';
    acme_error_clear(&ignored);
    if (acme_lineage_name_check(text, &ignored) != ACME_OK)
        return ACME_OK;
    acme_buf_add(&all->names, text, len - cut + 1);
    all->count++;
    return acme_buf_ok(&all->names) ? ACME_OK : acme_error_nomem(err);
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted pointers into all->names; NULL: out of memory. */
static const char **
sort_lineages(const struct lineages *all)
{
    const char *at = acme_buf_str(&all->names);
    const char **name;
    size_t i;

    name = malloc((all->count + 1) * sizeof(*name));
    if (name == NULL)
        return NULL;
    for (i = 0; i < all->count; i++, at += strlen(at) + 1)
        name[i] = at;
    qsort(name, all->count, sizeof(*name), compare_names);
    return name;
}

enum acme_rc
acme_store_lineages(struct acme_store *store,
    enum acme_rc (*visit)(void *ctx, const char *name, struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct lineages all = { .suffix = ".json" };
    const char **name = NULL;
    enum acme_rc rc;
    size_t i;

    acme_buf_init(&all.names, (size_t)-1 / 2);
    rc = acme_dir_list(store->fd, "renewal", collect_lineage, &all, err);
    all.suffix = "";
    if (rc == ACME_OK)
        rc = acme_dir_list(store->fd, "live", collect_lineage, &all, err);
    if (rc != ACME_OK)
        goto done;
    name = sort_lineages(&all);
    if (name == NULL)
        rc = acme_error_nomem(err);
    for (i = 0; rc == ACME_OK && i < all.count; i++)
        if (i == 0 || strcmp(name[i], name[i - 1]) != 0)
            rc = visit(ctx, name[i], err);

done:
    free(name);
    acme_buf_clear(&all.names);
    return rc;
}

enum acme_rc
acme_store_settings_read(struct acme_store *store, const char *name,
    struct acme_settings **settings, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    struct acme_buf text;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_store_path(path, "renewal/", name, ".json", err);
    if (rc == ACME_OK)
        rc = acme_store_read(store, path, ACME_STATE_JSON_MAX, &text, err);
    if (rc == ACME_OK && text.len == 0)
        rc = acme_error_set(err, ACME_NOENT, "\"%s\" is empty", path);
    if (rc == ACME_OK) {
        rc =
            acme_settings_parse(acme_buf_str(&text), text.len, settings, &why);
        if (rc != ACME_OK)
            rc = acme_store_damaged(err, path, &why);
    }
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_store_settings_write(struct acme_store *store, const char *name,
    const struct acme_settings *settings, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_path(path, "renewal/", name, ".json", err);
    if (rc == ACME_OK)
        rc = acme_settings_render(settings, &text, err);
    if (rc == ACME_OK)
        rc = acme_dir_write_soon(store->fd, path, 0600, acme_buf_str(&text),
            text.len, err);
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_store_record_read(struct acme_store *store, const char *unit,
    struct acme_buf *text, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    rc = acme_store_unit_path(path, "record/", unit, ".json", err);
    if (rc == ACME_OK)
        rc = acme_store_read_any(store, path, text, err);
    return rc;
}

enum acme_rc
acme_store_record_write(struct acme_store *store, const char *unit,
    const void *text, size_t len, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_store_unit_path(path, "record/", unit, ".json", err);
    if (rc == ACME_OK && len > ACME_STATE_JSON_MAX)
        rc = acme_error_set(err, ACME_IO, "\"%s\" would be too large", path);
    if (rc == ACME_OK)
        rc = acme_dir_write_soon(store->fd, path, 0600, text, len, err);
    return rc;
}

/* ---- together with others --------------------------------------------- */

enum acme_rc
acme_store_lock(struct acme_store *store, const char *kind, const char *name,
    int *fd, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], before[32];
    enum acme_rc rc;

    rc = acme_store_writable(store, err);
    if (rc != ACME_OK)
        return rc;
    (void)snprintf(before, sizeof(before), "locks/%s-", kind);
    rc = acme_store_path(path, before, name, "", err);
    if (rc == ACME_OK)
        rc = acme_dir_lock(store->fd, path, fd, err);
    return rc;
}

enum acme_rc
acme_store_lock_soon(const struct acme_store *store, const char *path, int *fd,
    struct acme_error *err)
{
    const struct timespec pause = { 0, LOCK_WAIT_MS * 1000000L };
    struct acme_error why;
    unsigned i;

    for (i = 0; i < LOCK_TRIES; i++) {
        acme_error_clear(&why);
        if (acme_dir_lock(store->fd, path, fd, &why) != ACME_BUSY)
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (why.rc == ACME_OK)
        return ACME_OK;
    return acme_error_set(err, why.rc, "%s", why.what);
}

/*
 * One directory.  Its mtime is only as fine as the kernel's tick, so that a
 * second change may hide behind the first: a fresh one is reported twice.
 */
enum acme_rc
acme_store_dir_changed(const struct acme_store *store, const char *path,
    struct timespec *seen, bool *again, time_t now, bool *changed,
    struct acme_error *err)
{
    struct timespec mtime;
    struct stat st;

    if (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        return acme_error_errno(err, ACME_IO, errno, "cannot look at \"%s\"",
            path);
    mtime = st.st_mtim;
    *changed = *again || mtime.tv_sec != seen->tv_sec ||
               mtime.tv_nsec != seen->tv_nsec;
    *again =
        (mtime.tv_sec != seen->tv_sec || mtime.tv_nsec != seen->tv_nsec) &&
        now < mtime.tv_sec + 2;
    *seen = mtime;
    return ACME_OK;
}

/* FNV-1a of what stat(2) tells of a file's content. */
uint64_t
acme_store_stamp_add(const struct acme_store *store, uint64_t stamp,
    const char *path)
{
    struct stat st;
    uint64_t part[4] = { 0 };
    size_t i;

    if (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        part[0] = (uint64_t)st.st_ino;
        part[1] = (uint64_t)st.st_mtim.tv_sec;
        part[2] = (uint64_t)st.st_mtim.tv_nsec;
        part[3] = (uint64_t)st.st_size;
    }
    for (i = 0; i < 4; i++)
        stamp = (stamp ^ part[i]) * UINT64_C(1099511628211);
    return stamp;
}

static uint64_t
stamp_of(const struct acme_store *store, const char *before, const char *name,
    const char *behind)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_store_path(path, before, name, behind, &ignored) != ACME_OK)
        return ACME_STORE_STAMP_BEGIN;
    return acme_store_stamp_add(store, ACME_STORE_STAMP_BEGIN, path);
}

uint64_t
acme_store_live_stamp(const struct acme_store *store, const char *name)
{
    return stamp_of(store, "live/", name, "");
}

uint64_t
acme_store_settings_stamp(const struct acme_store *store, const char *name)
{
    return stamp_of(store, "renewal/", name, ".json");
}

uint64_t
acme_store_stamp(const struct acme_store *store, const char *name)
{
    uint64_t stamp = ACME_STORE_STAMP_BEGIN;
    char path[ACME_STORE_PATH_MAX], unit[ACME_UNIT_NAME_MAX];
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    if (acme_store_path(path, "renewal/", name, ".json", &ignored) == ACME_OK)
        stamp = acme_store_stamp_add(store, stamp, path);
    if (acme_store_path(path, "live/", name, "", &ignored) == ACME_OK)
        stamp = acme_store_stamp_add(store, stamp, path);
    if (acme_store_path(path, "told/", name, ".json", &ignored) == ACME_OK)
        stamp = acme_store_stamp_add(store, stamp, path);
    for (i = 0; i < ACME_ALGORITHMS; i++) {
        acme_store_unit_name(unit, name, i);
        if (acme_store_unit_path(path, "record/", unit, ".json", &ignored) ==
            ACME_OK)
            stamp = acme_store_stamp_add(store, stamp, path);
    }
    return stamp;
}

bool
acme_store_keys_changed(const struct acme_store *store, struct timespec *seen)
{
    struct timespec before = *seen;
    struct stat st;

    if (fstatat(store->fd, "keys", &st, AT_SYMLINK_NOFOLLOW) == -1)
        return true;
    *seen = st.st_mtim;
    return before.tv_sec != seen->tv_sec || before.tv_nsec != seen->tv_nsec;
}

enum acme_rc
acme_store_changed(struct acme_store *store, struct acme_watch *watch,
    time_t now, bool *live, bool *orders, bool *settings,
    struct acme_error *err)
{
    struct acme_watch next = *watch;
    bool live_moved, orders_moved, keys_moved = false, settings_moved = false;
    enum acme_rc rc;

    rc = acme_store_dir_changed(store, "live", &next.live, &next.live_again,
        now, &live_moved, err);
    if (rc == ACME_OK)
        rc = acme_store_dir_changed(store, "orders", &next.orders,
            &next.orders_again, now, &orders_moved, err);
    if (rc == ACME_OK)
        rc = acme_store_dir_changed(store, "keys", &next.keys,
            &next.keys_again, now, &keys_moved, err);
    if (rc == ACME_OK)
        rc = acme_store_dir_changed(store, "renewal", &next.settings,
            &next.settings_again, now, &settings_moved, err);
    if (rc != ACME_OK)
        return rc;
    *watch = next;
    *settings = settings_moved;
    *live = live_moved;
    *orders = orders_moved || keys_moved;
    return ACME_OK;
}

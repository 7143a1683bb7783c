#include "state/acme_store_backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_store_private.h"

/* Deeper than the account of any CA. */
#define DEPTH_MAX 24

static enum acme_rc
put_entry(struct acme_backup *backup, const struct acme_tar_entry *entry,
    const struct acme_buf *content, struct acme_error *err)
{
    struct acme_buf out;
    enum acme_rc rc;

    acme_buf_init_secret(&out, 2 * (size_t)ACME_RESTORE_FILE_MAX);
    rc =
        acme_tar_add(&out, entry, content != NULL ? content->data : NULL, err);
    if (rc == ACME_OK)
        rc = backup->put(backup->ctx, out.data, out.len, err);
    acme_buf_clear(&out);
    return rc;
}

static enum acme_rc
new_entry(struct acme_backup *backup, enum acme_tar_kind kind,
    const char *path, struct acme_tar_entry *entry, struct acme_error *err)
{
    struct stat st;

    memset(entry, 0, sizeof(*entry));
    entry->kind = kind;
    if (fstatat(backup->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        return acme_error_set(err, ACME_NOENT, "\"%s\" has gone", path);
    entry->mtime = st.st_mtime;
    entry->mode = st.st_mode & 0777;
    if ((size_t)snprintf(entry->name, sizeof(entry->name), "%s", path) >=
        sizeof(entry->name))
        return acme_error_set(err, ACME_IO, "a path is too long");
    return ACME_OK;
}

/* One that is not there is left out. */
static enum acme_rc
put_file(struct acme_backup *backup, const char *path, struct acme_error *err)
{
    struct acme_tar_entry entry;
    struct acme_error why;
    struct acme_buf content;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init_secret(&content, ACME_RESTORE_FILE_MAX);
    rc = new_entry(backup, ACME_TAR_FILE, path, &entry, &why);
    if (rc == ACME_OK)
        rc = acme_store_read(backup->store, path, ACME_RESTORE_FILE_MAX,
            &content, &why);
    if (rc == ACME_OK) {
        entry.size = content.len;
        rc = put_entry(backup, &entry, &content, err);
    } else if (rc == ACME_NOENT) {
        rc = ACME_OK;
    } else {
        rc = acme_error_set(err, rc, "%s", why.what);
    }
    acme_buf_clear(&content);
    return rc;
}

/* ---- directories ------------------------------------------------------ */

static bool
ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), more = strlen(end);

    return len > more && strcmp(text + len - more, end) == 0;
}

static bool
is_private_key(const char *name)
{
    return strncmp(name, "privkey", 7) == 0;
}

/* Which files of a directory are wanted. */
typedef bool is_wanted(const struct acme_backup *backup, const char *name);

/* What is in a directory; nothing, where there is none. */
static enum acme_rc
read_dir(const struct acme_backup *backup, const char *dir,
    struct acme_dir_names *names, struct acme_error *err)
{
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    memset(names, 0, sizeof(*names));
    rc = acme_dir_names_read(backup->store->fd, dir, false, names, &why);
    return rc == ACME_OK || rc == ACME_NOENT
               ? ACME_OK
               : acme_error_set(err, rc, "%s", why.what);
}

static enum acme_rc
put_files(struct acme_backup *backup, const char *dir, is_wanted *wanted,
    size_t *n, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_dir_names names;
    enum acme_rc rc = read_dir(backup, dir, &names, err);
    size_t i;

    for (i = 0; i < names.count && rc == ACME_OK; i++) {
        if (!wanted(backup, names.name[i]) ||
            snprintf(path, sizeof(path), "%s/%s", dir, names.name[i]) >=
                (int)sizeof(path))
            continue;
        rc = put_file(backup, path, err);
        *n += 1;
    }
    acme_dir_names_free(&names);
    return rc;
}

static bool
is_account_key(const struct acme_backup *backup, const char *name)
{
    (void)backup;
    return (strlen(name) == ACME_KEY_ID_LEN + 4 && ends_in(name, ".pem")) ||
           strcmp(name, "default.json") == 0;
}

static bool
is_note(const struct acme_backup *backup, const char *name)
{
    (void)backup;
    return ends_in(name, ".json");
}

static bool
is_of_version(const struct acme_backup *backup, const char *name)
{
    return strcmp(name, "meta.json") == 0 ||
           (ends_in(name, ".pem") &&
               (!backup->no_keys || !is_private_key(name)));
}

/* accounts/<host>/<path>/<id>/account.json. */
static enum acme_rc
put_accounts(struct acme_backup *backup, const char *dir, unsigned depth,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_dir_names names;
    enum acme_rc rc = read_dir(backup, dir, &names, err);
    struct stat st;
    size_t i;

    for (i = 0; i < names.count && rc == ACME_OK; i++) {
        if (snprintf(path, sizeof(path), "%s/%s", dir, names.name[i]) >=
                (int)sizeof(path) ||
            fstatat(backup->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            rc = put_accounts(backup, path, depth + 1, err);
        else if (S_ISREG(st.st_mode) &&
                 strcmp(names.name[i], "account.json") == 0)
            rc = put_file(backup, path, err);
    }
    acme_dir_names_free(&names);
    return rc;
}

/* ---- one lineage ------------------------------------------------------ */

static enum acme_rc
put_versions(struct acme_backup *backup, const char *name,
    struct acme_error *err)
{
    struct acme_store_numbers all;
    char path[ACME_STORE_VERSION_MAX];
    enum acme_rc rc = acme_store_versions(backup->store, name, &all, err);
    size_t i, files;

    for (i = all.count; rc == ACME_OK && i > 0; i--) {
        files = 0;
        acme_store_version_path(path, name, all.number[i - 1]);
        rc = put_files(backup, path, is_of_version, &files, err);
        backup->nversions += files > 0;
    }
    free(all.number);
    return rc;
}

static enum acme_rc
put_live(struct acme_backup *backup, const char *name, struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_tar_entry entry;
    struct acme_error ignored;
    unsigned live = 0;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (acme_store_live(backup->store, name, &live, &ignored) != ACME_OK)
        return ACME_OK; /* there is none, or it is not ours */
    rc = acme_store_path(path, "live/", name, "", err);
    if (rc == ACME_OK)
        rc = new_entry(backup, ACME_TAR_LINK, path, &entry, err);
    if (rc == ACME_OK) {
        (void)snprintf(entry.target, sizeof(entry.target), "../archive/%s/%u",
            name, live);
        rc = put_entry(backup, &entry, NULL, err);
    }
    return rc;
}

static enum acme_rc
put_records(struct acme_backup *backup, const char *name,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX], unit[ACME_UNIT_NAME_MAX];
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS && rc == ACME_OK; i++) {
        acme_store_unit_name(unit, name, i);
        rc = acme_store_unit_path(path, "record/", unit, ".json", err);
        if (rc == ACME_OK)
            rc = put_file(backup, path, err);
    }
    return rc;
}

static enum acme_rc
put_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct acme_backup *backup = ctx;
    char path[ACME_STORE_PATH_MAX];
    int lock = -1;
    enum acme_rc rc = backup->lock(backup->ctx, name, &lock, err);

    if (rc == ACME_OK)
        rc = put_versions(backup, name, err);
    if (rc == ACME_OK)
        rc = put_live(backup, name, err);
    if (rc == ACME_OK)
        rc = acme_store_path(path, "renewal/", name, ".json", err);
    if (rc == ACME_OK)
        rc = put_file(backup, path, err);
    if (rc == ACME_OK)
        rc = put_records(backup, name, err);
    if (lock != -1)
        close(lock);
    backup->nlineages++;
    return rc;
}

enum acme_rc
acme_store_backup(struct acme_backup *backup, struct acme_error *err)
{
    struct acme_buf end;
    enum acme_rc rc = put_file(backup, "format", err);
    size_t notes = 0;

    if (rc == ACME_OK && !backup->no_keys && !backup->no_accounts)
        rc = put_files(backup, "keys", is_account_key, &backup->nkeys, err);
    if (rc == ACME_OK && !backup->no_accounts)
        rc = put_accounts(backup, "accounts", 0, err);
    if (rc == ACME_OK)
        rc = put_files(backup, "revoked", is_note, &notes, err);
    if (rc == ACME_OK)
        rc = acme_store_lineages(backup->store, put_lineage, backup, err);
    acme_buf_init(&end, 4 * (size_t)ACME_TAR_BLOCK);
    acme_tar_end(&end);
    if (rc == ACME_OK)
        rc = acme_buf_ok(&end)
                 ? backup->put(backup->ctx, end.data, end.len, err)
                 : acme_error_nomem(err);
    acme_buf_clear(&end);
    return rc;
}

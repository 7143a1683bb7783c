/*
 * acmectl backup and restore: the file that the operator names, opened before
 * we become the owner of the state directory; what goes into it and comes out
 * of it is state/acme_store_backup.h's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "acmectl/ctl_alone.h"
#include "acmectl/ctl_file.h"
#include "drive/acme_control.h"
#include "drive/acme_sandbox.h"
#include "state/acme_store_backup.h"

/* A whole archive: all certificates of a large host are less. */
#define ARCHIVE_MAX (4ull * 1024 * 1024 * 1024)

/* How often a lock is tried. */
#define LOCK_PAUSE_MS 100

/* ---- backup ----------------------------------------------------------- */

struct writing {
    struct ctl *ctl;
    struct acme_store *store;
    const char *path;
    int fd;
    struct ctl_progress progress;
};

static enum acme_rc
put(void *ctx, const void *data, size_t len, struct acme_error *err)
{
    const struct writing *writing = ctx;
    const char *at = data;
    ssize_t n;

    while (len > 0) {
        n = write(writing->fd, at, len);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return acme_error_errno(err, ACME_IO, errno, "cannot write \"%s\"",
                writing->path);
        at += n;
        len -= (size_t)n;
    }
    return ACME_OK;
}

static enum acme_rc
lock_lineage(void *ctx, const char *name, int *fd, struct acme_error *err)
{
    const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };
    struct writing *writing = ctx;
    long left = writing->ctl->lock_timeout * 1000;
    struct acme_error why;

    writing->progress.of = name;
    for (;;) {
        ctl_progress_tick(&writing->progress);
        acme_error_clear(&why);
        if (acme_store_lock(writing->store, "lineage", name, fd, &why) !=
                ACME_BUSY ||
            left <= 0)
            break;
        (void)nanosleep(&pause, NULL);
        left -= LOCK_PAUSE_MS;
    }
    return why.rc == ACME_OK ? ACME_OK
                             : acme_error_set(err, why.rc, "%s", why.what);
}

/* Nothing of ours gets onto a terminal, and no file of somebody is written
 * over. */
static int
open_output(struct writing *writing)
{
    if (strcmp(writing->path, "-") != 0)
        return ctl_file_create(writing->path, &writing->fd);
    if (isatty(STDOUT_FILENO))
        return ctl_fail(CTL_USAGE,
            "a backup is not written to a terminal; name a file");
    writing->fd = STDOUT_FILENO;
    return CTL_OK;
}

static void
warn(const struct acme_backup *backup, const char *path)
{
    if (backup->no_keys)
        (void)fprintf(stderr,
            "acmectl: there is no private key in it: no certificate can be "
            "restored from it\n");
    else
        (void)fprintf(stderr,
            "acmectl: \"%s\" holds private keys%s in plain text: whoever can "
            "read it can be every name in it\n",
            path,
            backup->nkeys > 0 ? ", of certificates and of accounts," : "");
}

/* The file is complete and on the disk, or it is not there. */
static int
finish(const struct writing *writing, int code)
{
    if (writing->fd == STDOUT_FILENO)
        return code;
    if (code == CTL_OK && fsync(writing->fd) != 0)
        code = ctl_fail(CTL_FAILED, "cannot write \"%s\": %s", writing->path,
            strerror(errno));
    if (code != CTL_OK)
        ctl_file_give_up(writing->path, writing->fd);
    else if (close(writing->fd) != 0)
        code = ctl_fail(CTL_FAILED, "cannot write \"%s\": %s", writing->path,
            strerror(errno));
    return code;
}

static void
tell_backup(const struct ctl *ctl, const struct acme_backup *backup,
    const char *path)
{
    struct acme_json *json;

    if (strcmp(path, "-") == 0)
        return;
    if (ctl->json) {
        json = acme_json_object();
        acme_json_set_str(json, "file", path);
        acme_json_set_int(json, "lineages", (int64_t)backup->nlineages);
        acme_json_set_int(json, "versions", (int64_t)backup->nversions);
        acme_json_set_int(json, "account_keys", (int64_t)backup->nkeys);
        (void)ctl_print_json(json);
    } else if (!ctl->quiet) {
        (void)printf("%s: %zu lineages with %zu versions, %zu files of "
                     "account keys\n",
            path, backup->nlineages, backup->nversions, backup->nkeys);
    }
}

int
ctl_backup(struct ctl *ctl)
{
    struct writing writing = { .ctl = ctl,
        .fd = -1,
        .progress = { .ctl = ctl, .what = "saving", .since = time(NULL) } };
    struct acme_backup backup = { .no_keys = ctl->no_keys,
        .no_accounts = ctl->no_accounts,
        .lock = lock_lineage,
        .put = put,
        .ctx = &writing };
    struct acme_error err;
    int code;

    if (ctl->argc != 1)
        return ctl_fail(CTL_USAGE, "backup takes the name of one file");
    writing.path = ctl->argv[0];
    code = ctl_find_one(ctl);
    if (code == CTL_OK)
        code = open_output(&writing);
    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    code = ctl_open_writing(ctl, &writing.store);
    backup.store = writing.store;
    if (code == CTL_OK)
        (void)acme_store_backup(&backup, &err);
    ctl_progress_clear();
    if (err.rc != ACME_OK)
        code = ctl_fail(err.rc == ACME_BUSY ? CTL_LOCKED : CTL_FAILED, "%s",
            err.what);
    code = finish(&writing, code);
    if (code == CTL_OK) {
        tell_backup(ctl, &backup, writing.path);
        warn(&backup, writing.path);
    }
    acme_store_close(writing.store);
    return code;
}

/* ---- restore ---------------------------------------------------------- */

struct reading {
    int fd;
    unsigned long long left; /* bytes that may still come */
};

static bool
read_on(void *ctx, void *out, size_t len)
{
    struct reading *reading = ctx;
    char *at = out;
    ssize_t n;

    if (len > reading->left)
        return false;
    reading->left -= len;
    while (len > 0) {
        n = read(reading->fd, at, len);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* All of it, once; nothing is written unless `restore` does. */
static enum acme_rc
read_archive(int fd, struct acme_restore *restore, struct acme_error *err)
{
    struct reading reading = { fd, ARCHIVE_MAX };
    struct acme_tar_entry entry;
    struct acme_buf content;
    enum acme_rc rc = ACME_OK;

    if (lseek(fd, 0, SEEK_SET) == -1)
        return acme_error_errno(err, ACME_IO, errno, "cannot read it");
    acme_buf_init_secret(&content, ACME_RESTORE_FILE_MAX);
    while (rc == ACME_OK) {
        acme_buf_clear(&content);
        rc = acme_tar_next(read_on, &reading, &entry, err);
        if (rc == ACME_OK && entry.kind == ACME_TAR_FILE)
            rc = acme_tar_content(read_on, &reading, &entry,
                ACME_RESTORE_FILE_MAX, &content, err);
        if (rc == ACME_OK)
            rc = acme_restore_take(restore, &entry, &content, err);
    }
    acme_buf_clear(&content);
    return rc == ACME_NOENT ? acme_restore_end(restore, err) : rc;
}

/* Who can write it decides which keys and hooks we get. */
static int
open_archive(const char *path, int *fd)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*fd == -1)
        return ctl_fail(CTL_FAILED, "cannot open \"%s\": %s", path,
            strerror(errno));
    if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode))
        return ctl_fail(CTL_FAILED, "\"%s\" is no regular file", path);
    if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
        (st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
        return ctl_fail(CTL_FAILED,
            "\"%s\" may have been written or read by others; give it to "
            "root, and chmod 0600 it, if you know where it comes from",
            path);
    return CTL_OK;
}

static int
fail_archive(const char *path, const struct acme_error *err)
{
    return ctl_fail(err->rc == ACME_BUSY ? CTL_LOCKED : CTL_FAILED,
        "\"%s\": %s", path, err->what);
}

struct restoring {
    const struct ctl *ctl;
    struct acme_store *store; /* NULL: not opened yet */
    const char *path;
    int fd;
};

/* The first look is that of a process which cannot write anything. */
static int
look_first(void *ctx)
{
    const struct restoring *restoring = ctx;
    struct acme_restore *restore = acme_restore_new(NULL);
    struct acme_sandbox_report report;
    struct acme_error err;
    int code = CTL_OK;

    if (restore == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    acme_sandbox_watcher(&report);
    acme_error_clear(&err);
    if (read_archive(restoring->fd, restore, &err) != ACME_OK)
        code = fail_archive(restoring->path, &err);
    acme_restore_free(restore);
    return code;
}

static enum acme_rc
on_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    (void)ctx;
    return acme_error_set(err, ACME_BUSY,
        "%s (%s, process %ld) runs on it: stop it first", server->server,
        server->config, server->pid);
}

static enum acme_rc
on_lineage(void *ctx, const char *name, struct acme_error *err)
{
    (void)ctx;
    return acme_error_set(err, ACME_CONFIG,
        "there is a lineage \"%s\" in it already; with --force what is in "
        "the backup is added and made the live one",
        name);
}

static enum acme_rc
on_key(void *ctx, const char *id, const struct acme_key *key,
    struct acme_error *err)
{
    (void)ctx;
    (void)key;
    return acme_error_set(err, ACME_CONFIG,
        "there is an account key %s in it already; with --force those of the "
        "backup are added",
        id);
}

static int
look_at_state(const struct ctl *ctl, struct acme_store *store)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_control_servers(acme_store_fd(store), on_server, NULL, &err);
    if (rc == ACME_OK && !ctl->force)
        rc = acme_store_lineages(store, on_lineage, NULL, &err);
    if (rc == ACME_OK && !ctl->force)
        rc = acme_store_keys(store, on_key, NULL, &err);
    return rc == ACME_OK
               ? CTL_OK
               : ctl_fail(CTL_FAILED, "\"%s\": %s", ctl->state[0], err.what);
}

static void
tell_restored(const struct ctl *ctl, const struct acme_restored *result)
{
    struct acme_json *json;

    if (ctl->json) {
        json = acme_json_object();
        acme_json_set_str(json, "state_dir", ctl->state[0]);
        acme_json_set_int(json, "live", (int64_t)result->nlineages);
        acme_json_set_int(json, "versions", (int64_t)result->nversions);
        acme_json_set_int(json, "account_keys", (int64_t)result->nkeys);
        acme_json_set_str(json, "left_out",
            result->left_out[0] != '\0' ? result->left_out : NULL);
        (void)ctl_print_json(json);
        return;
    }
    if (!ctl->quiet)
        (void)printf("%s: %zu versions, %zu of them live, and %zu account "
                     "keys restored\n",
            ctl->state[0], result->nversions, result->nlineages,
            result->nkeys);
    if (result->left_out[0] != '\0')
        (void)fprintf(stderr, "acmectl: left out:\n%s", result->left_out);
}

static int
write_back(void *ctx)
{
    const struct restoring *restoring = ctx;
    struct acme_store *store = restoring->store;
    struct acme_restore *restore = acme_restore_new(store);
    struct acme_sandbox_report report;
    struct acme_restored result;
    struct acme_error err;
    int code = CTL_OK;

    if (restore == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    acme_sandbox_store(acme_store_fd(store), NULL, 0, &report);
    acme_error_clear(&err);
    if (read_archive(restoring->fd, restore, &err) != ACME_OK)
        code = fail_archive(restoring->path, &err);
    acme_restore_result(restore, &result);
    if (code == CTL_OK)
        tell_restored(restoring->ctl, &result);
    else if (result.nversions + result.nkeys > 0)
        (void)fprintf(stderr,
            "acmectl: %zu versions and %zu account keys had been restored; "
            "restore again, with --force, when that is put right\n",
            result.nversions, result.nkeys);
    if (code == CTL_OK && result.left_out[0] != '\0')
        code = CTL_FAILED;
    acme_restore_free(restore);
    return code;
}

int
ctl_restore(struct ctl *ctl)
{
    struct restoring restoring = { .ctl = ctl, .fd = -1 };
    int code;

    if (ctl->argc != 1)
        return ctl_fail(CTL_USAGE, "restore takes the name of one file");
    restoring.path = ctl->argv[0];
    code = ctl_find_new(ctl);
    if (code == CTL_OK)
        code = open_archive(restoring.path, &restoring.fd);
    if (code == CTL_OK)
        code = ctl_work_apart(look_first, &restoring, restoring.path);
    if (code == CTL_OK)
        code = ctl_open_writing(ctl, &restoring.store);
    if (code == CTL_OK)
        code = look_at_state(ctl, restoring.store);
    if (code == CTL_OK)
        code = ctl_work_apart(write_back, &restoring, restoring.path);
    if (restoring.fd != -1)
        close(restoring.fd);
    acme_store_close(restoring.store);
    return code;
}

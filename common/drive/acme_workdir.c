#include "drive/acme_workdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Directories within directories: what a program of sense does not make. */
#define DEPTH_MAX 16

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ---- the place -------------------------------------------------------- */

/* Nobody else may have made it, or be able to change it. */
static enum acme_rc
judge(int fd, const char *path, struct acme_error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return acme_error_errno(err, ACME_IO, errno, "cannot open \"%s\"",
            path);
    if (st.st_uid != geteuid())
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" belongs to uid %lu, not to us; remove it", path,
            (unsigned long)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" is writable by others; chmod go-w it", path);
    return ACME_OK;
}

static enum acme_rc
open_in(struct acme_workdir *dir, const char *parent, struct acme_error *err)
{
    const bool root = geteuid() == 0;
    enum acme_rc rc;
    int fd;

    (void)snprintf(dir->path, sizeof(dir->path), "%s/acme-hooks-%lu", parent,
        (unsigned long)geteuid());
    if (mkdir(dir->path, 0700) != 0 && errno != EEXIST)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot make directory \"%s\"", dir->path);
    fd = open(dir->path, OPEN_DIR);
    if (fd == -1)
        return acme_error_errno(err, ACME_IO, errno, "cannot open \"%s\"",
            dir->path);
    rc = judge(fd, dir->path, err);
    /* Others pass to what is theirs, whose name they are told. */
    if (rc == ACME_OK && root && fchmod(fd, 0711) != 0)
        rc = acme_error_errno(err, ACME_IO, errno, "cannot open \"%s\"",
            dir->path);
    if (rc == ACME_OK)
        dir->base = fd;
    else
        close(fd);
    return rc;
}

enum acme_rc
acme_workdir_open(struct acme_workdir *dir, struct acme_error *err)
{
    struct acme_error ignored;

    dir->base = -1;
    acme_error_clear(&ignored);
    if (geteuid() == 0 && open_in(dir, "/run", &ignored) == ACME_OK)
        return ACME_OK;
    return open_in(dir, "/tmp", err);
}

void
acme_workdir_close(struct acme_workdir *dir)
{
    if (dir->base != -1)
        close(dir->base);
    dir->base = -1;
}

/* ---- one of them ------------------------------------------------------ */

enum acme_rc
acme_workdir_make(const struct acme_workdir *dir, const char *id, uid_t uid,
    gid_t gid, char path[PATH_MAX], struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    int fd;

    if ((size_t)snprintf(path, PATH_MAX, "%s/%s", dir->path, id) >= PATH_MAX)
        return acme_error_set(err, ACME_IO, "the path is too long");
    if (mkdirat(dir->base, id, 0700) != 0 && errno != EEXIST)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot make directory \"%s\"", path);
    fd = openat(dir->base, id, OPEN_DIR);
    if (fd == -1)
        return acme_error_errno(err, ACME_IO, errno, "cannot open \"%s\"",
            path);
    if (fchmod(fd, 0700) != 0 || (geteuid() == 0 && fchown(fd, uid, gid) != 0))
        rc = acme_error_errno(err, ACME_IO, errno,
            "cannot give directory \"%s\" to uid %lu", path,
            (unsigned long)uid);
    (void)futimens(fd, NULL);
    close(fd);
    return rc;
}

static bool
write_all(int fd, const char *data, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, data, len);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

enum acme_rc
acme_workdir_put(const struct acme_workdir *dir, const char *id,
    const char *name, const void *data, size_t len, uid_t uid, gid_t gid,
    struct acme_error *err)
{
    int in = openat(dir->base, id, OPEN_DIR), fd = -1;
    enum acme_rc rc = ACME_OK;

    if (in != -1) {
        (void)unlinkat(in, name, 0);
        fd = openat(in, name,
            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (fd == -1 || !write_all(fd, data, len) ||
        (geteuid() == 0 && fchown(fd, uid, gid) != 0))
        rc = acme_error_errno(err, ACME_IO, errno,
            "cannot write \"%s\" in \"%s/%s\"", name, dir->path, id);
    if (fd != -1)
        close(fd);
    if (in != -1)
        close(in);
    return rc;
}

/* What is in the directory `fd`, which is closed; its owner may change it
 * meanwhile, so nothing is followed. */
static void
empty(int fd, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int below;

    if (dir == NULL) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), name, 0) == 0 || depth == DEPTH_MAX)
            continue;
        below = openat(dirfd(dir), name, OPEN_DIR);
        if (below == -1)
            continue;
        empty(below, depth + 1);
        (void)unlinkat(dirfd(dir), name, AT_REMOVEDIR);
    }
    closedir(dir);
}

void
acme_workdir_remove(const struct acme_workdir *dir, const char *id)
{
    int fd = openat(dir->base, id, OPEN_DIR);

    if (fd != -1)
        empty(fd, 0);
    (void)unlinkat(dir->base, id, AT_REMOVEDIR);
}

void
acme_workdir_sweep(const struct acme_workdir *dir, time_t age)
{
    const time_t now = time(NULL);
    int fd = openat(dir->base, ".", OPEN_DIR);
    DIR *list = fd != -1 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    struct stat st;

    if (list == NULL) {
        if (fd != -1)
            close(fd);
        return;
    }
    while ((entry = readdir(list)) != NULL)
        if (entry->d_name[0] != '.' &&
            fstatat(dir->base, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < now - age)
            acme_workdir_remove(dir, entry->d_name);
    closedir(list);
}

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_dir.h"

/* Longer paths than the system's are no files. */
#define PATH_BYTES_MAX 4096

static uid_t
owner_of(const struct stat *st)
{
    return st->st_uid == 0 ? 0 : geteuid();
}

static enum acme_rc
check_mode(const struct stat *st, const char *what, struct acme_error *err)
{
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

    if ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0 || sticky)
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "%s is writable by others (mode %03o); chmod go-w it", what,
        (unsigned)st->st_mode & 0777);
}

static enum acme_rc
open_directory(const char *dir, int *fd, struct acme_error *err)
{
    struct stat st;
    uid_t owner = stat(dir, &st) == 0 ? owner_of(&st) : geteuid();
    int opened = -1;
    enum acme_rc rc = acme_dir_open(dir, owner, false, &opened, err);

    if (rc == ACME_OK && fstat(opened, &st) != 0)
        rc = acme_error_set(err, ACME_IO, "cannot look at its directory");
    if (rc == ACME_OK)
        rc = check_mode(&st, "its directory", err);
    if (rc == ACME_OK)
        *fd = opened;
    else if (opened != -1)
        close(opened);
    return rc;
}

enum acme_rc
acme_dir_open_trusted(const char *path, int *fd, const char **name,
    struct acme_error *err)
{
    const char *slash = strrchr(path, '/');
    struct acme_buf dir;
    enum acme_rc rc;

    if (path[0] != '/' || slash[1] == '\0')
        return acme_error_set(err, ACME_IO, "no absolute name of a file");
    acme_buf_init(&dir, PATH_BYTES_MAX);
    acme_buf_add(&dir, path, slash == path ? 1 : (size_t)(slash - path));
    rc = acme_buf_ok(&dir) ? open_directory(acme_buf_str(&dir), fd, err)
                           : acme_error_nomem(err);
    acme_buf_clear(&dir);
    *name = slash + 1;
    return rc;
}

enum acme_rc
acme_dir_read_trusted(int fd, const char *name, size_t max,
    struct acme_buf *out, struct acme_error *err)
{
    uid_t owner = geteuid();
    struct stat st;
    enum acme_rc rc = ACME_OK;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        owner = owner_of(&st);
        if (S_ISREG(st.st_mode))
            rc = check_mode(&st, "it", err);
    }
    return rc == ACME_OK ? acme_dir_read(fd, name, owner, max, out, err) : rc;
}

/*
 * The way from "/" to the state directory, judged step by step: whoever can
 * write to a directory on it decides what root finds at its end.
 */
#define _GNU_SOURCE /* O_PATH */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "state/acme_dir.h"
#include "state/acme_dir_private.h"

/* As the kernel's. */
#define LINKS_MAX 40

struct walk {
    uid_t owner;
    int dir;                 /* where we are */
    unsigned links;          /* followed */
    char at[PATH_MAX];       /* its path, without links; "" is "/" */
    char rest[PATH_MAX];     /* what is still to go */
    char last[NAME_MAX + 1]; /* at the end: the name in `dir` */
    bool to_file;            /* that is to be no directory */
};

static enum acme_rc
too_long(struct acme_error *err)
{
    return acme_error_set(err, ACME_IO, "the path is too long");
}

/* Text for errors: where we are, and what we look at there. */
static const char *
shown(const struct walk *walk, const char *name, char text[300])
{
    char path[2 * PATH_MAX];
    size_t len = strlen(walk->at), more = strlen(name);

    memcpy(path, walk->at, len);
    path[len++] = '/';
    memcpy(path + len, name, more);
    if (more == 0 && len > 1)
        len--;
    return acme_log_clean(text, 300, path, len + more);
}

static enum acme_rc
judge(const struct walk *walk, const struct stat *st, struct acme_error *err)
{
    char text[300];

    shown(walk, "", text);
    if (st->st_uid != 0 && st->st_uid != walk->owner)
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" belongs to uid %lu, who can replace what is "
            "below it; give it to root, or choose another place",
            text, (unsigned long)st->st_uid);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
        (st->st_mode & S_ISVTX) == 0)
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" is writable by others; chmod go-w \"%s\", or "
            "choose another place",
            text, text);
    return ACME_OK;
}

static enum acme_rc
start(struct walk *walk, struct acme_error *err)
{
    struct stat st;
    int fd;

    fd = open("/", ACME_DIR_STEP);
    if (fd == -1)
        return acme_dir_fail(err, errno, "open", "/");
    if (walk->dir != -1)
        close(walk->dir);
    walk->dir = fd;
    walk->at[0] = '\0';
    if (fstat(fd, &st) == -1)
        return acme_dir_fail(err, errno, "open", "/");
    return judge(walk, &st, err);
}

/* Takes the next component off `rest`; false: none left. */
static bool
next_name(char *rest, char name[NAME_MAX + 1], bool *fits)
{
    char *at = rest;
    size_t len;

    *fits = true;
    for (;;) {
        at += strspn(at, "/");
        len = strcspn(at, "/");
        if (len == 0)
            return false;
        if (len != 1 || at[0] != '.')
            break;
        at++;
    }
    *fits = len <= NAME_MAX;
    if (*fits) {
        memcpy(name, at, len);
        name[len] = '\0';
    }
    memmove(rest, at + len, strlen(at + len) + 1);
    return true;
}

static bool
is_end(const char *rest)
{
    while (rest[0] == '/' ||
           (rest[0] == '.' && (rest[1] == '/' || rest[1] == '\0')))
        rest++;
    return rest[0] == '\0';
}

/* Puts the link's target in front of what is still to go. */
static enum acme_rc
follow(struct walk *walk, const char *name, const struct stat *st,
    struct acme_error *err)
{
    char target[PATH_MAX], text[300];
    size_t rest = strlen(walk->rest);
    ssize_t len;

    if (st->st_uid != 0 && st->st_uid != walk->owner)
        return acme_error_set(err, ACME_IO,
            "\"%s\" is a symbolic link of uid %lu; remove it",
            shown(walk, name, text), (unsigned long)st->st_uid);
    if (++walk->links > LINKS_MAX)
        return acme_error_errno(err, ACME_IO, ELOOP, "cannot follow \"%s\"",
            shown(walk, name, text));
    len = readlinkat(walk->dir, name, target, sizeof(target));
    if (len == -1)
        return acme_dir_fail(err, errno, "read", shown(walk, name, text));
    if ((size_t)len + 1 + rest >= sizeof(walk->rest))
        return too_long(err);
    memmove(walk->rest + len + 1, walk->rest, rest + 1);
    memcpy(walk->rest, target, (size_t)len);
    walk->rest[len] = '/';
    return target[0] == '/' ? start(walk, err) : ACME_OK;
}

static enum acme_rc
append(struct walk *walk, const char *name, struct acme_error *err)
{
    size_t len = strlen(walk->at), more = strlen(name);
    char *slash;

    if (strcmp(name, "..") == 0) {
        slash = strrchr(walk->at, '/');
        if (slash != NULL)
            *slash = '\0';
        return ACME_OK;
    }
    if (len + 1 + more >= sizeof(walk->at))
        return too_long(err);
    walk->at[len] = '/';
    memcpy(walk->at + len + 1, name, more + 1);
    return ACME_OK;
}

static enum acme_rc
enter(struct walk *walk, const char *name, struct acme_error *err)
{
    char text[300];
    struct stat st;
    enum acme_rc rc;
    int fd;

    fd = openat(walk->dir, name, ACME_DIR_STEP);
    if (fd == -1) {
        rc = acme_dir_fail(err, errno, "open", shown(walk, name, text));
        return rc;
    }
    close(walk->dir);
    walk->dir = fd;
    rc = append(walk, name, err);
    if (rc != ACME_OK)
        return rc;
    if (fstat(fd, &st) == -1)
        return acme_dir_fail(err, errno, "open", walk->at);
    return judge(walk, &st, err);
}

/* The end of a way to a file, which must be its owner's alone to change. */
static enum acme_rc
arrive_at_file(struct walk *walk, const char *name, const struct stat *st,
    struct acme_error *err)
{
    char text[300];

    shown(walk, name, text);
    if (!S_ISREG(st->st_mode))
        return acme_error_set(err, ACME_IO, "\"%s\" is not a regular file",
            text);
    if (st->st_uid != walk->owner)
        return acme_error_set(err, ACME_IO,
            "\"%s\" belongs to uid %lu, not to uid %lu", text,
            (unsigned long)st->st_uid, (unsigned long)walk->owner);
    if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return acme_error_set(err, ACME_IO,
            "\"%s\" is writable by others; chmod go-w it", text);
    memcpy(walk->last, name, strlen(name) + 1);
    return ACME_OK;
}

/* The end of the way: what is there must be a directory of the owner. */
static enum acme_rc
arrive(struct walk *walk, const char *name, const struct stat *st,
    struct acme_error *err)
{
    char text[300];

    shown(walk, name, text);
    if (!S_ISDIR(st->st_mode))
        return acme_error_set(err, ACME_IO, "\"%s\" is no directory", text);
    if (st->st_uid != walk->owner)
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" belongs to uid %lu, not to uid %lu; remove it, "
            "or give it and all below it to uid %lu",
            text, (unsigned long)st->st_uid, (unsigned long)walk->owner,
            (unsigned long)walk->owner);
    memcpy(walk->last, name, strlen(name) + 1);
    return ACME_OK;
}

static enum acme_rc
missing(struct walk *walk, const char *name, bool end, struct acme_error *err)
{
    char text[300];

    shown(walk, name, text);
    if (!end)
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" does not exist; make it", text);
    memcpy(walk->last, name, strlen(name) + 1);
    return acme_error_set(err, ACME_NOENT, "directory \"%s\" does not exist",
        text);
}

/* One component.  *end: the walk is over, `last` is set. */
static enum acme_rc
step(struct walk *walk, bool *end, struct acme_error *err)
{
    char name[NAME_MAX + 1], text[300];
    struct stat st;
    bool fits;

    if (!next_name(walk->rest, name, &fits))
        return acme_error_set(err, ACME_IO,
            "\"/\" cannot be the state directory");
    if (!fits)
        return too_long(err);
    *end = is_end(walk->rest);
    if (fstatat(walk->dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        if (errno == ENOENT)
            return missing(walk, name, *end, err);
        return acme_dir_fail(err, errno, "open", shown(walk, name, text));
    }
    if (S_ISLNK(st.st_mode)) {
        *end = false;
        return follow(walk, name, &st, err);
    }
    if (*end && walk->to_file)
        return arrive_at_file(walk, name, &st, err);
    if (*end)
        return arrive(walk, name, &st, err);
    return enter(walk, name, err);
}

/* From "/" to the directory that holds the last component.  `walk->dir` is
 * the caller's to close, whatever comes back. */
static enum acme_rc
walk_on(const char *path, struct walk *walk, struct acme_error *err)
{
    enum acme_rc rc;
    bool end = false;

    if (path[0] != '/')
        return acme_error_set(err, ACME_IO, "the path is not absolute");
    if (strlen(path) >= sizeof(walk->rest))
        return too_long(err);
    memcpy(walk->rest, path, strlen(path) + 1);
    rc = start(walk, err);
    while (rc == ACME_OK && !end)
        rc = step(walk, &end, err);
    return rc;
}

static void
begin(struct walk *walk, uid_t owner, bool to_file)
{
    memset(walk, 0, sizeof(*walk));
    walk->owner = owner;
    walk->dir = -1;
    walk->to_file = to_file;
}

static enum acme_rc
walk_to(const char *path, uid_t owner, struct walk *walk,
    struct acme_error *err)
{
    begin(walk, owner, false);
    return walk_on(path, walk, err);
}

enum acme_rc
acme_dir_check_file(const char *path, uid_t owner, char *real, size_t size,
    struct acme_error *err)
{
    struct walk walk;
    enum acme_rc rc;

    begin(&walk, owner, true);
    rc = walk_on(path, &walk, err);
    if (walk.dir != -1)
        close(walk.dir);
    if (rc == ACME_OK &&
        (size_t)snprintf(real, size, "%s/%s", walk.at, walk.last) >= size)
        rc = too_long(err);
    return rc;
}

enum acme_rc
acme_dir_check(const char *path, uid_t owner, struct acme_error *err)
{
    struct walk walk;
    enum acme_rc rc;

    rc = walk_to(path, owner, &walk, err);
    if (walk.dir != -1)
        close(walk.dir);
    return rc;
}

/* An O_PATH descriptor cannot be synced. */
static void
sync_parent(int dir)
{
    int fd;

    fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd != -1) {
        (void)fsync(fd);
        close(fd);
    }
}

static enum acme_rc
open_last(const struct walk *walk, bool made, int *fd, struct acme_error *err)
{
    char text[300];
    struct stat st;
    enum acme_rc rc = ACME_OK;
    int dir;

    shown(walk, walk->last, text);
    dir = openat(walk->dir, walk->last,
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir == -1)
        return acme_dir_fail(err, errno, "open", text);
    if (fstat(dir, &st) == -1)
        rc = acme_dir_fail(err, errno, "open", text);
    else if (st.st_uid != walk->owner)
        rc =
            acme_error_set(err, ACME_IO, "directory \"%s\" belongs to uid %lu",
                text, (unsigned long)st.st_uid);
    else if (made)
        rc = acme_dir_private(dir, text, err);
    if (rc == ACME_OK)
        *fd = dir;
    else
        close(dir);
    return rc;
}

enum acme_rc
acme_dir_open(const char *path, uid_t owner, bool create, int *fd,
    struct acme_error *err)
{
    struct acme_error why;
    struct walk walk;
    char text[300];
    enum acme_rc rc;
    bool made = false;

    acme_error_clear(&why);
    rc = walk_to(path, owner, &walk, &why);
    if (rc == ACME_NOENT && create) {
        made = mkdirat(walk.dir, walk.last, 0700) == 0;
        if (!made && errno != EEXIST) {
            rc = acme_dir_fail(err, errno, "make directory",
                shown(&walk, walk.last, text));
            goto done;
        }
        rc = ACME_OK;
    }
    if (rc != ACME_OK)
        rc = acme_error_set(err, rc, "%s", why.what);
    else
        rc = open_last(&walk, made, fd, err);
    if (made)
        sync_parent(walk.dir);

done:
    if (walk.dir != -1)
        close(walk.dir);
    return rc;
}

/* ---- files that an operator named ------------------------------------- */

static enum acme_rc
judge_secret(const char *path, const struct stat *st, uid_t owner,
    struct acme_error *err)
{
    if (!S_ISREG(st->st_mode))
        return acme_error_set(err, ACME_IO, "\"%s\" is no regular file", path);
    if (st->st_uid != 0 && st->st_uid != owner && st->st_uid != geteuid())
        return acme_error_set(err, ACME_IO,
            "\"%s\" belongs to uid %lu; give it to root", path,
            (unsigned long)st->st_uid);
    if ((st->st_mode & S_IRWXO) != 0)
        return acme_error_set(err, ACME_IO,
            "\"%s\" is open to everybody; chmod o-rwx \"%s\"", path, path);
    return ACME_OK;
}

enum acme_rc
acme_dir_read_secret(const char *path, uid_t owner, size_t max,
    struct acme_buf *out, struct acme_error *err)
{
    char clean[300];
    enum acme_rc rc;
    struct stat st;
    int fd;

    acme_log_clean(clean, sizeof(clean), path, strlen(path));
    if (path[0] != '/')
        return acme_error_set(err, ACME_IO, "\"%s\" is no absolute path",
            clean);
    /* Looked at before it is opened: opening a device may do something. */
    if (stat(path, &st) == -1)
        return acme_dir_fail_read(err, errno, "open", path);
    rc = judge_secret(clean, &st, owner, err);
    if (rc != ACME_OK)
        return rc;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd == -1)
        return acme_dir_fail(err, errno, "open", path);
    if (fstat(fd, &st) == -1)
        rc = acme_dir_fail(err, errno, "open", path);
    else
        rc = judge_secret(clean, &st, owner, err);
    if (rc == ACME_OK)
        rc = acme_dir_read_fd(fd, path, max, out, err);
    close(fd);
    return rc;
}

enum acme_rc
acme_dir_read_public(const char *path, size_t max, struct acme_buf *out,
    struct acme_error *err)
{
    enum acme_rc rc;
    struct stat st;
    int fd;

    if (stat(path, &st) == -1)
        return acme_dir_fail_read(err, errno, "open", path);
    if (!S_ISREG(st.st_mode))
        return acme_error_set(err, ACME_IO, "\"%s\" is no regular file", path);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd == -1)
        return acme_dir_fail(err, errno, "open", path);
    rc = acme_dir_read_fd(fd, path, max, out, err);
    close(fd);
    return rc;
}

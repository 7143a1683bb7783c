#define _GNU_SOURCE
#include "drive/acme_webroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drive/acme_sandbox.h"

#define WELL_KNOWN ".well-known"
#define CHALLENGES "acme-challenge"

/* In a directory that was made here, and gone with it: how many were, this one
 * alone or the one above too.  Whoever comes after a crash finds it. */
#define MARK ".acmectl"

/* Somebody who takes directories away may do that between two of our steps. */
#define TRIES 3

struct place {
    const struct acme_webroot *webroot;
    const struct acme_errand *errand;
    char text[ACME_KEY_AUTHORIZATION_MAX + 1];
    uid_t uid;                       /* as whom we work */
    int root, well_known, directory; /* -1: not open */
    unsigned made;                   /* directories, now */
};

/* ---- the directory ---------------------------------------------------- */

static enum acme_rc
refuse(const char *path, size_t len, int why, struct acme_error *err)
{
    if (why == ELOOP || why == ENOTDIR)
        return acme_error_set(err, ACME_IO,
            "webroot: \"%.*s\" is a symbolic link, or no directory; name the "
            "directory itself",
            (int)len, path);
    return acme_error_errno(err, ACME_IO, why, "webroot: cannot open \"%.*s\"",
        (int)len, path);
}

/* Component by component: no link on the way is followed. */
static enum acme_rc
walk(const char *path, int *out, struct acme_error *err)
{
    char part[NAME_MAX + 1];
    const char *at = path + strspn(path, "/");
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), next;
    size_t len;

    for (; fd != -1 && *at != '\0'; at += strspn(at, "/")) {
        len = strcspn(at, "/");
        if (len >= sizeof(part)) {
            close(fd);
            return refuse(path, strlen(path), ENAMETOOLONG, err);
        }
        memcpy(part, at, len);
        part[len] = '\0';
        at += len;
        next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(fd);
        if (next == -1)
            return refuse(path, (size_t)(at - path), errno, err);
        fd = next;
    }
    if (fd == -1)
        return refuse(path, strlen(path), errno, err);
    *out = fd;
    return ACME_OK;
}

/*
 * As whom: its owner; root only where nobody else can write, and where root's
 * group can, somebody without rights who is in that group.
 */
static enum acme_rc
choose_user(struct place *place, const struct stat *st, gid_t *gid,
    struct acme_error *err)
{
    place->uid = geteuid();
    *gid = st->st_gid;
    if (place->uid != 0)
        return ACME_OK;
    if (st->st_uid != 0)
        place->uid = st->st_uid;
    else if ((st->st_mode & S_IWOTH) != 0)
        return acme_error_set(err, ACME_IO,
            "webroot: everybody can write to \"%s\"; take that right away "
            "(chmod o-w)",
            place->webroot->path);
    else if ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0)
        place->uid = place->webroot->uid;
    return ACME_OK;
}

static enum acme_rc
become(struct place *place, gid_t gid, struct acme_error *err)
{
    struct acme_sandbox_report ignored;

    if (geteuid() == 0 && place->uid != 0 &&
        (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
            setresuid(place->uid, place->uid, place->uid) != 0))
        return acme_error_errno(err, ACME_IO, errno,
            "webroot: cannot become uid %lu, whose \"%s\" is",
            (unsigned long)place->uid, place->webroot->path);
    acme_sandbox_process();
    acme_sandbox_webroot(place->root, &ignored);
    return ACME_OK;
}

static enum acme_rc
enter(struct place *place, struct acme_error *err)
{
    struct stat st;
    gid_t gid = 0;
    enum acme_rc rc = walk(place->webroot->path, &place->root, err);

    if (rc == ACME_OK && fstat(place->root, &st) != 0)
        rc = acme_error_errno(err, ACME_IO, errno,
            "webroot: cannot look at \"%s\"", place->webroot->path);
    if (rc == ACME_OK)
        rc = choose_user(place, &st, &gid, err);
    return rc == ACME_OK ? become(place, gid, err) : rc;
}

static void
leave(struct place *place)
{
    if (place->directory != -1)
        close(place->directory);
    if (place->well_known != -1)
        close(place->well_known);
    place->directory = place->well_known = -1;
}

/* ---- what is below it ------------------------------------------------- */

/* What stands in the way of a name below the webroot. */
static enum acme_rc
blocked(const struct place *place, const char *name, int why,
    struct acme_error *err)
{
    if (why == ELOOP || why == ENOTDIR)
        return acme_error_set(err, ACME_IO,
            "webroot: \"%s/%s\" is a symbolic link, or no directory; remove "
            "it, and let a web server show another directory there instead",
            place->webroot->path, name);
    return acme_error_errno(err, ACME_IO, why,
        "webroot: cannot use \"%s/%s\" as uid %lu", place->webroot->path, name,
        (unsigned long)place->uid);
}

/* ACME_NOENT: it is not there, and is not to be made. */
static enum acme_rc
descend(struct place *place, int at, const char *name, bool make, int *out,
    struct acme_error *err)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(at, name, flags);
    bool made = false;
    struct stat st;

    if (fd == -1 && errno == ENOENT && make) {
        made = mkdirat(at, name, 0755) == 0;
        if (!made && errno != EEXIST)
            return blocked(place, name, errno, err);
        fd = openat(at, name, flags);
    }
    if (fd == -1 && errno == ENOENT)
        return ACME_NOENT;
    if (fd == -1)
        return blocked(place, name, errno, err);
    if (fstat(fd, &st) != 0 || (made && fchmod(fd, 0755) != 0)) {
        close(fd);
        return blocked(place, name, errno, err);
    }
    if (st.st_uid != place->uid && st.st_uid != 0) {
        close(fd);
        return acme_error_set(err, ACME_IO,
            "webroot: \"%s/%s\" belongs to uid %lu, and not to uid %lu, who "
            "works here; give it to him (chown), or remove it",
            place->webroot->path, name, (unsigned long)st.st_uid,
            (unsigned long)place->uid);
    }
    place->made += made;
    *out = fd;
    return ACME_OK;
}

static enum acme_rc
write_new(struct place *place, const char *name, const char *text,
    struct acme_error *err)
{
    const size_t len = strlen(text);
    int fd = openat(place->directory, name,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool good;

    if (fd == -1)
        return errno == ENOENT ? ACME_NOENT : blocked(place, name, errno, err);
    good = fchmod(fd, 0644) == 0 && write(fd, text, len) == (ssize_t)len;
    if (close(fd) == 0 && good)
        return ACME_OK;
    (void)blocked(place, name, errno, err);
    (void)unlinkat(place->directory, name, 0);
    return err->rc;
}

/* The directories; what is made is marked at once. */
static enum acme_rc
open_directory(struct place *place, bool make, struct acme_error *err)
{
    enum acme_rc rc;

    place->made = 0;
    rc =
        descend(place, place->root, WELL_KNOWN, make, &place->well_known, err);
    if (rc == ACME_OK)
        rc = descend(place, place->well_known, CHALLENGES, make,
            &place->directory, err);
    if (rc == ACME_OK && place->made > 0)
        rc = write_new(place, MARK, place->made == 2 ? "2" : "1", err);
    return rc;
}

/* How much of a regular file there is; -1: it is none, or cannot be read. */
static ssize_t
read_file(const struct place *place, const char *name, char *text, size_t size)
{
    int fd = openat(place->directory, name,
        O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    ssize_t n = -1;

    if (fd == -1)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, text, size);
    close(fd);
    return n;
}

/* Whether the challenge's file has its text in it; or the beginning of it, if
 * somebody was killed while he wrote it. */
static bool
is_ours(const struct place *place, bool whole)
{
    char text[ACME_KEY_AUTHORIZATION_MAX + 2];
    const size_t len = strlen(place->text);
    ssize_t n = read_file(place, place->errand->token, text, sizeof(text));

    return n >= 0 && (size_t)n <= len && (!whole || (size_t)n == len) &&
           memcmp(text, place->text, (size_t)n) == 0;
}

static bool
is_only_marked(const struct place *place)
{
    int fd = openat(place->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd != -1 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    bool is = dir != NULL;

    while (is && (entry = readdir(dir)) != NULL)
        is = strcmp(entry->d_name, ".") == 0 ||
             strcmp(entry->d_name, "..") == 0 ||
             strcmp(entry->d_name, MARK) == 0;
    if (dir != NULL)
        closedir(dir);
    else if (fd != -1)
        close(fd);
    return is;
}

/* What was made here and has nothing in it any more. */
static void
remove_directories(const struct place *place)
{
    char made = '0';

    if (read_file(place, MARK, &made, 1) != 1 || !is_only_marked(place) ||
        unlinkat(place->directory, MARK, 0) != 0 ||
        unlinkat(place->well_known, CHALLENGES, AT_REMOVEDIR) != 0 ||
        made != '2')
        return;
    (void)unlinkat(place->root, WELL_KNOWN, AT_REMOVEDIR);
}

/* ---- both ------------------------------------------------------------- */

static struct place
new_place(const struct acme_webroot *webroot, const struct acme_errand *errand)
{
    struct place place = { .webroot = webroot,
        .errand = errand,
        .root = -1,
        .well_known = -1,
        .directory = -1 };

    acme_errand_authorization(errand, place.text);
    return place;
}

static enum acme_rc
put(struct place *place, struct acme_error *err)
{
    enum acme_rc rc = open_directory(place, true, err);

    if (rc == ACME_OK && is_ours(place, true))
        return rc;
    return rc == ACME_OK
               ? write_new(place, place->errand->token, place->text, err)
               : rc;
}

enum acme_rc
acme_webroot_put(const struct acme_webroot *webroot,
    const struct acme_errand *errand, struct acme_error *err)
{
    struct place place = new_place(webroot, errand);
    enum acme_rc rc = enter(&place, err);
    unsigned tries = 0;

    if (rc == ACME_OK) {
        do {
            leave(&place);
            rc = put(&place, err);
        } while (rc == ACME_NOENT && ++tries < TRIES);
        if (rc == ACME_NOENT)
            rc = blocked(&place, WELL_KNOWN, ENOENT, err);
        if (rc != ACME_OK && place.directory != -1)
            remove_directories(&place);
    }
    leave(&place);
    if (place.root != -1)
        close(place.root);
    return rc;
}

enum acme_rc
acme_webroot_remove(const struct acme_webroot *webroot,
    const struct acme_errand *errand, struct acme_error *err)
{
    struct place place = new_place(webroot, errand);
    enum acme_rc rc = enter(&place, err);

    if (rc == ACME_OK)
        rc = open_directory(&place, false, err);
    if (rc == ACME_OK) {
        if (is_ours(&place, false) &&
            unlinkat(place.directory, errand->token, 0) != 0)
            rc = blocked(&place, errand->token, errno, err);
        remove_directories(&place);
    }
    leave(&place);
    if (place.root != -1)
        close(place.root);
    return rc == ACME_NOENT ? ACME_OK : rc;
}

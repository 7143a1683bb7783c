#include "state/acme_foreign_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_limits.h"

/* All keys and certificates of a large host are less: they are in memory at
 * once. */
#define BYTES_MAX ((size_t)512 * 1024 * 1024)

/* ---- whose it is ------------------------------------------------------ */

static enum acme_rc
judge(const struct acme_foreign_place *place, const struct stat *st,
    const char *path, struct acme_error *err)
{
    if (st->st_uid != 0 && st->st_uid != place->owner)
        return acme_error_set(err, ACME_IO,
            "\"%s\" belongs to uid %lu, who could have put anything there; "
            "chown it if you know what it is",
            path, (unsigned long)st->st_uid);
    if (!place->closed && (st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return acme_error_set(err, ACME_IO,
            "\"%s\" could have been written by others (mode %03o); chmod go-w "
            "it if nobody has",
            path, (unsigned)st->st_mode & 0777);
    return ACME_OK;
}

/* Every directory on the way to it.  What they are does not change behind our
 * back: nobody else can write in the one above. */
static enum acme_rc
judge_way(const struct acme_foreign_place *place, const char *path,
    struct acme_error *err)
{
    char part[PATH_MAX];
    const char *slash = path;
    struct stat st;
    enum acme_rc rc = ACME_OK;

    while (rc == ACME_OK && (slash = strchr(slash, '/')) != NULL) {
        if ((size_t)(slash - path) >= sizeof(part))
            return acme_error_set(err, ACME_IO, "a path is too long");
        memcpy(part, path, (size_t)(slash - path));
        part[slash - path] = '\0';
        slash++;
        if (fstatat(place->fd, part, &st, AT_SYMLINK_NOFOLLOW) == -1)
            return acme_error_set(err, ACME_NOENT, "\"%s\" is not there",
                part);
        if (!S_ISDIR(st.st_mode))
            return acme_error_set(err, ACME_IO, "\"%s\" is no directory",
                part);
        rc = judge(place, &st, part, err);
    }
    return rc;
}

enum acme_rc
acme_foreign_file_open(const char *path, bool anybodys,
    struct acme_foreign_place *place, struct acme_error *err)
{
    struct stat st;
    enum acme_rc rc;

    place->path = path;
    place->left = BYTES_MAX;
    place->closed = false;
    place->fd = -1;
    place->owner = geteuid();
    if (stat(path, &st) == 0 && (anybodys || st.st_uid == 0))
        place->owner = st.st_uid;
    rc = acme_dir_open(path, place->owner, false, &place->fd, err);
    if (rc == ACME_OK && fstat(place->fd, &st) == -1)
        rc = acme_error_errno(err, ACME_IO, errno, "cannot look at \"%s\"",
            path);
    if (rc == ACME_OK)
        rc = judge(place, &st, path, err);
    if (rc == ACME_OK)
        place->closed = (st.st_mode & (S_IXGRP | S_IXOTH)) == 0;
    if (rc != ACME_OK)
        acme_foreign_file_close(place);
    return rc;
}

void
acme_foreign_file_close(struct acme_foreign_place *place)
{
    if (place->fd != -1)
        close(place->fd);
    place->fd = -1;
}

static enum acme_rc
look(const struct acme_foreign_place *place, const char *path, struct stat *st,
    struct acme_error *err)
{
    enum acme_rc rc = judge_way(place, path, err);

    if (rc != ACME_OK)
        return rc;
    if (fstatat(place->fd, path, st, AT_SYMLINK_NOFOLLOW) == -1)
        return acme_error_set(err, ACME_NOENT, "\"%s\" is not there", path);
    if (S_ISLNK(st->st_mode))
        return acme_error_set(err, ACME_IO,
            "\"%s\" is a symbolic link, which is not followed", path);
    return judge(place, st, path, err);
}

enum acme_rc
acme_foreign_file_judge(const struct acme_foreign_place *place,
    const char *path, struct acme_error *err)
{
    struct stat st;

    return look(place, path, &st, err);
}

/* ---- reading ---------------------------------------------------------- */

enum acme_rc
acme_foreign_file_read(struct acme_foreign_place *place, const char *path,
    struct acme_buf *out, time_t *at, struct acme_error *err)
{
    size_t before = out->len;
    struct stat st;
    enum acme_rc rc = look(place, path, &st, err);

    if (rc != ACME_OK)
        return rc;
    rc = acme_dir_read(place->fd, path, st.st_uid, ACME_STATE_PEM_MAX, out,
        err);
    if (rc != ACME_OK)
        return rc;
    if (out->len - before > place->left)
        return acme_error_set(err, ACME_IO,
            "there is too much to read it at once; take over some lineages at "
            "a time, with --cert-name");
    place->left -= out->len - before;
    if (at != NULL)
        *at = st.st_mtime;
    return ACME_OK;
}

enum acme_rc
acme_foreign_file_list(const struct acme_foreign_place *place,
    const char *path, struct acme_dir_names *names, struct acme_error *err)
{
    char slashed[PATH_MAX];
    struct acme_error why;
    enum acme_rc rc;

    memset(names, 0, sizeof(*names));
    (void)snprintf(slashed, sizeof(slashed), "%s/", path);
    acme_error_clear(&why);
    rc = strcmp(path, ".") == 0 ? ACME_OK : judge_way(place, slashed, &why);
    if (rc == ACME_OK)
        rc = acme_dir_names_read(place->fd, path, false, names, &why);
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    return acme_error_set(err, rc, "%s", why.what);
}

mode_t
acme_foreign_file_mode(const struct acme_foreign_place *place,
    const char *path)
{
    struct acme_error ignored;
    struct stat st;

    acme_error_clear(&ignored);
    if (judge_way(place, path, &ignored) != ACME_OK ||
        fstatat(place->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        return 0;
    return st.st_mode;
}

/* ---- paths as texts --------------------------------------------------- */

/* Adds components to a path, whose ".." take others away.  False: it is not
 * below where it began, or too long. */
static bool
walk(char *out, size_t size, const char *text)
{
    size_t len = strlen(out), n;
    char *slash;

    for (; *text != '\0'; text += n + strspn(text + n, "/")) {
        n = strcspn(text, "/");
        if (n == 0 || (n == 1 && text[0] == '.'))
            continue;
        if (n == 2 && text[0] == '.' && text[1] == '.') {
            if (len == 0)
                return false;
            slash = strrchr(out, '/');
            len = slash != NULL ? (size_t)(slash - out) : 0;
            out[len] = '\0';
            continue;
        }
        if (len + n + 2 > size)
            return false;
        if (len > 0)
            out[len++] = '/';
        memcpy(out + len, text, n);
        len += n;
        out[len] = '\0';
    }
    return len > 0;
}

static bool
cut(const char *home, const char *path, char *out, size_t size)
{
    size_t len = home != NULL ? strlen(home) : 0;

    while (len > 1 && home[len - 1] == '/')
        len--;
    if (len < 2 || strncmp(path, home, len) != 0 || path[len] != '/')
        return false;
    out[0] = '\0';
    return walk(out, size, path + len + 1);
}

bool
acme_foreign_file_below(const struct acme_foreign_place *place,
    const char *home, const char *path, char *out, size_t size)
{
    return cut(place->path, path, out, size) || cut(home, path, out, size);
}

enum acme_rc
acme_foreign_file_link(const struct acme_foreign_place *place,
    const char *path, char *out, size_t size, struct acme_error *err)
{
    const char *slash = strrchr(path, '/');
    char target[PATH_MAX];
    enum acme_rc rc = judge_way(place, path, err);

    if (rc == ACME_OK)
        rc = acme_dir_readlink(place->fd, path, target, sizeof(target), err);
    if (rc != ACME_OK)
        return rc;
    (void)snprintf(out, size, "%.*s", slash != NULL ? (int)(slash - path) : 0,
        path);
    if (target[0] == '/' ? cut(place->path, target, out, size)
                         : walk(out, size, target))
        return ACME_OK;
    return acme_error_set(err, ACME_IO, "\"%s\" leads out of the directory",
        path);
}

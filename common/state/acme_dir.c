/*
 * Reading below an open directory: how a path is opened so that nothing
 * planted is followed or waited for, and what a file must be to be read.
 * acme_dir_check.c judges the way to the directory, acme_dir_write.c makes
 * the durable changes.
 */
#define _GNU_SOURCE /* O_PATH, syscall */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/syscall.h>
#ifdef SYS_openat2
#include <linux/openat2.h>
#endif
#endif

#include "base/acme_log.h"
#include "state/acme_dir.h"
#include "state/acme_dir_private.h"

enum acme_rc
acme_dir_fail(struct acme_error *err, int errnum, const char *verb,
    const char *path)
{
    char clean[300];

    acme_log_clean(clean, sizeof(clean), path, strlen(path));
    if (errnum == ELOOP || errnum == EXDEV)
        return acme_error_set(err, ACME_IO,
            "cannot %s \"%s\": it is a symbolic link, or behind one; "
            "remove the link",
            verb, clean);
    return acme_error_errno(err, ACME_IO, errnum, "cannot %s \"%s\"", verb,
        clean);
}

enum acme_rc
acme_dir_fail_read(struct acme_error *err, int errnum, const char *verb,
    const char *path)
{
    char clean[300];

    if (errnum != ENOENT)
        return acme_dir_fail(err, errnum, verb, path);
    return acme_error_set(err, ACME_NOENT, "\"%s\" does not exist",
        acme_log_clean(clean, sizeof(clean), path, strlen(path)));
}

/* Relative, no empty component, no "." or "..". */
static bool
path_ok(const char *path)
{
    size_t len;

    if (strcmp(path, ".") == 0)
        return true;
    for (;; path += len + 1) {
        len = strcspn(path, "/");
        if (len == 0 || (len == 1 && path[0] == '.') ||
            (len == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (path[len] == '\0')
            return true;
    }
}

/* One system call, where the kernel has it. */
static int
open_beneath(int dirfd, const char *path, int flags)
{
#if defined(__linux__) && defined(SYS_openat2)
    struct open_how how = { 0 };

    how.flags = (unsigned int)flags;
    how.resolve =
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
#else
    (void)dirfd;
    (void)path;
    (void)flags;
    errno = ENOSYS;
    return -1;
#endif
}

/* The same, one directory after the other. */
static int
open_by_component(int dirfd, const char *path, int flags)
{
    char part[NAME_MAX + 1];
    int at = dirfd, next, saved;
    size_t len;

    for (;;) {
        len = strcspn(path, "/");
        if (len > NAME_MAX) {
            errno = ENAMETOOLONG;
            next = -1;
            break;
        }
        memcpy(part, path, len);
        part[len] = '\0';
        if (path[len] == '\0') {
            next = openat(at, part, flags);
            break;
        }
        next = openat(at, part, ACME_DIR_STEP);
        if (next == -1)
            break;
        if (at != dirfd)
            close(at);
        at = next;
        path += len + 1;
    }
    saved = errno;
    if (at != dirfd)
        close(at);
    errno = saved;
    return next;
}

int
acme_dir_open_file(int dirfd, const char *path, int flags)
{
    int fd;

    flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    if (!path_ok(path)) {
        errno = EINVAL;
        return -1;
    }
    fd = open_beneath(dirfd, path, flags);
    /* Old kernels say ENOSYS, sandboxes that do not know the call EPERM. */
    if (fd == -1 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
        fd = open_by_component(dirfd, path, flags);
    return fd;
}

int
acme_dir_open_below(int dirfd, const char *path)
{
    return acme_dir_open_file(dirfd, path, O_RDONLY | O_DIRECTORY);
}

int
acme_dir_open_parent(int dirfd, const char *path, const char **base)
{
    char parent[ACME_DIR_PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len;

    /* The last component is checked here, the others where they are opened:
     * callers hand it to *at() calls as it is. */
    if (!path_ok(path) || strcmp(path, ".") == 0) {
        errno = EINVAL;
        return -1;
    }
    if (slash == NULL) {
        *base = path;
        return acme_dir_open_below(dirfd, ".");
    }
    len = (size_t)(slash - path);
    if (len >= sizeof(parent)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(parent, path, len);
    parent[len] = '\0';
    *base = slash + 1;
    return acme_dir_open_below(dirfd, parent);
}

static enum acme_rc
not_regular(struct acme_error *err, const char *path)
{
    char clean[300];

    return acme_error_set(err, ACME_IO, "\"%s\" is no regular file",
        acme_log_clean(clean, sizeof(clean), path, strlen(path)));
}

static enum acme_rc
too_large(struct acme_error *err, const char *path, size_t max)
{
    char clean[300];

    return acme_error_set(err, ACME_IO, "\"%s\" is larger than %zu bytes",
        acme_log_clean(clean, sizeof(clean), path, strlen(path)), max);
}

static ssize_t
read_all(int fd, unsigned char *data, size_t len)
{
    size_t done = 0;
    ssize_t n;

    while (done < len) {
        n = read(fd, data + done, len - done);
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)done;
}

enum acme_rc
acme_dir_read_fd(int fd, const char *path, size_t max, struct acme_buf *out,
    struct acme_error *err)
{
    size_t before = out->len, size;
    unsigned char *room, more;
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) == -1)
        return acme_dir_fail(err, errno, "read", path);
    if (st.st_size < 0 || (unsigned long long)st.st_size > max)
        return too_large(err, path, max);
    size = (size_t)st.st_size;
    if (size > out->max - before)
        return too_large(err, path, out->max - before);
    if (size == 0)
        return ACME_OK;

    room = acme_buf_extend(out, size);
    if (room == NULL)
        return acme_error_nomem(err);
    n = read_all(fd, room, size);
    if (n == -1) {
        out->len = before;
        out->data[before] = '\0';
        return acme_dir_fail(err, errno, "read", path);
    }
    out->len = before + (size_t)n;
    out->data[out->len] = '\0';
    /* Nobody of ours changes a file in place. */
    if ((size_t)n != size || read_all(fd, &more, 1) != 0) {
        out->len = before;
        out->data[before] = '\0';
        return acme_dir_fail(err, EBUSY, "read", path);
    }
    return ACME_OK;
}

enum acme_rc
acme_dir_read(int dirfd, const char *path, uid_t owner, size_t max,
    struct acme_buf *out, struct acme_error *err)
{
    enum acme_rc rc;
    struct stat st;
    char clean[300];
    int fd;

    fd = acme_dir_open_file(dirfd, path, O_RDONLY);
    if (fd == -1)
        return acme_dir_fail_read(err, errno, "open", path);
    if (fstat(fd, &st) == -1)
        rc = acme_dir_fail(err, errno, "read", path);
    else if (!S_ISREG(st.st_mode))
        rc = not_regular(err, path);
    else if (st.st_uid != owner)
        rc = acme_error_set(err, ACME_IO,
            "\"%s\" belongs to uid %lu, not to uid %lu",
            acme_log_clean(clean, sizeof(clean), path, strlen(path)),
            (unsigned long)st.st_uid, (unsigned long)owner);
    else
        rc = acme_dir_read_fd(fd, path, max, out, err);
    close(fd);
    return rc;
}

enum acme_rc
acme_dir_readlink(int dirfd, const char *path, char *target, size_t size,
    struct acme_error *err)
{
    char text[ACME_DIR_PATH_MAX], clean[300];
    const char *base;
    ssize_t len;
    int parent, errnum;

    parent = acme_dir_open_parent(dirfd, path, &base);
    if (parent == -1)
        return acme_dir_fail_read(err, errno, "open", path);
    len = readlinkat(parent, base, text, sizeof(text));
    errnum = errno;
    close(parent);
    if (len == -1 && errnum == EINVAL)
        return acme_error_set(err, ACME_IO, "\"%s\" is no symbolic link",
            acme_log_clean(clean, sizeof(clean), path, strlen(path)));
    if (len == -1)
        return acme_dir_fail_read(err, errnum, "read", path);
    if ((size_t)len >= size || (size_t)len >= sizeof(text))
        return acme_dir_fail(err, ENAMETOOLONG, "read", path);
    memcpy(target, text, (size_t)len);
    target[len] = '\0';
    return ACME_OK;
}

/* ---- listing ---------------------------------------------------------- */

void
acme_dir_names_free(struct acme_dir_names *names)
{
    while (names->count > 0)
        free(names->name[--names->count]);
    free(names->name);
    names->name = NULL;
    names->cap = 0;
}

static bool
add_name(struct acme_dir_names *names, const char *name)
{
    size_t cap;
    char **grown;

    if (names->count == names->cap) {
        cap = names->cap == 0 ? 32 : names->cap * 2;
        grown = realloc(names->name, cap * sizeof(*grown));
        if (grown == NULL)
            return false;
        names->name = grown;
        names->cap = cap;
    }
    names->name[names->count] = strdup(name);
    if (names->name[names->count] == NULL)
        return false;
    names->count++;
    return true;
}

static bool
is_wanted(const char *name, bool dots)
{
    if (name[0] != '.')
        return true;
    return dots && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum acme_rc
read_names(DIR *dir, const char *path, bool dots, struct acme_dir_names *names,
    struct acme_error *err)
{
    struct dirent *entry;

    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (entry == NULL)
            break;
        if (is_wanted(entry->d_name, dots) && !add_name(names, entry->d_name))
            return acme_error_nomem(err);
    }
    return errno == 0 ? ACME_OK : acme_dir_fail(err, errno, "list", path);
}

enum acme_rc
acme_dir_names_read(int dirfd, const char *path, bool dots,
    struct acme_dir_names *names, struct acme_error *err)
{
    enum acme_rc rc;
    DIR *dir;
    int fd;

    memset(names, 0, sizeof(*names));
    fd = acme_dir_open_below(dirfd, path);
    if (fd == -1)
        return acme_dir_fail_read(err, errno, "list", path);
    dir = fdopendir(fd);
    if (dir == NULL) {
        rc = acme_dir_fail(err, errno, "list", path);
        close(fd);
        return rc;
    }
    rc = read_names(dir, path, dots, names, err);
    closedir(dir);
    if (rc != ACME_OK)
        acme_dir_names_free(names);
    else if (names->count > 1)
        qsort(names->name, names->count, sizeof(*names->name), compare_names);
    return rc;
}

enum acme_rc
acme_dir_list(int dirfd, const char *path,
    enum acme_rc (*visit)(void *ctx, const char *name, struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct acme_dir_names names;
    struct acme_error why;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&why);
    rc = acme_dir_names_read(dirfd, path, false, &names, &why);
    if (rc == ACME_NOENT)
        return ACME_OK;
    if (rc != ACME_OK) {
        acme_error_set(err, rc, "%s", why.what);
        return rc;
    }
    for (i = 0; i < names.count && rc == ACME_OK; i++)
        rc = visit(ctx, names.name[i], err);
    acme_dir_names_free(&names);
    return rc;
}

/*
 * Every durable change below an open directory.  Whatever the moment of a
 * crash, a reader finds the old or the new, never half of one: what is new
 * is complete and on the disk before it gets its name.
 */
#define _GNU_SOURCE /* getentropy, flock */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "state/acme_dir.h"
#include "state/acme_dir_private.h"

/* Room for a name of ours and ".", ".<16 hex digits>.tmp". */
#define TEMP_NAME_MAX (NAME_MAX + 1)

/* Who holds a lock: "<pid> <host>". */
#define HOLDER_MAX 128

/*
 * A name nobody else uses: two writers of one file must not meet in its
 * temporary file, or one would publish the other's half.
 */
static enum acme_rc
temp_name(const char *base, char name[TEMP_NAME_MAX], struct acme_error *err)
{
    unsigned char r[8];
    int n;

    if (getentropy(r, sizeof(r)) == -1)
        return acme_error_errno(err, ACME_IO, errno, "no random bytes");
    n = snprintf(name, TEMP_NAME_MAX,
        ".%s.%02x%02x%02x%02x%02x%02x%02x%02x"
        ".tmp",
        base, r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
    if (n < 0 || n >= TEMP_NAME_MAX)
        return acme_dir_fail(err, ENAMETOOLONG, "write", base);
    return ACME_OK;
}

/* A name that is out of sight, for who holds the lock of `base`. */
static enum acme_rc
hidden_name(const char *base, char name[TEMP_NAME_MAX], const char *path,
    struct acme_error *err)
{
    int n = snprintf(name, TEMP_NAME_MAX, ".%s.tmp", base);

    if (n < 0 || n >= TEMP_NAME_MAX)
        return acme_dir_fail(err, ENAMETOOLONG, "write", path);
    return ACME_OK;
}

static int
write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    ssize_t n;

    while (len > 0) {
        n = write(fd, at, len);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The umask is the server's business (nginx runs with 0), hence fchmod. */
static int
fill_file(int fd, mode_t mode, const void *data, size_t len, bool sync)
{
    if (fchmod(fd, mode) == -1 || write_all(fd, data, len) == -1 ||
        (sync && fsync(fd) == -1))
        return -1;
    return 0;
}

/* A new file with its content (`sync`: on the disk), or none.  -1 with
 * errno. */
static int
create_file(int dir, const char *name, mode_t mode, const void *data,
    size_t len, bool sync)
{
    int fd, errnum;

    fd = openat(dir, name,
        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd == -1)
        return -1;
    if (fill_file(fd, mode, data, len, sync) == 0) {
        if (close(fd) == 0)
            return 0;
        errnum = errno;
    } else {
        errnum = errno;
        close(fd);
    }
    unlinkat(dir, name, 0);
    errno = errnum;
    return -1;
}

enum acme_rc
acme_dir_create(int dirfd, const char *path, mode_t mode, const void *data,
    size_t len, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    const char *base;
    int parent;

    parent = acme_dir_open_parent(dirfd, path, &base);
    if (parent == -1)
        return acme_dir_fail(err, errno, "write", path);
    if (create_file(parent, base, mode, data, len, false) == -1)
        rc = acme_dir_fail(err, errno, "write", path);
    close(parent);
    return rc;
}

/* temp becomes base, or is removed.  -1 with errno. */
static int
publish(int dir, const char *temp, const char *base, bool sync)
{
    int errnum;

    if (renameat(dir, temp, dir, base) == 0)
        return sync ? fsync(dir) : 0;
    errnum = errno;
    unlinkat(dir, temp, 0);
    errno = errnum;
    return -1;
}

static enum acme_rc
replace(int dirfd, const char *path, mode_t mode, const void *data, size_t len,
    bool sync, struct acme_error *err)
{
    char temp[TEMP_NAME_MAX];
    const char *base;
    enum acme_rc rc;
    int parent;

    parent = acme_dir_open_parent(dirfd, path, &base);
    if (parent == -1)
        return acme_dir_fail(err, errno, "write", path);
    rc = temp_name(base, temp, err);
    if (rc == ACME_OK &&
        (create_file(parent, temp, mode, data, len, sync) == -1 ||
            publish(parent, temp, base, sync) == -1))
        rc = acme_dir_fail(err, errno, "write", path);
    close(parent);
    return rc;
}

enum acme_rc
acme_dir_write(int dirfd, const char *path, mode_t mode, const void *data,
    size_t len, struct acme_error *err)
{
    return replace(dirfd, path, mode, data, len, true, err);
}

enum acme_rc
acme_dir_write_soon(int dirfd, const char *path, mode_t mode, const void *data,
    size_t len, struct acme_error *err)
{
    return replace(dirfd, path, mode, data, len, false, err);
}

enum acme_rc
acme_dir_link(int dirfd, const char *target, const char *path,
    struct acme_error *err)
{
    char temp[TEMP_NAME_MAX];
    const char *base;
    enum acme_rc rc;
    int parent;

    parent = acme_dir_open_parent(dirfd, path, &base);
    if (parent == -1)
        return acme_dir_fail(err, errno, "write", path);
    rc = hidden_name(base, temp, path, err);
    if (rc != ACME_OK)
        goto done;
    /* Left by a crash; a link is complete at once, so unlike a file it may
     * have a fixed name. */
    if (unlinkat(parent, temp, 0) == -1 && errno != ENOENT)
        rc = acme_dir_fail(err, errno, "remove", temp);
    else if (symlinkat(target, parent, temp) == -1 ||
             publish(parent, temp, base, true) == -1)
        rc = acme_dir_fail(err, errno, "write", path);

done:
    close(parent);
    return rc;
}

static enum acme_rc
rename_beside(int dirfd, const char *from, const char *to, bool sync,
    struct acme_error *err)
{
    const char *old_base, *new_base;
    enum acme_rc rc = ACME_OK;
    size_t len;
    int parent;

    parent = acme_dir_open_parent(dirfd, to, &new_base);
    if (parent == -1)
        return acme_dir_fail(err, errno, "rename", from);
    len = (size_t)(new_base - to);
    old_base = from + len;
    if (strncmp(from, to, len) != 0 || strchr(old_base, '/') != NULL)
        rc = acme_dir_fail(err, EINVAL, "rename", from);
    else if (renameat(parent, old_base, parent, new_base) == -1 ||
             (sync && fsync(parent) == -1))
        rc = acme_dir_fail(err, errno, "rename", from);
    close(parent);
    return rc;
}

enum acme_rc
acme_dir_rename(int dirfd, const char *from, const char *to,
    struct acme_error *err)
{
    return rename_beside(dirfd, from, to, true, err);
}

enum acme_rc
acme_dir_rename_soon(int dirfd, const char *from, const char *to,
    struct acme_error *err)
{
    return rename_beside(dirfd, from, to, false, err);
}

/* ---- directories ------------------------------------------------------ */

/* Makes and opens one directory of ours.  One that is there will do, unless
 * `must_be_new`: that one gets its name for good later, and is synced then.
 * -1 with errno; EPERM: it is somebody else's. */
static int
step_into(int dir, const char *name, bool must_be_new)
{
    struct stat st;
    bool made;
    int fd, errnum = 0;

    made = mkdirat(dir, name, 0700) == 0;
    if (!made && (errno != EEXIST || must_be_new))
        return -1;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1)
        return -1;
    if (fstat(fd, &st) == -1)
        errnum = errno;
    else if (st.st_uid != geteuid())
        errnum = EPERM;
    else if (made &&
             (fchmod(fd, 0700) == -1 || (!must_be_new && fsync(dir) == -1)))
        errnum = errno;
    if (errnum == 0)
        return fd;
    close(fd);
    errno = errnum;
    return -1;
}

/* In one step, what the next function finds in several. */
static bool
is_made(int dirfd, const char *path)
{
    int dir = acme_dir_open_below(dirfd, path);
    struct stat st;
    bool ours;

    if (dir == -1)
        return false;
    ours = fstat(dir, &st) == 0 && st.st_uid == geteuid();
    close(dir);
    return ours;
}

enum acme_rc
acme_dir_make(int dirfd, const char *path, struct acme_error *err)
{
    char part[NAME_MAX + 1];
    const char *at = path;
    int dir, next;
    size_t len;

    if (is_made(dirfd, path))
        return ACME_OK;
    dir = acme_dir_open_below(dirfd, ".");
    while (dir != -1 && *at != '\0') {
        len = strcspn(at, "/");
        if (len == 0 || len > NAME_MAX || at[0] == '.') {
            close(dir);
            return acme_dir_fail(err, EINVAL, "make", path);
        }
        memcpy(part, at, len);
        part[len] = '\0';
        at += len + (at[len] == '/');
        next = step_into(dir, part, false);
        if (next == -1)
            acme_dir_fail(err, errno, "make directory", path);
        close(dir);
        if (next == -1)
            return err->rc;
        dir = next;
    }
    if (dir == -1)
        return acme_dir_fail(err, errno, "make directory", path);
    close(dir);
    return ACME_OK;
}

enum acme_rc
acme_dir_sync(int dirfd, const char *path, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    int fd;

    fd = acme_dir_open_below(dirfd, path);
    if (fd == -1)
        return acme_dir_fail(err, errno, "open", path);
    if (fsync(fd) == -1)
        rc = acme_dir_fail(err, errno, "sync", path);
    close(fd);
    return rc;
}

static enum acme_rc
sync_names(int dir, const struct acme_dir_names *names, const char *path,
    struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;
    int fd;

    for (i = 0; i < names->count && rc == ACME_OK; i++) {
        fd = openat(dir, names->name[i],
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd == -1 || fsync(fd) == -1)
            rc = acme_dir_fail(err, errno, "sync", path);
        if (fd != -1)
            close(fd);
    }
    return rc;
}

enum acme_rc
acme_dir_sync_files(int dirfd, const char *path, struct acme_error *err)
{
    struct acme_dir_names names;
    enum acme_rc rc;
    int dir;

    dir = acme_dir_open_below(dirfd, path);
    if (dir == -1)
        return acme_dir_fail(err, errno, "open", path);
    rc = acme_dir_names_read(dir, ".", true, &names, err);
    if (rc == ACME_OK) {
        rc = sync_names(dir, &names, path, err);
        if (rc == ACME_OK && fsync(dir) == -1)
            rc = acme_dir_fail(err, errno, "sync", path);
        acme_dir_names_free(&names);
    }
    close(dir);
    return rc;
}

enum acme_rc
acme_dir_touch(int dirfd, const char *path, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    int fd;

    fd = acme_dir_open_below(dirfd, path);
    if (fd == -1)
        return acme_dir_fail(err, errno, "open", path);
    if (futimens(fd, NULL) == -1)
        rc = acme_dir_fail(err, errno, "touch", path);
    close(fd);
    return rc;
}

enum acme_rc
acme_dir_private(int dirfd, const char *path, struct acme_error *err)
{
    struct stat st;
    mode_t mode = 0700;

    if (fstat(dirfd, &st) == -1)
        return acme_dir_fail(err, errno, "read", path);
    if (st.st_gid != getegid())
        mode |= st.st_mode & (S_IRGRP | S_IXGRP);
    if ((st.st_mode & 07777) == mode)
        return ACME_OK;
    if (fchmod(dirfd, mode) == -1)
        return acme_dir_fail(err, errno, "change the mode of", path);
    return ACME_OK;
}

/* ---- removing --------------------------------------------------------- */

static bool
is_directory_errno(int errnum)
{
    return errnum == EISDIR || errnum == EPERM; /* Linux, POSIX */
}

static enum acme_rc
empty_directory(int parent, const char *base, const char *path,
    struct acme_error *err)
{
    struct acme_dir_names names;
    enum acme_rc rc;
    size_t i;
    int dir;

    rc = acme_dir_names_read(parent, base, true, &names, err);
    if (rc != ACME_OK)
        return rc;
    dir = acme_dir_open_below(parent, base);
    if (dir == -1)
        rc = acme_dir_fail(err, errno, "remove", path);
    for (i = 0; i < names.count && rc == ACME_OK; i++) {
        if (unlinkat(dir, names.name[i], 0) == 0 || errno == ENOENT)
            continue;
        if (!is_directory_errno(errno) ||
            unlinkat(dir, names.name[i], AT_REMOVEDIR) == -1) {
            acme_dir_fail(err, errno, "remove", names.name[i]);
            rc = acme_error_wrap(err, "cannot empty \"%s\"", path);
        }
    }
    if (dir != -1)
        close(dir);
    acme_dir_names_free(&names);
    return rc;
}

static enum acme_rc
remove_entry(int parent, const char *base, const char *path,
    struct acme_error *err)
{
    enum acme_rc rc;

    if (unlinkat(parent, base, 0) == 0)
        return ACME_OK;
    if (errno == ENOENT)
        return ACME_NOENT;
    if (!is_directory_errno(errno))
        return acme_dir_fail(err, errno, "remove", path);
    rc = empty_directory(parent, base, path, err);
    if (rc == ACME_OK && unlinkat(parent, base, AT_REMOVEDIR) == -1)
        rc = acme_dir_fail(err, errno, "remove", path);
    return rc;
}

static enum acme_rc
remove_at(int dirfd, const char *path, bool sync, struct acme_error *err)
{
    const char *base;
    enum acme_rc rc;
    int parent;

    parent = acme_dir_open_parent(dirfd, path, &base);
    if (parent == -1 && errno == ENOENT)
        return ACME_OK;
    if (parent == -1)
        return acme_dir_fail(err, errno, "remove", path);
    rc = remove_entry(parent, base, path, err);
    if (rc == ACME_OK && sync && fsync(parent) == -1)
        rc = acme_dir_fail(err, errno, "sync", path);
    close(parent);
    return rc == ACME_NOENT ? ACME_OK : rc; /* it is gone already */
}

enum acme_rc
acme_dir_remove(int dirfd, const char *path, struct acme_error *err)
{
    return remove_at(dirfd, path, true, err);
}

enum acme_rc
acme_dir_remove_soon(int dirfd, const char *path, struct acme_error *err)
{
    return remove_at(dirfd, path, false, err);
}

/* "PARENT/.BASE.tmp" is nobody's; its parent is open then, and *base in
 * `path`. */
static enum acme_rc
clear_hidden(int dirfd, const char *path, const char **base,
    char hidden[TEMP_NAME_MAX], int *parent, struct acme_error *err)
{
    enum acme_rc rc;

    *parent = acme_dir_open_parent(dirfd, path, base);
    if (*parent == -1)
        return acme_dir_fail(err, errno, "write", path);
    rc = hidden_name(*base, hidden, path, err);
    if (rc == ACME_OK)
        rc = remove_entry(*parent, hidden, path, err); /* of a crash */
    if (rc == ACME_OK || rc == ACME_NOENT)
        return ACME_OK;
    close(*parent);
    return rc;
}

enum acme_rc
acme_dir_drop(int dirfd, const char *path, struct acme_error *err)
{
    char hidden[TEMP_NAME_MAX];
    const char *base;
    enum acme_rc rc;
    int parent;

    rc = clear_hidden(dirfd, path, &base, hidden, &parent, err);
    if (rc != ACME_OK)
        return rc;
    if (renameat(parent, base, parent, hidden) == 0)
        rc = remove_entry(parent, hidden, path, err);
    else if (errno != ENOENT)
        rc = acme_dir_fail(err, errno, "remove", path);
    close(parent);
    return rc;
}

enum acme_rc
acme_dir_make_hidden(int dirfd, const char *path, char *hidden, size_t size,
    struct acme_error *err)
{
    char name[TEMP_NAME_MAX];
    const char *base;
    size_t len;
    enum acme_rc rc;
    int parent, made;

    rc = clear_hidden(dirfd, path, &base, name, &parent, err);
    if (rc != ACME_OK)
        return rc;
    len = (size_t)(base - path);
    if (len + strlen(name) >= size) {
        rc = acme_dir_fail(err, ENAMETOOLONG, "make directory", path);
    } else {
        made = step_into(parent, name, true);
        if (made == -1) {
            rc = acme_dir_fail(err, errno, "make directory", path);
        } else {
            close(made);
            memcpy(hidden, path, len);
            memcpy(hidden + len, name, strlen(name) + 1);
        }
    }
    close(parent);
    return rc;
}

static bool
is_temp(const char *name)
{
    size_t len = strlen(name);

    return name[0] == '.' && len > 5 && strcmp(name + len - 4, ".tmp") == 0;
}

void
acme_dir_sweep(int dirfd, const char *path, time_t age)
{
    struct acme_dir_names names;
    time_t limit = time(NULL) - age;
    struct acme_error ignored;
    struct stat st;
    size_t i;
    int dir;

    acme_error_clear(&ignored);
    if (acme_dir_names_read(dirfd, path, true, &names, &ignored) != ACME_OK)
        return;
    dir = acme_dir_open_below(dirfd, path);
    for (i = 0; i < names.count && dir != -1; i++) {
        if (is_temp(names.name[i]) &&
            fstatat(dir, names.name[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (age == ACME_DIR_SWEEP_ALL || st.st_mtime <= limit))
            (void)remove_entry(dir, names.name[i], path, &ignored);
    }
    if (dir != -1)
        close(dir);
    acme_dir_names_free(&names);
}

/* ---- locks ------------------------------------------------------------ */

/* Tells people who holds the lock; the lock does not depend on it, so that a
 * full disk stops nobody. */
static void
write_holder(int fd)
{
    char text[HOLDER_MAX], host[65] = "";
    int n;

    if (gethostname(host, sizeof(host) - 1) == -1)
        host[0] = '\0';
    n = snprintf(text, sizeof(text), "%ld %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) == 0 && n > 0)
        (void)!pwrite(fd, text, (size_t)n, 0);
}

static enum acme_rc
busy(int fd, const char *path, struct acme_error *err)
{
    char text[HOLDER_MAX], clean[HOLDER_MAX], shown[300];
    ssize_t n;

    n = pread(fd, text, sizeof(text), 0);
    if (n < 0)
        n = 0;
    while (n > 0 && text[n - 1] == '\n')
        n--;
    acme_log_clean(clean, sizeof(clean), text, (size_t)n);
    acme_log_clean(shown, sizeof(shown), path, strlen(path));
    return acme_error_set(err, ACME_BUSY, "\"%s\" is held by process %s",
        shown, n > 0 ? clean : "(unknown)");
}

static enum acme_rc
take_lock(int fd, const char *path, struct acme_error *err)
{
    struct stat st;

    if (fstat(fd, &st) == -1)
        return acme_dir_fail(err, errno, "lock", path);
    /* It is written in place: another name of it would be changed, too. */
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink > 1)
        return acme_error_set(err, ACME_IO,
            "cannot lock \"%s\": it is no regular file of ours", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
        if (errno == EWOULDBLOCK)
            return busy(fd, path, err);
        return acme_dir_fail(err, errno, "lock", path);
    }
    if ((st.st_mode & 07777) != 0600 && fchmod(fd, 0600) == -1)
        return acme_dir_fail(err, errno, "lock", path);
    write_holder(fd);
    return ACME_OK;
}

enum acme_rc
acme_dir_lock(int dirfd, const char *path, int *fd, struct acme_error *err)
{
    const char *base;
    enum acme_rc rc;
    int parent, lock;

    parent = acme_dir_open_parent(dirfd, path, &base);
    if (parent == -1)
        return acme_dir_fail(err, errno, "lock", path);
    lock = openat(parent, base,
        O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        0600);
    if (lock == -1) {
        rc = acme_dir_fail(err, errno, "lock", path);
        close(parent);
        return rc;
    }
    close(parent);
    rc = take_lock(lock, path, err);
    if (rc == ACME_OK)
        *fd = lock;
    else
        close(lock);
    return rc;
}

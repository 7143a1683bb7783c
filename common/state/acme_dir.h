/*
 * The one door to files below the state directory (and to key files an
 * operator names): nothing is followed that could be planted, everything is
 * bounded, every write is durable unless its name says otherwise.  Paths are
 * relative to an open directory, made of names chosen by us.  Knows no layout
 * (acme_store.h does).
 */
#ifndef ACME_DIR_H
#define ACME_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

/*
 * Whether a directory may hold root's secrets: every ancestor is a directory
 * owned by root or by `owner` and not writable by group or others unless
 * sticky (symbolic links of root or `owner` on the way are resolved, and what
 * they lead through is judged the same way), and it belongs to `owner`
 * itself.  ACME_NOENT: it does not exist yet, but its parent does and is
 * safe.  ACME_IO naming the unsafe or missing ancestor and the cure.
 * Reads only.
 */
enum acme_rc acme_dir_check(const char *path, uid_t owner,
    struct acme_error *err);

/*
 * Whether nobody but root and `owner` decides what is in the regular file
 * `path`: the same of its ancestors, and it is the owner's and not writable
 * by others.  `real`: its path, without links.  ACME_NOENT, ACME_IO as above.
 * Reads only.
 */
enum acme_rc acme_dir_check_file(const char *path, uid_t owner, char *real,
    size_t size, struct acme_error *err);

/*
 * Opens the state directory: judged as by acme_dir_check(), component by
 * component, so that nothing can be exchanged in between; with `create` makes
 * the last component, mode 0700.  The mode of one that exists is not changed
 * (a mistyped path must not close a directory of somebody else):
 * acme_dir_private() does that once it is known to be ours.  *fd is CLOEXEC.
 */
enum acme_rc acme_dir_open(const char *path, uid_t owner, bool create, int *fd,
    struct acme_error *err);

/*
 * Reads a regular file of `owner` with at most `max` bytes, appending to
 * `out`.  No component may be a symbolic link (openat2 with RESOLVE_BENEATH
 * and RESOLVE_NO_SYMLINKS, or component by component on kernels and
 * sandboxes without it); never blocks on a FIFO or a device.  ACME_NOENT: not
 * there.  ACME_IO: what is wrong, by name.
 */
enum acme_rc acme_dir_read(int dirfd, const char *path, uid_t owner,
    size_t max, struct acme_buf *out, struct acme_error *err);

/*
 * The same for an absolute path an operator configured (an account key): it
 * may contain symbolic links, the file must be regular, of root, of `owner`
 * or of the caller, and not readable by others.
 */
enum acme_rc acme_dir_read_secret(const char *path, uid_t owner, size_t max,
    struct acme_buf *out, struct acme_error *err);

/* A file that is nobody's secret (a CA bundle): absolute path, any owner,
 * links allowed, regular. */
enum acme_rc acme_dir_read_public(const char *path, size_t max,
    struct acme_buf *out, struct acme_error *err);

/*
 * A file that is no secret but that root acts on, and that an operator may
 * replace at any time: its directory is opened once, the file read by its name
 * as often as wanted.  Both, and what is above, belong to root or to the
 * caller and are writable by nobody else (a sticky directory is fine), and the
 * file itself is no symbolic link.  *name is the rest of the absolute `path`,
 * *fd is CLOEXEC.  ACME_IO, ACME_NOENT: what is wrong, without the path.
 */
enum acme_rc acme_dir_open_trusted(const char *path, int *fd,
    const char **name, struct acme_error *err);
enum acme_rc acme_dir_read_trusted(int fd, const char *name, size_t max,
    struct acme_buf *out, struct acme_error *err);

/*
 * Durable replace: temporary file in the same directory, fsync, rename,
 * fsync of the directory.  Parent directories must exist.
 */
enum acme_rc acme_dir_write(int dirfd, const char *path, mode_t mode,
    const void *data, size_t len, struct acme_error *err);

/*
 * The same without a word to the disk: every process sees the old file or the
 * new one, also after a crash, but a loss of power may undo it, or leave an
 * empty file.  For what only spares somebody work.
 */
enum acme_rc acme_dir_write_soon(int dirfd, const char *path, mode_t mode,
    const void *data, size_t len, struct acme_error *err);

/* Makes one new file with its content, without a word to the disk: for files
 * of a directory that nobody sees before acme_dir_sync_files().  One that
 * exists is an error. */
enum acme_rc acme_dir_create(int dirfd, const char *path, mode_t mode,
    const void *data, size_t len, struct acme_error *err);

/* Makes `path` and its missing parents, mode 0700, fsyncing each parent. */
enum acme_rc acme_dir_make(int dirfd, const char *path,
    struct acme_error *err);

/* Makes an empty directory beside `path`, mode 0700, under a name that
 * acme_dir_list() does not see: "PARENT/.BASE.tmp", into `hidden`.  What a
 * crash left there goes: the caller holds the lock of `path`. */
enum acme_rc acme_dir_make_hidden(int dirfd, const char *path, char *hidden,
    size_t size, struct acme_error *err);

/* Gives a file or directory a new name in the same directory, durably. */
enum acme_rc acme_dir_rename(int dirfd, const char *from, const char *to,
    struct acme_error *err);

/* The same, but a loss of power may undo it. */
enum acme_rc acme_dir_rename_soon(int dirfd, const char *from, const char *to,
    struct acme_error *err);

/* Points the symbolic link `path` to `target` with one rename, durably.
 * "PARENT/.BASE.tmp" is its temporary name. */
enum acme_rc acme_dir_link(int dirfd, const char *target, const char *path,
    struct acme_error *err);

/* Where the symbolic link `path` points.  ACME_IO: it is no link, or the
 * target has `size` bytes or more. */
enum acme_rc acme_dir_readlink(int dirfd, const char *path, char *target,
    size_t size, struct acme_error *err);

/* Moves a directory's mtime, for those who watch it. */
enum acme_rc acme_dir_touch(int dirfd, const char *path,
    struct acme_error *err);

/* Makes the open directory private (0700) if it is not; a group that it was
 * given to, which is not its owner's, goes on reading it. */
enum acme_rc acme_dir_private(int dirfd, const char *path,
    struct acme_error *err);

/* Opens a directory below dirfd without following links; -1 with errno. */
int acme_dir_open_below(int dirfd, const char *path);

/* fsync of a directory below dirfd. */
enum acme_rc acme_dir_sync(int dirfd, const char *path,
    struct acme_error *err);

/* fsync of the files in a directory, then of the directory. */
enum acme_rc acme_dir_sync_files(int dirfd, const char *path,
    struct acme_error *err);

/* Removes a directory with what is in it (one level of files is all we
 * ever make), or a file, or a link itself.  Absent is fine. */
enum acme_rc acme_dir_remove(int dirfd, const char *path,
    struct acme_error *err);

/* The same, but a loss of power may bring it back. */
enum acme_rc acme_dir_remove_soon(int dirfd, const char *path,
    struct acme_error *err);

/* The same for what must not be seen half removed: it goes out of sight
 * first, as "PARENT/.BASE.tmp".  A loss of power may bring it back. */
enum acme_rc acme_dir_drop(int dirfd, const char *path,
    struct acme_error *err);

/* Entries of a directory, in byte order. */
struct acme_dir_names {
    size_t count;
    size_t cap;
    char **name;
};

/* All but "." and ".."; names with a dot first only with `dots`. */
enum acme_rc acme_dir_names_read(int dirfd, const char *path, bool dots,
    struct acme_dir_names *names, struct acme_error *err);
void acme_dir_names_free(struct acme_dir_names *names);

/*
 * Calls `visit` with each entry's name, in byte order, without "." and ".."
 * and names beginning with a dot.  Stops on the first rc other than ACME_OK
 * and returns it.  An absent directory has no entries.
 */
enum acme_rc acme_dir_list(int dirfd, const char *path,
    enum acme_rc (*visit)(void *ctx, const char *name, struct acme_error *err),
    void *ctx, struct acme_error *err);

/* Removes the temporary files (".*.tmp") of crashed writers in the directory
 * `path` that are older than `age` seconds: younger ones may be somebody's
 * work.  Housekeeping: what cannot be removed stays. */
#define ACME_DIR_SWEEP_ALL ((time_t)-1) /* whatever their age */
void acme_dir_sweep(int dirfd, const char *path, time_t age);

/*
 * flock(2), exclusive, without waiting.  The file is made if needed and never
 * removed; pid and host of the holder are in it.  ACME_BUSY names the holder.
 * Closing *fd releases it.
 */
enum acme_rc acme_dir_lock(int dirfd, const char *path, int *fd,
    struct acme_error *err);

#endif

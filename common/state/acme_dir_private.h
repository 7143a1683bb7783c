/*
 * What the files behind acme_dir.h share.
 */
#ifndef ACME_DIR_PRIVATE_H
#define ACME_DIR_PRIVATE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/acme_error.h"

/* Longest path below a directory that any of them takes. */
#define ACME_DIR_PATH_MAX 4096

/* Flags for only a way to what is below; needs no permission to list. */
#ifdef O_PATH
#define ACME_DIR_STEP (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#else
#define ACME_DIR_STEP (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#endif

/* ACME_IO `cannot VERB "PATH"` with the reason for errnum. */
enum acme_rc acme_dir_fail(struct acme_error *err, int errnum,
    const char *verb, const char *path);

/* The same for what is only read: ENOENT is ACME_NOENT. */
enum acme_rc acme_dir_fail_read(struct acme_error *err, int errnum,
    const char *verb, const char *path);

/*
 * openat() below dirfd through real directories only, never blocking, never
 * a controlling terminal, CLOEXEC.  `flags` without O_CREAT.  "." is dirfd
 * itself.  -1 with errno.
 */
int acme_dir_open_file(int dirfd, const char *path, int flags);

/* Opens the directory that `path` is in; *base is the last component (points
 * into path).  -1 with errno. */
int acme_dir_open_parent(int dirfd, const char *path, const char **base);

/* Reads the regular file `fd`, at most max bytes, appending to out. */
struct acme_buf;
enum acme_rc acme_dir_read_fd(int fd, const char *path, size_t max,
    struct acme_buf *out, struct acme_error *err);

#endif

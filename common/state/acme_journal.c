#include "state/acme_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "state/acme_dir.h"
#include "state/acme_dir_private.h"

static enum acme_rc
judge(const struct acme_journal *journal, const struct acme_journal_file *file,
    struct acme_error *err)
{
    if (S_ISREG(file->st.st_mode) && file->st.st_uid == journal->owner &&
        file->st.st_nlink == 1)
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "\"%s\" is no regular file of ours alone; remove it", file->path);
}

enum acme_rc
acme_journal_open(const struct acme_journal *journal, const char *path,
    int flags, struct acme_journal_file *file, struct acme_error *err)
{
    enum acme_rc rc;

    file->path = path;
    file->fd = acme_dir_open_file(journal->dirfd, path, flags);
    if (file->fd == -1 && errno == ENOENT)
        return ACME_OK;
    if (file->fd == -1)
        return acme_dir_fail(err, errno, "open", path);
    if (fstat(file->fd, &file->st) == -1)
        rc = acme_dir_fail(err, errno, "open", path);
    else
        rc = judge(journal, file, err);
    if (rc == ACME_OK)
        return rc;
    close(file->fd);
    file->fd = -1;
    return rc;
}

/* ---- writing ---------------------------------------------------------- */

static enum acme_rc
rotate(const struct acme_journal *journal, struct acme_error *err)
{
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = journal->nfiles - 1; rc == ACME_OK && i > 0; i--) {
        acme_error_clear(&ignored);
        rc = acme_dir_rename_soon(journal->dirfd, journal->file[i - 1],
            journal->file[i], &ignored);
        if (rc == ACME_OK || faccessat(journal->dirfd, journal->file[i - 1],
                                 F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            rc = ACME_OK; /* or there is none */
        else
            rc = acme_error_set(err, rc, "%s", ignored.what);
    }
    return rc;
}

static enum acme_rc
open_to_write(const struct acme_journal *journal,
    struct acme_journal_file *file, struct acme_error *err)
{
    enum acme_rc rc;

    /* read as well, for the last byte; a FIFO would not open otherwise */
    rc = acme_journal_open(journal, journal->file[0], O_RDWR | O_APPEND, file,
        err);
    if (rc != ACME_OK || file->fd != -1)
        return rc;
    rc = acme_dir_create(journal->dirfd, journal->file[0], 0600, "", 0, err);
    if (rc == ACME_OK)
        rc = acme_journal_open(journal, journal->file[0], O_RDWR | O_APPEND,
            file, err);
    if (rc == ACME_OK && file->fd == -1)
        rc = acme_dir_fail(err, ENOENT, "open", journal->file[0]);
    return rc;
}

/* Whether somebody has died, or found the disk full, within a line. */
static bool
is_torn(const struct acme_journal_file *file)
{
    char last = '\n';

    return file->st.st_size > 0 &&
           pread(file->fd, &last, 1, file->st.st_size - 1) == 1 &&
           last != '\n';
}

/* `line` has an end of line at its beginning, too. */
static enum acme_rc
append(const struct acme_journal_file *file, const struct acme_buf *line,
    struct acme_error *err)
{
    size_t skip = is_torn(file) ? 0 : 1;
    ssize_t n;

    if ((file->st.st_mode & 07777) != 0600 && fchmod(file->fd, 0600) == -1)
        return acme_dir_fail(err, errno, "write", file->path);
    do
        n = write(file->fd, line->data + skip, line->len - skip);
    while (n == -1 && errno == EINTR);
    if (n == -1)
        return acme_dir_fail(err, errno, "write", file->path);
    return (size_t)n == line->len - skip
               ? ACME_OK
               : acme_dir_fail(err, ENOSPC, "write", file->path);
}

enum acme_rc
acme_journal_append(const struct acme_journal *journal,
    const struct acme_buf *line, struct acme_error *err)
{
    struct acme_journal_file file;
    enum acme_rc rc = open_to_write(journal, &file, err);

    if (rc == ACME_OK &&
        (unsigned long long)file.st.st_size + line->len > journal->max) {
        close(file.fd);
        file.fd = -1;
        rc = rotate(journal, err);
        if (rc == ACME_OK)
            rc = open_to_write(journal, &file, err);
    }
    if (rc == ACME_OK)
        rc = append(&file, line, err);
    if (file.fd != -1)
        close(file.fd);
    return rc;
}

/*
 * The journal of events: lines that several stores append to one file, which
 * never gets large.  A line is written by one call; one that a crash has torn
 * ends where the next begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_dir_private.h"
#include "state/acme_store_private.h"

/* The newest first. */
static const char *const files[] = { "events.jsonl", "events.1.jsonl",
    "events.2.jsonl" };

#define NFILES (sizeof(files) / sizeof(files[0]))

#define LOCK "locks/events"

/* An open one of them, judged. */
struct file {
    const char *path;
    int fd; /* -1: there is none */
    struct stat st;
};

static enum acme_rc
judge(const struct acme_store *store, const struct file *file,
    struct acme_error *err)
{
    if (S_ISREG(file->st.st_mode) && file->st.st_uid == store->owner &&
        file->st.st_nlink == 1)
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "\"%s\" is no regular file of ours alone; remove it", file->path);
}

/* ACME_OK too where there is none. */
static enum acme_rc
open_file(const struct acme_store *store, const char *path, int flags,
    struct file *file, struct acme_error *err)
{
    enum acme_rc rc;

    file->path = path;
    file->fd = acme_dir_open_file(store->fd, path, flags);
    if (file->fd == -1 && errno == ENOENT)
        return ACME_OK;
    if (file->fd == -1)
        return acme_dir_fail(err, errno, "open", path);
    if (fstat(file->fd, &file->st) == -1)
        rc = acme_dir_fail(err, errno, "open", path);
    else
        rc = judge(store, file, err);
    if (rc == ACME_OK)
        return rc;
    close(file->fd);
    file->fd = -1;
    return rc;
}

/* ---- writing ---------------------------------------------------------- */

static enum acme_rc
rotate(const struct acme_store *store, struct acme_error *err)
{
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = NFILES - 1; rc == ACME_OK && i > 0; i--) {
        acme_error_clear(&ignored);
        rc = acme_dir_rename_soon(store->fd, files[i - 1], files[i], &ignored);
        if (rc == ACME_OK ||
            faccessat(store->fd, files[i - 1], F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            rc = ACME_OK; /* or there is none */
        else
            rc = acme_error_set(err, rc, "%s", ignored.what);
    }
    return rc;
}

static enum acme_rc
open_to_write(const struct acme_store *store, struct file *file,
    struct acme_error *err)
{
    enum acme_rc rc;

    /* read as well, for the last byte; a FIFO would not open otherwise */
    rc = open_file(store, files[0], O_RDWR | O_APPEND, file, err);
    if (rc != ACME_OK || file->fd != -1)
        return rc;
    rc = acme_dir_create(store->fd, files[0], 0600, "", 0, err);
    if (rc == ACME_OK)
        rc = open_file(store, files[0], O_RDWR | O_APPEND, file, err);
    if (rc == ACME_OK && file->fd == -1)
        rc = acme_dir_fail(err, ENOENT, "open", files[0]);
    return rc;
}

/* Whether somebody has died, or found the disk full, within a line. */
static bool
is_torn(const struct file *file)
{
    char last = '\n';

    return file->st.st_size > 0 &&
           pread(file->fd, &last, 1, file->st.st_size - 1) == 1 &&
           last != '\n';
}

/* `line` has an end of line at its beginning, too. */
static enum acme_rc
append(const struct file *file, const struct acme_buf *line,
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

/* With the lock. */
static enum acme_rc
write_line(const struct acme_store *store, const struct acme_buf *line,
    struct acme_error *err)
{
    struct file file;
    enum acme_rc rc = open_to_write(store, &file, err);

    if (rc == ACME_OK && (unsigned long long)file.st.st_size + line->len >
                             ACME_EVENTS_FILE_MAX) {
        close(file.fd);
        file.fd = -1;
        rc = rotate(store, err);
        if (rc == ACME_OK)
            rc = open_to_write(store, &file, err);
    }
    if (rc == ACME_OK)
        rc = append(&file, line, err);
    if (file.fd != -1)
        close(file.fd);
    return rc;
}

enum acme_rc
acme_store_event_write(struct acme_store *store,
    const struct acme_event *event, struct acme_error *err)
{
    struct acme_buf line;
    int lock = -1;
    enum acme_rc rc = acme_store_writable(store, err);

    acme_buf_init(&line, ACME_EVENT_LINE_MAX);
    acme_buf_add_str(&line, "\n");
    if (rc == ACME_OK)
        rc = acme_event_render(event, &line, err);
    acme_buf_add_str(&line, "\n");
    if (rc == ACME_OK && !acme_buf_ok(&line))
        rc = acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = acme_store_lock_soon(store, LOCK, &lock, err);
    if (rc == ACME_OK)
        rc = write_line(store, &line, err);
    if (lock != -1)
        close(lock);
    acme_buf_clear(&line);
    return rc;
}

/* ---- reading ---------------------------------------------------------- */

/* What is to be read: of the oldest file only what is behind `from`. */
struct journal {
    size_t nfiles;
    struct file file[NFILES]; /* the newest first */
    size_t from;
    struct acme_buf text[NFILES];
};

static void
close_journal(struct journal *journal)
{
    size_t i;

    for (i = 0; i < journal->nfiles; i++) {
        close(journal->file[i].fd);
        acme_buf_clear(&journal->text[i]);
    }
    journal->nfiles = 0;
}

/* Of its first bytes before `end` (FNV-1a): a new file may get the inode of
 * one that is gone.  0: it cannot be read. */
static uint64_t
hash_head(const struct file *file, size_t end)
{
    uint64_t hash = 0xcbf29ce484222325;
    unsigned char head[512];
    ssize_t n, i;

    n = pread(file->fd, head, end < sizeof(head) ? end : sizeof(head), 0);
    for (i = 0; i < n; i++)
        hash = (hash ^ head[i]) * 0x100000001b3;
    return n >= 0 ? hash : 0;
}

static bool
is_at(const struct acme_events_place *place, const struct file *file)
{
    return place->inode == (uint64_t)file->st.st_ino &&
           place->device == (uint64_t)file->st.st_dev &&
           place->offset <= (unsigned long long)file->st.st_size &&
           place->head == hash_head(file, place->offset);
}

static bool
is_open(const struct journal *journal, const struct file *file)
{
    size_t i;

    for (i = 0; i < journal->nfiles; i++) {
        if (journal->file[i].st.st_ino == file->st.st_ino &&
            journal->file[i].st.st_dev == file->st.st_dev)
            return true;
    }
    return false;
}

/*
 * Nobody waits for readers: while the files are opened, the newest first, one
 * may become the next and is met twice.
 */
static enum acme_rc
open_journal(const struct acme_store *store,
    const struct acme_events_place *place, struct journal *journal,
    struct acme_error *err)
{
    struct file file;
    size_t i;

    journal->nfiles = 0;
    journal->from = 0;
    for (i = 0; i < NFILES; i++) {
        if (open_file(store, files[i], O_RDONLY, &file, err) != ACME_OK) {
            close_journal(journal);
            return err->rc;
        }
        if (file.fd == -1)
            continue;
        if (is_open(journal, &file)) {
            close(file.fd);
            continue;
        }
        acme_buf_init(&journal->text[journal->nfiles],
            ACME_EVENTS_FILE_MAX + ACME_EVENT_LINE_MAX);
        journal->file[journal->nfiles++] = file;
        if (is_at(place, &file)) {
            journal->from = place->offset;
            break; /* older ones have been read */
        }
    }
    return ACME_OK;
}

static enum acme_rc
read_from(const struct file *file, size_t from, struct acme_buf *text,
    struct acme_error *err)
{
    size_t size = (size_t)file->st.st_size - from, done = 0;
    unsigned char *room;
    ssize_t n = 1;

    if (size > text->max)
        return acme_error_set(err, ACME_IO, "\"%s\" is too large", file->path);
    if (size == 0)
        return ACME_OK;
    room = acme_buf_extend(text, size);
    if (room == NULL)
        return acme_error_nomem(err);
    while (done < size && n != 0) {
        n = pread(file->fd, room + done, size - done, (off_t)(from + done));
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return acme_dir_fail(err, errno, "read", file->path);
        done += (size_t)n;
    }
    text->len = done;
    text->data[done] = '\0';
    return ACME_OK;
}

static enum acme_rc
read_journal(struct journal *journal, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; rc == ACME_OK && i < journal->nfiles; i++)
        rc = read_from(&journal->file[i],
            i + 1 == journal->nfiles ? journal->from : 0, &journal->text[i],
            err);
    return rc;
}

/* What is asked of the events in the journal, one after the other. */
struct walk {
    const char *lineage;
    size_t skip; /* as many are not visited */
    size_t met;
    acme_event_visit *visit; /* NULL: they are counted */
    void *ctx;
};

static enum acme_rc
visit_line(struct walk *walk, const char *line, size_t len,
    struct acme_error *err)
{
    struct acme_event event;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_event_parse(line, len, &event, &ignored) != ACME_OK)
        return ignored.rc == ACME_NOMEM ? acme_error_nomem(err) : ACME_OK;
    if (walk->lineage != NULL && strcmp(walk->lineage, event.lineage) != 0)
        return ACME_OK;
    if (walk->met++ < walk->skip || walk->visit == NULL)
        return ACME_OK;
    return walk->visit(walk->ctx, &event, err);
}

/* *end: behind the last line; a part of the next one may be there. */
static enum acme_rc
visit_text(struct walk *walk, const struct acme_buf *text, size_t *end,
    struct acme_error *err)
{
    const char *at = acme_buf_str(text), *stop = at + text->len, *newline;
    enum acme_rc rc = ACME_OK;

    *end = 0;
    while (rc == ACME_OK && at < stop &&
           (newline = memchr(at, '\n', (size_t)(stop - at))) != NULL) {
        rc = visit_line(walk, at, (size_t)(newline - at), err);
        at = newline + 1;
        *end = (size_t)(at - acme_buf_str(text));
    }
    return rc;
}

static enum acme_rc
visit_all(struct walk *walk, const struct journal *journal,
    struct acme_events_place *place, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i, end;

    walk->met = 0;
    for (i = journal->nfiles; rc == ACME_OK && i-- > 0;) {
        const struct file *file = &journal->file[i];

        rc = visit_text(walk, &journal->text[i], &end, err);
        place->device = (uint64_t)file->st.st_dev;
        place->inode = (uint64_t)file->st.st_ino;
        place->offset = end + (i + 1 == journal->nfiles ? journal->from : 0);
        place->head = hash_head(file, place->offset);
    }
    return rc;
}

enum acme_rc
acme_store_events(const struct acme_store *store, const char *lineage,
    size_t most, struct acme_events_place *place, acme_event_visit *visit,
    void *ctx, struct acme_error *err)
{
    struct acme_events_place end = *place;
    struct walk walk = { .lineage = lineage };
    struct journal journal;
    enum acme_rc rc = open_journal(store, place, &journal, err);

    if (rc != ACME_OK)
        return rc;
    rc = read_journal(&journal, err);
    if (rc == ACME_OK && most != SIZE_MAX)
        rc = visit_all(&walk, &journal, &end, err);
    walk.skip = walk.met > most ? walk.met - most : 0;
    walk.visit = visit;
    walk.ctx = ctx;
    if (rc == ACME_OK)
        rc = visit_all(&walk, &journal, place, err);
    close_journal(&journal);
    return rc;
}

/*
 * The journal of events, to which several stores append.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_dir_private.h"
#include "state/acme_journal.h"
#include "state/acme_store_private.h"

/* The newest first. */
static const char *const files[] = { "events.jsonl", "events.1.jsonl",
    "events.2.jsonl" };

#define NFILES (sizeof(files) / sizeof(files[0]))

#define LOCK "locks/events"

static struct acme_journal
journal_of(const struct acme_store *store)
{
    const struct acme_journal journal = { store->fd, store->owner, files,
        NFILES, ACME_EVENTS_FILE_MAX };

    return journal;
}

/* ---- writing ---------------------------------------------------------- */

enum acme_rc
acme_store_event_write(struct acme_store *store,
    const struct acme_event *event, struct acme_error *err)
{
    const struct acme_journal journal = journal_of(store);
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
        rc = acme_journal_append(&journal, &line, err);
    if (lock != -1)
        close(lock);
    acme_buf_clear(&line);
    return rc;
}

/* ---- reading ---------------------------------------------------------- */

/* What is to be read: of the oldest file only what is behind `from`. */
struct reading {
    size_t nfiles;
    struct acme_journal_file file[NFILES]; /* the newest first */
    size_t from;
    struct acme_buf text[NFILES];
};

static void
close_reading(struct reading *reading)
{
    size_t i;

    for (i = 0; i < reading->nfiles; i++) {
        close(reading->file[i].fd);
        acme_buf_clear(&reading->text[i]);
    }
    reading->nfiles = 0;
}

/* Of its first bytes before `end` (FNV-1a): a new file may get the inode of
 * one that is gone.  0: it cannot be read. */
static uint64_t
hash_head(const struct acme_journal_file *file, size_t end)
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
is_at(const struct acme_events_place *place,
    const struct acme_journal_file *file)
{
    return place->inode == (uint64_t)file->st.st_ino &&
           place->device == (uint64_t)file->st.st_dev &&
           place->offset <= (unsigned long long)file->st.st_size &&
           place->head == hash_head(file, place->offset);
}

static bool
is_open(const struct reading *reading, const struct acme_journal_file *file)
{
    size_t i;

    for (i = 0; i < reading->nfiles; i++) {
        if (reading->file[i].st.st_ino == file->st.st_ino &&
            reading->file[i].st.st_dev == file->st.st_dev)
            return true;
    }
    return false;
}

/*
 * Nobody waits for readers: while the files are opened, the newest first, one
 * may become the next and is met twice.
 */
static enum acme_rc
open_reading(const struct acme_store *store,
    const struct acme_events_place *place, struct reading *reading,
    struct acme_error *err)
{
    const struct acme_journal journal = journal_of(store);
    struct acme_journal_file file;
    size_t i;

    reading->nfiles = 0;
    reading->from = 0;
    for (i = 0; i < NFILES; i++) {
        if (acme_journal_open(&journal, files[i], O_RDONLY, &file, err) !=
            ACME_OK) {
            close_reading(reading);
            return err->rc;
        }
        if (file.fd == -1)
            continue;
        if (is_open(reading, &file)) {
            close(file.fd);
            continue;
        }
        acme_buf_init(&reading->text[reading->nfiles],
            ACME_EVENTS_FILE_MAX + ACME_EVENT_LINE_MAX);
        reading->file[reading->nfiles++] = file;
        if (is_at(place, &file)) {
            reading->from = place->offset;
            break; /* older ones have been read */
        }
    }
    return ACME_OK;
}

static enum acme_rc
read_from(const struct acme_journal_file *file, size_t from,
    struct acme_buf *text, struct acme_error *err)
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
read_files(struct reading *reading, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; rc == ACME_OK && i < reading->nfiles; i++)
        rc = read_from(&reading->file[i],
            i + 1 == reading->nfiles ? reading->from : 0, &reading->text[i],
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
visit_all(struct walk *walk, const struct reading *reading,
    struct acme_events_place *place, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i, end;

    walk->met = 0;
    for (i = reading->nfiles; rc == ACME_OK && i-- > 0;) {
        const struct acme_journal_file *file = &reading->file[i];

        rc = visit_text(walk, &reading->text[i], &end, err);
        place->device = (uint64_t)file->st.st_dev;
        place->inode = (uint64_t)file->st.st_ino;
        place->offset = end + (i + 1 == reading->nfiles ? reading->from : 0);
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
    struct reading reading;
    enum acme_rc rc = open_reading(store, place, &reading, err);

    if (rc != ACME_OK)
        return rc;
    rc = read_files(&reading, err);
    if (rc == ACME_OK && most != SIZE_MAX)
        rc = visit_all(&walk, &reading, &end, err);
    walk.skip = walk.met > most ? walk.met - most : 0;
    walk.visit = visit;
    walk.ctx = ctx;
    if (rc == ACME_OK)
        rc = visit_all(&walk, &reading, place, err);
    close_reading(&reading);
    return rc;
}

#define _GNU_SOURCE
#include "drive/acme_track.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "state/acme_dir.h"
#include "state/acme_journal.h"
#include "wrap/acme_json.h"

/* Room for what JSON makes of a content. */
#define LINE_MAX_BYTES ((size_t)256 * 1024)

/* ---- identifiers ------------------------------------------------------ */

void
acme_track_new_id(char id[ACME_TRACK_ID_MAX])
{
    const time_t now = time(NULL);
    struct tm tm;
    char text[32];

    (void)gmtime_r(&now, &tm);
    (void)strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &tm);
    (void)snprintf(id, ACME_TRACK_ID_MAX, "%s-%ld", text, (long)getpid());
}

enum acme_rc
acme_track_read_id(const char *text, char id[ACME_TRACK_ID_MAX],
    struct acme_error *err)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789._:-";
    const size_t len = strcspn(text, "\r\n");

    if (len == 0)
        return acme_error_set(err, ACME_IO,
            "the program has not written what it calls the record");
    if (len >= ACME_TRACK_ID_MAX || strspn(text, good) < len ||
        strchr(".-", text[0]) != NULL)
        return acme_error_set(err, ACME_IO,
            "what the program calls the record must be one line of at most %d "
            "letters, digits and ._:-, with none of .- first",
            ACME_TRACK_ID_MAX - 1);
    memcpy(id, text, len);
    id[len] = '\0';
    return ACME_OK;
}

/* ---- lines ------------------------------------------------------------ */

static struct acme_json *
parse_object(const char *text, size_t len)
{
    struct acme_json *json = NULL;
    struct acme_error ignored;

    acme_error_clear(&ignored);
    (void)acme_json_parse(text, len, "record", &json, &ignored);
    return json;
}

/* What is no text for JSON, is left out of it. */
static enum acme_rc
render(const struct acme_track_line *line, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_json *json = acme_json_object();
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, LINE_MAX_BYTES);
    acme_buf_add(&text, line->content, line->content_len);
    acme_json_set_time(json, "timestamp", time(NULL));
    acme_json_set_str(json, "id", line->id);
    acme_json_set_str(json, "name", line->lineage);
    acme_json_set_str(json, "action", line->action);
    acme_json_set_str(json, "type", line->type);
    acme_json_set_str(json, "data_type", line->data);
    if (strcmp(line->action, ACME_TRACK_CREATE) == 0)
        acme_json_set(json, "content",
            parse_object(line->content, line->content_len));
    else
        acme_json_set_str(json, "content", acme_buf_str(&text));
    acme_buf_add_str(out, "\n");
    rc = acme_json_render(json, false, out, err);
    acme_buf_add_str(out, "\n");
    if (rc == ACME_OK && (!acme_buf_ok(out) || !acme_buf_ok(&text)))
        rc = acme_error_nomem(err);
    acme_json_free(json);
    acme_buf_clear(&text);
    return rc;
}

/* The directory is its own lock: several servers may write there. */
static enum acme_rc
append(int fd, const struct acme_track_line *line, const struct acme_buf *text,
    struct acme_error *err)
{
    char newer[ACME_LINEAGE_MAX + 16], older[ACME_LINEAGE_MAX + 16];
    const char *const files[] = { newer, older };
    const struct acme_journal journal = { fd, geteuid(), files, 2,
        ACME_TRACK_FILE_MAX };

    struct stat st;

    if (fstat(fd, &st) != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return acme_error_set(err, ACME_IO,
            "others can write to it; chmod go-w it");
    (void)snprintf(newer, sizeof(newer), "%s.log", line->lineage);
    (void)snprintf(older, sizeof(older), "%s.log.1", line->lineage);
    if (flock(fd, LOCK_EX) != 0)
        return acme_error_errno(err, ACME_IO, errno, "cannot lock it");
    return acme_journal_append(&journal, text, err);
}

enum acme_rc
acme_track_write(const char *directory, const struct acme_track_line *line,
    struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;
    int fd = -1;

    acme_buf_init(&text, LINE_MAX_BYTES);
    rc = render(line, &text, err);
    if (rc == ACME_OK)
        rc = acme_dir_open(directory, geteuid(), true, &fd, err);
    if (rc == ACME_OK)
        rc = append(fd, line, &text, err);
    if (rc != ACME_OK)
        rc = acme_error_wrap(err, "tracking directory \"%s\"", directory);
    if (fd != -1)
        close(fd);
    acme_buf_clear(&text);
    return rc;
}

/*
 * Tracking: a record of each renewal, in AutoSSL's sense, which is opened
 * before the order, gets the signing request and the certificate, and is
 * closed with what became of it.  Lines of a file, or an administrator's
 * program.  Blocks; in a handler of the runner.
 */
#ifndef ACME_TRACK_H
#define ACME_TRACK_H

#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"

/* What is done to a record. */
#define ACME_TRACK_CREATE "create"
#define ACME_TRACK_UPDATE "update"
#define ACME_TRACK_SAVE "save" /* ":csr", ":crt" or ":lineage" behind it */
#define ACME_TRACK_SUCCESS "close-success"
#define ACME_TRACK_FAILURE "close-failure"

/* Why there is one. */
#define ACME_TRACK_RENEWAL "renewal"
#define ACME_TRACK_SYNCHRONIZE "synchronize"

/* One line of a file.  The content is text, of CREATE a JSON object. */
struct acme_track_line {
    const char *id;
    const char *lineage;
    const char *action;
    const char *type; /* of CREATE; else NULL */
    const char *data; /* of SAVE: "csr", "crt", "lineage"; else NULL */
    const char *content;
    size_t content_len;
};

/*
 * Appends it to DIRECTORY/LINEAGE.log: {"timestamp", "id", "name", "action",
 * "type", "data_type", "content"}.  The directory must belong to us, and with
 * what is above it be nobody else's to write to; it is made if only it is
 * missing.  ACME_IO: with the directory and the cure.
 */
enum acme_rc acme_track_write(const char *directory,
    const struct acme_track_line *line, struct acme_error *err);

/* A new record's, of the time and this process. */
void acme_track_new_id(char id[ACME_TRACK_ID_MAX]);

/* What a program calls its new record: the first line of what it wrote, of
 * letters, digits and ._:-, none of ".-" first.  ACME_IO. */
enum acme_rc acme_track_read_id(const char *text, char id[ACME_TRACK_ID_MAX],
    struct acme_error *err);

#endif

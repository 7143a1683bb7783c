/*
 * What there is to know about lineages, as JSON: the one model that acmectl
 * prints and workers show.  ../STATUS.md has its members; this is where they
 * are made.  Reads the state directory and changes nothing; holds no secret;
 * text of others is printable and bounded.
 */
#ifndef ACME_STATUS_H
#define ACME_STATUS_H

#include <time.h>

#include "base/acme_error.h"
#include "state/acme_condition.h"
#include "state/acme_event.h"
#include "state/acme_store.h"
#include "wrap/acme_json.h"

/* Of documents: goes up when a member gets another meaning or goes, not when
 * one comes. */
#define ACME_STATUS_SCHEMA 1

struct acme_status_lineage {
    struct acme_json *json; /* an object, the caller's */
    enum acme_condition condition;
    time_t until; /* when it changes by itself; 0: never */
};

/*
 * One lineage.  `notes` (NULL: none) are records of its units that are newer
 * than those on the disk, ACME_ALGORITHMS of them, each NULL or empty where
 * there is none.  Trouble with one part is in the value, not in the result.
 * ACME_NOMEM; `status` is untouched then but for its plain members.
 */
enum acme_rc acme_status_lineage(struct acme_store *store, const char *name,
    time_t now, const struct acme_buf *const *notes,
    struct acme_status_lineage *status, struct acme_error *err);

/*
 * The same object without what is for root alone: paths, commands, and words
 * of programs; the caller's.  NULL: memory is short, now or when `lineage` was
 * made.
 */
struct acme_json *acme_status_public(const struct acme_json *lineage);

/* What others than root are told of an event of a lineage: {"at", "event",
 * "lineage", "issuer", "version", "not_after", "problem", "text"}. */
struct acme_json *acme_status_public_event(const struct acme_event *event);

/* How many lineages are in which condition: an object with all words. */
struct acme_json *acme_status_counts(const unsigned count[ACME_CONDITIONS]);

/* The document of a whole state directory. */
enum acme_rc acme_status_all(struct acme_store *store, const char *state_dir,
    time_t now, struct acme_json **status, struct acme_error *err);

/*
 * The text of one lineage's object, compact, of at most `max` bytes (1 kB and
 * more): lists that make it longer are cut, to ever fewer elements, and how
 * many are not there is told by a member "LIST_omitted" beside each.  What is
 * still too long comes down to name, state and state_text.  Changes `json`.
 */
enum acme_rc acme_status_text(struct acme_json *json, size_t max,
    struct acme_buf *out, struct acme_error *err);

#endif

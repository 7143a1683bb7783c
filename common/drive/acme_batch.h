/*
 * Pre and post hooks of renewals that overlap in time: identical ones are run
 * once, before the first and after the last of them.  A value; runs nothing.
 */
#ifndef ACME_BATCH_H
#define ACME_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drive/acme_stage.h"

struct acme_batch;

struct acme_batch *acme_batch_new(size_t nunits); /* NULL: out of memory */
void acme_batch_free(struct acme_batch *batch);   /* accepts NULL */

/*
 * A unit begins: `list` is cut to those of its hooks that are to be run now,
 * which are none if it has begun already.  ACME_NOMEM.
 */
enum acme_rc acme_batch_begin(struct acme_batch *batch, uint32_t unit,
    struct acme_stage_list *list, struct acme_error *err);

/* A unit that has begun has ended: its post hooks and names are kept for the
 * end.  One that has not begun is left alone.  ACME_NOMEM. */
enum acme_rc acme_batch_end(struct acme_batch *batch, uint32_t unit,
    const struct acme_lineage *lineage, const struct acme_stage_list *list,
    bool failed, struct acme_error *err);

/* Whether a unit is under way; whether anybody is. */
bool acme_batch_has_begun(const struct acme_batch *batch, uint32_t unit);
bool acme_batch_is_open(const struct acme_batch *batch);

/* The hooks that were kept, and the names of what was renewed and what failed;
 * valid as long as the batch.  What begins afterwards is another one. */
struct acme_batch_end {
    struct acme_stage_list list;
    const char *renewed, *failed; /* with spaces between; NULL: none */
};
void acme_batch_take(const struct acme_batch *batch,
    struct acme_batch_end *end);

#endif

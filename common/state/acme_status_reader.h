/*
 * The texts of the key area taken apart, one after the other: thousands for
 * one answer, so they are read where they stand.
 */
#ifndef ACME_STATUS_READER_H
#define ACME_STATUS_READER_H

#include <stdint.h>
#include <time.h>

#include "state/acme_area.h"
#include "wrap/acme_json_flat.h"

struct acme_status_reader;

/* Borrows the area.  NULL: no memory. */
struct acme_status_reader *acme_status_reader_new(
    const struct acme_area *area);
void acme_status_reader_free(struct acme_status_reader *reader); /* or NULL */

/* What is known of a lineage, or of ACME_AREA_SERVER: good until the next one
 * is read.  NULL: nothing yet. */
const struct acme_json_value *acme_status_reader_get(
    struct acme_status_reader *reader, size_t lineage);

/* A member's value; "" or 0 where there is none. */
const char *acme_status_reader_str(const struct acme_json_value *object,
    const char *name);
time_t acme_status_reader_time(const struct acme_json_value *object,
    const char *name);
int64_t acme_status_reader_int(const struct acme_json_value *object,
    const char *name);

#endif

/*
 * JSON read where it stands: for texts that we have rendered ourselves, of
 * which thousands are read for one answer.  No tree and no allocation for each
 * value; strings are unescaped in place.  Whatever the text is, nothing beside
 * it is read; what is no JSON is refused, but not as strictly as by
 * acme_json.h, which is for texts of others.
 */
#ifndef ACME_JSON_FLAT_H
#define ACME_JSON_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acme_json_flat;

/* For texts of at most `max` bytes, one after the other.  NULL: no memory. */
struct acme_json_flat *acme_json_flat_new(size_t max);
void acme_json_flat_free(struct acme_json_flat *flat); /* accepts NULL */

/* A value; those of one text are good until the next one is read. */
struct acme_json_value;

/* Takes `text` apart, which is not text any more afterwards and must live as
 * long as the values.  NULL: no JSON, or too long, or nested too deeply. */
const struct acme_json_value *acme_json_flat_read(struct acme_json_flat *flat,
    char *text, size_t len);

/* As their namesakes of acme_json.h; all accept NULL. */
const struct acme_json_value *acme_json_flat_get(
    const struct acme_json_value *object, const char *name);
const char *acme_json_flat_text(const struct acme_json_value *value);
bool acme_json_flat_true(const struct acme_json_value *value);

/* Of whole numbers that are not negative. */
int64_t acme_json_flat_int(const struct acme_json_value *value,
    int64_t absent);

/* The items of an array: the first, and the one behind another. */
const struct acme_json_value *acme_json_flat_first(
    const struct acme_json_value *array);
const struct acme_json_value *acme_json_flat_next(
    const struct acme_json_value *item);

#endif

/*
 * The door to jansson, both ways.  Parsing bounds size and depth before
 * jansson sees the text, rejects duplicate members and NUL in strings, and
 * reports line and column only: jansson's own error text quotes its input,
 * which may be a secret.  Values are borrowed from the document they are in.
 */
#ifndef ACME_JSON_H
#define ACME_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

struct acme_json; /* a value; the root of a document owns all below it */

/* `where` names the document in the error ("directory", a file name). */
enum acme_rc acme_json_parse(const char *text, size_t len, const char *where,
    struct acme_json **root, struct acme_error *err);
void acme_json_free(struct acme_json *root); /* accepts NULL */

/* Members of an object; NULL or the default when absent or of another type
 * (the caller decides whether that is an error). */
const struct acme_json *acme_json_get(const struct acme_json *object,
    const char *name);
const char *acme_json_str(const struct acme_json *object, const char *name);
int64_t acme_json_int(const struct acme_json *object, const char *name,
    int64_t absent);
bool acme_json_bool(const struct acme_json *object, const char *name,
    bool absent);

/*
 * A string member that must be there with 1 to `max` bytes.  ACME_WIRE
 * `member "NAME" is missing` / `is not a string` / `is empty` / `is too
 * long`; acme_error_wrap() adds of what.
 */
enum acme_rc acme_json_need_str(const struct acme_json *object,
    const char *name, size_t max, const char **value, struct acme_error *err);

/* Arrays: 0 / NULL for what is no array. */
size_t acme_json_count(const struct acme_json *array);
const struct acme_json *acme_json_at(const struct acme_json *array, size_t i);
/* A string value (an array's element) or NULL. */
const char *acme_json_text(const struct acme_json *value);
bool acme_json_is_object(const struct acme_json *value);

/* Objects, member by member: while ((iter = acme_json_next(obj, iter))). */
void *acme_json_next(const struct acme_json *object, void *iter);
const char *acme_json_iter_name(void *iter);
const struct acme_json *acme_json_iter_value(void *iter);

/*
 * Building.  A NULL container or value (out of memory earlier) makes the
 * call do nothing and remember the failure in the container, which
 * acme_json_render() reports: build first, ask once.  _set and _append take
 * `value`, which may be added to afterwards as long as its root lives; _set
 * replaces a member of that name.  A string that is not UTF-8 is such a
 * failure too (acme_log_clean() makes it UTF-8).
 */
struct acme_json *acme_json_object(void);
struct acme_json *acme_json_array(void);
void acme_json_set(struct acme_json *object, const char *name,
    struct acme_json *value);
void acme_json_set_str(struct acme_json *object, const char *name,
    const char *value); /* NULL value: no member */
void acme_json_set_int(struct acme_json *object, const char *name,
    int64_t value);
void acme_json_set_bool(struct acme_json *object, const char *name,
    bool value);
/* RFC 3339; no member for t == 0. */
void acme_json_set_time(struct acme_json *object, const char *name,
    long long t);
void acme_json_append(struct acme_json *array, struct acme_json *value);
void acme_json_append_str(struct acme_json *array, const char *value);
void acme_json_append_int(struct acme_json *array, int64_t value);
/* RFC 3339 member as time; 0 when absent or malformed. */
long long acme_json_time(const struct acme_json *object, const char *name);

/* A deep copy (new reference) of a borrowed value; NULL: out of memory. */
struct acme_json *acme_json_copy(const struct acme_json *value);

/* Appends the text, compact or indented by 2 with a final newline; members
 * in the order they were set.  ACME_NOMEM. */
enum acme_rc acme_json_render(const struct acme_json *root, bool indent,
    struct acme_buf *out, struct acme_error *err);

#endif

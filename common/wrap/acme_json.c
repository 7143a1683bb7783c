/*
 * A document is a tree of our own: containers are ours, so that each can
 * remember a failure to build it; scalars are jansson's, which knows numbers,
 * UTF-8 and escapes.
 */
#include "wrap/acme_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_time.h"

struct acme_json {
    enum {
        SCALAR,
        ARRAY,
        OBJECT
    } kind;
    json_t *scalar;          /* SCALAR only */
    char *name;              /* in an object, else NULL */
    struct acme_json **item; /* of a container, NULL behind the last */
    size_t count;
    size_t cap;
    bool failed; /* something could not be put into it */
};

static struct acme_json *
new_node(int kind)
{
    struct acme_json *node = calloc(1, sizeof(*node));

    if (node != NULL)
        node->kind = kind;
    return node;
}

/* Takes `value`, NULL if jansson could not make it. */
static struct acme_json *
new_scalar(json_t *value)
{
    struct acme_json *node = value ? new_node(SCALAR) : NULL;

    if (node != NULL)
        node->scalar = value;
    else
        json_decref(value);
    return node;
}

void
acme_json_free(struct acme_json *root)
{
    size_t i;

    if (root == NULL)
        return;
    for (i = 0; i < root->count; i++)
        acme_json_free(root->item[i]);
    free(root->item);
    free(root->name);
    json_decref(root->scalar);
    free(root);
}

/* Room for one more item and the NULL behind it. */
static bool
make_room(struct acme_json *container)
{
    size_t cap = container->cap ? container->cap * 2 : 8;
    struct acme_json **item;

    if (container->count + 1 < container->cap)
        return true;
    item = realloc(container->item, cap * sizeof(*item));
    if (item == NULL)
        return false;
    container->item = item;
    container->cap = cap;
    return true;
}

/* Puts `value` (taken, whatever happens) behind the others; `name` is NULL
 * in an array, and not yet there in an object. */
static void
put(struct acme_json *container, const char *name, struct acme_json *value)
{
    if (value != NULL && name != NULL)
        value->name = strdup(name);
    if (container == NULL || value == NULL || !make_room(container) ||
        (name != NULL && value->name == NULL)) {
        if (container != NULL)
            container->failed = true;
        acme_json_free(value);
        return;
    }
    container->item[container->count++] = value;
    container->item[container->count] = NULL;
}

/*
 * One pass before jansson, whose own bound on nesting (2048) overflows a
 * small stack and which has none on the number of values.
 */
static const char *
scan(const char *text, size_t len)
{
    unsigned depth = 0;
    unsigned values = 0;
    bool quoted = false;
    size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > ACME_JSON_DEPTH_MAX)
                return "JSON nested too deeply";
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
        if (!quoted && (c == ',' || c == '[' || c == '{') &&
            ++values > ACME_JSON_VALUES_MAX)
            return "JSON of too many values";
    }
    return NULL;
}

/* jansson's tree as ours; depth is bounded by scan(). */
static struct acme_json *
import(json_t *value)
{
    struct acme_json *node = NULL;
    const char *key;
    json_t *child;
    size_t i;

    if (json_is_array(value)) {
        node = new_node(ARRAY);
        json_array_foreach(value, i, child) put(node, NULL, import(child));
    } else if (json_is_object(value)) {
        node = new_node(OBJECT);
        json_object_foreach(value, key, child) put(node, key, import(child));
    } else {
        node = new_scalar(json_incref(value));
    }
    if (node != NULL && node->failed) {
        acme_json_free(node);
        node = NULL;
    }
    return node;
}

/*
 * jansson tells a failed allocation by no line at all, or takes it for a
 * syntax error: such a one has to be found twice, or memory being short would
 * make a good file of the state directory a broken one.
 */
static json_t *
load(const char *text, size_t len, json_error_t *error)
{
    json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, error);

    if (document == NULL && error->line > 0)
        document = json_loadb(text, len, JSON_REJECT_DUPLICATES, error);
    return document;
}

enum acme_rc
acme_json_parse(const char *text, size_t len, const char *where,
    struct acme_json **root, struct acme_error *err)
{
    struct acme_json *tree;
    const char *reason;
    json_error_t error;
    json_t *document;

    if (len > ACME_JSON_MAX)
        return acme_error_set(err, ACME_WIRE, "%s: JSON too long", where);
    reason = scan(text, len);
    if (reason != NULL)
        return acme_error_set(err, ACME_WIRE, "%s: %s", where, reason);
    document = load(text, len, &error);
    if (document == NULL && error.line < 0)
        return acme_error_nomem(err);
    if (document == NULL)
        return acme_error_set(err, ACME_WIRE,
            "%s: malformed JSON at line %d, column %d", where, error.line,
            error.column);
    tree = import(document);
    json_decref(document);
    if (tree == NULL)
        return acme_error_nomem(err);
    *root = tree;
    return ACME_OK;
}

static size_t
find(const struct acme_json *object, const char *name)
{
    size_t i;

    for (i = 0; i < object->count; i++) {
        if (strcmp(object->item[i]->name, name) == 0)
            break;
    }
    return i;
}

const struct acme_json *
acme_json_get(const struct acme_json *object, const char *name)
{
    size_t i;

    if (!acme_json_is_object(object))
        return NULL;
    i = find(object, name);
    return i < object->count ? object->item[i] : NULL;
}

/* The scalar of a member or of a value; NULL if it is none. */
static const json_t *
scalar(const struct acme_json *value)
{
    return value == NULL ? NULL : value->scalar;
}

const char *
acme_json_str(const struct acme_json *object, const char *name)
{
    return acme_json_text(acme_json_get(object, name));
}

int64_t
acme_json_int(const struct acme_json *object, const char *name, int64_t absent)
{
    const json_t *value = scalar(acme_json_get(object, name));

    return json_is_integer(value) ? json_integer_value(value) : absent;
}

bool
acme_json_bool(const struct acme_json *object, const char *name, bool absent)
{
    const json_t *value = scalar(acme_json_get(object, name));

    return json_is_boolean(value) ? json_is_true(value) : absent;
}

enum acme_rc
acme_json_need_str(const struct acme_json *object, const char *name,
    size_t max, const char **value, struct acme_error *err)
{
    const struct acme_json *member = acme_json_get(object, name);
    const char *text = acme_json_text(member);
    const char *fault = NULL;

    if (member == NULL)
        fault = "is missing";
    else if (text == NULL)
        fault = "is not a string";
    else if (text[0] == '\0')
        fault = "is empty";
    else if (strlen(text) > max)
        fault = "is too long";
    if (fault != NULL)
        return acme_error_set(err, ACME_WIRE, "member \"%s\" %s", name, fault);
    *value = text;
    return ACME_OK;
}

size_t
acme_json_count(const struct acme_json *array)
{
    return array != NULL && array->kind == ARRAY ? array->count : 0;
}

const struct acme_json *
acme_json_at(const struct acme_json *array, size_t i)
{
    return i < acme_json_count(array) ? array->item[i] : NULL;
}

const char *
acme_json_text(const struct acme_json *value)
{
    return json_string_value(scalar(value));
}

bool
acme_json_is_object(const struct acme_json *value)
{
    return value != NULL && value->kind == OBJECT;
}

/* An iterator is the place of a member in its object. */
void *
acme_json_next(const struct acme_json *object, void *iter)
{
    struct acme_json **place = iter;

    if (!acme_json_is_object(object) || object->count == 0)
        return NULL;
    place = place == NULL ? object->item : place + 1;
    return *place == NULL ? NULL : place;
}

const char *
acme_json_iter_name(void *iter)
{
    return (*(struct acme_json **)iter)->name;
}

const struct acme_json *
acme_json_iter_value(void *iter)
{
    return *(struct acme_json **)iter;
}

struct acme_json *
acme_json_object(void)
{
    return new_node(OBJECT);
}

struct acme_json *
acme_json_array(void)
{
    return new_node(ARRAY);
}

void
acme_json_set(struct acme_json *object, const char *name,
    struct acme_json *value)
{
    size_t i = object != NULL ? find(object, name) : 0;

    if (object == NULL || value == NULL || i == object->count) {
        put(object, name, value);
        return;
    }
    value->name = object->item[i]->name;
    object->item[i]->name = NULL;
    acme_json_free(object->item[i]);
    object->item[i] = value;
}

void
acme_json_set_str(struct acme_json *object, const char *name,
    const char *value)
{
    if (value != NULL)
        acme_json_set(object, name, new_scalar(json_string(value)));
}

void
acme_json_set_int(struct acme_json *object, const char *name, int64_t value)
{
    acme_json_set(object, name, new_scalar(json_integer(value)));
}

void
acme_json_set_bool(struct acme_json *object, const char *name, bool value)
{
    acme_json_set(object, name, new_scalar(json_boolean(value)));
}

void
acme_json_set_time(struct acme_json *object, const char *name, long long t)
{
    char text[ACME_TIME_TEXT];

    if (t != 0)
        acme_json_set_str(object, name, acme_time_format((time_t)t, text));
}

void
acme_json_append(struct acme_json *array, struct acme_json *value)
{
    put(array, NULL, value);
}

void
acme_json_append_str(struct acme_json *array, const char *value)
{
    acme_json_append(array, new_scalar(json_string(value)));
}

void
acme_json_append_int(struct acme_json *array, int64_t value)
{
    acme_json_append(array, new_scalar(json_integer(value)));
}

long long
acme_json_time(const struct acme_json *object, const char *name)
{
    const char *text = acme_json_str(object, name);
    time_t t = 0;

    return text != NULL && acme_time_parse(text, &t) ? (long long)t : 0;
}

struct acme_json *
acme_json_copy(const struct acme_json *value)
{
    struct acme_json *copy;
    size_t i;

    if (value == NULL)
        return NULL;
    if (value->kind == SCALAR)
        return new_scalar(json_incref(value->scalar));
    copy = new_node(value->kind);
    for (i = 0; copy != NULL && i < value->count; i++) {
        const struct acme_json *item = value->item[i];

        put(copy, item->name, acme_json_copy(item));
    }
    if (copy != NULL && (copy->failed || value->failed)) {
        acme_json_free(copy);
        copy = NULL;
    }
    return copy;
}

static int
add_text(const char *text, size_t len, void *out)
{
    acme_buf_add(out, text, len);
    return acme_buf_ok(out) ? 0 : -1;
}

static bool
render_scalar(json_t *value, struct acme_buf *out)
{
    return json_dump_callback(value, add_text, out, JSON_ENCODE_ANY) == 0;
}

static bool
render_name(const char *name, struct acme_buf *out)
{
    json_t *text = json_string(name);
    bool ok = text != NULL && render_scalar(text, out);

    json_decref(text);
    return ok;
}

static void
new_line(unsigned depth, bool indent, struct acme_buf *out)
{
    if (indent)
        acme_buf_addf(out, "\n%*s", (int)depth * 2, "");
}

/* False if anything in the tree failed to be built or to be written. */
static bool
render(const struct acme_json *value, unsigned depth, bool indent,
    struct acme_buf *out)
{
    bool object = value->kind == OBJECT;
    size_t i;

    if (value->kind == SCALAR)
        return render_scalar(value->scalar, out);
    if (value->failed)
        return false;
    acme_buf_add_str(out, object ? "{" : "[");
    for (i = 0; i < value->count; i++) {
        const struct acme_json *item = value->item[i];

        if (i > 0)
            acme_buf_add_str(out, ",");
        new_line(depth + 1, indent, out);
        if (object) {
            if (!render_name(item->name, out))
                return false;
            acme_buf_add_str(out, indent ? ": " : ":");
        }
        if (!render(item, depth + 1, indent, out))
            return false;
    }
    if (value->count > 0)
        new_line(depth, indent, out);
    acme_buf_add_str(out, object ? "}" : "]");
    return acme_buf_ok(out);
}

enum acme_rc
acme_json_render(const struct acme_json *root, bool indent,
    struct acme_buf *out, struct acme_error *err)
{
    bool ok = root != NULL && render(root, 0, indent, out);

    if (ok && indent)
        acme_buf_add_str(out, "\n");
    return ok && acme_buf_ok(out) ? ACME_OK : acme_error_nomem(err);
}

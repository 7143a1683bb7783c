/*
 * JSON of a CA or a file: what parses is walked, written, and read back to
 * the same text; and the reader for texts of our own finds the same in it.
 */
#include "base/acme_limits.h"
#include "fuzz.h"
#include "wrap/acme_json.h"
#include "wrap/acme_json_flat.h"

static void
walk(const struct acme_json *value, unsigned depth)
{
    void *iter = NULL;
    size_t i;

    FUZZ_CHECK(depth <= ACME_JSON_DEPTH_MAX + 1); /* of a scalar */
    for (i = 0; i < acme_json_count(value); i++)
        walk(acme_json_at(value, i), depth + 1);
    while ((iter = acme_json_next(value, iter)) != NULL) {
        const char *name = acme_json_iter_name(iter);

        FUZZ_CHECK(acme_json_get(value, name) == acme_json_iter_value(iter));
        (void)acme_json_str(value, name);
        (void)acme_json_int(value, name, -1);
        (void)acme_json_bool(value, name, true);
        (void)acme_json_time(value, name);
        walk(acme_json_iter_value(iter), depth + 1);
    }
    (void)acme_json_text(value);
}

static void
walk_flat(const struct acme_json_value *value)
{
    const struct acme_json_value *at = acme_json_flat_first(value);

    (void)acme_json_flat_text(value);
    for (; at != NULL; at = acme_json_flat_next(at))
        walk_flat(at);
}

static void
compare(const struct acme_json *value, const struct acme_json_value *flat)
{
    const struct acme_json_value *at = acme_json_flat_first(flat);
    const char *text = acme_json_text(value);
    void *iter = NULL;
    size_t i;

    FUZZ_CHECK(flat != NULL);
    FUZZ_CHECK((text == NULL) == (acme_json_flat_text(flat) == NULL));
    FUZZ_CHECK(text == NULL || strcmp(text, acme_json_flat_text(flat)) == 0);
    for (i = 0; i < acme_json_count(value); i++) {
        compare(acme_json_at(value, i), at);
        at = acme_json_flat_next(at);
    }
    FUZZ_CHECK(at == NULL);
    while ((iter = acme_json_next(value, iter)) != NULL)
        compare(acme_json_iter_value(iter),
            acme_json_flat_get(flat, acme_json_iter_name(iter)));
}

/* `json` NULL: it is none, and may be read or not. */
static void
read_flat(const uint8_t *data, size_t size, const struct acme_json *json)
{
    struct acme_json_flat *flat = acme_json_flat_new(size);
    char *text = malloc(size + (size == 0));
    const struct acme_json_value *root;

    FUZZ_CHECK(flat != NULL && text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    root = acme_json_flat_read(flat, text, size);
    walk_flat(root);
    /* jansson leaves out a NUL behind a number */
    if (json != NULL && memchr(data, 0, size) == NULL)
        compare(json, root);
    free(text);
    acme_json_flat_free(flat);
}

static void
render(const struct acme_json *root, bool indent, struct acme_buf *text)
{
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_reset(text);
    FUZZ_CHECK(acme_json_render(root, indent, text, &err) == ACME_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_json *root = NULL, *again = NULL;
    struct acme_buf first, second;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&first, (size_t)1 << 24);
    acme_buf_init(&second, (size_t)1 << 24);
    if (acme_json_parse((const char *)data, size, "input", &root, &err) !=
        ACME_OK) {
        FUZZ_CHECK(root == NULL && err.what[0] != '\0');
        read_flat(data, size, NULL);
        return 0;
    }
    read_flat(data, size, root);
    walk(root, 1);
    render(root, false, &first);
    if (first.len <= ACME_JSON_MAX) {
        FUZZ_CHECK(acme_json_parse(acme_buf_str(&first), first.len, "own",
                       &again, &err) == ACME_OK);
        render(again, false, &second);
        FUZZ_CHECK(strcmp(acme_buf_str(&first), acme_buf_str(&second)) == 0);
    }
    render(root, true, &second);
    acme_json_free(again);
    acme_json_free(root);
    acme_buf_clear(&first);
    acme_buf_clear(&second);
    return 0;
}

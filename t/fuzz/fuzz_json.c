/*
 * JSON of a CA or a file: what parses is walked, written, and read back to
 * the same text.
 */
#include "base/acme_limits.h"
#include "fuzz.h"
#include "wrap/acme_json.h"

static void
walk(const struct acme_json *value, unsigned depth)
{
    void *iter = NULL;
    size_t i;

    FUZZ_CHECK(depth <= ACME_JSON_DEPTH_MAX);
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
        return 0;
    }
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

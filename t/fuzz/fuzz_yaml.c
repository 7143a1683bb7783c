/*
 * Blueprints of another client: whatever they say, it is an object, bounded,
 * or an error that names a place and quotes nothing.
 */
#include "acmectl/ctl_yaml.h"
#include "fuzz.h"

static size_t
measure(const struct acme_json *value, size_t depth)
{
    size_t n = 1, i;
    void *iter = NULL;

    FUZZ_CHECK(depth <= CTL_YAML_DEPTH_MAX);
    for (i = 0; i < acme_json_count(value); i++)
        n += measure(acme_json_at(value, i), depth + 1);
    while (acme_json_is_object(value) &&
           (iter = acme_json_next(value, iter)) != NULL)
        n += measure(acme_json_iter_value(iter), depth + 1);
    return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_json *root = NULL;
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = ctl_yaml_parse(size > 0 ? (const char *)data : "", size, &root, &err);
    FUZZ_CHECK((rc == ACME_OK) == (root != NULL));
    FUZZ_CHECK(rc == ACME_OK || rc == ACME_CONFIG);
    if (rc == ACME_OK)
        FUZZ_CHECK(acme_json_is_object(root) &&
                   measure(root, 0) <= CTL_YAML_NODES_MAX + 1);
    else
        FUZZ_CHECK(err.what[0] != '\0');
    acme_json_free(root);
    return 0;
}

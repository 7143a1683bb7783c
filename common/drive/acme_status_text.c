/*
 * Lineages' objects in the room that there is for them.
 */
#include "drive/acme_status.h"

#include <stdio.h>
#include <string.h>

/* Lists that an administrator or a CA can make long. */
static const char *const lists[] = { "names", "names_missing", "left_out",
    "declared", "versions", "steps", "hooks", "recent", "issuers" };

/* How much of each is tried, one after the other. */
static const size_t most[] = { 256, 64, 16, 4, 1, 0 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
cut(struct acme_json *json, const char *name, size_t n)
{
    const struct acme_json *list = acme_json_get(json, name);
    size_t i, count = acme_json_count(list);
    struct acme_json *rest;
    char omitted[32];

    if (count <= n)
        return;
    (void)snprintf(omitted, sizeof(omitted), "%s_omitted", name);
    rest = acme_json_array();
    for (i = 0; i < n; i++)
        acme_json_append(rest, acme_json_copy(acme_json_at(list, i)));
    acme_json_set_int(json, omitted,
        acme_json_int(json, omitted, 0) + (int64_t)(count - n));
    acme_json_set(json, name, rest);
}

static void
copy_text(struct acme_json *to, const struct acme_json *from, const char *name)
{
    acme_json_set_str(to, name, acme_json_str(from, name));
}

/* What is never too long. */
static struct acme_json *
brief(const struct acme_json *json)
{
    struct acme_json *to = acme_json_object();

    copy_text(to, json, "name");
    copy_text(to, json, "state");
    copy_text(to, json, "state_text");
    copy_text(to, json, "not_after");
    acme_json_set_bool(to, "brief", true);
    return to;
}

/* Renders it if it fits; else `text` is empty. */
static enum acme_rc
try(const struct acme_json *json, size_t max, struct acme_buf *text,
    struct acme_error *err)
{
    enum acme_rc rc;

    acme_buf_reset(text);
    rc = acme_json_render(json, false, text, err);
    if (rc == ACME_OK && text->len > max)
        acme_buf_reset(text);
    return rc;
}

enum acme_rc
acme_status_text(struct acme_json *json, size_t max, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_json *less;
    struct acme_buf text;
    size_t i, k;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_JSON_MAX);
    rc = try(json, max, &text, err);
    for (i = 0; rc == ACME_OK && text.len == 0 && i < COUNT(most); i++) {
        for (k = 0; k < COUNT(lists); k++)
            cut(json, lists[k], most[i]);
        rc = try(json, max, &text, err);
    }
    if (rc == ACME_OK && text.len == 0) {
        less = brief(json);
        rc = try(less, max, &text, err);
        acme_json_free(less);
    }
    acme_buf_add(out, text.data, text.len);
    acme_buf_clear(&text);
    return rc != ACME_OK || acme_buf_ok(out) ? rc : acme_error_nomem(err);
}

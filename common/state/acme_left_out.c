#include "state/acme_left_out.h"

#include <stdio.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"

bool
acme_left_out_has(const struct acme_left_out *left_out, const char *name)
{
    unsigned i;

    for (i = 0; i < left_out->n; i++) {
        if (strcmp(left_out->item[i].name, name) == 0)
            return true;
    }
    return false;
}

static struct acme_left_out_name *
next(struct acme_left_out *left_out, const char *name)
{
    struct acme_left_out_name *item;

    if (left_out->n == ACME_LEFT_OUT_MAX || strlen(name) > ACME_NAME_MAX)
        return NULL;
    item = &left_out->item[left_out->n++];
    memset(item, 0, sizeof(*item));
    memcpy(item->name, name, strlen(name) + 1);
    return item;
}

bool
acme_left_out_add(struct acme_left_out *left_out, const char *name,
    const struct acme_error *why)
{
    struct acme_left_out_name *item = next(left_out, name);

    if (item == NULL)
        return false;
    acme_log_clean(item->type, sizeof(item->type), why->type,
        strlen(why->type));
    acme_log_clean(item->detail, sizeof(item->detail), why->detail,
        strlen(why->detail));
    return true;
}

const char *
acme_left_out_text(const struct acme_left_out *left_out, char *text,
    size_t size)
{
    size_t len = 0;
    unsigned i;

    text[0] = '\0';
    for (i = 0; i < left_out->n && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, "%s\"%s\" (%s%s%s)",
            i > 0 ? ", " : "", left_out->item[i].name, left_out->item[i].type,
            left_out->item[i].detail[0] != '\0' ? ": " : "",
            left_out->item[i].detail);
    return text;
}

struct acme_json *
acme_left_out_render(const struct acme_left_out *left_out)
{
    struct acme_json *array = acme_json_array();
    unsigned i;

    for (i = 0; i < left_out->n; i++) {
        struct acme_json *object = acme_json_object();

        acme_json_set_str(object, "name", left_out->item[i].name);
        acme_json_set_str(object, "type", left_out->item[i].type);
        acme_json_set_str(object, "detail", left_out->item[i].detail);
        acme_json_append(array, object);
    }
    return array;
}

static void
parse_text(const struct acme_json *object, const char *member, char *out,
    size_t size)
{
    const char *text = acme_json_str(object, member);

    if (text != NULL)
        acme_log_clean(out, size, text, strlen(text));
}

void
acme_left_out_parse(const struct acme_json *array,
    struct acme_left_out *left_out)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_left_out_name *item;
    struct acme_error ignored;
    size_t i, n = acme_json_count(array);

    left_out->n = 0;
    for (i = 0; i < n; i++) {
        const struct acme_json *object = acme_json_at(array, i);
        const char *text = acme_json_str(object, "name");

        acme_error_clear(&ignored);
        if (text == NULL ||
            acme_name_parse(text, strlen(text), name, &ignored) != ACME_OK)
            continue;
        item = next(left_out, name);
        if (item == NULL)
            return;
        parse_text(object, "type", item->type, sizeof(item->type));
        parse_text(object, "detail", item->detail, sizeof(item->detail));
    }
}

#include "acmectl/ctl_yaml.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct reading {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_event;
    size_t nodes, depth;
    struct acme_error *err;
};

static enum acme_rc
refuse(struct reading *r, const char *what)
{
    return acme_error_set(r->err, ACME_CONFIG, "line %zu, column %zu: %s",
        r->event.start_mark.line + 1, r->event.start_mark.column + 1, what);
}

/* The library's own texts are constants, which quote nothing. */
static enum acme_rc
tell_problem(struct reading *r)
{
    const yaml_parser_t *parser = &r->parser;

    if (parser->error == YAML_MEMORY_ERROR)
        return acme_error_nomem(r->err);
    if (parser->error == YAML_READER_ERROR)
        return acme_error_set(r->err, ACME_CONFIG, "byte %zu: %s",
            parser->problem_offset + 1,
            parser->problem != NULL ? parser->problem : "it is no text");
    return acme_error_set(r->err, ACME_CONFIG, "line %zu, column %zu: %s",
        parser->problem_mark.line + 1, parser->problem_mark.column + 1,
        parser->problem != NULL ? parser->problem : "it is no YAML");
}

/* To the next event, in place of the last one. */
static enum acme_rc
step(struct reading *r)
{
    if (r->has_event)
        yaml_event_delete(&r->event);
    r->has_event = yaml_parser_parse(&r->parser, &r->event) != 0;
    return r->has_event ? ACME_OK : tell_problem(r);
}

static bool
is_nothing(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || strcmp(text, "~") == 0 ||
               strcmp(text, "null") == 0);
}

static enum acme_rc
check_scalar(struct reading *r)
{
    const yaml_event_t *event = &r->event;

    if (event->data.scalar.anchor != NULL)
        return refuse(r, "anchors are not read");
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) !=
        NULL)
        return refuse(r, "a text has a NUL in it");
    return ACME_OK;
}

static enum acme_rc fill(struct reading *r, struct acme_json *into, bool map);

static enum acme_rc
check_start(struct reading *r, bool map)
{
    const yaml_event_t *event = &r->event;

    if (event->type == YAML_ALIAS_EVENT)
        return refuse(r, "aliases are not read");
    if ((map ? event->data.mapping_start.anchor
             : event->data.sequence_start.anchor) != NULL)
        return refuse(r, "anchors are not read");
    return r->depth == CTL_YAML_DEPTH_MAX
               ? refuse(r, "it is nested too deeply")
               : ACME_OK;
}

/* What the event begins, under `key`, or as one more of a list. */
static enum acme_rc
take(struct reading *r, struct acme_json *into, const char *key)
{
    const bool map = r->event.type == YAML_MAPPING_START_EVENT;
    const char *text;
    struct acme_json *value;
    enum acme_rc rc;

    if (++r->nodes > CTL_YAML_NODES_MAX)
        return refuse(r, "there is too much in it");
    if (r->event.type == YAML_SCALAR_EVENT) {
        rc = check_scalar(r);
        text = is_nothing(&r->event)
                   ? ""
                   : (const char *)r->event.data.scalar.value;
        if (rc == ACME_OK && key != NULL)
            acme_json_set_str(into, key, text);
        else if (rc == ACME_OK)
            acme_json_append_str(into, text);
        return rc;
    }
    rc = check_start(r, map);
    if (rc != ACME_OK)
        return rc;
    value = map ? acme_json_object() : acme_json_array();
    if (value == NULL)
        return acme_error_nomem(r->err);
    if (key != NULL)
        acme_json_set(into, key, value);
    else
        acme_json_append(into, value);
    return fill(r, value, map);
}

/* A key, which is the caller's, with the event behind it. */
static enum acme_rc
take_key(struct reading *r, const struct acme_json *into, char **key)
{
    enum acme_rc rc;

    if (r->event.type != YAML_SCALAR_EVENT)
        return refuse(r, "a key is no text");
    rc = check_scalar(r);
    if (rc != ACME_OK)
        return rc;
    *key = strdup((const char *)r->event.data.scalar.value);
    if (*key == NULL)
        return acme_error_nomem(r->err);
    if (acme_json_get(into, *key) != NULL)
        return refuse(r, "the same key is there twice");
    return step(r);
}

/* Up to its end, which is the event then. */
static enum acme_rc
fill(struct reading *r, struct acme_json *into, bool map)
{
    char *key = NULL;
    enum acme_rc rc;

    r->depth++;
    while ((rc = step(r)) == ACME_OK &&
           r->event.type !=
               (map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT)) {
        if (map)
            rc = take_key(r, into, &key);
        if (rc == ACME_OK)
            rc = take(r, into, key);
        free(key);
        key = NULL;
        if (rc != ACME_OK)
            break;
    }
    r->depth--;
    return rc;
}

/* The stream's start, a document's, what is in it, and both ends. */
static enum acme_rc
read_stream(struct reading *r, struct acme_json *root)
{
    enum acme_rc rc = step(r);

    if (rc == ACME_OK)
        rc = step(r);
    if (rc != ACME_OK || r->event.type == YAML_STREAM_END_EVENT)
        return rc;
    rc = step(r);
    if (rc == ACME_OK && r->event.type == YAML_MAPPING_START_EVENT)
        rc = check_start(r, true);
    else if (rc == ACME_OK &&
             (r->event.type != YAML_SCALAR_EVENT || !is_nothing(&r->event)))
        rc = refuse(r, "it is no mapping of keys to values");
    if (rc == ACME_OK && r->event.type == YAML_MAPPING_START_EVENT)
        rc = fill(r, root, true);
    if (rc == ACME_OK)
        rc = step(r);
    if (rc == ACME_OK)
        rc = step(r);
    if (rc == ACME_OK && r->event.type != YAML_STREAM_END_EVENT)
        rc = refuse(r, "there is a second document in it");
    return rc;
}

enum acme_rc
ctl_yaml_parse(const char *text, size_t len, struct acme_json **root,
    struct acme_error *err)
{
    struct acme_json *made = acme_json_object();
    struct reading r = { .err = err };
    struct acme_buf whole;
    enum acme_rc rc;

    acme_buf_init_secret(&whole, (size_t)8 * CTL_YAML_MAX);
    if (made == NULL || yaml_parser_initialize(&r.parser) == 0) {
        acme_json_free(made);
        return acme_error_nomem(err);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    rc = len > CTL_YAML_MAX ? acme_error_set(err, ACME_CONFIG,
                                  "it is larger than %zu bytes", CTL_YAML_MAX)
                            : read_stream(&r, made);
    /* What memory has failed for inside is known to the whole alone. */
    if (rc == ACME_OK)
        rc = acme_json_render(made, false, &whole, err);
    acme_buf_clear(&whole);
    if (r.has_event)
        yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (rc == ACME_OK)
        *root = made;
    else
        acme_json_free(made);
    return rc;
}

/*
 * The door to libyaml: one document, as the values that acme_json.h knows.
 * Each scalar is a text, but for the plain ones that say nothing ("", "~",
 * "null"), whose member or element is not there.  Tags are ignored.  Refused
 * are anchors and aliases, which can make much of little, keys that are there
 * twice or are no texts, a second document, and what is larger or deeper than
 * the bounds below.
 */
#ifndef ACME_CTL_YAML_H
#define ACME_CTL_YAML_H

#include <stddef.h>

#include "base/acme_error.h"
#include "wrap/acme_json.h"

#define CTL_YAML_MAX ((size_t)256 * 1024) /* bytes */
#define CTL_YAML_DEPTH_MAX 16
#define CTL_YAML_NODES_MAX 16384

/* ACME_CONFIG: what is wrong, with line and column, and never a word of it,
 * which may be a secret.  A document with nothing in it is an empty object. */
enum acme_rc ctl_yaml_parse(const char *text, size_t len,
    struct acme_json **root, struct acme_error *err);

#endif

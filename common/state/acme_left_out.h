/*
 * Names that were left out of a certificate because the CA could not validate
 * them, and what it said: a plain value and its JSON form.
 */
#ifndef ACME_LEFT_OUT_H
#define ACME_LEFT_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"
#include "wrap/acme_json.h"

struct acme_left_out {
    unsigned n;
    struct acme_left_out_name {
        char name[ACME_NAME_MAX + 1];
        char type[64];    /* problem type, without its prefix */
        char detail[256]; /* the CA's, printable */
    } item[ACME_LEFT_OUT_MAX];
};

bool acme_left_out_has(const struct acme_left_out *left_out, const char *name);

/* False: there is no room for another one. */
bool acme_left_out_add(struct acme_left_out *left_out, const char *name,
    const struct acme_error *why);

/* `"b.test" (dns: no such name), "c.test" (...)`, cut to fit.  Returns
 * `text`. */
const char *acme_left_out_text(const struct acme_left_out *left_out,
    char *text, size_t size);

/* An array of objects {"name", "type", "detail"}.  What is malformed is not
 * parsed, names that are none included. */
struct acme_json *acme_left_out_render(const struct acme_left_out *left_out);
void acme_left_out_parse(const struct acme_json *array,
    struct acme_left_out *left_out);

#endif

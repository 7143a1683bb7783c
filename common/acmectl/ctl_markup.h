/*
 * The texts of the tables (see ctl_options.h) for a terminal and for the
 * manual page.
 */
#ifndef ACME_CTL_MARKUP_H
#define ACME_CTL_MARKUP_H

#include <stdio.h>

/* Wrapped to 79 columns, each line after so many spaces. */
void ctl_markup_print(FILE *out, const char *text, int indent);

/* One paragraph, from column `at` on; the lines that follow begin at
 * `indent`. */
void ctl_markup_wrap(FILE *out, const char *text, size_t len, int at,
    int indent);

/* In the language of mdoc(7). */
void ctl_markup_man(FILE *out, const char *text);

/* A line of a synopsis, likewise: options and words that stand for something
 * else are set apart. */
void ctl_markup_man_usage(FILE *out, const char *usage, size_t len);

/* Text that is to be read as it is. */
void ctl_markup_man_literal(FILE *out, const char *text);

#endif

/*
 * UTC only.  Knows RFC 3339 and how to print a time for people; no time zone
 * data, no locale.
 */
#ifndef ACME_TIME_H
#define ACME_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define ACME_TIME_TEXT 32

/* `2026-11-21T13:45:00Z`; returns `text`. */
const char *acme_time_format(time_t t, char text[ACME_TIME_TEXT]);

/* The same as HTTP has it, `Sat, 21 Nov 2026 13:45:00 GMT` (RFC 9110 5.6.7).
 */
const char *acme_time_format_http(time_t t, char text[ACME_TIME_TEXT]);

/*
 * RFC 3339 date-time with any fraction and offset.  Years 1970 to 9999.
 * False, with *t untouched, on anything else.
 */
bool acme_time_parse(const char *text, time_t *t);

/* Milliseconds of a clock that nobody sets, from some point in the past. */
long long acme_time_ms(void);

#endif

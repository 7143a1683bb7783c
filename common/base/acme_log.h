/*
 * From a format to one clean line at the host.  Only the drive layer and the
 * hosts log; everything below returns an acme_error.
 */
#ifndef ACME_LOG_H
#define ACME_LOG_H

#include <stddef.h>

#include "base/acme_host.h"

void acme_log(const struct acme_host *host, enum acme_level level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Makes foreign text (of a CA, a file, a name server) safe for logs,
 * terminals and pages: valid UTF-8 stays; C0 and C1 controls, DEL, newline,
 * ESC, bidirectional controls and malformed bytes become `\xNN`; cut at
 * size - 1 bytes, never within a character.  `out` may not overlap `text`.
 * Returns `out`.
 */
char *acme_log_clean(char *out, size_t size, const char *text, size_t len);

/* "error", "notice", ... */
const char *acme_level_name(enum acme_level level);

#endif

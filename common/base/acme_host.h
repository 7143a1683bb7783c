/*
 * The only way out of the protocol code: write a line, read the clock, wait.
 * Engine, acmectl and the tests each give one.
 */
#ifndef ACME_HOST_H
#define ACME_HOST_H

#include <stdbool.h>
#include <time.h>

enum acme_level {
    ACME_LOG_ALERT, /* traffic or keys are in danger */
    ACME_LOG_CRIT,
    ACME_LOG_ERROR,  /* an admin must act */
    ACME_LOG_WARN,   /* will be tried again */
    ACME_LOG_NOTICE, /* a certificate changed */
    ACME_LOG_INFO,   /* steps */
    ACME_LOG_DEBUG   /* method, URL, status; never bodies */
};

struct acme_host {
    void *ctx;

    /* One printable line without a newline. */
    void (*log)(void *ctx, enum acme_level level, const char *line);

    /* Seconds since the epoch. */
    time_t (*now)(void *ctx);

    /* Sleeps up to `ms`; false as soon as a stop is requested.  wait(0) only
     * asks. */
    bool (*wait)(void *ctx, unsigned ms);
};

#endif

/*
 * An acme_host for tests: a clock that moves only when somebody waits, and
 * the lines that were logged.
 *
 *     struct fake_host host;
 *     fake_host_init(&host);
 *     host.stop_after = 2;         the third wait reports a stop
 *     acme_client_new(&conf, &host.host, transport);
 *     assert_int_equal(host.waits, 2);
 *     assert_true(fake_host_logged(&host, "certificate renewed"));
 *     fake_host_clear(&host);
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <stdbool.h>
#include <time.h>

#include "base/acme_buf.h"
#include "base/acme_host.h"

/* 2026-11-21T12:00:00Z: the hour at which every test begins. */
#define FAKE_NOW ((time_t)1795262400)

struct fake_host {
    struct acme_host host; /* what the code under test gets; not to be
                              copied: its ctx is this structure */

    time_t now;                   /* set it to travel */
    unsigned ms;                  /* the clock's part below a second */
    unsigned waits;               /* wait() calls that waited for something */
    unsigned asks;                /* wait(0) calls */
    unsigned long long waited_ms; /* time spent in them */

    int stop_after; /* so many waits succeed, then a stop; -1: never */
    _Atomic bool
        stopping; /* set it, or stop_after does: every wait is false */

    struct acme_buf lines; /* "level: line\n" each */
    unsigned nlines;
};

void fake_host_init(struct fake_host *fake);
void fake_host_clear(struct fake_host *fake);

/* Lets time pass without a wait. */
void fake_host_pass(struct fake_host *fake, time_t seconds);

/* Everything logged so far, "" if nothing; and whether `text` is in it. */
const char *fake_host_lines(const struct fake_host *fake);
bool fake_host_logged(const struct fake_host *fake, const char *text);
void fake_host_forget(struct fake_host *fake);

#endif

/*
 * What tests of the engine begin with: a whole installation (fake_drive.h),
 * times, and the record of a lineage.
 */
#ifndef HELPER_ENGINE_H
#define HELPER_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_drive.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    MINUTE = 60,
    HOUR = 3600,
    DAY = 24 * HOUR
};

static inline struct acme_record
record_of(struct fake_drive *d, const char *name)
{
    struct acme_record record;

    fake_drive_record(d, name, &record);
    return record;
}

#endif

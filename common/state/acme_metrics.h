/*
 * The status in numbers for a monitoring system, out of the key area: as
 * OpenMetrics 1.0, or in the text format of Prometheus that was before it.
 * One series for each certificate or CA and family, whatever happens.  Safe
 * for threads.
 */
#ifndef ACME_METRICS_H
#define ACME_METRICS_H

#include <stdbool.h>
#include <time.h>

#include "base/acme_buf.h"
#include "state/acme_area.h"

/* Appends all families.  `open`: as OpenMetrics.  False: no memory. */
bool acme_metrics_render(const struct acme_area *area, size_t nlineages,
    time_t now, bool open, struct acme_buf *out);

/* As long as that can be. */
size_t acme_metrics_max(size_t nlineages);

#endif

/*
 * Counts what an engine does at each CA: requests, with how long they took,
 * and what comes of attempts.  Any thread may count.
 */
#ifndef ACME_METER_H
#define ACME_METER_H

#include "drive/acme_crew.h"
#include "state/acme_tally.h"

struct acme_meter;

struct acme_meter_conf {
    size_t nissuers;
    struct acme_network network;      /* whose requests are counted */
    long long (*ticks_ms)(void *ctx); /* NULL: they take no time */
    void *ticks_ctx;
};

enum acme_rc acme_meter_new(const struct acme_meter_conf *conf,
    struct acme_meter **meter, struct acme_error *err);
/* After the last use of its network; accepts NULL. */
void acme_meter_free(struct acme_meter *meter);

/* The same network with its requests counted. */
struct acme_network acme_meter_network(struct acme_meter *meter);

void acme_meter_count(struct acme_meter *meter, size_t issuer,
    enum acme_tally_count count);

/* What there is of an issuer, if that has changed since the last time. */
bool acme_meter_take(struct acme_meter *meter, size_t issuer,
    struct acme_tally *tally);

#endif

#include "drive/acme_meter.h"

#include <pthread.h>
#include <stdlib.h>

/* A transport of the network below. */
struct line {
    struct line *next;
    struct acme_meter *meter;
    size_t issuer;
    struct acme_transport transport;
};

struct acme_meter {
    struct acme_meter_conf conf;
    pthread_mutex_t lock; /* of all that follows */
    struct line *lines;
    struct {
        struct acme_tally tally;
        bool changed;
    } * of; /* nissuers */
};

enum acme_rc
acme_meter_new(const struct acme_meter_conf *conf, struct acme_meter **out,
    struct acme_error *err)
{
    struct acme_meter *meter = calloc(1, sizeof(*meter));

    if (meter == NULL)
        return acme_error_nomem(err);
    meter->conf = *conf;
    (void)pthread_mutex_init(&meter->lock, NULL);
    meter->of = calloc(conf->nissuers + 1, sizeof(meter->of[0]));
    if (meter->of == NULL) {
        acme_meter_free(meter);
        return acme_error_nomem(err);
    }
    *out = meter;
    return ACME_OK;
}

void
acme_meter_free(struct acme_meter *meter)
{
    struct line *line;

    if (meter == NULL)
        return;
    while ((line = meter->lines) != NULL) {
        meter->lines = line->next;
        free(line);
    }
    (void)pthread_mutex_destroy(&meter->lock);
    free(meter->of);
    free(meter);
}

/* ---- requests --------------------------------------------------------- */

static long long
ticks(const struct acme_meter *meter)
{
    return meter->conf.ticks_ms != NULL
               ? meter->conf.ticks_ms(meter->conf.ticks_ctx)
               : 0;
}

/* One that we have broken off says nothing of the CA. */
static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct line *line = ctx;
    struct acme_meter *meter = line->meter;
    const long long start = ticks(meter);
    enum acme_rc rc =
        line->transport.perform(line->transport.ctx, request, response, err);
    const long long ms = ticks(meter) - start;

    if (rc == ACME_STOPPING)
        return rc;
    (void)pthread_mutex_lock(&meter->lock);
    acme_tally_request(&meter->of[line->issuer].tally,
        ms > 0 ? (uint64_t)ms : 0, rc == ACME_OK);
    meter->of[line->issuer].changed = true;
    (void)pthread_mutex_unlock(&meter->lock);
    return rc;
}

static bool
is_private(void *ctx)
{
    const struct line *line = ctx;

    return line->transport.is_private(line->transport.ctx);
}

static enum acme_rc
open_line(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    struct acme_meter *meter = ctx;
    const struct acme_network *network = &meter->conf.network;
    struct line *line = calloc(1, sizeof(*line));
    enum acme_rc rc;

    if (line == NULL)
        return acme_error_nomem(err);
    rc = network->open(network->ctx, issuer, &line->transport, err);
    if (rc != ACME_OK) {
        free(line);
        return rc;
    }
    line->meter = meter;
    line->issuer = issuer;
    *transport = (struct acme_transport){ line, perform,
        line->transport.is_private != NULL ? is_private : NULL };
    (void)pthread_mutex_lock(&meter->lock);
    line->next = meter->lines;
    meter->lines = line;
    (void)pthread_mutex_unlock(&meter->lock);
    return ACME_OK;
}

struct acme_network
acme_meter_network(struct acme_meter *meter)
{
    return (struct acme_network){ meter, open_line };
}

/* ---- counts ----------------------------------------------------------- */

void
acme_meter_count(struct acme_meter *meter, size_t issuer,
    enum acme_tally_count count)
{
    (void)pthread_mutex_lock(&meter->lock);
    meter->of[issuer].tally.count[count]++;
    meter->of[issuer].changed = true;
    (void)pthread_mutex_unlock(&meter->lock);
}

bool
acme_meter_take(struct acme_meter *meter, size_t issuer,
    struct acme_tally *tally)
{
    bool changed;

    (void)pthread_mutex_lock(&meter->lock);
    changed = meter->of[issuer].changed;
    if (changed)
        *tally = meter->of[issuer].tally;
    meter->of[issuer].changed = false;
    (void)pthread_mutex_unlock(&meter->lock);
    return changed;
}

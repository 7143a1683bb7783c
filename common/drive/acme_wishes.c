#include "drive/acme_wishes.h"

#include <string.h>

#include "base/acme_log.h"

#define HOUR 3600

static time_t
now(const struct acme_wishes *wishes)
{
    return wishes->host->now(wishes->host->ctx);
}

void
acme_wishes_init(struct acme_wishes *wishes, const struct acme_config *config,
    struct acme_area *area, const struct acme_host *host)
{
    memset(wishes, 0, sizeof(*wishes));
    wishes->config = config;
    wishes->area = config->workers_ask ? area : NULL;
    wishes->host = host;
}

/* A clock that was set back begins another hour. */
static bool
has_turn(struct acme_wishes *wishes)
{
    const time_t at = now(wishes);

    if (at < wishes->since || at - wishes->since >= HOUR) {
        wishes->since = at;
        wishes->heard = 0;
    }
    return wishes->heard < ACME_ASKS_PER_HOUR;
}

/* Asked for although it was told not to. */
static bool
is_resting(const struct acme_wishes *wishes, size_t i, time_t *rest)
{
    *rest = acme_area_rest(wishes->area, i);
    return *rest > now(wishes) && *rest <= now(wishes) + HOUR;
}

static bool
hear(struct acme_wishes *wishes, size_t i,
    bool (*renew)(void *ctx, size_t lineage, uint64_t id), void *ctx)
{
    time_t rest;

    if (is_resting(wishes, i, &rest)) {
        acme_area_put_rest(wishes->area, i, rest);
        return true;
    }
    if (!has_turn(wishes) || !renew(ctx, i, ACME_WISH | i))
        return false;
    wishes->heard++;
    acme_area_put_rest(wishes->area, i, now(wishes) + ACME_ASK_INTERVAL);
    acme_log(wishes->host, ACME_LOG_NOTICE,
        "a renewal is asked for by a request, lineage \"%s\"",
        wishes->config->lineage[i].name);
    return true;
}

/* Whoever was not heard is the first one to be, next time. */
void
acme_wishes_look(struct acme_wishes *wishes,
    bool (*renew)(void *ctx, size_t lineage, uint64_t id), void *ctx)
{
    const size_t n = wishes->config->nlineages;
    size_t i, k;

    for (k = 0; wishes->area != NULL && k < n; k++) {
        i = (wishes->next + k) % n;
        if (!acme_area_is_asked(wishes->area, i) ||
            hear(wishes, i, renew, ctx))
            continue;
        wishes->next = i;
        return;
    }
}

bool
acme_wishes_done(struct acme_wishes *wishes, uint64_t id, bool ok,
    const char *text)
{
    const size_t i = (size_t)(id & (ACME_WISH - 1));
    char line[ACME_LOG_LINE_MAX];

    if ((id & ACME_WISH) == 0)
        return false;
    if (wishes->area == NULL || i >= wishes->config->nlineages)
        return true;
    if (ok)
        acme_area_put_rest(wishes->area, i, now(wishes) + ACME_FORCE_INTERVAL);
    else
        acme_log(wishes->host, ACME_LOG_WARN,
            "the renewal that a request asked for has failed, lineage \"%s\": "
            "%s",
            wishes->config->lineage[i].name,
            acme_log_clean(line, sizeof(line), text, strlen(text)));
    return true;
}

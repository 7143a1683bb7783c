#include "state/acme_schedule.h"

#include <string.h>

enum {
    MINUTE = 60,
    HOUR = 3600,
    DAY = 24 * HOUR
};

/* 9999-12-31: beyond what a certificate or a clock may say, and sums of such
 * times stay far below an overflow. */
#define FAR INT64_C(253402300799)

/* In 0 ... n - 1, uniform for n up to 2^32 (136 years); `random` is used for
 * one choice only. */
static int64_t
pick(uint32_t random, int64_t n)
{
    return (int64_t)((uint64_t)random * (uint64_t)n >> 32);
}

static int64_t
clamp(int64_t t)
{
    return t < 0 ? 0 : t > FAR ? FAR : t;
}

/* ---- renewal ---------------------------------------------------------- */

time_t
acme_schedule_renew_at(time_t not_before, time_t not_after, uint32_t random)
{
    int64_t from = clamp(not_before), life = clamp(not_after) - from;
    int64_t early, spread;

    if (life <= 0)
        return not_after; /* never valid: at once */
    early = life < 10 * DAY ? life / 2 : life / 3 * 2;
    spread = life / 20;
    /* At the latest 72 % of the life: a tenth is always left. */
    return (time_t)(from + early - spread + pick(random, 2 * spread + 1));
}

enum acme_urgency
acme_schedule_urgency(time_t not_before, time_t not_after, time_t now,
    bool traffic)
{
    int64_t left = clamp(not_after) - clamp(now);
    int64_t life = clamp(not_after) - clamp(not_before);

    if (not_after <= 0 || left <= 0)
        return ACME_URGENT_NOW;
    if (left < life / 10)
        return ACME_URGENT_SOON;
    return traffic ? ACME_URGENT_NORMAL : ACME_URGENT_LEAST;
}

/* ---- retries ---------------------------------------------------------- */

enum policy {
    NETWORK,
    RATE_LIMIT,
    VALIDATION,
    CONFIGURATION,
    REFUSED,
    CRASH
};

enum jitter {
    EARLIER, /* half to whole: spreads best */
    LATER    /* whole to a tenth more, for what must not be sooner */
};

static const struct {
    int64_t first; /* doubled with each failure ... */
    int64_t most;  /* ... up to this */
    enum jitter jitter;
    bool wait_for_config;
    const char *why;
} policies[] = { [NETWORK] = { 15, 6 * HOUR, EARLIER, false, "back-off" },
    [RATE_LIMIT] = { HOUR, DAY, LATER, false, "the CA's rate limit" },
    [VALIDATION] = { 15 * MINUTE, 12 * HOUR, LATER, false,
        "the CA could not validate a name" },
    [CONFIGURATION] = { DAY, DAY, LATER, true,
        "only a change of the configuration helps" },
    [REFUSED] = { DAY, DAY, LATER, true,
        "the CA's certificate must not be served" },
    [CRASH] = { MINUTE, HOUR, LATER, false, "an attempt ended in a crash" } };

/* RFC 8555 6.7; what is not here is treated by its status. */
static const struct {
    const char *type;
    enum policy policy;
} types[] = { { "rateLimited", RATE_LIMIT },

    { "caa", VALIDATION }, { "connection", VALIDATION }, { "dns", VALIDATION },
    { "incorrectResponse", VALIDATION }, { "tls", VALIDATION },
    { "unauthorized", VALIDATION },

    { "badCSR", CONFIGURATION }, { "badPublicKey", CONFIGURATION },
    { "externalAccountRequired", CONFIGURATION },
    { "invalidProfile", CONFIGURATION },
    { "rejectedIdentifier", CONFIGURATION },
    { "unsupportedIdentifier", CONFIGURATION },
    { "userActionRequired", CONFIGURATION } };

static enum policy
policy_of(const struct acme_error *err)
{
    size_t i;

    if (err->rc == ACME_CONFIG)
        return CONFIGURATION;
    if (err->rc == ACME_REFUSED)
        return REFUSED;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(err->type, types[i].type) == 0)
            return types[i].policy;
    return err->http_status == 429 ? RATE_LIMIT : NETWORK;
}

/* Seconds of back-off before the n-th failure's next attempt. */
static int64_t
back_off(enum policy policy, unsigned n)
{
    int64_t wait = policies[policy].first;

    if (policy == CRASH && n >= 3)
        return policies[policy].most;
    while (n-- > 1 && wait < policies[policy].most)
        wait *= 2;
    return wait < policies[policy].most ? wait : policies[policy].most;
}

static int64_t
jittered(enum policy policy, int64_t wait, uint32_t random)
{
    int64_t late;

    if (policies[policy].jitter == EARLIER)
        return wait - pick(random, wait / 2 + 1);
    late = wait + pick(random, wait / 10 + 1);
    /* "At most" holds; only what waits for a change has no such bound. */
    if (policies[policy].wait_for_config || late < policies[policy].most)
        return late;
    return policies[policy].most;
}

/* An outage must not cost a certificate that is still valid: towards its end
 * no wait of ours is longer than a third of what is left. */
static int64_t
within_life(enum policy policy, int64_t wait, int64_t left)
{
    int64_t third = left / 3, least = policies[policy].first;

    if (policy != NETWORK || left <= 0 || wait <= third)
        return wait;
    return third > least ? third : least;
}

/* Seconds until the time the CA named; 0: it named none. */
static int64_t
asked_for(const struct acme_error *err, int64_t now, uint32_t random)
{
    const int64_t late = 10;
    int64_t wait = clamp(err->retry_at) - now;

    if (wait <= 0)
        return 0;
    if (wait > ACME_RETRY_AFTER_MAX - late)
        wait = ACME_RETRY_AFTER_MAX - late;
    return wait + pick(random, late + 1);
}

struct acme_schedule_next
acme_schedule_after(const struct acme_error *err, unsigned failures,
    unsigned crashes, time_t now, time_t not_after, uint32_t random)
{
    struct acme_schedule_next next = { 0, false, NULL };
    enum policy policy = crashes > 0 ? CRASH : policy_of(err);
    int64_t start = clamp(now), asked, wait;

    asked = crashes > 0 ? 0 : asked_for(err, start, random);
    if (asked > 0 && policy != VALIDATION)
        policy = NETWORK; /* its time instead of our guess at its limits */
    wait = back_off(policy, crashes > 0 ? crashes : failures);
    wait = within_life(policy, wait, clamp(not_after) - start);
    wait = jittered(policy, wait, random);
    next.why = policies[policy].why;
    next.wait_for_config = policies[policy].wait_for_config;
    /* A CA that asks for a second at each failure is not asked each second;
     * what goes on later is no failure. */
    if (asked > 0 && (asked >= wait || err->rc == ACME_LATER)) {
        wait = asked;
        next.why = "the CA asked for it";
    }
    next.at = (time_t)(start + wait);
    return next;
}

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

/* Seconds before not_after that the administrator wants; 0: he says nothing
 * that could be meant. */
static int64_t
window_of(const struct acme_timing *timing, int64_t life)
{
    int64_t window = timing->window;

    if (timing->window_percent != 0)
        window = life / 100 * timing->window_percent +
                 life % 100 * timing->window_percent / 100;
    return window < life ? window : 0;
}

time_t
acme_schedule_usual(const struct acme_timing *timing, time_t not_before,
    time_t not_after, uint32_t random)
{
    int64_t to = clamp(not_after), life = to - clamp(not_before);
    int64_t window = life > 0 ? window_of(timing, life) : 0;

    if (window == 0)
        return acme_schedule_renew_at(not_before, not_after, random);
    return (time_t)(to - window + pick(random, window / 100 + 1));
}

bool
acme_schedule_is_manual(const struct acme_timing *timing)
{
    return timing->mode == ACME_RENEW_MANUAL;
}

time_t
acme_schedule_first(const struct acme_timing *timing, time_t started,
    time_t at)
{
    int64_t first = clamp(started) + timing->initial_delay;

    return timing->initial_delay > 0 && clamp(at) < first ? (time_t)first : at;
}

time_t
acme_schedule_activate_at(const struct acme_timing *timing, time_t issued,
    time_t not_before, time_t not_after)
{
    int64_t to = clamp(not_after), life = to - clamp(not_before);
    int64_t at = clamp(issued) + timing->activation_delay;
    int64_t last = to - (life > 0 ? life / 10 : 0);

    return (time_t)(at < last ? at : last);
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

/* ---- what a CA suggests (RFC 9773) ------------------------------------ */

/* One look in so many seconds, on average, when all lineages want one. */
#define LOOKS_APART 2

time_t
acme_schedule_pick(time_t pick_before, time_t start, time_t end,
    uint32_t random)
{
    int64_t from = clamp(start), width = clamp(end) - from;

    if (pick_before > 0 && pick_before >= start && pick_before <= end)
        return pick_before;
    if (width > UINT32_MAX)
        width = UINT32_MAX;
    /* 0 means that nothing was drawn. */
    return (time_t)(from + pick(random, width) + (from == 0));
}

/* The first time at which a window may have us renew again. */
static int64_t
suggested_again(const struct acme_schedule_renewal *renewal)
{
    int64_t least =
        (clamp(renewal->not_after) - clamp(renewal->not_before)) / 20;

    if (renewal->suggested <= 0)
        return 0;
    return clamp(renewal->suggested) + (least > 6 * HOUR ? least : 6 * HOUR);
}

time_t
acme_schedule_renewal(const struct acme_schedule_renewal *renewal)
{
    int64_t from = clamp(renewal->not_before), to = clamp(renewal->not_after);
    int64_t usual = clamp(renewal->usual), at = clamp(renewal->pick);
    int64_t last = to - (to - from) / 10, again = suggested_again(renewal);

    if (renewal->pick <= 0)
        return renewal->usual;
    if (last < usual)
        last = usual;
    if (at >= usual && renewal->strict)
        return renewal->usual;
    if (at >= usual)
        return (time_t)(at < last ? at : last);
    if (at < again)
        at = again;
    return (time_t)(at < usual ? at : usual);
}

bool
acme_schedule_is_suggested(time_t at, time_t usual, time_t now)
{
    return at <= now && now < usual;
}

static int64_t
within(int64_t wait, int64_t least, int64_t most)
{
    return wait < least ? least : wait > most ? most : wait;
}

/* Seconds, doubled with each failure behind the first. */
static int64_t
doubled(int64_t wait, unsigned failures, int64_t most)
{
    while (failures-- > 1 && wait < most)
        wait *= 2;
    return wait < most ? wait : most;
}

time_t
acme_schedule_look(time_t planned, size_t lineages, time_t now,
    uint32_t random)
{
    int64_t start = clamp(now), spread = 6 * HOUR;

    if (planned > 0 && planned > now &&
        clamp(planned) <= start + 2 * ACME_LOOK_MAX)
        return planned;
    if (lineages < (size_t)(spread / LOOKS_APART))
        spread = (int64_t)lineages * LOOKS_APART;
    return (time_t)(start + pick(random, spread + 1));
}

time_t
acme_schedule_crl(time_t next_update, time_t now)
{
    int64_t start = clamp(now);

    return (time_t)(start + within(clamp(next_update) - start,
                                ACME_CRL_LIFE_MIN, ACME_CRL_LIFE_MAX));
}

time_t
acme_schedule_look_after(const struct acme_timing *timing, long retry_after,
    time_t now, uint32_t random)
{
    int64_t wait = retry_after;

    if (wait < 0)
        wait = timing != NULL && timing->check_interval > 0
                   ? timing->check_interval
                   : ACME_LOOK_DEFAULT;
    wait = within(wait, ACME_LOOK_MIN, ACME_LOOK_MAX);
    return (time_t)(clamp(now) + wait + pick(random, wait / 20 + 1));
}

time_t
acme_schedule_look_failed(const struct acme_error *err, unsigned failures,
    time_t now, uint32_t random)
{
    int64_t start = clamp(now), asked = clamp(err->retry_at) - start;
    int64_t wait = doubled(5 * MINUTE, failures, ACME_LOOK_DEFAULT);

    if (asked > 0)
        return acme_schedule_look_after(NULL, (long)asked, now, random);
    return (time_t)(start + wait - pick(random, wait / 2 + 1));
}

time_t
acme_schedule_look_pause(const struct acme_error *err, unsigned failures,
    time_t now)
{
    int64_t start = clamp(now), asked = clamp(err->retry_at) - start;
    bool busy = err->http_status == 429 || err->http_status >= 500;

    if (!busy && err->rc != ACME_NET)
        return now;
    if (asked > 0)
        return (time_t)(start + within(asked, ACME_LOOK_MIN, ACME_LOOK_MAX));
    return (time_t)(start + doubled(MINUTE, failures, HOUR));
}

time_t
acme_schedule_staple(const struct acme_timing *timing, time_t this_update,
    time_t next_update, time_t now, uint32_t random)
{
    int64_t start = clamp(now), to = clamp(next_update);
    int64_t life = to - clamp(this_update);
    int64_t window = life > 0 ? window_of(timing, life) : 0, at;

    if (window == 0 && life > 0)
        window = life / 3;
    at = to - window - pick(random, window / 10 + 1);
    if (at <= start)
        at = start + (to - start) / 2;
    return (
        time_t)(at > start + ACME_STAPLE_MIN ? at : start + ACME_STAPLE_MIN);
}

/* ---- retries ---------------------------------------------------------- */

/* From the mildest to the gravest: the worst part of a problem decides. */
enum policy {
    OWN,
    OUTAGE,
    PREFLIGHT,
    VALIDATION,
    ACCOUNT,
    RATE_LIMIT,
    CONFIGURATION,
    REFUSED,
    PAUSED,
    CRASH
};

enum jitter {
    EARLIER, /* half to whole: spreads best */
    LATER    /* whole to a tenth more, for what must not be sooner */
};

/* When the next CA of a list is asked instead of waiting for this one. */
enum elsewhere {
    NEVER,
    AT_ONCE,
    AFTER_SOME, /* failures, or if the wait is long because the CA says so */
    IF_LONG     /* the wait */
};

static const struct {
    int64_t first; /* doubled with each failure ... */
    int64_t most;  /* ... up to this */
    enum jitter jitter;
    enum elsewhere elsewhere;
    bool wait_for_config;
    const char *why;
} policies[] = { [OWN] = { 15, 6 * HOUR, EARLIER, NEVER, false, "back-off" },
    [OUTAGE] = { 15, 6 * HOUR, EARLIER, AFTER_SOME, false, "back-off" },
    [PREFLIGHT] = { 15 * MINUTE, 12 * HOUR, LATER, NEVER, false,
        "the CA has not been asked" },
    [VALIDATION] = { 15 * MINUTE, 12 * HOUR, LATER, NEVER, false,
        "the CA could not validate a name" },
    [ACCOUNT] = { 15 * MINUTE, 12 * HOUR, LATER, AFTER_SOME, false,
        "the CA refuses the account" },
    [RATE_LIMIT] = { HOUR, DAY, LATER, IF_LONG, false, "the CA's rate limit" },
    [CONFIGURATION] = { DAY, DAY, LATER, AT_ONCE, true,
        "only a change of the configuration helps" },
    [REFUSED] = { DAY, DAY, LATER, AT_ONCE, true,
        "the CA's certificate must not be served" },
    [PAUSED] = { DAY, DAY, LATER, AT_ONCE, true,
        "the CA has paused it until somebody goes to its portal" },
    [CRASH] = { MINUTE, HOUR, LATER, NEVER, false,
        "an attempt ended in a crash" } };

/*
 * RFC 8555 6.7, RFC 9773 5 (alreadyReplaced), draft-ietf-acme-profiles
 * (invalidProfile).  RFC 8739's autoRenewal* are about what is never asked
 * for; what is not here is treated by its status.
 */
static const struct {
    const char *type;
    enum policy policy;
} types[] = {
    { "accountDoesNotExist", OUTAGE }, /* next time it is looked for */
    { "alreadyReplaced", OWN },
    { "alreadyRevoked", OWN },
    { "badCSR", CONFIGURATION },
    { "badNonce", OUTAGE }, /* ACME_NONCE_RETRIES times in a row */
    { "badPublicKey", CONFIGURATION },
    { "badRevocationReason", OWN },
    { "badSignatureAlgorithm", CONFIGURATION },
    { "caa", VALIDATION },
    { "compound", OWN }, /* its parts count */
    { "connection", VALIDATION },
    { "dns", VALIDATION },
    { "externalAccountRequired", CONFIGURATION },
    { "incorrectResponse", VALIDATION },
    { "invalidContact", CONFIGURATION },
    { "invalidProfile", CONFIGURATION },
    { "malformed", OUTAGE },
    { "orderNotReady", OUTAGE },
    { "paused", PAUSED },
    { "rateLimited", RATE_LIMIT },
    { "rejectedIdentifier", CONFIGURATION },
    { "serverInternal", OUTAGE },
    { "tls", VALIDATION },
    { "unauthorized", VALIDATION },
    { "unsupportedContact", CONFIGURATION },
    { "unsupportedIdentifier", CONFIGURATION },
    { "userActionRequired", CONFIGURATION },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

static size_t
find_type(const char *type)
{
    size_t i;

    for (i = 0; i < TYPES; i++)
        if (strcmp(type, types[i].type) == 0)
            break;
    return i;
}

bool
acme_schedule_knows(const char *type)
{
    return find_type(type) < TYPES;
}

/* Boulder's pause is a rateLimited or unauthorized that says so. */
static bool
is_pause(const struct acme_error *err)
{
    return (strcmp(err->type, "rateLimited") == 0 ||
               strcmp(err->type, "unauthorized") == 0) &&
           strstr(err->detail,
               "temporarily prevented from requesting certificates") != NULL;
}

/* The problem without its parts. */
static enum policy
policy_of_whole(const struct acme_error *err)
{
    size_t i = find_type(err->type);

    if (is_pause(err))
        return PAUSED;
    if (i == TYPES)
        return err->http_status == 429 ? RATE_LIMIT : OUTAGE;
    /* A failed validation is told in a challenge, with a status of its own;
     * as the answer to a request it is about the account. */
    if (types[i].policy == VALIDATION && err->http_status != 0 &&
        strcmp(err->type, "unauthorized") == 0)
        return ACCOUNT;
    return types[i].policy;
}

static enum policy
policy_of_problem(const struct acme_error *err)
{
    enum policy worst = policy_of_whole(err);
    unsigned i;
    size_t row;

    for (i = 0; i < err->nsub && i < ACME_SUBPROBLEMS_MAX; i++) {
        row = find_type(err->sub[i].type);
        if (row < TYPES && types[row].policy > worst)
            worst = types[row].policy;
    }
    /* None of its parts told us anything. */
    return worst == OWN && strcmp(err->type, "compound") == 0 ? OUTAGE : worst;
}

static enum policy
policy_of(const struct acme_error *err)
{
    switch (err->rc) {
    case ACME_CONFIG:
        return CONFIGURATION;
    case ACME_REFUSED:
        return REFUSED;
    case ACME_UNREADY:
        return PREFLIGHT;
    case ACME_NET:
    case ACME_WIRE:
        return OUTAGE;
    case ACME_PROBLEM:
        return policy_of_problem(err);
    default:
        return OWN;
    }
}

bool
acme_schedule_is_validation(const struct acme_error *err)
{
    return policy_of(err) == VALIDATION;
}

/* Seconds after the first failure. */
static int64_t
first_wait(const struct acme_timing *timing, enum policy policy)
{
    int64_t asked = timing != NULL ? timing->retry_delay : 0;

    if (asked == 0 || policy == CRASH)
        return policies[policy].first;
    return policy <= OUTAGE || asked > policies[policy].first
               ? asked
               : policies[policy].first;
}

/* ... and before the n-th failure's next attempt; an administrator's delay
 * may be longer than what is the longest else. */
static int64_t
back_off(const struct acme_timing *timing, enum policy policy, unsigned n)
{
    int64_t wait = first_wait(timing, policy);
    int64_t most = policies[policy].most;

    if (wait > most)
        most = wait;
    if (policy == CRASH && n >= 3)
        return most;
    while (n-- > 1 && wait < most)
        wait *= 2;
    return wait < most ? wait : most;
}

static int64_t
jittered(enum policy policy, int64_t wait, uint32_t random)
{
    int64_t late;

    if (policies[policy].jitter == EARLIER)
        return wait - pick(random, wait / 2 + 1);
    late = wait + pick(random, wait / 10 + 1);
    /* "At most" holds; only what waits for a change has no such bound. */
    if (policies[policy].wait_for_config || late < policies[policy].most ||
        wait > policies[policy].most)
        return late;
    return policies[policy].most;
}

/* An outage must not cost a certificate that is still valid: towards its end
 * no wait of ours is longer than a third of what is left. */
static int64_t
within_life(enum policy policy, int64_t wait, int64_t left)
{
    int64_t third = left / 3, least = policies[policy].first;

    if (policy > OUTAGE || left <= 0 || wait <= third)
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

bool
acme_schedule_is_long(time_t until, time_t now, time_t not_after)
{
    int64_t start = clamp(now), wait = clamp(until) - start;

    return wait > MINUTE && wait > (clamp(not_after) - start) / 3;
}

/* `later`: the CA named a time itself. */
static bool
goes_elsewhere(const struct acme_timing *timing, enum policy policy,
    unsigned failures, int64_t left, bool later, bool is_long)
{
    unsigned some = left > 0 ? 10 : 3;

    if (timing != NULL && timing->retry_failover > 0)
        some = timing->retry_failover;
    switch (policies[policy].elsewhere) {
    case AT_ONCE:
        return true;
    case AFTER_SOME:
        return failures >= some || (later && is_long);
    case IF_LONG:
        return is_long;
    default:
        return false;
    }
}

time_t
acme_schedule_complete_at(unsigned times, time_t now, uint32_t random)
{
    int64_t wait = DAY;

    while (times-- > 1 && wait < 7 * DAY)
        wait *= 2;
    if (wait > 7 * DAY)
        wait = 7 * DAY;
    return (time_t)(clamp(now) + wait + pick(random, wait / 10 + 1));
}

struct acme_schedule_next
acme_schedule_after(const struct acme_timing *timing,
    const struct acme_error *err, unsigned failures, unsigned crashes,
    time_t now, time_t not_after, uint32_t random)
{
    struct acme_schedule_next next = { 0, false, false, NULL };
    const enum policy what = crashes > 0 ? CRASH : policy_of(err);
    enum policy policy = what;
    int64_t start = clamp(now), asked, wait;
    bool later;

    asked = crashes > 0 ? 0 : asked_for(err, start, random);
    /* Its time instead of our guess at its limits; but no time ends what a
     * person has to end. */
    if (asked > 0 && policy > ACCOUNT && policy != PAUSED)
        policy = OUTAGE;
    wait = back_off(timing, policy, crashes > 0 ? crashes : failures);
    wait = within_life(policy, wait, clamp(not_after) - start);
    wait = jittered(policy, wait, random);
    next.why = policies[policy].why;
    next.wait_for_config = policies[policy].wait_for_config;
    /* A CA that asks for a second at each failure is not asked each second;
     * what goes on later is no failure. */
    later = asked > 0 && (asked >= wait || err->rc == ACME_LATER);
    if (later) {
        wait = asked;
        if (policy != PAUSED)
            next.why = "the CA asked for it";
    }
    next.at = (time_t)(start + wait);
    next.next_ca =
        goes_elsewhere(timing, what, failures, clamp(not_after) - start, later,
            acme_schedule_is_long(next.at, now, not_after));
    return next;
}

long
acme_schedule_offset(long ahead)
{
    return ahead > ACME_CLOCK_WRONG || ahead < -ACME_CLOCK_WRONG ? ahead : 0;
}

/* Beyond all that is in the table, its jitter included. */
#define LONGEST (ACME_RETRY_AFTER_MAX + DAY)

time_t
acme_schedule_retry_at(time_t next, time_t said, time_t now)
{
    int64_t then = clamp(next), start = clamp(said), today = clamp(now);

    if (then <= today)
        return next;
    if (start > today + MINUTE)
        then = today + (then > start ? then - start : 0);
    return (time_t)(then - today > LONGEST ? today : then);
}

size_t
acme_schedule_choose(const struct acme_schedule_ca *ca, size_t n, time_t now)
{
    size_t i, first = 0;

    for (i = 0; i < n; i++) {
        if (ca[i].next <= now || clamp(ca[i].next) - clamp(now) > LONGEST)
            return i;
        if (ca[i].next < ca[first].next)
            first = i;
    }
    return first;
}

/*
 * The engine and clocks: ours may be wrong or be set while we run, and so may
 * a CA's.  What is due is decided by the CA's if they are far apart, slowly;
 * nothing is ever withdrawn because of a clock.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_engine_private.h"

/* From one renewal to the next at a CA whose clock is not ours. */
#define WRONG_CLOCK_PACE 60

static struct clock *
clock_of(const struct acme_engine *engine, size_t issuer)
{
    return &engine->clock[acme_crew_ca(engine->crew, issuer)];
}

static long
offset_of(const struct acme_engine *engine, size_t issuer)
{
    const struct clock *clock = clock_of(engine, issuer);

    return clock->known ? acme_schedule_offset(clock->ahead) : 0;
}

long
acme_engine_offset(const struct acme_engine *engine, size_t unit)
{
    return offset_of(engine, acme_engine_issuer(engine, unit));
}

time_t
acme_engine_today(const struct acme_engine *engine, size_t issuer)
{
    return now(engine) + offset_of(engine, issuer);
}

/* "3 days", "2 hours", "90 seconds" */
static const char *
length(long seconds, char text[32])
{
    const long most = labs(seconds);

    if (most >= 2 * 86400L)
        (void)snprintf(text, 32, "%ld days", most / 86400);
    else if (most >= 2 * 3600L)
        (void)snprintf(text, 32, "%ld hours", most / 3600);
    else
        (void)snprintf(text, 32, "%ld seconds", most);
    return text;
}

static void
tell(const struct acme_engine *engine, struct clock *clock, const char *issuer)
{
    bool off = labs(clock->ahead) > ACME_CLOCK_WARN;
    char text[32];

    if (off && !clock->told)
        acme_log(engine->conf.host, ACME_LOG_WARN,
            "the clock of issuer \"%s\" is %s %s ours; is ours right?%s",
            issuer, length(clock->ahead, text),
            clock->ahead > 0 ? "ahead of" : "behind",
            acme_schedule_offset(clock->ahead) != 0
                ? " what is due goes by the CA's, one renewal a minute"
                : "");
    else if (!off && clock->told)
        acme_log(engine->conf.host, ACME_LOG_NOTICE,
            "the clock of issuer \"%s\" and ours agree again", issuer);
    clock->told = off;
}

void
acme_engine_note_clock(struct acme_engine *engine,
    const struct acme_crew_ended *ended, struct acme_record *record)
{
    struct clock *clock = clock_of(engine, ended->issuer);
    long before = clock->known ? acme_schedule_offset(clock->ahead) : 0;
    long ahead = ended->result.ahead;

    if (!ended->result.clock_known)
        return;
    clock->known = true;
    clock->ahead = ahead;
    record->clock_ahead = labs(ahead) > ACME_CLOCK_WARN ? ahead : 0;
    tell(engine, clock, engine->conf.config->issuer[ended->issuer].name);
    if (labs(acme_schedule_offset(ahead) - before) > ACME_CLOCK_WARN)
        engine->replan = true;
}

/*
 * Ours has jumped.  Back: it was set, and the CAs' have not moved.  Forward:
 * that may also be the time this machine has slept, so the CAs are asked
 * again, which each job does before it renews anything.
 */
static void
move_clocks(struct acme_engine *engine, long jump)
{
    struct clock *clock;
    char text[32];
    size_t i;

    acme_log(engine->conf.host, ACME_LOG_NOTICE,
        "the clock has jumped %s by %s", jump > 0 ? "forward" : "back",
        length(jump, text));
    for (i = 0; i < engine->conf.config->nissuers; i++) {
        clock = &engine->clock[i];
        clock->known = clock->known && jump < 0;
        clock->ahead -= jump;
    }
    engine->replan = true;
}

bool
acme_engine_watch_clock(struct acme_engine *engine)
{
    const struct acme_engine_conf *conf = &engine->conf;
    bool replan;
    long long ms;
    time_t wall = now(engine);
    long jump;

    if (conf->ticks_ms != NULL) {
        ms = conf->ticks_ms(conf->idle_ctx);
        jump = (long)(wall - engine->wall) -
               (long)((ms - engine->wall_ms) / 1000);
        if (engine->wall != 0 && labs(jump) > ACME_CLOCK_WARN)
            move_clocks(engine, jump);
        engine->wall = wall;
        engine->wall_ms = ms;
    }
    replan = engine->replan;
    engine->replan = false;
    return replan;
}

time_t
acme_engine_pace(const struct acme_engine *engine, size_t unit)
{
    const struct planned *planned = &engine->planned[unit];
    const struct clock *clock =
        clock_of(engine, acme_engine_issuer(engine, unit));
    time_t next = clock->started + WRONG_CLOCK_PACE;

    if (acme_engine_offset(engine, unit) == 0 || planned->not_after == 0 ||
        planned->asked || planned->order)
        return 0;
    return clock->started != 0 && clock->started <= now(engine) &&
                   next > now(engine)
               ? next
               : 0;
}

void
acme_engine_note_start(struct acme_engine *engine, size_t unit)
{
    if (engine->planned[unit].not_after != 0)
        clock_of(engine, acme_engine_issuer(engine, unit))->started =
            now(engine);
}

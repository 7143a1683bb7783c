#include "state/acme_condition.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/acme_time.h"

/* Its certificates are renewed after half of their life (acme_schedule.h). */
#define SHORT_LIFE ((time_t)10 * 86400)

static const char *const words[ACME_CONDITIONS] = {
    [ACME_IS_CONFLICT] = "conflict",
    [ACME_IS_DORMANT] = "dormant",
    [ACME_IS_EXPIRED] = "expired",
    [ACME_IS_REVOKED] = "revoked",
    [ACME_IS_EXPIRING] = "expiring",
    [ACME_IS_WAITING] = "waiting",
    [ACME_IS_FAILING] = "failing",
    [ACME_IS_DAMAGED] = "damaged",
    [ACME_IS_PENDING] = "pending",
    [ACME_IS_MISSING] = "missing",
    [ACME_IS_DUE] = "due",
    [ACME_IS_OK] = "ok",
};

const char *
acme_condition_word(enum acme_condition condition)
{
    return condition < ACME_CONDITIONS ? words[condition] : "";
}

bool
acme_condition_is_at_work(const struct acme_record *record)
{
    const char *last = acme_record_last_step(record);

    return record->attempt_open ||
           (last[0] != '\0' && strcmp(last, ACME_STEP_DONE) != 0 &&
               strcmp(last, ACME_STEP_FAILED) != 0);
}

enum acme_condition
acme_condition_of(const struct acme_condition_facts *facts)
{
    const struct acme_record *record = facts->record;
    bool at_work = acme_condition_is_at_work(record);

    if (facts->conflict)
        return ACME_IS_CONFLICT;
    if (!facts->declared)
        return ACME_IS_DORMANT;
    if (facts->not_after != 0 && facts->not_after <= facts->now)
        return ACME_IS_EXPIRED;
    if (facts->revoked)
        return ACME_IS_REVOKED;
    if (facts->not_after != 0 && facts->expiring < facts->now)
        return ACME_IS_EXPIRING;
    if (record->failures > 0)
        return record->wait_for_config ? ACME_IS_WAITING : ACME_IS_FAILING;
    if (facts->damaged)
        return ACME_IS_DAMAGED;
    if (facts->not_after == 0)
        return at_work ? ACME_IS_PENDING : ACME_IS_MISSING;
    if (facts->due != NULL || at_work ||
        (facts->renew_at != 0 && facts->renew_at <= facts->now))
        return ACME_IS_DUE;
    return ACME_IS_OK;
}

/* ---- for people ------------------------------------------------------- */

struct sentence {
    char *text;
    size_t len;
};

static void say(struct sentence *sentence, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Another part of it. */
static void
say(struct sentence *sentence, const char *fmt, ...)
{
    size_t left = ACME_CONDITION_TEXT - sentence->len;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(sentence->text + sentence->len, left, fmt, args);
    va_end(args);
    if (n > 0)
        sentence->len += (size_t)n < left ? (size_t)n : left - 1;
}

static void
say_life(struct sentence *sentence, const struct acme_condition_facts *facts)
{
    char until[ACME_TIME_TEXT];

    if (facts->not_after == 0)
        say(sentence, "there is no certificate yet");
    else
        say(sentence, "%s %s",
            facts->not_after <= facts->now ? "expired at" : "valid until",
            acme_time_format(facts->not_after, until));
}

/* What is done about it. */
static void
say_cure(struct sentence *sentence, const struct acme_condition_facts *facts)
{
    const struct acme_record *record = facts->record;
    char when[ACME_TIME_TEXT];

    if (record->failures > 0 && facts->manual) {
        say(sentence, "; the last attempt failed, the next one is with "
                      "acmectl renew");
        return;
    }
    if (record->failures > 0) {
        say(sentence, "; the last attempt failed, the next one is %sat %s",
            record->wait_for_config ? "when the configuration changes, or "
                                    : "",
            acme_time_format(record->next_attempt, when));
        return;
    }
    say(sentence, "; %s",
        acme_condition_is_at_work(record) ? "it is being ordered"
        : facts->manual ? "an order is due, with acmectl renew alone"
                        : "an order is due");
    if (facts->due != NULL && facts->not_after != 0)
        say(sentence, ": %s", facts->due);
    else if (facts->why != NULL)
        say(sentence, ": %s", facts->why);
}

static void
say_plan(struct sentence *sentence, const struct acme_condition_facts *facts)
{
    char when[ACME_TIME_TEXT];

    if (facts->renew_at == 0)
        return;
    say(sentence, "; to be renewed %s%s",
        facts->manual ? "with acmectl renew, best at " : "at ",
        acme_time_format(facts->renew_at, when));
    if (facts->why != NULL)
        say(sentence, ": %s", facts->why);
}

const char *
acme_condition_text(const struct acme_condition_facts *facts,
    char text[ACME_CONDITION_TEXT])
{
    struct sentence sentence = { text, 0 };

    text[0] = '\0';
    say_life(&sentence, facts);
    switch (acme_condition_of(facts)) {
    case ACME_IS_CONFLICT:
        say(&sentence, "; servers want different things, nothing is ordered "
                       "until they agree");
        break;
    case ACME_IS_DORMANT:
        say(&sentence, "; no server wants it any more, it is kept and not "
                       "renewed");
        break;
    case ACME_IS_REVOKED:
        say(&sentence, "; revoked, and served until the next one is there");
        say_cure(&sentence, facts);
        break;
    case ACME_IS_DAMAGED:
        say(&sentence, "; files of it cannot be used");
        break;
    case ACME_IS_OK:
        say_plan(&sentence, facts);
        break;
    default:
        say_cure(&sentence, facts);
        break;
    }
    return text;
}

const char *
acme_condition_why(const struct acme_record *record, time_t not_before,
    time_t not_after)
{
    if (record->renew_at == 0)
        return NULL;
    if (record->window.end != 0 && record->renew_at == record->window.pick)
        return "suggested by the CA";
    if (record->window.end != 0 && record->renew_at != record->renew_usual)
        return record->renew_at > record->renew_usual
                   ? "later than usual, as suggested by the CA, but not in "
                     "the last tenth of its life"
                   : "suggested by the CA, but not again so soon";
    if (record->renew_window[0] != '\0')
        return "as configured";
    return not_after - not_before < SHORT_LIFE ? "half of its life"
                                               : "two thirds of its life";
}

/* ---- by itself -------------------------------------------------------- */

static void
first(time_t *until, time_t now, time_t at)
{
    if (at > now && (*until == 0 || at < *until))
        *until = at;
}

time_t
acme_condition_until(const struct acme_condition_facts *facts)
{
    time_t until = 0;

    first(&until, facts->now, facts->renew_at);
    if (facts->not_after != 0)
        first(&until, facts->now, facts->expiring + 1);
    first(&until, facts->now, facts->not_after);
    return until;
}

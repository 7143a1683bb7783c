#include "state/acme_timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "state/acme_words.h"

enum {
    MINUTE = 60,
    HOUR = 3600,
    DAY = 24 * HOUR
};

#define FAILURES_MOST 1000
#define PERCENT_MOST 99

/* What may be said of each: a time, in units of `unit` if none is named. */
static const struct {
    const char *name;
    unsigned unit; /* 0: no time */
    unsigned least, most;
    const char *cure;
} items[ACME_TIMING_ITEMS] = {
    [ACME_TIMING_MODE] = { "mode", 0, 0, 0,
        "it must be auto, always or manual" },
    [ACME_TIMING_WINDOW] = { "window", DAY, 1, 3650u * DAY,
        "it must be 1% to 99% of the life, or a time up to 3650d, such as "
        "30d or 12h" },
    [ACME_TIMING_CHECK_INTERVAL] = { "check_interval", 1, 1, 30u * DAY,
        "it must be a time of 1s to 30d, such as 6h" },
    [ACME_TIMING_INITIAL_DELAY] = { "initial_delay", 1, 0, 30u * DAY,
        "it must be a time of 0 to 30d, such as 30s or 10m" },
    [ACME_TIMING_RETRY_DELAY] = { "retry_delay", 1, 1, DAY,
        "it must be a time of 1s to 1d, such as 30s or 5m" },
    [ACME_TIMING_RETRY_FAILOVER] = { "retry_failover", 0, 1, FAILURES_MOST,
        "it must be a number of failures, 1 to 1000" },
    [ACME_TIMING_ACTIVATION_DELAY] = { "activation_delay", DAY, 0, 7u * DAY,
        "it must be a time of 0 to 7d, such as 12h or 1d" },
};

static const char *const modes[] = { [ACME_RENEW_AUTO] = "auto",
    [ACME_RENEW_ALWAYS] = "always",
    [ACME_RENEW_MANUAL] = "manual" };

static bool
has(const struct acme_timing *timing, size_t item)
{
    return (timing->said & 1u << item) != 0;
}

/* Where an item's number is kept. */
static unsigned *
place(struct acme_timing *timing, enum acme_timing_item item)
{
    switch (item) {
    case ACME_TIMING_CHECK_INTERVAL:
        return &timing->check_interval;
    case ACME_TIMING_INITIAL_DELAY:
        return &timing->initial_delay;
    case ACME_TIMING_RETRY_DELAY:
        return &timing->retry_delay;
    case ACME_TIMING_RETRY_FAILOVER:
        return &timing->retry_failover;
    case ACME_TIMING_ACTIVATION_DELAY:
        return &timing->activation_delay;
    default:
        return &timing->window;
    }
}

/* ---- words ------------------------------------------------------------ */

/* Digits alone, and what is behind them; false: too many, or none. */
static bool
read_number(const char *word, unsigned long most, unsigned long *value,
    const char **rest)
{
    size_t n = strspn(word, "0123456789");

    *rest = word + n;
    if (n == 0 || n > 9)
        return false;
    *value = strtoul(word, NULL, 10);
    return *value <= most;
}

/* 0: there is no such unit. */
static unsigned
unit_of(const char *name, unsigned usual)
{
    static const struct {
        const char *name;
        unsigned seconds;
    } units[] = { { "s", 1 }, { "m", MINUTE }, { "mi", MINUTE },
        { "min", MINUTE }, { "h", HOUR }, { "d", DAY } };
    size_t i;

    if (*name == '\0')
        return usual;
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcasecmp(name, units[i].name) == 0)
            return units[i].seconds;
    return 0;
}

static enum acme_rc
set_mode(struct acme_timing *timing, const char *word, struct acme_error *err)
{
    size_t i;

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcasecmp(word, modes[i]) == 0) {
            timing->mode = (enum acme_renew_mode)i;
            return ACME_OK;
        }
    return acme_words_bad(err, word, items[ACME_TIMING_MODE].cure);
}

static enum acme_rc
set_number(struct acme_timing *timing, enum acme_timing_item item,
    const char *word, struct acme_error *err)
{
    unsigned unit = items[item].unit;
    unsigned long value = 0;
    const char *rest;
    bool good = read_number(word, items[item].most, &value, &rest);

    if (item == ACME_TIMING_WINDOW && strcmp(rest, "%") == 0) {
        if (!good || value == 0 || value > PERCENT_MOST)
            return acme_words_bad(err, word, items[item].cure);
        timing->window_percent = (unsigned)value;
        timing->window = 0;
        return ACME_OK;
    }
    unit = unit != 0 ? unit_of(rest, unit) : *rest == '\0';
    if (!good || unit == 0 || value > items[item].most / unit ||
        value < items[item].least)
        return acme_words_bad(err, word, items[item].cure);
    if (item == ACME_TIMING_WINDOW)
        timing->window_percent = 0;
    *place(timing, item) = (unsigned)(value * unit);
    return ACME_OK;
}

enum acme_rc
acme_timing_set(struct acme_timing *timing, enum acme_timing_item item,
    const char *const *word, size_t n, struct acme_error *err)
{
    enum acme_rc rc;

    if (n != 1)
        return acme_words_count(err, items[item].cure);
    rc = item == ACME_TIMING_MODE ? set_mode(timing, word[0], err)
                                  : set_number(timing, item, word[0], err);
    if (rc == ACME_OK)
        timing->said |= 1u << item;
    return rc;
}

/* ---- as values -------------------------------------------------------- */

void
acme_timing_merge(struct acme_timing *narrow, const struct acme_timing *wide)
{
    struct acme_timing from = *wide;
    size_t i;

    for (i = 0; i < ACME_TIMING_ITEMS; i++) {
        const enum acme_timing_item item = (enum acme_timing_item)i;

        if (has(narrow, i) || !has(wide, i))
            continue;
        if (item == ACME_TIMING_MODE)
            narrow->mode = wide->mode;
        else
            *place(narrow, item) = *place(&from, item);
        if (item == ACME_TIMING_WINDOW)
            narrow->window_percent = wide->window_percent;
        narrow->said |= 1u << i;
    }
}

bool
acme_timing_equal(const struct acme_timing *a, const struct acme_timing *b)
{
    return a->said == b->said && a->mode == b->mode &&
           a->window_percent == b->window_percent && a->window == b->window &&
           a->check_interval == b->check_interval &&
           a->initial_delay == b->initial_delay &&
           a->retry_delay == b->retry_delay &&
           a->retry_failover == b->retry_failover &&
           a->activation_delay == b->activation_delay;
}

const char *
acme_renew_mode_name(enum acme_renew_mode mode)
{
    return modes[mode];
}

const char *
acme_timing_text(const struct acme_timing *timing, enum acme_timing_item item,
    char text[ACME_TIMING_TEXT])
{
    struct acme_timing copy = *timing;

    text[0] = '\0';
    if (!has(timing, item))
        return text;
    if (item == ACME_TIMING_MODE)
        (void)snprintf(text, ACME_TIMING_TEXT, "%s", modes[timing->mode]);
    else if (item == ACME_TIMING_WINDOW && timing->window_percent != 0)
        (void)snprintf(text, ACME_TIMING_TEXT, "%u%%", timing->window_percent);
    else
        (void)snprintf(text, ACME_TIMING_TEXT, "%u%s", *place(&copy, item),
            items[item].unit != 0 ? "s" : "");
    return text;
}

/* ---- JSON: the words of the directives -------------------------------- */

struct acme_json *
acme_timing_render(const struct acme_timing *timing)
{
    struct acme_json *json = acme_json_object();
    char text[ACME_TIMING_TEXT];
    size_t i;

    for (i = 0; i < ACME_TIMING_ITEMS; i++)
        if (has(timing, i))
            acme_json_set_str(json, items[i].name,
                acme_timing_text(timing, (enum acme_timing_item)i, text));
    return json;
}

enum acme_rc
acme_timing_parse(const struct acme_json *json, struct acme_timing *timing,
    struct acme_error *err)
{
    struct acme_timing parsed = { .said = 0 };
    struct acme_error why;
    const char *word;
    size_t i;

    for (i = 0; i < ACME_TIMING_ITEMS; i++) {
        if (acme_json_get(json, items[i].name) == NULL)
            continue;
        acme_error_clear(&why);
        word = acme_json_str(json, items[i].name);
        if (word == NULL || acme_timing_set(&parsed, (enum acme_timing_item)i,
                                &word, 1, &why) != ACME_OK)
            return acme_error_set(err, ACME_WIRE, "%s is malformed",
                items[i].name);
    }
    *timing = parsed;
    return ACME_OK;
}

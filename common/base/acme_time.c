#include "base/acme_time.h"

#include <stdint.h>
#include <stdio.h>

#define DAY 86400
#define YEAR_9999_END 253402300799LL

/*
 * Days since 1970-01-01 of a date in the Gregorian calendar, and back, for
 * years from 1970 on.  Years are counted from March, so that the leap day is
 * the last of its year; 719468 is the number of days from 0000-03-01 to
 * 1970-01-01.
 */
static int64_t
days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = (month + 9) % 12;

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 -
           719468;
}

static void
date_of(int64_t days, int *year, int *month, int *day)
{
    int64_t d = days + 719468;
    int64_t era = d / 146097;
    int64_t in_era = d % 146097;
    int64_t y =
        (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (y * 365 + y / 4 - y / 100);
    int64_t m = (in_year * 5 + 2) / 153;

    *day = (int)(in_year - (m * 153 + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int64_t
clamp(time_t t)
{
    int64_t sec = t;

    if (sec < 0)
        return 0;
    return sec > YEAR_9999_END ? YEAR_9999_END : sec;
}

const char *
acme_time_format(time_t t, char text[ACME_TIME_TEXT])
{
    int64_t sec = clamp(t);
    int year;
    int month;
    int day;

    date_of(sec / DAY, &year, &month, &day);
    sec %= DAY;
    snprintf(text, ACME_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", year,
        month, day, (int)(sec / 3600), (int)(sec / 60 % 60), (int)(sec % 60));
    return text;
}

const char *
acme_time_format_http(time_t t, char text[ACME_TIME_TEXT])
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* from 1970 on */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t sec = clamp(t), all = sec / DAY;
    int year, month, day;

    date_of(all, &year, &month, &day);
    sec %= DAY;
    snprintf(text, ACME_TIME_TEXT, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
        days + all % 7 * 3, day, months + (month - 1) * 3, year,
        (int)(sec / 3600), (int)(sec / 60 % 60), (int)(sec % 60));
    return text;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes `n` digits and the separator behind them ('\0': none). */
static bool
take(const char **text, int n, char separator, int *value)
{
    const char *p = *text;
    int v = 0;

    while (n-- > 0) {
        if (!is_digit(*p))
            return false;
        v = v * 10 + (*p++ - '0');
    }
    if (separator != '\0' && *p++ != separator)
        return false;
    *text = p;
    *value = v;
    return true;
}

static bool
take_date(const char **text, int64_t *days)
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
        31 };
    int year;
    int month;
    int day;
    bool leap;

    if (!take(text, 4, '-', &year) || !take(text, 2, '-', &month) ||
        !take(text, 2, '\0', &day))
        return false;
    if (year < 1970 || month < 1 || month > 12)
        return false;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day < 1 || day > lengths[month - 1] + (leap && month == 2))
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* RFC 3339 5.7 allows second 60; it is the next minute's 0 to us. */
static bool
take_time(const char **text, int *seconds)
{
    int hour;
    int min;
    int sec;

    if (!take(text, 2, ':', &hour) || !take(text, 2, ':', &min) ||
        !take(text, 2, '\0', &sec) || hour > 23 || min > 59 || sec > 60)
        return false;
    if (**text == '.') {
        if (!is_digit(*++*text))
            return false;
        while (is_digit(**text))
            ++*text;
    }
    *seconds = hour * 3600 + min * 60 + sec;
    return true;
}

/* Seconds to be taken off to get UTC. */
static bool
take_offset(const char **text, int *seconds)
{
    char sign = *(*text)++;
    int hour;
    int min;

    *seconds = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !take(text, 2, ':', &hour) ||
        !take(text, 2, '\0', &min) || hour > 23 || min > 59)
        return false;
    *seconds = hour * 3600 + min * 60;
    if (sign == '-')
        *seconds = -*seconds;
    return true;
}

bool
acme_time_parse(const char *text, time_t *t)
{
    int64_t days;
    int64_t sum;
    int seconds;
    int offset;

    if (!take_date(&text, &days))
        return false;
    if (*text != 'T' && *text != 't')
        return false;
    text++;
    if (!take_time(&text, &seconds) || !take_offset(&text, &offset) ||
        *text != '\0')
        return false;
    sum = days * DAY + seconds - offset;
    if (sum < 0 || sum > YEAR_9999_END || (time_t)sum != sum)
        return false;
    *t = (time_t)sum;
    return true;
}

long long
acme_time_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

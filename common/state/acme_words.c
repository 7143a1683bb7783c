#include "state/acme_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_limits.h"
#include "base/acme_log.h"

/* Room for a word in front of a path, such as "credentials=". */
#define PREFIX_MAX 16

enum acme_rc
acme_words_bad(struct acme_error *err, const char *word, const char *cure)
{
    char shown[128];

    acme_log_clean(shown, sizeof(shown), word, strlen(word));
    return acme_error_set(err, ACME_CONFIG, "\"%s\": %s", shown, cure);
}

enum acme_rc
acme_words_count(struct acme_error *err, const char *cure)
{
    return acme_error_set(err, ACME_CONFIG,
        "too many or too few parameters: %s", cure);
}

enum acme_rc
acme_words_path(const struct acme_words *words, const char *word,
    const char **path, struct acme_error *err)
{
    *path = word;
    if (words->path != NULL)
        *path = words->path(words->ctx, word);
    if (*path == NULL || **path != '/')
        return acme_words_bad(err, word, "not the path of a file");
    if (strlen(*path) > ACME_URL_MAX - PREFIX_MAX)
        return acme_words_bad(err, word, "the path is too long");
    return ACME_OK;
}

enum acme_rc
acme_words_seconds(const char *word, unsigned long most, unsigned *seconds,
    struct acme_error *err)
{
    char *end, cure[96];
    unsigned long value = strtoul(word, &end, 10), unit = 1;

    if (*end == 'm')
        unit = 60;
    else if (*end == 'h')
        unit = 3600;
    if (*end != '\0')
        end += strspn(end, "smh") == 1;
    if (end == word || *end != '\0' || *word == '-' || value == 0 ||
        value > most / unit) {
        (void)snprintf(cure, sizeof(cure),
            "it must be a time of 1 to %lu seconds, such as 30 or 2m", most);
        return acme_words_bad(err, word, cure);
    }
    *seconds = (unsigned)(value * unit);
    return ACME_OK;
}

enum acme_rc
acme_words_flag(const char *word, bool *flag, struct acme_error *err)
{
    *flag = strcasecmp(word, "on") == 0;
    if (!*flag && strcasecmp(word, "off") != 0)
        return acme_words_bad(err, word, "it must be on or off");
    return ACME_OK;
}

#include "state/acme_hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_log.h"
#include "state/acme_timing.h"

#define TIMEOUT 300
#define TIMEOUT_MOST 3600
#define WARN_PERCENT 10

static const char *const names[ACME_HOOKS_ITEMS] = {
    [ACME_HOOKS_PRE] = "pre",
    [ACME_HOOKS_DEPLOY] = "deploy",
    [ACME_HOOKS_POST] = "post",
    [ACME_HOOKS_EVENT] = "event",
    [ACME_HOOKS_MIRROR] = "mirror",
    [ACME_HOOKS_TRACKING] = "tracking",
    [ACME_HOOKS_NOTIFY] = "notify",
    [ACME_HOOKS_DIRECTORIES] = "directories",
    [ACME_HOOKS_VALIDATION] = "validation",
    [ACME_HOOKS_TIMEOUT] = "timeout",
    [ACME_HOOKS_WARN_WINDOW] = "warn_window",
    [ACME_HOOKS_MIRROR_FAILURE] = "mirror_failure",
    [ACME_HOOKS_TRACKING_DATA] = "tracking_data",
    [ACME_HOOKS_TRACKING_REQUIRED] = "tracking_required",
};

static const char *const data_names[ACME_TRACK_DATA] = {
    [ACME_TRACK_CSR] = "csr",
    [ACME_TRACK_CRT] = "crt",
    [ACME_TRACK_LINEAGE] = "lineage",
};

#define TRACK_DIRECTORY "file:"
#define TRACK_PROGRAM "cmd:"

static bool
has(const struct acme_hooks *hooks, size_t item)
{
    return (hooks->said & 1u << item) != 0;
}

void
acme_hooks_init(struct acme_hooks *hooks)
{
    memset(hooks, 0, sizeof(*hooks));
    hooks->directories = hooks->validation = true;
    hooks->timeout = TIMEOUT;
    hooks->warn_percent = WARN_PERCENT;
    hooks->tracking_data = 1u << ACME_TRACK_CSR | 1u << ACME_TRACK_CRT;
}

const char *
acme_track_data_name(enum acme_track_data data)
{
    return data_names[data];
}

const char *
acme_hook_directory(const struct acme_hook *hook)
{
    const size_t len = strlen(TRACK_DIRECTORY);

    return strncmp(hook->word[0], TRACK_DIRECTORY, len) == 0
               ? hook->word[0] + len
               : NULL;
}

const char *
acme_hooks_item_name(enum acme_hooks_item item)
{
    return names[item] != NULL ? names[item] : "";
}

enum acme_rc
acme_hooks_stage(const char *word, enum acme_hooks_item *item,
    struct acme_error *err)
{
    size_t i;

    for (i = ACME_HOOKS_PRE; i <= ACME_HOOKS_POST; i++)
        if (strcasecmp(word, names[i]) == 0) {
            *item = (enum acme_hooks_item)i;
            return ACME_OK;
        }
    return acme_words_bad(err, word, "it must be pre, deploy or post");
}

/* ---- words ------------------------------------------------------------ */

static enum acme_rc
set_command(struct acme_hooks *hooks, enum acme_hooks_item item,
    const char *const *word, size_t n, struct acme_error *err)
{
    const size_t most = item <= ACME_HOOKS_POST ? ACME_HOOKS_MAX : 1;
    struct acme_hook *hook;

    if (n == 0)
        return acme_words_count(err,
            "it needs a command, such as \"systemctl reload postfix\"");
    if (n == 1 && strcasecmp(word[0], "none") == 0) {
        if (hooks->n[item] == 0)
            return ACME_OK;
        return acme_words_bad(err, word[0], "there is a command beside it");
    }
    if (word[0][strspn(word[0], " \t")] == '\0')
        return acme_words_bad(err, word[0], "the command is empty");
    if (hooks->n[item] == most || (has(hooks, item) && hooks->n[item] == 0))
        return acme_words_bad(err, word[0],
            hooks->n[item] == 0 ? "there is \"none\" beside it"
                                : "it is one command too many; write a script "
                                  "that runs them");
    if (n > ACME_COMMAND_WORDS_MAX)
        return acme_words_bad(err, word[ACME_COMMAND_WORDS_MAX],
            "it is one word too many; write a script");
    hook = &hooks->list[item][hooks->n[item]++];
    hook->nwords = n;
    memcpy(hook->word, word, n * sizeof(word[0]));
    return ACME_OK;
}

/* "file:DIR", "cmd:PROGRAM", or what the JSON form has of the latter. */
static enum acme_rc
set_tracking(struct acme_hooks *hooks, const char *const *word, size_t n,
    struct acme_error *err)
{
    const size_t len = strlen(TRACK_PROGRAM);
    const char *words[ACME_COMMAND_WORDS_MAX + 1];
    const char *directory;
    size_t i;

    if (n == 0 || n > ACME_COMMAND_WORDS_MAX ||
        strcasecmp(word[0], "none") == 0)
        return set_command(hooks, ACME_HOOKS_TRACKING, word, n, err);
    for (i = 0; i < n; i++)
        words[i] = word[i];
    if (strncmp(words[0], TRACK_PROGRAM, len) == 0)
        words[0] += len;
    directory = acme_hook_directory(&(struct acme_hook){ 1, { words[0] } });
    if (directory != NULL && n > 1)
        return acme_words_bad(err, word[1], "a directory stands alone");
    if ((directory != NULL ? directory : words[0])[0] != '/')
        return acme_words_bad(err, word[0],
            "it must be file:/DIRECTORY or cmd:/PROGRAM, absolute, or none");
    return set_command(hooks, ACME_HOOKS_TRACKING, words, n, err);
}

/* Of one word or several; the JSON form has them in one. */
static enum acme_rc
set_tracking_data(struct acme_hooks *hooks, const char *const *word, size_t n,
    struct acme_error *err)
{
    unsigned data = 0;
    size_t i, k, len;

    for (i = 0; i < n; i++) {
        const char *at = word[i];

        do {
            len = strcspn(at, " ");
            for (k = 0; k < ACME_TRACK_DATA; k++)
                if (strlen(data_names[k]) == len &&
                    strncasecmp(at, data_names[k], len) == 0)
                    break;
            if (k < ACME_TRACK_DATA)
                data |= 1u << k;
            else if (n > 1 || strcasecmp(word[0], "none") != 0)
                return acme_words_bad(err, word[i],
                    "it must be csr, crt, lineage, or none alone");
            at += len + strspn(at + len, " ");
        } while (*at != '\0');
    }
    hooks->tracking_data = data;
    return ACME_OK;
}

/* The same words as when a certificate is renewed. */
static enum acme_rc
set_warn_window(struct acme_hooks *hooks, const char *word,
    struct acme_error *err)
{
    struct acme_timing timing = { .said = 0 };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_timing_set(&timing, ACME_TIMING_WINDOW, &word, 1, &ignored) !=
        ACME_OK)
        return acme_words_bad(err, word,
            "it must be 1% to 99% of the life, or a time such as 36h, or days "
            "such as 7d");
    hooks->warn_percent = timing.window_percent;
    hooks->warn_time = timing.window;
    return ACME_OK;
}

static enum acme_rc
set_mirror_failure(struct acme_hooks *hooks, const char *word,
    struct acme_error *err)
{
    const bool ignore = strcasecmp(word, "ignore") == 0;

    if (!ignore && strcasecmp(word, "retry") != 0)
        return acme_words_bad(err, word, "it must be retry or ignore");
    hooks->mirror_ignore = ignore;
    return ACME_OK;
}

enum acme_rc
acme_hooks_set(struct acme_hooks *hooks, enum acme_hooks_item item,
    const char *const *word, size_t n, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;

    if (item > ACME_HOOKS_COMMANDS &&
        (item == ACME_HOOKS_TRACKING_DATA ? n == 0 : n != 1))
        return acme_words_count(err, "it needs one");
    switch (item) {
    case ACME_HOOKS_PRE:
    case ACME_HOOKS_DEPLOY:
    case ACME_HOOKS_POST:
    case ACME_HOOKS_EVENT:
    case ACME_HOOKS_MIRROR:
    case ACME_HOOKS_NOTIFY:
        rc = set_command(hooks, item, word, n, err);
        break;
    case ACME_HOOKS_TRACKING:
        rc = set_tracking(hooks, word, n, err);
        break;
    case ACME_HOOKS_DIRECTORIES:
        rc = acme_words_flag(word[0], &hooks->directories, err);
        break;
    case ACME_HOOKS_VALIDATION:
        rc = acme_words_flag(word[0], &hooks->validation, err);
        break;
    case ACME_HOOKS_TIMEOUT:
        rc = acme_words_seconds(word[0], TIMEOUT_MOST, &hooks->timeout, err);
        break;
    case ACME_HOOKS_WARN_WINDOW:
        rc = set_warn_window(hooks, word[0], err);
        break;
    case ACME_HOOKS_MIRROR_FAILURE:
        rc = set_mirror_failure(hooks, word[0], err);
        break;
    case ACME_HOOKS_TRACKING_DATA:
        rc = set_tracking_data(hooks, word, n, err);
        break;
    case ACME_HOOKS_TRACKING_REQUIRED:
        rc = acme_words_flag(word[0], &hooks->tracking_required, err);
        break;
    case ACME_HOOKS_COMMANDS:
    case ACME_HOOKS_ITEMS:
        break;
    }
    if (rc == ACME_OK)
        hooks->said |= 1u << item;
    return rc;
}

/* ---- as values -------------------------------------------------------- */

static void
take_item(struct acme_hooks *to, const struct acme_hooks *from,
    enum acme_hooks_item item)
{
    switch (item) {
    case ACME_HOOKS_PRE:
    case ACME_HOOKS_DEPLOY:
    case ACME_HOOKS_POST:
    case ACME_HOOKS_EVENT:
    case ACME_HOOKS_MIRROR:
    case ACME_HOOKS_NOTIFY:
    case ACME_HOOKS_TRACKING:
        to->n[item] = from->n[item];
        memcpy(to->list[item], from->list[item], sizeof(to->list[item]));
        break;
    case ACME_HOOKS_DIRECTORIES:
        to->directories = from->directories;
        break;
    case ACME_HOOKS_VALIDATION:
        to->validation = from->validation;
        break;
    case ACME_HOOKS_TIMEOUT:
        to->timeout = from->timeout;
        break;
    case ACME_HOOKS_WARN_WINDOW:
        to->warn_percent = from->warn_percent;
        to->warn_time = from->warn_time;
        break;
    case ACME_HOOKS_MIRROR_FAILURE:
        to->mirror_ignore = from->mirror_ignore;
        break;
    case ACME_HOOKS_TRACKING_DATA:
        to->tracking_data = from->tracking_data;
        break;
    case ACME_HOOKS_TRACKING_REQUIRED:
        to->tracking_required = from->tracking_required;
        break;
    case ACME_HOOKS_COMMANDS:
    case ACME_HOOKS_ITEMS:
        break;
    }
    to->said |= 1u << item;
}

void
acme_hooks_merge(struct acme_hooks *narrow, const struct acme_hooks *wide)
{
    size_t item;

    for (item = 0; item < ACME_HOOKS_ITEMS; item++)
        if (!has(narrow, item) && has(wide, item))
            take_item(narrow, wide, (enum acme_hooks_item)item);
}

bool
acme_hooks_copy(struct acme_arena *arena, struct acme_hooks *to,
    const struct acme_hooks *from)
{
    struct acme_hooks copy = *from;
    size_t item, i, k;

    for (item = 0; item < ACME_HOOKS_COMMANDS; item++)
        for (i = 0; i < copy.n[item]; i++)
            for (k = 0; k < copy.list[item][i].nwords; k++) {
                const char **word = &copy.list[item][i].word[k];

                *word = acme_arena_strdup(arena, *word);
                if (*word == NULL)
                    return false;
            }
    *to = copy;
    return true;
}

bool
acme_hook_equal(const struct acme_hook *a, const struct acme_hook *b)
{
    size_t i;

    if (a->nwords != b->nwords)
        return false;
    for (i = 0; i < a->nwords; i++)
        if (strcmp(a->word[i], b->word[i]) != 0)
            return false;
    return true;
}

bool
acme_hooks_equal(const struct acme_hooks *a, const struct acme_hooks *b)
{
    size_t item, i;

    if (a->said != b->said || a->directories != b->directories ||
        a->validation != b->validation || a->timeout != b->timeout ||
        a->warn_percent != b->warn_percent || a->warn_time != b->warn_time ||
        a->mirror_ignore != b->mirror_ignore ||
        a->tracking_data != b->tracking_data ||
        a->tracking_required != b->tracking_required)
        return false;
    for (item = 0; item < ACME_HOOKS_COMMANDS; item++) {
        if (a->n[item] != b->n[item])
            return false;
        for (i = 0; i < a->n[item]; i++)
            if (!acme_hook_equal(&a->list[item][i], &b->list[item][i]))
                return false;
    }
    return true;
}

bool
acme_hooks_any(const struct acme_hooks *hooks)
{
    size_t item;

    for (item = 0; item < ACME_HOOKS_COMMANDS; item++)
        if (hooks->n[item] > 0)
            return true;
    return false;
}

const char *
acme_hook_text(const struct acme_hook *hook, char *out, size_t size)
{
    char text[512];
    size_t i, len = 0;

    for (i = 0; i < hook->nwords && len < sizeof(text); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
            i > 0 ? " " : "", hook->word[i]);
    if (len >= sizeof(text))
        len = sizeof(text) - 1;
    return acme_log_clean(out, size, text, len);
}

long
acme_hooks_warn_window(const struct acme_hooks *hooks, long life)
{
    if (hooks->warn_percent != 0)
        return (long)(life * (double)hooks->warn_percent / 100);
    return (long)hooks->warn_time;
}

/* ---- JSON: the words of the directives -------------------------------- */

static struct acme_json *
render_hook(const struct acme_hook *hook)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < hook->nwords; i++)
        acme_json_append_str(list, hook->word[i]);
    return list;
}

static void
render_commands(const struct acme_hooks *hooks, size_t item,
    struct acme_json *json)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < hooks->n[item]; i++)
        acme_json_append(list, render_hook(&hooks->list[item][i]));
    acme_json_set(json, names[item], list);
}

static const char *
on_or_off(bool on)
{
    return on ? "on" : "off";
}

static void
list_data(unsigned data, char *text, size_t size)
{
    size_t i, len = 0;

    (void)snprintf(text, size, "none");
    for (i = 0; i < ACME_TRACK_DATA; i++)
        if ((data & 1u << i) != 0)
            len += (size_t)snprintf(text + len, size - len, "%s%s",
                len > 0 ? " " : "", data_names[i]);
}

static void
render_setting(const struct acme_hooks *hooks, enum acme_hooks_item item,
    struct acme_json *json)
{
    char number[32];
    const char *text = number;

    switch (item) {
    case ACME_HOOKS_DIRECTORIES:
        text = on_or_off(hooks->directories);
        break;
    case ACME_HOOKS_VALIDATION:
        text = on_or_off(hooks->validation);
        break;
    case ACME_HOOKS_TRACKING_REQUIRED:
        text = on_or_off(hooks->tracking_required);
        break;
    case ACME_HOOKS_MIRROR_FAILURE:
        text = hooks->mirror_ignore ? "ignore" : "retry";
        break;
    case ACME_HOOKS_TRACKING_DATA:
        list_data(hooks->tracking_data, number, sizeof(number));
        break;
    case ACME_HOOKS_TIMEOUT:
        (void)snprintf(number, sizeof(number), "%u", hooks->timeout);
        break;
    default: /* the warn window */
        if (hooks->warn_percent != 0)
            (void)snprintf(number, sizeof(number), "%u%%",
                hooks->warn_percent);
        else
            (void)snprintf(number, sizeof(number), "%us", hooks->warn_time);
        break;
    }
    acme_json_set_str(json, names[item], text);
}

struct acme_json *
acme_hooks_render(const struct acme_hooks *hooks)
{
    struct acme_json *json = acme_json_object();
    size_t item;

    for (item = 0; item < ACME_HOOKS_ITEMS; item++) {
        if (!has(hooks, item))
            continue;
        if (item < ACME_HOOKS_COMMANDS)
            render_commands(hooks, item, json);
        else
            render_setting(hooks, (enum acme_hooks_item)item, json);
    }
    return json;
}

static enum acme_rc
parse_hook(struct acme_hooks *hooks, enum acme_hooks_item item,
    const struct acme_json *list, struct acme_error *err)
{
    const char *word[ACME_COMMAND_WORDS_MAX + 1];
    size_t n = acme_json_count(list), i;

    for (i = 0; i < n && i < ACME_COMMAND_WORDS_MAX + 1; i++) {
        word[i] = acme_json_text(acme_json_at(list, i));
        if (word[i] == NULL)
            return ACME_WIRE;
    }
    return acme_hooks_set(hooks, item, word, n, err);
}

static enum acme_rc
parse_item(struct acme_hooks *hooks, enum acme_hooks_item item,
    const struct acme_json *value, struct acme_error *err)
{
    const char *word = acme_json_text(value);
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (item > ACME_HOOKS_COMMANDS)
        return word != NULL ? acme_hooks_set(hooks, item, &word, 1, err)
                            : ACME_WIRE;
    if (word != NULL)
        return ACME_WIRE;
    for (i = 0; i < acme_json_count(value) && rc == ACME_OK; i++)
        rc = parse_hook(hooks, item, acme_json_at(value, i), err);
    hooks->said |= 1u << item;
    return rc;
}

enum acme_rc
acme_hooks_parse(struct acme_arena *arena, const struct acme_json *json,
    struct acme_hooks *hooks, struct acme_error *err)
{
    const struct acme_json *value;
    struct acme_hooks parsed;
    struct acme_error why;
    size_t item;

    acme_hooks_init(&parsed);
    for (item = 0; item < ACME_HOOKS_ITEMS; item++) {
        value = names[item] != NULL ? acme_json_get(json, names[item]) : NULL;
        acme_error_clear(&why);
        if (value != NULL && parse_item(&parsed, (enum acme_hooks_item)item,
                                 value, &why) != ACME_OK)
            return acme_error_set(err, ACME_WIRE, "%s is malformed",
                names[item]);
    }
    return acme_hooks_copy(arena, hooks, &parsed) ? ACME_OK
                                                  : acme_error_nomem(err);
}

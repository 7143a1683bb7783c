/*
 * How an option is found in the table, and takes its value.
 */
#include "acmectl/ctl_options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHOICES_MAX 256 /* of the choices of one option, as text */

/* ---- finding ---------------------------------------------------------- */

void
ctl_each_word(const char *words,
    void (*visit)(void *ctx, const char *word, size_t len), void *ctx)
{
    size_t len;

    if (words == NULL)
        return;
    for (words += strspn(words, ", "); *words != '\0';
         words += len, words += strspn(words, ", ")) {
        len = strcspn(words, ", ");
        visit(ctx, words, len);
    }
}

struct search {
    const char *word;
    size_t len;
    bool found;
};

static void
compare(void *ctx, const char *word, size_t len)
{
    struct search *search = ctx;

    search->found =
        search->found ||
        (len == search->len && strncasecmp(word, search->word, len) == 0);
}

bool
ctl_has_word(const char *words, const char *word, size_t len)
{
    struct search search = { word, len, false };

    ctl_each_word(words, compare, &search);
    return search.found;
}

const struct ctl_option *
ctl_option_find(const char *name, size_t len)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (ctl_has_word(option->name, name, len) ||
            ctl_has_word(option->aliases, name, len))
            return option;
    return NULL;
}

bool
ctl_option_is_of(const struct ctl_option *option, const struct ctl_verb *verb)
{
    return (option->flags & CTL_GLOBAL) != 0 ||
           (verb != NULL && ctl_has_word(verb->options, option->name,
                                strlen(option->name)));
}

char
ctl_option_letter(const struct ctl_option *option, const struct ctl_verb *verb)
{
    const struct ctl_option *other;

    for (other = ctl_options; other < option; other++)
        if (other->letter == option->letter && ctl_option_is_of(other, verb))
            return '\0';
    return option->letter;
}

/* ---- values ----------------------------------------------------------- */

static void *
field(struct ctl *ctl, const struct ctl_option *option)
{
    return (char *)ctl + option->at;
}

void
ctl_options_init(struct ctl *ctl)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (option->kind == CTL_NUMBER)
            *(long *)field(ctl, option) = option->standard;
}

static int
take_number(long *number, const struct ctl_option *option, const char *value,
    const char *where)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 ||
        n < option->least || n > option->most)
        return ctl_fail(CTL_USAGE,
            "%s--%s \"%s\" is no number between %ld and %ld", where,
            option->name, value, option->least, option->most);
    *number = n;
    return CTL_OK;
}

static int
take_word(struct ctl *ctl, struct ctl_words *words,
    const struct ctl_option *option, const char *word, size_t len)
{
    size_t i;

    for (i = 0; i < words->n; i++)
        if (strlen(words->word[i]) == len &&
            memcmp(words->word[i], word, len) == 0)
            return CTL_OK; /* it counts once, where it was first */
    if (words->n == CTL_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d values of --%s",
            CTL_WORDS_MAX, option->name);
    words->word[words->n] = acme_arena_strndup(ctl->arena, word, len);
    if (words->word[words->n] == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    words->n++;
    return CTL_OK;
}

static int
take_list(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
    size_t len;
    int code = CTL_OK;

    for (value += strspn(value, ", "); *value != '\0' && code == CTL_OK;
         value += len, value += strspn(value, ", ")) {
        len = strcspn(value, ", ");
        code = take_word(ctl, field(ctl, option), option, value, len);
    }
    return code;
}

static int
take_placed(const struct ctl *ctl, struct ctl_placed *placed,
    const struct ctl_option *option, const char *value)
{
    if (placed->n == CTL_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d values of --%s",
            CTL_WORDS_MAX, option->name);
    placed->at[placed->n].word = value;
    placed->at[placed->n++].before = ctl->domains.n;
    return CTL_OK;
}

static void
add_choice(void *ctx, const char *word, size_t len)
{
    char *list = ctx;

    (void)snprintf(list + strlen(list), CHOICES_MAX - strlen(list), "%s%.*s",
        *list != '\0' ? ", " : "", (int)len, word);
}

/* Each of the values between commas. */
static int
check_choices(const struct ctl_option *option, const char *value,
    const char *where)
{
    char list[CHOICES_MAX] = "";
    size_t len;

    for (;; value += len + 1) {
        len = strcspn(value, ",");
        if (!ctl_has_word(option->choices, value, len))
            break;
        if (value[len] == '\0')
            return CTL_OK;
    }
    ctl_each_word(option->choices, add_choice, list);
    return ctl_fail(CTL_USAGE, "%s--%s \"%.*s\" is none of %s", where,
        option->name, (int)len, value, list);
}

/* `where` as it is in front of messages: "FILE:LINE: ", or "". */
static void
note_said(struct ctl *ctl, const struct ctl_option *option, const char *where)
{
    const size_t len = strlen(where), row = (size_t)(option - ctl_options);

    ctl->said_by[row] = (unsigned char)ctl->source;
    ctl->said_at[row] =
        len > 2 ? acme_arena_strndup(ctl->arena, where, len - 2) : NULL;
}

int
ctl_option_take(struct ctl *ctl, const struct ctl_option *option,
    const char *value, const char *where)
{
    unsigned char *said_by = &ctl->said_by[option - ctl_options];
    void *at = field(ctl, option);

    if (*said_by != CTL_SOURCE_NONE && *said_by != ctl->source)
        return CTL_OK;
    note_said(ctl, option, where);
    if ((option->flags & CTL_WITHOUT) != 0)
        (void)ctl_fail(CTL_OK, "%s--%s has no effect", where, option->name);
    if (value != NULL && *value == '\0')
        return ctl_fail(CTL_USAGE, "%s--%s wants a value that is not empty",
            where, option->name);
    if (option->choices != NULL &&
        check_choices(option, value, where) != CTL_OK)
        return CTL_USAGE;
    switch (option->kind) {
    case CTL_FLAG:
        *(bool *)at = value == NULL;
        return CTL_OK;
    case CTL_COUNT:
        *(int *)at += value == NULL;
        return CTL_OK;
    case CTL_TEXT:
        *(const char **)at = value;
        return CTL_OK;
    case CTL_NUMBER:
        return take_number(at, option, value, where);
    case CTL_WORDS:
        return take_word(ctl, at, option, value, strlen(value));
    case CTL_PLACED:
        return take_placed(ctl, at, option, value);
    case CTL_LIST:
        return take_list(ctl, option, value);
    }
    return CTL_OK;
}

void
ctl_option_forget(struct ctl *ctl, const struct ctl_option *option)
{
    void *at = field(ctl, option);
    const size_t row = (size_t)(option - ctl_options);

    ctl->said_by[row] = CTL_SOURCE_NONE;
    ctl->said_at[row] = NULL;
    switch (option->kind) {
    case CTL_FLAG:
        *(bool *)at = false;
        break;
    case CTL_COUNT:
        *(int *)at = 0;
        break;
    case CTL_TEXT:
        *(const char **)at = NULL;
        break;
    case CTL_NUMBER:
        *(long *)at = option->standard;
        break;
    case CTL_WORDS:
    case CTL_LIST:
        ((struct ctl_words *)at)->n = 0;
        break;
    case CTL_PLACED:
        ((struct ctl_placed *)at)->n = 0;
        break;
    }
}

bool
ctl_option_is_of_file(const struct ctl *ctl, const struct ctl_option *option)
{
    const enum ctl_source by = ctl->said_by[option - ctl_options];

    return by == CTL_SOURCE_OWN_FILE || by == CTL_SOURCE_COMMON_FILE;
}

static const char *
words_text(const struct ctl *ctl, const struct ctl_words *words)
{
    const char *text = "";
    size_t i;

    for (i = 0; i < words->n && text != NULL; i++)
        text = acme_arena_printf(ctl->arena, "%s%s%s", text, i > 0 ? " " : "",
            words->word[i]);
    return text;
}

static const char *
placed_text(const struct ctl *ctl, const struct ctl_placed *placed)
{
    const char *text = "";
    size_t i;

    for (i = 0; i < placed->n && text != NULL; i++)
        text = acme_arena_printf(ctl->arena, "%s%s%s", text, i > 0 ? " " : "",
            placed->at[i].word);
    return text;
}

const char *
ctl_option_text(const struct ctl *ctl, const struct ctl_option *option)
{
    const void *at = (const char *)ctl + option->at;
    const char *text = NULL;

    switch (option->kind) {
    case CTL_FLAG:
        text = *(const bool *)at ? "true" : "false";
        break;
    case CTL_COUNT:
        text = acme_arena_printf(ctl->arena, "%d", *(const int *)at);
        break;
    case CTL_TEXT:
        text = *(const char *const *)at;
        break;
    case CTL_NUMBER:
        text = acme_arena_printf(ctl->arena, "%ld", *(const long *)at);
        break;
    case CTL_WORDS:
    case CTL_LIST:
        text = words_text(ctl, at);
        break;
    case CTL_PLACED:
        text = placed_text(ctl, at);
        break;
    }
    return text != NULL && *text != '\0' ? text
           : option->assumed != NULL     ? option->assumed
                                         : "";
}

/*
 * help: of all verbs, of one, of a chapter of the manual.
 */
#include "acmectl/ctl_help.h"

#include <stdio.h>
#include <string.h>

#include "acmectl/ctl_markup.h"

#define HANG 15 /* of a usage that is longer: below the verb */

const char *const ctl_group_titles[CTL_GROUPS] = {
    [CTL_GROUP_OBTAIN] = "certificates",
    [CTL_GROUP_LOOK] = "what there is",
    [CTL_GROUP_VERSIONS] = "versions and files",
    [CTL_GROUP_ACCOUNT] = "accounts and their keys",
    [CTL_GROUP_DNS] = "proof of names",
    [CTL_GROUP_PROGRAM] = "this program",
};

/* ---- all of it -------------------------------------------------------- */

void
ctl_help_print(FILE *out)
{
    const struct ctl_verb *verb;
    size_t group;

    (void)fputs("usage: acmectl VERB [OPTION...]\n", out);
    for (group = 0; group < CTL_GROUPS; group++) {
        (void)fprintf(out, "\n%s:\n", ctl_group_titles[group]);
        for (verb = ctl_verb_next(NULL); verb != NULL;
             verb = ctl_verb_next(verb))
            if (verb->group == group)
                (void)fprintf(out, "  %-20s %s\n", verb->name, verb->summary);
    }
    (void)fputs("\noptions of all of them:\n"
                "  --state-dir DIR      the server's state directory\n"
                "  --json               print JSON\n"
                "  -q, --quiet          print errors only\n"
                "  -v, --verbose        print steps\n"
                "  -n                   ask nothing\n"
                "\nacmectl help VERB tells more; acmectl help all, "
                "everything.\n",
        out);
}

/* ---- one verb --------------------------------------------------------- */

static void
print_usage(FILE *out, const struct ctl_verb *verb)
{
    const char *form = verb->usage, *before = "usage: ";
    size_t len;
    int at;

    for (;; form += len + 1, before = "       ") {
        len = strcspn(form, "\n");
        at = fprintf(out, "%sacmectl %s%s", before, verb->name,
            len > 0 ? " " : "");
        ctl_markup_wrap(out, form, len, at, HANG);
        if (form[len] == '\0')
            return;
    }
}

static void
put_alias(void *ctx, const char *word, size_t len)
{
    (void)fprintf(ctx, ", --%.*s", (int)len, word);
}

static void
print_option(FILE *out, const struct ctl_option *option,
    const struct ctl_verb *verb)
{
    const char letter = ctl_option_letter(option, verb);

    (void)fputs("  ", out);
    if (letter != '\0')
        (void)fprintf(out, "-%c, ", letter);
    (void)fprintf(out, "--%s", option->name);
    ctl_each_word(option->aliases, put_alias, out);
    (void)fprintf(out, "%s%s\n", option->value != NULL ? " " : "",
        option->value != NULL ? option->value : "");
    ctl_markup_print(out, option->text, 8);
}

static void
print_options(FILE *out, const struct ctl_verb *verb)
{
    const struct ctl_option *option;

    if (verb->options != NULL)
        (void)fputs("\noptions:\n", out);
    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if ((option->flags & (CTL_GLOBAL | CTL_WITHOUT)) == 0 &&
            ctl_option_is_of(option, verb))
            print_option(out, option, verb);
}

void
ctl_help_verb(FILE *out, const struct ctl_verb *verb)
{
    print_usage(out, verb);
    if (verb->aliases != NULL)
        (void)fprintf(out, "also called: %s\n", verb->aliases);
    (void)fputc('\n', out);
    ctl_markup_print(out, verb->text, 0);
    print_options(out, verb);
}

/* ---- chapters --------------------------------------------------------- */

static void
print_global(FILE *out)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if ((option->flags & CTL_GLOBAL) != 0 &&
            (option->flags & CTL_WITHOUT) == 0)
            print_option(out, option, NULL);
}

static void
print_all(FILE *out)
{
    const struct ctl_verb *verb;
    const struct ctl_topic *topic;

    ctl_help_print(out);
    for (verb = ctl_verb_next(NULL); verb != NULL;
         verb = ctl_verb_next(verb)) {
        (void)fputc('\n', out);
        ctl_help_verb(out, verb);
    }
    (void)fputs("\noptions of all verbs:\n", out);
    print_global(out);
    for (topic = ctl_topics; topic < ctl_topics + ctl_ntopics; topic++) {
        (void)fprintf(out, "\n%s:\n", topic->name);
        ctl_markup_print(out, topic->text, 2);
    }
}

/* All verbs of two words that begin with this one. */
static bool
print_family(FILE *out, const char *word)
{
    const struct ctl_verb *verb;

    if (!ctl_verb_is_family(word))
        return false;
    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        if (strncmp(verb->name, word, strlen(word)) == 0 &&
            verb->name[strlen(word)] == ' ')
            (void)fprintf(out, "  %-20s %s\n", verb->name, verb->summary);
    return true;
}

static bool
print_topic(FILE *out, const char *name)
{
    const struct ctl_topic *topic;

    if (strcmp(name, "all") == 0)
        print_all(out);
    else if (strcmp(name, "options") == 0)
        print_global(out);
    else if (strcmp(name, "man") == 0)
        ctl_help_man(out);
    else if (!print_family(out, name)) {
        for (topic = ctl_topics; topic < ctl_topics + ctl_ntopics; topic++)
            if (strcmp(topic->name, name) == 0) {
                ctl_markup_print(out, topic->text, 0);
                return true;
            }
        return false;
    }
    return true;
}

static int
unknown_topic(const char *name)
{
    const struct ctl_topic *topic;
    char list[256] = "";
    size_t n = 0;

    for (topic = ctl_topics;
         topic < ctl_topics + ctl_ntopics && n < sizeof(list); topic++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, ", %s", topic->name);
    return ctl_fail(CTL_USAGE,
        "there is no help about \"%s\"; it is about verbs, and: all, options, "
        "man%s",
        name, list);
}

int
ctl_help(struct ctl *ctl)
{
    const char *word = ctl->argc > 0 ? ctl->argv[0] : NULL;
    const char *second = ctl->argc > 1 ? ctl->argv[1] : NULL;
    const struct ctl_verb *verb;

    if (word == NULL) {
        ctl_help_print(stdout);
        return CTL_OK;
    }
    verb = ctl_verb_find(word, second);
    if (verb != NULL)
        ctl_help_verb(stdout, verb);
    else if (second != NULL || !print_topic(stdout, word))
        return unknown_topic(second != NULL ? second : word);
    return CTL_OK;
}

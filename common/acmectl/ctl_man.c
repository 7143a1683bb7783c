/*
 * The manual page, of the tables of verbs, options and topics.
 */
#include "acmectl/ctl_help.h"

#include <string.h>

#include "acmectl/ctl_markup.h"

#define MAN_DATE "November 22, 2026"

/* Forms of a verb; `before` begins each. */
static void
put_usage(FILE *out, const struct ctl_verb *verb, const char *before)
{
    const char *form = verb->usage;
    size_t len;

    for (;; form += len + 1) {
        len = strcspn(form, "\n");
        (void)fprintf(out, "%s%s\n", before, verb->name);
        if (len > 0)
            ctl_markup_man_usage(out, form, len);
        if (form[len] == '\0')
            return;
    }
}

static void
put_synopsis(FILE *out)
{
    const struct ctl_verb *verb;

    (void)fputs(".Sh SYNOPSIS\n", out);
    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        put_usage(out, verb, ".Nm\n.Cm ");
}

static void
put_verbs(FILE *out)
{
    const struct ctl_verb *verb;

    (void)fputs(".Sh VERBS\n.Bl -tag -width Ds\n", out);
    for (verb = ctl_verb_next(NULL); verb != NULL;
         verb = ctl_verb_next(verb)) {
        (void)fprintf(out, ".It Cm %s\n", verb->name);
        ctl_markup_man(out, verb->text);
        if (verb->aliases != NULL)
            (void)fprintf(out, ".Pp\nIt is also called\n.Cm %s .\n",
                verb->aliases);
    }
    (void)fputs(".El\n", out);
}

static void
put_alias(void *ctx, const char *word, size_t len)
{
    (void)fprintf(ctx, ", Fl -%.*s", (int)len, word);
}

static void
put_option(FILE *out, const struct ctl_option *option)
{
    (void)fputs(".It", out);
    if (option->letter != '\0')
        (void)fprintf(out, " Fl %c ,", option->letter);
    (void)fprintf(out, " Fl -%s", option->name);
    ctl_each_word(option->aliases, put_alias, out);
    (void)fprintf(out, "%s%s\n", option->value != NULL ? " Ar " : "",
        option->value != NULL ? option->value : "");
    ctl_markup_man(out, option->text);
}

static void
put_users(FILE *out, const struct ctl_option *option)
{
    const struct ctl_verb *verb;
    const char *before = "Of\n.Cm ";

    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        if (ctl_option_is_of(option, verb)) {
            (void)fprintf(out, "%s%s", before, verb->name);
            before = " , ";
        }
    (void)fputs(*before == 'O' ? "" : " .\n", out);
}

static void
put_options(FILE *out)
{
    const struct ctl_option *option;

    (void)fputs(".Sh OPTIONS\n"
                "Options may stand before or behind the verb.\n"
                ".Bl -tag -width Ds\n",
        out);
    for (option = ctl_options; option < ctl_options + ctl_noptions; option++) {
        if ((option->flags & CTL_WITHOUT) != 0)
            continue;
        put_option(out, option);
        if ((option->flags & CTL_GLOBAL) == 0)
            put_users(out, option);
    }
    (void)fputs(".El\n", out);
}

void
ctl_help_man(FILE *out)
{
    const struct ctl_topic *topic;

    (void)fputs(".\\\" made by: acmectl help man\n"
                ".Dd " MAN_DATE "\n"
                ".Dt ACMECTL 8\n"
                ".Os\n"
                ".Sh NAME\n"
                ".Nm acmectl\n"
                ".Nd administer the certificates of a web server's ACME "
                "module\n",
        out);
    put_synopsis(out);
    for (topic = ctl_topics; topic < ctl_topics + ctl_ntopics; topic++) {
        (void)fprintf(out, ".Sh %s\n", topic->title);
        ctl_markup_man(out, topic->text);
        if (topic == ctl_topics) { /* the description */
            put_verbs(out);
            put_options(out);
        }
    }
}

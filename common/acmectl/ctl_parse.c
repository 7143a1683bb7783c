/*
 * The command line.  Options may stand before the verb or behind it; which of
 * them a verb takes is in its row of the table.
 */
#include "acmectl/ctl_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_MAX_OPTIONS 256
#define FIRST_ID 1024 /* of long options: letters are below */

struct parser {
    struct ctl *ctl;
    size_t nlong;
    struct option longs[LONG_MAX_OPTIONS];
    const struct ctl_option *row[LONG_MAX_OPTIONS];
    const struct ctl_option *by_letter[128];
    char letters[3 + 2 * 128];
};

/* ---- the verb --------------------------------------------------------- */

static const struct ctl_option *
find_letter(char letter, const struct ctl_verb *verb)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (option->letter == letter &&
            (verb == NULL || ctl_option_is_of(option, verb)))
            return option;
    return NULL;
}

/* Whether the argument behind this one is its value.  With a letter that is
 * different things to different verbs, the first of the table is meant. */
static bool
takes_next(const char *word)
{
    const struct ctl_option *option = NULL;

    if (word[1] == '-') {
        if (strchr(word, '=') == NULL)
            option = ctl_option_find(word + 2, strlen(word + 2));
        return option != NULL && option->value != NULL;
    }
    for (word++; *word != '\0'; word++) {
        option = find_letter(*word, NULL);
        if (option != NULL && option->value != NULL)
            return word[1] == '\0';
    }
    return false;
}

/* The first word that is no option in the arguments from *at on;
 * NULL: there is none. */
static char *
find_operand(int argc, char **argv, int *at)
{
    int i = *at;

    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0' &&
           strcmp(argv[i], "--") != 0)
        i += takes_next(argv[i]) ? 2 : 1;
    if (i >= argc || argv[i][0] == '-')
        return NULL;
    *at = i;
    return argv[i];
}

static void
drop_operand(int *argc, char **argv, int at)
{
    (*argc)--;
    memmove(&argv[at], &argv[at + 1],
        (size_t)(*argc + 1 - at) * sizeof(*argv));
}

/* The verbs of two words that begin with this one. */
static void
list_family(const char *word, char *list, size_t size)
{
    const struct ctl_verb *verb;
    const size_t len = strlen(word);
    size_t n = 0;

    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        if (strncmp(verb->name, word, len) == 0 && verb->name[len] == ' ' &&
            n < size)
            n += (size_t)snprintf(list + n, size - n, "%s%s",
                n > 0 ? ", " : "", verb->name);
}

static int
unknown_verb(const char *word, const char *second)
{
    char list[256] = "";

    if (!ctl_verb_is_family(word))
        return ctl_fail(CTL_USAGE, "unknown verb \"%s\", see acmectl --help",
            word);
    list_family(word, list, sizeof(list));
    if (second == NULL)
        return ctl_fail(CTL_USAGE, "\"%s\" is half a verb; there are: %s",
            word, list);
    return ctl_fail(CTL_USAGE, "unknown verb \"%s %s\"; there are: %s", word,
        second, list);
}

/* CTL_OK also without one: then --help or --version may be there. */
static int
take_verb(struct ctl *ctl, int *argc, char **argv)
{
    int at = 1;
    const char *word = find_operand(*argc, argv, &at), *second = NULL;

    if (word == NULL)
        return CTL_OK;
    drop_operand(argc, argv, at);
    ctl->verb = ctl_verb_find(word, NULL);
    if (ctl_verb_is_family(word))
        second = find_operand(*argc, argv, &at);
    /* some are a verb alone, too */
    if (second != NULL &&
        (ctl->verb == NULL || ctl_verb_find(word, second) != NULL)) {
        drop_operand(argc, argv, at);
        ctl->verb = ctl_verb_find(word, second);
    }
    return ctl->verb != NULL ? CTL_OK : unknown_verb(word, second);
}

/* ---- options ---------------------------------------------------------- */

struct naming {
    struct parser *parser;
    const struct ctl_option *option;
};

static void
add_name(void *ctx, const char *word, size_t len)
{
    const struct naming *naming = ctx;
    struct parser *parser = naming->parser;
    struct option *entry = &parser->longs[parser->nlong];

    if (parser->nlong + 1 >= LONG_MAX_OPTIONS)
        return;
    entry->name = acme_arena_strndup(parser->ctl->arena, word, len);
    entry->has_arg =
        naming->option->value != NULL ? required_argument : no_argument;
    entry->val = FIRST_ID + (int)parser->nlong;
    if (entry->name != NULL)
        parser->row[parser->nlong++] = naming->option;
}

static void
add_letter(struct parser *parser, const struct ctl_option *option)
{
    const char letter = ctl_option_letter(option, parser->ctl->verb);
    char *end = parser->letters + strlen(parser->letters);

    if (letter == '\0')
        return;
    parser->by_letter[(unsigned char)letter] = option;
    *end++ = letter;
    if (option->value != NULL)
        *end++ = ':';
    *end = '\0';
}

/* For getopt_long(); a colon first: messages are ours. */
static void
list_options(struct parser *parser)
{
    const struct ctl_option *option;
    struct naming naming = { parser, NULL };

    parser->letters[0] = ':';
    for (option = ctl_options; option < ctl_options + ctl_noptions; option++) {
        if (!ctl_option_is_of(option, parser->ctl->verb))
            continue;
        naming.option = option;
        ctl_each_word(option->name, add_name, &naming);
        ctl_each_word(option->aliases, add_name, &naming);
        add_letter(parser, option);
    }
}

static int
unknown_option(const struct ctl *ctl, const char *word)
{
    const char *verb = ctl->verb != NULL ? ctl->verb->name : NULL;
    bool known = word[1] == '-' ? ctl_option_find(word + 2,
                                      strcspn(word + 2, "=")) != NULL
                                : find_letter(word[1], NULL) != NULL;

    if (verb == NULL)
        return ctl_fail(CTL_USAGE, "%s \"%s\", see acmectl --help",
            known ? "there is no verb behind the option" : "unknown option",
            word);
    return ctl_fail(CTL_USAGE,
        known ? "\"%s\" does not go with \"%s\", see acmectl help %s"
              : "unknown option \"%s\" of \"%s\", see acmectl help %s",
        word, verb, verb);
}

static int
take_option(struct parser *parser, int id, const char *word)
{
    const struct ctl_option *option = NULL;

    if (id == '?')
        return unknown_option(parser->ctl, word);
    if (id == ':')
        return ctl_fail(CTL_USAGE, "\"%s\" wants a value", word);
    if (id >= FIRST_ID && id < FIRST_ID + (int)parser->nlong)
        option = parser->row[id - FIRST_ID];
    else if (id > 0 && id < 128)
        option = parser->by_letter[id];
    return option != NULL ? ctl_option_take(parser->ctl, option, optarg, "")
                          : unknown_option(parser->ctl, word);
}

/* What getopt_long() did not like: a letter, else the word that it has just
 * read. */
static void
name_bad_option(char **argv, char *out, size_t size)
{
    if (optopt > 0 && optopt < 128)
        (void)snprintf(out, size, "-%c", optopt);
    else
        (void)snprintf(out, size, "%s", argv[optind - 1]);
}

static int
take_options(struct parser *parser, int argc, char **argv)
{
    char word[256];
    int id, code = CTL_OK;

    opterr = 0;
    while (code == CTL_OK && (id = getopt_long(argc, argv, parser->letters,
                                  parser->longs, NULL)) != -1) {
        name_bad_option(argv, word, sizeof(word));
        code = take_option(parser, id, word);
    }
    return code;
}

/* ---- operands --------------------------------------------------------- */

static int
check_operands(const struct ctl *ctl)
{
    bool named =
        ctl_has_word(ctl->verb->options, "cert-name", strlen("cert-name"));

    if (ctl->argc > 0 && (ctl->verb->flags & CTL_OPERANDS) == 0)
        return ctl_fail(CTL_USAGE, "unexpected \"%s\"%s", ctl->argv[0],
            named ? "; a lineage is named with --cert-name" : "");
    if (ctl->cert_names.n > 1 && (ctl->verb->flags & CTL_SEVERAL) == 0)
        return ctl_fail(CTL_USAGE,
            "--cert-name is given %zu times; \"%s\" takes one",
            ctl->cert_names.n, ctl->verb->name);
    return CTL_OK;
}

int
ctl_parse(struct ctl *ctl, int argc, char **argv)
{
    struct parser *parser = calloc(1, sizeof(*parser));
    int code = take_verb(ctl, &argc, argv);

    if (parser == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    parser->ctl = ctl;
    list_options(parser);
    if (code == CTL_OK)
        code = take_options(parser, argc, argv);
    free(parser);
    ctl->argc = argc - optind;
    ctl->argv = argv + optind;
    if (code == CTL_OK && ctl->verb != NULL && !ctl->help)
        code = check_operands(ctl);
    ctl->cert_name = ctl->cert_names.n > 0 ? ctl->cert_names.word[0] : NULL;
    return code;
}

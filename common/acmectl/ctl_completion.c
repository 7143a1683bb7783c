/*
 * completion: scripts for bash and zsh, made of the tables.  When somebody
 * types the shell asks nothing of acmectl.
 */
#include "acmectl/ctl_options.h"

#include <stdio.h>
#include <string.h>

static bool
is_shown(const struct ctl_option *option, const struct ctl_verb *verb)
{
    return (option->flags & CTL_WITHOUT) == 0 &&
           ctl_option_is_of(option, verb);
}

static void
put_word(void *ctx, const char *word, size_t len)
{
    (void)ctx;
    (void)printf(" %.*s", (int)len, word);
}

/* ---- bash ------------------------------------------------------------- */

/* Words that are verbs, or that verbs of two words begin with; each once. */
static void
put_first_words(const char *before)
{
    const struct ctl_verb *verb, *other;
    size_t len;

    for (verb = ctl_verb_next(NULL); verb != NULL;
         verb = ctl_verb_next(verb)) {
        len = strcspn(verb->name, " ");
        for (other = ctl_verb_next(NULL); other != verb;
             other = ctl_verb_next(other))
            if (strcspn(other->name, " ") == len &&
                memcmp(other->name, verb->name, len) == 0)
                break;
        if (other == verb)
            (void)printf("%s%.*s", before, (int)len, verb->name);
    }
}

static void
put_second_words(const char *first, size_t len)
{
    const struct ctl_verb *verb;

    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        if (strncmp(verb->name, first, len) == 0 && verb->name[len] == ' ')
            (void)printf(" %s", verb->name + len + 1);
}

/* A line of a case for each first word of verbs of two: the second ones; only
 * the first words, if there is no `before`. */
static void
put_families(const char *before, const char *after)
{
    const struct ctl_verb *verb;
    const char *last = "";
    size_t len;

    for (verb = ctl_verb_next(NULL); verb != NULL;
         verb = ctl_verb_next(verb)) {
        len = strcspn(verb->name, " ");
        if (verb->name[len] == '\0' || strncmp(last, verb->name, len + 1) == 0)
            continue;
        last = verb->name;
        if (before == NULL) {
            (void)printf(" %.*s", (int)len, last);
            continue;
        }
        (void)printf("    '%.*s') %s", (int)len, last, before);
        put_second_words(last, len);
        (void)puts(after);
    }
}

/* Sets "verb" from the words between these positions. */
static void
put_finder(const char *first, const char *current, const char *words)
{
    (void)printf("    for ((i = %s; i < %s; i++)); do\n"
                 "        word=${%s[i]}\n"
                 "        [[ $word == -* ]] && continue\n"
                 "        if [[ -z $verb ]]; then verb=$word\n"
                 "        elif [[ \"",
        first, current, words);
    put_families(NULL, NULL);
    (void)puts(" \" == *\" $verb \"* ]]; then verb=\"$verb $word\"; fi\n"
               "    done\n"
               "    case $verb in");
}

static void
put_options(const struct ctl_verb *verb)
{
    const struct ctl_option *option;

    (void)printf("    '%s') words='", verb->name);
    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (is_shown(option, verb))
            (void)printf(" --%s", option->name);
    (void)puts("' ;;");
}

static void
put_values(void)
{
    const struct ctl_option *option;

    for (option = ctl_options; option < ctl_options + ctl_noptions; option++) {
        if (option->value == NULL)
            continue;
        (void)printf("    --%s) ", option->name);
        if (option->choices != NULL) {
            (void)fputs("COMPREPLY=($(compgen -W '", stdout);
            ctl_each_word(option->choices, put_word, NULL);
            (void)fputs("' -- \"$cur\"));", stdout);
        } else if (strcmp(option->value, "DIR") == 0) {
            (void)fputs("COMPREPLY=($(compgen -d -- \"$cur\"));", stdout);
        } else if (strcmp(option->value, "FILE") == 0) {
            (void)fputs("COMPREPLY=($(compgen -f -- \"$cur\"));", stdout);
        }
        (void)puts(" return ;;");
    }
}

static void
print_bash(void)
{
    const struct ctl_verb *verb;

    (void)puts("# bash completion of acmectl, made by: acmectl completion "
               "bash\n"
               "_acmectl() {\n"
               "    local cur=${COMP_WORDS[COMP_CWORD]} word words verb= i\n"
               "    COMPREPLY=()\n"
               "    case ${COMP_WORDS[COMP_CWORD-1]} in");
    put_values();
    (void)puts("    esac");
    put_finder("1", "COMP_CWORD", "COMP_WORDS");
    (void)fputs("    '') words='", stdout);
    put_first_words(" ");
    (void)puts("' ;;");
    put_families("words='", "' ;;");
    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        put_options(verb);
    (void)puts("    *) return ;;\n"
               "    esac\n"
               "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
               "}\n"
               "complete -o default -F _acmectl acmectl");
}

/* ---- zsh -------------------------------------------------------------- */

/* What _arguments takes: without the characters that mean something there. */
static void
put_description(const char *text)
{
    for (; *text != '\0' && *text != '\n'; text++) {
        if (*text == '.' && (text[1] == ' ' || text[1] == '\n'))
            return;
        if (strchr("[]:'`\\", *text) == NULL)
            (void)putchar(*text);
    }
}

static void
put_zsh_option(const struct ctl_option *option)
{
    (void)printf("            '--%s[", option->name);
    put_description(option->text);
    (void)putchar(']');
    if (option->value != NULL) {
        (void)printf(":%s:", option->value);
        if (option->choices != NULL) {
            (void)putchar('(');
            ctl_each_word(option->choices, put_word, NULL);
            (void)putchar(')');
        } else if (strcmp(option->value, "DIR") == 0) {
            (void)fputs("_files -/", stdout);
        } else if (strcmp(option->value, "FILE") == 0) {
            (void)fputs("_files", stdout);
        }
    }
    (void)puts("' \\");
}

static void
put_zsh_verb(const struct ctl_verb *verb)
{
    const struct ctl_option *option;

    (void)printf("    '%s')\n        _arguments -S \\\n", verb->name);
    for (option = ctl_options; option < ctl_options + ctl_noptions; option++)
        if (is_shown(option, verb))
            put_zsh_option(option);
    (void)puts("            '*:word:' ;;");
}

static void
print_zsh(void)
{
    const struct ctl_verb *verb;

    (void)puts("#compdef acmectl\n"
               "# zsh completion of acmectl, made by: acmectl completion zsh\n"
               "_acmectl() {\n"
               "    local word verb= i");
    put_finder("2", "CURRENT", "words");
    (void)fputs("    '') compadd --", stdout);
    put_first_words(" ");
    (void)puts(" ;;");
    put_families("compadd --", " ;;");
    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        put_zsh_verb(verb);
    (void)puts("    esac\n"
               "}\n"
               "_acmectl \"$@\"");
}

int
ctl_completion(struct ctl *ctl)
{
    const char *shell = ctl->argc > 0 ? ctl->argv[0] : "";

    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else
        return ctl_fail(CTL_USAGE,
            "completion wants the shell: acmectl completion bash, or zsh");
    return CTL_OK;
}

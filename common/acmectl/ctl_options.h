/*
 * The options and the verbs of acmectl, the ones in one table, the others in
 * one for each group.  The command line, the configuration file, help, the
 * manual page and the completions of shells are made of these and of nothing
 * else.
 *
 * Texts for people have a line for each paragraph.  A line that begins with
 * "* " is an item of a list, up to ": " its tag; one that begins with four
 * spaces is an example.  `Words` in backquotes are to be typed as they are.
 */
#ifndef ACME_CTL_OPTIONS_H
#define ACME_CTL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "acmectl/ctl.h"

enum ctl_kind {
    CTL_FLAG,   /* bool */
    CTL_COUNT,  /* int: how often it is given */
    CTL_TEXT,   /* const char *; NULL: not given */
    CTL_NUMBER, /* long, of a range */
    CTL_WORDS,  /* struct ctl_words: each time one */
    CTL_PLACED, /* struct ctl_placed: each time one */
    CTL_LIST    /* so, and separated by commas or spaces also several */
};

#define CTL_ASSUMED_SERVER "letsencrypt"
#define CTL_ASSUMED_KEY "ecdsa:256"

/* Flags of an option. */
#define CTL_GLOBAL 1U  /* of every verb */
#define CTL_ONCE 2U    /* of one command: not in the configuration file */
#define CTL_WITHOUT 4U /* accepted, without effect, and not shown */

struct ctl_option {
    const char *name;    /* without the dashes */
    const char *aliases; /* other names, spaces between; NULL: none */
    char letter;         /* '\0': none */
    enum ctl_kind kind;
    unsigned flags;
    size_t at;           /* its field in struct ctl */
    const char *value;   /* what help calls its value; NULL: it has none */
    const char *choices; /* what that may be; NULL: anything */
    long least, most, standard; /* of CTL_NUMBER */
    const char *assumed; /* of CTL_TEXT and lists, if nobody says anything */
    const char *text;
};

enum ctl_group {
    CTL_GROUP_OBTAIN,
    CTL_GROUP_LOOK,
    CTL_GROUP_VERSIONS,
    CTL_GROUP_ACCOUNT,
    CTL_GROUP_DNS,
    CTL_GROUP_PROGRAM,
    CTL_GROUPS
};

/* Flags of a verb. */
#define CTL_OPERANDS 1U  /* it takes words that are no options */
#define CTL_SEVERAL 2U   /* --cert-name may be given more than once */
#define CTL_OWN_FILES 4U /* it reads the configuration files itself */

struct ctl_verb {
    const char *name;    /* of one word or two: "account list" */
    const char *aliases; /* other names, spaces between; NULL: none */
    enum ctl_group group;
    unsigned flags;
    int (*run)(struct ctl *ctl);
    const char *options; /* names of those that are not global */
    const char *usage;   /* what may follow; a line for each form */
    const char *summary; /* half a line */
    const char *text;
};

/* A chapter of the manual that belongs to no verb. */
struct ctl_topic {
    const char *name;  /* for help */
    const char *title; /* for the manual page */
    const char *text;
};

extern const struct ctl_option ctl_options[];
extern const size_t ctl_noptions;
extern const struct ctl_verb ctl_verbs_obtain[];
extern const struct ctl_verb ctl_verbs_look[];
extern const struct ctl_verb ctl_verbs_versions[];
extern const struct ctl_verb ctl_verbs_account[];
extern const struct ctl_verb ctl_verbs_dns[];
extern const struct ctl_verb ctl_verbs_program[];
extern const struct ctl_topic ctl_topics[];
extern const size_t ctl_ntopics;
extern const char *const ctl_group_titles[CTL_GROUPS];

/* An option by its name, or another name that it has.  NULL: none. */
const struct ctl_option *ctl_option_find(const char *name, size_t len);

/* Whether a verb, if it is not NULL, takes an option. */
bool ctl_option_is_of(const struct ctl_option *option,
    const struct ctl_verb *verb);

/* The letter that it has with a verb: where two have the same, it is that of
 * the first of the table.  '\0': none. */
char ctl_option_letter(const struct ctl_option *option,
    const struct ctl_verb *verb);

/* The verb after this one, in the order of the groups; the first one after
 * NULL. NULL: there is none. */
const struct ctl_verb *ctl_verb_next(const struct ctl_verb *verb);

/* A verb by its one or two words; the second may be NULL. */
const struct ctl_verb *ctl_verb_find(const char *word, const char *second);

/* Whether verbs of two words begin with this one. */
bool ctl_verb_is_family(const char *word);

/* Calls `visit` for each of the words of a text with spaces or commas between;
 * NULL has none. */
void ctl_each_word(const char *words,
    void (*visit)(void *ctx, const char *word, size_t len), void *ctx);
/* Whether it has one; upper or lower case does not count. */
bool ctl_has_word(const char *words, const char *word, size_t len);

/* Gives all options what they have when nobody says anything. */
void ctl_options_init(struct ctl *ctl);

/*
 * Takes a value (NULL for those that have none; for a flag another one is
 * "not") from ctl->source, unless somebody else has given one before.  `where`
 * is put in front of messages ("" on the command line).  CTL_OK, or CTL_USAGE
 * with a message.
 */
int ctl_option_take(struct ctl *ctl, const struct ctl_option *option,
    const char *value, const char *where);

/* As if nobody had said it. */
void ctl_option_forget(struct ctl *ctl, const struct ctl_option *option);

/* Whether a configuration file has said it. */
bool ctl_option_is_of_file(const struct ctl *ctl,
    const struct ctl_option *option);

/* Its value, or what is assumed, as text, in the arena: "" where there is
 * none. */
const char *ctl_option_text(const struct ctl *ctl,
    const struct ctl_option *option);

/* The command line: ctl->verb, options and operands.  CTL_OK, or a message and
 * CTL_USAGE. */
int ctl_parse(struct ctl *ctl, int argc, char **argv);

/* The configuration files: those that there are, or that of --config. */
int ctl_ini_read(struct ctl *ctl);

/* The same, with all that is wrong in each of them told, not the first thing
 * only; nothing is taken from them. */
int ctl_ini_test(struct ctl *ctl);

#endif

/*
 * What an administrator wants to be run or told when a lineage is worked on:
 * hooks in Certbot's sense, the command that is told of events, and what goes
 * with them.  A plain value with a JSON form in the settings of lineages; it
 * comes from the configuration alone, never from what the engine writes.
 */
#ifndef ACME_HOOKS_H
#define ACME_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "base/acme_limits.h"
#include "state/acme_words.h"
#include "wrap/acme_json.h"

/* What can be said, each alone.  Of the commands there may be several hooks
 * of each kind, and one of each other sort. */
enum acme_hooks_item {
    ACME_HOOKS_PRE,         /* COMMAND [WORD...], or none: before an order */
    ACME_HOOKS_DEPLOY,      /* with each new certificate */
    ACME_HOOKS_POST,        /* when all orders of the moment are through */
    ACME_HOOKS_EVENT,       /* told of each event */
    ACME_HOOKS_MIRROR,      /* copies each new version elsewhere */
    ACME_HOOKS_TRACKING,    /* keeps a record of each renewal: file:DIR, or
                               cmd:PROGRAM [WORD...], which is kept without
                               "cmd:" */
    ACME_HOOKS_NOTIFY,      /* told that a lineage was renewed */
    ACME_HOOKS_COMMANDS,    /* their number; then: */
    ACME_HOOKS_DIRECTORIES, /* on or off: renewal-hooks/ */
    ACME_HOOKS_VALIDATION,  /* on or off: programs must exist at start */
    ACME_HOOKS_TIMEOUT,     /* SECONDS for one run */
    ACME_HOOKS_WARN_WINDOW, /* N%, or N[d] days */
    ACME_HOOKS_MIRROR_FAILURE, /* retry or ignore */
    ACME_HOOKS_TRACKING_DATA,  /* csr, crt, lineage: what records get; or none
                                */
    ACME_HOOKS_TRACKING_REQUIRED, /* on or off: no record, no renewal */
    ACME_HOOKS_ITEMS              /* their number */
};

/* One word is a line for /bin/sh; more are a program and its arguments. */
struct acme_hook {
    size_t nwords;
    const char *word[ACME_COMMAND_WORDS_MAX];
};

struct acme_hooks {
    unsigned said; /* bit of each item that is not as acme_hooks_init() */
    size_t n[ACME_HOOKS_COMMANDS];
    struct acme_hook list[ACME_HOOKS_COMMANDS][ACME_HOOKS_MAX];
    bool directories, validation;
    unsigned timeout; /* seconds */
    /* What is left of a certificate's life when people are warned: */
    unsigned warn_percent;  /* of its life, or 0: */
    unsigned warn_time;     /* seconds */
    bool mirror_ignore;     /* a mirror that fails is not tried again */
    unsigned tracking_data; /* bit of each enum acme_track_data */
    bool tracking_required;
};

/* What a tracking record may get besides words. */
enum acme_track_data {
    ACME_TRACK_CSR,
    ACME_TRACK_CRT,
    ACME_TRACK_LINEAGE, /* its settings */
    ACME_TRACK_DATA     /* their number */
};

/* Nothing but what counts when nothing was said. */
void acme_hooks_init(struct acme_hooks *hooks);

/*
 * Takes the words of a directive, which are borrowed; one more hook goes
 * behind those that are there.  ACME_CONFIG: with the word and the cure; how
 * many there may be is looked at too.
 */
enum acme_rc acme_hooks_set(struct acme_hooks *hooks,
    enum acme_hooks_item item, const char *const *word, size_t nwords,
    struct acme_error *err);

/* "pre", "deploy", "post", "event", "mirror", ...: the item's name in the JSON
 * form. */
const char *acme_hooks_item_name(enum acme_hooks_item item);

/* One of "pre", "deploy", "post".  ACME_CONFIG. */
enum acme_rc acme_hooks_stage(const char *word, enum acme_hooks_item *item,
    struct acme_error *err);

/* What `narrow` does not say is taken from `wide`. */
void acme_hooks_merge(struct acme_hooks *narrow,
    const struct acme_hooks *wide);

/* False: out of memory.  `to` may be `from`. */
bool acme_hooks_copy(struct acme_arena *arena, struct acme_hooks *to,
    const struct acme_hooks *from);
bool acme_hooks_equal(const struct acme_hooks *a, const struct acme_hooks *b);

/* Whether something is to be run that the configuration names. */
bool acme_hooks_any(const struct acme_hooks *hooks);

bool acme_hook_equal(const struct acme_hook *a, const struct acme_hook *b);

/* What is run, for people: its words with spaces, cut to fit. */
const char *acme_hook_text(const struct acme_hook *hook, char *out,
    size_t size);

/* "csr", "crt", "lineage". */
const char *acme_track_data_name(enum acme_track_data data);

/* The directory of records; NULL: a program keeps them, or it is no tracking.
 */
const char *acme_hook_directory(const struct acme_hook *hook);

/* Seconds before not_after when people are warned, of a certificate that
 * lives so long. */
long acme_hooks_warn_window(const struct acme_hooks *hooks, long life);

/* The JSON form has what was said alone; a missing object (NULL) is as good
 * as an empty one.  Parsing copies into the arena.  ACME_WIRE: malformed. */
struct acme_json *acme_hooks_render(const struct acme_hooks *hooks);
enum acme_rc acme_hooks_parse(struct acme_arena *arena,
    const struct acme_json *json, struct acme_hooks *hooks,
    struct acme_error *err);

#endif

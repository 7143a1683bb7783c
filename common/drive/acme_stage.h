/*
 * Hooks, in Certbot's sense: which programs a stage of a lineage's renewal
 * has, in which order, with which words and environment, and as whom each may
 * be run.  Knows where the administrator puts them; runs nothing.
 */
#ifndef ACME_STAGE_H
#define ACME_STAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "drive/acme_command.h"
#include "state/acme_config.h"

/* One program of a stage: a line for the shell, a program and its words
 * (which the command told of events and the mirror always are), or an
 * executable of a directory. */
struct acme_stage_hook {
    enum acme_hooks_item item;
    struct acme_hook hook;
    bool file;        /* of a directory: word[0] is its path */
    unsigned timeout; /* seconds */
    const char *text; /* for people */
};

/* Those of a stage, in the order in which they are run; in an arena. */
struct acme_stage_list {
    size_t n;
    struct acme_stage_hook *hook;
};

/* Where directories of hooks are: each of these has pre/, deploy/ and post/.
 * The first is the state directory's. */
#define ACME_STAGE_PLACES 2
struct acme_stage_places {
    char path[ACME_STAGE_PLACES][PATH_MAX];
};
void acme_stage_find_places(const struct acme_config *config,
    struct acme_stage_places *places);

/*
 * The list of a stage: of _PRE, _DEPLOY and _POST, with `renews`, and if the
 * lineage has not switched them off, the executables of the directories
 * first, by the bytes of their names ("*~" is left out); then those of the
 * configuration, except one that is the path of such an executable.  A
 * directory that cannot be read, or that others could write to, is left out:
 * *trouble says so, if it is not NULL.
 * ACME_NOMEM.
 */
enum acme_rc acme_stage_list(const struct acme_stage_places *places,
    const struct acme_hooks *hooks, enum acme_hooks_item stage, bool renews,
    struct acme_arena *arena, struct acme_stage_list *list,
    struct acme_error *trouble, struct acme_error *err);

/*
 * The program that a hook begins with: of a line for the shell its first word,
 * looked for in PATH.  ACME_CONFIG: not found (and where), or not executable.
 */
enum acme_rc acme_stage_program(const struct acme_hook *hook,
    enum acme_hooks_item item, char path[PATH_MAX], struct acme_error *err);

/* Whether it can be run, at configuration time; with the stage, the command
 * and the cure.  ACME_CONFIG. */
enum acme_rc acme_stage_check(const struct acme_hooks *hooks,
    struct acme_error *err);

/* As whom: see acme_command_user(), whose rules are the same. */
enum acme_rc acme_stage_user(const struct acme_config *config,
    const struct acme_stage_hook *hook, struct acme_command_user *user,
    struct acme_error *why, struct acme_error *err);

/* What a hook is told. */
struct acme_stage_facts {
    const char *state_dir;
    const char *lineage; /* NULL: several */
    const char *stage;   /* "pre", ..., as acme_hooks_item_name() has it */
    const char *domains; /* with spaces between; NULL: none */
    const char *failed;  /* those of attempts that failed; NULL: none */
    unsigned version;    /* 0: none */
    const char *event;   /* its word, or what is done to a record; or NULL */
    const char *more[2]; /* words behind the lineage; of TRACKING */
};

/*
 * One run, in `arena`.  It has Certbot's RENEWED_LINEAGE (the directory in
 * live/), RENEWED_DOMAINS and FAILED_DOMAINS, and ACME_LINEAGE, ACME_HOOK,
 * ACME_VERSION, ACME_EVENT; of an event its word and the lineage are also the
 * last arguments, as mod_md has them; of _NOTIFY the lineage alone.  Lists
 * that are too long for an environment are left out, ACME_DOMAINS_OMITTED=1
 * says so.  ACME_NOMEM, ACME_IO.
 */
enum acme_rc acme_stage_run(const struct acme_stage_hook *hook,
    const struct acme_stage_facts *facts, const struct acme_command_user *user,
    struct acme_arena *arena, struct acme_command_run *run,
    struct acme_error *err);

#endif

/*
 * Commands that change the DNS: what makes one a program with its words, by
 * which of the conventions there are (Certbot's, mod_md's, uacme's,
 * acme.sh's), and as whom it may be run.
 */
#ifndef ACME_COMMAND_H
#define ACME_COMMAND_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "drive/acme_errand.h"
#include "state/acme_config.h"

/* The files that decide what happens when it is run. */
#define ACME_COMMAND_FILES_MAX 4
struct acme_command_file {
    char path[PATH_MAX];
    bool program;  /* is executed; others are read by a shell */
    bool optional; /* need not exist */
};

/* Returns how many there are. */
size_t acme_command_files(const struct acme_command *command,
    struct acme_command_file file[ACME_COMMAND_FILES_MAX]);

/* Whether root may run it: nobody else can change any of those files, or what
 * they are found by.  ACME_IO: why not.  ACME_NOENT: one is missing. */
enum acme_rc acme_command_is_roots(const struct acme_command *command,
    struct acme_error *err);

struct acme_command_user {
    bool become; /* another one than we are */
    uid_t uid;
    gid_t gid;
};

/*
 * As whom it is run: root, if root may; else the server's user; whoever we
 * are, if that is not root.  With another user `why` says why it is not root.
 * ACME_IO: as nobody, with reason and cure.
 */
enum acme_rc acme_command_user(const struct acme_config *config,
    const struct acme_command *command, struct acme_command_user *user,
    struct acme_error *why, struct acme_error *err);

/* The same for any other program: `judged` is whether nobody but root decides
 * what it is, and `why` why not. */
enum acme_rc acme_command_user_if(const struct acme_config *config,
    enum acme_rc judged, const struct acme_error *why,
    struct acme_command_user *user, struct acme_error *err);

/* Where programs are looked for that are named without a path, and their PATH.
 */
#define ACME_COMMAND_PATH \
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define ACME_COMMAND_SHELL "/bin/sh"

/* One run of it: what execve() takes. */
#define ACME_COMMAND_ARGS_MAX (ACME_COMMAND_WORDS_MAX + 8)
#define ACME_COMMAND_ENV_MAX 40
struct acme_command_run {
    const char *path;
    const char *shown; /* for errors: what the operator has written */
    const char *argv[ACME_COMMAND_ARGS_MAX];
    const char *envp[ACME_COMMAND_ENV_MAX];
    size_t nenv;
};

/*
 * What carries out the errand, in `arena`; *nothing: the convention has
 * nothing to run for it.  `dir` is private to the record; with many names the
 * list of them is in its file `domains`.  ACME_CONFIG: the convention does not
 * know such challenges.  ACME_NOMEM.
 */
#define ACME_COMMAND_LIST_MAX ((size_t)64 * 1024)
enum acme_rc acme_command_run(const struct acme_lineage *lineage,
    const struct acme_errand *errand, const struct acme_command_user *user,
    const char *dir, struct acme_arena *arena, struct acme_command_run *run,
    bool *nothing, struct acme_error *err);

/* Adds PATH, HOME, USER and LOGNAME of that user to run->envp.  False: out of
 * memory. */
bool acme_command_set_user(struct acme_command_run *run,
    struct acme_arena *arena, uid_t uid);

/* Adds NAME=VALUE.  False: out of memory, or one too many. */
bool acme_command_set_env(struct acme_command_run *run,
    struct acme_arena *arena, const char *name, const char *value);

/* Makes run->path, from run->argv[0], what was judged: no link on the way is
 * followed again. */
enum acme_rc acme_command_settle_path(struct acme_command_run *run,
    struct acme_arena *arena, const struct acme_command_user *user,
    struct acme_error *err);

#endif

#define _GNU_SOURCE
#include "drive/acme_command.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "state/acme_dir.h"
#include "state/acme_dns_owner.h"

/*
 * Runs one function of a dnsapi script of acme.sh: $1 its home, $2 the
 * script's name, $3 "add" or "rm", $4 and $5 the record.  acme.sh does
 * nothing when it is read without parameters; what it prints is for people.
 */
static const char acme_sh_adapter[] =
    "exec 3>&1 1>&2\n"
    "acme_runner_home=$1 acme_runner_api=$2 acme_runner_verb=$3\n"
    "acme_runner_name=$4 acme_runner_value=$5\n"
    "set --\n"
    "if [ -n \"${ACME_CREDENTIALS-}\" ]; then\n"
    "    set -a\n"
    "    . \"$ACME_CREDENTIALS\" || exit\n"
    "    set +a\n"
    "fi\n"
    "LE_WORKING_DIR=$acme_runner_home\n"
    "export LE_WORKING_DIR\n"
    ". \"$acme_runner_home/acme.sh\" >/dev/null || exit\n"
    "if command -v _initpath >/dev/null; then\n"
    "    _initpath || exit\n"
    "fi\n"
    ". \"$acme_runner_home/dnsapi/$acme_runner_api.sh\" || exit\n"
    "\"${acme_runner_api}_$acme_runner_verb\" \"$acme_runner_name\" "
    "\"$acme_runner_value\"\n";

/* ---- its files -------------------------------------------------------- */

static void
add_file(struct acme_command_file *file, size_t *n, const char *dir,
    const char *base, const char *suffix, bool program, bool optional)
{
    int len = snprintf(file[*n].path, sizeof(file[*n].path), "%s%s%s", dir,
        base, suffix);

    if (len < 0 || (size_t)len >= sizeof(file[*n].path))
        file[*n].path[sizeof(file[*n].path) - 1] = '\0';
    file[*n].program = program;
    file[(*n)++].optional = optional;
}

size_t
acme_command_files(const struct acme_command *command,
    struct acme_command_file file[ACME_COMMAND_FILES_MAX])
{
    size_t n = 0;

    if (command->kind == ACME_COMMAND_NONE)
        return 0;
    if (command->kind != ACME_COMMAND_ACME_SH) {
        add_file(file, &n, command->word[0], "", "", true, false);
        if (command->cleanup != NULL)
            add_file(file, &n, command->cleanup, "", "", true, false);
        return n;
    }
    add_file(file, &n, command->word[1], "/acme.sh", "", false, false);
    add_file(file, &n, command->word[1], "/dnsapi/", "", false, false);
    (void)snprintf(file[n - 1].path, sizeof(file[0].path), "%s/dnsapi/%s.sh",
        command->word[1], command->word[0]);
    add_file(file, &n, command->word[1], "/account.conf", "", false, true);
    /* The shell reads that one, too. */
    if (command->credentials != NULL)
        add_file(file, &n, command->credentials, "", "", false, false);
    return n;
}

/* ---- as whom ---------------------------------------------------------- */

static enum acme_rc
missing(const struct acme_command_file *file, struct acme_error *err)
{
    return acme_error_set(err, ACME_NOENT, "%s\"%s\" does not exist",
        file->program ? "program " : "", file->path);
}

enum acme_rc
acme_command_is_roots(const struct acme_command *command,
    struct acme_error *err)
{
    struct acme_command_file file[ACME_COMMAND_FILES_MAX];
    size_t n = acme_command_files(command, file), i;
    char real[PATH_MAX];
    enum acme_rc rc = ACME_OK;

    for (i = 0; rc == ACME_OK && i < n; i++) {
        rc = acme_dir_check_file(file[i].path, 0, real, sizeof(real), err);
        if (rc != ACME_NOENT)
            continue;
        acme_error_clear(err);
        rc = file[i].optional ? ACME_OK : missing(&file[i], err);
    }
    return rc;
}

enum acme_rc
acme_command_user_if(const struct acme_config *config, enum acme_rc judged,
    const struct acme_error *why, struct acme_command_user *user,
    struct acme_error *err)
{
    user->become = false;
    user->uid = geteuid();
    user->gid = getegid();
    if (user->uid != 0 || judged == ACME_OK)
        return ACME_OK;
    if (judged == ACME_NOENT)
        return acme_error_set(err, ACME_IO, "%s", why->what);
    if (config->server_uid == 0)
        return acme_error_set(err, ACME_IO,
            "no program is run, as root must not and the server has no other "
            "user here: %s",
            why->what);
    user->become = true;
    user->uid = config->server_uid;
    user->gid = config->server_gid;
    return ACME_OK;
}

enum acme_rc
acme_command_user(const struct acme_config *config,
    const struct acme_command *command, struct acme_command_user *user,
    struct acme_error *why, struct acme_error *err)
{
    const enum acme_rc judged =
        geteuid() == 0 ? acme_command_is_roots(command, why) : ACME_OK;

    return acme_command_user_if(config, judged, why, user, err);
}

/* ---- words and environment -------------------------------------------- */

struct writer {
    struct acme_command_run *run;
    struct acme_arena *arena;
    const char *domain; /* that the label of the record is in front of */
    const char *value;  /* of the record, or a key authorization */
    size_t nargs;
    bool failed; /* out of memory */
};

static void
add_arg(struct writer *w, const char *word)
{
    if (w->nargs + 1 < ACME_COMMAND_ARGS_MAX)
        w->run->argv[w->nargs++] = word;
}

/* False: out of memory, or one too many. */
static bool
push_env(struct acme_command_run *run, const char *text)
{
    if (text == NULL || run->nenv + 1 == ACME_COMMAND_ENV_MAX)
        return false;
    run->envp[run->nenv++] = text;
    return true;
}

bool
acme_command_set_env(struct acme_command_run *run, struct acme_arena *arena,
    const char *name, const char *value)
{
    return push_env(run, acme_arena_printf(arena, "%s=%s", name, value));
}

bool
acme_command_set_user(struct acme_command_run *run, struct acme_arena *arena,
    uid_t uid)
{
    const struct passwd *pw = getpwuid(uid);

    if (!acme_command_set_env(run, arena, "PATH", ACME_COMMAND_PATH) ||
        !acme_command_set_env(run, arena, "HOME",
            pw != NULL ? pw->pw_dir : "/"))
        return false;
    return pw == NULL ||
           (acme_command_set_env(run, arena, "USER", pw->pw_name) &&
               acme_command_set_env(run, arena, "LOGNAME", pw->pw_name));
}

static void
add_env(struct writer *w, const char *text)
{
    if (!push_env(w->run, text))
        w->failed = true;
}

static void
set_env(struct writer *w, const char *name, const char *value)
{
    if (!acme_command_set_env(w->run, w->arena, name, value))
        w->failed = true;
}

/* Under both names: ours, and the one that hooks written for Certbot know. */
static void
set_both(struct writer *w, const char *name, const char *value)
{
    add_env(w, acme_arena_printf(w->arena, "ACME_%s=%s", name, value));
    add_env(w, acme_arena_printf(w->arena, "CERTBOT_%s=%s", name, value));
}

static void
set_both_bytes(struct writer *w, const char *name, const char *data,
    size_t len)
{
    const char *value = acme_arena_strndup(w->arena, data, len);

    if (value == NULL)
        w->failed = true;
    else
        set_both(w, name, value);
}

static const char *
base_of(const char *name)
{
    return name + (acme_name_is_wildcard(name) ? strlen("*.") : 0);
}

/* As clients without delegation would call it: where the record of the name is
 * delegated to, the domain there.  NULL: it cannot be said so. */
static const char *
domain_of(const struct acme_command *command, const struct acme_errand *errand)
{
    if (!acme_challenge_is_dns(errand->type))
        return errand->name;
    if (acme_command_has_label(command->kind))
        return acme_dns_owner_domain(errand->type, errand->owner);
    return base_of(errand->name);
}

/* Certbot's list has no wildcards: they are proved at the domain. */
static void
set_all(struct writer *w, const struct acme_errand *errand, const char *dir)
{
    char *list, *to;
    size_t i;

    if (errand->all_len > ACME_COMMAND_LIST_MAX) {
        add_env(w, acme_arena_printf(w->arena,
                       "ACME_ALL_DOMAINS_FILE=%s/domains", dir));
        return;
    }
    list = to = acme_arena_alloc(w->arena, errand->all_len + 1);
    for (i = 0; list != NULL && i < errand->all_len; i++) {
        if (errand->all[i] == '*' && i + 1 < errand->all_len &&
            errand->all[i + 1] == '.')
            i++;
        else
            *to++ = errand->all[i];
    }
    if (list == NULL)
        w->failed = true;
    else
        set_both(w, "ALL_DOMAINS", list);
}

static void
set_environment(struct writer *w, const struct acme_lineage *lineage,
    const struct acme_errand *errand, const char *dir)
{
    const struct acme_command *command = &lineage->proof->command;

    set_both(w, "DOMAIN", w->domain);
    set_both(w, "VALIDATION", w->value);
    if (!acme_challenge_is_dns(errand->type))
        set_both(w, "TOKEN", errand->token);
    add_env(w, acme_arena_printf(w->arena, "ACME_REMAINING_CHALLENGES=%u",
                   errand->remaining));
    add_env(w, acme_arena_printf(w->arena, "CERTBOT_REMAINING_CHALLENGES=%u",
                   errand->remaining));
    set_all(w, errand, dir);
    if (!errand->add)
        set_both_bytes(w, "AUTH_OUTPUT", errand->output, errand->output_len);
    set_env(w, "ACME_OPERATION", errand->add ? "add" : "remove");
    if (!errand->add)
        set_env(w, "ACME_RESULT", errand->failed ? "failed" : "done");
    set_env(w, "ACME_CHALLENGE", acme_challenge_name(errand->type));
    set_env(w, "ACME_IDENTIFIER", errand->name);
    if (acme_challenge_is_dns(errand->type))
        set_env(w, "ACME_RECORD_NAME", errand->owner);
    set_env(w, "ACME_LINEAGE", lineage->name);
    set_env(w, "ACME_HOOK_DIR", dir);
    if (command->credentials != NULL)
        set_env(w, "ACME_CREDENTIALS", command->credentials);
}

/* ---- conventions ------------------------------------------------------ */

static void
add_program(struct writer *w, const struct acme_command *command)
{
    size_t i;

    for (i = 0; i < command->nwords; i++)
        add_arg(w, command->word[i]);
}

/* "setup DOMAIN VALUE", "teardown DOMAIN [VALUE]" */
static void
speak_mod_md(struct writer *w, const struct acme_command *command,
    const struct acme_errand *errand)
{
    add_program(w, command);
    add_arg(w, errand->add ? "setup" : "teardown");
    add_arg(w, w->domain);
    if (errand->add || command->version == 2)
        add_arg(w, errand->value);
}

static void
speak_uacme(struct writer *w, const struct acme_command *command,
    const struct acme_errand *errand)
{
    add_program(w, command);
    add_arg(w, errand->add ? "begin" : errand->failed ? "failed" : "done");
    add_arg(w, acme_challenge_name(errand->type));
    add_arg(w, w->domain);
    add_arg(w, errand->token);
    add_arg(w, w->value);
}

static void
speak_acme_sh(struct writer *w, const struct acme_command *command,
    const struct acme_errand *errand)
{
    add_arg(w, ACME_COMMAND_SHELL);
    add_arg(w, "-c");
    add_arg(w, acme_sh_adapter);
    add_arg(w, "acme.sh");
    add_arg(w, command->word[1]);
    add_arg(w, command->word[0]);
    add_arg(w, errand->add ? "add" : "rm");
    add_arg(w, errand->owner);
    add_arg(w, errand->value);
}

static void
speak(struct writer *w, const struct acme_command *command,
    const struct acme_errand *errand)
{
    switch (command->kind) {
    case ACME_COMMAND_NONE:
        break;
    case ACME_COMMAND_CERTBOT:
        add_arg(w, errand->add ? command->word[0] : command->cleanup);
        break;
    case ACME_COMMAND_MOD_MD:
        speak_mod_md(w, command, errand);
        break;
    case ACME_COMMAND_UACME:
        speak_uacme(w, command, errand);
        break;
    case ACME_COMMAND_ACME_SH:
        speak_acme_sh(w, command, errand);
        break;
    }
}

enum acme_rc
acme_command_settle_path(struct acme_command_run *run,
    struct acme_arena *arena, const struct acme_command_user *user,
    struct acme_error *err)
{
    char real[PATH_MAX];
    enum acme_rc rc;

    run->path = run->argv[0];
    if (user->become || geteuid() != 0 ||
        strcmp(run->path, ACME_COMMAND_SHELL) == 0)
        return ACME_OK;
    rc = acme_dir_check_file(run->path, 0, real, sizeof(real), err);
    if (rc != ACME_OK)
        return rc;
    run->path = acme_arena_strdup(arena, real);
    return run->path != NULL ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_command_run(const struct acme_lineage *lineage,
    const struct acme_errand *errand, const struct acme_command_user *user,
    const char *dir, struct acme_arena *arena, struct acme_command_run *run,
    bool *nothing, struct acme_error *err)
{
    const struct acme_command *command = &lineage->proof->command;
    struct writer w = { .run = run,
        .arena = arena,
        .domain = domain_of(command, errand),
        .value = errand->value };
    char authorization[ACME_KEY_AUTHORIZATION_MAX + 1];

    memset(run, 0, sizeof(*run));
    *nothing = command->kind == ACME_COMMAND_NONE ||
               (command->kind == ACME_COMMAND_CERTBOT && !errand->add &&
                   command->cleanup == NULL);
    if (*nothing)
        return ACME_OK;
    if (!acme_command_makes(command->kind, errand->type))
        return acme_error_set(err, ACME_CONFIG,
            "the program cannot be told of %s",
            acme_challenge_name(errand->type));
    if (w.domain == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "the program cannot be told of a record at \"%s\"", errand->owner);
    if (!acme_challenge_is_dns(errand->type)) {
        acme_errand_authorization(errand, authorization);
        w.value = acme_arena_strdup(arena, authorization);
    }
    if (w.value == NULL)
        return acme_error_nomem(err);
    speak(&w, command, errand);
    if (!acme_command_set_user(run, arena, user->uid))
        w.failed = true;
    set_environment(&w, lineage, errand, dir);
    run->shown = command->kind == ACME_COMMAND_ACME_SH ? command->word[0]
                                                       : run->argv[0];
    if (w.failed)
        return acme_error_nomem(err);
    return acme_command_settle_path(run, arena, user, err);
}

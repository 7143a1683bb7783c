#define _GNU_SOURCE
#include "drive/acme_stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_dir.h"

/* The administrator's directory for hooks of all servers of the machine. */
#ifndef ACME_HOOKS_DIR
#define ACME_HOOKS_DIR "/etc/acme/hooks.d"
#endif

/* Of one directory; and what an environment takes as one text (Linux: 128
 * kB). */
#define FILES_MAX 256
#define DOMAINS_MAX ((size_t)120 * 1024)

static const char space[] = " \t\r\n";

void
acme_stage_find_places(const struct acme_config *config,
    struct acme_stage_places *places)
{
    (void)snprintf(places->path[0], sizeof(places->path[0]),
        "%s/renewal-hooks", config->state_dir);
    (void)snprintf(places->path[1], sizeof(places->path[1]), "%s",
        ACME_HOOKS_DIR);
}

/* ---- programs --------------------------------------------------------- */

static bool
is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* access(2) would let root execute what nobody may. */
static bool
is_executable(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           (st.st_mode & 0111) != 0;
}

/* The first that is executable, as shells look. */
static enum acme_rc
search(const char *name, char *path, struct acme_error *err)
{
    const char *at = ACME_COMMAND_PATH, *end;
    bool there = false;

    for (; *at != '\0'; at = *end == ':' ? end + 1 : end) {
        end = strchrnul(at, ':');
        (void)snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - at), at, name);
        if (is_executable(path))
            return ACME_OK;
        there = there || is_file(path);
    }
    if (there)
        return acme_error_set(err, ACME_CONFIG,
            "program \"%s\" is in PATH (%s), but not executable; chmod +x it",
            name, ACME_COMMAND_PATH);
    return acme_error_set(err, ACME_CONFIG,
        "program \"%s\" is not in PATH (%s)", name, ACME_COMMAND_PATH);
}

/* For the shell: events are told as mod_md does it, without one, and no word
 * of a mirror's or of tracking's is looked at by one. */
static bool
is_line(const struct acme_hook *hook, enum acme_hooks_item item)
{
    return hook->nwords == 1 && item <= ACME_HOOKS_POST;
}

enum acme_rc
acme_stage_program(const struct acme_hook *hook, enum acme_hooks_item item,
    char path[PATH_MAX], struct acme_error *err)
{
    const char *word = hook->word[0];
    char name[PATH_MAX / 2];
    size_t len = strlen(word);

    if (is_line(hook, item)) {
        word += strspn(word, space);
        len = strcspn(word, space);
    }
    if (len == 0 || len >= sizeof(name))
        return acme_error_set(err, ACME_CONFIG, "it names no program");
    memcpy(name, word, len);
    name[len] = '\0';
    if (strchr(name, '/') == NULL)
        return search(name, path, err);
    if (name[0] != '/')
        return acme_error_set(err, ACME_CONFIG,
            "program \"%s\" has no absolute path", name);
    memcpy(path, name, len + 1);
    if (!is_file(path))
        return acme_error_set(err, ACME_CONFIG,
            "program \"%s\" does not exist", path);
    if (!is_executable(path))
        return acme_error_set(err, ACME_CONFIG,
            "program \"%s\" is not executable; chmod +x it", path);
    return ACME_OK;
}

enum acme_rc
acme_stage_check(const struct acme_hooks *hooks, struct acme_error *err)
{
    char path[PATH_MAX], text[256];
    struct acme_error why;
    size_t item, i;

    for (item = 0; hooks->validation && item < ACME_HOOKS_COMMANDS; item++)
        for (i = 0; i < hooks->n[item]; i++) {
            const struct acme_hook *hook = &hooks->list[item][i];

            acme_error_clear(&why);
            if (acme_hook_directory(hook) == NULL &&
                acme_stage_program(hook, (enum acme_hooks_item)item, path,
                    &why) != ACME_OK)
                return acme_error_set(err, ACME_CONFIG,
                    "%s hook \"%s\": %s; \"acme_hook_validation off\" "
                    "(nginx) or \"ACMEHookValidation off\" (Apache httpd) "
                    "accepts it all the same",
                    acme_hooks_item_name((enum acme_hooks_item)item),
                    acme_hook_text(hook, text, sizeof(text)), why.what);
        }
    return ACME_OK;
}

enum acme_rc
acme_stage_user(const struct acme_config *config,
    const struct acme_stage_hook *hook, struct acme_command_user *user,
    struct acme_error *why, struct acme_error *err)
{
    char path[PATH_MAX], real[PATH_MAX];
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&ignored);
    if (hook->file)
        (void)snprintf(path, sizeof(path), "%s", hook->hook.word[0]);
    else if (acme_stage_program(&hook->hook, hook->item, path, &ignored) !=
             ACME_OK)
        /* A line of the administrator's that the shell understands. */
        (void)snprintf(path, sizeof(path), "%s", ACME_COMMAND_SHELL);
    if (geteuid() == 0)
        rc = acme_dir_check_file(path, 0, real, sizeof(real), why);
    return acme_command_user_if(config, rc, why, user, err);
}

/* ---- the list --------------------------------------------------------- */

/* In the way of being made. */
struct making {
    struct acme_arena *arena;
    enum acme_hooks_item stage;
    unsigned timeout;
    struct acme_stage_list *list;
    size_t room;
};

/* False: out of memory. */
static bool
append(struct making *making, const struct acme_hook *hook, bool file)
{
    struct acme_stage_list *list = making->list;
    char text[512];

    if (list->n == making->room) {
        const size_t room = making->room * 2 + 8;
        struct acme_stage_hook *wider =
            acme_arena_alloc(making->arena, room * sizeof(*wider));

        if (wider == NULL)
            return false;
        if (list->n > 0)
            memcpy(wider, list->hook, list->n * sizeof(*wider));
        list->hook = wider;
        making->room = room;
    }
    list->hook[list->n].hook = *hook;
    list->hook[list->n].item = making->stage;
    list->hook[list->n].timeout = making->timeout;
    list->hook[list->n].file = file;
    list->hook[list->n].text = acme_arena_strdup(making->arena,
        acme_hook_text(hook, text, sizeof(text)));
    return list->hook[list->n++].text != NULL;
}

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of what could be run, sorted; -1: out of memory. */
static int
read_names(DIR *dir, char *name[FILES_MAX])
{
    struct dirent *entry;
    int n = 0;

    while (n < FILES_MAX && (entry = readdir(dir)) != NULL) {
        const size_t len = strlen(entry->d_name);

        if (entry->d_name[0] == '.' || entry->d_name[len - 1] == '~')
            continue;
        name[n] = strdup(entry->d_name);
        if (name[n++] == NULL)
            return -1;
    }
    qsort(name, (size_t)n, sizeof(name[0]), by_bytes);
    return n;
}

static enum acme_rc
add_names(struct making *making, const char *path, char *const *name, int n,
    struct acme_error *err)
{
    int i;

    for (i = 0; i < n; i++) {
        char *file = acme_arena_printf(making->arena, "%s/%s", path, name[i]);
        const struct acme_hook hook = { 1, { file } };

        if (file == NULL ||
            (is_executable(file) && !append(making, &hook, true)))
            return acme_error_nomem(err);
    }
    return ACME_OK;
}

/* acme_dir_check() leaves the mode of the directory itself to who opens it.
 */
static enum acme_rc
check_directory(DIR *dir, const char *path, struct acme_error *err)
{
    struct stat st;

    if (fstat(dirfd(dir), &st) == -1)
        return acme_error_errno(err, ACME_IO, errno, "cannot look at \"%s\"",
            path);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return acme_error_set(err, ACME_IO,
            "directory \"%s\" can be written to by others; chmod go-w it",
            path);
    return acme_dir_check(path, geteuid(), err);
}

static enum acme_rc
add_directory(struct making *making, const char *place,
    struct acme_error *trouble, struct acme_error *err)
{
    char path[PATH_MAX + 16], *name[FILES_MAX] = { NULL };
    struct acme_error ignored;
    enum acme_rc rc;
    DIR *dir;
    int n, i;

    acme_error_clear(&ignored);
    (void)snprintf(path, sizeof(path), "%s/%s", place,
        acme_hooks_item_name(making->stage));
    dir = opendir(path);
    if (dir == NULL)
        return ACME_OK;
    rc = check_directory(dir, path, trouble != NULL ? trouble : &ignored);
    if (rc != ACME_OK) {
        closedir(dir);
        return ACME_OK;
    }
    n = read_names(dir, name);
    rc = n == -1 ? acme_error_nomem(err)
                 : add_names(making, path, name, n, err);
    for (i = 0; i < FILES_MAX; i++)
        free(name[i]);
    closedir(dir);
    return rc;
}

/* A hook that is the path of an executable and nothing else, which is in the
 * list already. */
static bool
is_listed(const struct making *making, const struct acme_hook *hook)
{
    const struct acme_stage_list *list = making->list;
    char *own, *other;
    bool same = false;
    size_t i;

    if (hook->nwords != 1)
        return false;
    own = realpath(hook->word[0], NULL);
    for (i = 0; own != NULL && !same && i < list->n; i++) {
        if (!list->hook[i].file)
            continue;
        other = realpath(list->hook[i].hook.word[0], NULL);
        same = other != NULL && strcmp(own, other) == 0;
        free(other);
    }
    free(own);
    return same;
}

enum acme_rc
acme_stage_list(const struct acme_stage_places *places,
    const struct acme_hooks *hooks, enum acme_hooks_item stage, bool renews,
    struct acme_arena *arena, struct acme_stage_list *list,
    struct acme_error *trouble, struct acme_error *err)
{
    struct making making = { arena, stage, hooks->timeout, list, 0 };
    enum acme_rc rc = ACME_OK;
    size_t i;

    memset(list, 0, sizeof(*list));
    for (i = 0; renews && hooks->directories && stage <= ACME_HOOKS_POST &&
                rc == ACME_OK && i < ACME_STAGE_PLACES;
         i++)
        rc = add_directory(&making, places->path[i], trouble, err);
    for (i = 0; rc == ACME_OK && i < hooks->n[stage]; i++)
        if (!is_listed(&making, &hooks->list[stage][i]) &&
            !append(&making, &hooks->list[stage][i], false))
            rc = acme_error_nomem(err);
    return rc;
}

/* ---- one run ---------------------------------------------------------- */

static void
add_args(const struct acme_stage_hook *hook,
    const struct acme_stage_facts *facts, struct acme_command_run *run)
{
    size_t n = 0, i;

    if (!hook->file && is_line(&hook->hook, hook->item)) {
        run->argv[n++] = ACME_COMMAND_SHELL;
        run->argv[n++] = "-c";
    }
    for (i = 0; i < hook->hook.nwords; i++)
        run->argv[n++] = hook->hook.word[i];
    if (facts->event == NULL)
        return;
    if (hook->item != ACME_HOOKS_NOTIFY) /* which hears of one alone */
        run->argv[n++] = facts->event;
    run->argv[n++] = facts->lineage;
    for (i = 0; i < 2 && facts->more[i] != NULL; i++)
        run->argv[n++] = facts->more[i];
}

static bool
set_domains(struct acme_command_run *run, struct acme_arena *arena,
    const char *name, const char *domains)
{
    if (domains == NULL)
        return true;
    if (strlen(domains) > DOMAINS_MAX)
        return acme_command_set_env(run, arena, "ACME_DOMAINS_OMITTED", "1");
    return acme_command_set_env(run, arena, name, domains);
}

static bool
set_environment(struct acme_command_run *run, struct acme_arena *arena,
    const struct acme_stage_facts *facts)
{
    const char *live;
    char number[16];

    if (!acme_command_set_env(run, arena, "ACME_HOOK", facts->stage) ||
        !set_domains(run, arena, "RENEWED_DOMAINS", facts->domains) ||
        !set_domains(run, arena, "FAILED_DOMAINS", facts->failed) ||
        (facts->lineage != NULL && !acme_command_set_env(run, arena,
                                       "ACME_LINEAGE", facts->lineage)) ||
        (facts->event != NULL &&
            !acme_command_set_env(run, arena, "ACME_EVENT", facts->event)))
        return false;
    if (facts->version == 0)
        return true;
    (void)snprintf(number, sizeof(number), "%u", facts->version);
    live = acme_arena_printf(arena, "%s/live/%s", facts->state_dir,
        facts->lineage);
    return live != NULL &&
           acme_command_set_env(run, arena, "ACME_VERSION", number) &&
           acme_command_set_env(run, arena, "RENEWED_LINEAGE", live);
}

/* A program without a path, which execve() does not look for. */
static enum acme_rc
find_program(const struct acme_stage_hook *hook, struct acme_arena *arena,
    struct acme_command_run *run, struct acme_error *err)
{
    char path[PATH_MAX];
    enum acme_rc rc;

    if (strchr(run->argv[0], '/') != NULL)
        return ACME_OK;
    rc = acme_stage_program(&hook->hook, hook->item, path, err);
    if (rc != ACME_OK)
        return ACME_IO;
    run->argv[0] = acme_arena_strdup(arena, path);
    return run->argv[0] != NULL ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_stage_run(const struct acme_stage_hook *hook,
    const struct acme_stage_facts *facts, const struct acme_command_user *user,
    struct acme_arena *arena, struct acme_command_run *run,
    struct acme_error *err)
{
    enum acme_rc rc;

    memset(run, 0, sizeof(*run));
    run->shown = hook->text;
    add_args(hook, facts, run);
    if (!acme_command_set_user(run, arena, user->uid) ||
        !set_environment(run, arena, facts))
        return acme_error_nomem(err);
    rc = find_program(hook, arena, run, err);
    return rc == ACME_OK ? acme_command_settle_path(run, arena, user, err)
                         : rc;
}

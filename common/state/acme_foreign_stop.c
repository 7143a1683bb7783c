/*
 * What runs another client on this machine, by itself: files of cron and
 * systemd that name it.  Nothing is changed: people are told the commands.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "state/acme_dir.h"
#include "state/acme_foreign.h"

/* As large as such a file is. */
#define FILE_MAX ((size_t)256 * 1024)

static const struct place {
    const char *dir;
    const char *suffix;
    const char *before, *after; /* in the command */
    bool by_name;               /* which has the file's name, not its path */
} places[] = {
    { "/etc/cron.d", "", "sed -i 's/^/#/' ", "", false },
    { "/etc/cron.daily", "", "chmod -x ", "", false },
    { "/etc/cron.weekly", "", "chmod -x ", "", false },
    { "/var/spool/cron/crontabs", "", "crontab -u ", " -e", true },
    { "/etc/systemd/system", ".timer", "systemctl disable --now ", "", true },
};

static bool
names(const char *path, const char *program)
{
    struct acme_error ignored;
    struct acme_buf text;
    bool has;

    acme_error_clear(&ignored);
    acme_buf_init(&text, FILE_MAX);
    has = acme_dir_read_public(path, FILE_MAX, &text, &ignored) == ACME_OK &&
          strstr(acme_buf_str(&text), program) != NULL;
    acme_buf_clear(&text);
    return has;
}

static bool
has_suffix(const char *name, const char *suffix)
{
    size_t len = strlen(name), n = strlen(suffix);

    return len > n && strcmp(name + len - n, suffix) == 0;
}

static bool
look(struct acme_foreign *foreign, const struct place *place,
    const char *program)
{
    struct acme_dir_names files = { 0 };
    struct acme_error ignored;
    const char *name;
    char path[512];
    bool ok = true;
    size_t i;

    acme_error_clear(&ignored);
    (void)acme_dir_names_read(AT_FDCWD, place->dir, false, &files, &ignored);
    for (i = 0; ok && i < files.count; i++) {
        name = files.name[i];
        (void)snprintf(path, sizeof(path), "%s/%s", place->dir, name);
        if (has_suffix(name, place->suffix) &&
            (strstr(name, program) != NULL || names(path, program)))
            ok =
                acme_foreign_note(foreign, &foreign->stops, path, "", "%s%s%s",
                    place->before, place->by_name ? name : path, place->after);
    }
    acme_dir_names_free(&files);
    return ok;
}

bool
acme_foreign_stop(struct acme_foreign *foreign, const char *program)
{
    bool ok = true;
    size_t i;

    for (i = 0; ok && i < sizeof(places) / sizeof(places[0]); i++)
        ok = look(foreign, &places[i], program);
    if (ok && foreign->stops.n == 0)
        ok = acme_foreign_note(foreign, &foreign->stops, program, "",
            "grep -rls %s /etc/cron* /var/spool/cron /etc/systemd/system",
            program);
    return ok;
}

/*
 * The configuration file: "option = value" in each line, for every command.
 * What the command line says goes before it.
 */
#include "acmectl/ctl_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef ACME_CTL_INI
#define ACME_CTL_INI "/etc/acmectl.ini"
#endif
#define INI_NAME "acmectl.ini"
#define INI_MAX (64 * 1024)

/* ---- a line ----------------------------------------------------------- */

/* Without the spaces around it. */
static char *
trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
        text[--len] = '\0';
    return text;
}

static int
take_switch(struct ctl *ctl, const struct ctl_option *option,
    const char *value, const char *where)
{
    static const char *const on[] = { "true", "yes", "on", "1" };
    static const char *const off[] = { "false", "no", "off", "0" };
    size_t i;

    for (i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
        if (strcasecmp(value, on[i]) == 0)
            return ctl_option_take(ctl, option, NULL, where);
        if (strcasecmp(value, off[i]) == 0)
            return ctl_option_take(ctl, option, "not", where);
    }
    return ctl_fail(CTL_USAGE, "%s%s = %s: it is true or false", where,
        option->name, value);
}

static int
take_line(struct ctl *ctl, char *line, const char *where)
{
    const struct ctl_option *option;
    char *name = trim(line), *value = strchr(name, '=');

    if (*name == '\0' || *name == '#' || *name == ';')
        return CTL_OK;
    if (value == NULL)
        return ctl_fail(CTL_USAGE,
            "%s\"%s\" is no line such as: option = value", where, name);
    *value = '\0';
    value = trim(value + 1);
    name = trim(name);
    option = ctl_option_find(name, strlen(name));
    if (option == NULL)
        return ctl_fail(CTL_USAGE,
            "%sthere is no option \"%s\"; it is one of acmectl help all, "
            "without its dashes",
            where, name);
    if ((option->flags & CTL_ONCE) != 0)
        return ctl_fail(CTL_USAGE,
            "%s\"%s\" says what one command is to do, and this file is for "
            "all of them: take the line out",
            where, name);
    return option->value == NULL ? take_switch(ctl, option, value, where)
                                 : ctl_option_take(ctl, option, value, where);
}

/* All lines, or up to the first that is wrong. */
static int
take_lines(struct ctl *ctl, const char *path, char *text, bool all)
{
    char where[512];
    char *line = text, *end;
    int n, code = CTL_OK, one;

    for (n = 1; (all || code == CTL_OK) && *line != '\0'; n++, line = end) {
        end = line + strcspn(line, "\n");
        if (*end == '\n')
            *end++ = '\0';
        (void)snprintf(where, sizeof(where), "%s:%d: ", path, n);
        one = take_line(ctl, line, where);
        code = code == CTL_OK ? one : code;
    }
    return code;
}

/* ---- the file --------------------------------------------------------- */

/* What it says is done as root: nobody else may have written it. */
static int
check_file(int fd, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ctl_fail(CTL_FAILED, "cannot read \"%s\": %s", path,
            strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > INI_MAX)
        return ctl_fail(CTL_FAILED,
            "\"%s\" is no file of options, or larger than %d bytes", path,
            INI_MAX);
    if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
        (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return ctl_fail(CTL_FAILED,
            "\"%s\" is not believed: others can change it (chown it to "
            "yourself or root, chmod go-w)",
            path);
    return CTL_OK;
}

static void
note_file(struct ctl *ctl, const char *path)
{
    const char *copy = acme_arena_strdup(ctl->arena, path);

    if (copy != NULL && ctl->files.n < CTL_WORDS_MAX)
        ctl->files.word[ctl->files.n++] = copy;
}

static int
read_file(struct ctl *ctl, const char *path, bool must, bool all)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char *text = NULL;
    ssize_t len;
    int code;

    if (fd < 0 && !must &&
        (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return CTL_OK; /* nobody's, or not ours */
    if (fd < 0)
        return ctl_fail(CTL_FAILED, "cannot read \"%s\": %s", path,
            strerror(errno));
    note_file(ctl, path);
    code = check_file(fd, path);
    if (code == CTL_OK) {
        text =
            acme_arena_alloc(ctl->arena, INI_MAX + 1); /* values stay in it */
        len = text != NULL ? read(fd, text, INI_MAX) : -1;
        code = len >= 0 ? take_lines(ctl, path, text, all)
                        : ctl_fail(CTL_FAILED, "cannot read \"%s\"", path);
    }
    (void)close(fd);
    return code;
}

/* Where they are: that of --config alone, or the user's and everybody's; those
 * two need not be there. */
struct places {
    char own[4096]; /* "": nowhere */
    const char *common;
    bool must;
};

static void
find_places(const struct ctl *ctl, struct places *places)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    memset(places, 0, sizeof(*places));
    places->must = ctl->config != NULL;
    if (places->must)
        (void)snprintf(places->own, sizeof(places->own), "%s", ctl->config);
    else if (base != NULL && base[0] == '/')
        (void)snprintf(places->own, sizeof(places->own), "%s/" INI_NAME, base);
    else if (home != NULL && home[0] == '/')
        (void)snprintf(places->own, sizeof(places->own),
            "%s/.config/" INI_NAME, home);
    if (!places->must)
        places->common = ACME_CTL_INI;
}

int
ctl_ini_read(struct ctl *ctl)
{
    struct places places;
    int code = CTL_OK;

    find_places(ctl, &places);
    ctl->source = CTL_SOURCE_OWN_FILE;
    if (places.own[0] != '\0')
        code = read_file(ctl, places.own, places.must, false);
    ctl->source = CTL_SOURCE_COMMON_FILE;
    if (code == CTL_OK && places.common != NULL)
        code = read_file(ctl, places.common, false, false);
    return code;
}

/* As if no other had said anything, so that what is wrong in one is not
 * hidden by what another has. */
static int
test_file(struct ctl *ctl, const char *path, bool must)
{
    struct ctl *alone = acme_arena_alloc(ctl->arena, sizeof(*alone));
    int code;

    if (alone == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    memset(alone, 0, sizeof(*alone));
    ctl_options_init(alone);
    alone->arena = ctl->arena;
    alone->source = CTL_SOURCE_OWN_FILE;
    code = read_file(alone, path, must, true);
    if (alone->files.n > 0 && ctl->files.n < CTL_WORDS_MAX)
        ctl->files.word[ctl->files.n++] = alone->files.word[0];
    return code;
}

int
ctl_ini_test(struct ctl *ctl)
{
    struct places places;
    int code = CTL_OK, common = CTL_OK;

    find_places(ctl, &places);
    if (places.own[0] != '\0')
        code = test_file(ctl, places.own, places.must);
    if (places.common != NULL)
        common = test_file(ctl, places.common, false);
    return code == CTL_OK ? common : code;
}

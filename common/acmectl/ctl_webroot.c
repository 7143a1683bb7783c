/*
 * Which directory goes with which name, by Certbot's rules: -w counts for the
 * -d behind it, one -w for all, the last one also for what is left; a name of
 * --webroot-map goes with what it says there.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "acmectl/ctl_answer.h"
#include "wrap/acme_idn.h"

#define MAP_MAX 65536

struct list {
    struct ctl *ctl;
    size_t n;
    const char *word[ACME_WEBROOT_WORDS_MAX + 1];
};

bool
ctl_webroot_is_named(const struct ctl *ctl)
{
    return ctl->webroots.n > 0 || ctl->webroot_map != NULL;
}

/* ---- words ------------------------------------------------------------ */

static int
add_word(struct list *list, const char *word)
{
    if (word == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (list->n > ACME_WEBROOT_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "too many directories and names of "
                                   "--webroot-path and --webroot-map");
    list->word[list->n++] = word;
    return CTL_OK;
}

/* As it is now, without links: what is put in its place later is refused. */
static int
add_directory(struct list *list, const char *path)
{
    char real[PATH_MAX];
    struct stat st;

    if (realpath(path, real) == NULL || stat(real, &st) != 0 ||
        !S_ISDIR(st.st_mode))
        return ctl_fail(CTL_USAGE, "webroot \"%s\" is no directory", path);
    return add_word(list, acme_arena_strdup(list->ctl->arena, real));
}

/* ---- -w --------------------------------------------------------------- */

static int
add_group(struct list *list, size_t i)
{
    const struct ctl_placed *webroots = &list->ctl->webroots;
    const struct ctl_words *domains = &list->ctl->domains;
    const bool last = i + 1 == webroots->n;
    size_t k = webroots->at[i].before,
           end = last ? k : webroots->at[i + 1].before;
    int code;

    if (!last && k == end)
        return CTL_OK;
    code = add_directory(list, webroots->at[i].word);
    for (; k < end && code == CTL_OK; k++)
        code = add_word(list, domains->word[k]);
    return code;
}

static int
add_groups(struct list *list)
{
    const struct ctl_placed *webroots = &list->ctl->webroots;
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < webroots->n && code == CTL_OK; i++)
        code = add_group(list, i);
    return code;
}

/* ---- the map ---------------------------------------------------------- */

static int
parse_map(const struct ctl *ctl, struct acme_json **map)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (strlen(ctl->webroot_map) <= MAP_MAX &&
        acme_json_parse(ctl->webroot_map, strlen(ctl->webroot_map),
            "--webroot-map", map, &err) == ACME_OK &&
        acme_json_is_object(*map))
        return CTL_OK;
    return ctl_fail(CTL_USAGE,
        "--webroot-map is no JSON object such as "
        "'{\"a.example,b.example\": \"/var/www/a\"}'%s%s",
        err.what[0] != '\0' ? ": " : "", err.what);
}

static int
add_domain(struct ctl *ctl, const char *name)
{
    struct ctl_words *domains = &ctl->domains;
    size_t i;

    for (i = 0; i < domains->n; i++)
        if (strcmp(domains->word[i], name) == 0)
            return CTL_OK;
    if (domains->n == CTL_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d names", CTL_WORDS_MAX);
    domains->word[domains->n++] = name;
    return CTL_OK;
}

static int
take_name(struct ctl *ctl, struct list *list, const char *text, size_t len)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_error err;
    const char *copy;

    acme_error_clear(&err);
    if (acme_idn_parse(text, len, name, &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "--webroot-map: %s", err.what);
    copy = acme_arena_strdup(ctl->arena, name);
    if (copy == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    return list != NULL ? add_word(list, copy) : add_domain(ctl, copy);
}

/* "a.test,b.test": "/var/www" */
static int
take_entry(struct ctl *ctl, struct list *list, const char *names,
    const struct acme_json *value)
{
    const char *path = acme_json_text(value);
    size_t len;
    int code = CTL_OK;

    if (path == NULL || *path == '\0')
        return ctl_fail(CTL_USAGE, "--webroot-map has no path for \"%s\"",
            names);
    if (list != NULL)
        code = add_directory(list, path);
    for (names += strspn(names, ", "); *names != '\0' && code == CTL_OK;
         names += len, names += strspn(names, ", ")) {
        len = strcspn(names, ", ");
        code = take_name(ctl, list, names, len);
    }
    return code;
}

/* Into the list, or, where that is NULL, the names into those of -d. */
static int
read_map(struct ctl *ctl, struct list *list)
{
    struct acme_json *map = NULL;
    void *iter = NULL;
    int code;

    if (ctl->webroot_map == NULL)
        return CTL_OK;
    code = parse_map(ctl, &map);
    while (code == CTL_OK && (iter = acme_json_next(map, iter)) != NULL)
        code = take_entry(ctl, list, acme_json_iter_name(iter),
            acme_json_iter_value(iter));
    acme_json_free(map);
    return code;
}

int
ctl_webroot_domains(struct ctl *ctl)
{
    if (ctl->webroots.n > 1 && ctl->webroots.at[0].before > 0)
        return ctl_fail(CTL_USAGE,
            "with several --webroot-path (-w) the first has to stand before "
            "all --domains (-d): each counts for the names behind it");
    return read_map(ctl, NULL);
}

/* The map first: it wins. */
int
ctl_webroot_words(struct ctl *ctl, const char *const **word, size_t *n)
{
    struct list *list = acme_arena_alloc(ctl->arena, sizeof(*list));
    int code;

    if (list == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    list->ctl = ctl;
    code = add_word(list, acme_answerer_name(ACME_ANSWERER_WEBROOT));
    if (code == CTL_OK)
        code = read_map(ctl, list);
    if (code == CTL_OK)
        code = add_groups(list);
    *word = list->word;
    *n = list->n;
    return code;
}

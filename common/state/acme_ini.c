#include "state/acme_ini.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Sections in sections: Certbot has two of them. */
#define DEPTH_MAX 4
#define VALUES_MAX 256
#define ITEMS_MAX 4096

struct parser {
    struct acme_arena *arena;
    const char *at;
    unsigned line;
    const char *path[DEPTH_MAX]; /* names of the open sections */
    size_t depth;
    const char *section; /* all of them, with slashes */
    size_t nitems, cap;
    struct acme_ini_item *item;
};

static enum acme_rc
malformed(const struct parser *p, const char *what, struct acme_error *err)
{
    return acme_error_set(err, ACME_CONFIG, "line %u: %s", p->line, what);
}

static void
skip_blanks(struct parser *p)
{
    p->at += strspn(p->at, " \t\r");
}

static bool
is_end(const struct parser *p)
{
    return *p->at == '\0' || *p->at == '\n';
}

/* A comment, or nothing, up to the end of the line. */
static bool
skip_rest(struct parser *p)
{
    skip_blanks(p);
    if (*p->at == '#')
        p->at += strcspn(p->at, "\n");
    return is_end(p);
}

/* ---- values ----------------------------------------------------------- */

/* 'x', "x", or either three times, which may have lines in it. */
static enum acme_rc
take_quoted(struct parser *p, const char **value, struct acme_error *err)
{
    const char quote = *p->at;
    char end[4] = { quote, quote, quote, '\0' };
    const char *start, *stop;

    if (strncmp(p->at, end, 3) != 0)
        end[1] = '\0';
    start = p->at + strlen(end);
    stop = strstr(start, end);
    if (stop == NULL ||
        (end[1] == '\0' && (size_t)(stop - start) > strcspn(start, "\n")))
        return malformed(p, "a quote has no end", err);
    for (p->at = start; p->at < stop; p->at++)
        p->line += *p->at == '\n';
    p->at = stop + strlen(end);
    *value = acme_arena_strndup(p->arena, start, (size_t)(stop - start));
    return *value != NULL ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
take_plain(struct parser *p, const char **value, struct acme_error *err)
{
    size_t len = strcspn(p->at, ",#\n");
    const char *start = p->at;

    p->at += len;
    while (len > 0 && strchr(" \t\r", start[len - 1]) != NULL)
        len--;
    *value = acme_arena_strndup(p->arena, start, len);
    return *value != NULL ? ACME_OK : acme_error_nomem(err);
}

static enum acme_rc
take_values(struct parser *p, struct acme_ini_item *item,
    struct acme_error *err)
{
    const char *value[VALUES_MAX];
    const char **list;
    enum acme_rc rc;

    skip_blanks(p);
    while (!skip_rest(p)) {
        if (*p->at == ',') {
            /* an empty one, or the comma of an empty list */
            p->at++;
            continue;
        }
        if (item->nvalues == VALUES_MAX)
            return malformed(p, "too many values", err);
        rc = *p->at == '\'' || *p->at == '"'
                 ? take_quoted(p, &value[item->nvalues], err)
                 : take_plain(p, &value[item->nvalues], err);
        if (rc != ACME_OK)
            return rc;
        item->nvalues++;
        skip_blanks(p);
        if (*p->at == ',')
            p->at++;
        else if (!skip_rest(p))
            return malformed(p, "text behind a quoted value", err);
    }
    list = acme_arena_alloc(p->arena, (item->nvalues + 1) * sizeof(*list));
    if (list == NULL)
        return acme_error_nomem(err);
    memcpy(list, value, item->nvalues * sizeof(*list));
    item->value = list;
    return ACME_OK;
}

/* ---- lines ------------------------------------------------------------ */

static enum acme_rc
name_section(struct parser *p, struct acme_error *err)
{
    size_t i;

    p->section = "";
    for (i = 0; i < p->depth && p->section != NULL; i++)
        p->section = acme_arena_printf(p->arena, "%s%s%s", p->section,
            i > 0 ? "/" : "", p->path[i]);
    return p->section != NULL ? ACME_OK : acme_error_nomem(err);
}

/* [name], or [[name]] in the one before. */
static enum acme_rc
take_section(struct parser *p, struct acme_error *err)
{
    size_t depth = strspn(p->at, "["), len;
    const char *name = p->at + depth;

    len = strcspn(name, "]\n");
    if (depth > DEPTH_MAX || depth > p->depth + 1 || len == 0 ||
        strspn(name + len, "]") != depth)
        return malformed(p, "no section, which would be \"[name]\"", err);
    p->at = name + len + depth;
    if (!skip_rest(p))
        return malformed(p, "text behind a section", err);
    p->path[depth - 1] = acme_arena_strndup(p->arena, name, len);
    p->depth = depth;
    return p->path[depth - 1] != NULL ? name_section(p, err)
                                      : acme_error_nomem(err);
}

static struct acme_ini_item *
add_item(struct parser *p)
{
    size_t cap = p->cap == 0 ? 64 : p->cap * 2;
    struct acme_ini_item *grown;

    if (p->nitems == p->cap) {
        grown = acme_arena_alloc(p->arena, cap * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        if (p->nitems > 0)
            memcpy(grown, p->item, p->nitems * sizeof(*grown));
        p->item = grown;
        p->cap = cap;
    }
    return &p->item[p->nitems++];
}

static enum acme_rc
take_item(struct parser *p, struct acme_error *err)
{
    size_t len = strcspn(p->at, "=\n");
    struct acme_ini_item *item;
    const char *name = p->at;

    if (name[len] != '=')
        return malformed(p, "neither \"name = value\" nor a section", err);
    p->at += len + 1;
    while (len > 0 && strchr(" \t", name[len - 1]) != NULL)
        len--;
    if (len > 1 && (name[0] == '"' || name[0] == '\'') &&
        name[len - 1] == name[0]) {
        name++;
        len -= 2;
    }
    if (len == 0)
        return malformed(p, "a value without a name", err);
    if (p->nitems == ITEMS_MAX)
        return malformed(p, "too many lines", err);
    item = add_item(p);
    if (item == NULL)
        return acme_error_nomem(err);
    item->line = p->line;
    item->section = p->section;
    item->name = acme_arena_strndup(p->arena, name, len);
    return item->name != NULL ? take_values(p, item, err)
                              : acme_error_nomem(err);
}

static enum acme_rc
take_line(struct parser *p, struct acme_error *err)
{
    if (skip_rest(p))
        return ACME_OK;
    return *p->at == '[' ? take_section(p, err) : take_item(p, err);
}

enum acme_rc
acme_ini_parse(struct acme_arena *arena, const char *text, size_t len,
    struct acme_ini *ini, struct acme_error *err)
{
    struct parser p = { .arena = arena, .line = 1, .section = "" };
    enum acme_rc rc = ACME_OK;

    if (memchr(text, '\0', len) != NULL)
        return acme_error_set(err, ACME_CONFIG, "it has a NUL byte");
    p.at = acme_arena_strndup(arena, text, len);
    if (p.at == NULL)
        return acme_error_nomem(err);
    while (rc == ACME_OK && *p.at != '\0') {
        rc = take_line(&p, err);
        if (rc == ACME_OK && *p.at == '\n') {
            p.at++;
            p.line++;
        }
    }
    if (rc == ACME_OK) {
        ini->nitems = p.nitems;
        ini->item = p.item;
    }
    return rc;
}

/* ---- looking ---------------------------------------------------------- */

const struct acme_ini_item *
acme_ini_find(const struct acme_ini *ini, const char *section,
    const char *name)
{
    size_t i;

    for (i = ini->nitems; i > 0; i--)
        if (strcmp(ini->item[i - 1].section, section) == 0 &&
            strcmp(ini->item[i - 1].name, name) == 0)
            return &ini->item[i - 1];
    return NULL;
}

const char *
acme_ini_text(const struct acme_ini *ini, const char *section,
    const char *name)
{
    const struct acme_ini_item *item = acme_ini_find(ini, section, name);

    if (item == NULL)
        return NULL;
    return item->nvalues > 0 ? item->value[0] : "";
}

#include "state/acme_foreign.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_limits.h"

/* A note's text: a sentence or two, and a value of somebody else's. */
#define WHY_MAX 1024

struct acme_foreign *
acme_foreign_new(const char *client)
{
    struct acme_foreign *foreign = calloc(1, sizeof(*foreign));

    if (foreign == NULL)
        return NULL;
    foreign->client = client;
    foreign->arena = acme_arena_new();
    if (foreign->arena != NULL)
        return foreign;
    free(foreign);
    return NULL;
}

static void
free_lineage(struct acme_foreign_lineage *lineage)
{
    struct acme_foreign_version *version;
    size_t i;

    while (lineage->nversions > 0) {
        version = &lineage->version[--lineage->nversions];
        for (i = 0; i < ACME_TYPES_MAX; i++) {
            acme_buf_clear(&version->pair[i].key);
            acme_buf_clear(&version->pair[i].chain);
        }
    }
    free(lineage->version);
    free(lineage->notes.note);
}

void
acme_foreign_free(struct acme_foreign *foreign)
{
    if (foreign == NULL)
        return;
    while (foreign->n > 0)
        free_lineage(&foreign->lineage[--foreign->n]);
    while (foreign->nhooks > 0)
        acme_buf_clear(&foreign->hook[--foreign->nhooks].text);
    free(foreign->lineage);
    free(foreign->hook);
    free(foreign->notes.note);
    free(foreign->stops.note);
    acme_arena_free(foreign->arena);
    free(foreign);
}

bool
acme_foreign_is_wanted(const struct acme_foreign_wanted *wanted,
    const char *name)
{
    size_t i;

    for (i = 0; i < wanted->n; i++)
        if (strcmp(wanted->name[i], name) == 0)
            return true;
    return wanted->n == 0;
}

/* Room for one more, all zero; NULL: out of memory. */
static void *
grow(void **list, size_t *n, size_t *cap, size_t size)
{
    size_t more = *cap == 0 ? 8 : *cap * 2;
    void *grown;

    if (*n == *cap) {
        grown = realloc(*list, more * size);
        if (grown == NULL)
            return NULL;
        *list = grown;
        *cap = more;
    }
    return memset((char *)*list + (*n)++ * size, 0, size);
}

static bool
is_there(const struct acme_foreign *foreign, const char *name)
{
    size_t i;

    for (i = 0; i < foreign->n; i++)
        if (strcmp(foreign->lineage[i].name, name) == 0)
            return true;
    return false;
}

const char *
acme_foreign_name(struct acme_foreign *foreign, const char *name)
{
    const char *base = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    const char *one = base;
    unsigned n;

    for (n = 1; one != NULL && is_there(foreign, one); n++)
        one = acme_arena_printf(foreign->arena, "%s-%04u", base, n);
    return one;
}

struct acme_foreign_lineage *
acme_foreign_add(struct acme_foreign *foreign, const char *name,
    const char *from)
{
    struct acme_foreign_lineage *lineage;
    const char *text[2];

    text[0] = acme_arena_strdup(foreign->arena, name);
    text[1] = acme_arena_strdup(foreign->arena, from);
    if (text[0] == NULL || text[1] == NULL)
        return NULL;
    lineage = grow((void **)&foreign->lineage, &foreign->n, &foreign->cap,
        sizeof(*lineage));
    if (lineage == NULL)
        return NULL;
    lineage->name = text[0];
    lineage->from = text[1];
    acme_issuer_init(&lineage->issuer);
    acme_proof_init(&lineage->proof);
    acme_hooks_init(&lineage->hooks);
    return lineage;
}

struct acme_foreign_version *
acme_foreign_add_version(struct acme_foreign_lineage *lineage)
{
    struct acme_foreign_version *version = grow((void **)&lineage->version,
        &lineage->nversions, &lineage->versions_cap, sizeof(*version));
    size_t i;

    if (version == NULL)
        return NULL;
    version->npairs = 1;
    for (i = 0; i < ACME_TYPES_MAX; i++) {
        acme_buf_init_secret(&version->pair[i].key, ACME_STATE_PEM_MAX);
        acme_buf_init(&version->pair[i].chain, (size_t)2 * ACME_STATE_PEM_MAX);
    }
    return version;
}

struct acme_foreign_hook *
acme_foreign_add_hook(struct acme_foreign *foreign)
{
    struct acme_foreign_hook *hook = grow((void **)&foreign->hook,
        &foreign->nhooks, &foreign->hooks_cap, sizeof(*hook));

    if (hook != NULL)
        acme_buf_init(&hook->text, ACME_STATE_PEM_MAX);
    return hook;
}

bool
acme_foreign_is_alone(const struct acme_buf *chain)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const char *first = strstr(acme_buf_str(chain), begin);

    return first != NULL && strstr(first + 1, begin) == NULL;
}

bool
acme_foreign_note(struct acme_foreign *foreign,
    struct acme_foreign_notes *notes, const char *field, const char *value,
    const char *why, ...)
{
    struct acme_foreign_note note;
    struct acme_foreign_note *slot;
    char text[WHY_MAX];
    va_list args;

    va_start(args, why);
    (void)vsnprintf(text, sizeof(text), why, args);
    va_end(args);
    note.field = acme_arena_strdup(foreign->arena, field);
    note.value = acme_arena_strdup(foreign->arena, value != NULL ? value : "");
    note.why = acme_arena_strdup(foreign->arena, text);
    if (note.field == NULL || note.value == NULL || note.why == NULL)
        return false;
    slot = grow((void **)&notes->note, &notes->n, &notes->cap, sizeof(*slot));
    if (slot != NULL)
        *slot = note;
    return slot != NULL;
}

void
acme_foreign_spoil(struct acme_foreign *foreign,
    struct acme_foreign_lineage *lineage, const char *why)
{
    if (lineage->trouble == NULL)
        lineage->trouble = acme_arena_strdup(foreign->arena, why);
    if (lineage->trouble == NULL)
        lineage->trouble = "out of memory";
}

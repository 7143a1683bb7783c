#include "state/acme_roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_text.h"
#include "state/acme_store_private.h"
#include "wrap/acme_hash.h"

/*
 * The text: whose it is, then a line for each lineage, its name and its
 * identifiers with a space before each; those of the past have a "+".
 */
#define FIRST_LINE "lineages of "
#define PAST '+'

/* ---- reading ---------------------------------------------------------- */

static struct acme_roster *
roster_new(void)
{
    struct acme_roster *roster = calloc(1, sizeof(*roster));

    if (roster == NULL)
        return NULL;
    roster->arena = acme_arena_new();
    if (roster->arena != NULL)
        return roster;
    free(roster);
    return NULL;
}

void
acme_roster_free(struct acme_roster *roster)
{
    if (roster == NULL)
        return;
    acme_arena_free(roster->arena);
    free(roster);
}

static enum acme_rc
malformed(struct acme_error *err, const char *what)
{
    return acme_error_set(err, ACME_WIRE, "%s is missing or malformed", what);
}

static size_t
count_char(const char *text, size_t len, char wanted)
{
    size_t i, n = 0;

    for (i = 0; i < len; i++)
        n += text[i] == wanted;
    return n;
}

static void
first_line(const struct acme_config *config, char *out, size_t size)
{
    char clean[ACME_LOG_LINE_MAX];

    acme_log_clean(clean, sizeof(clean), config->instance,
        strlen(config->instance));
    (void)snprintf(out, size, FIRST_LINE "%.32s:%s", config->server, clean);
}

static bool
is_canonical(const char *name)
{
    char canonical[ACME_NAME_MAX + 1];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return acme_name_parse(name, strlen(name), canonical, &ignored) ==
               ACME_OK &&
           strcmp(canonical, name) == 0;
}

/* One word of a line; false: malformed. */
static bool
add_name(struct acme_roster *roster, struct acme_roster_entry *entry,
    const char *word)
{
    bool past = *word == PAST;
    struct acme_roster_name *at = &roster->name[roster->nnames];

    if (!past && entry->nwanted < entry->nnames)
        return false;
    word += past;
    if (!is_canonical(word))
        return false;
    entry->names[entry->nnames++] = word;
    entry->nwanted += !past;
    at->name = word;
    at->entry = (size_t)(entry - roster->entry);
    at->wanted = !past;
    roster->nnames++;
    return true;
}

/* `line` is the arena's, and cut into words. */
static enum acme_rc
parse_line(struct acme_roster *roster, char *line, struct acme_error *err)
{
    struct acme_roster_entry *entry = &roster->entry[roster->nentries];
    size_t words = count_char(line, strlen(line), ' ');
    struct acme_error ignored;
    char *rest = line, *word = strsep(&rest, " ");

    acme_error_clear(&ignored);
    if (words == 0 || acme_lineage_name_check(word, &ignored) != ACME_OK)
        return malformed(err, "a lineage");
    entry->lineage = word;
    entry->names =
        acme_arena_alloc(roster->arena, words * sizeof(*entry->names));
    if (entry->names == NULL)
        return acme_error_nomem(err);
    while ((word = strsep(&rest, " ")) != NULL)
        if (!add_name(roster, entry, word))
            return malformed(err, "a name");
    roster->nentries++;
    return ACME_OK;
}

static int
by_name(const void *a, const void *b)
{
    const struct acme_roster_name *x = a;
    const struct acme_roster_name *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

static enum acme_rc
parse_all(struct acme_roster *roster, const char *text, size_t len,
    const struct acme_config *config, struct acme_error *err)
{
    char whose[ACME_LOG_LINE_MAX + 64];
    char *rest = acme_arena_strndup(roster->arena, text, len), *line;
    enum acme_rc rc = ACME_OK;

    roster->entry = acme_arena_alloc(roster->arena,
        (count_char(text, len, '\n') + 1) * sizeof(*roster->entry));
    roster->name = acme_arena_alloc(roster->arena,
        (count_char(text, len, ' ') + 1) * sizeof(*roster->name));
    if (rest == NULL || roster->entry == NULL || roster->name == NULL)
        return acme_error_nomem(err);
    first_line(config, whose, sizeof(whose));
    line = strsep(&rest, "\n");
    if (strcmp(line, whose) != 0 || strlen(line) == len)
        return malformed(err, "the first line");
    while (rc == ACME_OK && (line = strsep(&rest, "\n")) != NULL) {
        if (rest != NULL)
            rc = parse_line(roster, line, err);
        else if (*line != '\0') /* the end is the end of a line */
            rc = malformed(err, "the last line");
    }
    qsort(roster->name, roster->nnames, sizeof(*roster->name), by_name);
    return rc;
}

enum acme_rc
acme_roster_parse(const char *text, size_t len,
    const struct acme_config *config, struct acme_roster **roster,
    struct acme_error *err)
{
    struct acme_roster *parsed = NULL;
    enum acme_rc rc;

    if (memchr(text, '\0', len) != NULL)
        return malformed(err, "a text without NUL bytes");
    parsed = roster_new();
    if (parsed == NULL)
        return acme_error_nomem(err);
    rc = parse_all(parsed, text, len, config, err);
    if (rc == ACME_OK)
        *roster = parsed;
    else
        acme_roster_free(parsed);
    return rc;
}

size_t
acme_roster_find(const struct acme_roster *roster, const char *name,
    size_t *count)
{
    size_t low = 0, high = roster->nnames, end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(roster->name[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < roster->nnames; end++)
        if (strcmp(roster->name[end].name, name) != 0)
            break;
    *count = end - low;
    return low;
}

/* ---- writing ---------------------------------------------------------- */

/* The lineage, if the configuration has it, and the names of its past that
 * are wanted of others now. */
static void
add_line(struct acme_buf *out, const struct acme_config *config,
    const struct acme_lineage *lineage, const struct acme_roster_entry *past)
{
    const char *name = lineage != NULL ? lineage->name : past->lineage;
    size_t i, words = 0, ignored;

    for (i = 0; lineage != NULL && i < lineage->nnames; i++)
        acme_buf_addf(out, "%s %s", words++ == 0 ? name : "",
            lineage->names[i]);
    for (i = 0; past != NULL && i < past->nnames; i++)
        if (acme_config_find_name(config, past->names[i], &ignored) &&
            (lineage == NULL || !acme_text_in(lineage->names, lineage->nnames,
                                    past->names[i])))
            acme_buf_addf(out, "%s %c%s", words++ == 0 ? name : "", PAST,
                past->names[i]);
    if (words > 0)
        acme_buf_add_str(out, "\n");
}

enum acme_rc
acme_roster_render(const struct acme_config *config,
    const struct acme_roster *old, struct acme_buf *out,
    struct acme_error *err)
{
    const struct acme_roster_entry **past =
        calloc(config->nlineages + 1, sizeof(struct acme_roster_entry *));
    char whose[ACME_LOG_LINE_MAX + 64];
    size_t i, k;

    if (past == NULL)
        return acme_error_nomem(err);
    first_line(config, whose, sizeof(whose));
    acme_buf_addf(out, "%s\n", whose);
    for (i = 0; old != NULL && i < old->nentries; i++)
        if (acme_config_find_lineage(config, old->entry[i].lineage, &k))
            past[k] = &old->entry[i];
    for (i = 0; i < config->nlineages; i++)
        add_line(out, config, &config->lineage[i], past[i]);
    for (i = 0; old != NULL && i < old->nentries; i++)
        if (!acme_config_find_lineage(config, old->entry[i].lineage, &k))
            add_line(out, config, NULL, &old->entry[i]);
    free(past);
    return acme_buf_ok(out) ? ACME_OK : acme_error_nomem(err);
}

/* ---- adopting --------------------------------------------------------- */

/* A lineage and an entry with identifiers in common. */
struct match {
    size_t lineage, entry;
    size_t common; /* so many, */
    size_t first;  /* the first of them is the lineage's first-th */
};

struct adoption {
    const struct acme_roster *roster;
    struct acme_config *config;
    bool *taken;   /* by entry */
    bool *settled; /* by lineage */
    size_t *seen;  /* by entry: the match, + 1, of the lineage in work */
    struct match *match;
    size_t nmatches, room;
};

/* Whether the entry was for a name that the lineage is for. */
static bool
is_akin(const struct acme_lineage *lineage,
    const struct acme_roster_entry *entry)
{
    size_t i;

    for (i = 0; i < entry->nwanted; i++)
        if (acme_text_in(lineage->names, lineage->nnames, entry->names[i]))
            return true;
    return false;
}

/* Those that have their name already. */
static void
settle_named(struct adoption *a)
{
    size_t i, k;

    for (i = 0; i < a->config->nlineages; i++)
        a->settled[i] = !acme_config_is_unnamed(a->config, i);
    for (k = 0; k < a->roster->nentries; k++) {
        const struct acme_roster_entry *entry = &a->roster->entry[k];

        if (!acme_config_find_lineage(a->config, entry->lineage, &i))
            continue;
        if (!a->settled[i])
            a->settled[i] = is_akin(&a->config->lineage[i], entry);
        a->taken[k] = a->settled[i];
    }
}

static bool
add_match(struct adoption *a, size_t lineage, size_t entry, size_t first)
{
    struct match *grown = a->match;
    size_t room = a->room ? a->room * 2 : 64;

    if (a->seen[entry] > 0 &&
        a->match[a->seen[entry] - 1].lineage == lineage) {
        a->match[a->seen[entry] - 1].common++;
        return true;
    }
    if (a->nmatches == a->room) {
        grown = realloc(a->match, room * sizeof(*grown));
        if (grown == NULL)
            return false;
        a->match = grown;
        a->room = room;
    }
    a->match[a->nmatches++] = (struct match){ lineage, entry, 1, first };
    a->seen[entry] = a->nmatches;
    return true;
}

static bool
find_matches(struct adoption *a, size_t i)
{
    const struct acme_lineage *lineage = &a->config->lineage[i];
    const struct acme_roster_name *found;
    size_t k, count;

    for (k = 0; k < lineage->nnames; k++) {
        found = a->roster->name +
                acme_roster_find(a->roster, lineage->names[k], &count);
        for (; count > 0; count--, found++)
            if (found->wanted && !a->taken[found->entry] &&
                !add_match(a, i, found->entry, k))
                return false;
    }
    return true;
}

static int
best_first(const void *a, const void *b)
{
    const struct match *x = a;
    const struct match *y = b;

    if (x->common != y->common)
        return x->common > y->common ? -1 : 1;
    if (x->lineage != y->lineage)
        return x->lineage < y->lineage ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static enum acme_rc
adopt(struct adoption *a, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    settle_named(a);
    for (i = 0; i < a->config->nlineages; i++)
        if (!a->settled[i] && !find_matches(a, i))
            return acme_error_nomem(err);
    if (a->nmatches > 0)
        qsort(a->match, a->nmatches, sizeof(*a->match), best_first);
    for (i = 0; rc == ACME_OK && i < a->nmatches; i++) {
        const struct match *match = &a->match[i];

        if (a->settled[match->lineage] || a->taken[match->entry])
            continue;
        a->settled[match->lineage] = a->taken[match->entry] = true;
        rc = acme_config_rename(a->config, match->lineage,
            a->roster->entry[match->entry].lineage, err);
    }
    return rc;
}

enum acme_rc
acme_roster_adopt(const struct acme_roster *roster, struct acme_config *config,
    struct acme_error *err)
{
    struct adoption a = { .roster = roster, .config = config };
    enum acme_rc rc;

    a.taken = calloc(roster->nentries + 1, sizeof(*a.taken));
    a.seen = calloc(roster->nentries + 1, sizeof(*a.seen));
    a.settled = calloc(config->nlineages + 1, sizeof(*a.settled));
    if (a.taken == NULL || a.seen == NULL || a.settled == NULL)
        rc = acme_error_nomem(err);
    else
        rc = adopt(&a, err);
    free(a.taken);
    free(a.seen);
    free(a.settled);
    free(a.match);
    return rc;
}

/* ---- its file --------------------------------------------------------- */

static void
file_path(const struct acme_config *config, char path[ACME_STORE_PATH_MAX])
{
    char hash[ACME_HASH_HEX];

    acme_hash_hex(config->instance, strlen(config->instance), hash);
    (void)snprintf(path, ACME_STORE_PATH_MAX, "servers/%.32s-%.16s.names",
        config->server, hash);
}

enum acme_rc
acme_roster_read(const struct acme_store *store,
    const struct acme_config *config, struct acme_roster **roster,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_error why;
    struct acme_buf text;
    enum acme_rc rc;

    file_path(config, path);
    acme_error_clear(&why);
    acme_buf_init(&text, ACME_ROSTER_MAX);
    rc = acme_store_read(store, path, ACME_ROSTER_MAX, &text, err);
    if (rc == ACME_OK && text.len == 0)
        rc = acme_error_set(err, ACME_NOENT, "\"%s\" is empty", path);
    if (rc == ACME_OK) {
        rc = acme_roster_parse(acme_buf_str(&text), text.len, config, roster,
            &why);
        if (rc != ACME_OK)
            rc = acme_store_damaged(err, path, &why);
    }
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_roster_write(const struct acme_store *store,
    const struct acme_config *config, const struct acme_roster *old,
    struct acme_error *err)
{
    char path[ACME_STORE_PATH_MAX];
    struct acme_buf text;
    enum acme_rc rc;

    file_path(config, path);
    acme_buf_init(&text, ACME_ROSTER_MAX);
    rc = acme_store_writable(store, err);
    if (rc == ACME_OK)
        rc = acme_roster_render(config, old, &text, err);
    if (rc == ACME_OK)
        rc = acme_dir_write_soon(store->fd, path, 0600, acme_buf_str(&text),
            text.len, err);
    acme_buf_clear(&text);
    return rc;
}

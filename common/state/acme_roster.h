/*
 * servers/SERVER-HASH.names: the lineages that one server has had so far, and
 * for which names.  A changed configuration is compared with it, so that a
 * certificate stays who it was when names come, go, or change their order, and
 * what is valid for a name is found while its new lineage has nothing yet.
 * One small file, as the settings of ten thousand lineages are too many to be
 * read before a server starts.  Lost or damaged it costs orders, nothing else.
 */
#ifndef ACME_ROSTER_H
#define ACME_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_buf.h"
#include "base/acme_error.h"
#include "state/acme_config.h"
#include "state/acme_store.h"

/* A lineage, what was asked for last, then what was asked for once and is
 * wanted of another lineage since. */
struct acme_roster_entry {
    const char *lineage;
    size_t nwanted; /* of the names; 0: the configuration has no such lineage
                       any more */
    size_t nnames;
    const char **names;
};

/* Where a name is. */
struct acme_roster_name {
    const char *name;
    size_t entry;
    bool wanted;
};

struct acme_roster {
    size_t nentries;
    struct acme_roster_entry *entry;
    size_t nnames;
    struct acme_roster_name *name; /* of all entries, sorted */
    struct acme_arena *arena;
};

void acme_roster_free(struct acme_roster *roster); /* accepts NULL */

/* ACME_WIRE: malformed, or of another server than the configuration's. */
enum acme_rc acme_roster_parse(const char *text, size_t len,
    const struct acme_config *config, struct acme_roster **roster,
    struct acme_error *err);

/*
 * Appends what is to be remembered from now on: the (finished) configuration,
 * and of `old` (NULL: none) what it still has a use for.
 */
enum acme_rc acme_roster_render(const struct acme_config *config,
    const struct acme_roster *old, struct acme_buf *out,
    struct acme_error *err);

/* Where the entries with this name begin in roster->name, and how many. */
size_t acme_roster_find(const struct acme_roster *roster, const char *name,
    size_t *count);

/*
 * Gives each lineage of a configuration, not finished yet, that the
 * administrator gave no name the name under which its certificate is known:
 * that of the entry of its own name if they have an identifier in common, else
 * of the one with most in common.  An entry goes to one lineage at most, never
 * to one with a name of the administrator's.  ACME_NOMEM.
 */
enum acme_rc acme_roster_adopt(const struct acme_roster *roster,
    struct acme_config *config, struct acme_error *err);

/* The file of the configuration's server.  ACME_NOENT: none, or its content
 * went with the power. */
enum acme_rc acme_roster_read(const struct acme_store *store,
    const struct acme_config *config, struct acme_roster **roster,
    struct acme_error *err);

/* The last words may go with the power. */
enum acme_rc acme_roster_write(const struct acme_store *store,
    const struct acme_config *config, const struct acme_roster *old,
    struct acme_error *err);

#endif

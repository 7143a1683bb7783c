/*
 * Lineages as the state directory has them, put into a configuration that was
 * read from no server's: those that acmectl renews, and those that it alone
 * has declared, which every server on the state directory renews as well.
 */
#ifndef ACME_OBEYED_H
#define ACME_OBEYED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_error.h"
#include "base/acme_host.h"
#include "state/acme_config.h"
#include "state/acme_settings.h"
#include "state/acme_store.h"

/* Puts the issuers of a declaration into the configuration, but for those that
 * are there with all that it says of them; `wanted` refers to them. */
enum acme_rc acme_obeyed_issuers(void *ctx, struct acme_config *config,
    const struct acme_declaration *by, struct acme_lineage *wanted,
    struct acme_error *err);

/*
 * Adds a lineage as its settings say, with the issuers that `issuers` adds,
 * which is the above or does something else.  ACME_NOENT: nobody declares it.
 * ACME_CONFIG: its declarations contradict each other, or cannot be obeyed.
 */
enum acme_rc acme_obeyed_add(struct acme_config *config, const char *name,
    const struct acme_settings *settings,
    enum acme_rc (*issuers)(void *ctx, struct acme_config *config,
        const struct acme_declaration *by, struct acme_lineage *wanted,
        struct acme_error *err),
    void *ctx, struct acme_error *err);

/* Whether acmectl alone has declared it, and not to be renewed by a person
 * only. */
bool acme_obeyed_is_acmectls(const struct acme_settings *settings);

/*
 * Adds all those.  One that cannot be read, or obeyed, is told of, if `tell`,
 * and left out; an error is of the whole.
 */
enum acme_rc acme_obeyed_find(struct acme_config *config,
    struct acme_store *store, const struct acme_host *host, bool tell,
    struct acme_error *err);

#endif

#include "drive/acme_obeyed.h"

#include <string.h>

#include "base/acme_arena.h"
#include "base/acme_log.h"
#include "state/acme_schedule.h"

enum acme_rc
acme_obeyed_issuers(void *ctx, struct acme_config *config,
    const struct acme_declaration *by, struct acme_lineage *wanted,
    struct acme_error *err)
{
    const struct acme_issuer *issuer;
    enum acme_rc rc = ACME_OK;
    size_t i, *index;

    (void)ctx;
    for (i = 0; i <= by->nfallbacks && rc == ACME_OK; i++) {
        issuer = i == 0 ? &by->issuer : &by->fallback[i - 1];
        index = i == 0 ? &wanted->issuer : &wanted->fallback[i - 1];
        rc = acme_config_share_issuer(config, issuer, index, err);
    }
    wanted->nfallbacks = by->nfallbacks;
    return rc;
}

enum acme_rc
acme_obeyed_add(struct acme_config *config, const char *name,
    const struct acme_settings *settings,
    enum acme_rc (*issuers)(void *ctx, struct acme_config *config,
        const struct acme_declaration *by, struct acme_lineage *wanted,
        struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    const struct acme_declaration *first = settings->declared;
    struct acme_arena *arena = acme_arena_new();
    struct acme_lineage wanted;
    const char *conflict = NULL;
    size_t ignored;
    enum acme_rc rc;

    memset(&wanted, 0, sizeof(wanted));
    if (arena == NULL)
        return acme_error_nomem(err);
    if (settings->ndeclared == 0)
        rc = acme_error_set(err, ACME_NOENT, "nobody declares it");
    else
        rc = acme_settings_wanted(settings, arena, &wanted, &conflict, err);
    if (rc == ACME_OK && conflict != NULL)
        rc = acme_error_set(err, ACME_CONFIG, "%s", conflict);
    if (rc == ACME_OK)
        rc = issuers(ctx, config, first, &wanted, err);
    if (rc == ACME_OK) {
        wanted.name = name;
        wanted.proof = &first->proof;
        wanted.hooks = &first->hooks;
        rc = acme_config_add_lineage(config, &wanted, &ignored, err);
    }
    acme_arena_free(arena);
    return rc;
}

bool
acme_obeyed_is_acmectls(const struct acme_settings *settings)
{
    return settings->ndeclared == 1 &&
           strcmp(settings->declared[0].by, ACME_DECLARER_ACMECTL) == 0 &&
           !acme_schedule_is_manual(&settings->declared[0].timing);
}

struct search {
    struct acme_config *config;
    struct acme_store *store;
    const struct acme_host *host;
    bool tell;
};

/* One lineage that is in a bad way harms no other. */
static enum acme_rc
visit(void *ctx, const char *name, struct acme_error *err)
{
    const struct search *search = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error own;
    char line[ACME_LOG_LINE_MAX];

    acme_error_clear(&own);
    if (acme_store_settings_read(search->store, name, &settings, &own) ==
            ACME_OK &&
        acme_obeyed_is_acmectls(settings))
        (void)acme_obeyed_add(search->config, name, settings,
            acme_obeyed_issuers, NULL, &own);
    acme_settings_free(settings);
    if (own.rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (own.rc != ACME_OK && own.rc != ACME_NOENT && search->tell)
        acme_log(search->host, ACME_LOG_ERROR,
            "lineage \"%s\", which acmectl has issued, is not renewed: %s",
            name, acme_error_line(&own, line, sizeof(line)));
    return ACME_OK;
}

enum acme_rc
acme_obeyed_find(struct acme_config *config, struct acme_store *store,
    const struct acme_host *host, bool tell, struct acme_error *err)
{
    struct search search = { config, store, host, tell };

    return acme_store_lineages(store, visit, &search, err);
}

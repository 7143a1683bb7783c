/*
 * The CAs that servers have declared, out of the lineages' settings.
 */
#include "acmectl/ctl.h"
#include "state/acme_settings.h"

struct visitor {
    struct acme_store *store;
    ctl_visit_issuer *visit;
    void *ctx;
};

static enum acme_rc
visit_lineage(void *ctx, const char *name, struct acme_error *err)
{
    const struct visitor *visitor = ctx;
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i, k;

    acme_error_clear(&ignored);
    if (acme_store_settings_read(visitor->store, name, &settings, &ignored) !=
        ACME_OK)
        return ACME_OK;
    for (i = 0; i < settings->ndeclared && rc == ACME_OK; i++) {
        const struct acme_declaration *by = &settings->declared[i];

        rc = visitor->visit(visitor->ctx, &by->issuer, err);
        for (k = 0; k < by->nfallbacks && rc == ACME_OK; k++)
            rc = visitor->visit(visitor->ctx, &by->fallback[k], err);
    }
    acme_settings_free(settings);
    return rc;
}

enum acme_rc
ctl_each_issuer(struct acme_store *store, ctl_visit_issuer *visit, void *ctx,
    struct acme_error *err)
{
    struct visitor visitor = { store, visit, ctx };

    return acme_store_lineages(store, visit_lineage, &visitor, err);
}

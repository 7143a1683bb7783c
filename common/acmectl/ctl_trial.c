#include "acmectl/ctl_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drive/acme_stage.h"

int
ctl_trial_check(const struct ctl *ctl)
{
    if (ctl->dry_run && ctl->no_wait)
        return ctl_fail(CTL_USAGE,
            "--no-wait: a dry run has nobody who would go on with it");
    if (!ctl->dry_run && ctl->server != NULL)
        return ctl_fail(CTL_USAGE,
            "--server: a renewal asks the CA that is configured; it goes with "
            "--dry-run");
    return CTL_OK;
}

/* ---- the CA ----------------------------------------------------------- */

/* What is the other CA's business: its binding, its chains. */
static enum acme_rc
ask_at(struct acme_issuer *asked, const char *directory, const char *why,
    struct acme_arena *arena, struct acme_error *err)
{
    asked->name = acme_arena_printf(arena, "%s (%s)", asked->name, why);
    asked->directory = directory;
    asked->eab_kid = asked->eab_file = asked->eab_key = asked->eab_alg = NULL;
    asked->preferred_chain = NULL;
    asked->domain = NULL;
    return asked->name != NULL ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
ctl_trial_issuer(const struct ctl *ctl, const struct acme_issuer *own,
    struct acme_arena *arena, struct acme_issuer *asked,
    struct acme_error *err)
{
    const char *staging = acme_issuer_staging(own->directory);
    const char *named = ctl->server;

    *asked = *own;
    if (named != NULL && acme_issuer_directory(named) != NULL)
        named = acme_issuer_directory(named);
    if (named != NULL)
        return strcmp(named, own->directory) == 0
                   ? ACME_OK
                   : ask_at(asked, named, "--server", arena, err);
    return staging != NULL ? ask_at(asked, staging, "staging", arena, err)
                           : ACME_OK;
}

/* ---- hooks ------------------------------------------------------------ */

static void
tell(const struct ctl *ctl, const char *lineage, const char *stage,
    const struct acme_stage_list *hooks, struct acme_json *list)
{
    struct acme_json *one;
    size_t i;

    for (i = 0; i < hooks->n; i++) {
        if (list != NULL) {
            one = acme_json_object();
            acme_json_set_str(one, "stage", stage);
            acme_json_set_str(one, "hook", hooks->hook[i].text);
            acme_json_append(list, one);
        } else if (!ctl->quiet) {
            (void)printf("%s: dry run: %s hook \"%s\" is not run\n", lineage,
                stage, hooks->hook[i].text);
        }
    }
}

void
ctl_trial_hooks(const struct ctl *ctl, struct acme_store *store,
    const struct acme_config *config, size_t i, struct acme_json *list)
{
    static const enum acme_hooks_item stages[] = { ACME_HOOKS_DEPLOY,
        ACME_HOOKS_MIRROR };
    const struct acme_lineage *lineage = &config->lineage[i];
    struct acme_stage_places *places = malloc(sizeof(*places));
    struct acme_arena *arena = acme_arena_new();
    struct acme_stage_list hooks;
    struct acme_error ignored;
    unsigned version = 0;
    bool renews;
    size_t k;

    acme_error_clear(&ignored);
    renews =
        acme_store_live(store, lineage->name, &version, &ignored) == ACME_OK;
    if (places != NULL && arena != NULL)
        acme_stage_find_places(config, places);
    for (k = 0; places != NULL && arena != NULL && k < 2; k++) {
        acme_error_clear(&ignored);
        memset(&hooks, 0, sizeof(hooks));
        if (acme_stage_list(places, lineage->hooks, stages[k], renews, arena,
                &hooks, NULL, &ignored) == ACME_OK)
            tell(ctl, lineage->name, acme_hooks_item_name(stages[k]), &hooks,
                list);
    }
    acme_arena_free(arena);
    free(places);
}

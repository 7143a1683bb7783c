/*
 * Deploy hooks and the mirror: what is due is noted before a certificate is
 * live, the runner is asked for it afterwards, and what became of it is kept.
 * The store says what has happened; which programs are run for it, the runner
 * has from the configuration.
 */
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_keeper_private.h"

/* Names of a certificate, as text. */
#define DOMAINS_MAX ((size_t)128 * 1024)

/* ---- deploy hooks and mirror ------------------------------------------ */

static const char *const lock_name[] = { "deploy", "mirror" };

static const enum acme_hooks_item due_stage[] = { ACME_HOOKS_DEPLOY,
    ACME_HOOKS_MIRROR };

static bool
has_mirror(const struct acme_keeper *keeper, size_t lineage)
{
    return keeper->config->lineage[lineage].hooks->n[ACME_HOOKS_MIRROR] > 0;
}

/* There is something new, whatever became of the older. */
static void
hurry_mirror(struct acme_keeper *keeper, size_t lineage)
{
    keeper->kept[lineage].mirror_tries = 0;
    keeper->kept[lineage].mirror_at = 0;
}

enum acme_rc
acme_keeper_mark_due(struct acme_keeper *keeper, size_t lineage,
    const struct acme_chain *chain, bool renews, struct acme_error *err)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_due due = { .renews = renews };
    struct acme_leaf leaf;
    enum acme_rc rc;

    if (keeper->runner == -1)
        return ACME_OK;
    rc = acme_chain_leaf(chain, &leaf, err);
    if (rc != ACME_OK)
        return rc;
    memcpy(due.fingerprint, leaf.fingerprint, sizeof(due.fingerprint));
    rc = acme_store_due_write(keeper->store, ACME_DUE_DEPLOY, name, &due, err);
    if (rc != ACME_OK || !has_mirror(keeper, lineage))
        return rc;
    hurry_mirror(keeper, lineage);
    return acme_store_due_write(keeper->store, ACME_DUE_MIRROR, name, &due,
        err);
}

/* With spaces between. */
static void
list_names(const struct acme_chain *chain, struct acme_buf *domains)
{
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    (void)acme_chain_names(chain, domains, &ignored);
    for (i = 0; i < domains->len; i++)
        if (domains->data[i] == '\n')
            domains->data[i] = ' ';
    if (domains->len > 0)
        domains->len--;
}

/* The pair of the live version that is the due one; its names. */
static bool
find_pair(const struct acme_version *live, const struct acme_due *due,
    struct acme_buf *domains)
{
    struct acme_chain *chain = NULL;
    struct acme_error ignored;
    struct acme_leaf leaf;
    bool found = false;
    size_t i;

    for (i = 0; i < live->npairs && !found; i++) {
        acme_error_clear(&ignored);
        if (acme_chain_from_der(live->pair[i].chain.data,
                live->pair[i].chain.len, &chain, &ignored) != ACME_OK)
            continue;
        found = acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK &&
                strcmp(leaf.fingerprint, due->fingerprint) == 0;
        if (found)
            list_names(chain, domains);
        acme_chain_free(chain);
        chain = NULL;
    }
    return found;
}

/* What is due of what is live; false: nothing is. */
static bool
ask_due(struct acme_keeper *keeper, size_t lineage, enum acme_due_kind kind,
    int lock)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_stage_ask stage = { .stage = due_stage[kind] };
    struct acme_asked *asked = NULL;
    struct acme_version live;
    struct acme_error ignored;
    struct acme_buf domains;
    struct acme_due due;

    acme_error_clear(&ignored);
    acme_version_init(&live);
    acme_buf_init(&domains, DOMAINS_MAX);
    if (acme_store_due_read(keeper->store, kind, name, &due) &&
        acme_store_live_read(keeper->store, name, &live, &ignored) ==
            ACME_OK &&
        find_pair(&live, &due, &domains))
        asked = acme_asked_new(keeper, lineage);
    if (asked != NULL) {
        asked->lock = lock;
        memcpy(asked->fingerprint, due.fingerprint, sizeof(due.fingerprint));
        stage.unit = (uint32_t)acme_unit(lineage, 0);
        stage.renews = due.renews;
        stage.version = live.number;
        stage.domains = acme_buf_str(&domains);
        stage.domains_len = domains.len;
        (void)acme_asked_send(keeper, asked, &stage);
    }
    acme_buf_clear(&domains);
    acme_version_clear(&live);
    return asked != NULL;
}

static void
run_due(struct acme_keeper *keeper, size_t lineage, enum acme_due_kind kind)
{
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_error ignored;
    int lock = -1;

    acme_error_clear(&ignored);
    /* Another store, or this one, may be at it, for what was live before, and
     * will see that there is something new. */
    if (acme_store_lock(keeper->store, lock_name[kind], name, &lock,
            &ignored) != ACME_OK)
        return;
    /* What is due but not live stays so: somebody may be about to switch, and
     * the next certificate has it overwritten. */
    if (!ask_due(keeper, lineage, kind, lock))
        close(lock);
}

void
acme_keeper_deploy(struct acme_keeper *keeper, size_t lineage)
{
    if (keeper->runner != -1)
        run_due(keeper, lineage, ACME_DUE_DEPLOY);
}

void
acme_keeper_mirror(struct acme_keeper *keeper, size_t lineage)
{
    const time_t at = keeper->kept[lineage].mirror_at;
    struct acme_due due;

    if (keeper->runner == -1 || !has_mirror(keeper, lineage) ||
        acme_store_due_read(keeper->store, ACME_DUE_DEPLOY,
            keeper->config->lineage[lineage].name, &due))
        return;
    if (at <= keeper->host->now(keeper->host->ctx))
        run_due(keeper, lineage, ACME_DUE_MIRROR);
    else if (at < keeper->due_at)
        keeper->due_at = at;
}

struct visit {
    struct acme_keeper *keeper;
    void (*run)(struct acme_keeper *keeper, size_t lineage);
};

static enum acme_rc
visit_due(void *ctx, const char *name, struct acme_error *err)
{
    const struct visit *visit = ctx;
    size_t lineage;

    (void)err;
    if (acme_config_find_lineage(visit->keeper->config, name, &lineage))
        visit->run(visit->keeper, lineage);
    return ACME_OK;
}

void
acme_keeper_find_due(struct acme_keeper *keeper)
{
    struct visit deploy = { keeper, acme_keeper_deploy };
    struct visit mirror = { keeper, acme_keeper_mirror };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (keeper->runner == -1 || keeper->role == ACME_KEEPER_TRIES)
        return;
    (void)acme_store_due(keeper->store, ACME_DUE_DEPLOY, visit_due, &deploy,
        &ignored);
    (void)acme_store_due(keeper->store, ACME_DUE_MIRROR, visit_due, &mirror,
        &ignored);
}

/* ---- when it was run -------------------------------------------------- */

/* What cannot be forgotten is run again. */
static void
forget_due(struct acme_keeper *keeper, size_t lineage, enum acme_due_kind kind,
    const char *fingerprint)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_store_due_done(keeper->store, kind,
            keeper->config->lineage[lineage].name, fingerprint,
            &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_ERROR, &err,
            "hooks are going to be run again");
}

/* The mirror has not got what it is to have: it is tried again. */
static void
postpone_mirror(struct acme_keeper *keeper, size_t lineage)
{
    struct acme_kept *kept = &keeper->kept[lineage];
    const time_t pause = acme_asked_pause(kept->mirror_tries++);

    kept->mirror_at = keeper->host->now(keeper->host->ctx) + pause;
    if (kept->mirror_at < keeper->due_at)
        keeper->due_at = kept->mirror_at;
    acme_log(keeper->host, ACME_LOG_NOTICE,
        "mirror is run again in %ld seconds, lineage \"%s\"", (long)pause,
        keeper->config->lineage[lineage].name);
}

static void
conclude_mirror(struct acme_keeper *keeper, size_t lineage,
    const char *fingerprint, const struct acme_stage_answer *answer)
{
    const struct acme_lineage *whose = &keeper->config->lineage[lineage];

    if (answer->err.rc != ACME_OK && !whose->hooks->mirror_ignore)
        postpone_mirror(keeper, lineage);
    else if (answer->err.rc == ACME_OK || answer->has_outcomes)
        forget_due(keeper, lineage, ACME_DUE_MIRROR, fingerprint);
}

/* What has become live while it ran has its turn now.  What could not be begun
 * is looked for again in a minute. */
void
acme_asked_conclude_due(struct acme_keeper *keeper, struct acme_asked *asked,
    const struct acme_stage_answer *answer)
{
    const bool mirror = asked->stage == ACME_HOOKS_MIRROR;
    const enum acme_due_kind kind = mirror ? ACME_DUE_MIRROR : ACME_DUE_DEPLOY;
    const size_t lineage = asked->lineage;
    const char *name = keeper->config->lineage[lineage].name;
    struct acme_due due;
    const bool newer = acme_store_due_read(keeper->store, kind, name, &due) &&
                       strcmp(due.fingerprint, asked->fingerprint) != 0;

    if (!mirror)
        acme_keeper_track_deployed(keeper, lineage, answer);

    if (mirror && !newer)
        conclude_mirror(keeper, lineage, asked->fingerprint, answer);
    else if (mirror)
        hurry_mirror(keeper, lineage);
    else if (!newer && (answer->err.rc == ACME_OK || answer->has_outcomes))
        forget_due(keeper, lineage, kind, asked->fingerprint);
    acme_asked_forget(keeper, asked);
    if (newer && !mirror)
        acme_keeper_deploy(keeper, lineage);
    else if (newer || !mirror)
        acme_keeper_mirror(keeper, lineage);
}

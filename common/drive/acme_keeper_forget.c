/*
 * Lineages that are not to outlive their server: when it has ended for good
 * their files go, and if it could not see to that (killed, a power failure)
 * when it starts.  Nobody else may need them: neither a process of the same
 * configuration (another binary is taking over) nor another declarer, and
 * nobody may be at work at them.
 */
#include <string.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_control.h"
#include "drive/acme_keeper_private.h"

struct search {
    const char *instance;
    bool found;
};

static enum acme_rc
note_same(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct search *search = ctx;

    (void)err;
    if (server->pid != (long)getpid() &&
        strncmp(server->config, search->instance,
            sizeof(server->config) - 1) == 0)
        search->found = true;
    return ACME_OK;
}

/* Also where nobody can say. */
static bool
is_taken_over(const struct acme_keeper *keeper)
{
    struct search search = { keeper->config->instance, false };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    return acme_control_servers(acme_store_fd(keeper->store), note_same,
               &search, &ignored) != ACME_OK ||
           search.found;
}

/* Ours are the only words about it, and that it is to go is among them. */
static bool
is_ours(struct acme_keeper *keeper, const char *name, struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    char by[ACME_LOG_LINE_MAX];
    bool ours;

    acme_keeper_declared_by(keeper, by, sizeof(by));
    ours = acme_store_settings_read(keeper->store, name, &settings, err) ==
               ACME_OK &&
           acme_settings_forgets(settings, by) &&
           acme_settings_withdraw(settings, by);
    if (ours && settings->ndeclared > 0) {
        ours = false;
        (void)acme_store_settings_write(keeper->store, name, settings, err);
    }
    acme_settings_free(settings);
    return ours;
}

/* What the engine has said last would be written again. */
static void
drop_notes(struct acme_kept *kept)
{
    size_t k;

    for (k = 0; k < ACME_ALGORITHMS; k++) {
        acme_buf_reset(&kept->note[k].record);
        acme_buf_reset(&kept->note[k].order);
    }
}

/* One of the configuration has its lock in `kept`, if we are at work at it. */
static void
forget(struct acme_keeper *keeper, const char *name)
{
    struct acme_kept other = { .lock = -1 }, *kept = &other;
    enum acme_rc rc = ACME_OK;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    if (acme_config_find_lineage(keeper->config, name, &i))
        kept = &keeper->kept[i];
    if (kept->lock == -1)
        rc =
            acme_store_lock(keeper->store, "lineage", name, &kept->lock, &err);
    if (rc == ACME_OK && !is_taken_over(keeper) &&
        is_ours(keeper, name, &err)) {
        if (kept != &other)
            drop_notes(kept);
        rc = acme_store_forget(keeper->store, name, &err);
    }
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "cannot remove a lineage that was not to be kept");
    acme_keeper_unlock(kept);
}

static void
forget_configured(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        if (config->issuer[config->lineage[i].issuer].forgets)
            forget(keeper, config->lineage[i].name);
}

/* Those of an older configuration. */
static enum acme_rc
forget_other(void *ctx, const char *name, struct acme_error *err)
{
    struct acme_keeper *keeper = ctx;
    size_t ignored;

    (void)err;
    if (!acme_config_find_lineage(keeper->config, name, &ignored))
        forget(keeper, name);
    return ACME_OK;
}

void
acme_keeper_forget_left(struct acme_keeper *keeper)
{
    keeper->fresh = true;
    forget_configured(keeper);
}

void
acme_keeper_leave(struct acme_keeper *keeper, const char *name)
{
    keeper->has_left = true;
    if (keeper->fresh)
        forget(keeper, name);
}

void
acme_keeper_forget(struct acme_keeper *keeper)
{
    struct acme_error err;

    acme_error_clear(&err);
    forget_configured(keeper);
    if (keeper->has_left && acme_store_lineages(keeper->store, forget_other,
                                keeper, &err) != ACME_OK)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err, "cannot list lineages");
}

/*
 * Lineages that are not to outlive their server: when it has ended for good
 * their files go.  Nobody else may need them: neither a process of the same
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

/* Ours are the only words about it. */
static bool
is_ours(struct acme_keeper *keeper, const char *name, struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    char by[ACME_LOG_LINE_MAX];
    bool ours;

    acme_keeper_declared_by(keeper, by, sizeof(by));
    ours = acme_store_settings_read(keeper->store, name, &settings, err) ==
               ACME_OK &&
           acme_settings_withdraw(settings, by);
    if (ours && settings->ndeclared > 0) {
        ours = false;
        (void)acme_store_settings_write(keeper->store, name, settings, err);
    }
    acme_settings_free(settings);
    return ours;
}

static void
forget(struct acme_keeper *keeper, size_t i)
{
    const char *name = keeper->config->lineage[i].name;
    struct acme_kept *kept = &keeper->kept[i];
    struct acme_error err;
    enum acme_rc rc = ACME_OK;
    size_t k;

    acme_error_clear(&err);
    if (kept->lock == -1)
        rc =
            acme_store_lock(keeper->store, "lineage", name, &kept->lock, &err);
    if (rc == ACME_OK && !is_taken_over(keeper) &&
        is_ours(keeper, name, &err)) {
        for (k = 0; k < ACME_ALGORITHMS; k++) {
            acme_buf_reset(&kept->note[k].record);
            acme_buf_reset(&kept->note[k].order);
        }
        rc = acme_store_forget(keeper->store, name, &err);
    }
    if (rc != ACME_OK && rc != ACME_BUSY)
        acme_keeper_log(keeper, ACME_LOG_WARN, &err,
            "cannot remove a lineage that was not to be kept");
    acme_keeper_unlock(kept);
}

void
acme_keeper_forget(struct acme_keeper *keeper)
{
    const struct acme_config *config = keeper->config;
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        if (config->issuer[config->lineage[i].issuer].forgets)
            forget(keeper, i);
}

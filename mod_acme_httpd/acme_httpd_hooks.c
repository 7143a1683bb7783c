/*
 * What is run when a certificate is worked on: the directives for it.
 */
#include "mod_acme_httpd.h"

/* The directives that say one thing, and what acme_hooks_set() takes their
 * words for. */
static const struct {
    const char *name;
    enum acme_hooks_item item;
} items[] = {
    { "ACMEEventCmd", ACME_HOOKS_EVENT },
    { "ACMEMessageCmd", ACME_HOOKS_EVENT },
    { "ACMENotifyCmd", ACME_HOOKS_NOTIFY },
    { "ACMEDirectoryHooks", ACME_HOOKS_DIRECTORIES },
    { "ACMEHookValidation", ACME_HOOKS_VALIDATION },
    { "ACMEHookTimeout", ACME_HOOKS_TIMEOUT },
    { "ACMEWarnWindow", ACME_HOOKS_WARN_WINDOW },
    { "ACMEMirror", ACME_HOOKS_MIRROR },
    { "ACMEMirrorFailure", ACME_HOOKS_MIRROR_FAILURE },
    { "ACMETracking", ACME_HOOKS_TRACKING },
    { "ACMETrackingData", ACME_HOOKS_TRACKING_DATA },
    { "ACMETrackingRequired", ACME_HOOKS_TRACKING_REQUIRED },
};

static const char *
set_words(cmd_parms *cmd, struct acme_hooks **hooks, enum acme_hooks_item item,
    int argc, char *const argv[])
{
    struct acme_error err;
    const char **word;
    int i;

    acme_error_clear(&err);
    word = apr_palloc(cmd->pool, ((apr_size_t)argc + 1) * sizeof(*word));
    for (i = 0; i < argc; i++)
        word[i] = apr_pstrdup(cmd->pool, argv[i]);
    if (*hooks == NULL) {
        *hooks = apr_palloc(cmd->pool, sizeof(**hooks));
        acme_hooks_init(*hooks);
    }
    if (acme_hooks_set(*hooks, item, word, (size_t)argc, &err) == ACME_OK)
        return NULL;
    return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
}

const char *
acme_httpd_set_hook(cmd_parms *cmd, struct acme_hooks **hooks, int argc,
    char *const argv[])
{
    enum acme_hooks_item item;
    struct acme_error err;

    acme_error_clear(&err);
    if (argc == 0)
        return apr_psprintf(cmd->pool,
            "%s needs pre, deploy or post, and a command", cmd->cmd->name);
    if (acme_hooks_stage(argv[0], &item, &err) != ACME_OK)
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    return set_words(cmd, hooks, item, argc - 1, argv + 1);
}

const char *
acme_httpd_set_hooks(cmd_parms *cmd, struct acme_hooks **hooks, int argc,
    char *const argv[])
{
    size_t i;

    for (i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        if (strcasecmp(items[i].name, cmd->cmd->name) == 0)
            return set_words(cmd, hooks, items[i].item, argc, argv);
    return NULL;
}

struct acme_hooks *
acme_httpd_hooks_merge(apr_pool_t *pool, struct acme_hooks *wide,
    struct acme_hooks *narrow)
{
    struct acme_hooks *merged;

    if (wide == NULL || narrow == NULL)
        return narrow != NULL ? narrow : wide;
    merged = apr_pmemdup(pool, narrow, sizeof(*narrow));
    acme_hooks_merge(merged, wide);
    return merged;
}

bool
acme_httpd_hooks_equal(const struct acme_hooks *a, const struct acme_hooks *b)
{
    return a == b || (a != NULL && b != NULL && acme_hooks_equal(a, b));
}

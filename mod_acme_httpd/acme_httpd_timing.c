/*
 * When a certificate is renewed, and tried again: the directives for it.
 */
#include "mod_acme_httpd.h"

static const struct {
    const char *name;
    enum acme_timing_item item;
} items[] = {
    { "ACMERenewMode", ACME_TIMING_MODE },
    { "ACMEDriveMode", ACME_TIMING_MODE },
    { "ACMERenewWindow", ACME_TIMING_WINDOW },
    { "ACMECheckInterval", ACME_TIMING_CHECK_INTERVAL },
    { "ACMEInitialDelay", ACME_TIMING_INITIAL_DELAY },
    { "ACMERetryDelay", ACME_TIMING_RETRY_DELAY },
    { "ACMERetryFailover", ACME_TIMING_RETRY_FAILOVER },
    { "ACMEActivationDelay", ACME_TIMING_ACTIVATION_DELAY },
};

/* mod_md's other words for a mode. */
static const char *
mode_word(const char *word)
{
    if (strcasecmp(word, "automatic") == 0)
        return "auto";
    return strcasecmp(word, "stick") == 0 ? "manual" : word;
}

const char *
acme_httpd_set_timing(cmd_parms *cmd, struct acme_timing *timing, int argc,
    char *const argv[])
{
    const char *word = argc > 0 ? argv[0] : NULL;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    for (i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        if (strcasecmp(items[i].name, cmd->cmd->name) != 0)
            continue;
        if (items[i].item == ACME_TIMING_MODE && word != NULL)
            word = mode_word(word);
        if (acme_timing_set(timing, items[i].item, &word, (size_t)argc,
                &err) != ACME_OK)
            return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    }
    return NULL;
}

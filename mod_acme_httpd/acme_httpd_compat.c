/*
 * Directives of mod_md that have nothing to do here, or not yet: their words
 * are looked at as mod_md would, and kept for whoever asks what was said.
 */
#include "mod_acme_httpd.h"

static const char *
fail(cmd_parms *cmd, const char *word, const char *why)
{
    return apr_psprintf(cmd->pool, "%s \"%s\": %s", cmd->cmd->name, word, why);
}

/* A time, in days or seconds if no unit is named. */
static bool
is_time(const char *word, bool days)
{
    struct acme_timing ignored = { .said = 0 };
    struct acme_error err;

    acme_error_clear(&err);
    return ap_strchr_c(word, '%') == NULL &&
           acme_timing_set(&ignored,
               days ? ACME_TIMING_WINDOW : ACME_TIMING_INITIAL_DELAY, &word, 1,
               &err) == ACME_OK;
}

static bool
is_flag(const char *word)
{
    return strcasecmp(word, "on") == 0 || strcasecmp(word, "off") == 0;
}

const char *
acme_httpd_set_store_locks(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error != NULL)
        return error;
    acme_httpd_server_of(cmd->server)->conf->used = true;
    if (is_flag(arg) || is_time(arg, false))
        return NULL;
    return fail(cmd, arg, "it must be on, off or a time such as 5s");
}

const char *
acme_httpd_set_protocol(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    acme_httpd_server_of(cmd->server)->conf->used = true;
    return strcasecmp(arg, "ACME") == 0 ? NULL
                                        : fail(cmd, arg, "it must be ACME");
}

/* ---- stapling --------------------------------------------------------- */

const char *
acme_httpd_set_stapling(cmd_parms *cmd, int *stapling, int on)
{
    if (strcasecmp(cmd->cmd->name, "ACMEStapling") == 0)
        *stapling = on;
    return NULL;
}

const char *
acme_httpd_set_stapling_time(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_timing ignored = { .said = 0 };
    struct acme_httpd_conf *conf = acme_httpd_server_of(cmd->server)->conf;
    bool keep = strcasecmp(cmd->cmd->name, "ACMEStaplingKeepResponse") == 0;
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    struct acme_error err;

    (void)dir;
    if (error != NULL)
        return error;
    acme_error_clear(&err);
    if (keep && !is_time(arg, true))
        return fail(cmd, arg, "it must be a time such as 7d");
    if (!keep && acme_timing_set(&ignored, ACME_TIMING_WINDOW, &arg, 1,
                     &err) != ACME_OK)
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    conf->used = true;
    if (keep)
        conf->stapling_keep = arg;
    else
        conf->stapling_window = arg;
    return NULL;
}

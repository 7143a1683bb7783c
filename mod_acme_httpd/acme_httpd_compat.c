/*
 * Directives of mod_md that have little or nothing to do here: their words
 * are looked at as mod_md would.
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
acme_httpd_set_staple_others(cmd_parms *cmd, void *dir, int on)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(cmd->server)->conf;

    (void)dir;
    conf->staple_others |= on != 0;
    return NULL;
}

/* One answer about each certificate is kept, until the next one. */
const char *
acme_httpd_set_stapling_keep(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error != NULL)
        return error;
    acme_httpd_server_of(cmd->server)->conf->used = true;
    return is_time(arg, true) ? NULL
                              : fail(cmd, arg, "it must be a time such as 7d");
}

const char *
acme_httpd_set_stapling_window(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_httpd_conf *conf = acme_httpd_server_of(cmd->server)->conf;
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    struct acme_error err;

    (void)dir;
    if (error != NULL)
        return error;
    acme_error_clear(&err);
    conf->used = true;
    if (acme_timing_set(&conf->stapling, ACME_TIMING_WINDOW, &arg, 1, &err) !=
        ACME_OK)
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    return NULL;
}

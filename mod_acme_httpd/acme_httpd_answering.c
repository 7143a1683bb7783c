/*
 * What each server answers to the CA: its mode, and the thumbprint of an
 * account key that another host has.
 */
#include "mod_acme_httpd.h"

#define FILE_LEN (sizeof(ACME_THUMBPRINT_FILE) - 1)

static struct acme_httpd_server *
server_of(cmd_parms *cmd)
{
    struct acme_httpd_server *server = acme_httpd_server_of(cmd->server);

    server->conf->used = true;
    return server;
}

static bool
is_file(const char *word)
{
    return strncmp(word, ACME_THUMBPRINT_FILE, FILE_LEN) == 0;
}

const char *
acme_httpd_set_stateless(cmd_parms *cmd, void *dir, const char *arg)
{
    enum acme_answers mode = ACME_ANSWERS_ON;
    struct acme_error err;

    (void)dir;
    acme_error_clear(&err);
    if (acme_answering_mode(arg, &mode, &err) != ACME_OK)
        return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    server_of(cmd)->stateless = (int)mode;
    return NULL;
}

const char *
acme_httpd_set_thumbprint(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *path;
    struct acme_error err;

    (void)dir;
    acme_error_clear(&err);
    if (is_file(arg)) {
        path = ap_server_root_relative(cmd->pool, arg + FILE_LEN);
        if (path == NULL)
            return apr_psprintf(cmd->pool, "%s \"%s\": not a path",
                cmd->cmd->name, arg);
        arg = apr_pstrcat(cmd->pool, ACME_THUMBPRINT_FILE, path, NULL);
    } else if (acme_thumbprint_check(arg, &err) != ACME_OK) {
        return apr_psprintf(cmd->pool,
            "%s: %s; a file with one is written \"file:PATH\"", cmd->cmd->name,
            err.what);
    }
    server_of(cmd)->thumbprint = arg;
    return NULL;
}

/* Not inherited, so that it has not been told of yet. */
static bool
is_written(const struct acme_httpd_server *server,
    const struct acme_httpd_server *wide)
{
    return wide == NULL || server->thumbprint != wide->thumbprint;
}

struct acme_httpd_told
acme_httpd_answering_init(struct acme_httpd_server *server,
    const struct acme_httpd_server *wide)
{
    apr_pool_t *pool = server->conf->pool;
    struct acme_thumbprint thumbprint = { NULL, NULL };
    struct acme_httpd_told told = { NULL, NULL };
    char value[ACME_THUMBPRINT_LEN + 1];
    struct acme_error err;
    size_t index;

    server->answering = acme_answering_default;
    if (server->stateless != -1)
        server->answering.mode = (enum acme_answers)server->stateless;
    if (server->thumbprint == NULL)
        return told;
    acme_error_clear(&err);
    if (!is_file(server->thumbprint)) {
        thumbprint.value = server->thumbprint;
    } else {
        thumbprint.file = server->thumbprint + FILE_LEN;

        /* It may be right before anybody asks. */
        if (is_written(server, wide) &&
            acme_thumbprint_read(thumbprint.file, value, &err) != ACME_OK)
            told.warning = apr_psprintf(pool,
                "ACMEThumbprint: %s; challenges are not answered with it "
                "until it can be used",
                err.what);
        acme_error_clear(&err);
    }
    if (acme_config_add_thumbprint(server->conf->config, &thumbprint, &index,
            &err) == ACME_OK)
        server->answering.thumbprint = (int)index;
    else
        told.error = apr_psprintf(pool, "ACMEThumbprint: %s", err.what);
    return told;
}

struct acme_httpd_told
acme_httpd_answering_finish(struct acme_httpd_server *server,
    const struct acme_httpd_server *wide)
{
    apr_pool_t *pool = server->conf->pool;
    const struct acme_config *config = server->conf->config;
    bool written = is_written(server, wide);
    struct acme_httpd_told told = { NULL, NULL };
    const char *warning = NULL;
    struct acme_error err;
    int own = -1;

    acme_error_clear(&err);
    if (server->domain != NULL && server->domain->managed)
        own = (int)config->lineage[server->domain->lineage].issuer;
    if (acme_answering_finish(&server->answering, config, own, &err) !=
        ACME_OK)
        told.error = apr_psprintf(pool, "ACMEStateless: %s", err.what);
    if (written || server->stateless != wide->stateless)
        warning = acme_answering_warning(&server->answering, written);
    if (warning != NULL)
        told.warning = apr_pstrcat(pool,
            server->answering.thumbprint != -1 ? "ACMEThumbprint: "
                                               : "ACMEStateless: ",
            warning, NULL);
    return told;
}

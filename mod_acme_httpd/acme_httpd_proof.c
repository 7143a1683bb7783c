/*
 * How names are proved: the directives for it, and what the server listens
 * on, which tells the challenges that can work.
 */
#include "mod_acme_httpd.h"

#include <ap_listen.h>

/* The directives and what acme_proof_set() takes their words for. */
static const struct {
    const char *name;
    enum acme_proof_item item;
} items[] = {
    { "ACMECAChallenges", ACME_PROOF_CHALLENGE },
};

static const char *
whole_path(void *ctx, const char *path)
{
    const cmd_parms *cmd = ctx;

    return ap_server_root_relative(cmd->pool, path);
}

const char *
acme_httpd_set_proof(cmd_parms *cmd, struct acme_proof *proof, int argc,
    char *const argv[])
{
    struct acme_error err;
    const char **word;
    size_t i;
    int k;

    acme_error_clear(&err);
    word = apr_palloc(cmd->pool, ((apr_size_t)argc + 1) * sizeof(*word));
    for (k = 0; k < argc; k++)
        word[k] = apr_pstrdup(cmd->pool, argv[k]);
    for (i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        if (strcasecmp(items[i].name, cmd->cmd->name) == 0 &&
            acme_proof_set(proof, items[i].item, word, (size_t)argc,
                whole_path, cmd, &err) != ACME_OK)
            return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    return NULL;
}

const char *
acme_httpd_set_port_map(cmd_parms *cmd, struct acme_port_map *map,
    const char *word)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_host_port_map(map, word, &err) == ACME_OK)
        return NULL;
    return apr_psprintf(cmd->pool, "%s %s", cmd->cmd->name, err.what);
}

void
acme_httpd_reach(struct acme_httpd_conf *conf, apr_hash_t *tls)
{
    struct acme_reach *reach = &conf->config->reach;
    const ap_listen_rec *one;
    apr_port_t port;

    reach->http = reach->tls = ACME_ARRIVAL_NO;
    for (one = ap_listeners; one != NULL; one = one->next) {
        if (one->bind_addr == NULL)
            continue;
        port = one->bind_addr->port;
        acme_host_listens(reach, &conf->port_map, port,
            apr_hash_get(tls, &port, sizeof(port)) != NULL ||
                (one->protocol != NULL &&
                    strcasecmp(one->protocol, "https") == 0));
    }
}

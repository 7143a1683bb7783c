/*
 * How names are proved: the directives for it, and what the server listens
 * on, which tells the challenges that can work.
 */
#include "mod_acme_httpd.h"

#include <ap_listen.h>

/* With mod_md's convention, which is not one of its words. */
#define MOD_MD_COMMAND "ACMEChallengeDns01"

/* The directives and what acme_proof_set() takes their words for. */
static const struct {
    const char *name;
    enum acme_proof_item item;
} items[] = {
    { "ACMECAChallenges", ACME_PROOF_CHALLENGE },
    { "ACMEChallengeCmd", ACME_PROOF_COMMAND },
    { MOD_MD_COMMAND, ACME_PROOF_COMMAND },
    { "ACMEPreflight", ACME_PROOF_PREFLIGHT },
    { "ACMEDNSUpdate", ACME_PROOF_DNS_UPDATE },
    { "ACMEDNSDelegation", ACME_PROOF_DNS_DELEGATION },
    { "ACMEDNSPropagation", ACME_PROOF_DNS_PROPAGATION },
    { "ACMEDNSResolver", ACME_PROOF_DNS_RESOLVER },
};

static const char *
whole_path(void *ctx, const char *path)
{
    const cmd_parms *cmd = ctx;

    return ap_server_root_relative(cmd->pool, path);
}

static enum acme_rc
set_item(cmd_parms *cmd, struct acme_proof *proof, enum acme_proof_item item,
    const char *const *word, size_t n, struct acme_error *err)
{
    enum acme_rc rc =
        acme_proof_set(proof, item, word, n, whole_path, cmd, err);

    if (rc == ACME_OK && item == ACME_PROOF_COMMAND)
        rc = acme_host_check_command(&proof->command, err);
    if (rc == ACME_OK && item == ACME_PROOF_DNS_UPDATE)
        rc = acme_host_check_dns_key(proof, err);
    return rc;
}

const char *
acme_httpd_set_proof(cmd_parms *cmd, struct acme_proof *proof, int argc,
    char *const argv[])
{
    struct acme_error err;
    const char **word;
    size_t i, n = 0;
    int k;

    acme_error_clear(&err);
    word = apr_palloc(cmd->pool, ((apr_size_t)argc + 2) * sizeof(*word));
    if (strcasecmp(cmd->cmd->name, MOD_MD_COMMAND) == 0)
        word[n++] = "mod_md";
    for (k = 0; k < argc; k++)
        word[n++] = apr_pstrdup(cmd->pool, argv[k]);
    for (i = 0; i < sizeof(items) / sizeof(items[0]); i++)
        if (strcasecmp(items[i].name, cmd->cmd->name) == 0 &&
            set_item(cmd, proof, items[i].item, word, n, &err) != ACME_OK)
            return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, err.what);
    return NULL;
}

const char *
acme_httpd_set_dns01_version(cmd_parms *cmd, unsigned *version,
    const char *word)
{
    if (strcmp(word, "1") != 0 && strcmp(word, "2") != 0)
        return apr_psprintf(cmd->pool, "%s \"%s\": it must be 1 or 2",
            cmd->cmd->name, word);
    *version = (unsigned)(word[0] - '0');
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
    struct acme_config *config = conf->config;
    const ap_listen_rec *one;
    apr_port_t port;

    config->reach.http = config->reach.tls = ACME_ARRIVAL_NO;
    for (one = ap_listeners; one != NULL; one = one->next) {
        if (one->bind_addr == NULL)
            continue;
        port = one->bind_addr->port;
        acme_host_listens_at(config, &conf->port_map,
            (const struct sockaddr *)&one->bind_addr->sa, port,
            apr_hash_get(tls, &port, sizeof(port)) != NULL ||
                (one->protocol != NULL &&
                    strcasecmp(one->protocol, "https") == 0));
    }
}

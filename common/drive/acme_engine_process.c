#include "drive/acme_engine_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "base/acme_version.h"
#include "drive/acme_engine.h"
#include "drive/acme_sandbox.h"
#include "drive/acme_store_process.h"
#include "drive/acme_trial.h"
#include "state/acme_dir.h"
#include "wrap/acme_dns.h"
#include "wrap/acme_http_curl.h"

/* A bundle of every CA there is has about 250 kB. */
#define CA_FILE_MAX (4 * 1024 * 1024)

/* The network side of one process: the trust files, read before their reader
 * became somebody else. */
struct network {
    const struct acme_config *config;
    const struct acme_host *host;
    struct acme_buf *trust;       /* nissuers: in their CAs, */
    struct acme_buf *proxy_trust; /* and in their proxies */
    struct acme_dns_servers resolver;
    char user_agent[64];
    struct acme_preflight_means preflight;
};

static uint32_t
draw(void *ctx)
{
    uint32_t value = 0;

    (void)ctx;
    (void)RAND_bytes((unsigned char *)&value, sizeof(value));
    return value;
}

/* Addresses of name servers that the host has checked. */
static void
use_resolver(const struct acme_resolver *from, struct acme_resolve *to)
{
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    for (i = 0; i < from->n; i++)
        (void)acme_dns_servers_add(&to->servers, from->server[i], &ignored);
    to->timeout = from->timeout;
    to->no_ipv4 = from->no_ipv4;
    to->no_ipv6 = from->no_ipv6;
}

static enum acme_rc
open_transport(void *ctx, size_t issuer, struct acme_transport *transport,
    struct acme_error *err)
{
    struct network *network = ctx;
    const struct acme_issuer *conf = &network->config->issuer[issuer];
    struct acme_http_curl_conf curl;
    struct acme_http_curl *made = NULL;
    enum acme_rc rc;

    if (conf->ca_file != NULL && network->trust[issuer].len == 0) {
        return acme_error_set(err, ACME_CONFIG,
            "CA file \"%s\" of issuer \"%s\" could not be read at start",
            conf->ca_file, conf->name);
    }
    if (conf->proxy_ca_file != NULL && network->proxy_trust[issuer].len == 0)
        return acme_error_set(err, ACME_CONFIG,
            "CA file \"%s\" of the proxy of issuer \"%s\" could not be read "
            "at start",
            conf->proxy_ca_file, conf->name);
    memset(&curl, 0, sizeof(curl));
    curl.directory_url = conf->directory;
    curl.verify = conf->verify;
    curl.user_agent = network->user_agent;
    if (conf->ca_file != NULL)
        curl.ca_pem = acme_buf_str(&network->trust[issuer]);
    use_resolver(&conf->resolver, &curl.resolve);
    curl.proxy = conf->proxy;
    if (conf->proxy_ca_file != NULL)
        curl.proxy_pem = acme_buf_str(&network->proxy_trust[issuer]);
    rc = acme_http_curl_new(&curl, network->host, &made, err);
    if (rc == ACME_OK)
        *transport = acme_http_curl_transport(made); /* until we end */
    return rc;
}

/* NULL: there is nothing to read. */
static void
read_file(const struct network *network, const char *path,
    struct acme_buf *pem)
{
    char line[ACME_LOG_LINE_MAX];
    struct acme_error err;

    acme_buf_init(pem, CA_FILE_MAX);
    acme_error_clear(&err);
    if (path != NULL &&
        acme_dir_read_public(path, CA_FILE_MAX, pem, &err) != ACME_OK)
        acme_log(network->host, ACME_LOG_ERROR, "%s",
            acme_error_line(&err, line, sizeof(line)));
}

static void
read_trust(struct network *network)
{
    size_t i;

    for (i = 0; i < network->config->nissuers; i++) {
        const struct acme_issuer *issuer = &network->config->issuer[i];

        read_file(network, issuer->ca_file, &network->trust[i]);
        read_file(network, issuer->proxy_ca_file, &network->proxy_trust[i]);
    }
}

/* A host without that file has a name server of its own, or none. */
static void
read_resolver(struct network *network)
{
    struct acme_error ignored;
    struct acme_buf text;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_RESOLV_CONF_MAX);
    (void)acme_dir_read_public("/etc/resolv.conf", ACME_RESOLV_CONF_MAX, &text,
        &ignored);
    acme_dns_servers_read(&network->resolver, acme_buf_str(&text));
    acme_buf_clear(&text);
}

static enum acme_rc
open_network(struct network *network, const struct acme_config *config,
    const struct acme_host *host, struct acme_error *err)
{
    network->preflight.probe = acme_http_probe;
    network->preflight.shake = acme_alpn_probe;
    network->config = config;
    network->host = host;
    network->trust = calloc(config->nissuers + 1, sizeof(struct acme_buf));
    network->proxy_trust =
        calloc(config->nissuers + 1, sizeof(struct acme_buf));
    if (network->trust == NULL || network->proxy_trust == NULL)
        return acme_error_nomem(err);
    (void)snprintf(network->user_agent, sizeof(network->user_agent),
        "acme/%s (%s)", ACME_VERSION, config->server);
    read_trust(network);
    read_resolver(network);
    return ACME_OK;
}

static long long
ticks_ms(void *ctx)
{
    (void)ctx;
    return acme_time_ms();
}

/* The store takes the answer and goes on while hooks run; an engine that ends
 * takes the others along. */
static enum acme_rc
end_sweep(const struct acme_engine *engine, const struct network *network,
    struct acme_vault *vault, struct acme_error *err)
{
    char text[32];
    enum acme_rc rc;

    (void)snprintf(text, sizeof(text), "%lld",
        (long long)acme_engine_next_sweep(engine));
    rc = acme_vault_done(vault, 1, true, text, err);
    while (rc == ACME_OK && network->host->wait(network->host->ctx, 1000))
        continue;
    return rc;
}

static enum acme_rc
run(struct network *network, struct acme_child *child, bool crashed,
    const struct acme_engine_pace *pace, struct acme_vault *vault, bool sweeps,
    struct acme_error *err)
{
    const struct acme_runner_link runner = { child->runner };
    const struct acme_runner_link standalone = { child->standalone };
    struct acme_engine_conf conf;
    struct acme_engine *engine = NULL;
    enum acme_rc rc;

    memset(&conf, 0, sizeof(conf));
    conf.config = network->config;
    conf.host = network->host;
    conf.vault = vault;
    conf.network.ctx = network;
    conf.network.open = open_transport;
    conf.runner = child->runner != -1 ? &runner : NULL;
    conf.standalone = child->standalone != -1 ? &standalone : NULL;
    conf.preflight = &network->preflight;
    conf.present_ms = pace->present_ms;
    conf.resolver = &network->resolver;
    conf.settle_ms = pace->settle_ms;
    conf.idle = acme_child_idle;
    conf.wake = acme_child_open_wake(child) ? acme_child_wake : NULL;
    conf.idle_ctx = child;
    conf.random = draw;
    conf.ticks_ms = ticks_ms;
    conf.sweeps = sweeps;
    rc = acme_engine_new(&conf, &engine, err);
    if (rc == ACME_OK)
        rc = acme_engine_loop(engine, crashed, err);
    if (rc == ACME_OK && sweeps)
        rc = end_sweep(engine, network, vault, err);
    acme_engine_free(engine);
    return rc;
}

/* An engine that ends takes the others along, and hooks are to be run yet. */
static enum acme_rc
try_all(struct network *network, struct acme_child *child,
    const struct acme_engine_pace *pace, struct acme_vault *vault,
    const struct acme_store_errand *errand, struct acme_error *err)
{
    const struct acme_runner_link runner = { child->runner };
    const struct acme_runner_link standalone = { child->standalone };
    const bool wakes = acme_child_open_wake(child);
    const struct acme_crew_conf crew = { .config = network->config,
        .host = network->host,
        .vault = vault,
        .network = { network, open_transport },
        .runner = child->runner != -1 ? &runner : NULL,
        .standalone = child->standalone != -1 ? &standalone : NULL,
        .preflight = &network->preflight,
        .present_ms = pace->present_ms,
        .resolver = &network->resolver,
        .trial = true,
        .wake = wakes ? acme_child_wake : NULL,
        .wake_ctx = child };
    const struct acme_trial trial = { &crew, errand->lineages,
        errand->nlineages, acme_child_idle, child };
    enum acme_rc rc = acme_trial_run(&trial, err);

    while (rc == ACME_OK && network->host->wait(network->host->ctx, 1000))
        continue;
    return rc;
}

static enum acme_rc
revoke_all(struct network *network, struct acme_vault *vault,
    const struct acme_store_errand *errand, struct acme_error *err)
{
    struct acme_revoker revoker = { network->config, network->host, vault,
        { network, open_transport } };

    return acme_revoker_run(&revoker, errand->revocation, errand->nrevocations,
        err);
}

static enum acme_rc
work_at_account(struct network *network, struct acme_vault *vault,
    const struct acme_store_errand *errand, struct acme_error *err)
{
    struct acme_crew_conf conf = { .config = network->config,
        .host = network->host,
        .vault = vault,
        .network = { network, open_transport } };

    return acme_registrar_run(&conf, errand->account, err);
}

static enum acme_rc
check_all(struct network *network, struct acme_vault *vault,
    const struct acme_store_errand *errand, struct acme_error *err)
{
    const struct acme_checker checker = { network->host, vault,
        &network->resolver };

    return acme_checker_run(&checker, errand->check, errand->nchecks, err);
}

static enum acme_rc
look_at_names(struct network *network, struct acme_vault *vault,
    const struct acme_store_errand *errand,
    const struct acme_engine_pace *pace, struct acme_error *err)
{
    struct acme_crew_conf conf = { .config = network->config,
        .host = network->host,
        .vault = vault,
        .network = { network, open_transport },
        .preflight = &network->preflight,
        .resolver = &network->resolver,
        .present_ms = pace->present_ms };

    return acme_selftest_run(&conf, errand->selftest, err);
}

void
acme_engine_process(const struct acme_config *config, struct acme_child *child,
    bool crashed, const struct acme_engine_pace *pace,
    const struct acme_store_errand *errand)
{
    struct acme_host host = acme_child_host(child);
    struct acme_sandbox_report sandbox;
    struct acme_error err;
    struct acme_vault *vault = NULL;
    struct network network;
    char line[ACME_LOG_LINE_MAX];
    enum acme_rc rc;

    memset(&network, 0, sizeof(network));
    memset(&sandbox, 0, sizeof(sandbox));
    acme_error_clear(&err);
    acme_sandbox_process();
    rc = open_network(&network, config, &host, &err);
    if (rc == ACME_OK)
        rc = acme_sandbox_engine(config->uid, config->gid, &sandbox, &err);
    if (rc == ACME_OK)
        rc = acme_http_curl_setup(&err);
    if (rc == ACME_OK) {
        acme_log(&host, ACME_LOG_DEBUG, "engine runs, landlock %s, seccomp %s",
            sandbox.landlock ? "on" : "off", sandbox.seccomp ? "on" : "off");
        rc = acme_vault_new(child->frame, &vault, &err);
    }
    if (rc == ACME_OK && errand != NULL && errand->nrevocations > 0)
        rc = revoke_all(&network, vault, errand, &err);
    else if (rc == ACME_OK && errand != NULL && errand->account != NULL)
        rc = work_at_account(&network, vault, errand, &err);
    else if (rc == ACME_OK && errand != NULL && errand->nchecks > 0)
        rc = check_all(&network, vault, errand, &err);
    else if (rc == ACME_OK && errand != NULL && errand->selftest != NULL)
        rc = look_at_names(&network, vault, errand, pace, &err);
    else if (rc == ACME_OK && errand != NULL &&
             (errand->flags & ACME_RENEW_TRIAL) != 0)
        rc = try_all(&network, child, pace, vault, errand, &err);
    else if (rc == ACME_OK)
        rc = run(&network, child, crashed, pace, vault,
            errand != NULL && errand->sweep, &err);
    acme_vault_free(vault);
    if (rc == ACME_IO) /* the store has gone; it says why */
        _exit(ACME_EXIT_PEER_GONE);
    if (rc != ACME_OK && rc != ACME_STOPPING) {
        acme_log(&host, ACME_LOG_ERROR, "engine ends: %s",
            acme_error_line(&err, line, sizeof(line)));
        _exit(ACME_EXIT_FAILED);
    }
    _exit(ACME_EXIT_STOPPED);
}

/*
 * The servers that run, as far as an engine of our own has to know them.
 */
#include "acmectl/ctl.h"
#include "drive/acme_control.h"

struct visitor {
    struct acme_config *config;
    bool *any;
};

/* The one that is reached best counts. */
static enum acme_arrival
better(enum acme_arrival one, enum acme_arrival other)
{
    static const int rank[] = { [ACME_ARRIVAL_YES] = 3,
        [ACME_ARRIVAL_UNKNOWN] = 2,
        [ACME_ARRIVAL_NO] = 1,
        [ACME_ARRIVAL_NEVER] = 0 };

    return rank[one] >= rank[other] ? one : other;
}

static enum acme_rc
visit_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    const struct visitor *visitor = ctx;
    struct acme_config *config = visitor->config;
    size_t i;

    (void)err;
    config->reach.http = *visitor->any
                             ? better(config->reach.http, server->reach.http)
                             : server->reach.http;
    config->reach.tls = *visitor->any
                            ? better(config->reach.tls, server->reach.tls)
                            : server->reach.tls;
    if (config->server_uid == 0) {
        config->server_uid = server->uid;
        config->server_gid = server->gid;
    }
    *visitor->any = true;
    for (i = 0;
         i < server->nlisteners && config->nlisteners < ACME_LISTENERS_MAX;
         i++)
        config->listener[config->nlisteners++] = server->listener[i];
    return ACME_OK;
}

enum acme_rc
ctl_add_servers(struct acme_store *store, struct acme_config *config,
    bool *any, struct acme_error *err)
{
    struct visitor visitor = { config, any };

    return acme_control_servers(acme_store_fd(store), visit_server, &visitor,
        err);
}

/*
 * Who may ask for the status: what the configuration says, where a request
 * comes from and by which name.
 */
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "state/acme_status_query_private.h"
#include "wrap/acme_idn.h"

const char *const acme_status_forwarding[] = { "Forwarded", "X-Forwarded-For",
    "X-Forwarded-Host", "X-Real-IP", "Via", NULL };

/* ---- configuration ---------------------------------------------------- */

enum acme_rc
acme_status_mode_parse(const char *word, enum acme_status_mode *mode,
    struct acme_error *err)
{
    static const char *const words[] = { "off", "on", "admin" };
    char shown[32];
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(word, words[i]) == 0) {
            *mode = (enum acme_status_mode)i;
            return ACME_OK;
        }
    acme_log_clean(shown, sizeof(shown), word, strlen(word));
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\" is none of \"on\" (to be looked at), \"admin\" (renewals can "
        "be asked for as well) and \"off\"",
        shown);
}

enum acme_rc
acme_status_host_parse(const char *word, char host[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    return acme_idn_parse(word, strlen(word), host, err);
}

/* ---- who asks --------------------------------------------------------- */

static bool
is_this_host(const struct sockaddr *client)
{
    static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0xff, 0xff };
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;

    if (client->sa_family == AF_UNIX)
        return true;
    if (client->sa_family == AF_INET) {
        memcpy(&v4, client, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (client->sa_family != AF_INET6)
        return false;
    memcpy(&v6, client, sizeof(v6));
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
           (memcmp(v6.sin6_addr.s6_addr, mapped, sizeof(mapped)) == 0 &&
               v6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
}

/* No DNS of anybody's leads there under these. */
static bool
is_loopback(const char *name)
{
    return strcmp(name, "localhost") == 0 || strcmp(name, "::1") == 0 ||
           (acme_name_is_ip(name) && strncmp(name, "127.", 4) == 0);
}

static bool
is_host(const struct acme_status_policy *policy, const char *host)
{
    char name[ACME_NAME_MAX + 1];
    size_t i;

    if (!acme_name_from_host(host, strlen(host), name))
        return false;
    for (i = 0; i < policy->nhosts; i++)
        if (strcmp(policy->hosts[i], name) == 0)
            return true;
    return is_loopback(name);
}

const char *
acme_status_refusal(const struct acme_status_policy *policy,
    const struct acme_status_query *query)
{
    if (policy->mode == ACME_STATUS_OFF)
        return "the status is turned off here";
    if (!is_host(policy, query->host))
        return "the status is not for this Host; ask for it by a loopback "
               "address, or name the host in the configuration";
    if (policy->nhosts > 0)
        return NULL;
    if (!is_this_host(query->client))
        return "the status is for clients on this host; others need a host "
               "named in the configuration";
    if (query->forwarded)
        return "the status is not for proxies; they need a host named in the "
               "configuration";
    return NULL;
}

/* "https://host:port" of the page it comes from. */
static bool
is_same_origin(const struct acme_status_query *query)
{
    const char *host = query->origin;

    if (query->site != NULL && strcasecmp(query->site, "same-origin") != 0 &&
        strcasecmp(query->site, "none") != 0)
        return false;
    if (host == NULL)
        return true;
    host = strstr(host, "://");
    return host != NULL && strcasecmp(host + 3, query->host) == 0;
}

const char *
acme_status_admin_refusal(const struct acme_status_policy *policy,
    const struct acme_status_query *query)
{
    if (policy->mode != ACME_STATUS_ADMIN)
        return "renewals cannot be asked for here: the configuration does not "
               "say admin";
    if (query->admin == NULL && query->origin == NULL)
        return "the request has neither a field " ACME_STATUS_ADMIN_HEADER
               ", which pages of other sites cannot send, nor the Origin of "
               "this page";
    if (!is_same_origin(query))
        return "the request comes from a page of another site";
    return NULL;
}

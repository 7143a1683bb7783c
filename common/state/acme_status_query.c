#include "state/acme_status_query.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "state/acme_live_status.h"
#include "wrap/acme_idn.h"

/* The document around the lineages. */
#define FRAME_MAX (64 * 1024)

/* After which a store that has just started knows more (seconds). */
#define SOON 2

#define RENEW "/renew"

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

/* Why it is not told; NULL: it is. */
static const char *
refusal(const struct acme_status_policy *policy,
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

static const char *
admin_refusal(const struct acme_status_policy *policy,
    const struct acme_status_query *query)
{
    if (policy->mode != ACME_STATUS_ADMIN)
        return "renewals cannot be asked for here: the configuration does not "
               "say admin";
    if (query->admin == NULL)
        return "the request has no " ACME_STATUS_ADMIN_HEADER
               " field, which pages of other sites cannot send";
    if (!is_same_origin(query))
        return "the request comes from a page of another site";
    return NULL;
}

/* ---- which lineage ---------------------------------------------------- */

static int
hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at;

    if (c >= 'A' && c <= 'F')
        c = (char)(c - 'A' + 'a');
    at = c != '\0' ? strchr(digits, c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* False: too long to be anything. */
static bool
decode(const char *text, size_t len, char *out, size_t size)
{
    size_t i, n = 0;

    for (i = 0; i < len && n + 1 < size; i++) {
        int high = -1, low = -1;

        if (text[i] == '%' && len - i > 2) {
            high = hex_digit(text[i + 1]);
            low = hex_digit(text[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = text[i];
        }
    }
    out[n] = '\0';
    return i == len && strlen(out) == n;
}

/* The first "name=" of the arguments. */
static bool
name_argument(const char *args, char *out, size_t size)
{
    static const char name[] = "name=";
    const size_t len = sizeof(name) - 1;

    while (args != NULL) {
        if (strncmp(args, name, len) == 0)
            return decode(args + len, strcspn(args + len, "&"), out, size);
        args = strchr(args, '&');
        args = args != NULL ? args + 1 : NULL;
    }
    return false;
}

/* By its name, or by one of its identifiers. */
static bool
find(const struct acme_config *config, const char *text, size_t *lineage)
{
    char name[ACME_NAME_MAX + 1];

    return acme_config_find_lineage(config, text, lineage) ||
           (acme_name_from_host(text, strlen(text), name) &&
               acme_config_find_name(config, name, lineage));
}

/* ---- answers ---------------------------------------------------------- */

/* `why` is ours, and JSON as it is. */
static void
say(struct acme_status_reply *reply, struct acme_buf *body, int status,
    const char *why)
{
    reply->status = status;
    acme_buf_addf(body, "{\"error\":\"%s\"}\n", why);
}

static void
say_method(struct acme_status_reply *reply, struct acme_buf *body,
    const char *allow)
{
    reply->allow = allow;
    say(reply, body, 405, "the method is not one of this resource");
}

static bool
is_known(const struct acme_status_query *query, const char *etag)
{
    const char *list = query->none_match;

    return list != NULL &&
           (strcmp(list, "*") == 0 || strstr(list, etag) != NULL);
}

static void
document(const struct acme_config *config, const struct acme_area *area,
    struct acme_status_reply *reply, struct acme_buf *body)
{
    reply->status = 200;
    if (acme_live_status_all(area, config->nlineages, body)) {
        acme_buf_add_str(body, "\n");
        return;
    }
    acme_buf_reset(body);
    say(reply, body, 503, "there is not enough memory");
}

static void
one(const struct acme_config *config, const struct acme_area *area,
    const char *name, struct acme_status_reply *reply, struct acme_buf *body)
{
    size_t lineage;

    if (!find(config, name, &lineage)) {
        say(reply, body, 404, "this server has no such certificate");
    } else if (!acme_live_status(area, lineage, body)) {
        acme_buf_reset(body);
        reply->retry_after = SOON;
        say(reply, body, 503, "nothing is known of it yet");
    } else {
        reply->status = 200;
        acme_buf_add_str(body, "\n");
    }
}

static void
look(const struct acme_config *config, const struct acme_area *area,
    const struct acme_status_query *query, struct acme_status_reply *reply,
    struct acme_buf *body)
{
    char name[ACME_NAME_MAX + 1];

    (void)snprintf(reply->etag, sizeof(reply->etag), "\"%llx\"",
        (unsigned long long)acme_area_status_stamp(area));
    if (is_known(query, reply->etag))
        reply->status = 304;
    else if (query->path[0] == '/' && query->path[1] != '\0')
        one(config, area, query->path + 1, reply, body);
    else if (name_argument(query->args, name, sizeof(name)))
        one(config, area, name, reply, body);
    else
        document(config, area, reply, body);
    if (reply->status != 200 && reply->status != 304)
        reply->etag[0] = '\0';
}

/* Seconds until a question is heard again; 0: now. */
static unsigned
rest_of(const struct acme_area *area, size_t lineage)
{
    const time_t now = time(NULL), rest = acme_area_rest(area, lineage);

    return rest > now && rest - now <= ACME_FORCE_INTERVAL
               ? (unsigned)(rest - now)
               : 0;
}

static void
renew(const struct acme_config *config, const struct acme_area *area,
    const struct acme_status_query *query, struct acme_status_reply *reply,
    struct acme_buf *body)
{
    char name[ACME_NAME_MAX + 1];
    size_t lineage;

    if (!name_argument(query->args, name, sizeof(name))) {
        say(reply, body, 400, "no certificate is named: add ?name=NAME");
    } else if (!find(config, name, &lineage)) {
        say(reply, body, 404, "this server has no such certificate");
    } else if ((reply->retry_after = rest_of(area, lineage)) > 0) {
        say(reply, body, 429, "it was asked for not long ago");
    } else if (!acme_area_ask(area, lineage)) {
        reply->retry_after = SOON;
        say(reply, body, 429, "it is asked for already");
    } else {
        reply->status = 202;
        acme_buf_addf(body, "{\"name\":\"%s\",\"renewal\":\"asked for\"}\n",
            config->lineage[lineage].name);
    }
}

static void
serve(const struct acme_config *config, const struct acme_area *area,
    const struct acme_status_policy *policy,
    const struct acme_status_query *query, struct acme_status_reply *reply,
    struct acme_buf *body)
{
    const bool renews = strcmp(query->path, RENEW) == 0;
    const bool looks = strcmp(query->method, "GET") == 0 ||
                       strcmp(query->method, "HEAD") == 0;
    const char *why = refusal(policy, query);

    if (why == NULL && renews && strcmp(query->method, "POST") == 0)
        why = admin_refusal(policy, query);
    if (why != NULL)
        say(reply, body, 403, why);
    else if (renews && strcmp(query->method, "POST") != 0)
        say_method(reply, body, "POST");
    else if (!renews && !looks)
        say_method(reply, body, "GET, HEAD");
    else if (area == NULL)
        say(reply, body, 503, "no certificate is managed here");
    else if (renews)
        renew(config, area, query, reply, body);
    else
        look(config, area, query, reply, body);
}

void
acme_status_answer(const struct acme_config *config,
    const struct acme_area *area, const struct acme_status_policy *policy,
    const struct acme_status_query *query, struct acme_status_reply *reply,
    struct acme_buf *body)
{
    memset(reply, 0, sizeof(*reply));
    acme_buf_init(body, FRAME_MAX);
    if (config != NULL)
        body->max += config->nlineages * (ACME_STATUS_BYTES + 1);
    serve(config, area, policy, query, reply, body);
}

/*
 * Addresses of name servers, as people and resolv.conf(5) write them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"
#include "wrap/acme_address.h"
#include "wrap/acme_dns.h"

#define PORT 53

const char *
acme_dns_server_text(const struct sockaddr_storage *server,
    char text[ACME_DNS_SERVER_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (server->ss_family == AF_INET) {
        memcpy(&v4, server, sizeof(v4));
        (void)inet_ntop(AF_INET, &v4.sin_addr, ip, sizeof(ip));
        (void)snprintf(text, ACME_DNS_SERVER_TEXT, "%s:%u", ip,
            (unsigned)ntohs(v4.sin_port));
    } else {
        memcpy(&v6, server, sizeof(v6));
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, ip, sizeof(ip));
        (void)snprintf(text, ACME_DNS_SERVER_TEXT, "[%s]:%u", ip,
            (unsigned)ntohs(v6.sin6_port));
    }
    return text;
}

static enum acme_rc
bad_server(const char *text, struct acme_error *err)
{
    char shown[128];

    acme_log_clean(shown, sizeof(shown), text, strlen(text));
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\" is no name server, such as 192.0.2.53, 192.0.2.53:5353 or "
        "[2001:db8::53]:53",
        shown);
}

/* What is behind the host; "" is the usual port. */
static bool
parse_port(const char *text, unsigned *port)
{
    unsigned long value;
    char *end;

    *port = PORT;
    if (*text == '\0')
        return true;
    if (text[0] != ':' || text[1] < '0' || text[1] > '9')
        return false;
    value = strtoul(text + 1, &end, 10);
    *port = (unsigned)value;
    return *end == '\0' && value > 0 && value <= 65535;
}

enum acme_rc
acme_dns_host_parse(const char *text, char host[ACME_NAME_MAX + 1],
    unsigned *port, struct acme_error *err)
{
    const char *start = text, *end = strchr(text, ':');
    struct acme_error ignored;
    bool bracketed = *text == '[';

    if (bracketed) {
        start++;
        end = strchr(text, ']');
    } else if (end == NULL || strchr(end + 1, ':') != NULL) {
        end = text + strlen(text); /* several colons: a whole IPv6 address */
    }
    acme_error_clear(&ignored);
    if (end == NULL || !parse_port(bracketed ? end + 1 : end, port) ||
        acme_name_parse(start, (size_t)(end - start), host, &ignored) !=
            ACME_OK ||
        acme_name_is_wildcard(host) ||
        (bracketed && strchr(host, ':') == NULL))
        return bad_server(text, err);
    return ACME_OK;
}

enum acme_rc
acme_dns_servers_add(struct acme_dns_servers *servers, const char *text,
    struct acme_error *err)
{
    char host[ACME_NAME_MAX + 1];
    struct sockaddr_storage server;
    unsigned port;
    enum acme_rc rc = acme_dns_host_parse(text, host, &port, err);

    if (rc != ACME_OK)
        return rc;
    if (!acme_address_parse(host, port, &server))
        return bad_server(text, err);
    if (servers->n == ACME_DNS_SERVERS_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "more than %d name servers; remove some", ACME_DNS_SERVERS_MAX);
    servers->server[servers->n++] = server;
    return ACME_OK;
}

/* A link-local address has the name of an interface behind it. */
static void
read_server(struct acme_dns_servers *servers, const char *word, size_t len)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_storage server;

    if (len >= sizeof(text) || servers->n == ACME_DNS_SERVERS_MAX)
        return;
    memcpy(text, word, len);
    text[len] = '\0';
    if (acme_address_parse(text, PORT, &server))
        servers->server[servers->n++] = server;
}

void
acme_dns_servers_read(struct acme_dns_servers *servers, const char *text)
{
    static const char keyword[] = "nameserver";
    const size_t len = strlen(keyword);
    const char *word;

    servers->n = 0;
    while (*text != '\0') {
        if (strncmp(text, keyword, len) == 0 &&
            (text[len] == ' ' || text[len] == '\t')) {
            word = text + len + strspn(text + len, " \t");
            read_server(servers, word, strcspn(word, " \t\r\n"));
        }
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (servers->n == 0)
        read_server(servers, "127.0.0.1", strlen("127.0.0.1"));
}

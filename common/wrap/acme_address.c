#include "wrap/acme_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* Addresses that only this host or its neighbours have. */
static bool
is_private_v4(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {
        { 0x00000000, 8 },  /* RFC 1122: this host */
        { 0x0a000000, 8 },  /* RFC 1918 */
        { 0x64400000, 10 }, /* RFC 6598: CGNAT */
        { 0x7f000000, 8 },  /* loopback */
        { 0xa9fe0000, 16 }, /* RFC 3927: link-local */
        { 0xac100000, 12 }, /* RFC 1918 */
        { 0xc0a80000, 16 }, /* RFC 1918 */
        { 0xe0000000, 3 },  /* multicast, reserved, broadcast */
    };
    size_t i;

    for (i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    }
    return false;
}

static uint32_t
read_v4(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static bool
is_private_v6(const unsigned char a[16])
{
    static const unsigned char zero[12] = { 0 };
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const unsigned char nat64[12] = { 0, 0x64, 0xff, 0x9b };

    /* :: and ::1 are 0.0.0.0 and 0.0.0.1 here, which are private too */
    if (memcmp(a, zero, 12) == 0 || memcmp(a, mapped, 12) == 0 ||
        memcmp(a, nat64, 12) == 0)
        return is_private_v4(read_v4(a + 12));
    if (a[0] == 0x20 && a[1] == 0x02) /* RFC 3056: 6to4 */
        return is_private_v4(read_v4(a + 2));
    return (a[0] & 0xfe) == 0xfc ||                /* RFC 4193: unique local */
           (a[0] == 0xfe && (a[1] & 0x80) != 0) || /* link- and site-local */
           a[0] == 0xff;                           /* multicast */
}

bool
acme_address_is_private(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof(v4));
        return is_private_v4(ntohl(v4.sin_addr.s_addr));
    case AF_INET6:
        memcpy(&v6, address, sizeof(v6));
        return is_private_v6(v6.sin6_addr.s6_addr);
    default:
        return true;
    }
}

bool
acme_address_parse(const char *text, unsigned port,
    struct sockaddr_storage *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memset(address, 0, sizeof(*address));
    memset(&v4, 0, sizeof(v4));
    memset(&v6, 0, sizeof(v6));
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons((uint16_t)port);
        memcpy(address, &v4, sizeof(v4));
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons((uint16_t)port);
        memcpy(address, &v6, sizeof(v6));
        return true;
    }
    return false;
}

bool
acme_address_reach(const struct sockaddr *listener,
    char text[ACME_ADDRESS_TEXT])
{
    struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    switch (listener->sa_family) {
    case AF_INET:
        memcpy(&v4, listener, sizeof(v4));
        if (v4.sin_addr.s_addr == htonl(INADDR_ANY))
            v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return inet_ntop(AF_INET, &v4.sin_addr, text, ACME_ADDRESS_TEXT) !=
               NULL;
    case AF_INET6:
        memcpy(&v6, listener, sizeof(v6));
        if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr))
            v6.sin6_addr = loopback;
        return inet_ntop(AF_INET6, &v6.sin6_addr, text, ACME_ADDRESS_TEXT) !=
               NULL;
    default:
        return false;
    }
}

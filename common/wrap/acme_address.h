/*
 * Addresses that are talked to: which of them nobody outside could mean.
 */
#ifndef ACME_ADDRESS_H
#define ACME_ADDRESS_H

#include <stdbool.h>

struct sockaddr;
struct sockaddr_storage;

/* Room for either family's text. */
#define ACME_ADDRESS_TEXT 46

/* Whether only this host or its neighbours have it: loopback, RFC 1918,
 * link-local, unique local, CGNAT, multicast, whatever maps to one of those,
 * and what is neither IPv4 nor IPv6. */
bool acme_address_is_private(const struct sockaddr *address);

/* From text, without brackets.  False: it is no address. */
bool acme_address_parse(const char *text, unsigned port,
    struct sockaddr_storage *address);

/* Where a listener's own host talks to it: the loopback address, if it listens
 * at any.  False: it is no IP address. */
bool acme_address_reach(const struct sockaddr *listener,
    char text[ACME_ADDRESS_TEXT]);

#endif

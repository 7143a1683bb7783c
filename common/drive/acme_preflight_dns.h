/*
 * The DNS of a pre-flight: as resolvers see it, who look at signatures
 * themselves where they can.
 */
#ifndef ACME_PREFLIGHT_DNS_H
#define ACME_PREFLIGHT_DNS_H

#include "drive/acme_preflight.h"
#include "wrap/acme_dns.h"

struct acme_preflight_dns {
    struct acme_lookup lookup; /* its ctx is this structure */
    struct acme_dns_servers servers;
    const struct acme_host *host;
};

/* Asks the resolvers of the policy, or else those; borrows `host`. */
void acme_preflight_dns_init(struct acme_preflight_dns *dns,
    const struct acme_proof *proof, const struct acme_dns_servers *servers,
    const struct acme_host *host);

#endif

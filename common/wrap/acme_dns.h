/*
 * The door to the DNS: one question, one answer, by UDP and then TCP (RFC
 * 1035, 6891, 7766), and updates of a zone (RFC 2136) signed with a key (RFC
 * 8945).  ldns makes and reads the messages; the sockets are ours, so that a
 * question is bounded in time and ends when the host stops.  Names are texts
 * in lower case without a final dot; a byte that is none of a host name's is
 * written as RFC 1035 5.1 has it.  Opens no file and keeps no cache.
 */
#ifndef ACME_DNS_H
#define ACME_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/acme_arena.h"
#include "base/acme_error.h"
#include "base/acme_host.h"
#include "wrap/acme_tsig.h"

/* ---- whom to ask ------------------------------------------------------ */

/* IPv4 or IPv6, and a port. */
struct acme_dns_servers {
    size_t n;
    struct sockaddr_storage server[ACME_DNS_SERVERS_MAX];
};

/* "192.0.2.1:5353", "[2001:db8::1]:53". */
#define ACME_DNS_SERVER_TEXT 64
const char *acme_dns_server_text(const struct sockaddr_storage *server,
    char text[ACME_DNS_SERVER_TEXT]);

/*
 * "HOST", "HOST:PORT" or "[IPv6]:PORT"; the host is an address without
 * brackets, or a canonical name.  Without a port: 53.  ACME_CONFIG.
 */
enum acme_rc acme_dns_host_parse(const char *text,
    char host[ACME_NAME_MAX + 1], unsigned *port, struct acme_error *err);

/* The same of an address; appended.  ACME_CONFIG, also for one too many. */
enum acme_rc acme_dns_servers_add(struct acme_dns_servers *servers,
    const char *text, struct acme_error *err);

/* Those of a text in the form of resolv.conf(5), the first few; where it names
 * none, the one that the C library would ask: 127.0.0.1. */
void acme_dns_servers_read(struct acme_dns_servers *servers, const char *text);

/* ---- questions -------------------------------------------------------- */

/* RFC 1035 3.2.2, RFC 3596, RFC 8659 */
enum acme_dns_type {
    ACME_DNS_A = 1,
    ACME_DNS_NS = 2,
    ACME_DNS_CNAME = 5,
    ACME_DNS_SOA = 6,
    ACME_DNS_TXT = 16,
    ACME_DNS_AAAA = 28,
    ACME_DNS_CAA = 257
};

struct acme_dns_rr {
    unsigned long ttl;
    /* A, AAAA: the address.  NS, CNAME: the name.  SOA: the name of the
     * primary server.  TXT: its strings, joined.  CAA: the value.  The last
     * two are anybody's bytes, with a NUL behind them. */
    const char *text;
    size_t len;
    unsigned flags;  /* CAA */
    const char *tag; /* CAA, in lower case */
};

struct acme_dns_answer {
    unsigned rcode;     /* 0: no error, 3: no such name, ... */
    bool authoritative; /* AA */
    bool authentic;     /* AD: the server has validated it (DNSSEC) */
    const char *name;   /* asked for, or what its aliases lead to */
    size_t naliases;    /* as far as the answer shows them */
    const char *alias[ACME_DNS_ALIASES_MAX];
    size_t n; /* of that name and type: */
    const struct acme_dns_rr *rr;
    /* The zone that says there is nothing (RFC 2308), the name's own or above
     * it; NULL: not said. */
    const char *zone;
    bool referral; /* other servers are responsible, it says */
    struct sockaddr_storage server; /* that answered */
};

/* What a question needs; borrowed. */
struct acme_dns {
    const struct acme_dns_servers *servers;
    const struct acme_host *host; /* NULL: nobody stops us */
    struct acme_arena *arena;     /* of what is found */
    bool recursive;               /* they are to find the answer (RD) */
    bool unchecked;               /* and not to validate it (RFC 4035: CD) */
    /* By acme_time_ms(): when it is over in any case; 0: as usual. */
    long long until_ms;
};

/*
 * Asks the servers in turn until one answers.  ACME_OK also if it says that
 * there is nothing, or that it refuses: see rcode; SERVFAIL and REFUSED
 * are accepted only if nobody has a better answer.  ACME_NET: no answer.
 * ACME_NOENT: this host has no way to any of them (no IPv6, for example).
 * ACME_CONFIG: `name` is none.  ACME_STOPPING, ACME_NOMEM.  Blocks; while it
 * does, host->wait is called.
 */
enum acme_rc acme_dns_ask(const struct acme_dns *dns, const char *name,
    enum acme_dns_type type, struct acme_dns_answer *answer,
    struct acme_error *err);

/* The same, where nothing but "no error" and "no such name" are answers:
 * anything else is ACME_NET, with the server and the rcode in the text. */
enum acme_rc acme_dns_look_up(const struct acme_dns *dns, const char *name,
    enum acme_dns_type type, struct acme_dns_answer *answer,
    struct acme_error *err);

/*
 * After a SERVFAIL of a server that was asked to find the answer: whether it
 * has one for who does not want it validated (RFC 4035 5.5, 3.2.2), so that it
 * is the signatures that are wrong.  Blocks for one more question.
 */
bool acme_dns_is_bogus(const struct acme_dns *dns, const char *name,
    enum acme_dns_type type);

/* "REFUSED"; of one without a name a text for people. */
const char *acme_dns_rcode_name(unsigned rcode);

/* Whether `name` is `zone` or below it. */
bool acme_dns_is_below(const char *name, const char *zone);

/* ---- updates ---------------------------------------------------------- */

/* One TXT record with one string, of at most 255 bytes. */
struct acme_dns_change {
    const char *zone;
    const char *owner;
    const char *value;
    unsigned long ttl; /* of one that is added */
    bool remove;
};

/*
 * Adds the record beside what is there, or removes it alone; neither fails if
 * it is so already.  The answer has to be signed with the key, unless it
 * refuses.  ACME_CONFIG: refused, and the key, the zone or the server's
 * policy has to be changed; the text has the server and its rcode.  ACME_NET:
 * it could not be reached, or may do it later (SERVFAIL, clocks that differ).
 * ACME_WIRE: an answer that proves nothing.  Otherwise as acme_dns_ask().
 */
enum acme_rc acme_dns_update(const struct acme_dns *dns,
    const struct acme_tsig *key, const struct acme_dns_change *change,
    struct acme_error *err);

#endif

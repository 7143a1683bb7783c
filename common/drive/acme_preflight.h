/*
 * Pre-flight: what can be found out here, before an order, of whether a CA
 * will find the proof of each name.  Asks this server, the addresses that the
 * names have, and the DNS; knows no order and no CA's endpoint, and costs
 * nothing there.  What it cannot find out is no reason to wait: the CA is the
 * judge.
 */
#ifndef ACME_PREFLIGHT_H
#define ACME_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_host.h"
#include "protocol/acme_caa.h"
#include "state/acme_area.h"
#include "state/acme_config.h"
#include "wrap/acme_alpn_probe.h"
#include "wrap/acme_http_probe.h"

/* ---- the DNS ---------------------------------------------------------- */

enum acme_lookup_end {
    ACME_LOOKUP_FOUND,
    ACME_LOOKUP_NOTHING, /* no such name, or nothing of that type */
    ACME_LOOKUP_BOGUS,   /* the resolver fails, but not if it need not check
                            signatures (CD) */
    ACME_LOOKUP_FAILED,  /* the name's own servers fail: SERVFAIL */
    ACME_LOOKUP_SILENT   /* no resolver has answered, or memory is short */
};

struct acme_addresses {
    size_t n;
    char text[ACME_PREFLIGHT_ADDRESSES_MAX][ACME_ADDRESS_TEXT];
};

/* Names without a final dot; both block, for at most `ms`. */
struct acme_lookup {
    void *ctx;
    /* A and AAAA, behind CNAMEs too. */
    enum acme_lookup_end (*addresses)(void *ctx, const char *name, unsigned ms,
        struct acme_addresses *out);
    /* CAA of that very domain (behind CNAMEs too), into the arena. */
    enum acme_lookup_end (*caa)(void *ctx, const char *domain, unsigned ms,
        struct acme_arena *arena, const struct acme_caa_property **property,
        size_t *n);
};

/* Ways out of this process. */
struct acme_preflight_means {
    /* acme_http_probe() and acme_alpn_probe(), or scripts (tests). */
    bool (*probe)(struct acme_probe *probe, size_t n, unsigned ms,
        const struct acme_host *host);
    bool (*shake)(struct acme_alpn_probe *probe, size_t n, unsigned ms,
        const struct acme_host *host);
    const struct acme_lookup *lookup; /* NULL: the DNS is not asked */
};

/* ---- findings --------------------------------------------------------- */

enum acme_verdict {
    ACME_VERDICT_NONE,    /* does not apply */
    ACME_VERDICT_GOOD,    /* as it should be */
    ACME_VERDICT_UNKNOWN, /* cannot be told from here */
    ACME_VERDICT_DOUBT,   /* looks wrong, and may not be so for the CA */
    ACME_VERDICT_BAD      /* the CA will say no */
};

/* The text is printable, a sentence of its own from DOUBT on. */
struct acme_finding {
    enum acme_verdict verdict;
    char text[ACME_FINDING_MAX];
};

enum acme_check {
    ACME_CHECK_BINDING, /* this server answers for the name */
    ACME_CHECK_REACH,   /* so does whoever is at its addresses */
    ACME_CHECK_CAA,     /* RFC 8659: this CA, account and method may */
    ACME_CHECK_DNSSEC,
    ACME_CHECKS /* their number */
};

struct acme_preflight_row {
    const char *name;
    bool provable;
    enum acme_challenge_type type; /* that is tried first, if it is */
    struct acme_finding check[ACME_CHECKS];
};

/* "binding", ... */
const char *acme_check_name(enum acme_check check);
/* "good", "unknown", ...; "-" for none */
const char *acme_verdict_name(enum acme_verdict verdict);

/* Of all checks of a row. */
enum acme_verdict acme_preflight_worst(const struct acme_preflight_row *row);

/* What was found to doubt, the worst first, as far as it fits: its verdict,
 * ACME_VERDICT_GOOD if there is nothing. */
enum acme_verdict acme_preflight_sum(const struct acme_preflight_row *row,
    size_t n, char *text, size_t size);

/* ---- doing it --------------------------------------------------------- */

/* All of it is borrowed. */
struct acme_preflight_case {
    const struct acme_config *config; /* where this server listens */
    const struct acme_proof *proof;   /* of the names */
    const struct acme_host *host;
    const struct acme_preflight_means *means;
    struct acme_arena *arena;
    const char *thumbprint; /* of the account key; NULL: there is none yet */
    const char *account;    /* URL; NULL: likewise */
    size_t nidentities;     /* the CA's, for CAA */
    const char *const *identity;
    bool private_too; /* private addresses are asked: the CA is at one */
    /*
     * Makes these answered for, like those of an order, and waits until they
     * are: for servers that answer those alone, and for tls-alpn-01.  Whoever
     * has it takes them back.  *shown (false before): whether they could be.
     * NULL: that cannot be done.
     */
    enum acme_rc (*present)(void *ctx, const struct acme_area_token *tokens,
        size_t n, bool *shown, struct acme_error *err);
    void *ctx;
};

/*
 * Fills a row for each name (canonical).  ACME_STOPPING, ACME_NOMEM, and
 * errors of present(): no row says anything then.  Blocks: for at most
 * ACME_PREFLIGHT_MS for each name and way, several of them at a time.
 */
enum acme_rc acme_preflight_run(const struct acme_preflight_case *what,
    const char *const *names, size_t n, struct acme_preflight_row *row,
    struct acme_error *err);

#endif

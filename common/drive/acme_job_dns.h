/*
 * What is made for the challenges of a job: TXT records, and the answers that
 * are found at a name where no server gives them.  What each way of making
 * them is given and gives back; acme_job_dns.c says when.  One is written down
 * before it is made and taken away whatever becomes of the order.
 */
#ifndef ACME_JOB_DNS_H
#define ACME_JOB_DNS_H

#include "drive/acme_job_private.h"
#include "state/acme_challenge_type.h"
#include "state/acme_issue.h"
#include "wrap/acme_dns.h"

/* In the run's arena. */
struct acme_dns_record {
    enum acme_challenge_type type; /* not ACME_DNS_PERSIST_01 */
    const char *name;  /* that is proved; a wildcard has its "*." */
    const char *owner; /* of the record, without a final dot: its own, or
                          where the name's is delegated to; of what is no
                          record the name */
    const char *value; /* one string: RFC 8555 8.4; the same, the thumbprint */
    const char *token;
    const char *key_authorization;
    const char *output; /* what was given back when it was made, or "" */
    bool made;
    bool known;       /* it was written down by a run of before */
    bool refused;     /* set by add: it failed, and nothing is to be taken away
                       */
    bool declined;    /* and another challenge may do: */
    const char *why;  /* NULL: it is not declined */
    size_t remaining; /* records of this order that come after it */
    const char *all;  /* names of all of them, with commas */
};

/*
 * A way to change the DNS.  `add` may set record->output (in run->arena, at
 * most ACME_COMMAND_OUTPUT_MAX); a record that is there already is no error.
 * `remove` takes away this value alone; one that is not there is no error.
 * `failed`: the order came to nothing.  Both block, and give the turn away
 * while they do (run->job->host->wait).  ACME_CONFIG: it will fail again.
 */
struct acme_dns_means {
    enum acme_rc (*add)(struct acme_run *run, struct acme_dns_record *record,
        struct acme_error *err);
    enum acme_rc (*remove)(struct acme_run *run,
        const struct acme_dns_record *record, bool failed,
        struct acme_error *err);
};

/* The command of the lineage, which another process runs (acme_runner.h). */
extern const struct acme_dns_means acme_job_command;
/* The listener in a server's place, which is asked like it. */
extern const struct acme_dns_means acme_job_standalone;
/* By updates that the zone's primary server accepts (RFC 2136). */
extern const struct acme_dns_means acme_job_update_means;

/* ---- between making and answering ------------------------------------- */

/*
 * Where owners are aliases, the records are made where these lead: if the
 * configuration names zones for that (security S44).  ACME_CONFIG: it leads
 * elsewhere.  Errors as of acme_dns_look_up().
 */
enum acme_rc acme_job_dns_delegate(struct acme_run *run,
    struct acme_dns_record *record, size_t n);

/* Whether records of that challenge may be made there. */
bool acme_job_dns_may_lead(const struct acme_proof *proof,
    enum acme_challenge_type type, const char *target);

/*
 * Waits until all name servers of their zones have the records, as long as the
 * configuration allows, and gives its turn away meanwhile.  ACME_NET: they
 * have not; no challenge may be answered.
 */
enum acme_rc acme_job_dns_propagate(struct acme_run *run,
    const struct acme_dns_record *record, size_t n);

/* ---- looking things up ------------------------------------------------ */

/* Whom to ask about the DNS of others: as configured, or as this host does. */
void acme_job_resolver_of(const struct acme_proof *proof,
    const struct acme_dns_servers *host, struct acme_dns_servers *servers);

/* What the run's questions need, of what these servers know themselves; or of
 * whatever its resolvers can find, which are put into *servers.  Borrows
 * `servers`; what is found is in run->arena. */
struct acme_dns acme_job_ask_servers(const struct acme_run *run,
    const struct acme_dns_servers *servers);
struct acme_dns acme_job_ask_resolver(const struct acme_run *run,
    struct acme_dns_servers *servers);

/* What the best of an answer's TXT records is worth for dns-persist-01. */
enum acme_persist_verdict acme_job_persist_best(
    const struct acme_dns_answer *answer, const struct acme_persist *persist,
    time_t now);

/*
 * Whether that record is at all name servers of its zone, after a resolver has
 * found it; looks once, for a few seconds.  ACME_NET: one says that it is not.
 * What cannot be found out is no error, nor is it looked for where
 * propagation is off.
 */
enum acme_rc acme_job_persist_everywhere(const struct acme_run *run,
    const char *name, const struct acme_persist *persist, time_t now,
    struct acme_error *err);

/* What the best of the TXT records at `owner` is worth for dns-persist-01.
 * Errors as of acme_dns_look_up(). */
enum acme_rc acme_job_persist_look(const struct acme_dns *dns,
    const char *owner, const struct acme_persist *persist, time_t now,
    enum acme_persist_verdict *best, struct acme_error *err);

/* The zone that a name is in, and in *owner the name itself or, of an alias,
 * where it leads.  In dns->arena. */
enum acme_rc acme_job_find_zone(const struct acme_dns *dns, const char *name,
    const char **owner, const char **zone, struct acme_error *err);

/* Appends the addresses of a host, or the one that it is; as many as fit.
 * ACME_NET: it has none. */
struct acme_job_addresses {
    size_t n;
    struct sockaddr_storage address[ACME_DNS_ADDRESSES_MAX];
};
enum acme_rc acme_job_find_addresses(const struct acme_dns *dns,
    const char *host, unsigned port, struct acme_job_addresses *found,
    struct acme_error *err);

#endif

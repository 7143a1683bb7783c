/*
 * One certificate, from "it is due" to "it is live": a linear story that
 * blocks (RFC 8555 7).  Everything it learns is durable before it acts on it,
 * so that the same function is also its own continuation after a crash, a
 * reload or a long wait.  Logs nothing but steps; when to try again is the
 * engine's question.
 */
#ifndef ACME_JOB_H
#define ACME_JOB_H

#include "base/acme_host.h"
#include "drive/acme_preflight.h"
#include "drive/acme_vault.h"
#include "protocol/acme_client.h"
#include "state/acme_config.h"

/* Each errand is one frame (acme_errand.h), whoever sends it. */
struct acme_runner_link {
    int fd;
};

/* What an error begins with if no challenge that the CA offers can work. */
#define ACME_JOB_MISMATCH "challenge mismatch"

struct acme_dns_servers;

struct acme_job {
    const struct acme_config *config;
    const struct acme_host *host;
    struct acme_vault *vault;
    size_t unit;
    size_t issuer;              /* whom to ask: one of the lineage's list */
    struct acme_client *client; /* of that issuer */
    bool force;                 /* order although nothing is due */
    bool trial;                 /* a dry run, of which the store keeps nothing:
                                   all is proved anew, nobody is told, and it
                                   comes to an end soon */
    long offset;                /* of the CA's clock, when it counts for what
                                   is due (acme_schedule_offset()) */
    unsigned present_ms;        /* time others need to notice a challenge */
    /* To the process that runs commands of lineages; NULL: there is none. */
    const struct acme_runner_link *runner;
    /* To the one that listens where no server does; NULL: there is none. */
    const struct acme_runner_link *standalone;
    /* What it takes for a pre-flight; NULL: there is none. */
    const struct acme_preflight_means *preflight;
    const struct acme_dns_servers *resolver; /* the host's, or NULL: none is
                                                known */
};

struct acme_job_result {
    bool ordered;          /* a new order was made at the CA, */
    bool replaces;         /* and taken as a renewal (RFC 9773 5) */
    bool issued;           /* the CA has issued a certificate */
    bool first;            /* the unit had no certificate */
    unsigned version;      /* that is live now; 0: nothing was due, or it
                              was a trial */
    bool clock_known;      /* the CA has told its time: */
    long ahead;            /* how many seconds it is ahead of ours */
    struct acme_leaf leaf; /* of that version */
    bool staged;           /* the certificate is there, and waits */
    unsigned left_out;     /* names that could not be proved; see the record */
    /* Names that this run has failed to prove, besides what the error says:
     * their numbers in the unit's list. */
    unsigned nunproved;
    uint32_t unproved[ACME_LEFT_OUT_MAX];
};

/*
 * Runs the job under the lineage's lock, which it takes and releases.
 * ACME_OK: done, or nothing was due any more.  ACME_LATER: go on at
 * err->retry_at.  ACME_BUSY: somebody else is at it.  ACME_STOPPING.
 * Otherwise the attempt failed; an order that can't be used any more has been
 * dropped.  `result` is filled in any case.
 */
enum acme_rc acme_job_run(const struct acme_job *job,
    struct acme_job_result *result, struct acme_error *err);

/*
 * Whether a unit needs an order whatever the date: no certificate, a name
 * missing in it that was not left out, another key type wanted.  `why` is text
 * for people.
 */
bool acme_job_is_needed(const struct acme_vault_unit *unit, const char **why);

#endif

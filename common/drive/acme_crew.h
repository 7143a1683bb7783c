/*
 * Runs jobs side by side, a thread each.  To work, a job needs a turn: there
 * are ACME_JOBS_MAX of them, ACME_JOBS_PER_CA at one CA, and each comes with a
 * connection to the CA, its directory and its nonce.  While a job waits it
 * gives its turn to others, of which there may be ACME_JOBS_OPEN.  All of this
 * is called from one thread, the engine's; what happens in others is
 * acme_job_run(), acme_renewal_get() and nothing else.
 */
#ifndef ACME_CREW_H
#define ACME_CREW_H

#include <stdbool.h>
#include <stddef.h>

#include "drive/acme_enroll.h"
#include "drive/acme_job.h"
#include "protocol/acme_renewal.h"
#include "wrap/acme_http.h"

struct acme_crew;

/* How to get a transport to an issuer (libcurl, or a script).  It is used by
 * one thread at a time and is valid as long as `ctx`. */
struct acme_network {
    void *ctx;
    enum acme_rc (*open)(void *ctx, size_t issuer,
        struct acme_transport *transport, struct acme_error *err);
};

/* Borrows all of it. */
struct acme_crew_conf {
    const struct acme_config *config;
    const struct acme_host *host; /* called by all threads */
    struct acme_vault *vault;
    struct acme_network network;
    /* see struct acme_job: */
    const struct acme_runner_link *runner;
    const struct acme_runner_link *standalone;
    const struct acme_preflight_means *preflight;
    unsigned present_ms;
    const struct acme_dns_servers *resolver; /* the host's; or NULL */
    bool trial;                              /* so are all jobs */
    /* Called by a thread whose job has ended or waits, so that somebody
     * looks.  NULL: no threads, acme_crew_start() runs the job. */
    void (*wake)(void *ctx);
    void *wake_ctx;
};

enum acme_rc acme_crew_new(const struct acme_crew_conf *conf,
    struct acme_crew **crew, struct acme_error *err);
/* Waits for the jobs, whose host must want to stop; accepts NULL. */
void acme_crew_free(struct acme_crew *crew);

/* Issuers of the same CA have the same number, that of the first of them. */
size_t acme_crew_ca(const struct acme_crew *crew, size_t issuer);

/*
 * Whether one more job may be started at that CA.  `wanted`: there is one (if
 * not, the answer is no), and a turn is kept for it from now on: the waits of
 * those that have begun are best spent on the work of those that have not.
 */
bool acme_crew_has_room(struct acme_crew *crew, size_t ca, bool wanted);

/* Starts a job at an issuer of the unit's list; offset and force as in struct
 * acme_job.  False: there is no room. */
bool acme_crew_start(struct acme_crew *crew, size_t unit, size_t issuer,
    long offset, bool force);

/*
 * Starts a look at the issuer's renewal information about the certificate
 * `ari_id`, which is the unit's: a job of one request, which needs a turn as
 * the others do.  False: there is no room now, but a turn is kept for a look
 * from now on.
 */
bool acme_crew_look(struct acme_crew *crew, size_t unit, size_t issuer,
    const char *ari_id);

/*
 * Work at an issuer's account that is no unit's, run like a job; `ctx` is
 * given back when it has ended.
 */
typedef enum acme_rc acme_crew_errand(const struct acme_enroll *account,
    void *ctx, struct acme_error *err);
bool acme_crew_start_errand(struct acme_crew *crew, size_t issuer,
    acme_crew_errand *errand, void *ctx);

/* A job, a look or an errand that has ended; false: none has. */
struct acme_crew_ended {
    acme_crew_errand *errand; /* NULL: a job */
    void *errand_ctx;
    size_t unit, issuer;
    bool force;
    bool look; /* its result is: */
    char ari_id[sizeof(((struct acme_leaf *)0)->ari_id)];
    struct acme_renewal renewal;
    struct acme_job_result result; /* of a job */
    struct acme_error err;
};
bool acme_crew_take(struct acme_crew *crew, struct acme_crew_ended *ended);

/* Whether nothing runs, and nothing has ended that was not taken. */
bool acme_crew_is_idle(struct acme_crew *crew);

/* Blocks until every job has ended. */
void acme_crew_join(struct acme_crew *crew);

#endif

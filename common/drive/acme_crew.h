/*
 * Runs jobs side by side, a thread each: at most ACME_JOBS_MAX of them, and
 * ACME_JOBS_PER_CA at one CA.  A client of a CA, with its connection, its
 * directory and its nonce, goes from job to job.  All of this is called from
 * one thread, the engine's; what happens in others is acme_job_run() and
 * nothing else.
 */
#ifndef ACME_CREW_H
#define ACME_CREW_H

#include <stdbool.h>
#include <stddef.h>

#include "drive/acme_job.h"
#include "wrap/acme_http.h"

struct acme_crew;

/* How a job gets a transport of its own to an issuer (libcurl, or a script).
 * It is used by one thread at a time and is valid as long as `ctx`. */
struct acme_network {
    void *ctx;
    enum acme_rc (*open)(void *ctx, size_t issuer,
        struct acme_transport *transport, struct acme_error *err);
};

/* Borrows all of it. */
struct acme_crew_conf {
    const struct acme_config *config;
    const struct acme_host *host; /* log and wait are called by all threads */
    struct acme_vault *vault;
    struct acme_network network;
    unsigned present_ms; /* see struct acme_job */
    /* Called by a thread whose job has ended, so that somebody looks.  NULL:
     * no threads, acme_crew_start() runs the job. */
    void (*wake)(void *ctx);
    void *wake_ctx;
};

enum acme_rc acme_crew_new(const struct acme_crew_conf *conf,
    struct acme_crew **crew, struct acme_error *err);
/* Waits for the jobs, whose host must want to stop; accepts NULL. */
void acme_crew_free(struct acme_crew *crew);

/* Issuers of the same CA have the same number, that of the first of them. */
size_t acme_crew_ca(const struct acme_crew *crew, size_t issuer);

/* Whether one more job may be started at that CA. */
bool acme_crew_has_room(const struct acme_crew *crew, size_t ca);

/* Starts a job.  False: there is no room. */
bool acme_crew_start(struct acme_crew *crew, size_t unit, bool force);

/* A job that has ended; false: none has. */
struct acme_crew_ended {
    size_t unit;
    bool force;
    struct acme_job_result result;
    struct acme_error err;
};
bool acme_crew_take(struct acme_crew *crew, struct acme_crew_ended *ended);

/* Blocks until every job has ended. */
void acme_crew_join(struct acme_crew *crew);

#endif

/*
 * The engine: knows when each lineage is due, runs its job, remembers how it
 * went and when to try again.  Touches no file; the store answers for that
 * (acme_vault.h).
 */
#ifndef ACME_ENGINE_H
#define ACME_ENGINE_H

#include <stdbool.h>

#include "base/acme_host.h"
#include "drive/acme_crew.h"
#include "drive/acme_vault.h"
#include "state/acme_config.h"

struct acme_engine;

/* Borrows all of it.  present_ms: see struct acme_job. */
struct acme_engine_conf {
    const struct acme_config *config;
    const struct acme_host *host;
    struct acme_vault *vault;
    struct acme_network network;
    const struct acme_runner_link *runner; /* NULL: no lineage has a command */
    const struct acme_runner_link *standalone;    /* NULL: nobody listens */
    const struct acme_preflight_means *preflight; /* see struct acme_job */
    unsigned present_ms;
    const struct acme_dns_servers *resolver; /* the host's; or NULL */
    /* Before the first job: in a reload the workers of the old configuration
     * take connections until the new ones run, and decline the challenges of
     * names that are new. */
    unsigned settle_ms;
    /* When there is nothing to start: like host->wait, but ends early when
     * the store has something to say or wake() was called. */
    bool (*idle)(void *ctx, unsigned ms);
    /* Called by other threads.  NULL: one job at a time, in this one. */
    void (*wake)(void *ctx);
    void *idle_ctx; /* of both */
    /* Milliseconds of a clock that nobody sets, with idle_ctx; NULL: whether
     * ours is set is not noticed. */
    long long (*ticks_ms)(void *ctx);
    uint32_t (*random)(void *ctx);
    void *random_ctx;
    /* The loop ends when nothing is due any more.  A start is no hint that
     * anybody has mended something then, and accounts are left as they are. */
    bool sweeps;
};

enum acme_rc acme_engine_new(const struct acme_engine_conf *conf,
    struct acme_engine **engine, struct acme_error *err);
void acme_engine_free(struct acme_engine *engine); /* accepts NULL */

/*
 * Reads every lineage's state and plans it.  An attempt found open is
 * counted as one that killed an engine, if `crashed` (the last engine of this
 * service died of itself).
 */
enum acme_rc acme_engine_plan(struct acme_engine *engine, bool crashed,
    struct acme_error *err);

/* When the next job is due; 0: none is planned. */
time_t acme_engine_next(const struct acme_engine *engine);

/* Takes the store's notices: renewals asked for, lineages that moved.
 * ACME_IO: the store is gone. */
enum acme_rc acme_engine_notices(struct acme_engine *engine);

/* Concludes the jobs that have ended and starts the most urgent due one there
 * is room for; without threads it has ended when this returns.  False: none
 * was started. */
bool acme_engine_run_one(struct acme_engine *engine);

/* Asks for a renewal as a person would; `id` as in struct acme_notice.
 * (acmectl without a server: the answer goes to acme_vault_done() too.) */
void acme_engine_request(struct acme_engine *engine, size_t lineage,
    unsigned flags, uint64_t id);

/* When there will be something to do for one that sweeps; 0: there is nothing
 * planned. */
time_t acme_engine_next_sweep(const struct acme_engine *engine);

/* Plans, then runs jobs as they become due until the host stops us, the store
 * is gone, or a sweep is over.  Blocks. */
enum acme_rc acme_engine_loop(struct acme_engine *engine, bool crashed,
    struct acme_error *err);

#endif

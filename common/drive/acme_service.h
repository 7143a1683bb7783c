/*
 * The processes beside a server: a supervisor that stays what the server was
 * started as, and below it a store and an engine, restarted together with a
 * growing pause when one of them dies, and with them a runner, where programs
 * of the administrator's change the DNS.  Where thumbprints are in files there
 * is also a watcher, and with config->answers_only nobody else.  All of them
 * end when the server's master says so or is gone.  A connection between it
 * and the supervisor tells each of the other's life.
 */
#ifndef ACME_SERVICE_H
#define ACME_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/acme_host.h"
#include "drive/acme_checker.h"
#include "drive/acme_registrar.h"
#include "drive/acme_revoker.h"
#include "drive/acme_selftest.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

/* The server around the service; called in the supervisor process only. */
struct acme_server {
    void *ctx;
    /* One line into the server's log. */
    void (*log)(void *ctx, enum acme_level level, const char *line);
    /* The process title, e.g. "acme engine"; may be NULL. */
    void (*title)(void *ctx, const char *title);
    /* Descriptors that log() writes to: they stay open. */
    const int *fds;
    size_t nfds;
    /*
     * The service also ends when this process is gone: another one that the
     * server has forked may hold the connection still.  It must live during
     * acme_service_start().  0, or a kernel without pidfd_open(2): only the
     * connection tells.
     */
    pid_t master;
};

struct acme_service {
    int lifetime; /* the server's end of the connection; -1: none */
    pid_t pid;    /* of the supervisor; 0 when detached */
};

/* The supervisor is nobody's child. */
#define ACME_SERVICE_DETACH 1u

/* Nothing is waited for: `area` is filled already, by a supervisor that is
 * gone, and the caller must not sleep. */
#define ACME_SERVICE_NO_WAIT 2u

/* Workers of an older configuration may take connections for another moment:
 * they decline the challenges of names that are new. */
#define ACME_SERVICE_RELOAD 4u

/*
 * Forks the supervisor and, unless told not to, waits (at most 15 s) until the
 * area is filled, so that the first handshake is right.  `config` and `area`
 * are inherited.  ACME_OK also when the state directory turns out unusable:
 * the service says so in the log and looks again each minute.  On failure
 * `service` is untouched.
 */
enum acme_rc acme_service_start(const struct acme_config *config,
    struct acme_area *area, const struct acme_server *server, unsigned flags,
    struct acme_service *service, struct acme_error *err);

/* Whether the supervisor lives; false where there is no connection.  Does not
 * block, and whose child the supervisor is does not matter. */
bool acme_service_alive(const struct acme_service *service);

/* In the master only: ends the service of an old configuration, whoever else
 * has inherited the connection.  Raises no signal, does not wait. */
void acme_service_stop(struct acme_service *service);

/* The same, where no configuration follows: the server ends.  Lineages that
 * are not to outlive it go then. */
void acme_service_end(struct acme_service *service);

/* In a worker: only lets go of the connection. */
void acme_service_forget(struct acme_service *service);

/*
 * acmectl: one engine and one store that renew `lineages` now, from the
 * settings in the state directory, or carry out the revocations, or work at an
 * account, or look at records in the DNS, or at names (acme_selftest.h).
 * `done` is called for each, by its lineage or its place in the list, with the
 * outcome.  Blocks until all are through.
 */
struct acme_service_work {
    const size_t *lineages;
    size_t nlineages;
    unsigned flags; /* ACME_RENEW_FORCE; or _TRIAL, a dry run */
    /* With these there are no lineages. */
    const struct acme_revocation *revocation;
    size_t nrevocations;
    const struct acme_account_work *account; /* or with this; NULL: not */
    const struct acme_record_check *check;   /* or with these */
    size_t nchecks;
    const struct acme_selftest_work *selftest; /* or with this; NULL: not */
    /* Or nobody asks for anything: what is due of all lineages is done, and
     * `done` told once, with the time of what comes next as a number; 0:
     * nothing does. */
    bool sweep;
    const int *stop; /* ends it early, by its end; NULL: nothing does */
    bool *crashed;   /* the engine before this one, and then this one, died of
                        itself; NULL: nobody knows */
    void (*done)(void *ctx, size_t lineage, bool ok, const char *text);
    void (*tick)(void *ctx); /* every second; NULL: not */
    /* Shows a person a text and, if `waits`, blocks until he says that he is
     * done; false: he is not.  With config->asks; else NULL. */
    bool (*ask)(void *ctx, const char *text, bool waits);
    void *ctx;
};
enum acme_rc acme_service_run_once(const struct acme_config *config,
    const struct acme_server *server, const struct acme_service_work *work,
    struct acme_error *err);

#endif

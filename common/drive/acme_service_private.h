/*
 * What the files behind acme_service.h share: the supervisor, and how it
 * starts, watches and stops what is below it.
 */
#ifndef ACME_SERVICE_PRIVATE_H
#define ACME_SERVICE_PRIVATE_H

#include "drive/acme_service.h"

#include "drive/acme_child.h"
#include "drive/acme_engine_process.h"
#include "drive/acme_store_process.h"

struct part {
    pid_t pid; /* 0: not running */
    int stop;  /* our end; closing it asks for the end */
    int status;
    bool told; /* why it has ended; or it was us */
};

struct supervisor {
    const struct acme_config *config;
    struct acme_area *area;
    const struct acme_server *server;
    const struct acme_store_errand *errand;
    struct acme_engine_pace pace;
    int lifetime; /* our end */
    int master;   /* pidfd; -1: only the connection tells */
    int log[2];
    int ready; /* -1 once used */
    struct part store, engine, runner, watcher, sweeper, standalone;
    /* Ends of pairs with the runner, and with who listens in a server's place,
     * while the parts are started; -1: none. */
    int engine_runner, store_runner, runner_store, engine_standalone;
    int ask[2]; /* questions to a person: ours, the runner's; -1: none */
    long long watcher_at; /* not before (ms) */
    bool for_good;        /* the server has ended, and said so */
    bool crashed;         /* the last engine, or store, died of itself */
    struct {
        bool wanted;       /* there are sweeps */
        long long look_at; /* at the settings, whether they have changed */
        struct timespec settings;
        long long at;   /* the next one (ms) */
        int news;       /* when that is, by the one that runs; -1: none does */
        bool is_change; /* the settings have changed since the last one */
        bool crashed;   /* its engine, or store, died of itself */
    } sweep;
};

void acme_service_log(struct supervisor *supervisor, enum acme_level level,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void acme_service_title(const struct supervisor *supervisor,
    const char *title);
void acme_service_close(int *fd);

/* All zero, no descriptor is one. */
void acme_service_init(struct supervisor *supervisor,
    const struct acme_config *config, const struct acme_server *server);

/* Forks one, which `become` does not return in; frame: its end of a pair, or
 * -1; ready: what it closes, or writes to; or -1. */
bool acme_service_start_part(struct supervisor *supervisor, struct part *part,
    int frame, int ready,
    void (*become)(struct supervisor *supervisor, struct acme_child *child));

/* Store, engine and, where there may be something to run, runner; and who
 * listens in a server's place, where lineages have said so. */
bool acme_service_start_parts(struct supervisor *supervisor);

/* Passes on the lines of all parts. */
void acme_service_drain(struct supervisor *supervisor);

/* Whether it has ended, or does not run. */
bool acme_service_reap(struct part *part);
void acme_service_report(struct supervisor *supervisor, struct part *part);

/* It died of itself; not because somebody killed it: then its job goes on at
 * once, and the pause between two starts is enough should it be the kernel,
 * short of memory. */
bool acme_service_is_crash(int status);

/* Waits until a line, the master's end or the time.  False: the master is gone
 * or has stopped the service. */
bool acme_service_watch(struct supervisor *supervisor, int ms);

/* Asks for the end and waits for it. */
void acme_service_stop_part(struct supervisor *supervisor, struct part *part);
void acme_service_stop_parts(struct supervisor *supervisor);

/* The least between two starts of the watcher, whose work cannot fail. */
#define ACME_WATCHER_MS 2000

/* It lives beside store and engine, whatever becomes of them. */
void acme_service_keep_watcher(struct supervisor *supervisor);

/* ---- acme_service_sweep.c --------------------------------------------- */

/* Often: starts a sweep when it is time for one, and hears what the last has
 * to say. */
void acme_service_keep_sweeper(struct supervisor *supervisor);

#endif

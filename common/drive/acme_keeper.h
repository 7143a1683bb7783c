/*
 * The store process's work: fills the key area, answers the engine's frames,
 * notices what others did to the state directory.  Decides what is accepted
 * and served; believes the engine nothing but bytes.  Knows no network and no
 * process (acme_service.c runs it).
 */
#ifndef ACME_KEEPER_H
#define ACME_KEEPER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_buf.h"
#include "base/acme_host.h"
#include "state/acme_area.h"
#include "state/acme_config.h"
#include "state/acme_frame.h"
#include "state/acme_store.h"

struct acme_keeper;

/*
 * Borrows all of it; `area` may be NULL (acmectl: nobody serves from us).
 * Reads the operator's own account keys, so it comes before the sandbox.
 */
enum acme_rc acme_keeper_new(const struct acme_config *config,
    struct acme_store *store, struct acme_area *area,
    const struct acme_host *host, struct acme_keeper **keeper,
    struct acme_error *err);
void acme_keeper_free(struct acme_keeper *keeper); /* accepts NULL */

/*
 * Whether the settings of the configuration's lineages are written to the
 * state directory (a server's) or taken from there (acmectl's); or a lineage
 * is what the configuration says, and its settings become that with a new
 * certificate (acmectl issues one); or nothing is changed and only what is
 * there is published (a state directory that can't be written).  In a dry run
 * (acmectl's too) nothing of a lineage is changed,
 * whatever the engine says: no version, record, order, event, hook's outcome;
 * there may be a new account, and challenges while they are to be answered.
 */
enum acme_keeper_role {
    ACME_KEEPER_DECLARES,
    ACME_KEEPER_OBEYS,
    ACME_KEEPER_ISSUES,
    ACME_KEEPER_READS,
    ACME_KEEPER_TRIES
};

/*
 * At start: recovers what a crash left and fills the area.  Trouble with one
 * lineage is logged and does not stop the others.
 */
void acme_keeper_start(struct acme_keeper *keeper, enum acme_keeper_role role);

/*
 * After that, before the first frame: declares the lineages and finds out
 * what is wanted of each.  Nobody's handshake waits for it, a first start
 * with thousands of lineages syncs as many files.
 */
void acme_keeper_settle(struct acme_keeper *keeper);

/* Makes what the configuration says of a lineage the wish in its settings. */
enum acme_rc acme_keeper_declare(struct acme_keeper *keeper, size_t lineage,
    struct acme_error *err);

/*
 * Answers one frame of the engine.  False: a bad frame; the engine that sent
 * it cannot be trusted any more.  DONE is passed to `done` (see below).
 */
bool acme_keeper_answer(struct acme_keeper *keeper,
    const struct acme_buf *request, struct acme_buf *reply);

/* Called for the engine's answer to a RENEW. */
void acme_keeper_on_done(struct acme_keeper *keeper,
    void (*done)(void *ctx, uint64_t id, bool ok, const char *text),
    void *ctx);

/*
 * Once a second or more often: looks what others changed, publishes it, calls
 * `moved` for each lineage whose live version did, and renders what workers
 * tell of lineages, for some milliseconds.
 */
void acme_keeper_look(struct acme_keeper *keeper,
    void (*moved)(void *ctx, size_t lineage), void *ctx);

/* Whether there is more to be rendered for workers than a look has time for:
 * the next one may come soon. */
bool acme_keeper_is_behind(const struct acme_keeper *keeper);

/*
 * The socket of the runner, which is asked to run deploy hooks; without it
 * there are none.  Before acme_keeper_start().  _hear reads an answer that is
 * there; false: the runner is gone.  _asked counts questions without an
 * answer; _end_hooks asks for what was to wait until the end.
 */
void acme_keeper_use_runner(struct acme_keeper *keeper, int fd);
bool acme_keeper_hear_runner(struct acme_keeper *keeper);
size_t acme_keeper_asked(const struct acme_keeper *keeper);
void acme_keeper_end_hooks(struct acme_keeper *keeper);

/*
 * Before acme_keeper_start(), if nothing of the server has run just now:
 * removes what acme_keeper_forget() would have, had it been called.
 */
void acme_keeper_forget_left(struct acme_keeper *keeper);

/*
 * After the server has ended for good, and acme_control_close(): removes the
 * files of lineages that are not to outlive it (acme_issuer's `forgets`),
 * unless somebody else needs them.
 */
void acme_keeper_forget(struct acme_keeper *keeper);

/* The directories outside the state directory that the store may read in:
 * how many there are, and as many of them as fit (borrowed). */
size_t acme_keeper_csr_dirs(const struct acme_keeper *keeper, int *fds,
    size_t max);

#endif

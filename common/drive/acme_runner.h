/*
 * The process that runs the administrator's programs: a third one beside
 * store and engine, where a lineage has a command.  It keeps what the server
 * was started as, and talks neither to the network nor to the state
 * directory.  Of what the engine asks (acme_errand.h) it believes nothing; the
 * program is that of its own configuration.
 */
#ifndef ACME_RUNNER_H
#define ACME_RUNNER_H

#include "drive/acme_child.h"
#include "state/acme_config.h"

/*
 * Everything until exit.  child->frame is the runner's end of a pair: each
 * frame has a descriptor with it, an end of a SOCK_SEQPACKET pair on which the
 * answer is sent; its end means that nobody waits for it any more, and the
 * program is ended.  Of one program one at a time is run: most were written
 * for clients that work one by one.  Stops, with all it has started, as the
 * other children do and when the engine is gone.  ACME_EXIT_BAD_PEER: the
 * engine has sent what it may not.
 */
void acme_runner_process(const struct acme_config *config,
    struct acme_child *child) __attribute__((noreturn));

#endif

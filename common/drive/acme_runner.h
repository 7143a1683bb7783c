/*
 * The process that runs the administrator's programs: a third one beside
 * store and engine.  It keeps what the server was started as, and talks to no
 * network; of the state directory it looks at renewal-hooks/ alone.  Of what
 * the others ask (acme_errand.h, acme_stage_ask.h) it believes nothing; the
 * programs are those of its own configuration.
 */
#ifndef ACME_RUNNER_H
#define ACME_RUNNER_H

#include "drive/acme_child.h"
#include "state/acme_config.h"

/* What child->ask carries, a message each: the first byte says whether the
 * person's word is waited for, which is one byte, "1" for done; then the
 * text. */
#define ACME_ASK_WAITS '?'
#define ACME_ASK_TELLS '.'
#define ACME_ASK_MAX 2048

/*
 * Everything until exit.  child->frame is the runner's end of a pair with the
 * engine: each frame has a descriptor with it, an end of a SOCK_SEQPACKET pair
 * on which the answer is sent; its end means that nobody waits for it any
 * more, and the program is ended.  child->store is the one of the pair with
 * the store, which gets its answers there.  Of one program that changes the
 * DNS, of hooks, and of commands that are told of events, one at a time is
 * run: most were written for clients that work one by one.  `holds`: post
 * hooks wait until the store asks for them.  Stops, with all it has started,
 * as the other children do and when the engine is gone.  ACME_EXIT_BAD_PEER:
 * the engine has sent what it may not.
 */
void acme_runner_process(const struct acme_config *config,
    struct acme_child *child, bool holds) __attribute__((noreturn));

#endif

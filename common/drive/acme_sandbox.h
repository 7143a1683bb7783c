/*
 * What a process of ours gives up before it touches anything foreign.  Best
 * effort: a kernel without Landlock or seccomp makes the process less
 * confined, never less able to work; what was achieved is reported.
 */
#ifndef ACME_SANDBOX_H
#define ACME_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/acme_error.h"

struct acme_sandbox_report {
    bool landlock;
    bool seccomp;
    bool capabilities;
};

/* Any process of ours: not dumpable, no core file, umask 077. */
void acme_sandbox_process(void);

/*
 * The store: no capability but CAP_CHOWN, no file outside the directory of
 * `state_fd`, but for reading what is in the directories `read_fds`; no
 * network, no exec, no ptrace.  Sockets must exist already.
 */
void acme_sandbox_store(int state_fd, const int *read_fds, size_t nread_fds,
    struct acme_sandbox_report *report);

/* Who works in the directory of somebody else, as him: no file elsewhere, no
 * capability, no network, no exec. */
void acme_sandbox_webroot(int dir_fd, struct acme_sandbox_report *report);

/*
 * Who listens in a server's place: becomes uid:gid like the engine, and keeps
 * CAP_NET_BIND_SERVICE alone; no file, no connection of its own, no exec.
 */
enum acme_rc acme_sandbox_standalone(uid_t uid, gid_t gid,
    struct acme_sandbox_report *report, struct acme_error *err);

/* Who only reads: no capability, writes no file, no network, no exec. */
void acme_sandbox_watcher(struct acme_sandbox_report *report);

/*
 * The engine: becomes uid:gid with no other group when started as root (an
 * error if that fails), writes no file, listens nowhere, executes nothing.
 */
enum acme_rc acme_sandbox_engine(uid_t uid, gid_t gid,
    struct acme_sandbox_report *report, struct acme_error *err);

#endif

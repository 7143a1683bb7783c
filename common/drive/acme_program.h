/*
 * One foreign program, from its start to its end and that of everything it
 * has started: bounded in time and output, with nothing of ours but a few
 * words.  Knows nothing of what the program is for.
 */
#ifndef ACME_PROGRAM_H
#define ACME_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/acme_buf.h"
#include "base/acme_error.h"

/* What a pipe holds for sure (pipe(7): 64 kB), so that nobody has to write
 * while it is read. */
#define ACME_PROGRAM_INPUT_MAX ((size_t)32 * 1024)

struct acme_program {
    const char *path;        /* absolute */
    const char *shown;       /* its name in errors */
    const char *const *argv; /* ended by NULL, as the next */
    const char *const *envp;
    bool become; /* another user; only root can */
    uid_t uid;
    gid_t gid;
    unsigned timeout; /* seconds */
    /* What it finds at its standard input, at most ACME_PROGRAM_INPUT_MAX
     * bytes; NULL: nothing. */
    const void *input;
    size_t input_len;
    /* Of all that it writes, to whichever output, the end alone is kept, and
     * it may be as much as it likes. */
    bool tail;
    /* Descriptors that say by an end, or a byte, that it is to be stopped; or
     * -1. */
    int stop[2];
};

/* What became of it besides. */
struct acme_program_end {
    bool began;    /* it was executed at all */
    int status;    /* that it has ended with by itself, or -1 */
    unsigned left; /* processes that it left behind, killed since */
};

/*
 * Runs it and waits.  It has a session of its own, "/" as its directory, umask
 * 077, no descriptor but the standard ones, /dev/null as its input if there is
 * none.  What it writes to its output goes to `output`, without NUL bytes.  On
 * Linux all its descendants are gone afterwards; the caller must be a process
 * without other children, as it adopts them.  With program->tail `output` has
 * the last of it, failed or not.
 *
 * ACME_IO, each with a text of its own: it does not exist, is not executable,
 * failed (with the end of what it wrote to its standard error), was killed by
 * a signal, ran out of time, wrote more than ACME_COMMAND_OUTPUT_MAX.
 * ACME_STOPPING.
 */
enum acme_rc acme_program_run(const struct acme_program *program,
    struct acme_buf *output, struct acme_program_end *end,
    struct acme_error *err);

/* Kills all children of this process, and theirs as they become ours; for at
 * most `ms`.  Returns how many were killed. */
unsigned acme_program_kill_children(unsigned ms);

#endif

/*
 * What runs the command of a lineage, inside the job's own wait: no process
 * and no time of day.  It takes what a real runner would, keeps the records
 * that are there, writes down what it was asked for, and lets a CA of
 * fake_ca.h look at them.
 *
 *     struct fake_runner r;
 *
 *     fake_runner_open(&r, d);
 *     r.how = fails_for_www;
 *     fake_job_need(d, 0, false, &out);
 *     assert_string_equal(r.log, "add a.test remove a.test done ");
 *     fake_runner_close(&r);
 *
 * One at a time.
 */
#ifndef FAKE_RUNNER_H
#define FAKE_RUNNER_H

#include "drive/acme_errand.h"
#include "drive/acme_job.h"
#include "fake_drive.h"

/* What a program makes of an errand: an error, what it wrote, and how it
 * ended.  All are as if it did it, without a word. */
struct fake_run {
    struct acme_error err;
    struct acme_errand_end end;
    char output[64];
    bool silent; /* it never ends */
};

struct fake_runner {
    struct fake_drive *d;
    char stages[256]; /* of hooks that were asked for: "pre post " */
    struct acme_runner_link link; /* of the job */
    int fd;
    int held; /* the answer that nobody gets; -1: none */
    bool (*wait)(void *ctx, unsigned ms); /* the host's own */
    void (*how)(struct fake_run *run, const struct acme_errand *errand);
    char log[4096]; /* "add NAME", "remove NAME done", "... failed" */
    size_t n;
    struct {
        char owner[ACME_OWNER_MAX + 1];
        char value[ACME_THUMBPRINT_LEN + 1];
    } there[8];
};

void fake_runner_open(struct fake_runner *runner, struct fake_drive *d);
void fake_runner_close(struct fake_runner *runner);

/* Whether dns-01 of that name can be proved now; the detail of a failure. */
const char *fake_runner_validate(const struct fake_runner *runner,
    const struct fake_validation *v);

/* With a command of that convention, for lineages from now on. */
void fake_runner_proof(struct acme_proof *proof, enum acme_command_kind kind);

#endif

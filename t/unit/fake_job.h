/*
 * One job by itself, over an installation of fake_drive.h.
 *
 *     struct fake_job_outcome out;
 *
 *     fake_job_need(d, 0, false, &out);
 *     assert_int_equal(out.result.version, 1);
 */
#ifndef FAKE_JOB_H
#define FAKE_JOB_H

#include "drive/acme_job.h"
#include "fake_drive.h"

struct fake_job_outcome {
    struct acme_job_result result;
    struct acme_error err;
};

/* fake_drive_setup() with the lineage "a.test" of a.test and www.a.test; and
 * with the service open. */
int fake_job_setup_one(void **state);
int fake_job_setup(void **state);

/* Runs a lineage's first unit at CA 0. */
enum acme_rc fake_job_run(struct fake_drive *d, size_t lineage, bool force,
    struct fake_job_outcome *out);
/* The same, and the test fails if it does. */
void fake_job_need(struct fake_drive *d, size_t lineage, bool force,
    struct fake_job_outcome *out);

/* Fails unless the outcome is this, with `text` in its line. */
void fake_job_expect(const struct fake_job_outcome *out, enum acme_rc rc,
    const char *text);

/* A chain of some CA for these names (NULL at the end) and a new key. */
struct acme_chain *fake_job_chain(const char *const *names);

#endif

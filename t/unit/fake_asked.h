/*
 * The other end of what a store asks its runner for: the test takes the
 * questions, and answers them, as a runner would.
 *
 *     int runner = fake_asked_open(d);
 *     struct acme_stage_ask ask;
 *
 *     assert_true(fake_asked_take(d, runner, &ask, NULL));
 *     fake_asked_answer(d, runner, &ask, NULL, NULL);
 *     close(runner);
 */
#ifndef FAKE_ASKED_H
#define FAKE_ASKED_H

#include "drive/acme_stage_ask.h"
#include "fake_drive.h"

/* The open drive's store has a runner from now on: the test, at this end. */
int fake_asked_open(struct fake_drive *d);

/*
 * The next question, if there is one.  `json` and `domains` of it are in
 * `data`, which is the caller's to clear; NULL: not wanted.
 */
bool fake_asked_take(struct fake_drive *d, int runner,
    struct acme_stage_ask *ask, struct acme_buf *data);

/* `error` NULL: it went well.  `outcome` NULL: no program was begun. */
void fake_asked_answer(struct fake_drive *d, int runner,
    const struct acme_stage_ask *ask, const char *error,
    const struct acme_stage_outcome *outcome);

#endif

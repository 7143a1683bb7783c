#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_asked.h"

int
fake_asked_open(struct fake_drive *d)
{
    int fds[2];

    assert_int_equal(acme_frame_pair(fds, &d->err), ACME_OK);
    acme_keeper_use_runner(d->keeper, fds[1]);
    return fds[0];
}

bool
fake_asked_take(struct fake_drive *d, int runner, struct acme_stage_ask *ask,
    struct acme_buf *data)
{
    struct pollfd pfd = { runner, POLLIN, 0 };
    struct acme_frame frame;
    struct acme_buf own;

    if (poll(&pfd, 1, 0) != 1)
        return false;
    acme_buf_init(&own, ACME_FRAME_MAX);
    assert_int_equal(acme_frame_recv(runner, &own, &d->err), ACME_OK);
    assert_true(acme_frame_open(&frame, own.data, own.len));
    assert_true(acme_stage_ask_parse(&frame, d->config, false, ask));
    if (data != NULL) {
        *data = own;
        return true;
    }
    ask->json = ask->domains = NULL;
    ask->json_len = ask->domains_len = 0;
    acme_buf_clear(&own);
    return true;
}

void
fake_asked_answer(struct fake_drive *d, int runner,
    const struct acme_stage_ask *ask, const char *error,
    const struct acme_stage_outcome *outcome)
{
    struct acme_error err;
    struct acme_buf data;

    acme_error_clear(&err);
    acme_buf_init(&data, ACME_FRAME_MAX);
    if (error != NULL)
        (void)acme_error_set(&err, ACME_IO, "%s", error);
    acme_stage_answer_begin(ask, &err, &data);
    if (outcome != NULL)
        acme_stage_answer_add(outcome, &data);
    acme_error_clear(&err);
    assert_int_equal(acme_frame_send(runner, &data, &err), ACME_OK);
    acme_buf_clear(&data);
    assert_true(acme_keeper_hear_runner(d->keeper));
}

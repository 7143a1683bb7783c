#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <unistd.h>

#include "base/acme_base64.h"
#include "base/acme_name.h"
#include "drive/acme_stage_ask.h"
#include "fake_runner.h"
#include "wrap/acme_hash.h"

static struct fake_runner *current;

/* ---- records ---------------------------------------------------------- */

static void
add(struct fake_runner *runner, const struct acme_errand *errand)
{
    assert_true(runner->n < 8);
    strcpy(runner->there[runner->n].owner, errand->owner);
    strcpy(runner->there[runner->n++].value, errand->value);
}

static void
take_away(struct fake_runner *runner, const struct acme_errand *errand)
{
    size_t i;

    for (i = 0; i < runner->n; i++)
        if (strcmp(runner->there[i].owner, errand->owner) == 0 &&
            strcmp(runner->there[i].value, errand->value) == 0)
            runner->there[i] = runner->there[--runner->n];
}

static void
write_down(struct fake_runner *runner, const struct acme_errand *errand)
{
    size_t len = strlen(runner->log);

    (void)snprintf(runner->log + len, sizeof(runner->log) - len, "%s %s%s ",
        errand->add ? "add" : "remove", errand->name,
        errand->add      ? ""
        : errand->failed ? " failed"
                         : " done");
    if (errand->output_len > 0) {
        len = strlen(runner->log);
        (void)snprintf(runner->log + len, sizeof(runner->log) - len, "(%.*s) ",
            (int)errand->output_len, errand->output);
    }
}

/* ---- errands ---------------------------------------------------------- */

static void
answer(struct fake_runner *runner, const struct acme_errand *errand, int fd)
{
    struct fake_run run = { .end = { .refused = false } };
    struct acme_buf frame, output;

    acme_error_clear(&run.err);
    if (runner->how != NULL)
        runner->how(&run, errand);
    if (run.silent) {
        runner->held = fd;
        return;
    }
    if (run.err.rc == ACME_OK && errand->add)
        add(runner, errand);
    else if (run.err.rc == ACME_OK)
        take_away(runner, errand);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_buf_init(&output, ACME_COMMAND_OUTPUT_MAX);
    acme_buf_add_str(&output, run.output);
    acme_errand_reply(&run.err, &output, &run.end, &frame);
    acme_error_clear(&run.err);
    assert_int_equal(acme_frame_send(fd, &frame, &run.err), ACME_OK);
    close(fd);
    acme_buf_clear(&output);
    acme_buf_clear(&frame);
}

/* Hooks, of which there are none. */
static void
answer_stage(struct fake_runner *runner, struct acme_frame *frame, int fd)
{
    struct acme_stage_ask ask;
    struct acme_error none;
    struct acme_buf reply;
    size_t len = strlen(runner->stages);

    acme_error_clear(&none);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    assert_true(acme_stage_ask_parse(frame, runner->d->config, true, &ask));
    (void)snprintf(runner->stages + len, sizeof(runner->stages) - len,
        "%s%s%s ", acme_hooks_item_name(ask.stage),
        ask.renews ? " renews" : "", ask.failed ? " failed" : "");
    acme_stage_answer_begin(&ask, &none, &reply);
    if (ask.stage != ACME_HOOKS_POST) /* nobody waits for that */
        assert_int_equal(acme_frame_send(fd, &reply, &none), ACME_OK);
    close(fd);
    acme_buf_clear(&reply);
}

static void
serve(struct fake_runner *runner)
{
    struct pollfd pfd = { runner->fd, POLLIN, 0 };
    const struct acme_lineage *lineage;
    struct acme_errand errand;
    struct acme_frame frame;
    struct acme_error err;
    struct acme_buf data;
    int fd = -1;

    if (poll(&pfd, 1, 0) != 1)
        return;
    acme_error_clear(&err);
    acme_buf_init(&data, ACME_FRAME_MAX);
    assert_int_equal(acme_frame_recv_fd(runner->fd, &data, &fd, &err),
        ACME_OK);
    assert_true(acme_frame_open(&frame, data.data, data.len));
    if (frame.verb == ACME_VERB_STAGE) {
        answer_stage(runner, &frame, fd);
        acme_buf_clear(&data);
        return;
    }
    assert_true(frame.index < runner->d->config->nlineages);
    lineage = &runner->d->config->lineage[frame.index];
    assert_true(acme_errand_parse(&frame, lineage->proof, &errand));
    write_down(runner, &errand);
    answer(runner, &errand, fd);
    acme_buf_clear(&data);
}

static bool
wait_and_serve(void *ctx, unsigned ms)
{
    serve(current);
    return current->wait(ctx, ms);
}

/* ---- validation (RFC 8555 8.4) ---------------------------------------- */

const char *
fake_runner_validate(const struct fake_runner *runner,
    const struct fake_validation *v)
{
    unsigned char digest[ACME_HASH_LEN];
    char owner[ACME_OWNER_MAX + 1];
    struct acme_error err;
    struct acme_buf value;
    bool found = false;
    size_t i;

    acme_error_clear(&err);
    (void)snprintf(owner, sizeof(owner), "_acme-challenge.%s",
        v->name + (acme_name_is_wildcard(v->name) ? 2 : 0));
    acme_buf_init(&value, ACME_THUMBPRINT_LEN);
    assert_int_equal(acme_hash(v->key_authorization,
                         strlen(v->key_authorization), digest, &err),
        ACME_OK);
    acme_base64_encode(&value, digest, sizeof(digest));
    for (i = 0; i < runner->n; i++)
        found = found ||
                (strcmp(runner->there[i].owner, owner) == 0 &&
                    strcmp(runner->there[i].value, acme_buf_str(&value)) == 0);
    acme_buf_clear(&value);
    return found ? NULL : "no such record";
}

static const char *(
    *validate_other)(void *ctx, const struct fake_validation *v);

static const char *
validate(void *ctx, const struct fake_validation *v)
{
    return strcmp(v->type, "dns-01") == 0 ? fake_runner_validate(current, v)
                                          : validate_other(ctx, v);
}

/* ---- */

void
fake_runner_proof(struct acme_proof *proof, enum acme_command_kind kind)
{
    acme_proof_init(proof);
    proof->said = 1u << ACME_PROOF_COMMAND | 1u << ACME_PROOF_DNS_PROPAGATION;
    proof->command.kind = kind;
    proof->command.nwords = 1;
    proof->command.word[0] = "/bin/hook";
    proof->propagation = 0;
}

void
fake_runner_open(struct fake_runner *runner, struct fake_drive *d)
{
    struct acme_error err;
    int fds[2];

    memset(runner, 0, sizeof(*runner));
    acme_error_clear(&err);
    assert_int_equal(acme_frame_pair(fds, &err), ACME_OK);
    runner->d = d;
    runner->link.fd = fds[0];
    runner->fd = fds[1];
    runner->held = -1;
    runner->wait = d->host.host.wait;
    d->host.host.wait = wait_and_serve;
    d->runner = &runner->link;
    validate_other = d->ca->conf.validate;
    d->ca->conf.validate = validate;
    current = runner;
}

void
fake_runner_close(struct fake_runner *runner)
{
    runner->d->host.host.wait = runner->wait;
    runner->d->runner = NULL;
    runner->d->ca->conf.validate = validate_other;
    close(runner->link.fd);
    close(runner->fd);
    if (runner->held != -1)
        close(runner->held);
    current = NULL;
}

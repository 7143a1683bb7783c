/*
 * Records that a program of the administrator's makes: the runner is asked to
 * run it, over a pair of sockets that is made for the one answer.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/acme_errand.h"
#include "drive/acme_job_dns.h"

/* How often it is looked for an answer (ms): at first, and at most. */
#define LOOK_MS 20
#define LOOK_MOST_MS 500

static enum acme_rc
wait_ms(const struct acme_run *run, unsigned ms, struct acme_error *err)
{
    if (run->job->host->wait(run->job->host->ctx, ms))
        return ACME_OK;
    return acme_error_set(err, ACME_STOPPING, "stopped");
}

static bool
copy(char *to, size_t size, const char *from)
{
    size_t len = strlen(from);

    if (len < size)
        memcpy(to, from, len + 1);
    return len < size;
}

static bool
fill(struct acme_errand *errand, const struct acme_dns_record *record)
{
    memset(errand, 0, sizeof(*errand));
    errand->type = record->type;
    errand->remaining = (unsigned)record->remaining;
    errand->all = record->all;
    errand->all_len = strlen(record->all);
    errand->output = record->output;
    errand->output_len = strlen(record->output);
    return copy(errand->name, sizeof(errand->name), record->name) &&
           copy(errand->owner, sizeof(errand->owner), record->owner) &&
           copy(errand->value, sizeof(errand->value), record->value) &&
           copy(errand->token, sizeof(errand->token), record->token);
}

static enum acme_rc
send_errand(struct acme_run *run, const struct acme_errand *errand, int answer,
    struct acme_error *err)
{
    const size_t lineage = (size_t)(run->lineage - run->job->config->lineage);
    struct acme_error busy;
    struct acme_buf frame;
    enum acme_rc rc;

    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_errand_render(errand, (uint32_t)lineage, &frame);
    for (;;) {
        acme_error_clear(&busy);
        rc = acme_frame_send_fd(run->job->runner->fd, &frame, answer, &busy);
        if (rc != ACME_BUSY)
            break;
        rc = wait_ms(run, LOOK_MOST_MS, err);
        if (rc != ACME_OK)
            goto done;
    }
    if (rc != ACME_OK)
        rc = acme_error_set(err, rc, "cannot ask the runner: %s", busy.what);

done:
    acme_buf_clear(&frame);
    return rc;
}

/* Others have the turn meanwhile. */
static enum acme_rc
await_answer(const struct acme_run *run, int fd, struct acme_error *err)
{
    struct pollfd pfd = { fd, POLLIN, 0 };
    unsigned ms = LOOK_MS;
    enum acme_rc rc = ACME_OK;

    while (rc == ACME_OK && poll(&pfd, 1, 0) != 1) {
        rc = wait_ms(run, ms, err);
        if (ms < LOOK_MOST_MS)
            ms *= 2;
    }
    return rc;
}

static enum acme_rc
take_answer(struct acme_run *run, int fd, struct acme_dns_record *record,
    struct acme_error *err)
{
    struct acme_errand_end end = { .refused = false };
    struct acme_error why;
    struct acme_buf data;
    const char *output;
    size_t len;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init(&data, ACME_FRAME_MAX);
    if (acme_frame_recv(fd, &data, &why) != ACME_OK) {
        /* Maybe with us. */
        rc = wait_ms(run, 0, err);
        if (rc == ACME_OK)
            rc = acme_error_set(err, ACME_IO,
                "the process that runs programs has ended");
        goto done;
    }
    rc = acme_errand_outcome(&data, &output, &len, &end, err);
    record->refused = end.refused;
    record->declined = end.declined && rc != ACME_OK;
    if (rc == ACME_OK && len > 0) {
        record->output = acme_arena_strndup(run->arena, output, len);
        if (record->output == NULL) {
            record->output = "";
            rc = acme_error_nomem(err);
        }
    }

done:
    acme_buf_clear(&data);
    return rc;
}

static enum acme_rc
ask(struct acme_run *run, const struct acme_errand *errand,
    struct acme_dns_record *record, struct acme_error *err)
{
    int pair[2];
    enum acme_rc rc;

    if (run->job->runner == NULL)
        return acme_error_set(err, ACME_CONFIG,
            "no process is here that runs programs");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot make a socket pair");
    rc = send_errand(run, errand, pair[1], err);
    close(pair[1]); /* or its end would never be seen */
    if (rc == ACME_OK)
        rc = await_answer(run, pair[0], err);
    if (rc == ACME_OK)
        rc = take_answer(run, pair[0], record, err);
    close(pair[0]);
    return rc;
}

static enum acme_rc
add(struct acme_run *run, struct acme_dns_record *record,
    struct acme_error *err)
{
    struct acme_errand errand;

    if (!fill(&errand, record))
        return acme_error_set(err, ACME_CONFIG,
            "the name of the record is too long");
    errand.add = true;
    errand.output_len = 0;
    return ask(run, &errand, record, err);
}

static enum acme_rc
remove_it(struct acme_run *run, const struct acme_dns_record *record,
    bool failed, struct acme_error *err)
{
    struct acme_dns_record copied = *record;
    struct acme_errand errand;

    if (!fill(&errand, record))
        return ACME_OK; /* then it was never made */
    errand.failed = failed;
    return ask(run, &errand, &copied, err);
}

const struct acme_dns_means acme_job_command = { add, remove_it };

/*
 * A store and an engine for one piece of work: acmectl's, or a sweep's.
 */
#define _GNU_SOURCE
#include "drive/acme_service_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "drive/acme_runner.h"
#include "drive/acme_store_process.h"
#include "state/acme_frame.h"

/* Other servers of the state directory look once a second. */
#define PRESENT_OTHERS_MS 2500

static bool
take_answer(int fd, const struct acme_service_work *work)
{
    char text[ACME_LOG_LINE_MAX];
    struct acme_error ignored;
    struct acme_frame frame;
    struct acme_buf data;
    bool ok, good;

    acme_error_clear(&ignored);
    acme_buf_init(&data, ACME_FRAME_MAX);
    good = acme_frame_recv(fd, &data, &ignored) == ACME_OK &&
           acme_frame_open(&frame, data.data, data.len);
    if (good) {
        ok = acme_frame_get_u64(&frame) != 0;
        acme_frame_get_text(&frame, text, sizeof(text));
        good = acme_frame_end(&frame);
        if (good)
            work->done(work->ctx, frame.index, ok, text);
    }
    acme_buf_clear(&data);
    return good;
}

/* The runner's question to a person, passed on. */
static void
take_question(int fd, const struct acme_service_work *work)
{
    char text[ACME_ASK_MAX + 1];
    ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    bool waits, done;

    if (n < 1)
        return;
    text[n] = '\0';
    waits = text[0] == ACME_ASK_WAITS;
    done = work->ask(work->ctx, text + 1, waits);
    if (waits)
        (void)send(fd, done ? "1" : "0", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Until every lineage has been answered for and the store has ended, which
 * waits for hooks, where there are any; or a part has died. */
static bool
await_work(struct supervisor *supervisor, int answers,
    const struct acme_service_work *work)
{
    struct pollfd pfd = { answers, POLLIN, 0 };
    long long next_tick = acme_time_ms() + 1000;
    size_t left = work->nlineages + work->nrevocations + work->nchecks +
                  (work->account != NULL) + work->sweep +
                  (work->selftest != NULL ? work->selftest->n : 0);

    while (left > 0 || supervisor->runner.pid != 0) {
        bool engine_ended, store_ended;

        if (!acme_service_watch(supervisor, 50))
            return false;
        engine_ended = acme_service_reap(&supervisor->engine);
        store_ended = acme_service_reap(&supervisor->store);
        while (left > 0 && poll(&pfd, 1, 0) == 1 && take_answer(answers, work))
            left--;
        if (supervisor->ask[0] != -1)
            take_question(supervisor->ask[0], work);
        if (engine_ended || store_ended)
            break;
        if (work->tick != NULL && acme_time_ms() >= next_tick) {
            work->tick(work->ctx);
            next_tick = acme_time_ms() + 1000;
        }
    }
    return left == 0;
}

enum acme_rc
acme_service_run_once(const struct acme_config *config,
    const struct acme_server *server, const struct acme_service_work *work,
    struct acme_error *err)
{
    struct acme_store_errand errand = { work->lineages, work->nlineages,
        work->flags, work->revocation, work->nrevocations, work->account,
        work->check, work->nchecks, work->selftest, work->sweep, -1 };
    struct supervisor supervisor;
    int answers[2], lifetime[2];
    enum acme_rc rc = ACME_OK;

    acme_service_init(&supervisor, config, server);
    supervisor.errand = &errand;
    supervisor.pace.present_ms = PRESENT_OTHERS_MS;
    supervisor.crashed = work->crashed != NULL && *work->crashed;
    if (pipe2(lifetime, O_CLOEXEC) != 0 ||
        !acme_child_log_pair(supervisor.log) ||
        (work->ask != NULL && !acme_child_log_pair(supervisor.ask)))
        return acme_error_errno(err, ACME_IO, errno, "cannot make a pipe");
    rc = acme_frame_pair(answers, err);
    if (rc != ACME_OK)
        return rc;
    supervisor.lifetime = work->stop != NULL ? *work->stop : lifetime[0];
    errand.answers = answers[1];
    if (!acme_service_start_parts(&supervisor)) {
        rc = acme_error_errno(err, ACME_IO, errno, "cannot fork");
    } else {
        close(answers[1]);
        if (!await_work(&supervisor, answers[0], work))
            rc = acme_error_set(err, ACME_IO,
                "store or engine ended before the work was done");
    }
    acme_service_stop_parts(&supervisor);
    if (work->crashed != NULL)
        *work->crashed = acme_service_is_crash(supervisor.engine.status) ||
                         acme_service_is_crash(supervisor.store.status);
    close(answers[0]);
    close(lifetime[0]);
    close(lifetime[1]);
    close(supervisor.log[0]);
    close(supervisor.log[1]);
    acme_service_close(&supervisor.ask[0]);
    return rc;
}

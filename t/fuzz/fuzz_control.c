/*
 * What comes over the control socket, from either side: the question of
 * whoever connects to a server, the answer acmectl gets.  The .c file is
 * included: reading is its own affair.
 */
#include "drive/acme_control.c"
#include "fuzz.h"

/* The server's end, with the input in the queue; the other one is closed. */
static int
deliver(const uint8_t *data, size_t size)
{
    int fds[2];

    FUZZ_CHECK(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    (void)!send(fds[0], data, size, MSG_NOSIGNAL);
    close(fds[0]);
    return fds[1];
}

static bool
renew(void *ctx, const char *lineage, unsigned flags, uint64_t id)
{
    (void)flags;
    FUZZ_CHECK(strlen(lineage) <= ACME_LINEAGE_MAX && id != 0);
    if (strcmp(lineage, "a.test") != 0)
        return false;
    acme_control_done(ctx, id, true, "certificate renewed");
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_control control;
    struct acme_error err;
    char text[256] = "";
    bool ok = false;
    size_t i;
    int fd;

    memset(&control, 0, sizeof(control));
    control.listener = control.lock = -1;
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++)
        control.client[i].fd = -1;
    control.client[0].fd = deliver(data, size);
    acme_control_serve(&control, renew, &control);
    hang_up(&control.client[0]);

    acme_error_clear(&err);
    fd = deliver(data, size);
    if (read_answer(fd, &ok, text, sizeof(text), &err) == ACME_OK)
        FUZZ_CHECK(strlen(text) < sizeof(text));
    close(fd);
    return 0;
}

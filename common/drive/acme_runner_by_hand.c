/*
 * In a handler of the runner's: what a person does by hand, who sits at the
 * terminal of acmectl.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/acme_name.h"
#include "drive/acme_runner_private.h"

static const char *
bracket(const char *name, bool open)
{
    if (strchr(name, ':') == NULL)
        return "";
    return open ? "[" : "]";
}

/* What there has to be. */
static void
describe(const struct acme_errand *errand, char *text, size_t size)
{
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];

    if (acme_challenge_is_dns(errand->type)) {
        (void)snprintf(text, size,
            "the DNS has to have this record, beside others of that name:\n"
            "\n    %s. 300 IN TXT \"%s\"\n",
            errand->owner, errand->value);
        return;
    }
    acme_errand_authorization(errand, answer);
    (void)snprintf(text, size,
        "a web server has to answer\n"
        "\n    http://%s%s%s/.well-known/acme-challenge/%s\n"
        "\nwith the content of a file that has just this in it:\n"
        "\n    %s\n",
        bracket(errand->name, true), errand->name,
        bracket(errand->name, false), errand->token, answer);
}

/* Until the person is done, or nobody wants to know any more. */
static enum acme_rc
await(const struct acme_runner *runner, int answer, struct acme_error *err)
{
    struct pollfd fds[3] = { { runner->child->ask, POLLIN, 0 },
        { runner->life[0], POLLIN, 0 }, { answer, POLLIN, 0 } };
    char byte = '0';

    while (fds[0].revents == 0 && fds[1].revents == 0 && fds[2].revents == 0)
        (void)poll(fds, 3, -1);
    if (fds[0].revents == 0)
        return acme_error_set(err, ACME_STOPPING, "stopped");
    if (recv(runner->child->ask, &byte, 1, 0) == 1 && byte == '1')
        return ACME_OK;
    return acme_error_set(err, ACME_IO, "it was not done by hand");
}

enum acme_rc
acme_runner_by_hand(const struct acme_runner *runner,
    const struct acme_errand *errand, int answer, struct acme_error *err)
{
    char what[ACME_ASK_MAX / 2], text[ACME_ASK_MAX];

    if (runner->child->ask == -1)
        return acme_error_set(err, ACME_CONFIG,
            "it is done by hand, and nobody can be asked here");
    describe(errand, what, sizeof(what));
    if (errand->add)
        (void)snprintf(text, sizeof(text),
            "%cTo prove \"%s\" by %s, %s\n%u more after this one.",
            ACME_ASK_WAITS, errand->name, acme_challenge_name(errand->type),
            what, errand->remaining);
    else
        (void)snprintf(text, sizeof(text),
            "%cNot needed any more, for \"%s\": %s", ACME_ASK_TELLS,
            errand->name, errand->owner);
    if (send(runner->child->ask, text, strlen(text), MSG_NOSIGNAL) == -1)
        return acme_error_set(err, ACME_IO, "nobody can be asked any more");
    return errand->add ? await(runner, answer, err) : ACME_OK;
}

/*
 * How a server is asked for a challenge, and what its answer is to a CA:
 * http-01 by requests, tls-alpn-01 by handshakes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_base64.h"
#include "drive/acme_preflight_private.h"

#define PATH "/.well-known/acme-challenge/"

/* What a server that does not answer does. */
static void
be_silent(struct acme_asked *asked)
{
    asked->end = ACME_ASKED_SILENT;
    (void)snprintf(asked->text, sizeof(asked->text),
        "did not answer within %d s", ACME_PREFLIGHT_MS / 1000);
}

/* ---- http-01 ---------------------------------------------------------- */

/* RFC 8555 8.3: white space at the end does not count. */
static size_t
trim(const struct acme_probe *probe)
{
    size_t len = probe->body_len;

    while (len > 0 && strchr(" \t\r\n", probe->body[len - 1]) != NULL)
        len--;
    return len;
}

static bool
is_right(const struct acme_flight *flight, const struct acme_probe *probe)
{
    return probe->status == 200 && trim(probe) == strlen(flight->answer) &&
           memcmp(probe->body, flight->answer, trim(probe)) == 0;
}

/* Our token, and the thumbprint of a key that is not ours. */
static bool
is_others(const struct acme_flight *flight, const struct acme_probe *probe)
{
    const size_t begin = ACME_FLIGHT_TOKEN_LEN + 1;

    return probe->status == 200 && trim(probe) == strlen(flight->answer) &&
           memcmp(probe->body, flight->answer, begin) == 0 &&
           acme_base64_is(probe->body + begin, ACME_THUMBPRINT_LEN);
}

/* Of an answer, which is not shown itself. */
static void
judge_answer(const struct acme_flight *flight, const struct acme_probe *probe,
    struct acme_asked *asked)
{
    const char *how = "answered";

    asked->end = ACME_ASKED_WRONG;
    if (is_right(flight, probe)) {
        asked->end = ACME_ASKED_RIGHT;
    } else if (is_others(flight, probe)) {
        asked->end = ACME_ASKED_OTHERS;
        how = "answered with another account's thumbprint";
    } else if (probe->status == 200) {
        how = "answered 200 with something else";
    } else if (probe->status >= 300 && probe->status < 400) {
        asked->end = ACME_ASKED_LEADS;
        (void)snprintf(asked->text, sizeof(asked->text),
            "answered with a redirect (%d), which is not followed here",
            probe->status);
        return;
    } else {
        (void)snprintf(asked->text, sizeof(asked->text), "answered %d",
            probe->status);
        return;
    }
    (void)snprintf(asked->text, sizeof(asked->text), "%s", how);
}

static void
judge_http(const struct acme_flight *flight, const struct acme_probe *probe,
    struct acme_asked *asked)
{
    if (probe->end == ACME_PROBE_SILENT) {
        be_silent(asked);
    } else if (probe->end == ACME_PROBE_ANSWERED) {
        judge_answer(flight, probe, asked);
    } else {
        asked->end = ACME_ASKED_FAILED;
        (void)snprintf(asked->text, sizeof(asked->text),
            "could not be asked: %s", probe->why);
    }
}

static enum acme_rc
ask_http(const struct acme_flight *flight, struct acme_asked *asked, size_t n,
    struct acme_error *err)
{
    const struct acme_preflight_case *what = flight->what;
    struct acme_probe *probe = calloc(n, sizeof(*probe));
    char path[sizeof(PATH) + ACME_FLIGHT_TOKEN_LEN];
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (probe == NULL)
        return acme_error_nomem(err);
    (void)snprintf(path, sizeof(path), PATH "%s", flight->token);
    for (i = 0; i < n; i++) {
        probe[i].name = asked[i].row->name;
        probe[i].path = path;
        memcpy(probe[i].address, asked[i].address, sizeof(probe[i].address));
        probe[i].port = asked[i].port;
    }
    if (!what->means->probe(probe, n, ACME_PREFLIGHT_MS, what->host))
        rc = acme_error_set(err, ACME_STOPPING, "stopped");
    for (i = 0; i < n && rc == ACME_OK; i++)
        judge_http(flight, &probe[i], &asked[i]);
    free(probe);
    return rc;
}

const struct acme_way acme_way_http = { .type = ACME_HTTP_01,
    .port = 80,
    .elsewhere = " from another server",
    .ask = ask_http };

/* ---- tls-alpn-01 ------------------------------------------------------ */

/* Of a handshake.  Nothing of a certificate is shown. */
static void
judge_proof(const struct acme_alpn_probe *probe, struct acme_asked *asked)
{
    static const char *const how[] = { [ACME_ALPN_PROVEN] = "answered",
        [ACME_ALPN_NO_HANDSHAKE] = "refused the handshake: ",
        [ACME_ALPN_NO_PROTOCOL] =
            "answered as to anybody, without the protocol acme-tls/1",
        [ACME_ALPN_ORDINARY] =
            "agreed to acme-tls/1, but has shown an ordinary certificate",
        [ACME_ALPN_OTHER_NAME] =
            "has shown a challenge's certificate, but of another name",
        [ACME_ALPN_MALFORMED] =
            "has shown a challenge's certificate that is malformed",
        [ACME_ALPN_ISSUED] =
            "has shown a challenge's certificate that is not self-signed",
        [ACME_ALPN_OTHER_ANSWER] =
            "answered for another order or another account",
        [ACME_ALPN_NOT_JUDGED] = "could not be judged: out of memory" };

    asked->end = probe->proof == ACME_ALPN_PROVEN         ? ACME_ASKED_RIGHT
                 : probe->proof == ACME_ALPN_OTHER_ANSWER ? ACME_ASKED_BUSY
                 : probe->proof == ACME_ALPN_NOT_JUDGED   ? ACME_ASKED_SILENT
                                                          : ACME_ASKED_WRONG;
    (void)snprintf(asked->text, sizeof(asked->text), "%s%s", how[probe->proof],
        probe->why);
}

static void
judge_tls(const struct acme_alpn_probe *probe, struct acme_asked *asked)
{
    if (probe->end == ACME_ALPN_SILENT) {
        be_silent(asked);
    } else if (probe->end == ACME_ALPN_ANSWERED) {
        judge_proof(probe, asked);
    } else {
        asked->end = ACME_ASKED_FAILED;
        (void)snprintf(asked->text, sizeof(asked->text),
            "could not be asked: %s", probe->why);
    }
}

static enum acme_rc
ask_tls(const struct acme_flight *flight, struct acme_asked *asked, size_t n,
    struct acme_error *err)
{
    const struct acme_preflight_case *what = flight->what;
    struct acme_alpn_probe *probe = calloc(n, sizeof(*probe));
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (probe == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < n; i++) {
        probe[i].identifier = asked[i].row->name;
        probe[i].answer = flight->answer;
        memcpy(probe[i].address, asked[i].address, sizeof(probe[i].address));
        probe[i].port = asked[i].port;
    }
    if (!what->means->shake(probe, n, ACME_PREFLIGHT_MS, what->host))
        rc = acme_error_set(err, ACME_STOPPING, "stopped");
    for (i = 0; i < n && rc == ACME_OK; i++)
        judge_tls(&probe[i], &asked[i]);
    free(probe);
    return rc;
}

const struct acme_way acme_way_tls = { .type = ACME_TLS_ALPN_01,
    .tls = true,
    .port = 443,
    .orders_alone = true,
    .elsewhere = ": it is another server, or one in front that ends TLS",
    .ask = ask_tls };

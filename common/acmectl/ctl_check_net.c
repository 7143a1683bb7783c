/*
 * The half of `check` that talks to the network.  It is a fork that has become
 * nobody, keeps one pipe, and sends back values of a fixed size, of which
 * nothing is believed but what they say of the question asked.
 */
#define _GNU_SOURCE /* pipe2 */
#include "acmectl/ctl_check.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_version.h"
#include "drive/acme_child.h"
#include "drive/acme_sandbox.h"
#include "wrap/acme_http_curl.h"
#include "wrap/acme_ocsp.h"
#include "wrap/acme_revocation.h"

/* For each step of a handshake: these servers are next door. */
#define SHAKE_MS 5000

/* Silent listeners are asked so often, and then no more. */
#define SILENCE_MOST 2

#define NOBODY 65534

struct answer {
    uint32_t index;
    unsigned char good; /* shown, or answered */
    unsigned char revoked;
    unsigned char staple; /* enum acme_tls_staple */
    char fingerprint[65];
    char text[96]; /* why not, or the reason of a revocation */
};

/* ---- the process ------------------------------------------------------ */

static void
log_nothing(void *ctx, enum acme_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)line;
}

static time_t
host_now(void *ctx)
{
    (void)ctx;
    return time(NULL);
}

/* Who waits for us is asked by the pipe: a write to it fails when he has
 * gone. */
static bool
host_wait(void *ctx, unsigned ms)
{
    const struct timespec pause = { ms / 1000, (ms % 1000) * 1000000L };

    (void)ctx;
    if (ms > 0)
        (void)nanosleep(&pause, NULL);
    return true;
}

static enum acme_rc
ask_ocsp(const struct ctl_probe *probe, struct acme_ocsp_answer *said,
    struct acme_error *err)
{
    const struct acme_host host = { NULL, log_nothing, host_now, host_wait };
    struct acme_http_curl_conf conf = { .directory_url = probe->directory,
        .verify = true,
        .proxy = probe->proxy,
        .proxy_pem = probe->proxy_pem,
        .user_agent = "acmectl/" ACME_VERSION };
    struct acme_http_request request = { .method = "GET",
        .plain = true,
        .max_body = ACME_OCSP_MAX,
        .timeout_ms = ACME_OCSP_TIMEOUT_MS };
    struct acme_http_response response;
    struct acme_http_curl *curl = NULL;
    struct acme_transport transport;
    char responder[ACME_URL_MAX], url[ACME_URL_MAX];
    enum acme_rc rc;

    if (probe->directory[0] == '\0')
        return acme_error_set(err, ACME_NOENT, "its CA is not known");
    if (!acme_ocsp_url(probe->chain, responder))
        return acme_error_set(err, ACME_NOENT,
            "the certificate names no OCSP responder");
    acme_http_response_init(&response);
    rc = acme_ocsp_question(probe->chain, responder, url, err);
    if (rc == ACME_OK)
        rc = acme_http_curl_new(&conf, &host, &curl, err);
    if (rc == ACME_OK) {
        transport = acme_http_curl_transport(curl);
        request.url = url;
        rc = transport.perform(transport.ctx, &request, &response, err);
    }
    if (rc == ACME_OK && response.status != 200)
        rc = acme_error_set(err, ACME_WIRE, "the responder says HTTP %d",
            response.status);
    if (rc == ACME_OK)
        rc = acme_ocsp_read(response.body.data, response.body.len,
            probe->chain, time(NULL), said, err);
    acme_http_response_clear(&response);
    acme_http_curl_free(curl);
    return rc;
}

static void
answer_ocsp(const struct ctl_probe *probe, struct answer *answer)
{
    struct acme_ocsp_answer said;
    struct acme_error err;

    memset(&said, 0, sizeof(said));
    acme_error_clear(&err);
    answer->good = ask_ocsp(probe, &said, &err) == ACME_OK;
    answer->revoked = answer->good && said.revoked;
    (void)snprintf(answer->text, sizeof(answer->text), "%.90s",
        !answer->good  ? err.what
        : said.revoked ? said.reason
                       : "");
}

/* How often that address has said nothing at all. */
static unsigned
silences(const struct ctl_probe *probe, size_t until)
{
    const struct acme_tls_look *this = &probe[until].look, *one;
    unsigned n = 0;
    size_t i;

    for (i = 0; i < until; i++) {
        one = &probe[i].look;
        n += probe[i].kind == CTL_PROBE_TLS && one->port == this->port &&
             strcmp(one->address, this->address) == 0 &&
             strcmp(one->why, "no answer") == 0;
    }
    return n;
}

/* All addresses of a host, until one of them shows something. */
static void
look_by_name(const struct ctl_probe *probe, struct acme_tls_look *look)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL, *at;
    int rc = getaddrinfo(probe->host, NULL, &hints, &list);

    if (rc != 0)
        (void)snprintf(look->why, sizeof(look->why), "%s", gai_strerror(rc));
    for (at = rc == 0 ? list : NULL; at != NULL && !look->shown;
         at = at->ai_next)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, look->address,
                sizeof(look->address), NULL, 0, NI_NUMERICHOST) == 0)
            acme_tls_look(look, SHAKE_MS);
    if (list != NULL)
        freeaddrinfo(list);
}

static void
answer_tls(struct ctl_probe *probe, size_t i, struct answer *answer)
{
    struct acme_tls_look *look = &probe[i].look;

    if (probe[i].host != NULL)
        look_by_name(&probe[i], look);
    else if (silences(probe, i) < SILENCE_MOST)
        acme_tls_look(look, SHAKE_MS);
    else
        (void)snprintf(look->why, sizeof(look->why), "no answer");
    answer->good = look->shown;
    answer->staple = (unsigned char)look->staple;
    memcpy(answer->fingerprint, look->fingerprint, sizeof(look->fingerprint));
    memcpy(answer->text, look->why, sizeof(look->why));
}

static void work(struct ctl_probe *probe, size_t n, int out)
    __attribute__((noreturn));

static void
work(struct ctl_probe *probe, size_t n, int out)
{
    const uid_t other = geteuid() == 0 ? NOBODY : geteuid();
    struct acme_sandbox_report report;
    struct acme_error err;
    struct answer answer;
    size_t i;

    acme_child_begin("acme-check", &out, 1);
    acme_sandbox_process();
    acme_error_clear(&err);
    if (acme_sandbox_engine(other, other, &report, &err) != ACME_OK ||
        acme_http_curl_setup(&err) != ACME_OK)
        _exit(1);
    for (i = 0; i < n; i++) {
        memset(&answer, 0, sizeof(answer));
        answer.index = (uint32_t)i;
        if (probe[i].kind == CTL_PROBE_TLS)
            answer_tls(probe, i, &answer);
        else
            answer_ocsp(&probe[i], &answer);
        if (write(out, &answer, sizeof(answer)) != sizeof(answer))
            _exit(1);
    }
    _exit(0);
}

/* ---- who asks --------------------------------------------------------- */

static bool
read_answer(int in, struct answer *answer)
{
    char *at = (char *)answer;
    size_t have = 0;
    ssize_t n;

    while (have < sizeof(*answer)) {
        n = read(in, at + have, sizeof(*answer) - have);
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    answer->fingerprint[sizeof(answer->fingerprint) - 1] = '\0';
    answer->text[sizeof(answer->text) - 1] = '\0';
    return true;
}

static bool
is_fingerprint(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static void
take(struct ctl_probe *probe, const struct answer *answer)
{
    char clean[sizeof(probe->look.why)];

    acme_log_clean(clean, sizeof(clean), answer->text, strlen(answer->text));
    memcpy(probe->look.why, clean, sizeof(clean));
    if (probe->kind == CTL_PROBE_TLS) {
        probe->look.shown =
            answer->good && is_fingerprint(answer->fingerprint);
        probe->look.staple =
            answer->staple == ACME_TLS_STAPLE_GOOD   ? ACME_TLS_STAPLE_GOOD
            : answer->staple != ACME_TLS_STAPLE_NONE ? ACME_TLS_STAPLE_BAD
                                                     : ACME_TLS_STAPLE_NONE;
        memcpy(probe->look.fingerprint, answer->fingerprint,
            sizeof(answer->fingerprint));
    } else {
        probe->answered = answer->good;
        probe->revoked = answer->good && answer->revoked;
        if (acme_revocation_is_reason(answer->text))
            (void)snprintf(probe->reason, sizeof(probe->reason), "%.23s",
                answer->text);
    }
}

bool
ctl_probe_all(struct ctl_probe *probe, size_t n)
{
    struct answer answer;
    int fds[2];
    pid_t pid;
    size_t i;

    for (i = 0; i < n; i++)
        (void)snprintf(probe[i].look.why, sizeof(probe[i].look.why),
            "not asked");
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    pid = fork();
    if (pid == 0) {
        for (i = 0; i < n; i++)
            probe[i].look.why[0] = '\0';
        work(probe, n, fds[1]);
    }
    close(fds[1]);
    while (pid != -1 && read_answer(fds[0], &answer))
        if (answer.index < n)
            take(&probe[answer.index], &answer);
    close(fds[0]);
    if (pid != -1)
        (void)waitpid(pid, NULL, 0);
    return pid != -1;
}

/* ---- a place that somebody named -------------------------------------- */

bool
ctl_probe_place(const char *place, char host[CTL_HOST_MAX], unsigned *port)
{
    const char *end = place + strlen(place), *colon = strrchr(place, ':');

    if (place[0] == '[') {
        end = strchr(++place, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return false;
        colon = end[1] == ':' ? end + 1 : NULL;
    } else if (colon != NULL && strchr(place, ':') != colon) {
        colon = NULL; /* an IPv6 address alone */
    } else if (colon != NULL) {
        end = colon;
    }
    if (end == place || end - place >= CTL_HOST_MAX)
        return false;
    memcpy(host, place, (size_t)(end - place));
    host[end - place] = '\0';
    *port = 443;
    if (colon == NULL)
        return true;
    if (strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    *port = (unsigned)atoi(colon + 1);
    return *port > 0 && *port < 65536;
}

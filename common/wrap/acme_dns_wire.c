/*
 * One exchange with name servers: datagrams first, a connection where the
 * answer is too long for one.
 */
#include "wrap/acme_dns_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acme_time.h"

/* At first an answer is waited for as it is, then the host is asked in
 * between, which may let others work (ms). */
#define AT_FIRST_MS 100
#define SLICE_MS 50

/* Packets that are no answer to us, before a try is given up. */
#define STRANGERS_MAX 32

/* What became of one try. */
enum outcome {
    TAKEN,   /* an answer, and a good one */
    NOT_YET, /* an answer that another server may better, or none */
    NO_WAY,  /* this host cannot reach it */
    FAILED   /* err says why */
};

struct attempt {
    const struct acme_dns_exchange *exchange;
    const struct sockaddr_storage *server;
    uint16_t id;
    struct acme_buf request, reply;
    bool any;      /* an answer was taken */
    bool answered; /* in this try */
    bool truncated;
    struct acme_error *err;
};

static socklen_t
length_of(const struct sockaddr_storage *server)
{
    return server->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                         : sizeof(struct sockaddr_in);
}

/* ---- waiting ---------------------------------------------------------- */

static bool
is_ready(int fd, short events, long long ms)
{
    struct pollfd pfd = { fd, events, 0 };

    return poll(&pfd, 1, ms > 0 ? (int)ms : 0) == 1;
}

static bool
goes_on(const struct attempt *attempt, unsigned ms)
{
    const struct acme_host *host = attempt->exchange->dns->host;

    if (host != NULL)
        return host->wait(host->ctx, ms);
    return true;
}

/* Until then; false: it was in vain, or the host stops us (err). */
static bool
wait_for(struct attempt *attempt, int fd, short events, long long until)
{
    long long left = until - acme_time_ms();
    bool ready = is_ready(fd, events, left < AT_FIRST_MS ? left : AT_FIRST_MS);

    while (!ready && (left = until - acme_time_ms()) > 0) {
        if (!goes_on(attempt, SLICE_MS)) {
            (void)acme_error_set(attempt->err, ACME_STOPPING, "stopped");
            return false;
        }
        /* The time of tests passes without us. */
        ready = is_ready(fd, events, left < SLICE_MS ? left : SLICE_MS);
    }
    return ready || is_ready(fd, events, 0);
}

/* The end of what is begun now and may last so long. */
static long long
end_of(const struct attempt *attempt, unsigned ms)
{
    const long long until = acme_time_ms() + ms;
    const long long last = attempt->exchange->dns->until_ms;

    return last != 0 && last < until ? last : until;
}

static bool
is_over(const struct attempt *attempt)
{
    const long long last = attempt->exchange->dns->until_ms;

    return last != 0 && last <= acme_time_ms();
}

/* ---- sockets ---------------------------------------------------------- */

static bool
is_no_way(int error)
{
    return error == ENETUNREACH || error == EHOSTUNREACH ||
           error == EAFNOSUPPORT || error == EADDRNOTAVAIL ||
           error == EACCES || error == EPERM;
}

static int
open_socket(const struct attempt *attempt, int type)
{
    int fd = socket(attempt->server->ss_family, type, 0);

    if (fd != -1 && (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
                        fcntl(fd, F_SETFL, O_NONBLOCK) == -1)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether it is an answer to this try; *outcome if so. */
static bool
look_at(struct attempt *attempt, enum outcome *outcome)
{
    const struct acme_dns_exchange *exchange = attempt->exchange;
    const unsigned char *data = attempt->reply.data;
    ldns_pkt *packet = NULL;
    bool good = false, taken;

    if (attempt->reply.len < LDNS_HEADER_SIZE ||
        (data[0] << 8 | data[1]) != attempt->id || (data[2] & 0x80) == 0 ||
        ldns_wire2pkt(&packet, data, attempt->reply.len) != LDNS_STATUS_OK)
        return false;
    attempt->truncated = ldns_pkt_tc(packet);
    taken = attempt->truncated ||
            exchange->take(exchange->ctx, packet, &attempt->reply,
                attempt->server, &good, attempt->err);
    ldns_pkt_free(packet);
    if (attempt->err->rc != ACME_OK)
        *outcome = FAILED;
    else
        *outcome = good ? TAKEN : NOT_YET;
    attempt->answered = taken && !attempt->truncated;
    attempt->any = attempt->any || attempt->answered;
    return taken || *outcome == FAILED;
}

static enum outcome
receive(struct attempt *attempt, int fd)
{
    const long long until = end_of(attempt, ACME_DNS_TRY_MS);
    enum outcome outcome = NOT_YET;
    unsigned strangers = 0;
    ssize_t len;

    while (strangers < STRANGERS_MAX) {
        if (!wait_for(attempt, fd, POLLIN, until))
            return attempt->err->rc != ACME_OK ? FAILED : NOT_YET;
        acme_buf_reset(&attempt->reply);
        if (acme_buf_extend(&attempt->reply, ACME_DNS_MESSAGE_MAX) == NULL) {
            (void)acme_error_nomem(attempt->err);
            return FAILED;
        }
        len = recv(fd, attempt->reply.data, attempt->reply.len, 0);
        if (len < 0 && errno != EAGAIN && errno != EINTR)
            return is_no_way(errno) ? NO_WAY : NOT_YET;
        attempt->reply.len = len > 0 ? (size_t)len : 0;
        if (len >= 0 && look_at(attempt, &outcome))
            return outcome;
        strangers += len >= 0;
    }
    return NOT_YET;
}

static enum outcome
try_datagram(struct attempt *attempt)
{
    enum outcome outcome = NOT_YET;
    int fd = open_socket(attempt, SOCK_DGRAM);

    attempt->truncated = attempt->answered = false;
    if (fd == -1)
        return is_no_way(errno) ? NO_WAY : NOT_YET;
    /* Connected: what others send does not arrive. */
    if (connect(fd, (const struct sockaddr *)attempt->server,
            length_of(attempt->server)) != 0 ||
        send(fd, attempt->request.data, attempt->request.len, MSG_NOSIGNAL) <
            0)
        outcome = is_no_way(errno) ? NO_WAY : NOT_YET;
    else
        outcome = receive(attempt, fd);
    close(fd);
    return outcome;
}

/* All of it, one way or the other. */
static bool
transfer(struct attempt *attempt, int fd, bool out, unsigned char *data,
    size_t len, long long until)
{
    ssize_t done;

    while (len > 0) {
        if (!wait_for(attempt, fd, out ? POLLOUT : POLLIN, until))
            return false;
        done =
            out ? send(fd, data, len, MSG_NOSIGNAL) : recv(fd, data, len, 0);
        if (done == 0 || (done < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (done > 0) {
            data += done;
            len -= (size_t)done;
        }
    }
    return true;
}

/* RFC 7766 8: two bytes of length go before a message. */
static bool
converse(struct attempt *attempt, int fd)
{
    const long long until = end_of(attempt, ACME_DNS_TCP_MS);
    unsigned char size[2] = { (unsigned char)(attempt->request.len >> 8),
        (unsigned char)attempt->request.len };
    size_t len;

    if (!transfer(attempt, fd, true, size, 2, until) ||
        !transfer(attempt, fd, true, attempt->request.data,
            attempt->request.len, until) ||
        !transfer(attempt, fd, false, size, 2, until))
        return false;
    len = (size_t)size[0] << 8 | size[1];
    acme_buf_reset(&attempt->reply);
    if (len > 0 && acme_buf_extend(&attempt->reply, len) == NULL) {
        (void)acme_error_nomem(attempt->err);
        return false;
    }
    return transfer(attempt, fd, false, attempt->reply.data, len, until);
}

static enum outcome
try_connection(struct attempt *attempt)
{
    enum outcome outcome = NOT_YET;
    int fd = open_socket(attempt, SOCK_STREAM);

    if (fd == -1)
        return NOT_YET;
    if ((connect(fd, (const struct sockaddr *)attempt->server,
             length_of(attempt->server)) == 0 ||
            errno == EINPROGRESS) &&
        converse(attempt, fd))
        (void)look_at(attempt, &outcome);
    close(fd);
    return attempt->err->rc != ACME_OK ? FAILED : outcome;
}

/* ---- the exchange ----------------------------------------------------- */

static enum outcome
try_server(struct attempt *attempt)
{
    const struct acme_dns_exchange *exchange = attempt->exchange;
    unsigned char random[2];
    enum outcome outcome;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ERR_clear_error();
        (void)acme_error_set(attempt->err, ACME_CRYPTO,
            "there are no random numbers");
        return FAILED;
    }
    attempt->id = (uint16_t)(random[0] << 8 | random[1]);
    acme_buf_reset(&attempt->request);
    if (exchange->make(exchange->ctx, attempt->id, &attempt->request,
            attempt->err) != ACME_OK)
        return FAILED;
    outcome = try_datagram(attempt);
    if (outcome == NOT_YET && attempt->truncated)
        outcome = try_connection(attempt);
    return outcome;
}

static enum acme_rc
no_answer(const struct attempt *attempt, bool reachable)
{
    char text[ACME_DNS_SERVER_TEXT];
    const struct acme_dns_servers *servers = attempt->exchange->dns->servers;

    acme_dns_server_text(&servers->server[0], text);
    if (!reachable)
        return acme_error_set(attempt->err, ACME_NOENT,
            "there is no way from here to the name server %s", text);
    return acme_error_set(attempt->err, ACME_NET,
        servers->n > 1 ? "no answer from the name servers (%s, ...)"
                       : "no answer from the name server %s",
        text);
}

enum acme_rc
acme_dns_exchange(const struct acme_dns_exchange *exchange,
    struct acme_error *err)
{
    const struct acme_dns_servers *servers = exchange->dns->servers;
    struct attempt attempt = { .exchange = exchange, .err = err };
    enum outcome outcome = NOT_YET;
    bool reachable = false, spoken[ACME_DNS_SERVERS_MAX] = { false };
    size_t i, at,
        tries = servers->n == 1 ? ACME_DNS_TRIES - 1 : ACME_DNS_TRIES;

    acme_buf_init(&attempt.request, ACME_DNS_MESSAGE_MAX);
    acme_buf_init(&attempt.reply, ACME_DNS_MESSAGE_MAX);
    for (i = 0; i < tries && servers->n > 0; i++) {
        at = i % servers->n;
        if (spoken[at]) /* it would say the same again */
            continue;
        if (i > 0 && is_over(&attempt))
            break;
        attempt.server = &servers->server[at];
        outcome = try_server(&attempt);
        if (outcome == TAKEN || outcome == FAILED)
            break;
        spoken[at] = attempt.answered || outcome == NO_WAY;
        reachable = reachable || outcome != NO_WAY;
    }
    acme_buf_clear(&attempt.request);
    acme_buf_clear(&attempt.reply);
    ERR_clear_error();
    if (outcome == FAILED)
        return err->rc;
    return attempt.any ? ACME_OK : no_answer(&attempt, reachable);
}

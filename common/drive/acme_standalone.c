#define _GNU_SOURCE
#include "drive/acme_standalone.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_text.h"
#include "base/acme_time.h"
#include "drive/acme_challenge.h"
#include "drive/acme_errand.h"
#include "drive/acme_request.h"
#include "drive/acme_sandbox.h"
#include "drive/acme_standalone_tls.h"
#include "drive/acme_store_process.h"

/* Connections at a time (when there is one more the oldest ends), and how long
 * one may take. */
#define CONNECTIONS_MAX 64
#define CONNECTION_MS 10000

/* Ports and addresses of all lineages together. */
#define PLACES_MAX 16

#define REPLY_MAX 512
#define BACKLOG 64

/* Where is listened, and for how many challenges. */
struct place {
    bool tls;
    unsigned port;
    const char *address; /* NULL: all */
    size_t pending;
    int fd[2]; /* IPv6, IPv4; -1: not */
};

struct pending {
    struct acme_area_token token;
    size_t place;
};

struct connection {
    int fd; /* -1: none */
    struct ssl_st *ssl;
    long long began;
    short events; /* that are waited for */
    size_t len, done;
    bool replies; /* `text` is what is sent, else what came */
    char text[ACME_REQUEST_MAX];
};

struct standalone {
    const struct acme_config *config;
    struct acme_child *child;
    struct acme_host host;
    struct acme_area *area; /* nobody else's: what is to be answered */
    struct acme_standalone_tls *tls;
    size_t nplaces;
    struct place place[PLACES_MAX];
    size_t npending;
    struct pending pending[ACME_TOKENS_MAX];
    struct connection connection[CONNECTIONS_MAX];
};

bool
acme_standalone_is_wanted(const struct acme_config *config)
{
    size_t i;

    for (i = 0; i < config->nlineages && !config->served; i++)
        if (config->lineage[i].proof->answer.by == ACME_ANSWERER_STANDALONE)
            return true;
    return false;
}

/* ---- listening -------------------------------------------------------- */

static socklen_t
make_address(const struct place *place, int family,
    struct sockaddr_storage *address)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    const bool any = place->address == NULL;

    memset(address, 0, sizeof(*address));
    if (family == AF_INET6) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)place->port);
        return any || inet_pton(AF_INET6, place->address, &v6->sin6_addr) == 1
                   ? sizeof(*v6)
                   : 0;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)place->port);
    return any || inet_pton(AF_INET, place->address, &v4->sin_addr) == 1
               ? sizeof(*v4)
               : 0;
}

/* -1 with errno; EAFNOSUPPORT: the address is of the other family. */
static int
listen_at(const struct place *place, int family)
{
    struct sockaddr_storage address;
    const int on = 1;
    socklen_t len = make_address(place, family, &address);
    int fd, why;

    if (len == 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (family != AF_INET6 ||
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
        bind(fd, (struct sockaddr *)&address, len) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    why = errno;
    close(fd);
    errno = why;
    return -1;
}

static enum acme_rc
refuse(const struct place *place, int why, struct acme_error *err)
{
    const char *option = place->tls ? "tls-alpn-01" : "http-01";

    if (why == EADDRINUSE)
        return acme_error_set(err, ACME_IO,
            "cannot listen at port %u%s%s: somebody else does; `ss -ltnp "
            "'sport = :%u'` shows who: stop it, by --pre-hook and started "
            "again by --post-hook, use its directory with --webroot, or have "
            "the port forwarded to another one, --%s-port",
            place->port, place->address != NULL ? " of " : "",
            place->address != NULL ? place->address : "", place->port, option);
    if (why == EACCES || why == EPERM)
        return acme_error_set(err, ACME_IO,
            "cannot listen at port %u: that is root's right; run acmectl as "
            "root, or have the port forwarded to another one, --%s-port",
            place->port, option);
    return acme_error_errno(err, ACME_IO, why, "cannot listen at port %u%s%s",
        place->port, place->address != NULL ? " of " : "",
        place->address != NULL ? place->address : "");
}

/* IPv6 first; one of the two is enough. */
static enum acme_rc
open_place(const struct standalone *me, struct place *place,
    struct acme_error *err)
{
    static const int family[2] = { AF_INET6, AF_INET };
    int why[2] = { 0, 0 };
    size_t i;

    for (i = 0; i < 2; i++) {
        place->fd[i] = listen_at(place, family[i]);
        why[i] = place->fd[i] == -1 ? errno : 0;
    }
    if (place->fd[0] == -1 && place->fd[1] == -1)
        return refuse(place, why[1] != EAFNOSUPPORT ? why[1] : why[0], err);
    for (i = 0; i < 2; i++)
        if (why[i] != 0 && why[i] != EAFNOSUPPORT)
            acme_log(&me->host, ACME_LOG_WARN,
                "listens at port %u for IPv%c alone, not for IPv%c: %s",
                place->port, i == 0 ? '4' : '6', i == 0 ? '6' : '4',
                strerror(why[i]));
    return ACME_OK;
}

static void
close_place(struct place *place)
{
    size_t i;

    for (i = 0; i < 2; i++) {
        if (place->fd[i] != -1)
            close(place->fd[i]);
        place->fd[i] = -1;
    }
}

/* ---- what is to be answered ------------------------------------------- */

/* NULL: one too many. */
static struct place *
find_place(struct standalone *me, const struct acme_answer *answer, bool tls)
{
    const unsigned port = tls ? answer->tls_port : answer->http_port;
    struct place wanted = { .tls = tls,
        .port = port != 0 ? port
                : tls     ? 443
                          : 80,
        .address = tls ? answer->tls_address : answer->http_address,
        .fd = { -1, -1 } };
    size_t i;

    for (i = 0; i < me->nplaces; i++)
        if (me->place[i].tls == tls && me->place[i].port == wanted.port &&
            acme_text_same(me->place[i].address, wanted.address))
            return &me->place[i];
    if (me->nplaces == PLACES_MAX)
        return NULL;
    me->place[me->nplaces] = wanted;
    return &me->place[me->nplaces++];
}

static struct pending *
find_pending(struct standalone *me, const struct acme_errand *errand)
{
    size_t i;

    for (i = 0; i < me->npending; i++)
        if (me->pending[i].token.type == errand->type &&
            strcmp(me->pending[i].token.name, errand->name) == 0 &&
            strcmp(me->pending[i].token.token, errand->token) == 0)
            return &me->pending[i];
    return NULL;
}

static enum acme_rc
publish(struct standalone *me, struct acme_error *err)
{
    struct acme_area_token *tokens = calloc(me->npending + 1, sizeof(*tokens));
    size_t i;

    if (tokens == NULL)
        return acme_error_nomem(err);
    for (i = 0; i < me->npending; i++)
        tokens[i] = me->pending[i].token;
    acme_area_put_tokens(me->area, tokens, me->npending);
    free(tokens);
    return ACME_OK;
}

static enum acme_rc
add(struct standalone *me, const struct acme_answer *answer,
    const struct acme_errand *errand, struct acme_error *err)
{
    struct place *place =
        find_place(me, answer, errand->type == ACME_TLS_ALPN_01);
    struct pending *pending;
    enum acme_rc rc = ACME_OK;

    if (find_pending(me, errand) != NULL)
        return ACME_OK;
    if (place == NULL || me->npending == ACME_TOKENS_MAX)
        return acme_error_set(err, ACME_IO,
            "more challenges, or ports, than can be answered at a time");
    if (place->tls && me->tls == NULL)
        rc = acme_standalone_tls_new(me->area, &me->tls, err);
    if (rc == ACME_OK && place->pending == 0)
        rc = open_place(me, place, err);
    if (rc != ACME_OK)
        return rc;
    place->pending++;
    pending = &me->pending[me->npending++];
    memset(pending, 0, sizeof(*pending));
    pending->place = (size_t)(place - me->place);
    pending->token.type = errand->type;
    pending->token.presented = me->host.now(me->host.ctx);
    (void)snprintf(pending->token.name, sizeof(pending->token.name), "%s",
        errand->name);
    (void)snprintf(pending->token.token, sizeof(pending->token.token), "%s",
        errand->token);
    (void)snprintf(pending->token.thumbprint,
        sizeof(pending->token.thumbprint), "%s", errand->value);
    return publish(me, err);
}

/* Nobody is listened to for nothing. */
static enum acme_rc
take_away(struct standalone *me, const struct acme_errand *errand,
    struct acme_error *err)
{
    struct pending *pending = find_pending(me, errand);
    struct place *place;

    if (pending == NULL)
        return ACME_OK;
    place = &me->place[pending->place];
    *pending = me->pending[--me->npending];
    if (--place->pending == 0)
        close_place(place);
    return publish(me, err);
}

/* ---- the engine ------------------------------------------------------- */

/* False: it is nothing that may be asked for. */
static bool
carry_out(struct standalone *me, const struct acme_buf *data, int answer)
{
    const struct acme_buf nothing = { 0 };
    struct acme_errand_end end = { .refused = false };
    const struct acme_proof *proof;
    struct acme_errand errand;
    struct acme_error err, ignored;
    struct acme_frame frame;
    struct acme_buf reply;

    acme_error_clear(&err);
    acme_error_clear(&ignored);
    if (!acme_frame_open(&frame, data->data, data->len) ||
        frame.index >= me->config->nlineages)
        return false;
    proof = me->config->lineage[frame.index].proof;
    if (proof->answer.by != ACME_ANSWERER_STANDALONE ||
        !acme_errand_parse(&frame, proof, &errand) ||
        acme_challenge_is_dns(errand.type))
        return false;
    if (errand.add)
        end.refused = add(me, &proof->answer, &errand, &err) != ACME_OK;
    else
        (void)take_away(me, &errand, &err);
    acme_buf_init(&reply, ACME_FRAME_MAX);
    acme_errand_reply(&err, &nothing, &end, &reply);
    (void)acme_frame_send(answer, &reply, &ignored);
    acme_buf_clear(&reply);
    return true;
}

/* An exit status, or -1 to go on. */
static int
take_errand(struct standalone *me)
{
    struct acme_error err;
    struct acme_buf data;
    int answer = -1, status = -1;
    enum acme_rc rc;

    acme_error_clear(&err);
    acme_buf_init(&data, ACME_FRAME_MAX);
    rc = acme_frame_recv_fd(me->child->frame, &data, &answer, &err);
    if (rc != ACME_OK)
        status = rc == ACME_NOENT ? ACME_EXIT_PEER_GONE : ACME_EXIT_FAILED;
    else if (answer == -1 || !carry_out(me, &data, answer))
        status = ACME_EXIT_BAD_PEER;
    if (answer != -1)
        close(answer);
    acme_buf_clear(&data);
    return status;
}

/* ---- connections ------------------------------------------------------ */

static void
hang_up(struct connection *connection)
{
    acme_standalone_tls_end(connection->ssl);
    if (connection->fd != -1) {
        (void)shutdown(connection->fd, SHUT_WR);
        close(connection->fd);
    }
    connection->ssl = NULL;
    connection->fd = -1;
}

/* One that is free, or the oldest, which ends. */
static struct connection *
take_connection(struct standalone *me)
{
    struct connection *oldest = &me->connection[0];
    size_t i;

    for (i = 0; i < CONNECTIONS_MAX; i++) {
        if (me->connection[i].fd == -1)
            return &me->connection[i];
        if (me->connection[i].began < oldest->began)
            oldest = &me->connection[i];
    }
    hang_up(oldest);
    return oldest;
}

static void
accept_one(struct standalone *me, const struct place *place, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct connection *connection;

    if (fd == -1)
        return;
    connection = take_connection(me);
    connection->fd = fd;
    connection->began = acme_time_ms();
    connection->events = POLLIN;
    connection->len = connection->done = 0;
    connection->replies = false;
    if (!place->tls)
        return;
    connection->ssl = acme_standalone_tls_begin(me->tls, fd);
    if (connection->ssl == NULL)
        hang_up(connection);
}

/* What a CA gets, and everybody else. */
static void
compose(const struct standalone *me, struct connection *connection,
    const struct acme_request *request)
{
    static const struct acme_answering pending = { ACME_ANSWERS_PENDING, -1,
        -1 };
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1] = "";
    bool found =
        acme_challenge_answer(me->config, me->area, &pending, request->host,
            request->host_len, request->path, request->path_len, answer);
    char reply[REPLY_MAX];
    int len;

    len = snprintf(reply, sizeof(reply),
        "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
        "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
        "Connection: close\r\n\r\n%s",
        found ? "200 OK" : "404 Not Found", found ? strlen(answer) : 0,
        found && !request->head ? answer : "");
    memcpy(connection->text, reply, (size_t)len);
    connection->len = (size_t)len;
    connection->replies = true;
    connection->events = POLLOUT;
}

/* False: the connection is over. */
static bool
send_reply(struct connection *connection)
{
    ssize_t n = send(connection->fd, connection->text + connection->done,
        connection->len - connection->done, MSG_NOSIGNAL);

    if (n > 0)
        connection->done += (size_t)n;
    return (n > 0 || errno == EAGAIN) && connection->done < connection->len;
}

static bool
read_request(const struct standalone *me, struct connection *connection)
{
    struct acme_request request;
    ssize_t n = recv(connection->fd, connection->text + connection->len,
        sizeof(connection->text) - connection->len, 0);

    if (n <= 0)
        return n == -1 && errno == EAGAIN;
    connection->len += (size_t)n;
    switch (acme_request_parse(connection->text, connection->len, &request)) {
    case ACME_REQUEST_MORE:
        return connection->len < sizeof(connection->text);
    case ACME_REQUEST_OTHER:
        return false;
    case ACME_REQUEST_GOOD:
        break;
    }
    compose(me, connection, &request);
    return send_reply(connection);
}

static void
go_on(const struct standalone *me, struct connection *connection)
{
    bool lives;

    if (connection->ssl != NULL) {
        connection->events = acme_standalone_tls_step(connection->ssl);
        lives = connection->events != 0;
    } else {
        lives = connection->replies ? send_reply(connection)
                                    : read_request(me, connection);
    }
    if (!lives)
        hang_up(connection);
}

/* ---- life ------------------------------------------------------------- */

#define FDS_MAX (2 + 2 * PLACES_MAX + CONNECTIONS_MAX)

static size_t
list_fds(const struct standalone *me, struct pollfd fds[FDS_MAX])
{
    size_t i, n = 0;

    fds[n++] = (struct pollfd){ me->child->stop, POLLIN, 0 };
    fds[n++] = (struct pollfd){ me->child->frame, POLLIN, 0 };
    for (i = 0; i < 2 * PLACES_MAX; i++)
        fds[n++] = (struct pollfd){
            i / 2 < me->nplaces ? me->place[i / 2].fd[i % 2] : -1, POLLIN, 0
        };
    for (i = 0; i < CONNECTIONS_MAX; i++)
        fds[n++] = (struct pollfd){ me->connection[i].fd,
            me->connection[i].events, 0 };
    return n;
}

/* Connections first: what is new may take the place of an old one. */
static void
serve(struct standalone *me, const struct pollfd fds[FDS_MAX])
{
    const struct pollfd *of_place = fds + 2,
                        *of_connection = of_place + 2 * PLACES_MAX;
    const long long now = acme_time_ms();
    size_t i;

    for (i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &me->connection[i];

        if (connection->fd == -1)
            continue;
        if (of_connection[i].revents != 0)
            go_on(me, connection);
        else if (now - connection->began > CONNECTION_MS)
            hang_up(connection);
    }
    for (i = 0; i < 2 * me->nplaces; i++)
        if (of_place[i].fd != -1 && of_place[i].revents != 0)
            accept_one(me, &me->place[i / 2], of_place[i].fd);
}

static int
loop(struct standalone *me)
{
    struct pollfd fds[FDS_MAX];
    int status = -1;
    size_t n;

    while (status == -1) {
        n = list_fds(me, fds);
        if (poll(fds, (nfds_t)n, 1000) < 0 && errno != EINTR)
            return ACME_EXIT_FAILED;
        if (fds[0].revents != 0)
            return ACME_EXIT_STOPPED;
        serve(me, fds);
        if (fds[1].revents != 0)
            status = take_errand(me);
    }
    return status;
}

void
acme_standalone_process(const struct acme_config *config,
    struct acme_child *child)
{
    struct standalone *me = calloc(1, sizeof(*me));
    struct acme_sandbox_report ignored;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    if (me == NULL || acme_area_new(0, 0, &me->area, &err) != ACME_OK)
        _exit(ACME_EXIT_FAILED);
    me->config = config;
    me->child = child;
    me->host = acme_child_host(child);
    for (i = 0; i < CONNECTIONS_MAX; i++)
        me->connection[i].fd = -1;
    if (acme_sandbox_standalone(config->uid, config->gid, &ignored, &err) !=
        ACME_OK) {
        acme_log(&me->host, ACME_LOG_ERROR, "%s", err.what);
        _exit(ACME_EXIT_FAILED);
    }
    _exit(loop(me));
}

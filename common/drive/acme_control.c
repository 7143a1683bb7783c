#define _GNU_SOURCE
#include "drive/acme_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "state/acme_dir.h"
#include "state/acme_frame.h"
#include "wrap/acme_hash.h"
#include "wrap/acme_json.h"

struct client {
    int fd;      /* -1: free */
    uint64_t id; /* 0: has not asked yet */
};

struct acme_control {
    int state_fd;
    int listener;
    int lock;
    char instance[128];
    uint64_t last_id;
    struct client client[ACME_CONTROL_CLIENTS];
};

/* ---- files ------------------------------------------------------------ */

static void
file_name(char out[192], const char *instance, const char *suffix)
{
    (void)snprintf(out, 192, "servers/%s%s", instance, suffix);
}

/*
 * One file per life of a store: an old and a new one overlap in a reload.
 * The process id is for people; it is not unique where containers share a
 * state directory.
 */
static void
name_instance(const struct acme_config *config, char out[128])
{
    char hash[ACME_HASH_HEX];
    uint32_t random = 0;

    acme_hash_hex(config->instance, strlen(config->instance), hash);
    (void)RAND_bytes((unsigned char *)&random, sizeof(random));
    (void)snprintf(out, 128, "%.32s-%.8s.%ld-%08x", config->server, hash,
        (long)getpid(), (unsigned)random);
}

static int
open_locked(int state_fd, const char *path)
{
    int fd =
        openat(state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1 || flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The file gets its name when its lock is held: no other server that starts
 * at the same time may take us for dead. */
static enum acme_rc
place_description(struct acme_control *control, const struct acme_buf *text,
    struct acme_error *err)
{
    struct acme_error ignored;
    char path[192], temp[192];
    enum acme_rc rc;

    file_name(path, control->instance, ".json");
    (void)snprintf(temp, sizeof(temp), "servers/.%s.tmp", control->instance);
    rc = acme_dir_create(control->state_fd, temp, 0600, text->data, text->len,
        err);
    if (rc != ACME_OK)
        return rc;
    control->lock = open_locked(control->state_fd, temp);
    if (control->lock == -1)
        rc = acme_error_errno(err, ACME_IO, errno, "cannot lock \"%s\"", temp);
    if (rc == ACME_OK)
        rc = acme_dir_rename_soon(control->state_fd, temp, path, err);
    acme_error_clear(&ignored);
    if (rc != ACME_OK)
        (void)acme_dir_remove(control->state_fd, temp, &ignored);
    return rc;
}

/* Where the server can be talked to. */
static struct acme_json *
render_listeners(const struct acme_config *config)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < config->nlisteners; i++) {
        const struct acme_listener *one = &config->listener[i];
        struct acme_json *json = acme_json_object();

        acme_json_set_str(json, "address", one->address);
        acme_json_set_int(json, "port", (int64_t)one->port);
        acme_json_set_bool(json, "tls", one->tls);
        acme_json_set_bool(json, "certain", one->certain);
        acme_json_append(list, json);
    }
    return list;
}

static struct acme_json *
render_issuers(const struct acme_config *config)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < config->nissuers; i++)
        acme_json_append(list, acme_issuer_render(&config->issuer[i]));
    return list;
}

static struct acme_json *
render_lineages(const struct acme_config *config)
{
    struct acme_json *names = acme_json_array();
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        acme_json_append_str(names, config->lineage[i].name);
    return names;
}

static enum acme_rc
render_description(const struct acme_config *config, bool complete,
    struct acme_buf *text, struct acme_error *err)
{
    struct acme_json *json = acme_json_object();
    enum acme_rc rc;

    acme_json_set_str(json, "server", config->server);
    acme_json_set_str(json, "config", config->instance);
    acme_json_set_int(json, "pid", (int64_t)getpid());
    acme_json_set_int(json, "uid", (int64_t)config->server_uid);
    acme_json_set_int(json, "gid", (int64_t)config->server_gid);
    acme_json_set_int(json, "http", (int64_t)config->reach.http);
    acme_json_set_int(json, "tls", (int64_t)config->reach.tls);
    acme_json_set(json, "listeners", render_listeners(config));
    if (complete) {
        acme_json_set(json, "issuers", render_issuers(config));
        acme_json_set(json, "lineages", render_lineages(config));
    }
    acme_buf_reset(text);
    rc = acme_json_render(json, true, text, err);
    acme_json_free(json);
    return rc;
}

/* What is too much for one file (thousands of lineages) is told without what
 * nobody needs to ask the server. */
static enum acme_rc
write_description(struct acme_control *control,
    const struct acme_config *config, struct acme_error *err)
{
    struct acme_error ignored;
    struct acme_buf text;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_JSON_MAX);
    rc = render_description(config, true, &text, &ignored);
    if (rc != ACME_OK) {
        acme_buf_clear(&text);
        acme_buf_init(&text, ACME_JSON_MAX);
        rc = render_description(config, false, &text, err);
    }
    if (rc == ACME_OK)
        rc = place_description(control, &text, err);
    acme_buf_clear(&text);
    return rc;
}

/* Somebody's whose store has died without cleaning up. */
static enum acme_rc
remove_dead(void *ctx, const char *name, struct acme_error *err)
{
    struct acme_control *control = ctx;
    struct acme_error ignored;
    char instance[128], path[192];
    size_t len = strlen(name);
    int fd;

    (void)err;
    if (len < 6 || len - 5 >= sizeof(instance) ||
        strcmp(name + len - 5, ".json") != 0)
        return ACME_OK;
    (void)snprintf(instance, sizeof(instance), "%.*s", (int)len - 5, name);
    file_name(path, instance, ".json");
    fd = open_locked(control->state_fd, path);
    if (fd == -1)
        return ACME_OK;
    acme_error_clear(&ignored);
    file_name(path, instance, ".sock");
    (void)acme_dir_remove(control->state_fd, path, &ignored);
    file_name(path, instance, ".json");
    (void)acme_dir_remove(control->state_fd, path, &ignored);
    close(fd);
    return ACME_OK;
}

/* ---- the server's side ------------------------------------------------ */

static enum acme_rc
listen_on(struct acme_control *control, struct acme_error *err)
{
    struct sockaddr_un address;
    char path[192];

    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    file_name(path, control->instance, ".sock");
    if (strlen(path) >= sizeof(address.sun_path))
        return acme_error_set(err, ACME_IO, "\"%s\" is too long", path);
    memcpy(address.sun_path, path, strlen(path));
    if (fchdir(control->state_fd) != 0)
        return acme_error_errno(err, ACME_IO, errno, "cannot enter state");
    control->listener =
        socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listener == -1 ||
        bind(control->listener, (struct sockaddr *)&address,
            sizeof(address)) != 0 ||
        fchmodat(control->state_fd, path, 0600, 0) != 0 ||
        listen(control->listener, ACME_CONTROL_CLIENTS) != 0)
        return acme_error_errno(err, ACME_IO, errno, "cannot listen on \"%s\"",
            path);
    return ACME_OK;
}

enum acme_rc
acme_control_open(int state_fd, const struct acme_config *config,
    struct acme_control **out, struct acme_error *err)
{
    struct acme_control *control = calloc(1, sizeof(*control));
    size_t i;
    enum acme_rc rc;

    if (control == NULL)
        return acme_error_nomem(err);
    control->state_fd = state_fd;
    control->listener = control->lock = -1;
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++)
        control->client[i].fd = -1;
    rc = acme_dir_list(state_fd, "servers", remove_dead, control, err);
    name_instance(config, control->instance);
    if (rc == ACME_OK)
        rc = listen_on(control, err);
    if (rc == ACME_OK)
        rc = write_description(control, config, err);
    if (rc == ACME_OK)
        *out = control;
    else
        acme_control_close(control);
    return rc;
}

static void
hang_up(struct client *client)
{
    if (client->fd != -1)
        close(client->fd);
    client->fd = -1;
    client->id = 0;
}

void
acme_control_close(struct acme_control *control)
{
    struct acme_error ignored;
    char path[192];
    size_t i;

    if (control == NULL)
        return;
    acme_error_clear(&ignored);
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++)
        hang_up(&control->client[i]);
    if (control->listener != -1) {
        close(control->listener);
        file_name(path, control->instance, ".sock");
        (void)acme_dir_remove(control->state_fd, path, &ignored);
    }
    if (control->lock != -1) {
        file_name(path, control->instance, ".json");
        (void)acme_dir_remove(control->state_fd, path, &ignored);
        close(control->lock);
    }
    free(control);
}

size_t
acme_control_poll(const struct acme_control *control, struct pollfd *fds)
{
    size_t i, n = 0;

    if (control == NULL)
        return 0;
    fds[n].fd = control->listener;
    fds[n++].events = POLLIN;
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++) {
        if (control->client[i].fd == -1)
            continue;
        fds[n].fd = control->client[i].fd;
        fds[n++].events = POLLIN;
    }
    return n;
}

static bool
may_ask(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void
take_client(struct acme_control *control)
{
    int fd =
        accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    size_t i;

    if (fd == -1)
        return;
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++) {
        if (control->client[i].fd == -1 && may_ask(fd)) {
            control->client[i].fd = fd;
            control->client[i].id = 0;
            return;
        }
    }
    close(fd);
}

static void
tell(struct client *client, bool ok, bool known, const char *text)
{
    struct acme_error ignored;
    struct acme_buf frame;

    acme_error_clear(&ignored);
    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, ACME_VERB_DONE, 0);
    acme_frame_add_u64(&frame, known);
    acme_frame_add_u64(&frame, ok);
    acme_frame_add_text(&frame, text);
    (void)acme_frame_send(client->fd, &frame, &ignored);
    acme_buf_clear(&frame);
    hang_up(client);
}

static bool
read_question(struct client *client, char *lineage, unsigned *flags)
{
    struct acme_error ignored;
    struct acme_frame frame;
    struct acme_buf data;
    bool good;

    acme_error_clear(&ignored);
    acme_buf_init(&data, ACME_FRAME_MAX);
    good = acme_frame_recv(client->fd, &data, &ignored) == ACME_OK &&
           acme_frame_open(&frame, data.data, data.len) &&
           frame.verb == ACME_VERB_RENEW;
    if (good) {
        acme_frame_get_text(&frame, lineage, ACME_LINEAGE_MAX + 1);
        *flags = (unsigned)acme_frame_get_u64(&frame);
        good = acme_frame_end(&frame);
    }
    acme_buf_clear(&data);
    return good;
}

static bool
has_something(int fd)
{
    struct pollfd pfd = { fd, POLLIN, 0 };

    return poll(&pfd, 1, 0) == 1;
}

void
acme_control_serve(struct acme_control *control,
    bool (*renew)(void *ctx, const char *lineage, unsigned flags, uint64_t id),
    void *ctx)
{
    char lineage[ACME_LINEAGE_MAX + 1];
    unsigned flags;
    size_t i;

    if (control == NULL)
        return;
    for (i = 0; i < ACME_CONTROL_CLIENTS; i++) {
        struct client *client = &control->client[i];

        if (client->fd == -1 || !has_something(client->fd))
            continue;
        /* A second message, or the end of the connection, ends it. */
        if (client->id != 0 || !read_question(client, lineage, &flags)) {
            hang_up(client);
            continue;
        }
        client->id = ++control->last_id;
        if (!renew(ctx, lineage, flags, client->id))
            tell(client, false, false, "no such lineage here");
    }
    take_client(control); /* last: those who have gone made room */
}

void
acme_control_done(struct acme_control *control, uint64_t id, bool ok,
    const char *text)
{
    size_t i;

    for (i = 0; control != NULL && id != 0 && i < ACME_CONTROL_CLIENTS; i++) {
        if (control->client[i].fd != -1 && control->client[i].id == id)
            tell(&control->client[i], ok, true, text);
    }
}

/* ---- acmectl's side --------------------------------------------------- */

struct listing {
    int state_fd;
    bool alive; /* or those that are not */
    enum acme_rc (*visit)(void *ctx, const struct acme_control_server *server,
        struct acme_error *err);
    void *ctx;
};

static bool
is_alive(int state_fd, const char *instance)
{
    char path[192];
    int fd;
    bool alive;

    file_name(path, instance, ".json");
    fd =
        openat(state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd == -1)
        return false;
    alive = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return alive;
}

static enum acme_arrival
read_arrival(const struct acme_json *json, const char *name)
{
    int64_t value = acme_json_int(json, name, ACME_ARRIVAL_UNKNOWN);

    return value > ACME_ARRIVAL_UNKNOWN && value <= ACME_ARRIVAL_NEVER
               ? (enum acme_arrival)value
               : ACME_ARRIVAL_UNKNOWN;
}

static void
read_listeners(const struct acme_json *list,
    struct acme_control_server *server)
{
    struct sockaddr_storage ignored;
    struct acme_listener *one;
    const struct acme_json *json;
    const char *address;
    int64_t port;
    size_t i;

    for (i = 0;
         i < acme_json_count(list) && server->nlisteners < ACME_LISTENERS_MAX;
         i++) {
        json = acme_json_at(list, i);
        address = acme_json_str(json, "address");
        port = acme_json_int(json, "port", 0);
        if (address == NULL || port < 1 || port > 65535 ||
            !acme_address_parse(address, (unsigned)port, &ignored))
            continue;
        one = &server->listener[server->nlisteners++];
        (void)snprintf(one->address, sizeof(one->address), "%s", address);
        one->port = (unsigned)port;
        one->tls = acme_json_bool(json, "tls", false);
        one->certain = acme_json_bool(json, "certain", false);
    }
}

static void
describe(const struct acme_json *json, struct acme_control_server *server)
{
    const char *value = acme_json_str(json, "server");

    (void)snprintf(server->server, sizeof(server->server), "%s",
        value != NULL ? value : "?");
    value = acme_json_str(json, "config");
    (void)snprintf(server->config, sizeof(server->config), "%s",
        value != NULL ? value : "?");
    server->pid = (long)acme_json_int(json, "pid", 0);
    server->uid = (uid_t)acme_json_int(json, "uid", 0);
    server->gid = (gid_t)acme_json_int(json, "gid", 0);
    server->reach.http = read_arrival(json, "http");
    server->reach.tls = read_arrival(json, "tls");
    server->issuers = acme_json_get(json, "issuers");
    read_listeners(acme_json_get(json, "listeners"), server);
}

/* NULL: it cannot be read, or is no JSON. */
static struct acme_json *
read_description(int state_fd, const char *instance)
{
    struct acme_json *json = NULL;
    struct acme_error ignored;
    struct acme_buf text;
    char path[192];

    acme_error_clear(&ignored);
    acme_buf_init(&text, ACME_JSON_MAX);
    file_name(path, instance, ".json");
    if (acme_dir_read(state_fd, path, geteuid(), ACME_JSON_MAX, &text,
            &ignored) == ACME_OK)
        (void)acme_json_parse(acme_buf_str(&text), text.len, path, &json,
            &ignored);
    acme_buf_clear(&text);
    return json;
}

static enum acme_rc
list_one(void *ctx, const char *name, struct acme_error *err)
{
    const struct listing *listing = ctx;
    struct acme_control_server server;
    struct acme_json *json;
    size_t len = strlen(name);
    enum acme_rc rc = ACME_OK;

    memset(&server, 0, sizeof(server));
    if (len < 6 || len - 5 >= sizeof(server.instance) ||
        strcmp(name + len - 5, ".json") != 0)
        return ACME_OK;
    memcpy(server.instance, name, len - 5);
    if (is_alive(listing->state_fd, server.instance) != listing->alive)
        return ACME_OK;
    json = read_description(listing->state_fd, server.instance);
    describe(json, &server);
    if (server.pid > 0)
        rc = listing->visit(listing->ctx, &server, err);
    acme_json_free(json);
    return rc;
}

enum acme_rc
acme_control_servers(int state_fd,
    enum acme_rc (*visit)(void *ctx, const struct acme_control_server *server,
        struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct listing listing = { state_fd, true, visit, ctx };

    return acme_dir_list(state_fd, "servers", list_one, &listing, err);
}

enum acme_rc
acme_control_gone(int state_fd,
    enum acme_rc (*visit)(void *ctx, const struct acme_control_server *server,
        struct acme_error *err),
    void *ctx, struct acme_error *err)
{
    struct listing listing = { state_fd, false, visit, ctx };

    return acme_dir_list(state_fd, "servers", list_one, &listing, err);
}

static int
connect_to(int state_fd, const char *instance, struct acme_error *err)
{
    struct sockaddr_un address;
    char path[192];
    int fd;

    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    file_name(path, instance, ".sock");
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.*s",
        (int)sizeof(address.sun_path) - 1, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd == -1 || fchdir(state_fd) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)acme_error_errno(err, ACME_IO, errno,
            "cannot ask the server behind \"%s\"", path);
        if (fd != -1)
            close(fd);
        return -1;
    }
    return fd;
}

static enum acme_rc
send_question(int fd, const char *lineage, unsigned flags,
    struct acme_error *err)
{
    struct acme_buf frame;
    enum acme_rc rc;

    acme_buf_init(&frame, ACME_FRAME_MAX);
    acme_frame_begin(&frame, ACME_VERB_RENEW, 0);
    acme_frame_add_text(&frame, lineage);
    acme_frame_add_u64(&frame, flags);
    rc = acme_frame_send(fd, &frame, err);
    acme_buf_clear(&frame);
    return rc;
}

static enum acme_rc
read_answer(int fd, bool *ok, char *text, size_t size, struct acme_error *err)
{
    struct acme_frame frame;
    struct acme_buf data;
    bool known = false;
    enum acme_rc rc;

    acme_buf_init(&data, ACME_FRAME_MAX);
    rc = acme_frame_recv(fd, &data, err);
    if (rc == ACME_OK && acme_frame_open(&frame, data.data, data.len)) {
        known = acme_frame_get_u64(&frame) != 0;
        *ok = acme_frame_get_u64(&frame) != 0;
        acme_frame_get_text(&frame, text, size);
        if (!acme_frame_end(&frame))
            rc = acme_error_set(err, ACME_IO, "bad answer of the server");
        else if (!known)
            rc = ACME_NOENT;
    } else {
        acme_error_clear(err); /* for the caller NOENT is another thing */
        rc = acme_error_set(err, ACME_IO,
            "the server went away before it answered");
    }
    acme_buf_clear(&data);
    return rc;
}

enum acme_rc
acme_control_ask(int state_fd, const char *instance, const char *lineage,
    unsigned flags, bool wait_for_it, bool *ok, char *text, size_t size,
    void (*tick)(void *ctx), void *ctx, struct acme_error *err)
{
    struct pollfd pfd = { -1, POLLIN, 0 };
    enum acme_rc rc;

    pfd.fd = connect_to(state_fd, instance, err);
    if (pfd.fd == -1)
        return ACME_IO;
    rc = send_question(pfd.fd, lineage, flags, err);
    *ok = true;
    (void)snprintf(text, size, "asked for");
    while (rc == ACME_OK && wait_for_it && poll(&pfd, 1, 1000) == 0)
        if (tick != NULL)
            tick(ctx);
    /* Even who does not wait learns at once that a name is unknown. */
    if (rc == ACME_OK && (wait_for_it || poll(&pfd, 1, 1000) == 1))
        rc = read_answer(pfd.fd, ok, text, size, err);
    close(pfd.fd);
    return rc;
}

/*
 * How acmectl asks a running server: servers/INSTANCE.json says who runs
 * (flocked while it lives), servers/INSTANCE.sock takes one question a
 * connection, a frame {RENEW: lineage name, flags}, and gives one answer,
 * {DONE: ok, text}.  Only root, or the owner of a state directory that is not
 * root's, is listened to; a question names a lineage and nothing else.
 */
#ifndef ACME_CONTROL_H
#define ACME_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/acme_error.h"
#include "state/acme_config.h"
#include "wrap/acme_json.h"

/* Who may hold a connection open at once. */
#define ACME_CONTROL_CLIENTS 16

struct pollfd;
struct acme_control;

/*
 * The server's side.  Writes INSTANCE.json, takes its lock and listens;
 * removes what servers that died left behind.  Comes before the sandbox;
 * changes the process's working directory to the state directory (a socket's
 * path is short or it is nothing).
 */
enum acme_rc acme_control_open(int state_fd, const struct acme_config *config,
    struct acme_control **control, struct acme_error *err);

/* Removes INSTANCE.json and the socket. */
void acme_control_close(struct acme_control *control); /* accepts NULL */

/* Fills up to 1 + ACME_CONTROL_CLIENTS entries; returns how many. */
size_t acme_control_poll(const struct acme_control *control,
    struct pollfd *fds);

/*
 * Takes what is there.  `renew` is called for each question and says whether
 * it went on its way; the answer comes by acme_control_done() with its id.
 */
void acme_control_serve(struct acme_control *control,
    bool (*renew)(void *ctx, const char *lineage, unsigned flags, uint64_t id),
    void *ctx);

void acme_control_done(struct acme_control *control, uint64_t id, bool ok,
    const char *text);

/* acmectl's side: a server that lives. */
struct acme_control_server {
    char instance[128]; /* name below servers/ */
    char server[32];    /* "nginx" */
    char config[1024];  /* path of its configuration */
    long pid;           /* of its store process */
    uid_t uid;          /* its own user and group (acme_config.server_uid) */
    gid_t gid;
    struct acme_reach reach;
    size_t nlisteners;
    struct acme_listener listener[ACME_LISTENERS_MAX];
    /* acme_issuer_render()'s, of its configuration, while it is visited; NULL:
     * not known. */
    const struct acme_json *issuers;
};

/* Calls `visit` for each server that lives; a rc other than ACME_OK ends
 * it. */
enum acme_rc acme_control_servers(int state_fd,
    enum acme_rc (*visit)(void *ctx, const struct acme_control_server *server,
        struct acme_error *err),
    void *ctx, struct acme_error *err);

/* The same for each that has ended without a word: its store was killed, and
 * no server has started since. */
enum acme_rc acme_control_gone(int state_fd,
    enum acme_rc (*visit)(void *ctx, const struct acme_control_server *server,
        struct acme_error *err),
    void *ctx, struct acme_error *err);

/*
 * Asks that server and waits for the answer, calling `tick` every second, if
 * it is not NULL. ACME_OK: done, *ok and `text` (of `size` bytes) are its
 * answer. ACME_NOENT: it does not have that lineage.  ACME_IO: it went away.
 * Changes the working directory as acme_control_open() does.
 */
enum acme_rc acme_control_ask(int state_fd, const char *instance,
    const char *lineage, unsigned flags, bool wait_for_it, bool *ok,
    char *text, size_t size, void (*tick)(void *ctx), void *ctx,
    struct acme_error *err);

#endif

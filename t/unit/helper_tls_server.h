/*
 * A little HTTPS server in a thread, on 127.0.0.1, that answers as badly as a
 * test wants.  One connection at a time: a new one ends the one before.
 */
#ifndef HELPER_TLS_SERVER_H
#define HELPER_TLS_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "helper_ca.h"

struct helper_tls_server;

struct helper_tls_request {
    struct helper_tls_server *server;
    void *tls;        /* SSL * */
    const char *head; /* request line and headers, with their CR LF */
    const char *body;
    size_t body_len;
};

/* Runs in the server's thread.  False: the connection is closed, without a
 * close_notify. */
typedef bool helper_tls_answer(void *ctx,
    const struct helper_tls_request *request);

/* With a certificate of `ca` for `names` (see helper_ca_issue()). */
struct helper_tls_server *helper_tls_server_new(struct helper_ca *ca,
    const char *const *names, const struct helper_ca_options *options,
    helper_tls_answer *answer, void *ctx);
void helper_tls_server_free(struct helper_tls_server *server);

unsigned helper_tls_server_port(const struct helper_tls_server *server);

/* TCP connections and requests so far.  Asked before and after an exchange,
 * _requests() also lets both threads see each other's variables. */
unsigned helper_tls_server_connections(struct helper_tls_server *server);
unsigned helper_tls_server_requests(struct helper_tls_server *server);

/* For answers: false when the client is gone or the server is to end. */
bool helper_tls_write(const struct helper_tls_request *request,
    const void *data, size_t len);
bool helper_tls_print(const struct helper_tls_request *request,
    const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool helper_tls_sleep(const struct helper_tls_request *request, unsigned ms);

#endif

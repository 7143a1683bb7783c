/*
 * Everything a protocol test needs, in one cmocka fixture: a host, a CA, a
 * client with a key, an arena and an error.
 *
 *     static void
 *     test_x(void **state)
 *     {
 *         struct fake_client *f = *state;
 *         ...
 *     }
 *     cmocka_unit_test_setup_teardown(test_x, fake_client_setup,
 *         fake_client_teardown)
 *
 * The teardown fails a test whose client broke RFC 8555 (the CA's
 * complaints) or left an error in OpenSSL's queue.
 */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include "base/acme_arena.h"
#include "fake_ca.h"
#include "fake_host.h"
#include "protocol/acme_client.h"

/* The configuration's second CA, which must never hear from us. */
#define FAKE_OTHER_DIRECTORY "https://other.test/dir"

struct fake_client {
    struct fake_host host;
    struct fake_ca *ca;
    struct acme_key *key;
    struct acme_connection *connection;
    struct acme_client *client;
    struct acme_arena *arena;
    struct acme_error err;
    char line[2048];
};

/* A client that has a key only; one that has an account, with the requests
 * for it forgotten. */
int fake_client_setup(void **state);
int fake_client_setup_account(void **state);
int fake_client_teardown(void **state);

/* Another client of the same CA in place of the old one (whose account and
 * nonce are forgotten), and of another directory URL. */
void fake_client_renew(struct fake_client *f);
void fake_client_renew_at(struct fake_client *f, const char *directory_url);

/* So, but over a connection that is made like this, and without a key. */
void fake_client_connect(struct fake_client *f,
    const struct acme_connection_conf *conf);

/* Makes an account as acme_account_ensure() does. */
void fake_client_register(struct fake_client *f);

/* Rules, log and error of the last case forgotten: for tables. */
void fake_client_next_case(struct fake_client *f);

/* f->err as a line. */
const char *fake_client_error(struct fake_client *f);

/* Fails unless f->err has this rc and `text` (NULL: any) in its line;
 * `label` says which case it was. */
void fake_client_expect(struct fake_client *f, const char *label,
    enum acme_rc rc, const char *text);

#endif

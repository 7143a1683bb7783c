/*
 * The transport over libcurl: https only, TLS 1.2 or newer, peer and name
 * verified, bounded in time, headers and decoded bytes, no redirect, no
 * proxy from the environment, no compressed body.  A private address
 * (loopback, RFC 1918, link-local, unique local, CGNAT) is connected to only
 * if the directory's host itself is there: its URL says so, or the first
 * answer of its origin came from there.  What a proxy connects to is its own
 * affair, but for private addresses in URLs.
 */
#ifndef ACME_HTTP_CURL_H
#define ACME_HTTP_CURL_H

#include "base/acme_host.h"
#include "wrap/acme_http.h"
#include "wrap/acme_resolve.h"

struct acme_http_curl;

struct acme_http_curl_conf {
    const char *directory_url; /* its host may be at a private address */
    const char *ca_file;   /* PEM bundle to trust instead of the system's */
    const char *ca_pem;    /* the same as text; wins over ca_file */
    bool verify;           /* false: trust whoever answers (S34) */
    const char *proxy;     /* http or https URL of one that everything goes
                              through, wherever it is; NULL: none */
    const char *proxy_pem; /* like ca_pem, for one with https */
    const char *user_agent;
    /* Who is asked for the addresses of hosts; no servers: the machine's. */
    struct acme_resolve resolve;
};

/*
 * Once per process, before threads and before the first _new; never in a
 * process that may unload this code.  Takes SSLKEYLOGFILE out of the
 * environment.  The process has to ignore SIGPIPE.
 */
enum acme_rc acme_http_curl_setup(struct acme_error *err);

/* One connection cache, one thread at a time.  Copies `conf`; borrows
 * `host`. */
enum acme_rc acme_http_curl_new(const struct acme_http_curl_conf *conf,
    const struct acme_host *host, struct acme_http_curl **curl,
    struct acme_error *err);
void acme_http_curl_free(struct acme_http_curl *curl); /* accepts NULL */

/* The transport (borrowed: valid as long as `curl`). */
struct acme_transport acme_http_curl_transport(struct acme_http_curl *curl);

#endif

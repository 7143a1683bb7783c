/*
 * A way to one CA, and what came over it: its directory and a nonce.  Says
 * where requests may go: https, the origins of the directory (as configured,
 * and where its redirects end), never an origin of another CA of this
 * configuration.  One thread at a time; clients (acme_client.h) share it one
 * after the other.
 */
#ifndef ACME_CONNECTION_H
#define ACME_CONNECTION_H

#include <stdbool.h>

#include "base/acme_host.h"
#include "wrap/acme_http.h"

struct acme_connection;

struct acme_connection_conf {
    const char *directory_url;
    /* Directory URLs of the configuration's other CAs: their origins are
     * never talked to, as one key may serve them all (security: a CA could
     * have us sign for another). */
    const char *const *other_directories;
    size_t nother;
};

struct acme_directory {
    char new_nonce[ACME_URL_MAX];
    char new_account[ACME_URL_MAX];
    char new_order[ACME_URL_MAX];
    char revoke_cert[ACME_URL_MAX]; /* "": none; checked when it is used */
    char key_change[ACME_URL_MAX];  /* the same */
    /* RFC 9773 4.1; "" if the CA names none.  Not checked yet: what is wrong
     * with it must not cost a certificate. */
    char renewal_info[ACME_URL_MAX];
    char terms[ACME_URL_MAX]; /* "" if the CA names none */
    bool eab_required;
    /* Names of meta.profiles (draft-ietf-acme-profiles 3), printable. */
    size_t nprofiles;
    char profile[ACME_PROFILES_MAX][ACME_PROFILE_MAX + 1];
    /* meta.caaIdentities (RFC 8555 7.1.1): what the CA is called in CAA
     * records. */
    size_t ncaa;
    char caa[ACME_CAA_IDENTITIES_MAX][ACME_NAME_MAX + 1];
};

/* Copies `conf`; borrows host and transport's ctx.  NULL: out of memory. */
struct acme_connection *acme_connection_new(
    const struct acme_connection_conf *conf, const struct acme_host *host,
    struct acme_transport transport);
void acme_connection_free(struct acme_connection *connection); /* NULL too */

/*
 * The directory (borrowed), fetched on first use and again after an hour.
 * Redirects: at most 3, https, never to another CA's origin.
 * Blocks.
 */
enum acme_rc acme_connection_directory(struct acme_connection *connection,
    const struct acme_directory **directory, struct acme_error *err);

/* Whether the directory is at a private address: then so may be the names that
 * its CA looks at.  False also while that is not known. */
bool acme_connection_is_private(const struct acme_connection *connection);

/* Whether the CA offers a certificate profile of that name. */
bool acme_directory_offers(const struct acme_directory *directory,
    const char *profile);

/* The names of those that it offers, as text: `"a", "b"`, or "none".  Cut off
 * if it does not fit.  Returns `text`. */
const char *acme_directory_profiles(const struct acme_directory *directory,
    char *text, size_t size);

/*
 * GET of a URL out of a CA's answer, of an allowed origin, as JSON; success is
 * 200 or 201 (acme_answer_judge()).  No nonce is spent for it.  `response` is
 * initialised by the caller.  Blocks.
 */
enum acme_rc acme_connection_get(struct acme_connection *connection,
    const char *url, struct acme_http_response *response,
    struct acme_error *err);

/*
 * GET over http of something that is signed by itself, at most `max` bytes of
 * it, within timeout_ms (0: as usual); success is 200.  The directory is
 * fetched before: by its address the transport knows whether a private one is
 * in order.  Where that is not known, as the CA does not answer, none is.  No
 * redirect is followed.  Blocks.
 */
enum acme_rc acme_connection_get_plain(struct acme_connection *connection,
    const char *url, size_t max, unsigned timeout_ms,
    struct acme_http_response *response, struct acme_error *err);

/* Whether a URL out of a CA's answer may be talked to. */
enum acme_rc acme_connection_check_url(struct acme_connection *connection,
    const char *url, struct acme_error *err);

/*
 * Takes a Location header of an answer: it must be there, absolute or
 * relative to `base`, and of an allowed origin.
 */
enum acme_rc acme_connection_location(struct acme_connection *connection,
    const char *base, const struct acme_http_response *response,
    char out[ACME_URL_MAX], struct acme_error *err);

/* One exchange; the nonce of its answer is kept.  Blocks. */
enum acme_rc acme_connection_perform(struct acme_connection *connection,
    const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err);

/*
 * How many seconds the CA's clock is ahead of ours, by the last answer of an
 * exchange as above: those of the directory may come out of a cache.  False:
 * not known.
 */
bool acme_connection_clock(const struct acme_connection *connection,
    long *ahead);

/* Gets a nonce for the next request, if none is kept, and with it the CA's
 * time.  The directory must be there.  Blocks. */
enum acme_rc acme_connection_prepare(struct acme_connection *connection,
    struct acme_error *err);

/* The kept nonce, or a new one (RFC 8555 7.2); it is spent by this.  The
 * directory must be there.  Blocks. */
enum acme_rc acme_connection_nonce(struct acme_connection *connection,
    char nonce[ACME_NONCE_MAX + 1], struct acme_error *err);

#endif

/*
 * What a CA answers, through the protocol layer: directory, account, order,
 * authorization, problem, certificate, renewal information.  The transport is
 * a script: the input is the answer to the step that its first line names,
 *
 *     order 200
 *     Retry-After: 3
 *
 *     {"status": ...
 *
 * and to every other request the answer is a good one.
 */
#include <strings.h>

#include "../unit/fake_host.h"
#include "base/acme_log.h"
#include "fuzz.h"
#include "protocol/acme_account.h"
#include "protocol/acme_authz.h"
#include "protocol/acme_renewal.h"
#include "wrap/acme_url.h"

const unsigned fuzz_replay_step = 2;

static const char *const names[] = { "a.test", "*.b.test", "192.0.2.1" };
#define NNAMES 3

static const char directory[] =
    "{\"newNonce\":\"https://ca.test/n\",\"newAccount\":\"https://ca.test/"
    "a\",\"newOrder\":\"https://ca.test/o\",\"renewalInfo\":\"https://"
    "ca.test/r\"}";

struct script {
    struct fake_host host;
    char step[16];
    int status;
    struct fuzz_input header, body;
    unsigned requests;
};

/* ---- the transport ---------------------------------------------------- */

static void
add_headers(struct fuzz_input in, struct acme_http_response *response)
{
    while (in.left > 0) {
        struct fuzz_input line = fuzz_line(&in);
        const uint8_t *colon =
            line.left > 0 ? memchr(line.at, ':', line.left) : NULL;
        size_t len = colon != NULL ? (size_t)(colon - line.at) : 0;

        if (colon == NULL)
            continue;
        if (len == 11 && memcmp(line.at, "Retry-After", len) == 0)
            response->retry_after = line.left % 97 * 3;
        acme_http_response_header(response, (const char *)line.at, len,
            (const char *)colon + 1, line.left - len - 1);
    }
}

static void
reply(struct acme_http_response *response, int status, const void *body,
    size_t len)
{
    response->status = status;
    acme_buf_add(&response->body, body, len);
}

/* Whatever an answer says, nobody else hears from us; only a directory may
 * have moved, and not to the other CA we know. */
static void
check_origin(const char *text, bool may_move)
{
    struct acme_url url;
    struct acme_error err;

    acme_error_clear(&err);
    FUZZ_CHECK(acme_url_parse(text, ACME_WIRE, &url, &err) == ACME_OK);
    FUZZ_CHECK(strcmp(url.origin, "https://other.test:443") != 0);
    FUZZ_CHECK(may_move || strcmp(url.origin, "https://ca.test:443") == 0);
}

static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct script *script = ctx;
    bool is_directory = strcmp(request->url, "https://ca.test/d") == 0;
    bool tests_directory = strcmp(script->step, "directory") == 0;

    /* A CA may keep us busy, but not forever. */
    FUZZ_CHECK(++script->requests < 64);
    check_origin(request->url, tests_directory);
    acme_http_response_clear(response);
    acme_buf_init(&response->body, request->max_body);
    strcpy(response->nonce, "bm9uY2U");
    if (strcmp(request->method, "HEAD") == 0) {
        reply(response, 200, "", 0);
    } else if (is_directory && !tests_directory) {
        reply(response, 200, directory, strlen(directory));
    } else if (script->body.left > request->max_body) {
        return acme_error_set(err, ACME_WIRE, "too long");
    } else {
        add_headers(script->header, response);
        reply(response, script->status, script->body.at, script->body.left);
    }
    return ACME_OK;
}

static void
read_script(struct script *script, struct fuzz_input in)
{
    char *first = fuzz_line_text(&in);

    script->status = 200;
    (void)sscanf(first, "%15s %3d", script->step, &script->status);
    free(first);
    script->header.at = in.at;
    while (in.left > 0 && fuzz_line(&in).left > 0)
        continue;
    script->header.left = (size_t)(in.at - script->header.at);
    script->body = in;
}

/* ---- the steps -------------------------------------------------------- */

static void
check_error(enum acme_rc rc, const struct acme_error *err)
{
    char line[4096];
    const char *at;

    FUZZ_CHECK(rc == err->rc);
    FUZZ_CHECK(err->nsub <= ACME_SUBPROBLEMS_MAX);
    acme_error_line(err, line, sizeof(line));
    for (at = line; *at != '\0'; at++)
        FUZZ_CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
}

static void
ask_authz(struct acme_client *client, struct acme_arena *arena)
{
    struct acme_authz authz;
    struct acme_error err;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&err);
    rc = acme_authz_get(client, "https://ca.test/z", names, NNAMES, arena,
        &authz, &err);
    check_error(rc, &err);
    if (rc != ACME_OK)
        return;
    FUZZ_CHECK(authz.nchallenges <= ACME_CHALLENGES_MAX);
    for (i = 0; i < authz.nchallenges; i++)
        if (authz.challenge[i].token[0] != '\0')
            FUZZ_CHECK(strlen(authz.challenge[i].token) <= ACME_TOKEN_MAX);
    (void)acme_authz_challenge(&authz, "http-01");
    rc = acme_authz_poll(client, names, NNAMES, arena, &authz, &err);
    check_error(rc, &err);
    if (authz.nchallenges > 0) {
        acme_error_clear(&err);
        rc = acme_authz_answer(client, &authz.challenge[0], &err);
        check_error(rc, &err);
    }
}

static void
ask_order(struct acme_client *client, struct acme_arena *arena)
{
    struct acme_order order;
    struct acme_authz *authz;
    struct acme_error err;
    struct acme_buf pem;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_order_get(client, "https://ca.test/o/1", names, NNAMES, arena,
        &order, &err);
    check_error(rc, &err);
    if (rc != ACME_OK)
        return;
    FUZZ_CHECK(order.nauthz <= NNAMES);
    rc = acme_order_poll_while(client, ACME_STATUS_PROCESSING, names, NNAMES,
        arena, &order, &err);
    check_error(rc, &err);
    acme_error_clear(&err);
    check_error(
        acme_authz_get_all(client, &order, names, NNAMES, arena, &authz, &err),
        &err);
    acme_error_clear(&err);
    check_error(acme_order_finalize(client, names, NNAMES, "csr", 3, arena,
                    &order, &err),
        &err);
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    acme_error_clear(&err);
    if (order.certificate != NULL)
        check_error(
            acme_order_download(client, &order, &pem, NULL, NULL, &err), &err);
    acme_buf_clear(&pem);
}

static void
ask_certificate(struct acme_client *client)
{
    struct acme_order order = { .status = ACME_STATUS_VALID,
        .url = "https://ca.test/o/1",
        .certificate = "https://ca.test/c/1" };
    struct acme_arena *arena = acme_arena_new();
    struct acme_alternates alternates;
    struct acme_error err;
    struct acme_buf pem;

    acme_error_clear(&err);
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    check_error(
        acme_order_download(client, &order, &pem, arena, &alternates, &err),
        &err);
    acme_buf_clear(&pem);
    acme_arena_free(arena);
}

static void
ask_renewal(struct acme_client *client)
{
    struct acme_renewal renewal;
    struct acme_error err;
    const char *at;

    acme_error_clear(&err);
    check_error(acme_renewal_get(acme_client_connection(client), "aki.serial",
                    &renewal, &err),
        &err);
    if (err.rc != ACME_OK)
        return;
    FUZZ_CHECK(renewal.start < renewal.end);
    FUZZ_CHECK(renewal.explanation[0] == '\0' ||
               strncasecmp(renewal.explanation, "https:", 6) == 0);
    for (at = renewal.explanation; *at != '\0'; at++)
        FUZZ_CHECK((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f);
}

static void
ask_step(const char *step, struct acme_client *client,
    struct acme_arena *arena)
{
    static const char *const contacts[] = { "mailto:me@example.com" };
    struct acme_account_wish wish = { .contacts = contacts,
        .ncontacts = 1,
        .terms_accepted = true };
    const struct acme_directory *known;
    struct acme_order order;
    struct acme_error err;
    enum acme_account_origin origin = ACME_ACCOUNT_KNOWN;

    acme_error_clear(&err);
    if (strcmp(step, "directory") == 0) {
        check_error(acme_connection_directory(acme_client_connection(client),
                        &known, &err),
            &err);
    } else if (strcmp(step, "account") == 0) {
        (void)acme_client_set_account(client, NULL, &err);
        check_error(acme_account_ensure(client, &wish, &origin, &err), &err);
    } else if (strcmp(step, "new-order") == 0) {
        check_error(
            acme_order_new(client, names, NNAMES, NULL, arena, &order, &err),
            &err);
    } else if (strcmp(step, "order") == 0) {
        ask_order(client, arena);
    } else if (strcmp(step, "renewal") == 0) {
        ask_renewal(client);
    } else if (strcmp(step, "authz") == 0) {
        ask_authz(client, arena);
    } else {
        ask_certificate(client);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const others[] = { "https://other.test/d" };
    const struct acme_connection_conf conf = { "https://ca.test/d", others,
        1 };
    static struct acme_key *key;
    static struct script script;
    struct acme_transport transport = { .ctx = &script, .perform = perform };
    struct fuzz_input in = { data, size };
    struct acme_arena *arena = acme_arena_new();
    struct acme_connection *connection;
    struct acme_client *client;
    struct acme_error err;

    acme_error_clear(&err);
    if (key == NULL)
        FUZZ_CHECK(
            acme_key_generate(ACME_KEY_ECDSA_256, &key, &err) == ACME_OK);
    memset(&script, 0, sizeof(script));
    fake_host_init(&script.host);
    read_script(&script, in);
    connection = acme_connection_new(&conf, &script.host.host, transport);
    FUZZ_CHECK(connection != NULL && arena != NULL);
    client = acme_client_new(connection, &script.host.host);
    FUZZ_CHECK(client != NULL);
    acme_client_set_key(client, key);
    FUZZ_CHECK(acme_client_set_account(client, "https://ca.test/a/1", &err) ==
               ACME_OK);
    ask_step(script.step, client, arena);
    FUZZ_CHECK_QUEUE();
    acme_client_free(client);
    acme_connection_free(connection);
    acme_arena_free(arena);
    fake_host_clear(&script.host);
    return 0;
}

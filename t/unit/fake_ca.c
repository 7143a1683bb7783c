#include "fake_ca.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/acme_time.h"
#include "fake_jws.h"

#define PEM_TYPE "application/pem-certificate-chain"
#define RENEWAL_INFO "/renewal-info/"
#define PROBLEM_PREFIX "urn:ietf:params:acme:error:"

enum {
    MAX_RULES = 256,
    MAX_NAMES = 128,
    LIFE = 90 * 24 * 3600
};

/* Paths are made of the name and so many numbers; only the directory's is
 * another. */
static const struct {
    const char *name, *method;
    int numbers;
} steps[FAKE_STEPS] = {
    [FAKE_DIRECTORY] = { "directory", "GET", 0 },
    [FAKE_NEW_NONCE] = { "new-nonce", "HEAD", 0 },
    [FAKE_NEW_ACCOUNT] = { "new-account", "POST", 0 },
    [FAKE_ACCOUNT] = { "account", "POST", 1 },
    [FAKE_NEW_ORDER] = { "new-order", "POST", 0 },
    [FAKE_ORDER] = { "order", "POST", 1 },
    [FAKE_AUTHZ] = { "authz", "POST", 1 },
    [FAKE_CHALLENGE] = { "challenge", "POST", 2 },
    [FAKE_FINALIZE] = { "finalize", "POST", 1 },
    [FAKE_CERTIFICATE] = { "certificate", "POST", 1 },
    [FAKE_RENEWAL_INFO] = { "renewal-info", "GET", -1 },
    [FAKE_ELSEWHERE] = { "elsewhere", "", 0 },
};

enum rule_kind {
    RULE_REPLY,
    RULE_FAIL,
    RULE_STATUS,
    RULE_HEADER,
    RULE_JSON
};

struct rule {
    enum fake_step step;
    unsigned at; /* number of the request, or FAKE_ALWAYS */
    enum rule_kind kind;
    int status; /* or enum acme_rc */
    char *name; /* content type, header, path */
    char *value;
};

struct header {
    char *name, *value;
};

struct answer {
    int status;
    const char *type;
    json_t *json;
    char *text; /* if not JSON */
    size_t nheaders;
    struct header header[16];
};

struct account {
    json_t *jwk, *contact;
    bool dropped;
};

struct challenge {
    const char *type;
    char token[44];
    const char *status;
    json_t *error;
};

struct authz {
    unsigned account;
    char *name; /* with "*." */
    const char *status;
    unsigned polls; /* left until it is valid */
    struct challenge challenge[4];
    unsigned nchallenges;
    struct challenge *answered;
};

struct order {
    unsigned account;
    json_t *identifiers;
    unsigned nauthz, authz[MAX_NAMES];
    const char *status;
    unsigned polls;
    struct acme_buf pem;
    json_t *error;
};

struct last {
    char *payload, *protected, *accept;
};

struct fake_ca_state {
    struct fake_host *host;
    struct helper_ca *issuer;
    struct acme_buf log, complaints;
    unsigned count[FAKE_STEPS];
    struct last last[FAKE_STEPS];

    struct rule rule[MAX_RULES];
    size_t nrules;

    unsigned nonces, first_good_nonce; /* nonces are numbers */
    unsigned char *nonce_used;

    struct account *account;
    unsigned naccounts;
    struct authz **authz;
    unsigned nauthz;
    struct order **order;
    unsigned norders, issued;
};

/* One request as the handlers see it. */
struct call {
    struct fake_ca *ca;
    struct fake_ca_state *s;
    const struct acme_http_request *request;
    enum fake_step step;
    unsigned n, m; /* the numbers in its path */
    struct fake_jws jws;
    json_t *payload; /* NULL: POST-as-GET */
    unsigned account;
    struct answer answer;
};

static void *
must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

static char *
copy(const char *text)
{
    return text != NULL ? must(strdup(text)) : NULL;
}

/* Room for one more pointer or structure in an array of n. */
static void *
grow(void *array, unsigned n, size_t size)
{
    char *bigger = must(realloc(array, (n + 1) * size));

    memset(bigger + n * size, 0, size);
    return bigger;
}

static json_t *
url_of(struct fake_ca *ca, enum fake_step step, unsigned n, unsigned m)
{
    const char *base = ca->conf.base, *name = steps[step].name;

    if (steps[step].numbers == 0)
        return must(json_sprintf("%s/%s", base, name));
    if (steps[step].numbers == 1)
        return must(json_sprintf("%s/%s/%u", base, name, n));
    return must(json_sprintf("%s/%s/%u/%u", base, name, n, m));
}

static void
complain(struct call *call, const char *why)
{
    acme_buf_addf(&call->s->complaints, "%s: %s\n", steps[call->step].name,
        why);
}

/* ---- answers ---- */

static void
set_header(struct answer *answer, const char *name, const char *value)
{
    struct header *h = answer->header;
    size_t i;

    for (i = 0; i < answer->nheaders; i++) {
        if (strcasecmp(h[i].name, name) == 0)
            break;
    }
    if (i == sizeof(answer->header) / sizeof(answer->header[0]))
        abort();
    if (i == answer->nheaders) {
        answer->nheaders++;
        h[i].name = copy(name);
    }
    free(h[i].value);
    h[i].value = copy(value);
}

static void
set_location(struct call *call, enum fake_step step, unsigned n)
{
    json_t *url = url_of(call->ca, step, n, 0);

    set_header(&call->answer, "Location", json_string_value(url));
    json_decref(url);
}

/* Takes `json`; rules edit a copy, as parts of it are the CA's memory. */
static void
reply(struct call *call, int status, json_t *json)
{
    call->answer.status = status;
    call->answer.type = "application/json";
    call->answer.json = must(json_deep_copy(must(json)));
    json_decref(json);
}

static json_t *
problem(const char *type, const char *detail)
{
    return must(json_pack("{s:o,s:s}", "type",
        json_sprintf(PROBLEM_PREFIX "%s", type), "detail", detail));
}

/* False: what a refused check returns. */
static bool
refuse(struct call *call, int status, const char *type, const char *detail)
{
    reply(call, status, problem(type, detail));
    call->answer.type = "application/problem+json";
    return false;
}

/* refuse() of something that no client should send. */
static bool
refuse_bad(struct call *call, const char *type, const char *detail)
{
    complain(call, detail);
    return refuse(call, 400, type, detail);
}

static void
clear_answer(struct answer *answer)
{
    size_t i;

    json_decref(answer->json);
    free(answer->text);
    for (i = 0; i < answer->nheaders; i++) {
        free(answer->header[i].name);
        free(answer->header[i].value);
    }
}

/* ---- nonces ---- */

static void
give_nonce(struct call *call)
{
    struct fake_ca_state *s = call->s;
    char nonce[32];

    s->nonce_used = grow(s->nonce_used, s->nonces, 1);
    snprintf(nonce, sizeof(nonce), "nonce-%u_", s->nonces++);
    set_header(&call->answer, "Replay-Nonce", nonce);
}

/* RFC 8555 6.5 */
static bool
check_nonce(struct call *call)
{
    const char *text =
        json_string_value(json_object_get(call->jws.header, "nonce"));
    struct fake_ca_state *s = call->s;
    unsigned n;

    if (sscanf(text, "nonce-%u_", &n) != 1 || n >= s->nonces)
        return refuse_bad(call, "badNonce", "not a nonce of this CA");
    if (s->nonce_used[n])
        return refuse_bad(call, "badNonce", "nonce used before");
    s->nonce_used[n] = 1;
    if (n < s->first_good_nonce)
        return refuse(call, 400, "badNonce", "nonce too old");
    return true;
}

/* ---- the signature ---- */

static bool
same_key(const struct fake_ca_state *s, const json_t *jwk, unsigned *found)
{
    unsigned i;

    for (i = 0; i < s->naccounts; i++) {
        if (!s->account[i].dropped && json_equal(s->account[i].jwk, jwk)) {
            *found = i;
            return true;
        }
    }
    return false;
}

static bool
find_kid(struct call *call, const char *kid)
{
    struct fake_ca_state *s = call->s;
    bool same = false;
    unsigned i;
    json_t *url;

    for (i = 0; i < s->naccounts && !same; i++) {
        url = url_of(call->ca, FAKE_ACCOUNT, i, 0);
        same = strcmp(json_string_value(url), kid) == 0;
        json_decref(url);
        call->account = i;
    }
    if (same && !s->account[call->account].dropped)
        return true;
    return refuse(call, 400, "accountDoesNotExist", "no such account");
}

/* RFC 8555 6.2: newAccount has a jwk, all else the account's URL. */
static bool
check_key(struct call *call)
{
    const json_t *jwk = json_object_get(call->jws.header, "jwk");
    const char *kid =
        json_string_value(json_object_get(call->jws.header, "kid"));
    const char *why;

    if ((call->step == FAKE_NEW_ACCOUNT) != (jwk != NULL))
        return refuse_bad(call, "malformed", "wrong one of jwk and kid");
    if (jwk == NULL) {
        if (kid == NULL || !find_kid(call, kid))
            return false;
        jwk = call->s->account[call->account].jwk;
    }
    why = fake_jws_verify(&call->jws, jwk);
    return why == NULL || refuse_bad(call, "malformed", why);
}

static bool
check_payload(struct call *call)
{
    const struct fake_jws *jws = &call->jws;
    bool as_get = call->step == FAKE_ORDER || call->step == FAKE_AUTHZ ||
                  call->step == FAKE_CERTIFICATE;

    if (jws->payload_len == 0) {
        if (as_get || call->step == FAKE_ACCOUNT)
            return true;
        return refuse_bad(call, "malformed", "POST-as-GET");
    }
    if (as_get && call->step != FAKE_AUTHZ)
        return refuse_bad(call, "malformed", "not a POST-as-GET");
    call->payload = json_loadb(jws->payload, jws->payload_len,
        JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(call->payload))
        return refuse_bad(call, "malformed", "payload is not an object");
    if (call->step == FAKE_CHALLENGE && json_object_size(call->payload) != 0)
        return refuse_bad(call, "malformed", "payload is not {}");
    if (call->step == FAKE_AUTHZ &&
        strcmp(jws->payload, "{\"status\":\"deactivated\"}") != 0)
        return refuse_bad(call, "malformed", "payload is no deactivation");
    return true;
}

static bool
check_request(struct call *call)
{
    const struct acme_http_request *r = call->request;
    const char *url;

    if (call->jws.header == NULL)
        return refuse_bad(call, "malformed", "not a flattened JWS");
    if (r->content_type == NULL ||
        strcmp(r->content_type, "application/jose+json") != 0)
        return refuse_bad(call, "malformed", "wrong content type");
    if (r->accept == NULL || strcmp(r->accept, call->step == FAKE_CERTIFICATE
                                                   ? PEM_TYPE
                                                   : "application/json") != 0)
        return refuse_bad(call, "malformed", "wrong Accept");
    if (!check_key(call))
        return false;
    url = json_string_value(json_object_get(call->jws.header, "url"));
    if (strcmp(url, r->url) != 0)
        return refuse_bad(call, "unauthorized", "url is of another request");
    return check_nonce(call) && check_payload(call);
}

/* ---- directory, accounts ---- */

static void
do_directory(struct call *call)
{
    const struct fake_ca_conf *conf = &call->ca->conf;
    json_t *meta = json_object();

    if (conf->terms != NULL)
        json_object_set_new(meta, "termsOfService", json_string(conf->terms));
    if (conf->eab_required)
        json_object_set_new(meta, "externalAccountRequired", json_true());
    reply(call, 200,
        json_pack("{s:o,s:o,s:o,s:s,s:s,s:o}", "newNonce",
            url_of(call->ca, FAKE_NEW_NONCE, 0, 0), "newAccount",
            url_of(call->ca, FAKE_NEW_ACCOUNT, 0, 0), "newOrder",
            url_of(call->ca, FAKE_NEW_ORDER, 0, 0), "revokeCert",
            "https://ca.test/revoke", "keyChange",
            "https://ca.test/key-change", "meta", meta));
    if (conf->renewal_info)
        json_object_set_new(call->answer.json, "renewalInfo",
            must(json_sprintf("%s/renewal-info", conf->base)));
}

static void
show_account(struct call *call, int status, unsigned n)
{
    const struct account *account = &call->s->account[n];

    reply(call, status,
        json_pack("{s:s,s:O*,s:s}", "status", "valid", "contact",
            account->contact, "orders", "https://ca.test/orders"));
}

static void
make_account(struct call *call)
{
    struct fake_ca_state *s = call->s;
    struct account *account;
    json_t *jwk;

    s->account = grow(s->account, s->naccounts, sizeof(*s->account));
    account = &s->account[s->naccounts];
    jwk = json_object_get(call->jws.header, "jwk");
    account->jwk = json_incref(jwk);
    account->contact = json_incref(json_object_get(call->payload, "contact"));
    show_account(call, 201, s->naccounts);
    set_location(call, FAKE_ACCOUNT, s->naccounts++);
}

/* RFC 8555 7.3.4.  NULL, or what is wrong. */
static const char *
check_mac(struct call *call, const struct fake_jws *inner)
{
    const struct fake_ca_conf *conf = &call->ca->conf;
    const char *kid = json_string_value(json_object_get(inner->header, "kid"));
    const json_t *url = json_object_get(inner->header, "url");
    json_t *jwk = json_loads(inner->payload, JSON_REJECT_DUPLICATES, NULL);
    const char *why = NULL;

    if (!json_equal(jwk, json_object_get(call->jws.header, "jwk")))
        why = "binds another key";
    else if (!json_equal(url, json_object_get(call->jws.header, "url")))
        why = "is for another URL";
    else if (conf->eab_kid == NULL || kid == NULL ||
             strcmp(kid, conf->eab_kid) != 0)
        why = "no such key identifier";
    else
        why = fake_jws_verify_mac(inner, conf->eab_key, strlen(conf->eab_key));
    json_decref(jwk);
    return why;
}

static bool
check_binding(struct call *call)
{
    const json_t *jws =
        json_object_get(call->payload, "externalAccountBinding");
    struct fake_jws inner;
    const char *why;
    char *text;

    if (!call->ca->conf.eab_required)
        return true;
    if (jws == NULL)
        return refuse(call, 403, "externalAccountRequired",
            "binding required");
    text = json_dumps(jws, JSON_COMPACT);
    why = fake_jws_parse(text, strlen(text), &inner) ? check_mac(call, &inner)
                                                     : "not a JWS";
    fake_jws_clear(&inner);
    free(text);
    return why == NULL || refuse(call, 403, "unauthorized", why);
}

/* RFC 8555 7.3, 7.3.1 */
static void
do_new_account(struct call *call)
{
    const struct fake_ca_conf *conf = &call->ca->conf;
    unsigned n;

    if (same_key(call->s, json_object_get(call->jws.header, "jwk"), &n)) {
        show_account(call, 200, n);
        set_location(call, FAKE_ACCOUNT, n);
    } else if (json_is_true(
                   json_object_get(call->payload, "onlyReturnExisting"))) {
        refuse(call, 400, "accountDoesNotExist", "no account for the key");
    } else if (!check_binding(call)) {
        return;
    } else if (conf->terms != NULL &&
               !json_is_true(
                   json_object_get(call->payload, "termsOfServiceAgreed"))) {
        refuse(call, 403, "userActionRequired", "terms not agreed to");
    } else {
        make_account(call);
    }
}

/* RFC 8555 7.3.2 */
static void
change_account(struct call *call)
{
    struct account *account = &call->s->account[call->n];
    json_t *contact = json_object_get(call->payload, "contact");

    if (contact != NULL) {
        json_decref(account->contact);
        account->contact = json_incref(contact);
    }
    show_account(call, 200, call->n);
}

static void
do_account(struct call *call)
{
    if (call->n != call->account)
        refuse_bad(call, "unauthorized", "another one's account");
    else
        change_account(call);
}

/* ---- authorizations ---- */

static struct authz *
new_authz(struct call *call, const char *name)
{
    const struct fake_ca_conf *conf = &call->ca->conf;
    struct fake_ca_state *s = call->s;
    struct authz *authz = must(calloc(1, sizeof(*authz)));
    struct challenge *challenge;
    unsigned i;

    authz->account = call->account;
    authz->name = copy(name);
    authz->status = conf->authz_valid ? "valid" : "pending";
    for (i = 0; i < 4 && conf->challenges[i] != NULL; i++) {
        /* RFC 8555 7.1.3, 8.4: a wildcard is proved by DNS only. */
        if (name[0] == '*' && strncmp(conf->challenges[i], "dns", 3) != 0)
            continue;
        challenge = &authz->challenge[authz->nchallenges++];
        challenge->type = conf->challenges[i];
        challenge->status = authz->status;
        snprintf(challenge->token, sizeof(challenge->token),
            "token-%05u-%u_abcdefghijklmnopqrstuvwxyzAB", s->nauthz, i);
    }
    s->authz = grow(s->authz, s->nauthz, sizeof(*s->authz));
    s->authz[s->nauthz++] = authz;
    return authz;
}

static unsigned
find_authz(struct call *call, const char *name)
{
    struct fake_ca_state *s = call->s;
    unsigned i;

    for (i = 0; call->ca->conf.reuse_authz && i < s->nauthz; i++) {
        if (s->authz[i]->account == call->account &&
            strcmp(s->authz[i]->status, "valid") == 0 &&
            strcmp(s->authz[i]->name, name) == 0)
            return i;
    }
    new_authz(call, name);
    return s->nauthz - 1;
}

/* What the challenge's proof comes to: NULL or the detail of the failure. */
static const char *
validate(struct fake_ca *ca, const struct authz *authz,
    const struct challenge *challenge)
{
    char thumbprint[44], text[128];
    struct fake_validation v;

    if (ca->conf.validate == NULL)
        return NULL;
    if (!fake_jws_thumbprint(ca->state->account[authz->account].jwk,
            thumbprint))
        abort();
    snprintf(text, sizeof(text), "%s.%s", challenge->token, thumbprint);
    v.name = authz->name;
    v.type = challenge->type;
    v.token = challenge->token;
    v.key_authorization = text;
    return ca->conf.validate(ca->conf.validate_ctx, &v);
}

/* RFC 8555 7.1.6: the states of an authorization and its challenge. */
static void
advance_authz(struct fake_ca *ca, struct authz *authz)
{
    const char *failure;

    if (strcmp(authz->status, "pending") != 0 || authz->answered == NULL ||
        authz->polls-- > 0)
        return;
    failure = validate(ca, authz, authz->answered);
    authz->status = failure != NULL ? "invalid" : "valid";
    authz->answered->status = authz->status;
    if (failure != NULL)
        authz->answered->error = problem("incorrectResponse", failure);
}

static json_t *
render_challenge(struct fake_ca *ca, unsigned n, unsigned m)
{
    const struct challenge *c = &ca->state->authz[n]->challenge[m];

    return must(json_pack("{s:s,s:o,s:s,s:s,s:O*}", "type", c->type, "url",
        url_of(ca, FAKE_CHALLENGE, n, m), "token", c->token, "status",
        c->status, "error", c->error));
}

static json_t *
render_identifier(const char *name)
{
    bool ip = strchr(name, ':') != NULL ||
              strspn(name, "0123456789.") == strlen(name);

    return must(
        json_pack("{s:s,s:s}", "type", ip ? "ip" : "dns", "value", name));
}

static json_t *
render_authz(struct fake_ca *ca, unsigned n)
{
    const struct authz *authz = ca->state->authz[n];
    bool wildcard = authz->name[0] == '*';
    json_t *list = json_array(), *json;
    unsigned m;

    for (m = 0; m < authz->nchallenges; m++)
        json_array_append_new(list, render_challenge(ca, n, m));
    json = json_pack("{s:s,s:o,s:o,s:s}", "status", authz->status,
        "identifier", render_identifier(authz->name + (wildcard ? 2 : 0)),
        "challenges", list, "expires", "2026-11-28T12:00:00Z");
    if (wildcard)
        json_object_set_new(json, "wildcard", json_true());
    return json;
}

static void
do_authz(struct call *call)
{
    struct fake_ca_state *s = call->s;

    if (call->n >= s->nauthz || s->authz[call->n]->account != call->account) {
        refuse_bad(call, "malformed", "no such authorization");
        return;
    }
    advance_authz(call->ca, s->authz[call->n]);
    if (call->payload != NULL) /* RFC 8555 7.5.2 */
        s->authz[call->n]->status = "deactivated";
    reply(call, 200, render_authz(call->ca, call->n));
}

/* RFC 8555 7.5.1 */
static void
do_challenge(struct call *call)
{
    struct fake_ca_state *s = call->s;
    struct authz *authz = call->n < s->nauthz ? s->authz[call->n] : NULL;
    struct challenge *challenge;

    if (authz == NULL || authz->account != call->account ||
        call->m >= authz->nchallenges) {
        refuse_bad(call, "malformed", "no such challenge");
        return;
    }
    challenge = &authz->challenge[call->m];
    if (authz->answered != NULL || strcmp(authz->status, "pending") != 0) {
        refuse_bad(call, "malformed", "answered before");
        return;
    }
    authz->answered = challenge;
    authz->polls = call->ca->conf.validation_polls;
    challenge->status = "processing";
    reply(call, 200, render_challenge(call->ca, call->n, call->m));
}

/* ---- orders ---- */

static void
fail_order(struct order *order, const struct authz *authz)
{
    json_t *sub;

    order->status = "invalid";
    order->error = problem("unauthorized", "some authorizations failed");
    sub = problem("incorrectResponse", "see the authorization");
    json_object_set_new(sub, "identifier", render_identifier(authz->name));
    json_object_set_new(order->error, "subproblems", json_pack("[o]", sub));
}

static void
advance_order(struct fake_ca *ca, struct order *order)
{
    bool all = true;
    unsigned i;

    if (strcmp(order->status, "processing") == 0 && order->polls-- == 0)
        order->status = "valid";
    if (strcmp(order->status, "pending") != 0)
        return;
    for (i = 0; i < order->nauthz; i++) {
        const struct authz *authz = ca->state->authz[order->authz[i]];

        if (strcmp(authz->status, "invalid") == 0) {
            fail_order(order, authz);
            return;
        }
        all = all && strcmp(authz->status, "valid") == 0;
    }
    if (all)
        order->status = "ready";
}

static json_t *
render_order(struct fake_ca *ca, unsigned n)
{
    const struct order *order = ca->state->order[n];
    json_t *list = json_array(), *json;
    unsigned i;

    for (i = 0; i < order->nauthz; i++)
        json_array_append_new(list,
            url_of(ca, FAKE_AUTHZ, order->authz[i], 0));
    json = must(json_pack("{s:s,s:s,s:O,s:o,s:o,s:O*}", "status",
        order->status, "expires", "2026-11-28T12:00:00Z", "identifiers",
        order->identifiers, "authorizations", list, "finalize",
        url_of(ca, FAKE_FINALIZE, n, 0), "error", order->error));
    if (strcmp(order->status, "valid") == 0)
        json_object_set_new(json, "certificate",
            url_of(ca, FAKE_CERTIFICATE, n, 0));
    return json;
}

static bool
check_identifiers(struct call *call, json_t *list)
{
    const char *name;
    json_t *same;
    size_t i;

    if (json_array_size(list) == 0 || json_array_size(list) > MAX_NAMES)
        return refuse_bad(call, "malformed", "identifiers");
    for (i = 0; i < json_array_size(list); i++) {
        name = json_string_value(
            json_object_get(json_array_get(list, i), "value"));
        if (name == NULL)
            return refuse_bad(call, "malformed", "identifier value");
        same = render_identifier(name);
        if (!json_equal(same, json_array_get(list, i))) {
            json_decref(same);
            return refuse_bad(call, "malformed", "identifier type");
        }
        json_decref(same);
    }
    return true;
}

/* RFC 8555 7.4 */
static void
do_new_order(struct call *call)
{
    json_t *list = json_object_get(call->payload, "identifiers");
    struct fake_ca_state *s = call->s;
    struct order *order;
    size_t i;

    if (!check_identifiers(call, list))
        return;
    order = must(calloc(1, sizeof(*order)));
    order->account = call->account;
    order->status = "pending";
    order->identifiers = json_incref(list);
    acme_buf_init(&order->pem, 1 << 20);
    for (i = 0; i < json_array_size(list); i++)
        order->authz[order->nauthz++] = find_authz(call,
            json_string_value(
                json_object_get(json_array_get(list, i), "value")));
    s->order = grow(s->order, s->norders, sizeof(*s->order));
    s->order[s->norders] = order;
    advance_order(call->ca, order);
    reply(call, 201, render_order(call->ca, s->norders));
    set_location(call, FAKE_ORDER, s->norders++);
}

static struct order *
own_order(struct call *call)
{
    struct fake_ca_state *s = call->s;

    if (call->n < s->norders && s->order[call->n]->account == call->account)
        return s->order[call->n];
    refuse(call, 404, "malformed", "no such order");
    return NULL;
}

static void
do_order(struct call *call)
{
    struct order *order = own_order(call);

    if (order == NULL)
        return;
    advance_order(call->ca, order);
    reply(call, 200, render_order(call->ca, call->n));
}

/* In the spelling of an order: inet_ntop() makes the canonical form. */
static char *
name_text(const GENERAL_NAME *name)
{
    const ASN1_STRING *s;
    char text[INET6_ADDRSTRLEN];
    int len;

    if (name->type != GEN_DNS && name->type != GEN_IPADD)
        return copy("?");
    s = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    len = ASN1_STRING_length(s);
    if (name->type == GEN_DNS)
        return must(
            strndup((const char *)ASN1_STRING_get0_data(s), (size_t)len));
    if (len != 4 && len != 16)
        return copy("?");
    return copy(inet_ntop(len == 4 ? AF_INET : AF_INET6,
        ASN1_STRING_get0_data(s), text, sizeof(text)));
}

/* Whether the request's names are those of the order, each once. */
static bool
same_names(const struct order *order, X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *exts = X509_REQ_get_extensions(req);
    GENERAL_NAMES *names =
        X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);
    size_t i, n = json_array_size(order->identifiers), hits = 0;
    int j;

    for (i = 0; i < n; i++) {
        for (j = 0; j < sk_GENERAL_NAME_num(names); j++) {
            char *name = name_text(sk_GENERAL_NAME_value(names, j));

            hits +=
                strcmp(name,
                    json_string_value(json_object_get(
                        json_array_get(order->identifiers, i), "value"))) == 0;
            free(name);
        }
    }
    hits = sk_GENERAL_NAME_num(names) == (int)n ? hits : 0;
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    return hits == n;
}

static bool
check_csr(struct call *call, const struct order *order,
    const unsigned char *der, size_t len)
{
    const unsigned char *at = der;
    X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)len);
    const char *why = NULL;

    if (req == NULL || at != der + len)
        why = "not a CSR";
    else if (X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1)
        why = "bad signature of the CSR";
    else if (!same_names(order, req))
        why = "names of the CSR are not the order's";
    X509_REQ_free(req);
    ERR_clear_error();
    return why == NULL || refuse_bad(call, "badCSR", why);
}

static void
issue(struct call *call, struct order *order, const unsigned char *der,
    size_t len)
{
    struct helper_ca_options options = call->ca->conf.certificate;
    time_t ahead = call->s->host->now - time(NULL);

    if (options.not_before == 0)
        options.not_before = -3600;
    if (options.not_after == 0)
        options.not_after = LIFE;
    options.not_before += ahead;
    options.not_after += ahead;
    helper_ca_issue_csr(call->s->issuer, der, len, &options, &order->pem);
    call->s->issued++;
}

/* RFC 8555 7.4 */
static void
do_finalize(struct call *call)
{
    const char *csr = json_string_value(json_object_get(call->payload, "csr"));
    struct order *order = own_order(call);
    unsigned char *der = NULL;
    size_t len = 0;

    if (order == NULL)
        return;
    advance_order(call->ca, order);
    if (strcmp(order->status, "ready") != 0) {
        refuse(call, 403, "orderNotReady", order->status);
        return;
    }
    der = csr != NULL ? fake_b64_decode(csr, &len) : NULL;
    if (der == NULL)
        refuse_bad(call, "badCSR", "not base64url");
    else if (check_csr(call, order, der, len)) {
        issue(call, order, der, len);
        order->polls = call->ca->conf.issuance_polls;
        order->status = order->polls > 0 ? "processing" : "valid";
        if (order->polls > 0)
            order->polls--;
        reply(call, 200, render_order(call->ca, call->n));
        set_location(call, FAKE_ORDER, call->n);
    }
    free(der);
}

static void
do_certificate(struct call *call)
{
    struct order *order = own_order(call);
    struct acme_buf pem;

    if (order == NULL)
        return;
    if (strcmp(order->status, "valid") != 0) {
        refuse(call, 404, "malformed", "no certificate yet");
        return;
    }
    call->answer.status = 200;
    call->answer.type = PEM_TYPE;
    acme_buf_init(&pem, ACME_CHAIN_PEM_MAX);
    acme_buf_add(&pem, order->pem.data, order->pem.len);
    if (call->m == 1)
        helper_ca_add_cross(call->s->issuer, &pem);
    call->answer.text = copy(acme_buf_str(&pem));
    acme_buf_clear(&pem);
}

/* RFC 9773 4.2 */
static void
do_renewal_info(struct call *call)
{
    const struct fake_ca_conf *conf = &call->ca->conf;
    char start[ACME_TIME_TEXT], end[ACME_TIME_TEXT];
    json_t *json = must(json_pack("{s:{s:s,s:s}}", "suggestedWindow", "start",
        acme_time_format(conf->renewal_start, start), "end",
        acme_time_format(conf->renewal_end, end)));

    if (conf->explanation != NULL)
        json_object_set_new(json, "explanationURL",
            json_string(conf->explanation));
    reply(call, 200, json);
}

/* ---- one request ---- */

static void
act(struct call *call)
{
    switch (call->step) {
    case FAKE_DIRECTORY:
        do_directory(call);
        return;
    case FAKE_NEW_NONCE:
        call->answer.status = 200;
        return;
    case FAKE_RENEWAL_INFO:
        do_renewal_info(call);
        return;
    default:
        break;
    }
    if (!check_request(call))
        return;
    switch (call->step) {
    case FAKE_NEW_ACCOUNT:
        do_new_account(call);
        break;
    case FAKE_ACCOUNT:
        do_account(call);
        break;
    case FAKE_NEW_ORDER:
        do_new_order(call);
        break;
    case FAKE_ORDER:
        do_order(call);
        break;
    case FAKE_AUTHZ:
        do_authz(call);
        break;
    case FAKE_CHALLENGE:
        do_challenge(call);
        break;
    case FAKE_FINALIZE:
        do_finalize(call);
        break;
    default:
        do_certificate(call);
        break;
    }
}

static const char *
after_host(const char *url)
{
    const char *path;

    if (strncmp(url, "https://", 8) != 0)
        return "";
    path = strchr(url + 8, '/');
    return path != NULL ? path : "";
}

/* The CA answers below its base; a directory may be asked for at any host,
 * as its redirects lead there. */
static enum fake_step
route(struct call *call)
{
    const char *url = call->request->url, *base = call->ca->conf.base;
    int step, numbers, end[3] = { 0, 0, 0 };
    const char *path = after_host(url);
    char name[32];

    if (strcmp(path, "/dir") == 0)
        return FAKE_DIRECTORY;
    if (strncmp(url, base, strlen(base)) != 0)
        return FAKE_ELSEWHERE;
    if (strncmp(path, RENEWAL_INFO, strlen(RENEWAL_INFO)) == 0)
        return FAKE_RENEWAL_INFO;
    numbers = sscanf(path, "/%31[a-z-]%n/%u%n/%u%n", name, &end[0], &call->n,
                  &end[1], &call->m, &end[2]) -
              1;
    if (numbers < 0 || path[end[numbers]] != '\0')
        return FAKE_ELSEWHERE;
    for (step = FAKE_NEW_NONCE; step < FAKE_ELSEWHERE; step++) {
        if ((steps[step].numbers == numbers ||
                (step == FAKE_CERTIFICATE && numbers == 2)) &&
            strcmp(steps[step].name, name) == 0)
            return (enum fake_step)step;
    }
    return FAKE_ELSEWHERE;
}

static void
record(struct call *call)
{
    struct last *last = &call->s->last[call->step];
    struct fake_ca_state *s = call->s;

    s->count[call->step]++;
    if (s->log.len > 0)
        acme_buf_add_str(&s->log, " ");
    acme_buf_add_str(&s->log, call->step == FAKE_ELSEWHERE
                                  ? call->request->url
                                  : steps[call->step].name);
    free(last->payload);
    free(last->protected);
    free(last->accept);
    last->payload = copy(call->step == FAKE_RENEWAL_INFO
                             ? strrchr(call->request->url, '/') + 1
                             : call->jws.payload);
    last->protected = copy(call->jws.protected);
    last->accept = copy(call->request->accept);
    if (call->step != FAKE_ELSEWHERE &&
        strcmp(call->request->method, steps[call->step].method) != 0)
        complain(call, call->request->method);
}

static struct rule *
next_rule(struct call *call, size_t *i)
{
    struct fake_ca_state *s = call->s;
    struct rule *rule;

    while (*i < s->nrules) {
        rule = &s->rule[(*i)++];
        if (rule->step == call->step &&
            (rule->at == FAKE_ALWAYS || rule->at == s->count[call->step]))
            return rule;
    }
    return NULL;
}

/* The rule that takes the CA's place, or NULL. */
static const struct rule *
find_substitute(struct call *call)
{
    const struct rule *rule;
    size_t i = 0;

    while ((rule = next_rule(call, &i)) != NULL) {
        if (rule->kind == RULE_REPLY || rule->kind == RULE_FAIL)
            return rule;
    }
    return NULL;
}

static void
substitute(struct call *call, const struct rule *rule)
{
    struct answer *answer = &call->answer;

    answer->status = rule->status;
    answer->type = rule->name;
    answer->text = copy(rule->value);
    if (rule->value != NULL)
        answer->json = json_loads(rule->value, JSON_DECODE_ANY, NULL);
}

/* Takes `value`; NULL removes. */
static void
set_member(json_t *at, const char *key, json_t *value)
{
    size_t i = (size_t)strtoul(key, NULL, 10);

    if (json_is_object(at) && value != NULL)
        json_object_set_new(at, key, value);
    else if (json_is_object(at))
        json_object_del(at, key);
    else if (json_is_array(at) && value == NULL)
        json_array_remove(at, i);
    else if (json_is_array(at) && i < json_array_size(at))
        json_array_set_new(at, i, value);
    else if (json_is_array(at))
        json_array_append_new(at, value);
    else
        fail_msg("no \"%s\" in the answer: the test is wrong", key);
}

static void
edit_json(json_t *at, const char *path, const char *value)
{
    char *copy_of = copy(path), *key = copy_of, *dot;

    while ((dot = strchr(key, '.')) != NULL) {
        *dot = '\0';
        at = json_is_array(at)
                 ? json_array_get(at, (size_t)strtoul(key, NULL, 10))
                 : json_object_get(at, key);
        key = dot + 1;
    }
    set_member(at, key,
        value == NULL
            ? NULL
            : must(json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)));
    free(copy_of);
}

static void
apply_rules(struct call *call)
{
    const struct rule *rule;
    size_t i = 0;

    while ((rule = next_rule(call, &i)) != NULL) {
        if (rule->kind == RULE_STATUS)
            call->answer.status = rule->status;
        else if (rule->kind == RULE_HEADER &&
                 strcasecmp(rule->name, "Content-Type") == 0)
            call->answer.type = rule->value;
        else if (rule->kind == RULE_HEADER)
            set_header(&call->answer, rule->name, rule->value);
        else if (rule->kind == RULE_JSON) {
            edit_json(call->answer.json, rule->name, rule->value);
            free(call->answer.text);
            call->answer.text = NULL;
        }
    }
}

static void
send_headers(const struct answer *answer, struct acme_http_response *out)
{
    const struct header *h;
    size_t i;

    if (answer->type != NULL)
        acme_http_response_header(out, "Content-Type", 12, answer->type,
            strlen(answer->type));
    for (i = 0; i < answer->nheaders; i++) {
        h = &answer->header[i];
        if (h->value == NULL)
            continue;
        if (strcasecmp(h->name, "Retry-After") == 0)
            out->retry_after = strtol(h->value, NULL, 10);
        else
            acme_http_response_header(out, h->name, strlen(h->name), h->value,
                strlen(h->value));
    }
}

static enum acme_rc
send_answer(struct call *call, struct acme_http_response *out,
    struct acme_error *err)
{
    struct answer *answer = &call->answer;
    char *text = NULL;

    acme_http_response_clear(out);
    acme_http_response_init(out);
    out->body.max = call->request->max_body;
    out->status = answer->status;
    send_headers(answer, out);
    if (answer->text == NULL && answer->json != NULL)
        text = must(json_dumps(answer->json, JSON_COMPACT | JSON_ENCODE_ANY));
    if (strcmp(call->request->method, "HEAD") != 0)
        acme_buf_add_str(&out->body, answer->text != NULL ? answer->text
                                     : text != NULL       ? text
                                                          : "");
    free(text);
    if (!acme_buf_ok(&out->body))
        return acme_error_set(err, ACME_WIRE, "answer is too long");
    return ACME_OK;
}

static enum acme_rc
serve(struct call *call, struct acme_http_response *response,
    struct acme_error *err)
{
    const struct rule *rule = find_substitute(call);

    if (rule != NULL && rule->kind == RULE_FAIL)
        return acme_error_set(err, (enum acme_rc)rule->status,
            "scripted failure");
    if (rule == NULL && call->step == FAKE_ELSEWHERE)
        return acme_error_set(err, ACME_NET, "nobody is at %s",
            call->request->url);
    if (call->step != FAKE_DIRECTORY)
        give_nonce(call);
    if (rule != NULL)
        substitute(call, rule);
    else
        act(call);
    apply_rules(call);
    return send_answer(call, response, err);
}

static enum acme_rc
perform(void *ctx, const struct acme_http_request *request,
    struct acme_http_response *response, struct acme_error *err)
{
    struct call call = { 0 };
    enum acme_rc rc;

    call.ca = ctx;
    call.s = call.ca->state;
    call.request = request;
    call.step = route(&call);
    if (request->body != NULL)
        fake_jws_parse(request->body, request->body_len, &call.jws);
    record(&call);
    rc = serve(&call, response, err);
    json_decref(call.payload);
    fake_jws_clear(&call.jws);
    clear_answer(&call.answer);
    return rc;
}

/* ---- rules ---- */

static void
add_rule(struct fake_ca *ca, enum fake_step step, unsigned nth,
    enum rule_kind kind, int status, const char *name, const char *value)
{
    struct fake_ca_state *s = ca->state;
    struct rule *rule;

    if (s->nrules == MAX_RULES)
        abort();
    rule = &s->rule[s->nrules++];
    rule->step = step;
    rule->at = nth == FAKE_ALWAYS ? FAKE_ALWAYS : s->count[step] + nth;
    rule->kind = kind;
    rule->status = status;
    rule->name = copy(name);
    rule->value = copy(value);
}

void
fake_ca_reply(struct fake_ca *ca, enum fake_step step, unsigned nth,
    int status, const char *content_type, const char *body)
{
    add_rule(ca, step, nth, RULE_REPLY, status, content_type, body);
}

void
fake_ca_problem(struct fake_ca *ca, enum fake_step step, unsigned nth,
    int status, const char *type, const char *detail)
{
    json_t *json = problem(type, detail);
    char *text = must(json_dumps(json, JSON_COMPACT));

    fake_ca_reply(ca, step, nth, status, "application/problem+json", text);
    free(text);
    json_decref(json);
}

void
fake_ca_fail(struct fake_ca *ca, enum fake_step step, unsigned nth,
    enum acme_rc rc)
{
    add_rule(ca, step, nth, RULE_FAIL, (int)rc, NULL, NULL);
}

void
fake_ca_header(struct fake_ca *ca, enum fake_step step, unsigned nth,
    const char *name, const char *value)
{
    add_rule(ca, step, nth, RULE_HEADER, 0, name, value);
}

void
fake_ca_status(struct fake_ca *ca, enum fake_step step, unsigned nth,
    int status)
{
    add_rule(ca, step, nth, RULE_STATUS, status, NULL, NULL);
}

void
fake_ca_json(struct fake_ca *ca, enum fake_step step, unsigned nth,
    const char *path, const char *json)
{
    add_rule(ca, step, nth, RULE_JSON, 0, path, json);
}

void
fake_ca_behave(struct fake_ca *ca)
{
    struct fake_ca_state *s = ca->state;

    while (s->nrules > 0) {
        s->nrules--;
        free(s->rule[s->nrules].name);
        free(s->rule[s->nrules].value);
    }
}

/* ---- life and looks ---- */

struct fake_ca *
fake_ca_new(struct fake_host *host)
{
    struct fake_ca *ca = must(calloc(1, sizeof(*ca)));

    ca->conf.base = "https://ca.test";
    ca->conf.challenges[0] = "http-01";
    ca->conf.challenges[1] = "tls-alpn-01";
    ca->conf.challenges[2] = "dns-01";
    ca->state = must(calloc(1, sizeof(*ca->state)));
    ca->state->host = host;
    ca->state->issuer = must(helper_ca_new());
    acme_buf_init(&ca->state->log, 1 << 20);
    acme_buf_init(&ca->state->complaints, 1 << 20);
    return ca;
}

static void
free_authz(struct authz *authz)
{
    unsigned i;

    for (i = 0; i < authz->nchallenges; i++)
        json_decref(authz->challenge[i].error);
    free(authz->name);
    free(authz);
}

static void
free_order(struct order *order)
{
    json_decref(order->identifiers);
    json_decref(order->error);
    acme_buf_clear(&order->pem);
    free(order);
}

static void
free_state(struct fake_ca_state *s)
{
    int step;

    while (s->naccounts > 0) {
        json_decref(s->account[--s->naccounts].jwk);
        json_decref(s->account[s->naccounts].contact);
    }
    while (s->nauthz > 0)
        free_authz(s->authz[--s->nauthz]);
    while (s->norders > 0)
        free_order(s->order[--s->norders]);
    for (step = 0; step < FAKE_STEPS; step++) {
        free(s->last[step].payload);
        free(s->last[step].protected);
        free(s->last[step].accept);
    }
    free(s->account);
    free(s->authz);
    free(s->order);
    free(s->nonce_used);
    helper_ca_free(s->issuer);
    acme_buf_clear(&s->log);
    acme_buf_clear(&s->complaints);
    free(s);
}

void
fake_ca_free(struct fake_ca *ca)
{
    if (ca == NULL)
        return;
    fake_ca_behave(ca);
    free_state(ca->state);
    free(ca);
}

struct acme_transport
fake_ca_transport(struct fake_ca *ca)
{
    struct acme_transport transport = { .ctx = ca, .perform = perform };

    return transport;
}

const char *
fake_ca_log(const struct fake_ca *ca)
{
    return acme_buf_str(&ca->state->log);
}

void
fake_ca_forget_log(struct fake_ca *ca)
{
    acme_buf_reset(&ca->state->log);
}

unsigned
fake_ca_count(const struct fake_ca *ca, enum fake_step step)
{
    return ca->state->count[step];
}

const char *
fake_ca_payload(const struct fake_ca *ca, enum fake_step step)
{
    const char *text = ca->state->last[step].payload;

    return text != NULL ? text : "";
}

const char *
fake_ca_protected(const struct fake_ca *ca, enum fake_step step)
{
    const char *text = ca->state->last[step].protected;

    return text != NULL ? text : "";
}

const char *
fake_ca_accept(const struct fake_ca *ca, enum fake_step step)
{
    const char *text = ca->state->last[step].accept;

    return text != NULL ? text : "";
}

const char *
fake_ca_complaints(const struct fake_ca *ca)
{
    return acme_buf_str(&ca->state->complaints);
}

unsigned
fake_ca_accounts(const struct fake_ca *ca)
{
    return ca->state->naccounts;
}

void
fake_ca_drop_accounts(struct fake_ca *ca)
{
    unsigned i;

    for (i = 0; i < ca->state->naccounts; i++)
        ca->state->account[i].dropped = true;
}

void
fake_ca_drop_nonces(struct fake_ca *ca)
{
    ca->state->first_good_nonce = ca->state->nonces;
}

unsigned
fake_ca_issued(const struct fake_ca *ca)
{
    return ca->state->issued;
}

const char *
fake_ca_root(const struct fake_ca *ca)
{
    return helper_ca_root_pem(ca->state->issuer);
}

void
fake_ca_ocsp(const struct fake_ca *ca, const struct helper_ca_ocsp *options,
    struct acme_buf *der)
{
    helper_ca_ocsp(ca->state->issuer, options, der);
}

void
fake_ca_crl(const struct fake_ca *ca, const struct helper_ca_crl *options,
    struct acme_buf *der)
{
    helper_ca_crl(ca->state->issuer, options, der);
}

/*
 * Whether certificates are as they should be: what is on the disk against
 * what is wanted, what the CA says of it if asked, and what servers show to
 * clients.  The one half of it reads the state directory, the other
 * (ctl_check_net.c) talks to the network; ctl_check_report.c tells of it.
 */
#include "acmectl/ctl_check_one.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acmectl/ctl.h"
#include "base/acme_name.h"
#include "drive/acme_control.h"
#include "drive/acme_status.h"
#include "state/acme_dir.h"
#include "state/acme_settings.h"

/* A wildcard is asked for by a name that nobody has. */
#define WILD_LABEL "acmectl-check"

#define VERSIONS_MAX 16
#define PEM_MAX (4 * 1024 * 1024) /* as an engine reads it */
#define SERVERS_MAX 32

static void
give(struct one *one, enum reason reason)
{
    one->reasons |= 1u << reason;
}

/* ---- what is on the disk ---------------------------------------------- */

static enum acme_rc
look_at_pair(struct one *one, const struct acme_pair *pair,
    struct acme_error *err)
{
    const size_t algorithm = acme_key_algorithm_number(pair->type);
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    enum acme_rc rc;

    rc = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain, err);
    if (rc == ACME_OK)
        rc = acme_chain_leaf(chain, &one->leaf[algorithm], err);
    if (rc == ACME_OK)
        rc = acme_chain_check_links(chain, err);
    /* the operator's own key is not here */
    if (rc == ACME_OK && pair->key.len > 0)
        rc = acme_key_from_der(pair->key.data, pair->key.len, &key, err);
    if (rc == ACME_OK && key != NULL && !acme_chain_matches(chain, key))
        rc = acme_error_set(err, ACME_IO, "the key is not the certificate's");
    acme_key_unref(key);
    if (rc == ACME_OK && one->chain[algorithm] == NULL) {
        one->chain[algorithm] = chain;
        (void)snprintf(one->issuer, sizeof(one->issuer), "%s",
            pair->origin.issuer);
    } else {
        acme_chain_free(chain);
    }
    return rc;
}

static void
damage(struct one *one, const char *text)
{
    give(one, REASON_DAMAGED);
    if (one->damage[0] == '\0')
        (void)snprintf(one->damage, sizeof(one->damage), "%.290s", text);
}

static void
look_at_files(struct check *check, struct one *one)
{
    struct acme_version version;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    acme_version_init(&version);
    if (acme_store_live_read(check->store, one->name, &version, &err) ==
        ACME_OK)
        for (i = 0; i < version.npairs; i++) {
            struct acme_error why;

            acme_error_clear(&why);
            if (look_at_pair(one, &version.pair[i], &why) != ACME_OK)
                damage(one, why.what);
        }
    acme_version_clear(&version);
}

static bool
is_among(const struct acme_json *types, const struct acme_json *certificates,
    size_t i)
{
    const char *type = acme_json_text(acme_json_at(types, i));
    const size_t len = type != NULL ? strcspn(type, ":") : 0;
    size_t k;

    for (k = 0; k < acme_json_count(certificates); k++) {
        const char *has = acme_json_str(acme_json_at(certificates, k), "key");

        if (has != NULL && len > 0 && strncmp(has, type, len) == 0)
            return true;
    }
    return false;
}

/* Why it would be ordered, as the status has it. */
static bool
is_changed(const struct acme_json *status)
{
    static const char *const whys[] = { "another key type is configured",
        "another CA is configured", "names missing" };
    const char *why = acme_json_str(status, "renew_why");
    size_t i;

    for (i = 0; why != NULL && i < sizeof(whys) / sizeof(whys[0]); i++)
        if (strcmp(why, whys[i]) == 0)
            return true;
    return acme_json_count(acme_json_get(status, "names_missing")) > 0;
}

bool
ctl_check_is_wanted(const struct one *one)
{
    return acme_json_count(acme_json_get(one->status, "declared")) > 0;
}

static void
judge_wishes(const struct check *check, struct one *one,
    const struct acme_json *certificates)
{
    const struct acme_json *types = acme_json_get(one->status, "keys");
    const char *state = acme_json_str(one->status, "state");
    size_t i;

    if (acme_json_count(certificates) == 0 && one->damage[0] == '\0')
        give(one, REASON_NEW);
    for (i = 0; i < acme_json_count(types); i++)
        if (acme_json_count(certificates) > 0 &&
            !is_among(types, certificates, i))
            give(one, REASON_MISSING);
    if (acme_json_count(certificates) > 0 && is_changed(one->status))
        give(one, REASON_CHANGED);
    if (acme_json_str(one->status, "conflict") != NULL)
        give(one, REASON_CONFLICT);
    for (i = 0; i < acme_json_count(certificates); i++)
        if (acme_json_time(acme_json_at(certificates, i), "not_after") <=
            (long long)check->now)
            give(one, REASON_EXPIRED);
    if (state != NULL &&
        strcmp(state, acme_condition_word(ACME_IS_EXPIRING)) == 0)
        give(one, REASON_EXPIRING);
}

static void
judge(const struct check *check, struct one *one)
{
    const struct acme_json *certificates =
        acme_json_get(one->status, "certificates");
    const char *text = acme_json_str(one->status, "damage");
    size_t i;

    if (text != NULL)
        damage(one, text);
    for (i = 0; i < acme_json_count(certificates); i++)
        if (acme_json_bool(acme_json_at(certificates, i), "revoked", false))
            give(one, REASON_REVOKED);
    if (ctl_check_is_wanted(one))
        judge_wishes(check, one, certificates);
}

/* ---- which lineages --------------------------------------------------- */

static bool
has_name(const struct one *one, const char *name)
{
    const struct acme_json *names = acme_json_get(one->status, "names");
    size_t i;

    for (i = 0; i < acme_json_count(names); i++)
        if (acme_name_covers(acme_json_text(acme_json_at(names, i)), name))
            return true;
    for (i = 0; i < ACME_ALGORITHMS; i++)
        if (one->chain[i] != NULL && acme_chain_covers(one->chain[i], name))
            return true;
    return false;
}

static bool
is_asked_for(struct check *check, const struct one *one)
{
    const struct ctl *ctl = check->ctl;
    bool asked = ctl->cert_names.n == 0 && ctl->domains.n == 0;
    size_t i;

    for (i = 0; i < ctl->cert_names.n; i++)
        asked = asked || strcmp(ctl->cert_names.word[i], one->name) == 0;
    for (i = 0; i < ctl->domains.n; i++)
        if (has_name(one, ctl->domains.word[i]))
            asked = check->used[i] = true;
    return asked;
}

static void
free_one(struct one *one)
{
    size_t i;

    if (one == NULL)
        return;
    for (i = 0; i < ACME_ALGORITHMS; i++)
        acme_chain_free(one->chain[i]);
    acme_json_free(one->status);
    acme_json_free(one->shown);
    acme_json_free(one->asked);
    free(one);
}

static enum acme_rc
visit_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct check *check = ctx;
    struct acme_status_lineage status;
    struct one *one = calloc(1, sizeof(*one)), **grown;
    enum acme_rc rc;

    if (one == NULL)
        return acme_error_nomem(err);
    (void)snprintf(one->name, sizeof(one->name), "%s", name);
    rc = acme_status_lineage(check->store, name, check->now, NULL, &status,
        err);
    if (rc == ACME_OK) {
        one->status = status.json;
        one->shown = acme_json_array();
        one->asked = acme_json_array();
        look_at_files(check, one);
    }
    if (rc != ACME_OK || !is_asked_for(check, one)) {
        free_one(one);
        return rc;
    }
    judge(check, one);
    grown = realloc(check->one, (check->n + 1) * sizeof(struct one *));
    if (grown == NULL) {
        free_one(one);
        return acme_error_nomem(err);
    }
    check->one = grown;
    check->one[check->n++] = one;
    return ACME_OK;
}

/* Words of the command line that are nobody's. */
static int
look_for_rest(const struct check *check)
{
    const struct ctl *ctl = check->ctl;
    int code = CTL_OK;
    size_t i, k;

    for (i = 0; i < ctl->domains.n; i++)
        if (!check->used[i])
            code = ctl_fail(CTL_FAILED,
                "no certificate has \"%s\"; acmectl certificates lists them",
                ctl->domains.word[i]);
    for (i = 0; i < ctl->cert_names.n; i++) {
        for (k = 0; k < check->n; k++)
            if (strcmp(check->one[k]->name, ctl->cert_names.word[i]) == 0)
                break;
        if (k == check->n)
            code = ctl_fail(CTL_FAILED,
                "there is no lineage \"%s\"; acmectl certificates lists them",
                ctl->cert_names.word[i]);
    }
    return code;
}

/* ---- questions -------------------------------------------------------- */

static struct ctl_probe *
add_probe(struct check *check, enum ctl_probe_kind kind, size_t lineage)
{
    struct ctl_probe *grown =
        realloc(check->probe, (check->nprobes + 1) * sizeof(*check->probe));

    if (grown == NULL)
        return NULL;
    check->probe = grown;
    grown += check->nprobes++;
    memset(grown, 0, sizeof(*grown));
    grown->kind = kind;
    grown->lineage = lineage;
    return grown;
}

static const char *
name_to_ask(const struct check *check, const char *name)
{
    return strncmp(name, "*.", 2) == 0 ? acme_arena_printf(check->ctl->arena,
                                             WILD_LABEL "%s", name + 1)
                                       : name;
}

/* One name of one lineage at one place, for each key it is served with. */
static bool
add_handshakes(struct check *check, size_t lineage, const char *name,
    const char *address, unsigned port)
{
    const struct one *one = check->one[lineage];
    struct ctl_probe *probe;
    const char *asked = name_to_ask(check, name);
    size_t i;

    for (i = 0; i < ACME_ALGORITHMS; i++) {
        if (one->chain[i] == NULL || !acme_chain_covers(one->chain[i], asked))
            continue;
        probe =
            asked != NULL ? add_probe(check, CTL_PROBE_TLS, lineage) : NULL;
        if (probe == NULL)
            return false;
        probe->look.name = asked;
        probe->look.algorithm = i;
        probe->look.port = port;
        if (address != NULL)
            (void)snprintf(probe->look.address, sizeof(probe->look.address),
                "%s", address);
        else
            probe->host = check->host;
    }
    return true;
}

static bool
declares(const struct acme_control_server *server, const struct one *one)
{
    const struct acme_json *by = acme_json_get(one->status, "declared");
    char text[sizeof(server->server) + sizeof(server->config) + 2];
    size_t i;

    (void)snprintf(text, sizeof(text), "%s:%s", server->server,
        server->config);
    for (i = 0; i < acme_json_count(by); i++)
        if (strcmp(acme_json_text(acme_json_at(by, i)), text) == 0)
            return true;
    return false;
}

static bool
ask_server(struct check *check, size_t lineage,
    const struct acme_control_server *server)
{
    const struct acme_json *names =
        acme_json_get(check->one[lineage]->status, "names");
    size_t i, k;

    for (i = 0; i < server->nlisteners; i++)
        for (k = 0; server->listener[i].tls && k < acme_json_count(names); k++)
            if (!add_handshakes(check, lineage,
                    acme_json_text(acme_json_at(names, k)),
                    server->listener[i].address, server->listener[i].port))
                return false;
    return true;
}

/* The servers that run and want it, or the one place that was named. */
static bool
ask_servers(struct check *check, size_t lineage)
{
    const struct one *one = check->one[lineage];
    const struct acme_json *names = acme_json_get(one->status, "names");
    size_t i;

    if (check->host[0] != '\0') {
        for (i = 0; i < acme_json_count(names); i++)
            if (!add_handshakes(check, lineage,
                    acme_json_text(acme_json_at(names, i)), NULL, check->port))
                return false;
        return true;
    }
    for (i = 0; i < check->nservers; i++)
        if (declares(&check->server[i], one) &&
            !ask_server(check, lineage, &check->server[i]))
            return false;
    return true;
}

/* How whoever wants the lineage gets to its CA, else who else has that. */
struct way {
    struct ctl *ctl;
    const char *directory;
    bool found;
    const char *proxy, *proxy_pem; /* NULL: straight */
};

static enum acme_rc
take_way(void *ctx, const struct acme_issuer *issuer, struct acme_error *err)
{
    struct way *way = ctx;
    struct acme_buf pem;

    if (way->found || strcmp(issuer->directory, way->directory) != 0)
        return ACME_OK;
    way->found = true;
    if (issuer->proxy == NULL)
        return ACME_OK;
    way->proxy = acme_arena_strdup(way->ctl->arena, issuer->proxy);
    if (way->proxy == NULL)
        return acme_error_nomem(err);
    if (issuer->proxy_ca_file == NULL)
        return ACME_OK;
    acme_buf_init(&pem, PEM_MAX);
    if (acme_dir_read_public(issuer->proxy_ca_file, PEM_MAX, &pem, err) ==
        ACME_OK)
        way->proxy_pem =
            acme_arena_strndup(way->ctl->arena, acme_buf_str(&pem), pem.len);
    acme_buf_clear(&pem);
    return err->rc;
}

static enum acme_rc
find_way(struct check *check, const char *name, struct way *way,
    struct acme_error *err)
{
    struct acme_settings *settings = NULL;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i, k;

    acme_error_clear(&ignored);
    (void)acme_store_settings_read(check->store, name, &settings, &ignored);
    for (i = 0; settings != NULL && i < settings->ndeclared; i++) {
        const struct acme_declaration *by = &settings->declared[i];

        for (k = 0; rc == ACME_OK && k <= by->nfallbacks; k++)
            rc = take_way(way, k == 0 ? &by->issuer : &by->fallback[k - 1],
                err);
    }
    acme_settings_free(settings);
    return rc == ACME_OK ? ctl_each_issuer(check->store, take_way, way, err)
                         : rc;
}

static bool
ask_ca(struct check *check, size_t lineage)
{
    const struct one *one = check->one[lineage];
    struct way way = { .ctl = check->ctl, .directory = one->issuer };
    struct ctl_probe *probe;
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    if (find_way(check, one->name, &way, &err) != ACME_OK)
        (void)ctl_fail(CTL_FAILED, "%s: %s", one->name, err.what);

    for (i = 0; i < ACME_ALGORITHMS; i++) {
        /* of an expired one nobody says anything any more */
        if (one->chain[i] == NULL || one->leaf[i].not_after <= check->now)
            continue;
        probe = add_probe(check, CTL_PROBE_OCSP, lineage);
        if (probe == NULL)
            return false;
        probe->look.algorithm = i;
        probe->chain = one->chain[i];
        probe->directory = one->issuer;
        probe->proxy = way.proxy;
        probe->proxy_pem = way.proxy_pem;
    }
    return true;
}

static enum acme_rc
take_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct check *check = ctx;

    (void)err;
    if (check->nservers < SERVERS_MAX)
        check->server[check->nservers++] = *server;
    return ACME_OK;
}

static int
find_servers(struct check *check)
{
    struct acme_error err;

    acme_error_clear(&err);
    check->server = calloc(SERVERS_MAX, sizeof(*check->server));
    if (check->server == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (acme_control_servers(acme_store_fd(check->store), take_server, check,
            &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return CTL_OK;
}

/* ---- answers ---------------------------------------------------------- */

/* One of its versions. */
static bool
is_version(struct check *check, const struct one *one, const char *fingerprint)
{
    struct acme_version version;
    struct acme_error ignored;
    unsigned number[VERSIONS_MAX];
    struct acme_leaf leaf;
    bool found = false;
    size_t n = 0, i, k;

    acme_error_clear(&ignored);
    acme_version_init(&version);
    (void)acme_store_version_numbers(check->store, one->name, number,
        VERSIONS_MAX, &n, &ignored);
    for (i = 0; i < n && !found; i++) {
        acme_error_clear(&ignored);
        if (acme_store_version_read(check->store, one->name, number[i],
                &version, &ignored) != ACME_OK)
            continue;
        for (k = 0; k < version.npairs && !found; k++) {
            struct acme_chain *chain = NULL;

            if (acme_chain_from_der(version.pair[k].chain.data,
                    version.pair[k].chain.len, &chain, &ignored) == ACME_OK &&
                acme_chain_leaf(chain, &leaf, &ignored) == ACME_OK)
                found = strcmp(leaf.fingerprint, fingerprint) == 0;
            acme_chain_free(chain);
        }
    }
    acme_version_clear(&version);
    return found;
}

static const char *
verdict_of(struct check *check, const struct ctl_probe *probe)
{
    const struct one *one = check->one[probe->lineage];

    if (!probe->look.shown)
        return "none";
    if (strcmp(one->leaf[probe->look.algorithm].fingerprint,
            probe->look.fingerprint) == 0)
        return "live";
    return is_version(check, one, probe->look.fingerprint) ? "another_version"
                                                           : "other";
}

bool
ctl_check_has_word(const struct acme_json *row, const char *member,
    const char *word)
{
    const char *is = acme_json_str(row, member);

    return is != NULL && strcmp(is, word) == 0;
}

/* NULL: there is none. */
static const char *
staple_word(enum acme_tls_staple staple)
{
    return staple == ACME_TLS_STAPLE_GOOD  ? "good"
           : staple == ACME_TLS_STAPLE_BAD ? "bad"
                                           : NULL;
}

static void
take_handshake(struct check *check, const struct ctl_probe *probe)
{
    static const char *const algorithms[] = { "ecdsa", "rsa" };
    struct one *one = check->one[probe->lineage];
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "name", probe->look.name);
    acme_json_set_str(json, "address",
        probe->host != NULL ? probe->host : probe->look.address);
    acme_json_set_int(json, "port", probe->look.port);
    acme_json_set_str(json, "key", algorithms[probe->look.algorithm]);
    acme_json_set_str(json, "shown", verdict_of(check, probe));
    acme_json_set_str(json, "fingerprint",
        probe->look.shown ? probe->look.fingerprint : NULL);
    acme_json_set_str(json, "staple", staple_word(probe->look.staple));
    acme_json_set_str(json, "why", probe->look.shown ? NULL : probe->look.why);
    acme_json_append(one->shown, json);
    if (ctl_check_has_word(json, "shown", "live") &&
        probe->look.staple != ACME_TLS_STAPLE_GOOD &&
        acme_chain_must_staple(one->chain[probe->look.algorithm]))
        give(one, REASON_NOT_STAPLED);
}

static void
take_ocsp(struct check *check, const struct ctl_probe *probe)
{
    struct one *one = check->one[probe->lineage];
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "serial", one->leaf[probe->look.algorithm].serial);
    acme_json_set_str(json, "ocsp",
        !probe->answered ? "unknown"
        : probe->revoked ? "revoked"
                         : "good");
    acme_json_set_str(json, "reason",
        probe->reason[0] != '\0' ? probe->reason : NULL);
    acme_json_set_str(json, "why", !probe->answered ? probe->look.why : NULL);
    acme_json_append(one->asked, json);
    if (probe->revoked)
        give(one, REASON_REVOKED);
}

/* A listener may be another site's: one that shows the live certificate for a
 * name is enough, but none may show another version.  An address has no name
 * by which it could be asked for. */
static void
judge_name(struct one *one, const struct acme_json *row)
{
    const char *name = acme_json_str(row, "name");
    bool live = acme_name_is_ip(name);
    size_t i;

    for (i = 0; i < acme_json_count(one->shown); i++) {
        const struct acme_json *other = acme_json_at(one->shown, i);

        if (!ctl_check_has_word(other, "name", name) ||
            !ctl_check_has_word(other, "key", acme_json_str(row, "key")))
            continue;
        live = live || ctl_check_has_word(other, "shown", "live");
        if (ctl_check_has_word(other, "shown", "another_version"))
            give(one, REASON_NOT_SERVED);
    }
    if (!live)
        give(one, REASON_NOT_SERVED);
}

/* False: wanted by servers, none of which runs. */
bool
ctl_check_has_server(const struct check *check, const struct one *one)
{
    const struct acme_json *by = acme_json_get(one->status, "declared");
    bool only_ours = true;
    size_t i;

    for (i = 0; i < acme_json_count(by); i++)
        only_ours = only_ours && strncmp(acme_json_text(acme_json_at(by, i)),
                                     "acmectl:", 8) == 0;
    for (i = 0; i < check->nservers; i++)
        if (declares(&check->server[i], one))
            return true;
    return only_ours || check->host[0] != '\0';
}

static void
judge_serving(const struct check *check, struct one *one)
{
    size_t i;

    for (i = 0; i < acme_json_count(one->shown); i++)
        judge_name(one, acme_json_at(one->shown, i));
    if (!ctl_check_has_server(check, one))
        give(one, REASON_NOT_SERVED);
}

static int
ask(struct check *check)
{
    const bool connect = check->ctl->connect;
    size_t i;
    bool good = true;

    if (connect && find_servers(check) != CTL_OK)
        return CTL_FAILED;
    for (i = 0; i < check->n && good; i++)
        good = (!connect || ask_servers(check, i)) &&
               (!check->ctl->ocsp || ask_ca(check, i));
    if (!good ||
        (check->nprobes > 0 && !ctl_probe_all(check->probe, check->nprobes)))
        return ctl_fail(CTL_FAILED, "out of memory");
    for (i = 0; i < check->nprobes; i++) {
        if (check->probe[i].kind == CTL_PROBE_TLS)
            take_handshake(check, &check->probe[i]);
        else
            take_ocsp(check, &check->probe[i]);
    }
    for (i = 0; connect && i < check->n; i++)
        judge_serving(check, check->one[i]);
    return CTL_OK;
}

/* ---- the verb --------------------------------------------------------- */

static int
read_words(struct check *check)
{
    struct ctl *ctl = check->ctl;
    int code = ctl_operands_are_domains(ctl);

    if (code == CTL_OK)
        code = ctl_read_domains(ctl);
    if (code == CTL_OK && ctl->connect_to != NULL &&
        !ctl_probe_place(ctl->connect_to, check->host, &check->port))
        code = ctl_fail(CTL_USAGE, "--connect-to \"%s\" is no HOST:PORT",
            ctl->connect_to);
    ctl->connect = ctl->connect || ctl->connect_to != NULL;
    return code;
}

static int
run(struct check *check)
{
    struct acme_error err;
    int code = read_words(check), rest;

    if (code == CTL_OK)
        code = ctl_open_one(check->ctl, &check->store);
    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    if (acme_store_lineages(check->store, visit_lineage, check, &err) !=
        ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    rest = look_for_rest(check);
    code = ask(check);
    if (code == CTL_OK)
        code = ctl_check_report(check);
    return code == CTL_OK ? rest : code;
}

int
ctl_check(struct ctl *ctl)
{
    struct check check = { .ctl = ctl, .now = time(NULL) };
    size_t i;
    int code;

    code = run(&check);
    for (i = 0; i < check.n; i++)
        free_one(check.one[i]);
    free(check.one);
    free(check.probe);
    free(check.server);
    acme_store_close(check.store);
    return code;
}

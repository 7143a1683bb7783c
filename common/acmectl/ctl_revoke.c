/*
 * revoke: finds the certificate, and the CA it came from, has a store and an
 * engine of our own revoke it, and asks the server that serves it for another
 * one.  The revoked one stays served until that is there: clients that do not
 * ask about revocations are better off with it than with nothing.  What no
 * server declares is deleted afterwards.
 */
#include "acmectl/ctl_delete.h"
#include "acmectl/ctl_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "drive/acme_control.h"
#include "drive/acme_host_check.h"
#include "drive/acme_service.h"

/* Versions that are looked through for a certificate: more than are kept. */
#define VERSIONS_MAX 64

struct revoke {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_config *config; /* the CAs */
    enum acme_reason reason;
    struct acme_chain *given;           /* --cert-path */
    struct acme_key *given_key;         /* --key-path */
    char lineage[ACME_LINEAGE_MAX + 1]; /* that has it; "": none */
    bool live;                          /* and serves it */
    size_t n;
    struct acme_revocation list[ACME_TYPES_MAX];
    struct acme_json *results; /* with --json */
    size_t failed;
    bool asked;    /* a server, for another certificate */
    bool declared; /* by a server, at all */
};

/* ---- what the command line says --------------------------------------- */

static int
check_usage(struct revoke *revoke)
{
    const struct ctl *ctl = revoke->ctl;
    const char *reason = ctl->reason != NULL ? ctl->reason : "unspecified";

    if ((ctl->cert_name != NULL) == (ctl->cert_path != NULL))
        return ctl_fail(CTL_USAGE,
            "say which certificate, by --cert-name NAME or by --cert-path "
            "FILE");
    if (ctl->key_path != NULL && ctl->cert_path == NULL)
        return ctl_fail(CTL_USAGE,
            "--key-path is the key of the certificate in --cert-path");
    if (ctl->delete_after && ctl->no_delete)
        return ctl_fail(CTL_USAGE,
            "--delete-after-revoke and --no-delete-after-revoke exclude each "
            "other");
    (void)acme_reason_parse(reason, &revoke->reason); /* it is one */
    return CTL_OK;
}

/* Before we become the state directory's owner. */
static int
read_given(struct revoke *revoke)
{
    const struct ctl *ctl = revoke->ctl;
    int code = CTL_OK;

    if (ctl->cert_path != NULL)
        code = ctl_file_chain(ctl->cert_path, &revoke->given);
    if (code == CTL_OK && ctl->key_path != NULL)
        code = ctl_file_key(ctl->key_path, &revoke->given_key);
    if (code == CTL_OK && revoke->given_key != NULL &&
        !acme_chain_matches(revoke->given, revoke->given_key))
        code = ctl_fail(CTL_FAILED,
            "\"%s\" is not the key of the certificate in \"%s\"",
            ctl->key_path, ctl->cert_path);
    return code;
}

/* ---- the CA ----------------------------------------------------------- */

struct search {
    struct revoke *revoke;
    const char *directory; /* wanted; NULL: any */
    size_t index;          /* of the CA, once found */
    size_t found;          /* different ones */
};

static enum acme_rc
take_issuer(void *ctx, const struct acme_issuer *issuer,
    struct acme_error *err)
{
    struct search *search = ctx;
    struct acme_config *config = search->revoke->config;
    size_t i;

    if (search->directory != NULL &&
        strcmp(issuer->directory, search->directory) != 0)
        return ACME_OK;
    for (i = 0; i < config->nissuers; i++) {
        if (strcmp(config->issuer[i].directory, issuer->directory) == 0) {
            search->found += search->found == 0;
            search->index = i;
            return ACME_OK;
        }
    }
    search->found++;
    return acme_config_add_issuer(config, issuer, &search->index, err);
}

/* One that no server knows any more is talked to by what everybody trusts. */
static enum acme_rc
add_unknown(struct search *search, struct acme_error *err)
{
    struct acme_issuer issuer;

    acme_issuer_init(&issuer);
    issuer.name = issuer.directory = search->directory;
    return acme_config_add_issuer(search->revoke->config, &issuer,
        &search->index, err);
}

/* By its directory, as a server's configuration says how to talk to it. */
static enum acme_rc
find_issuer(struct revoke *revoke, const char *directory, size_t *index,
    struct acme_error *err)
{
    struct search search = { revoke, directory, 0, 0 };
    enum acme_rc rc;

    if (revoke->ctl->server != NULL) {
        search.directory = acme_issuer_directory(revoke->ctl->server);
        if (search.directory == NULL)
            search.directory = revoke->ctl->server;
    }
    rc = ctl_each_issuer(revoke->store, take_issuer, &search, err);
    if (rc == ACME_OK && search.found == 0 && search.directory != NULL)
        rc = add_unknown(&search, err);
    else if (rc == ACME_OK && search.found != 1)
        rc = acme_error_set(err, ACME_CONFIG,
            "the certificate is none of this state directory's: name its CA "
            "with --server URL");
    *index = search.index;
    return rc;
}

/* ---- the certificate -------------------------------------------------- */

/* Takes chain and key, whatever comes back. */
static enum acme_rc
add(struct revoke *revoke, struct acme_chain *chain, struct acme_key *key,
    const char *directory, struct acme_error *err)
{
    struct acme_revocation *one = &revoke->list[revoke->n];
    enum acme_rc rc;

    one->chain = chain;
    one->key = key;
    one->by_key = revoke->given_key != NULL;
    one->reason = revoke->reason;
    revoke->n++;
    rc = find_issuer(revoke,
        directory != NULL && directory[0] != '\0' ? directory : NULL,
        &one->issuer, err);
    return rc;
}

static enum acme_rc
add_pair(struct revoke *revoke, const struct acme_pair *pair,
    struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    enum acme_rc rc;

    rc = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain, err);
    if (rc == ACME_OK && pair->key.len > 0)
        rc = acme_key_from_der(pair->key.data, pair->key.len, &key, err);
    if (rc == ACME_OK)
        return add(revoke, chain, key, pair->origin.issuer, err);
    acme_chain_free(chain);
    return rc;
}

/* All keys' certificates of what is live. */
static enum acme_rc
add_live(struct revoke *revoke, struct acme_error *err)
{
    const char *name = revoke->ctl->cert_name;
    struct acme_version version;
    unsigned number = 0;
    enum acme_rc rc;
    size_t i;

    acme_version_init(&version);
    rc = acme_lineage_name_check(name, err);
    if (rc == ACME_OK)
        rc = acme_store_live(revoke->store, name, &number, err);
    if (rc == ACME_OK)
        rc = acme_store_version_read(revoke->store, name, number, &version,
            err);
    for (i = 0; rc == ACME_OK && i < version.npairs; i++)
        rc = add_pair(revoke, &version.pair[i], err);
    acme_version_clear(&version);
    if (rc != ACME_OK)
        return rc;
    (void)snprintf(revoke->lineage, sizeof(revoke->lineage), "%s", name);
    revoke->live = true;
    return ACME_OK;
}

static bool
is_given(const struct revoke *revoke, const struct acme_pair *pair)
{
    struct acme_buf der;
    struct acme_error ignored;
    bool same;

    acme_error_clear(&ignored);
    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    same = acme_chain_to_der(revoke->given, 0, 1, &der, &ignored) == ACME_OK &&
           pair->chain.len >= der.len &&
           memcmp(pair->chain.data, der.data, der.len) == 0;
    acme_buf_clear(&der);
    return same;
}

/* Looks for the certificate in one version.  Only what is unusual is an
 * error. */
static enum acme_rc
search_version(struct revoke *revoke, const char *name, unsigned number,
    struct acme_error *err)
{
    struct acme_version version;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_error_clear(&ignored);
    acme_version_init(&version);
    if (acme_store_version_read(revoke->store, name, number, &version,
            &ignored) != ACME_OK)
        version.npairs = 0; /* pruned, or damaged */
    for (i = 0; i < version.npairs && revoke->n == 0; i++) {
        if (!is_given(revoke, &version.pair[i]))
            continue;
        rc = add_pair(revoke, &version.pair[i], err);
        (void)snprintf(revoke->lineage, sizeof(revoke->lineage), "%s", name);
    }
    acme_version_clear(&version);
    return rc;
}

static enum acme_rc
search_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct revoke *revoke = ctx;
    struct acme_error ignored;
    enum acme_rc rc = ACME_OK;
    unsigned live = 0, i;

    acme_error_clear(&ignored);
    if (revoke->n > 0 ||
        acme_store_live(revoke->store, name, &live, &ignored) != ACME_OK)
        return ACME_OK;
    for (i = 0;
         i < VERSIONS_MAX && i < live && revoke->n == 0 && rc == ACME_OK;
         i++) {
        rc = search_version(revoke, name, live - i, err);
        revoke->live = revoke->n > 0 && i == 0;
    }
    return rc;
}

/* What a lineage knows of it, or what there is without. */
static enum acme_rc
add_given(struct revoke *revoke, struct acme_error *err)
{
    enum acme_rc rc;

    rc = acme_store_lineages(revoke->store, search_lineage, revoke, err);
    if (rc == ACME_OK && revoke->n == 0) {
        rc = add(revoke, revoke->given,
            revoke->given_key != NULL ? acme_key_ref(revoke->given_key) : NULL,
            NULL, err);
        revoke->given = NULL;
    }
    return rc;
}

static int
find(struct revoke *revoke)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = revoke->ctl->cert_name != NULL ? add_live(revoke, &err)
                                        : add_given(revoke, &err);
    if (rc == ACME_NOENT && revoke->ctl->cert_name != NULL)
        return ctl_fail(CTL_FAILED,
            "there is no certificate \"%s\"; acmectl certificates lists them",
            revoke->ctl->cert_name);
    return rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

/* What a server serves is revoked, or deleted, by force alone. */
static int
check_allowed(struct revoke *revoke)
{
    const struct ctl *ctl = revoke->ctl;

    if (revoke->lineage[0] == '\0')
        return ctl->delete_after
                   ? ctl_fail(CTL_USAGE,
                         "--delete-after-revoke: the certificate is none of "
                         "this state directory's")
                   : CTL_OK;
    revoke->declared = ctl_delete_is_declared(revoke->store, revoke->lineage);
    if (!revoke->declared || ctl->force ||
        (!revoke->live && !ctl->delete_after))
        return CTL_OK;
    return ctl_delete_allowed(ctl, revoke->store, revoke->lineage,
        ctl->delete_after ? "revoke and delete" : "revoke");
}

/* ---- doing it --------------------------------------------------------- */

static void
tell(struct revoke *revoke, const char *serial, bool ok, const char *text)
{
    const char *name =
        revoke->lineage[0] != '\0' ? revoke->lineage : revoke->ctl->cert_path;
    struct acme_json *one;

    if (!ok)
        revoke->failed++;
    if (revoke->results != NULL) {
        one = acme_json_object();
        acme_json_set_str(one, "name", name);
        acme_json_set_str(one, "serial", serial);
        acme_json_set_bool(one, "ok", ok);
        acme_json_set_str(one, "text", text);
        acme_json_append(revoke->results, one);
    } else if (!ok) {
        (void)ctl_fail(CTL_FAILED, "%s: certificate %s not revoked: %s", name,
            serial, text);
    } else if (!revoke->ctl->quiet) {
        (void)printf("%s: certificate %s %s\n", name, serial, text);
    }
}

static void
on_done(void *ctx, size_t i, bool ok, const char *text)
{
    struct revoke *revoke = ctx;
    struct acme_error ignored;
    struct acme_leaf leaf;

    acme_error_clear(&ignored);
    memset(&leaf, 0, sizeof(leaf));
    if (i >= revoke->n)
        return;
    (void)acme_chain_leaf(revoke->list[i].chain, &leaf, &ignored);
    tell(revoke, leaf.serial, ok, text);
}

static int
work(struct revoke *revoke)
{
    struct acme_server server = { .ctx = revoke->ctl, .log = ctl_log };
    struct acme_service_work work = { .revocation = revoke->list,
        .nrevocations = revoke->n,
        .done = on_done,
        .ctx = revoke };
    struct acme_error err;
    unsigned other = geteuid() == 0 ? 65534 : 0;

    acme_error_clear(&err);
    if (acme_config_finish(revoke->config, &err) == ACME_OK &&
        acme_host_engine_user(revoke->config, NULL, other, other, &err) ==
            ACME_OK)
        (void)acme_service_run_once(revoke->config, &server, &work, &err);
    if (err.rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return revoke->failed > 0 ? CTL_FAILED : CTL_OK;
}

/* ---- and then --------------------------------------------------------- */

static enum acme_rc
ask_server(void *ctx, const struct acme_control_server *server,
    struct acme_error *err)
{
    struct revoke *revoke = ctx;
    struct acme_error ignored;
    char text[1024];
    bool ok = false;

    (void)err;
    acme_error_clear(&ignored);
    if (!revoke->asked &&
        acme_control_ask(acme_store_fd(revoke->store), server->instance,
            revoke->lineage, 0, false, &ok, text, sizeof(text), NULL, NULL,
            &ignored) == ACME_OK)
        revoke->asked = true;
    return ACME_OK;
}

/* A version that is not live any more may have had the key of the one that
 * is: the server knows. */
static void
renew(struct revoke *revoke)
{
    struct acme_error ignored;

    if (revoke->lineage[0] == '\0' ||
        (!revoke->live && revoke->reason != ACME_REASON_KEY_COMPROMISE))
        return;
    acme_error_clear(&ignored);
    (void)acme_control_servers(acme_store_fd(revoke->store), ask_server,
        revoke, &ignored);
    if (!revoke->live || revoke->ctl->quiet || revoke->results != NULL)
        return;
    if (revoke->declared)
        (void)printf("%s: %s; the revoked certificate is served until the "
                     "next one is there\n",
            revoke->lineage,
            revoke->asked
                ? "the server was asked to renew it now, with a new key"
                : "no server runs that renews it: acmectl renew does");
    else
        (void)printf("%s: its files are kept; no server wants it\n",
            revoke->lineage);
}

/* By default what would be renewed for nobody: Certbot's way. */
static bool
is_deleted(struct revoke *revoke)
{
    const struct ctl *ctl = revoke->ctl;

    if (revoke->lineage[0] == '\0' || ctl->no_delete)
        return false;
    if (ctl->delete_after)
        return true;
    return revoke->live && !revoke->declared &&
           ctl_delete_is_wanted(ctl, revoke->store, revoke->lineage);
}

static void
tell_deleted(const struct revoke *revoke, bool ok, const char *text)
{
    struct acme_json *one;

    if (revoke->results != NULL) {
        one = acme_json_object();
        acme_json_set_str(one, "name", revoke->lineage);
        acme_json_set_bool(one, "ok", ok);
        acme_json_set_str(one, "text", ok ? text : "not all was deleted");
        acme_json_set_bool(one, "deleted", ok);
        acme_json_append(revoke->results, one);
    } else if (ok && !revoke->ctl->quiet) {
        (void)printf("%s: %s\n", revoke->lineage, text);
    }
}

static int
forget(struct revoke *revoke)
{
    struct acme_error err;
    char text[800] = "";
    int code;

    acme_error_clear(&err);
    acme_store_close(revoke->store);
    revoke->store = NULL;
    if (acme_store_open(revoke->ctl->state[0], ACME_STORE_WRITE,
            &revoke->store, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: revoked, but not deleted: %s",
            revoke->lineage, err.what);
    code = ctl_delete_one(revoke->ctl, revoke->store, revoke->lineage, -1,
        text, sizeof(text));
    tell_deleted(revoke, code == CTL_OK, text);
    return code;
}

static void
clear(struct revoke *revoke)
{
    size_t i;

    for (i = 0; i < revoke->n; i++) {
        acme_chain_free(revoke->list[i].chain);
        acme_key_unref(revoke->list[i].key);
    }
    acme_chain_free(revoke->given);
    acme_key_unref(revoke->given_key);
    acme_config_free(revoke->config);
    acme_store_close(revoke->store);
}

static int
run(struct revoke *revoke)
{
    struct ctl *ctl = revoke->ctl;
    int code = ctl_open_one(ctl, &revoke->store);

    if (code != CTL_OK)
        return code;
    revoke->config = acme_config_new(ctl->state[0], "acmectl", "revoke");
    if (revoke->config == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    code = ctl_server_known(ctl, revoke->store);
    if (code == CTL_OK)
        code = find(revoke);
    if (code == CTL_OK)
        code = check_allowed(revoke);
    if (code == CTL_OK)
        code = work(revoke);
    if (code != CTL_OK)
        return code;
    if (is_deleted(revoke))
        return forget(revoke);
    renew(revoke);
    return CTL_OK;
}

int
ctl_revoke(struct ctl *ctl)
{
    struct revoke revoke;
    int code;

    memset(&revoke, 0, sizeof(revoke));
    revoke.ctl = ctl;
    code = check_usage(&revoke);
    if (code == CTL_OK)
        code = read_given(&revoke);
    if (code == CTL_OK) {
        revoke.results = ctl->json ? acme_json_array() : NULL;
        code = run(&revoke);
    }
    if (revoke.results != NULL)
        (void)ctl_print_json(revoke.results);
    clear(&revoke);
    return code;
}

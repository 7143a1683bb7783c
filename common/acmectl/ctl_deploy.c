/*
 * deploy: brings a key with its certificate, which came from elsewhere, in as
 * the live version of a lineage, after the checks that a CA's has to pass; or
 * has the deploy hooks of what is live run once more.
 */
#include "acmectl/ctl_file.h"
#include "acmectl/ctl_lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "state/acme_dir.h"
#include "state/acme_schedule.h"

/* The middle of what chance does to the time of a renewal. */
#define MIDDLE UINT32_C(0x80000000)

struct deploy {
    struct ctl *ctl;
    struct acme_store *store;
    const char *name;
    struct acme_key *key;
    struct acme_chain *chain;
    struct acme_leaf leaf;
    struct acme_settings *settings; /* NULL: there are none */
    struct acme_arena *arena;
    struct acme_lineage wanted;
    struct acme_version live; /* no pairs: there is none */
    struct acme_version files;
    struct ctl_version *version; /* as it is then */
    struct acme_json *result;    /* with --json */
    time_t now;
    int lock;
};

/* ---- what is brought -------------------------------------------------- */

static int
check_usage(const struct ctl *ctl)
{
    if (ctl->cert_name == NULL)
        return ctl_fail(CTL_USAGE,
            "say which lineage, by --cert-name NAME; acmectl certificates "
            "lists them");
    if ((ctl->private_key == NULL) != (ctl->certificate == NULL))
        return ctl_fail(CTL_USAGE,
            "--private-key and --certificate go together; without both the "
            "deploy hooks of what is live are run again");
    if (ctl->chain != NULL && ctl->certificate == NULL)
        return ctl_fail(CTL_USAGE,
            "--chain is what is behind the certificate in --certificate");
    return CTL_OK;
}

/* Both files as one. */
static int
add_chain(struct deploy *deploy, const char *path)
{
    struct acme_chain *more = NULL, *whole = NULL;
    struct acme_error err;
    struct acme_buf der;
    int code = ctl_file_chain(path, &more);

    acme_error_clear(&err);
    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    if (code == CTL_OK &&
        (acme_chain_to_der(deploy->chain, 0, 0, &der, &err) != ACME_OK ||
            acme_chain_to_der(more, 0, 0, &der, &err) != ACME_OK ||
            acme_chain_from_der(der.data, der.len, &whole, &err) != ACME_OK))
        code = ctl_fail(CTL_FAILED, "\"%s\": %s", path, err.what);
    if (code == CTL_OK) {
        acme_chain_free(deploy->chain);
        deploy->chain = whole;
    }
    acme_buf_clear(&der);
    acme_chain_free(more);
    return code;
}

/* Before we become the state directory's owner. */
static int
read_files(struct deploy *deploy)
{
    const struct ctl *ctl = deploy->ctl;
    struct acme_error err;
    int code;

    if (ctl->certificate == NULL)
        return CTL_OK;
    acme_error_clear(&err);
    code = ctl_file_chain(ctl->certificate, &deploy->chain);
    if (code == CTL_OK && ctl->chain != NULL)
        code = add_chain(deploy, ctl->chain);
    if (code == CTL_OK)
        code = ctl_file_key(ctl->private_key, &deploy->key);
    if (code == CTL_OK &&
        acme_chain_leaf(deploy->chain, &deploy->leaf, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "\"%s\": %s", ctl->certificate, err.what);
    return code;
}

/* ---- checks, by the names that AutoSSL gives them --------------------- */

static int
refuse(const struct deploy *deploy, const char *error, const char *why,
    const char *cure)
{
    return ctl_fail(CTL_FAILED, "%s: %s: %s; nothing was deployed%s%s",
        deploy->name, error, why, cure[0] != '\0' ? "; " : "", cure);
}

static int
check_pair(const struct deploy *deploy)
{
    struct acme_error err;
    struct acme_buf der;
    bool revoked;

    acme_error_clear(&err);
    if (!acme_chain_matches(deploy->chain, deploy->key))
        return refuse(deploy, "KeyMismatch",
            "the private key is not that of the certificate", "");
    if (acme_store_is_barred(deploy->store, deploy->key))
        return refuse(deploy, "RevokedCertificate",
            "the key was revoked as compromised", "");
    acme_buf_init(&der, ACME_CHAIN_DER_MAX);
    revoked = acme_chain_to_der(deploy->chain, 0, 1, &der, &err) == ACME_OK &&
              acme_store_is_revoked(deploy->store, der.data, der.len);
    acme_buf_clear(&der);
    if (revoked)
        return refuse(deploy, "RevokedCertificate", "it was revoked", "");
    if (acme_chain_check_links(deploy->chain, &err) != ACME_OK)
        return refuse(deploy, "InvalidTrustChain", err.what,
            "put the issuers behind the certificate, or into --chain, each "
            "behind the one that it has signed");
    return CTL_OK;
}

/* One that would be renewed at once is of no use, but by force. */
static int
check_life(const struct deploy *deploy)
{
    static const struct acme_timing usual;
    const struct acme_leaf *leaf = &deploy->leaf;
    const struct acme_timing *timing =
        deploy->settings != NULL && deploy->settings->ndeclared > 0
            ? &deploy->settings->declared[0].timing
            : &usual;
    char when[ACME_TIME_TEXT], text[200];

    (void)acme_time_format(leaf->not_after, when);
    if (leaf->not_after <= deploy->now) {
        (void)snprintf(text, sizeof(text), "it expired at %s", when);
        return refuse(deploy, "ExpiredCertificate", text, "");
    }
    if (deploy->ctl->force || acme_schedule_usual(timing, leaf->not_before,
                                  leaf->not_after, MIDDLE) > deploy->now)
        return CTL_OK;
    (void)snprintf(text, sizeof(text),
        "it expires at %s, and would be renewed at once", when);
    return refuse(deploy, "ExpiredCertificate", text,
        "with --force it is, until then");
}

static int
check_definition(const struct deploy *deploy)
{
    const struct acme_lineage *wanted = &deploy->wanted;
    const enum acme_key_type type = acme_key_type_of(deploy->key);
    const char *cure = "with --force it is, until a renewal, which comes at "
                       "once";
    char text[400];
    size_t i;

    if (wanted->nnames == 0 || deploy->ctl->force)
        return CTL_OK;
    for (i = 0; i < wanted->nnames; i++) {
        if (acme_chain_covers(deploy->chain, wanted->names[i]))
            continue;
        (void)snprintf(text, sizeof(text),
            "it lacks \"%.253s\", which is wanted", wanted->names[i]);
        return refuse(deploy, "DefinitionMismatch", text, cure);
    }
    if (acme_lineage_type(wanted, acme_key_algorithm_number(type)) == type)
        return CTL_OK;
    (void)snprintf(text, sizeof(text), "its key is %s, wanted is %s",
        acme_key_type_name(type), acme_key_type_name(wanted->type[0]));
    return refuse(deploy, "DefinitionMismatch", text, cure);
}

/* What is left of the gate that a CA's certificate has to pass. */
static int
check_rest(const struct deploy *deploy)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (deploy->wanted.csr_file != NULL)
        return refuse(deploy, "DefinitionMismatch",
            "the lineage is for the operator's own key, which is not kept "
            "here",
            "");
    if (acme_chain_check(deploy->chain, deploy->key, NULL, 0, deploy->now,
            NULL, &err) != ACME_OK)
        return refuse(deploy, "InvalidCertificate", err.what, "");
    if (acme_chain_must_staple(deploy->chain) && !deploy->wanted.must_staple)
        return refuse(deploy, "DefinitionMismatch",
            "it has the must-staple extension, which is not wanted", "");
    return CTL_OK;
}

static int
check(const struct deploy *deploy)
{
    int code = check_pair(deploy);

    if (code == CTL_OK)
        code = check_life(deploy);
    if (code == CTL_OK)
        code = check_definition(deploy);
    if (code == CTL_OK)
        code = check_rest(deploy);
    if (code == CTL_OK && acme_chain_count(deploy->chain) == 1)
        (void)fprintf(stderr,
            "acmectl: %s: there is no issuer behind the certificate; many "
            "clients will not believe it without\n",
            deploy->name);
    return code;
}

/* ---- the version ------------------------------------------------------ */

/* What the lineage is meant to be, and has. */
static int
look(struct deploy *deploy)
{
    const char *conflict = NULL;
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = acme_store_settings_read(deploy->store, deploy->name,
        &deploy->settings, &err);
    if (rc != ACME_OK && rc != ACME_NOENT)
        return ctl_fail(CTL_FAILED, "%s: %s", deploy->name, err.what);
    if (rc == ACME_OK && acme_settings_wanted(deploy->settings, deploy->arena,
                             &deploy->wanted, &conflict, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", deploy->name, err.what);
    acme_error_clear(&err);
    if (acme_store_live_read(deploy->store, deploy->name, &deploy->live,
            &err) == ACME_NOMEM)
        return ctl_fail(CTL_FAILED, "out of memory");
    return CTL_OK;
}

static bool
copy(struct acme_pair *pair, const struct acme_pair *from)
{
    pair->type = from->type;
    pair->origin = from->origin;
    acme_buf_add(&pair->key, from->key.data, from->key.len);
    acme_buf_add(&pair->chain, from->chain.data, from->chain.len);
    return acme_buf_ok(&pair->key) && acme_buf_ok(&pair->chain);
}

/* The live version's certificates for keys of other algorithms stay, as a
 * renewal keeps them; the order is that of what is wanted. */
static bool
add_others(struct deploy *deploy)
{
    struct acme_version *files = &deploy->files;
    struct acme_pair pair;
    size_t i;

    for (i = 0; i < deploy->live.npairs; i++) {
        const struct acme_pair *other = &deploy->live.pair[i];
        size_t algorithm = acme_key_algorithm_number(other->type);

        if (algorithm == acme_key_algorithm_number(files->pair[0].type) ||
            acme_lineage_type(&deploy->wanted, algorithm) == ACME_KEY_NONE ||
            files->npairs == ACME_TYPES_MAX)
            continue;
        if (!copy(&files->pair[files->npairs++], other))
            return false;
    }
    if (files->npairs == 2 &&
        acme_key_algorithm_number(files->pair[1].type) ==
            acme_key_algorithm_number(deploy->wanted.type[0])) {
        pair = files->pair[0];
        files->pair[0] = files->pair[1];
        files->pair[1] = pair;
    }
    return true;
}

static int
fill(struct deploy *deploy)
{
    struct acme_version *files = &deploy->files;
    struct acme_pair *pair = &files->pair[0];
    struct acme_error err;

    acme_error_clear(&err);
    files->npairs = 1;
    pair->type = acme_key_type_of(deploy->key);
    pair->origin.obtained = deploy->now;
    if (acme_key_to_der(deploy->key, &pair->key, &err) != ACME_OK ||
        acme_chain_to_der(deploy->chain, 0, acme_chain_useful(deploy->chain),
            &pair->chain, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", deploy->name, err.what);
    return add_others(deploy) ? CTL_OK : ctl_fail(CTL_FAILED, "out of memory");
}

/* By its chain too: that may be what is put right. */
static bool
is_live(const struct deploy *deploy)
{
    const struct acme_buf *chain = &deploy->files.pair[0].chain;
    size_t i;

    for (i = 0; i < deploy->live.npairs; i++)
        if (deploy->live.pair[i].chain.len == chain->len &&
            memcmp(deploy->live.pair[i].chain.data, chain->data, chain->len) ==
                0)
            return true;
    return false;
}

/* Deploy hooks are due for its leaf before it is live; of the version nothing
 * else is known yet. */
static int
write_version(struct deploy *deploy)
{
    struct ctl_version *version = deploy->version;
    struct acme_error err;
    bool due = false;
    int code;

    acme_error_clear(&err);
    version->leaf[0] = deploy->leaf;
    code = ctl_mark_due(deploy->store, deploy->name, version,
        deploy->live.npairs > 0, &due);
    if (code != CTL_OK)
        return code;
    if (acme_store_version_write(deploy->store, deploy->name, &deploy->files,
            deploy->now, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED,
            "%s: nothing was deployed, what was live is: %s", deploy->name,
            err.what);
    if (err.rc != ACME_OK)
        (void)fprintf(stderr, "acmectl: %s: %s\n", deploy->name, err.what);
    if (!ctl_version_look(deploy->store, deploy->name, deploy->files.number,
            deploy->now, version))
        return ctl_fail(CTL_FAILED, "out of memory");
    code = ctl_note_event(deploy->store, deploy->name, ACME_EVENT_RENEWED,
        version, "certificate brought in by acmectl deploy");
    ctl_tell_live(deploy->ctl, deploy->store, deploy->name, version, due,
        deploy->result);
    return code;
}

static int
say_done(const struct deploy *deploy, const char *text)
{
    if (deploy->result != NULL)
        acme_json_set_str(deploy->result, "text", text);
    else if (!deploy->ctl->quiet)
        (void)printf("%s: %s\n", deploy->name, text);
    return CTL_OK;
}

static int
bring_in(struct deploy *deploy)
{
    int code = check(deploy);

    if (code == CTL_OK)
        code = fill(deploy);
    if (code == CTL_OK && is_live(deploy))
        return say_done(deploy,
            "that certificate is live already; nothing to do");
    return code == CTL_OK ? write_version(deploy) : code;
}

/* ---- once more -------------------------------------------------------- */

/* Servers look for hooks that are due when something has moved in live/. */
static int
run_hooks(struct deploy *deploy)
{
    const bool runs = ctl_servers_running(deploy->store) > 0;
    struct ctl_version *version = deploy->version;
    struct acme_error err;
    struct acme_due waiting;
    bool due = false;
    int code;

    acme_error_clear(&err);
    if (deploy->live.npairs == 0)
        return ctl_fail(CTL_FAILED, "%s has no certificate yet", deploy->name);
    if (!deploy->ctl->force && !acme_store_due_read(deploy->store,
                                   ACME_DUE_DEPLOY, deploy->name, &waiting))
        return say_done(deploy,
            "its deploy hooks have been run; nothing to do (--force has them "
            "run again)");
    if (!ctl_version_look(deploy->store, deploy->name, deploy->live.number,
            deploy->now, version))
        return ctl_fail(CTL_FAILED, "out of memory");
    code = ctl_mark_due(deploy->store, deploy->name, version, true, &due);
    if (code != CTL_OK)
        return code;
    if (!due)
        return say_done(deploy, "nobody who wants it has a hook");
    if (acme_dir_touch(acme_store_fd(deploy->store), "live", &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    return say_done(deploy,
        runs ? "its deploy hooks are run by a server within seconds"
             : "no server runs; its deploy hooks are run by the next start");
}

/* ---- the verb --------------------------------------------------------- */

static int
run(struct deploy *deploy)
{
    int code = ctl_open_changing(deploy->ctl, &deploy->store);

    if (code == CTL_OK)
        code = ctl_lineage_need(deploy->store, deploy->name);
    if (code == CTL_OK)
        code = ctl_lineage_lock(deploy->ctl, deploy->store, deploy->name,
            &deploy->lock);
    if (code == CTL_OK)
        code = look(deploy);
    if (code != CTL_OK)
        return code;
    return deploy->chain != NULL ? bring_in(deploy) : run_hooks(deploy);
}

static void
put_result(struct deploy *deploy, int code)
{
    acme_json_set_str(deploy->result, "name", deploy->name);
    acme_json_set_bool(deploy->result, "ok", code == CTL_OK);
    if (deploy->files.number != 0)
        acme_json_set_int(deploy->result, "version", deploy->files.number);
    (void)ctl_print_json(deploy->result);
}

static void
clear(struct deploy *deploy)
{
    if (deploy->lock != -1)
        (void)close(deploy->lock);
    acme_version_clear(&deploy->live);
    acme_version_clear(&deploy->files);
    acme_settings_free(deploy->settings);
    acme_arena_free(deploy->arena);
    acme_chain_free(deploy->chain);
    acme_key_unref(deploy->key);
    free(deploy->version);
    acme_store_close(deploy->store);
}

int
ctl_deploy(struct ctl *ctl)
{
    struct deploy deploy;
    int code = check_usage(ctl);

    if (code != CTL_OK)
        return code;
    memset(&deploy, 0, sizeof(deploy));
    deploy.ctl = ctl;
    deploy.name = ctl->cert_name;
    deploy.now = time(NULL);
    deploy.lock = -1;
    acme_version_init(&deploy.live);
    acme_version_init(&deploy.files);
    deploy.version = calloc(1, sizeof(*deploy.version));
    deploy.arena = acme_arena_new();
    code = deploy.version != NULL && deploy.arena != NULL
               ? read_files(&deploy)
               : ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK) {
        deploy.result = ctl->json ? acme_json_object() : NULL;
        code = run(&deploy);
    }
    if (deploy.result != NULL)
        put_result(&deploy, code);
    clear(&deploy);
    return code;
}

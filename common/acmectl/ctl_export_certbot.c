/*
 * export --format certbot: lineages and accounts as a configuration directory
 * of Certbot's, which that takes up from where they are.  The way back from
 * import, and to a host without this module.
 */
#include "acmectl/ctl_lineage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_time.h"
#include "state/acme_dir.h"

struct tree {
    struct ctl *ctl;
    struct acme_store *store;
    char *path; /* absolute, without links */
    int fd;
    size_t nlineages, naccounts;
};

/* ---- files ------------------------------------------------------------ */

static enum acme_rc
put(const struct tree *tree, const char *path, mode_t mode,
    const struct acme_buf *text, struct acme_error *err)
{
    if (!acme_buf_ok(text))
        return acme_error_nomem(err);
    return acme_dir_create(tree->fd, path, mode, acme_buf_str(text), text->len,
        err);
}

/* Nobody's files are mixed with ours: it is made, or was empty. */
static int
make_directory(struct tree *tree)
{
    const char *given = tree->ctl->output;
    struct acme_dir_names names = { 0 };
    struct acme_error err;
    struct stat st;
    size_t n;

    if (stat(tree->ctl->state[0], &st) != 0 ||
        (mkdir(given, 0700) != 0 && errno != EEXIST))
        return ctl_fail(CTL_FAILED, "cannot make \"%s\": %s", given,
            strerror(errno));
    tree->path = realpath(given, NULL);
    tree->fd = open(given, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree->path == NULL || tree->fd == -1)
        return ctl_fail(CTL_FAILED, "cannot use \"%s\": %s", given,
            strerror(errno));
    acme_error_clear(&err);
    if (acme_dir_names_read(tree->fd, ".", true, &names, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    n = names.count;
    acme_dir_names_free(&names);
    if (n > 0)
        return ctl_fail(CTL_FAILED,
            "\"%s\" is not empty; name a directory that is, or does not exist",
            given);
    if (fchown(tree->fd, st.st_uid, st.st_gid) != 0)
        return ctl_fail(CTL_FAILED, "cannot give \"%s\" to its owner: %s",
            given, strerror(errno));
    return CTL_OK;
}

/* ---- versions --------------------------------------------------------- */

static enum acme_rc
put_part(const struct tree *tree, const char *name, const char *kind,
    unsigned number, const struct acme_chain *chain, size_t first, size_t last,
    struct acme_error *err)
{
    char path[ACME_LINEAGE_MAX + 64];
    struct acme_buf text;
    enum acme_rc rc = ACME_OK;

    acme_buf_init(&text, ACME_STATE_PEM_MAX);
    if (first < acme_chain_count(chain))
        rc = acme_chain_to_pem(chain, first, last, &text, err);
    (void)snprintf(path, sizeof(path), "archive/%s/%s%u.pem", name, kind,
        number);
    if (rc == ACME_OK)
        rc = put(tree, path, 0644, &text, err);
    acme_buf_clear(&text);
    return rc;
}

static enum acme_rc
put_key(const struct tree *tree, const char *name, unsigned number,
    const struct acme_key *key, struct acme_error *err)
{
    char path[ACME_LINEAGE_MAX + 64];
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    rc = acme_key_to_pem(key, &text, err);
    (void)snprintf(path, sizeof(path), "archive/%s/privkey%u.pem", name,
        number);
    if (rc == ACME_OK)
        rc = put(tree, path, 0600, &text, err);
    acme_buf_clear(&text);
    return rc;
}

/* Certbot has one key in a lineage: the first. */
static enum acme_rc
put_version(const struct tree *tree, const char *name, unsigned number,
    const struct acme_pair *pair, struct acme_error *err)
{
    struct acme_chain *chain = NULL;
    struct acme_key *key = NULL;
    enum acme_rc rc;

    rc = acme_chain_from_der(pair->chain.data, pair->chain.len, &chain, err);
    if (rc == ACME_OK)
        rc = acme_key_from_der(pair->key.data, pair->key.len, &key, err);
    if (rc == ACME_OK)
        rc = put_key(tree, name, number, key, err);
    if (rc == ACME_OK)
        rc = put_part(tree, name, "cert", number, chain, 0, 1, err);
    if (rc == ACME_OK)
        rc = put_part(tree, name, "chain", number, chain, 1, 0, err);
    if (rc == ACME_OK)
        rc = put_part(tree, name, "fullchain", number, chain, 0, 0, err);
    acme_chain_free(chain);
    acme_key_unref(key);
    return rc;
}

static enum acme_rc
put_links(const struct tree *tree, const char *name, unsigned live,
    struct acme_error *err)
{
    static const char *const kinds[] = { "cert", "privkey", "chain",
        "fullchain" };
    char path[ACME_LINEAGE_MAX + 64], target[ACME_LINEAGE_MAX + 64];
    enum acme_rc rc;
    size_t i;

    (void)snprintf(path, sizeof(path), "live/%s", name);
    rc = acme_dir_make(tree->fd, path, err);
    for (i = 0; rc == ACME_OK && i < 4; i++) {
        (void)snprintf(path, sizeof(path), "live/%s/%s.pem", name, kinds[i]);
        (void)snprintf(target, sizeof(target), "../../archive/%s/%s%u.pem",
            name, kinds[i], live);
        rc = acme_dir_link(tree->fd, target, path, err);
    }
    return rc;
}

/* ---- settings --------------------------------------------------------- */

/* As ConfigObj reads it again. */
static void
add_text(struct acme_buf *out, const char *name, const char *value)
{
    const char *quote = "";

    if (value == NULL)
        return;
    if (strpbrk(value, ",#\"'") != NULL || value[0] == '\0')
        quote = strchr(value, '"') == NULL    ? "\""
                : strchr(value, '\'') == NULL ? "'"
                                              : "'''";
    acme_buf_addf(out, "%s = %s%s%s\n", name, quote, value, quote);
}

static void
add_hook(struct acme_buf *out, const char *name,
    const struct acme_hooks *hooks, enum acme_hooks_item item)
{
    char text[1024];

    if (hooks->n[item] > 0)
        add_text(out, name,
            acme_hook_text(&hooks->list[item][0], text, sizeof(text)));
}

static void
add_key_type(struct acme_buf *out, enum acme_key_type type)
{
    const char *size = strchr(acme_key_type_name(type), ':');

    add_text(out, "key_type", acme_key_algorithm(type));
    if (size == NULL)
        return;
    if (acme_key_algorithm_number(type) == 1)
        add_text(out, "rsa_key_size", size + 1);
    else
        acme_buf_addf(out, "elliptic_curve = secp%sr1\n", size + 1);
}

static void
add_proof(struct acme_buf *out, const struct acme_proof *proof)
{
    const struct acme_command *command = &proof->command;

    if (command->kind != ACME_COMMAND_CERTBOT) {
        add_text(out, "authenticator", "standalone");
        return;
    }
    add_text(out, "authenticator", "manual");
    acme_buf_add_str(out, "pref_challs = dns-01,\n");
    add_text(out, "manual_auth_hook", command->word[0]);
    add_text(out, "manual_cleanup_hook", command->cleanup);
}

static void
add_params(struct acme_buf *out, const struct acme_declaration *by)
{
    acme_buf_add_str(out, "\n[renewalparams]\n");
    add_text(out, "server", by->issuer.directory);
    add_text(out, "preferred_chain", by->issuer.preferred_chain);
    if (by->ntypes > 0)
        add_key_type(out, by->type[0]);
    if (by->reuse_key)
        add_text(out, "reuse_key", "True");
    if (by->must_staple)
        add_text(out, "must_staple", "True");
    if (by->allow_subset)
        add_text(out, "allow_subset_of_names", "True");
    if (by->timing.mode == ACME_RENEW_MANUAL)
        add_text(out, "autorenew", "False");
    add_proof(out, &by->proof);
    add_hook(out, "pre_hook", &by->hooks, ACME_HOOKS_PRE);
    add_hook(out, "renew_hook", &by->hooks, ACME_HOOKS_DEPLOY);
    add_hook(out, "post_hook", &by->hooks, ACME_HOOKS_POST);
}

/* The account that the lineage is renewed with. */
static void
add_account(struct tree *tree, struct acme_buf *out,
    const struct acme_issuer *issuer)
{
    struct acme_account_entry entry;
    char id[ACME_KEY_CERTBOT_ID_LEN + 1];
    struct acme_error ignored;

    memset(&entry, 0, sizeof(entry));
    acme_error_clear(&ignored);
    if (acme_store_account(tree->store, issuer, NULL, &entry, &ignored) ==
            ACME_OK &&
        acme_key_certbot_id(entry.key, id, &ignored) == ACME_OK)
        add_text(out, "account", id);
    acme_account_entry_clear(&entry);
}

static enum acme_rc
put_settings(struct tree *tree, const char *name, struct acme_error *err)
{
    static const char *const kinds[] = { "cert", "privkey", "chain",
        "fullchain" };
    struct acme_settings *settings = NULL;
    char path[ACME_LINEAGE_MAX + 64];
    struct acme_error ignored;
    struct acme_buf out;
    enum acme_rc rc;
    size_t i;

    acme_error_clear(&ignored);
    acme_buf_init(&out, ACME_STATE_JSON_MAX);
    (void)acme_store_settings_read(tree->store, name, &settings, &ignored);
    acme_buf_add_str(&out, "version = 2.1.0\n");
    acme_buf_addf(&out, "archive_dir = %s/archive/%s\n", tree->path, name);
    for (i = 0; i < 4; i++)
        acme_buf_addf(&out, "%s = %s/live/%s/%s.pem\n", kinds[i], tree->path,
            name, kinds[i]);
    if (settings != NULL && settings->ndeclared > 0) {
        add_params(&out, &settings->declared[0]);
        add_account(tree, &out, &settings->declared[0].issuer);
    }
    (void)snprintf(path, sizeof(path), "renewal/%s.conf", name);
    rc = put(tree, path, 0644, &out, err);
    acme_settings_free(settings);
    acme_buf_clear(&out);
    return rc;
}

/* ---- a lineage -------------------------------------------------------- */

static void
leave_out(const char *name, unsigned number, const char *why)
{
    (void)fprintf(stderr, "acmectl: %s: version %u is left out: %s\n", name,
        number, why);
}

/* Whether it is there then. */
static bool
take_version(struct tree *tree, const char *name, unsigned number,
    struct acme_error *err)
{
    struct acme_version version;
    struct acme_error why;
    bool put_it = false;

    acme_error_clear(&why);
    acme_version_init(&version);
    if (acme_store_version_read(tree->store, name, number, &version, &why) !=
        ACME_OK)
        leave_out(name, number, why.what);
    else if (version.pair[0].key.len == 0)
        leave_out(name, number, "its key is not here");
    else
        put_it =
            put_version(tree, name, number, &version.pair[0], err) == ACME_OK;
    acme_version_clear(&version);
    return put_it;
}

static enum acme_rc
take_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct tree *tree = ctx;
    unsigned number[CTL_VERSIONS_MAX], live = 0;
    char path[ACME_LINEAGE_MAX + 64];
    struct acme_error why;
    bool has_live = false;
    enum acme_rc rc;
    size_t i, n = 0;

    if (tree->ctl->cert_name != NULL &&
        strcmp(tree->ctl->cert_name, name) != 0)
        return ACME_OK;
    acme_error_clear(&why);
    if (acme_store_live(tree->store, name, &live, &why) != ACME_OK ||
        ctl_version_numbers(tree->store, name, number, &n) != CTL_OK)
        return ACME_OK; /* nothing that Certbot would call a lineage */
    (void)snprintf(path, sizeof(path), "archive/%s", name);
    rc = acme_dir_make(tree->fd, path, err);
    for (i = n; rc == ACME_OK && i > 0; i--) {
        if (take_version(tree, name, number[i - 1], err))
            has_live = has_live || number[i - 1] == live;
        rc = err->rc;
    }
    if (rc != ACME_OK || !has_live)
        return rc;
    rc = put_links(tree, name, live, err);
    if (rc == ACME_OK)
        rc = put_settings(tree, name, err);
    tree->nlineages++;
    return rc;
}

/* ---- accounts --------------------------------------------------------- */

static enum acme_rc
put_json(const struct tree *tree, const char *dir, const char *file,
    struct acme_json *json, struct acme_error *err)
{
    char path[4096];
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    rc = json != NULL ? acme_json_render(json, false, &text, err)
                      : acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = put(tree, path, 0644, &text, err);
    acme_json_free(json);
    acme_buf_clear(&text);
    return rc;
}

static enum acme_rc
put_account(const struct tree *tree, const char *dir, const char *url,
    const char *created, const struct acme_key *key, struct acme_error *err)
{
    struct acme_json *regr = acme_json_object(), *meta = acme_json_object();
    char path[4096];
    struct acme_buf jwk;
    enum acme_rc rc;

    acme_json_set(regr, "body", acme_json_object());
    acme_json_set_str(regr, "uri", url);
    acme_json_set_str(meta, "creation_dt", created);
    acme_json_set_str(meta, "creation_host", "localhost");
    acme_buf_init_secret(&jwk, ACME_STATE_PEM_MAX);
    (void)snprintf(path, sizeof(path), "%s/private_key.json", dir);
    rc = acme_key_to_form(key, ACME_KEY_FORM_JWK, &jwk, err);
    if (rc == ACME_OK)
        rc = put(tree, path, 0400, &jwk, err);
    acme_buf_clear(&jwk);
    if (rc == ACME_OK)
        rc = put_json(tree, dir, "regr.json", regr, err);
    else
        acme_json_free(regr);
    if (rc == ACME_OK)
        rc = put_json(tree, dir, "meta.json", meta, err);
    else
        acme_json_free(meta);
    return rc;
}

/* accounts/HOST/PATH/ID, as Certbot makes it of the CA's URL. */
static enum acme_rc
take_account(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    struct tree *tree = ctx;
    const char *directory = acme_json_str(account, "directory");
    const char *url = acme_json_str(account, "url");
    const char *created = acme_json_str(account, "created");
    const char *place = strstr(directory, "://");
    char name[ACME_KEY_CERTBOT_ID_LEN + 1], dir[4000];
    struct acme_key *key = NULL;
    enum acme_rc rc;

    if (url[0] == '\0' || place == NULL || strstr(place, "..") != NULL ||
        acme_store_key_read(tree->store, id, &key, err) != ACME_OK) {
        acme_error_clear(err); /* the operator's own, or no account yet */
        return ACME_OK;
    }
    rc = acme_key_certbot_id(key, name, err);
    (void)snprintf(dir, sizeof(dir), "accounts/%s/%s", place + 3, name);
    if (rc == ACME_OK)
        rc = acme_dir_make(tree->fd, dir, err);
    if (rc == ACME_OK)
        rc = put_account(tree, dir, url,
            created != NULL ? created : "2000-01-01T00:00:00Z", key, err);
    tree->naccounts += rc == ACME_OK;
    acme_key_unref(key);
    return rc;
}

/* ---- all of it -------------------------------------------------------- */

static int
fill(struct tree *tree)
{
    static const char *const dirs[] = { "live", "archive", "renewal",
        "accounts" };
    struct acme_error err;
    enum acme_rc rc = ACME_OK;
    size_t i;

    acme_error_clear(&err);
    for (i = 0; rc == ACME_OK && i < 4; i++)
        rc = acme_dir_make(tree->fd, dirs[i], &err);
    if (rc == ACME_OK)
        rc = ctl_lineages(tree->store, take_lineage, tree, &err);
    if (rc == ACME_OK)
        rc = acme_store_accounts(tree->store, take_account, tree, &err);
    return rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

int
ctl_export_certbot(struct ctl *ctl)
{
    struct tree tree = { .ctl = ctl, .fd = -1 };
    int code;

    if (ctl->output == NULL || strcmp(ctl->output, "-") == 0)
        return ctl_fail(CTL_USAGE,
            "--format certbot makes a directory: name it with -o DIRECTORY");
    code = ctl_find_one(ctl);
    if (code == CTL_OK)
        code = make_directory(&tree);
    if (code == CTL_OK)
        code = ctl_open(ctl->state[0], &tree.store);
    if (code == CTL_OK && ctl->cert_name != NULL)
        code = ctl_lineage_need(tree.store, ctl->cert_name);
    if (code == CTL_OK)
        code = fill(&tree);
    if (code == CTL_OK && !ctl->quiet)
        (void)fprintf(stderr,
            "acmectl: %zu lineages and %zu accounts are in \"%s\", with their "
            "private keys; look at \"authenticator\" in renewal/*.conf "
            "before Certbot renews them\n",
            tree.nlineages, tree.naccounts, tree.path);
    if (tree.fd != -1)
        close(tree.fd);
    free(tree.path);
    acme_store_close(tree.store);
    return code;
}

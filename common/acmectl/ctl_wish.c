#include "acmectl/ctl_wish.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "acmectl/ctl_account.h"
#include "acmectl/ctl_answer.h"
#include "acmectl/ctl_kept.h"
#include "drive/acme_host_check.h"

#define WORDS_MAX 24

/* ---- words ------------------------------------------------------------ */

const char *
ctl_whole_path(void *ctx, const char *path)
{
    struct acme_arena *arena = ctx;
    char here[PATH_MAX];

    if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        return path;
    return acme_arena_printf(arena, "%s/%s", here, path);
}

/* The words between spaces, as a directive would have them. */
static size_t
split(struct ctl *ctl, const char *text, const char *word[WORDS_MAX])
{
    size_t n = 0, len;

    for (text += strspn(text, " "); *text != '\0' && n < WORDS_MAX;
         text += len, text += strspn(text, " ")) {
        len = strcspn(text, " ");
        word[n] = acme_arena_strndup(ctl->arena, text, len);
        if (word[n] == NULL)
            return 0;
        n++;
    }
    return n;
}

static int
usage(const char *option, const struct acme_error *err)
{
    return ctl_fail(CTL_USAGE, "--%s: %s", option, err->what);
}

/* ---- the CA ----------------------------------------------------------- */

static int
take_server(struct ctl *ctl, struct acme_issuer *issuer)
{
    const char *word = ctl->server;
    struct acme_error err;

    if (ctl->staging && word != NULL && acme_issuer_directory(word) == NULL)
        return ctl_fail(CTL_USAGE,
            "--staging is for CAs whose staging CA is known, not for "
            "--server \"%s\": name that of its staging CA",
            word);
    if (word == NULL && issuer->directory == NULL)
        word = CTL_ASSUMED_SERVER;
    if (word != NULL) {
        issuer->directory = acme_issuer_directory(word);
        if (issuer->directory == NULL)
            issuer->directory = word;
        if (ctl->issuer != NULL)
            issuer->name = ctl->issuer->name;
        else if (acme_issuer_directory(word) != NULL)
            issuer->name = word;
        else
            issuer->name = acme_issuer_name_of(ctl->arena, word);
    }
    if (!ctl->staging)
        return CTL_OK;
    acme_error_clear(&err);
    if (acme_host_staging(issuer, &err) != ACME_OK)
        return usage("staging", &err);
    issuer->name = acme_arena_printf(ctl->arena, "%s-staging", issuer->name);
    return CTL_OK;
}

static int
take_contacts(struct ctl *ctl, struct acme_issuer *issuer)
{
    char url[ACME_URL_MAX];
    size_t i;

    if (ctl->emails.n > ACME_CONTACTS_MAX)
        return ctl_fail(CTL_USAGE, "--email: more than %d contacts",
            ACME_CONTACTS_MAX);
    for (i = 0; i < ctl->emails.n; i++) {
        if (ctl_contact_url(ctl->emails.word[i], url) != CTL_OK)
            return CTL_USAGE;
        issuer->contact[i] = acme_arena_strdup(ctl->arena, url);
    }
    if (ctl->emails.n > 0)
        issuer->ncontacts = ctl->emails.n;
    return CTL_OK;
}

static int
take_binding(struct ctl *ctl, struct acme_issuer *issuer)
{
    struct acme_error err;

    acme_error_clear(&err);
    if ((ctl->eab_kid != NULL) !=
        (ctl->eab_file != NULL || ctl->eab_key != NULL))
        return ctl_fail(CTL_USAGE,
            "--eab-kid and --eab-file go together: the id of the key, and the "
            "file that has it in base64url");
    if (ctl->eab_file != NULL && ctl->eab_key != NULL)
        return ctl_fail(CTL_USAGE,
            "--eab-file and --eab-hmac-key are one too many");
    if (ctl->eab_kid == NULL)
        return CTL_OK;
    if (ctl->eab_key != NULL &&
        acme_host_eab_key(ctl->eab_key, &err) != ACME_OK)
        return usage("eab-hmac-key", &err);
    issuer->eab_kid = ctl->eab_kid;
    issuer->eab_key = ctl->eab_key;
    issuer->eab_file = ctl->eab_file != NULL
                           ? ctl_whole_path(ctl->arena, ctl->eab_file)
                           : NULL;
    if (ctl->eab_alg != NULL &&
        acme_host_eab_alg(ctl->eab_alg, &issuer->eab_alg, &err) != ACME_OK)
        return usage("eab-alg", &err);
    return CTL_OK;
}

int
ctl_wish_issuer(struct ctl *ctl, struct acme_issuer *issuer)
{
    struct acme_error err;
    int code = take_server(ctl, issuer);

    if (code == CTL_OK)
        code = take_contacts(ctl, issuer);
    if (code == CTL_OK)
        code = take_binding(ctl, issuer);
    if (ctl->agree_tos)
        issuer->terms_accepted = true;
    if (ctl->preferred_chain != NULL)
        issuer->preferred_chain = ctl->preferred_chain;
    if (ctl->profile != NULL)
        issuer->profile = ctl->profile;
    if (ctl->required_profile != NULL) {
        issuer->profile = ctl->required_profile;
        issuer->profile_required = true;
    }
    if (ctl->ca_file != NULL)
        issuer->ca_file = ctl_whole_path(ctl->arena, ctl->ca_file);
    if (ctl->no_verify_ssl)
        issuer->verify = false;
    acme_error_clear(&err);
    if (code == CTL_OK && acme_host_check_issuer(issuer, &err) != ACME_OK)
        code = ctl_fail(CTL_USAGE, "%s", err.what);
    return code;
}

/* ---- keys ------------------------------------------------------------- */

static int
take_keys(struct ctl *ctl, struct acme_lineage *lineage)
{
    struct acme_error err;
    bool is_file;
    size_t i;

    if (ctl->keys.n > ACME_TYPES_MAX)
        return ctl_fail(CTL_USAGE,
            "--key-type: a certificate has %d at most, of one algorithm each",
            ACME_TYPES_MAX);
    for (i = 0; i < ctl->keys.n; i++) {
        acme_error_clear(&err);
        is_file = false;
        if (acme_host_account_key(ctl->keys.word[i], &lineage->type[i],
                &is_file, &err) != ACME_OK)
            return usage("key-type", &err);
        if (is_file)
            return ctl_fail(CTL_USAGE,
                "--key-type \"%s\" is none of ecdsa:256, ecdsa:384, "
                "ecdsa:521, "
                "rsa:2048, rsa:3072, rsa:4096",
                ctl->keys.word[i]);
    }
    if (ctl->keys.n > 0)
        lineage->ntypes = ctl->keys.n;
    if (lineage->ntypes == 0) {
        lineage->type[0] = ACME_KEY_ECDSA_256;
        lineage->ntypes = 1;
    }
    return CTL_OK;
}

/* ---- proof ------------------------------------------------------------ */

/* As Certbot has them: without a version the newest. */
static const char *
challenge_name(const char *word)
{
    if (strcasecmp(word, "http") == 0)
        return "http-01";
    if (strcasecmp(word, "dns") == 0)
        return "dns-01";
    return strcasecmp(word, "tls-alpn") == 0 ? "tls-alpn-01" : word;
}

static int
take_item(struct ctl *ctl, struct acme_proof *proof, const char *option,
    enum acme_proof_item item, const char *const *word, size_t n)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_proof_set(proof, item, word, n, ctl_whole_path, ctl->arena,
            &err) != ACME_OK)
        return usage(option, &err);
    return CTL_OK;
}

static int
take_texts(struct ctl *ctl, struct acme_proof *proof)
{
    const struct {
        const char *option, *text;
        enum acme_proof_item item;
    } texts[] = {
        { "challenge-cmd", ctl->challenge_cmd, ACME_PROOF_COMMAND },
        { "dns-update", ctl->dns_update, ACME_PROOF_DNS_UPDATE },
        { "dns-propagation", ctl->dns_propagation,
            ACME_PROOF_DNS_PROPAGATION },
        { "preflight", ctl->preflight, ACME_PROOF_PREFLIGHT },
    };
    const char *word[WORDS_MAX];
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]) && code == CTL_OK; i++)
        if (texts[i].text != NULL)
            code = take_item(ctl, proof, texts[i].option, texts[i].item, word,
                split(ctl, texts[i].text, word));
    return code;
}

/* Of two ways to change the DNS that were kept and are said now, the latter.
 */
static void
begin_proof(const struct ctl *ctl, const struct acme_declaration *kept,
    struct acme_proof *proof)
{
    static const char *const none[] = { "none" };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    acme_proof_init(proof);
    if (kept != NULL)
        *proof = kept->proof;
    if (ctl->dns_update != NULL)
        (void)acme_proof_set(proof, ACME_PROOF_COMMAND, none, 1, NULL, NULL,
            &ignored);
    else if (ctl->challenge_cmd != NULL || ctl->auth_hook != NULL)
        (void)acme_proof_set(proof, ACME_PROOF_DNS_UPDATE, none, 1, NULL, NULL,
            &ignored);
}

static int
take_proof(struct ctl *ctl, struct acme_proof *proof)
{
    const char *word[WORDS_MAX];
    struct acme_error err;
    size_t i, n = 0;
    int code = CTL_OK;

    for (i = 0; i < ctl->challenges.n && i < WORDS_MAX; i++)
        word[n++] = challenge_name(ctl->challenges.word[i]);
    if (n > 0)
        code = take_item(ctl, proof, "preferred-challenges",
            ACME_PROOF_CHALLENGE, word, n);
    if (ctl->cleanup_hook != NULL && ctl->auth_hook == NULL)
        return ctl_fail(CTL_USAGE,
            "--manual-cleanup-hook goes with --manual-auth-hook");
    if (code == CTL_OK && ctl->auth_hook != NULL) {
        word[0] = "certbot";
        word[1] = ctl->auth_hook;
        word[2] = ctl->cleanup_hook;
        code = take_item(ctl, proof, "manual-auth-hook", ACME_PROOF_COMMAND,
            word, ctl->cleanup_hook != NULL ? 3 : 2);
    }
    if (code == CTL_OK)
        code = take_texts(ctl, proof);
    if (code == CTL_OK)
        code = ctl_answer_take(ctl, proof);
    acme_error_clear(&err);
    if (code == CTL_OK &&
        (acme_host_check_command(&proof->command, &err) != ACME_OK ||
            acme_host_check_dns_key(proof, &err) != ACME_OK))
        code = ctl_fail(CTL_USAGE, "%s", err.what);
    return code;
}

/* ---- hooks ------------------------------------------------------------ */

static int
take_hook(struct acme_hooks *hooks, enum acme_hooks_item item,
    const char *const *word, size_t n)
{
    struct acme_error err;
    char option[32];

    if (n == 0 || word[0] == NULL)
        return CTL_OK;
    acme_error_clear(&err);
    hooks->n[item] = 0; /* not one more, but this one */
    (void)snprintf(option, sizeof(option), "%s-hook",
        acme_hooks_item_name(item));
    return acme_hooks_set(hooks, item, word, n, &err) == ACME_OK
               ? CTL_OK
               : usage(option, &err);
}

static int
take_hooks(struct ctl *ctl, struct acme_hooks *hooks)
{
    static const char *const off[] = { "off" };
    struct acme_error err;
    int code = take_hook(hooks, ACME_HOOKS_PRE, &ctl->pre_hook, 1);

    if (code == CTL_OK)
        code = take_hook(hooks, ACME_HOOKS_DEPLOY, &ctl->deploy_hook, 1);
    if (code == CTL_OK)
        code = take_hook(hooks, ACME_HOOKS_POST, &ctl->post_hook, 1);
    acme_error_clear(&err);
    if (ctl->no_directory_hooks)
        (void)acme_hooks_set(hooks, ACME_HOOKS_DIRECTORIES, off, 1, &err);
    if (ctl->no_hook_validation)
        (void)acme_hooks_set(hooks, ACME_HOOKS_VALIDATION, off, 1, &err);
    if (code == CTL_OK && acme_host_check_hooks(hooks, &err) != ACME_OK)
        code = ctl_fail(CTL_USAGE, "%s", err.what);
    return code;
}

/* ---- the lineage ------------------------------------------------------ */

static void
take_policy(struct ctl *ctl, struct acme_lineage *lineage)
{
    static const char *const manual[] = { "manual" };
    struct acme_error ignored;

    acme_error_clear(&ignored);
    lineage->reuse_key = lineage->reuse_key || ctl->reuse_key;
    lineage->must_staple = lineage->must_staple || ctl->must_staple;
    lineage->allow_subset = lineage->allow_subset || ctl->allow_subset;
    if (ctl->no_autorenew)
        (void)acme_timing_set(&lineage->timing, ACME_TIMING_MODE, manual, 1,
            &ignored);
}

int
ctl_wish_make(struct ctl *ctl, const struct acme_declaration *kept,
    struct ctl_wish *wish)
{
    struct acme_lineage *lineage = &wish->lineage;
    int code;

    memset(wish, 0, sizeof(*wish));
    if (kept != NULL && ctl_kept_first(ctl, kept) != CTL_OK)
        return CTL_FAILED;
    acme_issuer_init(&wish->issuer);
    acme_hooks_init(&wish->hooks);
    begin_proof(ctl, kept, &wish->proof);
    if (kept != NULL) {
        wish->issuer = kept->issuer;
        wish->hooks = kept->hooks;
        lineage->ntypes = kept->ntypes;
        memcpy(lineage->type, kept->type, sizeof(lineage->type));
        lineage->must_staple = kept->must_staple;
        lineage->reuse_key = kept->reuse_key;
        lineage->allow_subset = kept->allow_subset;
        lineage->timing = kept->timing;
    }
    if (ctl->server != NULL && ctl->issuer != NULL)
        wish->issuer = *ctl->issuer;
    code = ctl_wish_issuer(ctl, &wish->issuer);
    if (code == CTL_OK)
        code = take_keys(ctl, lineage);
    if (code == CTL_OK)
        code = take_proof(ctl, &wish->proof);
    if (code == CTL_OK)
        code = take_hooks(ctl, &wish->hooks);
    take_policy(ctl, lineage);
    lineage->proof = &wish->proof;
    lineage->hooks = &wish->hooks;
    return code;
}

/*
 * acme.sh's home: NAME/ or NAME_ecc/ with NAME.conf, fullchain.cer and
 * NAME.key.  NAME.conf has assignments of a shell, which are read as what they
 * are written to be, lines of name='value': nothing is run or expanded.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_base64.h"
#include "state/acme_foreign.h"
#include "state/acme_foreign_file.h"
#include "state/acme_ini.h"

/* What acme.sh puts around values that may have quotes in them. */
#define WRAP_BEGIN "__ACME_BASE64__START_"
#define WRAP_END "__ACME_BASE64__END_"

struct reading {
    struct acme_foreign_place place;
    struct acme_foreign *foreign;
    const struct acme_foreign_wanted *wanted;
    struct acme_foreign_lineage *lineage;
    struct acme_ini conf;
    bool nomem;
};

static void
note(struct reading *r, const char *field, const char *value, const char *why)
{
    if (!acme_foreign_note(r->foreign, &r->lineage->notes, field, value, "%s",
            why))
        r->nomem = true;
}

/* ---- values ----------------------------------------------------------- */

/* Its base64 is the usual one. */
static const char *
unwrap(struct acme_arena *arena, const char *text)
{
    const char *begin = text + strlen(WRAP_BEGIN);
    const char *end = strstr(text, WRAP_END), *value = NULL;
    struct acme_error ignored;
    struct acme_buf out;
    char *copy;
    size_t i, len;

    if (strncmp(text, WRAP_BEGIN, strlen(WRAP_BEGIN)) != 0 || end == NULL ||
        end < begin)
        return text;
    copy = acme_arena_strndup(arena, begin, (size_t)(end - begin));
    if (copy == NULL)
        return NULL;
    len = strcspn(copy, "=");
    for (i = 0; i < len; i++)
        copy[i] = copy[i] == '+' ? '-' : copy[i] == '/' ? '_' : copy[i];
    acme_error_clear(&ignored);
    acme_buf_init(&out, ACME_STATE_JSON_MAX);
    if (acme_base64_decode(&out, copy, len, &ignored) == ACME_OK &&
        memchr(acme_buf_str(&out), '\0', out.len) == NULL)
        value = acme_arena_strdup(arena, acme_buf_str(&out));
    acme_buf_clear(&out);
    return value;
}

/* NULL: it is not said. */
static const char *
get(const struct reading *r, const char *name)
{
    const char *text = acme_ini_text(&r->conf, "", name);

    if (text != NULL)
        text = unwrap(r->foreign->arena, text);
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* ---- settings --------------------------------------------------------- */

static void
take_names(struct reading *r)
{
    struct acme_arena *arena = r->foreign->arena;
    const char *domain = get(r, "Le_Domain"), *alt = get(r, "Le_Alt");
    const char **names;
    size_t len;

    if (domain == NULL)
        return;
    if (alt == NULL || strcmp(alt, "no") == 0)
        alt = "";
    names = acme_arena_alloc(arena, (strlen(alt) + 2) * sizeof(*names));
    if (names == NULL) {
        r->nomem = true;
        return;
    }
    names[r->lineage->nnames++] = domain;
    for (; *alt != '\0'; alt += len + strspn(alt + len, ", ")) {
        len = strcspn(alt, ", ");
        names[r->lineage->nnames] = acme_arena_strndup(arena, alt, len);
        r->nomem = r->nomem || names[r->lineage->nnames] == NULL;
        r->lineage->nnames++;
    }
    r->lineage->names = names;
}

static void
take_key(struct reading *r)
{
    const char *length = get(r, "Le_Keylength"), *name;
    struct acme_error ignored;

    r->lineage->reuse_key = get(r, "Le_ForceNewDomainKey") == NULL ||
                            strcmp(get(r, "Le_ForceNewDomainKey"), "1") != 0;
    if (length == NULL)
        return;
    name = strncmp(length, "ec-", 3) == 0
               ? acme_arena_printf(r->foreign->arena, "ecdsa:%.8s", length + 3)
               : acme_arena_printf(r->foreign->arena, "rsa:%.8s", length);
    acme_error_clear(&ignored);
    if (name == NULL ||
        acme_key_type_parse(name, &r->lineage->type, &ignored) != ACME_OK)
        note(r, "Le_Keylength", length,
            "keys of that kind are not made here; new ones are of the type "
            "of the present one");
}

/* The first name's way counts, as ours is one for all. */
static void
take_proof(struct reading *r)
{
    const char *way = get(r, "Le_Webroot");
    const char *word[] = { "acme.sh", NULL, r->place.path };
    struct acme_error err;
    char *first;

    if (way == NULL)
        return;
    first = acme_arena_strndup(r->foreign->arena, way, strcspn(way, ","));
    word[1] = first;
    acme_error_clear(&err);
    if (first == NULL)
        r->nomem = true;
    else if (strncmp(first, "dns_", 4) != 0)
        note(r, "Le_Webroot", way,
            "a server with the module answers http-01 itself, without a file "
            "or another port");
    else if (acme_proof_set(&r->lineage->proof, ACME_PROOF_COMMAND, word, 3,
                 NULL, NULL, &err) != ACME_OK)
        note(r, "Le_Webroot", way, err.what);
}

static void
take_hook(struct reading *r, const char *field, enum acme_hooks_item item)
{
    const char *command = get(r, field);
    struct acme_error err;

    acme_error_clear(&err);
    if (command != NULL &&
        acme_hooks_set(&r->lineage->hooks, item, &command, 1, &err) != ACME_OK)
        note(r, field, command, err.what);
}

static void
note_others(struct reading *r)
{
    static const struct {
        const char *name, *usual, *why;
    } rows[] = {
        { "Le_RenewalDays", "60",
            "it is renewed when its CA suggests that, or after two thirds of "
            "its life; acme_renew_window and ACMERenewWindow say another "
            "time" },
        { "Le_RealFullChainPath", "",
            "nothing is copied there any more; point at live/ in the state "
            "directory, or have a deploy hook copy it "
            "(examples/acme-deploy-copy)" },
        { "Le_RealKeyPath", "", "the same" },
        { "Le_RealCertPath", "", "the same" },
        { "Le_RealCACertPath", "", "the same" },
        { "Le_ReloadCmd", "",
            "a server with the module serves a new certificate by itself; for "
            "another one say it as a deploy hook" },
        { "Le_DeployHook", "", "say it as a deploy hook of your own" },
        { "Le_ChallengeAlias", "no",
            "acme_dns_delegation and ACMEDNSDelegation say where a CNAME may "
            "lead to" },
        { "Le_HTTPPort", "",
            "acme_port_map and ACMEPortMap say which ports "
            "are the public ones" },
        { "Le_TLSPort", "", "the same" },
    };
    const char *text;
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        text = get(r, rows[i].name);
        if (text != NULL && strcmp(text, rows[i].usual) != 0)
            note(r, rows[i].name, text, rows[i].why);
    }
}

static void
take_settings(struct reading *r)
{
    const char *staple = get(r, "Le_OCSP_Staple");

    take_names(r);
    take_key(r);
    take_proof(r);
    r->lineage->issuer.directory = get(r, "Le_API");
    r->lineage->issuer.preferred_chain = get(r, "Le_Preferred_Chain");
    r->lineage->must_staple = staple != NULL && strcmp(staple, "1") == 0;
    take_hook(r, "Le_PreHook", ACME_HOOKS_PRE);
    take_hook(r, "Le_RenewHook", ACME_HOOKS_DEPLOY);
    take_hook(r, "Le_PostHook", ACME_HOOKS_POST);
    note_others(r);
}

/* ---- a lineage -------------------------------------------------------- */

static enum acme_rc
read_settings(struct reading *r, struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    memset(&r->conf, 0, sizeof(r->conf));
    acme_buf_init(&text, ACME_STATE_PEM_MAX);
    rc = acme_foreign_file_read(&r->place, r->lineage->from, &text, NULL, err);
    if (rc == ACME_OK)
        rc = acme_ini_parse(r->foreign->arena, acme_buf_str(&text), text.len,
            &r->conf, err);
    acme_buf_clear(&text);
    if (rc == ACME_OK)
        take_settings(r);
    return rc == ACME_OK && r->nomem ? acme_error_nomem(err) : rc;
}

static enum acme_rc
read_version(struct reading *r, const char *dir, const char *domain,
    struct acme_error *err)
{
    struct acme_foreign_version *version =
        acme_foreign_add_version(r->lineage);
    char path[PATH_MAX];
    enum acme_rc rc;

    if (version == NULL)
        return acme_error_nomem(err);
    (void)snprintf(path, sizeof(path), "%s/fullchain.cer", dir);
    rc = acme_foreign_file_read(&r->place, path, &version->pair[0].chain,
        &version->at, err);
    (void)snprintf(path, sizeof(path), "%s/%s.key", dir, domain);
    return rc == ACME_OK ? acme_foreign_file_read(&r->place, path,
                               &version->pair[0].key, NULL, err)
                         : rc;
}

static enum acme_rc
read_lineage(struct reading *r, const char *dir, const char *domain,
    const char *from, struct acme_error *err)
{
    const char *name = acme_foreign_name(r->foreign, domain);
    struct acme_error why;
    enum acme_rc rc;

    if (name == NULL)
        return acme_error_nomem(err);
    if (!acme_foreign_is_wanted(r->wanted, name))
        return ACME_OK;
    r->lineage = acme_foreign_add(r->foreign, name, from);
    if (r->lineage == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    rc = read_settings(r, &why);
    if (rc == ACME_OK)
        rc = read_version(r, dir, domain, &why);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc != ACME_OK)
        acme_foreign_spoil(r->foreign, r->lineage, why.what);
    return ACME_OK;
}

/* NAME, or NAME_ecc, with NAME.conf in it. */
static enum acme_rc
read_entry(struct reading *r, const char *dir, struct acme_error *err)
{
    char domain[NAME_MAX + 1], conf[PATH_MAX];
    size_t len = strlen(dir);

    if (len > 4 && strcmp(dir + len - 4, "_ecc") == 0)
        len -= 4;
    (void)snprintf(domain, sizeof(domain), "%.*s", (int)len, dir);
    (void)snprintf(conf, sizeof(conf), "%s/%s.conf", dir, domain);
    return acme_foreign_file_mode(&r->place, conf) != 0
               ? read_lineage(r, dir, domain, conf, err)
               : ACME_OK;
}

static enum acme_rc
read_all(struct reading *r, struct acme_error *err)
{
    struct acme_foreign *foreign = r->foreign;
    struct acme_dir_names dirs = { 0 };
    enum acme_rc rc;
    size_t i;

    if (acme_foreign_file_mode(&r->place, "account.conf") == 0)
        return acme_error_set(err, ACME_NOENT,
            "\"%s\" is no home of acme.sh's: there is no account.conf in it",
            r->place.path);
    rc = acme_foreign_file_list(&r->place, ".", &dirs, err);
    for (i = 0; rc == ACME_OK && i < dirs.count; i++)
        rc = read_entry(r, dirs.name[i], err);
    acme_dir_names_free(&dirs);
    if (rc == ACME_OK &&
        !acme_foreign_note(foreign, &foreign->stops, "acme.sh's cron job", "",
            "%s/acme.sh --uninstall-cronjob", r->place.path))
        rc = acme_error_nomem(err);
    return rc;
}

enum acme_rc
acme_foreign_acme_sh_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err)
{
    struct reading r = { .foreign = foreign, .wanted = wanted };
    enum acme_rc rc = acme_foreign_file_open(path, false, &r.place, err);

    if (rc == ACME_OK)
        rc = read_all(&r, err);
    acme_foreign_file_close(&r.place);
    return rc;
}

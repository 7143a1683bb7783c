/*
 * Certbot's configuration directory: renewal/NAME.conf says what a lineage is
 * meant to be, live/NAME/KIND.pem are links to one version of it, and
 * archive/NAME/KINDn.pem are all of them.  renewal-hooks/ has programs for
 * all.  Read by their texts, the links lead nowhere else than there.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "state/acme_foreign.h"
#include "state/acme_foreign_file.h"
#include "state/acme_ini.h"

#define PARAMS "renewalparams"
#define HOME "/etc/letsencrypt"

/* Each version has one file of each kind. */
static const char *const kinds[] = { "cert", "privkey", "chain", "fullchain" };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct reading {
    struct acme_foreign_place place;
    struct acme_foreign *foreign;
    struct acme_foreign_lineage *lineage; /* this one */
    struct acme_ini ini;                  /* of it */
    const char *home; /* where the directory stood when it was written */
    char archive[PATH_MAX];
    bool nomem;
};

static void
note(struct reading *r, const char *field, const char *value, const char *why)
{
    if (!acme_foreign_note(r->foreign, &r->lineage->notes, field, value, "%s",
            why))
        r->nomem = true;
}

static void
spoil(struct reading *r, const char *why)
{
    acme_foreign_spoil(r->foreign, r->lineage, why);
}

/* ---- settings: values ------------------------------------------------- */

/* Certbot writes Python's None for what has no value. */
static const char *
param(const struct reading *r, const char *name)
{
    const char *text = acme_ini_text(&r->ini, PARAMS, name);

    return text != NULL && text[0] != '\0' && strcmp(text, "None") != 0 ? text
                                                                        : NULL;
}

static bool
flag(struct reading *r, const char *name, bool absent)
{
    const char *text = param(r, name);

    if (text == NULL)
        return absent;
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0)
        return strcasecmp(text, "true") == 0;
    spoil(r, acme_arena_printf(r->foreign->arena,
                 "%s \"%.40s\" is neither True nor False, so that Certbot "
                 "does not renew it either",
                 name, text));
    return absent;
}

/* ---- settings: the CA ------------------------------------------------- */

static void
take_server(struct reading *r, const char *url)
{
    static const char gone[] = "https://acme-v01.api.letsencrypt.org/";

    if (url == NULL || strncmp(url, gone, strlen(gone)) == 0)
        url = acme_issuer_directory("letsencrypt");
    r->lineage->issuer.directory = url;
    r->lineage->issuer.preferred_chain = param(r, "preferred_chain");
    r->lineage->issuer.profile = param(r, "preferred_profile");
    if (param(r, "required_profile") != NULL) {
        r->lineage->issuer.profile = param(r, "required_profile");
        r->lineage->issuer.profile_required = true;
    }
    r->lineage->account = param(r, "account");
}

/* ---- settings: keys --------------------------------------------------- */

/* What is not said is as the key that there is. */
static void
take_key_type(struct reading *r)
{
    static const char *const curves[][2] = { { "secp256r1", "ecdsa:256" },
        { "secp384r1", "ecdsa:384" }, { "secp521r1", "ecdsa:521" } };
    const char *type = param(r, "key_type"), *name = NULL;
    const char *curve = param(r, "elliptic_curve");
    const char *bits = param(r, "rsa_key_size");
    struct acme_error ignored;
    size_t i;

    acme_error_clear(&ignored);
    if (type != NULL && strcasecmp(type, "ecdsa") == 0)
        for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
            if (strcasecmp(curve != NULL ? curve : "secp256r1",
                    curves[i][0]) == 0)
                name = curves[i][1];
    if ((type == NULL && bits != NULL) ||
        (type != NULL && strcasecmp(type, "rsa") == 0))
        name = acme_arena_printf(r->foreign->arena, "rsa:%.8s",
            bits != NULL ? bits : "2048");
    if (name != NULL &&
        acme_key_type_parse(name, &r->lineage->type, &ignored) == ACME_OK)
        return;
    r->lineage->type = ACME_KEY_NONE;
    if (type != NULL || bits != NULL)
        note(r, type != NULL ? "key_type" : "rsa_key_size",
            name != NULL ? name : type,
            "keys of that kind are not made here; new ones are of the type "
            "of the present one");
}

/* ---- settings: proof -------------------------------------------------- */

static void
take_challenges(struct reading *r)
{
    const struct acme_ini_item *item =
        acme_ini_find(&r->ini, PARAMS, "pref_challs");
    struct acme_error err;

    acme_error_clear(&err);
    if (item != NULL && item->nvalues > 0 &&
        acme_proof_set(&r->lineage->proof, ACME_PROOF_CHALLENGE, item->value,
            item->nvalues, NULL, NULL, &err) != ACME_OK)
        note(r, "pref_challs", item->value[0], err.what);
}

/* Its hooks may be for http-01, which servers answer themselves; for the DNS
 * they are the same programs here. */
static void
take_manual(struct reading *r)
{
    const char *const word[] = { "certbot", param(r, "manual_auth_hook"),
        param(r, "manual_cleanup_hook") };
    const struct acme_proof *proof = &r->lineage->proof;
    struct acme_error err;

    acme_error_clear(&err);
    if (word[1] == NULL)
        note(r, "authenticator", "manual",
            "a person cannot be asked at a renewal; a server with the module "
            "answers http-01 itself");
    else if (proof->nchallenges > 0 && !acme_proof_admits(proof, ACME_DNS_01))
        note(r, "manual_auth_hook", word[1],
            "a server with the module answers http-01 itself");
    else if (acme_proof_set(&r->lineage->proof, ACME_PROOF_COMMAND, word,
                 word[2] != NULL ? 3 : 2, NULL, NULL, &err) != ACME_OK)
        note(r, "manual_auth_hook", word[1], err.what);
}

static void
take_authenticator(struct reading *r)
{
    const char *name = param(r, "authenticator");

    take_challenges(r);
    if (name == NULL) {
        note(r, "authenticator", "",
            "Certbot does not renew it, as nothing proves its names");
    } else if (strcmp(name, "manual") == 0) {
        take_manual(r);
    } else if (strcmp(name, "webroot") == 0) {
        note(r, "authenticator", name,
            "a server with the module answers http-01 itself, without a file");
    } else if (strcmp(name, "standalone") == 0) {
        note(r, "authenticator", name,
            "a server with the module answers http-01 itself, at its own port "
            "80; hooks that stopped it are not needed any more");
    } else if (strcmp(name, "nginx") == 0 || strcmp(name, "apache") == 0) {
        note(r, "authenticator", name,
            "a server with the module answers http-01 itself; its "
            "configuration is not edited");
    } else if (strcmp(name, "dns-rfc2136") == 0) {
        note(r, "authenticator", name,
            "say the server and a file with the TSIG key in BIND's form: "
            "--dns-update, acme_dns_update, ACMEDNSUpdate");
    } else {
        note(r, "authenticator", name,
            "a plug-in of Certbot's that is not here; have the DNS changed by "
            "a script of acme.sh's or your own: --challenge-cmd, "
            "acme_challenge_cmd, ACMEChallengeCmd");
    }
}

/* ---- settings: times, hooks, the rest --------------------------------- */

/* "30 days", "5 weeks, 2 days", "45": with hours, days, weeks, months, as
 * seconds; 0: it is something else. */
static long
parse_interval(const char *text)
{
    static const struct {
        const char *word;
        long seconds;
    } units[] = { { "hour", 3600 }, { "day", 86400 }, { "week", 604800 },
        { "month", 2592000 }, { "year", 31536000 } };
    long total = 0, n;
    char *end;
    size_t i, len;

    while (*text != '\0') {
        n = strtol(text, &end, 10);
        if (end == text || n < 0 || n > 10000)
            return 0;
        text = end + strspn(end, " ");
        len = strcspn(text, " ,");
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (len >= strlen(units[i].word) &&
                strncmp(text, units[i].word, strlen(units[i].word)) == 0)
                break;
        if (len > 0 && i == sizeof(units) / sizeof(units[0]))
            return 0;
        total += n * units[len > 0 ? i : 1].seconds;
        text += len + strspn(text + len, " ,");
    }
    return total;
}

static void
take_times(struct reading *r)
{
    static const char *const manual[] = { "manual" };
    const struct acme_ini_item *item =
        acme_ini_find(&r->ini, "", "renew_before_expiry");
    struct acme_error err;
    char text[32];
    const char *const word[] = { text };
    long seconds;

    acme_error_clear(&err);
    if (!flag(r, "autorenew", true))
        (void)acme_timing_set(&r->lineage->timing, ACME_TIMING_MODE, manual, 1,
            &err);
    if (item == NULL || item->nvalues == 0)
        return;
    seconds = parse_interval(item->value[0]);
    (void)snprintf(text, sizeof(text), seconds % 86400 == 0 ? "%ldd" : "%lds",
        seconds % 86400 == 0 ? seconds / 86400 : seconds);
    if (seconds == 0 || item->nvalues > 1 ||
        acme_timing_set(&r->lineage->timing, ACME_TIMING_WINDOW, word, 1,
            &err) != ACME_OK)
        note(r, "renew_before_expiry", item->value[0],
            "it cannot be said here; it is renewed after two thirds of its "
            "life");
}

static void
take_hook(struct reading *r, const char *field, enum acme_hooks_item item)
{
    const char *command = param(r, field);
    struct acme_error err;

    acme_error_clear(&err);
    if (command != NULL &&
        acme_hooks_set(&r->lineage->hooks, item, &command, 1, &err) != ACME_OK)
        note(r, field, command, err.what);
}

static void
take_hooks(struct reading *r)
{
    take_hook(r, "pre_hook", ACME_HOOKS_PRE);
    take_hook(r, "renew_hook", ACME_HOOKS_DEPLOY);
    if (param(r, "renew_hook") == NULL)
        take_hook(r, "deploy_hook", ACME_HOOKS_DEPLOY);
    take_hook(r, "post_hook", ACME_HOOKS_POST);
}

/* Fields by the beginning of their name: what is known of them, and NULL where
 * that is taken over or means nothing.  The first one counts. */
static const struct row {
    const char *name;
    const char *why;
} rows[] = {
    { "account", NULL },
    { "allow_subset_of_names", NULL },
    { "authenticator", NULL },
    { "autorenew", NULL },
    { "config_dir", NULL },
    { "deploy_hook", NULL },
    { "dns_rfc2136_credentials", NULL },
    { "elliptic_curve", NULL },
    { "http01_", "a server with the module listens at ports of its own: "
                 "acme_port_map, ACMEPortMap say which public ones they are" },
    { "installer", "no configuration is edited: a server with the module "
                   "serves a new certificate by itself, others are told by a "
                   "deploy hook" },
    { "key_type", NULL },
    { "logs_dir", NULL },
    { "manual_auth_hook", NULL },
    { "manual_cleanup_hook", NULL },
    { "manual_public_ip_logging_ok", NULL },
    { "must_staple", NULL },
    { "post_hook", NULL },
    { "pre_hook", NULL },
    { "pref_challs", NULL },
    { "preferred_chain", NULL },
    { "preferred_profile", NULL },
    { "required_profile", NULL },
    { "renew_hook", NULL },
    { "reuse_key", NULL },
    { "rsa_key_size", NULL },
    { "server", NULL },
    { "user_agent", "requests to the CA have the user agent of this program" },
    { "webroot_", "no challenge is written to a file" },
    { "work_dir", NULL },
    { "apache_", "no configuration is edited" },
    { "nginx_", "no configuration is edited" },
    { "dns_", "of a plug-in of Certbot's that is not here" },
};

static const struct row *
find_row(const char *name)
{
    size_t i, len;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        len = strlen(rows[i].name);
        if (strncmp(rows[i].name, name, len) == 0 &&
            (name[len] == '\0' || rows[i].name[len - 1] == '_'))
            return &rows[i];
    }
    return NULL;
}

static void
note_others(struct reading *r)
{
    const struct acme_ini_item *item;
    const struct row *row;
    const char *value;
    size_t i;

    for (i = 0; i < r->ini.nitems; i++) {
        item = &r->ini.item[i];
        value = item->nvalues > 0 ? item->value[0] : "";
        if (strncmp(item->section, PARAMS, strlen(PARAMS)) != 0 ||
            value[0] == '\0' || strcmp(value, "None") == 0)
            continue;
        if (strcmp(item->section, PARAMS "/webroot_map") == 0)
            continue; /* told by webroot_path */
        row = find_row(item->name);
        if (row == NULL)
            note(r, item->name, value, "it is not known here");
        else if (row->why != NULL)
            note(r, item->name, value, row->why);
    }
}

static void
take_settings(struct reading *r)
{
    take_server(r, param(r, "server"));
    take_key_type(r);
    r->lineage->reuse_key = flag(r, "reuse_key", false);
    r->lineage->must_staple = flag(r, "must_staple", false);
    r->lineage->allow_subset = flag(r, "allow_subset_of_names", false);
    take_authenticator(r);
    take_times(r);
    take_hooks(r);
    note_others(r);
}

/* ---- versions --------------------------------------------------------- */

/* N of "KINDn.pem"; 0: it is none of that kind. */
static unsigned
number_of(const char *file, const char *kind)
{
    size_t len = strlen(kind), digits;

    if (strncmp(file, kind, len) != 0)
        return 0;
    file += len;
    digits = strspn(file, "0123456789");
    if (digits == 0 || digits > 9 || file[0] == '0' ||
        strcmp(file + digits, ".pem") != 0)
        return 0;
    return (unsigned)strtoul(file, NULL, 10);
}

static void
file_path(char path[PATH_MAX], const struct reading *r, const char *kind,
    unsigned number)
{
    if ((size_t)snprintf(path, PATH_MAX, "%s/%s%u.pem", r->archive, kind,
            number) >= PATH_MAX)
        path[0] = '\0';
}

/* A key that was reused is a link to the file of an earlier one. */
static enum acme_rc
read_key(struct reading *r, unsigned number, struct acme_buf *out,
    struct acme_error *err)
{
    char path[PATH_MAX], target[PATH_MAX];
    enum acme_rc rc;

    file_path(path, r, "privkey", number);
    if (!S_ISLNK(acme_foreign_file_mode(&r->place, path)))
        return acme_foreign_file_read(&r->place, path, out, NULL, err);
    rc = acme_foreign_file_link(&r->place, path, target, sizeof(target), err);
    if (rc != ACME_OK)
        return rc;
    if (strncmp(target, r->archive, strlen(r->archive)) != 0 ||
        target[strlen(r->archive)] != '/' ||
        number_of(target + strlen(r->archive) + 1, "privkey") == 0)
        return acme_error_set(err, ACME_IO,
            "\"%s\" leads to something else than a key beside it", path);
    return acme_foreign_file_read(&r->place, target, out, NULL, err);
}

static enum acme_rc
read_version(struct reading *r, unsigned number, struct acme_error *err)
{
    struct acme_foreign_version *version =
        acme_foreign_add_version(r->lineage);
    char path[PATH_MAX];
    enum acme_rc rc;

    if (version == NULL)
        return acme_error_nomem(err);
    version->number = number;
    file_path(path, r, "fullchain", number);
    rc = acme_foreign_file_read(&r->place, path, &version->pair[0].chain,
        &version->at, err);
    return rc == ACME_OK ? read_key(r, number, &version->pair[0].key, err)
                         : rc;
}

/* Only numbers that all four kinds have are versions. */
static bool
is_complete(const struct reading *r, unsigned number)
{
    char path[PATH_MAX];
    size_t i;

    for (i = 0; i < KINDS; i++) {
        file_path(path, r, kinds[i], number);
        if (acme_foreign_file_mode(&r->place, path) == 0)
            return false;
    }
    return true;
}

static int
ascending(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return x < y ? -1 : x > y;
}

static enum acme_rc
list_numbers(struct reading *r, unsigned **numbers, size_t *n,
    struct acme_error *err)
{
    struct acme_dir_names files;
    enum acme_rc rc =
        acme_foreign_file_list(&r->place, r->archive, &files, err);
    size_t i;

    *n = 0;
    if (rc != ACME_OK)
        return rc;
    *numbers = calloc(files.count + 1, sizeof(**numbers));
    if (*numbers == NULL)
        rc = acme_error_nomem(err);
    for (i = 0; rc == ACME_OK && i < files.count; i++)
        if (number_of(files.name[i], "fullchain") != 0)
            (*numbers)[(*n)++] = number_of(files.name[i], "fullchain");
    if (rc == ACME_OK && *n > 1)
        qsort(*numbers, *n, sizeof(**numbers), ascending);
    acme_dir_names_free(&files);
    return rc;
}

static enum acme_rc
read_versions(struct reading *r, unsigned live, struct acme_error *err)
{
    unsigned *numbers = NULL;
    char text[32];
    enum acme_rc rc;
    size_t i, n;

    rc = list_numbers(r, &numbers, &n, err);
    for (i = 0; rc == ACME_OK && i < n; i++) {
        if (!is_complete(r, numbers[i])) {
            (void)snprintf(text, sizeof(text), "version %u", numbers[i]);
            note(r, "archive", text, "one of its four files is missing");
            continue;
        }
        if (numbers[i] == live)
            r->lineage->live = r->lineage->nversions;
        rc = read_version(r, numbers[i], err);
    }
    free(numbers);
    if (rc == ACME_OK &&
        (r->lineage->nversions == 0 ||
            r->lineage->version[r->lineage->live].number != live))
        rc = acme_error_set(err, ACME_IO,
            "version %u, which is live, is not complete in \"%s\"", live,
            r->archive);
    return rc;
}

/* ---- links ------------------------------------------------------------ */

/* A path of the file, below the directory as it stands now. */
static enum acme_rc
locate(const struct reading *r, const char *field, const char *usual,
    char out[PATH_MAX], struct acme_error *err)
{
    const char *path = acme_ini_text(&r->ini, "", field);

    if (path == NULL && usual != NULL) {
        (void)snprintf(out, PATH_MAX, "%s", usual);
        return ACME_OK;
    }
    if (path == NULL)
        return acme_error_set(err, ACME_IO, "\"%s\" has no \"%s\"",
            r->lineage->from, field);
    if (acme_foreign_file_below(&r->place, r->home, path, out, PATH_MAX))
        return ACME_OK;
    return acme_error_set(err, ACME_IO,
        "its %s \"%.200s\" is not below \"%.200s\"; move it there, and have "
        "\"certbot update_symlinks\" repair the links",
        field, path, r->place.path);
}

/* The version that the four links lead to. */
static enum acme_rc
find_live(struct reading *r, unsigned *live, struct acme_error *err)
{
    char link[PATH_MAX], target[PATH_MAX];
    size_t len = strlen(r->archive), i;
    enum acme_rc rc = ACME_OK;
    unsigned number;

    *live = 0;
    for (i = 0; rc == ACME_OK && i < KINDS; i++) {
        rc = locate(r, kinds[i], NULL, link, err);
        if (rc == ACME_OK)
            rc = acme_foreign_file_link(&r->place, link, target,
                sizeof(target), err);
        if (rc != ACME_OK)
            break;
        number = strncmp(target, r->archive, len) == 0 && target[len] == '/'
                     ? number_of(target + len + 1, kinds[i])
                     : 0;
        if (number == 0)
            rc = acme_error_set(err, ACME_IO,
                "\"%s\" leads to \"%s\", which is no version in \"%s\"", link,
                target, r->archive);
        else if (*live != 0 && *live != number)
            rc = acme_error_set(err, ACME_IO,
                "its links lead to versions %u and %u; run \"certbot "
                "certificates\", which repairs that",
                *live, number);
        *live = number;
    }
    return rc;
}

/* ---- a lineage -------------------------------------------------------- */

static enum acme_rc
read_settings(struct reading *r, struct acme_error *err)
{
    struct acme_buf text;
    enum acme_rc rc;

    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    rc = acme_foreign_file_read(&r->place, r->lineage->from, &text, NULL, err);
    if (rc == ACME_OK)
        rc = acme_ini_parse(r->foreign->arena, acme_buf_str(&text), text.len,
            &r->ini, err);
    acme_buf_clear(&text);
    return rc;
}

static enum acme_rc
read_lineage(struct reading *r, struct acme_error *err)
{
    char usual[PATH_MAX];
    unsigned live = 0;
    enum acme_rc rc = acme_lineage_name_check(r->lineage->name, err);

    if (rc == ACME_OK)
        rc = read_settings(r, err);
    if (rc != ACME_OK)
        return rc;
    r->home = param(r, "config_dir") != NULL ? param(r, "config_dir") : HOME;
    (void)snprintf(usual, sizeof(usual), "archive/%s", r->lineage->name);
    rc = locate(r, "archive_dir", usual, r->archive, err);
    if (rc == ACME_OK)
        rc = find_live(r, &live, err);
    if (rc == ACME_OK)
        rc = read_versions(r, live, err);
    if (rc == ACME_OK)
        take_settings(r);
    return rc == ACME_OK && r->nomem ? acme_error_nomem(err) : rc;
}

static enum acme_rc
read_entry(struct reading *r, const char *entry,
    const struct acme_foreign_wanted *wanted, struct acme_error *err)
{
    size_t len = strlen(entry);
    char name[NAME_MAX + 1], from[NAME_MAX + 16];
    struct acme_error why;

    if (len <= 5 || len > NAME_MAX || strcmp(entry + len - 5, ".conf") != 0)
        return ACME_OK;
    memcpy(name, entry, len - 5);
    name[len - 5] = '\0';
    if (!acme_foreign_is_wanted(wanted, name))
        return ACME_OK;
    (void)snprintf(from, sizeof(from), "renewal/%s", entry);
    memset(&r->ini, 0, sizeof(r->ini));
    r->lineage = acme_foreign_add(r->foreign, name, from);
    if (r->lineage == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    switch (read_lineage(r, &why)) {
    case ACME_OK:
        return ACME_OK;
    case ACME_NOMEM:
        return acme_error_nomem(err);
    default:
        spoil(r, why.what);
        return ACME_OK;
    }
}

/* ---- what is beside them ---------------------------------------------- */

static enum acme_rc
read_hook(struct reading *r, const char *stage, const char *name,
    struct acme_error *err)
{
    struct acme_foreign_notes *notes = &r->foreign->notes;
    struct acme_foreign_hook *hook;
    char path[PATH_MAX];
    struct acme_error why;
    mode_t mode;

    (void)snprintf(path, sizeof(path), "renewal-hooks/%s/%s", stage, name);
    mode = acme_foreign_file_mode(&r->place, path);
    if (name[strlen(name) - 1] == '~' || (S_ISREG(mode) && (mode & 0111) == 0))
        return ACME_OK; /* Certbot does not run it */
    hook = acme_foreign_add_hook(r->foreign);
    if (hook == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    hook->stage = stage;
    hook->name = acme_arena_strdup(r->foreign->arena, name);
    if (hook->name != NULL && acme_foreign_file_read(&r->place, path,
                                  &hook->text, NULL, &why) == ACME_OK)
        return ACME_OK;
    r->foreign->nhooks--;
    acme_buf_clear(&hook->text);
    return acme_foreign_note(r->foreign, notes, path, "",
               "copy it into the state directory's renewal-hooks/%s/: %s",
               stage, why.what)
               ? ACME_OK
               : acme_error_nomem(err);
}

static enum acme_rc
read_hooks(struct reading *r, struct acme_error *err)
{
    static const char *const stages[] = { "pre", "deploy", "post" };
    struct acme_dir_names names;
    char path[64];
    enum acme_rc rc = ACME_OK;
    size_t i, k;

    for (i = 0; rc == ACME_OK && i < 3; i++) {
        (void)snprintf(path, sizeof(path), "renewal-hooks/%s", stages[i]);
        rc = acme_foreign_file_list(&r->place, path, &names, err);
        for (k = 0; rc == ACME_OK && k < names.count; k++)
            rc = read_hook(r, stages[i], names.name[k], err);
        acme_dir_names_free(&names);
    }
    return rc;
}

static bool
note_rest(struct reading *r)
{
    struct acme_foreign *foreign = r->foreign;
    bool ok = true;

    if (acme_foreign_file_mode(&r->place, "cli.ini") != 0)
        ok = acme_foreign_note(foreign, &foreign->notes, "cli.ini", "",
            "what it says for all commands of Certbot's is not taken over; "
            "acmectl.ini is such a file");
    return ok && acme_foreign_note(foreign, &foreign->notes, r->place.path, "",
                     "keep it while a configuration names files in it, such "
                     "as live/, options-ssl-*.conf or ssl-dhparams.pem");
}

/* What of this is on this machine; all, if nothing is. */
static bool
note_stops(struct acme_foreign *foreign)
{
    static const struct {
        const char *path, *what, *command;
    } stops[] = {
        { "/lib/systemd/system/certbot.timer", "certbot.timer",
            "systemctl disable --now certbot.timer" },
        { "/etc/cron.d/certbot", "/etc/cron.d/certbot",
            "mv /etc/cron.d/certbot /etc/cron.d/certbot.disabled" },
        { "/snap/bin/certbot", "snap.certbot.renew.timer",
            "systemctl disable --now snap.certbot.renew.timer" },
    };
    const size_t n = sizeof(stops) / sizeof(stops[0]);
    bool all = true, ok = true;
    size_t i;

    for (i = 0; i < n; i++)
        all = all && access(stops[i].path, F_OK) != 0;
    for (i = 0; ok && i < n; i++)
        if (all || access(stops[i].path, F_OK) == 0)
            ok = acme_foreign_note(foreign, &foreign->stops, stops[i].what, "",
                "%s", stops[i].command);
    return ok;
}

static enum acme_rc
read_all(struct reading *r, const struct acme_foreign_wanted *wanted,
    struct acme_error *err)
{
    struct acme_dir_names names;
    enum acme_rc rc;
    size_t i;

    if (!S_ISDIR(acme_foreign_file_mode(&r->place, "renewal")))
        return acme_error_set(err, ACME_NOENT,
            "\"%s\" is no configuration directory of Certbot's: there is no "
            "renewal/ in it",
            r->place.path);
    rc = acme_foreign_file_list(&r->place, "renewal", &names, err);
    for (i = 0; rc == ACME_OK && i < names.count; i++)
        rc = read_entry(r, names.name[i], wanted, err);
    acme_dir_names_free(&names);
    if (rc == ACME_OK)
        rc = read_hooks(r, err);
    if (rc == ACME_OK && (!note_rest(r) || !note_stops(r->foreign)))
        rc = acme_error_nomem(err);
    return rc;
}

enum acme_rc
acme_foreign_certbot_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err)
{
    struct reading *r = calloc(1, sizeof(*r));
    enum acme_rc rc;

    if (r == NULL)
        return acme_error_nomem(err);
    r->foreign = foreign;
    rc = acme_foreign_file_open(path, false, &r->place, err);
    if (rc == ACME_OK) {
        rc = read_all(r, wanted, err);
        acme_foreign_file_close(&r->place);
    }
    free(r);
    return rc;
}

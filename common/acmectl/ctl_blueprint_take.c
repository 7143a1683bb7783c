/*
 * What one of AutoSSL's blueprints says, as a lineage: its certificate, its
 * settings, and what of them has no counterpart.
 */
#include "acmectl/ctl_blueprint_private.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/acme_name.h"

static bool
is_on(const struct acme_json *object, const char *name)
{
    const char *text = ctl_blueprint_text(object, name);

    return text != NULL &&
           (strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 ||
               strcasecmp(text, "on") == 0);
}

static void
note(struct ctl_blueprint *r, const char *field, const char *value,
    const char *why)
{
    if (!acme_foreign_note(r->foreign, &r->lineage->notes, field, value, "%s",
            why))
        r->nomem = true;
}

static void
spoil(struct ctl_blueprint *r, const char *why)
{
    acme_foreign_spoil(r->foreign, r->lineage, why);
}

/* ---- its certificate -------------------------------------------------- */

/* NAME.crt with NAME.key. */
static enum acme_rc
read_pair(struct ctl_blueprint *r, const struct acme_json *where,
    const char *name, struct acme_error *err)
{
    struct acme_foreign_lineage *lineage = r->lineage;
    struct acme_foreign_version *version;
    struct acme_foreign_place place;
    char path[PATH_MAX], file[NAME_MAX + 1];
    enum acme_rc rc = acme_lineage_name_check(name, err);

    if (rc == ACME_OK)
        rc = ctl_blueprint_open(where, path, &place, err);
    if (rc != ACME_OK)
        return rc;
    version = lineage->nversions > 0 ? &lineage->version[0]
                                     : acme_foreign_add_version(lineage);
    if (version == NULL)
        rc = acme_error_nomem(err);
    (void)snprintf(file, sizeof(file), "%s.crt", name);
    if (rc == ACME_OK)
        rc = acme_foreign_file_read(&place, file, &version->pair[0].chain,
            &version->at, err);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    if (rc == ACME_OK)
        rc = acme_foreign_file_read(&place, file, &version->pair[0].key, NULL,
            err);
    acme_foreign_file_close(&place);
    if (rc != ACME_OK && version != NULL) {
        acme_buf_clear(&version->pair[0].chain);
        acme_buf_clear(&version->pair[0].key);
    }
    return rc == ACME_OK ? rc : acme_error_wrap(err, "in \"%s\"", path);
}

/* What is behind a certificate that stands alone. */
static void
add_chain(struct ctl_blueprint *r)
{
    struct acme_buf *chain = &r->lineage->version[0].pair[0].chain;
    const struct acme_json *list =
        acme_json_get(r->certificate, "chain_of_trust");
    const char *text;
    size_t i;

    if (!acme_foreign_is_alone(chain))
        return;
    if (acme_json_count(list) == 0)
        list = acme_json_get(r->ca, "chain_of_trust");
    for (i = 0; i < acme_json_count(list); i++) {
        text = acme_json_text(acme_json_at(list, i));
        if (text == NULL)
            continue;
        acme_buf_add_str(chain, "\n");
        acme_buf_add_str(chain, text);
    }
    if (!acme_buf_ok(chain))
        r->nomem = true;
}

/* ACME_NOENT: it is on another machine.  What was wrong first is kept. */
static enum acme_rc
try_place(struct ctl_blueprint *r, const struct acme_json *where,
    const char *name, struct acme_error *first)
{
    struct acme_error why;
    enum acme_rc rc;

    if (!ctl_blueprint_is_local(where))
        return ACME_NOENT;
    acme_error_clear(&why);
    rc = read_pair(r, where, name, &why);
    r->nomem = r->nomem || rc == ACME_NOMEM;
    if (rc != ACME_OK && first->rc == ACME_OK)
        *first = why;
    return rc;
}

/* The first place on this machine that has it. */
static void
read_certificate(struct ctl_blueprint *r)
{
    const struct acme_json *servers = ctl_blueprint_section(r, "servers"),
                           *server;
    const char *name;
    struct acme_error first;
    enum acme_rc rc = ACME_NOENT;
    size_t i;

    acme_error_clear(&first);
    for (i = 0; i < acme_json_count(servers) && rc != ACME_OK; i++) {
        server = acme_json_at(servers, i);
        name = ctl_blueprint_text(acme_json_get(server, "parameters"),
            "crt_name");
        rc = try_place(r, server, name != NULL ? name : r->lineage->name,
            &first);
    }
    if (rc != ACME_OK)
        rc = try_place(r, ctl_blueprint_section(r, "storage"),
            r->lineage->name, &first);
    if (rc == ACME_OK)
        add_chain(r);
    else if (first.rc != ACME_OK && first.rc != ACME_NOENT)
        spoil(r, first.what);
    if (rc == ACME_OK || r->lineage->trouble != NULL)
        return;
    r->lineage->nversions = 0;
    note(r, "certificate", "",
        first.rc != ACME_OK
            ? first.what
            : "neither a server nor the storage is on this machine; another "
              "one is asked for at the next renewal, or copy NAME.crt and "
              "NAME.key here and name their directory as a LocalServer's");
}

/* ---- settings --------------------------------------------------------- */

static void
take_names(struct ctl_blueprint *r)
{
    struct acme_foreign_lineage *lineage = r->lineage;
    const struct acme_json *san = acme_json_get(r->certificate, "san");
    const size_t most = acme_json_count(san) + 1;
    const char **names =
        acme_arena_alloc(r->foreign->arena, most * sizeof(*names));
    const char *name;
    size_t i, k;

    if (names == NULL) {
        r->nomem = true;
        return;
    }
    for (i = 0; i < most; i++) {
        name = i == 0 ? ctl_blueprint_text(r->certificate, "common_name")
                      : acme_json_text(acme_json_at(san, i - 1));
        for (k = 0; name != NULL && k < lineage->nnames; k++)
            if (strcasecmp(names[k], name) == 0)
                name = NULL;
        if (name == NULL || name[0] == '\0')
            continue;
        names[lineage->nnames] = acme_arena_strdup(r->foreign->arena, name);
        r->nomem = r->nomem || names[lineage->nnames] == NULL;
        lineage->nnames++;
    }
    lineage->names = names;
    if (lineage->nnames == 0)
        spoil(r, "it has neither a common_name nor a san");
}

static void
take_key(struct ctl_blueprint *r)
{
    const char *size = ctl_blueprint_text(r->certificate, "private_key_size");
    struct acme_error ignored;
    char spec[32];

    r->lineage->reuse_key = is_on(r->certificate, "private_key_reuse");
    if (size == NULL)
        return;
    (void)snprintf(spec, sizeof(spec), "rsa:%.20s", size);
    acme_error_clear(&ignored);
    if (acme_key_type_parse(spec, &r->lineage->type, &ignored) != ACME_OK)
        note(r, "private_key_size", size,
            "keys of that size are not made here; new ones are of the type of "
            "the present one");
}

static void
take_time(struct ctl_blueprint *r)
{
    const char *days = ctl_blueprint_text(r->certificate, "renewal_delay");
    const char *word[1];
    struct acme_error why;
    char text[32];

    if (days == NULL)
        return;
    (void)snprintf(text, sizeof(text), "%.20sd", days);
    word[0] = text;
    acme_error_clear(&why);
    if (days[strspn(days, "0123456789")] != '\0')
        note(r, "renewal_delay", days, "it must be a number of days");
    else if (acme_timing_set(&r->lineage->timing, ACME_TIMING_WINDOW, word, 1,
                 &why) != ACME_OK)
        note(r, "renewal_delay", days, why.what);
}

static const struct acme_json *
find_ca(const struct ctl_blueprint *r, const char *key)
{
    const struct acme_json *list = ctl_blueprint_section(r,
                               "certificate_authorities"),
                           *ca;
    const char *name;
    size_t i;

    for (i = 0; key != NULL && i < acme_json_count(list); i++) {
        ca = acme_json_at(list, i);
        name = ctl_blueprint_text(ca, "key") != NULL
                   ? ctl_blueprint_text(ca, "key")
                   : ctl_blueprint_text(ca, "name");
        if (name != NULL && strcmp(name, key) == 0)
            return ca;
    }
    return NULL;
}

static void
take_ca(struct ctl_blueprint *r)
{
    const char *key =
        ctl_blueprint_text(r->certificate, "certificate_authority");
    const char *contact = ctl_blueprint_text(r->ca, "contact_email");
    struct acme_issuer *issuer = &r->lineage->issuer;
    char directory[ACME_URL_MAX];

    ctl_blueprint_directory(r->ca, directory);
    if (r->ca == NULL)
        note(r, "certificate_authority", key,
            "there is no such entry in certificate_authorities; put the "
            "global configuration beside the blueprint, or name the CA with "
            "--server");
    else if (directory[0] == '\0')
        note(r, "certificate_authority", key,
            "it has no acme_api.production, and none is asked but by ACME; "
            "name another one with --server");
    else if ((issuer->directory =
                     acme_arena_strdup(r->foreign->arena, directory)) == NULL)
        r->nomem = true;
    if (contact == NULL)
        return;
    issuer->contact[0] =
        acme_arena_printf(r->foreign->arena, "mailto:%s", contact);
    r->nomem = r->nomem || issuer->contact[0] == NULL;
    issuer->ncontacts = 1;
}

/* ---- what has no counterpart ------------------------------------------ */

static void
note_servers(struct ctl_blueprint *r)
{
    const struct acme_json *servers = ctl_blueprint_section(r, "servers"),
                           *server, *of;
    size_t i;

    for (i = 0; i < acme_json_count(servers); i++) {
        server = acme_json_at(servers, i);
        of = acme_json_get(server, "parameters");
        if (ctl_blueprint_is_local(server))
            note(r, "servers.path", ctl_blueprint_text(of, "path"),
                "nothing is copied there any more; servers with the module "
                "need no files, others read live/NAME/*.pem of the state "
                "directory, or have them copied by a --deploy-hook");
        else
            note(r, "servers.type", ctl_blueprint_text(server, "type"),
                "nothing is copied to other machines; a program that does it "
                "is a --deploy-hook");
        if (ctl_blueprint_text(of, "acme_dir") != NULL)
            note(r, "servers.acme_dir", ctl_blueprint_text(of, "acme_dir"),
                "a server with the module answers the CA by itself; for "
                "others there is acmectl issue --webroot");
        if (ctl_blueprint_text(of, "staging") != NULL)
            note(r, "servers.staging", ctl_blueprint_text(of, "staging"),
                "what is tried at a staging CA is acmectl renew --dry-run");
        if (ctl_blueprint_text(server, "credentials") != NULL)
            note(r, "servers.credentials", "",
                "no other machine is logged in to, and no secret taken over");
    }
}

static void
note_places(struct ctl_blueprint *r)
{
    const struct acme_json *storage = ctl_blueprint_section(r, "storage");
    const struct acme_json *tracking = ctl_blueprint_section(r, "tracking");

    if (acme_json_is_object(storage) && !ctl_blueprint_is_local(storage))
        note(r, "storage", ctl_blueprint_text(storage, "type"),
            "certificates are kept in the state directory; what puts them "
            "elsewhere is a --deploy-hook");
    if (acme_json_is_object(tracking))
        note(r, "tracking", ctl_blueprint_text(tracking, "type"),
            "it is said for all certificates of a server: acme_tracking or "
            "ACMETracking, with file:DIRECTORY as LocalFileTracking has it");
}

static void
note_rest(struct ctl_blueprint *r)
{
    const char *type = ctl_blueprint_text(r->certificate, "type");

    if (type != NULL && strcasecmp(type, "DV") != 0)
        note(r, "certificate.type", type,
            "a CA decides that by the account; one that is bound to a "
            "contract is made with acmectl account create --eab-kid");
    if (is_on(r->certificate, "exact_match"))
        note(r, "exact_match", "true",
            "a certificate is always asked for with the names of its lineage");
    if (acme_json_is_object(ctl_blueprint_section(r, "organization")) ||
        acme_json_is_object(acme_json_get(r->certificate, "organization")))
        note(r, "organization", "",
            "a CA takes a subject from what it knows of the account, not "
            "from requests");
    if (is_on(r->certificate, "is_ca"))
        spoil(r, "is_ca: there is no certificate of a CA to be had by ACME; "
                 "leave that one to AutoSSL");
}

void
ctl_blueprint_take(struct ctl_blueprint *r)
{
    struct acme_error why;

    acme_error_clear(&why);
    r->certificate = acme_json_get(r->root, "certificate");
    r->ca = find_ca(r,
        ctl_blueprint_text(r->certificate, "certificate_authority"));
    if (ctl_blueprint_text(r->root, "name") == NULL)
        spoil(r, "it has no name");
    if (acme_lineage_name_check(r->lineage->name, &why) != ACME_OK)
        spoil(r, why.what);
    note_rest(r);
    take_names(r);
    if (r->lineage->trouble != NULL)
        return;
    take_key(r);
    take_time(r);
    take_ca(r);
    note_servers(r);
    note_places(r);
    read_certificate(r);
}

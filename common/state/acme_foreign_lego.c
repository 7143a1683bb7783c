/*
 * lego's directory: certificates/NAME.{crt,key,json}, where NAME has "_" for
 * "*" and NAME.issuer.crt has what is behind a certificate that was asked for
 * alone.  There is one version of each; how it is proved, and when it is
 * renewed, its command line says.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/acme_foreign.h"
#include "state/acme_foreign_file.h"
#include "wrap/acme_json.h"

struct reading {
    struct acme_foreign_place place;
    struct acme_foreign *foreign;
    const struct acme_foreign_wanted *wanted;
};

static enum acme_rc
read_part(struct reading *r, const char *stem, const char *suffix,
    struct acme_buf *out, time_t *at, struct acme_error *err)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "certificates/%s%s", stem, suffix);
    return acme_foreign_file_read(&r->place, path, out, at, err);
}

static enum acme_rc
read_version(struct reading *r, struct acme_foreign_lineage *lineage,
    const char *stem, struct acme_error *err)
{
    struct acme_foreign_version *version = acme_foreign_add_version(lineage);
    struct acme_foreign_pair *pair;
    struct acme_error ignored;
    enum acme_rc rc;

    if (version == NULL)
        return acme_error_nomem(err);
    pair = &version->pair[0];
    rc = read_part(r, stem, ".key", &pair->key, NULL, err);
    if (rc == ACME_OK)
        rc = read_part(r, stem, ".crt", &pair->chain, &version->at, err);
    acme_error_clear(&ignored);
    if (rc == ACME_OK && acme_foreign_is_alone(&pair->chain))
        (void)read_part(r, stem, ".issuer.crt", &pair->chain, NULL, &ignored);
    return rc;
}

/* The name that it is for, and where it came from. */
static enum acme_rc
read_json(struct reading *r, const char *stem, const char **domain,
    const char **url, struct acme_error *err)
{
    struct acme_json *root = NULL;
    struct acme_buf text;
    const char *value;
    enum acme_rc rc;

    acme_buf_init(&text, ACME_STATE_JSON_MAX);
    rc = read_part(r, stem, ".json", &text, NULL, err);
    if (rc == ACME_OK)
        rc = acme_json_parse(acme_buf_str(&text), text.len, "its .json", &root,
            err);
    if (rc == ACME_OK)
        rc = acme_json_need_str(root, "domain", ACME_NAME_MAX, &value, err);
    if (rc == ACME_OK)
        *domain = acme_arena_strdup(r->foreign->arena, value);
    value = acme_json_str(root, "certUrl");
    if (rc == ACME_OK && value != NULL)
        *url = acme_arena_strdup(r->foreign->arena, value);
    acme_json_free(root);
    acme_buf_clear(&text);
    return rc == ACME_OK && *domain == NULL ? acme_error_nomem(err) : rc;
}

static enum acme_rc
read_lineage(struct reading *r, const char *stem, struct acme_error *err)
{
    const char *domain = stem, *url = NULL, *name;
    struct acme_foreign_lineage *lineage;
    struct acme_error why;
    char from[PATH_MAX];
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = read_json(r, stem, &domain, &url, &why);
    name = acme_foreign_name(r->foreign, domain);
    if (name == NULL)
        return acme_error_nomem(err);
    if (!acme_foreign_is_wanted(r->wanted, name))
        return ACME_OK;
    (void)snprintf(from, sizeof(from), "certificates/%s.json", stem);
    lineage = acme_foreign_add(r->foreign, name, from);
    if (lineage == NULL)
        return acme_error_nomem(err);
    lineage->url = url;
    if (url != NULL)
        lineage->issuer.directory = acme_issuer_directory_of(url);
    if (rc == ACME_OK)
        rc = read_version(r, lineage, stem, &why);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    if (rc != ACME_OK)
        acme_foreign_spoil(r->foreign, lineage, why.what);
    return ACME_OK;
}

static enum acme_rc
read_all(struct reading *r, struct acme_error *err)
{
    struct acme_foreign *foreign = r->foreign;
    struct acme_dir_names files = { 0 };
    char stem[NAME_MAX + 1];
    enum acme_rc rc;
    size_t i, len;

    if (acme_foreign_file_mode(&r->place, "certificates") == 0)
        return acme_error_set(err, ACME_NOENT,
            "\"%s\" is no directory of lego's: there is no certificates/ in "
            "it",
            r->place.path);
    rc = acme_foreign_file_list(&r->place, "certificates", &files, err);
    for (i = 0; rc == ACME_OK && i < files.count; i++) {
        len = strlen(files.name[i]);
        if (len <= 5 || strcmp(files.name[i] + len - 5, ".json") != 0)
            continue;
        memcpy(stem, files.name[i], len - 5);
        stem[len - 5] = '\0';
        rc = read_lineage(r, stem, err);
    }
    acme_dir_names_free(&files);
    if (rc == ACME_OK &&
        !acme_foreign_note(foreign, &foreign->notes, "lego's command line", "",
            "how names are proved, hooks and times are said there alone; a "
            "server with the module proves names by itself, for the rest say "
            "it once more: acmectl issue --cert-name NAME"))
        rc = acme_error_nomem(err);
    if (rc == ACME_OK && !acme_foreign_stop(foreign, "lego"))
        rc = acme_error_nomem(err);
    return rc;
}

enum acme_rc
acme_foreign_lego_read(const char *path,
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

/*
 * What nginx's own ACME module keeps for an issuer: account.key, and
 * NAME-HASH.crt with NAME-HASH.key for each certificate.  What it is renewed
 * with, the configuration says.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state/acme_foreign.h"
#include "state/acme_foreign_file.h"

struct reading {
    struct acme_foreign_place place;
    struct acme_foreign *foreign;
    const struct acme_foreign_wanted *wanted;
};

/* How long NAME of "NAME-HASH.crt" is; 0: it is something else. */
static size_t
name_length(const char *file)
{
    const char *dot = strrchr(file, '.'), *dash = strrchr(file, '-');
    size_t len;

    if (dot == NULL || strcmp(dot, ".crt") != 0 || dash == NULL || dash > dot)
        return 0;
    len = (size_t)(dot - dash) - 1;
    return len > 0 && len <= 16 && strspn(dash + 1, "0123456789abcdef") >= len
               ? (size_t)(dash - file)
               : 0;
}

static enum acme_rc
read_version(struct reading *r, struct acme_foreign_lineage *lineage,
    const char *file, struct acme_error *err)
{
    struct acme_foreign_version *version = acme_foreign_add_version(lineage);
    char key[NAME_MAX + 1];
    enum acme_rc rc;

    if (version == NULL)
        return acme_error_nomem(err);
    (void)snprintf(key, sizeof(key), "%.*s.key",
        (int)(strlen(file) - strlen(".crt")), file);
    rc = acme_foreign_file_read(&r->place, file, &version->pair[0].chain,
        &version->at, err);
    return rc == ACME_OK ? acme_foreign_file_read(&r->place, key,
                               &version->pair[0].key, NULL, err)
                         : rc;
}

static enum acme_rc
read_file(struct reading *r, const char *file, size_t len,
    struct acme_error *err)
{
    struct acme_foreign_lineage *lineage;
    char domain[NAME_MAX + 1];
    struct acme_error why;
    const char *name;
    enum acme_rc rc;

    memcpy(domain, file, len);
    domain[len] = '\0';
    name = acme_foreign_name(r->foreign, domain);
    if (name == NULL)
        return acme_error_nomem(err);
    if (!acme_foreign_is_wanted(r->wanted, name))
        return ACME_OK;
    lineage = acme_foreign_add(r->foreign, name, file);
    if (lineage == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&why);
    rc = read_version(r, lineage, file, &why);
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
    enum acme_rc rc = acme_foreign_file_list(&r->place, ".", &files, err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < files.count; i++)
        if (name_length(files.name[i]) > 0)
            rc = read_file(r, files.name[i], name_length(files.name[i]), err);
    acme_dir_names_free(&files);
    if (rc == ACME_OK && foreign->n == 0 && r->wanted->n == 0)
        rc = acme_error_set(err, ACME_NOENT,
            "\"%s\" is no state_path of nginx's ACME module: there is no "
            "NAME-HASH.crt in it",
            r->place.path);
    if (rc == ACME_OK &&
        (!acme_foreign_note(foreign, &foreign->notes, "nginx's configuration",
             "",
             "it runs unchanged with this module, which takes the same over "
             "from state_path at its start; see ngx_acme_module's README") ||
            !acme_foreign_note(foreign, &foreign->stops, "nginx's own module",
                "",
                "load ngx_acme_module.so in its place, and restart nginx")))
        rc = acme_error_nomem(err);
    return rc;
}

enum acme_rc
acme_foreign_nginx_read(const char *path,
    const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
    struct acme_error *err)
{
    struct reading r = { .foreign = foreign, .wanted = wanted };
    enum acme_rc rc = acme_foreign_file_open(path, true, &r.place, err);

    if (rc == ACME_OK)
        rc = read_all(&r, err);
    acme_foreign_file_close(&r.place);
    return rc;
}

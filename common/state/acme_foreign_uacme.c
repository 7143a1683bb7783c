/*
 * uacme's directory: NAME/cert.pem with the key private/NAME/key.pem, and the
 * certificates before it as NAME/cert-SECONDS.pem, of the time when they were
 * replaced.  It keeps a key for as long as the file is there; all else its
 * command line says.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "state/acme_foreign.h"
#include "state/acme_foreign_file.h"

struct reading {
    struct acme_foreign_place place;
    struct acme_foreign *foreign;
    const struct acme_foreign_wanted *wanted;
};

static enum acme_rc
read_version(struct reading *r, struct acme_foreign_lineage *lineage,
    const char *dir, const char *file, struct acme_error *err)
{
    struct acme_foreign_version *version = acme_foreign_add_version(lineage);
    char path[PATH_MAX];
    enum acme_rc rc;

    if (version == NULL)
        return acme_error_nomem(err);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, file);
    rc = acme_foreign_file_read(&r->place, path, &version->pair[0].chain,
        &version->at, err);
    (void)snprintf(path, sizeof(path), "private/%s/key.pem", dir);
    if (rc == ACME_OK)
        rc = acme_foreign_file_read(&r->place, path, &version->pair[0].key,
            NULL, err);
    return rc;
}

/* "cert-1700000000.pem": names of one length, so that they are in order. */
static bool
is_former(const char *file)
{
    size_t digits = strlen("cert-");

    if (strncmp(file, "cert-", digits) != 0)
        return false;
    file += digits;
    digits = strspn(file, "0123456789");
    return digits > 0 && strcmp(file + digits, ".pem") == 0;
}

static enum acme_rc
read_versions(struct reading *r, struct acme_foreign_lineage *lineage,
    const char *dir, struct acme_error *err)
{
    struct acme_dir_names files = { 0 };
    enum acme_rc rc = acme_foreign_file_list(&r->place, dir, &files, err);
    size_t i;

    for (i = 0; rc == ACME_OK && i < files.count; i++)
        if (is_former(files.name[i]))
            rc = read_version(r, lineage, dir, files.name[i], err);
    acme_dir_names_free(&files);
    if (rc == ACME_OK)
        rc = read_version(r, lineage, dir, "cert.pem", err);
    if (rc == ACME_OK)
        lineage->live = lineage->nversions - 1;
    return rc;
}

static enum acme_rc
read_lineage(struct reading *r, const char *dir, struct acme_error *err)
{
    struct acme_foreign_lineage *lineage;
    const char *name = acme_foreign_name(r->foreign, dir);
    struct acme_error why;
    enum acme_rc rc;

    if (name == NULL)
        return acme_error_nomem(err);
    if (!acme_foreign_is_wanted(r->wanted, name))
        return ACME_OK;
    lineage = acme_foreign_add(r->foreign, name, dir);
    if (lineage == NULL)
        return acme_error_nomem(err);
    lineage->reuse_key = true;
    acme_error_clear(&why);
    rc = read_versions(r, lineage, dir, &why);
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
    struct acme_dir_names dirs = { 0 };
    char path[PATH_MAX];
    enum acme_rc rc;
    size_t i;

    if (acme_foreign_file_mode(&r->place, "private/key.pem") == 0)
        return acme_error_set(err, ACME_NOENT,
            "\"%s\" is no directory of uacme's: there is no private/key.pem "
            "in it",
            r->place.path);
    rc = acme_foreign_file_list(&r->place, ".", &dirs, err);
    for (i = 0; rc == ACME_OK && i < dirs.count; i++) {
        (void)snprintf(path, sizeof(path), "%s/cert.pem", dirs.name[i]);
        if (strcmp(dirs.name[i], "private") != 0 &&
            acme_foreign_file_mode(&r->place, path) != 0)
            rc = read_lineage(r, dirs.name[i], err);
    }
    acme_dir_names_free(&dirs);
    if (rc == ACME_OK &&
        !acme_foreign_note(foreign, &foreign->notes, "uacme's command line",
            "",
            "how names are proved is said there alone; a server with the "
            "module proves names by itself, and a program as for -h is "
            "--challenge-cmd \"uacme PROGRAM\""))
        rc = acme_error_nomem(err);
    if (rc == ACME_OK && !acme_foreign_stop(foreign, "uacme"))
        rc = acme_error_nomem(err);
    return rc;
}

enum acme_rc
acme_foreign_uacme_read(const char *path,
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

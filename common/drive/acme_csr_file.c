#include "drive/acme_csr_file.h"

#include <string.h>

#include "base/acme_limits.h"
#include "state/acme_dir.h"

static enum acme_rc
fail(struct acme_error *err, const char *path, const struct acme_error *why)
{
    if (why->rc == ACME_NOMEM)
        return acme_error_nomem(err);
    return acme_error_set(err, ACME_CONFIG, "signing request \"%s\": %s", path,
        why->what);
}

enum acme_rc
acme_csr_file_open(const char *path, int *fd, struct acme_error *err)
{
    struct acme_error why;
    const char *name;

    acme_error_clear(&why);
    if (acme_dir_open_trusted(path, fd, &name, &why) == ACME_OK)
        return ACME_OK;
    return fail(err, path, &why);
}

static enum acme_rc
check(const struct acme_csr *csr, const struct acme_lineage *wanted,
    struct acme_error *err)
{
    enum acme_rc rc =
        acme_csr_check_names(csr, wanted->names, wanted->nnames, err);

    if (rc == ACME_OK && acme_csr_must_staple(csr) != wanted->must_staple)
        rc = acme_error_set(err, ACME_CONFIG,
            "it asks for %s; turn acme_must_staple or ACMEMustStaple %s, or "
            "make it anew",
            wanted->must_staple ? "no must-staple, which is configured"
                                : "must-staple, which is not configured",
            wanted->must_staple ? "off" : "on");
    return rc;
}

enum acme_rc
acme_csr_file_take(const char *text, size_t len, const char *path,
    const struct acme_lineage *wanted, struct acme_csr **out,
    struct acme_error *err)
{
    struct acme_csr *csr = NULL;
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = acme_csr_parse(text, len, &csr, &why);
    if (rc == ACME_OK)
        rc = check(csr, wanted, &why);
    if (rc == ACME_OK) {
        *out = csr;
        return ACME_OK;
    }
    acme_csr_free(csr);
    return fail(err, path, &why);
}

enum acme_rc
acme_csr_file_read(int fd, const char *path, const struct acme_lineage *wanted,
    struct acme_csr **out, struct acme_error *err)
{
    struct acme_error why;
    struct acme_buf text;
    enum acme_rc rc;

    acme_error_clear(&why);
    acme_buf_init(&text, ACME_STATE_PEM_MAX);
    rc = acme_dir_read_trusted(fd, strrchr(path, '/') + 1, ACME_STATE_PEM_MAX,
        &text, &why);
    if (rc == ACME_OK)
        rc = acme_csr_file_take(acme_buf_str(&text), text.len, path, wanted,
            out, err);
    else
        rc = fail(err, path, &why);
    acme_buf_clear(&text);
    return rc;
}

/*
 * The operator's signing request in its file, which is read anew for each
 * order: whoever may write it must not get a certificate for a name that the
 * configuration does not give him.
 */
#ifndef ACME_CSR_FILE_H
#define ACME_CSR_FILE_H

#include "base/acme_error.h"
#include "state/acme_config.h"
#include "wrap/acme_csr.h"

/*
 * Opens the directory of the file (an absolute path): it and those above it
 * belong to root or to us, and nobody else may write them.  *fd is CLOEXEC.
 * ACME_CONFIG by name.
 */
enum acme_rc acme_csr_file_open(const char *path, int *fd,
    struct acme_error *err);

/*
 * Reads the file in its open directory (no link, of root or of us), and checks
 * that it has exactly these names and must-staple as they are configured.
 * ACME_CONFIG by name.
 */
enum acme_rc acme_csr_file_read(int fd, const char *path,
    const struct acme_lineage *wanted, struct acme_csr **csr,
    struct acme_error *err);

/* The same of what was read before. */
enum acme_rc acme_csr_file_take(const char *text, size_t len, const char *path,
    const struct acme_lineage *wanted, struct acme_csr **csr,
    struct acme_error *err);

#endif

/*
 * The thumbprint of an account key that another host has (RFC 7638): a node
 * that knows it answers http-01 for that account with no key of its own.  It
 * is no secret, but who can exchange it gets names that are not his: a file
 * with one is read like something that root acts on.
 */
#ifndef ACME_THUMBPRINT_H
#define ACME_THUMBPRINT_H

#include "base/acme_error.h"

/* As an operator gives it: one of the two, the other NULL. */
struct acme_thumbprint {
    const char *value;
    const char *file; /* absolute; it may be replaced at any time */
};

/* In front of a file's name where a value could stand. */
#define ACME_THUMBPRINT_FILE "file:"

/* ACME_CONFIG: not ACME_THUMBPRINT_LEN characters of base64url. */
enum acme_rc acme_thumbprint_check(const char *value, struct acme_error *err);

/*
 * Reads one out of a file, the only thing in it but white space around.  File
 * and directory belong to root or to us, nobody else may write them or what is
 * above, and the file itself is no symbolic link.  ACME_CONFIG by name;
 * ACME_NOMEM.
 */
enum acme_rc acme_thumbprint_read(const char *path,
    char out[ACME_THUMBPRINT_LEN + 1], struct acme_error *err);

#endif

/*
 * Files that a command line names, which are no part of the state directory.
 */
#ifndef ACME_CTL_FILE_H
#define ACME_CTL_FILE_H

#include "acmectl/ctl.h"
#include "wrap/acme_x509.h"

/* Reads one: a secret must be readable by nobody else.  A message otherwise.
 * Before we become the state directory's owner. */
int ctl_file_read(const char *path, bool secret, size_t max,
    struct acme_buf *out);

/*
 * Looks into what a file or directory of somebody else's had in it, in a
 * process of its own: not dumpable, it gives up (acme_sandbox.h) what it does
 * not need.  What `work` returns; `what` names it in a message if it dies.
 */
int ctl_work_apart(int (*work)(void *ctx), void *ctx, const char *what);

/* A certificate with what is behind it, PEM or DER; an unencrypted private
 * key, PEM. */
int ctl_file_chain(const char *path, struct acme_chain **chain);
int ctl_file_key(const char *path, struct acme_key **key);

/* A key that is to be shown or converted, PEM or JWK; encrypted PEM with
 * --password-file. */
int ctl_key_read(const struct ctl *ctl, const char *path,
    struct acme_key **key);

/* Makes a new one that nobody else can read; one that exists, be it a link, is
 * left alone. */
int ctl_file_create(const char *path, int *fd);

/* Fills it, on the disk, and closes it. */
int ctl_file_finish(const char *path, int fd, const struct acme_buf *data);

/* Takes it away again. */
void ctl_file_give_up(const char *path, int fd);

/* A password: the first line of a file, or what a person types twice. */
int ctl_password(const struct ctl *ctl, const char *file, const char *option,
    struct acme_buf *password);

#endif

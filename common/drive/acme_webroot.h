/*
 * Answers to http-01 as files below a directory that a web server shows: one
 * for each challenge, in .well-known/acme-challenge/.  Such directories belong
 * to others, who may put links and anything else there: a process that comes
 * here works as the owner of the directory from then on, follows no link, and
 * takes away what it has made and nothing else (security S12).
 */
#ifndef ACME_WEBROOT_H
#define ACME_WEBROOT_H

#include <sys/types.h>

#include "base/acme_error.h"
#include "drive/acme_errand.h"

struct acme_webroot {
    const char *path; /* absolute, without links */
    /* Who works where root's directory is one that its group may write. */
    uid_t uid;
    gid_t gid;
};

/*
 * Both: called once in the life of a process, which becomes another user for
 * good, and is confined to the directory.
 *
 * Makes the file (0644) and what directories are missing (0755); one that is
 * there with the same in it is no error.  ACME_IO names what is in the way,
 * and the cure.
 */
enum acme_rc acme_webroot_put(const struct acme_webroot *webroot,
    const struct acme_errand *errand, struct acme_error *err);

/* Takes the file away, and the directories, if they were made here and there
 * is nothing in them; a file that is not there is no error, and one with
 * something else in it is somebody else's. */
enum acme_rc acme_webroot_remove(const struct acme_webroot *webroot,
    const struct acme_errand *errand, struct acme_error *err);

#endif

/*
 * acmectl doctor: what its files share.  One list of findings, of the state
 * directory and of the machine.
 */
#ifndef ACME_CTL_DOCTOR_H
#define ACME_CTL_DOCTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "acmectl/ctl.h"
#include "wrap/acme_json.h"

struct doctor {
    struct ctl *ctl;
    const char *state_dir;
    const char *root;           /* where /proc and /sys are: "" */
    uid_t owner;                /* of the state directory */
    struct acme_store *store;   /* NULL: it cannot be used */
    bool repairs;               /* it is open for writing */
    struct acme_json *findings; /* array of what was found */
    struct acme_json *helpers;  /* array: processes of running servers */
    unsigned nwrong;            /* and not repaired */
    unsigned nrepaired;
};

/* Tells of one thing: `check` is a word, `path` below the state directory or
 * absolute or "", `cure` NULL for nothing to do. */
void ctl_doctor_tell(struct doctor *doctor, const char *check, bool wrong,
    const char *path, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));

/* The file system that the state directory is on, mandatory access control,
 * and the processes of servers that run on it, in order. */
void ctl_doctor_disk(struct doctor *doctor);
void ctl_doctor_labels(struct doctor *doctor);
void ctl_doctor_servers(struct doctor *doctor);

/* Their parts: what a label of SELinux means, where that is enforcing, and
 * the processes of one server. */
void ctl_doctor_label(struct doctor *doctor, const char *label);
struct acme_control_server;
void ctl_doctor_server(struct doctor *doctor,
    const struct acme_control_server *server);

#endif

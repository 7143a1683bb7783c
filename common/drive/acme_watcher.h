/*
 * The process that reads the thumbprint files an operator has named and puts
 * what is in them where workers see it.  It needs neither state directory nor
 * store, talks to nobody, and can write no file.  What a file held stays
 * answered when it is gone or spoilt: someone is replacing it.
 */
#ifndef ACME_WATCHER_H
#define ACME_WATCHER_H

#include "drive/acme_child.h"
#include "drive/acme_store_process.h"
#include "state/acme_area.h"
#include "state/acme_config.h"

/* Does not return.  All files are read once before `child->ready` is closed,
 * then again within two seconds of a change. */
void acme_watcher_process(const struct acme_config *config,
    struct acme_area *area, struct acme_child *child)
    __attribute__((noreturn));

#endif

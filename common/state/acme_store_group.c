/*
 * The group that may read certificates and keys: that of the configuration,
 * or else whatever an administrator has given to the files that are there.
 * Others get nothing, whatever their bits were.
 */
#include "state/acme_store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_dir_private.h"

#define DIR_BITS (S_IRGRP | S_IXGRP)
#define KEY_BITS S_IRGRP

struct share {
    bool any;
    gid_t group;
    mode_t dir; /* the group's bits of directories */
    mode_t key; /* and of keys */
};

void
acme_store_key_group(struct acme_store *store, gid_t group)
{
    store->has_key_group = true;
    store->key_group = group;
}

/* ---- one object ------------------------------------------------------- */

/* Opened as what it is, and it is ours. */
static enum acme_rc
give(const struct acme_store *store, int fd, const struct share *share,
    mode_t bits, const char *path, struct acme_error *err)
{
    struct stat st;
    mode_t mode;

    if (fstat(fd, &st) == -1)
        return acme_dir_fail(err, errno, "read", path);
    mode = (S_ISDIR(st.st_mode) ? 0700 : 0600) | bits;
    if (st.st_uid != store->owner ||
        (st.st_gid == share->group && (st.st_mode & 07777) == mode))
        return ACME_OK;
    if (st.st_gid != share->group && fchown(fd, (uid_t)-1, share->group) == -1)
        return acme_error_errno(err, ACME_IO, errno,
            "cannot give \"%s\" to the key group (gid %lu)", path,
            (unsigned long)share->group);
    if (fchmod(fd, mode) == -1)
        return acme_dir_fail(err, errno, "change the mode of", path);
    return ACME_OK;
}

static enum acme_rc
give_dir(const struct acme_store *store, const char *path,
    const struct share *share, struct acme_error *err)
{
    int fd = acme_dir_open_below(store->fd, path);
    enum acme_rc rc;

    if (fd == -1)
        return errno == ENOENT ? ACME_OK
                               : acme_dir_fail(err, errno, "open", path);
    rc = give(store, fd, share, share->dir, path, err);
    close(fd);
    return rc;
}

static bool
is_key(const char *name)
{
    return strncmp(name, "privkey", strlen("privkey")) == 0;
}

/* The keys in a directory, then it itself: what can be reached is right. */
static enum acme_rc
give_version(const struct acme_store *store, const char *dir,
    const struct share *share, struct acme_error *err)
{
    struct acme_dir_names names;
    enum acme_rc rc = ACME_OK;
    int fd = acme_dir_open_below(store->fd, dir), file;
    size_t i;

    if (fd == -1)
        return errno == ENOENT ? ACME_OK
                               : acme_dir_fail(err, errno, "open", dir);
    memset(&names, 0, sizeof(names));
    rc = acme_dir_names_read(store->fd, dir, false, &names, err);
    for (i = 0; i < names.count && rc == ACME_OK; i++) {
        if (!is_key(names.name[i]))
            continue;
        file = openat(fd, names.name[i],
            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (file == -1) /* planted; whoever reads the version tells */
            continue;
        rc = give(store, file, share, share->key, names.name[i], err);
        close(file);
    }
    acme_dir_names_free(&names);
    if (rc == ACME_OK)
        rc = give(store, fd, share, share->dir, dir, err);
    close(fd);
    return rc;
}

/* ---- which group ------------------------------------------------------ */

/* As the version has it that is live; not what merely is its owner's. */
static void
inherit(struct acme_store *store, const char *name, struct share *share)
{
    char path[ACME_STORE_VERSION_MAX];
    struct acme_error ignored;
    struct stat dir, key;
    unsigned live;
    int fd;

    acme_error_clear(&ignored);
    if (acme_store_live(store, name, &live, &ignored) != ACME_OK)
        return;
    acme_store_version_path(path, name, live);
    fd = acme_dir_open_below(store->fd, path);
    if (fd == -1)
        return;
    if (fstat(fd, &dir) == 0 &&
        fstatat(fd, "privkey.pem", &key, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(key.st_mode) && (key.st_mode & KEY_BITS) != 0 &&
        key.st_gid != getegid()) {
        share->any = true;
        share->group = key.st_gid;
        share->key = KEY_BITS;
        share->dir = dir.st_mode & DIR_BITS;
    }
    close(fd);
}

static struct share
find_share(struct acme_store *store, const char *name)
{
    struct share share = { false, 0, 0, 0 };

    if (store->has_key_group) {
        share = (struct share){ true, store->key_group, DIR_BITS, KEY_BITS };
        return share;
    }
    inherit(store, name, &share);
    return share;
}

/* ---- doors ------------------------------------------------------------ */

enum acme_rc
acme_store_share_new(struct acme_store *store, const char *name,
    const char *dir, struct acme_error *err)
{
    const struct share share = find_share(store, name);
    char path[ACME_STORE_PATH_MAX];
    enum acme_rc rc = ACME_OK;

    if (share.any)
        rc = give_version(store, dir, &share, err);
    if (rc == ACME_OK && store->has_key_group)
        rc = acme_store_path(path, "archive/", name, "", err);
    if (rc == ACME_OK && store->has_key_group)
        rc = give_dir(store, path, &share, err);
    return rc;
}

enum acme_rc
acme_store_share_top(struct acme_store *store, struct acme_error *err)
{
    const struct share share = { true, store->key_group, DIR_BITS, KEY_BITS };
    enum acme_rc rc;

    if (!store->has_key_group)
        return ACME_OK;
    rc = give(store, store->fd, &share, DIR_BITS, ".", err);
    if (rc == ACME_OK)
        rc = give_dir(store, "live", &share, err);
    if (rc == ACME_OK)
        rc = give_dir(store, "archive", &share, err);
    return rc;
}

enum acme_rc
acme_store_share(struct acme_store *store, const char *name,
    struct acme_error *err)
{
    const struct share share = find_share(store, name);
    char path[ACME_STORE_PATH_MAX];
    struct acme_error none;
    unsigned live = 0;
    enum acme_rc rc;

    if (!store->has_key_group)
        return ACME_OK;
    acme_error_clear(&none);
    rc = acme_store_path(path, "archive/", name, "", err);
    if (rc == ACME_OK)
        rc = give_dir(store, path, &share, err);
    if (rc == ACME_OK &&
        acme_store_live(store, name, &live, &none) == ACME_OK) {
        acme_store_version_path(path, name, live);
        rc = give_version(store, path, &share, err);
    }
    return rc;
}

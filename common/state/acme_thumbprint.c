#include "state/acme_thumbprint.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_base64.h"
#include "base/acme_buf.h"
#include "base/acme_log.h"
#include "state/acme_dir.h"

/* One line; a larger file is another one, named by mistake. */
#define FILE_MAX 256

#define SPACE " \t\r\n"

enum acme_rc
acme_thumbprint_check(const char *value, struct acme_error *err)
{
    char shown[2 * ACME_THUMBPRINT_LEN];

    if (strlen(value) == ACME_THUMBPRINT_LEN &&
        acme_base64_is(value, ACME_THUMBPRINT_LEN))
        return ACME_OK;
    acme_log_clean(shown, sizeof(shown), value, strlen(value));
    return acme_error_set(err, ACME_CONFIG,
        "\"%s\" is no thumbprint of an account key, which has %d characters "
        "out of A-Z a-z 0-9 - _ (\"acmectl key thumbprint\" shows it where "
        "the key is)",
        shown, ACME_THUMBPRINT_LEN);
}

static uid_t
owner_of(const struct stat *st)
{
    return st->st_uid == 0 ? 0 : geteuid();
}

static enum acme_rc
check_mode(const struct stat *st, const char *what, struct acme_error *err)
{
    bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

    if ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0 || sticky)
        return ACME_OK;
    return acme_error_set(err, ACME_CONFIG,
        "%s is writable by others (mode %03o); chmod go-w it", what,
        (unsigned)st->st_mode & 0777);
}

/* `dir`: without what follows the last slash of the path. */
static enum acme_rc
open_directory(const char *dir, int *fd, struct acme_error *err)
{
    struct stat st;
    uid_t owner = stat(dir, &st) == 0 ? owner_of(&st) : geteuid();
    enum acme_rc rc = acme_dir_open(dir, owner, false, fd, err);

    if (rc != ACME_OK)
        return rc;
    if (fstat(*fd, &st) != 0)
        return acme_error_set(err, ACME_IO, "cannot look at its directory");
    return check_mode(&st, "its directory", err);
}

static enum acme_rc
read_file(int fd, const char *name, struct acme_buf *text,
    struct acme_error *err)
{
    struct stat st;
    enum acme_rc rc = ACME_OK;
    uid_t owner = geteuid();

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        owner = owner_of(&st);
        if (S_ISREG(st.st_mode))
            rc = check_mode(&st, "it", err);
    }
    return rc == ACME_OK ? acme_dir_read(fd, name, owner, FILE_MAX, text, err)
                         : rc;
}

/* Cuts white space off both ends. */
static const char *
trim(char *text)
{
    size_t len;

    text += strspn(text, SPACE);
    len = strlen(text);
    while (len > 0 && strchr(SPACE, text[len - 1]) != NULL)
        len--;
    text[len] = '\0';
    return text;
}

static enum acme_rc
read_value(const char *path, char value[FILE_MAX + 1], struct acme_error *err)
{
    const char *slash = strrchr(path, '/');
    struct acme_buf dir, text;
    enum acme_rc rc;
    int fd = -1;

    if (path[0] != '/' || slash[1] == '\0')
        return acme_error_set(err, ACME_CONFIG, "no absolute name of a file");
    acme_buf_init(&dir, ACME_STATE_JSON_MAX);
    acme_buf_init(&text, FILE_MAX);
    acme_buf_add(&dir, path, slash == path ? 1 : (size_t)(slash - path));
    rc = acme_buf_ok(&dir) ? open_directory(acme_buf_str(&dir), &fd, err)
                           : acme_error_nomem(err);
    if (rc == ACME_OK)
        rc = read_file(fd, slash + 1, &text, err);
    if (rc == ACME_OK) {
        memcpy(value, acme_buf_str(&text), text.len);
        value[text.len] = '\0';
    }
    if (fd != -1)
        close(fd);
    acme_buf_clear(&dir);
    acme_buf_clear(&text);
    return rc;
}

enum acme_rc
acme_thumbprint_read(const char *path, char out[ACME_THUMBPRINT_LEN + 1],
    struct acme_error *err)
{
    char value[FILE_MAX + 1], shown[300];
    struct acme_error why;
    const char *found;
    enum acme_rc rc;

    acme_error_clear(&why);
    rc = read_value(path, value, &why);
    if (rc == ACME_OK) {
        found = trim(value);
        rc = acme_thumbprint_check(found, &why);
    }
    if (rc == ACME_OK) {
        memcpy(out, found, ACME_THUMBPRINT_LEN + 1);
        return ACME_OK;
    }
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    return acme_error_set(err, ACME_CONFIG, "thumbprint file \"%s\": %s",
        acme_log_clean(shown, sizeof(shown), path, strlen(path)), why.what);
}

#include "state/acme_thumbprint.h"

#include <string.h>
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
    struct acme_buf text;
    const char *name;
    int fd = -1;
    enum acme_rc rc = acme_dir_open_trusted(path, &fd, &name, err);

    if (rc != ACME_OK)
        return rc;
    acme_buf_init(&text, FILE_MAX);
    rc = acme_dir_read_trusted(fd, name, FILE_MAX, &text, err);
    if (rc == ACME_OK) {
        memcpy(value, acme_buf_str(&text), text.len);
        value[text.len] = '\0';
    }
    close(fd);
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

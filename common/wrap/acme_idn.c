#include "wrap/acme_idn.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "base/acme_log.h"
#include "base/acme_name.h"

static bool
is_ascii(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

static enum acme_rc
refuse(const char *text, size_t len, const char *reason,
    struct acme_error *err)
{
    char shown[ACME_NAME_MAX + 1];

    acme_log_clean(shown, sizeof(shown), text, len);
    return acme_error_set(err, ACME_CONFIG,
        "name \"%s\" has no ASCII form (%s); correct it, or write its "
        "A-labels (xn--...)",
        shown, reason);
}

/* libidn2 knows no wildcard: "*." goes around it.  *out is malloc()ed. */
static enum acme_rc
to_ascii(const char *text, size_t len, char **out, struct acme_error *err)
{
    size_t star = len >= 2 && memcmp(text, "*.", 2) == 0 ? 2 : 0;
    char unicode[ACME_IDN_TEXT_MAX + 1], *ascii = NULL;
    int result;

    if (len - star > ACME_IDN_TEXT_MAX)
        return refuse(text, len, "it is too long", err);
    if (memchr(text, '\0', len) != NULL)
        return refuse(text, len, "it has a NUL byte", err);
    memcpy(unicode, text + star, len - star);
    unicode[len - star] = '\0';
    result = idn2_to_ascii_8z(unicode, &ascii,
        IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result == IDN2_MALLOC)
        return acme_error_nomem(err);
    if (result != IDN2_OK)
        return refuse(text, len, idn2_strerror(result), err);
    *out = malloc(star + strlen(ascii) + 1);
    if (*out != NULL)
        strcpy(stpcpy(*out, star > 0 ? "*." : ""), ascii);
    idn2_free(ascii);
    return *out != NULL ? ACME_OK : acme_error_nomem(err);
}

enum acme_rc
acme_idn_parse(const char *text, size_t len, char out[ACME_NAME_MAX + 1],
    struct acme_error *err)
{
    char name[ACME_NAME_MAX + 1], *ascii = NULL;
    struct acme_error why;
    enum acme_rc rc;

    /* "example.com." is the same name, and no other one of two dots */
    if (len > 2 && text[len - 1] == '.' && text[len - 2] != '.')
        len--;
    if (is_ascii(text, len))
        return acme_name_parse(text, len, out, err);
    acme_error_clear(&why);
    rc = to_ascii(text, len, &ascii, err);
    if (rc != ACME_OK)
        return rc;
    rc = acme_name_parse(ascii, strlen(ascii), name, &why);
    if (rc != ACME_OK)
        (void)refuse(text, len, why.what, err);
    else if (acme_name_is_ip(name)) /* of full-width digits */
        rc = refuse(text, len, "it is an address", err);
    else
        memcpy(out, name, strlen(name) + 1);
    free(ascii);
    return rc;
}

bool
acme_idn_show(const char *name, char out[ACME_IDN_TEXT_MAX + 1])
{
    char *unicode = NULL;
    bool shown;

    if (strstr(name, "xn--") == NULL ||
        idn2_to_unicode_8z8z(name, &unicode, 0) != IDN2_OK)
        return false;
    shown = strcmp(name, unicode) != 0 && strlen(unicode) <= ACME_IDN_TEXT_MAX;
    if (shown)
        strcpy(out, unicode);
    idn2_free(unicode);
    return shown;
}

/*
 * The contacts of an account, as they are typed: what no CA would take is
 * refused before one is asked.
 */
#include "acmectl/ctl_account.h"

#include <string.h>

#include "base/acme_name.h"
#include "drive/acme_host_check.h"

/* RFC 8555 7.3: one address, and nothing else. */
static bool
is_address(const char *address)
{
    const char *at = strrchr(address, '@');
    char domain[ACME_NAME_MAX + 1];
    struct acme_error ignored;
    size_t len;

    acme_error_clear(&ignored);
    if (at == NULL || strchr(at + 1, '.') == NULL ||
        acme_name_parse(at + 1, strlen(at + 1), domain, &ignored) != ACME_OK ||
        acme_name_is_ip(domain) || acme_name_is_wildcard(domain))
        return false;
    len = (size_t)(at - address);
    return len > 0 && address[0] != '.' && at[-1] != '.' &&
           strcspn(address, " \t\r\n@,;:<>()[]\"\\?&") == len &&
           strstr(address, "..") == NULL;
}

int
ctl_contact_check(const char *contact)
{
    const char *colon = strchr(contact, ':');
    const char *address = contact;

    if (strncmp(contact, "mailto:", strlen("mailto:")) == 0)
        address += strlen("mailto:");
    else if (colon != NULL) /* of another scheme, which is the CA's to judge */
        return CTL_OK;
    return is_address(address)
               ? CTL_OK
               : ctl_fail(CTL_USAGE,
                     "contact \"%s\" is no address of the form a@b.test",
                     contact);
}

int
ctl_contact_url(const char *contact, char url[ACME_URL_MAX])
{
    struct acme_error err;

    acme_error_clear(&err);
    if (ctl_contact_check(contact) != CTL_OK)
        return CTL_USAGE;
    if (acme_host_contact(contact, url, &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "%s", err.what);
    return CTL_OK;
}

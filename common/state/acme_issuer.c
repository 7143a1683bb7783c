#include "state/acme_issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_text.h"
#include "wrap/acme_url.h"

/* ---- the fields, each in one place ------------------------------------ */

struct field {
    const char *member; /* in JSON */
    size_t offset;
};

#define TEXT(field)                                 \
    {                                               \
#field, offsetof(struct acme_issuer, field) \
    }
static const struct field texts[] = { TEXT(name), TEXT(directory),
    TEXT(key_file), TEXT(ca_file), TEXT(proxy), TEXT(proxy_ca_file),
    TEXT(eab_kid), TEXT(eab_file), TEXT(eab_alg), TEXT(profile),
    TEXT(preferred_chain), TEXT(domain) };

static const struct field flags[] = { TEXT(terms_accepted), TEXT(verify),
    TEXT(profile_required), TEXT(renewal_info), TEXT(cn_in_csr) };
#undef TEXT

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char **
text_of(struct acme_issuer *issuer, const struct field *field)
{
    return (const char **)((char *)issuer + field->offset);
}

static const char *
get_text(const struct acme_issuer *issuer, const struct field *field)
{
    return *(const char *const *)((const char *)issuer + field->offset);
}

static bool *
flag_of(struct acme_issuer *issuer, const struct field *field)
{
    return (bool *)((char *)issuer + field->offset);
}

static bool
get_flag(const struct acme_issuer *issuer, const struct field *field)
{
    return *(const bool *)((const char *)issuer + field->offset);
}

/* ---- values ----------------------------------------------------------- */

void
acme_issuer_init(struct acme_issuer *issuer)
{
    memset(issuer, 0, sizeof(*issuer));
    issuer->key_type = ACME_KEY_ECDSA_256;
    issuer->verify = true;
    issuer->renewal_info = true;
}

/* What the CAs document; no CA is for ever. */
static const struct {
    const char *name, *directory;
} known[] = {
    { "letsencrypt", "https://acme-v02.api.letsencrypt.org/directory" },
    { "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory" },
    { "letsencrypt-test",
        "https://acme-staging-v02.api.letsencrypt.org/directory" },
    { "zerossl", "https://acme.zerossl.com/v2/DV90" },
    { "google", "https://dv.acme-v02.api.pki.goog/directory" },
    { "google-staging", "https://dv.acme-v02.test-api.pki.goog/directory" },
    { "sslcom", "https://acme.ssl.com/sslcom-dv-ecc" },
    { "sslcom-rsa", "https://acme.ssl.com/sslcom-dv-rsa" },
    { "actalis", "https://acme-api.actalis.com/acme/directory" },
};

const char acme_issuer_short_names[] =
    "letsencrypt, letsencrypt-staging, zerossl, google, google-staging, "
    "sslcom, sslcom-rsa, actalis";

/* What is known of a CA by the host of its directory. */
static const struct host {
    const char *name;
    const char *domain; /* in its certification practice statement */
    bool staples;       /* it has OCSP */
} hosts[] = {
    { "acme-v02.api.letsencrypt.org", "letsencrypt.org", false },
    { "acme-staging-v02.api.letsencrypt.org", "letsencrypt.org", false },
    { "acme.zerossl.com", "sectigo.com", true },
    { "dv.acme-v02.api.pki.goog", "pki.goog", true },
    { "dv.acme-v02.test-api.pki.goog", "pki.goog", true },
    { "acme.ssl.com", "ssl.com", true },
    { "acme-api.actalis.com", "actalis.it", true },
};

/* NULL: nothing. */
static const struct host *
find_host(const struct acme_issuer *issuer)
{
    struct acme_error ignored;
    struct acme_url url;
    size_t i;

    acme_error_clear(&ignored);
    if (acme_url_parse(issuer->directory, ACME_CONFIG, &url, &ignored) !=
        ACME_OK)
        return NULL;
    for (i = 0; i < COUNT(hosts); i++)
        if (strcmp(url.host, hosts[i].name) == 0)
            return &hosts[i];
    return NULL;
}

bool
acme_issuer_staples(const struct acme_issuer *issuer)
{
    const struct host *host = find_host(issuer);

    return host == NULL || host->staples;
}

bool
acme_issuer_is_test(const char *directory)
{
    static const char ends[] = ".-";
    struct acme_error ignored;
    struct acme_url url;
    const char *at;
    size_t len;

    acme_error_clear(&ignored);
    if (acme_url_parse(directory, ACME_CONFIG, &url, &ignored) != ACME_OK)
        return false;
    for (at = url.host; *at != '\0'; at += len + 1) {
        len = strcspn(at, ends);
        if (at[len] == '\0')
            break; /* all of a domain is for tests, or nothing */
        if ((len == 7 && memcmp(at, "staging", 7) == 0) ||
            (len == 4 && memcmp(at, "test", 4) == 0))
            return true;
    }
    return false;
}

const char *
acme_issuer_domain(const struct acme_issuer *issuer)
{
    const struct host *host;

    if (issuer->domain != NULL)
        return issuer->domain;
    host = find_host(issuer);
    return host != NULL ? host->domain : NULL;
}

bool
acme_issuer_has_account(const struct acme_issuer *issuer,
    const char *account_url)
{
    struct acme_error ignored;
    struct acme_url url;
    char origin[ACME_ORIGIN_MAX];

    acme_error_clear(&ignored);
    if (acme_url_parse(issuer->directory, ACME_CONFIG, &url, &ignored) !=
        ACME_OK)
        return false;
    memcpy(origin, url.origin, sizeof(origin));
    return acme_url_parse(account_url, ACME_WIRE, &url, &ignored) == ACME_OK &&
           strcmp(origin, url.origin) == 0;
}

const char *
acme_issuer_directory_of(const char *account_url)
{
    struct acme_issuer issuer;
    const char *found = NULL;
    size_t i;

    acme_issuer_init(&issuer);
    for (i = 0; i < COUNT(known); i++) {
        issuer.directory = known[i].directory;
        if (!acme_issuer_has_account(&issuer, account_url))
            continue;
        if (found != NULL && strcmp(found, issuer.directory) != 0)
            return NULL;
        found = issuer.directory;
    }
    return found;
}

const char *
acme_issuer_directory(const char *short_name)
{
    size_t i;

    for (i = 0; i < COUNT(known); i++)
        if (strcasecmp(known[i].name, short_name) == 0)
            return known[i].directory;
    return NULL;
}

const char *
acme_issuer_name_of(struct acme_arena *arena, const char *directory)
{
    const char *host = strstr(directory, "://");
    size_t i;

    for (i = 0; i < COUNT(known); i++)
        if (strcmp(known[i].directory, directory) == 0)
            return known[i].name;
    host = host != NULL ? host + 3 : directory;
    return acme_arena_strndup(arena, host, strcspn(host, "/"));
}

/* The short names tell which belong together. */
const char *
acme_issuer_staging(const char *directory)
{
    char name[64];
    size_t i;

    for (i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].directory, directory) != 0)
            continue;
        (void)snprintf(name, sizeof(name), "%s-staging", known[i].name);
        return acme_issuer_directory(name);
    }
    return NULL;
}

bool
acme_issuer_copy(struct acme_arena *arena, struct acme_issuer *to,
    const struct acme_issuer *from)
{
    struct acme_issuer copy = *from;
    bool good = acme_arena_own(arena, &copy.eab_key, 1) &&
                acme_arena_own(arena, &copy.adopt_dir, 1) &&
                acme_arena_own(arena, &copy.account, 1) &&
                acme_arena_own(arena, copy.contact, copy.ncontacts) &&
                acme_arena_own(arena, copy.resolver.server, copy.resolver.n);
    size_t i;

    for (i = 0; good && i < COUNT(texts); i++)
        good = acme_arena_own(arena, text_of(&copy, &texts[i]), 1);
    if (good)
        *to = copy;
    return good;
}

static bool
same_resolver(const struct acme_resolver *a, const struct acme_resolver *b)
{
    bool same = a->n == b->n && a->timeout == b->timeout &&
                a->no_ipv4 == b->no_ipv4 && a->no_ipv6 == b->no_ipv6;
    size_t i;

    for (i = 0; same && i < a->n; i++)
        same = acme_text_same(a->server[i], b->server[i]);
    return same;
}

bool
acme_issuer_equal(const struct acme_issuer *a, const struct acme_issuer *b)
{
    bool equal = a->key_type == b->key_type && a->ncontacts == b->ncontacts &&
                 same_resolver(&a->resolver, &b->resolver);
    size_t i;

    for (i = 0; equal && i < COUNT(texts); i++)
        equal = acme_text_same(get_text(a, &texts[i]), get_text(b, &texts[i]));
    for (i = 0; equal && i < COUNT(flags); i++)
        equal = get_flag(a, &flags[i]) == get_flag(b, &flags[i]);
    for (i = 0; equal && i < a->ncontacts; i++)
        equal = acme_text_same(a->contact[i], b->contact[i]);
    return equal;
}

/* ---- JSON ------------------------------------------------------------- */

static struct acme_json *
render_resolver(const struct acme_resolver *resolver)
{
    struct acme_json *json = acme_json_object();
    struct acme_json *servers = acme_json_array();
    size_t i;

    for (i = 0; i < resolver->n; i++)
        acme_json_append_str(servers, resolver->server[i]);
    acme_json_set(json, "servers", servers);
    if (resolver->timeout > 0)
        acme_json_set_int(json, "timeout", resolver->timeout);
    if (resolver->no_ipv4)
        acme_json_set_bool(json, "no_ipv4", true);
    if (resolver->no_ipv6)
        acme_json_set_bool(json, "no_ipv6", true);
    return json;
}

struct acme_json *
acme_issuer_render(const struct acme_issuer *issuer)
{
    struct acme_json *json = acme_json_object();
    struct acme_json *contacts = acme_json_array();
    size_t i;

    for (i = 0; i < COUNT(texts); i++)
        acme_json_set_str(json, texts[i].member, get_text(issuer, &texts[i]));
    for (i = 0; i < COUNT(flags); i++)
        acme_json_set_bool(json, flags[i].member, get_flag(issuer, &flags[i]));
    for (i = 0; i < issuer->ncontacts; i++)
        acme_json_append_str(contacts, issuer->contact[i]);
    acme_json_set(json, "contact", contacts);
    if (issuer->resolver.n > 0)
        acme_json_set(json, "resolver", render_resolver(&issuer->resolver));
    if (issuer->key_type != ACME_KEY_NONE)
        acme_json_set_str(json, "account_key",
            acme_key_type_name(issuer->key_type));
    return json;
}

static enum acme_rc
malformed(struct acme_error *err, const char *what)
{
    return acme_error_set(err, ACME_WIRE, "%s is missing or malformed", what);
}

static enum acme_rc
check_directory(const char *directory, struct acme_error *err)
{
    struct acme_error ignored;
    struct acme_url *url;
    enum acme_rc rc;

    if (directory == NULL)
        return malformed(err, "directory");
    url = malloc(sizeof(*url));
    if (url == NULL)
        return acme_error_nomem(err);
    acme_error_clear(&ignored);
    rc = acme_url_parse(directory, ACME_WIRE, url, &ignored);
    free(url);
    if (rc == ACME_NOMEM)
        return acme_error_nomem(err);
    return rc == ACME_OK ? rc : malformed(err, "directory");
}

/* Borrows the texts of `list`. */
static enum acme_rc
parse_contacts(const struct acme_json *list, struct acme_issuer *issuer,
    struct acme_error *err)
{
    size_t count = acme_json_count(list), i;

    if (count > ACME_CONTACTS_MAX)
        return malformed(err, "contact");
    for (i = 0; i < count; i++) {
        issuer->contact[i] = acme_json_text(acme_json_at(list, i));
        if (issuer->contact[i] == NULL)
            return malformed(err, "contact");
    }
    issuer->ncontacts = count;
    return ACME_OK;
}

/* The same of the name servers, if there are any. */
static enum acme_rc
parse_resolver(const struct acme_json *json, struct acme_resolver *resolver,
    struct acme_error *err)
{
    const struct acme_json *servers = acme_json_get(json, "servers");
    long long timeout = acme_json_int(json, "timeout", 0);
    size_t i;

    if (json == NULL)
        return ACME_OK;
    resolver->n = acme_json_count(servers);
    if (resolver->n > ACME_DNS_SERVERS_MAX || timeout < 0 ||
        timeout > ACME_RESOLVER_TIMEOUT_MAX)
        return malformed(err, "resolver");
    for (i = 0; i < resolver->n; i++) {
        resolver->server[i] = acme_json_text(acme_json_at(servers, i));
        if (resolver->server[i] == NULL)
            return malformed(err, "resolver");
    }
    resolver->timeout = (unsigned)timeout;
    resolver->no_ipv4 = acme_json_bool(json, "no_ipv4", false);
    resolver->no_ipv6 = acme_json_bool(json, "no_ipv6", false);
    return ACME_OK;
}

enum acme_rc
acme_issuer_parse(struct acme_arena *arena, const struct acme_json *json,
    struct acme_issuer *issuer, struct acme_error *err)
{
    const char *type = acme_json_str(json, "account_key");
    struct acme_issuer parsed;
    enum acme_rc rc;
    size_t i;

    acme_issuer_init(&parsed);
    parsed.key_type = ACME_KEY_NONE;
    for (i = 0; i < COUNT(texts); i++)
        *text_of(&parsed, &texts[i]) = acme_json_str(json, texts[i].member);
    for (i = 0; i < COUNT(flags); i++)
        *flag_of(&parsed, &flags[i]) = acme_json_bool(json, flags[i].member,
            get_flag(&parsed, &flags[i]));
    rc = check_directory(parsed.directory, err);
    if (rc == ACME_OK && parsed.name == NULL)
        rc = malformed(err, "issuer name");
    if (rc == ACME_OK)
        rc = parse_contacts(acme_json_get(json, "contact"), &parsed, err);
    if (rc == ACME_OK)
        rc = parse_resolver(acme_json_get(json, "resolver"), &parsed.resolver,
            err);
    if (rc == ACME_OK && type != NULL)
        rc = acme_key_type_parse(type, &parsed.key_type, err);
    if (rc == ACME_OK && !acme_issuer_copy(arena, issuer, &parsed))
        rc = acme_error_nomem(err);
    return rc;
}

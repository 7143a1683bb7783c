/*
 * dns: the records that names are proved with, for people to publish and to
 * check.
 */
#include "acmectl/ctl_dns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/acme_name.h"
#include "base/acme_time.h"
#include "state/acme_zone.h"
#include "wrap/acme_idn.h"

/* ---- the command line ------------------------------------------------- */

static bool
find_type(const char *word, size_t len, unsigned *type)
{
    for (*type = 0; *type < CTL_DNS_TYPES; (*type)++)
        if ((*type == CTL_DNS_CAA ||
                acme_challenge_is_dns((enum acme_challenge_type) * type)) &&
            strlen(ctl_dns_type_name(*type)) == len &&
            strncasecmp(ctl_dns_type_name(*type), word, len) == 0)
            return true;
    return false;
}

static int
read_types(struct ctl_dns *dns, const char *list)
{
    unsigned type;
    size_t len;

    for (;; list += len + 1) {
        len = strcspn(list, ",");
        if (!find_type(list, len, &type))
            return ctl_fail(CTL_USAGE,
                "unknown type \"%.*s\"; there are caa, dns-01, "
                "dns-account-01 and dns-persist-01",
                (int)len, list);
        dns->wanted[type] = true;
        if (list[len] == '\0')
            return CTL_OK;
    }
}

static int
read_ttl(struct ctl_dns *dns, const char *text)
{
    unsigned long ttl;
    char *end;

    errno = 0;
    ttl = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 ||
        ttl > ACME_ZONE_TTL_MAX)
        return ctl_fail(CTL_USAGE,
            "\"%s\" is no time to live; it is a number of seconds up to %u",
            text, ACME_ZONE_TTL_MAX);
    dns->ttl = (unsigned)ttl;
    return CTL_OK;
}

static int
read_names(struct ctl *ctl, struct acme_arena *arena)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_error err;
    int i;

    for (i = 0; ctl->details && i < ctl->argc; i++) {
        acme_error_clear(&err);
        if (acme_idn_parse(ctl->argv[i], strlen(ctl->argv[i]), name, &err) !=
            ACME_OK)
            return ctl_fail(CTL_USAGE, "%s", err.what);
        ctl->argv[i] = acme_arena_strdup(arena, name);
        if (ctl->argv[i] == NULL)
            return ctl_fail(CTL_FAILED, "out of memory");
    }
    return CTL_OK;
}

static int
read_arguments(struct ctl_dns *dns)
{
    struct ctl *ctl = dns->ctl;
    int code = CTL_OK;

    dns->ttl = ACME_ZONE_TTL;
    dns->seen = acme_arena_alloc(dns->arena, (size_t)ctl->argc + 1);
    if (dns->seen == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    if (ctl->cert_name != NULL)
        code = ctl_fail(CTL_USAGE,
            "name the lineage without --cert-name: acmectl dns ... %s",
            ctl->cert_name);
    if (code == CTL_OK && ctl->type != NULL)
        code = read_types(dns, ctl->type);
    if (code == CTL_OK && ctl->ttl != NULL)
        code = read_ttl(dns, ctl->ttl);
    if (code == CTL_OK && ctl->until != NULL &&
        !acme_time_parse(ctl->until, &dns->until))
        code = ctl_fail(CTL_USAGE,
            "\"%s\" is no time such as 2030-01-31T00:00:00Z", ctl->until);
    if (code == CTL_OK && ctl->details && ctl->argc == 0)
        code = ctl_fail(CTL_USAGE, "-d needs the names that are meant");
    return code == CTL_OK ? read_names(ctl, dns->arena) : code;
}

/* ---- records ---------------------------------------------------------- */

struct acme_json *
ctl_dns_render(const struct ctl_dns_row *row)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "name", row->name);
    acme_json_set_str(json, "type", ctl_dns_type_name(row->type));
    acme_json_set_str(json, "issuer", row->ca);
    acme_json_set_str(json, "owner", row->owner);
    acme_json_set_str(json, "rr", row->rr);
    acme_json_set_int(json, "ttl", row->ttl);
    acme_json_set_str(json, "tag", row->tag);
    acme_json_set_str(json, "value", row->value);
    if (row->value != NULL)
        acme_json_set_str(json, "line", row->line);
    return json;
}

static int
print_records(struct ctl_dns *dns)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < dns->nrows; i++) {
        if (dns->ctl->json)
            acme_json_append(list, ctl_dns_render(dns->row[i]));
        else if (!dns->ctl->quiet)
            (void)puts(dns->row[i]->line);
    }
    if (dns->ctl->json)
        return ctl_print_json(list);
    acme_json_free(list);
    return CTL_OK;
}

/* ---- the verbs -------------------------------------------------------- */

static int
collect_all(struct ctl_dns *dns)
{
    struct ctl *ctl = dns->ctl;
    struct acme_store *store;
    int code = ctl_find_states(ctl);
    size_t i;

    for (i = 0; code == CTL_OK && i < ctl->nstates; i++) {
        store = NULL;
        code = ctl_open(ctl->state[i], &store);
        if (code == CTL_OK)
            code = ctl_dns_collect(dns, store);
        acme_store_close(store);
    }
    for (i = 0; code == CTL_OK && i < (size_t)ctl->argc; i++)
        if (!ctl->details && !dns->seen[i])
            code = ctl_fail(CTL_FAILED,
                "there is no lineage \"%s\"; names are meant with -d",
                ctl->argv[i]);
    return code;
}

int
ctl_dns(struct ctl *ctl)
{
    struct ctl_dns dns = { .ctl = ctl };
    const char *verb = ctl->argc > 0 ? ctl->argv[0] : "";
    int code;

    if (strcmp(verb, "records") != 0 && strcmp(verb, "check") != 0)
        return ctl_fail(CTL_USAGE, "dns has the verbs records and check");
    ctl->argc--;
    ctl->argv++;
    dns.arena = acme_arena_new();
    if (dns.arena == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    code = read_arguments(&dns);
    if (code == CTL_OK)
        code = collect_all(&dns);
    if (code == CTL_OK)
        code = strcmp(verb, "check") == 0 ? ctl_dns_check(&dns)
                                          : print_records(&dns);
    free(dns.row);
    acme_arena_free(dns.arena);
    return code == CTL_OK ? dns.code : code;
}

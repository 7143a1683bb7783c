/*
 * dns: the records that names are proved with, for people to publish and to
 * check.
 */
#include "acmectl/ctl_dns.h"

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

/* The words are those that the option may have. */
static void
read_types(struct ctl_dns *dns, const char *list)
{
    unsigned type;
    size_t len;

    for (;; list += len + 1) {
        len = strcspn(list, ",");
        if (find_type(list, len, &type))
            dns->wanted[type] = true;
        if (list[len] == '\0')
            return;
    }
}

/* The operands are lineages; but behind -d names. */
static int
read_asked(struct ctl_dns *dns)
{
    struct ctl *ctl = dns->ctl;
    int i, code;

    dns->by_name = ctl->domains.n > 0;
    if (dns->by_name) {
        code = ctl_operands_are_domains(ctl);
        if (code == CTL_OK)
            code = ctl_read_domains(ctl);
        dns->asked = ctl->domains;
        return code;
    }
    if (ctl->argc > CTL_WORDS_MAX)
        return ctl_fail(CTL_USAGE, "more than %d lineages", CTL_WORDS_MAX);
    for (i = 0; i < ctl->argc; i++)
        dns->asked.word[dns->asked.n++] = ctl->argv[i];
    return CTL_OK;
}

static int
read_arguments(struct ctl_dns *dns)
{
    const struct ctl *ctl = dns->ctl;
    int code = CTL_OK;

    if (ctl->type != NULL)
        read_types(dns, ctl->type);
    if (ctl->until != NULL && !acme_time_parse(ctl->until, &dns->until))
        code = ctl_fail(CTL_USAGE,
            "\"%s\" is no time such as 2030-01-31T00:00:00Z", ctl->until);
    return code == CTL_OK ? read_asked(dns) : code;
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
    for (i = 0; code == CTL_OK && i < dns->asked.n; i++)
        if (!dns->by_name && !dns->seen[i])
            code = ctl_fail(CTL_FAILED,
                "there is no lineage \"%s\"; names are meant with -d",
                dns->asked.word[i]);
    return code;
}

static int
run(struct ctl *ctl, int (*verb)(struct ctl_dns *dns))
{
    struct ctl_dns dns = { .ctl = ctl, .arena = ctl->arena };
    int code = read_arguments(&dns);

    if (code == CTL_OK)
        code = collect_all(&dns);
    if (code == CTL_OK)
        code = verb(&dns);
    free(dns.row);
    return code == CTL_OK ? dns.code : code;
}

int
ctl_dns_records(struct ctl *ctl)
{
    return run(ctl, print_records);
}

int
ctl_dns_check(struct ctl *ctl)
{
    return run(ctl, ctl_dns_look_up);
}

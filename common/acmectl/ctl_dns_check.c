/*
 * dns check: the records of ctl_dns.h as they are in the DNS, looked up by an
 * engine of our own.
 */
#include "acmectl/ctl_dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive/acme_host_check.h"
#include "drive/acme_service.h"

struct checking {
    struct ctl_dns *dns;
    struct acme_json *results; /* with --json */
    size_t bad;
};

static void
print_one(const struct ctl_dns_row *row, bool good, const char *text)
{
    (void)printf("%s %s of \"%s\" at \"%s\": %s\n", good ? "ok  " : "BAD ",
        ctl_dns_type_name(row->type), row->name, row->ca, text);
    if (!good && row->value != NULL)
        (void)printf("     publish: %s\n", row->line);
}

static void
on_done(void *ctx, size_t i, bool good, const char *text)
{
    struct checking *checking = ctx;
    const struct ctl_dns_row *row = checking->dns->row[i];
    const struct ctl *ctl = checking->dns->ctl;
    struct acme_json *json;

    checking->bad += !good;
    if (checking->results == NULL) {
        if (!good || !ctl->quiet)
            print_one(row, good, text);
        return;
    }
    json = ctl_dns_render(row);
    acme_json_set_bool(json, "ok", good);
    acme_json_set_str(json, "text", text);
    acme_json_append(checking->results, json);
}

static void
fill(const struct ctl_dns_row *row, struct acme_record_check *check)
{
    check->caa = row->type == CTL_DNS_CAA;
    if (!check->caa)
        check->type = (enum acme_challenge_type)row->type;
    check->name = row->name;
    check->owner = row->owner;
    check->proof = row->proof;
    check->wish = row->caa;
    check->persist = row->persist;
}

static enum acme_rc
run(struct checking *checking, const struct acme_record_check *list,
    struct acme_config *config, struct acme_error *err)
{
    struct acme_server server = { .ctx = checking->dns->ctl, .log = ctl_log };
    struct acme_service_work work = { .check = list,
        .nchecks = checking->dns->nrows,
        .done = on_done,
        .ctx = checking };
    unsigned other = geteuid() == 0 ? 65534 : 0;

    if (acme_config_finish(config, err) == ACME_OK &&
        acme_host_engine_user(config, NULL, other, other, err) == ACME_OK)
        (void)acme_service_run_once(config, &server, &work, err);
    return err->rc;
}

int
ctl_dns_look_up(struct ctl_dns *dns)
{
    struct checking checking = { .dns = dns };
    struct acme_config *config =
        acme_config_new(dns->ctl->state[0], "acmectl", "dns");
    struct acme_record_check *list = calloc(dns->nrows + 1, sizeof(*list));
    struct acme_error err;
    size_t i;
    int code = CTL_OK;

    acme_error_clear(&err);
    if (dns->ctl->json)
        checking.results = acme_json_array();
    if (config == NULL || list == NULL)
        (void)acme_error_nomem(&err);
    for (i = 0; err.rc == ACME_OK && i < dns->nrows; i++)
        fill(dns->row[i], &list[i]);
    if (err.rc == ACME_OK && dns->nrows > 0)
        (void)run(&checking, list, config, &err);
    if (err.rc != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    else if (checking.bad > 0)
        code = CTL_FAILED;
    if (checking.results != NULL && ctl_print_json(checking.results) != CTL_OK)
        code = CTL_FAILED;
    free(list);
    acme_config_free(config);
    return code;
}

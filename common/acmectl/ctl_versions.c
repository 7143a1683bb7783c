/*
 * versions (checkpoints): what there is of each lineage to roll back to.
 */
#include "acmectl/ctl_lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/acme_time.h"

struct listing {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_json *lineages; /* with --json */
    struct ctl_version *version;
    bool found;
};

static void
print_certificate(const struct ctl_version *version, size_t i)
{
    const struct acme_leaf *leaf = &version->leaf[i];
    char from[ACME_TIME_TEXT], until[ACME_TIME_TEXT];

    (void)printf("    %-12s%s, serial %s%s\n", i == 0 ? "certificate" : "also",
        acme_key_type_name(version->type[i]), leaf->serial,
        version->keyless[i] ? ", the operator's own key" : "");
    (void)printf("    %-12s%s to %s\n", "valid",
        acme_time_format(leaf->not_before, from),
        acme_time_format(leaf->not_after, until));
    (void)printf("    %-12s%s\n", "signed by", leaf->issuer);
    if (version->origin[i].issuer[0] != '\0')
        (void)printf("    %-12s%s\n", "issuer", version->origin[i].issuer);
}

static void
print_version(const struct ctl_version *version, bool live)
{
    char against[700];
    size_t i;

    (void)printf("  version %u%s\n", version->number, live ? " (live)" : "");
    if (ctl_version_against(version, against, sizeof(against))[0] != '\0')
        (void)printf("    %-12s%s\n", "not good", against);
    if (version->names[0] != '\0')
        (void)printf("    %-12s%s\n", "names", version->names);
    for (i = 0; i < version->npairs; i++)
        print_certificate(version, i);
}

static struct acme_json *
certificate_json(const struct ctl_version *version, size_t i)
{
    struct acme_json *json = acme_json_object();
    const struct acme_origin *origin = &version->origin[i];

    acme_json_set_str(json, "key", acme_key_type_name(version->type[i]));
    acme_json_set_str(json, "serial", version->leaf[i].serial);
    acme_json_set_str(json, "fingerprint", version->leaf[i].fingerprint);
    acme_json_set_time(json, "not_before", version->leaf[i].not_before);
    acme_json_set_time(json, "not_after", version->leaf[i].not_after);
    acme_json_set_str(json, "signed_by", version->leaf[i].issuer);
    if (origin->issuer[0] != '\0')
        acme_json_set_str(json, "issuer", origin->issuer);
    if (origin->obtained != 0)
        acme_json_set_time(json, "obtained", origin->obtained);
    if (version->keyless[i])
        acme_json_set_bool(json, "csr", true);
    return json;
}

static struct acme_json *
version_json(const struct ctl_version *version, bool live)
{
    struct acme_json *json = acme_json_object(), *list = acme_json_array();
    char against[700];
    size_t i;

    acme_json_set_int(json, "version", version->number);
    acme_json_set_bool(json, "live", live);
    acme_json_set_bool(json, "damaged", version->damaged);
    if (!version->damaged) {
        acme_json_set_bool(json, "expired", version->expired);
        acme_json_set_bool(json, "revoked",
            version->revoked || version->barred);
    }
    if (ctl_version_against(version, against, sizeof(against))[0] != '\0')
        acme_json_set_str(json, "not_good", against);
    for (i = 0; i < version->npairs; i++)
        acme_json_append(list, certificate_json(version, i));
    acme_json_set(json, "certificates", list);
    return json;
}

static void
show(struct listing *listing, const struct ctl_version *version, bool live,
    struct acme_json *list)
{
    if (list != NULL)
        acme_json_append(list, version_json(version, live));
    else if (!listing->ctl->quiet)
        print_version(version, live);
}

static enum acme_rc
list_versions(struct listing *listing, const char *name,
    struct acme_json *list, struct acme_error *err)
{
    unsigned number[CTL_VERSIONS_MAX], live = 0;
    const time_t now = time(NULL);
    struct acme_error ignored;
    size_t n = 0, i;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    rc = acme_store_version_numbers(listing->store, name, number,
        CTL_VERSIONS_MAX, &n, err);
    (void)acme_store_live(listing->store, name, &live, &ignored);
    for (i = 0; rc == ACME_OK && i < n; i++) {
        if (!ctl_version_look(listing->store, name, number[i], now,
                listing->version))
            return acme_error_nomem(err);
        show(listing, listing->version, number[i] == live, list);
    }
    if (rc == ACME_OK && n == 0 && list == NULL && !listing->ctl->quiet)
        (void)puts("  no certificate yet");
    return rc;
}

static enum acme_rc
list_lineage(void *ctx, const char *name, struct acme_error *err)
{
    struct listing *listing = ctx;
    const char *wanted = listing->ctl->cert_name;
    struct acme_json *one = NULL, *list = NULL;
    enum acme_rc rc;

    if (wanted != NULL && strcmp(wanted, name) != 0)
        return ACME_OK;
    listing->found = true;
    if (listing->lineages != NULL) {
        one = acme_json_object();
        list = acme_json_array();
        acme_json_set_str(one, "name", name);
    } else if (!listing->ctl->quiet) {
        (void)printf("%s\n", name);
    }
    rc = list_versions(listing, name, list, err);
    if (one != NULL) {
        acme_json_set(one, "versions", list);
        acme_json_append(listing->lineages, one);
    }
    return rc;
}

int
ctl_versions(struct ctl *ctl)
{
    struct listing listing = { .ctl = ctl };
    struct acme_json *root;
    struct acme_error err;
    int code;

    code = ctl_open_one(ctl, &listing.store);
    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    listing.version = malloc(sizeof(*listing.version));
    listing.lineages = ctl->json ? acme_json_array() : NULL;
    if (listing.version == NULL)
        code = ctl_fail(CTL_FAILED, "out of memory");
    else if (ctl_lineages(listing.store, list_lineage, &listing, &err) !=
             ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    else if (ctl->cert_name != NULL && !listing.found)
        code = ctl_fail(CTL_FAILED,
            "there is no lineage \"%s\"; acmectl certificates lists them",
            ctl->cert_name);
    if (listing.lineages != NULL && code == CTL_OK) {
        root = acme_json_object();
        acme_json_set(root, "lineages", listing.lineages);
        code = ctl_print_json(root);
    } else {
        acme_json_free(listing.lineages);
    }
    free(listing.version);
    acme_store_close(listing.store);
    return code;
}

/*
 * certificates: what Certbot's verb of that name tells, in its words, as
 * scripts read them.
 */
#include "acmectl/ctl_status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "(VALID: 30 days)" */
static void
print_validity(const struct acme_json *lineage)
{
    const struct acme_json *certificate =
        acme_json_at(acme_json_get(lineage, "certificates"), 0);
    long long left =
        acme_json_time(lineage, "not_after") - (long long)time(NULL);
    long long n = left >= 86400 ? left / 86400 : left / 3600;
    const char *unit = left >= 86400 ? "day" : "hour";

    if (acme_json_bool(lineage, "test_ca", false))
        (void)fputs("INVALID: TEST_CERT", stdout);
    else if (left <= 0)
        (void)fputs("INVALID: EXPIRED", stdout);
    else if (acme_json_bool(certificate, "revoked", false))
        (void)fputs("INVALID: REVOKED", stdout);
    else
        (void)printf("VALID: %lld %s%s", n, unit, n == 1 ? "" : "s");
}

static void
print_names(const struct acme_json *names)
{
    size_t i;

    (void)fputs("    Domains:", stdout);
    for (i = 0; i < acme_json_count(names); i++)
        (void)printf(" %s", acme_json_text(acme_json_at(names, i)));
    (void)putchar('\n');
}

static void
print_end(time_t end)
{
    char text[64] = "";
    struct tm tm;

    if (gmtime_r(&end, &tm) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S+00:00", &tm);
    (void)printf("    Expiry Date: %s (", text);
}

static void
print_path(const char *label, const char *state_dir, const char *path)
{
    if (path != NULL)
        (void)printf("    %s: %s/%s\n", label, state_dir, path);
}

static void
print_certificate(const char *state_dir, const struct acme_json *lineage)
{
    const struct acme_json *files = acme_json_get(lineage, "files");
    const struct acme_json *certificate =
        acme_json_at(acme_json_get(lineage, "certificates"), 0);
    const char *key = acme_json_str(certificate, "key");

    (void)printf("  Certificate Name: %s\n", acme_json_str(lineage, "name"));
    (void)printf("    Serial Number: %s\n", acme_json_str(lineage, "serial"));
    if (key != NULL)
        (void)printf("    Key Type: %s\n", key);
    print_names(acme_json_get(lineage, "names"));
    print_end((time_t)acme_json_time(lineage, "not_after"));
    print_validity(lineage);
    (void)puts(")");
    print_path("Certificate Path", state_dir,
        acme_json_str(files, "certificate"));
    print_path("Private Key Path", state_dir, acme_json_str(files, "key"));
}

/* Those with a certificate; the others, or those damaged, if not. */
static size_t
print_some(const struct acme_json *status, bool good)
{
    const char *state_dir = acme_json_str(status, "state_dir");
    const struct acme_json *lineages = acme_json_get(status, "lineages");
    size_t i, n = 0;

    for (i = 0; i < acme_json_count(lineages); i++) {
        const struct acme_json *lineage = acme_json_at(lineages, i);
        const char *state = acme_json_str(lineage, "state");
        bool has = acme_json_str(lineage, "serial") != NULL;

        if (good ? !has : has && strcmp(state, "damaged") != 0)
            continue;
        if (n++ == 0)
            (void)printf(good ? "Found the following certs in %s:\n"
                              : "Without a certificate, or damaged, in %s:\n",
                state_dir);
        if (good)
            print_certificate(state_dir, lineage);
        else
            (void)printf("  %s: %s, %s\n", acme_json_str(lineage, "name"),
                state, acme_json_str(lineage, "state_text"));
    }
    return n;
}

static void
print_certificates(struct ctl *ctl, const struct acme_json *status)
{
    (void)ctl;
    if (print_some(status, true) + print_some(status, false) == 0)
        (void)printf("No certificates found in %s.\n",
            acme_json_str(status, "state_dir"));
}

int
ctl_certificates(struct ctl *ctl)
{
    return ctl_each_status(ctl, print_certificates);
}

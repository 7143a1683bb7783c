/*
 * What check tells of each lineage: as text, or as JSON.
 */
#include "acmectl/ctl_check_one.h"

#include <stdio.h>

static const char *const reason_words[REASONS] = { "new", "missing", "changed",
    "conflict", "expiring", "expired", "revoked", "damaged", "not_served",
    "not_stapled" };

static struct acme_json *
reasons_json(const struct one *one)
{
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < REASONS; i++)
        if ((one->reasons & 1u << i) != 0)
            acme_json_append_str(list, reason_words[i]);
    return list;
}

static void
copy(struct acme_json *json, const struct one *one, const char *name)
{
    const struct acme_json *value = acme_json_get(one->status, name);

    if (value != NULL)
        acme_json_set(json, name, acme_json_copy(value));
}

static struct acme_json *
render(struct one *one)
{
    struct acme_json *json = acme_json_object();

    acme_json_set_str(json, "name", one->name);
    acme_json_set_bool(json, "ok", one->reasons == 0);
    acme_json_set(json, "reasons", reasons_json(one));
    copy(json, one, "state");
    copy(json, one, "state_text");
    copy(json, one, "version");
    copy(json, one, "not_after");
    copy(json, one, "names");
    copy(json, one, "names_missing");
    copy(json, one, "renew_why");
    acme_json_set_str(json, "damage",
        one->damage[0] != '\0' ? one->damage : NULL);
    if (acme_json_count(one->shown) > 0)
        acme_json_set(json, "shown", acme_json_copy(one->shown));
    if (acme_json_count(one->asked) > 0)
        acme_json_set(json, "revocation", acme_json_copy(one->asked));
    return json;
}

static void
print_validity(const struct check *check, const struct one *one)
{
    const long long left =
        acme_json_time(one->status, "not_after") - (long long)check->now;

    if (acme_json_str(one->status, "not_after") == NULL)
        (void)printf("no certificate");
    else if (left <= 0)
        (void)printf("expired %s", acme_json_str(one->status, "not_after"));
    else if (left >= 2 * 86400)
        (void)printf("valid for %lld days", left / 86400);
    else
        (void)printf("valid for %lld hours", left / 3600);
}

static void
print_words(const char *label, const struct acme_json *list)
{
    size_t i, n = acme_json_count(list);

    if (n == 0)
        return;
    (void)printf("  %s:", label);
    for (i = 0; i < n; i++)
        (void)printf(" %s", acme_json_text(acme_json_at(list, i)));
    (void)putchar('\n');
}

static void
print_shown(const struct check *check, const struct one *one)
{
    size_t i;

    for (i = 0; i < acme_json_count(one->shown); i++) {
        const struct acme_json *row = acme_json_at(one->shown, i);
        const char *why = acme_json_str(row, "why");
        const bool live = ctl_check_has_word(row, "shown", "live");
        const bool bad = ctl_check_has_word(row, "staple", "bad");

        if (!live || bad || check->ctl->verbose > 0)
            (void)printf("  %s port %lld, %s, %s: %s%s%s\n",
                acme_json_str(row, "address"),
                (long long)acme_json_int(row, "port", 0),
                acme_json_str(row, "name"), acme_json_str(row, "key"),
                live ? "the live certificate"
                : ctl_check_has_word(row, "shown", "another_version")
                    ? "another version of the certificate"
                : ctl_check_has_word(row, "shown", "other")
                    ? "another certificate"
                    : "nothing is shown: ",
                why != NULL ? why : "",
                bad ? ", stapled to it what is no use"
                : ctl_check_has_word(row, "staple", "good") ? ", stapled"
                                                            : "");
    }
    if (check->ctl->connect && !ctl_check_has_server(check, one))
        (void)printf("  no server runs that has it\n");
}

static void
print_asked(const struct one *one)
{
    size_t i;

    for (i = 0; i < acme_json_count(one->asked); i++) {
        const struct acme_json *row = acme_json_at(one->asked, i);
        const char *why = acme_json_str(row, "why");
        const char *reason = acme_json_str(row, "reason");

        (void)printf("  OCSP of %s: %s%s%s\n", acme_json_str(row, "serial"),
            acme_json_str(row, "ocsp"),
            why != NULL || reason != NULL ? ": " : "",
            why != NULL      ? why
            : reason != NULL ? reason
                             : "");
    }
}

static void
print_one(const struct check *check, const struct one *one)
{
    const char *why = acme_json_str(one->status, "renew_why");
    size_t i;

    (void)printf("%s: ", one->name);
    for (i = 0; i < REASONS; i++)
        if ((one->reasons & 1u << i) != 0)
            (void)printf("%s, ", reason_words[i]);
    if (one->reasons == 0)
        (void)printf(ctl_check_is_wanted(one) ? "ok, " : "dormant, ");
    print_validity(check, one);
    (void)putchar('\n');
    print_words("not covered", acme_json_get(one->status, "names_missing"));
    if ((one->reasons & 1u << REASON_CHANGED) != 0)
        (void)printf("  definition changed: %s\n", why != NULL ? why : "");
    if (one->damage[0] != '\0')
        (void)printf("  damaged: %s\n", one->damage);
    print_shown(check, one);
    print_asked(one);
}

int
ctl_check_report(struct check *check)
{
    struct acme_json *json, *list;
    size_t i, bad = 0;

    for (i = 0; i < check->n; i++)
        bad += check->one[i]->reasons != 0;
    if (check->ctl->json) {
        json = acme_json_object();
        list = acme_json_array();
        for (i = 0; i < check->n; i++)
            acme_json_append(list, render(check->one[i]));
        acme_json_set_bool(json, "ok", bad == 0);
        acme_json_set(json, "lineages", list);
        if (ctl_print_json(json) != CTL_OK)
            return CTL_FAILED;
        return bad == 0 ? CTL_OK : CTL_FAILED;
    }
    for (i = 0; i < check->n; i++)
        if (!check->ctl->quiet || check->one[i]->reasons != 0)
            print_one(check, check->one[i]);
    if (bad == 0 && !check->ctl->quiet)
        (void)printf("%zu of %zu certificates are up to date%s\n", check->n,
            check->n, check->ctl->connect ? ", and so are the servers" : "");
    return bad == 0 ? CTL_OK : CTL_FAILED;
}

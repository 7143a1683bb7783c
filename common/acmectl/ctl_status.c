/*
 * status, and what it shares with certificates: the document of every state
 * directory, with the lineages that are asked for.
 */
#include "acmectl/ctl_status.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "drive/acme_status.h"
#include "state/acme_left_out.h"
#include "wrap/acme_idn.h"

/* ---- text of one lineage ---------------------------------------------- */

static void
print_list(const char *label, const struct acme_json *list)
{
    size_t i, n = acme_json_count(list);

    if (n == 0)
        return;
    (void)printf("  %-14s", label);
    for (i = 0; i < n; i++)
        (void)printf("%s%s", i > 0 ? " " : "",
            acme_json_text(acme_json_at(list, i)));
    (void)putchar('\n');
}

/* As they are in the certificate, and as people write them. */
static void
print_names(const struct acme_json *names)
{
    char shown[ACME_IDN_TEXT_MAX + 1];
    size_t i;

    if (acme_json_count(names) == 0)
        return;
    (void)printf("  %-14s", "names");
    for (i = 0; i < acme_json_count(names); i++) {
        const char *name = acme_json_text(acme_json_at(names, i));

        (void)printf("%s%s", i > 0 ? " " : "", name);
        if (acme_idn_show(name, shown))
            (void)printf(" (%s)", shown);
    }
    (void)putchar('\n');
}

static void
print_text(const char *label, const char *text)
{
    if (text != NULL)
        (void)printf("  %-14s%s\n", label, text);
}

static void
print_validity(const struct acme_json *lineage)
{
    const char *until = acme_json_str(lineage, "not_after");
    long long left =
        acme_json_time(lineage, "not_after") - (long long)time(NULL);

    if (until == NULL)
        (void)printf("  %-14s%s\n", "valid until", "no certificate yet");
    else if (left <= 0)
        (void)printf("  %-14s%s (expired)\n", "valid until", until);
    else if (left >= 2 * 86400)
        (void)printf("  %-14s%s (%lld days)\n", "valid until", until,
            left / 86400);
    else
        (void)printf("  %-14s%s (%lld hours)\n", "valid until", until,
            left / 3600);
}

static void
print_revoked(const struct acme_json *certificate)
{
    const char *by = acme_json_str(certificate, "revoked_by");
    const char *reason = acme_json_str(certificate, "revocation_reason");
    const char *how = "";

    if (!acme_json_bool(certificate, "revoked", false))
        return;
    if (by != NULL && strcmp(by, "ocsp") == 0)
        how = ", the CA says by OCSP";
    else if (by != NULL && strcmp(by, "crl") == 0)
        how = ", the CA says by its list (CRL)";
    else if (by != NULL && strcmp(by, "acmectl") == 0)
        how = ", by acmectl";
    (void)printf(
        "  %-14syes%s%s%s; it is served until the next one is there\n",
        "revoked", how, reason != NULL ? ", reason " : "",
        reason != NULL ? reason : "");
}

/* What is sent with it (OCSP), and what came between. */
static void
print_staple(const struct acme_json *certificate)
{
    const struct acme_json *staple = acme_json_get(certificate, "staple");
    const char *until = acme_json_str(staple, "next_update");
    const char *problem = acme_json_str(staple, "problem");
    bool sent = acme_json_time(staple, "next_update") > (int64_t)time(NULL);

    if (staple == NULL)
        return;
    (void)printf("  %-14s%s%s%s%s\n", "stapled",
        sent ? "until " : "nothing yet", sent ? until : "",
        problem != NULL ? "; " : "", problem != NULL ? problem : "");
}

/* Of the key types behind the first. */
static void
print_others(const struct acme_json *list)
{
    size_t i;

    for (i = 1; i < acme_json_count(list); i++) {
        const struct acme_json *one = acme_json_at(list, i);

        (void)printf("  %-14s%s, serial %s\n", "also",
            acme_json_str(one, "key"), acme_json_str(one, "serial"));
        print_validity(one);
        print_revoked(one);
        print_staple(one);
    }
}

/* Those that failed. */
static void
print_hooks(const struct acme_json *hooks)
{
    size_t i;

    for (i = 0; i < acme_json_count(hooks); i++) {
        const struct acme_json *hook = acme_json_at(hooks, i);
        const char *error = acme_json_str(hook, "error");
        const char *stage = acme_json_str(hook, "stage");
        char label[32];

        if (error == NULL || stage == NULL)
            continue;
        (void)snprintf(label, sizeof(label), "%s hook", stage);
        print_text(label, error);
    }
}

/* Of the last attempt: "account 10:00:01Z, order 10:00:02Z, ..." */
static void
print_steps(const struct acme_json *steps)
{
    size_t i, n = acme_json_count(steps);

    if (n == 0)
        return;
    (void)printf("  %-14s", "last attempt");
    for (i = 0; i < n; i++) {
        const struct acme_json *one = acme_json_at(steps, i);
        const char *at = acme_json_str(one, "at");

        (void)printf("%s%s %s", i > 0 ? ", " : "", acme_json_str(one, "step"),
            at == NULL ? ""
            : i == 0   ? at
                       : at + strcspn(at, "T") + 1);
    }
    (void)putchar('\n');
}

static void
print_asked(const struct acme_json *asked)
{
    if (asked != NULL)
        (void)printf("  %-14s%s, since %s\n", "asked instead",
            acme_json_str(asked, "name"), acme_json_str(asked, "since"));
}

static void
print_next(const struct acme_json *lineage)
{
    const char *next = acme_json_str(lineage, "next_attempt");

    if (next != NULL && acme_json_bool(lineage, "wait_for_config", false))
        (void)printf("  %-14swhen the configuration changes, or at %s\n",
            "next attempt", next);
    else
        print_text("next attempt", next);
}

static void
print_clock(const struct acme_json *lineage)
{
    long long ahead = acme_json_int(lineage, "clock_ahead", 0);

    if (ahead != 0)
        (void)printf("  %-14sthe CA's is %lld seconds %s ours\n", "clock",
            ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of");
}

static void
print_error(const struct acme_json *error)
{
    print_text("last error", acme_json_str(error, "text"));
    print_text("see", acme_json_str(error, "url"));
}

/* What the CA suggests (RFC 9773). */
static void
print_window(const struct acme_json *window)
{
    if (window == NULL)
        return;
    (void)printf("  %-14s%s to %s, picked %s\n", "suggested",
        acme_json_str(window, "start"), acme_json_str(window, "end"),
        acme_json_str(window, "pick"));
    print_text("see", acme_json_str(window, "url"));
}

/* Names that are not in the certificate, and why. */
static void
print_left_out(const struct acme_json *left_out)
{
    struct acme_left_out names;
    char text[ACME_LOG_LINE_MAX];

    acme_left_out_parse(left_out, &names);
    if (names.n > 0)
        print_text("without", acme_left_out_text(&names, text, sizeof(text)));
}

/* When and why, or only why: it is due now. */
static void
print_renewal(const struct acme_json *lineage)
{
    const char *at = acme_json_str(lineage, "renew_at");
    const char *why = acme_json_str(lineage, "renew_why");

    if (at == NULL && why == NULL)
        return;
    (void)printf("  %-14s%s%s%s%s\n", "renewal", at != NULL ? at : "due",
        why != NULL ? " (" : "", why != NULL ? why : "",
        why != NULL ? ")" : "");
}

/* The documents have paths below the state directory. */
static void
print_files(const char *state_dir, const struct acme_json *files)
{
    static const char *const names[][2] = { { "certificate", "certificate" },
        { "key file", "key" } };
    size_t i;

    for (i = 0; i < 2; i++) {
        const char *path = acme_json_str(files, names[i][1]);

        if (path != NULL)
            (void)printf("  %-14s%s/%s\n", names[i][0], state_dir, path);
    }
}

static void
print_lineage(const struct ctl *ctl, const char *state_dir,
    const struct acme_json *lineage)
{
    const struct acme_json *issuer = acme_json_get(lineage, "issuer");
    const struct acme_json *certificates =
        acme_json_get(lineage, "certificates");

    (void)printf("%s: %s\n", acme_json_str(lineage, "name"),
        acme_json_str(lineage, "state"));
    print_text("", acme_json_str(lineage, "state_text"));
    print_names(acme_json_get(lineage, "names"));
    print_list("missing", acme_json_get(lineage, "names_missing"));
    print_left_out(acme_json_get(lineage, "left_out"));
    print_list("keys", acme_json_get(lineage, "keys"));
    print_text("issuer", acme_json_str(issuer, "name"));
    print_asked(acme_json_get(lineage, "asked"));
    print_text("signed by", acme_json_str(lineage, "signed_by"));
    print_text("serial", acme_json_str(lineage, "serial"));
    print_validity(lineage);
    print_revoked(acme_json_at(certificates, 0));
    print_staple(acme_json_at(certificates, 0));
    if (acme_json_bool(acme_json_at(certificates, 0), "key_reused", false))
        print_text("key", "that of the version before");
    if (acme_json_bool(acme_json_at(certificates, 0), "csr", false))
        print_text("key", "the operator's own, of a signing request");
    print_others(certificates);
    if (acme_json_bool(lineage, "test_ca", false))
        print_text("test CA", "clients do not trust its certificates");
    print_renewal(lineage);
    print_window(acme_json_get(lineage, "renewal_info"));
    print_next(lineage);
    if (ctl->verbose)
        print_steps(acme_json_get(lineage, "steps"));
    print_error(acme_json_get(lineage, "error"));
    print_text("pre-flight", acme_json_str(lineage, "preflight"));
    print_hooks(acme_json_get(lineage, "hooks"));
    print_clock(lineage);
    print_text("conflict", acme_json_str(lineage, "conflict"));
    print_text("damage", acme_json_str(lineage, "damage"));
    print_files(state_dir, acme_json_get(lineage, "files"));
    print_list("declared by", acme_json_get(lineage, "declared"));
}

/* ---- all state directories -------------------------------------------- */

static int
read_state(const char *state_dir, struct acme_json **status)
{
    struct acme_store *store = NULL;
    struct acme_error err;
    int code = ctl_open(state_dir, &store);

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    if (acme_status_all(store, state_dir, time(NULL), status, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "cannot read \"%s\": %s", state_dir,
            err.what);
    acme_store_close(store);
    return code;
}

static void
print_servers(const struct acme_json *status)
{
    const struct acme_json *servers = acme_json_get(status, "servers");
    size_t i, n = acme_json_count(servers);

    (void)printf("state directory %s\n", acme_json_str(status, "state_dir"));
    if (!acme_json_bool(status, "separated", true))
        (void)puts("  not root's: every process of its owner can read the "
                   "keys");
    if (n == 0)
        (void)puts("  no server runs on it");
    for (i = 0; i < n; i++) {
        const struct acme_json *server = acme_json_at(servers, i);

        (void)printf("  served by %s (%s), pid %lld\n",
            acme_json_str(server, "server"), acme_json_str(server, "config"),
            (long long)acme_json_int(server, "pid", 0));
    }
}

static void
print_status(struct ctl *ctl, const struct acme_json *status)
{
    const struct acme_json *lineages = acme_json_get(status, "lineages");
    size_t i;

    print_servers(status);
    for (i = 0; i < acme_json_count(lineages); i++)
        print_lineage(ctl, acme_json_str(status, "state_dir"),
            acme_json_at(lineages, i));
}

/* ---- what is asked for ------------------------------------------------ */

/* Which of the words on the command line have been found. */
struct seen {
    bool cert_name[CTL_WORDS_MAX];
    bool domain[CTL_WORDS_MAX];
};

static bool
has_word(const struct acme_json *list, const char *word)
{
    size_t i;

    for (i = 0; i < acme_json_count(list); i++)
        if (strcmp(acme_json_text(acme_json_at(list, i)), word) == 0)
            return true;
    return false;
}

/* Each of the words that fits is `seen`. */
static bool
is_shown(const struct ctl *ctl, const struct acme_json *lineage,
    struct seen *seen)
{
    const struct acme_json *names = acme_json_get(lineage, "names");
    bool is = ctl->cert_names.n == 0 && ctl->domains.n == 0;
    size_t i;

    for (i = 0; i < ctl->cert_names.n; i++)
        if (strcmp(ctl->cert_names.word[i], acme_json_str(lineage, "name")) ==
            0)
            is = seen->cert_name[i] = true;
    for (i = 0; i < ctl->domains.n; i++)
        if (has_word(names, ctl->domains.word[i]))
            is = seen->domain[i] = true;
    return is;
}

/* The document without what was not asked for. */
static void
filter(const struct ctl *ctl, struct acme_json *status, struct seen *seen)
{
    const struct acme_json *lineages = acme_json_get(status, "lineages");
    struct acme_json *list = acme_json_array();
    size_t i;

    for (i = 0; i < acme_json_count(lineages); i++)
        if (is_shown(ctl, acme_json_at(lineages, i), seen))
            acme_json_append(list, acme_json_copy(acme_json_at(lineages, i)));
    acme_json_set(status, "lineages", list);
}

static int
check_seen(const struct ctl *ctl, const struct seen *seen)
{
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < ctl->cert_names.n; i++)
        if (!seen->cert_name[i])
            code = ctl_fail(CTL_FAILED, "there is no lineage \"%s\"",
                ctl->cert_names.word[i]);
    for (i = 0; i < ctl->domains.n; i++)
        if (!seen->domain[i])
            code = ctl_fail(CTL_FAILED, "no lineage has the name \"%s\"",
                ctl->domains.word[i]);
    return code;
}

int
ctl_each_status(struct ctl *ctl,
    void (*show)(struct ctl *ctl, const struct acme_json *status))
{
    struct seen seen;
    struct acme_json *status;
    int code = ctl_read_domains(ctl);
    size_t i;

    memset(&seen, 0, sizeof(seen));
    if (code == CTL_OK)
        code = ctl_find_states(ctl);
    for (i = 0; code == CTL_OK && i < ctl->nstates; i++) {
        status = NULL;
        code = read_state(ctl->state[i], &status);
        if (code != CTL_OK)
            break;
        filter(ctl, status, &seen);
        if (ctl->json) {
            code = ctl_print_json(status);
            continue;
        }
        if (!ctl->quiet)
            show(ctl, status);
        acme_json_free(status);
    }
    return code == CTL_OK ? check_seen(ctl, &seen) : code;
}

int
ctl_status(struct ctl *ctl)
{
    return ctl_each_status(ctl, print_status);
}

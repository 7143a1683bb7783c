/*
 * install --print: the lines of a server's configuration that use a lineage's
 * files.  acmectl writes into no configuration: its syntax, and whoever else
 * changes it, are the administrator's.
 */
#define _GNU_SOURCE
#include "acmectl/ctl_lineage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of a certificate file and its key; %s twice. */
struct form {
    const char *certificate;
    const char *key;
};

static const struct program {
    const char *name, *alias;
    const char *before;
    struct form line;
} programs[] = {
    { "nginx", NULL, "# in server { }, without acme_certificate:",
        { "ssl_certificate \"%s\";", "ssl_certificate_key \"%s\";" } },
    { "httpd", "apache", "# in <VirtualHost>, without ACMEDomain:",
        { "SSLCertificateFile \"%s\"", "SSLCertificateKeyFile \"%s\"" } },
    { "haproxy", NULL,
        "# HAProxy 3.0 and later; before that: acmectl export --format "
        "haproxy\ncrt-store",
        { "    load crt \"%s\"", " key \"%s\"" } },
    { "postfix", NULL, "# in main.cf:",
        { "smtpd_tls_cert_file = %s", "smtpd_tls_key_file = %s" } },
    { "dovecot", NULL,
        "# in conf.d/10-ssl.conf:", { "ssl_cert = <%s", "ssl_key = <%s" } },
};

#define NPROGRAMS (sizeof(programs) / sizeof(programs[0]))

#define PROGRAMS "nginx, httpd, haproxy, postfix, dovecot"

/* ---- text ------------------------------------------------------------- */

static void
add_path(struct acme_buf *out, const char *form, const char *live,
    const char *stem, const char *extra)
{
    const char *at = strstr(form, "%s");

    acme_buf_add(out, form, (size_t)(at - form));
    acme_buf_addf(out, "%s/%s%s%s.pem%s", live, stem, extra != NULL ? "." : "",
        extra != NULL ? extra : "", at + 2);
}

/* A certificate with its key: of HAProxy one line, of others two.  Of a
 * second key type only those that can serve it. */
static void
add_pair(struct acme_buf *out, const struct program *program, const char *live,
    const struct ctl_version *version, size_t i)
{
    const char *extra = i == 0 ? NULL : acme_key_algorithm(version->type[i]);

    if (i > 0 && strcmp(program->name, "nginx") != 0 &&
        strcmp(program->name, "httpd") != 0 &&
        strcmp(program->name, "haproxy") != 0)
        return;
    add_path(out, program->line.certificate, live, "fullchain", extra);
    if (version->keyless[i]) {
        acme_buf_add_str(out, "\n# its key is the operator's own\n");
        return;
    }
    if (program->line.key[0] != ' ')
        acme_buf_add_str(out, "\n");
    add_path(out, program->line.key, live, "privkey", extra);
    acme_buf_add_str(out, "\n");
}

static void
add_program(struct acme_buf *out, const struct program *program,
    const char *live, const struct ctl_version *version)
{
    size_t i;

    acme_buf_addf(out, "%s\n", program->before);
    for (i = 0; i < version->npairs; i++)
        add_pair(out, program, live, version, i);
}

/* ---- the verb --------------------------------------------------------- */

static const struct program *
find_program(const char *name)
{
    size_t i;

    for (i = 0; i < NPROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0 ||
            (programs[i].alias != NULL &&
                strcmp(programs[i].alias, name) == 0))
            return &programs[i];
    return NULL;
}

static int
check_usage(const struct ctl *ctl)
{
    int i;

    if (ctl->cert_name == NULL)
        return ctl_fail(CTL_USAGE,
            "say which lineage, by --cert-name NAME; acmectl certificates "
            "lists them");
    for (i = 0; i < ctl->argc; i++)
        if (find_program(ctl->argv[i]) == NULL)
            return ctl_fail(CTL_USAGE,
                "\"%s\" is none of the programs that are known: " PROGRAMS,
                ctl->argv[i]);
    if (!ctl->print)
        return ctl_fail(CTL_USAGE,
            "acmectl writes into no configuration; with --print it shows the "
            "lines to put there");
    return CTL_OK;
}

static int
look(const struct ctl *ctl, struct acme_store *store,
    struct ctl_version *version)
{
    struct acme_error err;
    unsigned number = 0;

    acme_error_clear(&err);
    if (acme_store_live(store, ctl->cert_name, &number, &err) == ACME_NOENT)
        return ctl_fail(CTL_FAILED,
            "%s has no certificate yet: its files are not there",
            ctl->cert_name);
    if (err.rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", ctl->cert_name, err.what);
    if (!ctl_version_look(store, ctl->cert_name, number, time(NULL), version))
        return ctl_fail(CTL_FAILED, "out of memory");
    if (version->damaged)
        return ctl_fail(CTL_FAILED, "%s: version %u is damaged: %s",
            ctl->cert_name, number, version->damage);
    return CTL_OK;
}

static int
print_all(const struct ctl *ctl, const char *live,
    const struct ctl_version *version)
{
    struct acme_json *root = ctl->json ? acme_json_object() : NULL;
    struct acme_buf out;
    size_t i;
    int k;

    acme_buf_init(&out, 65536);
    for (i = 0; i < NPROGRAMS; i++) {
        bool wanted = ctl->argc == 0;

        for (k = 0; k < ctl->argc; k++)
            wanted |= find_program(ctl->argv[k]) == &programs[i];
        if (!wanted)
            continue;
        if (root != NULL)
            acme_buf_reset(&out);
        else if (out.len > 0)
            acme_buf_add_str(&out, "\n");
        add_program(&out, &programs[i], live, version);
        if (root != NULL)
            acme_json_set_str(root, programs[i].name, acme_buf_str(&out));
    }
    if (root == NULL)
        (void)fputs(acme_buf_str(&out), stdout);
    acme_buf_clear(&out);
    if (root != NULL)
        return ctl_print_json(root);
    (void)fprintf(stderr,
        "acmectl: a server with the ACME module needs none of these lines; "
        "others have to be told to read the files again, by a deploy hook\n");
    return CTL_OK;
}

int
ctl_install(struct ctl *ctl)
{
    struct ctl_version *version = calloc(1, sizeof(*version));
    struct acme_store *store = NULL;
    char *whole = NULL, *live = NULL;
    int code = check_usage(ctl);

    if (code == CTL_OK && version == NULL)
        code = ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK)
        code = ctl_open_one(ctl, &store);
    if (code == CTL_OK)
        code = ctl_lineage_need(store, ctl->cert_name);
    if (code == CTL_OK)
        code = look(ctl, store, version);
    if (code == CTL_OK) {
        whole = realpath(ctl->state[0], NULL);
        if (whole == NULL ||
            asprintf(&live, "%s/live/%s", whole, ctl->cert_name) == -1)
            code = ctl_fail(CTL_FAILED, "out of memory");
        else
            code = print_all(ctl, live, version);
    }
    free(live);
    free(whole);
    free(version);
    acme_store_close(store);
    return code;
}

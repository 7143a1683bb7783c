/*
 * export: a certificate, with its key or without, in one file of the form that
 * another program wants.
 */
#include "acmectl/ctl_file.h"
#include "acmectl/ctl_lineage.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/acme_name.h"
#include "wrap/acme_pkcs12.h"

enum format {
    FORMAT_PEM,
    FORMAT_DER,
    FORMAT_HAPROXY,
    FORMAT_PKCS12
};

enum part {
    PART_ALL, /* the key as well */
    PART_KEY,
    PART_CERT,
    PART_CHAIN,
    PART_FULLCHAIN
};

struct export
{
    struct ctl *ctl;
    struct acme_store *store;
    enum format format;
    enum part part;
    unsigned number; /* 0: the live one */
    struct acme_buf password;
    struct acme_version version;
    struct acme_chain *chain;
    struct acme_key *key;
    struct acme_buf out;
    int fd; /* -1: standard output */
};

/* ---- what the command line says --------------------------------------- */

/* The choices are checked. */
static int
find_word(const char *word, const char *const *words, size_t n)
{
    size_t i = 0;

    while (i + 1 < n && strcasecmp(words[i], word) != 0)
        i++;
    return (int)i;
}

/* p12 and pfx are what people call it, too. */
static void
take_format(struct export *export)
{
    static const char *const formats[] = { "pem", "der", "haproxy", "pkcs12" };

    if (export->ctl->format != NULL)
        export->format =
            (enum format)find_word(export->ctl->format, formats, 4);
}

static int
take_part(struct export *export)
{
    static const char *const parts[] = { "all", "key", "cert", "chain",
        "fullchain" };

    export->part = export->format == FORMAT_DER ? PART_CERT : PART_ALL;
    if (export->ctl->part != NULL)
        export->part = (enum part)find_word(export->ctl->part, parts, 5);
    if (export->format == FORMAT_DER && export->part != PART_CERT &&
        export->part != PART_KEY)
        return ctl_fail(CTL_USAGE,
            "DER holds one thing: give --part cert or --part key");
    if ((export->format == FORMAT_PKCS12 ||
            export->format == FORMAT_HAPROXY) &&
        export->part != PART_ALL)
        return ctl_fail(CTL_USAGE,
            "--part is for the formats pem and der; the others have all");
    return CTL_OK;
}

static bool
has_key(const struct export *export)
{
    return export->part == PART_ALL || export->part == PART_KEY;
}

static int
check_usage(struct export *export)
{
    const struct ctl *ctl = export->ctl;
    int code;

    if (ctl->cert_name == NULL)
        return ctl_fail(CTL_USAGE,
            "say which lineage, by --cert-name NAME; acmectl certificates "
            "lists them");
    if (ctl->format != NULL && strcasecmp(ctl->format, "json") == 0)
        return ctl_fail(CTL_USAGE,
            "--format \"%s\" is one of account export, not of export",
            ctl->format);
    take_format(export);
    code = take_part(export);
    if (code != CTL_OK)
        return code;
    export->number = (unsigned)ctl->of_version;
    if (ctl->password_file != NULL && export->format != FORMAT_PKCS12)
        return ctl_fail(CTL_USAGE,
            "--password-file is for --format pkcs12; a key in another format "
            "is protected by nothing but the modes of its file");
    if (ctl->output == NULL && isatty(STDOUT_FILENO) &&
        (has_key(export) || export->format == FORMAT_DER))
        return ctl_fail(CTL_USAGE,
            "%s is not written to a terminal; name a file with -o FILE, or "
            "the terminal with -o -",
            has_key(export) ? "a private key" : "DER");
    return CTL_OK;
}

/* ---- what is exported ------------------------------------------------- */

static int
read_version(struct export *export)
{
    const char *name = export->ctl->cert_name;
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    rc = export->number != 0 ? acme_store_version_read(export->store, name,
                                   export->number, &export->version, &err)
                             : acme_store_live_read(export->store, name,
                                   &export->version, &err);
    if (rc == ACME_NOENT)
        return ctl_fail(CTL_FAILED, "%s has no certificate yet", name);
    if (rc != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s: %s", name, err.what);
    if (err.rc != ACME_OK)
        (void)fprintf(stderr,
            "acmectl: %s: the live version is damaged, this is version %u: "
            "%s\n",
            name, export->version.number, err.what);
    return CTL_OK;
}

/* The first pair, or that of the algorithm which is named. */
static const struct acme_pair *
find_pair(const struct export *export)
{
    const char *wanted = export->ctl->key_algorithm;
    size_t i;

    for (i = 0; i < export->version.npairs; i++)
        if (wanted == NULL ||
            strcasecmp(acme_key_algorithm(export->version.pair[i].type),
                wanted) == 0)
            return &export->version.pair[i];
    return NULL;
}

static int
parse_pair(struct export *export)
{
    const char *name = export->ctl->cert_name;
    const struct acme_pair *pair = find_pair(export);
    struct acme_error err;

    if (pair == NULL)
        return ctl_fail(CTL_FAILED,
            "%s has no certificate with a key of \"%s\"; acmectl versions "
            "shows what it has",
            name, export->ctl->key_algorithm);
    if (has_key(export) && pair->key.len == 0)
        return ctl_fail(CTL_FAILED,
            "%s is a certificate for the operator's own key, which is not "
            "here; --part fullchain exports the rest",
            name);
    acme_error_clear(&err);
    if (acme_chain_from_der(pair->chain.data, pair->chain.len, &export->chain,
            &err) != ACME_OK ||
        (has_key(export) && acme_key_from_der(pair->key.data, pair->key.len,
                                &export->key, &err) != ACME_OK))
        return ctl_fail(CTL_FAILED, "%s: %s", name, err.what);
    return CTL_OK;
}

/* Key first, as the files of Certbot are put together; HAProxy's own
 * documentation has it last. */
static enum acme_rc
render_pem(struct export *export, struct acme_error *err)
{
    const enum part part = export->part;
    const bool last = export->format == FORMAT_HAPROXY;
    enum acme_rc rc = ACME_OK;

    if (has_key(export) && !last)
        rc = acme_key_to_pem(export->key, &export->out, err);
    if (rc == ACME_OK && part != PART_KEY && part != PART_CHAIN)
        rc = acme_chain_to_pem(export->chain, 0, 1, &export->out, err);
    if (rc == ACME_OK && part != PART_KEY && part != PART_CERT &&
        acme_chain_count(export->chain) > 1)
        rc = acme_chain_to_pem(export->chain, 1, 0, &export->out, err);
    if (rc == ACME_OK && has_key(export) && last)
        rc = acme_key_to_pem(export->key, &export->out, err);
    return rc;
}

static int
render(struct export *export)
{
    struct acme_error err;
    enum acme_rc rc;

    acme_error_clear(&err);
    if (export->format == FORMAT_PKCS12)
        rc = acme_pkcs12_render(export->chain, export->key,
            export->ctl->cert_name, acme_buf_str(&export->password),
            &export->out, &err);
    else if (export->format != FORMAT_DER)
        rc = render_pem(export, &err);
    else if (export->part == PART_KEY)
        rc = acme_key_to_der(export->key, &export->out, &err);
    else
        rc = acme_chain_to_der(export->chain, 0, 1, &export->out, &err);
    if (rc != ACME_OK || !acme_buf_ok(&export->out))
        return ctl_fail(CTL_FAILED, "%s: %s", export->ctl->cert_name,
            rc != ACME_OK ? err.what : "out of memory");
    return CTL_OK;
}

/* ---- the verb --------------------------------------------------------- */

/* Everything outside of the state directory comes before we become its
 * owner. */
static int
open_files(struct export *export)
{
    const struct ctl *ctl = export->ctl;
    int code = CTL_OK;

    if (export->format == FORMAT_PKCS12)
        code = ctl_password(ctl, ctl->password_file, "--password-file",
            &export->password);
    if (code == CTL_OK && ctl->output != NULL && strcmp(ctl->output, "-") != 0)
        code = ctl_file_create(ctl->output, &export->fd);
    return code;
}

static int
collect(struct export *export)
{
    int code = ctl_open_one(export->ctl, &export->store);

    if (code == CTL_OK)
        code = ctl_lineage_need(export->store, export->ctl->cert_name);
    if (code == CTL_OK)
        code = read_version(export);
    if (code == CTL_OK)
        code = parse_pair(export);
    if (code == CTL_OK)
        code = render(export);
    return code;
}

static int
put(struct export *export)
{
    const struct ctl *ctl = export->ctl;
    int fd = export->fd, code;

    export->fd = -1;
    if (fd == -1) {
        if (fwrite(export->out.data, 1, export->out.len, stdout) ==
                export->out.len &&
            fflush(stdout) == 0)
            return CTL_OK;
        return ctl_fail(CTL_FAILED, "cannot write to standard output");
    }
    code = ctl_file_finish(ctl->output, fd, &export->out);
    if (code == CTL_OK && !ctl->quiet)
        (void)fprintf(stderr, "acmectl: %s: version %u is in \"%s\"%s\n",
            ctl->cert_name, export->version.number, ctl->output,
            has_key(export) ? ", with the private key" : "");
    return code;
}

static void
clear(struct export *export)
{
    if (export->fd != -1)
        ctl_file_give_up(export->ctl->output, export->fd);
    acme_buf_clear(&export->password);
    acme_buf_clear(&export->out);
    acme_version_clear(&export->version);
    acme_chain_free(export->chain);
    acme_key_unref(export->key);
    acme_store_close(export->store);
}

int
ctl_export(struct ctl *ctl)
{
    struct export export;
    int code;

    if (ctl->format != NULL && strcasecmp(ctl->format, "certbot") == 0)
        return ctl_export_certbot(ctl);
    memset(&export, 0, sizeof(export));
    export.ctl = ctl;
    export.fd = -1;
    acme_version_init(&export.version);
    acme_buf_init_secret(&export.password, 1);
    acme_buf_init_secret(&export.out, (size_t)4 * ACME_STATE_PEM_MAX);
    code = check_usage(&export);
    if (code == CTL_OK)
        code = open_files(&export);
    if (code == CTL_OK)
        code = collect(&export);
    if (code == CTL_OK)
        code = put(&export);
    clear(&export);
    return code;
}

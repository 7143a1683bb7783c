/*
 * The command line: options, verbs, and finding the state directory.  What
 * a verb does is in ctl_*.c.
 */
#define _GNU_SOURCE
#include "acmectl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_version.h"

#ifndef ACME_NGINX_STATE_DIR
#define ACME_NGINX_STATE_DIR "/var/lib/nginx/acme"
#endif
#ifndef ACME_HTTPD_STATE_DIR
#define ACME_HTTPD_STATE_DIR "/var/lib/apache2/acme"
#endif

static const struct verb {
    const char *name;
    int (*run)(struct ctl *ctl);
    const char *help;
} verbs[] = {
    { "certificates", ctl_certificates,
        "certificates [--cert-name NAME]   show every lineage" },
    { "status", ctl_status,
        "status [--cert-name NAME]         servers, lineages and trouble" },
    { "renew", ctl_renew,
        "renew [--cert-name NAME...] [--force] [--no-wait]\n"
        "                                    "
        "renew what is due; with --force, now\n"
        "  renew --dry-run [--cert-name NAME...] [--server URL]\n"
        "                                    "
        "try it, whatever the date, at a staging CA\n"
        "                                    "
        "if there is one; nothing is kept" },
    { "revoke", ctl_revoke,
        "revoke --cert-name NAME | --cert-path FILE [--key-path FILE]\n"
        "    [--reason REASON] [--server URL]   "
        "have its CA revoke a certificate" },
    { "account", ctl_account,
        "account list | show [-d] | update CONTACT...|clear |\n"
        "    rekey [ecdsa[:SIZE]|rsa[:SIZE]|FILE] [--force] |\n"
        "    deactivate --confirm [--account ID] [--server URL]\n"
        "                                    "
        "the accounts at CAs" },
    { "key", ctl_key,
        "key thumbprint [FILE...]          "
        "thumbprints of the account keys, or of files" },
    { "dns", ctl_dns,
        "dns records|check [LINEAGE...|-d NAME...] [--type TYPE,...]\n"
        "    [--ttl N] [--until TIME]        "
        "the records that prove names, for a zone file,\n"
        "                                    "
        "or as they are in the DNS" },
    { "selftest", ctl_selftest,
        "selftest [-d] [NAME...]           "
        "whether the CA will find the proof of names" },
    { "events", ctl_events,
        "events [--cert-name NAME | -d NAME] [--lines N] [-f]\n"
        "                                    "
        "what has happened; with -f, and goes on" },
    { "version", ctl_version,
        "version                           version of this program" },
};

#define NVERBS (sizeof(verbs) / sizeof(verbs[0]))

int
ctl_fail(int code, const char *fmt, ...)
{
    va_list args;

    (void)fputs("acmectl: ", stderr);
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    return code;
}

int
ctl_print_json(struct acme_json *json)
{
    struct acme_error err;
    struct acme_buf text;
    int code = CTL_OK;

    acme_error_clear(&err);
    acme_buf_init(&text, 64 * 1024 * 1024);
    if (acme_json_render(json, true, &text, &err) == ACME_OK)
        (void)fputs(acme_buf_str(&text), stdout);
    else
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    acme_buf_clear(&text);
    acme_json_free(json);
    return code;
}

int
ctl_version(struct ctl *ctl)
{
    struct acme_json *json;

    if (!ctl->json) {
        (void)printf("acmectl %s\n", ACME_VERSION);
        return CTL_OK;
    }
    json = acme_json_object();
    acme_json_set_str(json, "version", ACME_VERSION);
    return ctl_print_json(json);
}

/* ---- the state directory ---------------------------------------------- */

static bool
exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
ctl_find_states(struct ctl *ctl)
{
    static const char *const defaults[] = { ACME_NGINX_STATE_DIR,
        ACME_HTTPD_STATE_DIR };
    const char *given = ctl->state_dir;
    size_t i;

    if (given == NULL)
        given = getenv("ACME_STATE_DIR");
    if (given != NULL) {
        if (!exists(given))
            return ctl_fail(CTL_FAILED, "there is no state directory \"%s\"",
                given);
        ctl->state[ctl->nstates++] = given;
        return CTL_OK;
    }
    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        if (exists(defaults[i]))
            ctl->state[ctl->nstates++] = defaults[i];
    }
    if (ctl->nstates == 0)
        return ctl_fail(CTL_FAILED,
            "found no state directory (looked for %s and %s); name it with "
            "--state-dir or ACME_STATE_DIR",
            defaults[0], defaults[1]);
    return CTL_OK;
}

/* For good, and with the groups, before anything below is opened. */
static bool
become(const struct stat *st)
{
    return setgroups(0, NULL) == 0 &&
           setresgid(st->st_gid, st->st_gid, st->st_gid) == 0 &&
           setresuid(st->st_uid, st->st_uid, st->st_uid) == 0 &&
           setuid(0) != 0;
}

int
ctl_open(const char *state_dir, struct acme_store **store)
{
    struct acme_error err;
    struct stat st;

    if (stat(state_dir, &st) != 0)
        return ctl_fail(CTL_FAILED, "cannot use \"%s\": %s", state_dir,
            strerror(errno));
    if (geteuid() != st.st_uid && geteuid() != 0)
        return ctl_fail(CTL_FAILED,
            "\"%s\" belongs to %s; run acmectl as that user", state_dir,
            st.st_uid == 0 ? "root" : "another user");
    if (geteuid() != st.st_uid && !become(&st))
        return ctl_fail(CTL_FAILED,
            "cannot become the owner (uid %ld) of \"%s\"", (long)st.st_uid,
            state_dir);
    acme_error_clear(&err);
    if (acme_store_open(state_dir, ACME_STORE_READ, store, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "cannot use \"%s\": %s", state_dir,
            err.what);
    return CTL_OK;
}

int
ctl_open_one(struct ctl *ctl, struct acme_store **store)
{
    int code = ctl_find_states(ctl);

    if (code == CTL_OK && ctl->nstates > 1)
        code = ctl_fail(CTL_USAGE,
            "there are %zu state directories (%s, %s); say which with "
            "--state-dir",
            ctl->nstates, ctl->state[0], ctl->state[1]);
    return code == CTL_OK ? ctl_open(ctl->state[0], store) : code;
}

void
ctl_log(void *ctx, enum acme_level level, const char *line)
{
    const struct ctl *ctl = ctx;

    if (level <= ACME_LOG_WARN || ctl->verbose)
        (void)fprintf(stderr, "acmectl: %s\n", line);
}

/* ---- command line ----------------------------------------------------- */

static void
print_help(FILE *out)
{
    size_t i;

    (void)fputs("usage: acmectl [OPTION...] VERB [OPTION...]\n\nverbs:\n",
        out);
    for (i = 0; i < NVERBS; i++)
        (void)fprintf(out, "  %s\n", verbs[i].help);
    (void)fputs("\noptions:\n"
                "  --state-dir DIR   the state directory of the server\n"
                "  --json            print JSON\n"
                "  -q, --quiet       print errors only\n"
                "  -v, --verbose     print steps\n"
                "  -n                never ask (nothing does yet)\n"
                "  --version         version of this program\n"
                "  -h, --help        this text\n",
        out);
}

enum option_id {
    OPT_STATE_DIR = 256,
    OPT_JSON,
    OPT_FORCE,
    OPT_NO_WAIT,
    OPT_DRY_RUN,
    OPT_CERT_NAME,
    OPT_ACCOUNT,
    OPT_CONFIRM,
    OPT_CERT_PATH,
    OPT_KEY_PATH,
    OPT_REASON,
    OPT_SERVER,
    OPT_NO_DELETE,
    OPT_TYPE,
    OPT_TTL,
    OPT_UNTIL,
    OPT_LINES,
    OPT_VERSION
};

/* Where the word of an option goes; NULL: it has none. */
static const char **
text_of(struct ctl *ctl, int option)
{
    switch (option) {
    case OPT_STATE_DIR:
        return &ctl->state_dir;
    case OPT_ACCOUNT:
        return &ctl->account;
    case OPT_CERT_PATH:
        return &ctl->cert_path;
    case OPT_KEY_PATH:
        return &ctl->key_path;
    case OPT_REASON:
        return &ctl->reason;
    case OPT_SERVER:
        return &ctl->server;
    case OPT_TYPE:
        return &ctl->type;
    case OPT_TTL:
        return &ctl->ttl;
    case OPT_UNTIL:
        return &ctl->until;
    case OPT_LINES:
        return &ctl->lines;
    default:
        return NULL;
    }
}

/* What an option turns on; NULL: nothing. */
static bool *
flag_of(struct ctl *ctl, int option)
{
    switch (option) {
    case OPT_JSON:
        return &ctl->json;
    case OPT_FORCE:
        return &ctl->force;
    case OPT_NO_WAIT:
        return &ctl->no_wait;
    case OPT_DRY_RUN:
        return &ctl->dry_run;
    case OPT_CONFIRM:
        return &ctl->confirm;
    case 'd':
        return &ctl->details;
    case 'f':
        return &ctl->follow;
    case 'q':
        return &ctl->quiet;
    case 'v':
        return &ctl->verbose;
    default:
        return NULL;
    }
}

static int
take_cert_name(struct ctl *ctl)
{
    if (ctl->ncert_names == CTL_CERT_NAMES_MAX)
        return ctl_fail(CTL_USAGE, "--cert-name is given more than %d times",
            CTL_CERT_NAMES_MAX);
    ctl->cert_name = ctl->cert_names[ctl->ncert_names++] = optarg;
    return CTL_OK;
}

/* CTL_OK to go on, -1 when help was printed, else an exit code. */
static int
take_option(struct ctl *ctl, int option)
{
    const char **text = text_of(ctl, option);
    bool *flag = flag_of(ctl, option);

    if (text != NULL) {
        *text = optarg;
        return CTL_OK;
    }
    if (flag != NULL) {
        *flag = true;
        return CTL_OK;
    }
    switch (option) {
    case OPT_CERT_NAME:
        return take_cert_name(ctl);
    case 'n':
    case OPT_NO_DELETE: /* nothing is deleted anyway */
        return CTL_OK;
    case 'h':
        print_help(stdout);
        return -1;
    case OPT_VERSION:
        (void)ctl_version(ctl);
        return -1;
    default:
        return ctl_fail(CTL_USAGE, "see acmectl --help");
    }
}

static int
parse(struct ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {
        { "state-dir", required_argument, NULL, OPT_STATE_DIR },
        { "json", no_argument, NULL, OPT_JSON },
        { "force", no_argument, NULL, OPT_FORCE },
        { "force-renewal", no_argument, NULL, OPT_FORCE },
        { "no-wait", no_argument, NULL, OPT_NO_WAIT },
        { "dry-run", no_argument, NULL, OPT_DRY_RUN },
        { "cert-name", required_argument, NULL, OPT_CERT_NAME },
        { "account", required_argument, NULL, OPT_ACCOUNT },
        { "confirm", no_argument, NULL, OPT_CONFIRM },
        { "details", no_argument, NULL, 'd' },
        { "cert-path", required_argument, NULL, OPT_CERT_PATH },
        { "key-path", required_argument, NULL, OPT_KEY_PATH },
        { "reason", required_argument, NULL, OPT_REASON },
        { "server", required_argument, NULL, OPT_SERVER },
        { "type", required_argument, NULL, OPT_TYPE },
        { "ttl", required_argument, NULL, OPT_TTL },
        { "until", required_argument, NULL, OPT_UNTIL },
        { "lines", required_argument, NULL, OPT_LINES },
        { "follow", no_argument, NULL, 'f' },
        { "no-delete-after-revoke", no_argument, NULL, OPT_NO_DELETE },
        { "quiet", no_argument, NULL, 'q' },
        { "verbose", no_argument, NULL, 'v' },
        { "non-interactive", no_argument, NULL, 'n' },
        { "version", no_argument, NULL, OPT_VERSION },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option, code = CTL_OK;

    while (code == CTL_OK &&
           (option = getopt_long(argc, argv, "qvndfh", options, NULL)) != -1)
        code = take_option(ctl, option);
    ctl->argc = argc - optind;
    ctl->argv = argv + optind;
    return code;
}

static int
run(struct ctl *ctl)
{
    const char *name = ctl->argc > 0 ? ctl->argv[0] : NULL;
    size_t i;

    if (name == NULL) {
        print_help(stderr);
        return CTL_USAGE;
    }
    for (i = 0; i < NVERBS; i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        if (ctl->dry_run && verbs[i].run != ctl_renew)
            return ctl_fail(CTL_USAGE,
                "--dry-run is for \"renew\", not for "
                "\"%s\"",
                name);
        if (ctl->ncert_names > 1 && verbs[i].run != ctl_renew)
            return ctl_fail(CTL_USAGE,
                "--cert-name is given %zu times; \"%s\" takes one",
                ctl->ncert_names, name);
        ctl->argc--;
        ctl->argv++;
        return verbs[i].run(ctl);
    }
    return ctl_fail(CTL_USAGE, "unknown verb \"%s\", see acmectl --help",
        name);
}

/* What other people's environments must not decide. */
static void
clean_environment(void)
{
    static const char *const names[] = { "SSLKEYLOGFILE", "OPENSSL_CONF",
        "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
        "CURL_CA_BUNDLE", "CURL_HOME" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unsetenv(names[i]);
}

int
main(int argc, char **argv)
{
    struct ctl ctl;
    int code;

    if (getauxval(AT_SECURE) != 0)
        return ctl_fail(CTL_FAILED, "must not be installed setuid");
    clean_environment();
    memset(&ctl, 0, sizeof(ctl));
    code = parse(&ctl, argc, argv);
    if (code != CTL_OK)
        return code == -1 ? CTL_OK : code;
    return run(&ctl);
}

/*
 * import: lineages of another ACME client.  What there is of them is read
 * first, by whoever runs the command; it is looked into, and written, in a
 * process of its own which can reach the state directory and nothing else.
 */
#include "acmectl/ctl_import.h"
#include "acmectl/ctl_blueprint.h"
#include "acmectl/ctl_file.h"
#include "acmectl/ctl_lineage.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"
#include "drive/acme_sandbox.h"
#include "state/acme_dir.h"

static const struct client {
    const char *word, *name;
    enum acme_rc (*read)(const char *path,
        const struct acme_foreign_wanted *wanted, struct acme_foreign *foreign,
        struct acme_error *err);
    bool anybodys; /* its files are those of a server's user */
    ctl_import_read_accounts *accounts; /* NULL: they are in its directory */
} clients[] = {
    { "certbot", "Certbot", acme_foreign_certbot_read, false, NULL },
    { "mod_md", "mod_md", acme_foreign_md_read, false, NULL },
    { "nginx-acme", "nginx's own module", acme_foreign_nginx_read, true,
        NULL },
    { "acme.sh", "acme.sh", acme_foreign_acme_sh_read, false, NULL },
    { "lego", "lego", acme_foreign_lego_read, false, NULL },
    { "uacme", "uacme", acme_foreign_uacme_read, false, NULL },
    { "blueprint", "AutoSSL", ctl_blueprint_read, false,
        ctl_blueprint_accounts },
};
#define CLIENTS (sizeof(clients) / sizeof(clients[0]))

struct import {
    struct ctl *ctl;
    const struct client *client;
    const char *path;
    struct acme_foreign *foreign;
    struct acme_store *store; /* NULL: a dry run, and there is none */
    struct ctl_import_lineage *lineage;
    struct ctl_import_accounts accounts;
    bool *hook_kept; /* another program of its name is here */
    struct acme_json *json;
};

/* ---- what is asked for ------------------------------------------------ */

static int
find_client(struct import *import)
{
    const char *word = import->ctl->argc > 0 ? import->ctl->argv[0] : "";
    char known[128] = "";
    size_t i, n = 0;

    for (i = 0; i < CLIENTS; i++) {
        if (strcasecmp(clients[i].word, word) == 0)
            import->client = &clients[i];
        n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s",
            i > 0 ? ", " : "", clients[i].word);
    }
    if (import->client == NULL)
        return ctl_fail(CTL_USAGE,
            "import takes the name of a client (%s) and where its files are",
            known);
    if (import->ctl->argc != 2)
        return ctl_fail(CTL_USAGE,
            "import %s takes one path: where its files are", word);
    return CTL_OK;
}

/* As it was said, from here. */
static int
find_path(struct import *import)
{
    const char *path = import->ctl->argv[1];
    char here[PATH_MAX];
    char *whole;
    size_t len;

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return ctl_fail(CTL_FAILED, "the working directory has no name");
    whole = acme_arena_printf(import->ctl->arena, "%s%s%s",
        path[0] == '/' ? "" : here, path[0] == '/' ? "" : "/", path);
    if (whole == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    for (len = strlen(whole); len > 1 && whole[len - 1] == '/'; len--)
        whole[len - 1] = '\0';
    import->path = whole;
    return CTL_OK;
}

static int
check_usage(struct import *import)
{
    const struct ctl *ctl = import->ctl;
    int code = find_client(import);

    if (code == CTL_OK && ctl->new_name != NULL && ctl->cert_names.n != 1)
        code = ctl_fail(CTL_USAGE,
            "--new-name is that of one lineage, which --cert-name names");
    return code == CTL_OK ? find_path(import) : code;
}

/* ---- reading ---------------------------------------------------------- */

static int
read_all(struct import *import)
{
    struct ctl *ctl = import->ctl;
    struct acme_foreign *foreign = import->foreign;
    const struct acme_foreign_wanted wanted = { ctl->cert_names.n,
        ctl->cert_names.word };
    struct acme_error err;
    size_t i, k;

    acme_error_clear(&err);
    if (import->client->read(import->path, &wanted, foreign, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    for (i = 0; i < wanted.n; i++) {
        for (k = 0; k < foreign->n; k++)
            if (strcmp(foreign->lineage[k].name, wanted.name[i]) == 0)
                break;
        if (k == foreign->n)
            return ctl_fail(CTL_FAILED, "%s has no lineage \"%s\" in \"%s\"",
                import->client->name, wanted.name[i], import->path);
    }
    return CTL_OK;
}

/* For clients that do not say. */
static const char *
find_server(const struct ctl *ctl)
{
    const char *directory =
        ctl->server != NULL ? acme_issuer_directory(ctl->server) : NULL;

    return directory != NULL ? directory : ctl->server;
}

/* What the client has from its environment, if at all. */
static int
take_trust(struct import *import)
{
    struct ctl *ctl = import->ctl;
    char *whole;
    size_t i;

    if (ctl->ca_file == NULL)
        return CTL_OK;
    whole = realpath(ctl->ca_file, NULL);
    if (whole == NULL)
        return ctl_fail(CTL_USAGE, "--ca-file: there is no \"%s\"",
            ctl->ca_file);
    ctl->ca_file = acme_arena_strdup(ctl->arena, whole);
    free(whole);
    for (i = 0; i < import->foreign->n; i++)
        import->foreign->lineage[i].issuer.ca_file = ctl->ca_file;
    return CTL_OK;
}

/* ---- saying ----------------------------------------------------------- */

static const char *
clean(const char *text, char out[1200])
{
    return acme_log_clean(out, 1200, text, strlen(text));
}

static void
print_notes(const struct acme_foreign_notes *notes, const char *indent)
{
    char field[1200], value[1200], why[1200];
    size_t i;

    for (i = 0; i < notes->n; i++)
        (void)printf("%snot taken over: %s%s%s: %s\n", indent,
            clean(notes->note[i].field, field),
            notes->note[i].value[0] != '\0' ? " " : "",
            clean(notes->note[i].value, value),
            clean(notes->note[i].why, why));
}

static struct acme_json *
render_notes(const struct acme_foreign_notes *notes)
{
    struct acme_json *list = acme_json_array(), *one;
    char text[1200];
    size_t i;

    for (i = 0; i < notes->n; i++) {
        one = acme_json_object();
        acme_json_set_str(one, "field", clean(notes->note[i].field, text));
        acme_json_set_str(one, "value", clean(notes->note[i].value, text));
        acme_json_set_str(one, "why", clean(notes->note[i].why, text));
        acme_json_append(list, one);
    }
    return list;
}

static const char *
tell_fate(const struct import *import,
    const struct ctl_import_lineage *lineage)
{
    const bool dry = import->ctl->dry_run;

    switch (lineage->fate) {
    case CTL_IMPORT_HERE:
        return "it is here already; nothing to do";
    case CTL_IMPORT_JOINS:
        return dry ? "would be taken over, for a server that wants it"
                   : "taken over, for a server that wants it";
    case CTL_IMPORT_NEW:
        if (lineage->declared)
            return dry ? "would be taken over, and renewed from here"
                       : "taken over, and renewed from here";
        return dry ? "would be taken over" : "taken over";
    default:
        return lineage->why;
    }
}

static bool
is_good(const struct ctl_import_lineage *lineage)
{
    return lineage->fate != CTL_IMPORT_CLASH &&
           lineage->fate != CTL_IMPORT_TROUBLE;
}

static void
render_lineage(const struct import *import,
    const struct ctl_import_lineage *lineage, struct acme_json *list)
{
    const struct acme_foreign_lineage *from = lineage->from;
    static const char *const fates[CTL_IMPORT_FATES] = { "new", "joins",
        "here", "clash", "trouble" };
    struct acme_json *one = acme_json_object(), *names = acme_json_array();
    char text[1200];
    size_t i;

    acme_json_set_str(one, "name", from->name);
    if (strcmp(lineage->name, from->name) != 0)
        acme_json_set_str(one, "new_name", lineage->name);
    acme_json_set_bool(one, "ok", is_good(lineage));
    acme_json_set_str(one, "fate", fates[lineage->fate]);
    acme_json_set_str(one, "text", clean(tell_fate(import, lineage), text));
    for (i = 0; i < lineage->nnames; i++)
        acme_json_append_str(names, lineage->names[i]);
    acme_json_set(one, "names", names);
    acme_json_set_int(one, "versions", (int64_t)from->nversions);
    if (from->nversions > 0) {
        acme_json_set_int(one, "live",
            from->version[from->live].number != 0
                ? from->version[from->live].number
                : (int64_t)from->live + 1);
        acme_json_set_time(one, "not_after", lineage->live.not_after);
        acme_json_set_str(one, "serial", lineage->live.serial);
    }
    acme_json_set(one, "not_taken_over", render_notes(&from->notes));
    acme_json_append(list, one);
}

static void
print_lineage(const struct import *import,
    const struct ctl_import_lineage *lineage)
{
    const struct acme_foreign_lineage *from = lineage->from;
    char text[1200], name[1200], until[ACME_TIME_TEXT];

    if (!is_good(lineage)) {
        (void)ctl_fail(CTL_FAILED, "%s: %s", clean(from->name, name),
            clean(tell_fate(import, lineage), text));
        return;
    }
    if (import->ctl->quiet)
        return;
    (void)printf("%s: %s", clean(from->name, name),
        tell_fate(import, lineage));
    if (strcmp(lineage->name, from->name) != 0)
        (void)printf(", as %s", lineage->name);
    if (from->nversions > 0)
        (void)printf(" (%zu version%s, valid until %s)", from->nversions,
            from->nversions > 1 ? "s" : "",
            acme_time_format(lineage->live.not_after, until));
    (void)printf("\n");
    if (lineage->fate != CTL_IMPORT_HERE)
        print_notes(&from->notes, "    ");
}

static void
print_stops(const struct import *import)
{
    const struct acme_foreign_notes *stops = &import->foreign->stops;
    size_t i;

    if (stops->n > 0)
        (void)printf("%s goes on renewing there until it is told not to:\n",
            import->client->name);
    for (i = 0; i < stops->n; i++)
        (void)printf("    %s\n", stops->note[i].why);
}

static void
render_stops(const struct import *import)
{
    const struct acme_foreign_notes *stops = &import->foreign->stops;
    struct acme_json *list = acme_json_array(), *one;
    size_t i;

    for (i = 0; i < stops->n; i++) {
        one = acme_json_object();
        acme_json_set_str(one, "what", stops->note[i].field);
        acme_json_set_str(one, "command", stops->note[i].why);
        acme_json_append(list, one);
    }
    acme_json_set(import->json, "stop", list);
}

static const char *
tell_account(const struct import *import,
    const struct ctl_import_account *account)
{
    switch (account->fate) {
    case CTL_IMPORT_ACCOUNT_NEW:
        return import->ctl->dry_run ? "would be taken over" : "taken over";
    case CTL_IMPORT_ACCOUNT_HERE:
        return "it is here already";
    default:
        return account->why != NULL ? account->why : "no lineage needs it";
    }
}

/* By what the CA calls it, or the file of its key. */
static void
tell_accounts(const struct import *import)
{
    struct acme_json *list = import->json != NULL ? acme_json_array() : NULL;
    const struct ctl_import_account *account;
    char name[1200], text[1200];
    struct acme_json *one;
    size_t i;

    for (i = 0; i < import->accounts.read.n; i++) {
        account = &import->accounts.list[i];
        (void)clean(account->from->url[0] != '\0' ? account->from->url
                                                  : account->from->from,
            name);
        (void)clean(tell_account(import, account), text);
        if (list == NULL && !import->ctl->quiet)
            (void)printf("account %s: %s\n", name, text);
        if (list == NULL)
            continue;
        one = acme_json_object();
        acme_json_set_str(one, "account", name);
        acme_json_set_str(one, "directory", account->directory);
        acme_json_set_bool(one, "ok",
            account->fate != CTL_IMPORT_ACCOUNT_LEFT);
        acme_json_set_str(one, "text", text);
        acme_json_append(list, one);
    }
    if (list != NULL)
        acme_json_set(import->json, "accounts", list);
}

static void
tell_hooks(const struct import *import)
{
    const struct acme_foreign *foreign = import->foreign;
    struct acme_json *list = import->json != NULL ? acme_json_array() : NULL;
    char path[1200], text[1200];
    size_t i;

    for (i = 0; i < foreign->nhooks; i++) {
        if (import->hook_kept[i])
            continue;
        (void)snprintf(path, sizeof(path), "renewal-hooks/%s/%s",
            foreign->hook[i].stage, foreign->hook[i].name);
        if (list != NULL)
            acme_json_append_str(list, clean(path, text));
        else if (!import->ctl->quiet)
            (void)printf("%s: %s\n", clean(path, text),
                import->ctl->dry_run ? "would be copied" : "copied");
    }
    if (list != NULL)
        acme_json_set(import->json, "hooks", list);
}

static void
tell(struct import *import)
{
    const struct acme_foreign *foreign = import->foreign;
    struct acme_json *list = import->json != NULL ? acme_json_array() : NULL;
    size_t i;

    for (i = 0; i < foreign->n; i++)
        if (list != NULL)
            render_lineage(import, &import->lineage[i], list);
        else
            print_lineage(import, &import->lineage[i]);
    tell_accounts(import);
    tell_hooks(import);
    if (list != NULL) {
        acme_json_set_str(import->json, "client", import->client->word);
        acme_json_set_bool(import->json, "dry_run", import->ctl->dry_run);
        acme_json_set(import->json, "lineages", list);
        acme_json_set(import->json, "not_taken_over",
            render_notes(&foreign->notes));
        render_stops(import);
        (void)ctl_print_json(import->json);
        import->json = NULL;
    } else if (!import->ctl->quiet) {
        print_notes(&foreign->notes, "");
        print_stops(import);
    }
}

/* ---- hooks ------------------------------------------------------------ */

/* Whoever is here stays; the same is as good as copied. */
static int
write_hook(struct import *import, size_t i)
{
    struct acme_foreign *foreign = import->foreign;
    const struct acme_foreign_hook *hook = &foreign->hook[i];
    const int fd = import->store != NULL ? acme_store_fd(import->store) : -1;
    char path[PATH_MAX];
    struct acme_error err, why;
    struct acme_buf here;
    bool same;

    (void)snprintf(path, sizeof(path), "renewal-hooks/%s/%s", hook->stage,
        hook->name);
    acme_error_clear(&err);
    acme_error_clear(&why);
    acme_buf_init(&here, ACME_STATE_PEM_MAX);
    if (fd != -1 && acme_dir_read(fd, path, geteuid(), ACME_STATE_PEM_MAX,
                        &here, &why) != ACME_NOENT) {
        same = why.rc == ACME_OK && here.len == hook->text.len &&
               memcmp(acme_buf_str(&here), acme_buf_str(&hook->text),
                   here.len) == 0;
        import->hook_kept[i] = true;
        if (!same)
            (void)acme_foreign_note(foreign, &foreign->notes, path, "",
                "there is another program of that name here");
    } else if (!import->ctl->dry_run) {
        (void)acme_dir_write(fd, path, 0700, acme_buf_str(&hook->text),
            hook->text.len, &err);
    }
    acme_buf_clear(&here);
    return err.rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

static int
write_hooks(struct import *import)
{
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < import->foreign->nhooks && code == CTL_OK; i++)
        code = write_hook(import, i);
    return code;
}

/* ---- lineages --------------------------------------------------------- */

/* A look at all of them: where one is another's, nothing is written. */
static int
look_at_all(struct import *import)
{
    struct acme_foreign *foreign = import->foreign;
    const struct ctl *ctl = import->ctl;
    struct ctl_import_lineage *lineage;
    bool clash = false;
    size_t i;

    for (i = 0; i < foreign->n; i++) {
        lineage = &import->lineage[i];
        lineage->from = &foreign->lineage[i];
        lineage->name =
            ctl->new_name != NULL ? ctl->new_name : lineage->from->name;
        ctl_import_look(foreign, import->store, lineage);
        clash = clash || lineage->fate == CTL_IMPORT_CLASH;
    }
    if (!clash)
        return CTL_OK;
    for (i = 0; i < foreign->n; i++)
        if (import->lineage[i].fate == CTL_IMPORT_CLASH)
            (void)ctl_fail(CTL_FAILED, "%s: %s", import->lineage[i].name,
                import->lineage[i].why);
    return ctl_fail(CTL_FAILED, "nothing was taken over");
}

/* A crash may have left something to put right, or somebody is at work. */
static int
settle(struct import *import, const struct ctl_import_lineage *lineage)
{
    struct acme_error ignored;
    bool moved;
    int lock = -1;

    acme_error_clear(&ignored);
    if (!acme_store_is_settled(import->store, lineage->name) &&
        acme_store_lock(import->store, "lineage", lineage->name, &lock,
            &ignored) == ACME_OK)
        (void)acme_store_recover(import->store, lineage->name, &moved,
            &ignored);
    if (lock != -1)
        close(lock);
    return CTL_OK;
}

/* Somebody may have been at work on it since the look. */
static int
write_lineage(struct import *import, struct ctl_import_lineage *lineage)
{
    int lock = -1, code;

    if (lineage->fate == CTL_IMPORT_HERE)
        return settle(import, lineage);
    if (!is_good(lineage))
        return CTL_OK;
    code = ctl_lineage_lock(import->ctl, import->store, lineage->name, &lock);
    if (code == CTL_OK)
        code = ctl_import_write(import->foreign, import->store, lineage);
    if (lock != -1)
        close(lock);
    return code;
}

static int
write_all(struct import *import)
{
    int code = CTL_OK;
    size_t i;

    for (i = 0; i < import->foreign->n && code == CTL_OK; i++)
        code = write_lineage(import, &import->lineage[i]);
    return code;
}

static int
work(void *ctx)
{
    struct import *import = ctx;
    struct acme_sandbox_report report;
    int code;
    size_t i;

    if (import->store != NULL && !import->ctl->dry_run)
        acme_sandbox_store(acme_store_fd(import->store), NULL, 0, &report);
    else
        acme_sandbox_watcher(&report);
    code = look_at_all(import);
    if (code == CTL_OK)
        ctl_import_accounts_write(import->foreign, import->store,
            &import->accounts, import->ctl->cert_names.n == 0);
    if (code == CTL_OK && !import->ctl->dry_run)
        code = write_all(import);
    if (code == CTL_OK)
        code = write_hooks(import);
    if (code == CTL_OK)
        tell(import);
    for (i = 0; i < import->foreign->n; i++) {
        if (code == CTL_OK && !is_good(&import->lineage[i]))
            code = CTL_FAILED;
        ctl_import_clear(&import->lineage[i]);
    }
    return code;
}

/* ---- the verb --------------------------------------------------------- */

/* A dry run makes no state directory. */
static int
open_store(struct import *import)
{
    struct ctl *ctl = import->ctl;
    int code = ctl_find_new(ctl);

    if (code != CTL_OK)
        return code;
    if (!ctl->dry_run)
        return ctl_open_writing(ctl, &import->store);
    return access(ctl->state[0], F_OK) == 0
               ? ctl_open(ctl->state[0], &import->store)
               : CTL_OK;
}

static int
run(struct import *import)
{
    int code = read_all(import);

    if (code == CTL_OK)
        code = ctl_import_accounts_read(import->foreign, import->path,
            find_server(import->ctl), &import->accounts);
    if (code == CTL_OK)
        code = take_trust(import);
    if (code == CTL_OK)
        code = open_store(import);
    if (code != CTL_OK)
        return code;
    import->lineage = calloc(import->foreign->n + 1, sizeof(*import->lineage));
    import->hook_kept =
        calloc(import->foreign->nhooks + 1, sizeof(*import->hook_kept));
    if (import->lineage == NULL || import->hook_kept == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    import->json = import->ctl->json ? acme_json_object() : NULL;
    return ctl_work_apart(work, import, import->path);
}

int
ctl_import(struct ctl *ctl)
{
    struct import import = { .ctl = ctl };
    int code = check_usage(&import);

    if (code != CTL_OK)
        return code;
    import.foreign = acme_foreign_new(import.client->name);
    import.accounts.dry = ctl->dry_run;
    import.accounts.anybodys = import.client->anybodys;
    import.accounts.reader = import.client->accounts;
    code = import.foreign != NULL ? run(&import)
                                  : ctl_fail(CTL_FAILED, "out of memory");
    acme_json_free(import.json);
    acme_foreign_free(import.foreign);
    acme_store_close(import.store);
    ctl_import_accounts_clear(&import.accounts);
    free(import.lineage);
    free(import.hook_kept);
    return code;
}

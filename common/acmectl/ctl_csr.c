/*
 * acmectl csr and csr check: signing requests made and looked at without a
 * CA, and without a state directory unless a lineage is named.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "acmectl/ctl_file.h"
#include "base/acme_name.h"
#include "drive/acme_host_check.h"
#include "state/acme_settings.h"
#include "wrap/acme_csr.h"

/* A subject's common name has no more (RFC 5280 A.1). */
#define CN_MAX 64

#define FIELDS_MAX CTL_WORDS_MAX

/* Where a new key goes: beside the request. */
#define KEY_END ".key"

struct request {
    struct ctl *ctl;
    struct acme_settings *settings; /* of the lineage; NULL: none */
    size_t nnames;
    const char *const *name;
    bool must_staple;
    struct acme_csr_terms terms;
    struct acme_csr_field field[FIELDS_MAX];
    struct acme_key *key;
    enum acme_key_type type; /* of a new key; NONE: it is given */
    char *key_path;          /* of a new key, in the arena */
    int key_fd, fd;          /* new files; -1: none */
};

/* ---- what is asked for ------------------------------------------------ */

/* "O=Company": only the first "=" counts. */
static int
read_subject(struct request *request)
{
    const struct ctl_words *words = &request->ctl->subject;
    struct acme_csr_field *field;
    struct acme_error err;
    const char *equals;
    size_t i;

    for (i = 0; i < words->n; i++) {
        field = &request->field[i];
        equals = strchr(words->word[i], '=');
        if (equals == NULL)
            return ctl_fail(CTL_USAGE,
                "--subject \"%s\" is no FIELD=VALUE, as O=Company",
                words->word[i]);
        field->name = acme_arena_strndup(request->ctl->arena, words->word[i],
            (size_t)(equals - words->word[i]));
        field->value = equals + 1;
        if (field->name == NULL)
            return ctl_fail(CTL_FAILED, "out of memory");
        acme_error_clear(&err);
        if (acme_csr_field_check(field, &err) != ACME_OK)
            return ctl_fail(CTL_USAGE, "--subject \"%s\": %s", words->word[i],
                err.what);
    }
    request->terms.nfields = words->n;
    request->terms.field = request->field;
    return CTL_OK;
}

static int
read_key_option(struct request *request)
{
    struct ctl *ctl = request->ctl;
    const char *word = ctl->key != NULL ? ctl->key : "ecdsa";
    struct acme_error err;
    bool is_file = false;

    acme_error_clear(&err);
    if (acme_host_account_key(word, &request->type, &is_file, &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "--key: %s", err.what);
    if (is_file)
        return ctl_file_key(word, &request->key);
    if (ctl->output == NULL || strcmp(ctl->output, "-") == 0)
        return ctl_fail(CTL_USAGE,
            "a new key is a file beside the request: name that with --output "
            "FILE, or an existing key with --key FILE");
    request->key_path =
        acme_arena_printf(ctl->arena, "%s" KEY_END, ctl->output);
    return request->key_path != NULL ? CTL_OK
                                     : ctl_fail(CTL_FAILED, "out of memory");
}

/* Before we become the state directory's owner. */
static int
make_files(struct request *request)
{
    const char *output = request->ctl->output;
    int code = CTL_OK;

    if (output != NULL && strcmp(output, "-") != 0)
        code = ctl_file_create(output, &request->fd);
    if (code == CTL_OK && request->key_path != NULL)
        code = ctl_file_create(request->key_path, &request->key_fd);
    return code;
}

/* What a lineage is meant to have. */
static int
take_lineage(struct request *request)
{
    struct ctl *ctl = request->ctl;
    struct acme_store *store = NULL;
    struct acme_lineage wanted;
    struct acme_error err;
    const char *conflict = NULL;
    int code = ctl_open_one(ctl, &store);
    enum acme_rc rc;

    if (code != CTL_OK)
        return code;
    acme_error_clear(&err);
    memset(&wanted, 0, sizeof(wanted));
    rc = acme_store_settings_read(store, ctl->cert_name, &request->settings,
        &err);
    if (rc == ACME_OK)
        rc = acme_settings_wanted(request->settings, ctl->arena, &wanted,
            &conflict, &err);
    if (rc == ACME_NOENT)
        code = ctl_fail(CTL_FAILED,
            "there is no lineage \"%s\"; acmectl certificates lists them",
            ctl->cert_name);
    else if (rc != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    else if (wanted.nnames == 0)
        code = ctl_fail(CTL_FAILED,
            "nobody wants lineage \"%s\" any more; give its names with -d",
            ctl->cert_name);
    request->nnames = wanted.nnames;
    request->name = wanted.names;
    request->must_staple = wanted.must_staple;
    acme_store_close(store);
    return code;
}

static int
take_names(struct request *request)
{
    struct ctl *ctl = request->ctl;

    if (ctl->cert_name != NULL)
        return take_lineage(request);
    request->nnames = ctl->domains.n;
    request->name = ctl->domains.word;
    return CTL_OK;
}

/* ---- making it -------------------------------------------------------- */

static int
make_key(struct request *request, struct acme_buf *pem)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (request->key_path == NULL ||
        (acme_key_generate(request->type, &request->key, &err) == ACME_OK &&
            acme_key_to_pem(request->key, pem, &err) == ACME_OK))
        return CTL_OK;
    return ctl_fail(CTL_FAILED, "%s", err.what);
}

/* The common name is for CAs and people who look nowhere else. */
static enum acme_rc
render(struct request *request, struct acme_buf *pem, struct acme_error *err)
{
    struct acme_csr *csr = NULL;
    struct acme_buf der;
    enum acme_rc rc;

    request->terms.must_staple = request->must_staple;
    if (strlen(request->name[0]) <= CN_MAX &&
        !acme_name_is_ip(request->name[0]))
        request->terms.cn = request->name[0];
    acme_buf_init(&der, ACME_STATE_PEM_MAX);
    rc = acme_csr_new(request->key, request->name, request->nnames,
        &request->terms, &der, err);
    /* what we would not take ourselves is not given to others */
    if (rc == ACME_OK)
        rc = acme_csr_parse(der.data, der.len, &csr, err);
    if (rc == ACME_OK)
        rc = acme_csr_to_pem(csr, pem, err);
    acme_csr_free(csr);
    acme_buf_clear(&der);
    return rc;
}

static void
tell(const struct request *request)
{
    const struct ctl *ctl = request->ctl;
    struct acme_json *json, *names;
    size_t i;

    if (ctl->output == NULL || strcmp(ctl->output, "-") == 0)
        return;
    if (ctl->json) {
        json = acme_json_object();
        names = acme_json_array();
        for (i = 0; i < request->nnames; i++)
            acme_json_append_str(names, request->name[i]);
        acme_json_set_str(json, "request", ctl->output);
        acme_json_set_str(json, "key_file", request->key_path);
        acme_json_set_str(json, "key",
            acme_key_type_name(acme_key_type_of(request->key)));
        acme_json_set(json, "names", names);
        (void)ctl_print_json(json);
    } else if (!ctl->quiet) {
        (void)printf("%s: a request for %zu names\n", ctl->output,
            request->nnames);
        if (request->key_path != NULL)
            (void)printf("%s: its key\n", request->key_path);
    }
}

/* The key first: without its request it is of no use, and goes again. */
static int
write_files(struct request *request, const struct acme_buf *key_pem,
    const struct acme_buf *pem)
{
    const char *output = request->ctl->output;
    int fd = request->key_fd, code = CTL_OK;

    if (fd != -1) {
        request->key_fd = -1;
        code = ctl_file_finish(request->key_path, fd, key_pem);
    }
    if (code != CTL_OK)
        return code;
    fd = request->fd;
    if (fd == -1)
        return fputs(acme_buf_str(pem), stdout) != EOF && fflush(stdout) == 0
                   ? CTL_OK
                   : ctl_fail(CTL_FAILED, "cannot write standard output");
    request->fd = -1;
    code = ctl_file_finish(output, fd, pem);
    if (code != CTL_OK && request->key_path != NULL)
        (void)unlink(request->key_path);
    return code;
}

static int
make(struct request *request)
{
    struct acme_buf key_pem, pem;
    struct acme_error err;
    int code;

    acme_error_clear(&err);
    acme_buf_init(&pem, ACME_STATE_PEM_MAX);
    acme_buf_init_secret(&key_pem, ACME_STATE_PEM_MAX);
    code = make_key(request, &key_pem);
    if (code == CTL_OK && render(request, &pem, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    if (code == CTL_OK)
        code = write_files(request, &key_pem, &pem);
    acme_buf_clear(&key_pem);
    acme_buf_clear(&pem);
    return code;
}

/* Nothing is left of what did not get ready. */
static void
clean_up(struct request *request)
{
    if (request->fd != -1)
        ctl_file_give_up(request->ctl->output, request->fd);
    if (request->key_fd != -1)
        ctl_file_give_up(request->key_path, request->key_fd);
    acme_key_unref(request->key);
    acme_settings_free(request->settings);
}

int
ctl_csr(struct ctl *ctl)
{
    struct request request = { .ctl = ctl,
        .key_fd = -1,
        .fd = -1,
        .must_staple = ctl->must_staple };
    int code;

    if ((ctl->cert_name != NULL) == (ctl->domains.n > 0))
        return ctl_fail(CTL_USAGE,
            "csr needs names, with -d NAME, or those of a lineage, with "
            "--cert-name NAME; not both");
    code = ctl_read_domains(ctl);
    if (code == CTL_OK)
        code = read_subject(&request);
    if (code == CTL_OK)
        code = read_key_option(&request);
    if (code == CTL_OK)
        code = make_files(&request);
    if (code == CTL_OK)
        code = take_names(&request);
    if (code == CTL_OK)
        code = make(&request);
    if (code == CTL_OK)
        tell(&request);
    clean_up(&request);
    return code;
}

/* ---- looking at one --------------------------------------------------- */

struct looked {
    struct acme_csr *csr;
    struct acme_key *key;
    bool names_differ, key_differs;
    char why[512]; /* the names differ */
};

static int
read_request(const char *path, struct acme_csr **csr)
{
    struct acme_error err;
    struct acme_buf text;
    int code;

    acme_error_clear(&err);
    acme_buf_init(&text, ACME_STATE_PEM_MAX);
    code = ctl_file_read(path, false, ACME_STATE_PEM_MAX, &text);
    if (code == CTL_OK &&
        acme_csr_parse(acme_buf_str(&text), text.len, csr, &err) != ACME_OK)
        code =
            ctl_fail(CTL_FAILED, "signing request \"%s\": %s", path, err.what);
    acme_buf_clear(&text);
    return code;
}

static int
compare(struct looked *looked, const struct request *request)
{
    char one[ACME_KEY_ID_LEN + 1] = "", other[ACME_KEY_ID_LEN + 1] = "";
    struct acme_error err;

    acme_error_clear(&err);
    if (looked->csr != NULL && looked->key != NULL) {
        if (acme_key_id(acme_csr_key(looked->csr), one, &err) != ACME_OK ||
            acme_key_id(looked->key, other, &err) != ACME_OK)
            return ctl_fail(CTL_FAILED, "%s", err.what);
        looked->key_differs = strcmp(one, other) != 0;
    }
    if (looked->csr != NULL && request->nnames > 0 &&
        acme_csr_check_names(looked->csr, request->name, request->nnames,
            &err) != ACME_OK) {
        looked->names_differ = true;
        (void)snprintf(looked->why, sizeof(looked->why), "%s", err.what);
    }
    return CTL_OK;
}

static void
print_json(const struct looked *looked, const struct request *request,
    const char *subject)
{
    struct acme_json *json = acme_json_object(), *names = acme_json_array();
    const struct acme_key *key =
        looked->csr != NULL ? acme_csr_key(looked->csr) : looked->key;
    size_t i;

    for (i = 0; looked->csr != NULL && i < acme_csr_nnames(looked->csr); i++)
        acme_json_append_str(names, acme_csr_name(looked->csr, i));
    acme_json_set_str(json, "key", acme_key_type_name(acme_key_type_of(key)));
    if (looked->csr != NULL) {
        acme_json_set(json, "names", names);
        acme_json_set_str(json, "subject", subject);
        acme_json_set_bool(json, "must_staple",
            acme_csr_must_staple(looked->csr));
    } else {
        acme_json_free(names);
    }
    if (looked->csr != NULL && looked->key != NULL)
        acme_json_set_bool(json, "key_matches", !looked->key_differs);
    if (request->nnames > 0)
        acme_json_set_bool(json, "names_match", !looked->names_differ);
    (void)ctl_print_json(json);
}

static void
print_text(const struct looked *looked, const char *subject)
{
    const struct acme_key *key =
        looked->csr != NULL ? acme_csr_key(looked->csr) : looked->key;
    size_t i;

    (void)printf("key: %s\n", acme_key_type_name(acme_key_type_of(key)));
    if (looked->csr == NULL)
        return;
    (void)printf("names:");
    for (i = 0; i < acme_csr_nnames(looked->csr); i++)
        (void)printf(" %s", acme_csr_name(looked->csr, i));
    (void)printf("\nsubject: %s\n", subject[0] != '\0' ? subject : "-");
    if (acme_csr_must_staple(looked->csr))
        (void)printf("must-staple: yes\n");
}

static int
report(const struct looked *looked, const struct request *request)
{
    const struct ctl *ctl = request->ctl;
    struct acme_error err;
    struct acme_buf subject;
    int code = CTL_OK;

    acme_error_clear(&err);
    acme_buf_init(&subject, ACME_STATE_PEM_MAX);
    if (looked->csr != NULL)
        (void)acme_csr_subject(looked->csr, &subject, &err);
    if (ctl->json)
        print_json(looked, request, acme_buf_str(&subject));
    else if (!ctl->quiet)
        print_text(looked, acme_buf_str(&subject));
    acme_buf_clear(&subject);
    if (looked->key_differs)
        code = ctl_fail(CTL_FAILED,
            "\"%s\" is not the key of the request in \"%s\"", ctl->key,
            ctl->argv[0]);
    if (looked->names_differ)
        code = ctl_fail(CTL_FAILED, "signing request \"%s\": %s", ctl->argv[0],
            looked->why);
    return code;
}

int
ctl_csr_check(struct ctl *ctl)
{
    struct request request = { .ctl = ctl };
    struct looked looked = { .csr = NULL };
    int code;

    if (ctl->argc > 1 || (ctl->argc == 0 && ctl->key == NULL))
        return ctl_fail(CTL_USAGE,
            "csr check takes one file with a request, a key with --key, or "
            "both");
    code = ctl_read_domains(ctl);
    if (code == CTL_OK && ctl->argc > 0)
        code = read_request(ctl->argv[0], &looked.csr);
    if (code == CTL_OK && ctl->key != NULL)
        code = ctl_file_key(ctl->key, &looked.key);
    if (code == CTL_OK)
        code = take_names(&request);
    if (code == CTL_OK)
        code = compare(&looked, &request);
    if (code == CTL_OK)
        code = report(&looked, &request);
    acme_csr_free(looked.csr);
    acme_key_unref(looked.key);
    acme_settings_free(request.settings);
    return code;
}

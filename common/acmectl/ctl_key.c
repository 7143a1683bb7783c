/*
 * Keys of accounts: their thumbprints, for whoever is to answer without the
 * key; in the forms of other programs; and new ones.  None of it asks a CA.
 */
#include "acmectl/ctl_file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "state/acme_store.h"
#include "wrap/acme_key.h"

/* ---- reading ---------------------------------------------------------- */

int
ctl_key_read(const struct ctl *ctl, const char *path, struct acme_key **key)
{
    struct acme_buf text, passphrase;
    struct acme_error err;
    int code;

    acme_error_clear(&err);
    acme_buf_init_secret(&text, ACME_STATE_PEM_MAX);
    acme_buf_init_secret(&passphrase, 1);
    code = ctl_file_read(path, true, ACME_STATE_PEM_MAX, &text);
    if (code == CTL_OK && ctl->password_file != NULL)
        code = ctl_password(ctl, ctl->password_file, "--password-file",
            &passphrase);
    if (code == CTL_OK && acme_key_from_any_text(acme_buf_str(&text), text.len,
                              ctl->password_file != NULL ? &passphrase : NULL,
                              key, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "account key \"%s\": %s", path, err.what);
    acme_buf_clear(&passphrase);
    acme_buf_clear(&text);
    return code;
}

/* The key of the state directory that is meant. */
struct choice {
    const struct ctl *ctl;
    struct acme_key *key;
    size_t n;
};

static enum acme_rc
choose(void *ctx, const char *id, const struct acme_key *key,
    struct acme_error *err)
{
    struct choice *choice = ctx;
    struct acme_buf der;
    enum acme_rc rc = ACME_OK;

    if (choice->ctl->account != NULL && strcmp(choice->ctl->account, id) != 0)
        return ACME_OK;
    if (choice->n++ > 0)
        return ACME_OK;
    acme_buf_init_secret(&der, ACME_STATE_PEM_MAX);
    rc = acme_key_to_der(key, &der, err);
    if (rc == ACME_OK)
        rc = acme_key_from_der(der.data, der.len, &choice->key, err);
    acme_buf_clear(&der);
    return rc;
}

static enum acme_rc
name_key(void *ctx, const char *id, const struct acme_key *key,
    struct acme_error *err)
{
    (void)ctx;
    (void)err;
    (void)fprintf(stderr, "acmectl:   %s  %s\n", id,
        acme_key_type_name(acme_key_type_of(key)));
    return ACME_OK;
}

static int
choose_key(struct ctl *ctl, struct acme_key **key)
{
    struct choice choice = { ctl, NULL, 0 };
    struct acme_store *store = NULL;
    struct acme_error err;
    int code = ctl_open_one(ctl, &store);

    acme_error_clear(&err);
    if (code == CTL_OK &&
        acme_store_keys(store, choose, &choice, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "cannot read keys: %s", err.what);
    if (code == CTL_OK && choice.n > 1) {
        (void)acme_store_keys(store, name_key, NULL, &err);
        code = ctl_fail(CTL_USAGE,
            "there are %zu account keys; say which with --account ID, or name "
            "a file with --key FILE",
            choice.n);
    }
    if (code == CTL_OK && choice.n == 0)
        code = ctl_fail(CTL_FAILED,
            ctl->account != NULL ? "there is no account key \"%s\"; acmectl "
                                   "key thumbprint shows those there are"
                                 : "there is no account key yet",
            ctl->account);
    acme_store_close(store);
    if (code == CTL_OK)
        *key = choice.key;
    else
        acme_key_unref(choice.key);
    return code;
}

/* ---- thumbprints ------------------------------------------------------ */

struct thumbprints {
    struct acme_json *list; /* or NULL: print */
    const char *where;      /* "id" or "file": what tells keys apart */
    bool details;
};

static void
explain(const char *thumbprint, const char *type, const char *where,
    const char *place, const char *jwk)
{
    (void)printf(
        "Your public thumbprint: %s\n"
        "Key: %s, %s %s\n"
        "Public key (JWK): %s\n"
        "The thumbprint is the SHA-256 of these characters in base64url (RFC "
        "7638). It\n"
        "is no secret: whoever knows it can answer http-01 challenges of this "
        "account,\n"
        "with TOKEN.%s, and do nothing else. It changes\n"
        "with the key (acmectl account rekey), and with nothing else.\n",
        thumbprint, type, where, place, jwk, thumbprint);
}

static enum acme_rc
show(void *ctx, const char *place, const struct acme_key *key,
    struct acme_error *err)
{
    struct thumbprints *out = ctx;
    const char *type = acme_key_type_name(acme_key_type_of(key));
    char thumbprint[ACME_THUMBPRINT_LEN + 1];
    struct acme_json *one;
    struct acme_buf jwk;
    enum acme_rc rc;

    acme_buf_init(&jwk, ACME_STATE_PEM_MAX);
    rc = acme_key_thumbprint(key, thumbprint, err);
    if (rc == ACME_OK)
        rc = acme_key_jwk(key, &jwk, err);
    if (rc == ACME_OK && out->list != NULL) {
        one = acme_json_object();
        acme_json_set_str(one, "thumbprint", thumbprint);
        acme_json_set_str(one, "key", type);
        acme_json_set_str(one, out->where, place);
        if (out->details)
            acme_json_set_str(one, "jwk", acme_buf_str(&jwk));
        acme_json_append(out->list, one);
    } else if (rc == ACME_OK && out->details) {
        explain(thumbprint, type, out->where, place, acme_buf_str(&jwk));
    } else if (rc == ACME_OK) {
        (void)printf("%s  %s  %s\n", thumbprint, type, place);
    }
    acme_buf_clear(&jwk);
    return rc;
}

static int
show_states(struct ctl *ctl, struct thumbprints *out)
{
    struct acme_store *store = NULL;
    int code = ctl_find_states(ctl);
    struct acme_error err;
    size_t i;

    for (i = 0; code == CTL_OK && i < ctl->nstates; i++) {
        code = ctl_open(ctl->state[i], &store);
        acme_error_clear(&err);
        if (code == CTL_OK &&
            acme_store_keys(store, show, out, &err) != ACME_OK)
            code = ctl_fail(CTL_FAILED, "cannot read keys: %s", err.what);
        acme_store_close(store);
        store = NULL;
    }
    return code;
}

static int
show_file(const struct ctl *ctl, const char *path, struct thumbprints *out)
{
    struct acme_key *key = NULL;
    struct acme_error err;
    int code = ctl_key_read(ctl, path, &key);

    acme_error_clear(&err);
    if (code == CTL_OK && show(out, path, key, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "account key \"%s\": %s", path, err.what);
    acme_key_unref(key);
    return code;
}

int
ctl_key_thumbprint(struct ctl *ctl)
{
    const bool files = ctl->argc > 0 || ctl->key != NULL;
    struct thumbprints out = { NULL, files ? "file" : "id", ctl->details };
    int code = CTL_OK, i;

    if (ctl->json)
        out.list = acme_json_array();
    if (!files)
        code = show_states(ctl, &out);
    if (ctl->key != NULL)
        code = show_file(ctl, ctl->key, &out);
    for (i = 0; code == CTL_OK && i < ctl->argc; i++)
        code = show_file(ctl, ctl->argv[i], &out);
    if (code == CTL_OK && ctl->json)
        return ctl_print_json(out.list);
    acme_json_free(out.list);
    return code;
}

/* ---- writing ---------------------------------------------------------- */

/* Into the file that is open, or to standard output. */
static int
put(const struct ctl *ctl, int fd, const struct acme_buf *out)
{
    if (fd != -1)
        return ctl_file_finish(ctl->output, fd, out);
    if (fwrite(out->data, 1, out->len, stdout) == out->len &&
        fflush(stdout) == 0)
        return CTL_OK;
    return ctl_fail(CTL_FAILED, "cannot write to standard output");
}

static int
write_key(const struct ctl *ctl, const struct acme_key *key,
    enum acme_key_form form, int fd)
{
    struct acme_error err;
    struct acme_buf out;
    int code = CTL_OK;

    acme_error_clear(&err);
    acme_buf_init_secret(&out, ACME_STATE_PEM_MAX);
    (void)acme_key_to_form(key, form, &out, &err);
    if (form == ACME_KEY_FORM_JWK)
        acme_buf_add_str(&out, "\n");
    if (err.rc != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    else if (!acme_buf_ok(&out))
        code = ctl_fail(CTL_FAILED, "out of memory");
    if (code == CTL_OK)
        code = put(ctl, fd, &out);
    else if (fd != -1)
        ctl_file_give_up(ctl->output, fd);
    acme_buf_clear(&out);
    return code;
}

/* *fd -1: standard output. */
static int
open_output(const struct ctl *ctl, int *fd)
{
    *fd = -1;
    return ctl->output != NULL && strcmp(ctl->output, "-") != 0
               ? ctl_file_create(ctl->output, fd)
               : CTL_OK;
}

/* ---- conversion ------------------------------------------------------- */

static const struct {
    const char *name;
    enum acme_key_form form;
} forms[] = {
    { "pem", ACME_KEY_FORM_PKCS8 },
    { "pkcs1", ACME_KEY_FORM_PKCS1 },
    { "pkcs8", ACME_KEY_FORM_PKCS8 },
    { "der1", ACME_KEY_FORM_DER1 },
    { "der8", ACME_KEY_FORM_DER8 },
    { "json", ACME_KEY_FORM_JWK },
};

static int
find_form(const struct ctl *ctl, enum acme_key_form *form)
{
    size_t i;

    for (i = 0; ctl->argc > 0 && i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strcasecmp(forms[i].name, ctl->argv[0]) == 0) {
            *form = forms[i].form;
            return CTL_OK;
        }
    return ctl_fail(CTL_USAGE,
        "%s%s%s: the format is one of pem, pkcs1, pkcs8, der1, der8, json",
        ctl->argc > 0 ? "\"" : "key convert",
        ctl->argc > 0 ? ctl->argv[0] : "", ctl->argc > 0 ? "\"" : "");
}

int
ctl_key_convert(struct ctl *ctl)
{
    const char *file = ctl->argc > 1 ? ctl->argv[1] : ctl->key;
    enum acme_key_form form = ACME_KEY_FORM_PKCS8;
    struct acme_key *key = NULL;
    int code = find_form(ctl, &form), fd = -1;

    if (code != CTL_OK)
        return code;
    if (ctl->argc > 2 || (ctl->argc > 1 && ctl->key != NULL))
        return ctl_fail(CTL_USAGE, "one key is converted, not several");
    if ((form == ACME_KEY_FORM_DER1 || form == ACME_KEY_FORM_DER8) &&
        ctl->output == NULL && isatty(STDOUT_FILENO))
        return ctl_fail(CTL_USAGE,
            "this form is binary, and no terminal shows it: name a file with "
            "--output FILE");
    if (file != NULL)
        code = ctl_key_read(ctl, file, &key);
    if (code == CTL_OK) /* before we become the state directory's owner */
        code = open_output(ctl, &fd);
    if (code == CTL_OK && file == NULL) {
        code = choose_key(ctl, &key);
        if (code != CTL_OK && fd != -1)
            ctl_file_give_up(ctl->output, fd);
    }
    if (code == CTL_OK)
        code = write_key(ctl, key, form, fd);
    acme_key_unref(key);
    return code;
}

/* ---- new ones --------------------------------------------------------- */

int
ctl_key_generate(struct ctl *ctl)
{
    enum acme_key_type type = ACME_KEY_ECDSA_256;
    struct acme_key *key = NULL;
    struct acme_error err;
    int code = CTL_OK, fd = -1;

    acme_error_clear(&err);
    if (ctl->argc > 1)
        return ctl_fail(CTL_USAGE, "unexpected \"%s\"", ctl->argv[1]);
    if (ctl->argc > 0 &&
        acme_key_type_parse(ctl->argv[0], &type, &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "%s", err.what);
    code = open_output(ctl, &fd);
    if (code == CTL_OK && acme_key_generate(type, &key, &err) != ACME_OK) {
        if (fd != -1)
            ctl_file_give_up(ctl->output, fd);
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    }
    if (code == CTL_OK)
        code = write_key(ctl, key, ACME_KEY_FORM_PKCS8, fd);
    acme_key_unref(key);
    return code;
}

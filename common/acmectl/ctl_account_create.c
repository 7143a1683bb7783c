/*
 * account create: an account at a CA for a key that is given, that is here, or
 * that is made; an account that the CA has for that key is found.  Nothing is
 * stored before the terms are agreed to, and the key is before the CA is
 * asked.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "acmectl/ctl_account.h"
#include "acmectl/ctl_file.h"
#include "acmectl/ctl_wish.h"
#include "drive/acme_host_check.h"
#include "state/acme_dir.h"

/* Longer than the addresses that a person types. */
#define TYPED_MAX 1024

/* What can be asked again, when the CA does not like an answer. */
#define TRIES 3

struct creation {
    struct ctl *ctl;
    struct acme_store *store;
    struct acme_issuer issuer;
    enum acme_key_type type; /* of a new key */
    struct acme_key *key;
    char id[ACME_KEY_ID_LEN + 1];
    char url[ACME_URL_MAX];
    bool given;                     /* the key is of --key FILE */
    bool own;                       /* or of a file that a server names */
    bool is_here;                   /* it has been here before */
    bool made;                      /* the account is new at the CA */
    char used[ACME_KEY_ID_LEN + 1]; /* whose orders were made until now */
};

/* ---- contacts --------------------------------------------------------- */

/* Operands are contacts, as those of account update. */
static int
check_contacts(struct ctl *ctl)
{
    struct ctl_words *emails = &ctl->emails;
    int code = CTL_OK, k;
    size_t i;

    for (k = 0; k < ctl->argc; k++) {
        if (emails->n == CTL_WORDS_MAX)
            return ctl_fail(CTL_USAGE, "more than %d contacts", CTL_WORDS_MAX);
        emails->word[emails->n++] = ctl->argv[k];
    }
    if (ctl->no_contact && emails->n > 0)
        return ctl_fail(CTL_USAGE, "--no-contact and --email exclude another");
    for (i = 0; i < emails->n && code == CTL_OK; i++)
        code = ctl_contact_check(emails->word[i]);
    return code;
}

/* Asks for one; an empty answer is none. */
static int
ask_contact(struct creation *creation, const char *prompt)
{
    struct ctl *ctl = creation->ctl;
    char line[TYPED_MAX], *address;
    int code;

    do {
        code = ctl_ask_line(prompt, line, sizeof(line));
        address = line + strspn(line, " \t");
        address[strcspn(address, " \t")] = '\0';
    } while (code == CTL_OK && address[0] != '\0' &&
             ctl_contact_check(address) != CTL_OK);
    if (code != CTL_OK)
        return code;
    ctl->emails.n = address[0] != '\0';
    ctl->emails.word[0] = acme_arena_strdup(ctl->arena, address);
    ctl->no_contact = ctl->emails.n == 0;
    if (ctl->no_contact)
        creation->issuer.ncontacts = 0;
    return ctl_wish_issuer(ctl, &creation->issuer);
}

static int
need_contact(struct creation *creation)
{
    const struct ctl *ctl = creation->ctl;

    if (ctl->no_contact)
        creation->issuer.ncontacts = 0;
    if (ctl->no_contact || creation->issuer.ncontacts > 0)
        return CTL_OK;
    if (!ctl_may_ask(ctl))
        return ctl_fail(CTL_USAGE,
            "an address is wanted, with --email ADDRESS, or --no-contact");
    return ask_contact(creation,
        "E-mail address for messages of the CA (none: an empty line)");
}

/* ---- the CA ----------------------------------------------------------- */

struct only {
    const char *directory;
    struct ctl *ctl;
    bool several;
};

static enum acme_rc
look_at_issuer(void *ctx, const struct acme_issuer *issuer,
    struct acme_error *err)
{
    struct only *only = ctx;

    if (only->directory == NULL) {
        only->directory =
            acme_arena_strdup(only->ctl->arena, issuer->directory);
        return only->directory != NULL ? ACME_OK : acme_error_nomem(err);
    }
    if (strcmp(only->directory, issuer->directory) != 0)
        only->several = true;
    return ACME_OK;
}

/* That of the command line; else the only one that servers want. */
static int
choose_ca(struct creation *creation)
{
    struct ctl *ctl = creation->ctl;
    struct only only = { NULL, ctl, false };
    const char *word = ctl->server;
    struct acme_error err;
    size_t n;
    int code;

    acme_error_clear(&err);
    code = ctl_server_known(ctl, creation->store);
    if (code != CTL_OK)
        return code;
    if (ctl->issuer != NULL) {
        creation->issuer = *ctl->issuer;
        return ctl_wish_issuer(ctl, &creation->issuer);
    }
    if (word == NULL && ctl_each_issuer(creation->store, look_at_issuer, &only,
                            &err) != ACME_OK)
        return ctl_fail(CTL_FAILED, "%s", err.what);
    if (only.several)
        return ctl_fail(CTL_USAGE,
            "several CAs are configured; say which with --server URL");
    if (word == NULL)
        word = only.directory != NULL ? only.directory : "letsencrypt";
    ctl->server = word;
    if (acme_issuer_directory(word) != NULL)
        word = acme_issuer_directory(word);
    code = ctl_account_ca(ctl, creation->store, word, &creation->issuer, &n);
    return code == CTL_OK ? ctl_wish_issuer(ctl, &creation->issuer) : code;
}

/* ---- the key ---------------------------------------------------------- */

/* Of --key FILE, before we become somebody else; or its type. */
static int
read_given(struct creation *creation)
{
    struct ctl *ctl = creation->ctl;
    struct acme_error err;
    int code = CTL_OK;

    acme_error_clear(&err);
    if (ctl->key == NULL)
        return CTL_OK;
    if (acme_host_account_key(ctl->key, &creation->type, &creation->given,
            &err) != ACME_OK)
        return ctl_fail(CTL_USAGE, "--key: %s", err.what);
    if (creation->given)
        code = ctl_key_read(ctl, ctl->key, &creation->key);
    if (code == CTL_OK && creation->given &&
        acme_key_type_of(creation->key) == ACME_KEY_ED25519)
        code = ctl_fail(CTL_FAILED,
            "account key \"%s\": an Ed25519 key is converted here, but no "
            "account can have it",
            ctl->key);
    return code;
}

/* The one that is here, or a new one. */
static int
find_key(struct creation *creation)
{
    struct acme_account_entry entry = { "", "", NULL };
    struct acme_issuer issuer = creation->issuer;
    struct ctl *ctl = creation->ctl;
    struct acme_error err;
    enum acme_rc rc = ACME_NOENT;

    acme_error_clear(&err);
    if (creation->type != ACME_KEY_NONE)
        issuer.key_type = creation->type;
    if (!ctl->replace)
        rc = acme_store_account(creation->store, &issuer, NULL, &entry, &err);
    if (rc == ACME_OK) {
        creation->key = entry.key;
        creation->is_here = true;
        return CTL_OK;
    }
    if (rc != ACME_NOENT)
        return ctl_fail(CTL_FAILED,
            "%s; if it is lost, account create --replace makes another "
            "account, with a new key",
            err.what);
    acme_error_clear(&err);
    return acme_key_generate(issuer.key_type, &creation->key, &err) == ACME_OK
               ? CTL_OK
               : ctl_fail(CTL_FAILED, "%s", err.what);
}

static int
choose_key(struct creation *creation)
{
    struct acme_issuer *issuer = &creation->issuer;
    struct acme_error err;
    int code = CTL_OK;

    acme_error_clear(&err);
    ctl_account_in_use(creation->store, issuer, creation->used);
    if (creation->key == NULL && issuer->key_file != NULL) {
        creation->own = true;
        code = ctl_key_read(creation->ctl, issuer->key_file, &creation->key);
    } else if (creation->key == NULL) {
        code = find_key(creation);
    }
    issuer->key_file = NULL;
    if (code == CTL_OK &&
        acme_key_id(creation->key, creation->id, &err) != ACME_OK)
        code = ctl_fail(CTL_FAILED, "%s", err.what);
    return code;
}

static int
confirm_replace(const struct creation *creation)
{
    const struct ctl *ctl = creation->ctl;
    char question[512];

    if (!ctl->replace || ctl->confirm)
        return CTL_OK;
    (void)snprintf(question, sizeof(question),
        "orders at %s will be made with a new account; CAA records with the "
        "URL of the one before do not fit it",
        creation->issuer.name);
    return ctl_ask_yes(ctl, "--confirm", question);
}

/* ---- at the CA -------------------------------------------------------- */

/* Never silently. */
static int
agree(struct creation *creation, const char *terms)
{
    struct ctl *ctl = creation->ctl;
    char question[ACME_LOG_LINE_MAX + 64];

    if (terms[0] == '\0' || creation->issuer.terms_accepted)
        return CTL_OK;
    if (!ctl_may_ask(ctl))
        return ctl_fail(CTL_FAILED,
            "no account without consent: read the terms of service of the CA, "
            "%s, and accept them with --agree-tos",
            terms);
    (void)snprintf(question, sizeof(question),
        "The CA wants its terms of service accepted: %s", terms);
    if (ctl_ask_yes(ctl, "--agree-tos", question) != CTL_OK)
        return CTL_FAILED;
    creation->issuer.terms_accepted = true;
    return CTL_OK;
}

/* On the disk before the CA knows it, so that no account is lost by a crash.
 * What an operator has made is in a file of his. */
static int
keep_key(struct creation *creation)
{
    const struct ctl *ctl = creation->ctl;
    struct acme_error err;
    enum acme_rc rc = ACME_OK;

    acme_error_clear(&err);
    if (creation->given || creation->own || creation->is_here)
        return CTL_OK;
    rc = ctl->replace ? acme_store_account_key_anew(creation->store,
                            &creation->issuer, creation->key, &err)
                      : acme_store_account_key(creation->store,
                            &creation->issuer, creation->key, &err);
    return rc == ACME_OK ? CTL_OK : ctl_fail(CTL_FAILED, "%s", err.what);
}

static void
take_answer(struct creation *creation, const char *text)
{
    char word[16];

    ctl_account_line(text, 0, word, sizeof(word));
    creation->made = strcmp(word, ACME_ACCOUNT_NEW) == 0;
    ctl_account_line(text, 1, creation->url, sizeof(creation->url));
}

static int
make(struct creation *creation)
{
    static const char wrong[] = ACME_ACCOUNT_CONTACT "\n";
    struct ctl *ctl = creation->ctl;
    char text[ACME_LOG_LINE_MAX];
    int code = keep_key(creation), i;

    for (i = 1; code == CTL_OK; i++) {
        if (ctl_account_ask(ctl, &creation->issuer, ACME_ACCOUNT_MAKE,
                creation->key, text) == CTL_OK) {
            take_answer(creation, text);
            return CTL_OK;
        }
        if (strncmp(text, wrong, strlen(wrong)) != 0)
            return ctl_fail(CTL_FAILED, "%s", text);
        (void)ctl_fail(CTL_FAILED, "%s", text + strlen(wrong));
        if (i == TRIES || !ctl_may_ask(ctl))
            return ctl_fail(CTL_FAILED,
                "no account is made; give another address with --email, or "
                "none with --no-contact");
        code = ask_contact(creation,
            "The CA does not take that address; another one (none: an empty "
            "line)");
    }
    return code;
}

static int
enroll(struct creation *creation)
{
    struct ctl *ctl = creation->ctl;
    char text[ACME_LOG_LINE_MAX], word[16], terms[ACME_LOG_LINE_MAX];
    int code;

    if (ctl_account_ask(ctl, &creation->issuer, ACME_ACCOUNT_FIND,
            creation->key, text) != CTL_OK)
        return ctl_fail(CTL_FAILED, "%s%s", text,
            strstr(text, "another account key") != NULL
                ? "; account create --replace makes one, and an account"
                : "");
    take_answer(creation, text);
    ctl_account_line(text, 0, word, sizeof(word));
    if (strcmp(word, ACME_ACCOUNT_NONE) != 0)
        return CTL_OK;
    ctl_account_line(text, 1, terms, sizeof(terms));
    ctl_account_line(text, 2, word, sizeof(word));
    if (word[0] != '\0' && creation->issuer.eab_kid == NULL &&
        creation->issuer.eab_file == NULL)
        return ctl_fail(CTL_FAILED,
            "the CA wants an external account binding: give what it has given "
            "out with --eab-kid ID and --eab-file FILE");
    code = need_contact(creation);
    if (code == CTL_OK)
        code = agree(creation, terms);
    return code == CTL_OK ? make(creation) : code;
}

/* ---- here ------------------------------------------------------------- */

/* The account that was used before goes out of the way, if nobody can use it
 * any more. */
static enum acme_rc
put_lost_aside(void *ctx, const char *id, const struct acme_json *account,
    struct acme_error *err)
{
    const struct creation *creation = ctx;
    struct acme_key *key = NULL;
    struct acme_error ignored;
    enum acme_rc rc;

    acme_error_clear(&ignored);
    if (strcmp(id, creation->id) == 0 ||
        strcmp(acme_json_str(account, "directory"),
            creation->issuer.directory) != 0)
        return ACME_OK;
    rc = acme_store_key_read(creation->store, id, &key, &ignored);
    acme_key_unref(key);
    return rc == ACME_OK || rc == ACME_NOMEM
               ? ACME_OK
               : acme_store_account_lost(creation->store, &creation->issuer,
                     id, err);
}

static enum acme_rc
store(struct creation *creation, struct acme_error *err)
{
    const struct acme_issuer *issuer = &creation->issuer;
    const bool known = creation->used[0] != '\0';
    time_t now = time(NULL);
    bool is_new = false;
    enum acme_rc rc;

    rc = creation->own ? acme_store_account_url(creation->store, issuer,
                             creation->id, creation->url, now, err)
                       : acme_store_account_add(creation->store, issuer,
                             creation->key, creation->url, now, &is_new, err);
    if (rc == ACME_OK && creation->made)
        rc = acme_store_contacts_told(creation->store, issuer, creation->id,
            "acmectl", true, err);
    if (rc == ACME_OK && creation->ctl->replace)
        rc = acme_store_accounts(creation->store, put_lost_aside, creation,
            err);
    ctl_account_in_use(creation->store, issuer, creation->used);
    if (rc == ACME_OK && !creation->own &&
        strcmp(creation->used, creation->id) != 0 &&
        (creation->ctl->replace || !known)) {
        rc = acme_store_account_prefer(creation->store, issuer, creation->id,
            now, err);
        ctl_account_in_use(creation->store, issuer, creation->used);
    }
    return rc;
}

static int
tell(struct creation *creation)
{
    const bool is_used =
        creation->own || strcmp(creation->used, creation->id) == 0;
    struct acme_json *json;

    if (creation->ctl->json) {
        json = acme_json_object();
        acme_json_set_str(json, "id", creation->id);
        acme_json_set_str(json, "url", creation->url);
        acme_json_set_str(json, "directory", creation->issuer.directory);
        acme_json_set_bool(json, "made", creation->made);
        acme_json_set_bool(json, "used", is_used);
        return ctl_print_json(json);
    }
    if (creation->ctl->quiet)
        return CTL_OK;
    (void)printf("Account URI: %s\nCA: %s\nKey: %s\n%s\n", creation->url,
        creation->issuer.directory, creation->id,
        creation->made ? "The account is new."
                       : "The CA had this account already.");
    if (!is_used)
        (void)printf("Orders are made with the account of key %s; account "
                     "merge --into %s changes that.\n",
            creation->used, creation->id);
    return CTL_OK;
}

static int
create(struct creation *creation)
{
    struct acme_error err;
    int code = choose_ca(creation);

    acme_error_clear(&err);
    if (code == CTL_OK)
        code = confirm_replace(creation);
    if (code == CTL_OK)
        code = choose_key(creation);
    if (code == CTL_OK)
        code = enroll(creation);
    if (code != CTL_OK)
        return code;
    if (store(creation, &err) != ACME_OK)
        return ctl_fail(CTL_FAILED,
            "the account %s is there, but not noted: %s; run it again",
            creation->url, err.what);
    if (creation->made)
        ctl_account_event(creation->store, ACME_EVENT_ACCOUNT_CREATED,
            &creation->issuer, creation->id, "account registered by acmectl");
    return tell(creation);
}

int
ctl_account_create(struct ctl *ctl)
{
    struct creation *creation =
        acme_arena_alloc(ctl->arena, sizeof(*creation));
    int code;

    if (creation == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    creation->ctl = ctl;
    code = check_contacts(ctl);
    if (code == CTL_OK && ctl->eab_key != NULL && !ctl->quiet)
        (void)fprintf(stderr,
            "acmectl: others on this machine can see the key of "
            "--eab-hmac-key; --eab-file keeps it to its file\n");
    if (code == CTL_OK)
        code = read_given(creation);
    if (code == CTL_OK)
        code = ctl_find_new(ctl);
    if (code == CTL_OK)
        code = ctl_open_writing(ctl, &creation->store);
    if (code == CTL_OK)
        code = create(creation);
    acme_key_unref(creation->key);
    acme_store_close(creation->store);
    return code;
}

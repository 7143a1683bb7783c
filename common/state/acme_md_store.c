/*
 * mod_md's layout: md_store.json has the passphrase of account keys;
 * accounts/ID/{account.json,account.pem}; domains/NAME/{md.json,pubcert.pem,
 * privkey.pem,pubcert.KIND.pem,...} and, once replaced, archive/NAME.N/ with
 * the same, counted from 1 on.
 */
#include "state/acme_md_store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_base64.h"
#include "base/acme_name.h"
#include "wrap/acme_json.h"

#define STORE_FILE "md_store.json"
#define ACCOUNTS_MAX 256

/* Certificates of one domain, one for each kind of key that mod_md knows. */
#define PAIRS_MAX 8

/* Sets in all, current and archived ones: as many as a large server has. */
#define SETS_MAX 32768

#define PATH_SIZE (ACME_NAME_MAX + 32)

struct account {
    char *name;
    struct acme_buf json, key;
    struct acme_error trouble;
    struct acme_json *root; /* once it was looked into */
};

struct pair {
    char *chain_name, *key_name;
    struct acme_buf chain, key;
};

struct acme_md_set {
    const char *domain; /* in `path` */
    size_t domain_len;
    size_t order; /* in which they were read */
    char *path;
    struct acme_buf md; /* md.json, or nothing */
    time_t at;          /* when its first certificate was written */
    size_t npairs;
    struct pair pair[PAIRS_MAX];
};

struct acme_md_store {
    int fd;
    struct acme_buf json;
    bool archive_known;
    struct acme_dir_names archive;
    size_t naccounts;
    struct account *account;
    size_t nsets, sets_cap;
    struct acme_md_set **set; /* by domain, once closed */
};

bool
acme_md_store_is(const char *path)
{
    char file[PATH_MAX];
    struct stat st;
    int n = snprintf(file, sizeof(file), "%s/" STORE_FILE, path);

    return n > 0 && (size_t)n < sizeof(file) && stat(file, &st) == 0 &&
           S_ISREG(st.st_mode);
}

/* ---- bytes ------------------------------------------------------------ */

/* A directory of the store's, that the caller alone can write. */
static enum acme_rc
open_below(const struct acme_md_store *store, const char *path, int *fd,
    struct acme_error *err)
{
    struct stat st;

    *fd = acme_dir_open_below(store->fd, path);
    if (*fd == -1)
        return acme_error_set(err, ACME_NOENT, "\"%s\" is not there", path);
    if (fstat(*fd, &st) == 0 && st.st_uid == geteuid() &&
        (st.st_mode & 022) == 0)
        return ACME_OK;
    close(*fd);
    *fd = -1;
    return acme_error_set(err, ACME_IO,
        "\"%s\" does not belong to uid %lu, or others can write in it; if "
        "nobody has, chown it and chmod go-w it",
        path, (unsigned long)geteuid());
}

static enum acme_rc
list_below(const struct acme_md_store *store, const char *path,
    struct acme_dir_names *names, struct acme_error *err)
{
    enum acme_rc rc;
    int fd;

    rc = open_below(store, path, &fd, err);
    if (rc != ACME_OK)
        return rc;
    rc = acme_dir_names_read(fd, ".", false, names, err);
    close(fd);
    return rc;
}

enum acme_rc
acme_md_store_open(const char *path, struct acme_md_store **out,
    struct acme_error *err)
{
    struct acme_md_store *store = calloc(1, sizeof(*store));
    enum acme_rc rc;
    struct stat st;

    if (store == NULL)
        return acme_error_nomem(err);
    acme_buf_init_secret(&store->json, ACME_STATE_JSON_MAX);
    rc = acme_dir_open(path, geteuid(), false, &store->fd, err);
    if (rc != ACME_OK)
        store->fd = -1;
    else if (fstat(store->fd, &st) == -1 || (st.st_mode & 022) != 0)
        rc = acme_error_set(err, ACME_IO,
            "others can write in it; chmod go-w it if nobody has");
    if (rc == ACME_OK)
        rc = acme_dir_read(store->fd, STORE_FILE, geteuid(),
            ACME_STATE_JSON_MAX, &store->json, err);
    if (rc == ACME_OK)
        *out = store;
    else
        acme_md_store_free(store);
    return rc;
}

static int
compare_domain(const struct acme_md_set *set, const char *name, size_t len)
{
    const size_t common = set->domain_len < len ? set->domain_len : len;
    int order = memcmp(set->domain, name, common);

    if (order != 0 || set->domain_len == len)
        return order;
    return set->domain_len < len ? -1 : 1;
}

static int
compare(const void *a, const void *b)
{
    const struct acme_md_set *x = *(const struct acme_md_set *const *)a;
    const struct acme_md_set *y = *(const struct acme_md_set *const *)b;
    int order = compare_domain(x, y->domain, y->domain_len);

    if (order == 0)
        order = x->order < y->order ? -1 : x->order > y->order;
    return order;
}

void
acme_md_store_close(struct acme_md_store *store)
{
    if (store->fd == -1)
        return;
    close(store->fd);
    store->fd = -1;
    if (store->nsets > 0)
        qsort(store->set, store->nsets, sizeof(struct acme_md_set *), compare);
}

static void
free_set(struct acme_md_set *set)
{
    while (set->npairs > 0) {
        struct pair *pair = &set->pair[--set->npairs];

        acme_buf_clear(&pair->chain);
        acme_buf_clear(&pair->key);
        free(pair->chain_name);
        free(pair->key_name);
    }
    acme_buf_clear(&set->md);
    free(set->path);
    free(set);
}

void
acme_md_store_free(struct acme_md_store *store)
{
    if (store == NULL)
        return;
    acme_md_store_close(store);
    while (store->nsets > 0)
        free_set(store->set[--store->nsets]);
    while (store->naccounts > 0) {
        struct account *account = &store->account[--store->naccounts];

        acme_json_free(account->root);
        acme_buf_clear(&account->json);
        acme_buf_clear(&account->key);
        free(account->name);
    }
    free(store->set);
    free(store->account);
    acme_dir_names_free(&store->archive);
    acme_buf_clear(&store->json);
    free(store);
}

enum acme_rc
acme_md_store_domains(const struct acme_md_store *store,
    struct acme_dir_names *names, struct acme_error *err)
{
    enum acme_rc rc = list_below(store, "domains", names, err);

    if (rc == ACME_NOENT)
        rc = err->rc = ACME_OK;
    return rc;
}

static bool
is_chain(const char *file)
{
    return strcmp(file, "pubcert.pem") == 0 ||
           (strncmp(file, "pubcert.", 8) == 0 && strlen(file) > 12 &&
               strcmp(file + strlen(file) - 4, ".pem") == 0);
}

bool
acme_md_store_is_staged(const struct acme_md_store *store, const char *name)
{
    struct acme_dir_names files = { 0 };
    struct acme_error ignored;
    char path[PATH_SIZE];
    bool staged = false;
    size_t i;

    acme_error_clear(&ignored);
    (void)snprintf(path, sizeof(path), "staging/%s", name);
    if (acme_dir_names_read(store->fd, path, false, &files, &ignored) ==
        ACME_OK)
        for (i = 0; i < files.count; i++)
            staged |= is_chain(files.name[i]);
    acme_dir_names_free(&files);
    return staged;
}

static enum acme_rc
read_account(const struct acme_md_store *store, struct account *account,
    struct acme_error *err)
{
    char path[PATH_SIZE];
    enum acme_rc rc;
    int fd;

    (void)snprintf(path, sizeof(path), "accounts/%s", account->name);
    rc = open_below(store, path, &fd, err);
    if (rc != ACME_OK)
        return rc;
    rc = acme_dir_read(fd, "account.json", geteuid(), ACME_STATE_JSON_MAX,
        &account->json, err);
    if (rc == ACME_OK)
        rc = acme_dir_read(fd, "account.pem", geteuid(), ACME_STATE_PEM_MAX,
            &account->key, err);
    close(fd);
    return rc;
}

enum acme_rc
acme_md_store_read_accounts(struct acme_md_store *store,
    struct acme_error *err)
{
    struct acme_dir_names names = { 0 };
    enum acme_rc rc;
    size_t i;

    rc = list_below(store, "accounts", &names, err);
    if (rc == ACME_OK && names.count > ACCOUNTS_MAX)
        rc = acme_error_set(err, ACME_IO, "there are more than %d accounts",
            ACCOUNTS_MAX);
    if (rc == ACME_OK) {
        store->account = calloc(names.count + 1, sizeof(*store->account));
        if (store->account == NULL)
            rc = acme_error_nomem(err);
    }
    for (i = 0; rc == ACME_OK && i < names.count; i++) {
        struct account *account = &store->account[store->naccounts++];

        acme_buf_init_secret(&account->json, ACME_STATE_JSON_MAX);
        acme_buf_init_secret(&account->key, ACME_STATE_PEM_MAX);
        account->name = names.name[i];
        names.name[i] = NULL;
        (void)read_account(store, account, &account->trouble);
    }
    acme_dir_names_free(&names);
    if (rc == ACME_NOENT)
        rc = err->rc = ACME_OK;
    return rc;
}

/* "pubcert.KIND.pem", and "privkey.KIND.pem" beside it. */
static enum acme_rc
read_pair(int fd, const char *chain, struct pair *pair, struct acme_error *err)
{
    char key[NAME_MAX + 1];
    enum acme_rc rc;

    acme_buf_init(&pair->chain, ACME_STATE_PEM_MAX);
    acme_buf_init_secret(&pair->key, ACME_STATE_PEM_MAX);
    (void)snprintf(key, sizeof(key), "privkey%s", chain + strlen("pubcert"));
    pair->chain_name = strdup(chain);
    pair->key_name = strdup(key);
    if (pair->chain_name == NULL || pair->key_name == NULL)
        return acme_error_nomem(err);
    rc = acme_dir_read(fd, chain, geteuid(), ACME_STATE_PEM_MAX, &pair->chain,
        err);
    if (rc == ACME_OK)
        rc = acme_dir_read(fd, key, geteuid(), ACME_STATE_PEM_MAX, &pair->key,
            err);
    if (rc == ACME_NOENT)
        rc = err->rc = ACME_IO;
    return rc;
}

static enum acme_rc
read_pairs(int fd, struct acme_md_set *set, struct acme_error *err)
{
    struct acme_dir_names files = { 0 };
    struct acme_error ignored;
    struct stat st;
    enum acme_rc rc;
    size_t i;

    rc = acme_dir_names_read(fd, ".", false, &files, err);
    for (i = 0; rc == ACME_OK && i < files.count; i++) {
        if (!is_chain(files.name[i]) || set->npairs == PAIRS_MAX)
            continue;
        if (set->npairs == 0 &&
            fstatat(fd, files.name[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            set->at = st.st_mtime;
        rc = read_pair(fd, files.name[i], &set->pair[set->npairs++], err);
    }
    acme_dir_names_free(&files);
    acme_error_clear(&ignored);
    if (rc == ACME_OK && set->npairs > 0)
        (void)acme_dir_read(fd, "md.json", geteuid(), ACME_STATE_JSON_MAX,
            &set->md, &ignored);
    return rc;
}

static bool
grow(struct acme_md_store *store)
{
    size_t cap = store->sets_cap == 0 ? 64 : store->sets_cap * 2;
    struct acme_md_set **grown;

    if (store->nsets < store->sets_cap)
        return true;
    grown = realloc(store->set, cap * sizeof(struct acme_md_set *));
    if (grown == NULL)
        return false;
    store->set = grown;
    store->sets_cap = cap;
    return true;
}

/* A directory with certificates of a domain.  ACME_NOENT: it has none. */
static enum acme_rc
read_set(struct acme_md_store *store, const char *top, const char *entry,
    size_t domain_len, struct acme_error *err)
{
    struct acme_md_set *set;
    char path[PATH_SIZE];
    enum acme_rc rc;
    int fd = -1;

    if (store->nsets == SETS_MAX)
        return acme_error_set(err, ACME_IO, "there are more than %d of them",
            SETS_MAX);
    (void)snprintf(path, sizeof(path), "%s/%s", top, entry);
    rc = open_below(store, path, &fd, err);
    if (rc != ACME_OK)
        return rc;
    set = calloc(1, sizeof(*set));
    if (set == NULL || !grow(store) || (set->path = strdup(path)) == NULL) {
        free(set);
        close(fd);
        return acme_error_nomem(err);
    }
    acme_buf_init_secret(&set->md, ACME_STATE_JSON_MAX);
    set->domain = set->path + strlen(top) + 1;
    set->domain_len = domain_len;
    set->order = store->nsets;
    rc = read_pairs(fd, set, err);
    close(fd);
    if (rc != ACME_OK)
        (void)acme_error_wrap(err, "%s", path);
    else if (set->npairs == 0)
        rc = acme_error_set(err, ACME_NOENT, "no certificate");
    if (rc == ACME_OK)
        store->set[store->nsets++] = set;
    else
        free_set(set);
    return rc;
}

/* The number in "NAME.N" of archive/; 0: it is another one's. */
static unsigned
archived(const char *entry, const char *name)
{
    size_t len = strlen(name);
    const char *digits = entry + len + 1;

    if (strncmp(entry, name, len) != 0 || entry[len] != '.' || *digits < '1' ||
        *digits > '9' || strlen(digits) > 6 ||
        strspn(digits, "0123456789") != strlen(digits))
        return 0;
    return (unsigned)strtoul(digits, NULL, 10);
}

/* The highest number below `bound`, or 0. */
static unsigned
next_archived(const struct acme_md_store *store, const char *name,
    unsigned bound)
{
    size_t low = 0, high = store->archive.count, middle, i;
    unsigned best = 0, number;

    /* Entries of a name follow each other. */
    while (low < high) {
        middle = low + (high - low) / 2;
        if (strcmp(store->archive.name[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (i = low; i < store->archive.count &&
                  strncmp(store->archive.name[i], name, strlen(name)) == 0;
         i++) {
        number = archived(store->archive.name[i], name);
        if (number < bound && number > best)
            best = number;
    }
    return best;
}

static void
read_history(struct acme_md_store *store, const char *name, unsigned history)
{
    char entry[PATH_SIZE];
    struct acme_error ignored;
    unsigned number = UINT_MAX;

    acme_error_clear(&ignored);
    if (!store->archive_known)
        (void)list_below(store, "archive", &store->archive, &ignored);
    store->archive_known = true;
    while (history > 0 && (number = next_archived(store, name, number)) != 0) {
        acme_error_clear(&ignored);
        (void)snprintf(entry, sizeof(entry), "%s.%u", name, number);
        if (read_set(store, "archive", entry, strlen(name), &ignored) ==
            ACME_OK)
            history--;
    }
}

enum acme_rc
acme_md_store_read_domain(struct acme_md_store *store, const char *name,
    unsigned history, struct acme_error *err)
{
    enum acme_rc rc;

    if (strlen(name) > ACME_NAME_MAX || strchr(name, '/') != NULL ||
        name[0] == '.')
        return acme_error_set(err, ACME_NOENT, "no name of a domain");
    rc = read_set(store, "domains", name, strlen(name), err);
    if (rc == ACME_OK)
        read_history(store, name, history);
    return rc;
}

/* ---- what is in them -------------------------------------------------- */

static enum acme_rc
damaged(struct acme_error *err, const char *dir, const char *file,
    const struct acme_error *why)
{
    return acme_error_set(err, ACME_IO, "\"%s/%s\" is no use: %s", dir, file,
        why->what);
}

size_t
acme_md_store_accounts(const struct acme_md_store *store)
{
    return store->naccounts;
}

void
acme_md_account_clear(struct acme_md_account *account)
{
    acme_key_unref(account->key);
    memset(account, 0, sizeof(*account));
}

static enum acme_rc
passphrase(const struct acme_md_store *store, struct acme_buf *out,
    struct acme_error *err)
{
    struct acme_json *root = NULL;
    const char *text;
    enum acme_rc rc;

    rc = acme_json_parse(acme_buf_str(&store->json), store->json.len,
        STORE_FILE, &root, err);
    if (rc != ACME_OK)
        return rc;
    text = acme_json_str(root, "key");
    rc = text == NULL ? acme_error_set(err, ACME_IO, STORE_FILE " has no key")
                      : acme_base64_decode(out, text, strlen(text), err);
    acme_json_free(root);
    return rc;
}

static enum acme_rc
open_key(const struct acme_md_store *store, const struct account *from,
    struct acme_key **key, struct acme_error *err)
{
    struct acme_buf pass;
    enum acme_rc rc;

    acme_buf_init_secret(&pass, ACME_STATE_JSON_MAX);
    rc = passphrase(store, &pass, err);
    if (rc == ACME_OK)
        rc = acme_key_from_encrypted_pem(acme_buf_str(&from->key),
            from->key.len, &pass, key, err);
    acme_buf_clear(&pass);
    return rc;
}

enum acme_rc
acme_md_store_account(struct acme_md_store *store, size_t i,
    struct acme_md_account *account, struct acme_error *err)
{
    struct account *from = &store->account[i];
    const char *file = "account.json", *status;
    struct acme_error why;
    char dir[PATH_SIZE];

    acme_error_clear(&why);
    memset(account, 0, sizeof(*account));
    (void)snprintf(dir, sizeof(dir), "accounts/%s", from->name);
    if (from->trouble.rc != ACME_OK)
        return damaged(err, dir, "", &from->trouble);
    if (from->root == NULL &&
        acme_json_parse(acme_buf_str(&from->json), from->json.len, file,
            &from->root, &why) != ACME_OK)
        return damaged(err, dir, file, &why);
    if (acme_json_need_str(from->root, "ca-url", ACME_URL_MAX - 1,
            &account->directory, &why) != ACME_OK)
        return damaged(err, dir, file, &why);
    status = acme_json_str(from->root, "status");
    account->name = from->name;
    account->url = acme_json_str(from->root, "url");
    account->contact = acme_json_get(from->root, "contact");
    account->valid = status != NULL && strcmp(status, "valid") == 0;
    account->eab_kid = acme_json_str(acme_json_get(from->root, "eab"), "kid");
    if (open_key(store, from, &account->key, &why) == ACME_OK)
        return ACME_OK;
    return damaged(err, dir, "account.pem", &why);
}

const struct acme_md_set *
acme_md_store_set(const struct acme_md_store *store, const char *name,
    size_t i)
{
    const size_t len = strlen(name);
    size_t low = 0, high = store->nsets, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (compare_domain(store->set[middle], name, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (i >= store->nsets - low ||
        compare_domain(store->set[low + i], name, len) != 0)
        return NULL;
    return store->set[low + i];
}

const char *
acme_md_set_path(const struct acme_md_set *set)
{
    return set->path;
}

void
acme_md_set_issuer(const struct acme_md_set *set, char issuer[ACME_URL_MAX])
{
    struct acme_json *root = NULL;
    struct acme_error ignored;
    const char *url = NULL;

    acme_error_clear(&ignored);
    issuer[0] = '\0';
    if (acme_json_parse(acme_buf_str(&set->md), set->md.len, "md.json", &root,
            &ignored) == ACME_OK)
        url = acme_json_str(acme_json_get(root, "ca"), "url");
    if (url != NULL && strlen(url) < ACME_URL_MAX)
        memcpy(issuer, url, strlen(url) + 1);
    acme_json_free(root);
}

const struct acme_buf *
acme_md_set_json(const struct acme_md_set *set)
{
    return &set->md;
}

time_t
acme_md_set_time(const struct acme_md_set *set)
{
    return set->at;
}

size_t
acme_md_set_pairs(const struct acme_md_set *set)
{
    return set->npairs;
}

enum acme_rc
acme_md_set_pair(const struct acme_md_set *set, size_t i,
    struct acme_key **key, struct acme_chain **chain, struct acme_error *err)
{
    const struct pair *pair = &set->pair[i];
    struct acme_error why;

    acme_error_clear(&why);
    if (acme_key_from_pem(acme_buf_str(&pair->key), pair->key.len, key,
            &why) != ACME_OK)
        return damaged(err, set->path, pair->key_name, &why);
    if (acme_chain_from_pem(acme_buf_str(&pair->chain), pair->chain.len, chain,
            &why) == ACME_OK)
        return ACME_OK;
    acme_key_unref(*key);
    *key = NULL;
    return damaged(err, set->path, pair->chain_name, &why);
}

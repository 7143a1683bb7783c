#include "state/acme_foreign_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/acme_dir.h"
#include "state/acme_md_store.h"
#include "wrap/acme_json.h"

/* More accounts than any machine has, and how deep they lie at most: an URL's
 * path is some directories. */
#define ACCOUNTS_MAX 256
#define DEPTH_MAX 8

#define ACCOUNTS "accounts"
#define CA "ca"

struct tree {
    const char *path; /* of the directory, without links */
    const char *given;
    const char *only; /* the only place that is looked at, or NULL */
    int fd;
    uid_t owner;
    struct acme_foreign_accounts *found;
};

/* A directory that is looked into: where its files are read, and where in the
 * tree it stands.  They differ behind a link of Certbot's. */
struct spot {
    char at[PATH_MAX];
    char place[PATH_MAX];
};

void
acme_foreign_accounts_clear(struct acme_foreign_accounts *accounts)
{
    while (accounts->n > 0)
        acme_foreign_account_clear(&accounts->list[--accounts->n]);
    free(accounts->list);
    accounts->list = NULL;
}

/* ---- one account ------------------------------------------------------ */

/* The top itself is "". */
static bool
join(char *out, const char *dir, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s%s%s", dir, dir[0] != '\0' ? "/" : "",
        name);

    return n > 0 && n < PATH_MAX;
}

static mode_t
type_of(const struct tree *tree, const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    if (!join(path, dir, name) ||
        fstatat(tree->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
        return 0;
    return st.st_mode & S_IFMT;
}

/* One that is not there leaves *got NULL. */
static enum acme_rc
read_file(const struct tree *tree, const char *dir, const char *name,
    struct acme_buf *text, const struct acme_buf **got, struct acme_error *err)
{
    char path[PATH_MAX];
    struct acme_error why;
    enum acme_rc rc;

    acme_error_clear(&why);
    if (name == NULL)
        return ACME_OK;
    if (!join(path, dir, name))
        return acme_error_set(err, ACME_IO, "a path is too long");
    rc = acme_dir_read(tree->fd, path, tree->owner, ACME_STATE_PEM_MAX, text,
        &why);
    if (rc == ACME_NOENT)
        return ACME_OK;
    if (rc != ACME_OK)
        return acme_error_set(err, rc, "%s", why.what);
    *got = text;
    return ACME_OK;
}

enum acme_rc
acme_foreign_accounts_add(struct acme_foreign_accounts *found,
    struct acme_foreign_account *account, const char *from,
    struct acme_error *err)
{
    struct acme_foreign_account *grown;

    if (found->n == ACCOUNTS_MAX)
        return acme_error_set(err, ACME_CONFIG,
            "there are more than %d accounts", ACCOUNTS_MAX);
    grown = realloc(found->list, (found->n + 1) * sizeof(*grown));
    if (grown == NULL)
        return acme_error_nomem(err);
    found->list = grown;
    account->from = strdup(from);
    if (account->from == NULL)
        return acme_error_nomem(err);
    grown[found->n++] = *account;
    memset(account, 0, sizeof(*account));
    return ACME_OK;
}

/* The names of an account's files in its directory. */
struct names {
    const char *key, *json, *more;
};

static enum acme_rc
take(const struct tree *tree, const struct spot *spot, const char *place,
    const struct names *names, struct acme_error *err)
{
    struct acme_foreign_files files = { .client = tree->found->client,
        .place = place };
    struct acme_foreign_account account;
    struct acme_buf key, json, more;
    char from[PATH_MAX];
    enum acme_rc rc;

    memset(&account, 0, sizeof(account));
    acme_buf_init_secret(&key, ACME_STATE_PEM_MAX);
    acme_buf_init(&json, ACME_STATE_PEM_MAX);
    acme_buf_init(&more, ACME_STATE_PEM_MAX);
    rc = read_file(tree, spot->at, names->key, &key, &files.key, err);
    if (rc == ACME_OK)
        rc = read_file(tree, spot->at, names->json, &json, &files.json, err);
    if (rc == ACME_OK)
        rc = read_file(tree, spot->at, names->more, &more, &files.more, err);
    if (rc == ACME_OK)
        rc = acme_foreign_account_parse(&files, &account, err);
    if (rc == ACME_OK && !join(from, spot->at, names->key))
        rc = acme_error_set(err, ACME_IO, "a path is too long");
    if (rc == ACME_OK)
        rc = acme_foreign_accounts_add(tree->found, &account, from, err);
    if (rc != ACME_OK)
        (void)acme_error_wrap(err, "account of %s in \"%s/%s\"",
            acme_foreign_client_name(files.client), tree->path, spot->at);
    acme_foreign_account_clear(&account);
    acme_buf_clear(&key);
    acme_buf_clear(&json);
    acme_buf_clear(&more);
    return rc;
}

/* ---- what a directory is ---------------------------------------------- */

/* The API of version 1, which is there no more; Certbot's accounts there are
 * those of version 2, with links. */
static bool
is_gone(const char *place)
{
    return strncmp(place, "acme-v01.", strlen("acme-v01.")) == 0 ||
           strncmp(place, "acme-staging.", strlen("acme-staging.")) == 0;
}

/* accounts/HOST/PATH/ID */
static enum acme_rc
take_certbot(const struct tree *tree, const struct spot *spot,
    struct acme_error *err)
{
    static const struct names names = { "private_key.json", "regr.json",
        "meta.json" };
    char place[PATH_MAX];
    char *id;

    if (is_gone(spot->place))
        return ACME_OK;
    (void)snprintf(place, sizeof(place), "%s", spot->place);
    id = strrchr(place, '/');
    if (id != NULL)
        *id = '\0';
    return take(tree, spot, place, &names, err);
}

/* Its key is keys/MAIL.key, or the only one there. */
static enum acme_rc
take_lego(const struct tree *tree, const struct spot *spot,
    struct acme_error *err)
{
    const char *mail = strrchr(spot->at, '/') + 1;
    struct acme_dir_names files = { 0 };
    char keys[PATH_MAX], name[PATH_MAX] = "keys/?.key";
    struct names names = { name, "account.json", NULL };
    size_t i, len, n = 0;
    enum acme_rc rc = ACME_OK;

    if (join(keys, spot->at, "keys"))
        rc = acme_dir_names_read(tree->fd, keys, false, &files, err);
    for (i = 0; i < files.count && rc == ACME_OK; i++) {
        len = strlen(files.name[i]);
        if (len <= 4 || strcmp(files.name[i] + len - 4, ".key") != 0)
            continue;
        (void)join(name, "keys", files.name[i]);
        n++;
        if (strncmp(files.name[i], mail, len - 4) == 0 &&
            mail[len - 4] == '\0') {
            n = 1;
            break;
        }
    }
    acme_dir_names_free(&files);
    if (rc == ACME_OK && n > 1)
        rc = acme_error_set(err, ACME_CONFIG,
            "account of lego in \"%s\": there are several keys, none of them "
            "\"%s.key\"",
            spot->at, mail);
    return rc == ACME_OK ? take(tree, spot, spot->place, &names, err) : rc;
}

static enum acme_rc
take_acme_sh(const struct tree *tree, const struct spot *spot,
    struct acme_error *err)
{
    static const struct names names = { "account.key", "account.json",
        "ca.conf" };

    return take(tree, spot, spot->place, &names, err);
}

static const struct layout {
    enum acme_foreign_client client;
    const char *top;
    const char *mark; /* what the directory of an account has in it */
    mode_t mark_type;
    enum acme_rc (*take)(const struct tree *tree, const struct spot *spot,
        struct acme_error *err);
} layouts[] = {
    { ACME_FOREIGN_CERTBOT, ACCOUNTS, "private_key.json", S_IFREG,
        take_certbot },
    { ACME_FOREIGN_LEGO, ACCOUNTS, "keys", S_IFDIR, take_lego },
    { ACME_FOREIGN_ACME_SH, CA, "account.key", S_IFREG, take_acme_sh },
};

/* ---- looking for them ------------------------------------------------- */

static enum acme_rc look_into(const struct tree *tree,
    const struct layout *layout, const struct spot *spot, unsigned depth,
    struct acme_error *err);

/* Whether a link's target is below the tree's top; *below then is it. */
static bool
is_below(const struct tree *tree, const char *target, const char *top,
    const char **below)
{
    const char *const roots[] = { tree->path, tree->given };
    size_t i, len;

    for (i = 0; i < 2; i++) {
        len = strlen(roots[i]);
        if (strncmp(target, roots[i], len) != 0 || target[len] != '/')
            continue;
        *below = target + len + 1;
        if (strncmp(*below, top, strlen(top)) == 0 &&
            (*below)[strlen(top)] == '/' && strstr(*below, "..") == NULL)
            return true;
    }
    return false;
}

/* Certbot's link from one CA's accounts to another's: `spot` is its place. */
static enum acme_rc
follow(const struct tree *tree, const struct layout *layout, struct spot *spot,
    unsigned depth, struct acme_error *err)
{
    char target[PATH_MAX];
    const char *below;
    enum acme_rc rc =
        acme_dir_readlink(tree->fd, spot->at, target, sizeof(target), err);

    if (rc != ACME_OK)
        return rc;
    if (!is_below(tree, target, layout->top, &below))
        return acme_error_set(err, ACME_CONFIG,
            "\"%s\" is a symbolic link that leads out of \"%s\"", spot->at,
            layout->top);
    (void)snprintf(spot->at, sizeof(spot->at), "%s", below);
    return look_into(tree, layout, spot, depth, err);
}

static enum acme_rc
look_at_entry(const struct tree *tree, const struct layout *layout,
    const struct spot *parent, const char *name, unsigned depth,
    struct acme_error *err)
{
    struct spot *spot = malloc(sizeof(*spot));
    enum acme_rc rc = ACME_OK;
    mode_t type;

    if (spot == NULL)
        return acme_error_nomem(err);
    type = type_of(tree, parent->at, name);
    if (!join(spot->at, parent->at, name) ||
        !join(spot->place, parent->place, name))
        rc = acme_error_set(err, ACME_IO, "a path is too long");
    if (rc == ACME_OK && type == S_IFDIR)
        rc = look_into(tree, layout, spot, depth + 1, err);
    else if (rc == ACME_OK && type == S_IFLNK &&
             layout->client == ACME_FOREIGN_CERTBOT)
        rc = follow(tree, layout, spot, depth + 1, err);
    free(spot);
    return rc;
}

/* Whether it is the place that is looked for, or on the way there or below. */
static bool
is_wanted(const struct tree *tree, const struct spot *spot)
{
    size_t len = strlen(spot->place), n;

    if (tree->only == NULL || len == 0)
        return true;
    n = strlen(tree->only);
    if (strncmp(spot->place, tree->only, len < n ? len : n) != 0)
        return false;
    return len == n || (len < n ? tree->only[len] : spot->place[n]) == '/';
}

static enum acme_rc
look_into(const struct tree *tree, const struct layout *layout,
    const struct spot *spot, unsigned depth, struct acme_error *err)
{
    struct acme_dir_names names = { 0 };
    enum acme_rc rc;
    size_t i;

    if (depth > DEPTH_MAX || !is_wanted(tree, spot))
        return ACME_OK;
    if (spot->place[0] != '\0' &&
        type_of(tree, spot->at, layout->mark) == layout->mark_type) {
        tree->found->client = layout->client;
        return layout->take(tree, spot, err);
    }
    rc = acme_dir_names_read(tree->fd, spot->at, false, &names, err);
    for (i = 0; i < names.count && rc == ACME_OK; i++)
        rc = look_at_entry(tree, layout, spot, names.name[i], depth, err);
    acme_dir_names_free(&names);
    return rc;
}

static enum acme_rc
look_for(const struct tree *tree, const struct layout *layout,
    struct acme_error *err)
{
    struct spot *top;
    enum acme_rc rc;

    if (type_of(tree, "", layout->top) != S_IFDIR)
        return ACME_OK;
    top = calloc(1, sizeof(*top));
    if (top == NULL)
        return acme_error_nomem(err);
    (void)snprintf(top->at, sizeof(top->at), "%s", layout->top);
    rc = look_into(tree, layout, top, 0, err);
    free(top);
    return rc;
}

/* Those with one key for all CAs. */
static enum acme_rc
look_for_key(const struct tree *tree, enum acme_foreign_client client,
    const char *dir, const char *name, struct acme_error *err)
{
    const struct names names = { name, NULL, NULL };
    struct spot *spot;
    enum acme_rc rc;

    if (tree->only != NULL || type_of(tree, dir, name) != S_IFREG)
        return ACME_OK;
    spot = calloc(1, sizeof(*spot));
    if (spot == NULL)
        return acme_error_nomem(err);
    (void)snprintf(spot->at, sizeof(spot->at), "%s", dir);
    tree->found->client = client;
    rc = take(tree, spot, NULL, &names, err);
    free(spot);
    return rc;
}

static enum acme_rc
look_everywhere(const struct tree *tree, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    size_t i;

    for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (rc == ACME_OK && tree->found->n == 0)
            rc = look_for(tree, &layouts[i], err);
    if (rc == ACME_OK && tree->found->n == 0)
        rc = look_for_key(tree, ACME_FOREIGN_UACME, "private", "key.pem", err);
    if (rc == ACME_OK && tree->found->n == 0)
        rc = look_for_key(tree, ACME_FOREIGN_NGINX, "", "account.key", err);
    return rc;
}

/* ---- mod_md ----------------------------------------------------------- */

static enum acme_rc
take_md(struct acme_foreign_accounts *found, const struct acme_md_account *md,
    struct acme_error *err)
{
    struct acme_foreign_account account;
    char from[PATH_MAX];
    const char *text;
    enum acme_rc rc;
    size_t i;

    memset(&account, 0, sizeof(account));
    account.client = ACME_FOREIGN_MOD_MD;
    account.key = acme_key_ref(md->key);
    account.dead = !md->valid;
    (void)snprintf(account.directory, sizeof(account.directory), "%s",
        md->directory);
    if (md->url != NULL && strlen(md->url) < sizeof(account.url))
        (void)snprintf(account.url, sizeof(account.url), "%s", md->url);
    for (i = 0; i < acme_json_count(md->contact); i++) {
        text = acme_json_text(acme_json_at(md->contact, i));
        if (text != NULL && account.ncontacts < ACME_CONTACTS_MAX &&
            strlen(text) < ACME_URL_MAX &&
            (account.contact[account.ncontacts] = strdup(text)) != NULL)
            account.ncontacts++;
    }
    (void)snprintf(from, sizeof(from), "accounts/%s/account.pem", md->name);
    rc = acme_foreign_accounts_add(found, &account, from, err);
    acme_foreign_account_clear(&account);
    return rc;
}

static enum acme_rc
read_md(const char *path, struct acme_foreign_accounts *found,
    struct acme_error *err)
{
    struct acme_md_store *store = NULL;
    struct acme_md_account md;
    enum acme_rc rc = acme_md_store_open(path, &store, err);
    size_t i;

    found->client = ACME_FOREIGN_MOD_MD;
    if (rc == ACME_OK)
        rc = acme_md_store_read_accounts(store, err);
    if (rc == ACME_OK)
        acme_md_store_close(store);
    for (i = 0; rc == ACME_OK && i < acme_md_store_accounts(store); i++) {
        rc = acme_md_store_account(store, i, &md, err);
        if (rc == ACME_OK)
            rc = take_md(found, &md, err);
        acme_md_account_clear(&md);
    }
    acme_md_store_free(store);
    return rc;
}

/* ---- all of it -------------------------------------------------------- */

static enum acme_rc
read_tree(struct tree *tree, struct acme_error *err)
{
    struct stat st;
    enum acme_rc rc;

    if (stat(tree->path, &st) == -1 || !S_ISDIR(st.st_mode))
        return acme_error_set(err, ACME_NOENT, "\"%s\" is no directory",
            tree->path);
    tree->owner = st.st_uid;
    rc = acme_dir_open(tree->path, tree->owner, false, &tree->fd, err);
    if (rc != ACME_OK)
        return rc;
    rc = look_everywhere(tree, err);
    close(tree->fd);
    return rc;
}

/* "/etc/letsencrypt/accounts/acme.test/dir/ID" is a place in
 * "/etc/letsencrypt". */
static enum acme_rc
read_part(struct tree *tree, const char *top, struct acme_error *err)
{
    char middle[sizeof(ACCOUNTS) + 2], path[PATH_MAX];
    struct tree part = *tree;
    char *at;

    (void)snprintf(middle, sizeof(middle), "/%s/", top);
    (void)join(path, tree->path, "");
    at = strstr(path, middle);
    if (at == NULL || at == path)
        return ACME_OK;
    path[strlen(path) - 1] = '\0';
    part.path = part.given = path;
    if (at[strlen(middle) - 1] != '\0')
        part.only = at + strlen(middle);
    *at = '\0';
    return read_tree(&part, err);
}

static enum acme_rc
read_all(struct tree *tree, struct acme_error *err)
{
    enum acme_rc rc;

    if (acme_md_store_is(tree->path))
        return read_md(tree->path, tree->found, err);
    rc = read_tree(tree, err);
    if (rc == ACME_OK && tree->found->n == 0)
        rc = read_part(tree, ACCOUNTS, err);
    if (rc == ACME_OK && tree->found->n == 0)
        rc = read_part(tree, CA, err);
    return rc;
}

enum acme_rc
acme_foreign_accounts_read(const char *path,
    struct acme_foreign_accounts *accounts, struct acme_error *err)
{
    struct acme_foreign_accounts found = { ACME_FOREIGN_FILE, 0, NULL };
    char *real = realpath(path, NULL);
    struct tree tree = { .path = real, .given = path, .found = &found };
    enum acme_rc rc;

    if (real == NULL)
        return acme_error_set(err, errno == ENOENT ? ACME_NOENT : ACME_IO,
            "cannot open \"%s\": %s", path, strerror(errno));
    rc = read_all(&tree, err);
    if (rc == ACME_OK && found.n == 0)
        rc = acme_error_set(err, ACME_NOENT,
            "\"%s\" has no accounts of Certbot, uacme, lego, acme.sh, mod_md "
            "or nginx's ACME module in it",
            path);
    free(real);
    if (rc == ACME_OK)
        *accounts = found;
    else
        acme_foreign_accounts_clear(&found);
    return rc;
}

/*
 * acmectl: what its files share.  The command line's side of the core: it
 * finds the state directory, becomes its owner, and shows or changes what is
 * in it.
 */
#ifndef ACME_CTL_H
#define ACME_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/acme_arena.h"
#include "base/acme_host.h"
#include "state/acme_config.h"
#include "state/acme_store.h"
#include "wrap/acme_json.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
    CTL_LOCKED = 3
};

#define CTL_STATES_MAX 8
#define CTL_WORDS_MAX 100 /* more names no CA puts into a certificate */

/* Of an option that may be given several times; each counts once. */
struct ctl_words {
    size_t n;
    const char *word[CTL_WORDS_MAX];
};

/* Of one that counts for those of --domains behind it. */
struct ctl_placed {
    size_t n;
    struct {
        const char *word;
        size_t before; /* so many of --domains */
    } at[CTL_WORDS_MAX];
};

struct ctl_verb;

/* Who has said what an option is; whoever comes first counts. */
enum ctl_source {
    CTL_SOURCE_NONE,
    CTL_SOURCE_COMMAND,
    CTL_SOURCE_ENVIRONMENT,
    CTL_SOURCE_OWN_FILE,
    CTL_SOURCE_COMMON_FILE
};

#define CTL_OPTIONS_MAX 128

/* What the command line and the configuration files say; ctl_options.c tells
 * what each option means. */
struct ctl {
    struct acme_arena *arena; /* of words */
    const struct ctl_verb *verb;
    enum ctl_source source;                 /* who is listened to now */
    unsigned char said_by[CTL_OPTIONS_MAX]; /* of each row of the options */
    const char *said_at[CTL_OPTIONS_MAX];   /* "FILE:LINE"; NULL: no file */
    struct ctl_words files;                 /* of options, that were read */
    const char *state_dir;
    const char *config;
    const char *log_file;
    long max_log_backups;
    bool json;
    bool quiet;
    int verbose;
    bool non_interactive;
    bool help;
    bool version;
    bool without;
    /* of verbs */
    struct ctl_words cert_names;
    const char *cert_name; /* the first of them; NULL: none */
    struct ctl_words domains;
    bool details;
    bool force;
    bool dry_run;
    bool no_wait;
    const char *server; /* directory URL of a CA, or its short name */
    const struct acme_issuer *issuer; /* of that, by ctl_server_known() */
    const char *account;
    const char *account_url;
    const char *into;
    bool no_contact;
    bool offline;
    bool replace;
    bool confirm;
    const char *cert_path;
    const char *chain_path;
    const char *fullchain_path;
    const char *csr; /* a file */
    const char *key_path;
    const char *reason;
    bool no_delete;
    bool delete_after; /* a revocation */
    bool yes;
    long checkpoints; /* versions to go back; 0: not given */
    long to;          /* a version's number; 0: not given */
    long of_version;  /* so */
    const char *format;
    const char *part;
    const char *output; /* a file, or "-" */
    const char *password_file;
    const char *key_algorithm;
    bool print;
    const char *private_key, *certificate, *chain; /* files */
    const char *type;
    long ttl;
    const char *until;
    long lines;
    bool follow;
    const char *key; /* of a request: a file, or a type */
    struct ctl_words subject;
    bool must_staple;
    bool repair;
    bool connect;
    const char *connect_to; /* HOST:PORT */
    bool ocsp;
    bool no_keys;
    bool no_accounts;
    bool redirect, no_redirect; /* of enhance: */
    bool hsts, no_hsts;
    bool auto_hsts, no_auto_hsts;
    bool uir, no_uir;
    bool staple_ocsp;
    long lock_timeout; /* seconds */
    bool staging;      /* of issue: */
    bool agree_tos;
    bool allow_subset;
    bool break_my_certs;
    bool duplicate;
    bool expand;
    bool keep;
    bool no_autorenew;
    bool no_directory_hooks;
    bool no_hook_validation;
    bool no_verify_ssl;
    bool renew_with_new_domains;
    bool reuse_key;
    struct ctl_words challenges;
    struct ctl_words emails;
    struct ctl_words keys;
    bool manual;
    bool standalone;
    bool webroot;
    struct ctl_placed webroots;
    long http_port, tls_port; /* 0: not given */
    const char *auth_hook;
    const char *authenticator;
    const char *ca_file;
    const char *challenge_cmd;
    const char *cleanup_hook;
    const char *deploy_hook;
    const char *dns_propagation;
    const char *dns_update;
    const char *eab_alg;
    const char *eab_file;
    const char *eab_key;
    const char *eab_kid;
    const char *new_name; /* of a lineage, here */
    const char *http_address;
    const char *post_hook;
    const char *pre_hook;
    const char *preferred_chain;
    const char *preflight;
    const char *profile;
    const char *required_profile;
    const char *tls_address;
    const char *webroot_map; /* JSON */
    int argc;                /* the operands */
    char **argv;
    /* directories that exist, in the order they are looked for */
    size_t nstates;
    const char *state[CTL_STATES_MAX];
};

/* Says what went wrong on stderr, and in the log file; returns `code`. */
int ctl_fail(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* From now on what goes wrong is added to that array instead of stderr; NULL:
 * no more. */
void ctl_fail_into(struct acme_json *list);

/* Begins the log file, with so many older ones kept; once, before anything is
 * said that is to be in it. */
int ctl_log_open(const char *path, long backups);

/* Whether there is somebody who can be asked. */
bool ctl_may_ask(const struct ctl *ctl);

/* A line that is typed, which may be empty; only where somebody may be asked.
 */
int ctl_ask_line(const char *prompt, char *line, size_t size);

/* CTL_OK: "yes" was the answer to "QUESTION. Go on?".  Nobody there to be
 * asked: CTL_USAGE, and that the option is wanted. */
int ctl_ask_yes(const struct ctl *ctl, const char *option,
    const char *question);

/* Shows a text, and waits until the person is done: false, he is not. */
bool ctl_ask_done(const char *text);

/* Makes the names of -d canonical.  CTL_USAGE: one is none. */
int ctl_read_domains(struct ctl *ctl);

/* Takes the operands for names of -d. */
int ctl_operands_are_domains(struct ctl *ctl);

/*
 * Finds the state directories: the one that is named, else every built-in
 * default that exists.  CTL_OK, or a message and CTL_FAILED.
 */
int ctl_find_states(struct ctl *ctl);

/* The built-in defaults that exist; none is no error. */
void ctl_find_defaults(struct ctl *ctl);

/*
 * Opens one for reading after becoming its owner for good: root gives itself
 * up for a directory that is not root's, anybody else is refused.  For
 * several directories of several owners each is opened in the order given,
 * root's first.
 */
int ctl_open(const char *state_dir, struct acme_store **store);

/* Only becomes the owner of one, for good; *st is the directory's. */
struct stat;
int ctl_become(const char *state_dir, struct stat *st);

/* Finds the only one that there is, as ctl->state[0]: CTL_USAGE if there are
 * more.  _new: or the one that is named and does not exist yet. */
int ctl_find_one(struct ctl *ctl);
int ctl_find_new(struct ctl *ctl);

/* Finds and opens that one, which is made if it does not exist. */
int ctl_open_new(struct ctl *ctl, struct acme_store **store);

/* Opens ctl->state[0] for writing, after becoming its owner for good; makes
 * it if it is not there. */
int ctl_open_writing(struct ctl *ctl, struct acme_store **store);

/* Finds and opens the only one that there is: CTL_USAGE if there are more. */
int ctl_open_one(struct ctl *ctl, struct acme_store **store);

/* Lines of the processes that a verb has started: log() of struct acme_server,
 * whose ctx is the struct ctl. */
void ctl_log(void *ctx, enum acme_level level, const char *line);

/* Visits the issuers of every lineage's declarations, fallbacks too, until
 * `visit` fails; settings that cannot be read are left out. */
typedef enum acme_rc ctl_visit_issuer(void *ctx,
    const struct acme_issuer *issuer, struct acme_error *err);
enum acme_rc ctl_each_issuer(struct acme_store *store, ctl_visit_issuer *visit,
    void *ctx, struct acme_error *err);

/*
 * Where --server is a name that only servers know, it becomes the URL of the
 * directory, and ctl->issuer is how they talk to that CA.  Those that run come
 * first, then what lineages have declared.  CTL_USAGE: nobody knows it, or not
 * as one CA.
 */
int ctl_server_known(struct ctl *ctl, struct acme_store *store);

/* Its parts.  Whether it takes a server to know the word; the search, with
 * the other names that there are added to `names` (ACME_NOENT: it is not
 * known here); and the message that it is known nowhere. */
bool ctl_server_is_name(const char *word);
enum acme_rc ctl_server_find(struct ctl *ctl, struct acme_store *store,
    struct ctl_words *names, bool *several, struct acme_error *err);
int ctl_server_unknown(struct ctl *ctl, const char *word,
    const struct ctl_words *names);

/* Puts into a configuration of our own where the servers that run are reached,
 * and who they are (server_uid); *any: there is one.  Before lineages are
 * added. */
enum acme_rc ctl_add_servers(struct acme_store *store,
    struct acme_config *config, bool *any, struct acme_error *err);

/* Prints a value as JSON, indented, and frees it. */
int ctl_print_json(struct acme_json *json);

/* ---- verbs ------------------------------------------------------------ */

int ctl_account_create(struct ctl *ctl);
int ctl_account_deactivate(struct ctl *ctl);
int ctl_account_export(struct ctl *ctl);
int ctl_account_import(struct ctl *ctl);
int ctl_account_list(struct ctl *ctl);
int ctl_account_merge(struct ctl *ctl);
int ctl_account_rekey(struct ctl *ctl);
int ctl_account_show(struct ctl *ctl);
int ctl_account_update(struct ctl *ctl);
int ctl_backup(struct ctl *ctl);
int ctl_certificates(struct ctl *ctl);
int ctl_check(struct ctl *ctl);
int ctl_completion(struct ctl *ctl);
int ctl_config_show(struct ctl *ctl);
int ctl_config_test(struct ctl *ctl);
int ctl_csr(struct ctl *ctl);
int ctl_csr_check(struct ctl *ctl);
int ctl_delete(struct ctl *ctl);
int ctl_deploy(struct ctl *ctl);
int ctl_dns_check(struct ctl *ctl);
int ctl_dns_records(struct ctl *ctl);
int ctl_doctor(struct ctl *ctl);
int ctl_enhance(struct ctl *ctl);
int ctl_events(struct ctl *ctl);
int ctl_export(struct ctl *ctl);
int ctl_help(struct ctl *ctl);
int ctl_import(struct ctl *ctl);
int ctl_install(struct ctl *ctl);
int ctl_issue(struct ctl *ctl);
int ctl_key_convert(struct ctl *ctl);
int ctl_key_generate(struct ctl *ctl);
int ctl_key_thumbprint(struct ctl *ctl);
int ctl_relink(struct ctl *ctl);
int ctl_renew(struct ctl *ctl);
int ctl_restore(struct ctl *ctl);
int ctl_revoke(struct ctl *ctl);
int ctl_rollback(struct ctl *ctl);
int ctl_selftest(struct ctl *ctl);
int ctl_status(struct ctl *ctl);
int ctl_version(struct ctl *ctl);
int ctl_versions(struct ctl *ctl);

#endif

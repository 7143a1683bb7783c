/*
 * The httpd host of the ACME core: what its files share.
 */
#ifndef MOD_ACME_HTTPD_H
#define MOD_ACME_HTTPD_H

#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "acme.h"

#ifndef ACME_HTTPD_STATE_DIR
#define ACME_HTTPD_STATE_DIR "/var/lib/apache2/acme"
#endif

/*
 * What can be said for the whole server, for one virtual host and for one
 * ACMEDomain, the narrower word before the wider.  NULL, ACME_KEY_NONE or -1:
 * nothing was said.
 */
struct acme_httpd_settings {
    apr_array_header_t *cas;      /* const char *, URLs or short names */
    const char *ca_file;          /* "": the system's */
    const char *proxy;            /* "": none */
    const char *proxy_ca_file;    /* "": the system's */
    apr_array_header_t *contacts; /* const char *, URLs */
    const char *eab_kid;          /* the three of one directive */
    const char *eab_file;
    const char *eab_key; /* "": no binding */
    const char *profile; /* "": none */
    const char *preferred_chain;
    const char *issuer_domain;
    int terms;
    int profile_required;
    int renewal_info;
    int cn_in_csr;
    int staging;
    int must_staple;
    int reuse_key;
    int allow_subset;
    int members; /* of virtual hosts: 1 auto, 0 manual */
    int stapling;
    const char *csr_file;
    size_t ntypes; /* of the certificate; 0: nothing was said */
    enum acme_key_type type[ACME_ALGORITHMS];
    enum acme_key_type account_type;
    const char *account_file; /* instead of account_type */
    struct acme_proof proof;
    struct acme_hooks *hooks; /* large, and said once if at all; or NULL */
    struct acme_timing timing;
    struct acme_enhance enhance;
};

/* An ACMEDomain: one certificate. */
struct acme_httpd_domain {
    apr_array_header_t *names; /* const char *, canonical */
    bool automatic;            /* takes in the names of its virtual hosts */
    apr_array_header_t *certs; /* const char *: files of the operator's */
    apr_array_header_t *keys;  /* of theirs; or NULL */
    struct acme_httpd_settings settings; /* of its section */
    server_rec *within;                  /* where it was written */
    const char *file;
    int line;
    bool used;      /* by a virtual host */
    bool stapled;   /* by SSLUseStapling of one of them */
    bool managed;   /* has a lineage: */
    size_t lineage; /* in the core's config */
};

/* An <ACMEIssuer>. */
struct acme_httpd_issuer {
    const char *name;
    struct acme_httpd_settings settings;
    const char *file;
    int line;
};

struct acme_httpd_file {
    const char *path; /* NULL: none */
    int fd;
};

/* What check_config has to say once there is a log. */
struct acme_httpd_note {
    int level;
    const char *text;
};

/* One reading of the configuration, and all that lives as long. */
struct acme_httpd_conf {
    apr_pool_t *pool; /* pconf */
    server_rec *base;
    bool used;             /* by any directive */
    bool wants_more;       /* than answers with others' thumbprints */
    const char *state_dir; /* NULL, until all is read: nothing was said */
    const char *md_store;  /* mod_md's, which is taken over; or NULL */
    const char *user;
    const char *key_group;
    struct acme_port_map port_map;
    bool admin;             /* ACMEStatus admin, somewhere */
    int server_status;      /* in mod_status' page */
    int certificate_status; /* at ACME_MD_CERTIFICATE_PATH */
    struct acme_md_check check;
    unsigned dns01_version; /* of mod_md's convention; 0: nothing was said */
    struct acme_timing stapling; /* its window */
    bool staple_others;          /* asked for, which is not done */
    bool servernames;            /* an alias leads to no domain */
    bool no_base;                /* the main server has no part in it */
    apr_array_header_t *domains; /* struct acme_httpd_domain * */
    apr_array_header_t *issuers; /* struct acme_httpd_issuer *, sections */
    apr_hash_t *issuer_names;    /* of all sections, in lower case; or NULL */
    apr_array_header_t *notes;   /* struct acme_httpd_note */

    struct acme_config *config; /* NULL: nothing to do */
    const char *program;        /* "apache2" */
    pid_t parent;               /* who started the service */
    struct acme_area *area;     /* NULL: no service */
    struct acme_service service;
    bool unsupervised;             /* and the log says so */
    struct acme_live_cache *cache; /* of this child process */
    struct acme_live_alpn *alpn;   /* of this child process, or NULL */

    /* While mod_ssl reads its files; NULL: before and after. */
    struct acme_placeholder *placeholder;
    const char *placeholder_directory;
    struct acme_httpd_file placeholder_key, placeholder_cert;
};

#define ACME_HTTPD_PLACEHOLDER_503 0
#define ACME_HTTPD_PLACEHOLDER_SERVE 1

struct ssl_st;

/* A virtual host, or the server outside of them. */
struct acme_httpd_server {
    struct acme_httpd_conf *conf;
    struct acme_httpd_settings settings;
    struct acme_httpd_domain *section; /* being read, */
    struct acme_httpd_issuer *issuer;  /* or this */
    int stateless;          /* enum acme_answers; -1: nothing was said */
    const char *thumbprint; /* as written, or NULL */
    struct acme_answering answering;
    int placeholder;
    struct acme_enhance enhance;      /* as it is for requests */
    struct acme_httpd_domain *domain; /* whose certificate it serves */
    bool explicit_files;              /* has SSLCertificateFile, which stays */
    bool ssl_stapling;                /* SSLUseStapling is on */
    int (*status)(struct ssl_st *ssl, void *arg); /* mod_ssl's stapling; */
    void *status_arg;                             /* NULL: it is off */
};

/* What is said of one place: a server, a virtual host, a <Location>. */
struct acme_httpd_place {
    bool said;
    struct acme_status_policy status;
};

extern module AP_MODULE_DECLARE_DATA acme_httpd_module;

/* ---- acme_httpd_conf.c ------------------------------------------------ */

extern const command_rec acme_httpd_commands[];

void *acme_httpd_create_server(apr_pool_t *pool, server_rec *s);
void *acme_httpd_merge_server(apr_pool_t *pool, void *base, void *add);

struct acme_httpd_server *acme_httpd_server_of(const server_rec *s);

/* `wide` filled in where `narrow` says nothing; what is then neither's is in
 * the pool. */
struct acme_httpd_settings acme_httpd_settings_merge(apr_pool_t *pool,
    const struct acme_httpd_settings *wide,
    const struct acme_httpd_settings *narrow);

/* ---- acme_httpd_hooks.c ----------------------------------------------- */

/* ACMEHook, and the directives that say one thing about hooks: NULL, or what
 * is wrong.  *hooks is made where it is NULL. */
const char *acme_httpd_set_hook(cmd_parms *cmd, struct acme_hooks **hooks,
    int argc, char *const argv[]);
const char *acme_httpd_set_hooks(cmd_parms *cmd, struct acme_hooks **hooks,
    int argc, char *const argv[]);

/* NULL: neither says anything.  A copy only where both do. */
struct acme_hooks *acme_httpd_hooks_merge(apr_pool_t *pool,
    struct acme_hooks *wide, struct acme_hooks *narrow);
bool acme_httpd_hooks_equal(const struct acme_hooks *a,
    const struct acme_hooks *b);

/* ---- acme_httpd_members.c --------------------------------------------- */

/* A name, "auto" or "manual": NULL, or what is wrong. */
const char *acme_httpd_add_member(cmd_parms *cmd,
    struct acme_httpd_domain *domain, const char *word);
const char *acme_httpd_set_members(cmd_parms *cmd,
    struct acme_httpd_server *server, int argc, char *const argv[]);
const char *acme_httpd_set_match_names(cmd_parms *cmd,
    struct acme_httpd_conf *conf, const char *word);

/* ---- <ACMEIssuer> (_issuer.c) ------------------------------------------ */

#define ACME_HTTPD_ISSUER "<ACMEIssuer"

/* Of those read so far; NULL: there is none of that name. */
struct acme_httpd_issuer *acme_httpd_find_issuer(
    const struct acme_httpd_conf *conf, const char *name);

/* Whether there is one, read or not. */
bool acme_httpd_has_issuer(struct acme_httpd_conf *conf, const char *name);

/* A new one out of what follows "<ACMEIssuer", without settings yet; what must
 * be said in it. */
const char *acme_httpd_add_issuer(cmd_parms *cmd, struct acme_httpd_conf *conf,
    const char *words, struct acme_httpd_issuer **issuer);
const char *acme_httpd_check_issuer(cmd_parms *cmd,
    const struct acme_httpd_issuer *issuer);

/* Its CA, as ACMECertificateAuthority has it. */
const char *acme_httpd_issuer_ca(const struct acme_httpd_issuer *issuer);

/* domain NULL: not in a section, which is an error. */
const char *acme_httpd_add_certificate_file(cmd_parms *cmd,
    struct acme_httpd_domain *domain, const char *word);
const char *acme_httpd_add_key_file(cmd_parms *cmd,
    struct acme_httpd_domain *domain, const char *word);

/* Whether the files of a domain are pairs: NULL, or what is wrong. */
const char *acme_httpd_check_files(const struct acme_httpd_domain *domain,
    apr_pool_t *pool);

/* ---- acme_httpd_enhance.c --------------------------------------------- */

/* ACMERequireHttps, ACMEHSTS, ACMEUpgradeInsecure: NULL, or what is wrong. */
const char *acme_httpd_set_enhance(cmd_parms *cmd,
    struct acme_enhance *enhance, int argc, char *const argv[]);
void acme_httpd_enhance_hooks(void);

/* ---- acme_httpd_compat.c ---------------------------------------------- */

const char *acme_httpd_set_store_locks(cmd_parms *cmd, void *dir,
    const char *arg);
const char *acme_httpd_set_protocol(cmd_parms *cmd, void *dir,
    const char *arg);
const char *acme_httpd_set_staple_others(cmd_parms *cmd, void *dir, int on);
const char *acme_httpd_set_stapling_keep(cmd_parms *cmd, void *dir,
    const char *arg);
const char *acme_httpd_set_stapling_window(cmd_parms *cmd, void *dir,
    const char *arg);

/* ---- acme_httpd_timing.c ---------------------------------------------- */

/* The directives about when to renew and to try again: NULL, or what is
 * wrong. */
const char *acme_httpd_set_timing(cmd_parms *cmd, struct acme_timing *timing,
    int argc, char *const argv[]);

/* ---- acme_httpd_proof.c ----------------------------------------------- */

/* The words of the directive being read; NULL or what is wrong with them. */
const char *acme_httpd_set_proof(cmd_parms *cmd, struct acme_proof *proof,
    int argc, char *const argv[]);
const char *acme_httpd_set_dns01_version(cmd_parms *cmd, unsigned *version,
    const char *word);
const char *acme_httpd_set_port_map(cmd_parms *cmd, struct acme_port_map *map,
    const char *word);

/* What conf->config can be reached at; `tls` has the ports (apr_port_t) of
 * virtual hosts with TLS as keys. */
void acme_httpd_reach(struct acme_httpd_conf *conf, apr_hash_t *tls);

/* ---- acme_httpd_lineage.c --------------------------------------------- */

/* Hook check_config, so that `httpd -t` shows what is wrong. */
int acme_httpd_check_config(apr_pool_t *pconf, apr_pool_t *plog,
    apr_pool_t *ptemp, server_rec *base);
void acme_httpd_check_log(struct acme_httpd_conf *conf);

/* ---- acme_httpd_answering.c ------------------------------------------- */

const char *acme_httpd_set_stateless(cmd_parms *cmd, void *dir,
    const char *arg);
const char *acme_httpd_set_thumbprint(cmd_parms *cmd, void *dir,
    const char *arg);

/* What there is to say of one server, in the pool: NULL, NULL if nothing. */
struct acme_httpd_told {
    const char *error;
    const char *warning;
};

/* Takes the thumbprint of a server into the core's config.  `wide`: the main
 * server's, which others inherit from; NULL for that. */
struct acme_httpd_told acme_httpd_answering_init(
    struct acme_httpd_server *server, const struct acme_httpd_server *wide);

/* When that is complete. */
struct acme_httpd_told acme_httpd_answering_finish(
    struct acme_httpd_server *server, const struct acme_httpd_server *wide);

/* ---- acme_httpd_tls.c ------------------------------------------------- */

void acme_httpd_tls_hooks(void);

/* mod_ssl has read its files: the placeholder goes. */
void acme_httpd_tls_read(struct acme_httpd_conf *conf);

/* ---- acme_httpd_alpn.c ------------------------------------------------ */

void acme_httpd_alpn_hooks(void);

/* From within the certificate callback of any virtual host.  OK: this is a
 * validation and has its certificate; DECLINED: it is none. */
int acme_httpd_alpn_certificate(struct ssl_st *ssl);

/* ---- acme_httpd_challenge.c ------------------------------------------- */

/* Hook quick_handler. */
int acme_httpd_request(request_rec *r, int lookup);

/* ---- acme_httpd_status.c ---------------------------------------------- */

void *acme_httpd_create_place(apr_pool_t *pool, char *dir);
void *acme_httpd_merge_place(apr_pool_t *pool, void *base, void *add);

/* ACMEStatus: NULL, or what is wrong. */
const char *acme_httpd_set_status(cmd_parms *cmd, void *place, int argc,
    char *const argv[]);

/* ACMEServerStatus and ACMECertificateStatus, ACMECertificateCheck. */
const char *acme_httpd_set_shown(cmd_parms *cmd, void *dir, int flag);
const char *acme_httpd_set_check(cmd_parms *cmd, void *dir, const char *name,
    const char *url);

/* Hook handler. */
int acme_httpd_status(request_rec *r);

/* What is told of one host to everybody: from within the quick handler. */
int acme_httpd_certificate_status(request_rec *r);

/* Hook status_hook of mod_status. */
int acme_httpd_server_status(request_rec *r, int flags);

/* ---- acme_httpd_host.c ------------------------------------------------ */

/* Path of the configuration file that this server was started with. */
const char *acme_httpd_conf_path(const process_rec *process, apr_pool_t *pool);

void acme_httpd_host_start(struct acme_httpd_conf *conf);

/* Every few seconds in the parent: a supervisor that died is started again. */
void acme_httpd_host_watch(struct acme_httpd_conf *conf);

/* In a child of the MPM that is still root, if the server was started so. */
void acme_httpd_host_open(struct acme_httpd_conf *conf);

void acme_httpd_host_child(struct acme_httpd_conf *conf);

#endif


/*
 * The nginx host of the ACME core: what its files share.
 */


#ifndef _NGX_ACME_MODULE_H_INCLUDED_
#define _NGX_ACME_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "acme.h"


#ifndef ACME_NGINX_STATE_DIR
#define ACME_NGINX_STATE_DIR  "/var/lib/nginx/acme"
#endif


typedef struct ngx_acme_srv_conf_s  ngx_acme_srv_conf_t;


/* an acme_issuer block, or a short name used without one */

typedef struct {
    ngx_str_t                 name;
    ngx_str_t                 uri;
    ngx_array_t               contacts;       /* char * */
    ngx_str_t                 account_key;
    ngx_str_t                 trusted;
    ngx_str_t                 state_path;     /* of nginx's own module */
    ngx_resolver_t           *resolver;       /* NULL: that of http{} */
    time_t                    resolver_timeout;
    ngx_str_t                 proxy;
    ngx_str_t                 proxy_trusted;
    ngx_str_t                 eab_kid;
    ngx_str_t                 eab_key;        /* FILE or data:KEY */
    const char               *eab_alg;
    struct acme_proof        *proof;          /* NULL: nothing was said */
    ngx_str_t                 profile;
    ngx_flag_t                profile_required;
    ngx_str_t                 preferred_chain;
    ngx_str_t                 issuer_domain;
    ngx_flag_t                renewal_info;
    ngx_flag_t                cn_in_csr;
    ngx_flag_t                staging;
    ngx_flag_t                terms;
    ngx_flag_t                verify;
    ngx_uint_t                said;           /* of the flags of the block */
    ngx_str_t                 file;           /* where it was written */
    ngx_uint_t                line;
    size_t                    index;          /* in the core's config */
    unsigned                  implicit:1;     /* has no block */
} ngx_acme_issuer_t;


/*
 * One of nginx's three ssl modules: where the members are in what it keeps of
 * a server, which the callbacks of http, stream and mail have in common.
 */

typedef struct {
    ngx_str_t                 context;        /* of its session ids */
    size_t                    ssl;            /* offsets */
    size_t                    certificates;
    size_t                    certificate_keys;
    size_t                    builtin_session_cache;
    size_t                    shm_zone;
    size_t                    session_timeout;
    ssize_t                   stapling;       /* or -1: not in this nginx */

    /* of an explicit certificate; NULL: the SSL_CTX has it */
    int                     (*lookup)(ngx_ssl_conn_t *ssl_conn, void *sscf);
} ngx_acme_ssl_module_t;


#define ngx_acme_ssl_module(context, type, stapling, lookup)                 \
    {                                                                        \
        ngx_string(context),                                                 \
        offsetof(type, ssl),                                                 \
        offsetof(type, certificates),                                        \
        offsetof(type, certificate_keys),                                    \
        offsetof(type, builtin_session_cache),                               \
        offsetof(type, shm_zone),                                            \
        offsetof(type, session_timeout),                                     \
        stapling,                                                            \
        lookup                                                               \
    }


typedef struct {
    ngx_str_t                 state_path;
    ngx_flag_t                terms;
    ngx_str_t                 user;
    ngx_str_t                 key_group;
    ngx_array_t               issuers;        /* ngx_acme_issuer_t */
    ngx_resolver_t           *resolver;       /* of http{}, or NULL */
    time_t                    resolver_timeout;
    struct acme_port_map      port_map;
    ngx_array_t               servers;        /* ngx_acme_srv_conf_t *, of */
                                              /* stream{} and mail{} */
    ngx_pool_t               *temp_pool;      /* while it is read */

    ngx_acme_srv_conf_t      *http;           /* of http{} itself */
    struct acme_config       *config;
    struct acme_area         *area;           /* NULL: no service */
    struct acme_service       service;
    struct acme_live_cache   *cache;          /* of this worker */
    struct acme_live_alpn    *alpn;           /* of this worker, or NULL */
    SSL_CTX                  *alpn_ctx;       /* of its connections */
    ngx_event_t               watch;          /* of worker 0 */

    unsigned                  used:1;         /* by a directive of http{} */
    unsigned                  shared_zone:1;  /* said, and nothing more */
    unsigned                  admin:1;        /* acme_status admin */
} ngx_acme_main_conf_t;


#define NGX_ACME_PLACEHOLDER_OFF          0
#define NGX_ACME_PLACEHOLDER_SELF_SIGNED  1


struct ngx_acme_srv_conf_s {
    ngx_array_t              *certificate;    /* words of acme_certificate */
    ngx_str_t                 file;
    ngx_uint_t                line;
    ngx_uint_t                stateless;      /* enum acme_answers */
    ngx_str_t                 thumbprint;     /* as written */
    ngx_str_t                 answers_file;   /* where either was written */
    ngx_uint_t                answers_line;
    struct acme_answering     answering;
    ngx_flag_t                must_staple;
    ngx_flag_t                stapling;
    ngx_flag_t                reuse_key;
    ngx_flag_t                allow_subset;
    ngx_flag_t                use_wildcard;
    ngx_uint_t                placeholder;
    struct acme_proof        *proof;          /* NULL: nothing was said */
    struct acme_hooks        *hooks;          /* the same */
    struct acme_timing        timing;
    struct acme_enhance       enhance;

    ngx_acme_main_conf_t     *main;
    ngx_acme_srv_conf_t      *outer;          /* of its block, or of http{} */
    ngx_array_t              *server_names;   /* ngx_http_server_name_t */
    int                     (*status)(ngx_ssl_conn_t *ssl_conn, void *data);
    void                     *status_data;    /* of nginx's own stapling */
    const ngx_acme_ssl_module_t  *ssl;        /* NULL: there is none */
    void                     *sscf;           /* what it keeps of the server */
    struct acme_lineage      *wanted;         /* while it is read */
    size_t                    lineage;        /* known at the end of that */
    unsigned                  tls:1;          /* has an ssl listener */
    unsigned                  managed:1;      /* has a lineage */
    unsigned                  may_share:1;    /* another's wildcard */
    unsigned                  inherited:1;    /* certificate is http{}'s */
    unsigned                  own:1;          /* has $acme_certificate */
    unsigned                  injected:1;     /* has no ssl_certificate */
    unsigned                  answers_told:1;
    unsigned                  redirects:1;    /* it says so itself */
};


/* what acme_status says of a location, which others do not inherit */

typedef struct {
    struct acme_status_policy  status;
} ngx_acme_loc_conf_t;


/* ngx_acme_conf.c */

/* the directives of http; those behind are of stream and mail as well */
#define NGX_ACME_HTTP_COMMANDS  13

extern ngx_command_t  ngx_acme_commands[];

void *ngx_acme_create_conf(ngx_cycle_t *cycle);
void *ngx_acme_create_main_conf(ngx_conf_t *cf);
void *ngx_acme_create_srv_conf(ngx_conf_t *cf);
char *ngx_acme_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child);
char *ngx_acme_merge_tls_conf(ngx_conf_t *cf, void *parent, void *child);
ngx_acme_issuer_t *ngx_acme_push_issuer(ngx_conf_t *cf,
    ngx_acme_main_conf_t *amcf, ngx_str_t *name);
char *ngx_acme_text(ngx_conf_t *cf, const char *text);

/* ngx_acme_lineage.c */

char *ngx_acme_init_main_conf(ngx_conf_t *cf, void *conf);
char *ngx_acme_init_conf(ngx_cycle_t *cycle, void *conf);
void ngx_acme_inherit(ngx_acme_srv_conf_t *ascf);

/* ngx_acme_hooks.c */

char *ngx_acme_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_acme_hooks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_acme_hooks_of(ngx_acme_srv_conf_t *ascf, struct acme_hooks *hooks);

/* ngx_acme_timing.c */

char *ngx_acme_timing(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
struct acme_timing ngx_acme_timing_of(ngx_acme_srv_conf_t *ascf);

/* ngx_acme_proof.c */

char *ngx_acme_proof(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_acme_proof_words(ngx_conf_t *cf, struct acme_proof **proof,
    enum acme_proof_item item);
char *ngx_acme_port_map(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_acme_proof_of(ngx_acme_main_conf_t *amcf, ngx_acme_srv_conf_t *ascf,
    size_t index, struct acme_proof *proof);
void ngx_acme_reach(ngx_acme_main_conf_t *amcf,
    ngx_http_core_main_conf_t *cmcf);

/* ngx_acme_tls.c */

ngx_int_t ngx_acme_tls_inject(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf);
ngx_flag_t ngx_acme_tls_stapling(ngx_acme_srv_conf_t *ascf);
ngx_int_t ngx_acme_tls_install(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf);

/* ngx_acme_http.c */

void ngx_acme_http_servers(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_http_core_main_conf_t *cmcf);
ngx_int_t ngx_acme_http_inject(ngx_conf_t *cf,
    ngx_http_core_main_conf_t *cmcf);

/* ngx_acme_listen.c */

ngx_module_t *ngx_acme_find_module(ngx_cycle_t *cycle, const char *name);
ngx_int_t ngx_acme_take_server(ngx_conf_t *cf, ngx_acme_srv_conf_t *ascf);

/* ngx_acme_alpn.c */

void ngx_acme_alpn_install(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf);
void ngx_acme_alpn_start(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf);
void ngx_acme_alpn_stop(ngx_acme_main_conf_t *amcf);

/* ngx_acme_challenge.c */

ngx_int_t ngx_acme_challenge_handler(ngx_http_request_t *r);

/* one more header of the answer; both texts are borrowed */

ngx_int_t ngx_acme_header(ngx_http_request_t *r, const char *name,
    const char *value);

/* ngx_acme_enhance.c */

char *ngx_acme_enhance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
void ngx_acme_enhance_check(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_http_core_srv_conf_t *cscf);
ngx_int_t ngx_acme_enhance_handler(ngx_http_request_t *r);

/* ngx_acme_answering.c */

char *ngx_acme_stateless(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_acme_thumbprint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_acme_answering_init(ngx_conf_t *cf, ngx_acme_main_conf_t *amcf,
    ngx_acme_srv_conf_t *ascf);
ngx_int_t ngx_acme_answering_merge(ngx_conf_t *cf, ngx_acme_srv_conf_t *prev,
    ngx_acme_srv_conf_t *conf);

/* ngx_acme_variables.c */

ngx_int_t ngx_acme_add_variables(ngx_conf_t *cf);
void ngx_acme_note_answer(ngx_http_request_t *r);

/* ngx_acme_status.c */

void *ngx_acme_create_loc_conf(ngx_conf_t *cf);
char *ngx_acme_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* ngx_acme_host.c */

void ngx_acme_host_start(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf);
void ngx_acme_host_worker(ngx_cycle_t *cycle, ngx_acme_main_conf_t *amcf);


extern ngx_module_t  ngx_acme_core_module;
extern ngx_module_t  ngx_acme_module;
extern ngx_module_t  ngx_acme_filter_module;


#endif /* _NGX_ACME_MODULE_H_INCLUDED_ */

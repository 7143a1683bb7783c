
/*
 * Answers for the CA's validation requests: from the token in the path and
 * what the key area holds, with no state of its own.
 */


#include "ngx_acme_module.h"


ngx_int_t
ngx_acme_challenge_handler(ngx_http_request_t *r)
{
    char                       answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    ngx_str_t                  type;
    ngx_acme_srv_conf_t       *ascf;
    ngx_acme_main_conf_t      *amcf;
    ngx_http_complex_value_t   cv;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || r->uri.len < sizeof(ACME_CHALLENGE_PATH)
        || ngx_strncmp(r->uri.data, ACME_CHALLENGE_PATH,
                       sizeof(ACME_CHALLENGE_PATH) - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_acme_module);
    ascf = ngx_http_get_module_srv_conf(r, ngx_acme_module);

    if (!acme_challenge_answer(amcf->config, amcf->area, &ascf->answering,
                               (char *) r->headers_in.server.data,
                               r->headers_in.server.len,
                               (char *) r->uri.data, r->uri.len, answer))
    {
        return NGX_DECLINED;
    }

    if (ngx_acme_header(r, "X-Content-Type-Options", "nosniff") != NGX_OK
        || ngx_acme_header(r, "Cache-Control", "no-store") != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_acme_note_answer(r);

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.len = ngx_strlen(answer);
    cv.value.data = ngx_pnalloc(r->pool, cv.value.len);
    if (cv.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(cv.value.data, answer, cv.value.len);

    ngx_str_set(&type, "text/plain");

    ngx_http_finalize_request(r, ngx_http_send_response(r, NGX_HTTP_OK,
                                                        &type, &cv));

    return NGX_DONE;
}


ngx_int_t
ngx_acme_header(ngx_http_request_t *r, const char *name, const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;

    return NGX_OK;
}

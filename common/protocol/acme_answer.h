/*
 * What an answer of a CA means: success, or a problem document (RFC 7807,
 * RFC 8555 6.7) as an error.
 */
#ifndef ACME_ANSWER_H
#define ACME_ANSWER_H

#include <time.h>

#include "wrap/acme_http.h"
#include "wrap/acme_json.h"

/*
 * Makes an empty `err` ACME_PROBLEM with our text `what` and the type, detail,
 * instance and subproblems of a problem document, cleaned and bounded: for
 * the `error` members of orders and challenges too.  What is no object (NULL
 * too) leaves only `what`.
 */
enum acme_rc acme_answer_problem(const struct acme_json *problem,
    const char *what, struct acme_error *err);

/*
 * Success is 200 or 201.  4xx and 5xx become ACME_PROBLEM, with retry_at from
 * Retry-After, counted from `now`; any other status ACME_WIRE.
 */
enum acme_rc acme_answer_judge(const struct acme_http_response *response,
    time_t now, struct acme_error *err);

/* The body, which must be a JSON object; *root is the caller's. */
enum acme_rc acme_answer_object(const struct acme_http_response *response,
    struct acme_json **root, struct acme_error *err);

#endif

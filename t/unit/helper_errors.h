/*
 * OpenSSL's queue with an error of somebody else in it: what is tested leaves
 * that there and adds none.
 */
#ifndef HELPER_ERRORS_H
#define HELPER_ERRORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>

#define HELPER_ERRORS_REASON 42

/* Before a test. */
static inline void
helper_errors_begin(void)
{
    ERR_clear_error();
    ERR_raise(ERR_LIB_USER, HELPER_ERRORS_REASON);
}

/* After it; leaves the queue empty. */
static inline void
helper_errors_end(void)
{
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), HELPER_ERRORS_REASON);
    assert_int_equal(ERR_get_error(), 0);
}

#endif

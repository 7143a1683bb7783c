/* acme_html.h: whatever it is, it is text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wrap/acme_html.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
expect(struct acme_buf *out, const char *text)
{
    assert_true(acme_buf_ok(out));
    assert_string_equal(acme_buf_str(out), text);
    acme_buf_reset(out);
}

static void
test_html(void **state)
{
    static const char *const no_links[] = { "javascript:alert(1)",
        "http://ca.test/", "//ca.test", "https://", "" };
    struct acme_buf out;
    size_t i;

    (void)state;
    acme_buf_init(&out, 1024);
    acme_html_text(&out, "");
    expect(&out, "");
    acme_html_text(&out, "a<b>&\"c'\xc3\xa4");
    expect(&out, "a&lt;b&gt;&amp;&quot;c&#39;\xc3\xa4");
    acme_html_query(&out, "a-Z_0.9 &=#\"<\xc3\xa4:");
    expect(&out, "a-Z_0.9%20%26%3D%23%22%3C%C3%A4%3A");
    acme_html_link(&out, "https://ca.test/a?b=1", "<why>");
    expect(&out, "<a href=\"https://ca.test/a?b=1\" rel=\"noopener "
                 "noreferrer\">&lt;why&gt;</a>");
    for (i = 0; i < COUNT(no_links); i++) {
        acme_html_link(&out, no_links[i], "<why>");
        assert_null(strstr(acme_buf_str(&out), "<"));
        expect(&out, no_links[i]);
    }
    acme_html_link(&out, "https://ca.test/\"><script>", "x");
    assert_null(strstr(acme_buf_str(&out), "<script"));
    acme_buf_clear(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_html) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

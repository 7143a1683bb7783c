/*
 * Text that goes into HTML.  Whatever is not ours goes through here, and is
 * text then: in an element, in a quoted attribute, or in a URL.
 */
#ifndef ACME_HTML_H
#define ACME_HTML_H

#include "base/acme_buf.h"

/* Appends it as text, also for an attribute in quotes. */
void acme_html_text(struct acme_buf *out, const char *text);

/* Appends it as a part of a URL's query: what is not a letter, a digit or one
 * of "-._" becomes "%XX". */
void acme_html_query(struct acme_buf *out, const char *text);

/* Appends a link of `text` that tells its end nothing of where it was, if the
 * URL is an https one; else the URL as text. */
void acme_html_link(struct acme_buf *out, const char *url, const char *text);

#endif

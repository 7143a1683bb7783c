#include "acmectl/ctl_markup.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define COLUMNS 79
#define EXAMPLE "    "

struct block {
    enum {
        PARAGRAPH,
        ITEM,
        EXAMPLE_LINE
    } kind;
    const char *tag; /* of an item */
    size_t tag_len;
    const char *text;
    size_t len;
};

/* Takes the next line; false: there is none. */
static bool
next_block(const char **text, struct block *block)
{
    const char *line = *text, *colon;
    size_t len = strcspn(line, "\n");

    if (*line == '\0')
        return false;
    *text += len + (line[len] == '\n');
    memset(block, 0, sizeof(*block));
    block->text = line;
    block->len = len;
    if (strncmp(line, EXAMPLE, strlen(EXAMPLE)) == 0) {
        block->kind = EXAMPLE_LINE;
        block->text += strlen(EXAMPLE);
        block->len -= strlen(EXAMPLE);
    } else if (strncmp(line, "* ", 2) == 0 &&
               (colon = strstr(line, ": ")) != NULL && colon < line + len) {
        block->kind = ITEM;
        block->tag = line + 2;
        block->tag_len = (size_t)(colon - block->tag);
        block->text = colon + 2;
        block->len = len - (size_t)(block->text - line);
    }
    return true;
}

/* ---- terminal --------------------------------------------------------- */

/* Columns: of UTF-8, not of bytes. */
static int
width(const char *word, size_t len)
{
    int n = 0;

    for (; len > 0; word++, len--)
        n += *word != '`' && ((unsigned char)*word & 0xc0) != 0x80;
    return n;
}

static void
put_word(FILE *out, const char *word, size_t len)
{
    for (; len > 0; word++, len--)
        if (*word != '`')
            (void)fputc(*word, out);
}

void
ctl_markup_wrap(FILE *out, const char *text, size_t len, int at, int indent)
{
    const char *end = text + len;
    bool first = true;
    size_t word;

    for (; text < end; text += word + (text + word < end)) {
        for (word = 0; text + word < end && text[word] != ' ';)
            word++;
        if (!first && at + 1 + width(text, word) > COLUMNS) {
            (void)fprintf(out, "\n%*s", indent, "");
            at = indent;
        } else if (!first) {
            (void)fputc(' ', out);
            at++;
        }
        put_word(out, text, word);
        at += width(text, word);
        first = false;
    }
    (void)fputc('\n', out);
}

static void
print_item(FILE *out, const struct block *block, int indent)
{
    int at = indent + 4 + width(block->tag, block->tag_len);
    int hang = indent + 4;

    (void)fprintf(out, "%*s", indent + 2, "");
    put_word(out, block->tag, block->tag_len);
    (void)fputs("  ", out);
    ctl_markup_wrap(out, block->text, block->len, at, hang);
}

void
ctl_markup_print(FILE *out, const char *text, int indent)
{
    struct block block, before = { .kind = ITEM };
    bool first = true;

    for (; next_block(&text, &block); before = block, first = false) {
        if (!first && (block.kind == PARAGRAPH || block.kind != before.kind))
            (void)fputc('\n', out);
        if (block.kind == ITEM) {
            print_item(out, &block, indent);
        } else if (block.kind == EXAMPLE_LINE) {
            (void)fprintf(out, "%*s%.*s\n", indent + 4, "", (int)block.len,
                block.text);
        } else {
            (void)fprintf(out, "%*s", indent, "");
            ctl_markup_wrap(out, block.text, block.len, indent, indent);
        }
    }
}

/* ---- manual page ------------------------------------------------------ */

/* `first`: at the beginning of a line, where a dot or a quote is a request. */
static void
put_man(FILE *out, char c, bool first)
{
    if (first && (c == '.' || c == '\''))
        (void)fputs("\\&", out);
    if (c == '\\')
        (void)fputs("\\e", out);
    else if (c == '-')
        (void)fputs("\\-", out);
    else
        (void)fputc(c, out);
}

static void
man_text(FILE *out, const char *text, size_t len)
{
    bool literal = false, first = true;

    for (; len > 0; text++, len--) {
        if (*text == '`') {
            literal = !literal;
            (void)fputs(literal ? "\\fB" : "\\fR", out);
        } else if (*text == ' ' && !literal && text[-1] == '.') {
            (void)fputc('\n', out); /* a sentence, a line */
            first = true;
            continue;
        } else {
            put_man(out, *text, first);
        }
        first = false;
    }
    (void)fputc('\n', out);
}

void
ctl_markup_man_literal(FILE *out, const char *text)
{
    const char *at;

    for (at = text; *at != '\0'; at++)
        put_man(out, *at, at == text);
}

void
ctl_markup_man(FILE *out, const char *text)
{
    struct block block;
    bool item = false, example = false, first = true;

    for (; next_block(&text, &block); first = false) {
        if (item && block.kind != ITEM)
            (void)fputs(".El\n", out);
        if (example && block.kind != EXAMPLE_LINE)
            (void)fputs(".Ed\n", out);
        if (!first && block.kind == PARAGRAPH)
            (void)fputs(".Pp\n", out);
        if (!item && block.kind == ITEM)
            (void)fputs(".Bl -tag -width Ds -compact\n", out);
        if (!example && block.kind == EXAMPLE_LINE)
            (void)fputs(".Bd -literal -offset indent\n", out);
        item = block.kind == ITEM;
        example = block.kind == EXAMPLE_LINE;
        if (item) {
            (void)fputs(".It ", out);
            man_text(out, block.tag, block.tag_len);
        }
        man_text(out, block.text, block.len);
    }
    if (item)
        (void)fputs(".El\n", out);
    if (example)
        (void)fputs(".Ed\n", out);
}

/* An option with its dashes is bold; what is written large stands for
 * something. */
void
ctl_markup_man_usage(FILE *out, const char *usage, size_t len)
{
    enum {
        PLAIN,
        BOLD,
        ITALIC
    } font = PLAIN, now;
    static const char *const fonts[] = { "\\fR", "\\fB", "\\fI" };
    size_t i;

    for (i = 0; i < len; i++) {
        now = font;
        if (isupper((unsigned char)usage[i]))
            now = ITALIC;
        else if (islower((unsigned char)usage[i]) || usage[i] == '-')
            now = BOLD;
        else if (!isdigit((unsigned char)usage[i]))
            now = PLAIN;
        if (now != font)
            (void)fputs(fonts[now], out);
        font = now;
        put_man(out, usage[i], i == 0);
    }
    if (font != PLAIN)
        (void)fputs(fonts[PLAIN], out);
    (void)fputc('\n', out);
}

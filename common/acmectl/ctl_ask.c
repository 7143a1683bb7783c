/*
 * Questions, which only a person at a terminal is asked.
 */
#include "acmectl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE 36000 /* seconds for an answer */

bool
ctl_may_ask(const struct ctl *ctl)
{
    return !ctl->non_interactive && !ctl->quiet && isatty(STDIN_FILENO) &&
           isatty(STDERR_FILENO);
}

/* CTL_OK: `line` has the answer without its end. */
static int
read_answer(char *line, size_t size)
{
    struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
    int n;

    do
        n = poll(&in, 1, PATIENCE * 1000);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ctl_fail(CTL_FAILED, "there was no answer in ten hours");
    if (n < 0 || fgets(line, (int)size, stdin) == NULL)
        return ctl_fail(CTL_FAILED, "there was no answer");
    line[strcspn(line, "\r\n")] = '\0';
    return CTL_OK;
}

int
ctl_ask_line(const char *prompt, char *line, size_t size)
{
    (void)fprintf(stderr, "%s: ", prompt);
    return read_answer(line, size);
}

int
ctl_ask_yes(const struct ctl *ctl, const char *option, const char *question)
{
    char line[16];
    int code;

    if (!ctl_may_ask(ctl))
        return ctl_fail(CTL_USAGE, "%s: that needs %s", question, option);
    for (;;) {
        (void)fprintf(stderr, "%s. Go on? [y/n] ", question);
        code = read_answer(line, sizeof(line));
        if (code != CTL_OK)
            return code;
        if (strcmp(line, "y") == 0 || strcmp(line, "yes") == 0)
            return CTL_OK;
        if (strcmp(line, "n") == 0 || strcmp(line, "no") == 0)
            return ctl_fail(CTL_FAILED, "nothing was done");
    }
}

bool
ctl_ask_done(const char *text)
{
    char line[256];

    (void)fprintf(stderr, "%s\nPress Enter when it is there. ", text);
    return read_answer(line, sizeof(line)) == CTL_OK;
}

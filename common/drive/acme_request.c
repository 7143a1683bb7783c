#define _GNU_SOURCE
#include "drive/acme_request.h"

#include <string.h>
#include <strings.h>

#define HOST "host:"

/* A line without its end; *data is behind it then.  False: it has none. */
static bool
take_line(const char **data, const char *end, const char **line, size_t *len)
{
    const char *lf = memchr(*data, '\n', (size_t)(end - *data));

    if (lf == NULL)
        return false;
    *line = *data;
    *len = (size_t)(lf - *data);
    if (*len > 0 && lf[-1] == '\r')
        (*len)--;
    *data = lf + 1;
    return true;
}

/* "GET /path HTTP/1.1" */
static bool
read_first(const char *line, size_t len, struct acme_request *request)
{
    static const char version[] = " HTTP/1.";
    const char *end = line + len, *space;

    request->head = len > 5 && memcmp(line, "HEAD ", 5) == 0;
    if (!request->head && !(len > 4 && memcmp(line, "GET ", 4) == 0))
        return false;
    request->path = line + (request->head ? 5 : 4);
    space = memchr(request->path, ' ', (size_t)(end - request->path));
    if (space == NULL || *request->path != '/' ||
        (size_t)(end - space) != sizeof(version) ||
        memcmp(space, version, sizeof(version) - 1) != 0)
        return false;
    request->path_len = (size_t)(space - request->path);
    return memchr(line, '\0', len) == NULL;
}

static void
read_header(const char *line, size_t len, struct acme_request *request)
{
    const size_t name = sizeof(HOST) - 1;

    if (len < name || strncasecmp(line, HOST, name) != 0)
        return;
    for (line += name, len -= name; len > 0 && (*line == ' ' || *line == '\t');
         len--)
        line++;
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    request->host = line;
    request->host_len = len;
}

enum acme_request_end
acme_request_parse(const char *data, size_t len, struct acme_request *request)
{
    const char *end = data + len, *line;
    size_t line_len;

    memset(request, 0, sizeof(*request));
    request->host = "";
    if (!take_line(&data, end, &line, &line_len))
        return ACME_REQUEST_MORE;
    if (!read_first(line, line_len, request))
        return ACME_REQUEST_OTHER;
    while (take_line(&data, end, &line, &line_len)) {
        if (line_len == 0)
            return ACME_REQUEST_GOOD;
        read_header(line, line_len, request);
    }
    return ACME_REQUEST_MORE;
}

#include "state/acme_status_reader.h"

#include <stdlib.h>

#include "base/acme_time.h"

/* It is copied in words. */
#define TEXT_MAX (ACME_STATUS_BYTES + sizeof(uintptr_t))

struct acme_status_reader {
    const struct acme_area *area;
    struct acme_json_flat *flat;
    struct acme_buf text;
};

struct acme_status_reader *
acme_status_reader_new(const struct acme_area *area)
{
    struct acme_status_reader *reader = calloc(1, sizeof(*reader));

    if (reader == NULL)
        return NULL;
    reader->area = area;
    acme_buf_init(&reader->text, TEXT_MAX);
    reader->flat = acme_json_flat_new(ACME_STATUS_BYTES);
    if (reader->flat != NULL)
        return reader;
    acme_status_reader_free(reader);
    return NULL;
}

void
acme_status_reader_free(struct acme_status_reader *reader)
{
    if (reader == NULL)
        return;
    acme_buf_clear(&reader->text);
    acme_json_flat_free(reader->flat);
    free(reader);
}

const struct acme_json_value *
acme_status_reader_get(struct acme_status_reader *reader, size_t lineage)
{
    acme_buf_reset(&reader->text);
    return acme_area_status(reader->area, lineage, &reader->text)
               ? acme_json_flat_read(reader->flat, (char *)reader->text.data,
                     reader->text.len)
               : NULL;
}

const char *
acme_status_reader_str(const struct acme_json_value *object, const char *name)
{
    const char *text = acme_json_flat_text(acme_json_flat_get(object, name));

    return text != NULL ? text : "";
}

time_t
acme_status_reader_time(const struct acme_json_value *object, const char *name)
{
    time_t t = 0;

    (void)acme_time_parse(acme_status_reader_str(object, name), &t);
    return t;
}

int64_t
acme_status_reader_int(const struct acme_json_value *object, const char *name)
{
    return acme_json_flat_int(acme_json_flat_get(object, name), 0);
}

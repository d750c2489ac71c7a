/* The lines of the protocol: records from whoever sends, and what may be a name in them. */
#ifndef SPP_LINE_H
#define SPP_LINE_H

#include "base/wire.h"

#define SPP_LINE_MAX ((size_t)4096) /* with its newline */
#define SPP_TIME_MAX ((int64_t)UINT32_MAX)

typedef enum spp_record {
    SPP_FILE = 'C',
    SPP_DIRECTORY = 'D',
    SPP_END = 'E', /* of a directory */
    SPP_TIMES = 'T',
} spp_record;

typedef struct spp_line {
    spp_record record;
    uint32_t mode; /* FILE, DIRECTORY: up to 07777 */
    uint64_t size; /* FILE, DIRECTORY: up to INT64_MAX */
    spb_span name;
    int64_t mtime; /* TIMES: up to SPP_TIME_MAX */
    int64_t atime;
} spp_line;

/* `line` without its newline. NULL: it is good; else what is wrong with it. */
const char *spp_line_parse(spp_line *out, spb_span line);
/* May it be sent, and may it be received? 1 to SP_FS_NAME_MAX bytes, no "/", no NUL and no newline,
 * not "." or ".."; a name that is received has no other control characters either. */
bool spp_name_can_go(const char *name);
bool spp_name_may_come(spb_span name);

/* "C" or "D", and "T". */
void spp_put_record(spb_buffer *out, spp_record record, uint32_t mode, uint64_t size,
                    const char *name);
void spp_put_times(spb_buffer *out, int64_t mtime, int64_t atime);
/* A status byte, "scp: ", `path` and ": " if it is not NULL, `text` and a newline. Control
 * characters become "?"; what is too long is cut. */
void spp_put_message(spb_buffer *out, uint8_t status, const char *path, const char *text);

#endif

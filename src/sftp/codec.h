/* SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02; extensions: OpenSSH's PROTOCOL, section
 * 4). Pure: bytes to a message, an answer to bytes. */
#ifndef SPF_CODEC_H
#define SPF_CODEC_H

#include "fs/fs.h"

#include <sallyport/sftp.h>
#include <time.h>

#define SPF_VERSION 3u

/* Section 3: packet types. */
enum {
    SPF_INIT = 1,
    SPF_VERSION_REPLY = 2,
    SPF_OPEN = 3,
    SPF_CLOSE = 4,
    SPF_READ = 5,
    SPF_WRITE = 6,
    SPF_LSTAT = 7,
    SPF_FSTAT = 8,
    SPF_SETSTAT = 9,
    SPF_FSETSTAT = 10,
    SPF_OPENDIR = 11,
    SPF_READDIR = 12,
    SPF_REMOVE = 13,
    SPF_MKDIR = 14,
    SPF_RMDIR = 15,
    SPF_REALPATH = 16,
    SPF_STAT = 17,
    SPF_RENAME = 18,
    SPF_READLINK = 19,
    SPF_SYMLINK = 20,
    SPF_STATUS = 101,
    SPF_HANDLE = 102,
    SPF_DATA = 103,
    SPF_NAME = 104,
    SPF_ATTRS = 105,
    SPF_EXTENDED = 200,
    SPF_EXTENDED_REPLY = 201,
};

#define SPF_HANDLE_SIZE 16u
#define SPF_HANDLE_MAX 256u /* of what a client may call a handle */
#define SPF_IDS_MAX 1024u   /* users, and groups, of one users-groups-by-id */

/* ---- requests ---- */
typedef enum spf_verdict {
    SPF_MALFORMED = 0, /* the client breaks the protocol: the session ends */
    SPF_BAD,           /* well-formed, but not to be understood: SP_FS_BAD_MESSAGE */
    SPF_UNKNOWN,       /* a request or extension that we do not have: SP_FS_OP_UNSUPPORTED */
    SPF_IS_INIT,
    SPF_IS_LIMITS, /* "limits@openssh.com": the server's own to answer */
    SPF_IS_REQUEST,
} spf_verdict;

typedef struct spf_message {
    uint8_t type;
    uint32_t id;   /* SPF_IS_INIT: the client's version */
    sp_fs_op op;   /* CLOSE stands for CLOSEDIR, too */
    spb_span path; /* without NUL bytes */
    spb_span to;
    bool has_path;
    bool has_to;
    spb_span handle;
    spb_span to_handle;
    uint64_t offset;
    uint64_t to_offset;
    uint64_t length;
    spb_span bytes; /* WRITE */
    uint32_t flags;
    sp_fs_attr attr;
    spb_span uids; /* numbers of four bytes */
    spb_span gids;
} spf_message;

/* `packet`: type and what follows, without the length. What stands behind the last field is not
 * looked at, as in OpenSSH. */
spf_verdict spf_parse(spb_span packet, spf_message *message);
/* The extension that stands for an operation; NULL past the end. Of two with the same operation the
 * table has each. */
typedef struct spf_extension {
    const char *name;
    const char *version;
    sp_fs_op op; /* 0: the server's own */
} spf_extension;
const spf_extension *spf_extension_at(size_t index);

/* ---- replies: each writes one packet, with its length ---- */
typedef struct spf_limits {
    uint64_t packet;
    uint64_t read;
    uint64_t write;
    uint64_t handles;
} spf_limits;

/* Without the extensions that are refused (SP_SFTP_OP...). */
void spf_put_version(spb_buffer *out, const sp_fs *fs, uint64_t refused);
/* The bit for what an extension (0: limits) or an operation with these flags is. */
uint64_t spf_refusal_bit(sp_fs_op op, uint32_t flags);
void spf_put_status(spb_buffer *out, uint32_t id, sp_fs_status status, const char *text);
void spf_put_handle(spb_buffer *out, uint32_t id, const uint8_t handle[SPF_HANDLE_SIZE]);
void spf_put_limits(spb_buffer *out, uint32_t id, const spf_limits *limits);
/* Any answer but SPD_HANDLE and SPD_DATA. `now`: for listings. */
void spf_put_answer(spb_buffer *out, uint32_t id, const spd_answer *answer, time_t now);
/* DATA whose bytes are in place already: `at` has SPF_DATA_HEADER bytes of room before them. */
#define SPF_DATA_HEADER ((size_t)13)
void spf_data_header(uint8_t at[SPF_DATA_HEADER], uint32_t id, uint32_t length);

void spf_put_attributes(spb_buffer *out, const sp_fs_attr *attr);
/* False: bits that version 3 does not have. */
bool spf_get_attributes(spb_reader *r, sp_fs_attr *attr);

/* A line as of `ls -l` (7: "longname"). */
#define SPF_LONGNAME_MAX ((size_t)SP_FS_NAME_MAX + 2 * SPD_OWNER_MAX + 128)
size_t spf_longname(char out[SPF_LONGNAME_MAX], const sp_fs_entry *entry, time_t now);

#endif

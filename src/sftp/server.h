/* The SFTP server without its channel: bytes in, bytes out, requests to a file system between.
 * Thread: the loop's.
 *
 * A request is on `requests` in the order of arrival until it was answered, then on `replies` until
 * that was written; all that time it counts against the limits. The end comes in steps: no more
 * input → no open request → every file is closed → the session has ended. */
#ifndef SPF_SERVER_H
#define SPF_SERVER_H

#include "sftp/codec.h"

#include <sallyport/sftp.h>

/* ---- blocks: block.c ---- */
typedef enum spf_block_kind {
    SPF_BLOCK_OWN = 0, /* allocated */
    SPF_BLOCK_CHUNK,   /* the pool's */
    SPF_BLOCK_LARGE,   /* likewise */
} spf_block_kind;

/* Counted; stands at the beginning of its own memory. */
typedef struct spf_block {
    unsigned refs;
    spf_block_kind kind;
    size_t capacity;
    size_t used;
    uint8_t *bytes;
} spf_block;

/* Where `bytes` of a large block begin: so that the data of a WRITE begins on a page, and that of a
 * READ not within a few bytes of where it begins in the kernel (see spb_alloc_pages). */
#define SPF_PACKET_LEAD (SPB_PAGE - 37) /* type, id, handle, offset, length */
#define SPF_REPLY_LEAD (SPB_PAGE / 2 - SPF_DATA_HEADER)
#define SPF_SCRATCH_KEPT ((size_t)1024)

/* Of the largest packet, for what is no data: the type, a handle, numbers. */
#define SPF_PACKET_OVERHEAD ((size_t)1024)

typedef struct spf_server spf_server;
typedef struct spf_file spf_file;

typedef struct spf_request {
    spd_request base;
    spb_link link;
    spf_server *server;
    uint32_t id;
    bool started;
    bool silent;    /* nobody waits for a reply */
    spf_file *file; /* NULL: none */
    spf_file *to_file;
    spf_block *packet; /* WRITE: where its bytes are */
    spf_block *block;  /* where its reply is, or will be; NULL: no room yet */
    size_t at;         /* there: what is to be written, */
    size_t length;     /* so much of it, */
    size_t room;       /* of what was reserved */
    size_t count;      /* the replies that lie there behind each other; then all of them in: */
    size_t charge;
    size_t reading; /* bytes asked for */
    size_t ready;   /* bytes read */
} spf_request;

struct spf_file {
    uint8_t id[SPF_HANDLE_SIZE]; /* its place in the table, then random bytes */
    void *handle;
    spf_request *closer; /* made with the file, so that closing can't fail; NULL: it is closing */
    bool directory;
    bool open; /* false: the file system was asked, and has not answered */
    uint32_t flags;
    char *path; /* for the callbacks */
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t listed;     /* entries of a directory */
    uint64_t opened;     /* milliseconds of the loop's clock */
    uint64_t read_up_to; /* the furthest byte */
    uint64_t size;       /* at the end of reading, or SPF_SIZE_UNKNOWN */
    sp_fs_status data_status;
    char *reason; /* of the first failure */
};
#define SPF_SIZE_UNKNOWN UINT64_MAX

typedef enum spf_phase {
    SPF_SERVING = 0,
    SPF_CLOSING, /* nothing more comes; files are being closed */
    SPF_ENDED,
} spf_phase;

struct spf_server {
    const spb_env *env; /* the queue's */
    spl_queue *queue;
    spl_loop *loop;
    spb_pool *pool; /* NULL: memory is allocated */
    sp_fs_session *session;
    sp_sftp_options options; /* with the defaults filled in */
    sp_channel *channel;     /* for the callbacks; NULL in tests */
    void (*moved)(void *owner);
    void *owner;
    spf_phase phase;
    uint32_t status;  /* the exit status */
    bool draft_links; /* the client's SYMLINK is the draft's, not OpenSSH's */
    bool running;     /* spf_run is on the stack */
    bool initialized; /* INIT came */
    bool over;        /* there is no more input, but for what is held */
    bool refused;     /* the session did not begin: nothing is asked any more */
    bool broken;      /* by the client, or for want of memory: nothing more is taken */
    bool lost;        /* nobody reads */
    uint8_t head[4];  /* of the packet that is coming */
    size_t head_length;
    spf_block *packet;  /* its bytes; NULL: none were kept yet */
    spb_buffer held;    /* input that must wait */
    spf_block *filling; /* the block that replies are put into */
    spb_buffer scratch; /* where a reply is put together; empty between two */
    size_t memory;      /* of all blocks */
    size_t reading;     /* bytes that reads which were started have room for */
    size_t ready;       /* bytes that were read and not written yet */
    spb_link requests;
    spb_link replies;
    size_t count; /* of requests and replies */
    size_t bytes; /* their charges */
    spf_file **files;
    size_t file_room;
    size_t file_count;
};

/* Most clients send SYMLINK as OpenSSH has it, the text first (PROTOCOL 4.1), whoever the server
 * is. Some do so only to servers that call themselves OpenSSH, and as in the draft to others. */
bool spf_has_draft_links(const char *client_version);
/* `moved(owner)` is called when a late answer has come, from the loop. SP_EINVAL, SP_ENOMEM. */
int spf_server_new(spf_server **server, sp_fs *fs, spl_loop *loop, struct sp_conn *conn,
                   const char *username, const sp_sftp_options *options, void (*moved)(void *owner),
                   void *owner);
/* Only when it has ended, or was never run. */
void spf_server_free(spf_server *server);
/* Does what can be done. */
void spf_run(spf_server *server);
/* Takes all of it and keeps what must wait. Requests start in spf_run, so that those that came
 * together do, and are answered together; earlier if there is no room for them otherwise. */
void spf_take(spf_server *server, const uint8_t *bytes, size_t length);
/* Both. */
void spf_receive(spf_server *server, const uint8_t *bytes, size_t length);
bool spf_wants_input(const spf_server *server);
void spf_end_of_input(spf_server *server);
/* The client is gone. */
void spf_lost(spf_server *server);
/* What is to be written next; length 0: nothing now. */
spb_span spf_output(const spf_server *server);
void spf_consumed(spf_server *server, size_t length);
/* The session has ended; there may be output still. */
bool spf_ended(const spf_server *server);

/* ---- files.c ---- */
/* A file that is being opened. NULL: out of memory; or over the limit, which `*limit` tells. */
spf_file *spf_file_new(spf_server *server, const spf_message *message, bool *limit);
spf_file *spf_file_find(const spf_server *server, spb_span id); /* NULL: none that can be used */
void spf_file_free(spf_server *server, spf_file *file);
/* The next file from `*place` on that is open and not closing. */
spf_file *spf_file_next(const spf_server *server, size_t *place);
void spf_file_closed(spf_server *server, const spf_file *file, sp_fs_status status, bool by_client);
void spf_files_free(spf_server *server);

/* ---- block.c ---- */
/* Room for `size` bytes at least. NULL: out of memory. */
spf_block *spf_block_new(spf_server *server, size_t size, size_t lead);
spf_block *spf_block_ref(spf_block *block);
void spf_block_unref(spf_server *server, spf_block *block); /* NULL is fine */

/* ---- output.c ---- */
/* For a READ that begins: where its bytes go. NULL: out of memory. */
uint8_t *spf_read_room(spf_request *request, size_t length);
/* So many of them are there, and a header before them. */
void spf_read_done(spf_request *request, size_t length);
/* Its reply is complete, in `scratch` or by spf_read_done, or will not be written. */
void spf_reply(spf_request *request);
void spf_forget_all(spf_server *server, spb_link *list);

/* ---- events.c: what the application is told ---- */
/* The answer is there. */
void spf_tell(spf_server *server, const spf_request *request);
/* Refused without being asked. */
void spf_tell_refused(spf_server *server, const spf_message *message, spf_file *file,
                      const spf_file *to, sp_fs_status status, const char *text);
/* A read or write was answered: what `transferred` will say of it. */
void spf_note_data(const spf_request *request);
/* The size that we have asked for ourselves. */
void spf_note_size(const spf_request *request);
/* Must the size be asked for before the file is closed, to tell whether all was read? */
bool spf_wants_size(const spf_server *server, const spf_file *file);
/* All of it was read. */
bool spf_read_whole(const spf_file *file);

/* ---- order.c ---- */
/* Must `later` wait until `earlier` was answered? */
bool spf_must_wait(const spf_request *earlier, const spf_request *later);
/* Does it change anything? */
bool spf_changes(const sp_fs_request *q);

/* ---- request.c ---- */
/* `behind`: bytes of memory behind it. NULL: out of memory. */
spf_request *spf_request_new(spf_server *server, sp_fs_op op, size_t behind);
void spf_request_free(spf_request *request);
/* Bytes that a reply to this read can have at most. */
size_t spf_read_length(const spf_request *request);
/* A whole packet; a WRITE is in `server->packet`. False: the session is broken. */
bool spf_take_packet(spf_server *server, spb_span packet);
bool spf_add_begin(spf_server *server);
/* `silent`: it is not the client that closes it. */
void spf_add_close(spf_file *file, uint32_t id, bool silent);
/* Before that: its size, for ourselves. */
void spf_add_size(spf_file *file);
/* Its turn has come. It may be answered, and gone, when this returns. */
void spf_start(spf_request *request);

/* ---- server.c ---- */
/* No more input; the session ends with this status. */
void spf_break(spf_server *server, uint32_t status);

#endif

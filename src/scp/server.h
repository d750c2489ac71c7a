/* The far end of scp without its channel: bytes in, bytes out, requests to a file system between.
 * Thread: the loop's.
 *
 * At most one request is open. `then` is what goes on with its answer; while none is open `turn`
 * does the next step, or returns false when it must wait for input. So the state is these two
 * pointers, and every function that is put into them says what is expected next. `spp_run` alone
 * calls them: nothing here calls itself, and the stack is flat however many files there are.
 *
 * The end (`stopping`) may come at every step: the open request is waited for, what is open is
 * closed, by requests that were made when it was opened, then the session ends. */
#ifndef SPP_SERVER_H
#define SPP_SERVER_H

#include "fs/fs.h"
#include "scp/command.h"
#include "scp/line.h"

#include <sallyport/scp.h>

#define SPP_PATH_MAX ((size_t)8192)
#define SPP_CHUNK ((size_t)256 * 1024)      /* of one read */
#define SPP_INPUT_HIGH ((size_t)256 * 1024) /* input held before the channel is paused */
#define SPP_INPUT_MAX ((size_t)2 * 1024 * 1024)
#define SPP_OUTPUT_HIGH ((size_t)16 * 1024) /* status and records; then no more is done */
#define SPP_OUTPUT_MAX ((size_t)64 * 1024)
#define SPP_ENTRIES 32u /* of one READDIR */
#define SPP_ERROR_MAX 160u

#define SPP_OK 0u
#define SPP_WARNING 1u
#define SPP_FATAL 2u

typedef struct spp_server spp_server;
typedef void (*spp_then)(spp_server *server, const spd_answer *answer);

typedef struct spp_request {
    spd_request base;
    spp_server *server;
    bool answered;
    spb_buffer data; /* WRITE: where its bytes are */
    size_t sent;     /* READ: of its bytes, to the client */
} spp_request;

/* Something open. */
typedef struct spp_handle {
    void *handle;        /* NULL: nothing */
    spp_request *closer; /* made before it was opened, so that closing can't fail */
} spp_handle;

/* A directory that we are in. */
typedef struct spp_frame {
    size_t base;   /* of `path`: the source's, its own length; the sink's, `base` outside it */
    uint32_t mode; /* the sink's: to be set at its end */
    bool created;
    bool has_times;
    int64_t mtime;
    int64_t atime;
    spp_handle dir;     /* the source's */
    spp_request *names; /* answered; NULL: none */
    size_t at;          /* the next of them */
} spp_frame;

/* The file that is open, and what the log wants to know. */
typedef struct spp_file {
    spp_handle open;
    char *path;
    uint32_t flags;
    uint64_t offset;
    uint64_t left;
    size_t writing;  /* bytes of the open WRITE */
    uint64_t opened; /* milliseconds of the loop's clock */
    bool complete;   /* carried to its end, and the client has said so */
    bool failed;
    bool client_failed;        /* so it says: it could not read, or write, all of it */
    char error[SPP_ERROR_MAX]; /* the first thing that went wrong with it, for the client */
} spp_file;

/* What a pattern stands for, as it grows component by component. */
typedef struct spp_glob {
    const char *at; /* the pattern's rest; NULL: no pattern is being looked at */
    const char *end;
    const char *component;
    char **items;
    size_t count;
    size_t room;
    char **next; /* those with the component */
    size_t next_count;
    size_t next_room;
    size_t bytes; /* of all of them */
    size_t index; /* of the item that is being looked at */
    spp_handle dir;
    bool unchecked; /* a plain component was put behind one with a pattern */
    bool overflow;  /* there are too many */
} spp_glob;

struct spp_server {
    const spb_env *env; /* the queue's */
    spl_queue *queue;
    spl_loop *loop;
    sp_fs_session *session;
    sp_scp_options options; /* with the defaults filled in */
    sp_channel *channel;    /* for the callbacks; NULL in tests */
    void (*moved)(void *owner);
    void *owner;
    spp_command command;
    const char *refusal; /* it is refused with this, before anything else */
    char reason[SPP_REASON_MAX];

    spp_request *request; /* the open one */
    spp_then then;
    spp_request *answered; /* whose answer `then` looks at; NULL: it keeps it */
    spp_handle *opening;   /* where its handle goes */
    bool (*turn)(spp_server *server);

    bool running;  /* spp_run is on the stack */
    bool over;     /* there is no more input */
    bool stopping; /* nothing more is begun */
    bool begun;    /* the file system's session was asked to begin */
    bool ended;
    bool failed; /* something went wrong: exit status 1 */
    bool lost;

    spb_buffer in;
    size_t in_at; /* so much of it was taken */
    spb_buffer out;
    spp_request *sending; /* a READ whose bytes go out behind `out` */
    uint64_t padding;     /* zeros that go out behind that */

    char path[SPP_PATH_MAX + 1]; /* what is worked at */
    char *home;                  /* what the "~..." of the word became; NULL: it has none */
    spp_frame *frames;           /* room for options.max_depth with -r */
    size_t depth;
    spp_file file;

    /* sink.c */
    size_t base; /* the length in `path` of what names go behind */
    bool target_is_dir;
    uint64_t size;
    uint32_t mode;
    bool has_times;
    int64_t mtime;
    int64_t atime;

    /* source.c */
    size_t word;
    size_t match; /* of glob.items, when `matched` */
    bool matched;
    const char *name;                     /* what the client is to call it; in `path` */
    sp_fs_attr attr;                      /* what is known of it */
    void (*accepted)(spp_server *server); /* what the client's status leads to */
    void (*refused)(spp_server *server);
    spp_glob glob;
    bool (*globbed)(spp_server *server);
};

/* `moved(owner)` is called when a late answer has come, from the loop. SP_EINVAL, SP_ENOMEM. */
int spp_server_new(spp_server **server, sp_fs *fs, spl_loop *loop, struct sp_conn *conn,
                   const char *username, const char *command, const sp_scp_options *options,
                   void (*moved)(void *owner), void *owner);
/* Only when it has ended, or was never run. */
void spp_server_free(spp_server *server);
/* Does what can be done. */
void spp_run(spp_server *server);
/* Takes all of it, and does what can be done. */
void spp_receive(spp_server *server, const uint8_t *bytes, size_t length);
bool spp_wants_input(const spp_server *server);
void spp_end_of_input(spp_server *server);
/* The client is gone. */
void spp_lost(spp_server *server);
/* What is to be written next; length 0: nothing now. */
spb_span spp_output(const spp_server *server);
void spp_consumed(spp_server *server, size_t length);
uint32_t spp_exit_status(const spp_server *server);

/* ---- server.c, for sink.c, source.c and glob.c ---- */
/* Nothing more is begun. */
void spp_stop(spp_server *server);
/* Memory is out: the same, as a failure. */
void spp_stop_for_memory(spp_server *server);
/* Tells the client what failed (`path` may be NULL), and goes on. */
void spp_complain(spp_server *server, const char *path, const char *text);
/* The same for the answer of a request. */
void spp_complain_of(spp_server *server, const char *path, const spd_answer *answer);
/* Tells the client, and stops. */
void spp_give_up(spp_server *server, const char *path, const char *text);
void spp_put_ok(spp_server *server);
/* What scp would say of a failure. */
const char *spp_text_of(const spd_answer *answer);

typedef enum spp_taken {
    SPP_TAKE_MORE = 0, /* there is not all of it yet */
    SPP_TAKE_OK,
    SPP_TAKE_WARNING,
    SPP_TAKE_FATAL,
} spp_taken;
/* A status byte, with its message if it has one. */
spp_taken spp_take_status(spp_server *server);
/* A line, without its newline; valid until the next input. False: there is none yet; or it is too
 * long, and we have stopped. */
bool spp_take_line(spp_server *server, spb_span *line);
size_t spp_input_length(const spp_server *server);

/* ---- request.c ---- */
/* `path` (may be NULL) is copied; `room`: bytes for a READ. NULL: out of memory, and we have
 * stopped. */
spp_request *spp_request_new(spp_server *server, sp_fs_op op, const char *path, size_t room);
void spp_request_free(spp_request *request); /* NULL is fine */
void spp_ask(spp_server *server, spp_request *request, spp_then then);
/* The same in one. False: out of memory, as above. */
bool spp_ask_path(spp_server *server, sp_fs_op op, const char *path, spp_then then);
/* OPEN and OPENDIR: the handle goes `into`, whatever happens meanwhile. */
void spp_ask_open(spp_server *server, spp_request *request, spp_handle *into, spp_then then);
/* An open file is remembered for the log. */
void spp_ask_file(spp_server *server, spp_request *request, spp_then then);
void spp_ask_close(spp_server *server, spp_handle *handle, spp_then then);
/* The open request was answered: what is to be done in any case. */
void spp_settle(spp_server *server, const spp_request *request);
/* Something that is open still; NULL: nothing. */
spp_handle *spp_any_open(spp_server *server);
/* Something of the file's went wrong; the first is kept. */
void spp_file_failed(spp_server *server, const char *what, const char *text);
bool spp_is_dir(const sp_fs_attr *attr);
bool spp_is_file(const sp_fs_attr *attr); /* also if the table does not tell the type */
/* Asks what the first component of a word with a "~" stands for; then spp_take_home keeps that in
 * `home`. False: it is not known. */
void spp_ask_home(spp_server *server, const spp_word *word, spp_then then);
bool spp_take_home(spp_server *server, const spd_answer *answer);
/* The word's text into `path`, with `home` for its "~...". False: it is too long. */
bool spp_word_path(spp_server *server, const spp_word *word);
/* Cuts `path` to `base` bytes and puts a name behind it. False: it is too long; `path` is cut. */
bool spp_path_add(spp_server *server, size_t base, const char *name, size_t length);

/* ---- sink.c, source.c: where each begins ---- */
void spp_sink_begin(spp_server *server);
void spp_source_begin(spp_server *server);
void spp_source_free(spp_server *server);

/* ---- glob.c ---- */
/* Finds what the word's pattern stands for: then `turn` is `next`, and glob.items are sorted; none:
 * nothing matched. */
void spp_glob_begin(spp_server *server, const spp_word *word, bool (*next)(spp_server *server));
void spp_glob_free(spp_server *server);

#endif

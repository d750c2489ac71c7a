/* Direct style: what the files that serve one channel by a function on a fiber share.
 *
 * A function is resumed from a task of the loop and from nowhere else, so it never runs within a
 * handler; handlers only note what happened and schedule the task. The channel owns the object; the
 * running function holds a reference to the channel. So an object whose open was never applied goes
 * with its channel, on whatever thread that happens; all the rest is the loop's thread. */
#ifndef SPS_DIRECT_H
#define SPS_DIRECT_H

#include "base/wire.h"
#include "editor/editor.h"
#include "loop/fiber.h"
#include "server/process.h"

#include <sallyport/direct.h>

#define SPS_DIRECT_INPUT ((size_t)64 * 1024) /* held unread; then the channel's window does it */
#define SPS_SIGNALS 8u
#define SPS_SIGNAL_NAME 32u

/* What the fiber waits for. Loss wakes it from all but work. */
#define SPS_FOR_INPUT 1u
#define SPS_FOR_EVENT 2u
#define SPS_FOR_ROOM 4u
#define SPS_FOR_TIME 8u
#define SPS_FOR_CHILD 16u
#define SPS_FOR_DRAIN 32u
#define SPS_FOR_WORK 64u

struct sp_process {
    spb_link link;       /* of the server's, while the function runs */
    spb_link drain;      /* of the connection's, while it waits for an empty write buffer */
    sp_server *server;   /* NULL before the channel began and after the function ended */
    sp_channel *channel; /* owns this */
    spl_fiber *fiber;    /* NULL: not begun, or ended */
    spl_task task;       /* resumes it */
    spl_timer *timer;    /* made when needed */
    sp_process_fn function;
    void *data;
    void (*released)(void *data);
    unsigned refuse;
    char *subsystems;
    int status; /* what the function returned */
    unsigned waiting;
    unsigned events;   /* which the reading calls return */
    unsigned wanted;   /* breaks: were they ever asked for? */
    unsigned happened; /* SP_WAIT_... but for input and signals */
    uint32_t break_length;
    unsigned signal_count;
    char signals[SPS_SIGNALS][SPS_SIGNAL_NAME]; /* oldest first */
    char signal_told[SPS_SIGNAL_NAME];
    spb_buffer input;
    size_t taken;       /* of `input`: read already */
    sps_process *child; /* NULL: none that we wait for */
    int child_status;
    spx_editor *editor;       /* made when a terminal first needs it */
    sp_term_size editor_size; /* as the editor knows it */
    bool stream;
    bool held; /* the channel's reading is paused */
    bool eof;
    bool full;      /* the write buffer; its end is told */
    bool fired;     /* the timer */
    bool skip_line; /* what is left of a line that was too long is dropped */
    bool after_cr;  /* a line feed that comes next belongs to the line before */
    bool editor_off;
    bool lost;
    bool lost_in_order; /* the channel was closed, and the connection was well */
    bool was_released;
};

/* ---- direct.c ---- */
/* In server.h: sps_direct_free (the memory); sps_direct_drained (the connection has run: whose
 * write buffers are empty?); sps_directs_end (the server is being freed and its connections are
 * gone: all functions run to their ends). */
/* A channel that the function will serve. NULL when out of memory. Thread: any. */
sp_channel *sps_direct_channel(spl_queue *queue, sp_process_fn function, void *data,
                               const sp_direct_options *options, bool stream);
/* 0: the function itself calls, and may wait. SP_ESTATE. */
int sps_direct_may_wait(const sp_process *p);
/* Leaves the fiber until one of `for_what` (or loss) has happened; or for no reason: look again. */
void sps_direct_wait(sp_process *p, unsigned for_what);
void sps_direct_wake(sp_process *p, unsigned for_what);

/* ---- direct_read.c ---- */
/* In the handler. False: out of memory. */
bool sps_direct_data(sp_process *p, const void *bytes, size_t length);
size_t sps_direct_available(const sp_process *p);
const uint8_t *sps_direct_bytes(const sp_process *p);
void sps_direct_take(sp_process *p, size_t length);
/* Waits until there are more than `known` bytes, which must be less than what is kept. 0: there
 * are; SP_EOF: there will be no more; SP_ECONN, or an event that the reading calls return. */
int sps_direct_more(sp_process *p, size_t known);
/* The same without waiting: SP_EAGAIN. */
int sps_direct_check(sp_process *p, size_t known);
/* For what the reading calls look at. */
void sps_direct_wait_input(sp_process *p);
/* sp_gets without a terminal's editor. */
ptrdiff_t sps_direct_plain_line(sp_process *p, char *line, size_t size);

/* ---- direct_write.c ---- */
/* After a write that the channel did not take: until it takes more. */
void sps_direct_wait_room(sp_process *p);
/* Waits until all is written: `length`, or an error. */
ptrdiff_t sps_direct_write(sp_process *p, uint32_t type, const void *bytes, size_t length);

/* ---- direct_terminal.c ---- */
/* NULL: without an editor. */
spx_editor *sps_direct_editor(sp_process *p);
/* These two only with one. */
ptrdiff_t sps_direct_terminal_write(sp_process *p, const void *bytes, size_t length);
ptrdiff_t sps_direct_terminal_line(sp_process *p, const char *prompt, char *line, size_t size,
                                   bool hidden);
/* Sends what it has drawn: waits until all is sent; or what can be sent now. */
int sps_direct_terminal_flush(sp_process *p);
void sps_direct_terminal_push(sp_process *p);

/* ---- direct_wait.c ---- */
/* Goes on behind everybody whose turn it is now. */
void sps_direct_give_way(sp_process *p);
/* The first of `kinds` that has happened, which is then forgotten; 0: none. */
unsigned sps_direct_happened(sp_process *p, unsigned kinds);

#endif

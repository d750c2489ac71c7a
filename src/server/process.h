/* A child process joined to a channel: what process.c, which moves its bytes, and spawn.c, which
 * starts it, share. */
#ifndef SPS_PROCESS_H
#define SPS_PROCESS_H

#include "base/wire.h"
#include "loop/process.h"
#include "server/server.h"

/* One of the child's outputs. */
typedef struct sps_source {
    sps_process *process;
    spl_watch *watch; /* NULL: closed, or never open */
    uint32_t type;
    bool grown;      /* the pipe was made larger */
    bool deserted;   /* a terminal that no process has open */
    spb_buffer left; /* read, and not taken by the channel yet */
} sps_source;

struct sps_process {
    spb_link link;
    sp_server *server;
    sp_channel *channel; /* counted: `exited` gets it even when it is lost */
    spl_child *child;    /* NULL: reaped */
    pid_t pid;
    bool terminal;   /* sources[0]'s watch serves input too */
    bool paused;     /* the channel's write buffer is full */
    bool eof_wanted; /* the client sends no more: close the input when `pending` is through */
    bool hung_up;    /* the channel is lost */
    bool input_grown;
    bool held; /* the channel's reading is paused */
    bool lent; /* the channel goes on after the child: its handlers serve it again */
    int status;
    sps_source sources[2];
    spl_watch *input; /* NULL with a terminal or when closed */
    spb_buffer pending;
    void (*exited)(sp_channel *channel, int status, void *data);
    void *data;
};

/* Callbacks of the loop. */
void sps_source_ready(void *source, unsigned events);
void sps_input_ready(void *process, unsigned events);
void sps_child_exited(void *process, int status);

void sps_source_close(sps_source *from);
void sps_input_close(sps_process *process);
void sps_process_wait(sps_process *process); /* says what to wait for */

#endif

/* Reading a bulk transfer in larger portions. A peer that sends without a pause wakes the loop for
 * each 50 KiB or so, and a wake-up costs more than reading that much. So while many bytes come, the
 * socket is left alone for a moment after it was emptied (a third of a millisecond, about), and the
 * kernel's buffer gathers what comes meanwhile. Only for as long as that does not make the transfer
 * slower: a peer that waits for our answer is seen by how little was gathered, and a small window
 * of its TCP by the time that the same amount takes. Nothing else of the loop waits. */
#ifndef SP_SERVER_PACE_H
#define SP_SERVER_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at first. */
typedef struct sps_pace {
    uint64_t since;    /* when the block that is measured began, in ms of the loop */
    uint32_t bytes;    /* of the block, so far */
    uint32_t reads;    /* that these took */
    uint32_t gathered; /* since the last pause */
    uint16_t plain_ms; /* what a block took without pauses */
    uint16_t pause_us; /* how long a pause is */
    uint8_t blocks;    /* since pausing began or ended */
    uint8_t delay;     /* blocks to wait before the next try: more after each that did not pay */
    uint8_t meagre;    /* pauses of the block that brought little */
    bool pausing;
    bool paused; /* just now: `gathered` says what it brought */
} sps_pace;

/* Some bytes were read at `now` (ms); `emptied`: there were no more. Returns how long to pause, in
 * microseconds; 0: not at all. */
uint32_t sps_pace_read(sps_pace *pace, uint64_t now, size_t bytes, bool emptied);

#endif

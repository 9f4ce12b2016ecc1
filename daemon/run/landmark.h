/*
 * landmark.h: functions of the standard library that say what a thread is at, as data: event loops, pools, callbacks.
 *
 * Neighbours: dispatcher.h, the like for what calls endpoints; run.c, which reads stacks by both.
 */
#ifndef NT_RUN_LANDMARK_H
#define NT_RUN_LANDMARK_H

#include <stdbool.h>

enum landmark {
	LANDMARK_NONE,
	LANDMARK_LOOP,	  /* an event loop: what is outside of it did not ask for what is inside */
	LANDMARK_WORKER,  /* a pool's thread: it works for others than who started it */
	LANDMARK_CARRIER, /* a method of the piece of work itself: its first local names it */
	LANDMARK_SERVANT, /* a pool's thread whose first local, its own object, names the work that it was given last */
	LANDMARK_AFTERWARDS, /* what is done when the response has been written: for no request any more */
	LANDMARK_RECEIVER,   /* what was read on a connection just now is being looked at */
};

/* What a function is. Where `qualified` is false, `name` is the plain name, all that 3.8-3.10 keep. */
enum landmark landmark_find(const char *file, const char *name, bool qualified);

#endif

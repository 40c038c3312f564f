/* confine.h - what a relay gives up before it listens to anybody. */
#ifndef RELAY_CONFINE_H
#define RELAY_CONFINE_H

/* To the system calls of threads that carry bytes. Ends the process when that fails. */
void confine_calls(void);

#endif

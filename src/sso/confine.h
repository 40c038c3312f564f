/* confine.h - the steps by which ssod gives up what it does not need, in the order in which main takes them. Each ends the process when
 * it fails. */
#ifndef SSO_CONFINE_H
#define SSO_CONFINE_H

/* To the system calls of the loop and of the processes that it forks. */
void confine_calls(void);
/* A forked process for one question: bounds on memory and processor time; it makes and ends no other process, and ends with its parent. */
void confine_child(int limit_ms);

#endif

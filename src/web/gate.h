/* gate.h - how many password hashes are computed at once in this process: each takes 64 MiB and a core. */
#ifndef WEB_GATE_H
#define WEB_GATE_H

#define GATE_AT_ONCE 2
#define GATE_WAITING 16
#define GATE_WAIT_MS 5000

/* 0 when it is one's turn; then gate_leave. ERR_BUSY when too many wait, or the turn does not come in time. */
int gate_enter(void);
void gate_leave(void);

#endif

/* ask.h - the agent's side of the Integrity Check Module: runs keyward-facts and takes one line per fact. */
#ifndef AGENT_INTEGRITY_ASK_H
#define AGENT_INTEGRITY_ASK_H

#include "agent/integrity/facts.h"

/* All facts that can be had as one object that fits into a message; a new reference, never NULL. PROGRAM NULL: the installed
 * one. Each fact has the time of its row: what hangs is ended and left out, what crashes too, and the others are gathered
 * without it. Blocks for as long, at most a minute and a half. BRIEF: for a command, whose standard error nothing keeps that goes on
 * when it has ended. */
json_t *facts_ask(const char *program, const struct facts_wish *wish, int brief);

#endif

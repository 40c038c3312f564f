/* hold.h - inside the agent service: heartbeats whose answers are held back until their agent is ordered something.
 *
 * A worker listens, with one connection of its own, for the commit of any order (store/order.h). A held heartbeat costs that
 * worker its connection to the agent and a few hundred bytes here: no transaction, no thread, no lock on its session. An order
 * that is committed while a heartbeat is looked at is not missed: the worker listens before it looks.
 *
 * One heartbeat per agent: a newer one ends the older, so a flood from one agent holds one line per worker. */
#ifndef AGENTAPI_HOLD_H
#define AGENTAPI_HOLD_H

#include "agentapi/agentapi.h"
#include "proto/server.h"
#include "web/web.h"

#define HOLD_MAX 10000           /* lines held per worker; packaging/kore.conf.in has room for them and for browsers */

/* May a line be held? */
enum hold_answer {
	HOLD_YES,
	HOLD_FULL,               /* as many as there may be: the agent polls, and frees its connection */
	HOLD_DEAF                /* the database cannot be listened to: the agent polls */
};

/* Why it is held no longer. */
enum hold_end {
	HOLD_NOT_YET,
	HOLD_OVER,               /* the time that the agent wished */
	HOLD_NOTIFIED,           /* there is an order, or a decision */
	HOLD_REPLACED,           /* by a newer heartbeat of the same agent */
	HOLD_LOST,               /* the connection that listens */
	HOLD_STOP,               /* this worker ends */
	HOLD_ANSWERED            /* not a heartbeat: its answer is in TEXT (together.h) */
};

struct agentapi_held {
	struct agentapi_held *next;      /* of its bucket */
	struct uuid account, agent, request;
	char address[WEB_ADDRESS_SIZE];
	struct proto_reply reply;
	clock_us until;                  /* clock_ticks() */
	enum hold_end end;
	void *owner;
	int is_poll;                     /* for the key request ASKED; 0: a heartbeat */
	struct uuid asked;
	struct buf text;
};

/* Connects the worker's listening connection where that is due: outside a transaction, before orders are looked for. */
enum hold_answer hold_ready(struct web_thread *t);
/* Holds the answer to REPLY, which is taken over, for SECONDS; OWNER is what wakes it (agentapi_start). */
struct agentapi_held *hold_begin(const struct uuid *account, const struct uuid *agent, struct proto_reply *reply, int64_t seconds,
	void *owner);
/* Ends those whose time is over. */
void hold_tick(void);
/* What the worker gave to agentapi_start; all zero before. */
extern struct agentapi_hooks hold_hooks;

#endif

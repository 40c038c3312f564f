/* request.h - asking for a device's key, and opening and mounting with it; and the way back. Each function does one
 * step of the table in device.h and leaves the device in its next state with wake set. Nothing here is fatal: what
 * fails is said in the device's detail, logged, and tried again. */
#ifndef AGENT_GUEST_REQUEST_H
#define AGENT_GUEST_REQUEST_H

#include "agent/guest/guest.h"

#define REQUEST_LOOK (5 * CLOCK_SECOND)          /* how often an open volume is looked at, and a busy one tried again */

/* Waiting: sends a key request with a new one-time key. */
void request_ask(struct guest *g, struct device *d);
/* Pending: asks what has become of it. */
void request_poll(struct guest *g, struct device *d);
/* Denied: fetches the key where the request was approved after all; else sends a new request. */
void request_again(struct guest *g, struct device *d);
/* Open: is it still? */
void request_look(struct guest *g, struct device *d);
/* Closing: unmounts, closes, wipes; stays in its state while the volume is in use. */
void request_close(struct guest *g, struct device *d);
/* Tells the server what it does not know yet (opened, closed). */
void request_tell(struct guest *g, struct device *d);

#endif

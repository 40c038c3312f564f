/* share.h - how many of the far end's places one machine may have, by the name of its certificate. One that was taken over, or that has gone wrong, must not
 * have those that the others need. */
#ifndef RELAY_SHARE_H
#define RELAY_SHARE_H

#define SHARE_NAMES_MOST 64

/* PLACES in all, for COUNT names (1 to SHARE_NAMES_MOST): half of them are kept for the names, as many for each; the other half is for whoever comes first. */
void share_init(unsigned places, unsigned count);
/* One more of the name WHICH (from 0): 1, until share_leave; 0: what is left belongs to others. */
int share_take(unsigned which);
void share_leave(unsigned which);

#endif

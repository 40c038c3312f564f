/* stack.h - the devices that lie on a device or file, as sysfs and the loop driver tell: its partitions, what holds those, loop
 * devices over them, and over what. Reads only. */
#ifndef AGENT_VOLUME_STACK_H
#define AGENT_VOLUME_STACK_H

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#define STACK_MAX 256             /* devices stacked on one: more is not a machine but a test of us */
#define STACK_TEXT_MAX 160

enum stack_kind {
	STACK_SELF,               /* the device asked for */
	STACK_PARTITION,
	STACK_WHOLE,              /* of which it is a partition: only what holds all of it counts */
	STACK_HOLDER,             /* dm, MD, loop, bcache ... */
	STACK_OTHER_PATH,         /* the same disk by another path: one WWID, two names */
};

struct stack {
	size_t count;
	dev_t devices[STACK_MAX];
	char names[STACK_MAX][32];        /* the kernel's: "vda1", "dm-0" */
	enum stack_kind kinds[STACK_MAX];
};

/* S is zeroed; ST is of the device or file. */
void stack_gather(struct stack *s, const struct stat *st);
int stack_contains(const struct stack *s, dev_t device);
/* What holds one of them beyond doubt, for people: "dm-0 (LVM, data-home)"; 0 when nothing does. */
int stack_holder(const struct stack *s, char text[static STACK_TEXT_MAX]);

#endif

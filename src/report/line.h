/* line.h - a line of text in the order in which it is drawn: scripts that run from the right, and those that join letters. */
#ifndef REPORT_LINE_H
#define REPORT_LINE_H

/* 1: TEXT as a whole runs from the right, as its first letter does. */
int line_from_right(const char *text);
/* LINE, UTF-8, of a text that runs FROM_RIGHT or not: from left to right, with joined letters as characters of their own; the caller frees. NULL: as it is. */
char *line_drawn(const char *line, int from_right);

#endif

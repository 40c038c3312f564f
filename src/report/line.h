/* line.h - a line of text in the order in which it is drawn: scripts that run from the right, and those that join letters. */
#ifndef REPORT_LINE_H
#define REPORT_LINE_H

/* LINE, UTF-8, from left to right, with joined letters as characters of their own; the caller frees. NULL: as it is. */
char *line_drawn(const char *line);

#endif

/*
 * sink.c: see sink.h.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "words.h"
#include "writer.h"

#define FINISH_MS 3000
#define MOST_ROWS 1000 /* of a terminal that is believed */
#define CLEAR_SCREEN "\033[H\033[J"
#define CLEAR_LINE "\r\033[K"

struct sink {
	const struct output *output;
	bool show_data;
	int fd;
	bool is_file; /* opened by us */
	bool is_terminal;
	bool has_page; /* a summary stands on the terminal that the next one replaces */
	bool has_progress;
	uint64_t dropped, dropped_before; /* summaries; and those that an earlier one has told of */
	int error;			  /* of closing */
	struct writer *writer;
};

int sink_open(const char *path, const struct output *output, bool show_data, struct sink **ret_sink)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	int error;

	if (!sink)
		return -ENOMEM;
	*sink = (struct sink){.output = output, .show_data = show_data, .fd = STDOUT_FILENO, .is_file = path};
	if (path)
		sink->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	error = sink->fd < 0 ? -errno : writer_new(sink->fd, &sink->writer);
	if (error) {
		sink_free(sink);
		return error;
	}
	sink->is_terminal = isatty(sink->fd);
	*ret_sink = sink;
	return 0;
}

/* Asked each time: people resize their terminals. The last row is the cursor's. */
static struct output_style find_style(const struct sink *sink, bool replaced)
{
	struct output_style style = {.show_data = sink->show_data};
	struct winsize size;

	if (!sink->is_terminal || ioctl(sink->fd, TIOCGWINSZ, &size) || !size.ws_col)
		return style;
	style.columns = size.ws_col;
	if (replaced && size.ws_row > 1)
		style.rows = size.ws_row < MOST_ROWS ? size.ws_row - 1u : MOST_ROWS;
	return style;
}

/*
 * Makes room for a page at the top of the screen. What stood there before the first page is scrolled away, not wiped
 * out: people want to see again what they did before.
 */
static void make_room(struct sink *sink, FILE *stream, const struct output_style *style, bool final)
{
	if (!sink->is_terminal || !sink->output->in_place || (final && !sink->has_page))
		return;
	for (unsigned row = 0; !sink->has_page && row < style->rows; row++)
		fputc('\n', stream);
	fputs(CLEAR_SCREEN, stream);
}

static int render(struct sink *sink, struct summary *summary, char **ret_text, size_t *ret_size)
{
	bool final = summary->facts.final, failed;
	struct output_style style = find_style(sink, sink->output->in_place && !final);
	FILE *stream = open_memstream(ret_text, ret_size);
	int error;

	if (!stream)
		return -errno;
	summary->facts.lost.summaries = sink->dropped - (final ? 0 : sink->dropped_before);
	make_room(sink, stream, &style, final);
	error = sink->output->write(stream, summary, &style);
	failed = ferror(stream);
	if ((fclose(stream) || failed) && !error)
		error = -ENOMEM;
	if (error)
		free(*ret_text);
	return error;
}

/* Only what can be written at once: a terminal that was stopped with ^S must not stop us. */
static void write_progress(const char *text)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&room, 1, 0) > 0 && room.revents & POLLOUT && write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* it says nothing that is needed */
}

static void hide_progress(struct sink *sink)
{
	if (sink->has_progress)
		write_progress(CLEAR_LINE);
	sink->has_progress = false;
}

int sink_put(struct sink *sink, struct summary *summary)
{
	char *text;
	size_t size;
	int error = render(sink, summary, &text, &size);

	if (error)
		return error;
	hide_progress(sink);
	error = writer_put(sink->writer, text, size, summary->facts.final);
	if (error == -EAGAIN) {
		sink->dropped++;
		return 0;
	}
	sink->dropped_before = sink->dropped;
	sink->has_page = true;
	return error;
}

/* In the foreground of a terminal, and not while a summary is being written to perhaps the same one. */
static bool can_show_progress(const struct sink *sink)
{
	return tcgetpgrp(STDERR_FILENO) == getpgrp() && writer_is_idle(sink->writer);
}

int sink_show_progress(struct sink *sink, uint64_t elapsed_ns, uint64_t calls)
{
	struct winsize size;
	char line[128], text[sizeof(line) + sizeof(CLEAR_LINE)];

	if (!can_show_progress(sink))
		return sink_error(sink);
	snprintf(line, sizeof(line), "nettraced: %llu s, %llu call%s so far; ^C ends with a summary of all",
		 (unsigned long long)(elapsed_ns / 1000000000u), (unsigned long long)calls, calls == 1 ? "" : "s");
	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1)
		words_cut_end(line, size.ws_col - 1u);
	snprintf(text, sizeof(text), CLEAR_LINE "%s", line);
	write_progress(text);
	sink->has_progress = true;
	return sink_error(sink);
}

int sink_finish(struct sink *sink)
{
	int error;

	hide_progress(sink);
	error = writer_wait(sink->writer, FINISH_MS);
	if (error == -ETIMEDOUT || !sink->is_file)
		return sink->error = error;
	if (close(sink->fd) && !error) /* some file systems say only now that they are full */
		error = -errno;
	sink->fd = -1;
	return sink->error = error;
}

int sink_error(const struct sink *sink)
{
	return sink->error ? sink->error : writer_error(sink->writer);
}

const char *sink_problem(int error)
{
	if (error == -EPIPE)
		return "its reader has gone";
	if (error == -ETIMEDOUT)
		return "its reader takes nothing, the last summary is not written";
	return strerror(-error);
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->writer)
		hide_progress(sink);
	bool busy = sink->writer && !writer_is_idle(sink->writer);

	writer_free(sink->writer);
	if (sink->is_file && sink->fd >= 0 && !busy)
		close(sink->fd);
	free(sink);
}

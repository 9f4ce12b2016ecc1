/*
 * writer.c: a queue of texts and the thread that writes them (writer.h).
 */
#include "writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct text {
	struct text *next;
	char *bytes;
	size_t size;
};

/* All but `fd` is under the lock. A text stays the first one of the queue until it is written. */
struct writer {
	int fd;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a text came, was written, or the end did */
	struct text *first, **last;
	size_t waiting; /* bytes */
	int error;
	bool ending;
};

/* The descriptor may be in non-blocking mode: it is shared with whoever started us. */
static int wait_for_room(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	return poll(&wait, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static int write_all(int fd, const struct text *text)
{
	size_t done = 0;
	int error = 0;

	while (!error && done < text->size) {
		ssize_t size = write(fd, text->bytes + done, text->size - done);

		if (size >= 0)
			done += (size_t)size;
		else if (errno == EAGAIN)
			error = wait_for_room(fd);
		else if (errno != EINTR)
			error = -errno;
	}
	return error;
}

static void remove_first(struct writer *writer)
{
	struct text *text = writer->first;

	writer->first = text->next;
	if (!writer->first)
		writer->last = &writer->first;
	writer->waiting -= text->size;
	free(text->bytes);
	free(text);
}

static void *run(void *context)
{
	struct writer *writer = context;

	pthread_mutex_lock(&writer->lock);
	while (!writer->ending) {
		struct text *text = writer->first;
		int error = writer->error;

		if (!text) {
			pthread_cond_wait(&writer->changed, &writer->lock);
			continue;
		}
		pthread_mutex_unlock(&writer->lock);
		if (!error)
			error = write_all(writer->fd, text);
		pthread_mutex_lock(&writer->lock);
		writer->error = error;
		remove_first(writer);
		pthread_cond_broadcast(&writer->changed);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* Signals are for the main thread: it reads them from a descriptor, and they must find no other that lets them in. */
static int start(struct writer *writer)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int writer_new(int fd, struct writer **ret_writer)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	pthread_condattr_t clock;
	int error;

	if (!writer)
		return -ENOMEM;
	writer->fd = fd;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->changed, &clock);
	pthread_condattr_destroy(&clock);
	error = start(writer);
	if (error)
		free(writer);
	else
		*ret_writer = writer;
	return error;
}

int writer_put(struct writer *writer, char *bytes, size_t size, bool must)
{
	struct text *text = malloc(sizeof(*text));
	int error;

	pthread_mutex_lock(&writer->lock);
	error = writer->error;
	if (!error && !text)
		error = -ENOMEM;
	if (!error && !must && writer->first && writer->waiting + size > WRITER_MAX_WAITING)
		error = -EAGAIN;
	if (!error) {
		*text = (struct text){.bytes = bytes, .size = size};
		*writer->last = text;
		writer->last = &text->next;
		writer->waiting += size;
		pthread_cond_broadcast(&writer->changed);
	}
	pthread_mutex_unlock(&writer->lock);
	if (error) {
		free(text);
		free(bytes);
	}
	return error;
}

bool writer_is_idle(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	bool idle = !writer->first;

	pthread_mutex_unlock(&writer->lock);
	return idle;
}

int writer_error(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	int error = writer->error;

	pthread_mutex_unlock(&writer->lock);
	return error;
}

int writer_wait(struct writer *writer, unsigned ms)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000l;
	}
	pthread_mutex_lock(&writer->lock);
	while (writer->first && !error)
		error = -pthread_cond_timedwait(&writer->changed, &writer->lock, &until);
	if (!writer->first)
		error = writer->error;
	pthread_mutex_unlock(&writer->lock);
	return error;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	bool idle = !writer->first;

	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->lock);
	if (!idle) { /* it may hang in a write for ever: it keeps what it uses, and ends with the process */
		pthread_detach(writer->thread);
		return;
	}
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

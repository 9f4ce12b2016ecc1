/*
 * child.h: real processes for the tests that look at processes.
 *
 * A child program says a line when it is ready and lives until its standard input closes, so that none outlives the
 * test whatever happens to it.
 */
#ifndef NT_TESTS_CHILD_H
#define NT_TESTS_CHILD_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_PATIENCE_MS 20000
#define CHILD_PYTHON "/usr/bin/python3"

struct child {
	pid_t pid;
	int input;	 /* closing it ends the child */
	char ready[256]; /* the line that it said */
};

/* The line on `fd`, without its end; empty if none comes. */
static inline void child_read_line(int fd, char *ret_line, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	size_t length = 0;

	while (length < size - 1 && poll(&wait, 1, CHILD_PATIENCE_MS) == 1 && read(fd, ret_line + length, 1) == 1)
		if (ret_line[length++] == '\n')
			break;
	ret_line[length] = '\0';
	ret_line[strcspn(ret_line, "\n")] = '\0';
}

/*
 * Starts what `enter` does in the new process (NULL: nothing) and then `path` with these arguments. False: it was
 * not ready in time.
 */
static inline bool child_start_in(struct child *child, void (*enter)(void *context), void *context, const char *path,
				  char *const arguments[], char *const environment[])
{
	int input[2], output[2];

	if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
		return false;
	child->pid = fork();
	if (child->pid == 0) {
		dup2(input[0], STDIN_FILENO);
		dup2(output[1], STDOUT_FILENO);
		if (enter)
			enter(context);
		execve(path, arguments, environment);
		_exit(127);
	}
	close(input[0]);
	close(output[1]);
	child->input = input[1];
	child_read_line(output[0], child->ready, sizeof(child->ready));
	close(output[0]);
	return child->pid > 0 && child->ready[0] != '\0';
}

static inline bool child_start(struct child *child, const char *path, char *const arguments[])
{
	return child_start_in(child, NULL, NULL, path, arguments, environ);
}

static inline void child_end(struct child *child)
{
	if (child->input >= 0)
		close(child->input);
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	child->input = -1;
	child->pid = 0;
}

static inline bool child_copy_file(const char *from, const char *to)
{
	char buffer[65536];
	ssize_t got = -1;
	int in, out;

	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	while (in >= 0 && out >= 0 && (got = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, (size_t)got) != got)
			break;
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) < 0)
		got = -1;
	return in >= 0 && out >= 0 && got == 0;
}

static inline bool child_write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return false;
	fputs(text, file);
	return fclose(file) == 0;
}

/* A directory of the test's own, to be removed with child_remove(). */
static inline bool child_make_directory(char *ret_path, size_t size)
{
	const char *base = getenv("TMPDIR");

	snprintf(ret_path, size, "%s/nettrace-test-XXXXXX", base ? base : "/tmp");
	return mkdtemp(ret_path) != NULL;
}

static inline void child_remove(const char *directory)
{
	char *const arguments[] = {"rm", "-rf", "--one-file-system", "--", (char *)directory, NULL};
	pid_t pid = fork();

	if (pid == 0) {
		execv("/bin/rm", arguments);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

#endif

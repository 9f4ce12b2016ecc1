/*
 * echo.c: the server of the bench: answers every 32 bytes with 32 bytes, one connection after the other.
 *
 * Prints its port and serves until its standard input ends; run.py pins it to a core of its own.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE 32 /* bytes */
#define CLIENTS 256

/* Returns 0 when the other side is gone. */
static int answer(int fd)
{
	char message[MESSAGE];
	ssize_t size = recv(fd, message, sizeof(message), MSG_WAITALL);

	return size == MESSAGE && send(fd, message, sizeof(message), MSG_NOSIGNAL) == MESSAGE;
}

static int start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, CLIENTS) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		return -1;
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	return listener;
}

int main(void)
{
	struct pollfd fds[2 + CLIENTS] = {{.fd = 0, .events = POLLIN}, {.fd = start(), .events = POLLIN}};
	int used = 2, on = 1;

	if (fds[1].fd < 0) {
		perror("echo");
		return EXIT_FAILURE;
	}
	for (;;) {
		if (poll(fds, used, -1) < 0 || fds[0].revents)
			return EXIT_SUCCESS;
		if (fds[1].revents && used < 2 + CLIENTS) {
			fds[used] = (struct pollfd){.fd = accept(fds[1].fd, NULL, NULL), .events = POLLIN};
			setsockopt(fds[used].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			used++;
		}
		for (int i = 2; i < used; i++) {
			if (!fds[i].revents || answer(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i--] = fds[--used];
		}
	}
}

/*
 * other_python.c: a program that has what tells a CPython from outside, of the version VERSION (as PY_VERSION_HEX):
 * what nettraced says of versions that it does not know can be tested without having them.
 */
#include <stdio.h>
#include <unistd.h>

const unsigned long Py_Version = VERSION;
char _PyRuntime[8192];

int main(void)
{
	char byte;

	puts("ready");
	fflush(stdout);
	return read(0, &byte, 1) < 0;
}

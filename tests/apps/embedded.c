/*
 * Target: a program that loads CPython as a library, as application servers do. LIBRARY SCRIPT ARGUMENT...
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *library = argc > 2 ? dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) : NULL;
	int (*run)(int, char **) = library ? (int (*)(int, char **))dlsym(library, "Py_BytesMain") : NULL;

	if (!run) {
		fprintf(stderr, "%s: cannot load %s\n", argv[0], argc > 2 ? argv[1] : "what was not named");
		return 1;
	}
	argv[1] = argv[0];
	return run(argc - 1, argv + 1);
}

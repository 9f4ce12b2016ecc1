/*
 * hooks.c: see hooks.h. The file as it lies in memory after relocation is searched for the types by name.
 *
 * A type is either a static PyTypeObject or a PyType_Spec with PyType_Slots (Include/cpython/object.h, Include/object.h
 * of CPython); both begin with a pointer to the name, and both are the same in all of 3.8 to 3.15: they are part of
 * what extension modules are compiled against. Whatever the file says is checked: it may be hostile.
 */
#define _GNU_SOURCE
#include "hooks.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_file.h"
#include "file_id.h"
#include "packages.h"
#include "process.h"
#include "target.h"

#define IMAGE_MAX (64ull << 20) /* bytes of all segments; interpreters have up to 30 MB */
#define WORD sizeof(uint64_t)

/* Bounds for what a file can make us look at. */
#define MAX_NAMES 4	/* places where the name stands; one, or one more where it ends a longer string */
#define MAX_POINTERS 16 /* to one of them: Cython's tables of strings have some, too */
#define MAX_SLOTS 128	/* of a type, and the highest number of one */
#define MAX_METHODS 256

/* From the pointer to the name to the other fields. */
#define SPEC_SIZES 8 /* basicsize and itemsize, int each */
#define SPEC_SLOTS 24
#define SLOT_SIZE 16 /* an int and a pointer */
#define TYPE_BASIC_SIZE 8
#define TYPE_ITEM_SIZE 16
#define TYPE_FLAGS 144
#define TYPE_METHODS 208
#define TYPE_INIT 272

/* struct PyMethodDef; the name is at its beginning. */
#define METHOD_FUNCTION 8
#define METHOD_FLAGS 16
#define METHOD_TEXT 24
#define METHOD_SIZE 32

#define SLOT_INIT 60 /* Include/typeslots.h */
#define SLOT_METHODS 64
#define FLAG_HAVE_GC (1ull << 14) /* all types that we look for have it */
#define MAX_OBJECT_SIZE 65536

/* Include/methodobject.h */
#define METHOD_VARARGS 0x01
#define METHOD_KEYWORDS 0x02
#define METHOD_NONE 0x04
#define METHOD_ONE 0x08
#define METHOD_FAST 0x80
#define METHOD_CLASS 0x200

/* By what in the file a function is found. */
enum by {
	BY_INIT,   /* the type's name: its tp_init */
	BY_METHOD, /* the type's name: a method in its table */
	/* The beginning of the method's own text: what Cython makes callable from C as well (cpdef) is in no table,
	 * uvloop's `write` since 0.22; but uvloop has Cython put class and signature into all texts. */
	BY_TEXT,
};

static const struct row {
	enum hook_function function;
	enum by by;
	const char *name;
	const char *method;
} rows[HOOKS_MAX] = {
    {HOOK_TASK_INIT, BY_INIT, "_asyncio.Task", NULL},
    {HOOK_QUEUE_PUT, BY_METHOD, "_queue.SimpleQueue", "put"},
    {HOOK_STREAM_WRITE, BY_TEXT, "UVStream.write(", "write"},
    {HOOK_STREAM_WRITE, BY_TEXT, "UVStream.writelines(", "writelines"},
    {HOOK_DEQUE_POP, BY_METHOD, "collections.deque", "pop"},
};

static const struct {
	uint32_t flags;
	enum hook_convention convention;
} conventions[] = {
    {METHOD_VARARGS, HOOK_TUPLE},
    {METHOD_VARARGS | METHOD_KEYWORDS, HOOK_TUPLE},
    {METHOD_NONE, HOOK_NONE},
    {METHOD_ONE, HOOK_ONE},
    {METHOD_FAST, HOOK_ARRAY},
    {METHOD_FAST | METHOD_KEYWORDS, HOOK_ARRAY},
    {METHOD_FAST | METHOD_KEYWORDS | METHOD_CLASS, HOOK_METHOD},
};

struct segment {
	uint64_t address, offset;
	size_t size;
	bool executable;
	uint8_t *bytes;
};

struct image {
	struct segment segments[ELF_FILE_MAX_LOADS];
	size_t count;
};

static void image_clear(struct image *image)
{
	while (image->count > 0)
		free(image->segments[--image->count].bytes);
}

static int image_load(struct image *image, const struct elf_file *file)
{
	const struct elf_load *loads;
	size_t count = elf_file_loads(file, &loads), i;
	uint64_t sum = 0;

	for (i = 0; i < count; i++) {
		struct segment *segment = &image->segments[image->count];

		if (loads[i].file_size == 0 || loads[i].file_size > IMAGE_MAX - sum)
			continue;
		sum += loads[i].file_size;
		*segment = (struct segment){
		    .address = loads[i].address,
		    .offset = loads[i].offset,
		    .executable = loads[i].executable,
		    .bytes = malloc(loads[i].file_size),
		};
		if (!segment->bytes)
			return -ENOMEM;
		image->count++;
		segment->size = elf_file_read(file, segment->address, segment->bytes, loads[i].file_size);
	}
	return 0;
}

/* The bytes from `address` on to its segment's end. NULL: there are not `size` of them. */
static uint8_t *image_at(const struct image *image, uint64_t address, size_t size, size_t *ret_left)
{
	const struct segment *segment;
	size_t i;

	for (i = 0; i < image->count; i++) {
		segment = &image->segments[i];
		if (address < segment->address || address - segment->address >= segment->size ||
		    segment->size - (address - segment->address) < size)
			continue;
		if (ret_left)
			*ret_left = segment->size - (address - segment->address);
		return segment->bytes + (address - segment->address);
	}
	return NULL;
}

/* A word of the image; 0 where it has none. */
static uint64_t image_word(const struct image *image, uint64_t address)
{
	const uint8_t *at = image_at(image, address, WORD, NULL);
	uint64_t word = 0;

	if (at)
		memcpy(&word, at, WORD);
	return word;
}

static bool image_has_string(const struct image *image, uint64_t address, const char *text)
{
	const uint8_t *at = image_at(image, address, strlen(text) + 1, NULL);

	return at && memcmp(at, text, strlen(text) + 1) == 0;
}

/*
 * Puts the addresses in place that the loader would: in what can be loaded anywhere, pointers to the file's own things
 * are R_X86_64_RELATIVE. (Packed ones, DT_RELR, stand in their places already.) Pointers to other files' stay 0.
 */
static void image_relocate(struct image *image, struct elf_file *file)
{
	struct elf_section section;
	Elf64_Rela relocation;
	uint8_t *place;
	size_t at;

	if (!elf_file_find_section(file, ".rela.dyn", &section) || !section.data)
		return;
	for (at = 0; section.size - at >= sizeof(relocation); at += sizeof(relocation)) {
		memcpy(&relocation, section.data + at, sizeof(relocation));
		place = image_at(image, relocation.r_offset, WORD, NULL);
		if (place && ELF64_R_TYPE(relocation.r_info) == R_X86_64_RELATIVE)
			memcpy(place, &relocation.r_addend, WORD);
	}
}

/* The value of the slot `number` of a PyType_Spec whose name's pointer is at `place`; 0: it is no spec, or has none. */
static uint64_t spec_find_slot(const struct image *image, uint64_t place, unsigned number)
{
	uint64_t sizes = image_word(image, place + SPEC_SIZES), slots = image_word(image, place + SPEC_SLOTS);
	uint64_t found = 0, id;
	unsigned i;

	if (sizes == 0 || sizes > MAX_OBJECT_SIZE) /* the item's size, in the upper half, is 0 */
		return 0;
	for (i = 0; i < MAX_SLOTS; i++) {
		if (!image_at(image, slots + i * SLOT_SIZE, SLOT_SIZE, NULL))
			return 0;
		id = image_word(image, slots + i * SLOT_SIZE) & UINT32_MAX;
		if (id == 0)
			return found;
		if (id > MAX_SLOTS)
			return 0;
		if (id == number)
			found = image_word(image, slots + i * SLOT_SIZE + WORD);
	}
	return 0;
}

/* Likewise of a static PyTypeObject the field at `field`. */
static uint64_t type_find_field(const struct image *image, uint64_t place, unsigned field)
{
	uint64_t size = image_word(image, place + TYPE_BASIC_SIZE), flags = image_word(image, place + TYPE_FLAGS);

	if (size == 0 || size > MAX_OBJECT_SIZE || image_word(image, place + TYPE_ITEM_SIZE) != 0)
		return 0;
	return flags > UINT32_MAX || !(flags & FLAG_HAVE_GC) ? 0 : image_word(image, place + field);
}

static bool hook_set_convention(struct hook *hook, uint32_t flags)
{
	size_t i;

	for (i = 0; i < sizeof(conventions) / sizeof(conventions[0]); i++) {
		if (conventions[i].flags != flags)
			continue;
		hook->convention = conventions[i].convention;
		return true;
	}
	return false;
}

/* The function of the PyMethodDef at `at`, and how it is called; 0: not known to us. */
static uint64_t method_read(const struct image *image, uint64_t at, struct hook *hook)
{
	return hook_set_convention(hook, (uint32_t)image_word(image, at + METHOD_FLAGS))
		   ? image_word(image, at + METHOD_FUNCTION)
		   : 0;
}

/* Where a method's PyMethodDef is in a table of them; 0: nowhere. */
static uint64_t methods_find(const struct image *image, uint64_t table, const char *name)
{
	uint64_t at = table;
	unsigned i;

	for (i = 0; i < MAX_METHODS && image_word(image, at) != 0; i++, at += METHOD_SIZE)
		if (image_has_string(image, image_word(image, at), name))
			return at;
	return 0;
}

static uint64_t type_find(const struct image *image, uint64_t place, unsigned slot, unsigned field)
{
	uint64_t found = spec_find_slot(image, place, slot);

	return found != 0 ? found : type_find_field(image, place, field);
}

/* The row's function, if what points to its name at `place` is the right thing; else 0. */
static uint64_t hook_find_function(const struct image *image, const struct row *row, uint64_t place, struct hook *hook)
{
	uint64_t at = 0;

	switch (row->by) {
	case BY_INIT:
		return type_find(image, place, SLOT_INIT, TYPE_INIT);
	case BY_METHOD:
		at = type_find(image, place, SLOT_METHODS, TYPE_METHODS);
		at = at ? methods_find(image, at, row->method) : 0;
		break;
	case BY_TEXT:
		if (image_has_string(image, image_word(image, place - METHOD_TEXT), row->method))
			at = place - METHOD_TEXT;
		break;
	}
	return at ? method_read(image, at, hook) : 0;
}

/* Likewise, with its place in the file. */
static bool hook_read(const struct image *image, const struct row *row, uint64_t place, struct hook *ret_hook)
{
	struct hook hook = {.function = row->function, .convention = HOOK_TUPLE};
	uint64_t function = hook_find_function(image, row, place, &hook);
	const struct segment *segment;
	size_t i;

	for (i = 0; i < image->count && function != 0; i++) {
		segment = &image->segments[i];
		if (!segment->executable || function < segment->address || function - segment->address >= segment->size)
			continue;
		hook.offset = function - segment->address + segment->offset;
		*ret_hook = hook;
		return true;
	}
	return false;
}

/* Looks at what points to the name at `name`. */
static bool hook_find_pointers(const struct image *image, const struct row *row, uint64_t name, struct hook *ret_hook)
{
	const struct segment *segment;
	unsigned pointers = 0;
	uint64_t word;
	size_t i, at;

	for (i = 0; i < image->count; i++) {
		segment = &image->segments[i];
		for (at = -segment->address % WORD; segment->size >= WORD && at <= segment->size - WORD; at += WORD) {
			memcpy(&word, segment->bytes + at, WORD);
			if (word != name)
				continue;
			if (hook_read(image, row, segment->address + at, ret_hook))
				return true;
			if (++pointers == MAX_POINTERS)
				return false;
		}
	}
	return false;
}

static bool hook_find(const struct image *image, const struct row *row, struct hook *ret_hook)
{
	size_t size = strlen(row->name) + (row->by != BY_TEXT), i; /* a text goes on */
	const struct segment *segment;
	const uint8_t *at, *end;
	unsigned names = 0;

	for (i = 0; i < image->count; i++) {
		segment = &image->segments[i];
		end = segment->bytes + segment->size;
		for (at = segment->bytes; (at = memmem(at, (size_t)(end - at), row->name, size)); at++) {
			uint64_t name = segment->address + (uint64_t)(at - segment->bytes);

			if (hook_find_pointers(image, row, name, ret_hook))
				return true;
			if (++names == MAX_NAMES)
				return false;
		}
	}
	return false;
}

int hooks_find(int fd, struct hooks *ret_hooks)
{
	struct image image = {.count = 0};
	struct elf_file *file;
	size_t i;
	int r;

	ret_hooks->count = 0;
	r = elf_file_open(fd, &file, NULL);
	if (r < 0)
		return r;
	r = image_load(&image, file);
	if (r == 0) {
		image_relocate(&image, file);
		for (i = 0; i < HOOKS_MAX; i++)
			if (hook_find(&image, &rows[i], &ret_hooks->hooks[ret_hooks->count]))
				ret_hooks->count++;
	}
	image_clear(&image);
	elf_file_free(file);
	return r;
}

#define HOOKS_CACHE 64

struct entry {
	struct file_id id;
	struct hooks hooks;
	bool used;
};

/* What is remembered of an open file; NULL: it is none that can be read, or has nothing. */
static const struct hooks *hooks_recall(int fd)
{
	static struct entry cache[HOOKS_CACHE];
	static unsigned next; /* the oldest: it makes room */
	struct entry *entry;
	struct stat status;
	struct file_id id;
	unsigned i;
	int r;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return NULL;
	id = file_id_of(&status);
	for (i = 0; i < HOOKS_CACHE; i++)
		if (cache[i].used && file_id_is_equal(&cache[i].id, &id))
			return cache[i].hooks.count ? &cache[i].hooks : NULL;
	entry = &cache[next];
	next = (next + 1) % HOOKS_CACHE;
	*entry = (struct entry){.id = id, .hooks = {.device = id.device, .inode = id.inode}};
	r = hooks_find(fd, &entry->hooks);
	/* An error of this moment is no property of the file. */
	entry->used = r == 0 || r == -ENOEXEC || r == -ENOTSUP;
	return entry->hooks.count ? &entry->hooks : NULL;
}

const char *hook_name(enum hook_function function)
{
	static const char *const names[HOOK_FUNCTION_COUNT] = {
	    [HOOK_TASK_INIT] = "tasks of asyncio",
	    [HOOK_QUEUE_PUT] = "work of thread pools",
	    [HOOK_STREAM_WRITE] = "writes of uvloop",
	    [HOOK_DEQUE_POP] = "work of anyio's threads",
	};

	return names[function];
}

/* The files by their names; the executable is looked at in any case. */
static const struct {
	const char *directory; /* "": any */
	const char *prefix;
} file_names[] = {
    {"", "_asyncio."},
    {"", "_queue."},
    {"", "libpython"},
    {"uvloop/", "loop."},
};

static bool file_name_fits(const char *path)
{
	const char *name = process_file_name(path);
	size_t i, length;

	for (i = 0; i < sizeof(file_names) / sizeof(file_names[0]); i++) {
		length = strlen(file_names[i].directory);
		if (strncmp(name, file_names[i].prefix, strlen(file_names[i].prefix)) == 0 &&
		    (size_t)(name - path) >= length && strncmp(name - length, file_names[i].directory, length) == 0)
			return true;
	}
	return false;
}

#define MODULES "/lib-dynload/" /* the directory of CPython's own modules */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define MAX_MODULES 1024 /* files in it; there are about 80 */

struct look {
	pid_t pid;
	int (*each)(void *context, const struct hooks *hooks);
	void *context;
	char modules[PROCESS_PATH_SIZE]; /* as the kernel shows it; "": not known */
};

/* Takes over `fd`, which may be a negative errno. */
static int look_at(struct look *look, int fd)
{
	const struct hooks *known;
	struct hooks hooks;
	int r = 0;

	if (fd < 0)
		return 0;
	known = hooks_recall(fd);
	if (known) {
		hooks = *known;
		snprintf(hooks.path, sizeof(hooks.path), "/proc/self/fd/%d", fd);
		r = look->each(look->context, &hooks);
	}
	close(fd);
	return r;
}

/* map_files has the very file, also a deleted one, but wants more privileges than the rest: without, the path has to
 * do. */
static int open_map(const struct look *look, const struct process_map *map)
{
	struct stat status;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", look->pid, (unsigned long long)map->start,
		 (unsigned long long)map->end);
	fd = open(path, OPEN_FLAGS);
	if (fd >= 0)
		return fd;
	fd = process_open_shown(look->pid, map->path, 0);
	if (fd >= 0 && (fstat(fd, &status) < 0 || status.st_ino != map->inode)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int look_at_map(void *context, const struct process_map *map)
{
	struct look *look = context;
	const char *modules = strstr(map->path, MODULES);

	if (map->offset != 0)
		return 0;
	if (modules && strlen(map->path) < sizeof(look->modules))
		snprintf(look->modules, sizeof(look->modules), "%.*s", (int)(modules - map->path + strlen(MODULES)),
			 map->path);
	return file_name_fits(map->path) ? look_at(look, open_map(look, map)) : 0;
}

/* Looks at the files of a directory; `parent` is what comes before their names in file_names. */
static int look_at_directory(struct look *look, const char *path, const char *parent)
{
	int fd = process_open_shown(look->pid, path, O_DIRECTORY), r = 0;
	char name[NAME_MAX + 16];
	struct dirent *entry;
	unsigned entries = 0;
	DIR *directory;

	directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (r == 0 && entries++ < MAX_MODULES && (entry = readdir(directory))) {
		snprintf(name, sizeof(name), "%s%s", parent, entry->d_name);
		if (file_name_fits(name))
			r = look_at(look, openat(fd, entry->d_name, OPEN_FLAGS | O_NOFOLLOW));
	}
	closedir(directory);
	return r;
}

static int look_at_packages(void *context, const char *directory)
{
	char path[PROCESS_PATH_SIZE];

	if (snprintf(path, sizeof(path), "%suvloop/", directory) >= (int)sizeof(path))
		return 0;
	return look_at_directory(context, path, "uvloop/");
}

int hooks_each(const struct target *target, int (*each)(void *context, const struct hooks *hooks), void *context)
{
	struct look look = {.pid = target->pid, .each = each, .context = context};
	char path[64], prefix[PROCESS_PATH_SIZE / 2];
	int r;

	if (packages_prefix(target->pid, prefix, sizeof(prefix)) == 0)
		snprintf(look.modules, sizeof(look.modules), "%s/lib/python%u.%u" MODULES, prefix, target->python[0],
			 target->python[1]);
	snprintf(path, sizeof(path), "/proc/%d/exe", target->pid);
	r = look_at(&look, open(path, OPEN_FLAGS));
	r = r ? r : process_each_map(target->pid, look_at_map, &look);
	/* What is not imported yet: what it does first would be missed. */
	r = r || !look.modules[0] ? r : look_at_directory(&look, look.modules, "");
	return r ? r : packages_each_directory(target, look_at_packages, &look);
}
